"""What becomes of a training or a study when the window is closed, when the session ends, and when all is done."""

import sys

from PySide6.QtCore import QEvent, QObject, Qt, QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QWidget

from app.base.wording import phrase
from app.evaluation.services.evaluations import Evaluations
from app.shell.ui.notifications import Notifier
from app.training.services.trainings import Trainings
from app.uikit.page import Navigation

# A message of a tray icon goes with its program (Windows, macOS); on Linux the desktop keeps it.
LINGER_MS = 0 if sys.platform == "linux" else 10_000


class Closing(QObject):
    """While a run is trained or judged, closing the last window leaves the program at work without one.

    Starting Kotae again brings the window back (`app.base.services.single_instance`). Without a window it ends by
    itself once the run has. A study ends with its window, which is told; what it has measured is kept, and the page
    offers to go on. A system that shuts down pauses them.
    """

    def __init__(
        self,
        window: QWidget,
        trainings: Trainings,
        evaluations: Evaluations,
        notifier: Notifier,
        navigation: Navigation,
        linger_ms: int = LINGER_MS,
    ) -> None:
        super().__init__(window)
        self._window = window
        self._trainings = trainings
        self._evaluations = evaluations
        self._notifier = notifier
        self._navigation = navigation
        self._is_closed = False
        self._end = QTimer(self, singleShot=True, interval=linger_ms)
        self._end.timeout.connect(self._quit_unseen)
        app = _application()
        trainings.started.connect(self._on_training_started)
        trainings.ended.connect(self._on_ended)
        app.lastWindowClosed.connect(self._on_closed)
        app.applicationStateChanged.connect(self._on_state_changed)
        # Direct: it must have happened when the system hears that we are ready.
        app.commitDataRequest.connect(self.pause, Qt.ConnectionType.DirectConnection)
        window.installEventFilter(self)

    def pause(self) -> None:
        """The session ends: what is trained or measured is saved, and the window stays closed."""
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
        _application().setQuitOnLastWindowClosed(False)

    def _on_closed(self) -> None:
        if self._trainings.is_training:
            self._is_closed = True
            self._notifier.tell(phrase("shell.training_goes_on_start_kotae"))
        elif self._evaluations.is_running:
            self._notifier.tell(phrase("shell.the_evaluation_is_being_stopped"))

    def _on_ended(self) -> None:
        _application().setQuitOnLastWindowClosed(True)
        if self._is_closed:
            self._end.start()

    def _quit_unseen(self) -> None:
        if not self._trainings.is_training and not any(one.isVisible() for one in QApplication.topLevelWidgets()):
            QApplication.quit()

    def _on_state_changed(self, state: Qt.ApplicationState) -> None:
        """A click on the icon in the dock (macOS) activates a program that has no window."""
        if self._is_closed and state == Qt.ApplicationState.ApplicationActive:
            self._window.show()


def _application() -> QGuiApplication:
    app = QGuiApplication.instance()
    assert isinstance(app, QGuiApplication)
    return app
