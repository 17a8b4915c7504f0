"""What a step learns from: the same gradients as transformers' own, however a batch is cut, and from answers alone."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.trainer.training_runs import (
    SETTINGS,
    STEPS,
    Curve,
    RunServer,
    adapter_difference,
    curve,
    largest_difference,
    write_spec,
)
from trainer.events import Event, Finished, ResolvedRecipe, TrainingStep

FAMILIES = ("llama", "gemma2", "gemma3", "qwen3")
CUTS = ((8, 1), (2, 4), (1, 8))  # micro batch and accumulation


class Measured(NamedTuple):
    checks: dict[str, Any]
    curves: dict[tuple[int, int], Curve]
    folders: dict[tuple[int, int], Path]
    told: list[Event]  # by a run that was watched
    notes: dict[str, Any]  # about that run
    narrow: Curve  # of a run in 16 bits, cut like CUTS[1]


@pytest.fixture(scope="module")
def measured(server: RunServer, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Measured:
    root = tmp_path_factory.mktemp("gradients")
    server.call("loss_checks", tiny_base, root / "losses.json")
    checks = json.loads((root / "losses.json").read_text("utf-8"))
    curves, folders = {}, {}
    for micro, accumulation in CUTS:
        folder = folders[micro, accumulation] = root / f"{micro}x{accumulation}"
        cut = {"micro_batch": micro, "accumulation": accumulation, "dropout": 0.0, "epochs": 1.0}
        curves[micro, accumulation] = curve(server.run(write_spec(folder, tiny_base, **cut)))
    cut = {"micro_batch": 2, "accumulation": 4, "dropout": 0.0, "epochs": 1.0}
    narrow = curve(server.run(write_spec(root / "narrow", tiny_base, precision="bf16", **cut)))
    notes = root / "notes.json"
    told = server.run(
        write_spec(root / "run", tiny_base, weight_decay=0.01, max_steps=1000), fault="watched", notes=str(notes)
    )
    return Measured(checks, curves, folders, told, json.loads(notes.read_text("utf-8")), narrow)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("dtype", "loss", "gradient"), [("f32", 1e-6, 1e-5), ("bf16", 5e-3, 3e-2)])
def test_loss_and_gradients_are_those_of_transformers(
    family: str, dtype: str, loss: float, gradient: float, measured: Measured
) -> None:
    found = measured.checks["losses"][f"{family} {dtype}"]
    assert found["loss"] < loss
    assert found["mean"] < loss
    assert found["gradient"] < gradient
    assert found["logits_kept"] == 1.0
    assert found["last_alone"] == 1.0  # an answer's first token does not compute the logits of its whole prompt
    if dtype == "f32":
        # Examples that are packed into one sequence do not see each other: positions begin anew with each; without
        # that they would. Gemma's layers look back over a window, too.
        assert found["packed"] < 1e-5
        assert found["packed_gradient"] < 1e-4
        assert found["seeing"] > 5e-3
        assert found["untrained"] == 0.0 < found["trained"]  # only what is to be learned sends a gradient back


@pytest.mark.parametrize("cut", CUTS[1:])
def test_accumulation_changes_nothing(cut: tuple[int, int], measured: Measured) -> None:
    """The rows of a step differ in length, and are trained from the longest down."""
    assert len(measured.curves[cut].losses) == 3
    assert largest_difference(measured.curves[cut], measured.curves[CUTS[0]]) < 1e-4
    assert adapter_difference(measured.folders[cut], measured.folders[CUTS[0]]) < 1e-3


@pytest.mark.parametrize(("precision", "projection"), [("nf4", "torch.uint8"), ("bf16", "torch.bfloat16")])
def test_nothing_of_the_base_is_made_larger(precision: str, projection: str, measured: Measured) -> None:
    """peft's preparation for 4 bits turns embedding and head into float32."""
    found = measured.checks["loaded"][precision]
    assert {found["embedding"], found["head"], found["norm"]} == {"torch.bfloat16"}
    assert found["projection"] == projection
    assert found["trained"] == ["torch.float32"]
    assert all("lora_" in name for name in found["trained_names"])
    assert found["are_taught"]
    assert found["own_loss"] < 1e-3  # packed and padded, in 16 bits
    assert found["checkpointed"][:2] == [True, False]
    # The head gets the last hidden states of each sequence as a tensor of their own, not as a slice, which torch
    # multiplies in 16 bits on a processor a hundred times as slowly.
    assert found["strides"] == [[found["width"], found["width"], 1]]


