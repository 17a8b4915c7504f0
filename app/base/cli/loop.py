"""Qt's event loop for a command that waits for children: until told to stop, at Ctrl+C, or at a bug."""

import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer, qInstallMessageHandler


def core_application() -> QCoreApplication:
    """The one QCoreApplication of this process; kept by the caller."""
    # Of a locale without UTF-8 Qt warns, in English: nothing that the user has to mend
    # (`app.shell.services.lifecycle`).
    before = qInstallMessageHandler(lambda *_: None)
    try:
        return QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    finally:
        qInstallMessageHandler(before)


class CommandLoop:
    """`run` returns when `stop` is called. The first Ctrl+C calls `interrupt`, a second makes `run` raise."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._loop = QEventLoop()
        self.was_interrupted = False
        self._is_asked = False  # to interrupt, and has not yet
        self._is_impatient = False
        self._bug: BaseException | None = None

    def run(self) -> None:
        """Raises KeyboardInterrupt at the second Ctrl+C, and what a slot raised: the loop would go on for ever."""
        # Python handles signals between bytecodes, and Qt's loop runs none: the timer gives it some.
        pulse = QTimer(interval=100)
        pulse.timeout.connect(self._on_pulse)
        pulse.start()
        before, hook = signal.signal(signal.SIGINT, self._on_signal), sys.excepthook
        sys.excepthook = self._on_bug
        try:
            self._loop.exec()
        finally:
            signal.signal(signal.SIGINT, before)
            sys.excepthook = hook
        if self._bug is not None:
            raise self._bug
        if self._is_impatient:
            raise KeyboardInterrupt

    def stop(self) -> None:
        self._loop.quit()

    def _on_bug(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self._bug = self._bug or error
        self._loop.quit()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # This may be in the middle of a slot, and what interrupts must not find anything half done. An exception raised
        # here would be printed by Qt's loop, and the loop would go on.
        if self.was_interrupted:
            self._is_impatient = True
            self._loop.quit()
        self.was_interrupted = self._is_asked = True

    def _on_pulse(self) -> None:
        if self._is_asked:
            self._is_asked = False
            self._interrupt()
