"""Renders a foreign chat template in a child of its own, and kills it when it takes too long."""

import json
from collections.abc import Callable

from PySide6.QtCore import QObject, QProcess, QTimer

from app.core.errors import AppError
from app.core.prompt import Segment

DEADLINE_MS = 2000

Done = Callable[[tuple[Segment, ...]], None]
Failed = Callable[[AppError], None]


class TemplateRenderer(QObject):
    """One rendering; exactly one of `done` and `failed` is called. `failed` gets AppError("template_failed")."""

    def __init__(self, command: list[str], request: dict[str, object], done: Done, failed: Failed) -> None:
        super().__init__()
        self._done: Done = done
        self._failed: Failed = failed
        self._is_over = False
        self._process = QProcess(self)
        self._process.setStandardErrorFile(QProcess.nullDevice())
        self._process.finished.connect(self._on_finished)
        self._process.errorOccurred.connect(self._on_error)
        self._deadline = QTimer(self, singleShot=True, interval=DEADLINE_MS)
        self._deadline.timeout.connect(self._process.kill)
        self._process.start(command[0], command[1:])
        self._process.write(json.dumps(request).encode("ascii") + b"\n")
        self._process.closeWriteChannel()
        self._deadline.start()

    def cancel(self) -> None:
        """Neither callback is called any more."""
        self._is_over = True
        self._process.kill()

    def _on_error(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self._fail("the child did not start")

    def _on_finished(self) -> None:
        self._deadline.stop()
        try:
            answer = json.loads(bytes(self._process.readAllStandardOutput().data()))
        except ValueError:
            self._fail(f"no result within {DEADLINE_MS / 1000:.0f} s and 512 MB")
            return
        if "segments" in answer:
            self._finish(tuple(Segment(text, markup) for text, markup in answer["segments"]))
        else:
            self._fail(answer["error"])

    def _finish(self, segments: tuple[Segment, ...]) -> None:
        if not self._is_over:
            self._is_over = True
            self._done(segments)

    def _fail(self, reason: str) -> None:
        if not self._is_over:
            self._is_over = True
            self._failed(AppError("template_failed", reason=reason))
