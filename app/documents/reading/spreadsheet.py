"""Read Excel files: each sheet with its tables, and values as displayed. Formulas are never computed.

The raw XML supplies what openpyxl's stream of rows omits: merged cells, and formulas whose values were never stored.
Number formats cover dates of both calendars, percentages and thousands separators.
"""

import datetime
import math
import re
import time
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException

from app.base.errors import AppError
from app.base.isolation import sandbox
from app.documents.reading import limits, text_blocks
from app.documents.reading.text_blocks import Block, ProgressCallback, ReadDocument
from app.documents.records import ReadingReport

PIECE_BYTES = 1_000_000
OVERLAP_BYTES = 2_000  # longer than any match
MERGED_MOST = 100_000  # rows of merged cells; a sheet with more is a drawing, not a table

_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,200}?ref=[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']")
_UNCOMPUTED = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?:\s[^>]{0,200})?/>)\s*+"
    rb"(?:<(?:\w+:)?v\s*+/>|<(?:\w+:)?v>\s*+</(?:\w+:)?v>)?+\s*+</(?:\w+:)?c>"
)


@dataclass(slots=True)
class SheetDetails:
    """The properties of a sheet that openpyxl does not report.

    `merged`: for each row (from 1), merged ranges as (first column, last column, position); columns are from 0, and the
    position is 0 in the range's first row and -1 below it. `has_uncomputed`: a formula has no stored value.
    """

    merged: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    has_uncomputed: bool = False


def read_sheet_details(archive: zipfile.ZipFile, part: str) -> SheetDetails:
    """Scan the XML of one sheet as bytes, piece by piece. Raises the exceptions of `zipfile`."""
    raw = SheetDetails()
    before = b""
    rows = 0
    seen: set[tuple[bytes, ...]] = set()
    with archive.open(part.lstrip("/")) as file:
        while piece := file.read(PIECE_BYTES):
            window = before + piece
            raw.has_uncomputed = raw.has_uncomputed or _UNCOMPUTED.search(window) is not None
            for match in _MERGED.finditer(window):
                if match.groups() in seen:
                    continue
                seen.add(match.groups())
                top, bottom = int(match[2]), int(match[4])
                rows += bottom - top + 1
                if bottom < top or rows > MERGED_MOST:
                    return raw
                first, last = _column(match[1]), _column(match[3])
                for row in range(top, bottom + 1):
                    raw.merged.setdefault(row, []).append((first, max(first, last), 0 if row == top else -1))
            before = window[-OVERLAP_BYTES:]
    return raw


def _column(letters: bytes) -> int:
    value = 0
    for letter in letters:
        value = value * 26 + letter - 64
    return value - 1


_ERAS = (
    (datetime.date(2019, 5, 1), "令和", "R"),
    (datetime.date(1989, 1, 8), "平成", "H"),
    (datetime.date(1926, 12, 25), "昭和", "S"),
    (datetime.date(1912, 7, 30), "大正", "T"),
    (datetime.date(1868, 1, 25), "明治", "M"),
)
_DAYS = "月火水木金土日"
_ENGLISH_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_PARTS = re.compile(
    r'"([^"]*)"|\\(.)|_.|\*.|\[[^\]]*\]'
    r"|(g{1,3}|yyyy|yy|e{1,2}|m{1,5}|d{1,4}|a{3,4}|h{1,2}|s{1,2}|AM/PM|\.0+)|(.)",
    re.IGNORECASE | re.DOTALL,
)
_SCALE = re.compile(r"(?<=[0#?])(,+)(?![0#?,])")  # a comma after the last digit divides by 1,000
_FRACTION = re.compile(r"[0#?]\s*/\s*[0-9#?]")
_DATE_PARTS = re.compile(r"g+|y+|e+|m+|d+|a{3,4}|h+|s+", re.IGNORECASE)


def format_value(value: Any, number_format: str) -> str:
    """Return a value as Excel displays it.

    `value`: from openpyxl. `number_format`: Excel's format, of which only the first section is used.
    """
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case datetime.datetime() | datetime.date() | datetime.time():
            return _date(value, number_format)
        case datetime.timedelta():
            return _span(value)
        case float() if not math.isfinite(value):
            return str(value)
        case int() | float():
            return _number(value, number_format)
    return str(value)


