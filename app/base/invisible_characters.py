"""Find, remove or spell out characters that are not visible or that change how others look.

Hidden instructions in a document, or terminal commands in a title, consist of these characters. They are the code
points with the property Default_Ignorable_Code_Point (Unicode 15.0, DerivedCoreProperties.txt: format characters,
variation selectors, fillers, tags), the controls (Cc) except tab and line feed, the line and paragraph separators, the
interlinear and replacement signs U+FFF9 to U+FFFC, and the noncharacters.

Some of them are part of a visible sign and stay: a joiner or selector inside an emoji, a joiner between letters of a
script that uses it, and a selector behind the ideograph whose form it chooses.

`is_storable_text` checks the length of a text before it is stored, and that it has no lone surrogates.
"""

import io
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from app.base.lazy_pattern import lazy_pattern

_IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_NONCHARACTERS = "\ufdd0-\ufdef" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
)
_BREAKS = "\x0b\x0c\x85\u2028\u2029"  # these begin a new line, as CR does
_INVISIBLE = lazy_pattern(f"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffc{_IGNORABLE}{_NONCHARACTERS}]")
_LINE_BREAK = lazy_pattern(f"\r\n?|[{_BREAKS}]")
_BLANK_SIGNS = "\u2800\U0001d159"  # visible signs without ink: an empty braille cell, a null notehead
_BLANK = lazy_pattern(f"[{_BLANK_SIGNS}]")
_SURROGATES = lazy_pattern("[\ud800-\udfff]")
# What `remove` may change: all of the above, and the carriage return and the breaks.
_CHANGEABLE = lazy_pattern(
    f"[\0-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufff9-\ufffc\ud800-\udfff{_IGNORABLE}{_NONCHARACTERS}{_BLANK_SIGNS}]"
)
# Ranges that hold all characters with the property Emoji (Unicode 15.0, emoji-data.txt) except digits, # and *.
_EMOJI = lazy_pattern(
    "[\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u21aa\u231a-\u23ff\u24c2\u25aa-\u27bf\u2934\u2935\u2b05-\u2b55"
    "\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]"
)
# The flags of England, Scotland and Wales, the only flags in general use that consist of tags (emoji-sequences.txt).
_FLAG = lazy_pattern(
    "\U0001f3f4\U000e0067\U000e0062(?:\U000e0065\U000e006e\U000e0067|\U000e0073\U000e0063\U000e0074"
    "|\U000e0077\U000e006c\U000e0073)\U000e007f"
)
_KEYCAP = lazy_pattern("[0-9#*]\ufe0f\u20e3")
_IDEOGRAPH = "[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
_VARIANT = lazy_pattern(f"[\ufe00-\ufe02\U000e0100-\U000e01ef](?<={_IDEOGRAPH}.)")
_ZWNJ, _ZWJ, _EMOJI_FORM = "\u200c", "\u200d", "\ufe0f"
_MARKS_MAX = 3  # the most combining marks between a letter and a joiner
_BEFORE_MAX = 8  # preceding characters that decide whether a character is kept: the longest flag has as many
_HELD_MAX = 16  # no visible sign has more invisible characters
_VIRAMA = 9  # the combining class of signs that join letters of Indic scripts


def remove(text: str) -> str:
    """Return the text without invisible characters, with line feeds, plain spaces, and U+FFFD for lone surrogates."""
    return remove_and_count(text)[0]


def remove_and_count(text: str) -> tuple[str, int]:
    """Return the result of `remove` and the number of invisible characters removed."""
    if not _CHANGEABLE.search(text):
        return text, 0
    text = _BLANK.sub(" ", _LINE_BREAK.sub("\n", _replace_surrogates(text)))
    visible = _INVISIBLE.sub(_if_part, text)
    return visible, len(text) - len(visible)


