"""Show the rows with problems (問題のある行): a list of them, and an editor where the user decides on one."""

from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QComboBox,
    QListView,
    QSizePolicy,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.base.errors import AppError
from app.base.wording import phrase
from app.training.data import data_overview
from app.training.data.curation import Curation, CurationItem, Decision
from app.training.data.data_overview import FlawedRow, FlawedRows
from app.training.data.records import BadRow
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data import row_texts
from app.training.ui.data.problem_editor import ProblemEditor
from app.training.ui.data.review_list import KEYS
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Label, Separator, plain_tooltip

FlawedRole, SignRole, StateRole, FlawRole = (Qt.ItemDataRole.UserRole + number for number in range(4))
MARGIN_PX, SIGN_PX, LEAST_PX = 16, 16, 120

Index = QModelIndex | QPersistentModelIndex


class ProblemListModel(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: Curation | None = None
        self._shown: list[FlawedRow] = []

    def show_rows(self, rows: Curation, shown: list[FlawedRow]) -> None:
        self.beginResetModel()
        self._rows, self._shown = rows, shown
        self.endResetModel()

    def touch(self) -> None:
        """Redraw the rows after a decision."""
        if self._shown:
            self.dataChanged.emit(self.index(0), self.index(len(self._shown) - 1))

    def flawed(self, row: int) -> FlawedRow | None:
        return self._shown[row] if 0 <= row < len(self._shown) else None

    def row_of(self, number: int) -> int:
        """Return the row of the item with that number, -1 if it is not shown."""
        found = (row for row, one in enumerate(self._shown) if isinstance(one, CurationItem) and one.number == number)
        return next(found, -1)

    def following(self, row: int) -> int:
        """Return the next undecided row, searching from the beginning after the last; `row` itself if none is left."""
        assert self._rows is not None
        around: tuple[int, ...] = (*range(row + 1, len(self._shown)), *range(row))
        for at in around:
            one = self._shown[at]
            if isinstance(one, CurationItem) and self._rows.state_of(one) == "left_out":
                return at
        return row

    # -------------------------------------------------------------- Qt's methods

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self.flawed(index.row())
        if one is None or self._rows is None:
            return None
        if role == FlawedRole:
            return one
        if role == SignRole:
            return (
                ("circle-x", "danger") if isinstance(one, BadRow) else row_texts.STATE_SIGNS[self._rows.state_of(one)]
            )
        if role == StateRole:
            return (
                row_texts.problem_kind_name("unusable")
                if isinstance(one, BadRow)
                else row_texts.state_name(self._rows.state_of(one))
            )
        if role == FlawRole:
            return row_texts.bad_row_text(one) if isinstance(one, BadRow) else _flaws(one)
        text = self._text(one)
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(join_facts(text, self.data(index, FlawRole)))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return join_facts(self.data(index, StateRole), text, self.data(index, FlawRole))
        return None

    def _text(self, one: FlawedRow) -> str:
        assert self._rows is not None
        text = one.detail if isinstance(one, BadRow) else self._rows.row_of(one).question
        place = phrase("training.data_preview", line=f"{data_overview.line_number(one):,}")
        return join_facts(place, row_texts.one_line(text))


def _flaws(item: CurationItem) -> str:
    return phrase("common.data_gap").join(row_texts.check_flaw_text(code) for code in item.flags)


class ProblemListView(QListView):
    """The list of problems. A accepts, E edits, R rejects, Ctrl+Z undoes the last decision."""

    key_pressed = Signal(str)  # accept | edit | reject | undo

    def __init__(self, theme: Theme, problems: ProblemListModel) -> None:
        super().__init__()
        self._theme = theme
        self.setModel(problems)
        self.setItemDelegate(ProblemListDelegate(theme, self))
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
        action = KEYS.get(Qt.Key(event.key()))
        if event.matches(QKeySequence.StandardKey.Undo):
            self.key_pressed.emit("undo")
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.key_pressed.emit("edit")
        elif action is None or event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif not event.isAutoRepeat():
            self.key_pressed.emit(action)

    def keyboardSearch(self, search: str) -> None:
        """Ignore typed letters, because they are commands here."""

    def _on_theme_changed(self) -> None:
        self.setMinimumHeight(self._theme.px(LEAST_PX))
        self.scheduleDelayedItemsLayout()
        self.viewport().update()


class ProblemListDelegate(QStyledItemDelegate):
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
        facts = join_facts(index.data(StateRole), index.data(FlawRole))
        list_rows.draw_text(painter, theme, second, facts, "caption", "text2" if is_chosen else "muted")
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()


LIST_PX, STACK_BELOW_PX, STACKED_PX = 348, 720, 420


class ProblemsTab(QWidget):
    refused = Signal(object)  # AppError: a decision could not be saved

    def __init__(self, theme: Theme, work: DraftEditor) -> None:
        super().__init__()
        self._theme = theme
        self._work = work
        self._shown: Curation | None = None
        self._flaws: FlawedRows | None = None
        self.kinds = QComboBox()
        self.kinds.setAccessibleName(phrase("training.kind_of_problem"))
        self.kinds.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.problems = ProblemListModel()
        self.problems.setParent(self)
        self.view = ProblemListView(theme, self.problems)
        self.nothing = Label(tone="text2", wraps=True)
        self.editor = ProblemEditor(theme)
        self._build()
        self._connect()

    def show_rows(self) -> None:
        """Show the changes of the draft's rows."""
        rows, origin = self._work.curation, self._work.origin
        if rows is None:
            return
        if rows is not self._shown:
            self._shown = rows
            self._flaws = FlawedRows(rows, origin.imported.bad if origin is not None else ())
            self._fill_kinds("")
            self._fill()
            return
        self._fill_kinds(self.kinds.currentData() or "")
        self.problems.touch()
        self._show_current()

    def focus_first(self) -> None:
        first = self.view if self.problems.rowCount() else self.kinds
        first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._side = QWidget()
        top = make_column(self.kinds, self.nothing, margins_px=(16, 10, 16, 10))
        make_column(top, Separator(), (self.view, 1), into=self._side, spacing_px=0)
        self._rules = (Separator("vertical"), Separator())
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        for part, share in ((self._side, 0), (self._rules[0], 0), (self._rules[1], 0), (self.editor, 1)):
            self._row.addWidget(part, share)
        self._lay_out()

    def _connect(self) -> None:
        self.kinds.activated.connect(self._fill)
        self.view.selectionModel().currentChanged.connect(self._on_current_changed)
        self.view.key_pressed.connect(self._on_key)
        self.view.doubleClicked.connect(lambda _index: self.editor.edit())
        self.editor.decided.connect(self._decide)
        self.editor.undo_button.clicked.connect(self._undo)
        self.editor.left.connect(self.view.setFocus)
        self._theme.changed.connect(self._lay_out)

    def _lay_out(self) -> None:
        """Put the editor below the list if both do not fit side by side."""
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        directions, policies = QBoxLayout.Direction, QSizePolicy.Policy
        self._row.setDirection(directions.TopToBottom if is_stacked else directions.LeftToRight)
        self._rules[0].setVisible(not is_stacked)
        self._rules[1].setVisible(is_stacked)
        self._side.setSizePolicy(policies.Preferred if is_stacked else policies.Fixed, policies.Preferred)
        self._side.setMaximumWidth(16_777_215 if is_stacked else self._theme.px(LIST_PX))
        self._side.setMinimumWidth(0 if is_stacked else self._theme.px(LIST_PX))
        self._row.setStretchFactor(self._side, 2 if is_stacked else 0)
        self._row.setStretchFactor(self.editor, 3 if is_stacked else 1)
        self.setMinimumHeight(self._theme.px(STACKED_PX) if is_stacked else 0)

    # ------------------------------------------------------------------- showing

    def _fill_kinds(self, chosen: str) -> None:
        assert self._flaws is not None
        self.kinds.clear()
        kinds = self._flaws.kinds()
        for kind, count in (("", len(self._flaws.of(""))), *kinds):
            self.kinds.addItem(phrase("training.kind_n", kind=row_texts.problem_kind_name(kind), n=f"{count:,}"), kind)
        self.kinds.setCurrentIndex(max(0, self.kinds.findData(chosen)))
        self.kinds.setVisible(bool(kinds))

    def _fill(self, *_: object) -> None:
        assert self._flaws is not None
        assert self._shown is not None
        kind = self.kinds.currentData() or ""
        self.problems.show_rows(self._shown, self._flaws.of(kind))
        is_empty = not self.problems.rowCount()
        self.nothing.setText(phrase("training.no_rows_have_problems") if not kind else phrase("training.none_are_left"))
        self.nothing.setVisible(is_empty)
        self.editor.setVisible(not is_empty)
        if not is_empty:
            self.view.setCurrentIndex(self.problems.index(0))
        self._show_current()

    def _show_current(self) -> None:
        one = self.view.currentIndex().data(FlawedRole)
        if isinstance(one, BadRow):
            self.editor.show_bad(one)
        elif isinstance(one, CurationItem) and self._shown is not None:
            other = self._shown.items[one.like - 1] if one.like else None
            self.editor.show_item(one, self._shown.row_of(one), self._shown.state_of(one), other)

    def _on_current_changed(self, _now: QModelIndex, _before: QModelIndex) -> None:
        self._show_current()

    # ------------------------------------------------------------------ deciding

    def _on_key(self, key: str) -> None:
        actions = {"accept": self.editor.accept, "edit": self.editor.edit, "reject": self.editor.reject}
        actions.get(key, self._undo)()

    def _decide(self, decision: Decision) -> None:
        had_keyboard = self.editor.question.hasFocus() or self.editor.answer.hasFocus()
        try:
            self._work.decide(decision)
        except AppError as error:
            self.refused.emit(error)
            return
        self.editor.forget_edit(decision.number)
        row = self.problems.row_of(decision.number)
        self.view.setCurrentIndex(self.problems.index(self.problems.following(row)))
        self.show_rows()
        if had_keyboard:
            self.view.setFocus()

    def _undo(self) -> None:
        try:
            number = self._work.undo()
        except AppError as error:
            self.refused.emit(error)
            return
        if number:
            self.editor.forget_edit(number)
            row = self.problems.row_of(number)
            if row >= 0:
                self.view.setCurrentIndex(self.problems.index(row))
            self.show_rows()
