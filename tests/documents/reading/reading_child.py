"""The real reading child for tests, spoken to line by line, and the database that it writes."""

from collections.abc import Sequence
from pathlib import Path

from app.base import json_lines, programs
from app.documents.library import Library
from app.documents.reading import messages
from app.documents.reading.messages import DocumentRemoved, Event, Failed, Hello, Index, Indexed
from app.documents.records import Document, Section
from tests.line_child import LineChild


class ReadingChild(LineChild):
    """`with ReadingChild(folder) as child:` … starts another child whenever one has ended."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "documents.sqlite"
        self.library = Library.open(self.database)
        self.collection = self.library.add_collection("基準")
        self.deaths = 0
        self._number = 0
        super().__init__(programs.reader_command(self.database), folder / "reader.log")

    def start(self) -> None:
        super().start()
        assert isinstance(self.read(), Hello)

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.library.close()

    def restart(self) -> None:
        self.stop()
        self.start()

    def begin_collection(self, name: str) -> None:
        """What is added from now on is in a collection of its own; commands are counted anew."""
        self.collection = self.library.add_collection(name)
        self._number = 0

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

    def sections(self, document_id: int) -> list[Section]:
        return [section for _, section in self.library.sections(document_id)]
