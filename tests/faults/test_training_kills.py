"""A training run killed with SIGKILL at random moments, also while it saves, and gone on with after each.

In the end it is the run that nobody has killed. A kill leaves the page cache of the operating system as it is, so this
says nothing about power cuts.
"""

import json
import os
import random
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest

from tests.convert.conftest import environment, server  # noqa: F401  (fixtures)
from tests.trainer.training_runs import (
    STEPS,
    adapter_difference,
    curve,
    events_in,
    largest_difference,
    left_over,
    tiny_base,  # noqa: F401  (a fixture)
    undisturbed,  # noqa: F401  (a fixture)
    wait_until,
    write_spec,
)
from trainer import storage
from trainer.events import Finished, Started

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and fork")

PLACES = ("anywhere", "saving", "exporting")
SYNC_S = 0.03  # of each file of a checkpoint: there are seven


def kill(process: int, place: str, folder: Path, chance: random.Random) -> None:
    """Waits for the place, and a moment more."""
    journal = folder / "events.jsonl"
    began = journal.stat().st_size if journal.exists() else 0

    def is_over() -> bool:
        return not Path(f"/proc/{process}").exists() or Path(f"/proc/{process}/stat").read_text().split()[2] == "Z"

    def is_there() -> bool:
        if place == "saving":
            return any((folder / "checkpoints").glob("*.part"))
        told = journal.read_bytes()[began:] if journal.exists() else b""
        return (b'"step":%d,' % STEPS in told) if place == "exporting" else b'"evaluation"' in told or b'"step"' in told

    wait_until(lambda: is_there() or is_over())
    time.sleep(chance.uniform(0.0, {"anywhere": 1.5, "saving": 0.25, "exporting": 1.0}[place]))
    if not is_over():
        os.kill(process, signal.SIGKILL)


def adapter_is_whole(folder: Path) -> bool:
    """There, or not."""
    adapter = folder / "adapter"
    return not adapter.exists() or json.loads((adapter / "kotae.json").read_text("utf-8"))["version"] == 1


@pytest.mark.parametrize(("kills", "seed"), [(3, 1), pytest.param(40, 2, marks=pytest.mark.slow)])
@pytest.mark.fault("F6")
def test_a_run_that_is_killed_ends_as_one_that_is_not(
    kills,
    seed,
    server,  # noqa: F811
    tiny_base,  # noqa: F811
    undisturbed,  # noqa: F811
    tmp_path,
    tally,
):
    chance, killed, told_finished = random.Random(seed), list[str](), 0
    folder = tmp_path / "run"
    spec = write_spec(folder, tiny_base)
    resumes: list[str] = []
    while len(killed) < kills:
        place = PLACES[len(killed) % len(PLACES)]
        process = server.start(spec, *resumes, fault="slow_saving", seconds=SYNC_S)
        kill(process, place, folder, chance)
        if server.wait() == -signal.SIGKILL:
            killed.append(place)
            tally.tried(1)
        else:
            told_finished += 1
            assert isinstance(events_in(folder / "events.jsonl")[-1], Finished)
            again(folder)
        assert adapter_is_whole(folder)
        resumes = ["--resume"] if (folder / "events.jsonl").exists() else []
    last = server.run(spec, *resumes)[-1]
    assert isinstance(last, Finished)
    assert killed.count("saving") >= kills // 3
    told = events_in(folder / "events.jsonl")
    starts = [event.resumed_step for event in told if isinstance(event, Started)]
    assert kills <= len(starts) <= kills + told_finished + 1  # one killed early has told nothing
    assert largest_difference(curve(told), curve(undisturbed.told)) <= 1e-3
    assert adapter_difference(folder, undisturbed.folder) <= 1e-3
    assert left_over(folder) == []
    assert storage.complete_checkpoints(folder / "checkpoints")[0].step == STEPS
    assert last.best_loss == pytest.approx(min(curve(undisturbed.told).evaluations.values()), rel=1e-3)


def again(folder: Path) -> None:
    """From the checkpoint before the last three: there is something to kill once more."""
    kept = storage.complete_checkpoints(folder / "checkpoints")
    for one in kept[:-1]:
        shutil.rmtree(one.path)
    shutil.rmtree(folder / "adapter")
