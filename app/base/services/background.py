"""Run blocking work in Qt's thread pool and deliver its result in the caller's thread. Nothing else uses the pool.

`run` is for short work; `run_long` for work that reports its progress and can be cancelled; `run_detached`, outside the
pool, for work that may never end. `TimeLeftEstimator` estimates the time that work still takes.
"""

import atexit
import functools
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeGuard, TypeVar

import shiboken6
from PySide6.QtCore import QObject, QRunnable, QThreadPool, Signal

from app.base.errors import AppError

T = TypeVar("T")

REPORT_EVERY_S = 0.05  # shorter intervals are not visible, and thousands of queued signals would block the window


class TaskCancelled(Exception):  # noqa: N818  it is no error
    """Ends cancelled work. `TaskProgress` raises it inside the work, so that the `finally` blocks there run."""


class Task(QObject):
    """Work in the pool, alive until its result is delivered to the thread that called `run`.

    A callback of a QObject that was deleted meanwhile (also in functools.partial) is not called.
    """

    def __init__(
        self, work: Callable[..., Any], on_done: Callable[[Any], None], failed: Callable[[AppError], None] | None
    ) -> None:
        super().__init__()
        self._work = work
        self._done_callback = on_done
        self._failed_callback = failed
        self._result: Any = None
        self._error: Exception | None = None
        _running[id(self)] = self

    def perform(self) -> None:
        """Do the work. Called in a thread of the pool."""
        try:
            self._result = self._act()
        except Exception as error:  # noqa: BLE001  passed to the caller's thread, which raises a bug again
            self._error = error

    def deliver(self) -> None:
        """Call the callback for the result or the error. Called in the thread that called `run`."""
        error, self._error = self._error, None  # avoids a reference cycle: the traceback refers to this task
        if error is not None:
            self._fail(error)
        elif _can_be_called(self._done_callback):
            self._done_callback(self._result)

    def drop(self) -> None:
        """Deliver neither result nor error, because nobody waits for them any more; a bug is raised all the same."""
        self._done_callback = self._failed_callback = _ignore

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


def _ignore(_result: object) -> None:
    pass


class TaskProgress:
    """The object by which long work reports its progress and checks whether it is cancelled."""

    def __init__(self, emit: Callable[[int, int], None]) -> None:
        self._emit = emit
        self._is_cancelled = False
        self._act: Callable[[], None] = lambda: None
        self._reported_at = 0.0

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def cancel(self) -> None:
        """Request the end of the work, from any thread. It ends at its next `check` or `report`."""
        self._is_cancelled = True
        self._act()

    def on_cancel(self, act: Callable[[], None]) -> None:
        """Set a function, such as one that kills a process, for the cancelling thread; called at once if cancelled."""
        self._act = act
        if self._is_cancelled:
            act()

    def begin_phase(self) -> None:
        """Begin another phase of the work, whose first report is emitted without delay."""
        self._reported_at = 0.0

    def check(self) -> None:
        """Raise TaskCancelled if the work is cancelled."""
        if self._is_cancelled:
            raise TaskCancelled

    def report(self, done: int, total: int) -> None:
        """Report progress, at most every REPORT_EVERY_S; `total` 0: unknown. Raises TaskCancelled."""
        self.check()
        now = time.monotonic()
        if 0 < total <= done or now - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = now
            self._emit(done, total)


class LongTask(Task):
    """Long work in the pool. After `cancel` comes `cancelled`, or `on_done` if it had finished already."""

    progressed = Signal(object, object)  # done, total; not as int, because Qt's has 32 bits

    def __init__(
        self,
        work: Callable[[TaskProgress], Any],
        on_done: Callable[[Any], None],
        failed: Callable[[AppError], None],
        progressed: Callable[[int, int], None] | None,
        cancelled: Callable[[], None] | None,
    ) -> None:
        super().__init__(work, on_done, failed)
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

    def drop(self) -> None:
        """Cancel the work, too, and do not report that either."""
        super().drop()
        self._cancelled_callback = None
        self.cancel()

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


_running: dict[int, Task] = {}  # by id(task)


class _Job(QRunnable):
    def __init__(self, task: Task) -> None:
        super().__init__()
        self._tasks = [task]

    def run(self) -> None:
        task = self._tasks.pop()
        task.perform()
        key = id(task)
        # This thread must not hold the last reference, because destroying the task may destroy widgets that its
        # callbacks refer to.
        del task
        _result_receiver().take(key)


class _ResultReceiver(QObject):
    """Delivers the results of finished work in the thread that created this object."""

    result_arrived = Signal(object)  # the task's key in `_running`; not as int, because Qt's has 32 bits

    def __init__(self) -> None:
        super().__init__()
        self.result_arrived.connect(self._on_result_arrived)  # Qt queues the call to the thread of this object
        self._is_open, self._lock = True, threading.Lock()
        atexit.register(self._close)  # before Qt's own end, which was registered earlier

    def take(self, key: int) -> None:
        """Deliver the result of this task later. Called in the thread that did the work."""
        with self._lock:
            if self._is_open:
                self.result_arrived.emit(key)

    def _close(self) -> None:
        """End the work in the pool, then take no more results: emitting one while Qt ends would abort the process."""
        shut_down()
        with self._lock:
            self._is_open = False

    def _on_result_arrived(self, key: int) -> None:
        _running.pop(key).deliver()


