"""Search conversations and documents in the background, again with every change of the query."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.database import Database
from app.base.errors import AppError
from app.base.services.background import LatestWork, TaskProgress
from app.chat.message_index import MessageIndex
from app.documents import section_search
from app.documents.library import Library


class Search(QObject):
    """Runs one search at a time. A new one ends the one before, whose results are not reported."""

    conversations_found = Signal(object)  # SearchResult
    documents_found = Signal(object)  # FoundSections
    failed = Signal(object)  # AppError

    def __init__(self, conversations: Path, documents: Path, parent: QObject | None = None) -> None:
        """Create the search of two databases, each of which another connection has open."""
        super().__init__(parent)
        self._conversations = conversations
        self._documents = documents
        self._finding_messages, self._finding_sections = LatestWork(), LatestWork()

    def start(self, query: str, *, has_documents: bool) -> None:
        """Search for all words of a query. `has_documents`: whether the documents' database can be read already."""
        self.cancel()
        failed = partial(self._emit, self.failed)
        find = partial(_find_messages, self._conversations, query)
        self._finding_messages.run_long(find, partial(self._emit, self.conversations_found), failed)
        if has_documents:
            find = partial(_find_sections, self._documents, query)
            self._finding_sections.run_long(find, partial(self._emit, self.documents_found), failed)

    def cancel(self) -> None:
        self._finding_messages.drop()
        self._finding_sections.drop()

    def _emit(self, signal: SignalInstance, value: object) -> None:
        signal.emit(value)  # a partial of this method is not called once the window is closed


def _find_messages(path: Path, query: str, progress: TaskProgress) -> object:
    with closing(Database.open_second(path)) as database:
        return _interruptible(database, progress, lambda: MessageIndex(database).search(query))


def _find_sections(path: Path, query: str, progress: TaskProgress) -> object:
    with closing(Library.open_second(path)) as library:
        return _interruptible(library.database, progress, lambda: section_search.find_sections(library, query))


def _interruptible(database: Database, progress: TaskProgress, find: Callable[[], object]) -> object:
    """Return what `find` returns; the running statement ends when the work is cancelled."""
    progress.on_cancel(database.interrupt)
    progress.check()
    try:
        return find()
    except AppError:
        progress.check()  # the interruption is no failure
        raise
