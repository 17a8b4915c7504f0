"""The facts of a run in a line, with how far it is."""

import time

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.runs.course import Course
from app.training.ui.run import words
from app.uikit import localization
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label
from trainer.events import Finished

WIDE_PX = 980  # the bar stands beside the facts from here on
BAR_PX = 220
KEYS = ("state", "step", "elapsed", "left", "best", "base")


class Fact(QWidget):
    """A name over its value."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = Label(name, "caption", "text2")
        self.value = Label(strong=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 24, 0)
        column.setSpacing(2)
        column.addWidget(self.name)
        column.addWidget(self.value)

    def show_value(self, value: str) -> None:
        self.value.setText(value or "–")


class Facts(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._course: Course | None = None
        self.facts = {key: Fact(name) for key, name in zip(KEYS, self._names(), strict=True)}
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("training.progress_of_the_training"))
        self.percent = Label(tone="text2")
        self.phase = Label(role="caption", tone="text2", wraps=True)
        self._side = QWidget()
        bar = QHBoxLayout()
        bar.setSpacing(10)
        bar.addWidget(self.bar, 1)
        bar.addWidget(self.percent)
        side = QVBoxLayout(self._side)
        side.setContentsMargins(0, 0, 0, 0)
        side.setSpacing(2)
        side.addLayout(bar)
        side.addWidget(self.phase)
        self._layout = QBoxLayout(QBoxLayout.Direction.TopToBottom, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(8)
        self._layout.addWidget(FlowBox(*self.facts.values()), 1)
        self._layout.addWidget(self._side)

    def show_course(self, course: Course) -> None:
        self._course = course
        standing, step, best = course.standing, course.standing.step, course.standing.best
        is_training = course.state == "running"
        values = {
            "state": join_facts(words.state(course), words.epochs(course)),
            "step": phrase("common.a_b", a=f"{step.step:,}", b=f"{step.total:,}") if step else "",
            "left": words.left(step.left_s) if step and is_training and standing.end is None else "",
            "best": words.loss(best.loss if best else None),
            "base": words.base(course),
        }
        for key, value in values.items():
            self.facts[key].show_value(value)
        share = 1.0 if isinstance(standing.end, Finished) else step.step / max(1, step.total) if step else 0.0
        self.bar.setValue(round(100 * share))
        self.percent.setText(f"{round(100 * share)}\u00a0%")
        self.phase.setText(words.phase(course))
        self.phase.setVisible(bool(self.phase.text()))
        self.tick()

    def tick(self) -> None:
        """Each second: the time goes on between steps."""
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
