"""Work in the thread pool: its result, its progress and its end come back to the caller's thread."""

import functools
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import QObject, QThread
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LatestWork, TaskProgress

ROOT = Path(__file__).parents[3]


class Ends:
    """Which callbacks came, with what, and on which thread."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any]] = []
        self.threads: set[QThread] = set()
        self.steps: list[tuple[int, int]] = []

    def done(self, result: Any) -> None:
        self._note("done", result)

    def failed(self, error: AppError) -> None:
        self._note("failed", error.code)

    def cancelled(self) -> None:
        self._note("cancelled", None)

    def progressed(self, done: int, total: int) -> None:
        self.threads.add(QThread.currentThread())
        self.steps.append((done, total))

    def run(self, work: Callable[[TaskProgress], Any]) -> background.LongTask:
        return background.run_long(work, self.done, self.failed, self.progressed, self.cancelled)

    def _note(self, name: str, value: Any) -> None:
        self.threads.add(QThread.currentThread())
        self.calls.append((name, value))


@pytest.fixture
def ends() -> Ends:
    return Ends()


def test_the_result_of_long_work_comes_back_on_the_callers_thread(qtbot: QtBot, ends: Ends) -> None:
    workers: list[QThread] = []

    def work(progress: TaskProgress) -> str:
        workers.append(QThread.currentThread())
        progress.report(1, 2)
        progress.report(2, 2)
        return "done"

    ends.run(work)
    qtbot.waitUntil(lambda: ends.calls == [("done", "done")])
    assert workers != [QThread.currentThread()]
    assert ends.threads == {QThread.currentThread()}


def test_progress_counts_past_what_an_int_of_c_holds(qtbot: QtBot, ends: Ends) -> None:
    size_bytes = 20_000_000_000
    ends.run(lambda progress: progress.report(size_bytes, size_bytes))
    qtbot.waitUntil(lambda: bool(ends.calls))
    assert ends.steps == [(size_bytes, size_bytes)]


@pytest.mark.parametrize("total", [20_000, 0])
def test_thousands_of_reports_reach_the_window_as_a_few(qtbot: QtBot, ends: Ends, total: int) -> None:
    def work(progress: TaskProgress) -> None:
        for done in range(1, 20_001):
            progress.report(done, total)

    ends.run(work)
    qtbot.waitUntil(lambda: bool(ends.calls))
    assert 1 <= len(ends.steps) < 2_000
    assert total == 0 or ends.steps[-1] == (total, total)


def test_an_expected_error_of_long_work_is_told(qtbot: QtBot, ends: Ends) -> None:
    def work(_progress: TaskProgress) -> None:
        raise AppError("disk_full", path="/", need_bytes=2, free_bytes=1)

    ends.run(work)
    qtbot.waitUntil(lambda: ends.calls == [("failed", "disk_full")])


def test_a_bug_in_long_work_rises(qtbot: QtBot, ends: Ends) -> None:
    def work(_progress: TaskProgress) -> None:
        raise ValueError("a bug")

    with qtbot.captureExceptions() as bugs:
        ends.run(work)
        qtbot.waitUntil(lambda: bool(bugs))
    assert bugs[0][0] is ValueError
    assert ends.calls == [("failed", "unexpected")]  # whoever waits for an end gets one


@pytest.mark.parametrize("asks", ["report", "check"])
def test_cancelled_work_ends_quietly_and_leaves_through_its_finally(
    qtbot: QtBot, ends: Ends, tmp_path: Path, asks: str
) -> None:
    half = tmp_path / "half.txt"
    started, go_on = threading.Event(), threading.Event()

    def work(progress: TaskProgress) -> None:
        half.write_text("half")
        try:
            started.set()
            go_on.wait()
            progress.report(1, 2) if asks == "report" else progress.check()
        finally:
            half.unlink()

    task = ends.run(work)
    assert started.wait(60)
    task.cancel()
    go_on.set()
    qtbot.waitUntil(lambda: ends.calls == [("cancelled", None)])
    assert ends.steps == []
    assert not half.exists()


def test_work_that_was_finished_when_it_was_cancelled_is_done(qtbot: QtBot, ends: Ends) -> None:
    go_on = threading.Event()

    def work(progress: TaskProgress) -> bool:
        go_on.wait()
        return progress.is_cancelled

    task = ends.run(work)
    task.cancel()
    go_on.set()
    qtbot.waitUntil(lambda: ends.calls == [("done", True)])


def test_closing_cancels_the_long_work_and_waits_for_it(qtbot: QtBot, ends: Ends, tmp_path: Path) -> None:
    half = tmp_path / "half.txt"
    started = threading.Event()

    def work(progress: TaskProgress) -> None:
        half.write_text("half")
        try:
            started.set()
            while True:
                progress.report(1, 2)
        finally:
            half.unlink()

    ends.run(work)
    assert started.wait(60)
    background.shut_down()
    assert not half.exists()
    qtbot.waitUntil(lambda: ends.calls == [("cancelled", None)])


class Listener(QObject):
    def __init__(self, heard: list[object]) -> None:
        super().__init__()
        self._heard = heard

    def note(self, result: object = None) -> None:
        self._heard.append(result)


def test_an_object_that_was_deleted_meanwhile_is_not_called(qtbot: QtBot) -> None:
    heard: list[object] = []
    listener = Listener(heard)
    go_on = threading.Event()
    background.run(go_on.wait, listener.note, listener.note)
    task = background.run_long(lambda progress: progress.check(), listener.note, listener.note, None, listener.note)
    task.cancel()
    shiboken6.delete(listener)
    go_on.set()
    qtbot.waitUntil(lambda: not background._running)
    assert heard == []


def test_what_long_work_waits_for_is_ended_when_it_is_cancelled(qtbot: QtBot, ends: Ends) -> None:
    waits, is_over = threading.Event(), threading.Event()

    def work(progress: TaskProgress) -> None:
        progress.on_cancel(is_over.set)
        waits.set()
        is_over.wait()
        progress.check()

    task = ends.run(work)
    waits.wait()
    task.cancel()
    qtbot.waitUntil(lambda: bool(ends.calls))
    assert ends.calls == [("cancelled", None)]


def test_the_end_does_not_wait_for_detached_work_and_its_result_still_comes(qtbot: QtBot) -> None:
    heard: list[object] = []
    go_on = threading.Event()
    background.run_detached(go_on.wait, lambda result: heard.append((result, threading.get_ident())))
    background.shut_down()
    assert heard == []
    go_on.set()
    qtbot.waitUntil(lambda: bool(heard))
    assert heard == [(True, threading.get_ident())]


class Kept:
    """Tells the thread that lets go of it last."""

    def __init__(self, released_by: list[int]) -> None:
        self._released_by = released_by

    def work(self, _progress: TaskProgress | None = None) -> None:
        pass

    def fail(self) -> None:
        raise AppError("disk_full", path="/", need_bytes=2, free_bytes=1)

    def note(self, _result: object) -> None:
        pass

    def __del__(self) -> None:
        self._released_by.append(threading.get_ident())


def test_what_only_work_and_its_callbacks_hold_is_never_destroyed_by_the_pool(qtbot: QtBot) -> None:
    released_by: list[int] = []
    for _ in range(80):
        background.run(Kept(released_by).work, Kept(released_by).note, Kept(released_by).note)
        background.run(Kept(released_by).fail, Kept(released_by).note, Kept(released_by).note)
        background.run_long(Kept(released_by).work, Kept(released_by).note, Kept(released_by).note)
        background.run_detached(Kept(released_by).work, Kept(released_by).note)
        qtbot.waitUntil(lambda: not background._running)
    qtbot.waitUntil(lambda: len(released_by) == 80 * 11)
    assert set(released_by) == {threading.get_ident()}


def test_of_works_only_the_newest_is_told_also_where_an_earlier_one_fails(qtbot: QtBot) -> None:
    latest, told, is_free = LatestWork(), list[str](), threading.Event()

    def late(result: str) -> str:
        is_free.wait(30)
        if result == "fails":
            raise AppError("busy")
        return result

    for result in ("first", "fails", "last"):
        latest.run(functools.partial(late, result), told.append, lambda error: told.append(error.code))
    is_free.set()
    qtbot.waitUntil(lambda: not background._running)
    assert told == ["last"]
    latest.run(lambda: "dropped", told.append, lambda error: told.append(error.code))
    latest.drop()
    qtbot.waitUntil(lambda: not background._running)
    assert told == ["last"]


_LATE = """
import atexit, threading, time
atexit.register(lambda: [thread.join() for thread in threading.enumerate() if thread.name == "detached"])
import shiboken6
from PySide6.QtCore import QCoreApplication
from app.base.services import background
app = QCoreApplication([])
def work():
    while shiboken6.isValid(app):
        time.sleep(0.001)
    print("late", flush=True)
background.run_detached(work, print)
"""


_ENDLESS = """
import threading
from PySide6.QtCore import QCoreApplication
from app.base.services import background
app, started = QCoreApplication([]), threading.Event()
def work(progress):
    try:
        while True:
            started.set()
            progress.begin_phase()
            progress.report(1, 0)
    finally:
        print("removed", flush=True)
background.run_long(work, print, print)
started.wait()
"""


@pytest.mark.parametrize(("program", "told"), [(_LATE, b"late\n"), (_ENDLESS, b"removed\n")])
def test_work_that_the_end_of_the_program_overtakes_ends_quietly(program: str, told: bytes) -> None:
    """Delivering its result to what Qt has destroyed would now and then even abort the process."""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, told, b"")
