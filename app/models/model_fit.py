"""Judge whether a model fits into this machine's memory, and suggest alternatives if it does not.

A model is a file (its header is read), a catalogue card, or, before any file exists, one of the sizes in `SHAPES`.
Each size represents a published model of that shape (its config.json) at Q4_K_M, the quantization that the catalogue
recommends.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from app.base.settings import CONTEXT_CHOICES, Settings
from app.inference import machine, memory_estimate, speed
from app.inference.gguf import GgufArray, GgufHeader, TensorInfo
from app.inference.machine import MemoryBudget, MemoryVerdict
from app.inference.memory_estimate import MemoryEstimate
from app.inference.speed import MachineSpeed, PredictedSpeed
from app.models import catalogue
from app.models.catalogue import Catalogue, ModelCard, ModelFile, ModelShape

RECOMMENDED_SIZE = "8B"  # the smallest size that is good enough for work; larger ones answer more slowly

# Bits per weight of the two types that Q4_K_M mixes (ggml-quants).
_Q4_K_BITS, _Q6_K_BITS = 4.5, 6.5625

SHAPES = {
    "1B": ModelShape("llama", 16, 2048, 8192, 32, 8, 64, 128_256, 280_147, ties_embedding=True),  # Llama 3.2
    "3B": ModelShape("llama", 28, 3072, 8192, 24, 8, 128, 128_256, 280_147, ties_embedding=True),  # Llama 3.2
    "8B": ModelShape("llama", 32, 4096, 14_336, 32, 8, 128, 128_256, 280_147),  # Llama 3, Swallow
    "14B": ModelShape("qwen2", 48, 5120, 13_824, 40, 8, 128, 152_064, 151_387),  # Qwen 2.5
    "32B": ModelShape("qwen2", 64, 5120, 27_648, 40, 8, 128, 152_064, 151_387),  # Qwen 2.5
    "70B": ModelShape("llama", 80, 8192, 28_672, 64, 8, 128, 128_256, 280_147),  # Llama 3
}


@dataclass(frozen=True, slots=True)
class SizeFit:
    """States whether a model with a typical number of parameters, such as 8B, fits into the memory."""

    name: str  # "8B"
    file_bytes: int  # approximate
    need_bytes: int  # memory that it needs
    verdict: str  # comfortable | tight | insufficient
    speed: PredictedSpeed | None = None  # None: the machine's speed is not measured


def fit_sizes(
    available_bytes: int, context_tokens: int, kv_type: str = "f16", here: MachineSpeed | None = None
) -> tuple[SizeFit, ...]:
    """Return for each size of model in `SHAPES`, smallest first, whether it fits into `available_bytes` of memory.

    `context_tokens`: the length of the context. `kv_type`: the number type of the context's cache, such as f16 or q8_0.
    `here`: the speed of the machine; None: not measured.
    """
    return tuple(
        _size_fit(name, shape, available_bytes, context_tokens, kv_type, here) for name, shape in SHAPES.items()
    )


def recommended_size(sizes: Iterable[SizeFit]) -> SizeFit | None:
    """Return the largest size up to RECOMMENDED_SIZE that fits comfortably and is not slow; if all are slow, the
    smallest; None if not even that one fits."""
    names = list(SHAPES)
    wanted = names[: names.index(RECOMMENDED_SIZE) + 1]
    fitting = [size for size in sizes if size.verdict == "comfortable" and size.name in wanted]
    quick = [size for size in fitting if size.speed is None or not size.speed.is_slow]
    return (quick or fitting[:1])[-1] if fitting else None


def largest_size(sizes: Iterable[SizeFit]) -> SizeFit | None:
    """Return the largest size that fits comfortably; None if none does."""
    fitting = [size for size in sizes if size.verdict == "comfortable"]
    return fitting[-1] if fitting else None


def _size_fit(
    name: str, shape: ModelShape, available_bytes: int, context_tokens: int, kv_type: str, here: MachineSpeed | None
) -> SizeFit:
    header = header_of_shape(shape)
    needed = memory_estimate.estimate_memory(header, context_tokens, kv_type=kv_type)
    verdict = memory_estimate.judge_fit(needed, available_bytes)
    predicted = speed.predict(here, needed, header.parameters) if here is not None else None
    return SizeFit(name, header.weights_bytes, needed.total_bytes, verdict, predicted)


def header_of_shape(shape: ModelShape, weights: int = 0, context_length: int = 131_072) -> GgufHeader:
    """Return the header that a file of this shape would have, with the fields that the memory estimate reads.

    `weights`: bytes of the weights; 0: those of Q4_K_M.
    """
    weights = weights or shape_weights_bytes(shape)
    numbers = {
        "context_length": context_length,
        "embedding_length": shape.embedding_length,
        "block_count": shape.block_count,
        "feed_forward_length": shape.feed_forward_length,
        "attention.head_count": shape.head_count,
        "attention.head_count_kv": shape.head_count_kv,
        "attention.key_length": shape.key_length,
        "attention.value_length": shape.key_length,
    }
    return GgufHeader(
        path=Path("model.gguf"),
        version=3,
        alignment=32,
        metadata={
            "general.architecture": shape.architecture,
            **{f"{shape.architecture}.{name}": number for name, number in numbers.items()},
            "tokenizer.ggml.tokens": GgufArray("str", shape.vocab_size),
            "tokenizer.ggml.merges": GgufArray("str", shape.merges),
        },
        types={},
        tensors={"all": TensorInfo("all", (parameter_count(shape),), "Q4_K", 0, weights)},
        data_offset=0,
        file_bytes=weights,
    )


def parameter_count(shape: ModelShape) -> int:
    plain, mixed = _block_weights(shape)
    tables = shape.vocab_size * shape.embedding_length * (1 if shape.ties_embedding else 2)
    return shape.block_count * (plain + mixed) + tables


def shape_weights_bytes(shape: ModelShape) -> int:
    """Return the bytes of the weights at Q4_K_M.

    Half of the value and down projections and the last layer are in Q6_K, the rest in Q4_K.
    """
    plain, mixed = _block_weights(shape)
    block_bits = plain * _Q4_K_BITS + mixed * (_Q4_K_BITS + _Q6_K_BITS) / 2
    table = shape.vocab_size * shape.embedding_length
    table_bits = table * (_Q6_K_BITS if shape.ties_embedding else _Q4_K_BITS + _Q6_K_BITS)
    return round((shape.block_count * block_bits + table_bits) / 8)


def _block_weights(shape: ModelShape) -> tuple[int, int]:
    """Return the numbers of weights in one layer: those always in Q4_K, and those of which half are in Q6_K."""
    width, feed_forward = shape.embedding_length, shape.feed_forward_length
    inner, inner_kv = shape.head_count * shape.key_length, shape.head_count_kv * shape.key_length
    return 2 * width * inner + width * inner_kv + 2 * width * feed_forward, width * inner_kv + feed_forward * width


# Estimated bytes of cache and buffers, if a card does not have the model's dimensions.
_ROUGH_CHAT_BYTES = 1_000_000_000
_ROUGH_EMBEDDING_BYTES = 500_000_000

Estimate = Callable[[int], MemoryEstimate]  # context length -> memory it needs


@dataclass(frozen=True, slots=True)
class ModelFit:
    """Holds the memory that a model needs with one context length, and whether it fits."""

    context_tokens: int
    memory_estimate: MemoryEstimate
    judgement: MemoryVerdict
    budget: MemoryBudget
    parameters: int  # approximate
    is_rough: bool = False  # True: the cache's size is unknown and covered by an allowance


@dataclass(frozen=True, slots=True)
class FitAdvice:
    """Holds suggestions that would each fit into the memory; None or "" if there is none of the kind."""

    context_tokens: int | None = None  # the same model with a shorter context
    quantization: str = ""  # a smaller quantization of the same model
    card: ModelCard | None = None  # another model


@dataclass(frozen=True, slots=True)
class FitResult:
    """Holds the fit of a model or published file, with advice and speed."""

    fit: ModelFit
    advice: FitAdvice  # empty if it fits
    predicted: PredictedSpeed | None  # None: not measured, on the GPU, or no chat model
    recorded: PredictedSpeed | None = None  # None: the model has not been used here
    is_chat: bool = True

    @property
    def verdict(self) -> str:
        return self.fit.judgement.verdict

    @property
    def speed(self) -> PredictedSpeed | None:
        return self.recorded or self.predicted

    @property
    def word(self) -> str:
        """Return the verdict on memory and speed: comfortable | slow | unmeasured | enough | tight | insufficient.

        "enough" is that of a model that answers nothing, of which only the memory is judged.
        """
        if self.verdict != "comfortable":
            return self.verdict
        if not self.is_chat:
            return "enough"
        if self.speed is None:
            return "unmeasured"
        return "slow" if self.speed.is_slow else "comfortable"


@dataclass(frozen=True, slots=True)
class FitConditions:
    """Holds the memory, speed and load settings for which models are judged."""

    budget: MemoryBudget
    context_tokens: int
    kv_type: str
    speed: MachineSpeed | None  # None: not measured

    @classmethod
    def of_settings(cls, chosen: Settings, here: MachineSpeed | None, reclaimable_bytes: int = 0) -> Self:
        """Return the conditions of this moment. `reclaimable_bytes`: of memory that would be freed."""
        budget = machine.measure_memory(reclaimable_bytes, chosen.graphics)
        return cls(budget, chosen.context_tokens, chosen.kv_type, here)

    def judge_file(
        self,
        header: GgufHeader,
        card: ModelCard | None,
        recorded: PredictedSpeed | None = None,
        projector: GgufHeader | None = None,
    ) -> FitResult:
        """Judge a model file by its header.

        `card`: None if the catalogue does not contain the model. `recorded`: its speed in use; None: not used here.
        `projector`: the part that reads pictures; None: none.
        """
        found = fit_of_file(header, self.context_tokens, self.budget, self.kv_type, projector)

        def estimate(tokens: int) -> MemoryEstimate:
            return memory_estimate.estimate_memory(header, tokens, kv_type=self.kv_type, projector=projector)

        result = self._result(found, card, estimate)
        return replace(result, recorded=recorded) if result.is_chat else result

    def judge_card(self, card: ModelCard, file: ModelFile) -> FitResult:
        """Judge a published file by its card."""
        found = fit_of_card(card, file, self.context_tokens, self.budget, self.kv_type)
        return self._result(found, card, lambda tokens: estimate_card(card, file, tokens, self.kv_type))

    def _result(self, fit: ModelFit, card: ModelCard | None, estimate: Estimate) -> FitResult:
        advice, predicted = FitAdvice(), None
        if fit.judgement.verdict == "insufficient":
            weights_bytes = fit.memory_estimate.weights_bytes
            advice = advise(estimate, fit.context_tokens, self.budget, card, weights_bytes, catalogue.load())
        is_chat = card is None or card.kind == "chat"
        if self.speed is not None and is_chat and fit.judgement.memory_kind != "graphics":
            active_share = card.active_share if card else 1.0
            predicted = speed.predict(self.speed, fit.memory_estimate, fit.parameters, active_share)
        return FitResult(fit, advice, predicted, is_chat=is_chat)


def fit_of_file(
    header: GgufHeader, context: int, budget: MemoryBudget, kv_type: str = "f16", projector: GgufHeader | None = None
) -> ModelFit:
    """Judge a model file by its header. `projector`: the part that reads pictures; None: none."""
    context = min(context, header.context_length or context)
    needed = memory_estimate.estimate_memory(header, context, kv_type=kv_type, projector=projector)
    return ModelFit(context, needed, machine.judge_memory(needed, budget), budget, header.parameters)


def fit_of_card(card: ModelCard, file: ModelFile, context: int, budget: MemoryBudget, kv_type: str = "f16") -> ModelFit:
    """Judge a published file by its card."""
    context = min(context, card.context_tokens)
    needed = estimate_card(card, file, context, kv_type)
    parameters = parameter_count(card.shape) if card.shape else round(file.size_bytes / _bytes_a_weight(file))
    return ModelFit(context, needed, machine.judge_memory(needed, budget), budget, parameters, card.shape is None)


def estimate_card(card: ModelCard, file: ModelFile, context: int, kv_type: str = "f16") -> MemoryEstimate:
    if card.shape is None:
        more = _ROUGH_EMBEDDING_BYTES if card.is_for_search else _ROUGH_CHAT_BYTES
        return MemoryEstimate(file.size_bytes, 0, more, file.size_bytes + more)
    header = header_of_shape(card.shape, file.size_bytes, card.context_tokens)
    return memory_estimate.estimate_memory(header, context, kv_type=kv_type)


def advise(
    estimate: Estimate, context: int, budget: MemoryBudget, card: ModelCard | None, weights_bytes: int, book: Catalogue
) -> FitAdvice:
    """Suggest changes for a model that does not fit. `weights_bytes`: size of that model's file."""
    contexts = [choice for choice in reversed(CONTEXT_CHOICES) if choice < context]
    shorter = next((choice for choice in contexts if _fits_into_memory(estimate(choice), budget)), None)
    lighter = _lighter(card, weights_bytes, context, budget) if card else None
    other = _largest_fitting_card(card, weights_bytes, context, budget, book)
    return FitAdvice(shorter, lighter.quantization if lighter else "", other)


