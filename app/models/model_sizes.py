"""Which sizes of model fit into this machine, by the rules of `fit`, before any file is there to be looked at.

Each size stands for a published model of that shape (its config.json) at Q4_K_M, the quantization that the catalogue
recommends. What a file at hand really needs is computed from the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.inference import memory_estimate
from app.inference.gguf import GgufArray, GgufHeader, TensorInfo
from app.models.catalogue import Shape

RECOMMENDED = "8B"  # the smallest that is good for work; larger ones answer more slowly

# Bits a weight of the two types that Q4_K_M mixes (ggml-quants).
_Q4_K_BITS, _Q6_K_BITS = 4.5, 6.5625

SHAPES = {
    "1B": Shape("llama", 16, 2048, 8192, 32, 8, 64, 128_256, 280_147, ties_embedding=True),  # Llama 3.2
    "3B": Shape("llama", 28, 3072, 8192, 24, 8, 128, 128_256, 280_147, ties_embedding=True),  # Llama 3.2
    "8B": Shape("llama", 32, 4096, 14_336, 32, 8, 128, 128_256, 280_147),  # Llama 3, Swallow
    "14B": Shape("qwen2", 48, 5120, 13_824, 40, 8, 128, 152_064, 151_387),  # Qwen 2.5
    "32B": Shape("qwen2", 64, 5120, 27_648, 40, 8, 128, 152_064, 151_387),  # Qwen 2.5
    "70B": Shape("llama", 80, 8192, 28_672, 64, 8, 128, 128_256, 280_147),  # Llama 3
}


@dataclass(frozen=True, slots=True)
class SizeFit:
    name: str  # "8B"
    file_bytes: int  # about
    need_bytes: int  # memory
    verdict: str  # comfortable | tight | insufficient


def fits(available_bytes: int, context_tokens: int, kv_type: str = "f16") -> tuple[SizeFit, ...]:
    """Every size with its verdict, smallest first."""
    return tuple(_fit(name, shape, available_bytes, context_tokens, kv_type) for name, shape in SHAPES.items())


def recommended(sizes: Iterable[SizeFit]) -> SizeFit | None:
    """The largest that fits comfortably, though none above what work needs; None where not even the smallest does."""
    names = list(SHAPES)
    wanted = names[: names.index(RECOMMENDED) + 1]
    fitting = [size for size in sizes if size.verdict == "comfortable" and size.name in wanted]
    return fitting[-1] if fitting else None


def largest(sizes: Iterable[SizeFit]) -> SizeFit | None:
    """The largest that fits comfortably at all."""
    fitting = [size for size in sizes if size.verdict == "comfortable"]
    return fitting[-1] if fitting else None


def _fit(name: str, shape: Shape, available_bytes: int, context_tokens: int, kv_type: str) -> SizeFit:
    header = header_of(shape)
    needed = memory_estimate.estimate_memory(header, context_tokens, kv_type=kv_type)
    return SizeFit(name, header.weights_bytes, needed.total_bytes, memory_estimate.judge_fit(needed, available_bytes))


def header_of(shape: Shape, weights: int = 0, context_length: int = 131_072) -> GgufHeader:
    """What the header of a file of this shape would say, as far as `fit` reads it. `weights` 0: those of Q4_K_M."""
    weights = weights or weights_bytes(shape)
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
        tensors={"all": TensorInfo("all", (parameters(shape),), "Q4_K", 0, weights)},
        data_offset=0,
        file_bytes=weights,
    )


def parameters(shape: Shape) -> int:
    plain, mixed = _block_weights(shape)
    tables = shape.vocab_size * shape.embedding_length * (1 if shape.ties_embedding else 2)
    return shape.block_count * (plain + mixed) + tables


def weights_bytes(shape: Shape) -> int:
    """Q4_K_M: half of the value and down projections, and the last layer, in Q6_K; the rest in Q4_K."""
    plain, mixed = _block_weights(shape)
    block_bits = plain * _Q4_K_BITS + mixed * (_Q4_K_BITS + _Q6_K_BITS) / 2
    table = shape.vocab_size * shape.embedding_length
    table_bits = table * (_Q6_K_BITS if shape.ties_embedding else _Q4_K_BITS + _Q6_K_BITS)
    return round((shape.block_count * block_bits + table_bits) / 8)


def _block_weights(shape: Shape) -> tuple[int, int]:
    """Of one layer: those that are always in Q4_K, and those of which half are in Q6_K."""
    width, feed_forward = shape.embedding_length, shape.feed_forward_length
    inner, inner_kv = shape.head_count * shape.key_length, shape.head_count_kv * shape.key_length
    return 2 * width * inner + width * inner_kv + 2 * width * feed_forward, width * inner_kv + feed_forward * width
