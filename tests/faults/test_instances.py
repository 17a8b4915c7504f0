"""Two at a time: a second window, a lock that somebody left, and the command line beside an open window."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.base import paths
from app.base.paths import Paths
from app.base.services.single_instance import SingleInstance
from app.chat.store import Store
from tests import model_files as models
from tests.faults.window_process import WindowProcess, add_tiny_model, kotae, wait_until

LIMIT_S = 60


@pytest.fixture
def ready(where: Paths, tmp_path: Path) -> Paths:
    """A data folder with a model."""
    add_tiny_model(where, tmp_path)
    return where


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    """A process of the same program name as ours (python) that has nothing to do with Kotae."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process
    process.communicate()


def taken(where: Paths) -> bool:
    """Whether a window of this process could have the data folder; it lets go of it at once."""
    instance = SingleInstance(where.lock, where.raise_request)
    is_ours = instance.take()
    instance.release()
    return is_ours


def lock_lines(where: Paths) -> list[str]:
    """A lock as a window writes it: process, program, machine, system, start of the system."""
    instance = SingleInstance(where.lock, where.raise_request)
    assert instance.take()
    lines = where.lock.read_text("utf-8").split("\n")
    instance.release()
    assert lines[0] == str(os.getpid())
    return lines


def model_ids(where: Paths) -> list[str]:
    done = kotae("models", "list", "--json", data=where.data)
    assert done.returncode == 0, done.stderr
    return [model["id"] for model in json.loads(done.stdout)["models"]]


# -------------------------------------------------------------------------------------------------- a second window


@pytest.mark.fault("F7")
def test_a_second_window_ends_and_brings_the_first_to_the_front_whose_lock_holds(ready, tally):
    with WindowProcess(ready.data) as first:
        for what in ("once", "twice", "its files were tidied away"):
            since = first.tell("minimize")
            first.wait_for("minimized", since)
            if what.endswith("away"):
                ready.raise_request.unlink()
                assert wait_until(ready.raise_request.exists), "the first window no longer listens"
            second = kotae(data=ready.data)
            assert (second.returncode, second.stderr) == (0, "")
            first.wait_for("front", since)
            tally.tried(1)
        for change in (lambda: None, lambda: os.utime(ready.lock, (0, 0)), lambda: ready.lock.chmod(0o444)):
            change()  # type: ignore[no-untyped-call]
            assert not taken(ready)
            assert ready.lock.read_text("utf-8").startswith(f"{first.process.pid}\n")
            tally.tried(1)
        first.process.send_signal(signal.SIGSTOP)  # one that hangs keeps its data to itself
        try:
            assert kotae(data=ready.data).returncode == 0
            assert ready.lock.read_text("utf-8").startswith(f"{first.wait_for('ready')['pid']}\n")
            tally.tried(1)
        finally:
            first.process.send_signal(signal.SIGCONT)
        assert first.ask("まだいる")["status"] == "done"
    assert "ERROR" not in (ready.logs / "kotae.log").read_text("utf-8")


@pytest.mark.fault("F7")
def test_of_three_started_at_once_one_window_stays(ready):
    windows = [WindowProcess(ready.data) for _ in range(3)]
    try:
        assert wait_until(lambda: sum(window.process.poll() == 0 for window in windows) == 2, LIMIT_S)
        (stayed,) = [window for window in windows if window.process.poll() is None]
        stayed.wait_for("ready")
        assert stayed.ask("一つだけ")["status"] == "done"
        stayed.close()
    finally:
        for window in windows:
            window.end()


@pytest.mark.fault("F7")
def test_windows_of_two_data_folders_do_not_know_each_other(tmp_path):
    folders = [paths.locate(str(tmp_path / name)) for name in ("仕事", "自宅")]
    for folder in folders:
        add_tiny_model(folder, tmp_path)
    with WindowProcess(folders[0].data) as one, WindowProcess(folders[1].data) as other:
        assert one.ask("仕事の質問")["text"] == "仕事の質問"
        assert other.ask("自宅の質問")["text"] == "自宅の質問"
    for folder, title in zip(folders, ("仕事の質問", "自宅の質問"), strict=True):
        store = Store.open(folder.database, folder.backups)
        assert [conversation.title for conversation in store.conversations()] == [title]
        store.close()