def _number(value: float, number_format: str) -> str:
    chosen = number_format.split(";")[0]
    bare = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]|_.|\*.', "", chosen)
    places = re.search(r"\.([0#?]+)", bare)
    digits = len(places[1]) if places else 0
    if "%" in bare:
        return f"{value * 100:.{digits}f}%"
    if not re.search(r"[0#?]", bare) or "e" in bare.lower() or _FRACTION.search(bare):
        return _plain(value)
    whole = re.split(r"[.]", bare)[0]
    value /= 1000 ** len("".join(_SCALE.findall(bare)))
    zeros = whole.count("0") + (digits + 1 if digits else 0) + (value < 0)
    text = f"{value:,.{digits}f}" if re.search(r",[0#?]", whole) else f"{value:0{zeros}.{digits}f}"
    if places and "#" in places[1]:
        text = text.rstrip("0").rstrip(".")
    around = [re.sub(r"\\(.)|\"([^\"]*)\"|\[[^\]]*\]|_.|\*.", r"\1\2", part) for part in re.split(r"[0#?,.]+", chosen)]
    return (around[0] + text + around[-1]).strip() if len(around) >= 2 else text


def _plain(value: float) -> str:
    """Return a number in Excel's General format: 11 digits, without binary rounding errors (0.1 + 0.2)."""
    if isinstance(value, int) or (value == int(value) if abs(value) < 1e15 else False):
        return str(int(value))
    return f"{value:.15g}" if abs(value) >= 1e15 or 0 < abs(value) < 1e-4 else f"{value:.11g}"


