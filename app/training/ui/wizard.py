"""What the page 学習 asks of each step of a training.

The lower edge of the wizard: what is still lacking, the way back, and the one thing to do next.

A training that is being planned: its steps, one shown at a time, and the foot that leads from each to the next.

A training that was begun: how it goes, and what has come of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.drafts import PLANNED_STEPS, DraftProblem
from app.training.runs import run_folders, training_list
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_runner import TrainingRunner
from app.training.ui import training_texts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_scrollable
from app.uikit.widgets.labels import IconLabel, Label, Separator, set_surface


@dataclass(frozen=True, slots=True)
class PrimaryAction:
    """What the foot's primary button does instead of going on. `key`: passed to `Step.do`; `name`: on the button."""

    key: str
    name: str


class WizardStep(QWidget):
    """Draws a training that is planned or done, and has its service change it; it decides nothing. What is still
    lacking (`Draft.problems`) is said by the page, in its foot."""

    changed = Signal()  # its `deed` may be another one now

    def show_draft(self) -> None:
        """Draws what has changed. Called when the step is shown, and with each change while it is shown."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """The keyboard goes where the work of this step begins."""
        raise NotImplementedError

    @property
    def header_actions(self) -> Sequence[QWidget]:
        """For the page's header while this step is shown."""
        return ()

    def primary_action(self) -> PrimaryAction | None:
        """None: the foot's button goes on to the next step, where nothing keeps it."""
        return None

    def do(self, key: str) -> None:
        """`key`: of the deed."""
        raise NotImplementedError


MARGIN_PX = 24


class WizardFooter(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        set_surface(self, "base")
        self._icon = IconLabel(theme, "triangle-alert", "warning")
        self.reason = Label(role="caption", tone="text2", wraps=True)
        self.back_button = Button(theme, phrase("common.back"))
        self.next_button = Button(theme, "", "primary")
        row = QHBoxLayout()
        row.setContentsMargins(MARGIN_PX, 10, MARGIN_PX, 10)
        row.setSpacing(8)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.reason, 1)
        row.addWidget(self.back_button)
        row.addWidget(self.next_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Separator())
        column.addLayout(row)

    def show_state(self, found: Sequence[DraftProblem], primary: str, *, can_act: bool, can_go_back: bool) -> None:
        """`found`: the gravest first. `primary`: what the button does; "": there is none."""
        self._icon.setVisible(bool(found))
        if found:
            is_grave = found[0].is_blocking
            self._icon.show_icon("triangle-alert" if is_grave else "info", "warning" if is_grave else "text2")
        self.reason.setText(training_texts.problem_text(found[0]) if found else "")
        self.back_button.setVisible(can_go_back)
        self.next_button.setVisible(bool(primary))
        self.next_button.setText(primary)
        self.next_button.setEnabled(can_act)
        self.next_button.setAccessibleDescription("" if can_act else self.reason.text())


StepMaker = Callable[[str, DraftEditor, Callable[[str], None]], WizardStep]  # of a key, with what shows another step

AHEAD_MS = 40  # what is shown is drawn first


