"""The documents' database: collections, their documents and sections. Retrieval is
`app.documents.retrieval.passage_search`.

A method that changes something has committed it when it returns.
"""

import contextlib
import dataclasses
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Collection as Names
from pathlib import Path
from typing import Any

from app.base import invisible_characters
from app.base.confidentiality import HIGHEST_LABEL, Label, Permit, stored_label
from app.base.database import Database, Row
from app.base.errors import AppError
from app.documents.document_tables import MIGRATIONS, SectionTable, text_of
from app.documents.records import (
    Document,
    DocumentCollection,
    DocumentSection,
    Passage,
    ReadingReport,
    State,
    shown_name,
)

_COUNTS = """(SELECT count(*) FROM document d WHERE d.collection_id = c.id) AS documents,
    (SELECT count(*) FROM document d JOIN section s ON s.document_id = d.id WHERE d.collection_id = c.id) AS sections,
    (SELECT count(*) FROM document d WHERE d.collection_id = c.id AND d.state IN ('waiting', 'reading')) AS unfinished,
    (SELECT count(*) FROM document d WHERE d.collection_id = c.id AND d.state IN ('doubtful', 'failed')) AS troubled"""

Former = tuple[str, str, int, Label]  # name of a collection, of a document or "", id of the collection, label
UNKNOWN: Former = ("", "", 0, HIGHEST_LABEL)  # in place of what nobody can read in a damaged database
_STEP = 1_000_000  # ids, more than anybody makes of collections
# Of what was renamed or removed: the label of the collection while there is one, else the last that it had.
_FORMER_LABEL = "CASE WHEN c.id IS NULL THEN f.label ELSE c.label END"


def collections_now(path: Path) -> list[DocumentCollection] | None:
    """As `Library.labelled`, of a database that is open elsewhere; [] where there is none. None: it cannot be read."""
    if not path.is_file():
        return []
    try:
        with contextlib.closing(Library.beside(path)) as library:
            return library.labelled()
    except AppError:
        return None


