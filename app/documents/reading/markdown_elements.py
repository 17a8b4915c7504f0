"""Parse tables of Markdown (pipes, and pandoc's dashes and grids), and remove inline markup from text."""

import html
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading.text_blocks import is_japanese

INLINE_CHARACTERS = 20_000  # longer text is not a paragraph, and searching it for unclosed markup would be slow
INLINE_SIGNS = lazy_pattern(r"[*_`\[\]<>^~\\{&]")
_SUPERSCRIPTS = str.maketrans("0123456789+-=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿ")
_SUBSCRIPTS = str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎")
_DELETED = lazy_pattern(r"~~.*?~~")
_COMMENT = lazy_pattern(r"<!--.*?-->")
_TAG = lazy_pattern(r"</?[A-Za-z][A-Za-z0-9-]*(?:\s[^<>]*)?/?>")
_IMAGE = lazy_pattern(r"!\[([^\]]*)\]\([^()]*(?:\([^()]*\)[^()]*)*\)(?:\{[^}]*\})?")
_LINK = lazy_pattern(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\([^()\s]*(?:\s+\"[^\"]*\")?\)(?:\{[^}]*\})?")
_SPAN = lazy_pattern(r"\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\{[^}]*\}")
_ATTRIBUTES = lazy_pattern(r"\s*\{[#.][^}]*\}")
_NOTE_MARK = lazy_pattern(r"\[\^[^\]]+\]")
_RAISED = lazy_pattern(r"(?<!\\)\^([^\s^]{1,24}?)(?<!\\)\^")
_LOWERED = lazy_pattern(r"(?<![~\\])~([^\s~]{1,8})~(?!~)")
_STRONG = lazy_pattern(r"(?=[*_])(?<!\\)(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_EMPHASIS = lazy_pattern(r"(?<![\\\w*])\*(?=[^\s*])(.+?)(?<=[^\s*])\*(?![\w*])")
_CODE = lazy_pattern(r"`+([^`]+)`+")
_ESCAPED = lazy_pattern(r"\\([\\`*_{}\[\]()#+\-.!<>~^|\"'$@&:])")
_HARD_BREAK = lazy_pattern(r"(?<!\\)\\\Z")  # the end of a line that pandoc breaks on purpose
_ESCAPED_MARK = "\ue000"  # private use: replaces an escaped character while markup is removed


def strip_inline(text: str) -> str:
    """Return a line or paragraph without inline markup, with raised and lowered digits of Unicode (m³/s, H₂O)."""
    if len(text) > INLINE_CHARACTERS or not INLINE_SIGNS.search(text):
        return text.strip()
    escaped: list[str] = []

    def set_aside(match: re.Match[str]) -> str:
        escaped.append(match[1])
        return _ESCAPED_MARK

    for signs, pattern, kept in _BEFORE_ESCAPES:
        if signs in text:
            text = pattern.sub(kept, text)
    if "\\" in text:
        text = _ESCAPED.sub(set_aside, text)
    for signs, pattern, kept in _INLINE:
        if signs in text:
            text = pattern.sub(kept, text)
    if _ESCAPED_MARK in text:
        pieces = iter(escaped)
        text = re.sub(_ESCAPED_MARK, lambda _match: next(pieces, ""), text)
    return (html.unescape(text) if "&" in text else text).strip()


def _moved(table: dict[int, int]) -> Callable[[re.Match[str]], str]:
    return lambda match: unicodedata.normalize("NFKC", match[1]).translate(table)


# Signs without which a pattern matches nothing, the pattern, and what replaces it, in the order of their use.
_Replacement = tuple[str, re.Pattern[str], str | Callable[[re.Match[str]], str]]
_BEFORE_ESCAPES: tuple[_Replacement, ...] = (("<!--", _COMMENT, ""), ("~~", _DELETED, ""))
_LINKS: tuple[_Replacement, ...] = (("](", _LINK, r"\1"), ("]{", _SPAN, r"\1"))
_INLINE: tuple[_Replacement, ...] = (
    ("![", _IMAGE, ""),
    ("[^", _NOTE_MARK, ""),
    *_LINKS * 3,  # links nest around a number, as word processors write them
    ("{", _ATTRIBUTES, ""),
    ("^", _RAISED, _moved(_SUPERSCRIPTS)),
    ("~", _LOWERED, _moved(_SUBSCRIPTS)),
    ("", _STRONG, r"\2"),
    ("*", _EMPHASIS, r"\1"),
    ("`", _CODE, r"\1"),
    ("<", _TAG, ""),
)


def join_paragraph(lines: list[str], width: int = 0) -> str:
    """Join lines, without spaces between Japanese. `width`: columns of their table cell, which cuts words; 0: none."""
    text = ""
    is_full = False
    for line in lines:
        piece = line.strip()
        if not piece:
            continue
        text = text if width else _HARD_BREAK.sub("", text)
        if text and not is_full and not (is_japanese(text[-1]) or is_japanese(piece[0])):
            is_number = width and piece[0].isdigit() and text[-1] in "0123456789."
            text += "" if is_number else " "
        text += piece
        is_full = 0 < width <= display_width(line.rstrip()) + 1
    return text


def display_width(text: str) -> int:
    """Return the width in terminal columns, as pandoc counts it."""
    return len(text) if text.isascii() else sum(map(_WIDTHS.__getitem__, text))


class _Widths(dict[str, int]):
    def __missing__(self, character: str) -> int:
        width = self[character] = 2 if is_japanese(character) else 1
        return width


_WIDTHS = _Widths()


GRID_BORDER = lazy_pattern(r"^\s*\+(?:[-=:]+\+)+\s*$")
DASHES = lazy_pattern(r"^\s*-{3,}(?:\s+-{3,})*\s*$")
DASHED_LINES = 400  # the most that a table of dashes has
PIPE_RULE = lazy_pattern(r"^\s*+\|?\s*+:?-{3,}+:?\s*+(?:\|\s*+:?-{3,}+:?\s*+)*+\|?\s*+$")
_PIPE = lazy_pattern(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class MarkdownCell:
    lines: list[str]
    width: int  # width in columns; 0: unknown


@dataclass(frozen=True, slots=True)
class MarkdownTable:
    """A table in Markdown. `end`: index of the line after it. `heads`: the number of header rows."""

    rows: list[list[MarkdownCell]]
    end: int
    heads: int = 0

    @property
    def is_frame(self) -> bool:
        """Whether the table has a single cell, and so is only a frame around text."""
        return len(self.rows) == 1 and len(self.rows[0]) == 1


def grid(lines: list[str], start: int) -> MarkdownTable | None:
    """Return the table with +---+ borders whose upper border is line `start`; None if it has no rows."""
    width = lines[start].count("+") - 1
    rows: list[list[MarkdownCell]] = []
    heads, at = 0, start + 1
    cells = _empty(width, lines[start])
    while at < len(lines):
        line = lines[at]
        stripped = line.strip()
        if not stripped.startswith(("|", "+")):
            break
        if GRID_BORDER.match(line):
            if any(cell.lines for cell in cells):
                rows.append(cells)
            cells = _empty(width, lines[start])
            if "=" in line:
                heads = len(rows)
        else:
            _take(cells, stripped, is_partial=stripped.startswith("+") or "+-" in stripped)
        at += 1
    if any(cell.lines for cell in cells):
        rows.append(cells)
    return MarkdownTable(rows, at, heads) if rows else None


def dashed(lines: list[str], start: int) -> MarkdownTable | None:
    """Return pandoc's simple or multiline table whose first line of dashes is line `start`; None if it is no table."""
    rule = lines[start]
    end = _end_of_dashed(lines, start)
    if end is None:
        return None
    inner = [at for at in range(start + 1, end) if DASHES.match(lines[at])]
    body_start, heads = (inner[0] + 1, 1) if inner else (start + 1, 0)
    spans = _spans(lines[inner[0]] if inner else rule)
    head = lines[start + 1 : inner[0]] if inner else []
    rows = [_cells(head, spans)] if head else []
    group: list[str] = []
    by_line = len(spans) > 1 and not any(not line.strip() for line in lines[body_start:end])
    if len(spans) == 1:
        return MarkdownTable([_cells(lines[body_start:end], spans)], end + 1)
    for line in [*lines[body_start:end], ""]:
        if line.strip():
            group.append(line)
        if group and (by_line or not line.strip()):
            rows.append(_cells(group, spans))
            group = []
    return MarkdownTable(rows, end + 1, heads) if rows else None


def headed(lines: list[str], start: int) -> MarkdownTable | None:
    """Return pandoc's simple table (header, dashes, rows, blank line) whose header is line `start`, or None."""
    spans = _spans(lines[start + 1])
    end = start + 2
    while end < len(lines) and lines[end].strip() and not DASHES.match(lines[end]):
        end += 1
    if len(spans) < 2 or end == start + 2:
        return None
    rows = [_cells([line], spans) for line in (lines[start], *lines[start + 2 : end])]
    return MarkdownTable(rows, end + (end < len(lines) and bool(lines[end].strip())), 1)


def piped(lines: list[str], start: int) -> MarkdownTable | None:
    """Return the table with | between cells whose header is line `start`, with a rule below; None if it is none."""
    if start + 1 >= len(lines) or "|" not in lines[start] or not PIPE_RULE.match(lines[start + 1]):
        return None
    if "|" not in lines[start + 1] and "-" * 3 not in lines[start + 1]:
        return None
    rows, at = [_split(lines[start])], start + 2
    while at < len(lines) and lines[at].strip() and "|" in lines[at]:
        rows.append(_split(lines[at]))
        at += 1
    return MarkdownTable(rows, at, 1)


def _split(line: str) -> list[MarkdownCell]:
    inner = line.strip().removeprefix("|")
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return [MarkdownCell([cell.strip().replace("\\|", "|")], 0) for cell in _PIPE.split(inner)]


def _empty(width: int, border: str) -> list[MarkdownCell]:
    return [MarkdownCell([], max(0, len(part) - 2)) for part in border.strip().strip("+").split("+")] or [
        MarkdownCell([], 0) for _ in range(width)
    ]


def _take(cells: list[MarkdownCell], line: str, *, is_partial: bool) -> None:
    """Add one line of a row to the row's cells. A line that is partly a border adds text only to the other cells."""
    if len(cells) == 1:
        cells[0].lines.append(line[1:-1] if line.endswith("|") and len(line) > 1 else line[1:])
        return
    parts = re.split(r"[|+]", line)[1:]
    if parts and not parts[-1].strip():
        parts.pop()
    for cell, part in zip(cells, parts, strict=False):
        if not (is_partial and re.fullmatch(r"[-=:]*", part.strip())):
            cell.lines.append(part)


def _end_of_dashed(lines: list[str], start: int) -> int | None:
    """Return the index of the line of dashes that ends the table; None if there is none."""
    seen = start
    for at in range(start + 1, min(len(lines), start + DASHED_LINES)):
        if DASHES.match(lines[at]):
            nothing_follows = at + 1 >= len(lines) or not lines[at + 1].strip()
            if nothing_follows and at > start + 1:
                return at
            seen = at
        elif lines[at].strip() and not lines[at].startswith((" ", "\t")) and seen == start and at > start + 1:
            return None
    return None


def _spans(rule: str) -> list[tuple[int, int]]:
    """Return the first and last column of each run of dashes."""
    return [match.span() for match in re.finditer(r"-+", rule)]


def _cells(lines: list[str], spans: list[tuple[int, int]]) -> list[MarkdownCell]:
    if len(spans) == 1:
        return [MarkdownCell([line.strip() for line in lines], spans[0][1] - spans[0][0])]
    cells = [MarkdownCell([], end - start) for start, end in spans]
    bounds = [start for start, _ in spans[1:]] + [1 << 30]
    for line in lines:
        pieces: list[str] = ["" for _ in spans]
        at, place = 0, 0
        for character in line:
            while at >= bounds[place]:
                place += 1
            pieces[place] += character
            at += 2 if is_japanese(character) else 1
        for cell, piece in zip(cells, pieces, strict=True):
            cell.lines.append(piece.rstrip())
    return cells
