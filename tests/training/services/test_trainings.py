"""The program's one training: started, stopped in each way, and told of when it fails."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.services import child_process
from app.inference import child_commands
from app.inference.engine.messages import Load
from app.inference.services.engine import EngineClient
from app.models.training_environment import TrainingEnvironment
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.training_run import Trainer
from app.training.services.training_runner import TrainingRunner
from tests import fake_trainer
from tests.training.driver import refused, write_parts
from tests.training.services import test_gate_run
from tests.training.services.test_gate_run import Bench
from tests.waiting import wait_until
from trainer.events import Event, TrainingStep
from trainer.spec import RunSpec

gate_bench = test_gate_run.bench  # a fixture


class Scene:
    def __init__(self, folder: Path, qtbot: QtBot) -> None:
        self.folder = folder
        self.engine = EngineClient(child_commands.engine(), folder / "engine.log")
        locate = lambda: training_run.locate_trainer(folder)  # noqa: E731
        self.is_answering = False
        answering = lambda: self.is_answering  # noqa: E731
        self.trainings = TrainingRunner(self.engine, locate, folder / "bases", is_answering=answering)
        self.events: list[Event] = []
        self.ends: list[tuple[Path, AppError | None]] = []
        self.trainings.event_received.connect(self.events.append)
        self.trainings.ended.connect(lambda run, error: self.ends.append((run, error)))
        self._qtbot = qtbot

    def run(self, **fields: object) -> Path:
        paths = (str(self.folder / name) for name in ("実行", "", "train.jsonl", "validation.jsonl"))
        return run_folders.create(RunSpec(*paths, **fields))

    def until(self, condition: Callable[[], bool]) -> None:
        self._qtbot.waitUntil(condition)

    def until_step(self, step: int) -> None:
        self.until(lambda: any(isinstance(event, TrainingStep) and event.step >= step for event in self.events))

    def ended(self) -> AppError | None:
        self.until(lambda: bool(self.ends))
        ((_run, error),) = self.ends
        self.ends.clear()
        assert self.trainings.folder is None
        return error


@pytest.fixture
def scene(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    fake_trainer.use(monkeypatch, "good")
    write_parts(tmp_path)
    made = Scene(tmp_path, qtbot)
    yield made
    if made.trainings.run is not None:
        made.trainings.run.kill()
    made.trainings.deleteLater()
    made.engine.shut_down()
    made.engine.deleteLater()


def test_a_run_is_trained_to_its_end_beside_no_engine_and_another_can_follow(scene: Scene) -> None:
    folder = scene.run(holdout=str(scene.folder / "holdout.jsonl"))
    scene.trainings.start(folder)
    assert (scene.trainings.folder, scene.trainings.is_judging) == (folder, False)
    assert scene.engine.refusal.code == "training_has_memory"
    assert scene.ended() is None  # what the fake has made up is not judged
    assert (scene.engine.refusal, scene.trainings.outcome) == (None, "finished")
    assert run_folders.read(folder).state == "finished"
    scene.trainings.start(folder)
    error = scene.ended()
    assert (error.code, scene.trainings.folder, scene.engine.refusal) == ("run_is_finished", None, None)


def test_without_an_environment_or_with_a_broken_one_nothing_begins(
    scene: Scene, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locate() -> Trainer:
        raise AppError("no_training_environment", path="")

    trainings, folder = TrainingRunner(scene.engine, locate, scene.folder), scene.run()
    with qtbot.waitSignal(trainings.ended) as caught:
        trainings.start(folder)
    assert caught.args[1].code == "no_training_environment"
    assert (trainings.folder, trainings.outcome, scene.engine.refusal) == (None, "failed", None)
    gone = Trainer(TrainingEnvironment(scene.folder / "gone", None), fake_trainer.FAKE)
    trainings = TrainingRunner(scene.engine, lambda: gone, scene.folder)
    trainings.ended.connect(lambda run, error: scene.ends.append((run, error)))
    trainings.start(folder)
    error = scene.ended()
    assert error.code == "training_environment_broken"
    assert scene.engine.refusal is None
    trainings.deleteLater()


def test_a_bug_while_a_run_is_taken_ends_it_too_and_everything_is_free_again(
    scene: Scene, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_folder: Path) -> run_folders.TrainingRunFolder:
        raise MemoryError

    folder = scene.run()
    with monkeypatch.context() as patched, qtbot.captureExceptions() as bugs:
        patched.setattr(run_folders, "read", read)
        scene.trainings.start(folder)
        error = scene.ended()
        scene.until(lambda: bool(bugs))
    assert (error.code, scene.trainings.outcome, scene.engine.refusal) == ("unexpected", "failed", None)
    scene.trainings.start(folder)
    assert scene.ended() is None


def test_an_answer_is_waited_for_unless_the_run_is_given_up(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_trainer.use(monkeypatch, "slow")
    scene.is_answering = True
    folder = scene.run()
    scene.trainings.start(folder)
    scene.trainings.pause()
    assert scene.ended() is None
    assert (run_folders.read(folder).state, scene.trainings.outcome) == ("waiting", "paused")
    scene.trainings.start(folder)
    assert scene.trainings.is_waiting
    assert scene.trainings.run is None
    scene.is_answering = False
    scene.until_step(1)
    assert not scene.trainings.is_waiting
    scene.trainings.pause()
    assert scene.ended() is None


def test_what_is_about_to_begin_can_be_given_up(scene: Scene) -> None:
    folder = scene.run()
    scene.trainings.start(folder)
    scene.trainings.cancel()
    assert scene.ended() is None
    assert (scene.trainings.outcome, scene.engine.refusal) == ("cancelled", None)
    scene.trainings.start(folder)  # while the first start still looks at the folder
    assert scene.ended() is None
    assert scene.trainings.outcome == "finished"
    wait_until(lambda: run_folders.read(folder).state == "finished")  # it is "judging" while its results are looked for


def test_the_engines_memory_is_free_before_a_run_begins_and_nothing_waits_for_it(
    scene: Scene, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trainer.use(monkeypatch, "slow")
    monkeypatch.setattr(child_process, "STOP_GRACE_MS", 1000)
    scene.engine.send(Load(scene.engine.new_id(), str(tiny_model)))
    scene.until(lambda: scene.engine.facts is not None)
    psutil.Process(scene.engine.pid).suspend()  # it needs longer to end, until it is killed
    scene.trainings.start(scene.run())
    assert scene.engine.facts is None
    assert scene.engine.is_up
    up: list[bool] = []
    scene.trainings.event_received.connect(lambda _event: up.append(scene.engine.is_up))
    scene.until_step(1)
    assert not any(up)
    scene.trainings.pause()
    assert scene.ended() is None


def test_who_has_taken_the_run_meanwhile_is_told_at_the_end(scene: Scene) -> None:
    scene.is_answering = True
    folder = scene.run()
    scene.trainings.start(folder)
    held = run_folders.lock_run(folder)
    scene.is_answering = False
    error = scene.ended()
    held.release()
    assert error.code == "run_busy"
    assert scene.engine.refusal is None


def test_the_end_of_the_program_pauses_and_waits(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_trainer.use(monkeypatch, "slow")
    folder = scene.run(max_steps=500)
    scene.trainings.start(folder)
    scene.until_step(1)
    assert scene.trainings.close()
    assert (run_folders.read(folder).state, scene.trainings.outcome) == ("paused", "paused")


def test_a_trainer_that_needs_longer_is_left_to_itself(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_trainer.use(monkeypatch, "silent")
    scene.trainings.start(scene.run())
    scene.until_step(3)
    assert not scene.trainings.close(limit_s=0.2)
    assert scene.trainings.run is not None


def test_what_is_left_to_do_is_gone_on_with(scene: Scene) -> None:
    """Of a finished run that is its judging, which the fake's folder does not allow."""
    folder = scene.run()
    scene.trainings.go_on(folder)
    assert scene.ended() is None
    scene.trainings.go_on(folder)
    assert scene.trainings.is_judging
    assert scene.ended() is not None
    assert not scene.trainings.is_training


