"""Step 5, 学習: show one run, started here or elsewhere, and what can be done with it."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Qt, QTimer
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.base.errors import AppError
from app.base.wording import ErrorMessage, phrase
from app.inference.local_model import LocalModel
from app.training.runs.run_progress import RunProgress
from app.training.services.run_follower import RunFollower
from app.training.services.training_runner import TrainingRunner
from app.training.ui import run_texts
from app.training.ui.loss_card import LossCard, StepMetrics
from app.training.ui.run_panels import RunFacts, SampleAnswersCard
from app.training.ui.wizard import MARGIN_PX, ObstacleBanner, WizardStep
from app.uikit import desktop
from app.uikit.dialogs import Dialog, cancel_or
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Card, Stretch, fix_width, make_column, make_grid, make_row, set_direction
from app.uikit.widgets.labels import IconLabel, Label, Separator

WIDE_PX = 860  # from this width on, health checks and answers are beside the curves
SIDE_PX = 330
_SIGNS = {"ok": ("circle-check", "success"), "note": ("info", "accent"), "warning": ("triangle-alert", "warning")}


class RunStep(WizardStep):
    def __init__(
        self,
        theme: Theme,
        trainings: TrainingRunner,
        folder: Path,
        pause_study: Callable[[], None],
        models: Callable[[], Sequence[LocalModel]] = tuple,
    ) -> None:
        """Create the step. `pause_study`: pauses the evaluation that has the memory. `models`: returns the list."""
        super().__init__(theme, can_close_banner=False)
        self._pause_study = pause_study
        self._resumes_when_free = False
        self.obstacle = ObstacleBanner(theme)
        self._trainings = trainings
        self._folder = folder
        self._error: AppError | None = None  # error of the last start or judging
        self._shown_message: ErrorMessage | None = None  # message in the banner
        self.follower = RunFollower(folder, trainings, self)
        self._actions = RunActions(theme, trainings, self)
        self.facts = RunFacts(theme, models)
        self.alarm = Banner(theme, can_close=False)
        self.loss = LossCard(theme)
        self.measured = StepMetrics(theme)
        self.health = HealthView(theme)
        self.samples = SampleAnswersCard(theme)
        self.sentence = Label(tone="text2", wraps=True)
        self._second = QTimer(self, interval=1000)
        self._second.timeout.connect(self.facts.tick)
        self._build()
        self._connect()

    @property
    def header_actions(self) -> Sequence[Button]:
        return self._actions.buttons

    def show_draft(self) -> None:
        if self.follower.course is not None:  # otherwise showEvent starts the follower, which reads the run
            self.follower.look()

    def focus_first(self) -> None:
        """Move the focus to the first button, or hold it until one can be pressed."""
        self.setFocus()
        self._hand_on_focus()

    def _hand_on_focus(self) -> None:
        if self.hasFocus() and self.follower.course is not None and not self._trainings.is_asked:
            first = self._actions.first_button or self.loss.table_button
            first.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def show_reopened(self) -> None:
        """Show a note that the training continued while the window was closed."""
        if self._is_ours:
            self._note.setText(phrase("training.training_has_continued"))

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.follower.start()
        self._second.start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.follower.stop()
        self._second.stop()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        fix_width(self._side, self._theme.px(SIDE_PX) if is_wide else None)
        set_direction(self._columns, is_row=is_wide)

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._note = Label(role="caption", tone="text2", wraps=True)
        self._noted, self._side = QWidget(), QWidget()
        icon = IconLabel(self._theme, "info")
        make_row((icon, 0, Qt.AlignmentFlag.AlignTop), (self._note, 1), into=self._noted, spacing_px=8)
        left = make_column((self.loss, 1), self.measured, self._noted, spacing_px=12)
        make_column(self.health, self.samples, Stretch(), into=self._side, spacing_px=12)
        self._columns = make_row((left, 1), self._side, spacing_px=16)
        make_column(
            self.facts,
            self.sentence,
            Separator(),
            self.banner,
            self.obstacle,
            self.alarm,
            (self._columns, 1),
            into=self,
            margins_px=(MARGIN_PX, 14, MARGIN_PX, 14),
            spacing_px=12,
        )

    def _connect(self) -> None:
        trainings = self._trainings
        self.follower.changed.connect(self._show_course)
        trainings.started.connect(self._on_started)
        trainings.judging.connect(self._show_actions)
        trainings.ended.connect(self._on_ended)
        trainings.refusal_changed.connect(self._on_refusal_changed)
        self._actions.go_on_button.clicked.connect(self._resume)
        for button in self._actions.buttons:
            button.clicked.connect(self._show_actions)
        self.obstacle.action_requested.connect(lambda _key: self._pause_and_resume())
        self.alarm.action_requested.connect(lambda _key: self._finish())
        self.banner.action_requested.connect(lambda _key: desktop.open_folder(self._folder))

    # -------------------------------------------------------------------- showing

    @property
    def _is_ours(self) -> bool:
        return self._trainings.folder == self._folder

    def _show_course(self, course: RunProgress) -> None:
        self.facts.show_course(course)
        self.loss.show_course(course)
        self.measured.show_course(course)
        self.measured.setVisible(bool(course.steps))
        self.health.show_course(course)
        self.samples.show_course(course)
        self._show_actions()

    def _show_actions(self, *_: object) -> None:
        course = self.follower.course
        if course is None:
            return
        focused = QApplication.focusWidget()
        sentence = self._sentence(course)
        self.sentence.setText(sentence)
        self.sentence.setVisible(bool(sentence))
        self._actions.show_course(course, is_ours=self._is_ours, sentence=sentence)
        if focused in self._actions.buttons and focused is not QApplication.focusWidget():
            self.setFocus()  # Qt moved it to another button, or out of the page, because this one was disabled
        if not self._is_ours:
            self._note.clear()
        elif not self._note.text():
            self._note.setText(self._continuation_note(course))
        self._noted.setVisible(bool(self._note.text()))
        self._show_alarm(course)
        self._show_trouble(course)
        self._show_obstacle(course)
        self._hand_on_focus()

    def _sentence(self, course: RunProgress) -> str:
        trainings = self._trainings
        if self._is_ours and trainings.is_waiting:
            return phrase("training.waiting_for_an_answer_to")
        text = run_texts.status_sentence(course, trainings, is_ours=self._is_ours)
        if trainings.is_training and not self._is_ours and course.can_resume:
            return phrase("training.another_run_is_going_on")
        return text

    def _continuation_note(self, course: RunProgress) -> str:
        text = phrase("training.training_continues_when_this_window")
        if any(one.key == "sleep" and one.level != "ok" for one in course.watched):
            text += phrase("training.this_pc_cannot_be_kept_awake_from")
        return text

    def _show_alarm(self, course: RunProgress) -> None:
        words = run_texts.overfitting_warning(course) if self._is_ours and not self._trainings.is_asked else ""
        if not words:
            self.alarm.hide()
        elif self.alarm.isHidden() or self.alarm.accessibleName() != words:
            self.alarm.show_message("warning", words, "", (("finish", phrase("training.finish_and_keep_the_best")),))

    def _show_trouble(self, course: RunProgress) -> None:
        found = run_texts.failure_message(course)
        if self._error is not None:
            found = run_texts.error_message(self._error, course)
        if found is None or self._is_ours:
            self.banner.hide()
            return
        has_log = course.state in ("crashed", "failed")
        actions = (("log", phrase("training.open_the_log_folder")),) if has_log else ()
        if self.banner.isHidden() or found != self._shown_message:
            self._shown_message = found
            self.banner.show_message("danger", found.message, found.next, actions)

    def _show_obstacle(self, course: RunProgress) -> None:
        refusal = self._trainings.refusal if course.can_resume else None
        action = phrase("training.pause_the_evaluation_and_resume")
        self.obstacle.show_refusal(refusal, action, is_pausing=self._resumes_when_free)

    # ------------------------------------------------------------------- actions

    def _pause_and_resume(self) -> None:
        self._resumes_when_free = True
        self._pause_study()
        self._show_actions()

    def _on_refusal_changed(self) -> None:
        if self._trainings.refusal is None and self._resumes_when_free:
            self._resumes_when_free = False
            QTimer.singleShot(0, self, self._resume)
        self._show_actions()

    def _resume(self) -> None:
        self._error = None
        self.banner.hide()
        try:
            self._trainings.go_on(self._folder)
        except AppError as error:
            self._error = error
        self._show_actions()
        self.follower.look()

    def _finish(self) -> None:
        self._trainings.finish()
        self._show_actions()

    def _on_started(self, folder: Path) -> None:
        if folder == self._folder:
            self._error = None
        self._show_actions()

    def _on_ended(self, folder: Path, error: AppError | None) -> None:
        if folder == self._folder:
            self._error = error
        self._show_actions()


class RunActions(QObject):
    """The buttons of a run for the page's header.

    `buttons`: all buttons; those that do not apply are hidden. The step's sentence explains why a visible one is
    disabled.
    """

    def __init__(self, theme: Theme, trainings: TrainingRunner, owner: QWidget) -> None:
        super().__init__(owner)
        self._theme = theme
        self._trainings = trainings
        self._owner = owner
        self._course: RunProgress | None = None
        holder = QWidget(owner)  # hides the buttons until the page shows them
        holder.hide()
        self.pause_button = Button(theme, phrase("common.pause"), icon="pause", parent=holder)
        self.finish_button = Button(theme, phrase("training.finish_and_keep_the_best"), parent=holder)
        self.abort_button = Button(theme, phrase("training.abort"), "danger", parent=holder)
        self.go_on_button = Button(theme, phrase("training.resume"), "primary", "play", parent=holder)
        self.buttons = (self.go_on_button, self.pause_button, self.finish_button, self.abort_button)
        for button in self.buttons:
            button.hide()
        self.pause_button.clicked.connect(trainings.pause)
        self.finish_button.clicked.connect(trainings.finish)
        self.abort_button.clicked.connect(self.ask_to_abort)

    @property
    def first_button(self) -> Button | None:
        """Return the first visible and enabled button; None if there is none."""
        return next((one for one in self.buttons if not one.isHidden() and one.isEnabled()), None)

    def show_course(self, course: RunProgress, *, is_ours: bool, sentence: str) -> None:
        self._course = course
        trainings = self._trainings
        is_trained = is_ours and course.state == "running"
        is_free = not trainings.is_asked
        is_begun = is_trained and course.standing.last_step > 0 and course.standing.end is None
        states = {
            self.go_on_button: (
                not is_ours and (course.can_resume or course.state == "ending"),
                course.can_resume and not trainings.is_training and trainings.refusal is None,
            ),
            self.pause_button: (is_ours, is_free),
            self.finish_button: (is_trained, is_free and is_begun),
            self.abort_button: (is_trained, is_free),
        }
        self.go_on_button.setText(phrase("training.start_over" if run_texts.starts_over(course) else "training.resume"))
        for button, (is_shown, can_press) in states.items():
            button.setVisible(is_shown)
            button.setEnabled(can_press)
            button.setAccessibleDescription("" if can_press else sentence)

    def ask_to_abort(self) -> Dialog:
        assert self._course is not None
        return Dialog(
            self._theme,
            phrase("training.abort_this_run"),
            run_texts.abort_consequences(self._course),
            cancel_or("abort", phrase("training.abort_2"), is_grave=True),
            self._owner.window(),
        ).ask(self._trainings.cancel)


class HealthView(Card):
    """A card with the health checks (見張り), each with an icon and a text for its state."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(phrase("training.watch"))
        self._theme = theme
        self._rows: dict[str, tuple[IconLabel, Label, Label]] = {}
        self._grid = make_grid(spacing_px=(8, 8), stretch=2)
        self.column.addLayout(self._grid)

    def show_course(self, course: RunProgress) -> None:
        for found in course.watched:
            if found.key not in self._rows:
                self._add(found.key)
            icon, _name, value = self._rows[found.key]
            icon.show_icon(*_SIGNS[found.level])
            value.setText(run_texts.health_check_text(found, course))
            value.set_tone("warning" if found.level == "warning" else "text2")

    def value(self, key: str) -> str:
        return self._rows[key][2].text()

    def _add(self, key: str) -> None:
        row = len(self._rows)
        icon, name = IconLabel(self._theme, "info"), Label(run_texts.health_check_name(key))
        value = Label(tone="text2", wraps=True, shrinks=True)
        icon.setContentsMargins(0, 2, 0, 0)  # aligns the icon with the first line
        value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(icon, row, 0, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(name, row, 1, Qt.AlignmentFlag.AlignTop)
        self._grid.addWidget(value, row, 2)
        self._rows[key] = (icon, name, value)
