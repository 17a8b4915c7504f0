"""Read Excel and OpenDocument spreadsheets by calamine: tables with values as displayed; formulas are never computed.

What it omits of .xlsx files (number formats, widths, formulas without stored values) is read from the XML in pieces,
before calamine loads a sheet and takes memory for all cells up to the last one.

A sheet that is used as graph paper (Excel方眼紙) is read as lines of text, not as a table: it has many narrow columns,
and texts in merged cells, over empty ones, or with one character a cell. Its `row`: the texts of its cells; merged with
the left one: MERGED_CELL; one merged with the upper one begins with CONTINUED.
"""

import contextlib
import re
import zipfile
import zlib
from array import array
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby, islice
from pathlib import Path
from statistics import median
from typing import Any

import python_calamine

from app.base.errors import AppError
from app.base.lazy_pattern import lazy_pattern
from app.documents.reading import limits, text_blocks
from app.documents.reading.cell_formats import format_value, read_number_formats
from app.documents.reading.office_xml import attribute, children_of, document_title, relations, relations_of
from app.documents.reading.text_blocks import (
    MERGED_CELL,
    Block,
    ProgressCallback,
    ReadDocument,
    join_cells,
    join_lines,
    looks_like_header,
)
from app.documents.records import ReadingReport

CONTINUED = "\1"
SAMPLE_ROWS = 300  # rows by which a sheet is judged
COLUMNS_LEAST = 20
FILLED = 0.25  # share of the columns in which texts begin, in the median row; tables have more
DAYS = 0.5  # share of columns that the row of days in a schedule fills
NARROW_SHARE = 0.6  # share of narrow columns
MERGED_SHARE = 0.3  # or share of texts in cells that are merged with the next: forms of ordinary columns
TABLE_ROWS, TABLE_CELLS = 3, 3  # the least rows and cells of a table on graph paper
LINE_LEAST = 15  # characters of a line that continues in the next

_SENTENCE_END = lazy_pattern(r"[。．.！？!?：:；;）)」』]$")
_ITEM = lazy_pattern(r"[・●○■□◆◇※①-⑳\-*（(第]|[0-9０-９]+[.．)）、]")


@dataclass(slots=True)
class _Span:
    """A text and the columns that its cells cover. `is_continued`: the text stands in a row above."""

    column: int
    last: int
    text: str
    is_continued: bool = False


def is_grid_paper(rows: Sequence[Sequence[str]], narrow: set[int] | None) -> bool:
    """Whether a sheet is graph paper, judged by its first rows. `narrow`: the narrow columns; None: unknown."""
    columns = max(map(len, rows), default=0)
    lines = [spans for row in rows if (spans := [one for one in _spans(row) if one.text and not one.is_continued])]
    if columns < COLUMNS_LEAST or not lines or median(map(len, lines)) > FILLED * columns:
        return False
    if any(len([one for one in line if one.text.isdigit()]) > DAYS * columns for line in lines):
        return False
    if len([column for column in range(columns) if column in (narrow or ())]) >= NARROW_SHARE * columns:
        return True
    texts = [one for line in lines for one in line]
    return len([one for one in texts if one.last > one.column]) >= MERGED_SHARE * len(texts)


def grid_blocks(rows: Iterable[Sequence[str]]) -> Iterator[Block]:
    """Yield rows with the same cells as rows of a table, and other rows as paragraphs."""
    lines = (_spans(row) for row in rows)
    paragraph: list[_Span] = []
    for places, group in groupby(lines, key=lambda spans: tuple(span.column for span in spans)):
        alike = list(group)
        is_table = len(alike) >= TABLE_ROWS and len(places) >= TABLE_CELLS
        for spans in [] if is_table else alike:
            texts = [span for span in spans if span.text and not span.is_continued]
            if paragraph and not _continues(paragraph, texts):
                yield Block("paragraph", _line(paragraph))
                paragraph = []
            if paragraph:
                paragraph[0].text = join_lines(paragraph[0].text, texts[0].text)
            else:
                paragraph = texts
        if is_table:
            if paragraph:
                yield Block("paragraph", _line(paragraph))
                paragraph = []
            yield from _table(alike)
    if paragraph:
        yield Block("paragraph", _line(paragraph))


def _spans(row: Sequence[str]) -> list[_Span]:
    """Return the texts of a row and its empty merged cells, in order; characters in cells of their own become one."""
    spans: list[_Span] = []
    for column, cell in enumerate(row):
        before = spans[-1] if spans and spans[-1].last == column - 1 else None
        if cell == MERGED_CELL:
            if before is not None:
                before.last = column
            elif column and row[column - 1] == "":
                spans.append(_Span(column - 1, column, ""))
        elif cell.startswith(CONTINUED):
            spans.append(_Span(column, column, cell.removeprefix(CONTINUED), True))
        elif before is not None and _is_character(cell) and _is_character(row[column - 1]):
            before.text, before.last = before.text + cell, column
        elif cell:
            spans.append(_Span(column, column, cell))
    return spans


