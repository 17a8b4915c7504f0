"""Lead through the steps of a training: a step, the footer, and the wizards of a draft and of a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QApplication, QScrollArea, QStackedWidget, QWidget

from app.base.errors import AppError
from app.base.wording import describe_error, phrase
from app.training.drafts import PLANNED_STEPS, DraftProblem
from app.training.runs import run_folders, training_list
from app.training.services.draft_editor import DraftEditor
from app.training.services.training_runner import TrainingRunner
from app.training.ui import training_texts
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import make_column, make_row, make_scrollable
from app.uikit.widgets.labels import IconLabel, Label, Separator, set_surface

MARGIN_PX = 24  # margin of all steps


@dataclass(frozen=True, slots=True)
class PrimaryAction:
    """The action of the footer's primary button if it does not show the next step. `can_act`: it is possible now."""

    name: str
    act: Callable[[], None]
    can_act: bool = True


class WizardStep(QWidget):
    """A step that shows a draft or a run; all changes and decisions are made by the step's service.

    The footer shows the problems that remain (`TrainingDraft.problems`).
    """

    header_changed = Signal()  # `header_actions` may have changed
    tells_problems = False  # the step itself tells the draft's problems, so that the footer need not

    def __init__(self, theme: Theme, *, can_close_banner: bool = True) -> None:
        super().__init__()
        self._theme = theme
        self.banner = Banner(theme, can_close=can_close_banner)

    def show_draft(self) -> None:
        """Show the current state. This is called when the step is shown, and on each change while it is visible."""
        raise NotImplementedError

    def focus_first(self) -> None:
        """Move the focus to the control with which work on this step begins."""
        raise NotImplementedError

    def begin(self) -> None:
        """Do what needs no decision, after the user has gone on to this step."""

    def shows_failure(self) -> bool:
        """Return whether the step itself shows why the draft's current work fails."""
        return False

    @property
    def header_actions(self) -> Sequence[QWidget]:
        """Return the widgets for the page's header while this step is shown."""
        return ()

    def primary_action(self) -> PrimaryAction | None:
        """Return the action of the primary button; None if the button shows the next step."""
        return None

    def _run_or_show_error(self, act: Callable[[], object]) -> None:
        """Run `act` and show the AppError if it fails."""
        try:
            act()
        except AppError as error:
            self.banner.show_error(error)


class ObstacleBanner(Banner):
    """Says why no training can start or go on now, with a button where pausing an evaluation helps."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, can_close=False)
        self._shown: tuple[AppError, bool] | None = None

    def show_refusal(self, refusal: AppError | None, action: str, *, is_pausing: bool) -> None:
        """Show the engine's refusal; None hides the banner. `action`: text of the button. `is_pausing`: it was used."""
        if refusal is None:
            self._shown = None
            self.hide()
        elif (refusal, is_pausing) != self._shown:
            self._shown = (refusal, is_pausing)
            if is_pausing:
                self.show_message("warning", phrase("training.the_evaluation_is_being_paused"), "")
                return
            told = describe_error(refusal)
            actions = (("pause", action),) if refusal.code == "study_has_memory" else ()
            self.show_message("warning", told.message, "" if actions else told.next, actions)


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

    def show_state(self, problems: Sequence[DraftProblem], primary: str, *, can_act: bool, can_go_back: bool) -> None:
        """Show the first problem and the buttons.

        `problems`: the problems, the gravest first. `primary`: the text of the primary button; "" hides the button.
        """
        self._icon.setVisible(bool(problems))
        if problems:
            is_grave = problems[0].is_blocking
            self._icon.show_icon("triangle-alert" if is_grave else "info", "warning" if is_grave else "text2")
        self.reason.setText(training_texts.problem_text(problems[0]) if problems else "")
        self.back_button.setVisible(can_go_back)
        self.next_button.setVisible(bool(primary))
        self.next_button.setText(primary)
        self.next_button.setEnabled(can_act)
        self.next_button.setAccessibleDescription("" if can_act else self.reason.text())


class Wizard(QWidget):
    """Several steps, one of which is shown, above a footer with buttons for the previous and the next step."""

    step_shown = Signal(str)  # the step's key; also emitted if its header actions may have changed

    def __init__(self, theme: Theme, make_step: Callable[[str], WizardStep]) -> None:
        """Create the wizard. `make_step`: returns the step of a key; it is called once for each key."""
        super().__init__()
        self._make_step = make_step
        self._steps: dict[str, WizardStep] = {}
        self._areas: dict[str, QScrollArea] = {}
        self.key = ""  # key of the shown step
        self._stack = QStackedWidget()
        self.foot = WizardFooter(theme)
        make_column((self._stack, 1), self.foot, into=self, spacing_px=0)

    @property
    def step(self) -> WizardStep:
        return self._steps[self.key]

    def show_step(self, key: str) -> None:
        self.key = key
        self._make(key)
        self._place(key)
        self.step.show_draft()
        self._stack.setCurrentWidget(self._areas[key])
        self._update_footer()
        self.step_shown.emit(key)
        self.step.focus_first()

    def _make(self, key: str) -> None:
        if key not in self._steps:
            step = self._steps[key] = self._make_step(key)
            step.header_changed.connect(lambda: self.step_shown.emit(self.key))

    def _place(self, key: str) -> None:
        """Add the step to the stack, where Qt computes the style of all its widgets."""
        if key not in self._areas:
            area = self._areas[key] = make_scrollable(self._steps[key], self._stack)
            self._stack.addWidget(area)

    def _update_footer(self) -> None:
        raise NotImplementedError


