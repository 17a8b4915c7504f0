"""Read the questions from an Excel, CSV or JSON Lines file.

The column of questions is identified by its heading, or else by its contents. A row that is not a question is kept with
the reason, so that the file of answers can list it.
"""

import functools
import hashlib
import json
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.paths import resources
from app.base.tables import column_mapping as names
from app.base.tables import table_reader
from app.base.tables.column_mapping import ColumnMapping
from app.base.tables.table_reader import Cell, TableRow, column_letter
from app.base.wording import phrase
from app.documents import encodings

QUESTION_SUFFIXES = (*table_reader.WORKBOOKS, ".csv", ".tsv", ".jsonl")
FILE_BYTES_MAX = 50_000_000
ROWS_MAX = 100_000  # a machine that answers one question a second needs more than a day


@dataclass(frozen=True, slots=True)
class QuestionTableFile:
    """The rows of a file. `columns` are the keys of JSON Lines; () when the first row may hold the names."""

    rows: tuple[TableRow, ...]
    sha256: str
    encoding: str = ""  # of a text file, by its Python codec name; "" for a workbook
    sheet: str = ""  # name of the first sheet of a workbook that is not empty; "" for a text file
    columns: tuple[str, ...] = ()


def read_question_table(path: Path) -> QuestionTableFile:
    """Read all rows of a file.

    Raises AppError("batch_format" | "batch_empty" | "question_file_missing" | "table_long"), and those of
    `table_reader`.
    """
    suffix = path.suffix.lower()
    raw = table_reader.read_bytes(
        path, FILE_BYTES_MAX, QUESTION_SUFFIXES, missing="question_file_missing", other="batch_format"
    )
    if not raw.strip():
        raise AppError("batch_empty", name=path.name)
    sha256 = hashlib.sha256(raw).hexdigest()
    if suffix in table_reader.WORKBOOKS:
        sheet, rows = next(table_reader.read_sheets(raw, path.name, ROWS_MAX + 2), ("", []))
        if not rows:
            raise AppError("batch_empty", name=path.name)
        return QuestionTableFile(_bounded(rows, path.name), sha256, sheet=sheet)
    codec = encodings.detect(raw)
    if not codec:
        raise AppError("table_unreadable", name=path.name, reason=phrase("common.questions_not_text"))
    text = encodings.decode(raw, codec)
    table_reader.check_text(text, path.name)
    if suffix == ".jsonl":
        if strict_json.is_crowded(text):
            raise AppError("table_crowded", name=path.name)
        columns, rows = _json_lines(text)
        return QuestionTableFile(_bounded(rows, path.name), sha256, codec, columns=columns)
    return QuestionTableFile(_bounded(table_reader.read_delimited(text, path.name), path.name), sha256, codec)


def _bounded(rows: Iterable[TableRow], name: str) -> tuple[TableRow, ...]:
    found: list[TableRow] = []
    for row in rows:
        if len(found) > ROWS_MAX:
            raise AppError("table_long", name=name, limit=f"{ROWS_MAX:,}")
        found.append(TableRow(row.line, table_reader.trim_cells(row.cells), row.problem))
    return tuple(found)


def _json_lines(text: str) -> tuple[tuple[str, ...], list[TableRow]]:
    """Return the names of the columns, in the order of their first occurrence, and the rows of a JSON Lines text."""
    names: dict[str, None] = {}
    found: list[tuple[int, dict[str, object], str]] = []
    for line, written in enumerate(text.split("\n"), start=1):
        if not written.strip():
            continue
        problem = ""
        try:
            data = strict_json.loads(written, parse_constant=str)
        except ValueError:
            data, problem = {}, "not_json"
        if not isinstance(data, dict):
            data, problem = {}, "not_object"
        names |= dict.fromkeys(data)
        found.append((line, data, problem))
    rows = [
        TableRow(line, () if problem else tuple(_json_cell(data.get(name)) for name in names), problem)
        for line, data, problem in found
    ]
    return tuple(names), rows


def _json_cell(value: object) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False)


QUESTION_CHARACTERS_MAX = 20_000  # a longer text is a document, not a question
SAMPLE_ROWS = 50
HEADING_CHARACTERS_MAX = 20


