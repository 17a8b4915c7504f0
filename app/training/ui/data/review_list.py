"""List the rows to review with their states; above the list are the progress and the filters.

The keys A, E and R in the list accept, edit and reject a row.
"""

from bisect import bisect_left
from collections.abc import Container
from typing import Any, Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPointF, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QButtonGroup,
    QHeaderView,
    QProgressBar,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QWidget,
)

from app.base.wording import phrase
from app.training.data import curation
from app.training.data.curation import Curation, CurationItem, RowState
from app.training.ui.data import row_texts
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import Label, Separator, plain_tooltip

Index = QModelIndex | QPersistentModelIndex
Filter = Literal["all", "undecided", "left_out", "decided"]

DECIDED: tuple[RowState, ...] = ("accepted", "edited", "rejected")
FILTERS: dict[Filter, frozenset[RowState]] = {
    "all": frozenset(("used", "undecided", "left_out", *DECIDED)),
    "undecided": frozenset(("used", "undecided")),
    "left_out": frozenset(("left_out",)),
    "decided": frozenset(DECIDED),
}
_DUE: frozenset[RowState] = frozenset(("undecided", "left_out"))  # not trained on until the user accepts them
REPEATED = "repeated_question"  # a code of `check.CODES`

# SignRole: an icon ("" for an empty circle, "dot" for one with a dot) and its colour. FactsRole: the texts below the
# row's text, each with its colour ("" for the usual one) and weight.
ItemRole, SignRole, FactsRole = (Qt.ItemDataRole.UserRole + number for number in range(3))


def count_decided(rows: Curation | None) -> int:
    return sum(rows.counts[state] for state in DECIDED) if rows is not None else 0


