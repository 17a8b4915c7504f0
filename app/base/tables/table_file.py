"""The rows of Excel and CSV files, whatever they hold; what they mean is up to those who read them."""

import csv
import datetime
import io
import itertools
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.wording import phrase

WORKBOOKS = (".xlsx", ".xlsm")
UNPACKED_BYTES = 400_000_000  # of a workbook; a sheet with a million rows has 300 MB
COLUMNS = 200
SEPARATORS = ",\t;"
SAMPLE_CHARACTERS, SAMPLE_ROWS = 200_000, 50  # looked at for the separator
CELL_CHARACTERS = 1_000_000  # a longer one is a quote that was never closed

Cell = str | int | float | bool | datetime.date | datetime.time | None

_END = "\x1e\x1f"


@dataclass(frozen=True, slots=True)
class Row:
    """`line`: of the file, or row of the sheet, from 1. `problem`: why it could not be read; then it has no cells."""

    line: int
    cells: tuple[Cell, ...] = ()
    problem: str = ""


def read_bytes(path: Path, limit_bytes: int) -> bytes:
    """Raises FileNotFoundError, AppError("table_unreadable" | "table_large")."""
    try:
        with path.open("rb") as file:
            raw = file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise AppError("table_unreadable", name=path.name, reason=error.strerror or str(error)) from error
    if len(raw) > limit_bytes:
        raise AppError("table_large", name=path.name, limit=f"{limit_bytes // 1_000_000} MB")
    return raw


def trimmed(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Without the empty cells at the end, which formatting leaves."""
    last = len(cells)
    while last and (cells[last - 1] is None or cells[last - 1] == ""):
        last -= 1
    return cells[: min(last, COLUMNS)]


def letter(column: int) -> str:
    """As spreadsheets call it. `column`: from 0."""
    letters, rest = "", column + 1
    while rest:
        rest, digit = divmod(rest - 1, 26)
        letters = chr(ord("A") + digit) + letters
    return letters


def sheets(raw: bytes, name: str, max_rows: int) -> Iterator[tuple[str, list[Row]]]:
    """Title and rows of each sheet with anything in it; formulas are what Excel has last computed.

    `name`: of the file, for errors. Raises AppError("table_unreadable" | "table_locked" | "table_large").
    """
    from openpyxl import load_workbook  # a fifth of a second of imports
    from openpyxl.utils.exceptions import InvalidFileException

    if raw.startswith(b"\xd0\xcf\x11\xe0"):  # an old .xls, or a workbook with a password
        raise AppError("table_locked", name=name)
    _check_archive(raw, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that are not read
            book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # a file may claim any size
                rows = [
                    Row(line, tuple(_cell(value) for value in cells))
                    for line, cells in enumerate(sheet.iter_rows(values_only=True, max_row=max_rows), start=1)
                ]
                if any(trimmed(row.cells) for row in rows):
                    yield str(sheet.title), rows
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, SyntaxError,
            AttributeError, IndexError, EOFError) as error:  # fmt: skip
        # openpyxl has no exception of its own for a damaged file.
        raise AppError("table_unreadable", name=name, reason=phrase("questions_damaged")) from error


def _check_archive(raw: bytes, name: str) -> None:
    try:
        entries = zipfile.ZipFile(io.BytesIO(raw)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise AppError("table_unreadable", name=name, reason=phrase("questions_damaged")) from error
    if any(entry.flag_bits & 1 for entry in entries):
        raise AppError("table_locked", name=name)
    if sum(entry.file_size for entry in entries) > UNPACKED_BYTES:
        raise AppError("table_large", name=name, limit=f"{UNPACKED_BYTES // 1_000_000} MB")


def _cell(value: object) -> Cell:
    known = isinstance(value, str | int | float | datetime.date | datetime.time) or value is None
    return value if known else str(value)  # type: ignore[return-value]


def separator_of(text: str, candidates: str) -> str:
    """Return the one that cuts the first rows into the same number of cells, the more the better; else the first."""
    sample = text[:SAMPLE_CHARACTERS]

    def evenness(separator: str) -> tuple[float, int]:
        try:
            reader = csv.reader(io.StringIO(sample, newline=""), delimiter=separator)
            counts = [len(row) for _, row in zip(range(SAMPLE_ROWS), reader, strict=False) if row]
        except csv.Error:
            return 0.0, 0
        usual = max(set(counts), key=counts.count, default=0)
        return (counts.count(usual) / len(counts) if usual > 1 else 0.0), usual

    return max(candidates, key=evenness)


def delimited(text: str, name: str) -> Iterator[Row]:
    """The rows of a CSV, whatever separates its cells. `name`: of the file, for errors.

    A quote that is never closed makes the rest of the file one row, whose problem is "open_quote".
    Raises AppError("table_unreadable").
    """
    csv.field_size_limit(CELL_CHARACTERS)
    lines = itertools.chain(io.StringIO(text, newline=""), [_END])
    reader = csv.reader(lines, delimiter=separator_of(text, SEPARATORS))
    line = 1
    try:
        for cells in reader:
            if cells and cells[-1].endswith(_END):
                if cells != [_END]:
                    yield Row(line, problem="open_quote")
                return
            yield Row(line, tuple(cells))
            line = reader.line_num + 1  # a cell may hold several lines
    except csv.Error as error:
        raise AppError("table_unreadable", name=name, reason=phrase("table_quote", line=line)) from error
