"""Prompts asked one after another, with the fake engine as a real child: kept, gone on with, told when they fail."""

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.settings import Settings
from app.chat.services.prompt_run import PromptJob, PromptRun, PromptRunProgress, reply_conditions
from app.inference import reply_journal
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.inference.reply_journal import ModelReply, StandalonePrompt
from tests.scene import Scene


class Desk:
    def __init__(self, scene: Scene, model: LocalModel, folder: Path) -> None:
        self.scene = scene
        self.model = model
        self.journal = folder / "replies.jsonl"

    def run(self, *questions: str) -> PromptRun:
        prompts = tuple(StandalonePrompt("短く答えてください。", one, max_tokens=200) for one in questions)
        job = PromptJob(self.model, Settings(), prompts, self.journal)
        return PromptRun(self.scene.engine, job, self.scene.engine)

    def ended(self, signal: Any, act: Any) -> Any:
        with self.scene.qtbot.waitSignal(signal) as caught:
            act()
        return caught.args[0] if caught.args else None

    def replies(self, *questions: str) -> list[str]:
        run = self.run(*questions)
        found: dict[StandalonePrompt, ModelReply] = self.ended(run.finished, run.start)
        assert [prompt.question for prompt in found] == list(dict.fromkeys(questions))
        return [reply.text for reply in found.values()]


@pytest.fixture
def desk(scene: Scene, model: LocalModel, tmp_path: Path) -> Desk:
    return Desk(scene, model, tmp_path)


def test_each_prompt_is_asked_once(desk: Desk) -> None:
    assert desk.replies("一つ目", "二つ目", "一つ目") == ["一つ目", "二つ目"]
    assert [one.text for one in reply_journal.read(desk.journal).values()] == ["一つ目", "二つ目"]
    run = desk.run("二つ目", "三つ目")
    told: list[PromptRunProgress] = []
    run.progressed.connect(told.append)
    desk.ended(run.finished, run.start)
    assert [(one.done, one.total) for one in told] == [(1, 2), (2, 2)], "what was replied is not asked again"
    assert len(reply_journal.read(desk.journal)) == 3


def test_one_that_is_stopped_goes_on_where_it_was(desk: Desk) -> None:
    run = desk.run("一つ目", "!slow とても長い答えになる質問")
    run.progressed.connect(lambda one: run.stop() if one.done == 1 else None)
    desk.ended(run.stopped, run.start)
    assert [one.text for one in reply_journal.read(desk.journal).values()] == ["一つ目"]
    assert desk.replies("一つ目", "二つ目") == ["一つ目", "二つ目"]


def test_a_prompt_that_does_not_fit_fails_for_good_and_one_that_ends_the_engine_is_asked_again_the_next_time(
    desk: Desk,
) -> None:
    run = desk.run("長" * 9000, "!crash", "二つ目")
    found: dict[StandalonePrompt, ModelReply] = desk.ended(run.finished, run.start)
    assert [one.error_code for one in found.values()] == ["context_full", "engine_died", ""]
    assert [one.stop_reason for one in found.values()] == ["failed", "failed", "end"]
    kept = [(one.text, one.error_code) for one in reply_journal.read(desk.journal).values()]
    assert kept == [("", "context_full"), ("二つ目", "")]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_prompt_whose_engine_was_killed_from_outside_is_asked_again_at_once(desk: Desk) -> None:
    run = desk.run("!slow 一つ目の質問", "二つ目")
    kills: list[int] = []

    def kill_once(text: str) -> None:
        if not kills and text == "!":
            kills.append(desk.scene.engine.pid)
            os.kill(kills[0], signal.SIGKILL)

    desk.scene.engine.event_received.connect(lambda event: kill_once(getattr(event, "text", "")))
    found: dict[StandalonePrompt, ModelReply] = desk.ended(run.finished, run.start)
    assert [one.text for one in found.values()] == ["!slow 一つ目の質問", "二つ目"]
    assert len(kills) == 1
    assert len(reply_journal.read(desk.journal)) == 2


def test_one_that_is_abandoned_before_its_journal_is_open_says_nothing_and_the_journal_is_free(desk: Desk) -> None:
    run = desk.run("一つ目")
    said: list[str] = []
    run.finished.connect(lambda _replies: said.append("finished"))
    run.stopped.connect(lambda: said.append("stopped"))
    run.start()
    run.abandon()
    assert desk.replies("二つ目") == ["二つ目"]  # whose journal is opened after that one
    assert said == []


def test_what_would_meet_every_prompt_ends_the_run_and_the_journal_is_free(desk: Desk) -> None:
    run = desk.run("一つ目", "!memory", "三つ目")
    error: AppError = desk.ended(run.failed, run.start)
    assert error.code == "out_of_memory"
    reply_journal.ReplyJournal(desk.journal).close()
    assert len(reply_journal.read(desk.journal)) == 2


def test_a_model_that_is_gone_is_told(desk: Desk, tmp_path: Path) -> None:
    desk.model = LocalModel("gone", "ない", str(tmp_path / "ない.gguf"), 1, "llama", "F32", 4096, 1.0)
    run = desk.run("一つ目")
    error: AppError = desk.ended(run.failed, run.start)
    assert error.code == "model_missing"


def test_another_adapter_or_strength_is_another_answerer(desk: Desk, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "adapter.gguf"
    path.write_bytes(b"one")
    uses = [(), (AdapterUse(str(path)),), (AdapterUse(str(path), 0.5),)]
    marks = {reply_conditions(PromptJob(desk.model, Settings(), (), desk.journal, adapters=use)) for use in uses}
    assert len(marks) == 3
    path.write_bytes(b"another")
    assert reply_conditions(PromptJob(desk.model, Settings(), (), desk.journal, adapters=uses[1])) not in marks