# ----------------------------------------------------------------------------------------------- a lock left behind


@pytest.mark.fault("F7")
def test_the_lock_of_a_killed_window_is_taken_over(ready):
    with WindowProcess(ready.data) as killed:
        killed.kill()
    ready.lock.chmod(0o444)
    with WindowProcess(ready.data) as window:
        assert window.ask("開いた")["status"] == "done"


def as_of(lines: Sequence[str], place: int) -> bytes:
    """The lock with another machine, system or start, and the number of no process of this one."""
    changed = ["4194301", *lines[1:]]
    changed[place] = "f" * 32
    return "\n".join(changed).encode()


LEFT_BEHIND: dict[str, Callable[[list[str], int], bytes]] = {
    "empty after a power cut": lambda lines, alien: b"",
    "zeros after a power cut": lambda lines, alien: bytes(4096),
    "of a process that lives but is not ours": lambda lines, alien: "\n".join([str(alien), *lines[1:]]).encode(),
    "of another machine": lambda lines, alien: as_of(lines, 2),
    "of another system": lambda lines, alien: as_of(lines, 3),
    "of another start": lambda lines, alien: as_of(lines, 4),
}


@pytest.mark.parametrize("is_read_only", [False, True])
@pytest.mark.parametrize("what", LEFT_BEHIND)
@pytest.mark.fault("F7")
def test_a_lock_that_was_left_behind_is_taken_over(where, sleeper, what, is_read_only):
    where.lock.write_bytes(LEFT_BEHIND[what](lock_lines(where), sleeper.pid))
    if is_read_only:
        where.lock.chmod(0o444)
    assert taken(where)


# ------------------------------------------------------------------------------- the command line beside the window


@pytest.mark.fault("F7")
def test_commands_beside_an_open_window_leave_its_answer_alone_and_both_see_the_models(ready, tmp_path):
    question = "!slow " + "答えは続く" * 200  # also while a busy machine starts three commands
    with WindowProcess(ready.data) as window:
        window.tell("ask", question)
        window.wait_for("first_text")
        assert model_ids(ready) == ["tiny"]
        second = models.tiny_llama(tmp_path / "追加.gguf")
        assert kotae("models", "import", str(second), data=ready.data).returncode == 0
        asked = kotae("ask", "横から", "--model", str(second), "--json", data=ready.data)
        assert asked.returncode == 0, asked.stderr
        answer: dict[str, Any] = json.loads(asked.stdout)
        assert "横から" in answer["answer"]
        assert window.named("finished") == []  # all that happened while the answer was streaming
        finished = window.wait_for("finished", window.tell("stop"))
        assert finished["status"] == "stopped"
        assert question.startswith(finished["text"])
        window.wait_for("models", window.tell("focus"), ids=["tiny", "追加"])
    assert model_ids(ready) == ["tiny", "追加"]


def test_a_file_that_a_second_start_is_given_goes_to_the_first(where, qtbot, tmp_path):
    first, second = (SingleInstance(where.lock, where.raise_request) for _ in range(2))
    assert first.acquire()
    second._is_ours = False  # as in another process
    file = tmp_path / "モデル 一.gguf"
    with qtbot.waitSignal(first.file_requested) as told, qtbot.waitSignal(first.raise_requested):
        assert not second.acquire(str(file))
    assert told.args == [str(file)]
    with qtbot.assertNotEmitted(first.file_requested), qtbot.waitSignal(first.raise_requested):
        assert not second.acquire()
    with qtbot.waitSignal(first.raise_requested):  # a name of bytes that are no text
        assert not second.acquire("/\udcff.gguf")
    first.release()
