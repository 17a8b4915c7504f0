"""Open the sources of answers in the panel at the side of the conversation.

Find the document of a source and the page to show, and let the user copy the source, open its file, or locate a file
that was moved.
"""

import functools
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, QUrl, Signal
from PySide6.QtGui import QKeySequence, QShortcut
from PySide6.QtWidgets import QFileDialog, QWidget

from app.base.errors import AppError
from app.base.services import background
from app.base.wording import phrase
from app.chat import answer_check
from app.chat.ui.text.source_panel import DisplayedSource, SourcePanel, SourceSplitter
from app.chat.ui.transcript.transcript import Transcript
from app.documents.grounding import sentences, source_citations
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.documents.records import Document, DocumentCollection
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_child import PagePicture
from app.documents.whole_document import ReadingPlace
from app.uikit import clipboard_guard

PAGES_SEARCHED = 5  # pages of a source that are searched for the first one with a passage that the answer uses


class SourceOpener(QObject):
    """Shows one source at a time in the panel."""

    closed = Signal()

    def __init__(
        self,
        transcript: Transcript,
        panel: SourcePanel,
        splitter: SourceSplitter,
        documents: DocumentLibrary,
        open_url: Callable[[QUrl], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._transcript = transcript
        self._panel = panel
        self._splitter = splitter
        self._documents = documents
        self._open_url = open_url
        self._answer_id = 0  # id of the answer whose source is shown; 0: none
        self._number = 0
        self._document: Document | None = None
        self._others: list[Document] = []  # other documents with the same content
        self._is_locating = False  # True while the file that the user has located is being read
        self.choose_file: Callable[[QWidget, str], str] = _choose_file
        self._quotes: tuple[str, ...] = ()  # passages to mark on the page
        self._page = 0
        self._is_searching_page = False  # True while the first page with a marked passage is being searched for
        transcript.requests.source_chosen.connect(self.open)
        transcript.content_changed.connect(self._on_content_changed)
        panel.pages.drawn.connect(self._on_drawn)
        panel.pages.failed.connect(self._on_gone)
        for button in (panel.back_button, panel.close_button):
            button.clicked.connect(self.close)
        panel.step_requested.connect(self._step)
        panel.pages.page_chosen.connect(self._show_page)
        panel.read_button.clicked.connect(self._read)
        panel.open_button.clicked.connect(self._open_file)
        panel.copy_button.clicked.connect(self._copy)
        panel.locate_button.clicked.connect(self._locate)
        documents.queue.emptied.connect(self._on_all_read)
        QShortcut(QKeySequence("Ctrl+."), self._splitter, self.toggle)
        for number in range(1, 10):
            QShortcut(QKeySequence(f"Alt+{number}"), self._splitter, functools.partial(self.open_number, number))

    @property
    def is_open(self) -> bool:
        return self._answer_id != 0

    def open(self, answer_id: int, number: int) -> None:
        """Show the source `number` of a visible answer."""
        grounding, numbers = self._grounding_of(answer_id)
        if grounding is None or number not in numbers:
            return
        self._answer_id, self._number = answer_id, number
        source = grounding.sources[number - 1]
        documents = self._documents.documents_of(source)
        same = [one for one in documents if not source.sha256 or one.sha256 == source.sha256]
        self._document, self._others = (same[0], same[1:]) if same else (None, [])
        is_used = grounding.has_answer
        places = tuple(source_citations.places_in_source(grounding, number)) if is_used else ()
        is_doubtful = any(number in claim.sources and not claim.is_supported for claim in grounding.claims)
        place, can_open = numbers.index(number) + 1, self._document is not None
        shown = DisplayedSource(source, number, place, len(numbers), places, can_open, is_used, is_doubtful)
        self._quotes = tuple(source.text[start:end] for start, end in places) or tuple(
            source.text[one.start : one.end] for one in sentences.split_sentences(source.text)
        )
        self._panel.show_source(shown)
        self._splitter.show_panel(True)
        self._transcript.show_open(answer_id, number)
        self._page, self._is_searching_page = source.page, True
        if self._document is not None:
            self._show_document()
        elif documents:  # the document has changed since the answer
            self._panel.show_problem(AppError("source_changed", path=source.path or source.document))
        else:
            self._panel.show_problem(AppError("source_left"), can_locate=self._collection() is not None)

    def open_number(self, number: int) -> None:
        """Show the source `number` of the answer with the focus, or else of the last visible one."""
        answer = self._transcript.current_answer()
        if answer is not None:
            self.open(answer.message.id, number)

    def toggle(self) -> None:
        """Close the panel, or open the first source of the answer with the focus, or else of the last visible one."""
        answer = self._transcript.current_answer()
        if self.is_open:
            self.close()
        elif answer is not None:
            self.open(answer.message.id, answer.sources[0])

    def copy_cited(self) -> None:
        """Copy the answer with the focus, or else the last visible one, with its sources."""
        answer = self._transcript.current_answer()
        if answer is not None:
            answer.copy_cited()

    def close_overlay(self) -> None:
        """Close the panel if it replaces the conversation in a narrow window."""
        if self._splitter.is_over:
            self.close()

    def close(self) -> None:
        if not self.is_open:
            return
        self._answer_id = self._number = 0
        self._document = None
        self._panel.pages.forget()
        self._splitter.show_panel(False)
        self._transcript.show_open(0, 0)
        self.closed.emit()

    # ------------------------------------------------------------------ private

    def _grounding_of(self, answer_id: int) -> tuple[Grounding | None, tuple[int, ...]]:
        """Return the grounding of a visible answer and the numbers of its shown sources; (None, ()) without any."""
        message = next((one for one in self._transcript.messages if one.id == answer_id), None)
        grounding = answer_check.grounding_of(message) if message is not None else None
        if message is None or grounding is None or not grounding.sources:
            return None, ()
        return grounding, source_citations.used_sources(message.text, grounding)

    def _source(self) -> CitedSource | None:
        grounding, numbers = self._grounding_of(self._answer_id)
        return grounding.sources[self._number - 1] if grounding and self._number in numbers else None

    def _step(self, step: int) -> None:
        _, numbers = self._grounding_of(self._answer_id)
        if self._number in numbers:
            place = numbers.index(self._number) + step
            if 0 <= place < len(numbers):
                self.open(self._answer_id, numbers[place])

    def _show_page(self, page: int) -> None:
        self._page, self._is_searching_page = page, False
        self._draw()

    def _show_document(self) -> None:
        if self._page:
            self._draw()
        elif self._document is not None:
            self._check_file(self._document)

    def _draw(self) -> None:
        if self._document is not None and self._page > 0 and self.is_open:
            self._panel.pages.request(self._document.id, self._page, self._quotes)

    def _check_file(self, document: Document) -> None:
        """Check in the background that the file exists; if not, show in the panel that the source is gone.

        A document without pages is shown as text only, so a missing file would go unnoticed.
        """

        def look() -> tuple[Document, bool]:
            return document, _exists(Path(document.path))

        background.run(look, self._on_file_checked, lambda _error: None)

    def _on_file_checked(self, outcome: tuple[Document, bool]) -> None:
        document, is_there = outcome
        if not is_there and document == self._document:
            self._on_gone(AppError("source_gone", path=document.path))

    def _on_drawn(self, picture: PagePicture) -> None:
        source = self._source()
        if source is None:
            return
        last = min(source.page_last, source.page + PAGES_SEARCHED - 1, picture.pages)
        if self._is_searching_page and not picture.places and self._page < last:
            self._page += 1
            self._draw()
            return
        if self._is_searching_page and not picture.places and self._page != source.page:
            self._page = source.page  # no page has a marked passage
            self._is_searching_page = False
            self._draw()
            return
        self._is_searching_page = False
        self._panel.show_picture(picture)

    def _on_gone(self, error: AppError) -> None:
        """Show another document with the same content, or the error if there is none."""
        if error.code in ("source_gone", "source_changed") and self._others:
            self._document = self._others.pop(0)
            self._show_document()
        else:
            can_locate = error.code == "source_gone" and self._collection() is not None
            self._panel.show_problem(error, can_locate=can_locate)

    def _collection(self) -> DocumentCollection | None:
        """Return the collection of the source if it still exists and the user may add documents to it, else None."""
        source = self._source()
        collections = self._documents.collections() if source is not None else []
        return next(
            (one for one in collections if source and one.name == source.collection and not one.is_builtin), None
        )

    def _locate(self) -> None:
        """Let the user choose where the file is now. It is read there, and its content identifies it as the source."""
        source, collection = self._source(), self._collection()
        if source is None or collection is None:
            return
        path = self.choose_file(self._panel, source.document)
        if path:
            self._is_locating = True
            self._documents.add(collection.id, [Path(path)])

    def _on_all_read(self) -> None:
        if self._is_locating and self.is_open:
            self.open(self._answer_id, self._number)
        self._is_locating = False

    def _on_content_changed(self) -> None:
        """Close the panel when its answer is not visible any more, or is being written again."""
        if self.is_open and self._source() is None:
            self.close()

    def _read(self) -> None:
        """Open the document in the reader, at the first passage that the answer uses."""
        source = self._source()
        if self._document is not None and source is not None:
            quote = next(iter(self._quotes), "")
            place = ReadingPlace(self._document.id, quote=quote, page=source.page)
            self._transcript.requests.navigation.reading_requested.emit(place)

    def _open_file(self) -> None:
        if self._document is not None:
            self._open_url(QUrl.fromLocalFile(self._document.path))

    def _copy(self) -> None:
        source = self._source()
        grounding, _ = self._grounding_of(self._answer_id)
        if source is not None and grounding is not None:
            clipboard_guard.copy_text(self._transcript, source_citations.quote_source(grounding, self._number))


def _choose_file(parent: QWidget, name: str) -> str:
    """Return the path of the file that the user chooses; "" when the user cancels."""
    title = phrase("chat.where_is_name", name=name)
    return QFileDialog.getOpenFileName(parent, title)[0]


def _exists(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a drive that is not connected
        return False
