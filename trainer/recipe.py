"""Decide what a spec leaves open, from the data and the machine. Standard library only, without side effects.

A value that the spec gives is never changed. Sources: QLoRA (arXiv 2305.14314) for 4 bits and the clipping; the memory
of an 8B base is computed; ranks and batches for numbers of rows are a judgement.
"""

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trainer.events import RunError
from trainer.spec import RunSpec

GIB = 1 << 30
BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """The facts on which the recipe bases its decisions.

    `rows`: number of training rows. `memory_bytes`: memory of the card, or of the computer if there is no card.
    `has_bf16`: the device computes in bfloat16. `parameters`: number of the base's weights. `model_type`: as in
    config.json. `platform`: begins with "linux" on Linux.
    """

    rows: int
    tokens_longest: int
    device: str  # "cuda" | "cpu"
    memory_bytes: int
    has_bf16: bool
    parameters: int
    model_type: str
    platform: str


@dataclass(frozen=True, slots=True)
class MemoryTier:
    """Settings for which an 8B base in 4 bits leaves enough memory. `gib`: the least memory in GiB for this tier.

    Cards report slightly less than advertised. `context_tokens`: the usual limit of an example, and the highest.
    """

    gib: float
    context_tokens: tuple[int, int]
    micro_batch: int


_CARDS = (
    MemoryTier(0, (1024, 1024), 1),  # 8 GB card
    MemoryTier(11, (2048, 2048), 1),  # 12 GB card
    MemoryTier(15, (2048, 4096), 2),  # 16 GB card
    MemoryTier(22, (4096, 4096), 4),  # 24 GB card
    MemoryTier(70, (4096, 8192), 8),  # 80 GB card
)
_SMALL_ON_CPU = MemoryTier(0, (2048, 4096), 4)  # for fewer than a billion parameters
_LARGE_ON_CPU = MemoryTier(0, (1024, 2048), 1)
_TABLE_PARAMETERS = 8 * BILLION
_BYTES_PER_PARAMETER = 0.66  # an 8B base takes 5.3 GiB, including embeddings

_PAGED_GIB = 12.5  # up to this size the optimizer's states are paged out of the card; not on Windows
_FEW_ROWS = 500  # with fewer rows: smaller steps, and some dropout against memorizing
_RANKS = ((3_000, 16), (20_000, 32), (math.inf, 64))  # (rows up to, rank)
_FEW_STEPS = 100  # with fewer steps in total: a higher learning rate, or nothing is learned
_LEAST_WARMUP_STEPS = 5  # or half of all steps

# Settings of arXiv 2603.18037, and what its published training script leaves to its libraries: clipping and optimizer.
_PAPER: dict[str, Any] = {
    "alpha": 16,
    "learning_rate": 2e-4,
    "final_rate_share": 0.0,
    "warmup_share": 0.05,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "optimizer": "adamw",
    "context_tokens": 2048,
    "micro_batch": 2,
    "accumulation": 4,
    "epochs": 3.0,
    "evaluations_per_epoch": 0,  # the last checkpoint counts
    "loss": "all",
}
# The settings that a preset changes. "light" shows quickly whether the data help. "thorough" makes more passes in
# smaller steps; early stopping ends them. The others repeat the runs of a paper.
_PRESETS: dict[str, dict[str, Any]] = {
    "light": {"rank": 8, "epochs": 1.0, "evaluations_per_epoch": 2},
    "standard": {},
    "thorough": {"rank": 32, "epochs": 6.0, "learning_rate": 1e-4, "patience": 4},
    "paper-2603.18037": _PAPER | {"rank": 16, "dropout": 0.0},
    "paper-2603.18037-bases": _PAPER | {"rank": 32, "dropout": 0.05},
}


