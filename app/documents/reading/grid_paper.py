"""Read sheets that are used as graph paper (Excel方眼紙) as lines of text instead of a table.

Such a sheet has many narrow columns, and texts in merged cells, over empty ones, or with one character a cell. `row`:
the texts of its cells; merged with the left one: MERGED_CELL; one merged with the upper one begins with CONTINUED.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading.text_blocks import MERGED_CELL, Block, join_cells, join_lines, looks_like_header

CONTINUED = "\1"
SAMPLE_ROWS = 300  # rows by which a sheet is judged
COLUMNS_LEAST = 20
FILLED = 0.25  # share of the columns in which texts begin, in the median row; tables have more
DAYS = 0.5  # share of columns that the row of days in a schedule fills
NARROW_SHARE = 0.6  # share of narrow columns
MERGED_SHARE = 0.3  # or share of texts in cells that are merged with the next: forms of ordinary columns
TABLE_ROWS, TABLE_CELLS = 3, 3  # the least rows and cells of a table on graph paper
LINE_LEAST = 15  # characters of a line that continues in the next

_SENTENCE_END = lazy_pattern(r"[。．.！？!?：:；;）)」』]$")
_ITEM = lazy_pattern(r"[・●○■□◆◇※①-⑳\-*（(第]|[0-9０-９]+[.．)）、]")


@dataclass(slots=True)
class _Span:
    """A text and the columns that its cells cover. `is_continued`: the text stands in a row above."""

    column: int
    last: int
    text: str
    is_continued: bool = False


def is_grid_paper(rows: Sequence[Sequence[str]], narrow: set[int] | None) -> bool:
    """Whether a sheet is graph paper, judged by its first rows. `narrow`: the narrow columns; None: unknown."""
    columns = max(map(len, rows), default=0)
    lines = [spans for row in rows if (spans := [one for one in _spans(row) if one.text and not one.is_continued])]
    if columns < COLUMNS_LEAST or not lines or median(map(len, lines)) > FILLED * columns:
        return False
    if any(len([one for one in line if one.text.isdigit()]) > DAYS * columns for line in lines):
        return False
    if len([column for column in range(columns) if column in (narrow or ())]) >= NARROW_SHARE * columns:
        return True
    texts = [one for line in lines for one in line]
    return len([one for one in texts if one.last > one.column]) >= MERGED_SHARE * len(texts)


def grid_blocks(rows: Iterable[Sequence[str]]) -> Iterator[Block]:
    """Yield rows with the same cells as rows of a table, and other rows as paragraphs."""
    lines = (_spans(row) for row in rows)
    paragraph: list[_Span] = []
    for places, group in groupby(lines, key=lambda spans: tuple(span.column for span in spans)):
        alike = list(group)
        is_table = len(alike) >= TABLE_ROWS and len(places) >= TABLE_CELLS
        for spans in [] if is_table else alike:
            texts = [span for span in spans if span.text and not span.is_continued]
            if paragraph and not _continues(paragraph, texts):
                yield Block("paragraph", _line(paragraph))
                paragraph = []
            if paragraph:
                paragraph[0].text = join_lines(paragraph[0].text, texts[0].text)
            else:
                paragraph = texts
        if is_table:
            if paragraph:
                yield Block("paragraph", _line(paragraph))
                paragraph = []
            yield from _table(alike)
    if paragraph:
        yield Block("paragraph", _line(paragraph))


def _spans(row: Sequence[str]) -> list[_Span]:
    """Return the texts of a row and its empty merged cells, in order; characters in cells of their own become one."""
    spans: list[_Span] = []
    for column, cell in enumerate(row):
        before = spans[-1] if spans and spans[-1].last == column - 1 else None
        if cell == MERGED_CELL:
            if before is not None:
                before.last = column
            elif column and row[column - 1] == "":
                spans.append(_Span(column - 1, column, ""))
        elif cell.startswith(CONTINUED):
            spans.append(_Span(column, column, cell.removeprefix(CONTINUED), True))
        elif before is not None and _is_character(cell) and _is_character(row[column - 1]):
            before.text, before.last = before.text + cell, column
        elif cell:
            spans.append(_Span(column, column, cell))
    return spans


def _is_character(cell: str) -> bool:
    return len(cell) == 1 and not cell.isdigit() and cell not in (MERGED_CELL, CONTINUED)


def _line(spans: Sequence[_Span]) -> str:
    return " ".join(span.text for span in spans)


def _continues(line: Sequence[_Span], after: Sequence[_Span]) -> bool:
    """Whether the next row continues the sentence of a line: alone in its row, and below its start."""
    return (
        len(line) == len(after) == 1
        and line[0].column == after[0].column
        and len(line[0].text) >= LINE_LEAST
        and not _SENTENCE_END.search(line[0].text)
        and not _ITEM.match(after[0].text)
    )


def _table(rows: Sequence[Sequence[_Span]]) -> Iterator[Block]:
    for place, spans in enumerate(rows):
        texts = [span.text for span in spans]
        if text := join_cells(texts):
            yield Block("row", text, is_head=place == 0 and looks_like_header(texts))
