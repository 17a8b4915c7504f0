"""Encode frozen values as lines of JSON, for child processes and records, and decode them with checked types.

A value is a dataclass or a msgspec.Struct. A Struct costs a fortieth of a dataclass when its module is imported, which
a command waits for; a dataclass is needed for `dataclasses.asdict`, and to leave a field out of the representation.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from app.base.files import strict_json

_SHOWN = 40  # characters of an invalid value in the text of an error
_MOST = 1 << 63  # integers beyond 64 bits are no real measurements, and neither sqlite nor Qt can hold them
_HOLDERS = (dict, list)  # of other values; most are texts and numbers
T = TypeVar("T")


def encode_line(message: Any, name: str = "") -> bytes:
    """Return a value as a line of UTF-8 JSON, with "type" `name` (explicit in files) or that of its class."""
    text = _encoder.encode({"type": name or type(message).__name__, **_fields(message)})
    return f"{text}\n".encode("utf-8", "replace")


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in type(value).__match_args__}


# Not msgspec's encoder, which writes null for NaN and refuses numpy's floats and lone surrogates.
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_fields)


def decode_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object in a line that a child process has sent. Raises ValueError if there is none."""
    data = strict_json.loads(line)
    if not isinstance(data, dict):
        raise ValueError(f"no object: {line[:_SHOWN]!r}")
    return data


def parse_object(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object as `strict_json.parse_object` does, with integers as in `parse_int`. Raises ValueError."""
    return strict_json.parse_object(raw, parse_int=parse_int)


def decode(line: bytes, kinds: Mapping[str, type[T]], key: str = "type") -> T:
    """Return the value of `kinds` that the field `key` of a JSON object names. Raises ValueError."""
    return convert_message(strict_json.loads(line, parse_int=parse_int), kinds, key)


def convert_message(data: Any, kinds: Mapping[str, type[T]], key: str = "type") -> T:
    """Return the value that a parsed JSON object encodes; see `decode`."""
    name = data.get(key) if isinstance(data, dict) else None
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown {key}: {str(name)[:_SHOWN]}")
    return convert({name: value for name, value in data.items() if name != key}, kind)


def convert(data: Any, kind: type[T]) -> T:
    """Convert a parsed object to a value of `kind`; an integer may fill a float. Raises ValueError in English."""
    value = msgspec.convert(data, kind)
    _refuse_unknown(data, value)
    return value


def _refuse_unknown(data: Any, value: Any) -> None:
    """Raise ValueError if `data`, an object or a list, has a field that the class of `value` lacks, which msgspec would
    drop silently."""
    if isinstance(data, list) or isinstance(value, dict):
        items = (data, value) if isinstance(data, list) else (data.values(), value.values())
        for item, converted in zip(*items, strict=False):
            if type(item) in _HOLDERS:
                _refuse_unknown(item, converted)
        return
    known = type(value).__match_args__
    if tuple(data) != known and (unknown := data.keys() - known):
        raise ValueError(f"{type(value).__name__} has no {min(unknown)[:_SHOWN]!r}")
    for name, item in data.items():
        if type(item) in _HOLDERS:
            _refuse_unknown(item, getattr(value, name))


def parse_int(text: str) -> int | float:
    """Parse a JSON integer. Return one beyond 64 bits as a float, which no integer field accepts."""
    value = int(text)
    return value if -_MOST <= value < _MOST else strict_json.parse_float(text)
