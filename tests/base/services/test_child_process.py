"""A child that tells much, and one that is told to end: the event loop goes on meanwhile."""

import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QTimer
from pytestqt.qtbot import QtBot

from app.base.services.child_process import ChildExit, ChildProcess, wait_for_end

LINES = 4000


class Child:
    def __init__(self, code: str, folder: Path, qtbot: QtBot) -> None:
        self.process = ChildProcess([sys.executable, "-c", code], folder / "child.log")
        self.lines: list[bytes] = []
        self.ends: list[tuple[str, int]] = []  # each with the lines that came before it
        self.process.line_received.connect(self.lines.append)
        self.process.exited.connect(lambda how: self._on_exited(how))
        self._qtbot = qtbot

    def until_it_ends(self) -> None:
        self._qtbot.waitUntil(lambda: bool(self.ends))

    def until_it_speaks(self) -> None:
        self._qtbot.waitUntil(lambda: bool(self.lines))

    def _on_exited(self, how: ChildExit) -> None:
        self.ends.append((how.cause, len(self.lines)))


def test_much_that_is_told_at_once_leaves_room_for_the_window(tmp_path: Path, qtbot: QtBot) -> None:
    child = Child(f"for n in range({LINES}): print(n)", tmp_path, qtbot)
    child.process.line_received.connect(lambda _line: time.sleep(0.0002))
    beats: list[int] = []
    timer = QTimer(interval=1)
    timer.timeout.connect(lambda: beats.append(len(child.lines)))
    timer.start()
    child.process.start()
    child.until_it_ends()
    timer.stop()
    assert [int(line) for line in child.lines] == list(range(LINES))
    assert child.ends == [("finished", LINES)]  # after all that it has said
    between = {count for count in beats if 0 < count < LINES}
    assert len(between) > 20
    assert not child.process.is_running


@pytest.mark.skipif(sys.platform == "win32", reason="there the end of its input is not what ends it")
def test_a_child_is_told_to_end_without_waiting_for_it(tmp_path: Path, qtbot: QtBot) -> None:
    """It heeds nothing, and is killed after a while."""
    child = Child("import time; print(1, flush=True); time.sleep(60)", tmp_path, qtbot)
    child.process.start()
    child.until_it_speaks()
    pid, began = child.process.pid, time.monotonic()
    child.process.end()
    assert time.monotonic() - began < 1
    assert child.process.is_stopping
    child.until_it_ends()
    assert child.ends == [("stopped", 1)]
    wait_for_end(pid, limit_s=0.0)
    child.process.start()  # another one
    qtbot.waitUntil(lambda: len(child.lines) == 2)
    child.process.stop()
    assert [cause for cause, _lines in child.ends] == ["stopped", "stopped"]


def test_what_waits_to_be_told_is_told_before_who_stops_it_goes_on(tmp_path: Path, qtbot: QtBot) -> None:
    child = Child("for n in range(1000): print(n)", tmp_path, qtbot)
    child.process.line_received.connect(lambda _line: time.sleep(0.0002))
    child.process.start()
    child.until_it_speaks()
    child.process.stop()
    assert len(child.ends) == 1
    assert [int(line) for line in child.lines] == list(range(len(child.lines)))


@pytest.mark.fault("S19")
def test_a_line_that_never_ends_is_not_waited_for(tmp_path: Path, qtbot: QtBot) -> None:
    child = Child("import os\nwhile True: os.write(1, b'x' * 1000000)", tmp_path, qtbot)
    child.process.start()
    child.until_it_ends()
    assert child.ends == [("killed", 0)]
