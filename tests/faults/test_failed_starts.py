"""Starts that die are counted, two in a row make the next one safe, and nothing else is taken for one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.base import diagnostics, settings
from app.base.diagnostics import CLOSED, STARTING, UP, StartRecord
from app.base.migrations import MIGRATIONS
from app.base.paths import Paths
from app.base.settings import Settings
from app.chat.store import Store
from app.models import models_folder
from app.models.models_folder import FolderMove
from tests.faults.window_process import ROOT, environment, wait_until
from tests.forked_program import Program

LIMIT_S = 120
SAFE = "セーフモードで開いています。"
Process = "subprocess.Popen[str]"


class Starts:
    """Starts of the window over one data folder."""

    def __init__(self, where: Paths) -> None:
        self.where = where
        self._running: list[subprocess.Popen[str]] = []

    def begin(self, how: str, *arguments: str, **changes: str | None) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tests.faults.starting_window", how, "--data-dir", str(self.where.data)]
        process = Program(
            [*command, *arguments],
            env=environment(**changes),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        self._running.append(process)
        return process

    def run(self, how: str, *arguments: str, **changes: str | None) -> tuple[int, dict[str, Any]]:
        """Until it ends: exit status, and what it told."""
        process = self.begin(how, *arguments, **changes)
        out, _ = process.communicate(timeout=LIMIT_S)
        told = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return process.returncode, told[-1] if told else {}

    def opens(self, *arguments: str) -> dict[str, Any]:
        """A start that goes well, and is closed."""
        status, told = self.run("well", *arguments)
        assert status == 0
        return told

    @property
    def record(self) -> StartRecord:
        return diagnostics.read_start_record(diagnostics.start_record_file(self.where))

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.communicate()


@pytest.fixture
def starts(where: Paths) -> Iterator[Starts]:
    settings.save(where.settings, Settings(theme="dark", text_scale_percent=150, first_run_done=True))
    made = Starts(where)
    yield made
    made.end()


def told_by(process: "subprocess.Popen[str]") -> dict[str, Any]:
    line = process.stdout.readline()
    assert line, f"it ended: {process.wait(LIMIT_S)}"
    told: dict[str, Any] = json.loads(line)
    return told


def die(starts: Starts, kind: str) -> None:
    if kind == "kill":
        process = starts.begin("hang")
        assert process.stdout.readline() == "building\n"
        process.kill()
        process.wait(LIMIT_S)
    else:
        status, _ = starts.run(kind)
        assert status == {"segv": -signal.SIGSEGV, "exit": 7, "raise": 3}[kind]


@pytest.mark.parametrize(
    "kinds", [("exit", "kill"), ("segv", "raise"), pytest.param(("exit", "exit"), marks=pytest.mark.slow)], ids="-".join
)
def test_after_two_starts_that_died_the_third_is_safe_and_the_fourth_as_usual(starts, kinds):
    for number, kind in enumerate(kinds):
        die(starts, kind)
        assert starts.record == StartRecord(STARTING, number)
    if "segv" in kinds:
        assert "Segmentation fault" in (starts.where.logs / "crash.log").read_text("utf-8")
        assert "RuntimeError: a bug while the window is built" in log_of(starts.where)
        assert "the last window did not end properly" in log_of(starts.where)
    before = starts.where.settings.read_bytes()
    safe = starts.opens()
    assert safe["notice"].startswith(SAFE)
    assert "起動に 2 回続けて" in safe["notice"]
    held = {"theme": "system", "text_scale_percent": 100, "repack": "off", "loads_ahead": False, "drawing": "software"}
    assert {name: safe[name] for name in held} == held
    assert starts.where.settings.read_bytes() == before
    usual = starts.opens()
    assert (usual["notice"], usual["theme"], usual["text_scale_percent"], usual["loads_ahead"]) == (
        "", "dark", 150, True,
    )  # fmt: skip
    assert starts.record == StartRecord(CLOSED)


def test_one_start_that_died_is_forgiven(starts):
    die(starts, "exit")
    assert starts.opens()["notice"] == ""
    die(starts, "exit")
    assert starts.opens()["notice"] == ""


def test_safe_mode_by_hand_says_so_without_a_reason_that_is_none_and_leaves_all_as_it_is(starts, tmp_path):
    """The window's last place, and a move of the models folder that was interrupted, wait for a usual start."""
    starts.opens()  # and writes where it was
    source, target = starts.where.models, tmp_path / "moved"
    target.mkdir()
    models_folder.write_journal(starts.where, FolderMove(source, target, "switching", (), (), {}))
    told = starts.opens("--safe-mode")
    assert told["notice"].startswith(SAFE)
    assert "続けて" not in told["notice"]
    assert (told["theme"], told["size"]) == ("system", [1280, 800])
    assert settings.load(starts.where.settings).models_folder is None
    assert starts.opens()["theme"] == "dark"
    assert settings.load(starts.where.settings).models_folder == str(target)


