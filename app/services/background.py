"""The single door to the thread pool: short blocking work off the GUI thread, its result back on it."""

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from app.core.errors import AppError


class Task(QObject):
    """Work in progress. Keep it as long as its result matters; `forget` drops the result."""

    finished = Signal(object)
    failed = Signal(object)  # AppError, or the exception of a bug


class _Job(QRunnable):
    def __init__(self, work: Callable[[], Any], task: Task) -> None:
        super().__init__()
        self._work = work
        self._task = task

    def run(self) -> None:
        try:
            result = self._work()
        except AppError as error:
            self._task.failed.emit(error)
        except Exception as error:  # noqa: BLE001  carried to the GUI thread, where `_raise` lets it rise
            self._task.failed.emit(error)
        else:
            self._task.finished.emit(result)


def run(work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[AppError], None]) -> Task:
    """Runs `work` in the pool; then calls `done(result)` or `failed(error)` on the caller's thread.

    `work` must not touch Qt objects. An exception that is no AppError is a bug and rises in the caller's event loop.
    """
    task = Task()

    def on_failure(error: Exception) -> None:
        if not isinstance(error, AppError):
            raise error
        failed(error)

    task.finished.connect(done)
    task.failed.connect(on_failure)
    QThreadPool.globalInstance().start(_Job(work, task))
    return task