class ReviewListModel(QAbstractListModel):
    """The items that the current filter includes.

    An item's `number` counts from 1 among all items, not in the filtered list. `edits`: numbers of items with unsaved
    texts.
    """

    def __init__(self) -> None:
        super().__init__()
        self._curation: Curation | None = None
        self._shown: list[int] = []
        self.filter: Filter = "all"
        self.total = 0  # number of items that need or needed a decision
        self.edits: Container[int] = ()

    # ------------------------------------------------------------------- content

    def show_curation(self, current_curation: Curation | None, item_filter: Filter) -> None:
        self.beginResetModel()
        self._curation, self.filter = current_curation, item_filter
        items = current_curation.items if current_curation is not None else ()
        self.total = sum(curation.undecided_state(item) in _DUE for item in items)
        states = FILTERS[item_filter]
        self._shown = [item.number for item in items if item_filter == "all" or self.state_of(item) in states]
        self.endResetModel()

    def refresh(self, number: int) -> None:
        """Update an item after a decision or an undo; the filter may now include or exclude it."""
        row = bisect_left(self._shown, number)
        is_shown = row < len(self._shown) and self._shown[row] == number
        fits = self.state_of(self.item(number)) in FILTERS[self.filter]
        if is_shown and not fits:
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._shown[row]
            self.endRemoveRows()
        elif fits and not is_shown:
            self.beginInsertRows(QModelIndex(), row, row)
            self._shown.insert(row, number)
            self.endInsertRows()
        elif is_shown:
            self.touch(number)

    def touch(self, number: int) -> None:
        """Redraw an item."""
        index = self.index_of(number)
        if index.isValid():
            self.dataChanged.emit(index, index)

    # ------------------------------------------------------------------- queries

    def item(self, number: int) -> CurationItem:
        assert self._curation is not None
        return self._curation.items[number - 1]

    def state_of(self, item: CurationItem) -> RowState:
        assert self._curation is not None
        return self._curation.state_of(item)

    @property
    def open_count(self) -> int:
        return sum(self._curation.counts[state] for state in _DUE) if self._curation is not None else 0

    def count(self, item_filter: Filter) -> int:
        return sum(self._curation.counts[state] for state in FILTERS[item_filter]) if self._curation is not None else 0

    def index_of(self, number: int) -> QModelIndex:
        """Return the index of an item; an invalid index if it is not in the list."""
        row = bisect_left(self._shown, number)
        return self.index(row) if row < len(self._shown) and self._shown[row] == number else QModelIndex()

    def first_number(self) -> int:
        """Return the first listed item that needs a decision, else the first listed one; 0 if the list is empty."""
        wanted = (number for number in self._shown if self.state_of(self.item(number)) in _DUE)
        return next(wanted, self._shown[0] if self._shown else 0)

    def following(self, number: int) -> int:
        """Return the item to show after a decision: the next undecided one, continuing at the top after the last.

        After an item that needed a decision comes another such item; after an item that is used without a decision
        comes another one of these. Return `number` itself if none is left.
        """
        wanted = _DUE if curation.undecided_state(self.item(number)) in _DUE else FILTERS["undecided"]
        at = bisect_left(self._shown, number)
        around = (*range(at + 1, len(self._shown)), *range(at))
        rows = (self._shown[row] for row in around if self._shown[row] != number)
        return next((other for other in rows if self.state_of(self.item(other)) in wanted), number)

    def nearest(self, number: int) -> int:
        """Return the listed item nearest to `number`; 0 if the list is empty."""
        row = min(bisect_left(self._shown, number), len(self._shown) - 1)
        return self._shown[row] if row >= 0 else 0

    # -------------------------------------------------------------- Qt's methods

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or self._curation is None:
            return None
        item = self.item(self._shown[index.row()])
        if role == ItemRole:
            return item
        state, has_edit = self.state_of(item), item.number in self.edits
        if role == SignRole:
            icon, tone = row_texts.STATE_SIGNS[state]
            return "dot" if state == "used" else icon, tone
        if role == FactsRole:
            edit = [(phrase("training.being_edited"), "accent", 600)] if has_edit else []
            tone = row_texts.STATE_SIGNS[state][1] if state == "left_out" else ""
            doubt = [(row_texts.check_flaw_text(REPEATED), "warning", 400)] if self._contradicts(item) else []
            return [*doubt, (row_texts.state_name(state), tone, 400), *edit, (row_texts.source_line(item), "", 400)]
        question = row_texts.one_line(self._curation.row_of(item).question)
        if role == Qt.ItemDataRole.DisplayRole:
            return question
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(question)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            edited = phrase("training.being_edited") if has_edit else ""
            contradiction = row_texts.check_flaw_text(REPEATED) if self._contradicts(item) else ""
            return join_facts(row_texts.state_name(state), edited, contradiction, question, row_texts.source_line(item))
        return None

    def _contradicts(self, item: CurationItem) -> bool:
        """Return whether an item is used, although an earlier one answers its question differently."""
        return REPEATED in item.flags and self.state_of(item) == "used"


KEYS = {Qt.Key.Key_A: "accept", Qt.Key.Key_E: "edit", Qt.Key.Key_R: "reject"}

MARGIN_PX = 16
SIGN_PX = 16
ROWS_AHEAD = 2  # rows after the current one that stay visible
LEAST_PX = 110  # minimum height of the list; with less space the page scrolls


class ReviewList(QWidget):
    filter_chosen = Signal(str)  # a key of FILTERS

    def __init__(self, theme: Theme, items: ReviewListModel) -> None:
        super().__init__()
        self._theme = theme
        self._items = items
        self.view = ReviewTable(theme, items, phrase("training.rows_to_review"))
        self.amount = Label(role="caption", tone="text2")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("training.progress_of_the_review"))
        self.filters: dict[Filter, Button] = {}
        self._build()

    def show_progress(self) -> None:
        total, left = self._items.total, self._items.open_count
        amount = phrase("training.a_b", a=f"{total - left:,}", b=f"{total:,}")
        self.amount.setText(amount if total else phrase("training.nothing_needs_review"))
        self.bar.setVisible(total > 0)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(total - left)
        for key, button in self.filters.items():
            count = self._items.count(key)
            has_count = key in ("undecided", "left_out")
            button.setText(f"{row_texts.filter_name(key)} {count:,}" if has_count else row_texts.filter_name(key))
            button.setChecked(key == self._items.filter)
            button.setVisible(key != "left_out" or count > 0 or button.isChecked())

    def _build(self) -> None:
        head = make_row(self.amount, (self.bar, 1), spacing_px=12)
        group = QButtonGroup(self)
        for key in FILTERS:
            button = self.filters[key] = Button(self._theme, row_texts.filter_name(key), compact=True)
            button.setCheckable(True)
            group.addButton(button)
            button.clicked.connect(lambda _=False, key=key: self.filter_chosen.emit(key))
        top = make_column(
            head, FlowBox(*self.filters.values()), margins_px=(MARGIN_PX, 10, MARGIN_PX, 10), spacing_px=8
        )
        make_column(top, Separator(), (self.view, 1), into=self, spacing_px=0)


