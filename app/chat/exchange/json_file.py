"""Read and write the JSON file of conversations, one conversation at a time, so that large files need little memory.

    {"format": "kotae-conversations", "version": 1, "exported_at": …, "kotae": …, "conversations": [
    {"uid": …, "title": …, "messages": […]},
    …
    ]}

Times are seconds since 1970 (UTC). `conversation_bundle.bundle_to_dict` defines one conversation. `JsonStream` exists
because Python's own decoder can only read a complete document.
"""

import io
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from app import __version__
from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.chat.exchange import conversation_bundle
from app.chat.exchange.conversation_bundle import Bundle, BundleRefusedError

PIECE_CHARACTERS = 1 << 20
# The limit for one conversation, 16 million. Python's decoder blocks the window while it reads a value, and may need 25
# bytes of memory for each character.
VALUE_CHARACTERS_MAX = 1 << 24
AHEAD_CHARACTERS = 32  # a number at the end of the text read so far may continue in the next piece
DIGITS_MAX = 18

TOO_LONG = object()

_SPACE = " \t\r\n"
_MARKS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


class BrokenJsonError(Exception):
    """The rest of the text is not valid JSON, or is nested too deeply."""


class JsonTooLongError(BrokenJsonError):
    """A value is longer than `VALUE_CHARACTERS_MAX`."""


class JsonStream:
    """Reads the keys of an object and the items of an array in it one by one. Raises BrokenJsonError."""

    def __init__(self, file: TextIO, report: Callable[[int], None]) -> None:
        """Read from `file`, a TextIOWrapper; call `report` with the number of bytes read so far after each piece."""
        self._file = file
        self._report = report
        self._text = ""
        self._index = 0
        self._has_ended = False

    def members(self) -> Iterator[str]:
        """Yield each key of the object; the caller must read its value before it takes the next key."""
        return self._separated("{", "}", self._key)

    def items(self) -> Iterator[Any]:
        """Yield each item of the array that comes next, and `TOO_LONG` for one that is too long."""
        return self._separated("[", "]", self._item)

    def _separated(self, opening: str, closing: str, read: Callable[[], Any]) -> Iterator[Any]:
        self._expect(opening)
        if self._accept(closing):
            return
        while True:
            yield read()
            if self._accept(closing):
                return
            self._expect(",")

    def _key(self) -> str:
        key = self.value()
        if not isinstance(key, str):
            raise BrokenJsonError
        self._expect(":")
        return key

    def _item(self) -> Any:
        try:
            return self.value()
        except JsonTooLongError:
            self._skip()
            return TOO_LONG

    def value(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._index)
            except json.JSONDecodeError as error:
                if not self._read():
                    raise (BrokenJsonError if self._has_ended else JsonTooLongError) from error
            except RecursionError as error:
                raise BrokenJsonError from error
            else:
                if end + AHEAD_CHARACTERS < len(self._text) or not self._read():
                    self._index = end
                    return value

    def end(self) -> None:
        """Raise BrokenJsonError if the rest of the text is more than white space."""
        if self._peek():
            raise BrokenJsonError

    def _skip(self) -> None:
        """Skip an array, an object or a string of any length without keeping it in memory."""
        depth, is_text = 0, False
        while True:
            end = self._index
            for mark in _MARKS.finditer(self._text, self._index):
                end = mark.end()
                if mark[0] == '"':
                    is_text = not is_text
                elif not is_text:
                    depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
                if depth <= 0 and not is_text:
                    self._index = end
                    return
            is_cut = end < len(self._text) and self._text.endswith("\\")  # the escaped character is in the next piece
            self._index = len(self._text) - is_cut
            if not self._read():
                raise BrokenJsonError

    def _expect(self, expected: str) -> None:
        if not self._accept(expected):
            raise BrokenJsonError

    def _accept(self, expected: str) -> bool:
        is_next = self._peek() == expected
        self._index += is_next
        return is_next

    def _peek(self) -> str:
        """Skip white space and return the next character without consuming it; "" at the end."""
        while True:
            while self._index < len(self._text):
                if self._text[self._index] not in _SPACE:
                    return self._text[self._index]
                self._index += 1
            if not self._read():
                return ""

    def _read(self) -> bool:
        """Read the next piece of the file, as long as the text already buffered, so that decoding a long value anew
        after each piece costs at most twice its length in all.

        Return False at the end of the file, or when the value is longer than `VALUE_CHARACTERS_MAX`.
        """
        rest = self._text[self._index :]
        if self._has_ended or len(rest) > VALUE_CHARACTERS_MAX:
            return False
        more = self._file.read(max(PIECE_CHARACTERS, min(len(rest), VALUE_CHARACTERS_MAX - len(rest))))
        self._report(self._file.buffer.tell())
        if not more:
            self._has_ended = True
            return False
        self._text, self._index = rest + more, 0
        if strict_json.is_crowded(self._text):  # so many values would need far more memory than conversations do
            raise BrokenJsonError
        return True


