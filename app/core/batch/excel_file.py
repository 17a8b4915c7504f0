"""Answers as a workbook: what a person reads first, then every source and sentence, then how it came about.

No cell is a formula, whatever a question, a document or a model says.
"""

import copy
import datetime
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from app.core.batch import report as words
from app.core.batch.report import Line, Report
from app.core.wording import phrase

CELL_CHARACTERS = 32_767  # Excel's limit
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
FONT = "Yu Gothic"
HEAD_GROUND = "E3EDF7"
WIDTHS = {"question": 40, "answer": 70, "sources": 50, "check": 40, "quote": 80, "heading": 40, "sentence": 60}
WIDTH = 14  # of all others, in characters
ABOUT_WIDTHS = (28, 90)

_SOURCES = ("n", "collection", "document", "heading", "tag", "page", "quote", "score")
_CLAIMS = ("n", "sentence", "sources", "supported", "missing")


def write(report: Report, file: BinaryIO) -> None:
    book = _Book()
    others = words.original_names(report.questions)
    lines = list(report.lines())
    columns = ["line", *others, "question", *words.ANSWER_COLUMNS]
    book.add_table("answers", columns, len(others), (words.cells(report, line) for line in lines))
    book.add_table("sources", ["line", *_SOURCES], 0, (row for line in lines for row in _sources(line)))
    book.add_table("claims", ["line", *_CLAIMS], 0, (row for line in lines for row in _claims(line)))
    book.add("about", ABOUT_WIDTHS, words.facts(report))
    book.save(file)


class _Book:
    """Written row by row. The few styles are made once: openpyxl compares each new one with all it holds."""

    def __init__(self) -> None:
        self._book = Workbook(write_only=True)
        sample = WriteOnlyCell(Worksheet(self._book))  # of no sheet of the book
        sample.font, sample.alignment = Font(name=FONT), Alignment(vertical="top", wrap_text=True)
        self._plain = copy.copy(sample._style)
        self._quoted = copy.copy(sample._style)
        self._quoted.quotePrefix = 1  # Excel keeps it a text when somebody edits it
        sample.font, sample.fill = Font(name=FONT, bold=True), PatternFill("solid", fgColor=HEAD_GROUND)
        self._head = copy.copy(sample._style)

    def add_table(self, key: str, columns: Sequence[str], others: int, rows: Iterable[Sequence[object]]) -> None:
        """`others`: how many of the columns, behind the first, are the questions' own and have their names."""
        own = range(1, 1 + others)
        widths = [WIDTH if at in own else WIDTHS.get(name, WIDTH) for at, name in enumerate(columns)]
        names = [name if at in own else phrase(f"batch_column_{name}") for at, name in enumerate(columns)]
        sheet, count = self.add(key, widths, rows, names)
        sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{count}"

    def add(
        self, key: str, widths: Sequence[int], rows: Iterable[Sequence[object]], head: Sequence[str] = ()
    ) -> tuple[Any, int]:
        """The sheet, and how many rows it has."""
        sheet = self._book.create_sheet(phrase(f"batch_sheet_{key}"))
        for number, width in enumerate(widths, start=1):
            sheet.column_dimensions[get_column_letter(number)].width = width
        count = 0
        if head:
            sheet.freeze_panes = "A2"
            sheet.append([self._cell(sheet, name, self._head) for name in head])
            count = 1
        for row in rows:
            sheet.append([self._cell(sheet, value, self._plain) for value in row])
            count += 1
        return sheet, count

    def save(self, file: BinaryIO) -> None:
        self._book.save(file)

    def _cell(self, sheet: Any, value: object, style: Any) -> Any:
        """Numbers and dates as such; all else is text, also where it begins as a formula does."""
        if isinstance(value, int | float | datetime.date | datetime.time) and not isinstance(value, bool):
            cell = WriteOnlyCell(sheet, value)
            if cell.is_date:
                style = copy.copy(style)
                style.numFmtId = cell._style.numFmtId
        else:
            text = _legal("" if value is None else str(value))
            if not text:
                return None
            cell = WriteOnlyCell(sheet)
            cell._value, cell.data_type = text, "s"  # the setter would make a formula of what begins with =
            style = self._quoted if text.startswith(STARTS_FORMULA) and style is self._plain else style
        cell._style = style
        return cell


def _legal(text: str) -> str:
    """What XML can hold, and not more than Excel takes."""
    kept: str = ILLEGAL_CHARACTERS_RE.sub("", text.replace("\ufffe", "").replace("\uffff", ""))
    if len(kept.encode("utf-16-le")) // 2 <= CELL_CHARACTERS:
        return kept
    note = phrase("batch_cut")
    return kept.encode("utf-16-le")[: 2 * (CELL_CHARACTERS - len(note))].decode("utf-16-le", "ignore") + note


def _sources(line: Line) -> list[list[object]]:
    return [
        [line.row.line, number, source.collection, source.document, " > ".join(source.heading), source.tag,
         source.page or "", source.text, round(source.score, 4)]
        for number, source in enumerate(line.result.sources if line.result else (), start=1)
    ]  # fmt: skip


def _claims(line: Line) -> list[list[object]]:
    kept = line.result.grounding if line.result else None
    return [
        [line.row.line, number, claim.sentence, " ".join(f"[{source}]" for source in claim.sources),
         phrase("batch_supported" if claim.is_supported else "batch_unsupported"), "\n".join(claim.missing)]
        for number, claim in enumerate(kept.claims if kept else (), start=1)
    ]  # fmt: skip
