"""Run the reading child: receive commands, send events, and read one document after the other within `limits`.

A thread takes commands and ends the process when the parent is gone; the main thread reads and owns the database.
"""

import base64
import contextlib
import math
import os
import queue
import sys
import threading
import time
import traceback
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from msgspec import structs

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.isolation import sandbox
from app.documents import records
from app.documents.library import Library
from app.documents.reading import indexing, limits, messages, office_conversion
from app.documents.reading.helpers import NO_HELPERS, Helpers, helper_count
from app.documents.reading.limits import PageTimeout
from app.documents.reading.messages import (
    DocumentRemoved,
    Draw,
    Failed,
    Index,
    Indexed,
    Progress,
    Remove,
    Render,
    Rendered,
)
from app.documents.reading.pdf import ocr
from app.documents.records import Document
from trainer.wire import EventWriter, claim_stdout, ends_process, read_lines

PROGRESS_S = 0.2  # seconds between two progress events
PATIENCE_MS = 40_000  # wait for other writers, as removing a collection takes seconds; less than the limit of a page


@ends_process
def main(database: str) -> None:
    """Run until standard input closes; then the process ends at once. `database`: an existing file of `Library`."""
    part = ocr.locate_part(Path(database))
    limits.limit_process(has_ocr_part=part is not None)
    helpers = Helpers(helper_count())  # while there are no threads and no open database
    writer = claim_stdout()
    folder = office_conversion.prepare_folder(Path(database))
    worker = ReadingWorker(Path(database), writer, part, folder, helpers)
    _confine(Path(database), folder)
    worker.run()


