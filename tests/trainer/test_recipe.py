"""What a spec leaves open is decided from the data and the machine; what it says stays."""

import dataclasses
from typing import Any

import pytest

from trainer import recipe
from trainer.events import RunError
from trainer.recipe import RecipeFacts
from trainer.spec import DEVICES, LOSSES, OPTIMIZERS, PRECISIONS, PRESETS, RunSpec

GIB = 1 << 30
CARD = RecipeFacts(2_000, 700, "cuda", int(23.6 * GIB), True, 8_000_000_000, "llama", "linux")
CPU = RecipeFacts(2_000, 700, "cpu", 16 * GIB, True, 268_000_000, "gemma3_text", "linux")


def decided(facts: RecipeFacts, changes: dict[str, Any] | None = None, **given: Any) -> RunSpec:
    spec = RunSpec(folder="/run", base="/base", train="/train.jsonl", validation="/validation.jsonl", **given)
    return recipe.resolve(spec, dataclasses.replace(facts, **(changes or {})))


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("facts", [CARD, CPU], ids=["card", "cpu"])
def test_nothing_is_left_open_but_the_form_and_the_limit_of_steps(facts: RecipeFacts, preset: str) -> None:
    effective = dataclasses.asdict(decided(facts, preset=preset))
    assert {name for name, value in effective.items() if value is None} == {"form", "max_steps"}


def test_deciding_twice_changes_nothing() -> None:
    once = decided(CARD, {"rows": 90})
    assert recipe.resolve(once, dataclasses.replace(CPU, rows=50_000)) == once


GIVEN = {
    "precision": PRECISIONS,
    "device": DEVICES,
    "loss": LOSSES,
    "optimizer": OPTIMIZERS,
    "gradient_checkpointing": (True, False),
    "context_tokens": (16,),
    "rank": (3,),
    "alpha": (5,),
    "dropout": (0.0, 0.3),
    "learning_rate": (1e-6,),
    "warmup_share": (0.0,),
    "final_rate_share": (0.5,),
    "weight_decay": (0.3,),
    "clip_norm": (2.0,),
    "micro_batch": (3,),
    "accumulation": (7,),
    "epochs": (0.5,),
    "max_steps": (11,),
    "evaluations_per_epoch": (0,),
    "patience": (9,),
}


@pytest.mark.parametrize("preset", PRESETS)
def test_what_the_spec_says_stays(preset: str) -> None:
    for field, values in GIVEN.items():
        for value in values:
            assert getattr(decided(CARD, preset=preset, **{field: value}), field) == value, field


@pytest.mark.parametrize(
    ("rows", "preset", "rank", "alpha"),
    [
        (3_000, "standard", 16, 32),
        (3_001, "standard", 32, 32),
        (20_000, "standard", 32, 32),
        (20_001, "standard", 64, 32),
        (20_001, "light", 8, 32),
        (100, "thorough", 32, 32),
        (5_000, "paper-2603.18037", 16, 16),
        (4_000, "paper-2603.18037-bases", 32, 16),
    ],
)
def test_the_rank_grows_with_the_rows(rows: int, preset: str, rank: int, alpha: int) -> None:
    effective = decided(CARD, {"rows": rows}, preset=preset)
    assert (effective.rank, effective.alpha) == (rank, alpha)


@pytest.mark.parametrize(
    ("gib", "longest", "context", "micro", "accumulation"),
    [
        (7.8, 700, 1024, 1, 16),
        (11.6, 700, 2048, 1, 16),
        (15.7, 700, 2048, 2, 8),
        (15.7, 2049, 4096, 2, 8),
        (23.6, 700, 4096, 4, 4),
        (47.4, 700, 4096, 4, 4),
        (79.2, 700, 4096, 8, 2),
        (79.2, 5000, 8192, 8, 2),
    ],
)
def test_memory_decides_length_and_micro_batch(
    gib: float, longest: int, context: int, micro: int, accumulation: int
) -> None:
    effective = decided(CARD, {"memory_bytes": int(gib * GIB), "tokens_longest": longest})
    assert (effective.context_tokens, effective.micro_batch, effective.accumulation) == (context, micro, accumulation)


@pytest.mark.parametrize(
    ("billions", "gib", "context", "micro"),
    [(4, 7.8, 1024, 1), (1.5, 7.8, 2048, 1), (4, 11.6, 2048, 1), (1.5, 11.6, 2048, 2), (14, 15.7, 2048, 1)],
)
def test_a_smaller_base_leaves_more_room(billions: float, gib: float, context: int, micro: int) -> None:
    changes = {"parameters": int(billions * 1e9), "memory_bytes": int(gib * GIB)}
    effective = decided(CARD, changes)
    assert (effective.context_tokens, effective.micro_batch) == (context, micro)


def test_a_share_of_the_memory_or_a_processor_that_is_asked_for_counts_instead() -> None:
    half = decided(CARD, memory_share=0.5)
    assert (half.context_tokens, half.micro_batch) == (2048, 1)
    effective = decided(CARD, {"parameters": 268_000_000}, device="cpu")
    assert (effective.precision, effective.optimizer, effective.micro_batch) == ("bf16", "adamw", 4)


@pytest.mark.parametrize(
    ("rows", "given", "micro", "accumulation"),
    [
        (499, {}, 4, 2),
        (500, {}, 4, 4),
        (500, {"micro_batch": 2}, 2, 8),
        (500, {"micro_batch": 5}, 5, 3),
        (500, {"micro_batch": 32}, 32, 1),
        (500, {"accumulation": 8}, 2, 8),
        (500, {"accumulation": 100}, 1, 100),
        (500, {"preset": "paper-2603.18037"}, 2, 4),
    ],
)
def test_a_step_has_16_examples_and_8_below_500_rows(
    rows: int, given: dict[str, Any], micro: int, accumulation: int
) -> None:
    effective = decided(CARD, {"rows": rows}, **given)
    assert (effective.micro_batch, effective.accumulation) == (micro, accumulation)


