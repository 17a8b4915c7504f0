"""Finding words in the branch that is shown: also in the thousands of messages that have no widget."""

import functools
import itertools
from bisect import bisect_right
from collections.abc import Sequence

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from app.base import search_text
from app.chat.ui.text import citations
from app.chat.ui.transcript.find_bar import FindBar
from app.chat.ui.transcript.transcript import Transcript


class Places:
    """Numbers the places in all messages: the n-th one stands in which row, and is which one there."""

    def __init__(self, counts: Sequence[int] = ()) -> None:
        """`counts`: how many places each row has."""
        self._ends = list(itertools.accumulate(counts))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, number: int) -> tuple[int, int]:
        """Row, and number in that row."""
        row = bisect_right(self._ends, number)
        return row, number - self.start(row)

    def start(self, row: int) -> int:
        """How many places there are in the rows before."""
        return self._ends[row - 1] if row else 0

    def number(self, row: int, place: int) -> int:
        """The place of a row, or the one that is nearest to it."""
        return max(0, min(self.start(row) + place, len(self) - 1))


class Finding(QObject):
    """Between the bar and the transcript. What is found stays right while messages come, end and change."""

    opening = Signal()  # what covers the conversation has to go
    closed = Signal()  # the bar has gone, and the keyboard with it

    def __init__(self, bar: FindBar, transcript: Transcript, parent: QObject) -> None:
        super().__init__(parent)
        self._bar = bar
        self._transcript = transcript
        self._places = Places()
        self._number = 0  # of the current one
        self._conversation_id = 0
        self._fold = functools.cache(
            search_text.fold
        )  # of all messages, while the bar is open: each letter typed needs it
        bar.field.textChanged.connect(self._on_query_changed)  # never in the middle of a conversion
        bar.step_requested.connect(self.step)
        bar.closed.connect(self.close)
        transcript.content_changed.connect(self._on_content_changed)

    def open(self) -> None:
        """Ready for typing, with what was looked for last."""
        if not self._transcript.messages:
            return
        was_open = not self._bar.isHidden()
        self.opening.emit()
        self._bar.take_keyboard()
        if not was_open:
            self._look(self._transcript.first_in_sight())

    def find(self, query: str, message_id: int) -> None:
        """Shows where the words stand, first of all in this message."""
        self.opening.emit()
        self._bar.set_query(query)
        self._bar.take_keyboard()
        self._look(message_id)
        if self._message_id() != message_id:
            self._transcript.reveal(message_id, 0)

    def step(self, step: int) -> None:
        """To the next place (1) or the one before (-1), round and round."""
        if self._bar.isHidden():
            self.open()
        elif self._places:
            self._number = (self._number + step) % len(self._places)
            self._show()

    def close(self) -> None:
        focused = QApplication.focusWidget()
        had_keyboard = focused is not None and self._bar.isAncestorOf(focused)
        self._bar.hide()
        self._places = Places()
        self._fold.cache_clear()
        self._transcript.mark(())
        if had_keyboard:
            self.closed.emit()

    # ------------------------------------------------------------------ private

    def _look(self, message_id: int) -> None:
        """From this message on; the last place before it if there is none after it."""
        self._count()
        rows = (row for row, message in enumerate(self._transcript.messages) if message.id == message_id)
        self._number = self._places.number(next(rows, 0), 0)
        self._show()

    def _count(self) -> None:
        query_words = search_text.fold(self._bar.query).split()
        self._transcript.mark(query_words)
        self._places = Places(
            [
                search_text.count_occurrences(self._fold(citations.shown_text(message)), query_words)
                if message.status != "streaming"
                else 0
                for message in self._transcript.messages
            ]
        )

    def _message_id(self) -> int:
        """That of the current place; 0 when there is none."""
        return self._transcript.messages[self._places[self._number][0]].id if self._places else 0

    def _show(self) -> None:
        self._show_number()
        if self._places:
            self._transcript.reveal(self._message_id(), self._places[self._number][1])

    def _show_number(self) -> None:
        self._bar.show_place(min(self._number + 1, len(self._places)), len(self._places))

    def _on_query_changed(self) -> None:
        self._look(self._message_id() or self._transcript.first_in_sight())

    def _on_content_changed(self) -> None:
        """Nothing is scrolled: somebody may be reading."""
        messages = self._transcript.messages
        before, self._conversation_id = self._conversation_id, messages[0].conversation_id if messages else 0
        if self._bar.isHidden():
            return
        if self._conversation_id != before:
            self.close()
            return
        row, place = self._places[self._number] if self._places else (0, 0)
        self._count()
        self._number = self._places.number(min(row, len(messages) - 1), place)
        self._show_number()
