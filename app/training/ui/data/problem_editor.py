"""Show one row with problems: the problems, the similar row, and the texts, which the user can edit in place."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base.wording import phrase
from app.training.data.curation import CurationItem, Decision, RowState
from app.training.data.records import BadRow
from app.training.data.rows import TrainingRow
from app.training.ui.data import row_texts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, make_column, make_row, make_scrollable
from app.uikit.widgets.fields import CorrectedField
from app.uikit.widgets.labels import IconLabel, Label

MARGIN_PX = 20
QUESTION_LINES, ANSWER_LINES = (2, 6), (4, 14)


class ProblemEditor(QWidget):
    decided = Signal(object)  # Decision
    left = Signal()  # Esc: back to the list

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._item: CurationItem | None = None
        self._before = ("", "")
        self._edits: dict[int, tuple[str, str]] = {}  # unsaved texts, by the number of the item
        self.place = Label(role="heading3")
        self.state = Label(role="caption", tone="text2")
        self._wrong = make_column(spacing_px=4)
        self.wrong: list[str] = []
        self.earlier = Label(tone="text2", wraps=True)
        self.like = Label(tone="text2", wraps=True)
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

    def show_item(self, item: CurationItem, row: TrainingRow, state: RowState, other: CurationItem | None) -> None:
        """Show an item. `row`: its current texts. `other`: the similar item."""
        self._remember_edit()
        self._item = item
        self.place.setText(phrase("training.data_preview", line=f"{row.line:,}"))
        self.state.setText(row_texts.state_name(state))
        self._show_wrong(row_texts.flaw_lines(item, other), "triangle-alert", "warning")
        self._show_other(self.earlier, row_texts.earlier_turns_text(row))
        similar = [
            phrase("training.data_said", role=phrase(f"training.data_role.{one.role}"), text=one.text)
            for one in (other.row.messages[-2:] if other is not None else ())
        ]
        self._show_other(self.like, "\n".join(similar))
        self._before = (row.question, row.answer)
        self._write(*self._edits.get(item.number, self._before))
        self._fields.show()
        self.hint.setText(phrase("training.correct_the_texts_and_press"))

    def show_bad(self, bad: BadRow) -> None:
        self._remember_edit()
        self._item = None
        self.place.setText(phrase("training.data_preview", line=f"{bad.line:,}"))
        self.state.setText(row_texts.problem_kind_name("unusable"))
        self._show_wrong([row_texts.bad_row_text(bad)], "circle-x", "danger")
        self._show_other(self.earlier, "")
        self._show_other(self.like, bad.detail)
        self._fields.hide()
        self.hint.setText(phrase("training.it_cannot_be_mended_here"))

    @property
    def is_changed(self) -> bool:
        return self._item is not None and self._texts() != self._before

    def accept(self) -> None:
        if self._item is not None:
            self.decided.emit(Decision(self._item.number, "accepted"))

    def edit(self) -> None:
        """Save the changed texts; without changes give the focus to the answer."""
        if self._item is None:
            return
        if not self.is_changed:
            self.answer.to_end()
        elif self.question.finish_conversion() and self.answer.finish_conversion():
            question, answer = self._texts()
            self.decided.emit(Decision(self._item.number, "edited", question, answer))

    def reject(self) -> None:
        if self._item is not None:
            self.decided.emit(Decision(self._item.number, "rejected"))

    def forget_edit(self, number: int) -> None:
        """Drop the unsaved texts of an item after a decision."""
        self._edits.pop(number, None)
        if self._item is not None and self._item.number == number:
            self._item = None

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        head = make_row((self.place, 1), self.state)
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
        column = make_column(head, self._wrong, into=content, margins_px=(MARGIN_PX, 14, MARGIN_PX, 14), spacing_px=10)
        for part in (self.like, self.earlier, self._fields, self.hint, self.buttons):
            column.addWidget(part)
        column.addStretch(1)
        make_column(make_scrollable(content), into=self)

    def _connect(self) -> None:
        self.accept_button.clicked.connect(self.accept)
        self.edit_button.clicked.connect(self.edit)
        self.reject_button.clicked.connect(self.reject)
        for field in (self.question, self.answer):
            field.submitted.connect(self.edit)
            field.cancelled.connect(self._cancel_edit)

    def _remember_edit(self) -> None:
        """Keep the unsaved texts of the shown item until it is decided."""
        if self._item is not None:
            self._edits.pop(self._item.number, None)
            if self.is_changed:
                self._edits[self._item.number] = self._texts()

    def _write(self, question: str, answer: str) -> None:
        """Fill the fields. An unchanged text keeps its cursor."""
        for field, text in ((self.question, question), (self.answer, answer)):
            if field.toPlainText() != text:
                field.setPlainText(text)

    def _texts(self) -> tuple[str, str]:
        return self.question.toPlainText(), self.answer.toPlainText()

    def _cancel_edit(self) -> None:
        self._write(*self._before)
        self.left.emit()

    def _show_other(self, label: Label, text: str) -> None:
        label.setText(text)
        label.setVisible(bool(text))

    def _show_wrong(self, found: Sequence[str], icon: str, tone: str) -> None:
        while (item := self._wrong.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.wrong = list(found)
        for text in found:
            line = QWidget()
            row = make_row(into=line, spacing_px=self._theme.px(6))
            sign, label = IconLabel(self._theme, icon, tone), Label(text, tone=tone, wraps=True)
            sign.setFixedHeight(self._theme.line_height("ui"))
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
            row.addWidget(sign, 0, Qt.AlignmentFlag.AlignTop)
            row.addWidget(label, 1)
            self._wrong.addWidget(line)
            line.show()