def resolve(spec: RunSpec, facts: RecipeFacts) -> RunSpec:
    """Return the spec with all fields decided except `form`, `max_steps`, and the paths."""
    values: dict[str, Any] = {}

    def decide(name: str, rule: Callable[[], Any]) -> Any:
        """Store and return the spec's value, or else the preset's, or else that of the recipe's rule."""
        value = getattr(spec, name)
        if value is None:
            value = _PRESETS[spec.preset].get(name)
        values[name] = rule() if value is None else value
        return values[name]

    device = decide("device", lambda: facts.device)
    is_small = facts.parameters < BILLION
    room = _memory_tier(facts, device, spec.memory_share)
    precision = decide("precision", lambda: _precision(facts, device))
    decide("compute", lambda: _computing_precision(facts, device) if precision == "nf4" else precision)
    decide("optimizer", lambda: _optimizer(facts, device))
    decide("gradient_checkpointing", lambda: not (device == "cpu" and is_small))
    decide("checkpoint_every", lambda: 1)
    decide("embedding_on_cpu", lambda: False)
    decide("context_tokens", lambda: room.context_tokens[facts.tokens_longest > room.context_tokens[0]])
    decide("loss", lambda: "answers")

    decide("rank", lambda: next(rank for rows, rank in _RANKS if facts.rows <= rows))
    decide("alpha", lambda: 32)  # scaled by 1 / rank, the best learning rate hardly depends on the rank
    decide("dropout", lambda: 0.05 if facts.rows < _FEW_ROWS else 0.0)

    batch = 8 if facts.rows < _FEW_ROWS else 16
    given = spec.accumulation or 1
    micro = decide("micro_batch", lambda: min(room.micro_batch, max(1, batch // given)))
    accumulation = decide("accumulation", lambda: max(1, batch // micro))
    epochs = decide("epochs", lambda: 3.0)
    steps = total_steps(facts.rows, micro * accumulation, epochs, spec.max_steps)
    decide("learning_rate", lambda: 3e-4 if steps < _FEW_STEPS else 2e-4)
    decide("warmup_share", lambda: max(0.05, min(_LEAST_WARMUP_STEPS, max(1, steps // 2)) / steps))
    decide("final_rate_share", lambda: 0.1)
    decide("weight_decay", lambda: 0.0)
    decide("clip_norm", lambda: 0.3)
    decide("evaluations_per_epoch", lambda: 2 if facts.rows < _FEW_ROWS else 4)
    decide("patience", lambda: 3)
    return dataclasses.replace(spec, **values)


def share_step(spec: RunSpec, processes: int, micro_batch: int | None = None) -> RunSpec:
    """Return the effective spec with a micro batch that lets the processes share a step, whose size stays the same.

    `micro_batch`: the one that the machine wants. Raises RunError("step_not_shared") if the number of examples per step
    is no multiple of the number of processes, or of theirs times `micro_batch`.
    """
    micro, step = spec.micro_batch or 1, (spec.micro_batch or 1) * (spec.accumulation or 1)
    if step % (processes * (micro_batch or 1)):
        raise RunError("step_not_shared", examples=step, processes=processes, micro_batch=micro_batch or 1)
    micro = micro_batch or micro
    micro = next(size for size in range(micro, 0, -1) if step // processes % size == 0)
    return dataclasses.replace(spec, micro_batch=micro, accumulation=step // micro)


def total_steps(rows: int, batch: int, epochs: float, max_steps: int | None) -> int:
    """Return the number of the optimizer's steps, at least 1. The last step of an epoch may have fewer examples."""
    steps = max(1, math.ceil(math.ceil(rows / batch) * epochs))
    return steps if max_steps is None else min(steps, max_steps)


def evaluation_interval(steps_per_epoch: int, evaluations_per_epoch: int) -> int:
    """Return the number of steps from one evaluation to the next; the last step is evaluated too."""
    return math.ceil(steps_per_epoch / max(evaluations_per_epoch, 1))


def evaluation_count(total: int, steps_per_epoch: int, evaluations_per_epoch: int) -> int:
    """Return the number of evaluations of a run of `total` steps, with that of the base; 0 if there are none."""
    if not evaluations_per_epoch:
        return 0
    return 1 + math.ceil(total / evaluation_interval(steps_per_epoch, evaluations_per_epoch))


def writes_samples(step: int, total: int, steps_per_epoch: int, interval: int) -> bool:
    """Return whether the evaluation at this step writes sample answers: those of the base, of each epoch, of the end.

    On a processor, sample answers take several times as long as the loss.
    """
    return step in (0, total) or step // steps_per_epoch > (step - interval) // steps_per_epoch


def _memory_tier(facts: RecipeFacts, device: str, memory_share: float) -> MemoryTier:
    """Return the tier for the memory; a base larger or smaller than 8B leaves that much less or more of it."""
    if device == "cpu":
        return _SMALL_ON_CPU if facts.parameters < BILLION else _LARGE_ON_CPU
    other = (facts.parameters - _TABLE_PARAMETERS) * _BYTES_PER_PARAMETER
    gib = (facts.memory_bytes * memory_share - other) / GIB
    return next((room for room in reversed(_CARDS) if gib >= room.gib), _CARDS[0])


def _precision(facts: RecipeFacts, device: str) -> str:
    """Return "nf4" on a card and for large bases; for a small base on a processor 4 bits save little and are slower."""
    if device == "cuda" or facts.parameters >= BILLION:
        return "nf4"
    return "bf16" if facts.has_bf16 else "f32"


def _computing_precision(facts: RecipeFacts, device: str) -> str:
    """Return "bf16" if it is not emulated, otherwise "f16" on a card (before Ampere) and "f32" on a processor."""
    if facts.has_bf16:
        return "bf16"
    return "f16" if device == "cuda" else "f32"


def _optimizer(facts: RecipeFacts, device: str) -> str:
    """Return the name of the optimizer.

    On a processor the 8-bit one takes five times as long, and LoRA's states are small anyway.
    """
    if device == "cpu":
        return "adamw"
    is_paged = facts.platform.startswith("linux") and facts.memory_bytes <= _PAGED_GIB * GIB
    return "paged_adamw_8bit" if is_paged else "adamw_8bit"
