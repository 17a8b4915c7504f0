"""Estimate a run's memory, disk space and time before anything is loaded. Standard library only, no side effects.

Activations follow what autograd keeps with transformers 5.24 and peft 0.21 (determined with its hooks, for Llama and
Gemma 3, in 16 and 32 bits; `tests/benchmarks/train_memory.py` repeats the comparison). The accounting of a layer
follows "Reducing Activation Recomputation in Large Transformer Models" (arXiv 2205.05198); that of 4-bit weights and
their constants follows QLoRA (arXiv 2305.14314). The estimates have not been compared with a graphics card yet.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trainer import recipe
from trainer.spec import RunSpec

REFUSED_SHARE = 0.92  # share of the free memory; a run that needs more does not begin
KEPT_CHECKPOINTS = 3  # the two newest and the best
CHUNK_ELEMENTS = 1 << 25  # logits computed at once: 128 MiB in float32; three such arrays exist

_NF4_BYTES = 0.5 + (1 + 4 / 256) / 64  # one byte per 64 weights and four per 256 of these bytes: 4.127 bits
_BYTES = {"nf4": 2, "bf16": 2, "f16": 2, "f32": 4}  # per number in computation and in the token tables
CONTEXT_BYTES = 600 << 20  # CUDA's context and its libraries' code
_SPARE_SHARE = 0.1  # share of the activations; an assumption
_CPU_LIBRARIES_BYTES = 420_000_000  # Python with torch, transformers and peft; measured 0.41 GB
_CPU_SPARE_BYTES = 600_000_000  # heap fragmentation with checkpointing; measured 0.7 GB
_CPU_TOKEN_BYTES = 1400  # the tokenizer's memory per token; measured with Gemma 3's 262,144
_LOG_BYTES = 64 << 20
_FOUR_NORMS = ("gemma2", "gemma3", "gemma3_text")
_HEAD_NORMS = ("gemma3", "gemma3_text", "qwen3", "olmo2", "exaone4")  # model types that normalize each query and key

# Part of a card's name -> 10^12 operations per second for 16-bit products with 32-bit sums (published peaks).
_CARDS = {
    "H200": 989, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A6000": 155, "T4": 65, "V100": 125,
    "5090": 210, "5080": 113, "5070 Ti": 88, "5070": 62, "5060 Ti": 47,
    "4090": 165, "4080": 98, "4070 Ti": 80, "4070": 58, "4060 Ti": 44, "4060": 30, "3090": 71, "3080": 60, "3060": 26,
}  # fmt: skip
_UNKNOWN_CARD = 30
# The share of the peak that products reach. 0.3 follows from 2,340 tokens/s for a 7B base on an A100, as its maker
# published. On cards for desktops 0.45 lies below what follows from published runs of 8B bases: 0.51 from 1.35 examples
# of 321 tokens a second on an RTX 4060 Ti (arXiv 2603.18037), 0.6 from 2,413 tokens/s on an RTX 4090 (torchtune).
_REACHED_SHARE, _REACHED_SHARE_OF_SERVERS = 0.45, 0.3
_SERVER_CARD = 300  # 10^12 operations per second, from which the second share is assumed
# Unpacking a weight of 4 bits reads 0.5 bytes and writes 2. At 80 % of the memory's speed this takes as long as so many
# operations (RTX 4060 Ti 216, 4090 231, A100 189), once for each pass of a micro batch through the layers.
_UNPACKING_OPERATIONS = 220
# Speed of a processor in products of 16 bits, if that in 32 is 1: products take 0.45 of the time (AMD Zen 4), and what
# is no product, half of it all, shrinks little.
BF16_SPEED = 1.5
_CHECKPOINTING = (0, 4, 2, 1)  # layers per layer that computes its activations again; 0: none does


@dataclass(frozen=True, slots=True)
class TrainedShape:
    """The shape of the base's text model. Widths are numbers per token."""

    layers: int
    width: int
    inner: int  # width of the feed-forward part
    queries: int  # heads x numbers per head
    keys: int  # heads x numbers per head, for keys and for values
    vocabulary: int
    is_tied: bool
    norms: int = 2  # norms per layer
    has_head_norms: bool = False
    caps_logits: bool = False
    other_weights: int = 0  # vectors, and weights not covered by the other fields

    @property
    def matrices(self) -> tuple[tuple[int, int], ...]:
        """Return the input and output widths of a layer's seven projections."""
        wide = (self.width, self.inner)
        attention = ((self.width, self.queries), (self.width, self.keys), (self.width, self.keys))
        return (*attention, (self.queries, self.width), wide, wide, (self.inner, self.width))

    @property
    def linear_weights(self) -> int:
        """Return the number of weights in the projections of all layers."""
        return self.layers * sum(rows * columns for rows, columns in self.matrices)

    @property
    def even_tokens(self) -> float:
        """Return the tokens of a sequence for which attention takes as many operations as the projections."""
        return self.linear_weights / (2 * self.queries * self.layers)

    @property
    def embedding_and_head_weights(self) -> int:
        """Return the number of weights in the token embedding and in the output head, if that is not tied to it."""
        return self.vocabulary * self.width * (1 if self.is_tied else 2)

    @property
    def parameters(self) -> int:
        return self.linear_weights + self.embedding_and_head_weights + self.other_weights

    def lora_weights(self, rank: int) -> int:
        """Return the number of weights in the LoRA matrices A and B of all layers."""
        return self.layers * rank * sum(rows + columns for rows, columns in self.matrices)