class DraftWizard(QWidget):
    """Steps are built ahead of being shown, bit by bit while nothing else is to do: each takes many frames."""

    step_shown = Signal(str)  # of PLANNED

    def __init__(self, theme: Theme, work: DraftEditor, make: StepMaker) -> None:
        super().__init__()
        self.work = work
        work.setParent(self)
        self._make_step = make
        self._steps: dict[str, WizardStep] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""  # of the step that is shown
        self._ahead = QTimer(self, singleShot=True, interval=AHEAD_MS)
        self._stack = QStackedWidget()
        self.foot = WizardFooter(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._stack, 1)
        column.addWidget(self.foot)
        self._ahead.timeout.connect(self._build_ahead)
        work.changed.connect(self._on_changed)
        work.began.connect(self._settle)
        work.ended.connect(self._on_changed)
        self.foot.back_button.clicked.connect(lambda: self.show_step(PLANNED_STEPS[PLANNED_STEPS.index(self.key) - 1]))
        self.foot.next_button.clicked.connect(self._go_on)

    @property
    def step(self) -> WizardStep:
        return self._steps[self.key]

    def show_step(self, key: str) -> None:
        """`key`: of PLANNED; a later one than the draft has come to is not shown, but the one it has come to."""
        reached = PLANNED_STEPS.index(self.work.draft.step)
        self.key = PLANNED_STEPS[min(PLANNED_STEPS.index(key), reached)]
        self._make(self.key)
        self._place(self.key)
        self.step.show_draft()
        self._stack.setCurrentWidget(self._areas[self.key])
        self._settle()
        self.step_shown.emit(self.key)
        self.step.focus_first()
        self._ahead.start()

    # ------------------------------------------------------------------- private

    def _make(self, key: str) -> None:
        if key not in self._steps:
            step = self._steps[key] = self._make_step(key, self.work, self.show_step)
            step.changed.connect(self._settle)

    def _place(self, key: str) -> None:
        """Qt works out the style of all that the step holds."""
        if key not in self._areas:
            area = self._areas[key] = make_scrollable(self._steps[key], self._stack)
            self._stack.addWidget(area)

    def _build_ahead(self) -> None:
        """One bit of the steps that can be gone to from here."""
        last = max(PLANNED_STEPS.index(self.key) + 1, PLANNED_STEPS.index(self.work.draft.step))
        key = next((key for key in PLANNED_STEPS[: last + 1] if key not in self._areas), None)
        if key is None:
            return
        if key in self._steps:
            self._place(key)
        else:
            self._make(key)
        self._ahead.start()

    def _on_changed(self, *_: object) -> None:
        if self.key:
            self.step.show_draft()
            self._settle()

    def _settle(self, *_: object) -> None:
        if not self.key:
            return
        draft, deed, place = self.work.draft, self.step.primary_action(), PLANNED_STEPS.index(self.key)
        if deed is not None:
            name, can_act = deed.name, True
        elif place + 1 < len(PLANNED_STEPS):
            following = training_texts.step_name(PLANNED_STEPS[place + 1])
            name, can_act = phrase("common.next_step", step=following), draft.is_complete(self.key)
        else:
            name, can_act = phrase("training.start_training"), False
        found = draft.problems(self.key)
        self.foot.show_state(found, name, can_act=can_act and not self.work.is_busy, can_go_back=place > 0)

    def _go_on(self) -> None:
        deed = self.step.primary_action()
        if deed is not None:
            self.step.do(deed.key)
        else:
            self.show_step(PLANNED_STEPS[PLANNED_STEPS.index(self.key) + 1])


class RunWizard(QWidget):
    step_shown = Signal(str)  # run | result; or it has changed

    def __init__(
        self, theme: Theme, trainings: TrainingRunner, folder: Path, make: Callable[[str, Path], WizardStep]
    ) -> None:
        """`make`: a step of a key, run or result."""
        super().__init__()
        self.folder = folder
        self._trainings = trainings
        self._make_step = make
        self._steps: dict[str, WizardStep] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""
        self._stack = QStackedWidget()
        self.foot = WizardFooter(theme)
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
    def step(self) -> WizardStep:
        return self._steps[self.key]

    @property
    def has_result(self) -> bool:
        """Whether it has been trained to its end. What has not been judged yet can be from there."""
        return training_list.has_finished(self.folder)

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
        name = phrase("common.next_step", step=training_texts.step_name("result")) if leads_on else ""
        self.foot.setVisible(leads_on or self.key == "result")
        self.foot.show_state((), name, can_act=leads_on, can_go_back=self.key == "result")

    def _on_started(self, folder: Path) -> None:
        if folder == self.folder:
            self.show_step("run")

    def _on_ended(self, folder: Path, error: object) -> None:
        if folder != self.folder:
            return
        if error is None and (folder / run_folders.GATE).is_file():
            self.show_step("result")
        else:
            self._settle()
