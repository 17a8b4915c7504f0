"""Read from the XML of .xlsx what calamine does not report: number formats, widths, formulas without stored values.

A sheet is scanned in pieces, before calamine loads it and takes memory for all cells up to the last one.
"""

import contextlib
import re
import zipfile
from array import array
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain

from app.base.errors import AppError
from app.documents.reading import limits
from app.documents.reading.cell_formats import read_number_formats
from app.documents.reading.office_xml import attribute, children_of, document_title, relations, relations_of
from app.documents.reading.text_blocks import ProgressCallback

CELLS = 20_000_000  # cells of a workbook up to the last row and column; calamine takes 72 bytes for each
PIECE_BYTES = 1_000_000
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
    """The styles, properties and sheets of an .xlsx file.

    Raises AppError("document_damaged" | "document_unsafe_xml" | "document_too_deep").
    """

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
