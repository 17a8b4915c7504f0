"""Find words in the shown branch, also in the thousands of messages that have no widget."""

import functools

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.base import search_text
from app.base.wording import phrase
from app.chat.ui.text import citations
from app.chat.ui.transcript.transcript import Transcript
from app.uikit.find_strip import FindStrip, MatchPlaces
from app.uikit.theme import Theme


class FindBar(FindStrip):
    """The bar that finds words. It updates the matches when messages are added, finished or replaced."""

    opening = Signal()  # the source panel must be closed if it covers the conversation

    def __init__(self, theme: Theme, transcript: Transcript, parent: QWidget | None = None) -> None:
        super().__init__(theme, phrase("chat.find_in_this_conversation"), parent)
        self._transcript = transcript
        self._conversation_id = 0
        # The folded texts of all messages are cached while the bar is open, because each typed character needs them.
        self._fold = functools.cache(search_text.fold)
        transcript.content_changed.connect(self._on_content_changed)

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
        """Open the bar with a query, and go to its first match from a message on, or else to the message."""
        self.opening.emit()
        self._set_query(query)
        self._take_focus()
        self._search_from(message_id)
        if self._message_id() != message_id:
            self._transcript.reveal(message_id, 0)

    # ------------------------------------------------------------------ private

    def _forget(self) -> None:
        self._fold.cache_clear()
        self._transcript.mark(())

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
