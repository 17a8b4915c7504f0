"""Headers of .safetensors files, read without the library and without weights: every number is compared with the file.

The format: eight bytes with the length of a JSON object; the object, which gives each tensor's type, shape and place;
the weights, one after the other without a gap (github.com/huggingface/safetensors, "Format").
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular

MAX_HEADER_BYTES = (
    12 << 20
)  # 290 tensors of an 8B model take 33 kB; 91,000 of the largest known one, in 163 files, 11 MB
MAX_TENSORS = 65_536
MAX_RANK = 8
ELEMENT_BYTES = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    type: str  # F32 | F16 | BF16
    shape: tuple[int, ...]  # PyTorch's order: rows before columns
    file: str

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def read(path: Path) -> dict[str, StoredTensor]:
    """Name -> tensor. Raises AppError: hf_weights_damaged, hf_weights_type, hf_file_unreadable."""
    try:
        size = path.stat().st_size
        with open_regular(path) as file:
            length = int.from_bytes(file.read(8), "little")
            if size < 10 or length > min(size - 8, MAX_HEADER_BYTES):
                raise _damaged(path, f"{size} bytes, header of {length}")
            raw = file.read(length)
    except OSError as error:
        raise AppError("hf_file_unreadable", file=path.name, reason=error.strerror or str(error)) from error
    try:
        entries = strict_json.parse_object(raw)
    except ValueError as error:
        raise _damaged(path, str(error)[:200]) from error
    entries.pop("__metadata__", None)
    if not 0 < len(entries) <= MAX_TENSORS:
        raise _damaged(path, f"{len(entries)} tensors")
    tensors, places = {}, []
    for name, entry in entries.items():
        tensors[name], place = _tensor(path, name, entry)
        places.append(place)
    _check_places(path, places, size - 8 - length)
    return tensors


def _tensor(path: Path, name: str, entry: Any) -> tuple[StoredTensor, tuple[int, int]]:
    shown = name[:80]
    if not isinstance(entry, dict):
        raise _damaged(path, shown)
    kind, shape, offsets = entry.get("dtype"), entry.get("shape"), entry.get("data_offsets")
    if not isinstance(kind, str) or kind not in ELEMENT_BYTES:
        raise AppError("hf_weights_type", file=path.name, where=shown, type=str(kind)[:40])
    if not _are_lengths(shape, MAX_RANK) or not _are_lengths(offsets, 2) or len(offsets) != 2:
        raise _damaged(path, shown)
    tensor = StoredTensor(kind, tuple(shape), path.name)
    if offsets[1] - offsets[0] != tensor.elements * ELEMENT_BYTES[kind]:
        raise _damaged(path, f"{shown}: {tensor.shape} {kind} in {offsets[1] - offsets[0]} bytes")
    return tensor, (offsets[0], offsets[1])


def _are_lengths(values: Any, most: int) -> TypeGuard[list[int]]:
    return (
        isinstance(values, list)
        and len(values) <= most
        and all(type(value) is int and 0 <= value < 1 << 48 for value in values)
    )


def _check_places(path: Path, places: list[tuple[int, int]], data_bytes: int) -> None:
    """One after the other from the beginning to the end. Space between them could hide anything."""
    end = 0
    for first, last in sorted(places):
        if first != end:
            raise _damaged(path, f"offset {first} instead of {end}")
        end = last
    if end != data_bytes:
        raise _damaged(path, f"{data_bytes} bytes of weights instead of {end}")


def _damaged(path: Path, reason: str) -> AppError:
    return AppError("hf_weights_damaged", file=path.name, reason=reason)
