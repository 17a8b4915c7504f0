"""Show the facts of a run in a line with its progress, and how answers change during training (回答の変化)."""

import math
import time
from collections.abc import Callable, Iterator, Sequence

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QProgressBar, QWidget

from app.base.wording import format_duration, phrase
from app.inference.local_model import LocalModel
from app.training.runs.run_clock import ClockReading
from app.training.runs.run_progress import RunProgress, SampleAnswers
from app.training.ui import run_texts, training_texts
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.containers import Card, FlowBox, fix_width, make_column, make_row, refill, set_direction
from app.uikit.widgets.labels import Label, Separator, set_surface
from trainer.events import Finished, Sample

STEPS = 1000  # range of the bar
WIDE_PX = 980  # from this width on, the bar is beside the facts
BAR_PX = 220


class RunFact(QWidget):
    """Shows the name of a fact above its value."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = Label(name, "caption", "text2")
        self.value = Label(strong=True)
        make_column(self.name, self.value, into=self, margins_px=(0, 0, 24, 0), spacing_px=2)

    def show_value(self, value: str) -> None:
        self.value.setText(value or "–")


class RunFacts(QWidget):
    def __init__(self, theme: Theme, models: Callable[[], Sequence[LocalModel]]) -> None:
        super().__init__()
        self._theme = theme
        self._models = models
        self._course: RunProgress | None = None
        self.facts = {
            "state": RunFact(phrase("common.state")),
            "step": RunFact(phrase("training.step")),
            "elapsed": RunFact(phrase("training.elapsed")),
            "left": RunFact(phrase("training.left")),
            "best": RunFact(phrase("training.best_validation_loss")),
            "base": RunFact(phrase("training.base")),
        }
        self.bar = QProgressBar()
        self.bar.setRange(0, STEPS)
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("training.progress_of_the_training"))
        self.percent = Label(tone="text2")
        self.phase = Label(role="caption", tone="text2", wraps=True)
        self._side = QWidget()
        bar = make_row((self.bar, 1), self.percent, spacing_px=10)
        make_column(bar, self.phase, into=self._side, spacing_px=2)
        self._row = make_row((FlowBox(*self.facts.values()), 1), self._side, into=self, spacing_px=8)

    def show_course(self, course: RunProgress) -> None:
        self._course = course
        step, best = course.standing.step, course.standing.best_evaluation
        values = {
            "state": join_facts(training_texts.run_state_name(course.state), run_texts.epochs_text(course)),
            "step": phrase("common.a_b", a=f"{step.step:,}", b=f"{step.total:,}") if step else "",
            "best": run_texts.format_loss(best.loss if best else None),
            "base": run_texts.base_name(course, self._models()),
        }
        for key, value in values.items():
            self.facts[key].show_value(value)
        self.tick()

    def tick(self) -> None:
        """Update the bar and the times. Call it each second, because they also change between events."""
        course = self._course
        if course is None:
            return
        reading, end = course.clock.look(time.time()), course.standing.end
        share = 1.0 if isinstance(end, Finished) and not course.is_live else reading.share
        self.bar.setValue(round(STEPS * share))
        self.percent.setText(f"{math.floor(100 * share)}\u00a0%")
        self.facts["left"].show_value(run_texts.left_text(reading) if course.is_live else "")
        late = phrase("training.it_takes_longer_than_estimated") if reading.is_late and course.is_live else ""
        self.phase.setText(join_facts(run_texts.phase_text(course), late))
        self.phase.setVisible(bool(self.phase.text()))
        self._show_elapsed(course, reading)

    def _show_elapsed(self, course: RunProgress, reading: ClockReading) -> None:
        fact, end = self.facts["elapsed"], course.standing.end
        seconds = course.clock.elapsed_s(time.time(), is_live=course.is_live)
        if seconds is None and isinstance(end, Finished):  # an earlier version's journal has no times
            seconds = end.seconds
        stopped = format_duration(reading.stopped_s) if reading.stopped_s >= 1 else ""
        value = format_duration(seconds) if seconds is not None else ""
        fact.show_value(with_note(value, phrase("training.of_which_stopped", time=stopped)) if stopped else value)
        fact.setToolTip(phrase("training.elapsed_counts_everything"))
        fact.value.setAccessibleDescription(fact.toolTip())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        fix_width(self._side, self._theme.px(BAR_PX) if is_wide else None)
        set_direction(self._row, is_row=is_wide)


MOST = 5  # most answers to show: the first and the last ones


class SampleAnswersCard(Card):
    def __init__(self, theme: Theme) -> None:
        super().__init__(phrase("training.how_answers_change"))
        self._answers: tuple[SampleAnswers, ...] = ()
        self._index = 0
        self._shown_answers: SampleAnswers | None = None
        self.before_button = IconButton(theme, "chevron-left", phrase("training.previous_question"))
        self.after_button = IconButton(theme, "chevron-right", phrase("training.next_question"))
        self.count = Label(role="caption", tone="text2")
        self.head.addLayout(make_row(self.before_button, self.count, self.after_button, spacing_px=6))
        self._list = make_column(spacing_px=8)
        self.column.addLayout(self._list)
        self.before_button.clicked.connect(lambda: self._step(-1))
        self.after_button.clicked.connect(lambda: self._step(1))
        self._show_answers()

    def show_course(self, course: RunProgress) -> None:
        self._answers = course.answers
        self._index = min(self._index, max(0, len(self._answers) - 1))
        self._show_answers()

    # ------------------------------------------------------------- private methods

    def _step(self, step: int) -> None:
        self._index += step
        self._show_answers()
        button = self.before_button if step < 0 else self.after_button
        if not button.isEnabled():  # keeps the focus on these buttons
            (self.after_button if step < 0 else self.before_button).setFocus()

    def _show_answers(self) -> None:
        count = len(self._answers)
        for widget in (self.before_button, self.count, self.after_button):
            widget.setVisible(count > 1)
        self.count.setText(phrase("training.question_i_n", i=self._index + 1, n=count))
        self.before_button.setEnabled(self._index > 0)
        self.after_button.setEnabled(self._index + 1 < count)
        answers = self._answers[self._index] if self._answers else None
        if answers != self._shown_answers or not self._list.count():
            self._shown_answers = answers
            refill(self._list, self._texts(answers))

    def _texts(self, answers: SampleAnswers | None) -> Iterator[QWidget]:
        """Yield widgets for the question, the reference, and the first and the last answers."""
        if answers is None:
            yield Label(phrase("training.from_the_first_evaluation_on"), tone="muted", wraps=True)
            return
        yield _selectable_text(answers.question, strong=True)
        if answers.reference:
            box, title = QWidget(), Label(phrase("training.reference"), "caption", "text2")
            set_surface(box, "sunken")
            text = _selectable_text(answers.reference)
            make_column(title, text, into=box, margins_px=(10, 8, 10, 8), spacing_px=2)
            yield box
        samples = answers.answers
        for number, one in enumerate(samples if len(samples) <= MOST else (samples[0], *samples[1 - MOST :])):
            if number:
                yield Separator()
            when = self._when(one, answers.last_step if one is samples[-1] else 0)
            yield Label(when, "caption", "text2", wraps=True)
            yield _selectable_text(one.answer + ("" if one.has_ended else "…"))

    def _when(self, sample: Sample, last_step: int) -> str:
        """Return a text on when an answer was given.

        `last_step`: for the latest answer the last step that repeated it; 0 for other answers.
        """
        if sample.step == 0:
            before = phrase("training.before")
            when = phrase("training.before_training_the_same_at", s=f"{last_step:,}") if last_step else before
        elif last_step > sample.step:
            when = phrase("training.steps_a_b_latest", a=f"{sample.step:,}", b=f"{last_step:,}")
        else:
            when = phrase("training.step_s_latest" if last_step else "training.step_s", s=f"{sample.step:,}")
        return join_facts(when, "" if sample.has_ended else phrase("training.cut_off_at_the_length"))


def _selectable_text(words: str, *, strong: bool = False) -> Label:
    return Label(words.strip() or "–", wraps=True, strong=strong, selectable=True)
