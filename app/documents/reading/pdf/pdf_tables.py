"""Find the tables of a page: grids of ruled lines, and lines whose cells are aligned."""

import bisect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import text_blocks
from app.documents.reading.pdf.pdf_lines import Edges, GlyphRun, PageLine, build_lines, build_runs
from app.documents.reading.pdf.pdf_page import Glyph, RawPage, RuledLine

NEAR_PT = 3.0  # largest distance between lines that meet
RULES_MOST = 500  # lines of each direction; a page with more is a drawing
CELLS_MOST = 5_000
ROWS_LEAST = 3  # smallest number of rows of a table without rules
CELL_EM = 1.5  # smallest gap between cells of a table without rules
FRAME = 0.6  # share of a large table's glyphs in one cell from which the table is a frame around text

_BULLET = lazy_pattern(
    r"[・●○■□◆◇※*•-]|[(（]?[0-9０-９a-zA-Zア-ン①-⑳ivx]{1,4}[)）.．、]?|第.{1,4}[章節条項]|[0-9０-９.．]+"
)
_LEADER = lazy_pattern(r"[.…‥・．]{4,}|(?:[.．・] ){4,}")


@dataclass(slots=True)
class PdfTable:
    """A table with the texts of its cells by row, and the edges of each row."""

    edges: Edges
    rows: list[list[str]] = field(default_factory=list)
    row_edges: list[Edges] = field(default_factory=list)

    @property
    def has_head(self) -> bool:
        return len(self.rows) > 1 and text_blocks.looks_like_header(self.rows[0])


def find_ruled_tables(raw: RawPage) -> tuple[list[PdfTable], list[Glyph]]:
    """Return the tables with ruled lines, and the glyphs outside of them."""
    horizontal, vertical = _merged_rules(raw.horizontal), _merged_rules(raw.vertical)
    if not horizontal or not vertical or max(len(horizontal), len(vertical)) > RULES_MOST:
        return [], raw.glyphs
    tables: list[PdfTable] = []
    rest = raw.glyphs
    for group_h, group_v in _group_meeting_lines(horizontal, vertical):
        grid = _Grid(group_h, group_v)
        if not grid.is_table:
            continue
        inside = [glyph for glyph in rest if grid.contains(glyph)]
        table = grid.table(inside) if inside else None
        if table is None or (grid.height > 0.5 * raw.height and grid.is_frame(inside)):
            continue
        tables.append(table)
        taken = {id(glyph) for glyph in inside}
        rest = [glyph for glyph in rest if id(glyph) not in taken]
    return tables, rest


def _merged_rules(rules: Sequence[RuledLine]) -> list[RuledLine]:
    """Join the pieces of a line, and the two edges of a thin bar."""
    ruled_lines: list[RuledLine] = []
    for rule in sorted(rules, key=lambda rule: (round(rule.position / NEAR_PT), rule.start)):
        last = next(
            (
                one
                for one in reversed(ruled_lines[-4:])
                if abs(one.position - rule.position) <= NEAR_PT and rule.start <= one.end + NEAR_PT
            ),
            None,
        )
        if last is None:
            ruled_lines.append(RuledLine(rule.position, rule.start, rule.end))
        else:
            last.end = max(last.end, rule.end)
    return ruled_lines


