"""Queue the documents to be read, and what this process writes to their database.

The queue is in the database, and continues after any interruption. The process that gets the lock reads for all, and
its child has some documents ahead, so that it does not wait between small ones.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Collection
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import TaskProgress
from app.base.services.child_process import ChildExit
from app.base.services.process_lock import ProcessLock
from app.documents.collection_updates import CountCallback
from app.documents.library import Library
from app.documents.reading import limits, office_conversion
from app.documents.reading.messages import DATABASE_ERRORS, DocumentRemoved, Failed, Indexed, Progress
from app.documents.reading.pdf import ocr
from app.documents.records import Document
from app.documents.services.reading_child import ReadingChild

T = TypeVar("T")
Work = Callable[[Library, CountCallback], T]

WRITE_PATIENCE_MS = 120_000  # the reading child writes all sections of a document in one transaction


class DocumentWriteQueue(QObject):
    """A queue of write tasks, run in the order of the calls of `do`, also after one that failed."""

    failed = Signal(object)  # AppError
    counted = Signal(object)  # int, number of files found so far for a task; None: no task is running

    def __init__(self, path: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._path = path
        self._queued: deque[tuple[Work[Any], Callable[[Any], None]]] = deque()
        self._task: background.LongTask | None = None
        self._callback: Callable[[Any], None] = lambda _result: None  # callback of the running task

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def do(self, work: Work[T], on_done: Callable[[T], None] = lambda _result: None) -> None:
        """Queue a task. `work` may report a number of files; `on_done` receives its result on the caller's thread."""
        self._queued.append((work, on_done))
        if self._task is None:
            self._next()

    def cancel(self) -> None:
        """Cancel the running task at its next check of `TaskProgress`. Its commits stay, and later tasks still run."""
        if self._task is not None:
            self._task.cancel()

    def close(self) -> None:
        """Begin no other task, and call nothing when the running one ends."""
        self._queued.clear()
        self._callback = lambda _result: None

    def _next(self) -> None:
        if not self._queued:
            self._task = None
            self.counted.emit(None)
            return
        work, self._callback = self._queued.popleft()

        def run(progress: TaskProgress) -> Any:
            with closing(Library.open_second(self._path)) as library:
                library.database.read(f"PRAGMA busy_timeout = {WRITE_PATIENCE_MS}")
                return work(library, lambda count: progress.report(count, 0))

        self._task = background.run_long(run, self._on_done, self._on_failed, self._on_progressed, self._next)

    def _on_done(self, result: Any) -> None:
        try:
            self._callback(result)
        finally:
            self._next()

    def _on_progressed(self, done: int, _total: int) -> None:
        self.counted.emit(done)

    def _on_failed(self, error: AppError) -> None:
        self.failed.emit(error)
        self._next()


TRIES = 2  # a document that has ended the child twice would do so again
ASK_AGAIN_MS = 1000  # milliseconds between attempts while another process reads
AHEAD = 8  # documents that the child has besides the one that it reads, as a small one takes it two milliseconds
_CODES = {"hung": "document_hung", "memory": "document_out_of_memory"}
_NO_MEMORY = "memory allocation of "  # the last words of a library in Rust, which then ends the child


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """The state of the reading queue.

    `phase`: idle | reading | indexing | paused | elsewhere (another process of Kotae reads). `done` of `total` pages or
    lines of the current document are read (`total` 0: unknown). `documents_done` of `documents_total` documents are
    read since the queue was last empty.
    """

    phase: str = "idle"
    document_id: int = 0  # 0: none
    name: str = ""
    done: int = 0
    total: int = 0
    documents_done: int = 0
    documents_total: int = 0


