"""The rows of a file of questions: Excel, CSV or JSON Lines. What they mean is `app.chat.batch.questions`."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.tables import table_reader
from app.base.tables.table_reader import Cell, TableRow
from app.base.wording import phrase
from app.documents import encodings

SUFFIXES = (*table_reader.WORKBOOKS, ".csv", ".tsv", ".jsonl")
FILE_BYTES = 50_000_000
ROWS = 100_000  # a machine that answers one in a second takes more than a day


@dataclass(frozen=True, slots=True)
class Table:
    """`columns`: names of the cells where the file itself gives them (JSON Lines); () where its first row may."""

    rows: tuple[TableRow, ...]
    sha256: str
    encoding: str = ""  # of a text file, as Python names it
    sheet: str = ""  # of a workbook: the first one with anything in it
    columns: tuple[str, ...] = ()


def read(path: Path) -> Table:
    """Raises AppError("batch_format" | "batch_empty" | "question_file_missing" | "table_long"), and as `table_file`
    does."""
    suffix = path.suffix.lower()
    raw = table_reader.read_bytes(path, FILE_BYTES, SUFFIXES, missing="question_file_missing", other="batch_format")
    if not raw.strip():
        raise AppError("batch_empty", name=path.name)
    sha256 = hashlib.sha256(raw).hexdigest()
    if suffix in table_reader.WORKBOOKS:
        sheet, rows = next(table_reader.read_sheets(raw, path.name, ROWS + 2), ("", []))
        if not rows:
            raise AppError("batch_empty", name=path.name)
        return Table(_bounded(rows, path.name), sha256, sheet=sheet)
    codec = encodings.detect(raw)
    if not codec:
        raise AppError("table_unreadable", name=path.name, reason=phrase("common.questions_not_text"))
    text = encodings.decode(raw, codec)
    table_reader.check_text(text, path.name)
    if suffix == ".jsonl":
        if strict_json.is_crowded(text):
            raise AppError("table_crowded", name=path.name)
        columns, rows = _json_lines(text)
        return Table(_bounded(rows, path.name), sha256, codec, columns=columns)
    return Table(_bounded(table_reader.read_delimited(text, path.name), path.name), sha256, codec)


def _bounded(rows: Iterable[TableRow], name: str) -> tuple[TableRow, ...]:
    found: list[TableRow] = []
    for row in rows:
        if len(found) > ROWS:
            raise AppError("table_long", name=name, limit=f"{ROWS:,}")
        found.append(TableRow(row.line, table_reader.trim_cells(row.cells), row.problem))
    return tuple(found)


def _json_lines(text: str) -> tuple[tuple[str, ...], list[TableRow]]:
    """The names of the columns in the order in which they first occur, and the rows."""
    names: dict[str, int] = {}
    found: list[tuple[int, dict[str, Cell] | str]] = []
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        try:
            data = strict_json.loads(written, parse_constant=str)
        except ValueError:
            found.append((line, "not_json"))
            continue
        if not isinstance(data, dict):
            found.append((line, "not_object"))
            continue
        for key in data:
            names.setdefault(key, len(names))
        found.append((line, {key: _json_cell(value) for key, value in data.items()}))
    rows = [
        TableRow(line, problem=data)
        if isinstance(data, str)
        else TableRow(line, tuple(data.get(name) for name in names))
        for line, data in found
    ]
    return tuple(names), rows


def _json_cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)
