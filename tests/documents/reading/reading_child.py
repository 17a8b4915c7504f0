"""The real reading child for tests, spoken to line by line, and the database that it writes."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from app.base import json_lines, programs
from app.documents.library import Library
from app.documents.reading import messages
from app.documents.reading.messages import Command, DocumentRemoved, Event, Failed, Hello, Index, Indexed
from app.documents.records import Document, DocumentSection

ROOT = Path(__file__).parents[3]


class ReadingChild:
    """`with ReadingChild(folder) as child:` … starts another child whenever one has ended."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "reader.log"
        self.database = folder / "documents.sqlite"
        self.library = Library.open(self.database)
        self.collection = self.library.add_collection("基準")
        self.deaths = 0
        self._number = 0
        self._file = self.log.open("wb")
        self.process = self._started()

    def _started(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            programs.reader_command(self.database),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._file,
            cwd=ROOT,
        )
        self.process = process
        assert isinstance(self.read(), Hello)
        return process

    def __enter__(self) -> "ReadingChild":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._end()
        self._file.close()
        self.library.close()

    def _end(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()

    def restart(self) -> None:
        self._end()
        self._started()

    def send(self, command: Command) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json_lines.encode_line(command))
        self.process.stdin.flush()

    def read(self) -> Event:
        """The next event. Raises EOFError when the child has ended."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise EOFError(f"the child ended: {self.process.wait()}\n{self.log.read_text('utf-8', 'replace')[-2000:]}")
        return json_lines.decode(line, messages.EVENTS)

    def add(self, path: Path) -> int:
        return self.library.add_documents(self.collection, [path])[0]

    def index(self, document_id: int, *, ocr: bool = False) -> list[Event]:
        """All events of one command."""
        self._number += 1
        self.send(Index(str(self._number), document_id, ocr))
        events: list[Event] = []
        while not events or not isinstance(events[-1], Indexed | Failed):
            events.append(self.read())
        assert all(getattr(event, "id", "") == str(self._number) for event in events)
        return events

    def index_file(self, path: Path) -> Indexed | Failed:
        """Adds a file and reads it; a death of the child counts, and it is tried again as the parent does."""
        document_id = self.add(path)
        for _ in range(3):
            try:
                ended = self.index(document_id)[-1]
            except EOFError:
                self.deaths += 1
                self.restart()
                continue
            assert isinstance(ended, Indexed | Failed)
            return ended
        raise AssertionError(f"no end for {path}")

    def remove(self, document_ids: Sequence[int]) -> Event:
        self.send(messages.Remove("remove", tuple(document_ids)))
        event = self.read()
        assert isinstance(event, DocumentRemoved)
        return event

    def document(self, document_id: int) -> Document:
        found = self.library.document(document_id)
        assert found is not None
        return found

    def sections(self, document_id: int) -> list[DocumentSection]:
        return [section for _, section in self.library.sections(document_id)]
