"""Frozen dataclasses as lines of JSON, and back: what goes over the wire between this program and its children."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from typing import Any, get_args, get_origin, get_type_hints


def to_line(message: Any) -> bytes:
    """The message as one UTF-8 line; `"type"` names its class. Lone surrogates become question marks."""
    return (_encoder.encode({"type": type(message).__name__, **_shallow(message)}) + "\n").encode("utf-8", "replace")


def _shallow(value: Any) -> dict[str, Any]:
    """The fields of a dataclass. `dataclasses.asdict` copies deeply: more work than the rest of a token's way."""
    return {name: getattr(value, name) for name in value.__slots__}


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_shallow)


def from_json(data: dict[str, Any], kinds: Mapping[str, Any]) -> Any:
    """The message; `kinds`: class name -> class. Raises ValueError for anything that is none of them."""
    kind = kinds.get(data.get("type", ""))
    if kind is None:
        raise ValueError(f"unknown message type: {data.get('type')!r}")
    return _dataclass(kind, {key: value for key, value in data.items() if key != "type"})


def _dataclass(kind: Any, data: Any) -> Any:
    hints = _hints(kind)
    try:
        return kind(**{key: _value(hints[key], value) for key, value in data.items()})
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


@functools.cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    """JSON has lists and objects where the dataclasses have tuples and dataclasses."""
    if value is None:
        return None
    if dataclasses.is_dataclass(hint):
        return _dataclass(hint, value)
    arguments = get_args(hint)
    if get_origin(hint) is tuple:
        return tuple(_value(arguments[0], item) for item in value)
    for choice in arguments:  # X | None
        if dataclasses.is_dataclass(choice):
            return _dataclass(choice, value)
    return value
