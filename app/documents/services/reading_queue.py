"""The queue of documents to read. It is in the database: whatever ends, the next start goes on where it stood.

One process reads at a time, whichever has filled the queue: a window, or a command beside it.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, QTimer, Signal

from app.base.errors import AppError
from app.documents.library import Library
from app.documents.reading import limits
from app.documents.reading.messages import DocumentRemoved, Failed, Indexed, Progress
from app.documents.records import Document
from app.documents.services.document_write_queue import DocumentWriteQueue
from app.documents.services.reading_child import ProcessExit, ReadingChild

TRIES = 2  # what ends the child twice would end it again
ASK_AGAIN_MS = 1000  # whether another process still reads
# Nothing can be written: the next document would fare no better.
_OF_THE_DATABASE = frozenset({"disk_full", "database_unusable", "database_damaged", "documents_newer"})
_CODES = {"crashed": "document_crashed", "hung": "document_hung", "memory": "document_out_of_memory"}


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """`phase`: idle | reading | indexing | paused | elsewhere (another process of Kotae reads).

    `done` of `total` pages or lines of the document (0: not known); `documents_done` of `documents_total` since the
    queue was empty.
    """

    phase: str = "idle"
    document_id: int = 0  # 0: none is being read
    name: str = ""
    done: int = 0
    total: int = 0
    documents_done: int = 0
    documents_total: int = 0


class ReadingQueue(QObject):
    stood = Signal(object)  # Standing
    document_ended = Signal(int)  # id
    emptied = Signal()  # all is read
    waited = Signal()  # for another process: no other signal says what that has read meanwhile
    failed = Signal(object)  # AppError: the child cannot be started, or nothing be written; it is paused then

    def __init__(
        self, reader: ReadingChild, lane: DocumentWriteQueue, path: Path, parent: QObject | None = None
    ) -> None:
        """`path`: of the database."""
        super().__init__(parent)
        self._reader = reader
        self._lane = lane
        self._library: Library | None = None
        self._lock = QLockFile(str(path.with_suffix(".lock")))
        self._lock.setStaleLockTime(0)  # stale only when its process is gone
        self._waiting: deque[Document] = deque()
        self._document: Document | None = None
        self._done_count = 0
        self._tries: dict[int, int] = {}
        self._left_out: set[int] = set()
        self._with_ocr: set[int] = set()
        self._is_paused = False
        self._again = QTimer(self, interval=ASK_AGAIN_MS, singleShot=True)
        self.standing = QueueStatus()
        self._again.timeout.connect(self._on_waited)
        reader.progressed.connect(self._on_progressed)
        reader.ended.connect(self._on_ended)

    def use(self, library: Library) -> None:
        """Of the GUI thread. What was left the last time is read from now on."""
        self._library = library
        self.look()

    def look(self) -> None:
        """Something was put into the queue, perhaps."""
        if self._library is None:
            return
        self._refill(self._library)
        if self._document is None and not self._is_paused:
            self._next()
        else:
            standing = self.standing
            self._stand(standing.phase, standing.done, standing.total)

    def recognize(self, document_ids: Collection[int]) -> None:
        """They are to be read with recognition of letters, this time."""
        self._with_ocr.update(document_ids)

    def interrupt(self, document_ids: Collection[int]) -> None:
        """Give up the one that is being read, if it is among them: they are to be read in another way."""
        if self._document is not None and self._document.id in document_ids:
            self._interrupt()

    def pause(self) -> None:
        """Stop. The document that is being read begins from its start when it goes on: nothing half read is kept."""
        self._is_paused = True
        self._again.stop()
        self._interrupt()
        self._lock.unlock()
        self._stand()

    def resume(self) -> None:
        self._is_paused = False
        self._lane.do(lambda _library, _progress: None, lambda _nothing: self.look())  # behind what `pause` has begun

    def leave_out(self, document_ids: Collection[int]) -> None:
        """They are about to be removed: nothing begins with them any more, though they may still be there."""
        self._left_out.update(document_ids)
        self._waiting = deque(one for one in self._waiting if one.id not in self._left_out)
        if self._document is not None and self._document.id in document_ids:
            self._document = None
            self._reader.stop()
            self._next()

    def take_back(self, document_ids: Collection[int]) -> None:
        """They could not be removed."""
        self._left_out.difference_update(document_ids)

    def close(self) -> None:
        """Blocks for a moment. Raises AppError: what was being read counts as one try more than it had."""
        self._again.stop()
        document, self._document = self._document, None
        self._reader.stop()
        self._lock.unlock()
        if document is not None and self._library is not None:
            self._library.interrupt(document.id)

    # ------------------------------------------------------------------ private

    def _interrupt(self) -> None:
        document, self._document = self._document, None
        self._reader.stop()
        if document is not None:
            self._waiting.appendleft(document)
            self._lane.do(lambda library, _progress: library.read_again([document.id]))

    def _next(self) -> None:
        library = self._library
        assert library is not None
        if not self._waiting:
            self._refill(library)  # by another process, perhaps
        if not self._waiting:
            self._rest()
        elif self._may_read():
            self._begin(library)
        else:
            self._again.start()
            self._stand()

    def _on_waited(self) -> None:
        self.look()
        self.waited.emit()

    def _refill(self, library: Library) -> None:
        reading = self._document.id if self._document is not None else 0
        waiting = library.waiting()
        self._waiting = deque(one for one in waiting if one.id != reading and one.id not in self._left_out)

    def _may_read(self) -> bool:
        """A lock that cannot be made for another reason (odd file systems) does not keep anybody from reading."""
        has_lock = self._lock.isLocked() or self._lock.tryLock(0)
        return has_lock or self._lock.error() != QLockFile.LockError.LockFailedError

    def _begin(self, library: Library) -> None:
        document = library.document(self._waiting.popleft().id)
        if document is None or document.state not in ("waiting", "reading"):
            QTimer.singleShot(0, self, self._go_on)  # not a call: thousands may have left
            return
        self._document = document
        self._stand()
        self._reader.index(document.id, ocr=document.id in self._with_ocr)

    def _go_on(self) -> None:
        if self._document is None and not self._is_paused:
            self._next()

    def _rest(self) -> None:
        self._reader.stop()
        self._lock.unlock()
        self._done_count = 0
        self._tries.clear()
        self._stand()
        self.emptied.emit()

    def _on_progressed(self, event: Progress) -> None:
        phase = "indexing" if event.phase == "indexing" else "reading"
        self._stand(phase, event.done, event.total)

    def _on_ended(self, outcome: Indexed | DocumentRemoved | Failed | ProcessExit) -> None:
        document = self._document
        if document is None:
            return
        if isinstance(outcome, ProcessExit):
            self._on_death(document, outcome)
        elif isinstance(outcome, Failed) and outcome.code in _OF_THE_DATABASE:
            self.pause()
            self.failed.emit(AppError(outcome.code, **outcome.facts))
        else:
            self._end(document)

    def _on_death(self, document: Document, death: ProcessExit) -> None:
        if death.cause == "not_started":
            self.pause()
            self.failed.emit(AppError("reader_not_started", detail=death.detail))
            return
        tries = self._tries[document.id] = self._tries.get(document.id, 0) + 1
        if tries < TRIES and death.cause != "memory":
            self._document = None
            self._waiting.appendleft(document)
            self._go_on()
            return
        error = AppError(_CODES[death.cause], name=document.name, limit_bytes=limits.MEMORY_BYTES)
        self._lane.do(lambda library, _progress: library.fail(document.id, error), lambda _nothing: self._end(document))

    def _end(self, document: Document) -> None:
        if self._document is document:  # else it has left meanwhile
            self._document = None
            self._done_count += 1
            self._tries.pop(document.id, None)
            self._with_ocr.discard(document.id)
            self.document_ended.emit(document.id)
            self._go_on()

    def _stand(self, phase: str = "reading", done: int = 0, total: int = 0) -> None:
        document, waiting = self._document, len(self._waiting)
        if document is None:
            phase = "paused" if self._is_paused and waiting else "elsewhere" if self._again.isActive() else "idle"
        self.standing = QueueStatus(
            phase,
            document.id if document else 0,
            document.name if document else "",
            done,
            total,
            self._done_count,
            self._done_count + waiting + (document is not None),
        )
        self.stood.emit(self.standing)
