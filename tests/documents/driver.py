"""What tests of documents share: the service with what a person does to it, and passages and libraries made by hand."""

import dataclasses
import sqlite3
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication, SignalInstance
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.documents.collection_updates import AddedFiles, RefreshResult
from app.documents.document_tables import MIGRATIONS
from app.documents.grounding import claims
from app.documents.library import Library
from app.documents.records import Document, Passage, Section
from app.documents.section_terms import SectionTerms
from app.documents.services.document_library import DocumentLibrary

SCRIPTED = [sys.executable, str(Path(__file__).parents[1] / "scripted_reader.py")]
TIMEOUT_MS = 60_000


def silent(_done: int, _total: int) -> None:
    """A reader's sign of life that nobody needs."""


def written(folder: Path, name: str, content: str | bytes, codec: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(content.encode(codec) if isinstance(content, str) else content)
    return path


def make_passage(text: str, *heading: str, number: int = 1, document: str = "規則.md", **section: Any) -> Passage:
    """A passage of one section. `section`: its other fields."""
    found = Section(heading, text, **section)
    return Passage(number, found, 1, document, f"/{document}", "基準", "internal", 1.0, number)


def is_marked(answer: str, passages: Sequence[Passage], question: str = "") -> bool:
    """Whether the check marks any sentence of an answer."""
    found = claims.check(answer, passages, question)
    return not all(claim.is_supported and not claim.missing for claim in found)


def put(library: Library, *sections: Section | str, collection: str = "基準", name: str = "a.md") -> int:
    """Store a document, with a text as a section of 章, in place of one of that name. Return the collection's id."""
    known = {one.name: one.id for one in library.collections()}
    collection_id = known.get(collection) or library.add_collection(collection)
    same = [one for one in library.documents(collection_id) if one.name == name]
    for document in same or map(library.document, library.add_documents(collection_id, [Path(f"/{name}")])):
        assert document is not None
        found = [Section(("章",), one) if isinstance(one, str) else one for one in sections]
        library.put(dataclasses.replace(document, state="done"), found)
    return collection_id


def write_as_earlier_version(path: Path, version: int) -> None:
    """Replace a documents' database that is not open with one of an earlier version that has the same content."""
    new = path.with_suffix(".new")
    path.rename(new)
    with closing(sqlite3.connect(path)) as db:
        for migrate in MIGRATIONS[:version]:
            migrate(db)
        db.execute("ATTACH ? AS new", (str(new),))
        copied = {"heading_terms": "stored_terms(heading, text, terms, 0)"}
        copied["body_terms"] = "stored_terms(heading, text, terms, 1)"
        db.create_function("stored_terms", 4, _stored_terms)
        for table in ("collection", "document", "section", "collection_term"):
            names = [row[1] for row in db.execute(f"PRAGMA main.table_info({table})")]
            values = ", ".join(copied.get(name, name) for name in names)
            if names:
                db.execute(f"INSERT INTO main.{table}({', '.join(names)}) SELECT {values} FROM new.{table}")
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
    new.unlink()


def _stored_terms(heading: str, text: str, terms: bytes, part: int) -> str:
    found = SectionTerms.unpack(terms, heading, text)
    return " ".join((found.heading_terms, found.body_terms)[part]())


def check_index(db: sqlite3.Connection) -> None:
    """Check that the full-text index has the terms of the sections and no others, and the statistics count them."""
    db.execute("INSERT INTO section_terms(section_terms) VALUES ('integrity-check')")
    db.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, section_terms, 'instance')")
    indexed = Counter(db.execute("SELECT doc, col, term FROM temp.vocabulary"))
    db.execute("DROP TABLE temp.vocabulary")
    stored: Counter[tuple[int, str, str]] = Counter()
    counted: Counter[tuple[int, str]] = Counter()
    for section_id, collection_id, *row in db.execute(
        "SELECT s.id, collection_id, heading, text, terms FROM section s JOIN document d ON d.id = s.document_id"
    ):
        heading, body = (_stored_terms(*row, part).split() for part in (0, 1))
        stored.update((section_id, "heading_terms", term) for term in heading)
        stored.update((section_id, "body_terms", term) for term in body)
        counted.update((collection_id, term) for term in {*heading, *body})
    assert indexed == stored
    assert counted == {(row[0], row[1]): row[2] for row in db.execute("SELECT * FROM collection_term")}


class DocumentsDriver:
    """The service as a window has it, with what it said. `command`: starts the reading child in place of the scripted
    one."""

    def __init__(self, where: Paths, qtbot: QtBot, command: Sequence[str] = (), **limits: float) -> None:
        self.where, self.qtbot = where, qtbot
        where.logs.mkdir(parents=True, exist_ok=True)
        command = list(command) or [*SCRIPTED, str(where.documents)]
        self.documents = DocumentLibrary(where.documents, command, where.logs, **limits)
        self.problems: list[AppError] = []
        self.documents.failed.connect(self.problems.append)
        self.documents.not_opened.connect(self.problems.append)

    def open(self) -> None:
        self.carried(self.documents.opened, self.documents.open)

    def carried(self, signal: SignalInstance, act: Callable[[], object]) -> Any:
        """Do something, and return what the signal that ends it carries."""
        with self.qtbot.waitSignal(signal, timeout=TIMEOUT_MS) as told:
            act()
        return told.args[0] if told.args else None

    def collection(self, *paths: Path, name: str = "基準") -> int:
        """Make a collection, with what has been read of the paths."""
        made: int = self.carried(self.documents.collection_added, lambda: self.documents.add_collection(name))
        if paths:
            self.add(made, *paths)
            self.wait_until_read()
        return made

    def add(self, collection_id: int, *paths: Path) -> AddedFiles:
        added: AddedFiles = self.carried(self.documents.added, lambda: self.documents.add(collection_id, list(paths)))
        return added

    def refresh(self, collection_id: int) -> RefreshResult:
        done: RefreshResult = self.carried(self.documents.refreshed, lambda: self.documents.refresh(collection_id))
        self.wait_until_read()
        return done

    def wait(self, condition: Callable[[], bool]) -> None:
        self.qtbot.waitUntil(condition, timeout=TIMEOUT_MS)

    def wait_until_read(self) -> None:
        self.wait(lambda: self.documents.standing.phase == "idle" and not self.documents.is_busy)

    def wait_amid(self, name: str) -> None:
        """Wait until this document is being read."""
        self.wait(lambda: self.documents.standing.name == name and self.documents.standing.done == 1)

    def collection_amid(self, folder: Path, name: str) -> int:
        """Make a collection of a folder, and wait until this document of it is being read, which does not end."""
        (folder / name).write_text("slow", encoding="utf-8")
        collection_id = self.collection()
        self.add(collection_id, folder)
        self.wait_amid(name)
        return collection_id

    def states(self, collection_id: int) -> dict[str, str]:
        return {document.name: document.state for document in self.documents.documents(collection_id)}

    def document(self, collection_id: int, name: str) -> Document:
        return next(one for one in self.documents.documents(collection_id) if one.name == name)

    def attempts(self) -> list[str]:
        """Return the names of documents, each time one was begun."""
        log = Path(f"{self.where.documents}.log")
        return log.read_text("utf-8").split() if log.exists() else []

    def texts(self) -> list[str]:
        """Return the texts of all sections that are stored."""
        with closing(Library.open_second(self.where.documents)) as library:
            return [row[0] for row in library.database.read("SELECT text FROM section ORDER BY text")]

    def close(self) -> None:
        self.documents.close()
        background.shut_down()
        QCoreApplication.processEvents()