def _replace_surrogates(text: str) -> str:
    """Return the text with lone surrogates as U+FFFD and pairs joined, as UTF-8 files and the database need it."""
    if not _SURROGATES.search(text):
        return text
    return _SURROGATES.sub("\ufffd", text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def to_plain_text(text: str) -> str:
    """Return the result of `remove` without variation selectors of ideographs, for searching and parsing."""
    return without_variants(remove(text))


def without_variants(text: str) -> str:
    """Return the text without the selectors that choose the form of an ideograph."""
    return text if text.isascii() else _VARIANT.sub("", text)


def to_single_line(text: str) -> str:
    """Return the text as one line, as for a title, without invisible characters and repeated spaces."""
    return " ".join(remove(text).split())


def spell_out(text: str, before: str = "") -> str:
    """Replace invisible characters but tab and line feed by signs such as ␛; `before`: the text printed before."""
    if text.isascii() and text.isprintable():
        return text
    return _replaced(before + text.replace("\r\n", "\n"), len(before), _stand_in)


def replace_with_mark(text: str) -> str:
    """Replace each invisible character by U+FFFD."""
    return _INVISIBLE.sub(lambda found: found[0] if _is_part(found.string, found.start()) else "\ufffd", text)


def find_places(text: str) -> list[int]:
    """Return the indices of the invisible characters in the text."""
    return [found.start() for found in _INVISIBLE.finditer(text) if not _is_part(text, found.start())]


def is_single_line(text: str) -> bool:
    """Return whether the text is one line without tabs, lone surrogates and invisible characters, as names must be."""
    return not (find_places(text) or _SURROGATES.search(text) or {"\n", "\t"} & set(text))


def escape_json(text: str) -> str:
    r"""Return JSON text with each invisible character as an escape such as \u202e; its value stays the same."""
    return _INVISIBLE.sub(_json_escape, text)


class StreamFilter:
    """A filter that applies `remove` to a text that arrives in pieces, which may be cut anywhere."""

    def __init__(self) -> None:
        self._before = ""  # the end of the text returned so far, which decides whether the next character is kept
        self._held = ""  # characters whose meaning depends on the next piece

    def push(self, piece: str) -> str:
        """Add a piece and return the filtered text that can be shown now."""
        text = self._held + piece
        text, end = (text[:-1], "\r") if text.endswith("\r") else (text, "")
        text = _LINE_BREAK.sub("\n", text)
        cut = len(text)
        while cut and _INVISIBLE.match(text, cut - 1):
            cut -= 1
        self._held = text[cut:][:_HELD_MAX] + end
        return self._visible_text(text[:cut])

    def flush(self) -> str:
        """Return the filtered rest that was held back. Call it after the last piece."""
        text, self._held = self._held, ""
        return self._visible_text(text)

    def _visible_text(self, text: str) -> str:
        text = _replace_surrogates(_BLANK.sub(" ", _LINE_BREAK.sub("\n", text)))
        shown = _replaced(self._before + text, len(self._before), _if_part)
        self._before = (self._before + shown)[-_BEFORE_MAX:]
        return shown


class SafeTerminal(io.TextIOWrapper):
    """A standard stream that writes invisible characters by `spell_out`, except in `write_control`."""

    _before = ""  # the end of the text written so far

    @classmethod
    def around(cls, stream: Any) -> Any:
        """Return a SafeTerminal that replaces a standard stream; return other objects, such as a test's, unchanged."""
        if type(stream) is not io.TextIOWrapper:
            return stream
        stream.flush()
        return cls(stream.buffer, "utf-8", "backslashreplace", None, stream.line_buffering, stream.write_through)

    def write(self, text: str) -> int:
        super().write(spell_out(text, self._before))
        self._before = text[-_BEFORE_MAX:]
        return len(text)

    def write_control(self, sequence: str) -> None:
        """Write a terminal control sequence, such as one that clears the line, unchanged."""
        super().write(sequence)


def _replaced(text: str, start: int, replace: Callable[[re.Match[str]], str]) -> str:
    """Return the text from the index `start` on, with each invisible character replaced by `replace(match)`."""
    pieces: list[str] = []
    at = start
    for found in _INVISIBLE.finditer(text, start):
        pieces += (text[at : found.start()], replace(found))
        at = found.end()
    return "".join((*pieces, text[at:]))


def _if_part(match: re.Match[str]) -> str:
    return match[0] if _is_part(match.string, match.start()) else ""


def _stand_in(match: re.Match[str]) -> str:
    sign = match[0]
    if _is_part(match.string, match.start()):
        return sign
    if sign < " ":
        return chr(0x2400 + ord(sign))
    return "␡" if sign == "\x7f" else f"‹U+{ord(sign):04X}›"


def _json_escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _is_part(text: str, at: int) -> bool:
    """Return whether the invisible character at index `at` is part of a visible sign."""
    sign, before, after = text[at], text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if sign in (_ZWJ, _ZWNJ):
        is_inside_emoji = sign == _ZWJ and _is_emoji_end(text, at) and _EMOJI.match(after)
        return bool(is_inside_emoji) or _is_between_letters(text, at)
    if "\ufe00" <= sign <= "\ufe0f" or "\U000e0100" <= sign <= "\U000e01ef":
        if sign in ("\ufe0e", _EMOJI_FORM) and (_EMOJI.match(before) or _KEYCAP.match(text, at - 1)):
            return at > 0
        return _VARIANT.match(text, at) is not None
    if "\u180b" <= sign <= "\u180f":
        return "\u1820" <= before <= "\u18aa"  # letters of Mongolian
    if "\U000e0020" <= sign <= "\U000e007f":
        flag = _FLAG.match(text, max(0, text.rfind("\U0001f3f4", max(0, at - 6), at)))
        return flag is not None and flag.end() > at
    return False


def _is_emoji_end(text: str, at: int) -> bool:
    if at > 1 and text[at - 1] == _EMOJI_FORM:
        at -= 1
    return at > 0 and _EMOJI.match(text, at - 1) is not None


def _is_between_letters(text: str, at: int) -> bool:
    """Return whether the joiner at `at` follows a virama or is between letters of Arabic type (RFC 5892, A.1)."""
    if at and unicodedata.combining(text[at - 1]) == _VIRAMA:
        return True
    before = at - 1
    while before > at - 1 - _MARKS_MAX and before >= 0 and unicodedata.combining(text[before]):
        before -= 1
    return before >= 0 and _is_arabic(text[before]) and _is_arabic(text[at + 1 : at + 2])


def _is_arabic(letter: str) -> bool:
    return letter != "" and unicodedata.bidirectional(letter) == "AL" and unicodedata.category(letter)[0] == "L"


STORED_TEXT_MAX = 20_000  # characters of a system prompt or an instruction: more than small models can follow


def is_storable_text(value: Any, longest: int = STORED_TEXT_MAX) -> bool:
    """Return whether `value` is a string that can be stored: not too long, and without lone surrogates."""
    return isinstance(value, str) and len(value) <= longest and not re.search("[\ud800-\udfff]", value)