def _group_meeting_lines(
    horizontal: Sequence[RuledLine], vertical: Sequence[RuledLine]
) -> list[tuple[list[RuledLine], list[RuledLine]]]:
    """Group lines that meet, directly or through others."""
    leader = list(range(len(horizontal) + len(vertical)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for place, rule in enumerate(horizontal):
        for other, one in enumerate(vertical, start=len(horizontal)):
            if _meets(rule, one):
                leader[find(place)] = find(other)
    groups: dict[int, tuple[list[RuledLine], list[RuledLine]]] = {}
    for place, rule in enumerate([*horizontal, *vertical]):
        groups.setdefault(find(place), ([], []))[place >= len(horizontal)].append(rule)
    return [group for group in groups.values() if all(group)]


def _meets(horizontal: RuledLine, vertical: RuledLine) -> bool:
    return (
        horizontal.start - NEAR_PT <= vertical.position <= horizontal.end + NEAR_PT
        and vertical.start - NEAR_PT <= horizontal.position <= vertical.end + NEAR_PT
    )


class _Grid:
    """A grid of ruled lines with its rows and columns."""

    def __init__(self, horizontal: list[RuledLine], vertical: list[RuledLine]) -> None:
        self._horizontal, self._vertical = horizontal, vertical
        self._tops = _places([rule.position for rule in horizontal])
        # Japanese tables are often open at the sides.
        ends = [min(rule.start for rule in horizontal), max(rule.end for rule in horizontal)]
        lefts = _places([rule.position for rule in vertical])
        if lefts:
            lefts = [
                *([ends[0]] if ends[0] < lefts[0] - 10 else []),
                *lefts,
                *([ends[1]] if ends[1] > lefts[-1] + 10 else []),
            ]
        self._lefts = lefts
        self._origins: dict[tuple[int, int], tuple[int, int]] = {}

    @property
    def is_table(self) -> bool:
        columns, rows = len(self._lefts) - 1, len(self._tops) - 1
        return columns >= 2 and rows >= 1 and columns * rows <= CELLS_MOST

    @property
    def height(self) -> float:
        return self._tops[-1] - self._tops[0]

    def contains(self, glyph: Glyph) -> bool:
        x, y = (glyph.left + glyph.right) / 2, (glyph.top + glyph.bottom) / 2
        return self._lefts[0] <= x <= self._lefts[-1] and self._tops[0] <= y <= self._tops[-1]

    def is_frame(self, inside: Sequence[Glyph]) -> bool:
        """Whether one cell contains most of the glyphs, so that the grid is a frame around text."""
        counts: dict[tuple[int, int], int] = {}
        for glyph in inside:
            key = self._cell(glyph)
            counts[key] = counts.get(key, 0) + 1
        return max(counts.values()) > FRAME * len(inside)

    def table(self, inside: Sequence[Glyph]) -> PdfTable:
        cells: dict[tuple[int, int], list[Glyph]] = {}
        for glyph in inside:
            cells.setdefault(self._cell(glyph), []).append(glyph)
        texts = {key: _cell_text(glyphs) for key, glyphs in cells.items()}
        table = PdfTable((self._lefts[0], self._tops[0], self._lefts[-1], self._tops[-1]))
        for row in range(len(self._tops) - 1):
            found: list[str] = []
            for column in range(len(self._lefts) - 1):
                origin = self._origin(row, column)
                is_own = origin[1] == column  # a merged cell appears once across its columns, but in each row
                found.append(texts.get(origin, "") if is_own else "")
            if any(found):
                table.rows.append(found)
                table.row_edges.append((self._lefts[0], self._tops[row], self._lefts[-1], self._tops[row + 1]))
        return table

    def _cell(self, glyph: Glyph) -> tuple[int, int]:
        x, y = (glyph.left + glyph.right) / 2, (glyph.top + glyph.bottom) / 2
        row = bisect.bisect_left(self._tops, y, 1, len(self._tops) - 1) - 1
        column = bisect.bisect_left(self._lefts, x, 1, len(self._lefts) - 1) - 1
        return self._origin(row, column)

    def _origin(self, row: int, column: int) -> tuple[int, int]:
        """Return (row, column) of the upper left cell of the merged cell that contains this one."""
        known = self._origins.get((row, column))
        if known is None:
            known = self._origins[row, column] = self._find_origin(row, column)
        return known

    def _find_origin(self, row: int, column: int) -> tuple[int, int]:
        left, right = self._lefts[column], self._lefts[column + 1]
        while row > 0 and not self._is_ruled(self._horizontal, self._tops[row], left, right):
            row -= 1
        top, bottom = self._tops[row], self._tops[row + 1]
        while column > 0 and not self._is_ruled(self._vertical, self._lefts[column], top, bottom):
            column -= 1
        return row, column

    def _is_ruled(self, rules: Sequence[RuledLine], position: float, start: float, end: float) -> bool:
        middle = (start + end) / 2
        return any(abs(rule.position - position) <= NEAR_PT and rule.start <= middle <= rule.end for rule in rules)


def _places(values: Sequence[float]) -> list[float]:
    """Return the sorted values, with nearly equal ones merged."""
    found: list[float] = []
    for value in sorted(values):
        if not found or value - found[-1] > NEAR_PT:
            found.append(value)
    return found


def _cell_text(glyphs: Sequence[Glyph]) -> str:
    text = ""
    for line in build_lines(build_runs(glyphs)):
        text = text_blocks.join_lines(text, line.text)
    return text


# ------------------------------------------------------------------ without rules


def find_aligned_tables(lines: Sequence[PageLine]) -> list[tuple[int, int, PdfTable]]:
    """Return the tables among the lines of a column as (first line, line after the last, table)."""
    cells = [_cells(line) for line in lines]
    found: list[tuple[int, int, PdfTable]] = []
    start = 0
    while start < len(lines):
        end = start + 1
        while (
            end < len(lines)
            and _is_next(cells[start], cells[end])
            and lines[end].top - lines[end - 1].bottom < lines[end].size * 2
        ):
            end += 1
        if end - start >= ROWS_LEAST and _is_table(cells[start:end]):
            rows = lines[start:end]
            edges = (min(row.left for row in rows), rows[0].top, max(row.right for row in rows), rows[-1].bottom)
            table = PdfTable(
                edges,
                [
                    [_cell_text([glyph for run in cell for glyph in run.glyphs]) for cell in one]
                    for one in cells[start:end]
                ],
                [(row.left, row.top, row.right, row.bottom) for row in rows],
            )
            found.append((start, end, table))
            start = end
        else:
            start += 1
    return found


def _cells(line: PageLine) -> list[list[GlyphRun]]:
    cells: list[list[GlyphRun]] = []
    for run in line.runs:
        if cells and run.left - cells[-1][-1].right < CELL_EM * line.size:
            cells[-1].append(run)
        else:
            cells.append([run])
    return cells


def _is_next(first: list[list[GlyphRun]], other: list[list[GlyphRun]]) -> bool:
    """Whether a line has its cells at the positions of the first line's: left edges, right edges or middles."""
    if len(first) != len(other) or len(first) < 2:
        return False
    for one, two in zip(first, other, strict=True):
        near = 0.8 * one[0].size
        lefts, rights = one[0].left - two[0].left, one[-1].right - two[-1].right
        if min(abs(lefts), abs(rights), abs(lefts + rights) / 2) > near:
            return False
    return True


def _is_table(cells: Sequence[list[list[GlyphRun]]]) -> bool:
    """Whether rows are a table, not a list or contents: three columns, or two with numbers in the last one."""
    texts = [["".join(run.text for run in cell) for cell in row] for row in cells]
    if any(_LEADER.search(text) for row in texts for text in row):
        return False
    columns = list(zip(*texts, strict=True))
    if all(_BULLET.fullmatch(text) for text in columns[0]) and len(columns) == 2:
        return False
    return len(columns) >= 3 or sum(1 for text in columns[-1] if re.search(r"\d", text)) * 2 > len(texts)
