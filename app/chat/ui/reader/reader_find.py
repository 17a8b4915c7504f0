"""Find words in a document, counted in the background, as a long one takes a while."""

from functools import partial

from PySide6.QtWidgets import QWidget

from app.base import search_text
from app.base.services.background import LatestWork, TaskProgress
from app.base.wording import phrase
from app.chat.ui.reader.section_rows import SectionRows
from app.documents.whole_document import WholeDocument, WordCounter
from app.uikit.find_strip import FindStrip, MatchPlaces
from app.uikit.theme import Theme


class ReaderFind(FindStrip):
    """The strip that finds words in the shown document."""

    def __init__(self, theme: Theme, rows: SectionRows, parent: QWidget | None = None) -> None:
        super().__init__(theme, phrase("chat.find_in_this_document"), parent)
        self._rows = rows
        self._document: WholeDocument | None = None
        self._counter: WordCounter | None = None  # keeps folded texts as long as the document, so only while it is open
        self._counting = LatestWork()

    def show_document(self, document: WholeDocument) -> None:
        """Find in another document from now on. The strip is closed."""
        self._document = document
        self.leave()

    def open(self) -> None:
        was_open = not self.isHidden()
        self._take_focus()
        if not was_open:
            self._count()

    def look_for(self, query: str) -> None:
        """Open the strip with a query, and go to its first match from the section on that is read."""
        self._set_query(query)
        self.show()
        self._count()

    # ----------------------------------------------------------------- private

    def _on_query_changed(self) -> None:
        self._count()

    def _count(self) -> None:
        """Count the words in the background, then go to the first match from the section on that is read."""
        self._counting.drop()
        words = tuple(search_text.fold(self.field.text()).split())
        if self._document is None or not words:
            self._on_counted((), [])
            return
        self._counter = self._counter or WordCounter(self._document)
        count = partial(_count, self._counter, words)
        self._counting.run_long(count, partial(self._on_counted, words), lambda _error: None)

    def _on_counted(self, words: tuple[str, ...], counts: list[int]) -> None:
        self._places = MatchPlaces(counts)
        self._rows.mark(words)
        self._number = self._places.number(max(0, self._rows.row), 0) if self._places else 0
        self._show_match()

    def _show_match(self) -> None:
        self._show_number()
        if self._places:
            self._rows.reveal(*self._places[self._number])

    def _forget(self) -> None:
        self._counting.drop()
        self._counter = None
        self._rows.mark(())


def _count(counter: WordCounter, words: tuple[str, ...], progress: TaskProgress) -> list[int]:
    return counter.count(words, progress.check)
