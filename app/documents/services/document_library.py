"""Provide the collections of documents to the window: queries at once, changes through queues.

Only the reading child opens foreign files; a second one deletes documents, which need not wait for a long one. The file
is long because one object owns both queues and reports every change to the pages.
"""

import functools
import logging
import sqlite3
from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base.confidentiality import ExportRequest, Label, Permit, stored_label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.services.child_process import ChildExit
from app.base.wording import describe_error
from app.documents import collection_lookup, collection_updates, whole_document
from app.documents.collection_updates import AddedFiles, CountCallback, FileVersions, RefreshResult, ScanResult
from app.documents.grounding.grounding_record import CitedSource, CollectionRef
from app.documents.library import UNKNOWN, Former, Library, label_now
from app.documents.reading.messages import DocumentRemoved, Failed, Indexed
from app.documents.reading.pdf import ocr
from app.documents.records import AskableDocument, Document, DocumentCollection
from app.documents.services.folder_watch import FolderWatch
from app.documents.services.reading_child import PagePictures, ReadingChild
from app.documents.services.reading_queue import DocumentWriteQueue, QueueStatus, ReadingQueue
from app.inference import prefix_states

REMOVED_AT_ONCE = 20  # documents per command: the child sends no events while it deletes them

log = logging.getLogger("kotae")


@dataclass(frozen=True, slots=True)
class RemovedCollection:
    """The data that restores a removed collection."""

    name: str
    label: Label
    sources: list[Path]
    files: list[Path]  # the documents' paths


