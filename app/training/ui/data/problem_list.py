"""Rows with something wrong as a list: what became of each, its question, and what is wrong with it."""

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.wording import phrase
from app.training.data import overview
from app.training.data.curation import Curation, Item
from app.training.data.overview import Flawed
from app.training.data.records import BadRow
from app.training.ui.data import words
from app.training.ui.review import words as review_words
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip

FlawedRole, SignRole, StateRole, FlawRole = (Qt.ItemDataRole.UserRole + number for number in range(4))
KEYS = {Qt.Key.Key_A: "accept", Qt.Key.Key_E: "edit", Qt.Key.Key_R: "reject"}
MARGIN_PX, SIGN_PX, LEAST_PX = 16, 16, 120

Index = QModelIndex | QPersistentModelIndex


class Problems(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: Curation | None = None
        self._shown: list[Flawed] = []

    def show_rows(self, rows: Curation, shown: list[Flawed]) -> None:
        self.beginResetModel()
        self._rows, self._shown = rows, shown
        self.endResetModel()

    def touch(self) -> None:
        """Something was decided."""
        if self._shown:
            self.dataChanged.emit(self.index(0), self.index(len(self._shown) - 1))

    def flawed(self, row: int) -> Flawed | None:
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def row_of(self, number: int) -> int:
        """Of the item with that number; -1: it is not shown."""
        found = (row for row, one in enumerate(self._shown) if isinstance(one, Item) and one.number == number)
        return next(found, -1)

    def following(self, row: int) -> int:
        """The next one that nobody has decided of, from the beginning after the last; the same where none is left."""
        assert self._rows is not None
        around: tuple[int, ...] = (*range(row + 1, len(self._shown)), *range(row))
        for at in around:
            one = self._shown[at]
            if isinstance(one, Item) and self._rows.state_of(one) == "left_out":
                return at
        return row

    # --------------------------------------------------------------- what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self.flawed(index.row())
        if one is None or self._rows is None:
            return None
        if role == FlawedRole:
            return one
        if role == SignRole:
            return ("circle-x", "danger") if isinstance(one, BadRow) else review_words.SIGNS[self._rows.state_of(one)]
        if role == StateRole:
            return words.kind("unusable") if isinstance(one, BadRow) else review_words.state(self._rows.state_of(one))
        if role == FlawRole:
            return words.unusable(one) if isinstance(one, BadRow) else _flaws(one)
        text = self._text(one)
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(join_facts(text, self.data(index, FlawRole)))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return join_facts(self.data(index, StateRole), text, self.data(index, FlawRole))
        return None

    def _text(self, one: Flawed) -> str:
        assert self._rows is not None
        said = one.detail if isinstance(one, BadRow) else self._rows.row_of(one).question
        place = phrase("training.data_preview", line=f"{overview.line(one):,}")
        return join_facts(place, review_words.one_line(said))


def _flaws(item: Item) -> str:
    return phrase("common.data_gap").join(words.flaw(code) for code in item.flags)


class ProblemView(QListView):
    """A keeps, E changes, R leaves out, Ctrl+Z takes the last decision back."""

    key_pressed = Signal(str)  # accept | edit | reject | undo

    def __init__(self, theme: Theme, problems: Problems) -> None:
        super().__init__()
        self._theme = theme
        self.setModel(problems)
        self.setItemDelegate(ProblemDelegate(theme, self))
        self.setAccessibleName(phrase("training.rows_with_problems"))
        self.setAccessibleDescription(phrase("training.a_accepts_e_edits_r"))
        self.setUniformItemSizes(True)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        deed = KEYS.get(Qt.Key(event.key()))
        if event.matches(QKeySequence.StandardKey.Undo):
            self.key_pressed.emit("undo")
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.key_pressed.emit("edit")
        elif deed is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.key_pressed.emit(deed)

    def keyboardSearch(self, search: str) -> None:
        """Letters are commands here."""

    def _on_theme_changed(self) -> None:
        self.setMinimumHeight(self._theme.px(LEAST_PX))
        self.scheduleDelayedItemsLayout()
        self.viewport().update()


class ProblemDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        return QSize(0, theme.line_height("ui") + theme.line_height("caption") + theme.px(17))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, area = self._theme, QRect(option.rect)
        icon, tone = index.data(SignRole)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        size = theme.px(SIGN_PX)
        sign = QRect(area.left() + MARGIN_PX, area.top() + theme.px(8), size, theme.line_height("ui"))
        theme.icon(icon or "info", tone, SIGN_PX).paint(painter, sign)
        left = sign.right() + theme.px(8)
        line = QRect(left, sign.top(), area.right() - MARGIN_PX - left, sign.height())
        list_rows.draw_text(painter, theme, line, index.data(), "ui", "text", weight=600 if is_chosen else 400)
        second = QRect(left, line.bottom() + 1, line.width(), theme.line_height("caption"))
        told = join_facts(index.data(StateRole), index.data(FlawRole))
        list_rows.draw_text(painter, theme, second, told, "caption", "text2" if is_chosen else "muted")
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()
