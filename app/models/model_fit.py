"""Whether a model fits, be it a file at hand or a card; and what would fit where it does not."""

from collections.abc import Callable
from dataclasses import dataclass

from app.base.settings import CONTEXT_CHOICES
from app.inference import machine as rooms
from app.inference import memory_estimate
from app.inference.gguf import GgufHeader
from app.inference.machine import MemoryBudget, MemoryVerdict
from app.inference.memory_estimate import MemoryEstimate
from app.models import model_sizes
from app.models.catalogue import Catalogue, ModelCard, ModelFile

# Where a card does not tell the model's dimensions: what comes to the weights by experience (cache, buffers).
_ROUGH_CHAT_BYTES = 1_000_000_000
_ROUGH_EMBEDDING_BYTES = 500_000_000

Estimate = Callable[[int], MemoryEstimate]  # of a context


@dataclass(frozen=True, slots=True)
class ModelFit:
    context_tokens: int
    needed: MemoryEstimate
    judgement: MemoryVerdict
    room: MemoryBudget
    parameters: int  # about
    is_rough: bool = False  # the cache is not known: an allowance by experience stands in for it


@dataclass(frozen=True, slots=True)
class Advice:
    """What would fit, each on its own; None and "": nothing of that kind."""

    context_tokens: int | None = None  # the same model with a shorter context
    quantization: str = ""  # a lighter form of the same model
    card: ModelCard | None = None  # another model


def of_file(header: GgufHeader, context: int, room: MemoryBudget, kv_type: str = "f16") -> ModelFit:
    """Of a file at hand, from its header."""
    context = min(context, header.context_length or context)
    needed = memory_estimate.estimate_memory(header, context, kv_type=kv_type)
    return ModelFit(context, needed, rooms.judge_memory(needed, room), room, header.parameters)


def of_card(card: ModelCard, file: ModelFile, context: int, room: MemoryBudget, kv_type: str = "f16") -> ModelFit:
    """Of a published file, from the card's numbers."""
    context = min(context, card.context_tokens)
    needed = estimate_card(card, file, context, kv_type)
    parameters = model_sizes.parameters(card.shape) if card.shape else round(file.size_bytes / _bytes_a_weight(file))
    return ModelFit(context, needed, rooms.judge_memory(needed, room), room, parameters, card.shape is None)


def estimate_card(card: ModelCard, file: ModelFile, context: int, kv_type: str = "f16") -> MemoryEstimate:
    if card.shape is None:
        more = _ROUGH_EMBEDDING_BYTES if card.kind == "embedding" else _ROUGH_CHAT_BYTES
        return MemoryEstimate(file.size_bytes, 0, more, file.size_bytes + more)
    header = model_sizes.header_of(card.shape, file.size_bytes, card.context_tokens)
    return memory_estimate.estimate_memory(header, context, kv_type=kv_type)


def advise(
    estimate: Estimate, context: int, room: MemoryBudget, card: ModelCard | None, weights_bytes: int, book: Catalogue
) -> Advice:
    """What would fit instead of a model that does not. `weights_bytes`: of the file that was looked at."""
    contexts = [choice for choice in reversed(CONTEXT_CHOICES) if choice < context]
    shorter = next((choice for choice in contexts if _fits(estimate(choice), room)), None)
    lighter = _lighter(card, weights_bytes, context, room) if card else None
    return Advice(shorter, lighter.quantization if lighter else "", _other(card, weights_bytes, context, room, book))


def usual_file(card: ModelCard) -> ModelFile | None:
    """Q4_K_M, else the smallest. None: a card without files."""
    return card.file_of("Q4_K_M") or min(card.files, key=lambda file: file.size_bytes, default=None)


def _lighter(card: ModelCard, weights_bytes: int, context: int, room: MemoryBudget) -> ModelFile | None:
    """The heaviest form of the same model that is lighter and fits."""
    lighter = [file for file in card.files if file.size_bytes < weights_bytes * 0.98]
    fitting = [file for file in lighter if _fits(estimate_card(card, file, context), room)]
    return max(fitting, key=lambda file: file.size_bytes, default=None)


def _other(
    card: ModelCard | None, weights_bytes: int, context: int, room: MemoryBudget, book: Catalogue
) -> ModelCard | None:
    """The largest smaller model of the catalogue that fits comfortably."""
    candidates: list[tuple[int, ModelCard]] = []
    for other in book.cards:
        file = other.file_of("Q4_K_M")
        if other.kind != "chat" or other.is_trial or file is None or (card is not None and other.id == card.id):
            continue
        needed = estimate_card(other, file, min(context, other.context_tokens))
        if file.size_bytes < weights_bytes and rooms.judge_memory(needed, room).verdict == "comfortable":
            candidates.append((file.size_bytes, other))
    return max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _fits(needed: MemoryEstimate, room: MemoryBudget) -> bool:
    return rooms.judge_memory(needed, room).verdict != "insufficient"


def _bytes_a_weight(file: ModelFile) -> float:
    """Llama.cpp's averages for an 8B model."""
    bits = {"Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.7, "F16": 16.0, "BF16": 16.0}
    return bits.get(file.quantization, 4.89) / 8
