"""Provide the strip that finds words in what a page shows, with field, count and steps; number the matches."""

import itertools
from bisect import bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.base.wording import phrase
from app.uikit.input_method import conversion_guard_of
from app.uikit.page import PAGE_MARGIN_PX
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.fields import FindField
from app.uikit.widgets.labels import Label, Separator, announce, set_surface

FIELD_PX, FIELD_MIN_PX = 300, 120


class MatchPlaces:
    """Numbers the matches of all rows from 0, and maps each number to a row and the match's number in it."""

    def __init__(self, counts: Sequence[int] = ()) -> None:
        """Number the matches. `counts` are the numbers of matches in each row."""
        self._ends = list(itertools.accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> tuple[int, int]:
        """Return the row of a match and its place in that row."""
        row = bisect_right(self._ends, number)
        return row, number - self.start(row)

    def start(self, row: int) -> int:
        """Return the number of matches in all rows before `row`."""
        return self._ends[row - 1] if row else 0

    def number(self, row: int, match_number: int) -> int:
        """Return the number of the match at a place in a row, or the nearest existing number."""
        return max(0, min(self.start(row) + match_number, len(self) - 1))


class FindStrip(QWidget):
    """The strip, hidden at first, that offers to look everywhere. Subclasses find words and call `_show_number`."""

    left = Signal()  # the strip was closed while it had the focus
    everywhere_requested = Signal(str)  # words to look for in all conversations and documents

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        """Build the strip. `name`: the placeholder and accessible name of the field."""
        super().__init__(parent)
        self._theme = theme
        self._places = MatchPlaces()
        self._number = 0  # number of the current match, from 0
        set_surface(self, "base")
        self.field = FindField(theme, name)
        self.count = Label(tone="text2")
        self.everywhere_button = Button(theme, phrase("uikit.look_everywhere"), "link", compact=True)
        self.previous_button = Button(theme, phrase("uikit.previous"), compact=True)
        self.next_button = Button(theme, phrase("common.next"), compact=True)
        self.close_button = IconButton(theme, "x", phrase("uikit.close_find"), "Esc")
        self._row = make_row(
            (self.field, 100), self.count, self.everywhere_button, self.previous_button, self.next_button, Stretch(),
            self.close_button,
        )  # fmt: skip
        make_column(self._row, Separator(), into=self, spacing_px=0)
        self.field.textChanged.connect(self._on_query_changed)
        self.field.step_requested.connect(self.step)
        self.field.closed.connect(self.leave)
        self.previous_button.clicked.connect(lambda: self.step(-1))
        self.next_button.clicked.connect(lambda: self.step(1))
        self.everywhere_button.clicked.connect(lambda: self.everywhere_requested.emit(self.field.text()))
        self.close_button.clicked.connect(self.leave)
        self._theme.changed.connect(self._resize)
        self._resize()
        self.everywhere_button.hide()
        self.hide()

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) match, wrapping around at the end."""
        if self.isHidden():
            self.open()
        elif self._places:
            self._number = (self._number + direction) % len(self._places)
            self._show_match()

    def leave(self) -> None:
        """Close the strip and remove the marks."""
        focused = QApplication.focusWidget()
        had_focus = focused is not None and self.isAncestorOf(focused)
        self.hide()
        self._places = MatchPlaces()
        self._forget()
        if had_focus:
            self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close the strip with Esc when one of its buttons has the focus."""
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    # ----------------------------------------------------------- of subclasses

    def open(self) -> None:
        """Open the strip with the last query."""
        raise NotImplementedError

    def _on_query_changed(self) -> None:
        """Find the text of the field. Not called while the input method converts text."""
        raise NotImplementedError

    def _show_match(self) -> None:
        """Scroll to the current match."""
        raise NotImplementedError

    def _forget(self) -> None:
        """Remove the marks, and what is kept for the next query."""
        raise NotImplementedError

    # ----------------------------------------------------------------- private

    def _resize(self) -> None:
        px = self._theme.px
        self.field.setMinimumWidth(px(FIELD_MIN_PX))
        self.field.setMaximumWidth(px(FIELD_PX))
        self._row.setContentsMargins(PAGE_MARGIN_PX, px(8), px(12), px(8))
        self._row.setSpacing(px(8))

    def _set_query(self, query: str) -> None:
        """Change the text without finding it."""

        def change() -> None:
            with QSignalBlocker(self.field):
                self.field.setText(query)

        conversion_guard_of(self.field).run_after_conversion(change)

    def _take_focus(self) -> None:
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        conversion_guard_of(self.field).run_after_conversion(self.field.selectAll)

    def _show_number(self) -> None:
        """Show the number of the current match and the number of all matches."""
        total = len(self._places)
        words = phrase("uikit.n_total", n=f"{min(self._number + 1, total):,}", total=f"{total:,}")
        if not self.field.text().strip():
            words = ""
        elif not total:
            words = phrase("uikit.nothing_found")
        for button in (self.previous_button, self.next_button):
            button.setEnabled(total > 0)
            button.setVisible(total > 0)
        self.everywhere_button.setVisible(bool(words) and not total)
        if words != self.count.text():
            self.count.setText(words)
            if self.isVisible() and words:
                announce(self, words)
