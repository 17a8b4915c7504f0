"""A table of an HTML file while it is read: cells, and those that span rows and columns."""

from app.documents.reading import limits
from app.documents.reading.tabular import joined

SPAN_MOST = 1000


class Table:
    """`is_frame`: it is there for the look; headings or other tables stand in it, and its rows are none."""

    def __init__(self) -> None:
        self.is_frame = False
        self.is_in_cell = False
        self._cells: dict[int, str] = {}
        self._column = 0
        self._columns = self._rows = 1  # that the open cell spans
        self._below: dict[int, tuple[int, str]] = {}  # column -> rows still spanned, text
        self._heads = 0
        self._has_rows = False

    def begin_cell(self, is_head: bool, columns: str | None, rows: str | None) -> None:
        self.is_in_cell = True
        self._columns, self._rows = _span(columns), _span(rows)
        self._heads += is_head

    def end_cell(self, text: str) -> None:
        while self._column in self._below:
            self._column += 1
        if self._column < limits.TABLE_COLUMNS:
            self._cells[self._column] = text
            if self._rows > 1:
                self._below[self._column] = (self._rows, text)
            self._column += self._columns
        self.is_in_cell = False

    def become_frame(self) -> str:
        """Gives the cells of the row that was being read."""
        self.is_frame = True
        text = joined(self._cells[column] for column in sorted(self._cells))
        self.drop()
        return text

    def drop(self) -> None:
        self.is_in_cell = False
        self._cells, self._below, self._column, self._heads = {}, {}, 0, 0

    def end_row(self) -> tuple[str, bool]:
        """The row's text, "" when it has none, and whether it is a head row."""
        cells = self._cells
        for column, (left, text) in list(self._below.items()):
            cells.setdefault(column, text)
            if left > 1:
                self._below[column] = (left - 1, text)
            else:
                del self._below[column]
        text = joined(cells[column] for column in sorted(cells)) if cells and self._column else ""
        is_head = bool(text) and not self._has_rows and self._heads == len(cells)
        self._has_rows = self._has_rows or (bool(text) and not is_head)
        self._cells, self._column, self._heads = {}, 0, 0
        return text, is_head


def _span(said: str | None) -> int:
    digits = (said or "").strip()
    return min(SPAN_MOST, max(1, int(digits))) if digits.isdecimal() and len(digits) < 6 else 1
