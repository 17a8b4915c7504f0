"""Encode frozen dataclasses as lines of JSON and decode them with their types checked.

This is the wire format between this program and its children, and the format of the records in its own files.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from app.base.files import strict_json

_SHOWN = 40  # characters of an invalid value in the text of an error
_MOST = 1 << 63  # larger whole numbers measure nothing real, and neither sqlite nor Qt can hold them
T = TypeVar("T")


def encode_line(message: Any, name: str = "") -> bytes:
    """Return the message as one UTF-8 line whose `"type"` is `name`, or the name of its class.

    Files use an explicit name, which stays when the class is renamed. Lone surrogates become question marks.
    """
    text = _encoder.encode({"type": name or type(message).__name__, **_fields(message)})
    return f"{text}\n".encode("utf-8", "replace")


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


# Not msgspec's, which writes null for NaN and refuses numpy's floats and half a character.
_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_fields)


def decode_object(line: bytes) -> dict[str, Any]:
    """Return the object that a child has sent as one line. Raises ValueError for anything else."""
    data = strict_json.loads(line)
    if not isinstance(data, dict):
        raise ValueError(f"no object: {line[:_SHOWN]!r}")
    return data


def parse_object(raw: bytes) -> dict[str, Any]:
    """Return the object of a file that may come from elsewhere, as `strict_json.parse_object` does."""
    return strict_json.parse_object(raw, parse_int=parse_int)


def decode(line: bytes, kinds: Mapping[str, type[T]], key: str = "type") -> T:
    """Return the message in a line, or the record in a file. Raises ValueError for anything else.

    `kinds`: name -> class; `key`: the field that holds the name.
    """
    return convert_message(strict_json.loads(line, parse_int=parse_int), kinds, key)


def convert_message(data: Any, kinds: Mapping[str, type[T]], key: str = "type") -> T:
    """Return the message in a parsed object, as `decode` does."""
    name = data.get(key) if isinstance(data, dict) else None
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown {key}: {str(name)[:_SHOWN]}")
    return convert({name: value for name, value in data.items() if name != key}, kind)


def convert(data: Any, kind: type[T]) -> T:
    """Return the dataclass that a parsed object holds: lists in it become tuples, and objects become dataclasses.

    A whole number is accepted as a float, and a truth value as neither. Raises ValueError that names the field and the
    expected type, in English.
    """
    value = msgspec.convert(data, kind)
    _refuse_unknown(data, value)
    return value


def _refuse_unknown(data: Any, value: Any) -> None:
    """Raise ValueError for a field that the value's class lacks: msgspec ignores it, and a write would lose it."""
    if isinstance(data, list):
        pairs = list(zip(data, value, strict=False))
    elif not isinstance(data, dict):
        return
    elif isinstance(value, dict):
        pairs = list(zip(data.values(), value.values(), strict=False))
    else:
        known = value.__dataclass_fields__
        if not data.keys() <= known.keys():
            raise ValueError(f"{type(value).__name__} has no {min(data.keys() - known.keys())[:_SHOWN]!r}")
        pairs = [(item, getattr(value, name)) for name, item in data.items()]
    for item, converted in pairs:
        _refuse_unknown(item, converted)


def parse_int(text: str) -> int | float:
    """Return a whole number in JSON; one beyond 64 bits as a float, which no field for whole numbers accepts."""
    value = int(text)
    return value if -_MOST <= value < _MOST else strict_json.parse_float(text)