class DocumentLibrary(QObject):
    """The collections of documents: no file or child before `open`, no collection before `opened`."""

    opened = Signal()
    changed = Signal()  # collections or documents
    collection_added = Signal(int)
    added = Signal(object)  # AddedFiles
    refreshed = Signal(object)  # RefreshResult
    failed = Signal(object)  # AppError
    attached_removed = Signal()  # the text of attached files is gone
    not_opened = Signal(object)  # AppError; also if a damaged file was replaced by a new one

    def __init__(self, path: Path, command: list[str], logs: Path, **limits: Any) -> None:
        """Create it unopened. `path`: the database. `command`: of the reading child, `limits` of `ReadingChild`."""
        super().__init__()
        self._path = path
        self._library: Library | None = None
        self._is_opening = False
        self._removing: set[int] = set()  # ids of documents that are being removed
        self._removing_collections: set[int] = set()
        self._removals: deque[tuple[list[int], Callable[[], None]]] = deque()
        self.write_queue = DocumentWriteQueue(path, self)
        self._remover = ReadingChild(command, logs / "documents-removal.log", self)
        self._remover.ended.connect(self._on_removed)
        reader = ReadingChild(command, logs / "documents.log", self, **limits)
        self.pictures = PagePictures(ReadingChild(command, logs / "documents-pages.log", self), self)
        self.queue = ReadingQueue(reader, self.write_queue, path, self)
        self.queue.document_ended.connect(lambda _document_id: self.changed.emit())
        self.queue.waited_for_other_process.connect(self.check_for_changes)
        self.queue.failed.connect(self.failed)
        self.write_queue.failed.connect(self.failed)
        self.watch = FolderWatch(self._watched_sources, self)
        self.watch.differed.connect(self._on_differed)
        self.queue.emptied.connect(self.watch.report_again)
        self._missing: dict[int, list[Path]] = {}  # what the last refresh of each collection has missed

    def open(self) -> None:
        """Open the database in the background, then read the documents left in the queue."""
        if self._library is None and not self._is_opening:
            self._is_opening = True
            background.run(lambda: _prepare_file(self._path), self._on_opened, self._on_not_opened)

    def close(self) -> None:
        """End the children, and do nothing more with what background work finds; the next `open` reads the rest."""
        self._is_opening = False
        self.watch.stop()
        self.write_queue.close()
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
        """Whether text in images can be recognized: by the optional part, or by Tesseract with its Japanese data."""
        return ocr.locate_part(self._path) is not None or ocr.has_tesseract()

    @property
    def has_ocr_part(self) -> bool:
        """Whether the part for text recognition is installed, and as this version of Kotae has it."""
        return ocr.is_part_current(self._path)

    @property
    def is_busy(self) -> bool:
        """Whether something is being written, deleted or scanned."""
        return self.write_queue.is_working or bool(self._removals)

    def collections(self, *, has_attached: bool = False) -> list[DocumentCollection]:
        """Return `Library.collections`; [] before `opened`."""
        found = self._library.collections(has_attached=has_attached) if self._library is not None else []
        return [one for one in found if one.id not in self._removing_collections]

    def labelled(self) -> list[DocumentCollection]:
        """Return `Library.labelled`; [] before `opened`."""
        return self._library.labelled() if self._library is not None else []

    def documents(self, collection_id: int) -> list[Document]:
        found = self._library.documents(collection_id) if self._library is not None else []
        return [document for document in found if document.id not in self._removing]

    def sources(self, collection_id: int) -> list[Path]:
        """Return the files and folders that were added to a collection; [] before `opened`."""
        return self._library.sources(collection_id) if self._library is not None else []

    def askable_documents(self, collection_id: int) -> list[AskableDocument]:
        """Return `Library.askable_documents`; [] before `opened`."""
        found = self._library.askable_documents(collection_id) if self._library is not None else []
        return [document for document in found if document.id not in self._removing]

    def chosen_documents(self, collection_id: int, ref: CollectionRef) -> list[AskableDocument]:
        """Return those of a collection's documents that a reference names; [] before `opened`."""
        if self._library is None:
            return []
        removed = self._library.excluded_paths(collection_id)
        return collection_lookup.chosen_documents(self.askable_documents(collection_id), ref, removed)

    def document(self, document_id: int) -> Document | None:
        """Return a document; None if it does not exist, is being removed, or before `opened`."""
        if self._library is None or document_id in self._removing:
            return None
        return self._library.document(document_id)

    def documents_of(self, source: CitedSource) -> list[Document]:
        """Return the user's own documents that a stored answer, perhaps another's, may cite, the likeliest first."""
        found = (
            self._library.documents_with_path_or_content(source.path, source.sha256)
            if self._library is not None
            else []
        )
        there = {collection.id: collection.name for collection in self.collections(has_attached=True)}
        found = [one for one in found if one.id not in self._removing and one.collection_id in there]

        def unlikeliness(document: Document) -> tuple[bool, bool, bool]:
            is_other = bool(source.sha256) and document.sha256 != source.sha256
            return is_other, there[document.collection_id] != source.collection, document.path != source.path

        return sorted(found, key=unlikeliness)

    def check_for_changes(self) -> None:
        """Refresh the queue and emit `changed` if another process has changed the database."""
        if self._library is not None and self._library.database.is_changed_elsewhere():
            self.queue.look()
            self.changed.emit()

    # -------------------------------------------------------------- collections

    def add_collection(self, name: str, label: Label = "internal", paths: Sequence[Path] = ()) -> None:
        """Create a collection and add `paths` to it. `collection_added` carries its id."""
        if paths:
            self.write_queue.counted.emit(0)  # the first file is found only after all that is written before
        self._make(name, label, lambda collection_id: self.add(collection_id, paths) if paths else None)

    def rename(self, collection_id: int, name: str) -> None:
        self._change(lambda library: library.rename_collection(collection_id, name))

    @property
    def path(self) -> Path:
        """Return the path of the database."""
        return self._path

    def label_change_request(self, collection: DocumentCollection, becomes: Label) -> ExportRequest:
        """Return the request for consent before `set_label`, as a lower label lets content out without a question."""
        label = functools.partial(label_now, self._path, collection.id)
        return ExportRequest("label", collection.name, label, collection.name, becomes=becomes)

    def set_label(self, collection_id: int, label: Label, permit: Permit | None = None) -> None:
        self._change(lambda library: library.set_label(collection_id, label, permit))

    def remove_collection(self, collection_id: int) -> RemovedCollection:
        """Remove a collection, which hides it at once. Its files stay; `restore` reads them again."""
        assert self._library is not None
        known = self._library.collections(has_attached=True)
        collection = next(one for one in known if one.id == collection_id)
        documents = self._library.documents(collection_id)
        files = [Path(document.path) for document in documents]
        removal = RemovedCollection(collection.name, collection.label, self._library.sources(collection_id), files)
        ids = [document.id for document in documents]
        self._removing_collections.add(collection_id)
        self._removing.update(ids)
        self.queue.exclude(ids)
        self.write_queue.do(
            lambda library, _note: library.begin_collection_removal(collection_id),
            lambda _nothing: self._delete_collection(collection_id, ids),
        )
        self.changed.emit()
        return removal

    def restore(self, removal: RemovedCollection) -> None:
        """Create a removed collection again, including documents that the user had removed from its folders."""
        fill = functools.partial(self._restore_paths, paths=removal.sources, files=removal.files)
        self._after_removals(lambda: self._make(removal.name, removal.label, fill))

    def restore_documents(self, collection_id: int, paths: Sequence[Path]) -> None:
        """Read documents that `remove` has removed again. Those whose file no longer exists fail with a message."""
        self._after_removals(lambda: self._restore_paths(collection_id, paths, paths))

    # ---------------------------------------------------------------- documents

    def add(self, collection_id: int, paths: Sequence[Path], permit: Permit | None = None) -> None:
        """Add files, and folders with their contents. `added` carries the result. `permit`: as in `add_paths`."""
        self.write_queue.counted.emit(0)
        self.write_queue.do(
            lambda library, note: collection_updates.add_paths(library, collection_id, paths, note, permit),
            self._on_added,
        )

    def attach(
        self, name: str, path: Path, owner: str = "conversation", content: Callable[[], bytes] | None = None
    ) -> None:
        """Read a file, which `content` may make among the pasted ones, for questions, as `Library.attach`."""
        self.write_queue.do(
            lambda library, _note: collection_updates.attach(library, name, path, owner, content),
            lambda _nothing: self._on_queued(),
        )

    def reason_not_to_ask(self, document: Document, *, is_shown: bool = False) -> AppError | None:
        """Return why an attached file that is read cannot be asked; None if it can, or its text is recognized first.

        `is_shown`: the model reads pictures, so that one without text can be asked, too.
        """
        name, failure = document.name, document.failure
        if failure is not None and failure.code != "ocr_missing":
            return AppError("attached_unreadable", name=name, why=describe_error(failure).message)
        if failure is None and (document.state not in ("done", "doubtful") or document.report.sections):
            return None
        if not (document.needs_recognition and self.can_recognize):
            if is_shown and document.is_picture:
                return None
            code = "attached_without_ocr" if document.needs_recognition else "attached_without_text"
            return AppError(code, name=name)
        self.recognize([document.id])
        return None

    def forget_attached(self, asked: Collection[str]) -> None:
        """Remove what `collection_updates.ended_attached` names."""
        ended = collection_updates.ended_attached(self.collections(has_attached=True), asked)
        paths = [document.path for collection_id in ended for document in self.documents(collection_id)]
        for collection_id in ended:
            self.remove_collection(collection_id)
        if ended:
            self._after_removals(
                lambda: self.write_queue.do(
                    lambda library, _note: collection_updates.delete_pasted(library, paths),
                    lambda _nothing: self.attached_removed.emit(),
                )
            )

    def refresh(self, collection_id: int) -> None:
        """Read new and changed files and remove missing ones. `refreshed` carries the result."""
        self.write_queue.do(
            lambda library, note: collection_updates.refresh_collection(library, collection_id, note),
            self._on_refreshed,
        )

    def cancel_scan(self) -> None:
        """Cancel the scan of a folder. The folder is stored as a source, so the next `refresh` completes it."""
        self.write_queue.cancel()

    def read_again(self, document_ids: Sequence[int], encoding: str | None = None) -> None:
        """Read documents again. `encoding`: the codec of a text file; "" to detect it; None leaves the stored one."""

        self.queue.interrupt(document_ids)
        self.write_queue.do(
            lambda library, _note: library.read_again(document_ids, encoding), lambda _nothing: self._on_queued()
        )

    def recognize(self, document_ids: Sequence[int]) -> None:
        """Read documents again, with text recognition on pages that are images."""
        self.queue.recognize(document_ids)
        self.read_again(document_ids)

    def recognize_all(self) -> None:
        """Read those documents again that could not be read, wholly or in part, without text recognition."""
        found = [one for collection in self.collections() for one in self.documents(collection.id)]
        self.recognize([one.id for one in found if one.needs_recognition])

    def accept(self, document_ids: Sequence[int]) -> None:
        """Mark documents with doubtful text as done, because the user accepts the text."""
        self._change(lambda library: library.accept(document_ids))

    def remove(self, document_ids: Sequence[int]) -> None:
        """Remove documents, which hides them at once. The files stay."""
        ids = list(document_ids)
        self._removing.update(ids)
        self.queue.exclude(ids)
        self.write_queue.do(lambda library, _note: library.exclude(ids), lambda _nothing: self._delete(ids))
        self.changed.emit()

    def move(
        self,
        document_ids: Sequence[int],
        collection_id: int,
        permit: Permit | None = None,
        on_moved: Callable[[], None] = lambda: None,
    ) -> None:
        """Move documents, all or none, to another collection without reading them again; queued ones stay queued."""

        def moved(_nothing: None) -> None:
            self.changed.emit()
            on_moved()

        self.write_queue.do(
            lambda library, _note: collection_updates.move_documents(library, document_ids, collection_id, permit),
            moved,
        )

    # -------------------------------------------------------------------- queue

    def pause(self) -> None:
        self.queue.pause()
        self.changed.emit()

    def resume(self) -> None:
        self.queue.resume()

    def cancel_all(self) -> None:
        """Empty the queue; documents that were never read are removed until the next `refresh` or `add`."""

        def left(_nothing: None) -> None:
            self.changed.emit()
            self.queue.resume()

        self.queue.pause()
        self.write_queue.do(lambda library, _note: collection_updates.empty_queue(library), left)

    # ------------------------------------------------------------------- manual

    def provide_manual(self, file: Path, name: str) -> None:
        """Create or update Kotae's own collection in the background."""

        def provided(others: list[int]) -> None:
            self._delete(others)
            self.queue.look()

        self.write_queue.do(lambda library, _note: collection_updates.provide_manual(library, file, name), provided)

    # ------------------------------------------------------------------ private

    def _make(self, name: str, label: Label, fill: Callable[[int], None]) -> None:
        def made(collection_id: int) -> None:
            self.changed.emit()
            self.collection_added.emit(collection_id)
            fill(collection_id)

        self.write_queue.do(lambda library, _note: library.add_collection(name, label), made)

    def _restore_paths(self, collection_id: int, paths: Sequence[Path], files: Sequence[Path]) -> None:
        self.write_queue.do(
            lambda library, note: collection_updates.restore_paths(library, collection_id, paths, files, note),
            self._on_added,
        )

    def _change(self, work: Callable[[Library], None]) -> None:
        self.write_queue.do(lambda library, _note: work(library), lambda _nothing: self.changed.emit())

    def _on_opened(self, was_damaged: bool) -> None:
        if not self._is_opening:  # closed meanwhile
            return
        self._is_opening = False
        self._library = Library.open_second(self._path)
        self._library.database.is_changed_elsewhere()  # only later changes are reported
        interrupted = self._library.documents_to_remove()
        self._removing.update(interrupted)
        self.queue.exclude(interrupted)
        self.queue.use(self._library)
        self.opened.emit()
        if interrupted:
            self._delete(interrupted)
        for collection_id in self._library.collections_to_remove():
            ids = [document.id for document in self._library.documents(collection_id)]
            self._delete_collection(collection_id, ids)
        self.changed.emit()
        if was_damaged:
            self.not_opened.emit(AppError("documents_damaged", path=str(self._path)))

    def _on_not_opened(self, error: AppError) -> None:
        self._is_opening = False
        self.not_opened.emit(error)

    def _on_queued(self) -> None:
        self.changed.emit()
        self.queue.look()

    def _on_added(self, added: AddedFiles) -> None:
        self.queue.look()
        self.changed.emit()
        self.added.emit(added)

    def _watched_sources(self) -> dict[int, list[Path]]:
        return self._library.watched_sources() if self._library is not None else {}

    def _on_differed(self, collection_id: int, scan: ScanResult, earlier: Sequence[FileVersions]) -> None:
        """Refresh by a look, unless sources or watching changed since; emit nothing without changes."""

        def refresh(library: Library, note: CountCallback) -> RefreshResult | None:
            if library.watched_sources().get(collection_id) != scan.sources:
                return None
            return collection_updates.refresh_collection(library, collection_id, note, earlier, scan)

        def refreshed(result: RefreshResult | None) -> None:
            if result is None:
                self.watch.report_again()
            elif result != RefreshResult(collection_id, missing=self._missing.get(collection_id, [])):
                self._on_refreshed(result)

        if self._library is not None:
            self.write_queue.do(refresh, refreshed)

    def _on_refreshed(self, refreshed: RefreshResult) -> None:
        self._missing[refreshed.collection_id] = refreshed.missing
        self._delete(refreshed.removed_ids)
        self.queue.look()
        self.changed.emit()
        self.refreshed.emit(refreshed)

    def _after_removals(self, act: Callable[[], None]) -> None:
        """Call `act` after all removals, until which names and files of removed collections are in use."""

        def wait(_nothing: None) -> None:
            self._removals.append(([], act))
            self._remove_next()

        self.write_queue.do(lambda _library, _note: None, wait)

    def _delete(self, ids: list[int], on_done: Callable[[], None] = lambda: None) -> None:
        self._removing.update(ids)
        self.queue.exclude(ids)
        for start in range(0, len(ids), REMOVED_AT_ONCE):
            self._removals.append((ids[start : start + REMOVED_AT_ONCE], lambda: None))
        self._removals.append(([], on_done))
        self.changed.emit()
        self._remove_next()

    def _delete_collection(self, collection_id: int, ids: list[int]) -> None:
        def delete_collection() -> None:
            self.write_queue.do(lambda library, _note: library.remove_collection(collection_id))

        self._delete(ids, delete_collection)

    def _remove_next(self) -> None:
        if self._library is None:
            return  # closed meanwhile: the next start continues
        while self._removals and not self._remover.is_working:
            ids, done = self._removals[0]
            if ids:
                self._remover.remove(ids)
                return
            self._removals.popleft()
            done()
        if not self._removals:
            self._remover.stop()

    def _on_removed(self, outcome: Indexed | DocumentRemoved | Failed | ChildExit) -> None:
        ids, _done = self._removals.popleft()
        background.run(functools.partial(whole_document.remove_orphaned_summaries, self._path), lambda _nothing: None)
        self._removing.difference_update(ids)
        if not isinstance(outcome, DocumentRemoved):
            self.queue.include_again(ids)
            self.failed.emit(_why_not_removed(outcome))
        self.changed.emit()
        self._remove_next()


