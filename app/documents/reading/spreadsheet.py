"""Excel files: each sheet with its tables, values as they are shown. Formulas are never computed."""

import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException

from app.base.errors import AppError
from app.base.isolation import sandbox
from app.documents.reading import limits, tabular
from app.documents.reading.blocks import Block, Reading, Tell
from app.documents.reading.spreadsheet_raw import Raw, raw_of
from app.documents.reading.spreadsheet_shown import shown
from app.documents.records import Report

CELLS = 30_000_000  # with the empty ones that a row's last cell implies
TELL_EVERY = 500  # rows
_FORMATS, _FORMATS_BYTES = "xl/styles.xml", 1_000_000  # openpyxl takes 500 bytes for a format of 7

# What openpyxl raises for files that are not what they claim.
_DAMAGED = (
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError, EOFError),
    *(zipfile.BadZipFile, zlib.error, ParseError),
)


def read(path: Path, tell: Tell) -> Reading:
    """Raises AppError("document_damaged" | "document_bomb" | "document_unsafe_xml" | "document_too_long" |
    "document_many_cells" | "document_wide_table" | "document_hung"), MemoryError, OSError."""
    import openpyxl

    size_bytes = path.stat().st_size
    with limits.open_archive(path) as archive, sandbox.limit_added_memory(_memory_bytes(size_bytes)):
        formats = [one for one in archive.infolist() if one.filename == _FORMATS]
        if any(sandbox.is_compression_suspicious(one.file_size, one.compress_size, _FORMATS_BYTES) for one in formats):
            raise AppError("document_bomb", unpacked_bytes=formats[0].file_size)
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                return _Reader(book, archive, tell, _processor_s(size_bytes)).read()
            finally:
                book.close()
        except TimeoutError as error:
            raise AppError("document_hung", name=path.name) from error
        except _DAMAGED as error:
            if isinstance(error, DefusedXmlException) or isinstance(error.__cause__, DefusedXmlException):
                raise AppError("document_unsafe_xml") from error
            raise AppError("document_damaged", detail=type(error).__name__) from error


def _memory_bytes(size_bytes: int) -> int:
    """What openpyxl may take beside what this process has: it holds all texts and formats of a workbook at once."""
    return 200_000_000 + 24 * size_bytes


def _processor_s(size_bytes: int) -> float:
    """Four times what 800,000 numbers of one digit take on two cores, the densest sound workbook that was measured."""
    return 5.0 + size_bytes / 60_000


class _Reader:
    def __init__(self, book: Any, archive: zipfile.ZipFile, tell: Tell, processor_s: float) -> None:
        self._until = time.process_time() + processor_s
        self._book = book
        self._archive = archive
        self._tell = tell
        self._cells = 0
        self._characters = limits.Characters()
        self._notes: list[str] = []

    def read(self) -> Reading:
        blocks: list[Block] = []
        tables = 0
        sheets = self._book.worksheets
        for number, sheet in enumerate(sheets, start=1):
            self._tell(number, len(sheets))
            if sheet.sheet_state != "visible":
                self._notes.append("hidden_sheets")
                continue
            found = list(self._sheet(sheet))
            if found:
                blocks += [Block("heading", sheet.title.strip() or f"Sheet {number}", 1), *found]
                tables += any(block.kind == "row" for block in found)
        title = getattr(self._book.properties, "title", None) or ""
        return Reading(blocks, str(title), Report(tables=tables, notes=tuple(dict.fromkeys(self._notes))))

    def _sheet(self, sheet: Any) -> Iterator[Block]:
        # The one place where openpyxl says which part of the archive a sheet is; merged cells are not in its stream.
        raw = raw_of(self._archive, sheet._worksheet_path)
        if raw.has_uncomputed:
            self._notes.append("formulas_without_values")
        sheet.reset_dimensions()  # a file may claim a million columns that it does not have
        for block in tabular.blocks_of(self._rows(sheet, raw)):
            self._characters.add(len(block.text))  # here: merged cells and heads are said in many rows
            yield block

    def _rows(self, sheet: Any, raw: Raw) -> Iterator[list[str]]:
        above: dict[int, str] = {}  # column -> text of the merged cell that goes on downward
        empty_rows = 0
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            if number % TELL_EVERY == 0:
                self._tell(number, 0)
                if time.process_time() > self._until:
                    raise TimeoutError
            self._cells += max(1, len(cells))
            if number > limits.TABLE_ROWS or self._cells > CELLS:
                raise AppError("document_many_cells", rows=f"{limits.TABLE_ROWS:,}", cells=f"{CELLS:,}")
            row = self._row(cells, number, raw, above)
            empty_rows = 0 if row else empty_rows + 1
            if empty_rows <= 1:
                yield row

    def _row(self, cells: Any, number: int, raw: Raw, above: dict[int, str]) -> list[str]:
        row = [self._shown(cell) for cell in cells]
        while row and not row[-1]:
            row.pop()
        if len(row) > limits.TABLE_COLUMNS:
            raise AppError("document_wide_table", limit=f"{limits.TABLE_COLUMNS:,}")
        for first, last, rows_left in raw.merged.get(number, ()):
            if last > limits.TABLE_COLUMNS:
                continue
            row += [""] * (last + 1 - len(row))
            if rows_left < 0:
                row[first] = above.get(first, "")
            else:
                above[first] = row[first]
            row[first + 1 : last + 1] = [tabular.MERGED] * (last - first)
        return row

    def _shown(self, cell: Any) -> str:
        if cell.value is None:
            return ""
        return re.sub(r"\s+", " ", shown(cell.value, cell.number_format or "")).strip()
