"""Asks a server in the local network which models it has: in a child that may speak to it alone, and ends."""

import json

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from app.core import children, remote_address
from app.core.errors import AppError
from app.core.remote_address import Remote

DEADLINE_MS = 60_000
KILL_MS = 1000


class RemoteCheck(QObject):
    """One check; exactly one of `found` and `failed`, unless it is cancelled."""

    found = Signal(object)  # tuple[Remote, ...]: with what the server says of each context; 0: nothing
    failed = Signal(object)  # AppError

    def __init__(self, address: str, key: str, parent: QObject | None = None) -> None:
        """`address`: a normal one (`app.core.remote_address`)."""
        super().__init__(parent)
        self._address = address
        self._is_over = False
        self._process = QProcess(self)
        self._process.setStandardErrorFile(QProcess.nullDevice())
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._deadline = QTimer(self, singleShot=True, interval=DEADLINE_MS)
        self._deadline.timeout.connect(self._process.kill)
        self._line = json.dumps({"key": key}).encode("ascii") + b"\n"
        QTimer.singleShot(0, self, self._start)  # whoever made it has to listen first

    def cancel(self) -> None:
        """Nothing is told any more."""
        self._is_over = True
        self._process.kill()
        self._process.waitForFinished(KILL_MS)

    def _start(self) -> None:
        if self._is_over:
            return
        program, *arguments = children.remote_check(self._address)
        self._process.start(program, arguments)
        self._process.write(self._line)
        self._process.closeWriteChannel()
        self._deadline.start()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(AppError("engine_missing", cause="not_started"))

    def _on_finished(self) -> None:
        self._deadline.stop()
        try:
            told = json.loads(bytes(self._process.readAllStandardOutput().data()))
        except ValueError:
            told = {"error": "remote_silent", "facts": {"address": remote_address.shown(self._address)}}
        if "error" in told:
            self._end(AppError(told["error"], **told["facts"]))
        else:
            self._end(tuple(Remote(self._address, one["name"], one["context_tokens"]) for one in told["models"]))

    def _end(self, outcome: tuple[Remote, ...] | AppError) -> None:
        if self._is_over:
            return
        self._is_over = True
        if isinstance(outcome, AppError):
            self.failed.emit(outcome)
        else:
            self.found.emit(outcome)