def test_sixteen_bits_learn_as_thirty_two_do_and_are_not_copied_into_them(measured: Measured) -> None:
    """The ratio is 0.9 where peft converts the input of each projection."""
    kept = measured.checks["kept"]
    assert kept["bf16"] < 0.65 * kept["f32"]
    narrow, wide = measured.curves[2, 4], measured.narrow
    assert list(wide.losses) == list(narrow.losses)
    assert largest_difference(wide, narrow) < 2e-2


def test_examples_are_evaluated_in_batches(measured: Measured) -> None:
    assert measured.checks["batched"]["passes"] == 3  # (31, 30), (28, 12), (9, 5)
    assert measured.checks["batched"]["difference"] < 1e-5


def test_answers_and_rows_kept_back_are_the_same_together_as_one_by_one(measured: Measured) -> None:
    together, alone = (measured.checks["evaluated"][size]["answers"] for size in ("100", "1"))
    assert together == alone
    assert len({text for text, _has_ended in together}) == 3
    together, alone = (measured.checks["evaluated"][size]["held_out"] for size in ("100", "1"))
    for name in ("base_nll", "adapter_nll"):
        assert together[name] == pytest.approx(alone[name], rel=1e-5)
    assert together["base_nll"] != pytest.approx(together["adapter_nll"], rel=1e-3)


# -------------------------------------------------------------- what a run is given


def test_every_sequence_of_a_batch_is_one_example(measured: Measured) -> None:
    """One beginning; each answer's end is labelled; nothing else stands in it; and it is seen once an epoch."""
    begin, end = 0, 4  # <|begin_of_text|>, <|eot_id|>
    seen: list[tuple[int, ...]] = []
    for batch in measured.notes["rows"]:
        for ids, labels in batch:
            assert ids.count(begin) == 1
            assert ids[0] == begin
            assert ids[-1] == labels[-1] == end
            assert all(label in (-100, id) for id, label in zip(ids, labels, strict=True))
            assert labels.count(end) == ids.count(end) // 2
            seen.append(tuple(ids))
    assert len(seen) == 48
    assert len(set(seen[:24])) == 24
    assert set(seen[:24]) == set(seen[24:])
    assert seen[:24] != seen[24:]  # in another order


def test_what_is_shown_is_what_is_used(measured: Measured) -> None:
    used = measured.notes
    shown = next(event for event in measured.told if isinstance(event, ResolvedRecipe))
    names = ("rank", "alpha", "dropout", "clip_norm", "seed")
    assert {name: used[name] for name in names} == {name: shown.spec[name] for name in names}
    assert shown.spec | SETTINGS == shown.spec
    assert used["dropouts"] == [shown.spec["dropout"]]
    assert used["scaling"] == shown.spec["alpha"] / shown.spec["rank"]
    assert used["targets"] == sorted(("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"))
    assert (used["optimizer"], shown.spec["optimizer"]) == ("AdamW", "adamw")
    assert used["weight_decay"] == [shown.spec["weight_decay"]] == [0.01]
    assert (used["precision"], shown.spec["precision"]) == ("torch.float32", "f32")
    assert used["checkpointing"] == shown.spec["gradient_checkpointing"]
    assert used["steps"] == shown.facts["steps"] == STEPS
    batches = [len(batch) for batch in used["rows"]]
    assert set(batches) == {shown.spec["micro_batch"]}
    assert len(batches) == STEPS * shown.spec["accumulation"]


def test_the_rate_that_is_told_is_the_one_of_the_step(measured: Measured) -> None:
    last, told = measured.told[-1], curve(measured.told)
    assert isinstance(last, Finished)
    assert (last.reason, last.step) == ("epochs", STEPS)  # before the most steps that were asked for
    left = [event.left_s for event in measured.told if isinstance(event, TrainingStep)]
    assert left[-1] > 0.0  # the last step's evaluation is to come
    assert list(told.rates.values()) == measured.notes["rates"]
    assert max(told.rates.values()) == SETTINGS["learning_rate"]
    assert list(told.evaluations) == [0, 3, 6, 9, 12]  # two an epoch
