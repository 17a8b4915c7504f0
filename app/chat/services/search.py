"""Search conversations and documents in the background, again with every change of the query."""

import functools
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base.database import Database
from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
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
        self._tasks: list[LongTask] = []
        self._number = 0  # of the running search

    def start(self, query: str, *, has_documents: bool) -> None:
        """Search for all words of a query. `has_documents`: whether the documents' database can be read already."""
        self.cancel()
        find = functools.partial(_find_messages, self._conversations, query)
        self._run(find, self.conversations_found.emit)
        if has_documents:
            self._run(functools.partial(_find_sections, self._documents, query), self.documents_found.emit)

    def cancel(self) -> None:
        self._number += 1
        for task in self._tasks:
            task.cancel()
        self._tasks.clear()

    def _run(self, find: Callable[[TaskProgress], Any], report: Callable[[Any], None]) -> None:
        number = self._number
        on_found = functools.partial(self._on_found, number, report)
        self._tasks.append(background.run_long(find, on_found, functools.partial(self._on_failed, number)))

    def _on_found(self, number: int, report: Callable[[Any], None], result: object) -> None:
        if number == self._number:
            report(result)

    def _on_failed(self, number: int, error: AppError) -> None:
        if number == self._number:
            self.failed.emit(error)


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
