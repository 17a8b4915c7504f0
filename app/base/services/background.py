"""The single door to the thread pool: blocking work off the GUI thread, its result back on it.

`run` is for short work; `run_long` for work that shows how far it is and can be cancelled.

How long something still takes, told only once it can be told.
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

REPORT_EVERY_S = 0.05  # an eye needs no more, and thousands of queued signals would hold the window up


class TaskCancelled(Exception):  # noqa: N818  nothing went wrong
    """Raised inside cancelled work by its own `TaskProgress`, so that it leaves through its `finally`."""


class Task(QObject):
    """Work in progress. It is kept until its result has been delivered, on the thread that called `run`.

    A callback that is a method of a QObject, or functools.partial of one, is left out once that object is deleted: a
    dialog may be closed meanwhile.
    """

    def __init__(
        self, work: Callable[..., Any], done: Callable[[Any], None], failed: Callable[[AppError], None]
    ) -> None:
        super().__init__()
        self._work = work
        self._done_callback = done
        self._failed_callback = failed
        self._result: Any = None
        self._error: Exception | None = None
        _running[id(self)] = self

    def perform(self) -> None:
        """In the pool's thread."""
        try:
            self._result = self._act()
        except Exception as error:  # noqa: BLE001  carried to the caller's thread, where a bug rises
            self._error = error

    def deliver(self) -> None:
        """On the thread that called `run`, once the pool's has let go of this."""
        error, self._error = self._error, None  # its traceback leads back to this
        if error is not None:
            self._fail(error)
        elif _can_be_called(self._done_callback):
            self._done_callback(self._result)

    def _act(self) -> Any:
        return self._work()

    def _fail(self, error: Exception) -> None:
        is_bug = not isinstance(error, AppError)
        told = AppError("unexpected", detail=type(error).__name__) if is_bug else error
        try:
            if _can_be_called(self._failed_callback):
                self._failed_callback(told)
        finally:
            if is_bug:
                raise error


class TaskProgress:
    """What long work tells while it runs, from the pool's thread, and how it learns that nobody wants it any more."""

    def __init__(self, emit: Callable[[int, int], None]) -> None:
        self._emit = emit
        self._is_cancelled = False
        self._act: Callable[[], None] = lambda: None
        self._reported_at = 0.0

    @property
    def is_cancelled(self) -> bool:
        return self._is_cancelled

    def cancel(self) -> None:
        """From any thread. The work ends at its next `check` or `report`."""
        self._is_cancelled = True
        self._act()

    def on_cancel(self, act: Callable[[], None]) -> None:
        """`act` ends what the work waits for, a process. It is called in the thread that cancels."""
        self._act = act
        if self._is_cancelled:
            act()

    def renew(self) -> None:
        """Another stretch of the work begins: its first report comes at once."""
        self._reported_at = 0.0

    def check(self) -> None:
        """Raises Cancelled when the work is to stop."""
        if self._is_cancelled:
            raise TaskCancelled

    def report(self, done: int, total: int) -> None:
        """`done` of `total`, both in one unit of the caller's choice; `total` 0 is not known. Raises Cancelled."""
        self.check()
        now = time.monotonic()
        if 0 < total <= done or now - self._reported_at >= REPORT_EVERY_S:
            self._reported_at = now
            self._emit(done, total)


class LongTask(Task):
    """Long work in progress. After `cancel` comes `cancelled`, or `done` where the work was finished already."""

    progressed = Signal(object, object)  # done, total: Python's integers, since C++'s end at 2 GiB

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
        del task  # the last to let go destroys it, and a widget that only its callbacks held: never this thread
        _result_receiver().result_arrived.emit(key)


class _ResultReceiver(QObject):
    """Where work that has ended comes back to the thread that it was asked for."""

    result_arrived = Signal(object)  # the task's key: Python's integer, since C++'s end at 2 GiB

    def __init__(self) -> None:
        super().__init__()
        self.result_arrived.connect(self._on_knocked)  # a method of an object of that thread: Qt brings the call there

    def _on_knocked(self, key: int) -> None:
        _running.pop(key).deliver()


@functools.cache
def _result_receiver() -> _ResultReceiver:
    return _ResultReceiver()


def _start(task: Task) -> None:
    _result_receiver()  # made here, not by the pool
    QThreadPool.globalInstance().start(_Job(task))


def run(work: Callable[[], Any], done: Callable[[Any], None], failed: Callable[[AppError], None]) -> Task:
    """Runs `work` in the pool; then calls `done(result)` or `failed(error)` on the caller's thread.

    `work` must not touch Qt objects. An exception that is no AppError is a bug: `failed` is told
    AppError("unexpected"), so that whoever waits goes on, and it rises in the caller's event loop.
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
    """As `run`, for work that reports to its `TaskProgress`. All callbacks come on the caller's thread.

    Exactly one of `done`, `failed` and `cancelled` is called. Work that writes a file removes it when it is left by an
    exception, Cancelled among them.
    """
    task = LongTask(work, done, failed, progressed, cancelled)
    _start(task)
    return task


def shut_down() -> None:
    """Cancels the long work and waits for all work, so that nothing is left half written, and nothing ends after Qt
    has gone. Nothing is delivered."""
    for task in _running.values():
        if isinstance(task, LongTask):
            task.cancel()
    QThreadPool.globalInstance().waitForDone()


STABLE_AFTER_S = 2.0  # the first moments are start-up, and a number that jumps is worse than none
WINDOW_S = 10.0  # the rate is that of the recent past: disks and processors get other things to do


class TimeLeftEstimator:
    """Takes the fraction that is done, 0 to 1, whenever it changes. One that falls begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: deque[tuple[float, float]] = deque()  # time, fraction; the oldest kept is the window's edge
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
        """Whole seconds, at least 1. None while the rate is not known, and when it is done."""
        if len(self._noted) < 2 or self._clock() - self._began_at < STABLE_AFTER_S:
            return None
        (first_at, first), (last_at, last) = self._noted[0], self._noted[-1]
        if last <= first or last >= 1 or last_at <= first_at:
            return None
        left = (1 - last) * (last_at - first_at) / (last - first) - (self._clock() - last_at)
        return max(1, math.ceil(left))