def test_a_second_window_is_no_start(starts):
    first = starts.begin("stay")
    told_by(first)
    assert starts.run("well") == (0, {})
    assert starts.record == StartRecord(UP)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_the_session_ends_the_window_properly(starts, number):
    window = starts.begin("stay")
    told_by(window)
    window.send_signal(number)
    assert window.wait(LIMIT_S) == 0
    assert starts.record == StartRecord(CLOSED)
    assert (starts.where.data / "window.json").exists()
    assert not starts.where.lock.exists()


def test_a_window_that_was_killed_is_told_of_once_and_is_no_failed_start(starts):
    for _ in range(2):
        window = starts.begin("stay")
        told_by(window)
        window.kill()
        window.wait(LIMIT_S)
    told = starts.opens()
    assert told["notice"].startswith("Kotae は前回、正しく終了しませんでした。")
    assert "会話は保存されています。" in told["notice"]
    assert told["theme"] == "dark"
    assert starts.opens()["notice"] == ""


@pytest.mark.fault("F9")
def test_data_of_a_newer_version_is_refused_in_words_and_that_is_no_failed_start(starts):
    where = starts.where
    Store.open(where.database, where.backups).close()
    newer(where.database)
    before = where.database.read_bytes()
    status, told = starts.run("refused")
    assert (status, told["dialog"]) == (3, "このデータは新しい版の Kotae で作られています。この版では開けません。")
    assert (starts.record.state, starts.record.failed) == (CLOSED, 0)
    assert where.database.read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"QT_QPA_PLATFORM": None}, "画面を開けません（DISPLAY=:4711）。"),
        ({"QT_QPA_PLATFORM": "xcb"}, "画面を開けません（QT_QPA_PLATFORM=xcb DISPLAY=:4711）。"),
        ({"QT_QPA_PLATFORM": "none-such"}, "Qt の部品を読み込めません（QT_QPA_PLATFORM=none-such DISPLAY=:4711）。"),
    ],
    ids=["no_server", "xcb", "no_plugin"],
)
@pytest.mark.skipif(sys.platform != "linux", reason="displays of X11")
def test_a_display_out_of_reach_is_told_in_words_and_is_no_failed_start(starts, changes, words):
    nowhere: dict[str, str | None] = {"DISPLAY": ":4711", "WAYLAND_DISPLAY": None, "XDG_SESSION_TYPE": None}
    process = starts.begin("well", **nowhere | changes)
    _, said = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 3
    assert words in said
    assert len(said.splitlines()) == 1
    assert (starts.record.state, starts.record.failed) == (CLOSED, 0)
    assert not starts.where.lock.exists()
    assert "qt" in log_of(starts.where).lower()  # its own words, for who looks after the machine


def newer(database: Path) -> None:
    import sqlite3

    with sqlite3.connect(database) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()


def test_safe_mode_is_left_by_a_new_window(starts):
    status, told = starts.run("restart", "--safe-mode")
    assert status == 0
    assert told["theme"] == "system"
    assert wait_until(lambda: starts.record.state == UP, LIMIT_S)
    follower = psutil.Process(int(starts.where.lock.read_text("utf-8").split("\n")[0]))
    assert "--safe-mode" not in follower.cmdline()
    assert follower.environ().get("QT_OPENGL") == os.environ.get("QT_OPENGL")
    follower.terminate()
    follower.wait(LIMIT_S)
    assert starts.record.state == CLOSED


def test_where_the_record_cannot_be_written_the_window_opens_all_the_same(starts):
    diagnostics.start_record_file(starts.where).mkdir()
    process = starts.begin("stay")
    assert wait_until(lambda: "record of starts" in log_of(starts.where), LIMIT_S)
    assert process.poll() is None


def log_of(where: Paths) -> str:
    file = where.logs / "kotae.log"
    return file.read_text("utf-8") if file.exists() else ""


BEGIN = """
import os, sys
from app.base import paths
from app.chat.store import Store
from app.shell.services.lifecycle import ProgramStart
start = ProgramStart(sys.argv[1], False)
print(start.is_after_kill)
store = Store.open(start.where().database, start.where().backups)
store.add_question("質問")
if sys.argv[2] != "window":
    start.end()
if sys.argv[2] != "store":
    store.close()
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.fault("F3")
def test_a_start_after_a_killed_window_or_an_open_database_knows_of_it(where):
    def begin(left: str) -> str:
        command = [sys.executable, "-c", BEGIN, str(where.data), left]
        return subprocess.run(
            command, env=environment(), cwd=ROOT, capture_output=True, encoding="utf-8", check=True
        ).stdout.strip()

    ends = ("nothing", "nothing", "window", "nothing", "store", "nothing", "nothing")
    assert [begin(left) for left in ends] == ["False", "False", "False", "True", "False", "True", "False"]
