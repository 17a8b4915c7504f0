"""A disk that fills up in each phase of a training run: it is said once, the last checkpoint is whole, and with room
again the run ends as one that always had it.
"""

import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.models.training_environment import TrainingEnvironment
from app.training.runs import run_journal
from tests import model_files as models
from tests.convert.conftest import converter, environment  # noqa: F401  (fixtures)
from tests.model_files import TinyShape
from tests.trainer.training_runs import (
    RunServer,
    adapter_difference,
    checkpoints_told,
    curve,
    events_in,
    left_over,
    small_disk,
    tiny_base,  # noqa: F401  (a fixture)
    write_rows,
    write_spec,
)
from trainer import storage
from trainer.events import Event, Failed, Finished, TrainingStep

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="tmpfs and fork")]

SHORT = {"max_steps": 4}
SIZE = "128m"  # with less, a run does not even begin
LARGE = TinyShape(layers=2, embedding=512, heads=8, heads_kv=4, feed_forward=2048, vocabulary=8000)
KIB = 1024


class Phase(NamedTuple):
    """Before which function of the trainer the disk fills up, and how much room is left then."""

    owner: str
    name: str
    turn: int
    room_kib: int


PHASES = {
    "effective spec": Phase("run", "_write_effective", 1, 0),
    "first checkpoint": Phase("loop", "_write_checkpoint", 1, 60),
    "a later checkpoint": Phase("loop", "_write_checkpoint", 3, 200),
    "events": Phase("loop", "log", 3, 0),
    "adapter": Phase("export", "save_adapter", 1, 60),
    "holdout": Phase("export", "write_holdout", 1, 4),
}


class Told(NamedTuple):
    full: list[Event]  # while there was no room
    whole: list[int]  # the checkpoints that were there then
    left: list[str]
    shown: run_journal.RunHistory
    resumed: list[Event]


def filled_and_emptied(server: RunServer, spec: Path, disk: Path, phase: Phase) -> Told:
    folder, filler = spec.with_suffix(""), disk / "filler"
    where = {"owner": phase.owner, "name": phase.name, "turn": phase.turn, "room_bytes": phase.room_kib * KIB}
    full = server.run(spec, fault="full_disk", filler=str(filler), **where)
    filler.unlink()
    whole = [one.step for one in storage.complete_checkpoints(folder / "checkpoints")]
    left, shown = left_over(folder), run_journal.read_history(folder)
    return Told(full, whole, left, shown, server.run(spec, "--resume"))


@pytest.fixture(scope="module")
def ended(
    environment: TrainingEnvironment,  # noqa: F811
    tiny_base: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    """Where the runs are, what the one told that always had room, and phase -> what was told there."""
    root = tmp_path_factory.mktemp("disk")
    rows = write_rows(root / "rows")
    told: dict[str, Told] = {}
    with small_disk(root / "disk", SIZE) as disk:
        if disk is None:
            pytest.skip("mounting needs root")
        with RunServer(environment.python, root) as server:
            alone = server.run(write_spec(root / "alone", tiny_base, **SHORT, **rows))
            for name, phase in PHASES.items():
                spec = write_spec(disk / name, tiny_base, **SHORT, **rows)
                told[name] = filled_and_emptied(server, spec, disk, phase)
        yield root, alone, told


@pytest.mark.parametrize("name", PHASES)
@pytest.mark.fault("F2")
def test_it_is_said_once_and_what_is_there_is_whole(name, ended):
    root, _, runs = ended
    told = runs[name]
    last = told.full[-1]
    assert isinstance(last, Failed)
    assert last.code == "disk_full"
    assert str(root / "disk") in last.facts["path"]
    assert sum(isinstance(event, Failed) for event in told.full) == 1
    assert told.whole == sorted(checkpoints_told(told.full), reverse=True)[: len(told.whole)]
    assert bool(told.whole) == (name not in ("effective spec", "first checkpoint"))
    assert told.left == []


@pytest.mark.parametrize("name", PHASES)
@pytest.mark.fault("F2")
def test_with_room_again_it_ends_as_if_there_had_always_been(name, ended):
    root, alone, runs = ended
    folder, told = root / "disk" / name, runs[name]
    assert isinstance(told.resumed[-1], Finished)
    assert left_over(folder) == []
    written = events_in(folder / "events.jsonl")
    assert written[-len(told.resumed) :] == told.resumed
    assert curve(written) == curve(alone)
    assert adapter_difference(folder, root / "alone") == 0.0
    assert (folder / "holdout.json").stat().st_size == (root / "alone" / "holdout.json").stat().st_size


@pytest.mark.fault("F2")
def test_what_was_told_before_is_not_lost(ended):
    """Nor is the line that did not fit taken for one."""
    shown = ended[2]["events"].shown
    assert shown.started is not None
    told = [event.step for event in ended[2]["events"].full if isinstance(event, TrainingStep)]
    assert [step.step for step in shown.steps] in (told, told[:-1])
    assert told[0] == 1


# ------------------------------------------------------------------- conversions


@pytest.mark.fault("F2")
def test_an_adapter_that_finds_no_room_as_gguf_is_converted_later(
    environment,  # noqa: F811
    converter,  # noqa: F811
    tiny_base,  # noqa: F811
    tmp_path,
):
    with small_disk(tmp_path / "disk", SIZE) as disk, RunServer(environment.python, tmp_path) as server:
        if disk is None:
            pytest.skip("mounting needs root")
        rows, filler = write_rows(tmp_path / "rows"), disk / "filler"
        spec = write_spec(disk / "run", tiny_base, **SHORT, **rows, converter=converter)
        fault = {"owner": "export", "name": "convert_adapter", "turn": 1, "room_bytes": 32 * KIB}
        last = server.run(spec, fault="full_disk", filler=str(filler), **fault)[-1]
        assert isinstance(last, Failed)
        assert last.code == "disk_full"
        assert left_over(disk / "run") == []
        assert not (disk / "run" / "adapter.gguf").exists()
        filler.unlink()
        told = server.run(spec, "--resume")
        assert isinstance(told[-1], Finished)
        assert Path(told[-1].gguf).read_bytes()[:4] == b"GGUF"
        assert curve(told).losses == {}


@pytest.mark.fault("F2")
def test_a_base_that_finds_no_room_as_a_folder_is_converted_later(
    environment,  # noqa: F811
    tmp_path,
):
    base = models.tiny_llama(tmp_path / "base.gguf", shape=LARGE)
    with small_disk(tmp_path / "disk", "8m") as disk, RunServer(environment.python, tmp_path) as server:
        if disk is None:
            pytest.skip("mounting needs root")
        rows = write_rows(tmp_path / "rows")
        spec = write_spec(tmp_path / "run", base, bases=str(disk / "bases"), **SHORT, **rows)
        last = server.run(spec, "--plan")[-1]
        assert isinstance(last, Failed)
        assert last.code == "disk_full"
        assert last.facts["needed_bytes"] > 8 << 20
        assert list((disk / "bases").iterdir()) == []
