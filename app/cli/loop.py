"""Qt's event loop for a command that waits for children: runs until told to stop, and listens to Ctrl+C."""

import signal
import sys
from collections.abc import Callable
from types import FrameType

from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer


def application() -> QCoreApplication:
    """The one QCoreApplication of this process; kept by the caller."""
    return QCoreApplication.instance() or QCoreApplication(sys.argv[:1])


class Waiting:
    """`run` returns when `stop` is called. The first Ctrl+C calls `interrupt`, the second raises KeyboardInterrupt."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._loop = QEventLoop()
        self.was_interrupted = False

    def run(self) -> None:
        # Python handles signals between bytecodes, and Qt's loop runs none: the timer gives it some.
        pulse = QTimer(interval=100)
        pulse.timeout.connect(lambda: None)
        pulse.start()
        before = signal.signal(signal.SIGINT, self._on_signal)
        try:
            self._loop.exec()
        finally:
            signal.signal(signal.SIGINT, before)

    def stop(self) -> None:
        self._loop.quit()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.was_interrupted:
            signal.default_int_handler(number, frame)
        self.was_interrupted = True
        self._interrupt()
