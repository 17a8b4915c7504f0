"""The collections of documents: what is in them, what is read, and what is done to them.

Reading the database is quick and done here; what is written goes through `DocumentWriteQueue`, and foreign files are
opened by the reading child alone. A second child takes documents out, so that this need not wait for a long document.
"""

import functools
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base.confidentiality import HIGHEST_LABEL, ExportRequest, Label, Permit, highest_label, stored_label
from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import TaskProgress
from app.documents import collection_updates
from app.documents.collection_updates import AddedFiles
from app.documents.grounding.grounding_record import CitedSource
from app.documents.library import UNKNOWN, Former, Library, collections_now
from app.documents.reading.messages import DocumentRemoved, Failed, Indexed
from app.documents.reading.pdf import ocr
from app.documents.records import Document, DocumentCollection
from app.documents.services.document_write_queue import DocumentWriteQueue
from app.documents.services.reading_child import PagePictures, ProcessExit, ReadingChild
from app.documents.services.reading_queue import QueueStatus, ReadingQueue

REMOVED_AT_ONCE = 20  # documents a command: the child is silent while it removes them

log = logging.getLogger("kotae")


@dataclass(frozen=True, slots=True)
class RemovedCollection:
    """A collection that was removed, as far as it can be made again."""

    name: str
    label: Label
    sources: list[Path]
    files: list[Path]  # of its documents


