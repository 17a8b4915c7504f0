"""The single door to the thread pool: short blocking work off the GUI thread, its result back on it."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from app.core.errors import AppError


class Task(QObject):
    """Work in progress. It is kept until its result has been delivered, on the thread that called `run`."""

    _succeeded = Signal(object)
    _failed = Signal(object)

    def __init__(self, done: Callable[[Any], None], failed: Callable[[AppError], None]) -> None:
        super().__init__()
        self._done_callback = done
        self._failed_callback = failed
        # Methods of an object of the calling thread: Qt brings the call there.
        self._succeeded.connect(self._on_succeeded)
        self._failed.connect(self._on_failed)
        _running.add(self)

    def perform(self, work: Callable[[], Any]) -> None:
        """In the pool's thread."""
        try:
            result = work()
        except Exception as error:  # noqa: BLE001  carried to the caller's thread, where a bug rises
            self._failed.emit(error)
        else:
            self._succeeded.emit(result)

    def _on_succeeded(self, result: Any) -> None:
        _running.discard(self)
        self._done_callback(result)

    def _on_failed(self, error: Exception) -> None:
        _running.discard(self)
        if not isinstance(error, AppError):
            raise error
        self._failed_callback(error)


_running: set[Task] = set()


class _Job(QRunnable):
    def __init__(self, work: Callable[[], Any], task: Task) -> None:
        super().__init__()
        self._work = work
        self._task = task

    def run(self) -> None:
        self._task.perform(self._work)


def run(work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[AppError], None]) -> Task:
    """Runs `work` in the pool; then calls `done(result)` or `failed(error)` on the caller's thread.

    `work` must not touch Qt objects. An exception that is no AppError is a bug and rises in the caller's event loop.
    """
    task = Task(done, failed)
    QThreadPool.globalInstance().start(_Job(work, task))
    return task
