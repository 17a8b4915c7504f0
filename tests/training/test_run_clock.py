"""The clock of a run: its bar and its time left, over streams of events as trainers on fast and slow machines send."""

import dataclasses
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.models.artifact_steps import StepProgress
from app.training.runs import run_clock, run_folders
from app.training.runs.run_clock import ClockReading, RunClock, StageRates
from app.training.runs.run_journal import JOURNAL_FILE
from app.training.ui import run_texts
from trainer import events
from trainer.events import EvaluationStep, Event, Finished, Paused, Phase, RunForecast, Started, TrainingStep
from trainer.spec import RunSpec

START = 1_790_000_000.0
STEPS = 20
GATE = [("score", "base"), ("score", "base+adapter")]


@dataclass
class Machine:
    """Seconds of each stage, as they are and as the trainer forecasts its steps."""

    convert_s: float = 60.0
    step_s: float = 10.0
    evaluation_s: float = 20.0
    gate_s: float = 8.0
    forecast_share: float = 1.0
    slow: dict[str, float] = field(default_factory=dict)  # a stage of the gate that takes much longer

    def told(self) -> Iterator[tuple[float, Event | StepProgress]]:
        at = START
        yield at, Started(1, 1, at)
        yield at + 1, Phase("converting_base")
        at += self.convert_s
        for name in ("reading", "checking", "loading", "probing"):
            yield at, Phase(name)
            at += 8
        training_s = STEPS * self.step_s + 3 * self.evaluation_s
        yield at, RunForecast(1, 1, self.step_s, self.forecast_share * training_s, 1, is_measured=True)
        yield at, Phase("training", 0, STEPS)
        for step in range(STEPS + 1):
            if step % 10 == 0:
                yield at, Phase("evaluating")
                at += self.evaluation_s
                yield at, EvaluationStep(step, 1.0, 1.0, 1, is_best=True)
                yield at, Phase("training", step, STEPS)
            if step < STEPS:
                at += self.step_s
                left = (STEPS - step - 1) * self.step_s + self.evaluation_s * (2 - step // 10)
                yield at, TrainingStep(step + 1, STEPS, 1.0, 1.0, 1e-4, 1.0, 1.0, 1, left)
        yield at, Phase("exporting")
        at += 20
        yield at, Finished("epochs", STEPS, STEPS, 1.0, 0.9, "a", "", training_s, 1.0, 1)
        for number, (kind, name) in enumerate(GATE, 1):
            yield at, StepProgress(kind, name, 0, 0, number, len(GATE))
            at += self.slow.get(kind, self.gate_s)
        yield at, StepProgress("answer", "base+adapter", 0, 0, len(GATE) + 1, len(GATE) + 1)
        at += self.slow.get("answer", self.gate_s)
        yield at, StepProgress("answer", "base+adapter", 1, 1, len(GATE) + 1, len(GATE) + 1)


def run_of(folder: Path, held_out: int = 12) -> RunSpec:
    rows = folder / "holdout.jsonl"
    rows.write_text("{}\n" * held_out, "utf-8")
    base = folder / "base.gguf"
    base.write_bytes(b"\0" * 250_000)
    train = folder / "train.jsonl"
    train.write_text("{}\n" * 23, "utf-8")
    return RunSpec(str(folder / "runs" / "r"), str(base), str(train), "/v", str(rows))


def feed(clock: RunClock, at: float, told: Event | StepProgress) -> None:
    if isinstance(told, StepProgress):
        clock.take_judging(at, told)
    else:
        clock.take(at, told)


def watched(clock: RunClock, machine: Machine, every_s: float = 2.0) -> list[tuple[float, ClockReading]]:
    """What a window shows of the whole run, looked at every two seconds."""
    told, shown = list(machine.told()), []
    end = told[-1][0]
    place, now = 0, START
    while now <= end:
        while place < len(told) and told[place][0] <= now:
            feed(clock, *told[place])
            place += 1
        shown.append((now, clock.look(now)))
        now += every_s
    return shown


MACHINES = {
    "as it was thought": Machine(),
    "everything ten times as slow": Machine(600, 100, 200, 80),
    "a gate that takes longer than the training": Machine(gate_s=60),
    "a conversion that does not end": Machine(convert_s=1500),
    "a scoring that takes ten minutes": Machine(slow={"score": 600}),
    "steps that take four times as long as the measured ones": Machine(forecast_share=0.25),
    "steps that take a quarter of it": Machine(forecast_share=4.0),
}


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_the_bar_never_goes_back_and_the_time_left_never_rises_or_stands_still(
    tmp_path: Path, machine: Machine
) -> None:
    shown = watched(RunClock(run_of(tmp_path), StageRates()), machine)
    shares = [one.share for _, one in shown]
    assert all(after > before for before, after in itertools.pairwise(shares[: -len(shares) // 50]))
    assert shares[0] < 0.02
    assert 0.9 < shares[-1] < 1
    measured = [(at, one) for at, one in shown if at >= START + machine.convert_s + 32]
    moving = [one.left_s or 0.0 for _, one in measured if (one.left_s or 0.0) > run_clock.LEAST_S]
    assert len(moving) > 100
    assert all(after < before for before, after in itertools.pairwise(moving))
    assert len(measured) - len(moving) < len(measured) / 20  # at the very end, where the last step takes longer


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
def test_the_time_left_does_not_rise_in_words_either(tmp_path: Path, machine: Machine) -> None:
    shown = watched(RunClock(run_of(tmp_path), StageRates()), machine)
    said = [run_texts.left_text(one) for at, one in shown if at >= START + machine.convert_s + 32]
    assert len(set(said)) > 20
    assert all(least_s(after) <= least_s(before) for before, after in itertools.pairwise(said)), said


def least_s(text: str) -> int:
    """The lower end of what is said, in seconds."""
    low, _, high = text.partition("〜")
    low += "" if re.search("[秒分]", low) else high[-1:]
    return sum({"秒": 1, "分": 60, "時間": 3600}[unit] * int(n) for n, unit in re.findall(r"(\d+)\s?(秒|分|時間)", low))


@pytest.mark.parametrize(
    ("least_s", "most_s", "said"),
    [
        (115, 480, "約 2〜8 分"),
        (40, 480, "約 40 秒〜8 分"),
        (40, 100, "約 40〜100 秒"),
        (115, None, "約 115 秒"),
        (300, None, "約 5 分"),
    ],
)
def test_a_range_of_the_time_left_has_seconds_and_minutes_only_where_it_begins_within_a_minute(
    least_s: float, most_s: float | None, said: str
) -> None:
    assert run_texts.left_text(ClockReading(0.1, least_s, most_s)).replace("\u00a0", " ") == said


def test_before_the_measured_steps_a_range_is_shown_that_falls(tmp_path: Path) -> None:
    shown = watched(RunClock(run_of(tmp_path), StageRates()), Machine())
    rough = [one for at, one in shown if at < START + 60 + 32]
    assert all(one.left_s is not None and one.most_s is not None and one.left_s < one.most_s for one in rough)
    highest = [one.most_s or 0.0 for one in rough]
    assert all(after <= before for before, after in itertools.pairwise(highest))
    assert all(one.most_s is None for at, one in shown if START + 60 + 32 <= at < START + 300)


def test_after_a_run_on_this_machine_the_estimate_of_the_next_one_is_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if a later version of the program expects other costs."""
    machine = Machine(convert_s=200, gate_s=150)
    spec = run_of(tmp_path)
    folder = Path(spec.folder)
    folder.mkdir(parents=True)
    run_folders.write_spec(folder, spec)
    told = list(machine.told())
    with (folder / JOURNAL_FILE).open("w", encoding="utf-8") as file:
        for at, one in told:
            if not isinstance(one, StepProgress):
                file.write(json.dumps({**events.to_json(one), "at": at}) + "\n")
    end = told[-1][0]
    judged = [(at, one) for at, one in told if isinstance(one, StepProgress)]

    def error() -> float:
        """Of the first estimate after the measured steps, as a share of the time that the rest takes."""
        shown = watched(RunClock(spec, run_clock.read_rates(folder)), machine)
        now, first = next((at, one) for at, one in shown if one.most_s is None and one.left_s is not None)
        return abs((first.left_s or 0.0) / (end - now) - 1)

    assert error() > 0.5
    run_clock.learn_rates(folder, judged, end)
    assert error() < 0.1
    default = run_clock.default_costs
    monkeypatch.setattr(run_clock, "default_costs", lambda load: {name: 5 * one for name, one in default(load).items()})
    assert error() < 0.1


def test_that_it_takes_longer_than_was_thought_is_said_while_it_does(tmp_path: Path) -> None:
    shown = watched(RunClock(run_of(tmp_path), StageRates()), MACHINES["a scoring that takes ten minutes"])
    assert not any(one.is_late for at, one in shown if at < START + 300)
    end = shown[-1][0]
    wrong = [one for at, one in shown if at >= START + 460 and (one.left_s or 0.0) < (end - at) / 2 > 30]
    assert len(wrong) > 100
    assert all(one.is_late and one.most_s is not None for one in wrong)


def test_a_training_that_other_programs_slow_down_makes_the_stages_after_it_longer_too(tmp_path: Path) -> None:
    later_s = []
    for share in (1.0, 1 / 6):
        clock = RunClock(run_of(tmp_path), StageRates())
        for at, told in Machine(forecast_share=share).told():
            feed(clock, at, told)
            if isinstance(told, TrainingStep) and told.step == 10:
                reading = clock.look(at)
                later_s.append((reading.most_s or reading.left_s or 0.0) - told.left_s)
                break
    assert later_s[1] > 4 * later_s[0] > 0


def test_elapsed_is_wall_time_from_the_first_start_and_pauses_are_counted_apart(tmp_path: Path) -> None:
    clock = RunClock(run_of(tmp_path), StageRates())
    clock.take(START, Started(1, 1, START))
    clock.take(START + 100, Paused(3))
    assert clock.elapsed_s(START + 500, is_live=False) == 100
    before = clock.look(START + 500)
    assert (before.left_s, before.stopped_s) == (None, 0)
    clock.take(START + 700, Started(1, 1, START + 700, 3))
    now = clock.look(START + 760)
    assert clock.elapsed_s(START + 760, is_live=True) == 760
    assert now.stopped_s == 600
    assert now.share >= before.share


def test_elapsed_begins_with_the_process_which_is_heard_of_later(tmp_path: Path) -> None:
    clock = RunClock(run_of(tmp_path), StageRates())
    clock.take(START + 20, Started(1, 1, START))
    assert clock.elapsed_s(START + 30, is_live=True) == 30


def test_a_lower_estimate_moves_the_bar_no_faster_than_time_does(tmp_path: Path) -> None:
    clock = RunClock(run_of(tmp_path), StageRates({"training": 50.0}))
    clock.take(START, Started(1, 1, START))
    clock.take(START + 5, Phase("reading"))
    before = clock.look(START + 20)
    clock.take(START + 20, RunForecast(1, 1, 1.0, 5.0, 1, is_measured=False))
    after = clock.look(START + 60)
    assert after.left_s is not None
    assert before.left_s is not None
    assert after.left_s < before.left_s / 4
    assert after.share < 60 / (60 + 2 * after.left_s)  # the rough range begins with a half


def test_a_run_that_died_or_begins_again_counts_the_time_in_between_as_stopped_or_not_at_all(tmp_path: Path) -> None:
    clock = RunClock(run_of(tmp_path), StageRates())
    clock.take(START, Started(1, 1, START))
    clock.take(START + 50, Phase("training", 0, STEPS))
    clock.take(START + 3650, Started(1, 2, START + 3650, 3))
    assert clock.look(START + 3660).stopped_s == pytest.approx(3600)
    clock = RunClock(run_of(tmp_path), StageRates())
    clock.take(START, Started(1, 1, START))
    clock.take(START + 50, Phase("training", 0, STEPS))
    clock.take(START + 3650, Started(1, 2, START + 3650))
    assert clock.elapsed_s(START + 3660, is_live=True) == 10
    assert clock.look(START + 3660).stopped_s == 0


def test_a_run_without_held_out_rows_is_done_with_its_training(tmp_path: Path) -> None:
    clock = RunClock(run_of(tmp_path, held_out=0), StageRates())
    for at, one in Machine().told():
        if not isinstance(one, StepProgress):
            clock.take(at, one)
    assert clock.look(START + 5000).share == 1.0


def test_a_damaged_file_of_rates_counts_as_none(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "r"
    contents = (
        "[1]",
        '{"score": "x"}',
        '{"score": 1e9}',
        '{"score": null}',
        '{"no stage": 1}',
        f'{{"score": 1{"0" * 400}}}',
    )
    for text in ("", "{}", '{"score": 1.5}', *(f'{{"seconds": {one}}}' for one in contents)):
        (tmp_path / run_clock.RATES_FILE).write_text(text, "utf-8")
        assert run_clock.read_rates(run).factors == {}


def test_how_long_a_verdict_takes_is_known_before_the_training_by_what_earlier_ones_took(tmp_path):
    rows = tmp_path / "holdout.jsonl"
    rows.write_text("{}\n" * 10)
    requested = RunSpec(str(tmp_path / "runs" / "a"), str(tmp_path / "base.gguf"), "train", "val", holdout=str(rows))
    before, first = run_clock.stages_around(requested, {})
    costs = run_clock.default_costs(run_clock._KEPT_LOAD)
    slower = {name: 3 * costs[name] for name in ("exporting", "score", "base", "answer")}
    (tmp_path / run_clock.RATES_FILE).write_text(json.dumps({"seconds": slower}))
    assert 10 < first == pytest.approx(run_clock.stages_around(requested, {})[1] / 3)
    assert before > 10
    assert run_clock.stages_around(dataclasses.replace(requested, holdout=""), {}) == (before, 0.0)