AHEAD_MS = 40  # milliseconds in which the shown step is drawn first


class DraftWizard(Wizard):
    """The wizard of a draft. A step takes many frames to build, so hidden steps are built bit by bit in idle time."""

    def __init__(
        self,
        theme: Theme,
        work: DraftEditor,
        make_step: Callable[[str, DraftEditor, Callable[[str], None], Callable[[], None]], WizardStep],
    ) -> None:
        """Create the wizard.

        `make_step`: gets a key of PLANNED_STEPS, the editor, a function that shows a step, and one that goes on.
        """
        super().__init__(theme, lambda key: make_step(key, work, self.show_step, self.go_on))
        self.work = work
        work.setParent(self)
        self._build_timer = QTimer(self, singleShot=True, interval=AHEAD_MS)
        self._build_timer.timeout.connect(self._build_ahead)
        work.changed.connect(self._on_changed)
        work.began.connect(self._on_began)
        work.ended.connect(self._on_ended)
        self.foot.back_button.clicked.connect(lambda: self.show_step(PLANNED_STEPS[PLANNED_STEPS.index(self.key) - 1]))
        self.foot.next_button.clicked.connect(self._continue)

    def show_step(self, key: str) -> None:
        """Show a step of PLANNED_STEPS, but at most the first one that is not complete."""
        reached = PLANNED_STEPS.index(self.work.draft.step)
        super().show_step(PLANNED_STEPS[min(PLANNED_STEPS.index(key), reached)])
        self._build_timer.start()

    # ------------------------------------------------------------- private methods

    def _build_ahead(self) -> None:
        """Build the next part of the steps that the user can reach from here."""
        last = max(PLANNED_STEPS.index(self.key) + 1, PLANNED_STEPS.index(self.work.draft.step))
        key = next((key for key in PLANNED_STEPS[: last + 1] if key not in self._areas), None)
        if key is None:
            return
        if key in self._steps:
            self._place(key)
        else:
            self._make(key)
        self._build_timer.start()

    def _on_changed(self) -> None:
        if self.key:
            self.step.show_draft()
            self._update_footer()

    def _on_began(self, what: str) -> None:
        """Hold the focus while the work hides or disables the control that has it."""
        if what != "opening" and self.isAncestorOf(QApplication.focusWidget() or self):
            self._stack.setFocus()
        self._update_footer()

    def _on_ended(self) -> None:
        self._on_changed()
        if self._stack.hasFocus():
            if self.foot.next_button.isEnabled():
                self.foot.next_button.setFocus(Qt.FocusReason.OtherFocusReason)
            else:
                self.step.focus_first()

    def _update_footer(self) -> None:
        if not self.key:
            return
        draft, action, place = self.work.draft, self.step.primary_action(), PLANNED_STEPS.index(self.key)
        if action is not None:
            name, can_act = action.name, action.can_act
        elif place + 1 < len(PLANNED_STEPS):
            following = training_texts.step_name(PLANNED_STEPS[place + 1])
            name, can_act = phrase("common.next_step", step=following), draft.is_complete(self.key)
        else:
            name, can_act = phrase("training.start_training"), False
        found = () if self.step.tells_problems else draft.problems(self.key)
        self.foot.show_state(found, name, can_act=can_act and not self.work.is_busy, can_go_back=place > 0)

    def _continue(self) -> None:
        action = self.step.primary_action()
        if action is not None:
            action.act()
        else:
            self.go_on()

    def go_on(self) -> None:
        """Show the next step, and let it begin."""
        self.show_step(PLANNED_STEPS[PLANNED_STEPS.index(self.key) + 1])
        self.step.begin()


class RunWizard(Wizard):
    def __init__(
        self, theme: Theme, trainings: TrainingRunner, folder: Path, make_step: Callable[[str, Path], WizardStep]
    ) -> None:
        """Create the wizard. `make_step`: returns the step "run" or "result" for a run's folder."""
        super().__init__(theme, lambda key: make_step(key, folder))
        self.folder = folder
        self.foot.back_button.clicked.connect(lambda: self.show_step("run"))
        self.foot.next_button.clicked.connect(lambda: self.show_step("result"))
        trainings.started.connect(self._on_started)
        trainings.ended.connect(self._on_ended)

    @property
    def has_result(self) -> bool:
        """Return whether the training has finished. The result step can also judge a run that is not judged yet."""
        return training_list.has_finished(self.folder)

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
