"""Opens sources of answers beside the conversation: which one, which page of it, and what is done with it."""

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
from app.documents.services.reading_child import PagePicture, PageRequest
from app.uikit import clipboard_guard

PAGES_LOOKED_AT = 5  # of a source that goes over several, for the first with what was used


class SourceOpener(QObject):
    closed = Signal()

    def __init__(
        self,
        transcript: Transcript,
        panel: SourcePanel,
        beside: SourceSplitter,
        documents: DocumentLibrary,
        open_url: Callable[[QUrl], object],
        parent: QObject,
    ) -> None:
        super().__init__(parent)
        self._transcript = transcript
        self._panel = panel
        self._beside = beside
        self._documents = documents
        self._open_url = open_url
        self._answer_id = 0  # of the source that is shown; 0: none
        self._number = 0
        self._document: Document | None = None
        self._others: list[Document] = []  # with the same content
        self._is_locating = False  # the file that the user has shown is being read
        self.choose_file: Callable[[QWidget, str], str] = _choose_file
        self._quotes: tuple[str, ...] = ()  # that are marked on its pages
        self._page = 0
        self._is_looking = False  # for the first page with what was used
        transcript.requests.source_chosen.connect(self.open)
        transcript.content_changed.connect(self._on_content_changed)
        documents.pictures.drawn.connect(self._on_drawn)
        documents.pictures.failed.connect(self._on_failed)
        for button in (panel.back_button, panel.close_button):
            button.clicked.connect(self.close)
        panel.step_requested.connect(self._step)
        panel.page_wanted.connect(self._show_page)
        panel.view.width_wanted.connect(self._draw)
        panel.open_button.clicked.connect(self._open_file)
        panel.copy_button.clicked.connect(self._copy)
        panel.locate_button.clicked.connect(self._locate)
        documents.queue.emptied.connect(self._on_all_read)
        self._add_shortcuts()

    def _add_shortcuts(self) -> None:
        """Wherever the keyboard is while the conversation is in sight: in the field and in the list beside it too."""
        QShortcut(QKeySequence("Ctrl+."), self._beside, self.toggle)
        for number in range(1, 10):
            QShortcut(QKeySequence(f"Alt+{number}"), self._beside, functools.partial(self.open_number, number))

    @property
    def is_open(self) -> bool:
        return self._answer_id != 0

    def open(self, answer_id: int, number: int) -> None:
        """Shows a source of an answer that is in sight."""
        grounding, numbers = self._of(answer_id)
        if grounding is None or number not in numbers:
            return
        self._answer_id, self._number = answer_id, number
        source = grounding.sources[number - 1]
        found = self._documents.documents_of(source)
        same = [one for one in found if not source.sha256 or one.sha256 == source.sha256]
        self._document, self._others = (same[0], same[1:]) if same else (None, [])
        is_used = grounding.verdict == "answered"
        places = tuple(source_citations.places_in_source(grounding, number)) if is_used else ()
        is_doubtful = any(number in claim.sources and not claim.is_supported for claim in grounding.claims)
        place, can_open = numbers.index(number) + 1, self._document is not None
        shown = DisplayedSource(source, number, place, len(numbers), places, can_open, is_used, is_doubtful)
        self._quotes = tuple(source.text[start:end] for start, end in places) or _all_of(source.text)
        self._panel.show_source(shown)
        self._beside.show_panel(True)
        self._transcript.show_open(answer_id, number)
        self._page, self._is_looking = source.page, True
        if self._document is not None:
            self._show_document()
        elif found:  # its pages are other ones now
            self._panel.show_problem(AppError("source_changed", path=source.path or source.document))
        else:
            self._panel.show_problem(AppError("source_left"), can_locate=self._home() is not None)

    def open_number(self, number: int) -> None:
        """A source of the answer with the keyboard, or else of the last one in sight."""
        answer = self._transcript.answer_at_keyboard()
        if answer is not None:
            self.open(answer.message.id, number)

    def toggle(self) -> None:
        """Closes what is open, or opens the first source of the answer with the keyboard."""
        answer = self._transcript.answer_at_keyboard()
        if self.is_open:
            self.close()
        elif answer is not None:
            self.open(answer.message.id, answer.sources[0])

    def copy_cited(self) -> None:
        """The answer with the keyboard, or else the last one, with where it is from."""
        answer = self._transcript.answer_at_keyboard()
        if answer is not None:
            answer.copy_cited()

    def make_way(self) -> None:
        """Closes what stands in the place of the conversation."""
        if self._beside.is_over:
            self.close()

    def close(self) -> None:
        if not self.is_open:
            return
        self._answer_id = self._number = 0
        self._document = None
        self._documents.pictures.forget()
        self._beside.show_panel(False)
        self._transcript.show_open(0, 0)
        self.closed.emit()

    # ------------------------------------------------------------------ private

    def _of(self, answer_id: int) -> tuple[Grounding | None, tuple[int, ...]]:
        """What an answer in sight rests on, and the numbers of the sources that it shows."""
        message = next((one for one in self._transcript.messages if one.id == answer_id), None)
        grounding = answer_check.grounding_of(message) if message is not None else None
        if message is None or grounding is None or not grounding.sources:
            return None, ()
        return grounding, source_citations.used_sources(message.text, grounding)

    def _source(self) -> CitedSource | None:
        grounding, numbers = self._of(self._answer_id)
        return grounding.sources[self._number - 1] if grounding and self._number in numbers else None

    def _step(self, step: int) -> None:
        _, numbers = self._of(self._answer_id)
        if self._number in numbers:
            place = numbers.index(self._number) + step
            if 0 <= place < len(numbers):
                self.open(self._answer_id, numbers[place])

    def _show_page(self, page: int) -> None:
        self._page, self._is_looking = page, False
        self._draw()

    def _show_document(self) -> None:
        if self._page:
            self._draw()
        elif self._document is not None:
            self._look_for(self._document)

    def _draw(self) -> None:
        if self._document is not None and self._page > 0 and self.is_open:
            wanted = PageRequest(self._document.id, self._page, self._panel.view.width_px, self._quotes)
            self._documents.pictures.want(wanted)

    def _look_for(self, document: Document) -> None:
        """Of a format without pages the text is all there is; whether it still has a file is worth knowing."""

        def look() -> tuple[Document, bool]:
            return document, _is_there(Path(document.path))

        background.run(look, self._on_looked_for, lambda _error: None)

    def _on_looked_for(self, found: tuple[Document, bool]) -> None:
        document, is_there = found
        if not is_there and document == self._document:
            self._on_gone(AppError("source_gone", path=document.path))

    def _on_drawn(self, picture: PagePicture) -> None:
        source = self._source()
        if source is None or self._document is None or picture.wanted.document_id != self._document.id:
            return
        last = min(source.page_last, source.page + PAGES_LOOKED_AT - 1, picture.pages)
        if self._is_looking and not picture.places and self._page < last:
            self._page += 1
            self._draw()
            return
        if self._is_looking and not picture.places and self._page != source.page:
            self._page = source.page  # it is on none of them
            self._is_looking = False
            self._draw()
            return
        self._is_looking = False
        self._panel.show_picture(picture)

    def _on_failed(self, wanted: PageRequest, error: AppError) -> None:
        if self._document is not None and wanted.document_id == self._document.id:
            self._on_gone(error)

    def _on_gone(self, error: AppError) -> None:
        """The same document may be somewhere else too: it was moved, or is in two collections."""
        if error.code in ("source_gone", "source_changed") and self._others:
            self._document = self._others.pop(0)
            self._show_document()
        else:
            can_locate = error.code == "source_gone" and self._home() is not None
            self._panel.show_problem(error, can_locate=can_locate)

    def _home(self) -> DocumentCollection | None:
        """The collection that the source is of, where it still is there and may be added to."""
        source = self._source()
        there = self._documents.collections() if source is not None else []
        return next((one for one in there if source and one.name == source.collection and not one.is_builtin), None)

    def _locate(self) -> None:
        """The user shows where the file is now; it is read there, and found by what it holds."""
        source, home = self._source(), self._home()
        if source is None or home is None:
            return
        path = self.choose_file(self._panel, source.document)
        if path:
            self._is_locating = True
            self._documents.add(home.id, [Path(path)])

    def _on_all_read(self) -> None:
        if self._is_locating and self.is_open:
            self.open(self._answer_id, self._number)
        self._is_locating = False

    def _on_content_changed(self) -> None:
        """What is shown may be of an answer that has gone out of sight, or is written anew."""
        if self.is_open and self._source() is None:
            self.close()

    def _open_file(self) -> None:
        if self._document is not None:
            self._open_url(QUrl.fromLocalFile(self._document.path))

    def _copy(self) -> None:
        source = self._source()
        grounding, _ = self._of(self._answer_id)
        if source is not None and grounding is not None:
            clipboard_guard.copy_text(self._transcript, source_citations.quote_source(grounding, self._number))


def _choose_file(parent: QWidget, name: str) -> str:
    """ "": none."""
    title = phrase("chat.where_is_name", name=name)
    return QFileDialog.getOpenFileName(parent, title)[0]


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a drive that is not connected
        return False


def _all_of(text: str) -> tuple[str, ...]:
    return tuple(text[one.start : one.end] for one in sentences.split(text))
