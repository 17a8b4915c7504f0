"""Assess what this machine can train, from measurements made without torch: one verdict and further notes.

The size of a base model that fits is computed as for a run (`trainer.recipe`, `trainer.estimate`), with examples of
1,024 tokens and one example per batch. Without a training environment, obstacles are those of the torch that would be
installed, and no size is promised: only the environment shows whether its torch computes on this card.
"""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.inference import machine, memory_estimate
from app.inference.machine import Gpu
from app.models import catalogue, model_fit, starter
from app.models.training_environment import EnvironmentProbe
from trainer import estimate, recipe
from trainer.estimate import TrainedShape
from trainer.recipe import RecipeFacts
from trainer.spec import RunSpec

PUBLISHED_CUDA, PUBLISHED_CAPABILITY = 13, (7, 5)  # CUDA version and lowest card ("sm_" number) of PyPI's torch 2.13
DRIVERS = {11: 450, 12: 525, 13: 580}  # CUDA version -> oldest driver that supports it (release notes)
BF16_CAPABILITY, MATRIX_CAPABILITY = (8, 0), (7, 0)  # Ampere can compute in bfloat16, Volta has tensor cores
TOKENS, ROWS = 1024, 1000  # assumed tokens per example, assumed rows of training data
FIXABLE = ("driver_silent", "driver_old", "cpu_torch", "card_unseen", "memory_taken")  # the user can fix these
_MAKERS = ("AMD", "Intel")  # `machine.list_gpus` gives only the maker for their cards


@dataclass(frozen=True, slots=True)
class MachineMeasurements:
    """Measurements of this machine. `disk_bytes`: free bytes on the drive of the runs."""

    gpus: tuple[Gpu, ...]
    memory_bytes: int
    available_bytes: int
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class CapabilityNote:
    """A fact about the machine that limits training.

    `code`: key of the message text, which `facts` fill in. `is_grave`: it makes the card, or all training, unusable.
    """

    code: str
    facts: dict[str, Any] = field(default_factory=dict)
    is_grave: bool = True


@dataclass(frozen=True, slots=True)
class TrainingCapability:
    """The training that this machine is capable of.

    `card`: the NVIDIA card to train on, even if it is unusable; None if there is none. `size`: the largest base model
    that the card can train, like "8B"; "" if none. `can_practise`: the small practice model can be trained on the
    processor. `remarks`: all notes about the machine.
    """

    card: Gpu | None
    size: str
    can_practise: bool
    remarks: tuple[CapabilityNote, ...]

    @property
    def verdict(self) -> CapabilityNote:
        """Return the note "card" if a model can be trained, else the first fixable obstacle, else "no_cuda".

        "unverified": whether a model can be trained is not known before there is an environment.
        """
        if self.size and self.card is not None:
            return CapabilityNote("card", {"size": self.size, "free_bytes": self.card.free_bytes}, is_grave=False)
        telling = (*FIXABLE, "unverified")
        return next((remark for remark in self.remarks if remark.code in telling), CapabilityNote("no_cuda"))

    @property
    def notes(self) -> tuple[CapabilityNote, ...]:
        """Return the notes to show besides the verdict."""
        verdict = self.verdict
        others = tuple(remark for remark in self.remarks if remark != verdict)
        return (*others, CapabilityNote("no_cuda", is_grave=False)) if verdict.code in FIXABLE else others

    def has(self, code: str) -> bool:
        return any(remark.code == code for remark in self.remarks)


def measure(data: Path) -> MachineMeasurements:
    """Measure the machine whose data folder is `data`.

    This can take some seconds if a graphics driver starts or hangs. Raises OSError if the folder is missing.
    """
    here = machine.measure_machine(data)
    return MachineMeasurements(
        machine.list_gpus(), memory_estimate.memory_bytes(), here.available_bytes, here.free_disk_bytes
    )


def assess(measurements: MachineMeasurements, probe: EnvironmentProbe | None = None) -> TrainingCapability:
    """Assess what can be trained with the measurements.

    `probe`: the answer of the training environment; None if there is no environment or it has not answered yet.
    """
    card = _card(measurements.gpus)
    obstacles = list(_obstacles(measurements.gpus, card, probe))
    size, remarks = "", obstacles
    if card is not None and not obstacles:
        if probe is None:
            facts = {"card": card.name, "total_bytes": card.memory_bytes}
            remarks = [CapabilityNote("unverified", facts, is_grave=False)]
        else:
            size = largest_size(card, card.free_bytes or 0)
            remarks = list(_memory_notes(card, size))
            remarks += list(_disk_notes(measurements, size)) if size else []
        remarks += _capability_notes(card)
    practice = list(_practice_obstacles(measurements))
    return TrainingCapability(card, size, not practice, (*remarks, *([] if size else practice)))


def largest_size(card: Gpu, free_bytes: int) -> str:
    """Return the largest size of `model_fit.SHAPES` that trains in `free_bytes` of card memory; "" if none does."""
    allowed = round(free_bytes * estimate.REFUSED_SHARE)
    fitting = [name for name in model_fit.SHAPES if needed_bytes(name, card) <= allowed]
    return fitting[-1] if fitting else ""


def needed_bytes(size: str, card: Gpu) -> int:
    """Return the bytes of card memory that training a model of this size needs with the most economical settings."""
    shape = _shape(model_fit.SHAPES[size])
    facts = _facts(shape, "cuda", card.memory_bytes or 0, has_bf16=_has_bf16(card), platform=sys.platform)
    return estimate.estimate_memory(shape, recipe.resolve(_economical_spec("base"), facts), TOKENS).total


# --------------------------------------------------------------------- the card


