"""Show the rows with problems (問題のある行): a list of them, and an editor in which the user decides on one."""

from collections.abc import Callable
from typing import Any, Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QResizeEvent
from PySide6.QtWidgets import (
    QComboBox,
    QWidget,
)

from app.base.errors import AppError
from app.base.wording import phrase
from app.training.data import data_overview
from app.training.data.curation import Curation, CurationItem, Decision, RowState
from app.training.data.data_overview import FlawedRow, FlawedRows
from app.training.data.records import BadRow
from app.training.data.rows import TrainingRow
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data import row_texts
from app.training.ui.data.review_list import FactsRole, ItemRole, ReviewTable, SignRole
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import (
    FlowBox,
    IconLines,
    Stretch,
    fix_width,
    make_column,
    make_row,
    make_scrollable,
    set_direction,
)
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import Label, Separator, plain_tooltip

BAD_SIGN = ("circle-x", "danger")

Index = QModelIndex | QPersistentModelIndex


class ProblemListModel(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: Curation | None = None
        self._shown_rows: list[FlawedRow] = []

    def show_rows(self, rows: Curation, flawed_rows: list[FlawedRow]) -> None:
        self.beginResetModel()
        self._rows, self._shown_rows = rows, flawed_rows
        self.endResetModel()

    def touch(self) -> None:
        """Redraw all rows after a decision."""
        if self._shown_rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._shown_rows) - 1))

    def flawed(self, row: int) -> FlawedRow | None:
        return self._shown_rows[row] if 0 <= row < len(self._shown_rows) else None

    def row_of(self, number: int) -> int:
        """Return the list row of the item with that number; -1 if the item is not listed."""
        found = (
            row for row, one in enumerate(self._shown_rows) if isinstance(one, CurationItem) and one.number == number
        )
        return next(found, -1)

    def following(self, row: int) -> int:
        """Return the next list row that needs a decision, continuing at the top after the last; `row` if none does."""
        assert self._rows is not None
        around: tuple[int, ...] = (*range(row + 1, len(self._shown_rows)), *range(row))
        for at in around:
            one = self._shown_rows[at]
            if isinstance(one, CurationItem) and self._rows.state_of(one) == "left_out":
                return at
        return row

    # -------------------------------------------------------------- Qt's methods

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown_rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self.flawed(index.row())
        if one is None or self._rows is None:
            return None
        if role == ItemRole:
            return one
        if isinstance(one, BadRow):
            sign, state, flaw = BAD_SIGN, row_texts.problem_kind_name("unusable"), row_texts.bad_row_text(one)
        else:
            icon, tone = row_texts.STATE_SIGNS[self._rows.state_of(one)]
            sign, state = (icon or "info", tone), row_texts.state_name(self._rows.state_of(one))
            flaw = phrase("common.data_gap").join(row_texts.check_flaw_text(code) for code in one.flags)
        if role == SignRole:
            return sign
        if role == FactsRole:
            return [(join_facts(state, flaw), "", 400)]
        text = self._text(one)
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(join_facts(text, flaw))
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return join_facts(state, text, flaw)
        return None

    def _text(self, row: FlawedRow) -> str:
        assert self._rows is not None
        text = row.detail if isinstance(row, BadRow) else self._rows.row_of(row).question
        place = phrase("training.data_preview", line=f"{data_overview.line_number(row):,}")
        return join_facts(place, row_texts.one_line(text))


