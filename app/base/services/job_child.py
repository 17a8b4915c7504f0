"""One job in a child of its own: a conversion in the training environment, or a quantization; its end named."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base import lines
from app.base.errors import AppError
from app.base.services import background
from app.base.services.process import ChildProcess, Exit
from trainer import convert_job
from trainer.convert_job import Failed, Finished, Progress, part_path

Command = Callable[[Path], list[str]]  # the file with the job -> what to start


class JobChild(QObject):
    """Ends with exactly one of `finished`, `failed` and `ended` (by `end`), unless it is stopped. A half-written result
    is deleted: some are folders of many gigabytes."""

    progressed = Signal(object)  # convert_job.Progress
    finished = Signal(object)  # convert_job.Finished
    failed = Signal(object)  # AppError
    ended = Signal()

    def __init__(self, command: list[str], target: Path, log: Path, step: str, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._target = target
        self._step = step
        self._outcome: Finished | AppError | None = None
        self._is_stopped = self._is_ending = False
        self._child = ChildProcess(command, log, self, is_apart=True)  # Ctrl+C would look like a crash of its own
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)

    @property
    def pid(self) -> int:
        return self._child.pid

    def start(self) -> None:
        self._child.start()

    def stop(self) -> None:
        """Ends the child and deletes what it has begun; says nothing more. Blocks until it is gone."""
        self._is_stopped, self._is_ending = True, False
        self._child.stop()
        self._delete_half()

    def end(self) -> None:
        """As `stop`, without waiting: `ended` tells that the child is gone."""
        self._is_stopped = self._is_ending = True
        if self._child.is_running:
            self._child.end()
        else:
            self._delete_half_and(self._tell_end)

    def _on_line(self, line: bytes) -> None:
        try:
            event = convert_job.event_from_json(lines.object_of(line))
        except ValueError:
            self._outcome = AppError("build_died", step=self._step, cause=f"garbled: {line[:80]!r}")
            self._child.kill()
            return
        match event:
            case Progress():
                self.progressed.emit(event)
            case Finished():
                self._outcome = event
            case Failed():
                self._outcome = _as_error(event)

    def _on_exited(self, how: Exit) -> None:
        if self._is_ending:
            self._delete_half_and(self._tell_end)
        if self._is_stopped:
            return
        outcome = self._outcome
        if isinstance(outcome, Finished) and how.cause == "finished":
            self.finished.emit(outcome)
            return
        died = AppError("build_died", step=self._step, cause=how.detail or how.cause)
        error = outcome if isinstance(outcome, AppError) else died
        self._delete_half_and(lambda: None if self._is_stopped else self.failed.emit(error))

    def _delete_half_and(self, then: Callable[[], None]) -> None:
        background.run(self._delete_half, lambda _nothing: then(), lambda _error: then())

    def _tell_end(self) -> None:
        if self._is_ending:
            self.ended.emit()

    def _delete_half(self) -> None:
        part = part_path(str(self._target))
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            return
        with contextlib.suppress(OSError):  # a virus scanner holds it (Windows): whoever builds next deletes it
            part.unlink(missing_ok=True)


def _as_error(event: Failed) -> AppError:
    """In a build an adapter that does not fit has another next step than one that is chosen for an answer."""
    code = "build_adapter_mismatch" if event.code == "adapter_mismatch" else event.code
    return AppError(code, **event.facts)
