"""Run blocking work in the thread pool and deliver its result on the caller's thread. Nothing else uses the pool.

`run` is for short work; `run_long` for work that reports its progress and can be cancelled. `TimeLeftEstimator`
estimates how long something still takes.
"""

import functools
import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

import shiboken6
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from app.base.errors import AppError

T = TypeVar("T")

REPORT_EVERY_S = 0.05  # more often is not visible, and thousands of queued signals would block the window


class TaskCancelled(Exception):  # noqa: N818  it is no error
    """Raised inside cancelled work by its `TaskProgress`, so that its `finally` blocks run."""


class Task(QObject):
    """Work in the pool. It is kept until its result has been delivered on the thread that called `run`.

    A callback that is a method of a QObject, or functools.partial of one, is not called once that object is deleted: a
    dialog may be closed meanwhile.
    """

    def __init__(
        self, work: Callable[..., Any], done: Callable[[Any], None], failed: Callable[[AppError], None] | None
    ) -> None:
        super().__init__()
        self._work = work
        self._done_callback = done
        self._failed_callback = failed
        self._result: Any = None
        self._error: Exception | None = None
        _running[id(self)] = self

    def perform(self) -> None:
        """Do the work, in the pool's thread."""
        try:
            self._result = self._act()
        except Exception as error:  # noqa: BLE001  passed to the caller's thread, which raises a bug again
            self._error = error

    def deliver(self) -> None:
        """Call the callback, on the thread that called `run`, once the pool's thread holds no reference any more."""
        error, self._error = self._error, None  # its traceback refers to this task
        if error is not None:
            self._fail(error)
        elif _can_be_called(self._done_callback):
            self._done_callback(self._result)

    def _act(self) -> Any:
        return self._work()

    def _fail(self, error: Exception) -> None:
        reported = error if isinstance(error, AppError) else AppError("unexpected", detail=type(error).__name__)
        try:
            if _can_be_called(self._failed_callback):
                self._failed_callback(reported)
        finally:
            if reported is not error or self._failed_callback is None:
                raise error


class TaskProgress:
    """The object by which long work, in the pool's thread, reports its progress and learns that it is cancelled."""

    def __init__(self, emit: Callable[[int, int], None]) -> None:
        self._emit = emit
        self._is_cancelled = False
        self._act: Callable[[], None] = lambda: None
        self._reported_at = 0.0

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def cancel(self) -> None:
        """Cancel the work, from any thread. It ends at its next `check` or `report`."""
        self._is_cancelled = True
        self._act()

    def on_cancel(self, act: Callable[[], None]) -> None:
        """Set `act`, which ends what the work waits for, such as a process. The cancelling thread calls it."""
        self._act = act
        if self._is_cancelled:
            act()

    def begin_phase(self) -> None:
        """Begin another stretch of the work, whose first report is passed on at once."""
        self._reported_at = 0.0

    def check(self) -> None:
        """Raise TaskCancelled when the work is cancelled."""
        if self._is_cancelled:
            raise TaskCancelled

    def report(self, done: int, total: int) -> None:
        """Report `done` of `total`, in any unit; `total` 0 is unknown. Raises TaskCancelled."""
        self.check()
        now = time.monotonic()
        if 0 < total <= done or now - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = now
            self._emit(done, total)


class LongTask(Task):
    """Long work in the pool.

    After `cancel`, either `cancelled` is called, or `done` if the work had finished already.
    """

    progressed = Signal(object, object)  # done, total: as Python integers, because Qt's int ends at 2 GiB

    def __init__(
        self,
        work: Callable[[TaskProgress], Any],
        done: Callable[[Any], None],
        failed: Callable[[AppError], None],
        progressed: Callable[[int, int], None] | None,
        cancelled: Callable[[], None] | None,
    ) -> None:
        super().__init__(work, done, failed)
        self.progress = TaskProgress(self.progressed.emit)
        self._progressed_callback = progressed
        self._cancelled_callback = cancelled
        self._started_at = time.monotonic()
        self.progressed.connect(self._on_progressed)

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_at

    def cancel(self) -> None:
        self.progress.cancel()

    def _on_progressed(self, done: int, total: int) -> None:
        if not self.progress.is_cancelled and _can_be_called(self._progressed_callback):
            self._progressed_callback(done, total)

    def _act(self) -> Any:
        return self._work(self.progress)

    def _fail(self, error: Exception) -> None:
        if not isinstance(error, TaskCancelled):
            super()._fail(error)
        elif _can_be_called(self._cancelled_callback):
            self._cancelled_callback()


def _can_be_called(callback: Callable[..., None] | None) -> TypeGuard[Callable[..., None]]:
    method = callback.func if isinstance(callback, functools.partial) else callback
    owner = getattr(method, "__self__", None)
    return callback is not None and (not isinstance(owner, QObject) or shiboken6.isValid(owner))


