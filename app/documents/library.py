"""Store collections, their documents and sections in the documents' database.

Every method that changes something commits the change before it returns. `app.documents.retrieval.passage_search`
searches the sections. The file is over 450 lines because one class contains all SQL on collections and documents.
"""

import contextlib
import dataclasses
import json
import os
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Collection as Names
from pathlib import Path
from typing import Any

from app.base import invisible_characters
from app.base.confidentiality import HIGHEST_LABEL, Label, Permit, highest_label, stored_label
from app.base.database import Database, Row
from app.base.errors import AppError
from app.base.paths import Paths
from app.documents.document_tables import MIGRATIONS, IndexBatch, SectionTable, heading_of, text_of
from app.documents.records import (
    AskableDocument,
    Document,
    DocumentCollection,
    Passage,
    ReadingReport,
    Section,
    shown_name,
)
from app.inference import prefix_states

_COUNTS = """(SELECT count(*) FROM document d WHERE d.collection_id = c.id) AS documents,
    c.sections,
    (SELECT count(*) FROM document d WHERE d.collection_id = c.id AND d.state IN ('waiting', 'reading')) AS unfinished,
    (SELECT count(*) FROM document d WHERE d.collection_id = c.id AND d.state IN ('doubtful', 'failed')) AS troubled"""

Former = tuple[str, str, int, Label]  # collection name, document name or "", collection id, label
UNKNOWN: Former = ("", "", 0, HIGHEST_LABEL)  # represents the unreadable rest of a damaged database
_STEP = 1_000_000  # more ids than any user has collections
_DOCUMENT = (
    "SELECT id, collection_id, path, name, state, size_bytes, modified_ns, tried_size_bytes, tried_modified_ns, sha256,"
    " wished_encoding AS chosen_encoding, error_code, error_facts, report, added_at, indexed_at FROM document"
)
# The label of a former name: the current one of its collection, else the last that the collection had.
_FORMER_LABEL = "CASE WHEN c.id IS NULL THEN f.label ELSE c.label END"


def collections_now(path: Path) -> list[DocumentCollection] | None:
    """Return `Library.labelled` of a database open anywhere; [] without a file, None if it is unreadable."""
    if not path.is_file():
        return []
    try:
        with contextlib.closing(Library.open_second(path)) as library:
            return library.labelled()
    except AppError:
        return None


def label_now(path: Path, collection_id: int) -> Label:
    """Return the label of a collection in a database that may be open elsewhere; the highest if it is unreadable."""
    there = collections_now(path)
    return HIGHEST_LABEL if there is None else highest_label(one.label for one in there if one.id == collection_id)