def _card(gpus: tuple[Gpu, ...]) -> Gpu | None:
    """Return the NVIDIA card with the most memory, the first of equals, as a run does; None if there is none."""
    return max((gpu for gpu in gpus if gpu.name not in _MAKERS), key=lambda gpu: gpu.memory_bytes or 0, default=None)


def _obstacles(gpus: tuple[Gpu, ...], card: Gpu | None, probe: EnvironmentProbe | None) -> Iterator[CapabilityNote]:
    """Yield the first reason why no card can be used; nothing if the card can be used."""
    cuda = _major(probe.cuda) if probe and probe.cuda else PUBLISHED_CUDA
    least = probe.least_capability if probe and probe.cuda else PUBLISHED_CAPABILITY
    if card is None:
        yield CapabilityNote("other_gpu", {"card": gpus[0].name}) if gpus else CapabilityNote("no_gpu")
    elif not card.driver and not card.memory_bytes:
        yield CapabilityNote("driver_silent")
    elif card.capability is not None and card.capability < least:
        yield CapabilityNote("card_old", {"card": card.name, "has": _dotted(card.capability), "need": _dotted(least)})
    elif probe is not None and probe.cuda is None:
        yield CapabilityNote("cpu_torch", {"card": card.name})
    elif card.driver and _major(card.driver) < DRIVERS.get(cuda, 0):
        yield CapabilityNote("driver_old", {"driver": card.driver, "need": DRIVERS[cuda], "cuda": cuda})
    elif probe is not None and not probe.devices:
        yield CapabilityNote("card_unseen", {"card": card.name})
    elif not card.memory_bytes or not card.free_bytes:
        yield CapabilityNote("memory_untold", {"card": card.name})


def _memory_notes(card: Gpu, size: str) -> Iterator[CapabilityNote]:
    total, free = card.memory_bytes or 0, card.free_bytes or 0
    after = largest_size(card, total)
    if after != size:
        yield CapabilityNote("memory_taken", {"taken_bytes": total - free, "size": after}, is_grave=not size)
    elif not size:
        smallest = next(iter(model_fit.SHAPES))
        need = needed_bytes(smallest, card)
        yield CapabilityNote("memory_small", {"free_bytes": free, "need_bytes": need, "size": smallest})


def _capability_notes(card: Gpu) -> Iterator[CapabilityNote]:
    if card.capability is None:
        return
    if card.capability < MATRIX_CAPABILITY:
        yield CapabilityNote("card_slow", {"has": _dotted(card.capability)}, is_grave=False)
    if not _has_bf16(card):
        yield CapabilityNote("no_bf16", {"has": _dotted(card.capability)}, is_grave=False)


def _has_bf16(card: Gpu) -> bool:
    return card.capability is None or card.capability >= BF16_CAPABILITY


def _major(version: str) -> int:
    """Return the major version number; 0 if the version does not begin with a number."""
    first = version.partition(".")[0]
    return int(first) if first.isdecimal() else 0


def _dotted(capability: tuple[int, int]) -> str:
    return f"{capability[0]}.{capability[1]}"


# ------------------------------------------------------------ memory and the disk


def _disk_notes(measurements: MachineMeasurements, size: str) -> Iterator[CapabilityNote]:
    """Yield the disk space that is missing to train a GGUF base of that size, which must be converted."""
    shape = _shape(model_fit.SHAPES[size])
    facts = _facts(shape, "cuda", 0, has_bf16=True, platform="")
    disk = estimate.estimate_disk(shape, recipe.resolve(_economical_spec("base.gguf"), facts))
    facts_of_size = {"size": size, "free_bytes": measurements.disk_bytes, "need_bytes": disk.training}
    if disk.training > measurements.disk_bytes:
        yield CapabilityNote("disk_short", facts_of_size, is_grave=disk.training - disk.base > measurements.disk_bytes)


def _practice_obstacles(measurements: MachineMeasurements) -> Iterator[CapabilityNote]:
    """Yield the reasons why the practice model cannot be trained on the processor."""
    card = starter.card()
    assert card.shape is not None
    shape = _shape(card.shape)
    facts = _facts(shape, "cpu", measurements.memory_bytes, has_bf16=False, platform="")
    effective = recipe.resolve(_economical_spec("base.gguf"), facts)
    need, disk = (
        estimate.estimate_memory(shape, effective, TOKENS).total,
        estimate.estimate_disk(shape, effective).training,
    )
    if need > measurements.available_bytes * estimate.REFUSED_SHARE:
        yield CapabilityNote("practice_memory", {"free_bytes": measurements.available_bytes, "need_bytes": need})
    if disk > measurements.disk_bytes:
        yield CapabilityNote("practice_disk", {"free_bytes": measurements.disk_bytes, "need_bytes": disk})


def _economical_spec(base: str) -> RunSpec:
    """Return a run's settings that need the least memory: one example per batch and gradient checkpointing."""
    return RunSpec("-", base, "-", "-", micro_batch=1, gradient_checkpointing=True, context_tokens=TOKENS)


def _facts(shape: TrainedShape, device: str, memory_bytes: int, *, has_bf16: bool, platform: str) -> RecipeFacts:
    return RecipeFacts(ROWS, TOKENS, device, memory_bytes, has_bf16, shape.parameters, "", platform)


def _shape(shape: catalogue.ModelShape) -> TrainedShape:
    config: Mapping[str, Any] = {
        "model_type": shape.architecture,
        "num_hidden_layers": shape.block_count,
        "hidden_size": shape.embedding_length,
        "intermediate_size": shape.feed_forward_length,
        "num_attention_heads": shape.head_count,
        "num_key_value_heads": shape.head_count_kv,
        "head_dim": shape.key_length,
        "vocab_size": shape.vocab_size,
        "tie_word_embeddings": shape.ties_embedding,
    }
    return estimate.shape_from_config(config)
