"""Find words in the shown branch, also in the thousands of messages that have no widget."""

import functools
import itertools
from bisect import bisect_right
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.base import search_text
from app.base.wording import phrase
from app.chat.ui.text import citations
from app.chat.ui.transcript.transcript import Transcript
from app.uikit.input_method import conversion_guard_of
from app.uikit.page import PAGE_MARGIN_PX
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.fields import FindField
from app.uikit.widgets.labels import Label, Separator, announce, set_surface


class MatchPlaces:
    """Numbers the matches of all messages from 0, and maps each number to a row and a place, the match's number in that
    row."""

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


FIELD_PX, FIELD_MIN_PX = 300, 120


class FindBar(QWidget):
    """The bar that finds words. It updates the matches when messages are added, finished or replaced."""

    opening = Signal()  # the source panel must be closed if it covers the conversation
    left = Signal()  # the bar was closed while it had the focus

    def __init__(self, theme: Theme, transcript: Transcript, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._transcript = transcript
        self._places = MatchPlaces()
        self._number = 0  # number of the current match, from 0
        self._conversation_id = 0
        # The folded texts of all messages are cached while the bar is open, because each typed character needs them.
        self._fold = functools.cache(search_text.fold)
        set_surface(self, "base")
        self.field = FindField(theme, phrase("chat.find_in_this_conversation"))
        self.count = Label(tone="text2")
        self.previous_button = Button(theme, phrase("chat.previous"), compact=True)
        self.next_button = Button(theme, phrase("common.next"), compact=True)
        self.close_button = IconButton(theme, "x", phrase("chat.close_search"), "Esc")
        self._row = make_row(
            (self.field, 1), self.count, self.previous_button, self.next_button, Stretch(), self.close_button
        )
        make_column(self._row, Separator(), into=self, spacing_px=0)
        self._connect()
        self._resize()
        self.hide()

    def open(self) -> None:
        """Open the bar with the last query."""
        if not self._transcript.messages:
            return
        was_open = not self.isHidden()
        self.opening.emit()
        self._take_focus()
        if not was_open:
            self._search_from(self._transcript.first_in_sight())

    def look_for(self, query: str, message_id: int) -> None:
        """Open the bar with a query, and go to its first match from a message on, or to the message if it has no
        match."""
        self.opening.emit()
        self._set_query(query)
        self._take_focus()
        self._search_from(message_id)
        if self._message_id() != message_id:
            self._transcript.reveal(message_id, 0)

    def step(self, direction: int) -> None:
        """Go to the next (1) or previous (-1) match, wrapping around at the end."""
        if self.isHidden():
            self.open()
        elif self._places:
            self._number = (self._number + direction) % len(self._places)
            self._show_match()

    def leave(self) -> None:
        focused = QApplication.focusWidget()
        had_focus = focused is not None and self.isAncestorOf(focused)
        self.hide()
        self._places = MatchPlaces()
        self._fold.cache_clear()
        self._transcript.mark(())
        if had_focus:
            self.left.emit()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close the bar with Esc when one of its buttons has the focus."""
        if event.key() == Qt.Key.Key_Escape:
            self.leave()
        else:
            super().keyPressEvent(event)

    # ------------------------------------------------------------------ private

    def _connect(self) -> None:
        self.field.textChanged.connect(self._on_query_changed)  # not emitted while the input method converts text
        self.field.step_requested.connect(self.step)
        self.field.closed.connect(self.leave)
        self.previous_button.clicked.connect(lambda: self.step(-1))
        self.next_button.clicked.connect(lambda: self.step(1))
        self.close_button.clicked.connect(self.leave)
        self._theme.changed.connect(self._resize)
        self._transcript.content_changed.connect(self._on_content_changed)

    def _resize(self) -> None:
        px = self._theme.px
        self.field.setMinimumWidth(px(FIELD_MIN_PX))
        self.field.setMaximumWidth(px(FIELD_PX))
        self._row.setContentsMargins(PAGE_MARGIN_PX, px(8), px(12), px(8))
        self._row.setSpacing(px(8))

    def _set_query(self, query: str) -> None:
        """Change the text without emitting the field's signal."""

        def change() -> None:
            self.field.blockSignals(True)
            self.field.setText(query)
            self.field.blockSignals(False)

        conversion_guard_of(self.field).run_after_conversion(change)

    def _take_focus(self) -> None:
        self.show()
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)
        conversion_guard_of(self.field).run_after_conversion(self.field.selectAll)

    def _search_from(self, message_id: int) -> None:
        """Go to the first match in or after this message, or else to the last match before it."""
        self._count()
        rows = (row for row, message in enumerate(self._transcript.messages) if message.id == message_id)
        self._number = self._places.number(next(rows, 0), 0)
        self._show_match()

    def _count(self) -> None:
        query_words = search_text.fold(self.field.text()).split()
        self._transcript.mark(query_words)
        self._places = MatchPlaces(
            [
                search_text.count_occurrences(self._fold(citations.shown_text(message)), query_words)
                if message.status != "streaming"
                else 0
                for message in self._transcript.messages
            ]
        )

    def _message_id(self) -> int:
        """Return the id of the message with the current match; 0 when there is none."""
        return self._transcript.messages[self._places[self._number][0]].id if self._places else 0

    def _show_match(self) -> None:
        self._show_number()
        if self._places:
            self._transcript.reveal(self._message_id(), self._places[self._number][1])

    def _show_number(self) -> None:
        """Show the number of the current match and the number of all matches."""
        total = len(self._places)
        words = phrase("chat.n_total", n=f"{min(self._number + 1, total):,}", total=f"{total:,}")
        if not self.field.text().strip():
            words = ""
        elif not total:
            words = phrase("chat.nothing_found")
        self.count.set_tone("text2" if total else "warning")
        self.previous_button.setEnabled(total > 0)
        self.next_button.setEnabled(total > 0)
        if words != self.count.text():
            self.count.setText(words)
            if self.isVisible() and words:
                announce(self, words)

    def _on_query_changed(self) -> None:
        self._search_from(self._message_id() or self._transcript.first_in_sight())

    def _on_content_changed(self) -> None:
        """Count the matches again without scrolling, because the user may be reading."""
        messages = self._transcript.messages
        before, self._conversation_id = self._conversation_id, messages[0].conversation_id if messages else 0
        if self.isHidden():
            return
        if self._conversation_id != before:
            self.leave()
            return
        row, place = self._places[self._number] if self._places else (0, 0)
        self._count()
        self._number = self._places.number(min(row, len(messages) - 1), place)
        self._show_number()
