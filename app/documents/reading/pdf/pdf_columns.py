"""The order in which a page is read: columns one after the other, what spans them in between."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.documents.reading.pdf.pdf_lines import Line, Run, lines_of
from app.documents.reading.pdf.pdf_tables import Table

GUTTER_EM = 1.0  # the least width between two columns
LINES_LEAST = 6  # of each column
FILLED = 0.55  # of a column's width that its middle line fills: cells of tables are shorter
CROSSING = 0.12  # share of the lines that may span the gutter: titles, figures
DEEPEST = 3  # halves of halves: up to eight columns


@dataclass(slots=True)
class Column:
    """Lines and tables in order, with the edges of what the lines are set in."""

    content: list[Line | Table]
    left: float
    right: float


def columns_of(runs: Sequence[Run], tables: Sequence[Table], depth: int = 0) -> list[Column]:
    """In reading order. `tables`: those of the page, whose letters are not among the runs."""
    gutter = _gutter(runs) if depth < DEEPEST else None
    if gutter is None:
        return _one_column(runs, tables)
    spanning = [run for run in runs if run.left < gutter < run.right]
    wide = [table for table in tables if table.edges[0] < gutter < table.edges[2]]
    found: list[Column] = []
    above = float("-inf")
    places = [((line.top + line.bottom) / 2, None) for line in lines_of(spanning)]
    ends: list[tuple[float, Table | None]] = [*places, *((table.edges[1], table) for table in wide)]
    for below, table in [*sorted(ends, key=lambda end: end[0]), (float("inf"), None)]:
        band = [run for run in runs if above < run.middle < below and not run.left < gutter < run.right]
        narrow = [one for one in tables if one not in wide and above < one.edges[1] <= below]
        for is_left in (True, False):
            side = [run for run in band if (run.right <= gutter) == is_left]
            beside = [one for one in narrow if (one.edges[2] <= gutter) == is_left]
            found += columns_of(side, beside, depth + 1)
        line = [run for run in spanning if abs(run.middle - below) < max(1.0, run.size * 0.5)]
        found += _one_column([] if table else line, [table] if table else [])
        above = below
    return found


def _one_column(runs: Sequence[Run], tables: Sequence[Table]) -> list[Column]:
    if not runs:
        return [Column([table], table.edges[0], table.edges[2]) for table in tables]
    lines = lines_of(runs)
    content: list[Line | Table] = list(lines)
    for table in sorted(tables, key=lambda table: -table.edges[1]):
        above = next((place for place, line in enumerate(lines) if line.top >= table.edges[1] - 1), len(lines))
        content.insert(above, table)
    return [Column(content, min(line.left for line in lines), _right_edge(lines))]


def _right_edge(lines: Sequence[Line]) -> float:
    """Where lines are broken: the edge that several share. A long formula or address may stand out."""
    rights = sorted((line.right for line in lines), reverse=True)
    least = max(2, len(lines) // 10)
    for place, right in enumerate(rights):
        if sum(1 for other in rights[place : place + 4 * least] if right - other <= lines[0].size) >= least:
            return right
    return rights[0]


def _gutter(runs: Sequence[Run]) -> float | None:
    """The middle of the white band that parts the text into two columns; None: there is one column."""
    if len(runs) < 2 * LINES_LEAST:
        return None
    left, right = min(run.left for run in runs), max(run.right for run in runs)
    width = int(right - left)
    if not 60 <= width <= 5000:
        return None
    covered = [0.0] * (width + 2)
    for run in runs:
        for place in range(max(0, int(run.left - left)), min(width, int(run.right - left)) + 1):
            covered[place] += 1
    lines = len(lines_of(runs))
    size = sorted(run.size for run in runs)[len(runs) // 2]
    best: tuple[float, float] | None = None
    start: int | None = None
    for place in range(int(width * 0.2), int(width * 0.8) + 1):
        if covered[place] <= CROSSING * lines + 1:
            start = place if start is None else start
            continue
        best = _wider(best, start, place, left)
        start = None
    best = _wider(best, start, int(width * 0.8) + 1, left)
    if best is None or best[0] < GUTTER_EM * size:
        return None
    gutter = best[1]
    return gutter if _is_text(runs, gutter, left, right) else None


def _wider(best: tuple[float, float] | None, start: int | None, end: int, left: float) -> tuple[float, float] | None:
    if start is None or (best is not None and end - start <= best[0]):
        return best
    return float(end - start), left + (start + end) / 2


def _is_text(runs: Sequence[Run], gutter: float, left: float, right: float) -> bool:
    """Whether both sides are lines of text rather than cells."""
    for side, width in (
        ([run for run in runs if run.right <= gutter], gutter - left),
        ([run for run in runs if run.left >= gutter], right - gutter),
    ):
        lines = lines_of(side)
        if len(lines) < LINES_LEAST:
            return False
        filled = sorted((line.right - line.left) / width for line in lines)
        if filled[len(filled) // 2] < FILLED:
            return False
    return True
