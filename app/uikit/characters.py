"""Characters of text that others wrote: harmless stand-ins for those that hide, reorder or break, and helpers that
are there for display only and never leave with a copy."""

import re

from app.base import invisible

WORD_JOINER = "\u2060"  # before [1]: keeps the chip from starting a line
NO_BREAK_SPACE = "\u00a0"  # between a number and its unit
LINE_BREAK = "\ufdd5"  # a noncharacter of our own, between `harmless` and the parsed document; never in the result
MARKS_KEPT = 3  # combining marks on one letter; more would cover the lines above and below

_NEWLINES = re.compile("\r\n|[\r\v\f\x85\u2028\u2029]")
_DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
# Controls, lone surrogates, Qt's object and frame characters, other noncharacters, tags (invisible letters).
_BROKEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffc\ufffe\uffff\U000e0000-\U000e007f]"
)
_MARK = (
    "[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0610-\u061a\u064b-\u065f\u0e31\u0e34-\u0e3a\u0e47-\u0e4e"
    "\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\u3099\u309a\ufe20-\ufe2f]"
)
_MARKS = re.compile(f"({_MARK}{{{MARKS_KEPT}}}){_MARK}+")
_CHIP = re.compile(r"(?<=[^\s\u2060])(?=\[\d{1,3}\])")
_UNIT = re.compile(
    r"(?<=\d) (?=(?:%|％|℃|°C|[kMG]?Pa|[kM]?N|[kmcµμ]?m[23²³]?|[km]?g|t|ms|s|min|h|[kMGT]i?B|k?[VAW]|k?Hz|m?L|dB|tok/s)"
    r"(?![A-Za-z]))"
)


def harmless(text: str) -> str:
    """`text` with one kind of line end, direction controls spelled out, and broken characters as U+FFFD.

    All else that nobody sees is left out.
    """
    text = _DIRECTION.sub(_spelled_out, _NEWLINES.sub("\n", text))
    return _MARKS.sub(r"\1", invisible.remove(_BROKEN.sub("\ufffd", text)))


def helpers(text: str) -> list[tuple[int, int, str]]:
    """Where display helpers belong in a line: (position, characters to replace, helper), last one first."""
    found = [(match.start(), 0, WORD_JOINER) for match in _CHIP.finditer(text)]
    found += [(match.start(), 1, NO_BREAK_SPACE) for match in _UNIT.finditer(text)]
    return sorted(found, reverse=True)


def without_helpers(text: str) -> str:
    """What a copy takes along."""
    return text.replace(WORD_JOINER, "").replace(NO_BREAK_SPACE, " ")


def in_utf16(text: str, position: int) -> int:
    """Qt counts UTF-16 units, Python characters."""
    return position + sum(character > "\uffff" for character in text[:position])


def _spelled_out(match: re.Match[str]) -> str:
    return f"‹U+{ord(match[0]):04X}›"


def unsafe(text: str) -> list[tuple[int, int, str]]:
    """What entities (`&#x202e;`) brought back after `harmless`: (position, length, stand-in)."""
    directions = [(match.start(), 1, _spelled_out(match)) for match in _DIRECTION.finditer(text)]
    broken = [(match.start(), 1, "" if match[0] == LINE_BREAK else "\ufffd") for match in _BROKEN.finditer(text)]
    known = {at for at, _, _ in directions + broken}
    others = [(at, 1, "") for at in invisible.places(text) if at not in known and text[at] != "\u2028"]
    return directions + broken + others
