"""Write tables in which no spreadsheet program evaluates a cell as a formula, whatever its text is."""

import copy
import csv
import datetime
import io
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from app.base import invisible_characters
from app.base.files.output_file import require_clock_fit_for_zip

CELL_CHARACTERS = 32_767  # Excel's limit
FORMULA_SIGNS = frozenset("=+-@")  # NFKC converts full-width, small and superscript forms to these
_MINUS = "\u2010\u2011\u2012\u2013\u2212"  # dashes that some programs read as -
_STARTS_LINE = ("\t", "\r", "\n")
FONT = "Yu Gothic"
HEAD_GROUND = "E3EDF7"
_UNSEEN_MAX = 1000  # how many invisible characters before a formula are skipped
TITLE_CHARACTERS = 31  # Excel's limit for the title of a sheet
_NOT_IN_TITLES = re.compile(r"[\[\]:*?/\\]")


def is_formula_like(text: str) -> bool:
    """Whether a spreadsheet could read a text as a formula, behind spaces, control and invisible characters."""
    if text.startswith(_STARTS_LINE):
        return True
    first = next((one for one in text[:_UNSEEN_MAX] if not _is_unseen(one)), "")
    return first != "" and (first in _MINUS or unicodedata.normalize("NFKC", first)[:1] in FORMULA_SIGNS)


def remove_formula_apostrophe(cell: str) -> str:
    """Return the text of a cell without the apostrophe that `write_csv` puts before formulas."""
    return cell[1:] if cell.startswith("'") and is_formula_like(cell.lstrip("'")) else cell


def _is_unseen(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Zs", "Mn", "Me", "Cn", "Co")


class WorkbookWriter:
    """A writer of one workbook, row by row, with few cell styles, as openpyxl compares each new one with all."""

    def __init__(self, cut_note: str, label: str) -> None:
        """Create an empty workbook. `cut_note`: ends a cell that is cut. `label`: for the header, as cells are read
        back."""
        from openpyxl import Workbook  # imported here, because the import takes a fifth of a second
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Alignment, Font, PatternFill
        from openpyxl.worksheet.worksheet import Worksheet

        self._cut_note, self._label = cut_note, label
        self._book = Workbook(write_only=True)
        sample = WriteOnlyCell(Worksheet(self._book))  # the sheet is not part of the book
        sample.font, sample.alignment = Font(name=FONT), Alignment(vertical="top", wrap_text=True)
        self._plain = copy.copy(sample._style)
        self._quoted = copy.copy(sample._style)
        self._quoted.quotePrefix = 1  # so that the cell stays a text when the user edits it in Excel
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
        """Add a sheet.

        `title`: is cut and numbered as Excel requires. `widths`: the widths of the columns in characters. `head`: the
        names of the columns, as a first row with filters; (): none. `notes`: lines at the end, below an empty row.
        `numbers`: for each column (from 1) that accepts only integers: the minimum, the maximum and the error message.
        """
        from openpyxl.utils import get_column_letter
        from openpyxl.worksheet.datavalidation import DataValidation

        sheet = self._book.create_sheet(self._free_title(title))
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
        for number, (least, most, message) in (numbers or {}).items():
            rule = DataValidation("whole", str(least), str(most), operator="between", allowBlank=True, error=message)
            rule.showErrorMessage = True
            rule.add(f"{get_column_letter(number)}2:{get_column_letter(number)}{max(2, count)}")
            sheet.data_validations.append(rule)
        for row in ([], *([note] for note in notes)) if notes else ():
            sheet.append([self._cell(sheet, value, self._plain) for value in row])

    def save(self, file: BinaryIO) -> None:
        """Write the workbook. Raises AppError("clock_unfit") if the clock's year cannot be stored in an Excel file."""
        require_clock_fit_for_zip()
        self._book.save(file)

    def _free_title(self, title: str) -> str:
        safe = _NOT_IN_TITLES.sub(" ", self._legal(title))
        taken = {name.casefold() for name in self._book.sheetnames}
        free, count = safe[:TITLE_CHARACTERS].strip("' ") or "-", 1
        while free.casefold() in taken:
            count += 1
            end = f" ({count})"
            free = safe[: TITLE_CHARACTERS - len(end)].strip("' ") + end
        return free

    def _cell(self, sheet: Any, value: object, style: Any) -> Any:
        """Return a cell with a number, a date, or a text, which never becomes a formula; None for an empty text."""
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
            cell._value, cell.data_type = text, "s"  # the setter would turn a text that begins with = into a formula
            if is_formula_like(text):
                style = self._quoted_head if style is self._head else self._quoted
        cell._style = style
        return cell

    def _legal(self, text: str) -> str:
        """Return the text without invisible characters, many of which XML forbids, and cut to Excel's limit."""
        kept = invisible_characters.remove(text)
        if len(kept.encode("utf-16-le")) // 2 <= CELL_CHARACTERS:
            return kept
        note = self._cut_note
        return kept.encode("utf-16-le")[: 2 * (CELL_CHARACTERS - len(note))].decode("utf-16-le", "ignore") + note


def write_csv(file: BinaryIO, head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV in UTF-8 with byte order mark, all texts quoted, and an apostrophe before what looks like a
    formula."""
    text = io.TextIOWrapper(file, "utf-8-sig", errors="replace", newline="", write_through=True)
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(_harmless(head))
    for row in rows:
        writer.writerow(_harmless(row))
    text.detach()


def _harmless(cells: Sequence[object]) -> list[object]:
    """Return the cells with an apostrophe before texts that look like a formula, or already have one before it."""
    shown = [invisible_characters.remove(cell) if isinstance(cell, str) else cell for cell in cells]
    return [
        f"'{cell}" if isinstance(cell, str) and (is_formula_like(cell) or is_formula_like(cell.lstrip("'"))) else cell
        for cell in shown
    ]
