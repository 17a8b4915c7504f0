"""Where the sentences of a text are, in Japanese and English: one line of a list or a row of a table is one too."""

import re
from dataclasses import dataclass

from app.documents.grounding import source_marks

_OPEN, _CLOSE = "「『（(【〔〈《［[", "」』）)】〕〉》］]"
_END = re.compile(r"[。．！？!?]+|\.(?=\s|$)")
_NUMBER_BEFORE = re.compile(r"(?:\d|\b(?:No|Fig|Eq|vs|e\.g|i\.e|cf|etc|Dr|Mr|Ms|Vol|p|pp|[A-Z]))$", re.IGNORECASE)
_FENCE = re.compile(r"\s*(?:```|~~~)")
_RULE = re.compile(r"[\s|:+=*_-]*$")  # of a table, or across the page
_MARKER = re.compile(r"\s*(?:[-*+•・>]\s+|・|#{1,6}\s+|\(?\d{1,2}[.)．）](?!\d)\s*|[①-⑳]\s*)+")
_COMPARED_MAX = 1500  # characters; to compare takes their square
_PARTS = re.compile("[、，,;；　 ]")
_BRACKET_REACH = 200  # characters: a bracket that is not closed by then is a slip


@dataclass(frozen=True, slots=True)
class Sentence:
    """`start`, `end`: places in the text, without marks of a list. `kind`: text | heading | row (of a table)."""

    start: int
    end: int
    kind: str = "text"


def split(text: str) -> list[Sentence]:
    """The sentences of a text, in order; marks of a source behind a full stop ([1]) belong to what is before."""
    found: list[Sentence] = []
    at = 0
    for line in text.split("\n"):
        if not _RULE.match(line) and not _FENCE.match(line):
            found += _in_line(text, at, at + len(line))
        at += len(line) + 1
    return found


def comparable(text: str) -> list[Sentence]:
    """As `split`, with what is longer than anybody's sentence in parts, which end at commas where there are some."""
    found: list[Sentence] = []
    for one in split(text):
        at = one.start
        while one.end - at > _COMPARED_MAX:
            last = at + _COMPARED_MAX
            end = max((sign.end() for sign in _PARTS.finditer(text, at, last)), default=last)
            found.append(Sentence(at, end, one.kind))
            at = end
        found.append(Sentence(at, one.end, one.kind))
    return found


def _in_line(text: str, start: int, end: int) -> list[Sentence]:
    marker = _MARKER.match(text, start, end)
    begins = marker.end() if marker else start
    if text[begins:end].lstrip().startswith("|"):
        return [_trimmed(text, start, end, "row")]
    if marker and "#" in marker.group():
        return [_trimmed(text, begins, end, "heading")]
    found: list[Sentence] = []
    at = begins
    for stop in _stops(text, begins, end):
        found.append(_trimmed(text, at, stop, "text"))
        at = stop
    found.append(_trimmed(text, at, end, "text"))
    return [sentence for sentence in found if sentence.end > sentence.start]


def _stops(text: str, start: int, end: int) -> list[int]:
    """Where sentences of a line end: at full stops outside brackets."""
    stops: list[int] = []
    closed = start  # all before is outside of open brackets
    for found in _END.finditer(text, start, end):
        if found.start() < closed:
            continue
        opened = _open_bracket(text, closed, found.start())
        if opened is not None:
            closing = _closing(text, opened, end)
            if closing is not None:
                closed = closing
                continue
        if found.group() in (".", "．") and _is_abbreviation(text, start, found):
            continue
        cited = source_marks.AT_END.match(text, found.end(), end)
        closed = cited.end() if cited else found.end()
        stops.append(closed)
    return stops


def _is_abbreviation(text: str, start: int, found: re.Match[str]) -> bool:
    before = text[max(start, found.start() - 8) : found.start()]
    follows_digit = text[found.end() : found.end() + 1].isdigit()
    return follows_digit or (bool(_NUMBER_BEFORE.search(before)) and not before[-1:].isdigit())


def _open_bracket(text: str, start: int, end: int) -> int | None:
    """The outermost bracket that is open at `end`."""
    opened: list[int] = []
    for at in range(start, end):
        if text[at] in _OPEN:
            opened.append(at)
        elif text[at] in _CLOSE and opened:
            opened.pop()
    return opened[0] if opened else None


def _closing(text: str, opened: int, end: int) -> int | None:
    depth = 0
    for at in range(opened, min(end, opened + _BRACKET_REACH)):
        depth += (text[at] in _OPEN) - (text[at] in _CLOSE)
        if depth == 0:
            return at + 1
    return None


def _trimmed(text: str, start: int, end: int, kind: str) -> Sentence:
    piece = text[start:end]
    return Sentence(start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip()), kind)
