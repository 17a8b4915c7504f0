"""回答の変化: one question at a time, its reference, and how it was answered before and on the way."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.runs.course import Answers, Course
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.labels import Label, Separator, set_surface
from trainer.events import Sample

MOST = 5  # answers that are shown: the first, and the last ones


class Samples(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self._answers: tuple[Answers, ...] = ()
        self._place = 0
        self._shown: tuple[object, ...] = ()
        self._body: QWidget | None = None
        self.before_button = IconButton(theme, "chevron-left", phrase("training.previous_question"))
        self.after_button = IconButton(theme, "chevron-right", phrase("training.next_question"))
        self.count = Label(role="caption", tone="text2")
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(Label(phrase("training.how_answers_change"), "heading3", wraps=True), 1)
        for widget in (self.before_button, self.count, self.after_button):
            head.addWidget(widget)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(18, 14, 18, 14)
        self._column.setSpacing(10)
        self._column.addLayout(head)
        self.before_button.clicked.connect(lambda: self._step(-1))
        self.after_button.clicked.connect(lambda: self._step(1))
        self._show()

    def show_course(self, course: Course) -> None:
        self._answers = course.answers
        self._place = min(self._place, max(0, len(self._answers) - 1))
        self._show()

    # ------------------------------------------------------------------- private

    def _step(self, step: int) -> None:
        self._place += step
        self._show()
        button = self.before_button if step < 0 else self.after_button
        if not button.isEnabled():  # the keyboard stays here
            (self.after_button if step < 0 else self.before_button).setFocus()

    def _show(self) -> None:
        count = len(self._answers)
        for widget in (self.before_button, self.count, self.after_button):
            widget.setVisible(count > 1)
        self.count.setText(phrase("training.question_i_n", i=self._place + 1, n=count))
        self.before_button.setEnabled(self._place > 0)
        self.after_button.setEnabled(self._place + 1 < count)
        told = self._answers[self._place] if self._answers else None
        if (told,) == self._shown:
            return
        self._shown = (told,)
        if self._body is not None:
            self._body.hide()
            self._body.deleteLater()
        self._body = self._built(told)
        self._column.addWidget(self._body)
        self._body.show()

    def _built(self, told: Answers | None) -> QWidget:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        if told is None:
            words = phrase("training.from_the_first_evaluation_on")
            column.addWidget(Label(words, tone="muted", wraps=True))
            return body
        column.addWidget(_text(told.question, strong=True))
        if told.reference:
            column.addWidget(self._reference(told.reference))
        answers = told.answers
        for number, one in enumerate(answers if len(answers) <= MOST else (answers[0], *answers[1 - MOST :])):
            if number:
                column.addWidget(Separator())
            column.addWidget(
                Label(self._when(one, told.last_step if one is answers[-1] else 0), "caption", "text2", wraps=True)
            )
            column.addWidget(_text(one.answer + ("" if one.has_ended else "…")))
        return body

    def _reference(self, text: str) -> QWidget:
        box = QWidget()
        set_surface(box, "sunken")
        column = QVBoxLayout(box)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(2)
        column.addWidget(Label(phrase("training.reference"), "caption", "text2"))
        column.addWidget(_text(text))
        return box

    def _when(self, one: Sample, last_step: int) -> str:
        """`last_step`: up to which it was answered so, where nothing else came after it; 0: something did."""
        if one.step == 0:
            words = phrase("training.before_training_the_same_at") if last_step else phrase("training.before")
            when = words.format(s=f"{last_step:,}")
        elif last_step > one.step:
            when = phrase("training.steps_a_b_latest", a=f"{one.step:,}", b=f"{last_step:,}")
        else:
            when = (phrase("training.step_s_latest") if last_step else phrase("training.step_s")).format(
                s=f"{one.step:,}"
            )
        return join_facts(when, "" if one.has_ended else phrase("training.cut_off_at_the_length"))


def _text(words: str, *, strong: bool = False) -> QLabel:
    label = Label(words.strip() or "–", wraps=True, strong=strong)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
