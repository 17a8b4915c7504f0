"""What is written into the documents' database by this process: off the GUI thread, one piece after the other."""

from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import TaskProgress
from app.documents.library import Library

T = TypeVar("T")
Work = Callable[[Library, TaskProgress], T]

WRITE_PATIENCE_MS = 120_000  # the reading child writes all sections of a document at once


class DocumentWriteQueue(QObject):
    """Work begins in the order of `do`. A piece that fails does not keep the next one from being tried."""

    failed = Signal(object)  # AppError
    counted = Signal(int)  # what a piece has reported: files found so far in folders; 0: nothing runs any more

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._pieces: deque[tuple[Work[Any], Callable[[Any], None]]] = deque()
        self._task: background.LongTask | None = None
        self._done: Callable[[Any], None] = lambda _result: None  # of the piece that runs

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def do(self, work: Work[T], done: Callable[[T], None] = lambda _result: None) -> None:
        """`done` is called on the caller's thread, with what `work` gave."""
        self._pieces.append((work, done))
        if self._task is None:
            self._next()

    def cancel(self) -> None:
        """What runs ends where it asks its `TaskProgress`; what it has committed stays. The rest still comes."""
        if self._task is not None:
            self._task.cancel()

    def _next(self) -> None:
        if not self._pieces:
            self._task = None
            self.counted.emit(0)
            return
        work, self._done = self._pieces.popleft()

        def run(progress: TaskProgress) -> Any:
            library = Library.beside(self._path)
            try:
                library.database.read(f"PRAGMA busy_timeout = {WRITE_PATIENCE_MS}")
                return work(library, progress)
            finally:
                library.close()

        self._task = background.run_long(run, self._on_done, self._on_failed, self._on_progressed, self._next)

    def _on_done(self, result: Any) -> None:
        try:
            self._done(result)
        finally:
            self._next()

    def _on_progressed(self, done: int, _total: int) -> None:
        self.counted.emit(done)

    def _on_failed(self, error: AppError) -> None:
        self.failed.emit(error)
        self._next()