@pytest.mark.parametrize(
    ("facts", "changes", "precision", "optimizer", "gradient_checkpointing"),
    [
        (CARD, {}, "nf4", "adamw_8bit", True),
        (CARD, {"has_bf16": False}, "nf4", "adamw_8bit", True),
        (CARD, {"parameters": 268_000_000}, "nf4", "adamw_8bit", True),
        (CARD, {"memory_bytes": int(11.6 * GIB)}, "nf4", "paged_adamw_8bit", True),
        (CARD, {"memory_bytes": int(11.6 * GIB), "platform": "win32"}, "nf4", "adamw_8bit", True),
        (CPU, {}, "bf16", "adamw", False),
        (CPU, {"has_bf16": False}, "f32", "adamw", False),
        (CPU, {"parameters": 1_500_000_000}, "nf4", "adamw", True),
    ],
)
def test_the_device_decides_precision_and_optimizer(
    facts: RecipeFacts, changes: dict[str, Any], precision: str, optimizer: str, gradient_checkpointing: bool
) -> None:
    effective = decided(facts, changes)
    chosen = (effective.precision, effective.optimizer, effective.gradient_checkpointing)
    assert chosen == (precision, optimizer, gradient_checkpointing)


@pytest.mark.parametrize(
    ("facts", "changes", "given", "compute"),
    [
        (CARD, {}, {}, "bf16"),
        (CARD, {"has_bf16": False}, {}, "f16"),
        (CARD, {"has_bf16": False}, {"compute": "f32"}, "f32"),
        (CPU, {"has_bf16": False, "parameters": 1_500_000_000}, {}, "f32"),
        (CPU, {"has_bf16": False}, {}, "f32"),
        (CPU, {}, {"precision": "f32"}, "f32"),
        (CARD, {}, {"precision": "f16"}, "f16"),
    ],
)
def test_nf4_weights_are_multiplied_in_what_the_device_can_do(
    facts: RecipeFacts, changes: dict[str, Any], given: dict[str, Any], compute: str
) -> None:
    assert decided(facts, changes, **given).compute == compute


@pytest.mark.parametrize(
    ("rows", "given", "rate", "warmup"),
    [
        (80, {}, 3e-4, 5 / 30),
        (520, {}, 3e-4, 5 / 99),
        (528, {}, 3e-4, 5 / 99),
        (529, {}, 2e-4, 0.05),
        (9_000, {}, 2e-4, 0.05),
        (9_000, {"max_steps": 20}, 3e-4, 0.25),
        (9_000, {"max_steps": 2}, 3e-4, 0.5),
        (9_000, {"max_steps": 7}, 3e-4, 3 / 7),
        (9_000, {"preset": "thorough"}, 1e-4, 0.05),
        (80, {"preset": "paper-2603.18037"}, 2e-4, 0.05),
    ],
)
def test_few_steps_get_a_higher_rate_and_at_least_five_of_warm_up(
    rows: int, given: dict[str, Any], rate: float, warmup: float
) -> None:
    effective = decided(CARD, {"rows": rows}, **given)
    assert (effective.learning_rate, effective.warmup_share) == (rate, pytest.approx(warmup))


@pytest.mark.parametrize(("processes", "batches"), [(1, (4, 4)), (2, (4, 4)), (8, (2, 8)), (16, (1, 16))])
def test_processes_share_a_step_of_the_same_size(processes: int, batches: tuple[int, int]) -> None:
    shared = recipe.share_step(decided(CARD, micro_batch=4, accumulation=4), processes)
    assert (shared.micro_batch, shared.accumulation) == batches
    with pytest.raises(RunError, match="step_not_shared"):
        recipe.share_step(shared, 3 * processes)
    with pytest.raises(RunError, match="step_not_shared"):
        recipe.share_step(shared, 1, micro_batch=3)
    assert recipe.share_step(shared, 1, micro_batch=8).accumulation == 2


@pytest.mark.parametrize(("rows", "dropout"), [(499, 0.05), (500, 0.0)])
def test_few_rows_get_dropout(rows: int, dropout: float) -> None:
    assert decided(CARD, {"rows": rows}).dropout == dropout


def test_the_standard_is_the_recipe() -> None:
    effective = decided(CARD)
    assert (effective.clip_norm, effective.weight_decay, effective.final_rate_share) == (0.3, 0.0, 0.1)
    assert (effective.epochs, effective.evaluations_per_epoch, effective.patience) == (3.0, 4, 3)
    assert effective.loss == "answers"


@pytest.mark.parametrize(
    ("preset", "rank", "dropout"), [("paper-2603.18037", 16, 0.0), ("paper-2603.18037-bases", 32, 0.05)]
)
def test_the_paper_is_repeated_with_its_own_settings(preset: str, rank: int, dropout: float) -> None:
    effective = decided(CARD, {"rows": 100}, preset=preset)
    assert (effective.rank, effective.alpha, effective.dropout) == (rank, 16, dropout)
    assert (effective.loss, effective.context_tokens, effective.epochs) == ("all", 2048, 3.0)
    assert (effective.learning_rate, effective.warmup_share, effective.final_rate_share) == (2e-4, 0.05, 0.0)
    assert (effective.micro_batch, effective.accumulation, effective.weight_decay) == (2, 4, 0.01)
    assert (effective.precision, effective.optimizer, effective.clip_norm) == ("nf4", "adamw", 1.0)
    assert effective.evaluations_per_epoch == 0  # the last checkpoint counts
