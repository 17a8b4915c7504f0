"""One run in two processes: the same steps as in one, told once."""

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
    write_spec,
)
from trainer.events import Failed, Finished, Paused, ResolvedRecipe

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="gloo")]


def in_two(environment: TrainingEnvironment, spec: Path, *flags: str) -> Run:
    launching = [str(environment.python), "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return Run(environment.python, spec, command=[*launching, "-m", "trainer", str(spec), *flags], cwd=ROOT)


def test_two_processes_train_what_one_does(environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path) -> None:
    alone = write_spec(tmp_path / "alone", tiny_base, dropout=0.0, micro_batch=2)
    told = complete(environment.python, alone)
    shared = write_spec(tmp_path / "shared", tiny_base, dropout=0.0, micro_batch=1)
    with in_two(environment, shared) as run:
        last = run.end()
    assert isinstance(last, Finished)
    assert last.step == 12
    assert [event.facts["steps"] for event in run.told if isinstance(event, ResolvedRecipe)] == [12]
    assert largest_difference(curve(run.told), curve(told)) < 1e-3
    assert adapter_difference(tmp_path / "shared", tmp_path / "alone") < 1e-3
    assert events_in(tmp_path / "shared" / "events.jsonl") == run.told
    assert left_over(tmp_path / "shared") == []


def test_what_one_process_has_begun_two_do_not_go_on_with(
    environment: TrainingEnvironment, tiny_base: Path, tmp_path: Path
) -> None:
    spec = write_spec(tmp_path / "run", tiny_base)
    with Run(environment.python, spec, "--commands") as run:
        run.read_to_step(2)
        run.ask("pause")
        assert isinstance(run.end(), Paused)
    with in_two(environment, spec, "--resume") as run:
        last = run.end()
    assert isinstance(last, Failed)
    assert (last.code, last.facts) == ("resume_differs", {"field": "processes", "before": 1, "now": 2})
    assert not (tmp_path / "run" / "adapter").exists()
    assert isinstance(complete(environment.python, spec, "--resume")[-1], Finished)
