"""Runs that are stopped on request and gone on with: they end as one that nobody has touched."""

import hashlib
import json
import os
import pickle
import shutil
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import pytest

from tests.models.test_hf_folder import Canary
from tests.trainer.training_runs import (
    STEPS,
    RunServer,
    Undisturbed,
    adapter_difference,
    curve,
    events_in,
    largest_difference,
    left_over,
    wait_until,
    weights_of,
    write_rows,
    write_spec,
)
from trainer import storage
from trainer.channel import RunControl
from trainer.events import Cancelled, EvaluationStep, Event, Failed, Finished, Paused, Sample, Started, TrainingStep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and fork")


class Ended(NamedTuple):
    """Runs of one server, by what was done to them: what was told, and the run's folder."""

    told: dict[str, list[Event]]
    root: Path
    alone: Path


def commands(folder: Path, *names: str) -> str:
    """A file that the run reads as its standard input, to its end, before it trains."""
    path = folder / f"{'-'.join(names)}.commands"
    path.write_text("".join(json.dumps({"command": name}) + "\n" for name in names), encoding="utf-8")
    return str(path)


def asking(*commands: str, within: str = "step", at: int | None = None) -> dict[str, Any]:
    return {"fault": "asked", "commands_told": commands, "within": within, "at": at}


def damage(checkpoint: Path) -> None:
    """One byte of the weights is another one."""
    damage_file(checkpoint / "adapter_model.safetensors")


def damage_file(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)


def _settle(run: Path, **changes: Any) -> None:
    """Another effective spec, as after a hand has been in it."""
    _place(run / "effective.json", **changes)


def _with_other_weights(run: Path, base: Path) -> None:
    """A base of the same name and shape beside the run."""
    other = run.with_name(f"{run.name} base")
    shutil.copytree(base, other)
    damage_file(next(other.glob("*.safetensors")))
    _settle(run, base=str(other))


def _as_before_conditions(run: Path, _base: Path) -> None:
    """Checkpoints of an earlier version, whose steps are another number now."""
    for manifest in run.glob(f"checkpoints/*/{storage.MANIFEST}"):
        told = json.loads(manifest.read_text("utf-8"))
        del told["conditions"]
        manifest.write_text(json.dumps(told), "utf-8")
    _settle(run, accumulation=4)


def _with_settings_lost(run: Path, _base: Path) -> None:
    (run / "effective.json").write_text("{", "utf-8")
    _place(run.with_suffix(".json"), epochs=4.0)


# What is done to a paused run before it is gone on with.
OTHERWISE: dict[str, Callable[[Path, Path], None]] = {
    "another micro batch": lambda run, _base: _settle(run, micro_batch=4),
    "another seed": lambda run, _base: _settle(run, seed=7),
    "another precision": lambda run, _base: _settle(run, precision="bf16", compute="bf16"),
    "other weights": _with_other_weights,
    "settings lost": _with_settings_lost,
    "an earlier version": _as_before_conditions,
}
PICKLES = ("rng_state.pth", "optimizer.pt", "scheduler.pt")


def poison(checkpoint: Path, name: str, canary: Path) -> None:
    """The file would make a folder when it is unpickled, and the manifest vouches for it."""
    content = pickle.dumps(Canary(canary))
    (checkpoint / name).write_bytes(content)
    manifest = json.loads((checkpoint / storage.MANIFEST).read_text("utf-8"))
    manifest["files"][name] = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    (checkpoint / storage.MANIFEST).write_text(json.dumps(manifest), "utf-8")


