"""SIGTERM and SIGHUP (the session ends, a terminal is closed) end the window as its user would: all is kept."""

import os
import signal
import sys

from PySide6.QtCore import QObject, QSocketNotifier, Signal

_SIGNALS = ("SIGTERM", "SIGHUP")


class Ending(QObject):
    """Python hears of a signal only between two steps of its own; a pipe wakes Qt up for it. Windows has neither."""

    requested = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        if sys.platform == "win32":
            return
        self._read, write = os.pipe()
        for end in (self._read, write):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        numbers = [getattr(signal, name) for name in _SIGNALS]
        # Whoever started us may want us to outlive a terminal (nohup).
        self._heard = {number for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
        for number in self._heard:
            signal.signal(number, lambda _number, _frame: None)
        self._notifier = QSocketNotifier(self._read, QSocketNotifier.Type.Read, self)
        self._notifier.activated.connect(self._on_readable)

    def _on_readable(self) -> None:
        if self._heard & set(os.read(self._read, 64)):
            self.requested.emit()
