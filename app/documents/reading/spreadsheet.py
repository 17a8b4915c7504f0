"""Read Excel and OpenDocument spreadsheets by calamine: tables with values as displayed; formulas are never computed.

What it omits of .xlsx files, `spreadsheet_xml` reads; the other formats lose their number formats.
"""

import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import Any

import python_calamine

from app.base.errors import AppError
from app.documents.reading import grid_paper, limits, text_blocks
from app.documents.reading.cell_formats import format_value
from app.documents.reading.spreadsheet_xml import CELLS, SheetDetails, WorkbookXml
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument
from app.documents.records import ReadingReport

MERGED_MOST = 100_000  # rows of merged cells; a sheet with more is a drawing, not a table
PROGRESS_EVERY = 2_000  # rows between two reports of progress
PIECE_BYTES = 1_000_000
_XML_PARTS = (".xml", ".rels")
_PARTS = (*_XML_PARTS, ".bin")  # of sheets, or an embedded object

Range = tuple[tuple[int, int], tuple[int, int]]  # first and last cell, each (row, column) from 0
_DAMAGED = (python_calamine.CalamineError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError)


def read(path: Path, on_progress: ProgressCallback, file_format: str = "xlsx") -> ReadDocument:
    """Read a spreadsheet. `file_format`: xlsx | xlsb | xls | ods.

    Raises AppError("document_damaged" | "document_bomb" | "document_unsafe_xml" | "document_too_long" |
    "document_many_cells" | "document_wide_table" | "document_protected"), OSError.
    """
    with contextlib.ExitStack() as stack:
        try:
            extra = None
            if file_format != "xls":
                archive = stack.enter_context(limits.open_archive(path))
                _check_parts(archive, on_progress)
                extra = WorkbookXml(archive) if file_format == "xlsx" else None
            book = stack.enter_context(python_calamine.CalamineWorkbook.from_path(path))
            return _Reader(book, extra, on_progress).read()
        except python_calamine.PasswordError as error:
            raise AppError("document_protected") from error
        except _DAMAGED as error:
            raise AppError("document_damaged", detail=type(error).__name__) from error
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of Rust code; it cannot be imported
                raise
            raise AppError("document_damaged", detail="panic") from error


def _check_parts(archive: zipfile.ZipFile, on_progress: ProgressCallback) -> None:
    """Raise for a part that is larger than stated, damaged (`zipfile`'s errors), or AppError("document_unsafe_xml")."""
    for entry in archive.infolist():
        if not entry.filename.endswith(_PARTS):
            continue
        on_progress(0, 0)
        is_xml = entry.filename.endswith(_XML_PARTS)
        before = b""
        with archive.open(entry) as file:
            while piece := file.read(PIECE_BYTES):
                if is_xml and b"<!DOCTYPE" in before + piece:
                    raise AppError("document_unsafe_xml")
                before = piece[-10:]


