"""What a reader makes of a file: pieces of text in reading order, whatever the format was.

Readers know formats, and nothing of clauses; `app.documents.reading.sections` knows clauses, and nothing of formats.

What of a document's text is not what its author wrote or a reader sees, and how its lines are joined.

Rows of cells into blocks: titles, head rows and named values, as sheets and CSV files have them.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from app.documents.records import PageBox, ReadingReport

# UTF-8 read as CP932 (縺ゅ→, 繧, 繝; but 縺れ is a word), as Latin-1 (ã‚³ãƒ³), and glyph numbers of a PDF.
_UPPER = "\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€"
_MOJIBAKE = re.compile(rf"[繧繝][\u0080-\uffff]|縺[^れるりらっ\0-\x7f]|(?:[ãäåæçè][{_UPPER}]{{1,2}}){{2,}}|\(cid:\d+\)")
_NOT_LETTERS = re.compile("[\ufdd0-\ufdef\ufffd-\uffff\ue000-\uf8ff\U000f0000-\U0010ffff]")


def count_garbled(text: str) -> int:
    """How many characters stand where others were meant."""
    return len(_NOT_LETTERS.findall(text)) + sum(len(match[0]) for match in _MOJIBAKE.finditer(text))


def is_japanese(character: str) -> bool:
    """Whether it is written without spaces around it: kana, ideographs, full-width signs."""
    return character != "" and unicodedata.east_asian_width(character) in "WF"


def join_lines(first: str, second: str) -> str:
    """Two lines that only the page's width has broken: no space in Japanese, no hyphen left of a parted word."""
    if not first or not second:
        return first + second
    if first[-1] == "\u00ad" or (_is_parted(first) and second[0].islower()):
        return first[:-1] + second
    if is_japanese(first[-1]) or is_japanese(second[0]) or first[-1] == " " or second[0] == " ":
        return first.rstrip(" ") + second.lstrip(" ")
    return f"{first} {second}"


def _is_parted(line: str) -> bool:
    return len(line) > 2 and line[-1] in "-\u2010" and line[-2].isalpha() and line[-2].isascii()


def fold_for_comparison(text: str) -> str:
    """To compare lines by: without spaces, and without what NFKC and case tell apart."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


BlockKind = Literal["heading", "paragraph", "row", "caption"]
ProgressCallback = Callable[
    [int, int], None
]  # done, in all (pages, sheets, lines; 0 in all: not known): a sign of life


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, a paragraph or list item, one row of a table, or the caption of a figure or table.

    `text` is whole sentences: lines that only the page's width has broken are joined, without a space between Japanese
    characters. A row's cells are joined by " | "; a table's head row comes first, with `is_head`.
    """

    kind: BlockKind
    text: str
    level: int = 0  # of a heading, as the format says (1 is the outermost); 0: the format does not say
    is_head: bool = False
    page: int = 0  # from 1; 0: the format has no pages
    boxes: tuple[PageBox, ...] = ()
    size_pt: float = 0.0  # of the letters, where the format says; headings of PDF files are larger


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """A document as read: its blocks, and what of the report the reader knows (sections and headings come later)."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""  # as the format says; "": none
    report: ReadingReport = field(default_factory=ReadingReport)


MERGED_CELL = "\0"  # a cell that belongs to the one at its left
HEADER_CELL_CHARACTERS = 40  # characters of a column's name
_NUMBER = re.compile(r"[-+△▲]?[¥￥$]?[\d,.]+(?:[%％]|[Ee][-+]?\d+)?|\d{1,4}[-/年.]\d{1,2}.*")
CELL_SEPARATOR = " | "


def table_blocks(rows: Iterable[list[str]]) -> Iterator[Block]:
    """Blocks of a sheet; empty rows part its tables. Rows below a head row name their values: 列名: 値 | 列名: 値."""
    for is_empty, region in groupby(rows, key=lambda row: not any(cell.strip(" \0\n") for cell in row)):
        if not is_empty:
            yield from _region(region)


def join_cells(cells: Iterable[str]) -> str:
    """The cells of a row without names; places between others stay, also when empty."""
    return CELL_SEPARATOR.join(_flat(cell) for cell in cells).strip(" |")


def looks_like_header(cells: list[str]) -> bool:
    """Whether a row may name columns: short words, no two alike, no numbers."""
    names = [cell.strip() for cell in cells if cell.strip(" \0")]
    return (
        len(names) >= 2
        and len(set(names)) == len(names)
        and all(len(name) <= HEADER_CELL_CHARACTERS and not _NUMBER.fullmatch(name) for name in names)
    )


def _region(rows: Iterator[list[str]]) -> Iterator[Block]:
    first: list[str] = []
    for row in rows:
        filled = [cell for cell in row if cell.strip(" \0\n")]
        if len(filled) > 1:
            first = row
            break
        yield Block("paragraph", _flat(filled[0]))
    if not first:
        return
    second = next(rows, None)
    if second is None:
        yield Block("row", join_cells(_without_marks(first)))
        return
    names, rest = _names(first, second)
    if not names:
        yield Block("row", join_cells(_without_marks(first)))
    for row in rest:
        yield _row(names, row)
    for row in rows:
        yield _row(names, row)


def _names(first: list[str], second: list[str]) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, from one row or from two where the upper one spans; and the rows that are not names."""
    upper = _spread(first)
    if MERGED_CELL in first:
        lower = _without_marks(second)
        both = [
            " ".join(dict.fromkeys(part.strip() for part in pair if part.strip()))
            for pair in zip(_padded(upper, len(lower)), _padded(lower, len(upper)), strict=True)
        ]
        is_named = not any(_NUMBER.fullmatch(cell.strip()) for cell in lower if cell.strip())
        if is_named and looks_like_header(both):
            return both, []
    if looks_like_header(_without_marks(first)) and len([cell for cell in second if cell.strip(" \0")]) > 1:
        return _without_marks(first), [second]
    return [], [second]


def _row(names: list[str], row: list[str]) -> Block:
    cells = _without_marks(row)
    if not names:
        return Block("row", join_cells(cells))
    named = zip(_padded(names, len(cells)), _padded(cells, len(names)), strict=True)
    parts = [f"{_flat(name)}: {_flat(cell)}" if name.strip() else _flat(cell) for name, cell in named if cell.strip()]
    return Block("row", CELL_SEPARATOR.join(parts))


def _spread(cells: list[str]) -> list[str]:
    """Each merged cell says what the one at its left says."""
    found: list[str] = []
    for cell in cells:
        found.append(found[-1] if cell == MERGED_CELL and found else cell)
    return found


def _without_marks(cells: list[str]) -> list[str]:
    return ["" if cell == MERGED_CELL else cell for cell in cells]


def _padded(cells: list[str], length: int) -> list[str]:
    return cells + [""] * (length - len(cells))


def _flat(cell: str) -> str:
    return " ".join(cell.split())
