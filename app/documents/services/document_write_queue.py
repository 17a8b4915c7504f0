"""Write to the documents' database from this process, one task after another and not on the GUI thread."""

from collections import deque
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import TaskProgress
from app.documents.collection_updates import CountCallback
from app.documents.library import Library

T = TypeVar("T")
Work = Callable[[Library, CountCallback], T]

WRITE_PATIENCE_MS = 120_000  # the reading child writes all sections of a document in one transaction


class DocumentWriteQueue(QObject):
    """A queue of write tasks, run in the order of the calls of `do`, also after one that failed."""

    failed = Signal(object)  # AppError
    counted = Signal(int)  # number of files found so far in folders; 0: no task is running

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._queued: deque[tuple[Work[Any], Callable[[Any], None]]] = deque()
        self._task: background.LongTask | None = None
        self._callback: Callable[[Any], None] = lambda _result: None  # callback of the running task

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def do(self, work: Work[T], on_done: Callable[[T], None] = lambda _result: None) -> None:
        """Queue a task. `work` may report a number of files; `on_done` receives its result on the caller's thread."""
        self._queued.append((work, on_done))
        if self._task is None:
            self._next()

    def cancel(self) -> None:
        """Cancel the running task at its next check of `TaskProgress`. Its commits stay, and later tasks still run."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Begin no other task, and call nothing when the running one ends."""
        self._queued.clear()
        self._callback = lambda _result: None

    def _next(self) -> None:
        if not self._queued:
            self._task = None
            self.counted.emit(0)
            return
        work, self._callback = self._queued.popleft()

        def run(progress: TaskProgress) -> Any:
            with closing(Library.open_second(self._path)) as library:
                library.database.read(f"PRAGMA busy_timeout = {WRITE_PATIENCE_MS}")
                return work(library, lambda count: progress.report(count, 0))

        self._task = background.run_long(run, self._on_done, self._on_failed, self._on_progressed, self._next)

    def _on_done(self, result: Any) -> None:
        try:
            self._callback(result)
        finally:
            self._next()

    def _on_progressed(self, done: int, _total: int) -> None:
        self.counted.emit(done)

    def _on_failed(self, error: AppError) -> None:
        self.failed.emit(error)
        self._next()
