"""Finding words in the branch that is shown: also in the thousands of messages that have no widget."""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QApplication

from app.core import text
from app.ui.chat.find_bar import FindBar
from app.ui.chat.transcript import Transcript


class Finding(QObject):
    """Between the bar and the transcript. What is found stays right while messages come, end and change."""

    closed = Signal()  # the bar has gone, and the keyboard with it

    def __init__(self, bar: FindBar, transcript: Transcript, parent: QObject) -> None:
        super().__init__(parent)
        self._bar = bar
        self._transcript = transcript
        self._hits: list[tuple[int, int]] = []  # message id, and which of the places in it
        self._place = 0
        self._conversation_id = 0
        bar.query_changed.connect(self._on_query_changed)
        bar.step_requested.connect(self.step)
        bar.closed.connect(self.close)
        transcript.content_changed.connect(self._on_content_changed)

    def open(self) -> None:
        """Ready for typing, with what was looked for last."""
        if not self._transcript.messages:
            return
        was_open = not self._bar.isHidden()
        self._bar.take_keyboard()
        if not was_open:
            self._look(self._transcript.first_in_sight())

    def find(self, query: str, message_id: int) -> None:
        """Shows where the words stand, first of all in this message."""
        self._bar.set_query(query)
        self._bar.take_keyboard()
        self._look(message_id)
        if message_id not in (hit[0] for hit in self._hits):
            self._transcript.reveal(message_id, 0)

    def step(self, step: int) -> None:
        """To the next place (1) or the one before (-1), round and round."""
        if self._bar.isHidden():
            self.open()
        elif self._hits:
            self._place = (self._place + step) % len(self._hits)
            self._show()

    def close(self) -> None:
        focused = QApplication.focusWidget()
        had_keyboard = focused is not None and self._bar.isAncestorOf(focused)
        self._bar.hide()
        self._hits = []
        self._transcript.mark(())
        if had_keyboard:
            self.closed.emit()

    # ------------------------------------------------------------------ private

    def _look(self, message_id: int) -> None:
        """From this message on; the last place before it if there is none after it."""
        self._count()
        order = {message.id: row for row, message in enumerate(self._transcript.messages)}
        start = order.get(message_id, 0)
        last = max(0, len(self._hits) - 1)
        self._place = next((place for place, hit in enumerate(self._hits) if order[hit[0]] >= start), last)
        self._show()

    def _count(self) -> None:
        query_words = text.fold(self._bar.query).split()
        self._transcript.mark(query_words)
        self._hits = [
            (message.id, place)
            for message in self._transcript.messages
            if message.status != "streaming"
            for place in range(text.count(message.text, query_words))
        ]

    def _show(self) -> None:
        self._bar.show_place(min(self._place + 1, len(self._hits)), len(self._hits))
        if self._hits:
            self._transcript.reveal(*self._hits[self._place])

    def _on_query_changed(self) -> None:
        here = self._hits[self._place][0] if self._hits else self._transcript.first_in_sight()
        self._look(here)

    def _on_content_changed(self) -> None:
        """Nothing is scrolled: somebody may be reading."""
        messages = self._transcript.messages
        before, self._conversation_id = self._conversation_id, messages[0].conversation_id if messages else 0
        if self._bar.isHidden():
            return
        if self._conversation_id != before:
            self.close()
            return
        here = self._hits[self._place] if self._hits else None
        self._count()
        self._place = self._hits.index(here) if here in self._hits else 0
        self._bar.show_place(min(self._place + 1, len(self._hits)), len(self._hits))