def _integer(digits: str) -> int | float:
    """Return the integer; infinity for more than `DIGITS_MAX` digits, for which Python would refuse the file."""
    return int(digits) if len(digits) <= DIGITS_MAX else math.inf


_DECODER = json.JSONDecoder(parse_int=_integer)


CONVERSATIONS_FORMAT = "kotae-conversations"
CONVERSATIONS_VERSION = 1
FILE_BYTES_MAX = 2_000_000_000


@dataclass(frozen=True, slots=True)
class ImportRefusal:
    """A conversation that cannot be imported: its number in the file from 1, its title ("": none) and the reason.

    `message_number` is as in BundleRefusedError. The reason "rest" covers this conversation and all after it, because
    the file breaks off.
    """

    number: int
    title: str
    reason: str
    message_number: int = 0


def write_conversations(file: BinaryIO, bundles: Iterable[Bundle], exported_at: float) -> None:
    head = {"format": CONVERSATIONS_FORMAT, "version": CONVERSATIONS_VERSION}
    head_json = json.dumps({**head, "exported_at": exported_at, "kotae": __version__})
    file.write(f'{head_json[:-1]}, "conversations": ['.encode())
    for number, bundle in enumerate(bundles):
        file.write(b",\n" if number else b"\n")
        written = json.dumps(conversation_bundle.bundle_to_dict(bundle), ensure_ascii=False, allow_nan=False)
        file.write(invisible_characters.escape_json(written).encode())
    file.write(b"\n]}\n")


def read_conversations(path: Path, report: Callable[[int, int], None]) -> Iterator[Bundle | ImportRefusal]:
    """Yield every conversation of the file, or its refusal, in order. `report` gets the bytes read and the size of the
    file.

    Raises AppError, possibly only at the end, because the keys that identify the format may come last.
    """
    try:
        size_bytes = path.stat().st_size
        if not path.is_file():
            raise AppError("import_not_json", path=str(path))
        if size_bytes > FILE_BYTES_MAX:
            raise AppError("import_too_large", size_bytes=size_bytes, limit_bytes=FILE_BYTES_MAX)
        if size_bytes == 0:
            raise AppError("file_empty")
        # A byte that is not UTF-8 becomes a lone surrogate, so that only the conversation with it is refused.
        binary = open_regular(path)
        with io.TextIOWrapper(binary, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            stream = JsonStream(file, lambda done: report(done, size_bytes))
            yield from _document(stream, str(path))
    except FileNotFoundError as error:
        raise AppError("file_missing", path=str(path)) from error
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error


def _document(stream: JsonStream, path: str) -> Iterator[Bundle | ImportRefusal]:
    head: dict[str, Any] = {}
    number = 0
    try:
        for key in stream.members():
            if key != "conversations":
                head[key] = stream.value()
                _check_head(head, path, is_complete=False)
                continue
            if key in head:
                raise BrokenJsonError
            head[key] = None
            for number, data in enumerate(stream.items(), start=1):
                yield _bundle(number, data)
        stream.end()
    except BrokenJsonError as error:
        if number == 0 and "conversations" not in head:
            raise AppError("import_not_json", path=path) from error
        _check_head(head, path, is_complete=True)
        yield ImportRefusal(number + 1, "", "rest")
    _check_head(head, path, is_complete=True)


def _check_head(head: dict[str, Any], path: str, *, is_complete: bool) -> None:
    version: Any = head.get("version")
    is_version = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    if "format" in head and head["format"] != CONVERSATIONS_FORMAT:
        raise AppError("import_not_ours", path=path)
    if head.get("format") == CONVERSATIONS_FORMAT and is_version and version > CONVERSATIONS_VERSION:
        raise AppError("import_newer", version=version, known=CONVERSATIONS_VERSION)
    if is_complete and not ("format" in head and is_version and "conversations" in head):
        raise AppError("import_not_ours", path=path)


def _bundle(number: int, data: Any) -> Bundle | ImportRefusal:
    if data is TOO_LONG:
        return ImportRefusal(number, "", "size")
    try:
        return conversation_bundle.bundle_from_dict(data)
    except BundleRefusedError as error:
        return ImportRefusal(number, conversation_bundle.title_from_dict(data), error.reason, error.message_number)
