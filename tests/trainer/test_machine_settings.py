"""What a machine decides about a job, in a file that is under no seal: it never changes what is trained."""

import json
from pathlib import Path

import pytest

from tests.trainer.training_runs import RunServer, curve, largest_difference, write_spec
from trainer import machine
from trainer.events import Failed, Finished
from trainer.spec import SpecError


def test_another_micro_batch_trains_the_same(server: RunServer, tiny_base: Path, tmp_path: Path) -> None:
    as_asked = server.run(write_spec(tmp_path / "a" / "run", tiny_base, dropout=0.0, epochs=1.0))
    spec = write_spec(tmp_path / "b" / "run", tiny_base, dropout=0.0, epochs=1.0)
    settings = spec.with_name(machine.FILE)
    settings.write_text('{"micro_batch": 4, "device": "cpu"}')
    here = server.run(spec)
    assert isinstance(here[-1], Finished)
    effective = json.loads((tmp_path / "b" / "run" / "effective.json").read_bytes())
    assert (effective["micro_batch"], effective["accumulation"]) == (4, 1)
    assert largest_difference(curve(here), curve(as_asked)) < 1e-5
    spec = write_spec(tmp_path / "c" / "run", tiny_base)
    for text, code in (('{"micro_batch": 3}', "step_not_shared"), ('{"report_to": "wandb"}', "logger_missing")):
        spec.with_name(machine.FILE).write_text(text)
        last = server.run(spec, "--plan")[-1]
        assert isinstance(last, Failed)
        assert last.code == code


@pytest.mark.parametrize(
    "text",
    ["[]", "{", "[" * 100_000, '{"rank": 8}', '{"micro_batch": true}', '{"device": "tpu"}', '{"report_to": "x"}'],
)
def test_nothing_else_is_taken(text: str, tmp_path: Path) -> None:
    (tmp_path / machine.FILE).write_text(text)
    with pytest.raises(SpecError):
        machine.read(tmp_path / machine.FILE)