def _span(value: datetime.timedelta) -> str:
    minutes, seconds = divmod(int(value.total_seconds()), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


def _date(value: datetime.date | datetime.time, number_format: str) -> str:
    chosen = number_format.split(";")[0]
    bare = re.sub(r'\[[^\]]*\]|"[^"]*"', "", chosen)
    if bare.lower() == "general" or not _DATE_PARTS.search(bare):
        return value.isoformat().replace("T00:00:00", "").replace("T", " ")
    found = [match for match in _PARTS.finditer(chosen) if match[0]]
    codes = [(match[3] or "").lower() for match in found]
    return "".join(_format_part(value, match, codes, place) for place, match in enumerate(found)).strip()


def _format_part(value: Any, match: re.Match[str], codes: list[str], index: int) -> str:
    code = codes[index]
    if not code:
        return match[1] or match[2] or match[4] or ""
    has_half = "am/pm" in codes
    if code.startswith("m"):
        around = [one for one in codes[:index] if one][-1:] + [one for one in codes[index + 1 :] if one][:1]
        is_minute = any(one.startswith("h") for one in around[:1]) or any(one.startswith("s") for one in around[-1:])
        if is_minute:
            return _two_digits(getattr(value, "minute", 0), code)
    if code[0] in "hs" or code in ("am/pm",) or code[0] == ".":
        return _time(value, code, has_half)
    return _day(value, code) if isinstance(value, datetime.date) else ""


def _time(value: Any, code: str, has_half: bool) -> str:
    hour = getattr(value, "hour", 0)
    if code == "am/pm":
        return "AM" if hour < 12 else "PM"
    if code.startswith("h"):
        return _two_digits((hour % 12 or 12) if has_half else hour, code)
    if code.startswith("s"):
        return _two_digits(getattr(value, "second", 0), code)
    return "." + f"{getattr(value, 'microsecond', 0):06}"[: len(code) - 1]


def _day(value: datetime.date, code: str) -> str:
    day = value.date() if isinstance(value, datetime.datetime) else value
    begin, era, letter = next((one for one in _ERAS if day >= one[0]), (datetime.date(1, 1, 1), "", ""))
    year = day.year - begin.year + 1
    texts = {
        "yyyy": f"{day.year:04}",
        "yy": f"{day.year % 100:02}",
        "e": str(year),
        "ee": f"{year:02}",
        "ggg": era,
        "gg": era[:1],
        "g": letter,
        "aaa": _DAYS[day.weekday()],
        "aaaa": _DAYS[day.weekday()] + "曜日",
        "ddd": _ENGLISH_DAYS[day.weekday()],
    }
    if code.startswith("d"):
        return texts["ddd"] if len(code) > 2 else _two_digits(day.day, code)
    if code.startswith("m"):
        return day.strftime("%b") if len(code) > 2 else _two_digits(day.month, code)
    return texts.get(code, str(day.year))


def _two_digits(number: int, code: str) -> str:
    return f"{number:02}" if len(code) > 1 else str(number)


CELLS = 30_000_000  # cells of a workbook, including empty ones before a row's last cell
PROGRESS_EVERY = 500  # rows between two reports of progress
_FORMATS, _FORMATS_BYTES = "xl/styles.xml", 1_000_000  # openpyxl takes 500 bytes for a format of 7

# Exceptions of openpyxl for invalid files.
_DAMAGED = (
    *(KeyError, ValueError, TypeError, AttributeError, IndexError, ArithmeticError, EOFError),
    *(zipfile.BadZipFile, zlib.error, ParseError),
)


def read(path: Path, on_progress: ProgressCallback) -> ReadDocument:
    """Read an Excel file.

    Raises AppError("document_damaged" | "document_bomb" | "document_unsafe_xml" | "document_too_long" |
    "document_many_cells" | "document_wide_table" | "document_hung"), MemoryError, OSError.
    """
    import openpyxl

    size_bytes = path.stat().st_size
    with limits.open_archive(path) as archive, sandbox.limit_added_memory(_memory_bytes(size_bytes)):
        formats = [one for one in archive.infolist() if one.filename == _FORMATS]
        if any(sandbox.is_compression_suspicious(one.file_size, one.compress_size, _FORMATS_BYTES) for one in formats):
            raise AppError("document_bomb", unpacked_bytes=formats[0].file_size)
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
            try:
                return _Reader(book, archive, on_progress, _cpu_limit_s(size_bytes)).read()
            finally:
                book.close()
        except TimeoutError as error:
            raise AppError("document_hung", name=path.name) from error
        except _DAMAGED as error:
            if isinstance(error, DefusedXmlException) or isinstance(error.__cause__, DefusedXmlException):
                raise AppError("document_unsafe_xml") from error
            raise AppError("document_damaged", detail=type(error).__name__) from error


def _memory_bytes(size_bytes: int) -> int:
    """Return the memory that openpyxl may add to this process: it keeps all texts and formats of a workbook at once."""
    return 200_000_000 + 24 * size_bytes


def _cpu_limit_s(size_bytes: int) -> float:
    """Return the limit of processor time for a workbook, in seconds.

    It is four times that of 800,000 one-digit numbers on two cores, the densest valid workbook measured.
    """
    return 5.0 + size_bytes / 60_000


class _Reader:
    def __init__(self, book: Any, archive: zipfile.ZipFile, on_progress: ProgressCallback, processor_s: float) -> None:
        self._deadline = time.process_time() + processor_s
        self._book = book
        self._archive = archive
        self._on_progress = on_progress
        self._cells = 0
        self._characters = limits.CharacterBudget()
        self._notes: list[str] = []

    def read(self) -> ReadDocument:
        blocks: list[Block] = []
        tables = 0
        sheets = self._book.worksheets
        for number, sheet in enumerate(sheets, start=1):
            self._on_progress(number, len(sheets))
            if sheet.sheet_state != "visible":
                self._notes.append("hidden_sheets")
                continue
            found = list(self._sheet(sheet))
            if found:
                blocks += [Block("heading", sheet.title.strip() or f"Sheet {number}", 1), *found]
                tables += any(block.kind == "row" for block in found)
        title = getattr(self._book.properties, "title", None) or ""
        return ReadDocument(blocks, str(title), ReadingReport(tables=tables, notes=tuple(dict.fromkeys(self._notes))))

    def _sheet(self, sheet: Any) -> Iterator[Block]:
        # Only this private attribute tells which part of the archive a sheet is.
        raw = read_sheet_details(self._archive, sheet._worksheet_path)
        if raw.has_uncomputed:
            self._notes.append("formulas_without_values")
        sheet.reset_dimensions()  # a file may claim a million columns that it does not have
        for block in text_blocks.table_blocks(self._rows(sheet, raw)):
            self._characters.add(len(block.text))  # counted here, because rows repeat merged cells and headers
            yield block

    def _rows(self, sheet: Any, raw: SheetDetails) -> Iterator[list[str]]:
        above: dict[int, str] = {}  # column -> text of the merged cell that extends downward
        empty_rows = 0
        for number, cells in enumerate(sheet.iter_rows(), start=1):
            if number % PROGRESS_EVERY == 0:
                self._on_progress(number, 0)
                if time.process_time() > self._deadline:
                    raise TimeoutError
            self._cells += max(1, len(cells))
            if number > limits.TABLE_ROWS or self._cells > CELLS:
                raise AppError("document_many_cells", rows=f"{limits.TABLE_ROWS:,}", cells=f"{CELLS:,}")
            row = self._row(cells, number, raw, above)
            empty_rows = 0 if row else empty_rows + 1
            if empty_rows <= 1:
                yield row

    def _row(self, cells: Any, number: int, raw: SheetDetails, above: dict[int, str]) -> list[str]:
        row = [self._cell_text(cell) for cell in cells]
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
            row[first + 1 : last + 1] = [text_blocks.MERGED_CELL] * (last - first)
        return row

    def _cell_text(self, cell: Any) -> str:
        if cell.value is None:
            return ""
        return re.sub(r"\s+", " ", format_value(cell.value, cell.number_format or "")).strip()
