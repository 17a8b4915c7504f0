"""Parse JSON with limits on size, depth and number of values, as `[],[],[]` takes forty times its size in memory."""

import contextlib
import functools
import json
import math
import re
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.input_file import read_regular

MAX_BYTES = 8 << 20  # the largest known tokenizer_config.json has 180 kB, the largest known index 6 MB
FILE_BYTES = 64 << 20  # the limit of Kotae's own files; the journal of a run of 100,000 steps has 30 MB
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
# The number of values is estimated, never too low, by counting commas and opening brackets, also in strings.
FREE_VALUES, BYTES_A_VALUE, MAX_VALUES = 500_000, 8, 6_000_000
_PART_BYTES, _PART_LEVELS = 256 << 10, 5


def read_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, parsed by `parse_object`. Raises AppError("hf_file_unreadable")."""
    try:
        return parse_object(read_bytes(path, MAX_BYTES))
    except OSError as error:
        raise AppError("hf_file_unreadable", file=path.name, reason=error.strerror or str(error)) from error
    except ValueError as error:
        raise AppError("hf_file_unreadable", file=path.name, reason=str(error)[:200]) from error


def parse_object(raw: bytes, **how: Any) -> dict[str, Any]:
    """Parse an object. Raises ValueError for others, a duplicate key, NaN, infinity or a lone surrogate."""
    data = loads(raw, object_pairs_hook=_unique_object, parse_constant=_refuse_constant, parse_float=parse_float, **how)
    if not isinstance(data, dict):
        raise ValueError("not a JSON object")
    if _SURROGATE.search(raw):  # this may be a lone surrogate or a valid pair
        try:
            json.dumps(data, ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError("half a character") from error
    return data


def load_file(path: Path, max_bytes: int = FILE_BYTES, max_values: int | None = None) -> Any:
    """Return the JSON value in a file, of any type. Raises OSError, ValueError."""
    return loads(read_bytes(path, max_bytes), max_values)


def loads(raw: bytes | str, max_values: int | None = None, *, in_parts: bool = False, **how: Any) -> Any:
    """Parse a JSON value. Raises ValueError if it is invalid, too deep or `is_crowded`.

    `in_parts`: in several short calls, as no other thread runs during one. `how`: of `json.loads`.
    """
    text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw
    if is_crowded(text, max_values):
        raise ValueError("too many values")
    if len(text) > FREE_VALUES and not how:
        import msgspec  # here, because a command waits for it

        decode = _decode_in_parts if in_parts else msgspec.json.decode
        with contextlib.suppress(ValueError, RecursionError):
            return decode(raw)  # in half the time; it refuses more, such as NaN, and gives equal values
    try:
        return _decoder(**how).decode(text) if how else json.loads(text)
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def _decode_in_parts(raw: bytes | str) -> Any:
    """Parse a JSON value with msgspec, in calls of a few ms each if the items of its long lists are of similar size."""
    import msgspec  # here, because a command waits for it

    def decode(part: Any, levels: int) -> Any:
        if len(part) <= _PART_BYTES or levels == 0:  # each level reads the part again
            return msgspec.json.decode(part)
        items = msgspec.json.decode(part, type=dict[str, msgspec.Raw] | list[msgspec.Raw] | str)
        if isinstance(items, dict):
            return {key: decode(one, levels - 1) for key, one in items.items()}
        if isinstance(items, str):
            return items
        size = len(items) * _PART_BYTES // len(part)  # number of items to decode in one call
        if size < 2:
            return [decode(one, levels - 1) for one in items]
        groups = (items[at : at + size] for at in range(0, len(items), size))
        return [one for group in groups for one in msgspec.json.decode(b"[%b]" % b",".join(group))]

    return decode(raw, _PART_LEVELS)


@functools.cache
def _decoder(**how: Any) -> json.JSONDecoder:
    return json.JSONDecoder(**how)


def is_crowded(text: str, max_values: int | None = None) -> bool:
    """Whether a text of over 500,000 characters holds too many values: `max_values`, or one for every 8 characters."""
    allowed = max_values or min(MAX_VALUES, FREE_VALUES + len(text) // BYTES_A_VALUE)
    return len(text) > FREE_VALUES and sum(map(text.count, ",[{")) > allowed


def read_bytes(path: Path, max_bytes: int = FILE_BYTES) -> bytes:
    """Return the content of a file. Raises OSError, also for a larger one (EFBIG), a pipe or a device."""
    return read_regular(path, max_bytes)


def _unique_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs of an object as a dict. Raises ValueError if a key occurs twice, which is ambiguous."""
    data = dict(pairs)
    if len(data) != len(pairs):
        raise ValueError("a key occurs twice")
    return data


def parse_float(text: str) -> float:
    """Parse a JSON number. Raises ValueError if it overflows to infinity, as 1e999 does."""
    value = float(text)
    return value if math.isfinite(value) else _refuse_constant(text[:20])


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no JSON")
