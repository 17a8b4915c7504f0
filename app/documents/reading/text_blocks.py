"""Define the blocks that readers produce from any format, and the text and table helpers that they share.

Readers know formats, not clauses; `sections` knows clauses, not formats.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from msgspec import Struct

from app.base.lazy_pattern import lazy_pattern
from app.documents.records import PageBox, ReadingReport

# UTF-8 read as CP932 (縺ゅ→, 繧, 繝; but 縺れ is a word), as Latin-1 (ã‚³ãƒ³), and glyph numbers of a PDF.
_UPPER = "\u0080-\u00bf‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ€"
_MOJIBAKE = lazy_pattern(
    rf"[繧繝][\u0080-\uffff]|縺[^れるりらっ\0-\x7f]|(?:[ãäåæçè][{_UPPER}]{{1,2}}){{2,}}|\(cid:\d+\)"
)
_UNASSIGNED = "\ufdd0-\ufdef\ufffd-\uffff\ue000-\uf8ff\U000f0000-\U0010ffff"
_NOT_LETTERS = lazy_pattern(f"[{_UNASSIGNED}]")
_FIRST = lazy_pattern(f"[繧繝縺ãäåæçè{_UNASSIGNED}]")  # rare, and begins all but (cid:
_LETTERS = lazy_pattern(r"[^\W_]+")  # of characters that `str.isalnum` accepts


def count_garbled(text: str) -> int:
    """Return the number of characters that a wrong encoding or font put in place of the intended ones."""
    if not _FIRST.search(text) and "(cid:" not in text:
        return 0
    return len(_NOT_LETTERS.findall(text)) + sum(len(match[0]) for match in _MOJIBAKE.finditer(text))


def count_letters(text: str) -> int:
    """Return the number of letters, ideographs and digits: what remains whatever a reader does to spaces and signs."""
    return len(text) if text.isalnum() else sum(map(len, _LETTERS.findall(text)))


def is_japanese(character: str) -> bool:
    """Whether the character is written without spaces: kana, ideographs, full-width signs."""
    return character != "" and unicodedata.east_asian_width(character) in "WF"


def join_lines(first: str, second: str) -> str:
    """Join two lines broken at a fixed width, without a space in Japanese and without the hyphen of a divided word."""
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
    """Return the text without spaces and without the differences that NFKC and case folding remove."""
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", text)).casefold()


BlockKind = Literal["heading", "paragraph", "row", "caption"]
ProgressCallback = Callable[[int, int], None]  # done, total (pages, sheets, lines; total 0: unknown): a sign of life


class Block(Struct, frozen=True):
    """A heading, paragraph or list item, table row, or caption, in whole sentences.

    A row's cells are joined by " | "; a table's header row comes first and has `is_head`.
    """

    kind: BlockKind
    text: str
    level: int = 0  # level of a heading in the format, 1 is the outermost; 0: unknown
    is_head: bool = False
    page: int = 0  # from 1; 0: the format has no pages
    boxes: tuple[PageBox, ...] = ()
    size_pt: float = 0.0  # font size if known; headings of PDF files are larger


@dataclass(frozen=True, slots=True)
class ReadDocument:
    """Blocks, and a report without numbers of sections. `recognized`: pages with their numbers' lowest certainty."""

    blocks: list[Block] = field(default_factory=list)
    title: str = ""  # title in the file's properties; "": none
    report: ReadingReport = field(default_factory=ReadingReport)
    source_letters: int = 0  # letters of the file's text, without what the reader leaves out on purpose; 0: unknown
    recognized: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


MERGED_CELL = "\0"  # a cell merged with the one on its left
HEADER_CELL_CHARACTERS = 40  # characters of a column's name
_NUMBER = lazy_pattern(r"[-+△▲]?[¥￥$]?[\d,.]+(?:[%％]|[Ee][-+]?\d+)?|\d{1,4}[-/年.]\d{1,2}.*")
CELL_SEPARATOR = " | "


def table_blocks(rows: Iterable[list[str]]) -> Iterator[Block]:
    """Yield the blocks of a sheet's tables, between empty rows, with names before values: 列名: 値 | 列名: 値."""
    for is_empty, region in groupby(rows, key=lambda row: not any(cell.strip(" \0\n") for cell in row)):
        if not is_empty:
            yield from _region(region)


def join_cells(cells: Iterable[str]) -> str:
    """Join the cells of a row without column names; empty cells between others remain."""
    return CELL_SEPARATOR.join(_flat(cell) for cell in cells).strip(" |")


def looks_like_header(cells: list[str]) -> bool:
    """Whether a row may contain column names: short, unique, and not numbers."""
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
    """Return the column names, of one row or of two if the upper one spans columns, and the other rows."""
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
    """Replace each merged cell by the text of the one on its left."""
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