@functools.cache
def _result_receiver() -> _ResultReceiver:
    return _ResultReceiver()


def _start_task(task: Task) -> None:
    _result_receiver()  # it must be created in this thread, not in the pool's
    QThreadPool.globalInstance().start(_Job(task))


def run(
    work: Callable[[], Any], on_done: Callable[[Any], None], failed: Callable[[AppError], None] | None = None
) -> Task:
    """Run `work`, without Qt objects, in the pool; then call `done(result)` or `failed(error)` in the caller's thread.

    An exception other than AppError is a bug: `failed` gets AppError("unexpected"), and it is raised in the caller's
    event loop, as is an AppError without `failed`.
    """
    task = Task(work, on_done, failed)
    _start_task(task)
    return task


class LatestWork:
    """Runs works of which only the newest is waited for: what comes of an earlier one is dropped."""

    def __init__(self) -> None:
        self._task: Task | None = None

    def run(
        self, work: Callable[[], Any], on_done: Callable[[Any], None], failed: Callable[[AppError], None] | None = None
    ) -> None:
        """Run `work` as `run` does, in place of the work before."""
        self.drop()
        self._task = run(work, on_done, failed)

    def run_long(
        self,
        work: Callable[[TaskProgress], T],
        on_done: Callable[[T], None],
        failed: Callable[[AppError], None],
    ) -> None:
        """Run `work` as `run_long` does, in place of the work before, which is cancelled."""
        self.drop()
        self._task = run_long(work, on_done, failed)

    def drop(self) -> None:
        """Wait for nothing any more."""
        if self._task is not None:
            self._task.drop()
            self._task = None


def run_long(
    work: Callable[[TaskProgress], T],
    on_done: Callable[[T], None],
    failed: Callable[[AppError], None],
    progressed: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], None] | None = None,
) -> LongTask:
    """Run work in the thread pool, with a `TaskProgress` for reports. All callbacks are called in the caller's thread.

    `progressed`: gets done and total. Exactly one of `on_done`, `failed` and `cancelled` is called. Work that writes a
    file must remove it if an exception ends the work, including TaskCancelled.
    """
    task = LongTask(work, on_done, failed, progressed, cancelled)
    _start_task(task)
    return task


def run_detached(work: Callable[[], T], on_done: Callable[[T], None]) -> None:
    """Run work that may block for ever, such as a look at a dead server, in its own thread; then `on_done` as `run`."""
    _result_receiver()  # as in `_start_task`
    threading.Thread(target=_Job(Task(work, on_done, None)).run, name="detached", daemon=True).start()


def shut_down() -> None:
    """Cancel long work and wait until all work has ended, so that no file stays partly written."""
    for task in _running.values():
        if isinstance(task, LongTask):
            task.cancel()
    QThreadPool.globalInstance().waitForDone()


class OneTaskService(QObject):
    """The base of services that run one long task at a time."""

    progressed = Signal(object, object)  # done, total (0: unknown)
    failed = Signal(object)  # AppError; "cancelled" after `cancel`

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._task: LongTask | None = None
        self._on_done: Callable[[Any], None] = lambda _result: None  # what to call with the task's result
        self.worked_s = 0.0  # duration of the last task

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, work: Callable[[TaskProgress], T], on_done: Callable[[T], None]) -> None:
        """Start a task, unless another one is running. At its end `on_done` is called or `failed` emitted."""
        if self._task is None:
            self._on_done = on_done
            self._task = run_long(work, self._on_ended, self._on_failed, self.progressed.emit, self._on_cancelled)

    def _on_ended(self, result: Any) -> None:
        self._end_task()
        self._on_done(result)

    def _on_cancelled(self) -> None:
        self._on_failed(AppError("cancelled"))

    def _on_failed(self, error: AppError) -> None:
        self._end_task()
        self.failed.emit(error)

    def _end_task(self) -> None:
        if self._task is not None:
            self.worked_s = self._task.elapsed_s
        self._task = None


STABLE_AFTER_S = 2.0  # no estimate before: work starts slowly, and a jumping estimate is worse than none
WINDOW_S = 10.0  # the rate is measured over this time, because the load of disks and processors changes


class TimeLeftEstimator:
    """Estimates the time left of work from the fraction done, 0 to 1. `clock`: returns seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: deque[tuple[float, float]] = deque()  # time, fraction; the first may be older than WINDOW_S
        self._began_at = 0.0

    def restart(self) -> None:
        self._noted.clear()

    def note(self, fraction: float) -> None:
        """Record the fraction done now. One below the last begins a new estimate."""
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
        """Return the seconds left, at least 1; None while the rate is unknown, and when the work is done."""
        if len(self._noted) < 2 or self._clock() - self._began_at < STABLE_AFTER_S:
            return None
        (first_at, first), (last_at, last) = self._noted[0], self._noted[-1]
        if last <= first or last >= 1 or last_at <= first_at:
            return None
        left = (1 - last) * (last_at - first_at) / (last - first) - (self._clock() - last_at)
        return max(1, math.ceil(left))