def usual_file(card: ModelCard) -> ModelFile | None:
    """Return the card's Q4_K_M file, else one in another 4-bit form, else its smallest; None if it has no files."""
    four_bits = (file for file in card.files if "Q4" in file.quantization.upper())
    smallest = min(card.files, key=lambda file: file.size_bytes, default=None)
    return card.file_of("Q4_K_M") or next(four_bits, smallest)


def _lighter(card: ModelCard, weights_bytes: int, context: int, budget: MemoryBudget) -> ModelFile | None:
    """Return the largest file of the card that is smaller than `weights_bytes` and fits; None if there is none."""
    lighter = [file for file in card.files if file.size_bytes < weights_bytes * 0.98]
    fitting = [file for file in lighter if _fits_into_memory(estimate_card(card, file, context), budget)]
    return max(fitting, key=lambda file: file.size_bytes, default=None)


def _largest_fitting_card(
    card: ModelCard | None, weights_bytes: int, context: int, budget: MemoryBudget, book: Catalogue
) -> ModelCard | None:
    """Return the largest other chat model that is smaller than `weights_bytes` and fits comfortably; None: none."""
    candidates: list[tuple[int, ModelCard]] = []
    for other in book.cards:
        file = other.file_of("Q4_K_M")
        if (
            other.kind != "chat"
            or other.is_trial
            or other.is_found
            or file is None
            or (card is not None and other.id == card.id)
        ):
            continue
        needed = estimate_card(other, file, min(context, other.context_tokens))
        if file.size_bytes < weights_bytes and machine.judge_memory(needed, budget).verdict == "comfortable":
            candidates.append((file.size_bytes, other))
    return max(candidates, key=lambda candidate: candidate[0])[1] if candidates else None


def _fits_into_memory(estimate: MemoryEstimate, budget: MemoryBudget) -> bool:
    return machine.judge_memory(estimate, budget).verdict != "insufficient"


def _bytes_a_weight(file: ModelFile) -> float:
    """Return the average bytes per weight of an 8B model in the file's quantization."""
    bits = {"Q8_0": 8.5, "Q6_K": 6.56, "Q5_K_M": 5.7, "F16": 16.0, "BF16": 16.0}
    return bits.get(file.quantization, 4.89) / 8
