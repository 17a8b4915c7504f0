"""A large JSON object read piece by piece: Python's own decoder can only read a document as a whole."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from app.base.files import strict_json

PIECE_CHARACTERS = 1 << 20
# Of one conversation; 16 million. Python's decoder holds up the window until it has read a value, and may need 25 bytes
# of memory for each of its characters.
VALUE_CHARACTERS_MAX = 1 << 24
AHEAD_CHARACTERS = 32  # a number could go on behind what has been read
DIGITS_MAX = 18

TOO_LONG = object()

_SPACE = " \t\r\n"
_MARKS = re.compile(r'\\.|["\[\]{}]', re.DOTALL)


class BrokenError(Exception):
    """What follows is not JSON, or is nested too deeply."""


class TooLongError(BrokenError):
    """One value beyond `VALUE_CHARACTERS_MAX`."""


class JsonStream:
    """The keys of the outermost object, and the items of an array in it, each read when it is asked for.

    Every method raises BrokenError.
    """

    def __init__(self, file: TextIO, report: Callable[[int], None]) -> None:
        """`report` is told how many bytes have been read."""
        self._file = file
        self._report = report
        self._text = ""
        self._at = 0
        self._has_ended = False

    def members(self) -> Iterator[str]:
        """Each key of the object; its value is to be read before the next."""
        self._take("{")
        if self._takes("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise BrokenError
            self._take(":")
            yield key
            if self._takes("}"):
                return
            self._take(",")

    def items(self) -> Iterator[Any]:
        """Each item of the array that comes next; in the place of one that is too long, `TOO_LONG`."""
        self._take("[")
        if self._takes("]"):
            return
        while True:
            try:
                item = self.value()
            except TooLongError:
                self._skip()
                item = TOO_LONG
            yield item
            if self._takes("]"):
                return
            self._take(",")

    def value(self) -> Any:
        self._next()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._read():
                    raise (BrokenError if self._has_ended else TooLongError) from error
            except RecursionError as error:
                raise BrokenError from error
            else:
                if end + AHEAD_CHARACTERS < len(self._text) or not self._read():
                    self._at = end
                    return found

    def end(self) -> None:
        """Nothing but space may follow."""
        if self._next():
            raise BrokenError

    def _skip(self) -> None:
        """Past an array, an object or a text of any length, keeping none of it."""
        depth, is_text = 0, False
        while True:
            end = self._at
            for mark in _MARKS.finditer(self._text, self._at):
                end = mark.end()
                if mark[0] == '"':
                    is_text = not is_text
                elif not is_text:
                    depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
                if depth <= 0 and not is_text:
                    self._at = end
                    return
            is_cut = end < len(self._text) and self._text.endswith("\\")  # what it escapes comes with the next piece
            self._at = len(self._text) - is_cut
            if not self._read():
                raise BrokenError

    def _take(self, wanted: str) -> None:
        if not self._takes(wanted):
            raise BrokenError

    def _takes(self, wanted: str) -> bool:
        is_there = self._next() == wanted
        self._at += is_there
        return is_there

    def _next(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in _SPACE:
                    return self._text[self._at]
                self._at += 1
            if not self._read():
                return ""

    def _read(self) -> bool:
        """Reads on, each time as much as is there already, so that a long value costs no more than twice its length."""
        rest = self._text[self._at :]
        if self._has_ended or len(rest) > VALUE_CHARACTERS_MAX:
            return False
        more = self._file.read(max(PIECE_CHARACTERS, min(len(rest), VALUE_CHARACTERS_MAX - len(rest))))
        self._report(self._file.buffer.tell())
        if not more:
            self._has_ended = True
            return False
        self._text, self._at = rest + more, 0
        if strict_json.is_crowded(self._text):  # it would take far more memory than conversations of that length
            raise BrokenError
        return True


def _integer(digits: str) -> int | float:
    """Python refuses to read thousands of digits, which would make the whole file unreadable."""
    return int(digits) if len(digits) <= DIGITS_MAX else math.inf


_DECODER = json.JSONDecoder(parse_int=_integer)