class ReviewTable(QTableView):
    """A table with one column and keys that act on its rows.

    It is no QListView, because that would lay out all rows again when one changes.
    """

    key_pressed = Signal(str)  # accept | edit | reject

    def __init__(self, theme: Theme, items: QAbstractListModel, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.setModel(items)
        self.setItemDelegate(ReviewDelegate(theme, self))
        self.setAccessibleName(name)
        self.setAccessibleDescription(phrase("training.a_accepts_e_edits_r"))
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setShowGrid(False)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Handle the command keys. A key that is held down acts only once."""
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in KEYS:
            if not event.isAutoRepeat():
                self.key_pressed.emit(KEYS[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):  # in a table these keys would change the column
            last = self.model().rowCount() - 1
            self.setCurrentIndex(self.model().index(0 if key == Qt.Key.Key_Home else last, 0))
        else:
            super().keyPressEvent(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the current row in view when the table becomes lower."""
        area = self.visualRect(self.currentIndex())
        super().resizeEvent(event)
        if event.size().height() < area.bottom() < event.oldSize().height():
            self.show_current()

    def show_current(self) -> None:
        """Scroll so that the current row and some rows after it are visible."""
        row = self.currentIndex().row()
        for other in (min(row + ROWS_AHEAD, self.model().rowCount() - 1), row):
            self.scrollTo(self.model().index(other, 0))

    def keyboardSearch(self, search: str) -> None:
        """Ignore typed letters instead of searching, because they are commands here."""

    def _on_theme_changed(self) -> None:
        theme = self._theme
        height = theme.line_height("ui") + theme.line_height("caption") + theme.px(17)
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setDefaultSectionSize(height)
        self.setMinimumHeight(theme.px(LEAST_PX))
        self.viewport().update()


class ReviewDelegate(QStyledItemDelegate):
    """Draws a row's sign and text, and its facts below the text."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        area: QRect = option.rect
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        sign = QRect(area.left() + MARGIN_PX, area.top() + theme.px(8), theme.px(SIGN_PX), theme.line_height("ui"))
        self._paint_sign(painter, sign, *index.data(SignRole))
        left = sign.right() + theme.px(8)
        line = QRect(left, sign.top(), area.right() - MARGIN_PX - left, sign.height())
        list_rows.draw_text(painter, theme, line, index.data(), "ui", "text", weight=600 if is_chosen else 400)
        room = QRect(left, line.bottom() + 1, line.width(), theme.line_height("caption"))
        quiet = "text2" if is_chosen else "muted"
        for text, tone, weight in index.data(FactsRole):
            used = list_rows.draw_text(painter, theme, room, text, "caption", tone or quiet, weight=weight)
            room.setLeft(room.left() + used + theme.px(12))
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_sign(self, painter: QPainter, area: QRect, icon: str, tone: str) -> None:
        theme = self._theme
        if icon not in ("", "dot"):
            theme.icon(icon, tone, SIGN_PX).paint(painter, area)
            return
        radius = theme.px(SIGN_PX) / 2 - theme.px(1)
        center = QPointF(area.center()) + QPointF(0.5, 0.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.color(tone), 1.5))
        painter.drawEllipse(center, radius, radius)
        if icon == "dot":
            painter.setBrush(theme.color(tone))
            painter.drawEllipse(center, radius / 3, radius / 3)