@dataclass(frozen=True, slots=True)
class BatchQuestion:
    """A question at `line` of the file or sheet, from 1. `others` are the cells of the other columns."""

    line: int
    text: str
    others: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row that is not a question. `reason`: empty | long | not_text | not_json | not_object | open_quote."""

    line: int
    reason: str
    others: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class BatchFile:
    """The questions of a file and its rows that are not questions."""

    name: str
    sha256: str
    column: int  # number of the column of questions, from 0
    columns: tuple[str, ...]  # names of all columns; "" for one without a name
    questions: tuple[BatchQuestion, ...]
    skipped: tuple[SkippedRow, ...] = ()
    blank_lines: int = 0  # empty rows before the last filled one, which are neither questions nor problems
    encoding: str = ""
    sheet: str = ""
    is_guessed: bool = False  # True when there are several columns and no heading identified the one of the questions


def read_batch_file(path: Path, column: int | None = None) -> BatchFile:
    """Read a file and separate its questions from the other rows.

    `column` is the number that the user chose, from 0; None detects it. Raises AppError as `read_question_table` does,
    and "batch_no_questions".
    """
    table = read_question_table(path)
    numbered = [(at, row) for at, row in enumerate(table.rows, 1) if row.problem or any(map(_text, row.cells))]
    filled = [row for _, row in numbered]
    width = max((len(row.cells) for row in filled), default=0)
    columns, body = _headed(filled, table.columns, width)
    named = _question_column_by_heading(columns)
    found = _column(columns, body, width) if named is None else named
    chosen = found if column is None else min(column, max(0, width - 1))
    questions, skipped = _sorted(body, chosen)
    if not questions:
        raise AppError("batch_no_questions", name=path.name)
    blank = numbered[-1][0] - len(filled)  # formatted cells alone can make empty rows at the end
    is_guessed = column is None and named is None and width > 1
    return BatchFile(
        path.name, table.sha256, chosen, columns, questions, skipped, blank, table.encoding, table.sheet, is_guessed
    )


def column_name(columns: Sequence[str], column: int) -> str:
    """Return the column's letter as in Excel, with its heading if it has one."""
    letters = column_letter(column)
    heading = columns[column] if column < len(columns) else ""
    return phrase("chat.batch_column", letter=letters, heading=heading) if heading else letters


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads((resources() / "documents" / "question_columns.toml").read_text("utf-8"))


def _headed(rows: list[TableRow], named: tuple[str, ...], width: int) -> tuple[tuple[str, ...], list[TableRow]]:
    """Return the names of all columns and the rows below the heading. `named` are the keys of JSON Lines, or ()."""
    if named or not rows or rows[0].problem:
        return (*named, *[""] * (width - len(named))), rows
    first = [_text(cell) for cell in rows[0].cells]
    is_known = _question_column_by_heading(first) is not None
    is_heading = is_known or (
        len(rows) > 1
        and width > 1  # a single column without a known heading may well begin with a question
        and all(isinstance(cell, str) or cell is None for cell in rows[0].cells)
        and not any(
            re.search(_words()["question"], cell) or len(cell) > HEADING_CHARACTERS_MAX or cell.isdigit()
            for cell in first
        )
    )
    if not is_heading:
        return ("",) * width, rows
    return tuple(first + [""] * (width - len(first))), rows[1:]


def _question_column_by_heading(columns: Sequence[str]) -> int | None:
    """Return the number of the column whose heading is one of the known headings of questions, or None."""
    plain = [names.normalize_name(name) for name in columns]
    return next((plain.index(heading) for heading in _words()["headings"] if heading in plain), None)


def _column(columns: Sequence[str], rows: Sequence[TableRow], width: int) -> int:
    """Return the number of the column of questions: the one with a heading as in training data, else the first that is
    mostly questions, else the first that is mostly text, else 0."""
    guessed = names.guess_mapping(columns, ColumnMapping()).question
    if guessed:
        return columns.index(guessed)
    sample = [row for row in rows if not row.problem][:SAMPLE_ROWS]
    for is_such in (_is_asking, _is_prose):
        for column in range(width):
            such = [row for row in sample if len(row.cells) > column and is_such(row.cells[column])]
            if 2 * len(such) > len(sample):
                return column
    return 0


def _sorted(rows: Sequence[TableRow], column: int) -> tuple[tuple[BatchQuestion, ...], tuple[SkippedRow, ...]]:
    questions, skipped = [], []
    for row in rows:
        others = row.cells[:column] + row.cells[column + 1 :]
        cell = row.cells[column] if len(row.cells) > column else None
        text = _text(cell)
        reason = row.problem or _reason(cell, text)
        if reason:
            skipped.append(SkippedRow(row.line, reason, others))
        else:
            questions.append(BatchQuestion(row.line, text, others))
    return tuple(questions), tuple(skipped)


def _reason(cell: Cell, text: str) -> str:
    if not text:
        return "empty"
    if not isinstance(cell, str) or not any(unicodedata.category(character)[0] == "L" for character in text):
        return "not_text"
    return "long" if len(text) > QUESTION_CHARACTERS_MAX else ""


def _is_asking(cell: Cell) -> bool:
    return _is_prose(cell) and re.search(_words()["asking"], _text(cell)) is not None


def _is_prose(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell.strip()) > 3 and not _reason(cell, cell.strip())


def _text(cell: Cell) -> str:
    """Return the text of a cell without lone surrogates and null characters, which no file can store."""
    return "" if cell is None else str(cell).encode("utf-8", "replace").decode().replace("\0", "").strip()