def _is_character(cell: str) -> bool:
    return len(cell) == 1 and not cell.isdigit() and cell not in (MERGED_CELL, CONTINUED)


def _line(spans: Sequence[_Span]) -> str:
    return " ".join(span.text for span in spans)


def _continues(line: Sequence[_Span], after: Sequence[_Span]) -> bool:
    """Whether the next row continues the sentence of a line: alone in its row, and below its start."""
    return (
        len(line) == len(after) == 1
        and line[0].column == after[0].column
        and len(line[0].text) >= LINE_LEAST
        and not _SENTENCE_END.search(line[0].text)
        and not _ITEM.match(after[0].text)
    )


def _table(rows: Sequence[Sequence[_Span]]) -> Iterator[Block]:
    for place, spans in enumerate(rows):
        texts = [span.text for span in spans]
        if text := join_cells(texts):
            yield Block("row", text, is_head=place == 0 and looks_like_header(texts))


MERGED_MOST = 100_000  # rows of merged cells; a sheet with more is a drawing, not a table
PROGRESS_EVERY = 2_000  # rows between two reports of progress
PIECE_BYTES = 1_000_000
_XML_PARTS = (".xml", ".rels")
_PARTS = (*_XML_PARTS, ".bin")  # of sheets, or an embedded object

Range = tuple[tuple[int, int], tuple[int, int]]  # first and last cell, each (row, column) from 0
_DAMAGED = (python_calamine.CalamineError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, KeyError)
CELLS = 20_000_000  # cells of a workbook up to the last row and column; calamine takes 72 bytes for each
PIECE_MOST_BYTES = 8_000_000  # longer rows are cut anywhere
NARROW = 4.5  # characters; the columns of graph paper have 1 to 3, ordinary ones 8.4

# Rows and cells with their number or place, their style, and the slash of an empty one.
_ELEMENT = re.compile(
    rb"<(?:\w+:)?(row|c)(?=[\s/>])"
    rb"(?:(?=[^<>]{0,300}?\sr=[\"']([A-Za-z]*+)(\d{1,9})[\"']))?"
    rb"(?:(?=[^<>]{0,300}?\ss=[\"'](\d{1,5})[\"']))?"
    rb"[^<>]*?(/?)>"
)
_UNCOMPUTED = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?:\s[^>]{0,200})?/>)\s*+"
    rb"(?:<(?:\w+:)?v\s*+/>|<(?:\w+:)?v>\s*+</(?:\w+:)?v>)?+\s*+</(?:\w+:)?c>"
)
_WIDTH = re.compile(rb"<(?:\w+:)?col\s([^<>]{0,300})>")
_DEFAULT_WIDTH = re.compile(rb"<(?:\w+:)?sheetFormatPr\s[^<>]{0,300}?defaultColWidth=[\"']([\d.]{1,20})[\"']")
_ATTRIBUTE = re.compile(rb"(min|max|width)=[\"']([\d.]{1,20})[\"']")


@dataclass(slots=True)
class SheetDetails:
    """The properties of a sheet that calamine does not report. Rows are from 1, columns from 0."""

    has_uncomputed: bool = False  # a formula has no stored value
    narrow: set[int] | None = None  # columns narrower than NARROW, up to TABLE_COLUMNS; None: the widths are unknown
    styles: "dict[int, array[int]]" = field(default_factory=dict)  # row -> column, style, column, style, …

    def number_formats(self, row: int, formats: list[str]) -> dict[int, str]:
        """Return the formats of a row's cells, without those in the format General."""
        found = self.styles.get(row)
        return {column: formats[style] for column, style in zip(found[::2], found[1::2], strict=True)} if found else {}


