"""Encode frozen dataclasses as lines of JSON and decode them: the wire format between this program and its children."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from app.base.files import strict_json

_SHOWN = 40  # characters of an invalid value in the text of an error
_MOST = 1 << 63  # larger whole numbers measure nothing real, and neither sqlite nor Qt can hold them


def encode_line(message: Any, name: str = "") -> bytes:
    """Return the message as one UTF-8 line whose `"type"` is `name`, or the name of its class.

    Files use an explicit name, which stays when the class is renamed. Lone surrogates become question marks.
    """
    text = _encoder.encode({"type": name or type(message).__name__, **_shallow(message)})
    return f"{text}\n".encode("utf-8", "replace")


def _shallow(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass. `dataclasses.asdict` would copy deeply, which costs more than all the rest."""
    return {name: getattr(value, name) for name in value.__slots__}


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_shallow)


def decode_object(line: bytes) -> dict[str, Any]:
    """Return the object that a child has sent as one line. Raises ValueError for anything else."""
    data = strict_json.loads(line)
    if not isinstance(data, dict):
        raise ValueError(f"no object: {line[:_SHOWN]!r}")
    return data


def decode_message(data: dict[str, Any], kinds: Mapping[str, Any]) -> Any:
    """Return the message. `kinds`: class name -> class. Raises ValueError for an unknown type or an invalid field."""
    name = data.get("type", "")
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown message type: {data.get('type')!r}")
    return _dataclass(kind, {key: value for key, value in data.items() if key != "type"})


def convert_value(hint: Any, value: Any) -> Any:
    """Return the value that JSON holds, converted to this type; every line and file is read by this one rule.

    A whole number is accepted as a float, and a truth value as neither. Raises ValueError that names the field and the
    expected type, in English.
    """
    return _reader(hint)(value)


def _dataclass(kind: Any, data: Any) -> Any:
    if not isinstance(data, dict):
        raise _wrong(data, "an object")
    readers = _fields(kind)
    values = {}
    for key, value in data.items():
        read = readers.get(key)
        if read is None:
            raise ValueError(f"{kind.__name__} has no {str(key)[:_SHOWN]!r}")
        try:
            values[key] = read(value)
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from error
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error


@functools.cache
def _fields(kind: Any) -> dict[str, Callable[[Any], Any]]:
    return {name: _reader(hint) for name, hint in get_type_hints(kind).items()}


@functools.cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """Return the function that converts JSON to this type. Lists become tuples, and objects become dataclasses."""
    if dataclasses.is_dataclass(hint):
        return functools.partial(_dataclass, hint)
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return functools.partial(_choice, arguments)
    if origin in (Union, UnionType):
        return functools.partial(_union, tuple(map(_reader, arguments)), str(hint)[:_SHOWN])
    if origin in (tuple, list):
        if origin is tuple and arguments[-1:] != (...,):
            return functools.partial(_fixed, tuple(map(_reader, arguments)))
        return functools.partial(_several, origin, _reader(arguments[0]))
    if origin in (dict, Mapping):
        return functools.partial(_mapping, *map(_reader, arguments))
    return lambda value: value


def _whole(value: Any) -> int:
    if type(value) is not int or not -_MOST <= value < _MOST:
        raise _wrong(value, "a whole number")
    return value


def _real(value: Any) -> float:
    if type(value) is not float and (type(value) is not int or not -_MOST <= value < _MOST):
        raise _wrong(value, "a number")
    number: float = value
    return number


def _exactly(kind: Any, name: str) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if not isinstance(value, kind):
            raise _wrong(value, name)
        return value

    return read


def _choice(choices: tuple[Any, ...], value: Any) -> Any:
    if not any(type(value) is type(one) and value == one for one in choices):
        raise _wrong(value, " | ".join(map(str, choices)))
    return value


def _union(readers: tuple[Callable[[Any], Any], ...], name: str, value: Any) -> Any:
    wrong = None
    for read in readers:
        try:
            return read(value)
        except ValueError as error:  # the longest message names the most fields
            wrong = error if wrong is None or len(str(error)) > len(str(wrong)) else wrong
    raise wrong or _wrong(value, name)


def _several(kind: Any, read: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, list | tuple):
        raise _wrong(value, "a list")
    return kind(map(read, value))


def _fixed(readers: tuple[Callable[[Any], Any], ...], value: Any) -> Any:
    if not isinstance(value, list | tuple) or len(value) != len(readers):
        raise _wrong(value, f"a list of {len(readers)}")
    return tuple(read(one) for read, one in zip(readers, value, strict=True))


def _mapping(read_key: Callable[[Any], Any], read: Callable[[Any], Any], value: Any) -> Any:
    if not isinstance(value, dict):
        raise _wrong(value, "an object")
    return {read_key(key): read(one) for key, one in value.items()}


def _wrong(value: Any, expected: str) -> ValueError:
    shown = "null" if value is None else repr(value) if isinstance(value, str | float | bool) else type(value).__name__
    return ValueError(f"{shown[:_SHOWN]}, not {expected}")


_PLAIN: dict[Any, Callable[[Any], Any]] = {
    bool: _exactly(bool, "true or false"),
    int: _whole,
    float: _real,
    str: _exactly(str, "a text"),
    NoneType: _exactly(NoneType, "null"),
    Any: lambda value: value,
}
