"""Answers as a workbook: what a person reads first, then every source and sentence, then how it came about.

No cell is a formula, whatever a question, a document or a model says.
"""

import datetime
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.styles.cell_style import StyleArray
from openpyxl.utils import get_column_letter

from app.core.batch import report as words
from app.core.batch.report import Line, Report
from app.core.wording import phrase

CELL_CHARACTERS = 32_767  # Excel's limit
STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
FONT = "Yu Gothic"
HEAD_GROUND = "E3EDF7"
WIDTHS = {"question": 40, "answer": 70, "sources": 50, "check": 40, "quote": 80, "heading": 40, "sentence": 60}
WIDTH = 14  # of all others, in characters

_SOURCES = ("n", "collection", "document", "heading", "tag", "page", "quote", "score")
_CLAIMS = ("n", "sentence", "sources", "supported", "missing")


def write(report: Report, file: BinaryIO) -> None:
    book = Workbook(write_only=True)
    others = words.original_names(report.questions)
    lines = list(report.lines())
    columns = ["line", *others, "question", *words.ANSWER_COLUMNS]
    _sheet(book, "answers", columns, len(others), (words.cells(report, line) for line in lines))
    _sheet(book, "sources", ["line", *_SOURCES], 0, (row for line in lines for row in _sources(line)))
    _sheet(book, "claims", ["line", *_CLAIMS], 0, (row for line in lines for row in _claims(line)))
    about = _add(book, "about", [28, 90])
    for fact in words.facts(report):
        about.append([_cell(about, value) for value in fact])
    book.save(file)


def _sheet(book: Any, key: str, columns: Sequence[str], others: int, rows: Iterable[Sequence[object]]) -> None:
    """`others`: how many of the columns, behind the first, are the questions' own and have their names."""
    own = range(1, 1 + others)
    sheet = _add(book, key, [WIDTH if at in own else WIDTHS.get(name, WIDTH) for at, name in enumerate(columns)])
    sheet.freeze_panes = "A2"
    names = [name if at in own else phrase(f"batch_column_{name}") for at, name in enumerate(columns)]
    sheet.append([_cell(sheet, name, is_head=True) for name in names])
    count = 1
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
        count += 1
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(columns))}{count}"


def _add(book: Any, key: str, widths: Sequence[int]) -> Any:
    sheet = book.create_sheet(phrase(f"batch_sheet_{key}"))
    for number, width in enumerate(widths, start=1):
        sheet.column_dimensions[get_column_letter(number)].width = width
    return sheet


def _cell(sheet: Any, value: object, *, is_head: bool = False) -> Any:
    """Numbers and dates as such; all else is text, also where it begins as a formula does."""
    if isinstance(value, bool) or value is None or not isinstance(value, int | float | datetime.date | datetime.time):
        cell = WriteOnlyCell(sheet, "")
        text = _legal("" if value is None else str(value))
        cell._value, cell.data_type = text, "s"  # the setter would make a formula of what begins with =
        if text.startswith(STARTS_FORMULA):
            _quote(cell)  # Excel keeps it a text when somebody edits it
    else:
        cell = WriteOnlyCell(sheet, value)
    cell.font = Font(name=FONT, bold=is_head)
    cell.alignment = Alignment(vertical="top", wrap_text=True)
    if is_head:
        cell.fill = PatternFill("solid", fgColor=HEAD_GROUND)
    return cell


def _quote(cell: Any) -> None:
    style: Any = cell._style
    if not isinstance(style, StyleArray):
        style = cell._style = StyleArray()
    style.quotePrefix = 1


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
