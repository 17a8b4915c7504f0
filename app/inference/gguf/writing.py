"""Write the head of a GGUF file whose weights are in ggml's own blocks already."""

import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_ALIGNMENT = 32  # bytes, the default of GGUF


class NewTensor(NamedTuple):
    """Describes a tensor to be written. `shape`: the length of a row first. `kind`: ggml's number of the type."""

    name: str
    shape: tuple[int, ...]
    kind: int
    size_bytes: int


def head(metadata: Mapping[str, bytes], tensors: Sequence[NewTensor]) -> bytes:
    """Return all that stands before the weights, which follow in the same order, each with its `padding`.

    `metadata`: values made by the functions below.
    """
    parts = [b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    parts += [string(key.encode()) + value for key, value in metadata.items()]
    offset = 0
    for tensor in tensors:
        dimensions = struct.pack(f"<I{len(tensor.shape)}Q", len(tensor.shape), *tensor.shape)
        parts.append(string(tensor.name.encode()) + dimensions + struct.pack("<IQ", tensor.kind, offset))
        offset += tensor.size_bytes + len(padding(tensor.size_bytes))
    found = b"".join(parts)
    return found + padding(len(found))


def padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % _ALIGNMENT)


def string(text: bytes) -> bytes:
    """Return a text without the mark of its type, as an array holds it."""
    return struct.pack("<Q", len(text)) + text


def text(value: str) -> bytes:
    return struct.pack("<I", 8) + string(value.encode("utf-8", "replace"))


def number(value: int) -> bytes:
    return struct.pack("<II", 4, value)


def real(value: float) -> bytes:
    return struct.pack("<If", 6, value)


def flag(is_set: bool) -> bytes:
    return struct.pack("<I?", 7, is_set)


def array(kind: int, items: list[bytes]) -> bytes:
    """Return an array. `kind`: 5 int32, 6 float32, 8 text."""
    return struct.pack("<IIQ", 9, kind, len(items)) + b"".join(items)
