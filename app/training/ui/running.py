"""A training that was begun: how it goes, and what has come of it."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.runs import overview, runs
from app.training.services.trainings import Trainings
from app.training.ui import words
from app.training.ui.foot import Foot
from app.training.ui.step import Step
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable


class Running(QWidget):
    step_shown = Signal(str)  # run | result; or it has changed

    def __init__(self, theme: Theme, trainings: Trainings, folder: Path, make: Callable[[str, Path], Step]) -> None:
        """`make`: a step of a key, run or result."""
        super().__init__()
        self.folder = folder
        self._trainings = trainings
        self._make_step = make
        self._steps: dict[str, Step] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""
        self._stack = QStackedWidget()
        self.foot = Foot(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(self.foot)
        self.foot.back_button.clicked.connect(lambda: self.show_step("run"))
        self.foot.next_button.clicked.connect(lambda: self.show_step("result"))
        trainings.started.connect(self._on_started)
        trainings.ended.connect(self._on_ended)

    @property
    def step(self) -> Step:
        return self._steps[self.key]

    @property
    def has_result(self) -> bool:
        """Whether it has been trained to its end. What has not been judged yet can be from there."""
        return overview.has_finished(self.folder)

    def show_step(self, key: str) -> None:
        """`key`: run | result."""
        self.key = key
        if key not in self._steps:
            step = self._steps[key] = self._make_step(key, self.folder)
            step.changed.connect(lambda: self.step_shown.emit(self.key))  # what can be done with it may be more now
            self._areas[key] = make_scrollable(step, self._stack)
            self._stack.addWidget(self._areas[key])
        self.step.show_draft()
        self._stack.setCurrentWidget(self._areas[key])
        self._settle()
        self.step_shown.emit(key)
        self.step.focus_first()

    # ------------------------------------------------------------------- private

    def _settle(self) -> None:
        leads_on = self.key == "run" and self.has_result
        name = phrase("common.next_step", step=words.step_name("result")) if leads_on else ""
        self.foot.setVisible(leads_on or self.key == "result")
        self.foot.show_state((), name, can_act=leads_on, can_go_back=self.key == "result")

    def _on_started(self, folder: Path) -> None:
        if folder == self.folder:
            self.show_step("run")

    def _on_ended(self, folder: Path, error: object) -> None:
        if folder != self.folder:
            return
        if error is None and (folder / runs.GATE).is_file():
            self.show_step("result")
        else:
            self._settle()
