"""Run Qt's event loop for a command that waits for child processes."""

import builtins
import signal
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

# PySide6 replaces `__import__` by a function that reads the source of each module imported later, for `__feature__`
# (PYSIDE-2029), which Kotae does not use: a tenth of the start of a command.
_import = builtins.__import__
from PySide6.QtCore import QCoreApplication, QEventLoop, QTimer, qInstallMessageHandler  # noqa: E402

builtins.__import__ = _import

from app.base.errors import AppError  # noqa: E402


def core_application() -> QCoreApplication:
    """Return the one QCoreApplication of this process. The caller must keep a reference, or Qt deletes it."""
    # Suppress Qt's English warning about a locale without UTF-8: Kotae works there too
    # (`app.shell.services.lifecycle`).
    before = qInstallMessageHandler(lambda *_: None)
    try:
        return QCoreApplication.instance() or QCoreApplication(sys.argv[:1])
    finally:
        qInstallMessageHandler(before)


class CommandEventLoop:
    """An event loop until `stop`, `finish` or `fail`; the first Ctrl+C calls `interrupt`, `run` raises at the
    second."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._loop = QEventLoop()
        self.result: Any = None  # set by `finish`
        self.error: AppError | BrokenPipeError | None = None  # set by `fail`, or by a slot that wrote to a closed pipe
        self.was_interrupted = False
        self._is_interrupt_due = False
        self._is_interrupted_twice = False
        self._bug: BaseException | None = None

    def run(self) -> None:
        """Run until `stop`, not at all after `fail`.

        Raises KeyboardInterrupt and any exception of a slot, which Qt itself would only print.
        """
        if self.error is not None:
            return
        # Python handles signals only between bytecodes, and Qt's idle loop executes none: the timer makes it execute
        # some.
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
        if self._is_interrupted_twice:
            raise KeyboardInterrupt

    def stop(self) -> None:
        self._loop.quit()

    def finish(self, result: Any = None) -> None:
        self.result = result
        self.stop()

    def fail(self, error: AppError) -> None:
        self.error = self.error or error
        self.stop()

    def _on_bug(self, _kind: type[BaseException], error: BaseException, _trace: TracebackType | None) -> None:
        self._bug = self._bug or error
        self._loop.quit()

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        # This may run in the middle of a slot, where `interrupt` would see a partial state, so the timer calls that
        # later. An exception raised here would only be printed by Qt.
        if self.was_interrupted:
            self._is_interrupted_twice = True
            self._loop.quit()
        self.was_interrupted = self._is_interrupt_due = True

    def _on_pulse(self) -> None:
        if self._is_interrupt_due:
            self._is_interrupt_due = False
            self._interrupt()