def shape_from_config(config: Mapping[str, Any], parameters: int = 0) -> TrainedShape:
    """Return a base's shape from its config.json. `parameters`: the count from the weights files; 0 if unknown.

    Raises KeyError for a configuration that lacks one of the lengths.
    """
    text: Mapping[str, Any] = config.get("text_config") or config
    kind = str(text.get("model_type", config.get("model_type", "")))
    width, heads = int(text["hidden_size"]), int(text["num_attention_heads"])
    length = int(text.get("head_dim") or (256 if kind.startswith("gemma") else width // heads))
    shape = TrainedShape(
        layers=int(text["num_hidden_layers"]),
        width=width,
        inner=int(text["intermediate_size"]),
        queries=heads * length,
        keys=int(text.get("num_key_value_heads") or heads) * length,
        vocabulary=int(text["vocab_size"]),
        is_tied=bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", kind.startswith("gemma")))),
        norms=4 if kind in _FOUR_NORMS else 2,
        has_head_norms=kind in _HEAD_NORMS,
        caps_logits=bool(text.get("final_logit_softcapping")),
    )
    return dataclasses.replace(shape, other_weights=max(0, parameters - shape.parameters))


# -------------------------------------------------------------------- memory


@dataclass(frozen=True, slots=True)
class TrainingMemory:
    """The memory of a run in bytes; the parts add up to the total.

    `kept`: activations, from forward to backward. `working`: peak of temporary memory. `libraries`: in use before
    anything is loaded; leave it out when comparing with the free memory of a running process.
    """

    weights: int  # frozen weights of the projections
    tables: int  # token tables, head, and vectors; never in 4 bits
    adapter: int  # LoRA and its gradients, in 32 bits, and LoRA once more in 16 bits where these are computed in
    optimizer: int
    kept: int
    working: int
    spare: int  # an allocator's blocks are larger than requested
    libraries: int

    @property
    def total(self) -> int:
        return sum(dataclasses.astuple(self))


def estimate_memory(shape: TrainedShape, spec: RunSpec, longest_tokens: int) -> TrainingMemory:
    """Estimate the memory that a run needs on the card, or in the process on a CPU.

    `spec`: the effective spec. `longest_tokens`: tokens of the longest example.
    """
    positions = (spec.micro_batch or 1) * spec.sequences * longest_tokens
    number = _BYTES[str(spec.compute or spec.precision)]
    lora = shape.lora_weights(spec.rank or 16)
    is_packed = spec.precision == "nf4"
    layer = positions * _layer_token_bytes(shape, spec, longest_tokens)
    largest = number * max(rows * columns for rows, columns in shape.matrices) if is_packed else 0
    passing = positions * (8 * shape.inner + (12 * shape.width if number == 2 else 0)) + largest
    elsewhere = shape.vocabulary * shape.width if spec.embedding_on_cpu and not shape.is_tied else 0
    checkpointed = _checkpointed_layers(shape, spec)
    kept = checkpointed * positions * shape.width * number + (shape.layers - checkpointed) * layer
    again = layer if checkpointed else 0
    working = max(again + passing, _head_bytes(shape, positions, number))
    return TrainingMemory(
        weights=round(shape.linear_weights * (_NF4_BYTES if is_packed else number)),
        tables=(shape.embedding_and_head_weights + shape.other_weights - elsewhere) * number,
        adapter=lora * ((10 if number == 2 else 8) + (4 if spec.adapter and spec.is_preference else 0)),
        optimizer=round(lora * optimizer_bytes(spec)),
        kept=kept,
        working=working,
        spare=_spare_bytes(spec, kept + working),
        libraries=_CPU_LIBRARIES_BYTES + _CPU_TOKEN_BYTES * shape.vocabulary if spec.device == "cpu" else CONTEXT_BYTES,
    )


def _checkpointed_layers(shape: TrainedShape, spec: RunSpec) -> int:
    return math.ceil(shape.layers / (spec.checkpoint_every or 1)) if spec.gradient_checkpointing else 0


def _spare_bytes(spec: RunSpec, activations: int) -> int:
    if spec.device == "cpu":
        return _CPU_SPARE_BYTES if spec.gradient_checkpointing else 0
    return round(_SPARE_SHARE * activations)


def _layer_token_bytes(shape: TrainedShape, spec: RunSpec, longest_tokens: int) -> int:
    """Return the bytes per token that autograd keeps for one layer.

    Projections share their inputs, and attention keeps that of the last one. Norms compute in 32 bits.
    """
    number = _BYTES[str(spec.compute or spec.precision)]
    width, inner, queries, keys = shape.width, shape.inner, shape.queries, shape.keys
    if spec.dropout:  # a second copy of each input, and the dropout mask
        marks = number if spec.device == "cpu" else 1
        inputs = (number + marks) * (5 * width + queries + inner)
    else:
        inputs = number * (2 * width + inner)
    # Padding: keys and values are repeated for each head, and the mask is kept.
    if (spec.micro_batch or 1) * spec.sequences > 1:
        attention = number * (4 * queries + longest_tokens)
    else:
        attention = 2 * number * (queries + keys)
    head_norms = 4 * (queries + keys) if shape.has_head_norms else 0
    norms = 4 * width * shape.norms + head_norms
    return inputs + attention + norms + 3 * number * inner + 7 * number * (spec.rank or 16)


def _head_bytes(shape: TrainedShape, positions: int, number: int) -> int:
    """Return the bytes of the head: a chunk of logits, another 32-bit array of its size, and the hidden states.

    `positions`: number of tokens in a micro batch. `number`: bytes per number.
    """
    elements = min(CHUNK_ELEMENTS, positions * shape.vocabulary)
    return elements * (12 if shape.caps_logits else 8) + 2 * positions * shape.width * number


def optimizer_bytes(spec: RunSpec) -> float:
    """Return the bytes of Adam's two moments for each trained weight.

    An 8-bit optimizer takes one byte per moment and a float32 scale per 256 moments; others take four bytes per moment.
    """
    return 2 * (1 + 4 / 256) if "8bit" in str(spec.optimizer) else 8


# ---------------------------------------------------------------------- disk


@dataclass(frozen=True, slots=True)
class TrainingDisk:
    """The disk space of a run in bytes. `base`: the folder into which a GGUF base is converted once."""

    base: int
    checkpoints: int  # maximum, including one being written
    adapter: int  # PEFT's files, the GGUF, and a copy of the adapter to train further
    logs: int

    @property
    def training(self) -> int:
        return self.base + self.checkpoints + self.adapter + self.logs


def estimate_disk(shape: TrainedShape, spec: RunSpec) -> TrainingDisk:
    lora = shape.lora_weights(spec.rank or 16)
    has_folder = not str(spec.base).lower().endswith(".gguf")
    return TrainingDisk(
        base=0 if has_folder else 2 * shape.parameters,
        checkpoints=round((KEPT_CHECKPOINTS + 1) * lora * (4 + optimizer_bytes(spec))),
        adapter=lora * (12 if spec.adapter else 8),
        logs=_LOG_BYTES,
    )


# ---------------------------------------------------------------------- time


@dataclass(frozen=True, slots=True)
class EpochWorkload:
    """Token counts of an epoch's examples.

    `trained`: tokens that count for the loss. `validation_tokens`: tokens of one evaluation. `processes`: number of
    processes of a distributed run. `lengths`: tokens of each example, in the order of an epoch, from which padding
    follows; () for none.
    """

    examples: int
    tokens: int
    trained: int
    validation_tokens: int = 0
    processes: int = 1
    lengths: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class TrainingTime:
    step_s: float
    steps: int  # maximum: early stopping may end the run sooner
    total_s: float  # includes evaluations


def estimate_time(shape: TrainedShape, spec: RunSpec, load: EpochWorkload, flops_per_s: float) -> TrainingTime:
    """Estimate the time of a run.

    `flops_per_s`: operations per second that the device reaches (`card_flops_per_s`), a processor in 32 bits; a
    multiplication and an addition count as two.
    """
    if spec.device == "cpu" and spec.compute == "bf16":
        flops_per_s *= BF16_SPEED
    batch = (spec.micro_batch or 1) * (spec.accumulation or 1)
    flops_per_s *= load.processes
    steps_per_epoch = max(1, math.ceil(load.examples / batch))
    steps = recipe.total_steps(load.examples, batch, spec.epochs or 1.0, spec.max_steps)
    length = load.tokens / max(load.examples * spec.sequences, 1)
    forward = 2 * shape.linear_weights + 4 * length * shape.queries * shape.layers
    # With frozen weights, backward costs as much as forward.
    passes = 2 + _checkpointed_layers(shape, spec) / shape.layers
    head = 4 * shape.vocabulary * shape.width * load.trained
    references = 0.0
    if spec.is_preference:  # the reference is another forward pass, in evaluations too
        references = load.tokens * forward + head / 2
    lora = 6 * shape.lora_weights(spec.rank or 16)
    even = 0.0 if spec.is_preference else shape.even_tokens
    lengths = load.lengths or [round(length)] * load.examples
    work = epoch_work(lengths, batch, spec.micro_batch or 1, even) * spec.sequences
    micro_batches = math.ceil(load.examples / (spec.micro_batch or 1))
    unpacking = _UNPACKING_OPERATIONS * shape.linear_weights * passes * micro_batches if spec.precision == "nf4" else 0
    each = passes * (2 * shape.linear_weights if even else forward) + lora
    step_s = (work * each + head + references + unpacking) / flops_per_s / steps_per_epoch
    evaluations = recipe.evaluation_count(steps, steps_per_epoch, spec.evaluations_per_epoch or 0)
    evaluation_s = load.validation_tokens * (forward + 2 * shape.vocabulary * shape.width) / flops_per_s
    evaluation_s *= spec.sequences
    return TrainingTime(step_s, steps, steps * step_s + evaluations * evaluation_s)


def is_packed(lengths: Sequence[int], even_tokens: float) -> bool:
    """Return whether a micro batch of these lengths takes fewer operations as one sequence than with padding.

    Without a kernel for it, attention computes products between the examples too, and masks them.
    """
    packed, padded, longest = sum(lengths), len(lengths) * max(lengths), max(lengths)
    return even_tokens > 0 and packed * (even_tokens + packed) < padded * (even_tokens + longest)


def batch_work(lengths: Sequence[int], even_tokens: float) -> float:
    """Return the operations of a micro batch, in units of those of one token in the projections."""
    whole = is_packed(lengths, even_tokens)
    tokens, seen = (sum(lengths), sum(lengths)) if whole else (len(lengths) * max(lengths), max(lengths))
    return tokens * (1 + (seen / even_tokens if even_tokens else 0))


def epoch_work(lengths: Sequence[int], step_examples: int, micro_batch: int, even_tokens: float) -> float:
    """Return the operations of an epoch like `batch_work`; each step sorts its examples by length."""
    steps = (lengths[at : at + step_examples] for at in range(0, len(lengths), step_examples))
    ordered = [length for step in steps for length in sorted(step, reverse=True)]
    batches = (ordered[at : at + micro_batch] for at in range(0, len(ordered), micro_batch))
    return sum(batch_work(batch, even_tokens) for batch in batches)


def card_flops_per_s(name: str) -> float:
    """Return the operations per second that products on a card of this name are assumed to reach."""
    found = next((peak for part, peak in _CARDS.items() if part.casefold() in name.casefold()), _UNKNOWN_CARD)
    return found * 1e12 * (_REACHED_SHARE_OF_SERVERS if found >= _SERVER_CARD else _REACHED_SHARE)


# ------------------------------------------------------------------- the card


def fit_card(
    shape: TrainedShape,
    spec: RunSpec,
    requested: RunSpec,
    load: EpochWorkload,
    available_bytes: int,
    *,
    activations_factor: float = 1.0,
) -> RunSpec:
    """Return the effective spec with the settings that use the card's memory for the shortest time.

    These are the micro batch, at the same number of examples per step, and the layers that compute their activations
    again. A field that `requested` sets is not changed. If nothing fits, the settings that need the least memory are
    returned, with the embedding in the machine's memory. `activations_factor`: measured by estimated memory of the
    activations.
    """
    batch, longest = (spec.micro_batch or 1) * (spec.accumulation or 1), max(load.lengths)
    sizes = [size for size in range(1, batch + 1) if batch % size == 0]
    micro_batches = [spec.micro_batch or 1] if requested.micro_batch or requested.accumulation else sizes
    every: Sequence[int] = _CHECKPOINTING
    if (requested.gradient_checkpointing, requested.checkpoint_every) != (None, None):
        every = ((spec.checkpoint_every or 1) * bool(spec.gradient_checkpointing),)
    candidates = [
        dataclasses.replace(
            spec,
            micro_batch=micro_batch,
            accumulation=batch // micro_batch,
            gradient_checkpointing=layers > 0,
            checkpoint_every=layers or 1,
        )
        for micro_batch in micro_batches
        for layers in every
    ]

    def needed_bytes(candidate: RunSpec) -> float:
        memory = estimate_memory(shape, candidate, longest)
        activations = memory.kept + memory.working + memory.spare
        return memory.total - memory.libraries + (activations_factor - 1) * activations

    fitting = [one for one in candidates if needed_bytes(one) <= REFUSED_SHARE * available_bytes]
    if fitting:
        return min(fitting, key=lambda one: estimate_time(shape, one, load, 1.0).step_s)
    least = min(candidates, key=needed_bytes)
    moves = requested.embedding_on_cpu is None and spec.precision == "nf4" and not shape.is_tied
    return dataclasses.replace(least, embedding_on_cpu=moves or spec.embedding_on_cpu)
