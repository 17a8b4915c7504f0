"""The JSON file: written and read one conversation at a time, so that its size costs no memory.

    {"format": "kotae-conversations", "version": 1, "exported_at": …, "kotae": …, "conversations": [
    {"uid": …, "title": …, "messages": […]},
    …
    ]}

Times are seconds since 1970 (UTC). What a conversation holds: `bundle.as_dict`.
"""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app import __version__
from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.chat.exchange import bundle_check
from app.chat.exchange.bundle import Bundle, as_dict
from app.chat.exchange.bundle_check import RefusedError
from app.chat.exchange.json_stream import TOO_LONG, BrokenError, JsonStream

FORMAT = "kotae-conversations"
VERSION = 1
FILE_BYTES_MAX = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """A conversation that cannot be taken: which of the file, from 1, what it is called, and why.

    `at` as in RefusedError. The reason "rest" means this one and all that follow: the file breaks off.
    """

    number: int
    title: str
    reason: str
    at: int = 0


def write(file: BinaryIO, bundles: Iterable[Bundle], exported_at: float) -> None:
    head = {"format": FORMAT, "version": VERSION, "exported_at": exported_at, "kotae": __version__}
    file.write(f'{json.dumps(head)[:-1]}, "conversations": ['.encode())
    for number, bundle in enumerate(bundles):
        file.write(b",\n" if number else b"\n")
        written = json.dumps(as_dict(bundle), ensure_ascii=False, allow_nan=False)
        file.write(invisible_characters.escape_json(written).encode())
    file.write(b"\n]}\n")


def read(path: Path, report: Callable[[int, int], None]) -> Iterator[Bundle | Refusal]:
    """Everything in the file, in its order. `report` is told the bytes read, of how many.

    Raises AppError, perhaps only at the end: the file may say last that it is not ours.
    """
    try:
        size_bytes = path.stat().st_size
        if not path.is_file():
            raise AppError("import_not_json", path=str(path))
        if size_bytes > FILE_BYTES_MAX:
            raise AppError("import_too_large", size_bytes=size_bytes, limit_bytes=FILE_BYTES_MAX)
        if size_bytes == 0:
            raise AppError("file_empty")
        # A byte that is no UTF-8 becomes half a character, and costs only the conversation that it is in.
        binary = open_regular(path)
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            stream = JsonStream(file, lambda done: report(done, size_bytes))
            yield from _document(stream, str(path))
    except FileNotFoundError as error:
        raise AppError("file_missing", path=str(path)) from error
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error


def _document(stream: JsonStream, path: str) -> Iterator[Bundle | Refusal]:
    head: dict[str, Any] = {}
    number = 0
    try:
        for key in stream.members():
            if key != "conversations":
                head[key] = stream.value()
                _check(head, path, is_complete=False)
                continue
            if key in head:
                raise BrokenError
            head[key] = None
            for number, data in enumerate(stream.items(), start=1):
                yield _bundle(number, data)
        stream.end()
    except BrokenError as error:
        if number == 0 and "conversations" not in head:
            raise AppError("import_not_json", path=path) from error
        _check(head, path, is_complete=True)
        yield Refusal(number + 1, "", "rest")
    _check(head, path, is_complete=True)


def _check(head: dict[str, Any], path: str, *, is_complete: bool) -> None:
    version = head.get("version")
    is_version = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    if "format" in head and head["format"] != FORMAT:
        raise AppError("import_not_ours", path=path)
    if "version" in head and head.get("format") == FORMAT and is_version and head["version"] > VERSION:
        raise AppError("import_newer", version=version, known=VERSION)
    if is_complete and not ("format" in head and is_version and "conversations" in head):
        raise AppError("import_not_ours", path=path)


def _bundle(number: int, data: Any) -> Bundle | Refusal:
    if data is TOO_LONG:
        return Refusal(number, "", "size")
    try:
        return bundle_check.from_dict(data)
    except RefusedError as error:
        return Refusal(number, bundle_check.title_in(data), error.reason, error.at)
