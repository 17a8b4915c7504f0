"""A finished run's adapter that is trained further on other rows: it begins where that one ended, and is held against
the base without any."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.trainer.training_runs import (
    RunServer,
    adapter_difference,
    curve,
    row,
    write_rows,
    write_spec,
)
from trainer import adapter
from trainer.events import Event, Failed, Finished, Paused, ResolvedRecipe

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="fork")]


class Ended(NamedTuple):
    told: dict[str, list[Event]]
    root: Path

    def failure(self, name: str) -> Failed:
        last = self.told[name][-1]
        assert isinstance(last, Failed)
        return last


@pytest.fixture(scope="module")
def ended(server: RunServer, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    root = tmp_path_factory.mktemp("further")
    told: dict[str, list[Event]] = {}
    rows = write_rows(root / "rows")
    others = root / "other train.jsonl"
    lines = (json.dumps(row(number), ensure_ascii=False) + "\n" for number in range(100, 112))
    others.write_text("".join(lines), encoding="utf-8")
    more = rows | {"train": str(others)}

    def run(name: str, fault: str = "", **changes: Any) -> None:
        options: dict[str, Any] = {"commands_told": ["pause"], "within": "step", "at": 2} if fault else {}
        options["fault"] = fault
        told[name] = server.run(write_spec(root / name, tiny_base, **more | changes), **options)

    run("first", train=rows["train"], epochs=1.0)
    further: dict[str, Any] = {"adapter": str(root / "first/adapter"), "rank": None, "alpha": None, "epochs": 1.0}
    run("second", **further)
    run("paused", fault="asked", **further)
    told["gone on"] = server.run(root / "paused.json", "--resume")
    run("known", **further | {"holdout": rows["train"]})
    shutil.copytree(root / "first/adapter", root / "cut")
    weights = root / "cut" / adapter.WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-8])
    run("cut", **further | {"adapter": str(root / "cut")})
    server.start(write_spec(root / "planned", tiny_base, **more | further), "--plan")
    server.wait()
    told["planned"] = server.told()
    return Ended(told, root)


def test_it_begins_where_the_adapter_is(ended: Ended) -> None:
    first, second = (ended.told[name][-1] for name in ("first", "second"))
    assert isinstance(first, Finished)
    assert isinstance(second, Finished)
    assert second.base_loss == pytest.approx(first.best_loss, rel=1e-5)
    assert second.base_loss != pytest.approx(first.base_loss, rel=1e-3)
    assert adapter_difference(ended.root / "second", ended.root / "first") > 0.01


def test_the_gate_holds_it_against_the_base_without_any_adapter(ended: Ended) -> None:
    first, second = (json.loads((ended.root / name / "holdout.json").read_bytes()) for name in ("first", "second"))
    for before, after in zip(first["examples"], second["examples"], strict=True):
        assert after["base_nll"] == pytest.approx(before["base_nll"], rel=1e-6)
        assert after["adapter_nll"] != pytest.approx(after["base_nll"], rel=1e-3)


def test_what_it_went_on_from_is_written_down(ended: Ended) -> None:
    before, after = (adapter.read(ended.root / name / "adapter") for name in ("first", "second"))
    assert (after.rank, after.alpha) == (before.rank, before.alpha) == (4, 8)
    settled = json.loads((ended.root / "second/effective.json").read_bytes())
    assert (settled["adapter"], settled["hashes"]["adapter"]) == (str(before.folder), before.sha256)
    record = json.loads((after.folder / adapter.RECORD).read_bytes())
    assert record["went_on_from"] == before.sha256
    known, earlier = adapter.trained_row_ids(after.folder), adapter.trained_row_ids(before.folder)
    assert (len(earlier), len(known)) == (28, 28 + 12)
    assert earlier < known


def test_it_pauses_and_goes_on_as_one_that_nobody_has_touched(ended: Ended) -> None:
    assert isinstance(ended.told["paused"][-1], Paused)
    assert curve([*ended.told["paused"], *ended.told["gone on"]]) == curve(ended.told["second"])
    assert adapter_difference(ended.root / "paused", ended.root / "second") == 0.0


def test_a_plan_tells_its_rank(ended: Ended) -> None:
    (effective,) = (event for event in ended.told["planned"] if isinstance(event, ResolvedRecipe))
    assert (effective.spec["rank"], effective.spec["alpha"]) == (4, 8)


@pytest.mark.parametrize(
    ("name", "code", "fact"),
    [
        ("known", "preflight_blocked", ("codes", ["holdout_known"])),
        ("cut", "adapter_unreadable", None),
    ],
)
def test_what_does_not_go_on_says_why(ended: Ended, name: str, code: str, fact: tuple[str, Any] | None) -> None:
    failed = ended.failure(name)
    assert failed.code == code
    assert fact is None or failed.facts[fact[0]] == fact[1]
