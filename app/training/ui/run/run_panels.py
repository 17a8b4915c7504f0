"""Show the facts of a run in a line with its progress, and how answers change during training (回答の変化)."""

import time

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QLabel, QProgressBar, QWidget

from app.base.wording import phrase
from app.training.runs.run_progress import RunProgress, SampleAnswers
from app.training.ui import run_texts
from app.uikit import localization
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.containers import FlowBox, make_column, make_row
from app.uikit.widgets.labels import Label, Separator, set_surface
from trainer.events import Finished, Sample

WIDE_PX = 980  # from here the bar is beside the facts
BAR_PX = 220
KEYS = ("state", "step", "elapsed", "left", "best", "base")


class RunFact(QWidget):
    """A name above its value."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = Label(name, "caption", "text2")
        self.value = Label(strong=True)
        make_column(self.name, self.value, into=self, margins_px=(0, 0, 24, 0), spacing_px=2)

    def show_value(self, value: str) -> None:
        self.value.setText(value or "–")


class RunFacts(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._course: RunProgress | None = None
        self.facts = {key: RunFact(name) for key, name in zip(KEYS, self._names(), strict=True)}
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("training.progress_of_the_training"))
        self.percent = Label(tone="text2")
        self.phase = Label(role="caption", tone="text2", wraps=True)
        self._side = QWidget()
        bar = make_row((self.bar, 1), self.percent, spacing_px=10)
        make_column(bar, self.phase, into=self._side, spacing_px=2)
        self._layout = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._layout.addWidget(FlowBox(*self.facts.values()), 1)
        self._layout.addWidget(self._side)

    def show_course(self, course: RunProgress) -> None:
        self._course = course
        standing, step, best = course.standing, course.standing.step, course.standing.best
        is_training = course.state == "running"
        values = {
            "state": join_facts(run_texts.state_name(course), run_texts.epochs_text(course)),
            "step": phrase("common.a_b", a=f"{step.step:,}", b=f"{step.total:,}") if step else "",
            "left": run_texts.time_left(step.left_s) if step and is_training and standing.end is None else "",
            "best": run_texts.format_loss(best.loss if best else None),
            "base": run_texts.base_name(course),
        }
        for key, value in values.items():
            self.facts[key].show_value(value)
        share = 1.0 if isinstance(standing.end, Finished) else step.step / max(1, step.total) if step else 0.0
        self.bar.setValue(round(100 * share))
        self.percent.setText(f"{round(100 * share)}\u00a0%")
        self.phase.setText(run_texts.phase_text(course))
        self.phase.setVisible(bool(self.phase.text()))
        self.tick()

    def tick(self) -> None:
        """Update the elapsed time. It is called each second, because it changes between steps."""
        course, fact = self._course, self.facts["elapsed"]
        if course is None:
            return
        end = course.standing.end
        if isinstance(end, Finished):
            fact.show_value(localization.format_duration(end.seconds))
        elif course.state == "running" and course.began_at and end is None:
            fact.show_value(localization.format_duration(time.time() - course.began_at))
        else:
            fact.show_value("")
        is_part = course.is_resumed and not isinstance(end, Finished)
        fact.name.setText(phrase("training.since_resuming") if is_part else phrase("training.elapsed"))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        self._side.setFixedWidth(self._theme.px(BAR_PX)) if is_wide else self._side.setMaximumWidth(16777215)
        if not is_wide:
            self._side.setMinimumWidth(0)
        way = QBoxLayout.Direction.LeftToRight if is_wide else QBoxLayout.Direction.TopToBottom
        if self._layout.direction() != way:
            self._layout.setDirection(way)

    def _names(self) -> tuple[str, ...]:
        return (
            phrase("common.state"), phrase("training.step"), phrase("training.elapsed"), phrase("training.left"),
            phrase("training.best_validation_loss"), phrase("training.base"),
        )  # fmt: skip


MOST = 5  # shown answers: the first and the last ones


class SampleAnswersCard(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self._answers: tuple[SampleAnswers, ...] = ()
        self._place = 0
        self._shown: tuple[object, ...] = ()
        self._body: QWidget | None = None
        self.before_button = IconButton(theme, "chevron-left", phrase("training.previous_question"))
        self.after_button = IconButton(theme, "chevron-right", phrase("training.next_question"))
        self.count = Label(role="caption", tone="text2")
        head = make_row((Label(phrase("training.how_answers_change"), "heading3", wraps=True), 1), spacing_px=6)
        for widget in (self.before_button, self.count, self.after_button):
            head.addWidget(widget)
        self._column = make_column(head, into=self, margins_px=(18, 14, 18, 14), spacing_px=10)
        self.before_button.clicked.connect(lambda: self._step(-1))
        self.after_button.clicked.connect(lambda: self._step(1))
        self._show()

    def show_course(self, course: RunProgress) -> None:
        self._answers = course.answers
        self._place = min(self._place, max(0, len(self._answers) - 1))
        self._show()

    # ------------------------------------------------------------------- private

    def _step(self, step: int) -> None:
        self._place += step
        self._show()
        button = self.before_button if step < 0 else self.after_button
        if not button.isEnabled():  # the focus stays on these buttons
            (self.after_button if step < 0 else self.before_button).setFocus()

    def _show(self) -> None:
        count = len(self._answers)
        for widget in (self.before_button, self.count, self.after_button):
            widget.setVisible(count > 1)
        self.count.setText(phrase("training.question_i_n", i=self._place + 1, n=count))
        self.before_button.setEnabled(self._place > 0)
        self.after_button.setEnabled(self._place + 1 < count)
        answers = self._answers[self._place] if self._answers else None
        if (answers,) == self._shown:
            return
        self._shown = (answers,)
        if self._body is not None:
            self._body.hide()
            self._body.deleteLater()
        self._body = self._build_body(answers)
        self._column.addWidget(self._body)
        self._body.show()

    def _build_body(self, answers: SampleAnswers | None) -> QWidget:
        body = QWidget()
        column = make_column(into=body, spacing_px=8)
        if answers is None:
            words = phrase("training.from_the_first_evaluation_on")
            column.addWidget(Label(words, tone="muted", wraps=True))
            return body
        column.addWidget(_selectable_text(answers.question, strong=True))
        if answers.reference:
            column.addWidget(self._reference(answers.reference))
        samples = answers.answers
        for number, one in enumerate(samples if len(samples) <= MOST else (samples[0], *samples[1 - MOST :])):
            if number:
                column.addWidget(Separator())
            column.addWidget(
                Label(self._when(one, answers.last_step if one is samples[-1] else 0), "caption", "text2", wraps=True)
            )
            column.addWidget(_selectable_text(one.answer + ("" if one.has_ended else "…")))
        return body

    def _reference(self, text: str) -> QWidget:
        box = QWidget()
        set_surface(box, "sunken")
        make_column(
            Label(phrase("training.reference"), "caption", "text2"),
            _selectable_text(text),
            into=box,
            margins_px=(10, 8, 10, 8),
            spacing_px=2,
        )
        return box

    def _when(self, one: Sample, last_step: int) -> str:
        """Return when an answer was given. `last_step`: the last step with this answer if it is the latest
        one, else 0.
        """
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


def _selectable_text(words: str, *, strong: bool = False) -> QLabel:
    label = Label(words.strip() or "–", wraps=True, strong=strong)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
