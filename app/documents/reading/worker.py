"""The reading child's loop: commands in, events out, one document at a time, under the limits of `limits`.

The reader takes commands from standard input and ends the process when the parent is gone. The watch ends it when one
page takes too long. The main thread reads documents and owns the database's connection.
"""

import contextlib
import os
import queue
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import NoReturn

from app.base import programs
from app.base.errors import AppError
from app.base.isolation import sandbox
from app.documents.library import Library
from app.documents.reading import indexing, limits, messages
from app.documents.reading.limits import PageTimeout
from app.documents.reading.messages import DocumentRemoved, Failed, Index, Indexed, Progress, Remove, Render, Rendered
from app.documents.reading.pdf import ocr
from trainer.wire import EventWriter, claim_stdout, read_lines

PROGRESS_S = 0.2  # between two signs of life
PATIENCE_MS = 40_000  # others that write: removing a collection takes seconds; less than a page may take (limits)

# openpyxl takes lxml where it is installed, which knows no defusedxml; asked when it is imported.
os.environ["OPENPYXL_LXML"] = "False"


def main(database: str) -> NoReturn:
    """Runs until standard input closes; then the process ends at once. `database`: of `Library`, which is there."""
    writer = claim_stdout()
    try:
        limits.limit_process()
        worker = ReadingWorker(Path(database), writer)
        _confine(Path(database))
        worker.run()
    except BaseException:  # noqa: BLE001  printed, and the process ends
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _confine(database: Path) -> None:
    """Leave this process the database, which is open, and the programs that recognize letters."""
    parts = [database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm")]
    program = programs.find_program(ocr.PROGRAM)
    starts = [*map(Path, sandbox.PROGRAMS), Path(program).resolve()] if program else []
    sandbox.confine(parts, starts)


class ReadingWorker:
    def __init__(self, database: Path, writer: EventWriter) -> None:
        self._database = database
        self._library = Library.open(database)
        self._library.database.read(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        self._writer = writer
        self._commands: queue.SimpleQueue[messages.Command] = queue.SimpleQueue()
        self._watch = PageTimeout(self._give_up, limits.PAGE_S, limits.DOCUMENT_S)
        self._reading: Index | None = None
        self._rendering: Render | None = None
        self._told = 0.0

    def run(self) -> NoReturn:
        self._send(messages.Hello(messages.PROTOCOL, os.getpid()))
        threading.Thread(target=self._read_commands, name="reader", daemon=True).start()
        self._watch.start()
        while True:
            command = self._commands.get()
            try:
                self._send(self._done(command))
            except AppError as error:
                self._send(Failed(command.id, error.code, error.facts))
                if error.code == "document_out_of_memory":  # native code may hold it still: the next begins anew
                    os._exit(3)

    def _send(self, event: messages.Event) -> None:
        try:
            self._writer.write(messages.to_line(event))
        except BrokenPipeError:
            os._exit(0)  # the parent is gone; nobody is left to tell

    def _read_commands(self) -> None:
        try:
            for line in read_lines(sys.stdin.buffer):
                self._commands.put(messages.command_from_json(line))
        except ValueError as error:
            print(f"documents: unreadable command: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
            os._exit(2)
        interrupted = self._reading
        if interrupted is not None:
            with contextlib.suppress(AppError):
                library = Library.beside(self._database)
                library.database.read(f"PRAGMA busy_timeout = {PATIENCE_MS}")  # the sections may just be written
                library.interrupt(interrupted.document_id)
        os._exit(0)

    def _done(self, command: messages.Command) -> messages.Event:
        match command:
            case Index():
                return self._index(command)
            case Remove():
                return self._remove(command)
            case Render():
                return self._render(command)

    def _render(self, command: Render) -> Rendered:
        """Raises AppError; the document's row stays as it is, whatever becomes of its picture."""
        document = self._library.document(command.document_id)
        if document is None:
            raise AppError("document_removed")
        from app.documents.reading.pdf import (
            page_renderer,  # PDFium: a child that only reads other formats never needs it
        )

        self._rendering = command
        self._watch.begin()
        try:
            return sandbox.run_confined(lambda: page_renderer.render(document, command), [Path(document.path)])
        except Exception as error:  # as when it is read
            raise _expected(error) from error
        finally:
            self._watch.end()
            self._rendering = None

    def _remove(self, command: Remove) -> DocumentRemoved:
        self._library.remove_documents(command.document_ids)
        return DocumentRemoved(command.id, len(command.document_ids))

    def _index(self, command: Index) -> Indexed:
        """Raises AppError, after the document's row says it."""
        document = self._library.document(command.document_id)
        if document is None:
            raise AppError("document_removed")

        def tell(done: int, total: int) -> None:
            self._watch.beat()
            self._progress(command, "reading", done, total)

        def tell_written(done: int, total: int) -> None:
            if done == 0:
                self._watch.end()
                self._told = 0.0
            self._progress(command, "indexing", done, total)

        self._reading = command
        self._watch.begin()
        try:
            sections = indexing.index_document(
                self._library, document, ocr=command.ocr, tell=tell, indexing=tell_written
            )
        except Exception as error:  # a foreign file may break a library in any way
            expected = _expected(error)
            with contextlib.suppress(AppError):  # the database's own trouble cannot be written into it
                self._library.fail(document.id, expected)
            raise expected from error
        finally:
            self._watch.end()
            self._reading = None
        return Indexed(command.id, sections)

    def _progress(self, command: Index, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._told >= PROGRESS_S:
            self._told = now
            self._send(Progress(command.id, phase, done, total))

    def _give_up(self, code: str) -> None:
        """In the watch's thread, while the main thread is lost in the document: the last event of this process."""
        if self._rendering is not None:
            self._send(Failed(self._rendering.id, code))
            os._exit(3)
        command = self._reading
        if command is None:
            return
        error = AppError(code)
        with contextlib.suppress(AppError):
            Library.beside(self._database).fail(command.document_id, error)
        self._send(Failed(command.id, error.code, error.facts))
        os._exit(3)


def _expected(error: Exception) -> AppError:
    """What the user is told. What is not foreseen leaves its place in the log, but nothing of the document."""
    match error:
        case AppError():
            return error
        case MemoryError():
            traceback.clear_frames(error.__traceback__)  # they hold what filled it
            return AppError("document_out_of_memory", limit_bytes=limits.MEMORY_BYTES)
        case RecursionError():
            return AppError("document_too_deep")
        case OSError():
            return AppError("document_unreadable", reason=error.strerror or type(error).__name__)
    places = "".join(traceback.format_tb(error.__traceback__))
    print(f"documents: {type(error).__name__}\n{places}", file=sys.stderr)  # noqa: T201  stderr is the log
    return AppError("document_broke_reader", detail=type(error).__name__)