@pytest.fixture(scope="module")
def ended(
    server: RunServer, tiny_base: Path, undisturbed: Undisturbed, tmp_path_factory: pytest.TempPathFactory
) -> Ended:
    root = tmp_path_factory.mktemp("resume")
    told: dict[str, list[Event]] = {"alone": undisturbed.told}
    told["begun again"] = server.run(undisturbed.spec)
    told["not begun"] = server.run(write_spec(root / "nothing", tiny_base), "--resume")

    paused = write_spec(root / "paused", tiny_base)
    told["paused"] = server.run(paused, **asking("pause"))
    told["paused again"] = server.run(paused, "--resume", **asking("pause", "finish"))
    for name in ("cancelled", "finished", "damaged", "all damaged"):
        _copy(root / "paused", root / name)
    _place(root / "cancelled.json", converter=str(root / "new converter"), bases=str(root / "new bases"))
    told["cancelled"] = server.run(root / "cancelled.json", "--resume", **asking("pause", "cancel"))
    told["finished"] = server.run(root / "finished.json", "--resume", **asking("finish"))
    told["finished again"] = server.run(root / "finished.json", "--resume")
    damage(root / "damaged/checkpoints/checkpoint-2")
    told["damaged"] = server.run(root / "damaged.json", "--resume")
    for checkpoint in (root / "all damaged/checkpoints").iterdir():
        damage(checkpoint)
    told["all damaged"] = server.run(root / "all damaged.json", "--resume")

    for name in OTHERWISE:
        _copy(root / "paused", root / name)
        OTHERWISE[name](root / name, tiny_base)
        told[name] = server.run(root / f"{name}.json", "--resume")
    for name in PICKLES:
        run = root / f"poisoned {Path(name).stem}"
        _copy(root / "paused", run)
        for checkpoint in (run / "checkpoints").iterdir():
            poison(checkpoint, name, root / "canary")
        told[name] = server.run(run.with_suffix(".json"), "--resume")

    rows = write_rows(root / "changed rows")
    hashes = {"train": "0" * 64}
    told["changed"] = server.run(write_spec(root / "other", tiny_base, hashes=hashes, **rows))
    frozen = write_spec(root / "frozen", tiny_base, **write_rows(root / "frozen rows"))
    server.run(frozen, **asking("pause"))
    with (root / "frozen rows/train.jsonl").open("a", encoding="utf-8") as rows_file:
        rows_file.write("\n")
    told["changed since"] = server.run(frozen, "--resume")
    over = {"epochs": 20.0, "learning_rate": 0.3, "patience": 2, "evaluations_per_epoch": 6}
    told["over"] = server.run(write_spec(root / "over", tiny_base, **over))
    late = write_spec(root / "late", tiny_base, **over)
    server.start(late, fault="killed_after_evaluation", step=told["over"][-1].step - 1)  # type: ignore[union-attr]
    assert server.wait() == -signal.SIGKILL
    told["late"] = server.run(late, "--resume")
    exporting = write_spec(root / "exporting", tiny_base)
    server.start(exporting, fault="killed_exporting")
    assert server.wait() == -signal.SIGKILL
    (root / "exporting/effective.json").write_text('{"fold', encoding="utf-8")
    told["exporting"] = server.run(exporting, "--resume")
    early = write_spec(root / "early", tiny_base)
    told["early"] = server.run(early, "--commands", commands=commands(root, "pause"))
    told["early again"] = server.run(early, "--resume", "--commands", commands=commands(root, "cancel"))
    _interrupt_evaluations(server, write_spec(root / "evaluations", tiny_base), told)
    return Ended(told, root, undisturbed.folder)


INTERRUPTED = (("evaluation", 0), ("sample", 0), ("evaluation", 3), ("sample", 6), ("evaluation", 9), ("step", 11))


def _interrupt_evaluations(server: RunServer, spec: Path, told: dict[str, list[Event]]) -> None:
    """Each start is paused there, the third one twice at the same place; then to its end."""
    for number, (within, at) in enumerate((*INTERRUPTED[:3], *INTERRUPTED[2:])):
        flags = ["--resume"] * bool(number)
        told[f"{within} {at}"] = server.run(spec, *flags, **asking("pause", within=within, at=at))
    told["evaluations"] = server.run(spec, "--resume")


def _copy(run: Path, other: Path) -> None:
    shutil.copytree(run, other)
    for file in (other / "effective.json", run.with_suffix(".json")):
        spec = json.loads(file.read_text("utf-8"))
        spec["folder"] = str(other)
        (file if file.parent == other else other.with_suffix(".json")).write_text(json.dumps(spec), encoding="utf-8")


def _place(spec: Path, **places: str) -> None:
    spec.write_text(json.dumps(json.loads(spec.read_text("utf-8")) | places), encoding="utf-8")


def whole(run: Path) -> list[int]:
    return [one.step for one in storage.complete_checkpoints(run / "checkpoints")]


def finished(told: list[Event]) -> Finished:
    last = told[-1]
    assert isinstance(last, Finished), last
    return last


# ----------------------------------------------------------- what stops it, and how


WAYS: dict[str, Callable[[int, BinaryIO], object]] = {
    "a command": lambda _run, commands: commands.write(b'{"command": "pause"}\n'),
    "SIGTERM": lambda run, _commands: os.kill(run, signal.SIGTERM),
    "SIGHUP": lambda run, _commands: os.kill(run, signal.SIGHUP),
    "SIGUSR1": lambda run, _commands: os.kill(run, signal.SIGUSR1),
    "the end of its input": lambda _run, commands: commands.close(),
}


def stopped_in_each_way(server: RunServer, spec: Path) -> list[Event]:
    """Two steps after it began or went on; then to its end. All that was told."""
    told: list[Event] = []
    commands = spec.with_suffix(".commands")
    os.mkfifo(commands)
    for number, way in enumerate(WAYS):
        process = server.start(spec, "--commands", *["--resume"] * (number > 0), commands=str(commands))
        with commands.open("wb", buffering=0) as written:
            wait_until(lambda first=2 * number + 1: any(step >= first for step in steps_told(server.told())))
            WAYS[way](process, written)
            assert server.wait() == 0, way
        told += server.told()
        assert told[-1] == Paused(max(steps_told(server.told()))), way
    return told + server.run(spec, "--resume")