class Library:
    """Raises AppError as `Database` does. One belongs to one thread; `beside` gives one for another."""

    def __init__(self, database: Database) -> None:
        self.database = self._db = database
        self._sections = SectionTable(database)
        self.path = database.path

    @classmethod
    def open(cls, path: Path, clock: Callable[[], float] = time.time) -> "Library":
        try:
            return cls(Database.open(path, None, clock, MIGRATIONS))
        except AppError as error:
            if error.code == "newer_data":  # it can be made again from the documents, which conversations cannot
                raise AppError("documents_newer", path=str(path)) from error
            raise

    @classmethod
    def beside(cls, path: Path) -> "Library":
        return cls(Database.beside(path))

    def close(self) -> None:
        self._db.close()

    # -------------------------------------------------------------- collections

    def collections(self) -> list[DocumentCollection]:
        """By name, Kotae's own last; without those that leave."""
        return self._db.read_as(
            _collection,
            f"SELECT c.id, c.name, c.label, c.is_builtin, {_COUNTS} FROM collection c"  # noqa: S608
            " WHERE NOT c.is_leaving ORDER BY c.is_builtin, c.name",
        )

    def labelled(self) -> list[DocumentCollection]:
        """Return the collections as far as labels go: each also by the names that it had, and those that are gone with
        the label that they had last."""
        rows = self._db.read(
            f"SELECT f.collection_id, f.collection, {_FORMER_LABEL}"  # noqa: S608
            " FROM former f LEFT JOIN collection c ON c.id = f.collection_id WHERE f.document = ''"
        )
        return [*self.collections(), *(DocumentCollection(row[0], row[1], stored_label(row[2])) for row in rows)]

    def collection(self, name: str) -> DocumentCollection:
        """Raises AppError("unknown_collection")."""
        known = self.collections()
        found = next((one for one in known if one.name in (name, invisible_characters.to_single_line(name))), None)
        if found is None:
            raise AppError("unknown_collection", name=name, known=" / ".join(one.name for one in known))
        return found

    def add_collection(self, name: str, label: Label = "internal", *, is_builtin: bool = False) -> int:
        """Raises AppError("collection_exists" | "collection_unnamed")."""
        name = self._checked_name(name, None)
        with self._db.transaction():
            return self._db.write(
                "INSERT INTO collection(name, label, is_builtin, created_at) VALUES (?, ?, ?, ?)",
                name,
                label,
                is_builtin,
                self._db.now(),
            )

    def rename_collection(self, collection_id: int, name: str) -> None:
        """Raises AppError("collection_exists" | "collection_unnamed")."""
        name = self._checked_name(name, collection_id)
        with self._db.transaction():
            self._keep_name(collection_id)
            self._db.write("UPDATE collection SET name = ? WHERE id = ?", name, collection_id)

    def set_label(self, collection_id: int, label: Label, permit: Permit | None = None) -> None:
        """Raises AppError("secret_lowering") where what is confidential would become less, without a yes."""
        with self._db.transaction():
            if label != HIGHEST_LABEL and (permit is None or permit.label != HIGHEST_LABEL):
                rows = self._db.read("SELECT name, label FROM collection WHERE id = ?", collection_id)
                if rows and stored_label(rows[0][1]) == HIGHEST_LABEL:
                    raise AppError("secret_lowering", what=rows[0][0])
            self._db.write("UPDATE collection SET label = ? WHERE id = ?", label, collection_id)

    def labels_of(self, collections: Names[str], documents: Names[str]) -> list[Label]:
        """Return the labels of collections that have or had one of these names, and of those that hold or held a
        document with one of these names: text that was taken from them may have been moved or renamed since."""
        rows = self._db.read(
            f"WITH former_label AS (SELECT f.collection, f.document, {_FORMER_LABEL} AS label"  # noqa: S608
            " FROM former f LEFT JOIN collection c ON c.id = f.collection_id)"
            " SELECT label FROM collection WHERE NOT is_builtin AND name IN (SELECT value FROM json_each(?1))"
            " UNION SELECT c.label FROM collection c JOIN document d ON d.collection_id = c.id"
            " WHERE NOT c.is_builtin AND d.name IN (SELECT value FROM json_each(?2))"
            " UNION SELECT label FROM former_label"
            " WHERE document = '' AND collection IN (SELECT value FROM json_each(?1))"
            " UNION SELECT label FROM former_label"
            " WHERE document != '' AND document IN (SELECT value FROM json_each(?2))"
            " UNION SELECT label FROM former WHERE collection = '' AND document = '' AND EXISTS ("
            " SELECT 1 FROM json_each(?1) WHERE value NOT IN (SELECT name FROM collection)"
            " AND value NOT IN (SELECT collection FROM former)"
            " UNION ALL SELECT 1 FROM json_each(?2) WHERE value NOT IN (SELECT name FROM document)"
            " AND value NOT IN (SELECT document FROM former))",
            json.dumps(list(collections)),
            json.dumps(list(documents)),
        )
        return [stored_label(row[0]) for row in rows]

    def leave_collection(self, collection_id: int) -> None:
        """It is about to be removed, and out of sight from now on."""
        with self._db.transaction():
            self._keep_name(collection_id)
            self._db.write("UPDATE collection SET is_leaving = 1 WHERE id = ?", collection_id)

    def leaving_collections(self) -> list[int]:
        """Ids of those that are still there though they were to be removed."""
        return [row[0] for row in self._db.read("SELECT id FROM collection WHERE is_leaving")]

    def remove_collection(self, collection_id: int) -> None:
        """With its documents: seconds for thousands of sections. The files stay where they are."""
        self.leave_collection(collection_id)
        self.remove_documents([document.id for document in self.documents(collection_id)])
        with self._db.transaction():
            self._db.write(
                "UPDATE former SET label = (SELECT label FROM collection WHERE id = ?1) WHERE collection_id = ?1",
                collection_id,
            )
            self._db.write("DELETE FROM collection WHERE id = ?", collection_id)

    def remember(self, labels: Iterable[Former]) -> None:
        """Keep what a lost database said, whose ids are not given once more.

        With UNKNOWN among it, what names something that nobody knows counts as confidential.
        """
        labels = list(labels)
        with self._db.transaction():
            for row in labels:
                self._db.write("INSERT OR REPLACE INTO former VALUES (?, ?, ?, ?)", *row)
            last = max((row[2] for row in labels), default=0)
            if UNKNOWN in labels:  # nobody knows which were given, perhaps after such a step
                last += _STEP + secrets.randbelow(100 * _STEP)
            last = min(last, 2**31 - _STEP)  # Qt's signals carry 31 bits, and a damaged database may have said any id
            self._db.write("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'collection'", last)
            if not self._db.read("SELECT 1 FROM sqlite_sequence WHERE name = 'collection'"):
                self._db.write("INSERT INTO sqlite_sequence VALUES ('collection', ?)", last)

    def _keep_name(self, collection_id: int) -> None:
        """What was taken from it names it so, whatever becomes of it."""
        self._db.write(
            "INSERT OR REPLACE INTO former(collection, document, collection_id, label)"
            " SELECT name, '', id, label FROM collection WHERE id = ? AND NOT is_builtin",
            collection_id,
        )

    def _checked_name(self, name: str, own_id: int | None) -> str:
        name = invisible_characters.to_single_line(name)
        if not name:
            raise AppError("collection_unnamed")
        if self._db.read("SELECT 1 FROM collection WHERE name = ? AND id IS NOT ?", name, own_id):
            raise AppError("collection_exists", name=name)
        return name

    # ------------------------------------------------------------------ sources

    def sources(self, collection_id: int) -> list[Path]:
        """The files and folders that the user added."""
        rows = self._db.read("SELECT path FROM source WHERE collection_id = ? ORDER BY id", collection_id)
        return [Path(row[0]) for row in rows]

    def add_sources(self, collection_id: int, paths: Iterable[Path]) -> None:
        with self._db.transaction():
            for path in paths:
                self._db.write(
                    "INSERT OR IGNORE INTO source(collection_id, path) VALUES (?, ?)", collection_id, str(path)
                )

    def remove_source(self, collection_id: int, path: Path) -> None:
        with self._db.transaction():
            self._db.write("DELETE FROM source WHERE collection_id = ? AND path = ?", collection_id, str(path))

    def leave_out(self, document_ids: Iterable[int]) -> None:
        """They are about to be removed, and a later look through their folder must not bring them back."""
        with self._db.transaction():
            for document_id in document_ids:
                place = "SELECT collection_id, path FROM document WHERE id = ?"
                self._db.write(f"INSERT OR IGNORE INTO left_out {place}", document_id)
                self._db.write(f"DELETE FROM source WHERE (collection_id, path) IN ({place})", document_id)  # noqa: S608

    def left_out(self, collection_id: int) -> set[str]:
        """Paths of what the user has removed."""
        return {row[0] for row in self._db.read("SELECT path FROM left_out WHERE collection_id = ?", collection_id)}

    def leaving(self) -> list[int]:
        """Ids of documents that were left out and are still there: their removal was interrupted."""
        rows = self._db.read("SELECT d.id FROM document d JOIN left_out l USING (collection_id, path)")
        return [row[0] for row in rows]

    def take_back(self, collection_id: int, paths: Iterable[Path]) -> None:
        """The user has added them anew."""
        with self._db.transaction():
            for path in paths:
                self._db.write("DELETE FROM left_out WHERE collection_id = ? AND path = ?", collection_id, str(path))

    # ---------------------------------------------------------------- documents

    def documents(self, collection_id: int) -> list[Document]:
        """In the order of their paths."""
        return self._db.read_as(
            _document, "SELECT * FROM document WHERE collection_id = ? ORDER BY path", collection_id
        )

    def document(self, document_id: int) -> Document | None:
        found = self._db.read_as(_document, "SELECT * FROM document WHERE id = ?", document_id)
        return found[0] if found else None

    def documents_like(self, path: str, sha256: str) -> list[Document]:
        """Those of this file, or with the same content. One file may be in several collections, and be moved."""
        wanted = "SELECT * FROM document WHERE path = ? OR (sha256 = ? AND sha256 <> '') ORDER BY id"
        return self._db.read_as(_document, wanted, path, sha256)

    def namesakes(self, name: str, sha256: str) -> list[int]:
        """Ids of documents that may be the one that somebody else names so: of its name, or with the same content."""
        rows = self._db.read(
            "SELECT d.id FROM document d JOIN collection c ON c.id = d.collection_id"
            " WHERE NOT c.is_leaving AND (d.name = ? OR (d.sha256 = ? AND d.sha256 <> '')) ORDER BY d.id LIMIT 20",
            name,
            sha256,
        )
        return [row[0] for row in rows]

    def waiting(self) -> list[Document]:
        """What is to be read, in the order in which it was added; also what a kill has interrupted."""
        return self._db.read_as(_document, "SELECT * FROM document WHERE state IN ('waiting', 'reading') ORDER BY id")

    def add_documents(self, collection_id: int, paths: Iterable[Path]) -> list[int]:
        """As waiting; those that are there already stay as they are. Gives the ids of the new ones."""
        added = []
        with self._db.transaction():
            for path in paths:
                before = self._db.changes()
                row_id = self._db.write(
                    "INSERT OR IGNORE INTO document(collection_id, path, name, state, added_at)"
                    " VALUES (?, ?, ?, 'waiting', ?)",
                    collection_id,
                    str(path),
                    shown_name(path),
                    self._db.now(),
                )
                if self._db.changes() > before:
                    added.append(row_id)
        return added

    def begin_reading(self, document_id: int, file: os.stat_result) -> int:
        """Marks it and gives the attempts so far, with this one: what ends the child twice is not tried again."""
        with self._db.transaction():
            self._db.write(
                "UPDATE document SET state = 'reading', attempts = attempts + 1,"
                " tried_size_bytes = ?, tried_modified_ns = ? WHERE id = ?",
                file.st_size,
                file.st_mtime_ns,
                document_id,
            )
        return int(self._db.read("SELECT attempts FROM document WHERE id = ?", document_id)[0][0])

    def read_again(self, document_ids: Sequence[int], encoding: str | None = None) -> None:
        """Puts documents into the queue. Their sections stay until they are read. `encoding`: "" detects it anew."""
        with self._db.transaction():
            for document_id in document_ids:
                self._db.write(
                    "UPDATE document SET state = 'waiting', attempts = 0, tried_size_bytes = 0, tried_modified_ns = 0,"
                    " wished_encoding = coalesce(?, wished_encoding) WHERE id = ?",
                    encoding,
                    document_id,
                )

    def interrupt(self, document_id: int) -> None:
        """Its reader leaves in the middle, which is no fault of the document. What has been read meanwhile stays so."""
        with self._db.transaction():
            self._db.write(
                "UPDATE document SET state = 'waiting', attempts = 0 WHERE id = ? AND state = 'reading'", document_id
            )

    def keep(self, document_id: int) -> None:
        """Takes a document out of the queue; what was read of it earlier stays."""
        document = self.document(document_id)
        if document is not None:
            state = "doubtful" if document.report.is_doubtful else "done"
            with self._db.transaction():
                self._db.write("UPDATE document SET state = ?, attempts = 0 WHERE id = ?", state, document_id)

    def accept(self, document_ids: Iterable[int]) -> None:
        """What is doubtful is used as it is."""
        with self._db.transaction():
            for document_id in document_ids:
                self._db.write("UPDATE document SET state = 'done' WHERE id = ? AND state = 'doubtful'", document_id)

    def fail(self, document_id: int, error: AppError) -> None:
        """What was read of it earlier stays."""
        with self._db.transaction():
            self._db.write(
                "UPDATE document SET state = 'failed', error_code = ?, error_facts = ? WHERE id = ?",
                error.code,
                json.dumps(error.facts, ensure_ascii=False, default=str),
                document_id,
            )

    def remove_documents(self, document_ids: Sequence[int]) -> None:
        """One transaction each. The files stay where they are."""
        for document_id in document_ids:
            with self._db.transaction():
                self._sections.forget(document_id)
                self._db.write(
                    "INSERT OR REPLACE INTO former(collection, document, collection_id, label)"
                    " SELECT c.name, d.name, c.id, c.label FROM document d JOIN collection c ON c.id = d.collection_id"
                    " WHERE d.id = ? AND NOT c.is_builtin",
                    document_id,
                )
                self._db.write("DELETE FROM document WHERE id = ?", document_id)

    # ----------------------------------------------------------------- sections

    def put(
        self, document: Document, sections: Sequence[DocumentSection], note: Callable[[int], None] = lambda _count: None
    ) -> None:
        """Replaces all sections of a document and its row, in one transaction: a kill leaves the old or the new.

        `note` is told how many sections are written so far: the longest documents take minutes on slow machines.
        Raises AppError("document_removed") where another process has taken it out meanwhile.
        """
        with self._db.transaction():
            if self.document(document.id) is None:
                raise AppError("document_removed")
            self._sections.forget(document.id)
            self._sections.add(document.id, sections, note)
            self._db.write(
                "UPDATE document SET state = ?, attempts = 0, size_bytes = ?, modified_ns = ?, sha256 = ?,"
                " error_code = ?, error_facts = ?, report = ?, indexed_at = ? WHERE id = ?",
                document.state,
                document.size_bytes,
                document.modified_ns,
                document.sha256,
                document.error_code,
                json.dumps(document.error_facts, ensure_ascii=False, default=str),
                json.dumps(dataclasses.asdict(document.report), ensure_ascii=False),
                self._db.now(),
                document.id,
            )

    def sections(self, document_id: int) -> list[tuple[int, DocumentSection]]:
        """With their ids, in the document's order."""
        return self._sections.of_document(document_id)

    def passages(self, scored: Sequence[tuple[int, float]]) -> list[Passage]:
        """Of (section id, score), in that order, ranked from 1. Sections that are gone are left out."""
        return self._sections.passages(scored)

    def passage(self, section_id: int) -> Passage | None:
        """A section with where it is from; None when its document has been read anew or has left."""
        return next(iter(self.passages([(section_id, 0.0)])), None)


def _collection(row: Row) -> DocumentCollection:
    return DocumentCollection(
        id=row["id"],
        name=text_of(row, "name"),
        label=stored_label(row["label"]),
        is_builtin=bool(row["is_builtin"]),
        documents=row["documents"],
        sections=row["sections"],
        unfinished=row["unfinished"],
        troubled=row["troubled"],
    )


def _report(stored: str) -> ReadingReport:
    values = json.loads(stored)
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return ReadingReport(**fields)


def _document(row: Row) -> Document:
    state: State = row["state"]
    return Document(
        id=row["id"],
        collection_id=row["collection_id"],
        path=row["path"],
        name=row["name"],
        state=state,
        size_bytes=row["size_bytes"],
        modified_ns=row["modified_ns"],
        tried_size_bytes=row["tried_size_bytes"],
        tried_modified_ns=row["tried_modified_ns"],
        sha256=row["sha256"],
        wished_encoding=row["wished_encoding"],
        error_code=row["error_code"],
        error_facts=json.loads(row["error_facts"]),
        report=_report(row["report"]),
        added_at=row["added_at"],
        indexed_at=row["indexed_at"],
    )