class WorkbookXml:
    """The styles, properties and sheets of an .xlsx file. Raises AppError if it is damaged, unsafe or too deep."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        book = relations(archive, "").get("officeDocument", "xl/workbook.xml")
        parts = relations_of(archive, book)
        by_id = {one.id: one.part for one in parts}
        styles = next((one.part for one in parts if one.kind == "styles"), "")
        self.number_formats = read_number_formats(archive, styles) if styles else []
        self._parts = {
            attribute(sheet, "name"): by_id.get(attribute(sheet, "id"), "")
            for sheet in children_of(archive, book, "sheets")
        }
        self.title = document_title(archive)

    def sheet(self, name: str, on_progress: ProgressCallback) -> SheetDetails:
        """Scan a sheet. Raises AppError("document_many_cells" | "document_wide_table"), exceptions of `zipfile`."""
        part = self._parts.get(name)
        if not part:
            return SheetDetails()
        with contextlib.closing(_pieces(self._archive, part)) as pieces:
            return _SheetScan(self.number_formats).scan(pieces, on_progress)


def _pieces(archive: zipfile.ZipFile, part: str) -> Generator[bytes, None, None]:
    """Yield an XML part in pieces that end with a row. Raises AppError("document_damaged") beyond PIECE_MOST_BYTES."""
    rest = b""
    with archive.open(part) as file:
        while piece := file.read(PIECE_BYTES):
            rest += piece
            end = rest.rfind(b"</row>")
            if end < 0 and len(rest) > PIECE_MOST_BYTES:
                end = rest.rfind(b"<")
                if end <= 0:
                    raise AppError("document_damaged", detail="long text")
            if end > 0:
                yield rest[:end]
                rest = rest[end:]
    yield rest


class _SheetScan:
    def __init__(self, formats: list[str]) -> None:
        self._displayed = {b"%d" % style: style for style, number_format in enumerate(formats) if number_format}
        self._columns: dict[bytes, int] = {}
        self._row = self._column = 0
        self._last_row = self._last_column = 0  # of cells that are not empty

    def scan(self, pieces: Iterator[bytes], on_progress: ProgressCallback) -> SheetDetails:
        found = SheetDetails()
        first = next(pieces)
        found.narrow = _narrow_columns(first)
        for piece in chain((first,), pieces):
            found.has_uncomputed = found.has_uncomputed or _UNCOMPUTED.search(piece) is not None
            for kind, letters, number, style, slash in _ELEMENT.findall(piece):
                if kind == b"row":
                    self._row, self._column = int(number) if number else self._row + 1, -1
                    continue
                self._column = self._column_of(letters) if letters else self._column + 1
                self._row = int(number) if letters else self._row
                if not slash:
                    self._last_row, self._last_column = self._row, max(self._last_column, self._column)
                    if style in self._displayed and self._column < limits.TABLE_COLUMNS:
                        cells = found.styles.setdefault(self._row, array("H"))
                        cells.extend((self._column, self._displayed[style]))
            self._check()
            on_progress(0, 0)
        return found

    def _column_of(self, letters: bytes) -> int:
        column = self._columns.get(letters)
        if column is None:
            column = 0
            for letter in letters.upper():
                column = column * 26 + letter - 64
            column = self._columns[letters] = column - 1
        return column

    def _check(self) -> None:
        last_row = max(self._row, self._last_row)
        if last_row > limits.TABLE_ROWS or self._last_row * (self._last_column + 1) > CELLS:
            raise AppError("document_many_cells", rows=f"{limits.TABLE_ROWS:,}", cells=f"{CELLS:,}")
        if self._last_column >= limits.TABLE_COLUMNS:
            raise AppError("document_wide_table", limit=f"{limits.TABLE_COLUMNS:,}")


def _narrow_columns(head: bytes) -> set[int]:
    """Return the columns that are narrower than NARROW, from the XML before the first row."""
    default = _DEFAULT_WIDTH.search(head)
    narrow = set(range(limits.TABLE_COLUMNS)) if default and _number(default[1]) < NARROW else set()
    for match in _WIDTH.finditer(head):
        found = {name: _number(value) for name, value in _ATTRIBUTE.findall(match[1])}
        columns = range(int(found.get(b"min", 1)) - 1, min(limits.TABLE_COLUMNS, int(found.get(b"max", 0))))
        (narrow.update if found.get(b"width", 9.0) < NARROW else narrow.difference_update)(columns)
    return narrow


def _number(digits: bytes) -> float:
    try:
        return float(digits)
    except ValueError:
        return 0.0


def read(path: Path, on_progress: ProgressCallback, file_format: str = "xlsx") -> ReadDocument:
    """Read a spreadsheet: xlsx | xlsb | xls | ods. Raises AppError for a damaged, unsafe, protected or too large
    one."""
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
        sample = list(islice(rows, SAMPLE_ROWS))
        is_grid = is_grid_paper(sample, details.narrow)
        rows = chain(sample, rows)
        for block in grid_blocks(rows) if is_grid else text_blocks.table_blocks(map(_repeated, rows)):
            self._characters.add(len(block.text))  # counted here, because rows repeat merged cells and headers
            yield block

    def _rows(
        self, sheet: Any, details: SheetDetails, merged: dict[int, list[tuple[int, int, bool]]]
    ) -> Iterator[list[str]]:
        """Yield the texts of each row; two or more empty rows become one."""
        left = [""] * (sheet.start[1] if sheet.start else 0)
        blank = [""] * sheet.width
        above: dict[int, str] = {}  # column -> text of the merged cell that extends downward
        empty_rows = 0
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            if number % PROGRESS_EVERY == 0:
                self._on_progress(number, 0)
            if empty_rows and cells == blank and number not in merged:  # formats may extend over a million such rows
                continue
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
            row[first] = CONTINUED + above.get(first, "")
        row[first + 1 : last + 1] = [text_blocks.MERGED_CELL] * (last - first)


def _repeated(row: list[str]) -> list[str]:
    """Return a row of a table, in which the text of a cell that spans rows is repeated in each."""
    return [cell.removeprefix(CONTINUED) for cell in row]
