"""Offer to ask the documents that the user has just added, once they are read, with questions that they answer."""

import contextlib
import functools
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.documents.collection_updates import AddedFiles
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.retrieval import suggested_questions
from app.documents.services.document_library import DocumentLibrary


@dataclass(frozen=True, slots=True)
class ReadingOffer:
    """Documents that were read. `scope`: what to ask about them; (): none of them has text."""

    collection_id: int
    title: str  # the name of the one document, or of the collection
    documents: int
    scope: tuple[CollectionRef, ...] = ()
    questions: tuple[str, ...] = ()


class ReadingOffers(QObject):
    """Emits an offer when documents that the user has added are read."""

    begun = Signal()  # documents are read, and questions are looked for, which takes a moment
    offered = Signal(object)  # ReadingOffer

    def __init__(self, documents: DocumentLibrary, parent: QObject) -> None:
        super().__init__(parent)
        self._documents = documents
        self._added: dict[int, set[int]] = {}  # collection id -> ids of the documents that were added
        self._unread: dict[int, set[int]] = {}  # those of them that are not read yet
        documents.added.connect(self._on_added)
        documents.queue.document_ended.connect(self._on_document_ended)
        documents.queue.emptied.connect(self._on_emptied)

    def _on_added(self, added: AddedFiles) -> None:
        for waiting in (self._added, self._unread):
            waiting.setdefault(added.collection_id, set()).update(added.new)
        self._offer_if_read(added.collection_id)

    def _on_document_ended(self, document_id: int) -> None:
        for collection_id, unread in list(self._unread.items()):
            if document_id in unread:
                unread.remove(document_id)
                self._offer_if_read(collection_id)

    def _on_emptied(self) -> None:
        """Offer also what another process has read, or what was left of a queue that the user has emptied."""
        for collection_id in list(self._unread):
            self._unread[collection_id] = set()
            self._offer_if_read(collection_id)

    def _offer_if_read(self, collection_id: int) -> None:
        if self._unread.get(collection_id):
            return
        self._unread.pop(collection_id, None)
        ids = self._added.pop(collection_id, set())
        collection = next((one for one in self._documents.collections() if one.id == collection_id), None)
        if not ids or collection is None:
            return
        listed = self._documents.askable_documents(collection_id)
        read = [document for document in listed if document.id in ids]
        if not read:
            self.offered.emit(ReadingOffer(collection_id, collection.name, 0))
            return
        paths = () if len(read) == len(listed) else tuple(document.path for document in read)
        scope = (CollectionRef(collection_id, collection.name, paths),)
        title = read[0].name if len(read) == 1 else collection.name
        offer = functools.partial(ReadingOffer, collection_id, title, len(read), scope)

        def find() -> ReadingOffer:
            with contextlib.suppress(AppError):  # without questions the documents can still be asked
                return offer(tuple(suggested_questions.suggest_questions(self._documents.path, scope)))
            return offer()

        self.begun.emit()
        background.run(find, self._emit, lambda _error: None)

    def _emit(self, offer: ReadingOffer) -> None:
        self.offered.emit(offer)
