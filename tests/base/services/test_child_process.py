"""A child that tells much, and one that is told to end: the event loop goes on meanwhile."""

import json
import sys
import time
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from app.base.services import child_process
from app.base.services.child_process import ChildExit, ChildProcess, wait_for_end

LINES = 4000


class Child:
    def __init__(self, code: str, folder: Path, qtbot: QtBot, **options: float) -> None:
        """It is looked after ten times a second, not once."""
        command = [sys.executable, "-c", code]
        self.process = ChildProcess(command, folder / "child.log", json.loads, **options)  # type: ignore[arg-type]
        self.process._watch.setInterval(100)
        self.events: list[int] = []
        self.ends: list[tuple[str, int]] = []  # each with the lines that came before it
        self.process.event_received.connect(self.events.append)
        self.how: ChildExit | None = None
        self.process.exited.connect(lambda how: self._on_exited(how))
        self._qtbot = qtbot

    def until_it_ends(self) -> None:
        self._qtbot.waitUntil(lambda: bool(self.ends))

    def until_it_speaks(self) -> None:
        self._qtbot.waitUntil(lambda: bool(self.events))

    def _on_exited(self, how: ChildExit) -> None:
        self.how = how
        self.ends.append((how.cause, len(self.events)))


def test_much_that_is_told_at_once_leaves_room_for_the_window(tmp_path: Path, qtbot: QtBot) -> None:
    child = Child(f"for n in range({LINES}): print(n)", tmp_path, qtbot)
    child.process.event_received.connect(lambda _event: time.sleep(0.0002))
    beats: list[int] = []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: beats.append(len(child.events)))
    timer.start()
    child.process.start()
    child.until_it_ends()
    timer.stop()
    assert child.events == list(range(LINES))
    assert child.ends == [("finished", LINES)]  # after all that it has said
    between = {count for count in beats if 0 < count < LINES}
    assert len(between) > 20
    assert not child.process.is_running


@pytest.mark.skipif(sys.platform == "win32", reason="there the end of its input is not what ends it")
def test_a_child_is_told_to_end_without_waiting_for_it(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It heeds nothing, and is killed after a while."""
    monkeypatch.setattr(child_process, "STOP_GRACE_MS", 500)
    child = Child("import time; print(1, flush=True); time.sleep(60)", tmp_path, qtbot)
    child.process.start()
    child.until_it_speaks()
    pid = child.process.pid
    child.process.end()
    assert child.process.is_stopping
    assert psutil.pid_exists(pid)
    child.until_it_ends()
    assert child.ends == [("stopped", 1)]
    wait_for_end(pid, limit_s=0.0)
    child.process.start()  # another one
    qtbot.waitUntil(lambda: len(child.events) == 2)
    child.process.stop()
    assert [cause for cause, _lines in child.ends] == ["stopped", "stopped"]


def test_what_waits_to_be_told_is_told_before_who_stops_it_goes_on(tmp_path: Path, qtbot: QtBot) -> None:
    child = Child("for n in range(1000): print(n)", tmp_path, qtbot)
    child.process.event_received.connect(lambda _event: time.sleep(0.0002))
    child.process.start()
    child.until_it_speaks()
    child.process.stop()
    assert len(child.ends) == 1
    assert child.events == list(range(len(child.events)))


@pytest.mark.fault("S19")
def test_a_line_that_never_ends_is_not_waited_for(tmp_path: Path, qtbot: QtBot) -> None:
    child = Child("import os\nwhile True: os.write(1, b'x' * 1000000)", tmp_path, qtbot)
    child.process.start()
    child.until_it_ends()
    assert child.ends == [("garbled", 0)]


@pytest.mark.fault("F4")
def test_a_line_that_is_no_event_ends_it_even_if_it_has_ended_by_then(tmp_path: Path, qtbot: QtBot) -> None:
    for then in ("time.sleep(60)", "pass"):
        child = Child(f"import time; print(1); print('oops', flush=True); {then}", tmp_path, qtbot)
        child.process.start()
        child.until_it_ends()
        assert child.how == ChildExit("garbled", repr(b"oops\n"))
        assert child.how.reason == "garbled"
        assert child.events == [1]


@pytest.mark.fault("F4")
def test_a_silent_child_is_ended_unless_this_process_was_suspended_itself(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, passed_s: list[float]
) -> None:
    child = Child("import time; print(1, flush=True); time.sleep(600)", tmp_path, qtbot, silence_limit_s=300.0)
    child.process.start()
    child.until_it_speaks()
    passed_s[0] += 3600.0
    for _ in range(2):
        with qtbot.waitSignal(child.process.checked):
            pass
    assert child.ends == []
    monkeypatch.setattr(child_process, "WATCH_LATE_S", 3600.0)
    passed_s[0] += 301.0
    child.until_it_ends()
    assert child.ends == [("hung", 1)]
    assert child.how is not None
    assert (child.how.reason, child.how.last_event) == ("hung", 1)


def test_a_child_may_be_silent_while_nobody_waits_for_it(
    tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, passed_s: list[float]
) -> None:
    monkeypatch.setattr(child_process, "WATCH_LATE_S", 3600.0)
    child = Child("import time; print(1, flush=True); time.sleep(600)", tmp_path, qtbot, silence_limit_s=300.0)
    child.process.start()
    child.process.unwatch()
    child.until_it_speaks()
    passed_s[0] += 301.0
    qtbot.wait(300)
    assert child.process.is_running
    child.process.watch()
    passed_s[0] += 301.0
    child.until_it_ends()
    assert child.ends == [("hung", 1)]


def test_a_request_is_answered_or_ends_at_its_limit(tmp_path: Path, qtbot: QtBot) -> None:
    for code, limit_s, cause, answer in (
        ("print(int(input()) + 1)", 60.0, "finished", 2),
        ("import time; print(1, flush=True); time.sleep(60)", 60.0, "killed", 1),
        ("import time; time.sleep(60)", 0.1, "killed", None),
    ):
        child = Child(code, tmp_path, qtbot)
        child.process.ask(b"1\n", limit_s)
        if answer == 1:
            child.until_it_speaks()
            child.process.limit(0.0)
        child.until_it_ends()
        assert child.how is not None
        assert (child.how.cause, child.how.last_event) == (cause, answer)