class DocumentLibrary(QObject):
    """Nothing is opened, and no child started, before `open`; until `opened` there are no collections."""

    opened = Signal()
    changed = Signal()  # collections or documents
    collection_added = Signal(int)
    added = Signal(object)  # Added
    refreshed = Signal(object)  # Refreshed
    failed = Signal(object)  # AppError
    not_opened = Signal(object)  # AppError; also where the file was damaged, and a new one made

    def __init__(
        self, path: Path, command: list[str], logs: Path, parent: QObject | None = None, **limits: Any
    ) -> None:
        """`path`: of the database. `command`: the reading child. `limits`: as of `ReadingChild`."""
        super().__init__(parent)
        self._path = path
        self._library: Library | None = None
        self._is_opening = False
        self._leaving: set[int] = set()  # ids of documents
        self._leaving_collections: set[int] = set()
        self._removals: deque[tuple[list[int], Callable[[], None]]] = deque()
        self.lane = DocumentWriteQueue(path, self)
        self._remover = ReadingChild(command, logs / "documents-removal.log", self)
        self._remover.ended.connect(self._on_removed)
        reader = ReadingChild(command, logs / "documents.log", self, **limits)
        self._reader = reader
        self.pictures = PagePictures(ReadingChild(command, logs / "documents-pages.log", self), self)
        self.queue = ReadingQueue(reader, self.lane, path, self)
        self.queue.document_ended.connect(lambda _document_id: self.changed.emit())
        self.queue.waited.connect(self.look_again)
        self.queue.failed.connect(self.failed)
        self.lane.failed.connect(self.failed)

    def open(self) -> None:
        """In the background: the file is checked first. What was left in the queue the last time is read then."""
        if self._library is None and not self._is_opening:
            self._is_opening = True
            background.run(lambda: _opened(self._path), self._on_opened, self._on_not_opened)

    def close(self) -> None:
        """Ends the children. What is not read yet is read after the next `open`."""
        try:
            self.queue.close()
        except AppError as error:
            log.warning("documents: %s", error)
        self._remover.stop()
        self.pictures.close()
        if self._library is not None:
            self._library.close()
            self._library = None

    # ------------------------------------------------------------------ reading

    @property
    def is_open(self) -> bool:
        return self._library is not None

    @property
    def standing(self) -> QueueStatus:
        return self.queue.standing

    @property
    def can_recognize(self) -> bool:
        """Whether the program that recognizes letters in pictures is installed, with its Japanese data."""
        return ocr.is_available()

    @property
    def is_busy(self) -> bool:
        """Whether something is written, removed or looked through."""
        return self.lane.is_working or bool(self._removals)

    @property
    def reader_pid(self) -> int:
        """0 while nothing is read."""
        return self._reader.pid

    def collections(self) -> list[DocumentCollection]:
        """By name, Kotae's own last. [] before `opened`."""
        found = self._library.collections() if self._library is not None else []
        return [one for one in found if one.id not in self._leaving_collections]

    def labelled(self) -> list[DocumentCollection]:
        """As `Library.labelled`. [] before `opened`."""
        return self._library.labelled() if self._library is not None else []

    def documents(self, collection_id: int) -> list[Document]:
        found = self._library.documents(collection_id) if self._library is not None else []
        return [document for document in found if document.id not in self._leaving]

    def documents_of(self, source: CitedSource) -> list[Document]:
        """The documents that a stored answer may mean, the likeliest first. Only our own: the answer, and the path in
        it, may have come from others."""
        found = self._library.documents_like(source.path, source.sha256) if self._library is not None else []
        there = {one.id: one.name for one in self.collections()}
        found = [one for one in found if one.id not in self._leaving and one.collection_id in there]

        def unlikeliness(one: Document) -> tuple[bool, bool, bool]:
            is_other = bool(source.sha256) and one.sha256 != source.sha256
            return is_other, there[one.collection_id] != source.collection, one.path != source.path

        return sorted(found, key=unlikeliness)

    def look_again(self) -> None:
        """Another process has changed something, perhaps."""
        if self._library is not None and self._library.database.is_changed_elsewhere():
            self.queue.look()
            self.changed.emit()

    # -------------------------------------------------------------- collections

    def add_collection(self, name: str, label: Label = "internal", paths: Sequence[Path] = ()) -> None:
        """Make a collection and add `paths` to it. `collection_added` carries its id."""
        self._make(name, label, lambda collection_id: self.add(collection_id, paths) if paths else None)

    def rename(self, collection_id: int, name: str) -> None:
        self._change(lambda library, _progress: library.rename_collection(collection_id, name))

    @property
    def path(self) -> Path:
        """Of the database."""
        return self._path

    def labelling(self, collection: DocumentCollection, label: Label) -> ExportRequest:
        """Return what passes the gate before `set_label`: what is no more confidential may leave unasked."""

        def label_now() -> Label:
            there = collections_now(self._path)
            return (
                HIGHEST_LABEL if there is None else highest_label(one.label for one in there if one.id == collection.id)
            )

        return ExportRequest("label", collection.name, label_now, collection.name, becomes=label)

    def set_label(self, collection_id: int, label: Label, permit: Permit | None = None) -> None:
        self._change(lambda library, _progress: library.set_label(collection_id, label, permit))

    def remove_collection(self, collection_id: int) -> RemovedCollection:
        """Remove a collection, out of sight at once. Its files stay where they are; `restore` reads them again."""
        assert self._library is not None
        collection = next(one for one in self._library.collections() if one.id == collection_id)
        documents = self._library.documents(collection_id)
        files = [Path(document.path) for document in documents]
        removal = RemovedCollection(collection.name, collection.label, self._library.sources(collection_id), files)
        ids = [document.id for document in documents]
        self._leaving_collections.add(collection_id)
        self._leaving.update(ids)
        self.queue.leave_out(ids)
        self.lane.do(
            lambda library, _progress: library.leave_collection(collection_id),
            lambda _nothing: self._take_out_collection(collection_id, ids),
        )
        self.changed.emit()
        return removal

    def restore(self, removal: RemovedCollection) -> None:
        """Makes a removed collection again; what the user had taken out of its folders is in it again too."""
        fill = functools.partial(self._bring_back, paths=removal.sources, files=removal.files)
        self._after_removals(lambda: self._make(removal.name, removal.label, fill))

    def bring_back(self, collection_id: int, paths: Sequence[Path]) -> None:
        """Read documents that `remove` has taken out again. Those whose file has gone since fail, and say so."""
        self._after_removals(lambda: self._bring_back(collection_id, paths, paths))

    # ---------------------------------------------------------------- documents

    def add(self, collection_id: int, paths: Sequence[Path]) -> None:
        """Add files, and folders with what they hold. `added` carries the result."""

        def work(library: Library, progress: TaskProgress) -> AddedFiles:
            return collection_updates.add_paths(library, collection_id, paths, lambda count: progress.report(count, 0))

        self.lane.do(work, self._on_added)

    def refresh(self, collection_id: int) -> None:
        """Read new and changed files, and take vanished ones out. `refreshed` carries the result."""

        def work(library: Library, progress: TaskProgress) -> collection_updates.RefreshResult:
            return collection_updates.refresh_collection(
                library, collection_id, lambda count: progress.report(count, 0)
            )

        self.lane.do(work, self._on_refreshed)

    def refresh_all(self) -> None:
        for collection in self.collections():
            if not collection.is_builtin:
                self.refresh(collection.id)

    def stop_looking(self) -> None:
        """Ends the look through a folder. Its source is known: the next `refresh` completes it."""
        self.lane.cancel()

    def read_again(self, document_ids: Sequence[int], encoding: str | None = None) -> None:
        """`encoding`: what a text file is written in, as Python names it; "" detects it; None leaves it as it was."""

        def put(_nothing: None) -> None:
            self.changed.emit()
            self.queue.look()

        self.queue.interrupt(document_ids)
        self.lane.do(lambda library, _progress: library.read_again(document_ids, encoding), put)

    def recognize(self, document_ids: Sequence[int]) -> None:
        """Reads them again, and the letters in pages that are pictures."""
        self.queue.recognize(document_ids)
        self.read_again(document_ids)

    def accept(self, document_ids: Sequence[int]) -> None:
        """What is doubtful is used as it is."""
        self._change(lambda library, _progress: library.accept(document_ids))

    def remove(self, document_ids: Sequence[int]) -> None:
        """Out of sight at once. The files stay where they are."""
        ids = list(document_ids)
        self._leaving.update(ids)
        self.queue.leave_out(ids)
        self.lane.do(lambda library, _progress: library.leave_out(ids), lambda _nothing: self._take_out(ids))
        self.changed.emit()

    # -------------------------------------------------------------------- queue

    def pause(self) -> None:
        self.queue.pause()
        self.changed.emit()

    def resume(self) -> None:
        self.queue.resume()

    def cancel_all(self) -> None:
        """Nothing waits any more: what was read before stays, what was not leaves until the next `refresh`."""

        def left(_nothing: None) -> None:
            self.changed.emit()
            self.queue.resume()

        self.queue.pause()
        self.lane.do(lambda library, _progress: collection_updates.empty_queue(library), left)

    # ------------------------------------------------------------------- manual

    def provide_manual(self, file: Path, name: str) -> None:
        """Kotae's own collection, made or updated in the background."""

        def provided(others: list[int]) -> None:
            self._take_out(others)
            self.queue.look()

        self.lane.do(lambda library, _progress: collection_updates.provide_manual(library, file, name), provided)

    # ------------------------------------------------------------------ private

    def _make(self, name: str, label: Label, fill: Callable[[int], None]) -> None:
        def made(collection_id: int) -> None:
            self.changed.emit()
            self.collection_added.emit(collection_id)
            fill(collection_id)

        self.lane.do(lambda library, _progress: library.add_collection(name, label), made)

    def _bring_back(self, collection_id: int, paths: Sequence[Path], files: Sequence[Path]) -> None:
        def work(library: Library, progress: TaskProgress) -> AddedFiles:
            return collection_updates.restore_paths(
                library, collection_id, paths, files, lambda count: progress.report(count, 0)
            )

        self.lane.do(work, self._on_added)

    def _change(self, work: Callable[[Library, TaskProgress], None]) -> None:
        self.lane.do(work, lambda _nothing: self.changed.emit())

    def _on_opened(self, was_damaged: bool) -> None:
        self._is_opening = False
        self._library = Library.beside(self._path)
        self._library.database.is_changed_elsewhere()  # from here on
        interrupted = self._library.leaving()
        self._leaving.update(interrupted)
        self.queue.leave_out(interrupted)
        self.queue.use(self._library)
        self.opened.emit()
        if interrupted:
            self._take_out(interrupted)
        for collection_id in self._library.leaving_collections():
            ids = [document.id for document in self._library.documents(collection_id)]
            self._take_out_collection(collection_id, ids)
        self.changed.emit()
        if was_damaged:
            self.not_opened.emit(AppError("documents_damaged", path=str(self._path)))

    def _on_not_opened(self, error: AppError) -> None:
        self._is_opening = False
        self.not_opened.emit(error)

    def _on_added(self, added: AddedFiles) -> None:
        self.queue.look()
        self.changed.emit()
        self.added.emit(added)

    def _on_refreshed(self, refreshed: collection_updates.RefreshResult) -> None:
        self._take_out(refreshed.gone)
        self.queue.look()
        self.changed.emit()
        self.refreshed.emit(refreshed)

    def _after_removals(self, act: Callable[[], None]) -> None:
        """A name, and a file of a collection, is there once."""

        def wait(_nothing: None) -> None:
            self._removals.append(([], act))
            self._remove_next()

        self.lane.do(lambda _library, _progress: None, wait)

    def _take_out(self, ids: list[int], done: Callable[[], None] = lambda: None) -> None:
        self._leaving.update(ids)
        self.queue.leave_out(ids)
        for start in range(0, len(ids), REMOVED_AT_ONCE):
            self._removals.append((ids[start : start + REMOVED_AT_ONCE], lambda: None))
        self._removals.append(([], done))
        self.changed.emit()
        self._remove_next()

    def _take_out_collection(self, collection_id: int, ids: list[int]) -> None:
        self._take_out(ids, lambda: self.lane.do(lambda library, _progress: library.remove_collection(collection_id)))

    def _remove_next(self) -> None:
        if self._library is None:
            return  # closed meanwhile: the next start goes on with it
        while self._removals and not self._remover.is_working:
            ids, done = self._removals[0]
            if ids:
                self._remover.remove(ids)
                return
            self._removals.popleft()
            done()
        if not self._removals:
            self._remover.stop()

    def _on_removed(self, outcome: Indexed | DocumentRemoved | Failed | ProcessExit) -> None:
        ids, _done = self._removals.popleft()
        self._leaving.difference_update(ids)
        if not isinstance(outcome, DocumentRemoved):
            self.queue.take_back(ids)
            self.failed.emit(_why_not_removed(outcome))
        self.changed.emit()
        self._remove_next()


