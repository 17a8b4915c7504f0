"""The rows of a file of questions: Excel, CSV or JSON Lines. What they mean is `app.core.batch.questions`."""

import csv
import datetime
import hashlib
import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from app.core.documents import encodings
from app.core.errors import AppError
from app.core.separated import separator_of
from app.core.wording import phrase

SUFFIXES = (".xlsx", ".xlsm", ".csv", ".tsv", ".jsonl")
FILE_BYTES = 50_000_000
UNPACKED_BYTES = 400_000_000  # of a workbook; a sheet with a million rows has 300 MB
ROWS = 100_000  # a machine that answers one in a second takes more than a day
COLUMNS = 200
SEPARATORS = ",\t;"
CELL_CHARACTERS = 1_000_000  # a longer one is a quote that was never closed

Cell = str | int | float | bool | datetime.date | datetime.time | None


@dataclass(frozen=True, slots=True)
class Row:
    """`line`: of the file, or row of the sheet, from 1. `problem`: why it could not be read; then it has no cells."""

    line: int
    cells: tuple[Cell, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: names of the cells where the file itself gives them (JSON Lines); () where its first row may."""

    rows: tuple[Row, ...]
    sha256: str
    encoding: str = ""  # of a text file, as Python names it
    sheet: str = ""  # of a workbook: the first one with anything in it
    columns: tuple[str, ...] = ()


def read(path: Path) -> Table:
    """Raises AppError("batch_unreadable" | "batch_format" | "batch_large" | "batch_empty" | "batch_locked"
    | "question_file_missing")."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise AppError("batch_format", name=path.name)
    raw = _bytes(path)
    sha256 = hashlib.sha256(raw).hexdigest()
    if suffix in (".xlsx", ".xlsm"):
        sheet, rows = _workbook(raw, path.name)
        return Table(_bounded(rows, path.name), sha256, sheet=sheet)
    codec = encodings.detect(raw)
    if not codec:
        raise AppError("batch_unreadable", name=path.name, reason=phrase("questions_not_text"))
    text = encodings.decode(raw, codec)
    if suffix == ".jsonl":
        columns, rows = _json_lines(text)
        return Table(_bounded(rows, path.name), sha256, codec, columns=columns)
    return Table(_bounded(_delimited(text, path.name), path.name), sha256, codec)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise AppError("question_file_missing", path=str(path)) from error
    except OSError as error:
        raise AppError("batch_unreadable", name=path.name, reason=error.strerror or str(error)) from error
    if len(raw) > FILE_BYTES:
        raise AppError("batch_large", name=path.name, limit=f"{FILE_BYTES // 1_000_000} MB")
    if not raw.strip():
        raise AppError("batch_empty", name=path.name)
    return raw


def _bounded(rows: Iterable[Row], name: str) -> tuple[Row, ...]:
    found: list[Row] = []
    for row in rows:
        if len(found) > ROWS:
            raise AppError("batch_large", name=name, limit=f"{ROWS:,}")
        found.append(Row(row.line, _trimmed(row.cells), row.problem))
    return tuple(found)


def _trimmed(cells: tuple[Cell, ...]) -> tuple[Cell, ...]:
    """Without the empty cells at the end, which formatting leaves."""
    last = len(cells)
    while last and (cells[last - 1] is None or cells[last - 1] == ""):
        last -= 1
    return cells[: min(last, COLUMNS)]


# --------------------------------------------------------------------- workbooks


def _workbook(raw: bytes, name: str) -> tuple[str, list[Row]]:
    """The first sheet with anything in it; formulas are what Excel has last computed."""
    from openpyxl import load_workbook  # a fifth of a second of imports
    from openpyxl.utils.exceptions import InvalidFileException

    if raw.startswith(b"\xd0\xcf\x11\xe0"):  # an old .xls, or a workbook with a password
        raise AppError("batch_locked", name=name)
    _check_archive(raw, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of features that are not read
            book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
            for sheet in book.worksheets:
                sheet.reset_dimensions()  # a file may claim any size
                rows = [
                    Row(line, tuple(_cell(value) for value in cells))
                    for line, cells in enumerate(sheet.iter_rows(values_only=True, max_row=ROWS + 2), start=1)
                ]
                if any(_trimmed(row.cells) for row in rows):
                    return str(sheet.title), rows
    except (InvalidFileException, zipfile.BadZipFile, zlib.error, KeyError, ValueError, TypeError, SyntaxError,
            AttributeError, IndexError, EOFError) as error:  # fmt: skip
        # openpyxl has no exception of its own for a damaged file.
        raise AppError("batch_unreadable", name=name, reason=phrase("questions_damaged")) from error
    raise AppError("batch_empty", name=name)


def _check_archive(raw: bytes, name: str) -> None:
    try:
        entries = zipfile.ZipFile(io.BytesIO(raw)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise AppError("batch_unreadable", name=name, reason=phrase("questions_damaged")) from error
    if any(entry.flag_bits & 1 for entry in entries):
        raise AppError("batch_locked", name=name)
    if sum(entry.file_size for entry in entries) > UNPACKED_BYTES:
        raise AppError("batch_large", name=name, limit=f"{UNPACKED_BYTES // 1_000_000} MB")


def _cell(value: object) -> Cell:
    known = isinstance(value, str | int | float | datetime.date | datetime.time) or value is None
    return value if known else str(value)  # type: ignore[return-value]


# -------------------------------------------------------------------- text files


def _delimited(text: str, name: str) -> Iterator[Row]:
    csv.field_size_limit(CELL_CHARACTERS)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator_of(text, SEPARATORS))
    line = 1
    try:
        for cells in reader:
            yield Row(line, tuple(cells))
            line = reader.line_num + 1  # a cell may hold several lines
    except csv.Error as error:
        raise AppError("batch_unreadable", name=name, reason=f"{line}: {error}") from error


def _json_lines(text: str) -> tuple[tuple[str, ...], list[Row]]:
    """The names of the columns in the order in which they first occur, and the rows."""
    names: dict[str, int] = {}
    found: list[tuple[int, dict[str, Cell] | str]] = []
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            data = json.loads(written, parse_constant=str)
        except (ValueError, RecursionError):
            found.append((line, "not_json"))
            continue
        if not isinstance(data, dict):
            found.append((line, "not_object"))
            continue
        for key in data:
            names.setdefault(key, len(names))
        found.append((line, {key: _json_cell(value) for key, value in data.items()}))
    rows = [
        Row(line, problem=data) if isinstance(data, str) else Row(line, tuple(data.get(name) for name in names))
        for line, data in found
    ]
    return tuple(names), rows


def _json_cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)