def steps_told(told: Iterable[Event]) -> list[int]:
    return [event.step for event in told if isinstance(event, TrainingStep)]


@pytest.mark.fault("F6")
def test_whatever_pauses_it_it_ends_as_if_nothing_had_been(
    ended: Ended, server: RunServer, tiny_base: Path, tmp_path: Path
) -> None:
    told = stopped_in_each_way(server, write_spec(tmp_path / "run", tiny_base))
    starts = [event.resumed_step for event in told if isinstance(event, Started)]
    pauses = [event.step for event in told if isinstance(event, Paused)]
    assert starts == [0, *pauses]
    assert len(pauses) == len(WAYS)
    assert events_in(tmp_path / "run" / "events.jsonl") == told
    assert curve(told) == curve(ended.told["alone"])  # to the last bit, on a processor
    assert adapter_difference(tmp_path / "run", ended.alone) == 0.0
    assert finished(told).best_step == finished(ended.told["alone"]).best_step
    assert left_over(tmp_path / "run") == []


@pytest.mark.fault("F6")
def test_what_nohup_has_begun_stays_deaf_to_a_terminal_that_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    heeded: list[int] = []
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_IGN)
    monkeypatch.setattr(signal, "signal", lambda number, _handler: heeded.append(number))
    RunControl().listen_to_signals()
    assert signal.SIGHUP not in heeded
    monkeypatch.setattr(signal, "getsignal", lambda _number: signal.SIG_DFL)
    RunControl().listen_to_signals()
    assert signal.SIGHUP in heeded


@pytest.mark.fault("F6")
def test_what_was_asked_for_within_a_step_is_done_after_it(ended: Ended) -> None:
    assert ended.told["paused"][-1] == Paused(1)
    assert ended.told["paused again"][-1] == Paused(2)
    assert whole(ended.root / "paused")[:2] == [2, 1]
    assert ended.told["early"][-1] == Paused(0)  # asked for before it trained
    assert ended.told["early again"][-1] == Cancelled(0)
    for name in ("early", "early again"):
        assert not any(isinstance(event, TrainingStep | EvaluationStep) for event in ended.told[name])


@pytest.mark.parametrize(("within", "at"), INTERRUPTED)
@pytest.mark.fault("F6")
def test_a_pause_does_not_wait_for_an_evaluation(within: str, at: int, ended: Ended) -> None:
    told = ended.told[f"{within} {at}"]
    step = at + (within == "step")
    assert told[-1] == Paused(step)
    assert not [event for event in told if isinstance(event, Sample) and event.step == step]
    evaluated = [event for event in told if isinstance(event, EvaluationStep) and event.step == step]
    assert bool(evaluated) == (within == "sample")


@pytest.mark.fault("F6")
def test_what_a_pause_has_not_waited_for_is_measured_after_a_resume(ended: Ended) -> None:
    """The last one, of the last step, too."""
    told = events_in(ended.root / "evaluations" / "events.jsonl")
    assert curve(told) == curve(ended.told["alone"])
    assert finished(told).best_step == finished(ended.told["alone"]).best_step
    assert adapter_difference(ended.root / "evaluations", ended.alone) == 0.0
    assert not any(isinstance(event, TrainingStep) for event in ended.told["evaluations"])


@pytest.mark.fault("F6")
def test_a_run_that_is_to_finish_keeps_the_best_so_far_and_a_cancelled_one_leaves_nothing_half(ended: Ended) -> None:
    last = finished(ended.told["finished"])
    assert (last.reason, last.step) == ("stopped", 3)
    evaluations = curve(ended.told["paused"] + ended.told["paused again"] + ended.told["finished"]).evaluations
    assert last.best_loss == min(evaluations.values())
    assert evaluations[last.best_step] == last.best_loss
    kept = ended.root / "finished" / "checkpoints" / f"checkpoint-{last.best_step}" / "adapter_model.safetensors"
    adapter = weights_of(ended.root / "finished" / "adapter" / "adapter_model.safetensors")
    assert {name: values.tolist() for name, values in weights_of(kept).items()} == {
        name: values.tolist() for name, values in adapter.items()
    }
    run = ended.root / "cancelled"
    assert ended.told["cancelled"][-1] == Cancelled(3)
    assert whole(run)[:2] == [2, 1]  # what was there stays, until the folder is removed
    assert left_over(run) == []
    assert not (run / "adapter").exists()
    for name, converter, bases in (("cancelled", "new converter", "new bases"), ("finished", "", "")):  # those of now
        settled = json.loads((ended.root / name / "effective.json").read_text("utf-8"))
        assert (Path(settled["converter"]).name, Path(settled["bases"]).name) == (converter, bases)


