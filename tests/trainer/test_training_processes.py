"""One run in two processes: the same steps as in one, told once."""

import json
import sys
from pathlib import Path

import pytest

from app.models.training_environment import TrainingEnvironment
from tests.trainer.training_runs import (
    Run,
    adapter_difference,
    complete,
    curve,
    events_in,
    largest_difference,
    left_over,
    write_rows,
    write_spec,
)
from trainer import start
from trainer.events import Failed, Finished, Paused, ResolvedRecipe

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="gloo")]


LAUNCHED = ("--num_processes", "2", "--no_python")  # with accelerate, as a job for several cards starts it
CONFIG = ROOT / "resources" / "training_job" / "accelerate.yaml"


def in_two(environment: TrainingEnvironment, spec: Path, *flags: str, is_sharded: bool = False) -> Run:
    python = str(environment.python)
    launching = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "--no-python"]
    if is_sharded:
        launching = ["-m", "accelerate.commands.launch", "--config_file", str(CONFIG), *LAUNCHED]
    command = [python, "-I", *launching, *start.command(python, "trainer", str(spec), *flags)]
    return Run(environment.python, spec, command=command)


@pytest.mark.parametrize("kind", ["whole-base", "shared-out-base", "pairs"])
def test_two_processes_train_what_one_does(
    environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path, kind: str
) -> None:
    """With rows and validation rows that two processes cannot share evenly."""
    is_sharded, are_pairs = kind == "shared-out-base", kind == "pairs"
    rows = write_rows(tmp_path / "rows", {"train": 23, "validation": 5, "holdout": 3}, are_pairs=are_pairs)
    settings = {"dropout": 0.0, "gradient_checkpointing": is_sharded, **rows}
    settings |= {"loss": "preference"} if are_pairs else {}
    alone = write_spec(tmp_path / "alone", tiny_base, **settings)
    told = complete(environment.python, alone)
    shared = write_spec(tmp_path / "shared", tiny_base, **settings)
    with in_two(environment, shared, is_sharded=is_sharded) as run:
        last = run.end()
    assert isinstance(last, Finished)
    assert last.step == 12
    assert [event.facts["steps"] for event in run.told if isinstance(event, ResolvedRecipe)] == [12]
    assert largest_difference(curve(run.told), curve(told)) < 1e-5
    assert adapter_difference(tmp_path / "shared", tmp_path / "alone") < 1e-5
    assert holdout(tmp_path / "shared") == pytest.approx(holdout(tmp_path / "alone"), rel=1e-5)
    assert events_in(tmp_path / "shared" / "events.jsonl") == run.told
    assert left_over(tmp_path / "shared") == []


def holdout(folder: Path) -> list[float]:
    """The likelihoods of the held-out rows, without and with the adapter."""
    examples = json.loads((folder / "holdout.json").read_bytes())["examples"]
    return [one[name] for one in examples for name in ("base_nll", "adapter_nll")]


def test_what_one_process_has_begun_two_go_on_with(
    environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path
) -> None:
    alone = write_spec(tmp_path / "alone", tiny_base, dropout=0.0)
    told = complete(environment.python, alone)
    spec = write_spec(tmp_path / "run", tiny_base, dropout=0.0)
    with Run(environment.python, spec, "--commands") as run:
        run.read_to_step(2)
        run.ask("pause")
        assert isinstance(run.end(), Paused)
    with in_two(environment, spec, "--resume", is_sharded=True) as run:
        assert isinstance(run.end(), Finished)
    assert largest_difference(curve(events_in(tmp_path / "run" / "events.jsonl")), curve(told)) < 1e-5


def test_a_step_that_two_processes_cannot_share_is_refused(
    environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path
) -> None:
    spec = write_spec(tmp_path / "run", tiny_base, micro_batch=1, accumulation=3)
    with in_two(environment, spec) as run:
        last = run.end()
    assert isinstance(last, Failed)
    assert (last.code, last.facts) == ("step_not_shared", {"examples": 3, "processes": 2, "micro_batch": 1})
