"""A training run as the program sees it: a real child that behaves well, dies, hangs, or is told to end."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.models.training_environment import TrainingEnvironment
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.training_run import Trainer, TrainingRun
from tests import fake_trainer
from tests.training.driver import code_of, write_parts
from trainer import events
from trainer.events import Cancelled, EvaluationStep, Event, Finished, TrainingStep
from trainer.spec import RunSpec


class Heard:
    """A run with what it has said."""

    def __init__(self, folder: Path, qtbot: QtBot) -> None:
        self.run = TrainingRun(training_run.locate_trainer(Path("/nowhere")), folder)
        self.folder = folder
        self.events: list[Event] = []
        self.ends: list[object] = []
        self._qtbot = qtbot
        self.run.event_received.connect(self.events.append)
        for end in (self.run.finished, self.run.paused, self.run.cancelled, self.run.failed):
            end.connect(self.ends.append)

    def to_its_end(self) -> object:
        self._qtbot.waitUntil(lambda: bool(self.ends))
        (end,) = self.ends
        assert not self.run.is_running
        run_folders.lock_run(self.folder).release()  # nobody holds it any more
        return end

    def until(self, condition: Callable[[], bool]) -> None:
        self._qtbot.waitUntil(condition)

    def until_step(self, step: int) -> None:
        self.until(lambda: self.run.standing.last_step >= step)

    def again(self) -> None:
        self.events.clear()
        self.ends.clear()
        self.run.start()


Start = Callable[..., Heard]


@pytest.fixture
def start(tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    write_parts(tmp_path)
    made: list[Heard] = []

    def begin(behaviour: str, **fields: object) -> Heard:
        fake_trainer.use(monkeypatch, behaviour)
        paths = (str(tmp_path / name) for name in ("橋梁 run", "", "train.jsonl", "validation.jsonl"))
        made.append(Heard(run_folders.create(RunSpec(*paths, **fields)), qtbot))
        made[-1].run.start()
        return made[-1]

    yield begin
    for heard in made:
        heard.run.kill()
        heard.run.deleteLater()


def test_a_run_tells_everything_finishes_and_is_not_trained_again(start: Start, tmp_path: Path) -> None:
    heard = start("good", holdout=str(tmp_path / "holdout.jsonl"))
    with pytest.raises(AppError, match=r"run_busy|run_judging"):
        run_folders.lock_run(heard.folder)
    end = heard.to_its_end()
    assert isinstance(end, Finished)
    kinds = [type(event).__name__ for event in heard.events]
    assert kinds[0] == "Started"
    assert kinds[-1] == "Finished"
    assert kinds.count("TrainingStep") == 12
    assert {"PreflightFindings", "ResolvedRecipe", "RunForecast", "EvaluationStep"} <= set(kinds)
    assert {"Sample", "Checkpoint"} <= set(kinds)
    assert heard.run.standing == run_folders.read(heard.folder).standing  # who reads the journal later sees the same
    assert {path.name for path in heard.folder.iterdir()} >= {
        "run.json", "effective.json", "events.jsonl", "log.txt", "checkpoints", "adapter", "adapter.gguf",
        "holdout.json",
    }  # fmt: skip
    for line in (heard.folder / "events.jsonl").read_text("utf-8").splitlines():
        json.loads(line, parse_constant=lambda name: pytest.fail(name))  # neither NaN nor Infinity
    assert code_of(heard.again) == "run_is_finished"
    run_folders.lock_run(heard.folder).release()


def test_a_paused_run_goes_on_where_it_was(start: Start) -> None:
    heard = start("slow", max_steps=20, converter="/earlier")
    assert run_folders.read(heard.folder).spec.converter == ""  # of the environment of now
    heard.until_step(2)
    heard.run.pause()
    end = heard.to_its_end()
    assert run_folders.read(heard.folder).state == "paused"
    heard.again()
    heard.until(lambda: bool(heard.events))
    (started,) = [event for event in heard.events if isinstance(event, events.Started)]
    assert started.resumed_step == end.step
    heard.run.finish()
    end = heard.to_its_end()
    assert end.reason == "stopped"
    first = next(event for event in heard.events if isinstance(event, TrainingStep))
    assert first.step == started.resumed_step + 1


def test_a_cancelled_run_is_not_to_go_on(start: Start) -> None:
    heard = start("slow")
    heard.until_step(1)
    heard.run.cancel()
    assert isinstance(heard.to_its_end(), Cancelled)
    assert run_folders.read(heard.folder).state == "cancelled"


@pytest.mark.fault("F6")
@pytest.mark.parametrize(
    ("behaviour", "code", "facts"),
    [
        ("oom", "run_out_of_memory", {"micro_batch": 1}),
        ("killed", "run_killed", {}),
        ("garbled", "run_crashed", {"cause": "garbled"}),
    ],
)
def test_each_way_to_end_without_a_result_is_an_error_of_its_own(
    start: Start, behaviour: str, code: str, facts: dict[str, object]
) -> None:
    heard = start(behaviour)
    error = heard.to_its_end()
    assert error.code == code
    assert error.facts.items() >= facts.items()
    assert any(isinstance(event, events.Adjusted) for event in heard.events) == (behaviour == "oom")


@pytest.mark.fault("F6")
def test_a_crash_is_told_with_the_end_of_the_log(start: Start) -> None:
    heard = start("crash")
    error = heard.to_its_end()
    assert (error.code, error.facts["cause"]) == ("run_crashed", "SIGABRT")
    assert "illegal memory access" in error.facts["tail"]
    assert Path(error.facts["log"]).is_file()
    assert run_folders.read(heard.folder).state == "crashed"


@pytest.mark.fault("F6")
def test_an_end_in_the_middle_of_a_line_is_no_end(start: Start) -> None:
    heard = start("truncated")
    error = heard.to_its_end()
    assert (error.code, error.facts["cause"]) == ("run_crashed", "exit code 0")
    heard.again()  # before its first checkpoint: from the beginning, behind the torn line
    heard.to_its_end()
    assert heard.run.standing == run_folders.read(heard.folder).standing


@pytest.mark.fault("F6")
def test_a_process_that_does_not_cancel_is_killed_and_counts_as_cancelled(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_run, "CANCEL_LIMIT_S", 0.1)
    heard = start("silent")
    heard.until_step(3)
    heard.run.cancel()
    assert heard.to_its_end() == Cancelled(3)
    assert run_folders.read(heard.folder).state == "cancelled"


@pytest.mark.fault("F6")
def test_a_process_that_does_not_pause_is_killed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "PAUSE_LIMIT_S", 0.1)
    heard = start("silent")
    heard.until_step(3)
    heard.run.pause()
    error = heard.to_its_end()
    assert error.code == "run_unresponsive"
    assert run_folders.read(heard.folder).state == "crashed"


def test_killing_it_waits_until_it_is_gone(start: Start) -> None:
    heard = start("silent")
    heard.until_step(3)
    pid = heard.run.child_pid
    heard.run.kill()
    assert not psutil.pid_exists(pid)
    assert isinstance(heard.to_its_end(), AppError)


@pytest.mark.fault("F6")
def test_killed_again_and_again_it_still_finishes(start: Start) -> None:
    heard = start("slow", max_steps=12)
    for step in (5, 9):
        heard.until_step(step)
        heard.run.kill()
        heard.to_its_end()
        heard.again()
    assert isinstance(heard.to_its_end(), Finished)
    kept = run_folders.read(heard.folder).standing
    assert [evaluation.step for evaluation in kept.evaluations] == [0, 4, 8, 12]
    assert sum(isinstance(event, EvaluationStep) for event in heard.events) == 1


def test_an_adapter_without_its_converter_is_refused_beforehand(tmp_path: Path) -> None:
    with pytest.raises(AppError, match="converter_missing"):
        _ = Trainer(TrainingEnvironment(tmp_path / "bin" / "python", None)).converter