class ReadingQueue(QObject):
    """The queue of documents for the reading child."""

    status_changed = Signal(object)  # QueueStatus
    document_ended = Signal(int)  # id
    emptied = Signal()  # no document is left to be read
    waited_for_other_process = Signal()  # another process has read documents, for which there are no other signals
    failed = Signal(object)  # AppError: the child does not start or the database is not writable; the queue is paused

    def __init__(
        self, reader: ReadingChild, write_queue: DocumentWriteQueue, path: Path, parent: QObject | None = None
    ) -> None:
        """Create a queue that does not read before `use`. `path`: the documents' database."""
        super().__init__(parent)
        self._reader = reader
        self._path = path
        self._part_version = ""
        self._write_queue = write_queue
        self._library: Library | None = None
        self._lock = ProcessLock(path.with_suffix(".lock"))
        self._waiting: deque[Document] = deque()
        self._document: Document | None = None
        self._ahead: deque[Document] = deque()  # those that the child reads next
        self._recalled: set[int] = set()  # ids of those ahead that are to be read in another way
        self._done_count = 0
        self._tries: dict[int, int] = {}
        self._excluded: set[int] = set()
        self._with_ocr: set[int] = set()
        self._is_paused = False
        self._retry_timer = QTimer(self, interval=ASK_AGAIN_MS, singleShot=True)
        self.standing = QueueStatus()
        self._retry_timer.timeout.connect(self._on_waited)
        reader.progressed.connect(self._on_progressed)
        reader.ended.connect(self._on_ended)

    def use(self, library: Library) -> None:
        """Start reading. `library`: a connection to the database for the GUI thread."""
        self._library = library
        self.look()

    def look(self) -> None:
        """Reload the queue and continue; call it when documents may have been queued."""
        if self._library is None:
            return
        self._refill(self._library)
        if self._document is None and not self._is_paused:
            self._next()
        else:
            standing = self.standing
            self._update_status(standing.phase, standing.done, standing.total)

    def recognize(self, document_ids: Collection[int]) -> None:
        """Use text recognition the next time that these documents are read."""
        self._with_ocr.update(document_ids)

    def interrupt(self, document_ids: Collection[int]) -> None:
        """Stop reading the current document if it is one of these, because they are to be read in another way."""
        if self._document is not None and self._document.id in document_ids:
            self._interrupt()
        self._recalled.update(one.id for one in self._ahead if one.id in document_ids)

    def pause(self) -> None:
        """Pause reading. The current document is read from its start later, as partial results are not kept."""
        self._is_paused = True
        self._retry_timer.stop()
        self._interrupt()
        self._lock.unlock()
        self._update_status()

    def resume(self) -> None:
        self._is_paused = False
        # Queued, so that it runs after the writes of `pause`.
        self._write_queue.do(lambda _library, _note: None, lambda _nothing: self.look())

    def exclude(self, document_ids: Collection[int]) -> None:
        """Skip documents that are about to be removed, though they may still be stored."""
        self._excluded.update(document_ids)
        self._waiting = deque(one for one in self._waiting if one.id not in self._excluded)
        if self._document is not None and self._document.id in document_ids:
            self._document = None
            self._stop_reader()
            self._next()

    def include_again(self, document_ids: Collection[int]) -> None:
        """Stop skipping documents that could not be removed."""
        self._excluded.difference_update(document_ids)

    def close(self) -> None:
        """End the child and wait. Raises AppError if the database cannot be written; the attempt then counts."""
        self._retry_timer.stop()
        document, self._document = self._document, None
        self._stop_reader()
        self._lock.unlock()
        if document is not None and self._library is not None:
            self._library.interrupt(document.id)

    # ------------------------------------------------------------------ private

    def _stop_reader(self) -> None:
        """End the child and queue the documents again that it would have read next. Blocks until it has ended."""
        self._reader.stop()
        self._requeue_ahead()

    def _requeue_ahead(self) -> None:
        self._waiting.extendleft(one for one in reversed(self._ahead) if one.id not in self._excluded)
        self._ahead.clear()
        if self._recalled:  # the child may have read them already, as they were to be read before
            recalled, self._recalled = list(self._recalled), set()
            self._write_queue.do(lambda library, _note: library.read_again(recalled))

    def _interrupt(self) -> None:
        document, self._document = self._document, None
        self._stop_reader()
        if document is not None:
            self._waiting.appendleft(document)
            self._write_queue.do(lambda library, _note: library.interrupt(document.id))

    def _next(self) -> None:
        """Turn to the next document, which the child may have begun, and send it some that follow."""
        library = self._library
        assert library is not None
        version = ocr.part_version(self._path)
        if version != self._part_version:  # the child has located the part, and set its limits, at its start
            self._stop_reader()
            self._part_version = version
        if self._ahead and (self._ahead[0].id in self._excluded or self._ahead[0].id in self._recalled):
            self._stop_reader()
            self.resume()
            return
        if self._ahead:
            self._document = self._ahead.popleft()
            self._update_status()
        if not self._waiting and self._document is None:
            self._refill(library)  # another process may have queued documents
        if self._document is None and not self._waiting:
            self._finish()
        elif self._may_read():
            self._send(library)
        else:
            self._retry_timer.start()
            self._update_status()

    def _on_waited(self) -> None:
        self.look()
        self.waited_for_other_process.emit()

    def _refill(self, library: Library) -> None:
        known = {one.id for one in (self._document, *self._ahead) if one is not None} | self._excluded
        self._waiting = deque(one for one in library.waiting() if one.id not in known)

    def _may_read(self) -> bool:
        """Return whether no other process reads."""
        was_locked = self._lock.isLocked()
        may_read = self._lock.take()
        if self._lock.isLocked() and not was_locked:
            with contextlib.suppress(OSError):  # a killed process may have left the copy of a document
                office_conversion.empty_folder(office_conversion.folder_beside(self._path))
        return may_read

    def _send(self, library: Library) -> None:
        """Send documents to the child until it has one to read and AHEAD that follow."""
        while self._waiting and len(self._ahead) < AHEAD:
            document = library.document(self._waiting.popleft().id)
            if document is None or document.state not in ("waiting", "reading"):
                QTimer.singleShot(0, self, self._continue)  # thousands may have been removed
                return
            # A document whose text was recognized keeps it when its file changes.
            has_ocr = document.id in self._with_ocr or "recognized" in document.report.notes
            self._reader.index(document.id, ocr=has_ocr)
            if self._document is None:
                self._document = document
                self._update_status()
            else:
                self._ahead.append(document)

    def _continue(self) -> None:
        if self._document is None and not self._is_paused:
            self._next()

    def _finish(self) -> None:
        self._reader.stop()
        self._lock.unlock()
        self._done_count = 0
        self._tries.clear()
        self._update_status()
        self.emptied.emit()

    def _on_progressed(self, event: Progress) -> None:
        phase = "indexing" if event.phase == "indexing" else "reading"
        self._update_status(phase, event.done, event.total)

    def _on_ended(self, outcome: Indexed | DocumentRemoved | Failed | ChildExit) -> None:
        document = self._document
        if document is None:
            return
        if isinstance(outcome, ChildExit):
            self._on_child_exited(document, outcome)
        elif isinstance(outcome, Failed) and outcome.code in DATABASE_ERRORS:
            self.pause()
            self.failed.emit(AppError(outcome.code, **outcome.facts))
        else:
            if isinstance(outcome, Failed) and outcome.is_last:
                self._requeue_ahead()
            self._end_document(document)

    def _on_child_exited(self, document: Document, child_exit: ChildExit) -> None:
        self._requeue_ahead()
        if child_exit.cause == "not_started":
            self.pause()
            self.failed.emit(AppError("reader_not_started", detail=child_exit.detail))
            return
        tries = self._tries[document.id] = self._tries.get(document.id, 0) + 1
        if tries < TRIES and child_exit.cause != "memory":
            self._document = None
            self._waiting.appendleft(document)
            self._continue()
            return
        is_memory_lacking = _NO_MEMORY in child_exit.log_tail
        code = _CODES.get("memory" if is_memory_lacking else child_exit.cause, "document_crashed")
        error = AppError(code, name=document.name, limit_bytes=limits.MEMORY_BYTES)
        self._write_queue.do(
            lambda library, _note: library.fail(document.id, error), lambda _nothing: self._end_document(document)
        )

    def _end_document(self, document: Document) -> None:
        if self._document is document:  # otherwise it was removed meanwhile
            self._document = None
            self._done_count += 1
            self._tries.pop(document.id, None)
            self._with_ocr.discard(document.id)
            self.document_ended.emit(document.id)
            self._continue()

    def _update_status(self, phase: str = "reading", done: int = 0, total: int = 0) -> None:
        document, waiting = self._document, len(self._ahead) + len(self._waiting)
        if document is None:
            phase = "paused" if self._is_paused and waiting else "elsewhere" if self._retry_timer.isActive() else "idle"
        self.standing = QueueStatus(
            phase,
            document.id if document else 0,
            document.name if document else "",
            done,
            total,
            self._done_count,
            self._done_count + waiting + (document is not None),
        )
        self.status_changed.emit(self.standing)
