"""Frozen dataclasses as lines of JSON, and back: what goes over the wire between this program and its children."""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from app.base.files import strict_json

_SHOWN = 40  # letters of what was wrong
_MOST = 1 << 63  # whole numbers beyond are no measure of anything, and no database and no Qt holds them


def encode_line(message: Any, name: str = "") -> bytes:
    """Return the message as one UTF-8 line whose `"type"` is `name`, or the name of its class.

    Files carry a name of their own, which stays when the class is renamed. Lone surrogates become question marks.
    """
    written = _encoder.encode({"type": name or type(message).__name__, **_shallow(message)})
    return f"{written}\n".encode("utf-8", "replace")


def _shallow(value: Any) -> dict[str, Any]:
    """The fields of a dataclass. `dataclasses.asdict` copies deeply: more work than the rest of a token's way."""
    return {name: getattr(value, name) for name in value.__slots__}


_encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_shallow)


def decode_object(line: bytes) -> dict[str, Any]:
    """Return the object that a child has sent. Raises ValueError for whatever else it sends."""
    data = strict_json.loads(line)
    if not isinstance(data, dict):
        raise ValueError(f"no object: {line[:_SHOWN]!r}")
    return data


def decode_message(data: dict[str, Any], kinds: Mapping[str, Any]) -> Any:
    """The message; `kinds`: class name -> class. Raises ValueError for anything that is none of them (`of_type`)."""
    name = data.get("type", "")
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        raise ValueError(f"unknown message type: {data.get('type')!r}")
    return _dataclass(kind, {key: value for key, value in data.items() if key != "type"})


def convert_value(hint: Any, value: Any) -> Any:
    """Return what JSON holds as a value of this type: the one rule for whatever is read from a line or a file.

    A whole number stands for a real one; a truth value for neither. Raises ValueError with the place and what was to be
    there, in English.
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
    """JSON has lists and objects where the dataclasses have tuples and dataclasses."""
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
    found: float = value
    return found


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
        except ValueError as error:  # the longest way in says most
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
