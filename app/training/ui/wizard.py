"""Lead through the steps of a training: the interface of a step, the footer, the wizard of a draft and that
of a run.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QScrollArea, QStackedWidget, QWidget

from app.base.wording import phrase
from app.training.drafts import PLANNED_STEPS, DraftProblem
from app.training.runs import run_folders, training_list
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_runner import TrainingRunner
from app.training.ui import training_texts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_row, make_scrollable
from app.uikit.widgets.labels import IconLabel, Label, Separator, set_surface


@dataclass(frozen=True, slots=True)
class PrimaryAction:
    """The action of the footer's primary button in place of the next step. `key`: passed to `WizardStep.do`."""

    key: str
    name: str


class WizardStep(QWidget):
    """A step that shows a draft or a run and has its service change it; it decides nothing itself.

    The footer shows what is still lacking (`TrainingDraft.problems`).
    """

    changed = Signal()  # its primary or header actions may have changed

    def show_draft(self) -> None:
        """Show the current state. It is called when the step is shown and with each change while it is visible."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """Give the focus to the control where work on this step begins."""
        raise NotImplementedError

    @property
    def header_actions(self) -> Sequence[QWidget]:
        """Return the widgets for the page's header while this step is shown."""
        return ()

    def primary_action(self) -> PrimaryAction | None:
        """Return the primary action; None if the button leads to the next step."""
        return None

    def do(self, key: str) -> None:
        """Perform the primary action with that key."""
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
        row = make_row(
            (self._icon, 0, Qt.AlignmentFlag.AlignVCenter),
            (self.reason, 1),
            self.back_button,
            self.next_button,
            margins_px=(MARGIN_PX, 10, MARGIN_PX, 10),
            spacing_px=8,
        )
        make_column(Separator(), row, into=self, spacing_px=0)

    def show_state(self, found: Sequence[DraftProblem], primary: str, *, can_act: bool, can_go_back: bool) -> None:
        """Show the first problem and the buttons.

        `found`: the gravest first. `primary`: the text of the primary button; "" hides it.
        """
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


StepMaker = Callable[[str, DraftEditor, Callable[[str], None]], WizardStep]  # (key, draft, function to show a step)

AHEAD_MS = 40  # the shown step is drawn first


class DraftWizard(QWidget):
    """The wizard of a draft. Each step takes many frames to build, so hidden ones are built in pieces while
    Qt is idle.
    """

    step_shown = Signal(str)  # one of PLANNED_STEPS

    def __init__(self, theme: Theme, work: DraftEditor, make: StepMaker) -> None:
        super().__init__()
        self.work = work
        work.setParent(self)
        self._make_step = make
        self._steps: dict[str, WizardStep] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""  # of the shown step
        self._build_timer = QTimer(self, singleShot=True, interval=AHEAD_MS)
        self._stack = QStackedWidget()
        self.foot = WizardFooter(theme)
        make_column((self._stack, 1), self.foot, into=self, spacing_px=0)
        self._build_timer.timeout.connect(self._build_ahead)
        work.changed.connect(self._on_changed)
        work.began.connect(self._update_footer)
        work.ended.connect(self._on_changed)
        self.foot.back_button.clicked.connect(lambda: self.show_step(PLANNED_STEPS[PLANNED_STEPS.index(self.key) - 1]))
        self.foot.next_button.clicked.connect(self._continue)

    @property
    def step(self) -> WizardStep:
        return self._steps[self.key]

    def show_step(self, key: str) -> None:
        """Show a step, `key` one of PLANNED_STEPS, but none beyond the first one that is not complete."""
        reached = PLANNED_STEPS.index(self.work.draft.step)
        self.key = PLANNED_STEPS[min(PLANNED_STEPS.index(key), reached)]
        self._make(self.key)
        self._place(self.key)
        self.step.show_draft()
        self._stack.setCurrentWidget(self._areas[self.key])
        self._update_footer()
        self.step_shown.emit(self.key)
        self.step.focus_first()
        self._build_timer.start()

    # ------------------------------------------------------------------- private

    def _make(self, key: str) -> None:
        if key not in self._steps:
            step = self._steps[key] = self._make_step(key, self.work, self.show_step)
            step.changed.connect(self._update_footer)

    def _place(self, key: str) -> None:
        """Add the step to the stack, where Qt computes the style of all its widgets."""
        if key not in self._areas:
            area = self._areas[key] = make_scrollable(self._steps[key], self._stack)
            self._stack.addWidget(area)

    def _build_ahead(self) -> None:
        """Build a piece of the steps that can be reached from here."""
        last = max(PLANNED_STEPS.index(self.key) + 1, PLANNED_STEPS.index(self.work.draft.step))
        key = next((key for key in PLANNED_STEPS[: last + 1] if key not in self._areas), None)
        if key is None:
            return
        if key in self._steps:
            self._place(key)
        else:
            self._make(key)
        self._build_timer.start()

    def _on_changed(self, *_: object) -> None:
        if self.key:
            self.step.show_draft()
            self._update_footer()

    def _update_footer(self, *_: object) -> None:
        if not self.key:
            return
        draft, action, place = self.work.draft, self.step.primary_action(), PLANNED_STEPS.index(self.key)
        if action is not None:
            name, can_act = action.name, True
        elif place + 1 < len(PLANNED_STEPS):
            following = training_texts.step_name(PLANNED_STEPS[place + 1])
            name, can_act = phrase("common.next_step", step=following), draft.is_complete(self.key)
        else:
            name, can_act = phrase("training.start_training"), False
        found = draft.problems(self.key)
        self.foot.show_state(found, name, can_act=can_act and not self.work.is_busy, can_go_back=place > 0)

    def _continue(self) -> None:
        action = self.step.primary_action()
        if action is not None:
            self.step.do(action.key)
        else:
            self.show_step(PLANNED_STEPS[PLANNED_STEPS.index(self.key) + 1])


