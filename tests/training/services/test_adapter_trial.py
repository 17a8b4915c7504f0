"""One's own question to a base and to its adapter, over the fake engine as a real child."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import input_file
from app.inference.engine.messages import AdapterUse, Ask, Command
from app.training.runs import run_folders
from app.training.services.adapter_trial import AdapterTrial, TrialAnswers
from tests import model_files as models
from tests.scene import Scene
from trainer import spec
from trainer.spec import RunSpec


@dataclass
class Bench:
    scene: Scene
    run: Path
    trial: AdapterTrial
    asks: list[Ask] = field(default_factory=list)
    heard: list[tuple[str, object]] = field(default_factory=list)

    def ended(self, question: str, strength: float = 1.0) -> None:
        self.asks.clear()
        self.heard.clear()
        self.trial.start(question, strength)
        self.until(lambda: not self.trial.is_running)

    def until(self, condition: Callable[[], bool]) -> None:
        self.scene.qtbot.waitUntil(condition)

    def answers(self) -> dict[str, str]:
        return {side: told.text for side, told in self.heard if isinstance(told, TrialAnswers)}

    def error(self) -> AppError:
        (error,) = (told for side, told in self.heard if side == "failed")
        assert isinstance(error, AppError)
        return error


@pytest.fixture
def bench(scene: Scene, long_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    run = tmp_path / "実行"
    run.mkdir()
    asked = RunSpec(str(run), str(long_model), "train.jsonl", "val.jsonl", base_sha256=input_file.sha256_of(long_model))
    run_folders.write_spec(run, asked)
    models.tiny_adapter(run / run_folders.ADAPTER)
    models_of, settings_of = scene.store.local_models, lambda: scene.preferences.value
    trial = AdapterTrial(run, scene.engine, models_of, settings_of, scene.session)
    made = Bench(scene, run, trial)
    send = scene.engine.send

    def note(command: Command) -> None:
        if isinstance(command, Ask):
            made.asks.append(command)
        send(command)

    monkeypatch.setattr(scene.engine, "send", note)
    made.trial.answered.connect(lambda side, found: made.heard.append((side, found)))
    made.trial.text_received.connect(lambda side, text: made.heard.append((side, text)))
    made.trial.failed.connect(lambda error: made.heard.append(("failed", error)))
    made.trial.stopped.connect(lambda: made.heard.append(("stopped", None)))
    return made


def test_a_question_is_answered_with_the_adapter_at_its_strength_and_by_the_base(bench: Bench) -> None:
    bench.ended("鍵はどこ？", 0.7)
    adapter = AdapterUse(str(bench.run / run_folders.ADAPTER), 0.7)
    assert [ask.adapters for ask in bench.asks] == [(adapter,), ()]
    assert bench.asks[0].prompt == bench.asks[1].prompt
    assert {ask.sampling.temperature for ask in bench.asks} == {0}
    assert list(bench.answers()) == ["tuned", "base"]
    streamed = "".join(str(told) for side, told in bench.heard if side == "tuned" and isinstance(told, str))
    assert streamed.strip() == bench.answers()["tuned"]
    assert len([told for side, told in bench.heard if side == "tuned"]) > 3  # as it is written


def test_with_another_strength_only_the_adapter_answers_again(bench: Bench) -> None:
    bench.ended("鍵はどこ？", 1.0)
    loaded = bench.scene.engine.loaded
    bench.ended("鍵はどこ？", 0.5)
    assert [ask.adapters[0].strength for ask in bench.asks] == [0.5]
    assert list(bench.answers()) == ["base", "tuned"]
    assert bench.scene.engine.loaded is loaded
    bench.ended("ほかは？", 0.5)
    assert len(bench.asks) == 2


def test_stopped_it_says_nothing_more_and_can_be_asked_again(bench: Bench) -> None:
    bench.trial.start("!slow 鍵はどこですか。ゆっくり答えてください。", 1.0)
    bench.until(lambda: any(side == "tuned" for side, _told in bench.heard))
    bench.trial.stop()
    assert bench.heard[-1] == ("stopped", None)
    assert not bench.trial.is_running
    bench.until(lambda: bench.scene.engine.status.state == "ready")
    assert bench.heard[-1] == ("stopped", None)
    bench.ended("鍵は？")
    assert list(bench.answers()) == ["tuned", "base"]


def test_an_answer_that_goes_in_circles_is_cut(bench: Bench) -> None:
    question = "同じ文の繰り返しです。" * 20
    bench.ended(question)
    for side, found in bench.heard:
        if isinstance(found, TrialAnswers):
            assert (side, found.was_cut) in (("base", True), ("tuned", True))
            assert len(found.text) < len(question)
    assert len(bench.answers()) == 2


def test_it_does_not_come_into_an_answer_of_the_chat(bench: Bench) -> None:
    bench.scene.session.ask("!slow とても長い質問です。とても長い質問です。")
    bench.until(lambda: bench.scene.engine.status.state == "answering")
    asked = bench.scene.session
    bench.trial.start("鍵は？", 1.0)
    bench.until(lambda: not bench.trial.is_running)
    assert bench.error().code == "trial_engine_busy"
    with bench.scene.qtbot.waitSignal(asked.answer_finished):
        asked.stop()


def test_what_goes_wrong_is_told_by_its_code(bench: Bench) -> None:
    bench.ended("!memory")
    assert bench.error().code == "out_of_memory"
    bench.trial._ready = None  # as a run that is opened anew
    (bench.run / run_folders.ADAPTER).unlink()
    bench.ended("鍵は？")
    assert bench.error().code == "run_no_adapter"


def test_another_model_in_the_bases_place_is_refused(bench: Bench) -> None:
    asked = spec.read(bench.run / run_folders.SPEC)
    told = spec.to_json(asked) | {"base_sha256": "0" * 64}
    (bench.run / run_folders.SPEC).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    bench.ended("鍵は？")
    assert bench.error().code == "adapter_other_base"
    assert bench.asks == []


def test_a_base_that_is_a_folder_answers_with_the_file_that_was_made_of_it(bench: Bench, long_model: Path) -> None:
    told = spec.to_json(spec.read(bench.run / run_folders.SPEC)) | {"base": str(bench.run), "base_sha256": ""}
    (bench.run / run_folders.SPEC).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")
    bench.ended("鍵は？")
    assert bench.error().code == "run_base_is_folder"
    (bench.run / "base.gguf").write_bytes(long_model.read_bytes())
    bench.ended("鍵は？")
    assert list(bench.answers()) == ["tuned", "base"]
    assert bench.scene.engine.loaded.path == str(bench.run / "base.gguf")
