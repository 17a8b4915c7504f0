"""An adapter that is to be trained further: what it decides, beside which base, and what is refused."""

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.training.data.rows import RowMessage, TrainingRow
from tests import hf_models
from trainer import adapter, estimate
from trainer.events import RunError
from trainer.spec import RunSpec


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return hf_models.model(tmp_path / "base")


@pytest.fixture
def asked(tmp_path: Path, base: Path) -> RunSpec:
    folder = tmp_path / "adapter"
    folder.mkdir()
    written(
        folder,
        {"r": 8, "lora_alpha": 16.0},
        {"name": "敬体", "base": str(base), "base_mark": adapter.base_fingerprint(base)},
    )
    return RunSpec("run", str(base), "t", "v", adapter=str(folder))


def written(folder: Path, config: Any, record: Any, weights: bytes = b"weights") -> None:
    (folder / adapter.CONFIG).write_text(json.dumps(config), "utf-8")
    (folder / adapter.RECORD).write_text(json.dumps(record), "utf-8")
    (folder / adapter.WEIGHTS).write_bytes(weights)


def refused(asked: RunSpec, **changes: Any) -> tuple[str, dict[str, Any]]:
    with pytest.raises(RunError) as caught:
        adapter.with_adapter_settings(dataclasses.replace(asked, **changes))
    return caught.value.code, caught.value.facts


def test_its_rank_and_alpha_stay_another_wish_is_refused_and_one_that_has_changed_is_noticed(asked: RunSpec) -> None:
    decided = adapter.with_adapter_settings(asked)
    assert (decided.rank, decided.alpha) == (8, 16)
    assert adapter.with_adapter_settings(decided) == decided
    plain = RunSpec("run", "base", "t", "v")
    assert adapter.with_adapter_settings(plain) is plain
    assert refused(asked, rank=4) == ("spec_invalid", {"field": "rank", "value": 4, "expected": "8"})
    assert refused(asked, alpha=32) == ("spec_invalid", {"field": "alpha", "value": 32, "expected": "16"})
    decided = adapter.with_adapter_settings(asked)
    written(Path(asked.adapter), {"r": 8, "lora_alpha": 32}, {"base": asked.base})  # the same weights, twice as strong
    assert refused(decided)[0] == "adapter_changed"


def test_a_base_is_known_again_wherever_it_lies(asked: RunSpec, base: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(base, tmp_path / "moved")
    assert adapter.with_adapter_settings(dataclasses.replace(asked, base=str(moved))).rank == 8
    weights = next(moved.glob("model*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")  # of the same shape, and another model
    assert refused(asked, base=str(moved))[0] == "adapter_other_base"
    assert refused(asked, base_sha256="a" * 64)[0] == "adapter_other_base"
    record = {"base": "小.gguf", "base_sha256": "a" * 64}
    written(Path(asked.adapter), {"r": 8, "lora_alpha": 16}, record)
    assert refused(asked) == ("adapter_other_base", {"path": asked.adapter, "base": "小.gguf"})
    assert (
        adapter.with_adapter_settings(dataclasses.replace(asked, base="elsewhere.gguf", base_sha256="a" * 64)).rank == 8
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / adapter.RECORD).unlink(),  # of nobody that we know
        lambda folder: (folder / adapter.WEIGHTS).unlink(),
        lambda folder: (folder / adapter.CONFIG).write_text("{", "utf-8"),
        lambda folder: (folder / adapter.CONFIG).write_text("[]", "utf-8"),
        lambda folder: (folder / adapter.CONFIG).write_text('{"r": 8, "lora_alpha": 0.5}', "utf-8"),
        lambda folder: (folder / adapter.CONFIG).write_text('{"r": "8", "lora_alpha": 16}', "utf-8"),
        lambda folder: (folder / adapter.RECORD).write_text('{"base": 3}', "utf-8"),
        shutil.rmtree,
    ],
)
def test_what_cannot_be_read_is_told(asked: RunSpec, damage: Callable[[Path], Any]) -> None:
    damage(Path(asked.adapter))
    code, facts = refused(asked)
    assert (code, facts["path"], bool(facts["reason"])) == ("adapter_unreadable", asked.adapter, True)


def test_a_row_has_the_id_that_it_has_in_a_split(tmp_path: Path) -> None:
    row = TrainingRow(
        1, (RowMessage("system", "敬体で"), RowMessage("user", '"橋"は？'), RowMessage("assistant", "橋\\です。"))
    )
    written_row = row.as_json()
    assert adapter.row_id(written_row["messages"]) == row.id
    assert (
        adapter.row_id([{"content": one["content"], "role": one["role"]} for one in written_row["messages"]]) == row.id
    )
    adapter.write_rows(tmp_path, [row.id, row.id])
    assert adapter.trained_row_ids(tmp_path) == {row.id}
    assert adapter.trained_row_ids(tmp_path / "none") == frozenset()


def test_the_copy_of_it_counts_on_the_disk() -> None:
    shape = estimate.TrainedShape(2, 64, 128, 64, 32, 1000, is_tied=True)
    spec = RunSpec("run", "base", "t", "v", rank=8, optimizer="adamw")
    more = estimate.estimate_disk(shape, dataclasses.replace(spec, adapter="adapter")).training
    assert more - estimate.estimate_disk(shape, spec).training == 4 * shape.lora_weights(8)
