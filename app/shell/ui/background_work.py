"""Notify the user of the end of long work behind another program, and keep trainings running without a window."""

import sys
import time
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, Qt, QTimer, SignalInstance
from PySide6.QtWidgets import QApplication, QSystemTrayIcon, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.chat.records import Message
from app.chat.services.chat_session import ChatSession
from app.evaluation.services.evaluations import Evaluations
from app.inference.services.events import AnswerStage
from app.models.services.downloads import Downloads
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary
from app.shell.services.pause_for_questions import PauseForQuestions
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_runner import TrainingRunner
from app.uikit.page import NavigationSignals
from app.uikit.theme import application

LONG_WORK_S = 5.0
LONG_ANSWER_S = 20.0


def is_away() -> bool:
    """Return whether no window of Kotae is active."""
    return QApplication.activeWindow() is None


class _EndReporter(QObject):
    """A slot that reports the end of one kind of work. `words` returns "" for an end that is not reported."""

    def __init__(self, notifier: "Notifier", words: Callable[[], str], took_s: Callable[[], float]) -> None:
        super().__init__(notifier)
        self._notifier, self._words, self._took_s = notifier, words, took_s

    def tell(self, result: object = None) -> None:
        words, is_cancelled = self._words(), isinstance(result, AppError) and result.code == "cancelled"
        if words and not is_cancelled:
            self._notifier.finished(words, self._took_s())