class Library:
    """A connection of one thread to the documents' database. Its methods raise AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self.database = self._db = database
        self._sections = SectionTable(database)
        self.path = database.path

    @classmethod
    def open(cls, path: Path, clock: Callable[[], float] = time.time) -> "Library":
        """Open, create or migrate the database. Raises AppError("documents_newer"), else as `Database.open`."""
        try:
            return cls(Database.open(path, None, clock, MIGRATIONS))
        except AppError as error:
            if error.code == "newer_data":  # unlike conversations, it can be rebuilt from the files
                raise AppError("documents_newer", path=str(path)) from error
            raise

    @classmethod
    def open_second(cls, path: Path) -> "Library":
        """Open another connection to an existing database, for another thread or process."""
        return cls(Database.open_second(path))

    def close(self) -> None:
        self._db.close()

    # -------------------------------------------------------------- collections

    def collections(self, *, has_attached: bool = False) -> list[DocumentCollection]:
        """Return the collections by name, Kotae's last, without those being removed or, by default, attached."""
        return self._db.read_as(
            _collection,
            f"SELECT c.id, c.name, c.label, c.is_builtin, c.attached, {_COUNTS} FROM collection c"  # noqa: S608
            " WHERE NOT c.is_leaving AND (? OR c.attached = '') ORDER BY c.is_builtin, c.name",
            has_attached,
        )

    def labelled(self) -> list[DocumentCollection]:
        """Return all collections, then one entry for each former name, with its collection's current or last label."""
        rows = self._db.read(
            f"SELECT f.collection_id, f.collection, {_FORMER_LABEL}"  # noqa: S608
            " FROM former f LEFT JOIN collection c ON c.id = f.collection_id WHERE f.document = ''"
        )
        return [
            *self.collections(has_attached=True),
            *(DocumentCollection(row[0], row[1], stored_label(row[2])) for row in rows),
        ]

    def collection(self, name: str) -> DocumentCollection:
        """Return the collection of this name. Raises AppError("unknown_collection")."""
        known = self.collections()
        collection = next((one for one in known if one.name in (name, invisible_characters.to_single_line(name))), None)
        if collection is None:
            raise AppError("unknown_collection", name=name, known=" / ".join(one.name for one in known))
        return collection

    def add_collection(self, name: str, label: Label = "internal", *, is_builtin: bool = False) -> int:
        """Add a collection and return its id. Raises AppError("collection_exists" | "collection_unnamed")."""
        name = self._checked_name(name, None)
        with self._db.transaction():
            return self._db.write(
                "INSERT INTO collection(name, label, is_builtin, created_at) VALUES (?, ?, ?, ?)",
                name,
                label,
                is_builtin,
                self._db.clock(),
            )

    def attach(self, name: str, path: Path, owner: str) -> None:
        """Add and queue a file as a hidden collection (`DocumentCollection.attached`), 機密 if known as such."""
        with self._db.transaction():
            collection_id = self.add_collection(name)
            self._db.write("UPDATE collection SET attached = ? WHERE id = ?", owner, collection_id)
            self.add_documents(collection_id, [path])
            self._label_attached(collection_id, str(path), "")

    def _label_attached(self, collection_id: int, path: str, sha256: str) -> None:
        """Label an attached file 機密 if a confidential collection has it, or it was moved into one."""
        self._db.write(
            "UPDATE collection SET label = ?4 WHERE id = ?1 AND attached <> '' AND (EXISTS (SELECT 1 FROM secret_file"
            " WHERE path = ?2 OR ?3 <> '' AND sha256 = ?3) OR EXISTS (SELECT 1 FROM document d"
            " JOIN collection c ON c.id = d.collection_id"
            " WHERE c.label = ?4 AND (d.path = ?2 OR ?3 <> '' AND d.sha256 = ?3)))",
            collection_id,
            path,
            sha256,
            HIGHEST_LABEL,
        )

    def rename_collection(self, collection_id: int, name: str) -> None:
        """Rename a collection and keep its former name. Raises AppError("collection_exists" | "collection_unnamed")."""
        name = self._checked_name(name, collection_id)
        with self._db.transaction():
            self._keep_name(collection_id)
            self._db.write("UPDATE collection SET name = ? WHERE id = ?", name, collection_id)

    def set_label(self, collection_id: int, label: Label, permit: Permit | None = None) -> None:
        """Set a label. Raises AppError("secret_lowering") if 機密 would become lower without a `permit`."""
        with self._db.transaction():
            if label != HIGHEST_LABEL and (permit is None or not permit.is_agreed):
                rows = self._db.read("SELECT name, label FROM collection WHERE id = ?", collection_id)
                if rows and stored_label(rows[0][1]) == HIGHEST_LABEL:
                    raise AppError("secret_lowering", what=rows[0][0])
            if label != HIGHEST_LABEL:
                self._db.write(
                    "DELETE FROM secret_file WHERE path IN (SELECT d.path FROM document d"
                    " JOIN collection c ON c.id = d.collection_id WHERE c.id = ? AND c.label = ?)",
                    collection_id,
                    HIGHEST_LABEL,
                )
            self._db.write("UPDATE collection SET label = ? WHERE id = ?", label, collection_id)
        if label == HIGHEST_LABEL:
            self.wipe_states([collection_id])

    def labels_of(self, collections: Names[str], documents: Names[str]) -> list[Label]:
        """Return the labels of all collections that have or had these names, or contain or contained these documents.

        If a database was lost, an unknown name counts as confidential.
        """
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

    def begin_collection_removal(self, collection_id: int) -> None:
        """Mark a collection as about to be removed, which hides it from now on."""
        with self._db.transaction():
            self._keep_name(collection_id)
            self._db.write("UPDATE collection SET is_leaving = 1 WHERE id = ?", collection_id)
        self.wipe_states([collection_id])

    def wipe_states(self, collection_ids: Sequence[int]) -> None:
        """Delete what the engine has kept of the texts of collections, since a text leaves them."""
        prefix_states.wipe(Paths(self.path.parent).prefix_states, collection_ids)

    def collections_to_remove(self) -> list[int]:
        """Return the ids of collections whose removal has begun and has not finished."""
        return [row[0] for row in self._db.read("SELECT id FROM collection WHERE is_leaving")]

    def remove_collection(self, collection_id: int) -> None:
        """Remove a collection and its documents; the files stay. Takes seconds for thousands of sections."""
        self.begin_collection_removal(collection_id)
        self.remove_documents([document.id for document in self.documents(collection_id)])
        with self._db.transaction():
            self._db.write(
                "UPDATE former SET label = (SELECT label FROM collection WHERE id = ?1) WHERE collection_id = ?1",
                collection_id,
            )
            self._db.write("DELETE FROM collection WHERE id = ?", collection_id)

    def keep_lost_labels(self, labels: Iterable[Former]) -> None:
        """Store the labels of a lost database, and make sure that its ids are not reused.

        If UNKNOWN is among `labels`, any name that neither database knows counts as confidential.
        """
        labels = list(labels)
        with self._db.transaction():
            for row in labels:
                self._db.write("INSERT OR REPLACE INTO former VALUES (?, ?, ?, ?)", *row)
            last = max((row[2] for row in labels), default=0)
            if UNKNOWN in labels:  # the ids in use are unknown, perhaps after such a step
                last += _STEP + secrets.randbelow(100 * _STEP)
            last = min(last, 2**31 - _STEP)  # Qt's signals carry 31 bits, and a damaged database may contain any id
            self._db.write("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'collection'", last)
            if not self._db.read("SELECT 1 FROM sqlite_sequence WHERE name = 'collection'"):
                self._db.write("INSERT INTO sqlite_sequence VALUES ('collection', ?)", last)

    def _keep_name(self, collection_id: int) -> None:
        """Store the current name of a collection as a former one, to which texts made of the collection refer."""
        self._db.write(
            "INSERT OR REPLACE INTO former(collection, document, collection_id, label)"
            " SELECT name, '', id, label FROM collection"
            " WHERE id = ? AND NOT is_builtin AND (attached = '' OR label = 'secret')",
            collection_id,
        )

    def _checked_name(self, name: str, own_id: int | None) -> str:
        """Return a name on one line, which no other collection has. Raises AppError("collection_unnamed" |
        "collection_exists")."""
        name = invisible_characters.to_single_line(name)
        if not name:
            raise AppError("collection_unnamed")
        if self._db.read("SELECT 1 FROM collection WHERE name = ? AND id IS NOT ?", name, own_id):
            raise AppError("collection_exists", name=name)
        return name

    # ------------------------------------------------------------------ sources

    def sources(self, collection_id: int) -> list[Path]:
        """Return the files and folders that the user added."""
        rows = self._db.read("SELECT path FROM source WHERE collection_id = ? ORDER BY id", collection_id)
        return [Path(row[0]) for row in rows]

    def watched_sources(self) -> dict[int, list[Path]]:
        """Return files and folders by collection, without Kotae's own, leaving ones, and those whose reading was
        cancelled."""
        sources: dict[int, list[Path]] = {}
        for collection_id, path in self._db.read(
            "SELECT s.collection_id, s.path FROM source s JOIN collection c ON c.id = s.collection_id"
            " WHERE NOT c.is_leaving AND NOT c.is_builtin AND NOT c.is_unwatched ORDER BY s.id"
        ):
            sources.setdefault(collection_id, []).append(Path(path))
        return sources

    def set_watched(self, collection_id: int, *, is_watched: bool) -> None:
        """Set whether `watched_sources` returns a collection."""
        with self._db.transaction():
            self._db.write("UPDATE collection SET is_unwatched = ? WHERE id = ?", not is_watched, collection_id)

    def add_sources(self, collection_id: int, paths: Iterable[Path]) -> None:
        with self._db.transaction():
            for path in paths:
                self._db.write(
                    "INSERT OR IGNORE INTO source(collection_id, path) VALUES (?, ?)", collection_id, str(path)
                )

    def remove_source(self, collection_id: int, path: Path) -> None:
        with self._db.transaction():
            self._db.write("DELETE FROM source WHERE collection_id = ? AND path = ?", collection_id, str(path))

    def exclude(self, document_ids: Iterable[int]) -> None:
        """Exclude documents that are about to be removed, so that no refresh adds them again."""
        left: set[int] = set()
        with self._db.transaction():
            for document_id in document_ids:
                place = "SELECT collection_id, path FROM document WHERE id = ?"
                left.update(row[0] for row in self._db.read(place, document_id))
                self._db.write(f"INSERT OR IGNORE INTO left_out {place}", document_id)
                self._db.write(f"DELETE FROM source WHERE (collection_id, path) IN ({place})", document_id)  # noqa: S608
        self.wipe_states(sorted(left))

    def excluded_paths(self, collection_id: int) -> set[str]:
        """Return the paths of the documents that the user has removed."""
        return {row[0] for row in self._db.read("SELECT path FROM left_out WHERE collection_id = ?", collection_id)}

    def documents_to_remove(self) -> list[int]:
        """Return the ids of documents that are excluded but still stored, because their removal was interrupted."""
        rows = self._db.read("SELECT d.id FROM document d JOIN left_out l USING (collection_id, path)")
        return [row[0] for row in rows]

    def include_again(self, collection_id: int, paths: Iterable[Path]) -> None:
        """Stop excluding these paths, because the user has added them again."""
        with self._db.transaction():
            for path in paths:
                self._db.write("DELETE FROM left_out WHERE collection_id = ? AND path = ?", collection_id, str(path))

    def secret_paths(self, collection_id: int) -> set[str]:
        """Return the paths of files moved into a confidential collection that may not enter this one without
        consent."""
        rows = self._db.read(
            "SELECT path FROM secret_file WHERE NOT EXISTS (SELECT 1 FROM collection WHERE id = ?1 AND label = ?2)"
            " AND path NOT IN"
            " (SELECT path FROM document WHERE collection_id = ?1 AND (indexed_at > 0 OR is_permitted))",
            collection_id,
            HIGHEST_LABEL,
        )
        return {row[0] for row in rows}

    def permit_entry(self, collection_id: int, paths: Iterable[str]) -> None:
        """Queue documents of a collection that `secret_paths` would keep out, because the user has consented."""
        with self._db.transaction():
            for path in paths:
                self._db.write(
                    "UPDATE document SET is_permitted = 1, state = 'waiting', attempts = 0"
                    " WHERE collection_id = ? AND path = ?",
                    collection_id,
                    path,
                )

    # ---------------------------------------------------------------- documents

    def documents(self, collection_id: int) -> list[Document]:
        """Return the documents of a collection in the order of their paths."""
        return self._db.read_as(_document, f"{_DOCUMENT} WHERE collection_id = ? ORDER BY path", collection_id)

    def askable_documents(self, collection_id: int) -> list[AskableDocument]:
        """Return the documents of a collection that can be asked, by name."""
        return self._db.read_as(
            lambda row: AskableDocument(row[0], text_of(row, "path"), text_of(row, "name")),
            "SELECT id, path, name FROM document WHERE collection_id = ? AND indexed_at > 0 ORDER BY name, path",
            collection_id,
        )

    def paths_with(self, part: str) -> list[str]:
        """Return the paths of all documents that contain this text."""
        return [row[0] for row in self._db.read("SELECT path FROM document WHERE instr(path, ?)", part)]

    def document(self, document_id: int) -> Document | None:
        found = self._db.read_as(_document, f"{_DOCUMENT} WHERE id = ?", document_id)
        return found[0] if found else None

    def restrict(self, document_ids: Mapping[int, Sequence[int]]) -> None:
        """Let later reads see only these documents, by collection id; others and the statistics stay whole.

        A temporary view stands before the table of its name.
        """
        if document_ids:
            whole, chosen = (
                ",".join(map(str, document_ids)),
                ",".join(str(one) for ids in document_ids.values() for one in ids),
            )
            self._db.read(
                "CREATE TEMP VIEW document AS SELECT * FROM main.document"  # noqa: S608
                f" WHERE collection_id NOT IN ({whole}) OR id IN ({chosen})"
            )

    def documents_with_path_or_content(self, path: str, sha256: str) -> list[Document]:
        """Return the documents, in any collection, with this path or the digest of this content."""
        wanted = f"{_DOCUMENT} WHERE path = ? OR (sha256 = ? AND sha256 <> '') ORDER BY id"
        return self._db.read_as(_document, wanted, path, sha256)

    def ids_with_name_or_content(self, name: str, sha256: str) -> list[int]:
        """Return the ids of up to 20 documents that have this name or this content."""
        rows = self._db.read(
            "SELECT d.id FROM document d JOIN collection c ON c.id = d.collection_id"
            " WHERE NOT c.is_leaving AND (d.name = ? OR (d.sha256 = ? AND d.sha256 <> '')) ORDER BY d.id LIMIT 20",
            name,
            sha256,
        )
        return [row[0] for row in rows]

    def waiting(self) -> list[Document]:
        """Return the documents to be read, also interrupted ones: attached files first, then by id."""
        is_own = "collection_id NOT IN (SELECT id FROM collection WHERE attached <> '')"
        return self._db.read_as(
            _document,
            f"{_DOCUMENT} WHERE state IN ('waiting', 'reading') ORDER BY {is_own}, id",
        )

    def add_documents(self, collection_id: int, paths: Iterable[Path]) -> list[int]:
        """Add documents to the queue, except those that the collection already has, and return the new ids."""
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
                    self._db.clock(),
                )
                if self._db.changes() > before:
                    added.append(row_id)
        return added

    def begin_reading(self, document_id: int, file: os.stat_result) -> int:
        """Mark a document as being read and return the number of attempts, including this one."""
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
        """Put documents into the queue, with sections kept; `encoding`: a codec, "" to detect it, None for the stored
        one."""
        with self._db.transaction():
            for document_id in document_ids:
                self._db.write(
                    "UPDATE document SET state = 'waiting', attempts = 0, tried_size_bytes = 0, tried_modified_ns = 0,"
                    " wished_encoding = coalesce(?, wished_encoding) WHERE id = ?",
                    encoding,
                    document_id,
                )

    def interrupt(self, document_id: int) -> None:
        """Put a document whose reading has not ended back into the queue, without counting the attempt."""
        with self._db.transaction():
            self._db.write(
                "UPDATE document SET state = 'waiting', attempts = 0 WHERE id = ? AND state = 'reading'", document_id
            )

    def keep(self, document_id: int) -> None:
        """Take a document out of the queue and keep the sections of an earlier reading."""
        document = self.document(document_id)
        if document is not None:
            state = "doubtful" if document.report.is_doubtful else "done"
            with self._db.transaction():
                self._db.write("UPDATE document SET state = ?, attempts = 0 WHERE id = ?", state, document_id)

    def accept(self, document_ids: Iterable[int]) -> None:
        """Mark doubtful documents as done, because the user accepts how they were read."""
        with self._db.transaction():
            for document_id in document_ids:
                self._db.write("UPDATE document SET state = 'done' WHERE id = ? AND state = 'doubtful'", document_id)

    def fail(self, document_id: int, error: AppError) -> None:
        """Mark a document as failed. Sections of an earlier reading stay."""
        with self._db.transaction():
            self._db.write(
                "UPDATE document SET state = 'failed', error_code = ?, error_facts = ? WHERE id = ?",
                error.code,
                json.dumps(error.facts, ensure_ascii=False, default=str),
                document_id,
            )

    def move_documents(self, document_ids: Sequence[int], collection_id: int, permit: Permit | None = None) -> None:
        """Put documents with their sections into another collection; all of them or none.

        Raises AppError("collection_gone" | "document_already_there"), and "secret_move" if confidential ones would
        leave without `permit`. What moves into a confidential collection enters no other one by itself.
        """
        ids = json.dumps(list(document_ids))
        with self._db.transaction():
            into = "SELECT name, label FROM collection WHERE id = ? AND NOT is_leaving AND NOT is_builtin"
            name, label = next(iter(self._db.read(into, collection_id)), ("", HIGHEST_LABEL))
            if not name:
                raise AppError("collection_gone")
            chosen = (
                "SELECT d.name, c.label, d.path IN (SELECT path FROM document WHERE collection_id = ?)"
                " FROM document d JOIN collection c ON c.id = d.collection_id"
                " WHERE d.id IN (SELECT value FROM json_each(?))"
            )
            for document, own_label, is_there in self._db.read(chosen, collection_id, ids):
                if is_there:
                    raise AppError("document_already_there", name=document, collection=name)
                is_lowered = stored_label(own_label) == HIGHEST_LABEL != stored_label(label)
                if is_lowered and (permit is None or not permit.is_agreed):
                    raise AppError("secret_move", what=document)
            self._keep_document_names(ids)
            those = "WHERE id IN (SELECT value FROM json_each(?))"
            if stored_label(label) == HIGHEST_LABEL:
                self._db.write(
                    f"INSERT OR IGNORE INTO secret_file SELECT path, sha256 FROM document {those}",  # noqa: S608
                    ids,
                )
                self._db.write(f"UPDATE document SET is_permitted = 0 {those}", ids)  # noqa: S608
            elif permit is not None and permit.is_agreed:
                self._db.write(f"DELETE FROM secret_file WHERE path IN (SELECT path FROM document {those})", ids)  # noqa: S608
                self._db.write(f"UPDATE document SET is_permitted = 1 {those}", ids)  # noqa: S608
            for document_id in document_ids:
                self._sections.move(document_id, collection_id)

    def remove_documents(self, document_ids: Sequence[int]) -> None:
        """Remove documents, one transaction each; the files stay."""
        for document_id in document_ids:
            with self._db.transaction():
                self._sections.forget(document_id)
                self._keep_document_names(json.dumps([document_id]))
                self._db.write("DELETE FROM document WHERE id = ?", document_id)

    def _keep_document_names(self, ids: str) -> None:
        """Store the names of documents as former ones of their collections. `ids`: a JSON array."""
        self._db.write(
            "INSERT OR REPLACE INTO former(collection, document, collection_id, label)"
            " SELECT c.name, d.name, c.id, c.label FROM document d JOIN collection c ON c.id = d.collection_id"
            " WHERE d.id IN (SELECT value FROM json_each(?)) AND NOT c.is_builtin"
            " AND (c.attached = '' OR c.label = 'secret')",
            ids,
        )

    # ----------------------------------------------------------------- sections

    def put(
        self,
        document: Document,
        sections: Sequence[Section],
        note: Callable[[int], None] = lambda _count: None,
        batches: Iterable[IndexBatch] | None = None,
    ) -> None:
        """Replace a document's row and sections in one transaction. `note`, `batches`: as for `SectionTable.add`.

        Raises AppError("document_removed") if another process has removed it, "document_is_secret" if its file or
        content was moved into a confidential collection, this one is not and does not have it, and the user has not
        consented.
        """
        with self._db.transaction():
            if self.document(document.id) is None:
                raise AppError("document_removed")
            self._label_attached(document.collection_id, document.path, document.sha256)
            is_barred = self._is_barred(document)
            self._db.write(
                "INSERT OR IGNORE INTO secret_file SELECT path, ?2 FROM document"
                " WHERE id = ?1 AND (?3 OR path IN (SELECT path FROM secret_file))",
                document.id,
                document.sha256,
                is_barred,
            )
            if not is_barred:
                self._sections.forget(document.id)
                self._sections.add(document.id, sections, note, batches)
                self._store(document)
        if is_barred:
            raise AppError("document_is_secret")

    def _is_barred(self, document: Document) -> bool:
        """Whether a document that was read may not be stored in its collection, as `put` describes."""
        rows = self._db.read(
            "SELECT 1 FROM document d JOIN collection c ON c.id = d.collection_id"
            " WHERE d.id = ?1 AND NOT d.is_permitted AND NOT c.is_builtin AND c.label != ?3"
            " AND (d.indexed_at = 0 AND d.path IN (SELECT path FROM secret_file)"
            " OR ?2 NOT IN ('', d.sha256) AND ?2 IN (SELECT sha256 FROM secret_file))",
            document.id,
            document.sha256,
            HIGHEST_LABEL,
        )
        return bool(rows)

    def _store(self, document: Document) -> None:
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
            self._db.clock(),
            document.id,
        )

    def sections(self, document_id: int) -> list[tuple[int, Section]]:
        """Return (section id, section) in the document's order."""
        return self._sections.of_document(document_id)

    def headings_of(self, document_id: int) -> list[tuple[str, ...]]:
        """Return the headings of a document's clauses in its order, each clause once."""
        found = self._db.read_as(
            heading_of,
            "SELECT heading FROM section WHERE document_id = ? GROUP BY heading ORDER BY min(position)",
            document_id,
        )
        return list(dict.fromkeys(found))

    def passages(self, scored: Sequence[tuple[int, float]]) -> list[Passage]:
        """Return the passages of those (section id, score) that exist, in the given order, ranked from 1."""
        return self._sections.passages(scored)

    def passage(self, section_id: int) -> Passage | None:
        """Return one section with its origin; None if its document has been read again or removed."""
        return next(iter(self.passages([(section_id, 0.0)])), None)


def _collection(row: Row) -> DocumentCollection:
    checked = {"name": text_of(row, "name"), "label": stored_label(row["label"]), "is_builtin": bool(row["is_builtin"])}
    return DocumentCollection(**{**row, **checked})


def _document(row: Row) -> Document:
    parsed = {"error_facts": json.loads(row["error_facts"]), "report": _report(row["report"])}
    return Document(**{**row, **parsed})


def _report(stored_report: str) -> ReadingReport:
    values = json.loads(stored_report)
    fields: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    return ReadingReport(**fields)