# ------------------------------------------------------------- what is gone on from


@pytest.mark.fault("S5")
def test_a_damaged_checkpoint_is_passed_over(ended: Ended) -> None:
    first = ended.told["damaged"][0]
    assert isinstance(first, Started)
    assert first.resumed_step == 1
    assert curve(events_in(ended.root / "damaged" / "events.jsonl")) == curve(ended.told["alone"])
    assert adapter_difference(ended.root / "damaged", ended.alone) == 0.0


@pytest.mark.parametrize("name", PICKLES)
@pytest.mark.fault("S4")
def test_a_pickle_that_a_forged_manifest_vouches_for_is_not_run(name: str, ended: Ended) -> None:
    assert not (ended.root / "canary").exists()
    last = ended.told[name][-1]
    assert isinstance(last, Failed)
    assert last.code == "checkpoint_damaged"


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("another micro batch", "step_examples"),
        ("another seed", "seed"),
        ("another precision", "precision"),
        ("other weights", "base"),
        ("settings lost", "epochs"),
        ("an earlier version", "steps"),
    ],
)
@pytest.mark.fault("F6")
def test_a_run_is_not_gone_on_with_otherwise_than_it_began(name: str, field: str, ended: Ended) -> None:
    """With another order of examples or another base, its last weights would be those of no run."""
    last = ended.told[name][-1]
    assert isinstance(last, Failed)
    assert (last.code, last.facts["field"]) == ("resume_differs", field)
    assert last.facts["before"] != last.facts["now"]
    assert not any(isinstance(event, TrainingStep | EvaluationStep) for event in ended.told[name])
    assert not (ended.root / name / "adapter").exists()
    assert whole(ended.root / name)  # it can still be gone on with as it was


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("all damaged", "checkpoint_damaged"),
        ("changed", "data_changed"),
        ("changed since", "data_changed"),
        ("begun again", "run_exists"),
        ("not begun", "nothing_to_resume"),
    ],
)
@pytest.mark.fault("S5")
def test_what_cannot_be_gone_on_with_is_said(name: str, code: str, ended: Ended) -> None:
    last = ended.told[name][-1]
    assert isinstance(last, Failed)
    assert last.code == code
    assert Path(last.facts["path"]).exists() == (code != "nothing_to_resume")


@pytest.mark.fault("F6")
def test_a_run_that_was_over_or_was_to_finish_is_not_trained_on(ended: Ended) -> None:
    """Killed between its last step and its adapter, and what was in force is torn."""
    told = ended.told["exporting"]
    assert isinstance(told[0], Started)
    assert told[0].resumed_step == STEPS
    assert not any(isinstance(event, TrainingStep | EvaluationStep) for event in told)
    assert finished(told).best_step == finished(ended.told["alone"]).best_step
    assert adapter_difference(ended.root / "exporting", ended.alone) == 0.0
    assert finished(told).tokens_per_s > 0.0  # of the process that was killed
    # Also where only what comes after the training is to be done again.
    told = ended.told["finished again"]
    assert not any(isinstance(event, TrainingStep | EvaluationStep) for event in told)
    first, again = finished(ended.told["finished"]), finished(told)
    assert (again.reason, again.step, again.best_step) == (first.reason, first.step, first.best_step)
    assert again.seconds == first.seconds


# ------------------------------------------------------------------ early stopping


@pytest.mark.fault("F6")
def test_a_run_that_learns_by_heart_ends_with_its_best_and_patience_is_counted_on_after_a_pause(ended: Ended) -> None:
    """Tiny data and a high rate."""
    last, evaluations = finished(ended.told["over"]), curve(ended.told["over"]).evaluations
    assert last.reason == "early_stopping"
    assert last.step == last.best_step + 2 == max(evaluations)
    assert last.best_loss == min(evaluations.values()) == evaluations[last.best_step]
    best = ended.root / "over" / "checkpoints" / f"checkpoint-{last.best_step}" / "adapter_model.safetensors"
    adapter = weights_of(ended.root / "over" / "adapter" / "adapter_model.safetensors")
    assert all((adapter[name] == values).all() for name, values in weights_of(best).items())
    first, last = ended.told["late"][0], finished(ended.told["late"])
    assert isinstance(first, Started)
    assert 0 < first.resumed_step < last.step
    assert (last.reason, last.step) == ("early_stopping", finished(ended.told["over"]).step)
    whole_curve = curve(events_in(ended.root / "late" / "events.jsonl"))
    assert largest_difference(whole_curve, curve(ended.told["over"])) == 0.0
    assert adapter_difference(ended.root / "late", ended.root / "over") == 0.0
