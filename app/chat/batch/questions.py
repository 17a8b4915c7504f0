"""Which rows of a file are questions: the column is found by its heading; what is none is named, with the reason."""

import functools
import re
import tomllib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.paths import resources
from app.base.tables import column_mapping as names
from app.base.tables.column_mapping import ColumnMapping
from app.base.tables.table_reader import Cell, TableRow, column_letter
from app.base.wording import phrase
from app.chat.batch import table
from app.chat.batch.table import Table

CHARACTERS = 20_000  # of one question; a longer one is a document
SAMPLE_ROWS = 50
HEADING_CHARACTERS = 20


@dataclass(frozen=True, slots=True)
class Question:
    """`line`: of the file, or row of the sheet, from 1. `others`: the cells of the other columns."""

    line: int
    text: str
    others: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row without a question. `reason`: empty | long | not_text | not_json | not_object | open_quote."""

    line: int
    reason: str
    others: tuple[Cell, ...] = ()


@dataclass(frozen=True, slots=True)
class QuestionFile:
    name: str
    sha256: str
    column: int  # from 0
    columns: tuple[str, ...]  # all names; "" where the file has none
    questions: tuple[Question, ...]
    skipped: tuple[Skipped, ...] = ()
    blank_lines: int = 0  # rows without anything, which are no questions and no problems
    encoding: str = ""
    sheet: str = ""
    is_guessed: bool = False  # the column, of several: no heading says surely which


def read(path: Path, column: int | None = None) -> QuestionFile:
    """`column`: from 0, as the user chose; None finds it. Raises AppError as `table.read`, and "batch_no_questions"."""
    return sort(table.read(path), path.name, column)


def sort(read: Table, name: str, column: int | None = None) -> QuestionFile:
    """Raises AppError("batch_no_questions")."""
    filled = [row for row in read.rows if row.problem or any(_text(cell) for cell in row.cells)]
    width = max((len(row.cells) for row in filled), default=0)
    columns, body = _headed(filled, read.columns, width)
    named = _named_surely(columns)
    found = _column(columns, body, width) if named is None else named
    chosen = found if column is None else min(column, max(0, width - 1))
    questions, skipped = _sorted(body, chosen)
    if not questions:
        raise AppError("batch_no_questions", name=name)
    blank = len(read.rows) - len(filled) - _trailing(read.rows)
    is_guessed = column is None and named is None and width > 1
    return QuestionFile(
        name, read.sha256, chosen, columns, questions, skipped, blank, read.encoding, read.sheet, is_guessed
    )


def column_name(columns: Sequence[str], column: int) -> str:
    """As people call it: the letter that Excel gives it, and its heading."""
    letters = column_letter(column)
    heading = columns[column] if column < len(columns) else ""
    return phrase("chat.batch_column", letter=letters, heading=heading) if heading else letters


@functools.cache
def _words() -> dict[str, Any]:
    return tomllib.loads((resources() / "documents" / "question_columns.toml").read_text("utf-8"))


def _headed(rows: list[TableRow], named: tuple[str, ...], width: int) -> tuple[tuple[str, ...], list[TableRow]]:
    """The names of all columns, and the rows below them."""
    if named or not rows or rows[0].problem:
        return (*named, *[""] * (width - len(named))), rows
    first = [_text(cell) for cell in rows[0].cells]
    is_known = _named_surely(first) is not None
    is_heading = is_known or (
        len(rows) > 1
        and width > 1  # a single column without a known heading may well begin with a question
        and all(isinstance(cell, str) or cell is None for cell in rows[0].cells)
        and not any(
            re.search(_words()["question"], cell) or len(cell) > HEADING_CHARACTERS or cell.isdigit() for cell in first
        )
    )
    if not is_heading:
        return ("",) * width, rows
    return tuple(first + [""] * (width - len(first))), rows[1:]


def _named_surely(columns: Sequence[str]) -> int | None:
    """The column with the best known of the headings."""
    plain = [names.normalize_name(name) for name in columns]
    return next((plain.index(heading) for heading in _words()["headings"] if heading in plain), None)


def _column(columns: Sequence[str], rows: Sequence[TableRow], width: int) -> int:
    """By a heading as training data have it; else the first in which most cells ask, else in which most are text."""
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


def _sorted(rows: Sequence[TableRow], column: int) -> tuple[tuple[Question, ...], tuple[Skipped, ...]]:
    questions, skipped = [], []
    for row in rows:
        others = row.cells[:column] + row.cells[column + 1 :]
        cell = row.cells[column] if len(row.cells) > column else None
        text = _text(cell)
        reason = row.problem or _reason(cell, text)
        if reason:
            skipped.append(Skipped(row.line, reason, others))
        else:
            questions.append(Question(row.line, text, others))
    return tuple(questions), tuple(skipped)


def _reason(cell: Cell, text: str) -> str:
    if not text:
        return "empty"
    if not isinstance(cell, str) or not any(unicodedata.category(character)[0] == "L" for character in text):
        return "not_text"
    return "long" if len(text) > CHARACTERS else ""


def _is_asking(cell: Cell) -> bool:
    return _is_prose(cell) and re.search(_words()["asking"], _text(cell)) is not None


def _is_prose(cell: Cell) -> bool:
    return isinstance(cell, str) and len(cell.strip()) > 3 and not _reason(cell, cell.strip())


def _text(cell: Cell) -> str:
    """Without what no file could hold: half characters of JSON's escapes, and zeros."""
    return "" if cell is None else str(cell).encode("utf-8", "replace").decode().replace("\0", "").strip()


def _trailing(rows: Sequence[TableRow]) -> int:
    """Rows without anything at the end, as formatting leaves them."""
    count = 0
    for row in reversed(rows):
        if row.problem or any(_text(cell) for cell in row.cells):
            break
        count += 1
    return count
