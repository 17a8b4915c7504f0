"""Reading documents for a command: the queue that the window has, run until all is read or Ctrl+C comes."""

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QTimer

from app.base import invisible_characters, paths, programs, wording
from app.base.cli.commands import Output
from app.base.cli.loop import CommandLoop, core_application
from app.base.confidentiality import Label, Permit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import describe_error, phrase
from app.documents import collections
from app.documents.gather import Added, Refreshed
from app.documents.services.documents import Documents

LOOK_EVERY_MS = 50


class Reading:
    """A context. Methods block; they raise AppError, and KeyboardInterrupt after Ctrl+C: the queue stays as it is then.

    Where a window of the same data folder reads, it reads this too, and the methods wait for it.
    """

    def __init__(self, where: Paths, output: Output) -> None:
        self._app = core_application()
        self._output = output
        self._problem: AppError | None = None
        self._waiting = CommandLoop(self._stop)
        logs = where.logs / "docs"  # not those of a window's children
        logs.mkdir(parents=True, exist_ok=True)
        self.documents = documents = Documents(where.documents, programs.reader_command(where.documents), logs)
        documents.failed.connect(self._on_failed)
        documents.not_opened.connect(self._on_not_opened)
        documents.lane.counted.connect(self._on_counted)

    def __enter__(self) -> "Reading":
        self._wait_for(self.documents.opened, self.documents.open)
        return self

    def __exit__(self, *_error: object) -> None:
        self.documents.close()
        background.shut_down()
        self._output.end_progress()

    @property
    def unfinished(self) -> int:
        """Documents that are still to be read."""
        return sum(collection.unfinished for collection in self.documents.collections())

    def add(self, name: str, label: Label | None, paths: list[Path], permit: Permit | None = None) -> Added:
        """Into the collection of that name, which is made where there is none; what it knew and has changed is read
        again. `permit`: to lower the label that it has."""
        documents = self.documents
        there = next(
            (one for one in documents.collections() if one.name == invisible_characters.remove(name).strip()), None
        )
        if there is None:
            collection_id: int = self._wait_for(
                documents.collection_added, lambda: documents.add_collection(name, label or "internal")
            )
        else:
            collection_id = there.id
            if label is not None:
                documents.set_label(collection_id, label, permit)
        added: Added = self._wait_for(documents.added, lambda: documents.add(collection_id, paths))
        if added.known:
            self._refresh(collection_id)
        self.finish()
        return added

    def refresh(self, collection_ids: list[int]) -> list[Refreshed]:
        done = [self._refresh(collection_id) for collection_id in collection_ids]
        self.finish()
        return done

    def provide_manual(self, file: Path, name: str) -> None:
        self.documents.provide_manual(file, name)
        self.finish()

    def finish(self) -> None:
        """Returns when nothing is left to be read or removed."""
        looking = QTimer(interval=LOOK_EVERY_MS)
        looking.timeout.connect(self._look)
        looking.start()
        self._run()
        looking.stop()

    # ------------------------------------------------------------------ private

    def _refresh(self, collection_id: int) -> Refreshed:
        done: Refreshed = self._wait_for(self.documents.refreshed, lambda: self.documents.refresh(collection_id))
        return done

    def _wait_for(self, signal: Any, act: Callable[[], None]) -> Any:
        """What the signal carries."""
        carried: list[Any] = []

        def take(value: Any = None) -> None:
            carried.append(value)
            self._waiting.stop()

        signal.connect(take)
        act()
        if not carried:
            self._run()
        signal.disconnect(take)
        return carried[0]

    def _run(self) -> None:
        if self._problem is None:
            self._waiting.run()
        if self._problem is not None:
            raise self._problem
        if self._waiting.was_interrupted:
            raise KeyboardInterrupt

    def _stop(self) -> None:
        self._waiting.stop()

    def _look(self) -> None:
        documents = self.documents
        standing = documents.standing
        is_idle = standing.phase == "idle" and not documents.is_busy
        if is_idle and not self.unfinished:
            self._waiting.stop()
        elif standing.phase == "elsewhere":
            self._output.progress("documents.docs_elsewhere", left=self.unfinished)
        elif standing.document_id:
            part = phrase("documents.docs_part", done=standing.done, total=standing.total) if standing.total else ""
            done, total = standing.documents_done + 1, standing.documents_total
            self._output.progress("documents.docs_reading", done=done, total=total, name=standing.name, part=part)

    def _on_counted(self, count: int) -> None:
        if count:
            self._output.progress("documents.docs_looking", count=count)

    def _on_not_opened(self, error: AppError) -> None:
        if error.code == "documents_damaged":  # a new one is there; this command goes on with it
            self._output.end_progress()
            print(describe_error(error), file=sys.stderr)  # noqa: T201
        else:
            self._on_failed(error)

    def _on_failed(self, error: AppError) -> None:
        self._problem = self._problem or error
        self._waiting.stop()


def provide_manual(where: Paths, output: Output, name: str) -> None:
    """Kotae's own manual is read where `name` asks for it and it is not there yet, or has changed with the program.

    By the name that it has, it stays in its language; by the name in the language in use, it is read in that.
    """
    library = collections.open_library(where.documents)
    try:
        own = next((one for one in library.collections() if one.is_builtin), None)
        documents = library.documents(own.id) if own else []
    finally:
        library.close()
    name, folder = name.strip(), paths.resources() / "manual"
    file = folder / f"manual.{wording.current_language()}.md"
    if name != phrase("common.manual_collection"):
        if own is None or name != own.name:
            return
        file = next((folder / one.name for one in documents if (folder / one.name).is_file()), file)
    there = next((one for one in documents if one.path == str(file) and one.state in ("done", "doubtful")), None)
    if there is None or there.sha256 != hashlib.sha256(file.read_bytes()).hexdigest():
        with Reading(where, output) as reading:
            reading.provide_manual(file, name)
