"""Rows of cells into blocks: titles, head rows and named values, as sheets and CSV files have them."""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from app.documents.reading.blocks import Block

MERGED = "\0"  # a cell that belongs to the one at its left
HEAD_CELL_LONGEST = 40  # characters of a column's name
_NUMBER = re.compile(r"[-+△▲]?[¥￥$]?[\d,.]+(?:[%％]|[Ee][-+]?\d+)?|\d{1,4}[-/年.]\d{1,2}.*")
SEPARATOR = " | "


def blocks_of(rows: Iterable[list[str]]) -> Iterator[Block]:
    """Blocks of a sheet; empty rows part its tables. Rows below a head row name their values: 列名: 値 | 列名: 値."""
    for is_empty, region in groupby(rows, key=lambda row: not any(cell.strip(" \0\n") for cell in row)):
        if not is_empty:
            yield from _region(region)


def joined(cells: Iterable[str]) -> str:
    """The cells of a row without names; places between others stay, also when empty."""
    return SEPARATOR.join(_flat(cell) for cell in cells).strip(" |")


def looks_like_head(cells: list[str]) -> bool:
    """Whether a row may name columns: short words, no two alike, no numbers."""
    names = [cell.strip() for cell in cells if cell.strip(" \0")]
    return (
        len(names) >= 2
        and len(set(names)) == len(names)
        and all(len(name) <= HEAD_CELL_LONGEST and not _NUMBER.fullmatch(name) for name in names)
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
        yield Block("row", joined(_without_marks(first)))
        return
    names, rest = _names(first, second)
    if not names:
        yield Block("row", joined(_without_marks(first)))
    for row in rest:
        yield _row(names, row)
    for row in rows:
        yield _row(names, row)


def _names(first: list[str], second: list[str]) -> tuple[list[str], list[list[str]]]:
    """Names of the columns, from one row or from two where the upper one spans; and the rows that are not names."""
    upper = _spread(first)
    if MERGED in first:
        lower = _without_marks(second)
        both = [
            " ".join(dict.fromkeys(part.strip() for part in pair if part.strip()))
            for pair in zip(_padded(upper, len(lower)), _padded(lower, len(upper)), strict=True)
        ]
        is_named = not any(_NUMBER.fullmatch(cell.strip()) for cell in lower if cell.strip())
        if is_named and looks_like_head(both):
            return both, []
    if looks_like_head(_without_marks(first)) and len([cell for cell in second if cell.strip(" \0")]) > 1:
        return _without_marks(first), [second]
    return [], [second]


def _row(names: list[str], row: list[str]) -> Block:
    cells = _without_marks(row)
    if not names:
        return Block("row", joined(cells))
    named = zip(_padded(names, len(cells)), _padded(cells, len(names)), strict=True)
    parts = [f"{_flat(name)}: {_flat(cell)}" if name.strip() else _flat(cell) for name, cell in named if cell.strip()]
    return Block("row", SEPARATOR.join(parts))


def _spread(cells: list[str]) -> list[str]:
    """Each merged cell says what the one at its left says."""
    found: list[str] = []
    for cell in cells:
        found.append(found[-1] if cell == MERGED and found else cell)
    return found


def _without_marks(cells: list[str]) -> list[str]:
    return ["" if cell == MERGED else cell for cell in cells]


def _padded(cells: list[str], length: int) -> list[str]:
    return cells + [""] * (length - len(cells))


def _flat(cell: str) -> str:
    return " ".join(cell.split())