def _why_not_removed(outcome: Indexed | Failed | ChildExit) -> AppError:
    """Return the error for an outcome other than `DocumentRemoved`."""
    if isinstance(outcome, Failed):
        return AppError(outcome.code, **outcome.facts)
    return AppError("documents_not_removed", detail=outcome.reason if isinstance(outcome, ChildExit) else "")


def _prepare_file(path: Path) -> bool:
    """Create or migrate the database; replace a damaged one, which is kept beside it, and return True."""
    try:
        with closing(Library.open(path)) as library:  # reads what the window lists, because damage is met only there
            for collection in library.labelled():
                library.documents(collection.id)
            library.waiting()
    except AppError as error:
        if error.code != "database_damaged":
            raise
        known = _labels_in(path)  # needs the log files, which are deleted next
        for suffix in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                path.with_name(path.name + suffix).unlink()
        path.replace(path.with_suffix(".damaged"))
        prefix_states.wipe(Paths(path.parent).prefix_states)  # the ids of their collections mean nothing now
        with closing(Library.open(path)) as library:
            library.keep_lost_labels(known)
        return True
    return False


def _labels_in(damaged: Path) -> list[Former]:
    """Return names and labels of a damaged database for `Library.keep_lost_labels`, with UNKNOWN if incomplete."""
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