def _why_not_removed(outcome: Indexed | Failed | ProcessExit) -> AppError:
    if isinstance(outcome, Failed):
        return AppError(outcome.code, **outcome.facts)
    return AppError("documents_not_removed", detail=outcome.detail if isinstance(outcome, ProcessExit) else "")


def _opened(path: Path) -> bool:
    """Makes or migrates the file. True where it was damaged: it is kept beside a new one."""
    try:
        Library.open(path).close()
    except AppError as error:
        if error.code != "database_damaged":
            raise
        known = _labels_in(path)  # while its log is beside it
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()
        path.replace(path.with_suffix(".damaged"))
        with closing(Library.open(path)) as library:
            library.remember(known)
        return True
    return False


def _labels_in(damaged: Path) -> list[Former]:
    """Return what `Library.remember` takes, with UNKNOWN where not all of a damaged database can be read."""
    found: list[Former] = []
    try:
        with closing(sqlite3.connect(f"{damaged.absolute().as_uri()}?mode=ro", uri=True)) as db:
            for names in (
                "SELECT name, '', id, label FROM collection WHERE NOT is_builtin",
                "SELECT collection, document, collection_id, label FROM former",
                "SELECT c.name, d.name, c.id, c.label FROM document d JOIN collection c ON c.id = d.collection_id"
                " WHERE NOT c.is_builtin",
            ):
                rows = db.execute(names).fetchall()
                found += [(str(row[0]), str(row[1]), int(row[2]), stored_label(row[3])) for row in rows]
    except (sqlite3.Error, TypeError, ValueError):
        found.append(UNKNOWN)
    return found
