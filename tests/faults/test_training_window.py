"""A window that trains, closed, killed and opened again: the training goes on or has paused, and nothing is lost."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from app.base import paths
from app.base.paths import Paths
from app.training.runs import run_folders
from app.training.runs.run_journal import read_history as history_of
from tests import fake_trainer
from tests.faults import window_process
from tests.faults.window_process import WindowProcess, environment, kotae, wait_until
from trainer.spec import RunSpec

ROW = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return paths.locate(str(tmp_path / "データ"))


@pytest.fixture
def open_window(where: Paths, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], WindowProcess]]:
    monkeypatch.setattr(window_process, "SCRIPT", [sys.executable, "-m", "tests.faults.training_window"])
    opened: list[WindowProcess] = []

    def open_() -> WindowProcess:
        env = environment(**fake_trainer.variables("slow"), DBUS_SESSION_BUS_ADDRESS=None)
        opened.append(WindowProcess(where.data, env=env))
        opened[-1].wait_for("ready")
        return opened[-1]

    yield open_
    for window in opened:
        window.end()


def make_run(where: Paths, steps: int) -> Path:
    for part in ("train", "validation"):
        (where.data / f"{part}.jsonl").write_text(ROW, encoding="utf-8")
    names = (where.runs / "実行", where.data, where.data / "train.jsonl", where.data / "validation.jsonl")
    return run_folders.create(RunSpec(*map(str, names), max_steps=steps))


def begin(window: WindowProcess, run: Path, step: int = 5) -> psutil.Process:
    """The trainer."""
    window.tell("train", str(run))
    window.wait_for("told", step=step)
    return psutil.Process(run_folders.read(run).standing.pid)


def steps_of(run: Path) -> list[int]:
    return [one.step for one in history_of(run).steps]


@pytest.mark.fault("F6")
def test_a_closed_window_goes_on_training_and_comes_back_when_it_is_started_again(where, open_window):
    run, window = make_run(where, 400), open_window()
    begin(window, run)
    told = window.tell("close")
    assert "学習は続いています" in window.wait_for("notified", told)["words"]
    window.wait_for("told", len(window.facts))  # it goes on
    assert kotae(data=where.data).returncode == 0
    window.wait_for("reopened")
    window.tell("pause")
    assert window.wait_for("ended")["outcome"] == "paused"
    window.close()
    assert steps_of(run) == list(range(1, run_folders.read(run).standing.last_step + 1))


@pytest.mark.parametrize("state", ["pausing", "paused"])
@pytest.mark.fault("F6")
def test_a_training_that_is_paused_for_a_question_goes_on_when_the_window_is_closed(where, open_window, state):
    run, window = make_run(where, 20), open_window()
    begin(window, run)
    window.wait_for("made_way", window.tell("make_way"), state=state)
    told = window.tell("close")
    assert "学習は続いています" in window.wait_for("notified", told)["words"]
    assert window.wait() == 0
    assert window.named("ended")[-1]["outcome"] == "finished"
    assert run_folders.read(run).state == "finished"
    assert steps_of(run) == list(range(1, 21))
    assert window.orphans() == []


@pytest.mark.parametrize("number", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
@pytest.mark.fault("F6")
def test_a_window_that_is_killed_leaves_a_paused_run_that_goes_on(where, open_window, number):
    run, window = make_run(where, 24), open_window()
    trainer = begin(window, run)
    trainer.suspend()  # it is in the middle of something that takes longer
    os.kill(window.process.pid, number)
    window.wait()
    later = open_window()
    later.wait_for("course", later.tell("show_run", str(run)), state="ending")
    since = later.tell("go_on")
    assert not later.wait_for("button", since)["is_enabled"]
    trainer.resume()
    words = later.wait_for("course", since, state="paused")["words"]
    assert "一時停止しています" in words
    at = run_folders.read(run).standing.last_step
    later.tell("go_on")
    assert later.wait_for("ended")["outcome"] == "finished"
    later.close()
    assert at < 24
    assert steps_of(run) == list(range(1, 25))
    assert wait_until(lambda: not window.orphans())


@pytest.mark.slow
@pytest.mark.fault("F6")
def test_a_program_that_is_ended_pauses_and_waits(where, open_window):
    run, window = make_run(where, 400), open_window()
    begin(window, run)
    window.tell("quit")
    assert window.wait() == 0
    assert run_folders.read(run).state == "paused"
    assert window.orphans() == []