class ProblemListView(ReviewTable):
    """Lists the problems. A accepts, E or Enter edits, R rejects, Ctrl+Z undoes the last decision."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Undo):
            self.key_pressed.emit("undo")
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.key_pressed.emit("edit")
        else:
            super().keyPressEvent(event)


EDITOR_MARGIN_PX = 20
QUESTION_LINES, ANSWER_LINES = (2, 6), (4, 14)


class ProblemEditor(QWidget):
    decided = Signal(object)  # Decision
    left = Signal()  # Esc was pressed: return to the list

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._item: CurationItem | None = None
        self._stored_texts = ("", "")
        self._edits: dict[int, tuple[str, str]] = {}  # unsaved texts by the item's number
        self.heading = Label(role="heading3")
        self.state = Label(role="caption", tone="text2")
        self.problems = IconLines(theme, is_tinted=True)
        self.earlier = Label(tone="text2", wraps=True)
        self.similar_row = Label(tone="text2", wraps=True)
        self.question = CorrectedField(theme, phrase("common.batch_column.question"), *QUESTION_LINES)
        self.answer = CorrectedField(theme, phrase("common.batch_column.answer"), *ANSWER_LINES)
        self.hint = Label(tone="text2", wraps=True)
        self.accept_button = Button(theme, phrase("training.accept_a"))
        self.edit_button = Button(theme, phrase("training.edit_and_accept_e"))
        self.reject_button = Button(theme, phrase("training.reject_r"))
        self.undo_button = Button(theme, phrase("common.undo"), "quiet", "undo-2")
        self._fields = QWidget()
        self._build()
        self._connect()

    def show_item(self, item: CurationItem, row: TrainingRow, state: RowState, other_item: CurationItem | None) -> None:
        """Show an item. `row`: its current texts. `other_item`: the item that it resembles; None if there is none."""
        self._remember_edit()
        self._item = item
        self.heading.setText(phrase("training.data_preview", line=f"{row.line:,}"))
        self.state.setText(row_texts.state_name(state))
        self.problems.show_lines(
            [("triangle-alert", "warning", line) for line in row_texts.flaw_lines(item, other_item)]
        )
        self._show_other(self.earlier, row_texts.earlier_turns_text(row))
        similar = [
            phrase("training.data_said", role=phrase(f"training.data_role.{one.role}"), text=one.text)
            for one in (other_item.row.messages[-2:] if other_item is not None else ())
        ]
        self._show_other(self.similar_row, "\n".join(similar))
        self._stored_texts = (row.question, row.answer)
        self._write(*self._edits.get(item.number, self._stored_texts))
        self._fields.show()
        self.hint.setText(phrase("training.correct_the_texts_and_press"))

    def show_bad(self, bad_row: BadRow) -> None:
        self._remember_edit()
        self._item = None
        self.heading.setText(phrase("training.data_preview", line=f"{bad_row.line:,}"))
        self.state.setText(row_texts.problem_kind_name("unusable"))
        self.problems.show_lines([("circle-x", "danger", row_texts.bad_row_text(bad_row))])
        self._show_other(self.earlier, "")
        self._show_other(self.similar_row, bad_row.detail)
        self._fields.hide()
        self.hint.setText(phrase("training.it_cannot_be_mended_here"))

    @property
    def is_changed(self) -> bool:
        return self._item is not None and self._texts() != self._stored_texts

    def decide(self, kind: Literal["accepted", "rejected"]) -> None:
        if self._item is not None:
            self.decided.emit(Decision(self._item.number, kind))

    def edit(self) -> None:
        """Save the changed texts; if nothing has changed, move the focus to the answer."""
        if self._item is None:
            return
        if not self.is_changed:
            self.answer.to_end()
        elif self.question.finish_input_conversion() and self.answer.finish_input_conversion():
            question, answer = self._texts()
            self.decided.emit(Decision(self._item.number, "edited", question, answer))

    def forget_edit(self, number: int) -> None:
        """Discard an item's unsaved texts after a decision on it."""
        self._edits.pop(number, None)
        if self._item is not None and self._item.number == number:
            self._item = None

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        head = make_row((self.heading, 1), self.state)
        fields = make_column(into=self._fields, spacing_px=6)
        for title, field in (
            (phrase("common.batch_column.question"), self.question),
            (phrase("common.batch_column.answer"), self.answer),
        ):
            label = Label(title, strong=True)
            label.setBuddy(field)
            fields.addWidget(label)
            fields.addWidget(field)
        fields.addSpacing(6)
        self.buttons = FlowBox(self.accept_button, self.edit_button, self.reject_button, self.undo_button)
        content = QWidget()
        make_column(
            head,
            self.problems,
            self.similar_row,
            self.earlier,
            self._fields,
            self.hint,
            self.buttons,
            Stretch(),
            into=content,
            margins_px=(EDITOR_MARGIN_PX, 14, EDITOR_MARGIN_PX, 14),
            spacing_px=10,
        )
        make_column(make_scrollable(content), into=self)

    def _connect(self) -> None:
        self.accept_button.clicked.connect(lambda: self.decide("accepted"))
        self.edit_button.clicked.connect(self.edit)
        self.reject_button.clicked.connect(lambda: self.decide("rejected"))
        for field in (self.question, self.answer):
            field.submitted.connect(self.edit)
            field.cancelled.connect(self._cancel_edit)

    def _remember_edit(self) -> None:
        """Keep the shown item's unsaved texts until there is a decision on it."""
        if self._item is not None:
            self._edits.pop(self._item.number, None)
            if self.is_changed:
                self._edits[self._item.number] = self._texts()

    def _write(self, question: str, answer: str) -> None:
        """Fill the fields. A field whose text does not change keeps its cursor."""
        for field, text in ((self.question, question), (self.answer, answer)):
            if field.toPlainText() != text:
                field.setPlainText(text)

    def _texts(self) -> tuple[str, str]:
        return self.question.toPlainText(), self.answer.toPlainText()

    def _cancel_edit(self) -> None:
        self._write(*self._stored_texts)
        self.left.emit()

    def _show_other(self, label: Label, text: str) -> None:
        label.setText(text)
        label.setVisible(bool(text))


