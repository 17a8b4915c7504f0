"""Which sizes of model fit into this machine, by the rules of `fit`, before any file is there to be looked at.

Each size stands for a published model of that shape (its config.json) at Q4_K_M, the quantization that the catalogue
recommends. What a file at hand really needs is computed from the file.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.core import fit
from app.core.gguf import Array, GgufHeader, TensorInfo

RECOMMENDED = "8B"  # the smallest that is good for work; larger ones answer more slowly

# Bits a weight of the two types that Q4_K_M mixes (ggml-quants).
_Q4_K_BITS, _Q6_K_BITS = 4.5, 6.5625


@dataclass(frozen=True, slots=True)
class Shape:
    """A model's dimensions. `ties_embedding`: the table of tokens is also the last layer, and stored once."""

    name: str
    layers: int
    width: int
    feed_forward: int
    heads: int
    heads_kv: int
    head_length: int
    vocabulary: int
    merges: int
    ties_embedding: bool = False


SHAPES = (
    Shape("1B", 16, 2048, 8192, 32, 8, 64, 128_256, 280_147, ties_embedding=True),  # Llama 3.2
    Shape("3B", 28, 3072, 8192, 24, 8, 128, 128_256, 280_147, ties_embedding=True),  # Llama 3.2
    Shape("8B", 32, 4096, 14_336, 32, 8, 128, 128_256, 280_147),  # Llama 3, Swallow
    Shape("14B", 48, 5120, 13_824, 40, 8, 128, 152_064, 151_387),  # Qwen 2.5
    Shape("32B", 64, 5120, 27_648, 40, 8, 128, 152_064, 151_387),  # Qwen 2.5
    Shape("70B", 80, 8192, 28_672, 64, 8, 128, 128_256, 280_147),  # Llama 3
)


@dataclass(frozen=True, slots=True)
class SizeFit:
    name: str  # "8B"
    file_bytes: int  # about
    need_bytes: int  # memory
    verdict: str  # comfortable | tight | insufficient


def fits(available_bytes: int, context_tokens: int, kv_type: str = "f16") -> tuple[SizeFit, ...]:
    """Every size with its verdict, smallest first."""
    return tuple(_fit(shape, available_bytes, context_tokens, kv_type) for shape in SHAPES)


def recommended(sizes: Iterable[SizeFit]) -> SizeFit | None:
    """The largest that fits comfortably, though none above what work needs; None where not even the smallest does."""
    names = [shape.name for shape in SHAPES]
    wanted = names[: names.index(RECOMMENDED) + 1]
    fitting = [size for size in sizes if size.verdict == "comfortable" and size.name in wanted]
    return fitting[-1] if fitting else None


def largest(sizes: Iterable[SizeFit]) -> SizeFit | None:
    """The largest that fits comfortably at all."""
    fitting = [size for size in sizes if size.verdict == "comfortable"]
    return fitting[-1] if fitting else None


def _fit(shape: Shape, available_bytes: int, context_tokens: int, kv_type: str) -> SizeFit:
    header = header_of(shape)
    needed = fit.estimate(header, context_tokens, kv_type=kv_type)
    return SizeFit(shape.name, header.weights_bytes, needed.total_bytes, fit.verdict(needed, available_bytes))


def header_of(shape: Shape) -> GgufHeader:
    """What the header of a file of this shape would say, as far as `fit` reads it."""
    weights = weights_bytes(shape)
    return GgufHeader(
        path=Path(shape.name),
        version=3,
        alignment=32,
        metadata={
            "general.architecture": "llama",
            "llama.context_length": 131_072,
            "llama.embedding_length": shape.width,
            "llama.block_count": shape.layers,
            "llama.feed_forward_length": shape.feed_forward,
            "llama.attention.head_count": shape.heads,
            "llama.attention.head_count_kv": shape.heads_kv,
            "llama.attention.key_length": shape.head_length,
            "llama.attention.value_length": shape.head_length,
            "tokenizer.ggml.tokens": Array("str", shape.vocabulary),
            "tokenizer.ggml.merges": Array("str", shape.merges),
        },
        types={},
        tensors={"all": TensorInfo("all", (weights,), "Q4_K", 0, weights)},
        data_offset=0,
        file_bytes=weights,
    )


def weights_bytes(shape: Shape) -> int:
    """Q4_K_M: half of the value and down projections, and the last layer, in Q6_K; the rest in Q4_K."""
    inner, inner_kv = shape.heads * shape.head_length, shape.heads_kv * shape.head_length
    mixed = shape.width * inner_kv + shape.feed_forward * shape.width
    plain = 2 * shape.width * inner + shape.width * inner_kv + 2 * shape.width * shape.feed_forward
    block_bits = plain * _Q4_K_BITS + mixed * (_Q4_K_BITS + _Q6_K_BITS) / 2
    table = shape.vocabulary * shape.width
    table_bits = table * (_Q6_K_BITS if shape.ties_embedding else _Q4_K_BITS + _Q6_K_BITS)
    return round((shape.layers * block_bits + table_bits) / 8)
