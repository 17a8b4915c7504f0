"""JSON of strangers: bounded in size and depth, no key twice, nothing but an object at the top."""

import json
from pathlib import Path
from typing import Any

from app.base.errors import AppError

MAX_BYTES = 8 << 20  # the largest tokenizer_config.json known has 180 kB, the largest index 6 MB


def read(path: Path, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Raises AppError("hf_file_unreadable", file, reason)."""
    try:
        with path.open("rb") as file:
            raw = file.read(max_bytes + 1)
    except OSError as error:
        raise AppError("hf_file_unreadable", file=path.name, reason=error.strerror or str(error)) from error
    if len(raw) > max_bytes:
        raise AppError("hf_file_unreadable", file=path.name, reason=f"more than {max_bytes} bytes")
    try:
        return parse(raw)
    except ValueError as error:
        raise AppError("hf_file_unreadable", file=path.name, reason=str(error)[:200]) from error


def parse(raw: bytes) -> dict[str, Any]:
    """Raises ValueError."""
    try:
        data = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=_object, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two readers that each take another of two equal keys would see two different files."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key occurs twice")
    return made


def _refuse(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
