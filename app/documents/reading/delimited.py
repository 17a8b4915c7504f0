"""CSV and TSV files: the separator is told from the rows, the encoding as for any text."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from app.base.errors import AppError
from app.base.tables.table_reader import find_separator
from app.documents.reading import limits, plain, tabular
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.records import Report

SEPARATORS = ",\t;|"
CELL_CHARACTERS = 1_000_000  # a longer one is a quote that was never closed
TELL_EVERY = 2_000  # rows


def read(path: Path, tell: Tell, wished_encoding: str = "") -> Reading:
    """Raises AppError("document_not_text" | "document_encoding_unknown" | "document_too_long" |
    "document_wide_table" | "document_damaged"), OSError."""
    text, codec = plain.text_of(path, wished_encoding)
    csv.field_size_limit(CELL_CHARACTERS)
    separator = find_separator(text, SEPARATORS)
    widths: set[int] = set()
    characters = limits.Characters()  # the names of the columns are said in each row
    blocks: list[Block] = []
    try:
        for block in tabular.blocks_of(_rows(text, separator, tell, widths)):
            characters.add(len(block.text))
            blocks.append(block)
    except csv.Error as error:
        raise AppError("document_damaged", detail=str(error)) from error
    notes = ("uneven_rows",) if len(widths) > 1 else ()
    return Reading(blocks, report=Report(encoding=codec, tables=1 if blocks else 0, notes=notes))


def _rows(text: str, separator: str, tell: Tell, widths: set[int]) -> Iterator[list[str]]:
    total = text.count("\n") + 1
    for number, row in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator)):
        if number % TELL_EVERY == 0:
            tell(number, total)
        if len(row) > limits.TABLE_COLUMNS:
            raise AppError("document_wide_table", limit=f"{limits.TABLE_COLUMNS:,}")
        if row:
            widths.add(len(row))
        yield row
