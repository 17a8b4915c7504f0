"""A child process that is sent one object, answers with one, and ends; killed when it takes too long."""

import json
from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QObject, QProcess, QTimer, Signal

from app.base import lines
from app.base.services.process import LINE_BYTES_MOST


class AskedOnce(QObject):
    """After `start` exactly one of `answered` and `ended`, unless it is cancelled."""

    answered = Signal(object)  # what the child has said: a dict
    ended = Signal(bool)  # without an answer in time; whether it could be started at all

    def __init__(self, command: list[str], request: Mapping[str, Any], limit_ms: int, parent: QObject) -> None:
        super().__init__(parent)
        self._command = command
        self._line = json.dumps(request).encode("ascii") + b"\n"
        self._is_over = False
        self._process = QProcess(self)
        self._process.setStandardErrorFile(QProcess.nullDevice())
        self._process.readyReadStandardOutput.connect(self._on_ready_read)
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._deadline = QTimer(self, singleShot=True, interval=limit_ms)
        self._deadline.timeout.connect(self._process.kill)

    def start(self) -> None:
        if self._is_over:
            return
        self._process.start(self._command[0], self._command[1:])
        self._process.write(self._line)
        self._process.closeWriteChannel()
        self._deadline.start()

    def cancel(self, wait_ms: int = 0) -> None:
        """Nothing is told any more. `wait_ms`: for its end."""
        self._is_over = True
        self._process.kill()
        if wait_ms:
            self._process.waitForFinished(wait_ms)

    def _on_ready_read(self) -> None:
        if self._process.bytesAvailable() > LINE_BYTES_MOST:
            self._process.kill()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._end(None, is_started=False)

    def _on_finished(self) -> None:
        self._deadline.stop()
        try:
            told = lines.object_of(bytes(self._process.readAllStandardOutput().data()))
        except ValueError:
            told = None
        self._end(told)

    def _end(self, told: object, *, is_started: bool = True) -> None:
        if self._is_over:
            return
        self._is_over = True
        if told is None:
            self.ended.emit(is_started)
        else:
            self.answered.emit(told)
