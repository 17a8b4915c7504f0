"""Numbers that are none, too little memory, and calls to the outside: each put into a run, and what it does then."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.trainer.training_runs import (
    SETTINGS,
    STEPS,
    RunServer,
    checkpoints_told,
    curve,
    left_over,
    row,
    write_spec,
)
from trainer.events import Adjusted, Checkpoint, Event, Failed, Finished, Started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="fork and RLIMIT_AS")

LONG = {"micro_batch": 8, "accumulation": 1, "epochs": 1.0, "context_tokens": 2048, "dropout": 0.0}
MIB = 1 << 20


class Failures(NamedTuple):
    told: dict[str, list[Event]]
    root: Path
    log: str


def long_rows(folder: Path, times: int) -> dict[str, str]:
    """Eight rows whose questions are said so many times, in 50 tokens each; few tokens are trained."""
    folder.mkdir()
    paths = {}
    for name, numbers in (("train", range(8)), ("validation", range(8, 10))):
        rows = [row(number) for number in numbers]
        for one in rows:
            one["messages"][0]["content"] *= times
        paths[name] = str(folder / f"{name}.jsonl")
        text = "\n".join(json.dumps(one, ensure_ascii=False) for one in rows)
        Path(paths[name]).write_text(text, encoding="utf-8")
    return paths


@pytest.fixture(scope="module")
def failures(server: RunServer, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Failures:
    root = tmp_path_factory.mktemp("failures")
    told: dict[str, list[Event]] = {}

    def run(name: str, fault: str = "", options: dict[str, Any] | None = None, **changes: Any) -> None:
        told[name] = server.run(write_spec(root / name, tiny_base, **changes), fault=fault, **(options or {}))

    run("once", "poisoned_once")
    run("no clipping", "poisoned_once", clip_norm=0.0, max_steps=6)
    run("always", "poisoned_always")
    run("too far", "poisoned_far", max_steps=4)
    before = server.log.stat().st_size
    run("home", "connecting", max_steps=1)
    log = server.log.read_bytes()[before:].decode("utf-8", "replace")
    run("no room", "no_room_loading")
    run("bf16", "plain_processor", precision=None, compute="bf16")
    run("no card", device="cuda")
    for name, times, room in (("roomy", 8, 4096), ("narrow", 8, 30), ("none", 40, 1)):
        rows = long_rows(root / f"{name} rows", times)
        run(name, "little_memory", {"room_bytes": room * MIB}, **LONG, **rows)
    return Failures(told, root, log)


def adjusted(told: list[Event]) -> list[Adjusted]:
    return [event for event in told if isinstance(event, Adjusted)]


# ------------------------------------------------------------- numbers that are none


@pytest.mark.parametrize("name", ["once", "no clipping"])
@pytest.mark.fault("F6")
def test_a_gradient_that_is_none_takes_the_run_back_with_half_the_rate(name: str, failures: Failures) -> None:
    told = failures.told[name]
    (change,) = adjusted(told)
    half = SETTINGS["learning_rate"] / 2
    assert (change.reason, change.step, change.facts) == ("not_finite", 5, {"learning_rate": half})
    at = told.index(change)
    before, after = curve(told[:at]), [event for event in told[at:] if isinstance(event, Checkpoint)]
    assert max(before.losses) == 4
    assert min(event.step for event in after) > 4  # it went on from the checkpoint of step 4
    last = told[-1]
    assert isinstance(last, Finished)
    effective = json.loads((failures.root / name / "effective.json").read_text("utf-8"))
    assert effective["learning_rate"] == half
    if name == "once":
        rates = curve(told).rates
        assert len(rates) == STEPS
        assert rates[4] == pytest.approx(SETTINGS["learning_rate"] * 4 / 5)
        assert rates[5] == pytest.approx(half)
        assert max(rates[step] for step in range(5, STEPS + 1)) == rates[5]


@pytest.mark.fault("F6")
def test_a_base_that_gives_no_number_is_given_up(failures: Failures) -> None:
    told = failures.told["always"]
    assert [change.facts["learning_rate"] for change in adjusted(told)] == [
        SETTINGS["learning_rate"] / 2**times for times in (1, 2, 3)
    ]
    last = told[-1]
    assert isinstance(last, Failed)
    assert last.code == "not_finite"
    assert curve(told).losses == {}


@pytest.mark.fault("F6")
def test_weights_that_give_no_number_are_never_a_checkpoint(failures: Failures) -> None:
    """They are finite after step 3, but what they make of the validation rows is not."""
    told = failures.told["too far"]
    assert [(change.reason, change.step) for change in adjusted(told)] == [("not_finite", 3)]
    assert checkpoints_told(told[: told.index(adjusted(told)[0])]) == [0, 2]
    assert isinstance(told[-1], Finished)
    assert "NaN" not in (failures.root / "too far" / "events.jsonl").read_text("utf-8")


# ------------------------------------------------------------------ too little memory


@pytest.mark.fault("F6")
def test_a_batch_that_does_not_fit_is_cut_until_it_does(failures: Failures) -> None:
    told = failures.told["narrow"]
    cuts = [(change.facts["micro_batch"], change.facts["accumulation"]) for change in adjusted(told)]
    assert cuts in ([(4, 2)], [(4, 2), (2, 4)], [(4, 2), (2, 4), (1, 8)])
    assert {change.reason for change in adjusted(told)} == {"out_of_memory"}
    last = told[-1]
    assert isinstance(last, Finished)
    effective = json.loads((failures.root / "narrow" / "effective.json").read_text("utf-8"))
    assert (effective["micro_batch"], effective["accumulation"]) == cuts[-1]
    assert adjusted(failures.told["roomy"]) == []
    whole, cut = (curve(failures.told[name]) for name in ("roomy", "narrow"))
    assert cut.losses == pytest.approx(whole.losses, rel=1e-4)  # it teaches the same


@pytest.mark.fault("F6")
def test_where_nothing_fits_the_run_ends_and_says_so(failures: Failures) -> None:
    last = failures.told["none"][-1]
    assert isinstance(last, Failed)
    assert (last.code, last.facts) == ("out_of_memory", {"device": "cpu", "micro_batch": 1})
    assert [change.facts["micro_batch"] for change in adjusted(failures.told["none"])] == [4, 2, 1]
    assert failures.told["no room"][-1] == Failed(
        "out_of_memory", {"device": "cpu", "micro_batch": 1}
    )  # the base alone


# ----------------------------------------------------------- what does not go together


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there is a card")
@pytest.mark.fault("F6")
def test_what_does_not_go_with_the_machine_is_told(failures: Failures) -> None:
    expected = {"field": "compute", "value": "bf16", "expected": "f32"}
    assert failures.told["bf16"][-1] == Failed("spec_invalid", expected)
    (failed,) = (event for event in failures.told["no card"] if isinstance(event, Failed))
    assert (failed.code, failed.facts["field"]) == ("spec_invalid", "device")
    assert failed.facts["expected"] in ("cpu: no card", "cpu: built without CUDA")


# -------------------------------------------------------------------- to the outside


@pytest.mark.fault("F6")
def test_nothing_of_a_run_reaches_the_network(failures: Failures) -> None:
    attempts = [line.split(": ")[1] for line in failures.log.splitlines() if line.startswith("attempt: ")]
    assert attempts == ["NetworkRefusedError", "NetworkRefusedError", "OSError"]
    assert failures.log.count("network refused: ") == 2  # the library did not even try
    assert isinstance(failures.told["home"][0], Started)
    assert isinstance(failures.told["home"][-1], Finished)
    assert left_over(failures.root) == []  # of any of these runs
