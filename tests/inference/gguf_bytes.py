"""GGUF files built byte by byte, for what the proper writer refuses to write."""

import struct
from collections.abc import Sequence
from pathlib import Path

U32, F32, STRING, ARRAY, U64 = 4, 6, 8, 9, 10


def text(value: bytes | str) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return struct.pack("<Q", len(raw)) + raw


def pair(key: bytes | str, kind: int, payload: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + payload


def tensor(name: bytes | str, shape: Sequence[int], kind: int = 0, offset: int = 0) -> bytes:
    dimensions = struct.pack(f"<I{len(shape)}Q", len(shape), *shape)
    return text(name) + dimensions + struct.pack("<IQ", kind, offset)


def header(
    pairs: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    *,
    version: int = 3,
    key_count: int | None = None,
    tensor_count: int | None = None,
) -> bytes:
    counts = (
        len(tensors) if tensor_count is None else tensor_count,
        len(pairs) if key_count is None else key_count,
    )
    return b"GGUF" + struct.pack("<IQQ", version, *counts) + b"".join(pairs) + b"".join(tensors)


def write(path: Path, head: bytes, data_bytes: int = 0) -> Path:
    """`data_bytes` of zeros follow at the next multiple of 32, as a hole in the file."""
    with path.open("wb") as file:
        file.write(head)
        if data_bytes:
            file.truncate(-(-len(head) // 32) * 32 + data_bytes)
    return path