class Notifier(QObject):
    """Marks the window in the task bar and shows a desktop notification when long work ends."""

    def __init__(
        self,
        window: QWidget,
        is_away: Callable[[], bool] = is_away,
        show: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare to notify. `is_away` returns whether no window of Kotae is active. `show` shows a sentence; None uses
        the desktop's notifications. `clock` returns seconds."""
        super().__init__(window)
        self._window = window
        self._is_away = is_away
        self._show = show or self._show_on_desktop
        self._clock = clock
        self._answer_began_at: float | None = None  # reading of `clock`; None while no answer is computed
        self._tray: QSystemTrayIcon | None = None
        application().applicationStateChanged.connect(self._on_state_changed)

    def finished(self, words: str, took_s: float, at_least_s: float = LONG_WORK_S) -> None:
        """Show `words`, a kind of work without contents, if it took `at_least_s` and no window of Kotae is active."""
        if took_s >= at_least_s and self._is_away():
            QApplication.alert(self._window)
            self._show(words)

    def tell(self, words: str) -> None:
        """Notify the user of `words` even if a window of Kotae is active."""
        self._show(words)

    def follow(self, session: ChatSession, library: ModelLibrary) -> None:
        """Report the end of long answers and of model imports from now on."""
        session.stage_changed.connect(self._on_stage_changed)
        session.answer_finished.connect(self._on_answer_finished)
        session.answer_finished_elsewhere.connect(self._on_answer_finished)
        self._report_end(library.imported, phrase("shell.the_model_has_been_added"), lambda: library.worked_s)
        self._report_end(library.failed, phrase("shell.the_model_could_not_be"), lambda: library.worked_s)

    def follow_models(self, downloads: Downloads, maintenance: ModelMaintenance) -> None:
        """Report the end of downloads and of maintenance of models, which take minutes or hours."""
        self._report_end(downloads.finished, phrase("shell.a_model_was_downloaded"))
        self._report_end(downloads.failed, phrase("shell.a_model_download_stopped"))
        for signal, words in (
            (maintenance.verified, phrase("shell.the_models_were_verified")),
            (maintenance.kit_written, phrase("common.the_transfer_kit_is_written")),
            (maintenance.kit_read, phrase("shell.the_transfer_kit_was_imported")),
            (maintenance.folder_moved, phrase("shell.the_models_folder_was_moved")),
            (maintenance.failed, phrase("shell.work_on_the_models_stopped")),
        ):
            self._report_end(signal, words, lambda: maintenance.worked_s)

    def follow_training(self, setup: EnvironmentSetup) -> None:
        """Report the end of an installation of the training environment, unless the user cancelled it."""
        self._report_end(setup.finished, phrase("shell.the_training_environment_is_ready"), lambda: setup.elapsed_s)
        self._report_end(setup.failed, phrase("shell.work_on_the_training_environment"), lambda: setup.elapsed_s)

    def follow_trainings(self, trainings: TrainingRunner) -> None:
        """Report the end of a training, unless the user paused or cancelled it."""
        self._follow_run(trainings, phrase("shell.a_training_has_ended"), phrase("shell.a_training_has_stopped"))

    def follow_evaluations(self, evaluations: Evaluations) -> None:
        """Report the end of an evaluation, unless the user stopped it."""
        self._follow_run(
            evaluations, phrase("shell.the_evaluation_is_done"), phrase("shell.the_evaluation_has_stopped_on")
        )

    def _follow_run(self, runner: TrainingRunner | Evaluations, finished: str, failed: str) -> None:
        words = {"finished": finished, "failed": failed}
        reporter = _EndReporter(self, lambda: words.get(runner.outcome, ""), lambda: runner.elapsed_s)
        runner.ended.connect(reporter.tell)

    def _report_end(
        self, signal: SignalInstance, words: str, took_s: Callable[[], float] = lambda: LONG_WORK_S
    ) -> None:
        signal.connect(_EndReporter(self, lambda: words, took_s).tell)

    def _on_stage_changed(self, stage: AnswerStage) -> None:
        if self._answer_began_at is None and stage.kind != "idle":
            self._answer_began_at = self._clock()

    def _on_answer_finished(self, message: Message) -> None:
        """Report a finished or failed answer, but not one that the user stopped."""
        began_at, self._answer_began_at = self._answer_began_at, None
        took_s = 0.0 if began_at is None else self._clock() - began_at
        if message.status == "done":
            self.finished(phrase("common.answer_finished"), took_s, LONG_ANSWER_S)
        elif message.status == "failed":
            self.finished(phrase("shell.the_answer_stopped_halfway"), took_s, LONG_ANSWER_S)

    def _show_on_desktop(self, words: str) -> None:
        if sys.platform == "linux":
            from app.base import desktop_notification

            background.run(
                lambda: desktop_notification.show_notification(words), lambda _shown: None, lambda _error: None
            )
        elif QSystemTrayIcon.supportsMessages():
            if self._tray is None:
                self._tray = QSystemTrayIcon(self._window.windowIcon(), self)
                self._tray.activated.connect(self._bring_back)
                self._tray.messageClicked.connect(self._bring_back)
            self._tray.show()
            self._tray.showMessage("Kotae", words, self._window.windowIcon())

    def _bring_back(self) -> None:
        """Show the window and activate it, even if the user closed it during a training."""
        self._window.show()
        self._window.activateWindow()

    def _on_state_changed(self, state: Qt.ApplicationState) -> None:
        if self._tray is not None and state == Qt.ApplicationState.ApplicationActive:
            self._tray.hide()


# ms. On Windows and macOS a tray message disappears with its program; on Linux the desktop keeps it.
LINGER_MS = 0 if sys.platform == "linux" else 10_000


class CloseGuard(QObject):
    """Keeps the program running without a window while a model is being trained or a trained model is being evaluated.

    A second start shows the window again; without one the program ends `linger_ms` after the training. A study stops
    with the window, and can be resumed; a paused training goes on. A shutdown of the system pauses both.
    """

    def __init__(
        self,
        window: QWidget,
        trainings: TrainingRunner,
        evaluations: Evaluations,
        pause: PauseForQuestions,
        notifier: Notifier,
        navigation: NavigationSignals,
        linger_ms: int = LINGER_MS,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._trainings = trainings
        self._evaluations = evaluations
        self._pause = pause
        self._notifier = notifier
        self._navigation = navigation
        self._is_closed = False
        self._end = QTimer(self, singleShot=True, interval=linger_ms)
        self._end.timeout.connect(self._quit_without_window)
        app = application()
        trainings.started.connect(self._on_training_started)
        trainings.ended.connect(self._on_ended)
        app.lastWindowClosed.connect(self._on_closed)
        app.applicationStateChanged.connect(self._on_state_changed)
        # The connection is direct, because the pause must be complete before the system gets Kotae's answer.
        app.commitDataRequest.connect(self.pause_work, Qt.ConnectionType.DirectConnection)
        window.installEventFilter(self)

    def pause_work(self) -> None:
        """Save the training and the study, because the session ends. A closed window stays closed."""
        self._trainings.pause()
        self._evaluations.stop()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Show and self._is_closed:
            self._is_closed = False
            self._end.stop()
            self._navigation.reopened.emit()
        return False

    # ------------------------------------------------------------------- private

    def _on_training_started(self) -> None:
        application().setQuitOnLastWindowClosed(False)

    def _on_closed(self) -> None:
        if self._pause.has_training:
            self._pause.go_on()  # nobody asks any more
        if self._trainings.is_training:
            self._is_closed = True
            self._notifier.tell(phrase("shell.training_goes_on_start_kotae"))
        elif self._evaluations.is_running or self._pause.state:
            self._notifier.tell(phrase("shell.the_evaluation_is_being_stopped"))

    def _on_ended(self) -> None:
        application().setQuitOnLastWindowClosed(True)
        if self._is_closed:
            if self._pause.has_training:  # the window was closed while it was being saved
                QTimer.singleShot(0, self, self._go_on_or_end)
            else:
                self._end.start()

    def _go_on_or_end(self) -> None:
        self._pause.go_on()
        if not self._trainings.is_training:
            self._end.start()

    def _quit_without_window(self) -> None:
        if not self._trainings.is_training and not any(one.isVisible() for one in QApplication.topLevelWidgets()):
            QApplication.quit()

    def _on_state_changed(self, state: Qt.ApplicationState) -> None:
        """Show the window when the dock icon of macOS activates the program without one."""
        if self._is_closed and state == Qt.ApplicationState.ApplicationActive:
            self._window.show()