class _Reader:
    def __init__(self, book: Any, extra: WorkbookXml | None, on_progress: ProgressCallback) -> None:
        self._book = book
        self._extra = extra
        self._formats = extra.number_formats if extra else []
        self._on_progress = on_progress
        self._cells = self._letters = 0
        self._characters = limits.CharacterBudget()
        self._notes: list[str] = [] if extra else ["number_formats_unread"]

    def read(self) -> ReadDocument:
        blocks: list[Block] = []
        tables = 0
        sheets = [one for one in self._book.sheets_metadata if one.typ == python_calamine.SheetTypeEnum.WorkSheet]
        for number, sheet in enumerate(sheets, start=1):
            self._on_progress(number, len(sheets))
            if sheet.visible != python_calamine.SheetVisibleEnum.Visible:
                self._notes.append("hidden_sheets")
                continue
            found = list(self._sheet(sheet.name))
            if found:
                blocks += [Block("heading", sheet.name.strip() or f"Sheet {number}", 1), *found]
                tables += any(block.kind == "row" for block in found)
        title = self._extra.title if self._extra else ""
        report = ReadingReport(tables=tables, notes=tuple(dict.fromkeys(self._notes)))
        return ReadDocument(blocks, title, report, self._letters)

    def _sheet(self, name: str) -> Iterator[Block]:
        details = self._extra.sheet(name, self._on_progress) if self._extra else SheetDetails()
        if details.has_uncomputed:
            self._notes.append("formulas_without_values")
        self._on_progress(0, 0)
        sheet = self._book.get_sheet_by_name(name)
        self._cells += sheet.total_height * sheet.total_width
        if sheet.total_height > limits.TABLE_ROWS or self._cells > CELLS:
            raise AppError("document_many_cells", rows=f"{limits.TABLE_ROWS:,}", cells=f"{CELLS:,}")
        merged = _merged_rows(sheet.merged_cell_ranges or [])
        rows = self._rows(sheet, details, merged)
        sample = list(islice(rows, grid_paper.SAMPLE_ROWS))
        is_grid = grid_paper.is_grid_paper(sample, details.narrow)
        rows = chain(sample, rows)
        for block in grid_paper.grid_blocks(rows) if is_grid else text_blocks.table_blocks(map(_repeated, rows)):
            self._characters.add(len(block.text))  # counted here, because rows repeat merged cells and headers
            yield block

    def _rows(
        self, sheet: Any, details: SheetDetails, merged: dict[int, list[tuple[int, int, bool]]]
    ) -> Iterator[list[str]]:
        """Yield the texts of each row; two or more empty rows become one."""
        left = [""] * (sheet.start[1] if sheet.start else 0)
        above: dict[int, str] = {}  # column -> text of the merged cell that extends downward
        empty_rows = 0
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            if number % PROGRESS_EVERY == 0:
                self._on_progress(number, 0)
            formats = details.number_formats(number, self._formats)
            row = left + [
                _flat(format_value(value, formats.get(column, ""))) if value != "" else ""
                for column, value in enumerate(cells, start=len(left))
            ]
            while row and not row[-1]:
                row.pop()
            if len(row) > limits.TABLE_COLUMNS:
                raise AppError("document_wide_table", limit=f"{limits.TABLE_COLUMNS:,}")
            self._letters += text_blocks.count_letters("".join(row))
            _merge(row, merged.get(number, ()), above)
            empty_rows = 0 if row else empty_rows + 1
            if empty_rows <= 1:
                yield row


def _flat(text: str) -> str:
    return " ".join(text.split()) if re.search(r"\s", text) else text


def _merged_rows(ranges: list[Range]) -> dict[int, list[tuple[int, int, bool]]]:
    """Return, for at most MERGED_MOST rows (from 1), merged ranges as first and last column and whether it begins
    there."""
    merged: dict[int, list[tuple[int, int, bool]]] = {}
    rows = 0
    for (top, first), (bottom, last) in ranges:
        rows += bottom - top + 1
        if bottom < top or last < first or rows > MERGED_MOST:
            return merged
        for row in range(top, bottom + 1):
            merged.setdefault(row + 1, []).append((first, last, row == top))
    return merged


def _merge(row: list[str], ranges: Iterable[tuple[int, int, bool]], above: dict[int, str]) -> None:
    """Mark the merged cells of a row, in place. `above`: column -> text of the merged range that begins there."""
    for first, last, is_top in ranges:
        if last > limits.TABLE_COLUMNS:
            continue
        row += [""] * (last + 1 - len(row))
        if is_top:
            above[first] = row[first]
        else:
            row[first] = grid_paper.CONTINUED + above.get(first, "")
        row[first + 1 : last + 1] = [text_blocks.MERGED_CELL] * (last - first)


def _repeated(row: list[str]) -> list[str]:
    """Return a row of a table, in which the text of a cell that spans rows is repeated in each."""
    return [cell.removeprefix(grid_paper.CONTINUED) for cell in row]
