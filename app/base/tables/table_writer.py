"""Tables for spreadsheets in which no cell is a formula, whatever a question, a document or a model says."""

import copy
import csv
import datetime
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from app.base import invisible_characters
from app.base.files.output_file import require_zip_date

CELL_CHARACTERS = 32_767  # Excel's limit
FORMULA_SIGNS = frozenset("=+-@")  # NFKC makes them of their full-width, small and raised forms
_MINUS = "\u2010\u2011\u2012\u2013\u2212"  # read as - by some programs
_STARTS_LINE = ("\t", "\r", "\n")
FONT = "Yu Gothic"
HEAD_GROUND = "E3EDF7"
_UNSEEN_MAX = 1000  # characters that are looked behind
TITLE_CHARACTERS = 31  # of a sheet, Excel's limit
_NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\]")


def is_formula_like(text: str) -> bool:
    """Return whether a spreadsheet could read a text as a formula, also behind what is not seen: spaces, controls,
    joiners, marks of direction."""
    if text.startswith(_STARTS_LINE):
        return True
    first = next((one for one in text[:_UNSEEN_MAX] if not _is_unseen(one)), "")
    return first != "" and (first in _MINUS or unicodedata.normalize("NFKC", first)[:1] in FORMULA_SIGNS)


def remove_quote(cell: str) -> str:
    """A text as it was before `write_csv` put an apostrophe before it."""
    return cell[1:] if cell.startswith("'") and is_formula_like(cell.lstrip("'")) else cell


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Zs", "Mn", "Me", "Cn", "Co")


class WorkbookWriter:
    """A workbook written row by row. The few styles are made once: openpyxl compares each new one with all it holds."""

    def __init__(self, cut_note: str, label: str) -> None:
        """`cut_note`: stands at the end of what is longer than Excel takes. `label`: 社外秘 and the like, which each
        printed page has at its top: in a cell it would be read back as a row."""
        from openpyxl import Workbook  # a fifth of a second of imports
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Alignment, Font, PatternFill
        from openpyxl.worksheet.worksheet import Worksheet

        self._cut_note, self._label = cut_note, label
        self._book = Workbook(write_only=True)
        sample = WriteOnlyCell(Worksheet(self._book))  # of no sheet of the book
        sample.font, sample.alignment = Font(name=FONT), Alignment(vertical="top", wrap_text=True)
        self._plain = copy.copy(sample._style)
        self._quoted = copy.copy(sample._style)
        self._quoted.quotePrefix = 1  # Excel keeps it a text when somebody edits it
        sample.font, sample.fill = Font(name=FONT, bold=True), PatternFill("solid", fgColor=HEAD_GROUND)
        self._head = copy.copy(sample._style)
        self._quoted_head = copy.copy(sample._style)
        self._quoted_head.quotePrefix = 1

    def add(
        self,
        title: str,
        widths: Sequence[int],
        rows: Iterable[Sequence[object]],
        head: Sequence[str] = (),
        notes: Sequence[str] = (),
        numbers: Mapping[int, tuple[int, int, str]] | None = None,
    ) -> None:
        """A sheet. `widths`: of its columns in characters; with `head`, the names above them, it can be filtered.

        `title`: as far as Excel takes it; numbered where another sheet has it. `notes`: below an empty row.
        `numbers`: of columns, from 1, in which people write whole numbers: the least, the most, and what else is told.
        """
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation

        sheet = self._book.create_sheet(self._free(title))
        sheet.oddHeader.right.text = self._label
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
        if head:
            sheet.auto_filter.ref = f"A1:{get_column_letter(len(head))}{count}"
        for number, (least, most, told) in (numbers or {}).items():
            asked = DataValidation("whole", str(least), str(most), operator="between", allowBlank=True, error=told)
            asked.showErrorMessage = True
            asked.add(f"{get_column_letter(number)}2:{get_column_letter(number)}{max(2, count)}")
            sheet.data_validations.append(asked)
        for row in ([], *([note] for note in notes)) if notes else ():
            sheet.append([self._cell(sheet, value, self._plain) for value in row])

    def save(self, file: BinaryIO) -> None:
        """Raises AppError("clock_unfit")."""
        require_zip_date()
        self._book.save(file)

    def _free(self, title: str) -> str:
        safe = _NOT_IN_TITLES.sub(" ", self._legal(title))
        taken = {name.casefold() for name in self._book.sheetnames}
        found, count = safe[:TITLE_CHARACTERS].strip("' ") or "-", 1
        while found.casefold() in taken:
            count += 1
            end = f" ({count})"
            found = safe[: TITLE_CHARACTERS - len(end)].strip("' ") + end
        return found

    def _cell(self, sheet: Any, value: object, style: Any) -> Any:
        """Numbers and dates as such; all else is text, also where it begins as a formula does."""
        from openpyxl.cell import WriteOnlyCell

        if isinstance(value, int | float | datetime.date | datetime.time) and not isinstance(value, bool):
            cell = WriteOnlyCell(sheet, value)
            if cell.is_date:
                style = copy.copy(style)
                style.numFmtId = cell._style.numFmtId
        else:
            text = self._legal("" if value is None else str(value))
            if not text:
                return None
            cell = WriteOnlyCell(sheet)
            cell._value, cell.data_type = text, "s"  # the setter would make a formula of what begins with =
            if is_formula_like(text):
                style = self._quoted_head if style is self._head else self._quoted
        cell._style = style
        return cell

    def _legal(self, text: str) -> str:
        """Without what nobody sees, of which XML cannot hold much, and not more than Excel takes."""
        kept = invisible_characters.remove(text)
        if len(kept.encode("utf-16-le")) // 2 <= CELL_CHARACTERS:
            return kept
        note = self._cut_note
        return kept.encode("utf-16-le")[: 2 * (CELL_CHARACTERS - len(note))].decode("utf-16-le", "ignore") + note


def write_csv(file: BinaryIO, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """UTF-8 with a mark, by which Excel knows it; what begins as a formula does has an apostrophe before it.

    Texts are quoted, so that a program that separates columns by ; or tabs finds no cell within a cell.
    """
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="", write_through=True)
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(_harmless(head))
    for row in rows:
        writer.writerow(_harmless(row))
    text.detach()


def _harmless(cells: Sequence[object]) -> list[object]:
    """Numbers are left as they are: -5 is no formula. What looks quoted already is quoted again, to be read back."""
    shown = [invisible_characters.remove(cell) if isinstance(cell, str) else cell for cell in cells]
    return [f"'{cell}" if isinstance(cell, str) and _needs_quote(cell) else cell for cell in shown]


def _needs_quote(text: str) -> bool:
    return is_formula_like(text) or is_formula_like(text.lstrip("'"))