_running: dict[int, Task] = {}  # by id


class _Job(QRunnable):
    def __init__(self, task: Task) -> None:
        super().__init__()
        self._tasks = [task]

    def run(self) -> None:
        task = self._tasks.pop()
        task.perform()
        key = id(task)
        # The last reference destroys the task, and with it widgets that only its callbacks refer to: never this thread.
        del task
        _result_receiver().result_arrived.emit(key)


class _ResultReceiver(QObject):
    """The object that brings the results of ended work to the thread it lives in."""

    result_arrived = Signal(object)  # the task's key, as a Python integer

    def __init__(self) -> None:
        super().__init__()
        self.result_arrived.connect(self._on_result_arrived)  # Qt queues the call to the thread of this object

    def _on_result_arrived(self, key: int) -> None:
        _running.pop(key).deliver()


@functools.cache
def _result_receiver() -> _ResultReceiver:
    return _ResultReceiver()


def _start(task: Task) -> None:
    _result_receiver()  # it must be made by this thread, not by the pool's
    QThreadPool.globalInstance().start(_Job(task))


def run(work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[AppError], None] | None = None) -> Task:
    """Run `work` in the pool, then call `done(result)` or `failed(error)` on the caller's thread.

    `work` must not touch Qt objects. An exception that is no AppError is a bug: `failed` gets AppError("unexpected"),
    so that the caller does not wait for ever, and the exception is raised in the caller's event loop. Without `failed`
    an AppError is a bug too.
    """
    task = Task(work, done, failed)
    _start(task)
    return task


def run_long(
    work: Callable[[TaskProgress], T],
    done: Callable[[T], None],
    failed: Callable[[AppError], None],
    progressed: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], None] | None = None,
) -> LongTask:
    """Run work that reports to its `TaskProgress`. All callbacks are called on the caller's thread.

    Exactly one of `done`, `failed` and `cancelled` is called. Work that writes a file must remove it when an exception
    leaves it, including TaskCancelled.
    """
    task = LongTask(work, done, failed, progressed, cancelled)
    _start(task)
    return task


def shut_down() -> None:
    """Cancel the long work and wait for all work. No callback is called any more.

    So no file stays partly written, and no work ends after Qt is gone.
    """
    for task in _running.values():
        if isinstance(task, LongTask):
            task.cancel()
    QThreadPool.globalInstance().waitForDone()


STABLE_AFTER_S = 2.0  # the first seconds are start-up, and a jumping estimate is worse than none
WINDOW_S = 10.0  # the rate is measured over the recent past, because the load of disks and processors changes


class OneTaskService(QObject):
    """A service that runs one long task at a time."""

    progressed = Signal(object, object)  # done, total (0: unknown)
    failed = Signal(object)  # AppError; "cancelled" after `cancel`

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: LongTask | None = None
        self._done: Callable[[Any], None] = lambda _result: None  # what to call with the task's result
        self.worked_s = 0.0  # duration of the last task

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, work: Callable[[TaskProgress], T], done: Callable[[T], None]) -> None:
        """Start the task unless another one is running. It ends with `done` or `failed`."""
        if self._task is None:
            self._done = done
            self._task = run_long(work, self._on_ended, self._on_failed, self.progressed.emit, self._on_cancelled)

    def _on_ended(self, result: Any) -> None:
        self._end_task()
        self._done(result)

    def _on_cancelled(self) -> None:
        self._on_failed(AppError("cancelled"))

    def _on_failed(self, error: AppError) -> None:
        self._end_task()
        self.failed.emit(error)

    def _end_task(self) -> None:
        if self._task is not None:
            self.worked_s = self._task.elapsed_s
        self._task = None


class TimeLeftEstimator:
    """Estimate the time left from the fraction that is done, 0 to 1. A fraction that falls starts a new estimate."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: deque[tuple[float, float]] = deque()  # time, fraction; the first is at or before the window
        self._began_at = 0.0

    def restart(self) -> None:
        self._noted.clear()

    def note(self, fraction: float) -> None:
        now = self._clock()
        if self._noted and fraction < self._noted[-1][1]:
            self.restart()
        if not self._noted:
            self._began_at = now
        self._noted.append((now, fraction))
        while len(self._noted) > 2 and now - self._noted[1][0] >= WINDOW_S:
            self._noted.popleft()

    @property
    def seconds(self) -> int | None:
        """Return the whole seconds left, at least 1; None while the rate is unknown, and when all is done."""
        if len(self._noted) < 2 or self._clock() - self._began_at < STABLE_AFTER_S:
            return None
        (first_at, first), (last_at, last) = self._noted[0], self._noted[-1]
        if last <= first or last >= 1 or last_at <= first_at:
            return None
        left = (1 - last) * (last_at - first_at) / (last - first) - (self._clock() - last_at)
        return max(1, math.ceil(left))