LIST_PX, STACK_BELOW_PX, STACKED_PX = 348, 720, 420


class ProblemsTab(QWidget):
    def __init__(self, theme: Theme, work: DraftEditor, show_error: Callable[[AppError], None]) -> None:
        """Create the tab. `show_error`: called if a decision could not be saved."""
        super().__init__()
        self._theme = theme
        self._work = work
        self._show_error = show_error
        self._curation: Curation | None = None
        self._flaws: FlawedRows | None = None
        self.kinds = QComboBox()
        self.kinds.setAccessibleName(phrase("training.kind_of_problem"))
        self.kinds.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.problems = ProblemListModel()
        self.problems.setParent(self)
        self.view = ProblemListView(theme, self.problems, phrase("training.rows_with_problems"))
        self.nothing = Label(tone="text2", wraps=True)
        self.editor = ProblemEditor(theme)
        self._build()
        self._connect()

    def show_rows(self) -> None:
        """Update the tab after the draft's rows have changed."""
        rows, origin = self._work.curation, self._work.origin
        if rows is None:
            return
        if rows is not self._curation:
            self._curation = rows
            self._flaws = FlawedRows(rows, origin.imported.bad_rows if origin is not None else ())
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
        self._row = make_row(self._side, *self._rules, (self.editor, 1), into=self, spacing_px=0)
        self._lay_out()

    def _connect(self) -> None:
        self.kinds.activated.connect(self._fill)
        self.view.selectionModel().currentChanged.connect(self._show_current)
        self.view.key_pressed.connect(self._on_key)
        self.view.doubleClicked.connect(lambda _index: self.editor.edit())
        self.editor.decided.connect(self._decide)
        self.editor.undo_button.clicked.connect(self._undo)
        self.editor.left.connect(self.view.setFocus)
        self._theme.changed.connect(self._lay_out)

    def _lay_out(self) -> None:
        """Place the editor below the list if both do not fit side by side."""
        is_stacked = self.width() < self._theme.px(STACK_BELOW_PX)
        set_direction(self._row, is_row=not is_stacked)
        self._rules[0].setVisible(not is_stacked)
        self._rules[1].setVisible(is_stacked)
        fix_width(self._side, None if is_stacked else self._theme.px(LIST_PX))
        self._row.setStretchFactor(self._side, 2 if is_stacked else 0)
        self._row.setStretchFactor(self.editor, 3 if is_stacked else 1)
        self.setMinimumHeight(self._theme.px(STACKED_PX) if is_stacked else 0)

    # ------------------------------------------------------------------- showing

    def _fill_kinds(self, chosen_kind: str) -> None:
        assert self._flaws is not None
        self.kinds.clear()
        kinds = self._flaws.kinds()
        for kind, count in (("", len(self._flaws.rows_of_kind(""))), *kinds):
            self.kinds.addItem(phrase("training.kind_n", kind=row_texts.problem_kind_name(kind), n=f"{count:,}"), kind)
        self.kinds.setCurrentIndex(max(0, self.kinds.findData(chosen_kind)))
        self.kinds.setVisible(bool(kinds))

    def _fill(self, *_: object) -> None:
        assert self._flaws is not None
        assert self._curation is not None
        kind = self.kinds.currentData() or ""
        self.problems.show_rows(self._curation, self._flaws.rows_of_kind(kind))
        is_empty = not self.problems.rowCount()
        self.nothing.setText(phrase("training.no_rows_have_problems") if not kind else phrase("training.none_are_left"))
        self.nothing.setVisible(is_empty)
        self.editor.setVisible(not is_empty)
        if not is_empty:
            self.view.setCurrentIndex(self.problems.index(0))
        self._show_current()

    def _show_current(self) -> None:
        one = self.view.currentIndex().data(ItemRole)
        if isinstance(one, BadRow):
            self.editor.show_bad(one)
        elif isinstance(one, CurationItem) and self._curation is not None:
            other = self._curation.items[one.like - 1] if one.like else None
            self.editor.show_item(one, self._curation.row_of(one), self._curation.state_of(one), other)

    # ------------------------------------------------------------------ deciding

    def _on_key(self, key: str) -> None:
        if key in ("accept", "reject"):
            self.editor.decide("accepted" if key == "accept" else "rejected")
        else:
            (self.editor.edit if key == "edit" else self._undo)()

    def _decide(self, decision: Decision) -> None:
        had_keyboard = self.editor.question.hasFocus() or self.editor.answer.hasFocus()
        try:
            self._work.decide(decision)
        except AppError as error:
            self._show_error(error)
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
            self._show_error(error)
            return
        if number:
            self.editor.forget_edit(number)
            row = self.problems.row_of(number)
            if row >= 0:
                self.view.setCurrentIndex(self.problems.index(row))
            self.show_rows()