class RunWizard(QWidget):
    step_shown = Signal(str)  # run | result; also emitted when the shown step has changed

    def __init__(
        self, theme: Theme, trainings: TrainingRunner, folder: Path, make: Callable[[str, Path], WizardStep]
    ) -> None:
        """`make`: builds the step run or result of a run's folder."""
        super().__init__()
        self.folder = folder
        self._trainings = trainings
        self._make_step = make
        self._steps: dict[str, WizardStep] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""
        self._stack = QStackedWidget()
        self.foot = WizardFooter(theme)
        make_column((self._stack, 1), self.foot, into=self, spacing_px=0)
        self.foot.back_button.clicked.connect(lambda: self.show_step("run"))
        self.foot.next_button.clicked.connect(lambda: self.show_step("result"))
        trainings.started.connect(self._on_started)
        trainings.ended.connect(self._on_ended)

    @property
    def step(self) -> WizardStep:
        return self._steps[self.key]

    @property
    def has_result(self) -> bool:
        """Return whether the training has finished. A result that has not been judged yet can be judged from there."""
        return training_list.has_finished(self.folder)

    def show_step(self, key: str) -> None:
        """Show a step. `key`: run | result."""
        self.key = key
        if key not in self._steps:
            step = self._steps[key] = self._make_step(key, self.folder)
            step.changed.connect(lambda: self.step_shown.emit(self.key))  # its header actions may have changed
            self._areas[key] = make_scrollable(step, self._stack)
            self._stack.addWidget(self._areas[key])
        self.step.show_draft()
        self._stack.setCurrentWidget(self._areas[key])
        self._update_footer()
        self.step_shown.emit(key)
        self.step.focus_first()

    # ------------------------------------------------------------------- private

    def _update_footer(self) -> None:
        has_next = self.key == "run" and self.has_result
        name = phrase("common.next_step", step=training_texts.step_name("result")) if has_next else ""
        self.foot.setVisible(has_next or self.key == "result")
        self.foot.show_state((), name, can_act=has_next, can_go_back=self.key == "result")

    def _on_started(self, folder: Path) -> None:
        if folder == self.folder:
            self.show_step("run")

    def _on_ended(self, folder: Path, error: object) -> None:
        if folder != self.folder:
            return
        if error is None and (folder / run_folders.GATE).is_file():
            self.show_step("result")
        else:
            self._update_footer()
