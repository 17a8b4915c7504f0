"""Preference tuning: TRL's loss and gradients, in the same loop as other runs."""

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.trainer.training_runs import Curve, RunServer, curve, largest_difference, row, write_rows, write_spec
from trainer import recipe
from trainer.events import Event, Failed, Finished, Paused, ResolvedRecipe
from trainer.spec import PRESETS, RunSpec

# Of `preference_checks.pairs`: loss, norm of the gradient, and its product with sin(0), sin(1), …, by DPOTrainer of
# TRL 1.16.0 (beta 0.1, sigmoid, no smoothing) with transformers 5.24.0 and torch 2.13.0 on a processor. "adapter": its
# reference is a copy of the adapter that is trained further.
TRL = {
    "llama base": (0.7105259299, 2.3673741817, -0.6192635298),
    "llama adapter": (0.7822194695, 4.3113160133, -2.4052896500),
    "gemma2 base": (0.6894199848, 0.4522195458, -0.0498879105),
    "gemma2 adapter": (0.6864767075, 0.6780377030, -0.1816912889),
    "gemma3 base": (0.6956429482, 0.3809626400, -0.2427447289),
    "gemma3 adapter": (0.6941333413, 0.5642595291, -0.3426238298),
}
PAIRS: dict[str, Any] = {"loss": "preference", "dropout": 0.0, "epochs": 3.0}


class Tuned(NamedTuple):
    whole: Curve
    told: list[Event]
    folder: Path
    others: dict[str, Curve]


@pytest.fixture(scope="module")
def tuned(server: RunServer, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    root = tmp_path_factory.mktemp("preference")
    counts = {"train": 12, "validation": 4, "holdout": 4}
    given = {**PAIRS, **write_rows(root / "pairs", counts, are_pairs=True)}
    told = server.run(write_spec(root / "run", tiny_base, **given))
    others: dict[str, Curve] = {}
    spec = write_spec(root / "paused", tiny_base, **given, micro_batch=4, accumulation=1)
    within = {"within": "step", "at": 4, "commands_told": ["pause"]}
    first = server.run(spec, fault="asked", **within)
    assert isinstance(first[-1], Paused)
    others["resumed"] = curve([*first, *server.run(spec, "--resume")])
    further = {**given, "adapter": str(root / "run" / "adapter"), "max_steps": 1}
    others["further"] = curve(server.run(write_spec(root / "further", tiny_base, **further)))
    return Tuned(curve(told), told, root / "run", others)


def test_loss_and_gradients_are_those_of_trl(server: RunServer, tmp_path: Path) -> None:
    server.call("preference_checks", tmp_path)
    found = json.loads((tmp_path / "found.json").read_text("utf-8"))
    for name, theirs in TRL.items():
        assert [found[name][key] for key in ("loss", "norm", "dot")] == pytest.approx(theirs, rel=1e-5, abs=1e-6), name
    for name, ours in found.items():
        assert ours["apart"] == pytest.approx(ours["loss"], rel=1e-5), name  # padding changes nothing
        assert ours["filled"] == pytest.approx([0.0, ours["loss"]], rel=1e-5), name  # as among several processes
        assert ours["trained"] == ["default"], name
        assert ours["held"] == pytest.approx(0.0 if "own loss" in name else ours["loss"], rel=1e-5), name
    for family in ("llama", "gemma2", "gemma3"):  # a model that keeps its own loss
        ours, theirs = ([found[f"{family} {case}"][key] for key in ("loss", "dot")] for case in ("own loss", "base"))
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_the_chosen_answers_become_likelier_than_the_rejected_ones_and_a_paused_run_goes_on(tuned: Tuned) -> None:
    last = tuned.told[-1]
    assert isinstance(last, Finished)
    losses = list(tuned.whole.evaluations.values())
    assert losses[0] == pytest.approx(math.log(2), abs=1e-6)  # the policy is the reference
    assert tuned.others["further"].evaluations[0] == pytest.approx(math.log(2), abs=1e-6)  # as is an adapter's
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.6
    held = json.loads((tuned.folder / "holdout.json").read_text("utf-8"))["examples"]
    assert len(held) == 4
    assert sum(one["margin"] > 0 for one in held) >= 3
    assert all(one["labels"].count(-100) > 5 for one in held)
    shown = next(event for event in tuned.told if isinstance(event, ResolvedRecipe))
    assert shown.facts["examples"] == 12
    assert len(tuned.whole.losses) == shown.facts["steps"] == 9
    assert largest_difference(tuned.others["resumed"], tuned.whole) < 1e-4  # in larger batches


@pytest.mark.parametrize("rejected", [None, "", row(0)["messages"][-1]["content"]])
def test_a_row_without_a_worse_answer_is_refused(
    rejected: str | None, server: RunServer, tiny_base: Path, tmp_path: Path
) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps({**row(0), "rejected": rejected}) + "\n", encoding="utf-8")
    given = {**PAIRS, "train": str(file), "validation": str(file)}
    last = server.run(write_spec(tmp_path / "run", tiny_base, **given))[-1]
    assert isinstance(last, Failed)
    assert (last.code, last.facts["line"]) == ("data_invalid", 1)


def test_no_preset_trains_pairs_as_fast_as_rows() -> None:
    facts = recipe.RecipeFacts(200, 100, "cpu", 1 << 34, True, 10**8, "llama", "linux")
    for preset in PRESETS:
        found = recipe.resolve(RunSpec("x", "x", "x", "x", preset=preset, loss="preference"), facts)
        assert (found.loss, found.dropout) == ("preference", 0.0)
        assert found.learning_rate is not None
        assert found.learning_rate <= 5e-5