def test_a_form_is_made_without_anything_being_trained(scene: Scene) -> None:
    begun: list[Path] = []
    made: list[tuple[Path, AppError | None]] = []
    scene.trainings.started.connect(begun.append)
    scene.trainings.made.connect(lambda run, error: made.append((run, error)))
    folder = scene.run()
    scene.trainings.make_model_file(folder, "Q8_0")
    assert (scene.trainings.form, scene.trainings.is_judging) == ("Q8_0", False)
    assert scene.engine.refusal is not None
    scene.until(lambda: bool(made))
    ((told, error),) = made
    assert (told, error.code) == (folder, "gate_not_finished")
    assert (scene.trainings.folder, scene.trainings.form, begun, scene.ends) == (None, "", [], [])
    assert scene.engine.refusal is None


def test_a_second_run_is_refused_and_the_first_goes_on(scene: Scene) -> None:
    scene.is_answering = True
    first = scene.run()
    scene.trainings.start(first)
    second = run_folders.create(
        RunSpec(str(scene.folder / "二つ目"), str(scene.folder), "train.jsonl", "validation.jsonl")
    )
    for begin in (
        scene.trainings.start,
        scene.trainings.judge,
        lambda folder: scene.trainings.make_model_file(folder, "Q8_0"),
    ):
        error = refused(begin, second)
        assert (error.code, error.facts["id"]) == ("run_busy", first.name)
    assert (scene.trainings.folder, scene.trainings.is_waiting) == (first, True)
    scene.trainings.cancel()
    assert scene.ended() is None


@pytest.fixture
def judge(scene: Scene, gate_bench: Bench) -> TrainingRunner:
    """Of a run that was trained for real, with real children."""
    trainer = Trainer(cast("TrainingEnvironment", gate_bench.environment))
    made = scene.trainings = TrainingRunner(scene.engine, lambda: trainer, gate_bench.cache)
    made.ended.connect(lambda run, error: scene.ends.append((run, error)))
    return made


@pytest.mark.parametrize("way", ["pause", "cancel"])
def test_what_is_judged_can_be_stopped(scene: Scene, gate_bench: Bench, judge: TrainingRunner, way: str) -> None:
    told: list[object] = []
    judge.judging.connect(told.append)
    judge.judge(gate_bench.run)
    assert judge.is_judging
    assert scene.engine.refusal is not None
    scene.until(lambda: bool(told))
    assert judge.progress == told[-1]
    judge.finish()  # it was trained to its end already
    assert judge.is_judging
    getattr(judge, way)()
    assert scene.ended() is None
    assert (judge.outcome, judge.is_judging, judge.progress) == ("paused", False, None)
    assert scene.engine.refusal is None
    assert not (gate_bench.run / run_folders.GATE).exists()


def test_a_run_is_judged_to_its_verdict(scene: Scene, gate_bench: Bench, judge: TrainingRunner) -> None:
    judge.judge(gate_bench.run)
    assert scene.ended() is None
    assert (judge.outcome, judge.is_judging, scene.engine.refusal) == ("finished", False, None)
    assert run_folders.read(gate_bench.run).is_judged
