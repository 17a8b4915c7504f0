"""Hold tables of typed values, from which both the shown text and a spreadsheet's cells are made."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.base.bootstrap import ConfidenceInterval
from app.base.wording import phrase
from app.evaluation.records import ReportTable

NONE = "-"
_MORE_DIGITS = 2  # digits in a spreadsheet beyond those shown


@dataclass(frozen=True, slots=True)
class ShareValue:
    """A share as `count` of `total`. Both are shown, because a percentage of a small total would look too exact."""

    count: int
    total: int


Value = str | int | float | ConfidenceInterval | ShareValue | None


@dataclass(frozen=True, slots=True)
class GridColumn:
    """A column of numbers. `name`: includes the unit. `digits`: number of decimals.

    `is_signed`: + marks positive numbers.
    """

    name: str
    digits: int = 0
    is_signed: bool = False


@dataclass(frozen=True, slots=True)
class ValueGrid:
    columns: tuple[GridColumn, ...]
    rows: tuple[tuple[Value, ...], ...]
    notes: tuple[str, ...] = ()


def column_of(name: str, digits: int = 0, *, is_signed: bool = False) -> GridColumn:
    """Return a column whose heading is the text of this name in [report_column] of evaluation.toml."""
    return GridColumn(phrase(f"evaluation.report_column.{name}"), digits, is_signed)


def as_report_table(grid: ValueGrid) -> ReportTable:
    rows = tuple(
        tuple(text_of(value, column) for value, column in zip(row, grid.columns, strict=True)) for row in grid.rows
    )
    return ReportTable(tuple(column.name for column in grid.columns), rows, grid.notes)


def text_of(value: Value, column: GridColumn) -> str:
    """Return the text that shows a value; "-" if the value is unknown or not finite."""
    if isinstance(value, ConfidenceInterval):
        low, high = (_number(end, column) for end in (value.low, value.high))
        return phrase("evaluation.report.range", low=low, high=high)
    if isinstance(value, ShareValue):
        return f"{value.count}/{value.total}" if value.total else NONE
    if isinstance(value, float):
        return _number(value, column)
    if isinstance(value, int):
        return f"{value:+,}" if column.is_signed else f"{value:,}"
    return NONE if value is None else value


def cells(grid: ValueGrid) -> tuple[list[str], list[list[object]]]:
    """Return head and rows for a spreadsheet, where an interval and a share take two columns each.

    A share must not be one cell, because a spreadsheet reads 3/4 as a date.
    """
    parts = [_parts([row[at] for row in grid.rows]) for at in range(len(grid.columns))]
    head = [
        phrase(f"evaluation.report_part.{part}", name=column.name) if part else column.name
        for column, names in zip(grid.columns, parts, strict=True)
        for part in names
    ]
    rows = [
        [
            cell
            for value, names, column in zip(row, parts, grid.columns, strict=True)
            for cell in _split(value, len(names), column.digits + _MORE_DIGITS)
        ]
        for row in grid.rows
    ]
    return head, rows


def without_empty(grid: ValueGrid, kept_columns: int = 1) -> ValueGrid:
    """Return the grid without columns in which no row has a value; the first `kept_columns` columns stay."""
    places = [
        at
        for at in range(len(grid.columns))
        if at < kept_columns or any(row[at] not in (None, "") for row in grid.rows)
    ]
    rows = tuple(tuple(row[at] for at in places) for row in grid.rows)
    return ValueGrid(tuple(grid.columns[at] for at in places), rows, grid.notes)


def select_columns(grid: ValueGrid, names: Sequence[str]) -> ValueGrid:
    """Return the grid with only the columns of these names, in this order; names that it lacks are ignored."""
    known = [column.name for column in grid.columns]
    places = [known.index(name) for name in names if name in known]
    rows = tuple(tuple(row[at] for at in places) for row in grid.rows)
    return ValueGrid(tuple(grid.columns[at] for at in places), rows, grid.notes)


def join_grids(first: ValueGrid, *others: ValueGrid) -> ValueGrid:
    """Join grids that have the same rows, and keep each column once; the first column names the row."""
    columns, rows = list(first.columns), [list(row) for row in first.rows]
    for grid in others:
        for at, column in enumerate(grid.columns):
            if at and column not in columns:
                columns.append(column)
                for row, more in zip(rows, grid.rows, strict=True):
                    row.append(more[at])
    notes = dict.fromkeys(note for grid in (first, *others) for note in grid.notes)
    return ValueGrid(tuple(columns), tuple(map(tuple, rows)), tuple(notes))


def without_repeats(grid: ValueGrid, columns: int) -> ValueGrid:
    """Return the grid for display.

    The first `columns` cells of a row are empty if they equal those of the row above.
    """
    above = [None, *grid.rows]
    rows = (
        ("",) * columns + row[columns:] if before is not None and before[:columns] == row[:columns] else row
        for before, row in zip(above, grid.rows, strict=False)
    )
    return ValueGrid(grid.columns, tuple(rows), grid.notes)


def _number(value: float, column: GridColumn) -> str:
    if not math.isfinite(value):
        return NONE
    text = f"{value:+,.{column.digits}f}" if column.is_signed else f"{value:,.{column.digits}f}"
    return text if text.strip("+-0.,") else text.lstrip("+-")  # a number rounded to zero has no sign


def _parts(values: Sequence[Value]) -> tuple[str, ...]:
    if any(isinstance(value, ConfidenceInterval) for value in values):
        return ("low", "high")
    return ("count", "total") if any(isinstance(value, ShareValue) for value in values) else ("",)


def _split(value: Value, count: int, digits: int) -> Sequence[object]:
    if isinstance(value, ConfidenceInterval):
        return (_rounded(value.low, digits), _rounded(value.high, digits))
    if isinstance(value, ShareValue):
        return (value.count, value.total)
    if isinstance(value, float):
        value = _rounded(value, digits)
    return (value,) if count == 1 else (None,) * count


def _rounded(value: float, digits: int) -> float | None:
    return round(value, digits) if math.isfinite(value) else None