def _confine(database: Path, conversion_folder: Path | None) -> None:
    """Restrict this process to the open database and the programs that recognize text and convert documents."""
    parts = [database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm")]
    found = [programs.find_program(ocr.PROGRAM), sys.executable if conversion_folder else None]
    starts = [Path(program).resolve() for program in found if program]
    if starts:
        starts += map(Path, sandbox.PROGRAMS)
    sandbox.confine([*parts, *([conversion_folder] if conversion_folder else [])], starts)


class ReadingWorker:
    """The reading child's commands, the document that it reads, and its connection to the database."""

    def __init__(
        self,
        database: Path,
        writer: EventWriter,
        part: Path | None = None,
        conversion_folder: Path | None = None,
        helpers: Helpers = NO_HELPERS,
    ) -> None:
        """Create the worker. `part`: RapidOCR's folder, or None. `conversion_folder`: see `office_conversion`."""
        self._database = database
        self._ocr_part = part
        self._helpers = helpers
        self._conversion_folder = conversion_folder
        self._library = Library.open(database)
        self._library.database.read(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        # Commits are not synced one by one: after a power cut the last documents are still queued and are read again.
        self._library.database.read("PRAGMA synchronous = NORMAL")
        self._writer = writer
        self._commands: queue.SimpleQueue[messages.Command] = queue.SimpleQueue()
        self._place = 0  # page, line or row that is being read, from 1; 0: none yet
        self._watch = PageTimeout(self._give_up, limits.PAGE_S, limits.DOCUMENT_S)
        self._reading: Index | None = None
        self._rendering: Render | Draw | None = None
        self._progress_sent_at = 0.0

    def run(self) -> NoReturn:
        self._send(messages.Hello(messages.PROTOCOL, os.getpid()))
        threading.Thread(target=self._read_commands, name="reader", daemon=True).start()
        self._watch.start()
        while True:
            command = self._commands.get()
            try:
                self._send(self._run_command(command))
            except AppError as error:
                # Native code may keep the memory, so a new process reads the next document; on a full disk none does.
                is_last = error.code == "document_out_of_memory" or error.code in messages.DATABASE_ERRORS
                self._send(Failed(command.id, error.code, error.facts, is_last))
                if is_last:
                    self._end(3)

    def _end(self, status: int) -> NoReturn:
        """End the process at once, without a copy of the document that was being converted."""
        if self._reading is not None and self._conversion_folder is not None:
            with contextlib.suppress(OSError):
                office_conversion.empty_folder(self._conversion_folder)
        os._exit(status)

    def _send(self, event: messages.Event) -> None:
        try:
            self._writer.write(json_lines.encode_line(event))
        except BrokenPipeError:
            self._end(0)  # the parent is gone

    def _read_commands(self) -> None:
        try:
            for line in read_lines(sys.stdin.buffer):
                self._commands.put(json_lines.convert_message(line, messages.COMMANDS))
        except ValueError as error:
            print(f"documents: unreadable command: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
            self._end(2)
        interrupted = self._reading
        if interrupted is not None:
            with contextlib.suppress(AppError):
                library = Library.open_second(self._database)
                library.database.read(f"PRAGMA busy_timeout = {PATIENCE_MS}")  # the main thread may be writing sections
                library.interrupt(interrupted.document_id)
        self._end(0)

    def _run_command(self, command: messages.Command) -> messages.Event:
        match command:
            case Index():
                return self._index(command)
            case Remove():
                return self._remove(command)
            case Render():
                return self._render(command)
            case Draw():
                from app.documents.reading import pictures

                return self._guarded(command, lambda: sandbox.run_confined(lambda: pictures.draw(command), []))

    def _render(self, command: Render) -> Rendered:
        """Draw a page without changing the document's row. Raises AppError."""
        document = self._library.document(command.document_id)
        if document is None:
            raise AppError("document_removed")

        def render() -> Rendered:
            drawn = sandbox.run_confined(lambda: _rendered(document, command), [Path(document.path)])
            return self._recognized(drawn) if command.reads and not drawn.text else drawn

        return self._guarded(command, render)

    def _guarded(self, command: Render | Draw, render: Callable[[], Rendered]) -> Rendered:
        """Call a function that opens a foreign picture, within the time for a page. Raises AppError."""
        self._rendering = command
        self._watch.begin()
        try:
            return render()
        except Exception as error:  # a foreign file may break a library in any way
            raise _expected(error) from error
        finally:
            self._watch.end()
            self._rendering = None

    def _recognized(self, drawn: Rendered) -> Rendered:
        """Return a drawn region with the words that OCR reads in it, if a recognizer is installed."""
        import numpy as np
        from PIL import Image

        with contextlib.suppress(AppError):
            recognizer = ocr.make_recognizer(self._ocr_part, lambda _done, _total: self._watch.beat())
            rows = zlib.decompress(base64.b64decode(drawn.rgb))
            grey = Image.frombytes("RGB", (drawn.width, drawn.height), rows).convert("L")
            share = min(1.0, (recognizer.pixels_most / (drawn.width * drawn.height)) ** 0.5)
            words = recognizer.words(np.asarray(grey.reduce(math.ceil(1 / share))))
            text = "\n".join(word.text for word in words)
            return structs.replace(drawn, text=text, recognized=tuple(ocr.low_numbers(words).items()))
        return drawn

    def _remove(self, command: Remove) -> DocumentRemoved:
        self._library.remove_documents(command.document_ids)
        return DocumentRemoved(command.id, len(command.document_ids))

    def _index(self, command: Index) -> Indexed:
        """Read a document. Raises AppError, which is then stored in the document's row unless it is the database's."""
        document = self._library.document(command.document_id)
        if document is None:
            raise AppError("document_removed")

        def on_read(done: int, total: int) -> None:
            self._watch.beat()
            self._place = done or self._place
            self._progress(command, "reading", done, total)

        def on_written(done: int, total: int) -> None:
            if done == 0:
                self._watch.end()
            self._progress(command, "indexing", done, total)

        self._reading, self._place = command, 0
        self._watch.begin()
        try:
            sections = indexing.index_document(
                self._library,
                document,
                ocr=command.ocr,
                on_progress=on_read,
                on_written=on_written,
                ocr_part=self._ocr_part,
                conversion_folder=self._conversion_folder,
                helpers=self._helpers,
            )
        except Exception as error:  # a foreign file may break a library in any way
            expected = _expected(error)
            if expected.code not in messages.DATABASE_ERRORS:  # those are no fault of the document
                with contextlib.suppress(AppError):
                    self._library.fail(document.id, expected)
            raise expected from error
        finally:
            self._watch.end()
            self._reading = None
            if self._conversion_folder is not None:
                office_conversion.empty_folder(self._conversion_folder)
        return Indexed(command.id, sections)

    def _progress(self, command: Index, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._progress_sent_at >= PROGRESS_S:
            self._progress_sent_at = now
            self._send(Progress(command.id, phase, done, total))

    def _give_up(self, code: str) -> None:
        """Report a timeout and end the process, in the timeout thread, as the main one is stuck."""
        if self._rendering is not None:
            self._send(Failed(self._rendering.id, code, is_last=True))
            self._end(3)
        command = self._reading
        if command is None:
            return
        error = AppError(code)
        with contextlib.suppress(AppError):
            library = Library.open_second(self._database)
            document = library.document(command.document_id)
            if code == "document_page_slow" and self._place and document and document.path.lower().endswith(".pdf"):
                error = AppError("document_page_n_slow", page=self._place)
            library.fail(command.document_id, error)
        self._send(Failed(command.id, error.code, error.facts, is_last=True))
        self._end(3)


def _rendered(document: Document, command: Render) -> Rendered:
    """Draw a page of a PDF file or a picture. Raises AppError, OSError."""
    # Imported here, because a child that only reads other formats does not need these libraries.
    if Path(document.path).suffix.lower() in records.PICTURE_SUFFIXES:
        from app.documents.reading import pictures

        return pictures.render(document, command)
    from app.documents.reading.pdf import page_renderer

    return page_renderer.render(document, command)


def _expected(error: Exception) -> AppError:
    """Return the error to report. An unexpected error's traceback is logged, without content of the document."""
    match error:
        case AppError():
            return error
        case MemoryError():
            traceback.clear_frames(error.__traceback__)  # the frames hold the objects that filled the memory
            return AppError("document_out_of_memory", limit_bytes=limits.MEMORY_BYTES)
        case RecursionError():
            return AppError("document_too_deep")
        case OSError():
            return AppError("document_unreadable", reason=error.strerror or type(error).__name__)
    places = "".join(traceback.format_tb(error.__traceback__))
    print(f"documents: {type(error).__name__}\n{places}", file=sys.stderr)  # noqa: T201  stderr is the log
    return AppError("document_broke_reader", detail=type(error).__name__)
