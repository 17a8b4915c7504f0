"""Define the tables of the documents' database as migrations, and read and write its sections.

The database is a file of its own, because writing an index takes seconds and must not delay a question that is being
stored. It can be rebuilt from the files, so it needs no backups.
"""

import dataclasses
import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from app.base import invisible_characters
from app.base.confidentiality import stored_label
from app.base.database import Database, Row
from app.documents import terms
from app.documents.records import DocumentSection, PageBox, Passage


def _first_version(db: sqlite3.Connection) -> None:
    _create_collections(db)
    _create_documents(db)
    _create_sections(db)
    _create_index(db)


def _create_collections(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE collection (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL UNIQUE,
            label TEXT NOT NULL DEFAULT 'internal' CHECK (label IN ('public', 'internal', 'secret')),
            is_builtin INTEGER NOT NULL DEFAULT 0,
            is_leaving INTEGER NOT NULL DEFAULT 0, -- removing takes time; what ends meanwhile goes on at the next start
            created_at REAL NOT NULL
        )"""
    )
    # Files and folders that the user added; a refresh finds new files in the folders.
    db.execute(
        """CREATE TABLE source (
            id INTEGER PRIMARY KEY,
            collection_id INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            UNIQUE (collection_id, path)
        )"""
    )
    # Files of a source that the user has removed: the next refresh must not add them again.
    db.execute(
        """CREATE TABLE left_out (
            collection_id INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            PRIMARY KEY (collection_id, path)
        )"""
    )


def _create_documents(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE document (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            collection_id INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            name TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'reading', 'done', 'doubtful', 'failed')),
            attempts INTEGER NOT NULL DEFAULT 0,
            size_bytes INTEGER NOT NULL DEFAULT 0,
            modified_ns INTEGER NOT NULL DEFAULT 0,
            tried_size_bytes INTEGER NOT NULL DEFAULT 0, -- of the file that was last begun with
            tried_modified_ns INTEGER NOT NULL DEFAULT 0,
            sha256 TEXT NOT NULL DEFAULT '',
            wished_encoding TEXT NOT NULL DEFAULT '',
            error_code TEXT NOT NULL DEFAULT '',
            error_facts TEXT NOT NULL DEFAULT '{}',
            report TEXT NOT NULL DEFAULT '{}',
            added_at REAL NOT NULL,
            indexed_at REAL NOT NULL DEFAULT 0,
            UNIQUE (collection_id, path)
        )"""
    )


def _create_sections(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE section (
            id INTEGER PRIMARY KEY,
            document_id INTEGER NOT NULL REFERENCES document(id) ON DELETE CASCADE,
            position INTEGER NOT NULL,
            heading TEXT NOT NULL,
            tag TEXT NOT NULL,
            text TEXT NOT NULL,
            page INTEGER NOT NULL,
            page_last INTEGER NOT NULL,
            boxes TEXT NOT NULL,
            captions TEXT NOT NULL,
            heading_terms TEXT NOT NULL,
            body_terms TEXT NOT NULL,
            heading_length INTEGER NOT NULL,
            body_length INTEGER NOT NULL
        )"""
    )
    db.execute("CREATE INDEX section_document ON section(document_id, position)")


def _create_index(db: sqlite3.Connection) -> None:
    """Create the full-text index of sections.

    Its terms come from `app.documents.terms`; stored lengths are numbers of terms.
    """
    db.execute(
        """CREATE VIRTUAL TABLE section_terms USING fts5(
            heading_terms, body_terms, content='section', content_rowid='id',
            tokenize="unicode61 remove_diacritics 0 categories 'L* N* M*'")"""
    )
    db.execute("CREATE VIRTUAL TABLE section_vocabulary USING fts5vocab(section_terms, 'row')")
    db.execute("CREATE TABLE section_totals (sections INTEGER, heading_length INTEGER, body_length INTEGER)")
    db.execute("INSERT INTO section_totals VALUES (0, 0, 0)")
    db.execute(
        """CREATE TRIGGER section_added AFTER INSERT ON section BEGIN
            INSERT INTO section_terms(rowid, heading_terms, body_terms)
                VALUES (new.id, new.heading_terms, new.body_terms);
            UPDATE section_totals SET sections = sections + 1,
                heading_length = heading_length + new.heading_length, body_length = body_length + new.body_length;
        END"""
    )
    db.execute(
        """CREATE TRIGGER section_removed AFTER DELETE ON section BEGIN
            INSERT INTO section_terms(section_terms, rowid, heading_terms, body_terms)
                VALUES ('delete', old.id, old.heading_terms, old.body_terms);
            UPDATE section_totals SET sections = sections - 1,
                heading_length = heading_length - old.heading_length, body_length = body_length - old.body_length;
        END"""
    )


def _documents_with_hidden_text(db: sqlite3.Connection) -> None:
    """Queue documents with invisible characters again, because earlier versions stored these characters."""
    db.create_function(
        "is_hidden", 1, lambda text: text != invisible_characters.to_plain_text(text), deterministic=True
    )
    db.execute(
        """UPDATE document SET state = 'waiting', attempts = 0 WHERE state IN ('done', 'doubtful') AND id IN
            (SELECT document_id FROM section WHERE is_hidden(text) OR is_hidden(heading))"""
    )


def _former_names(db: sqlite3.Connection) -> None:
    """Store former names of collections and documents with their labels.

    A text that was made of a collection refers to it by name. With these names it stays confidential when the
    collection is renamed or removed.
    """
    db.execute(
        """CREATE TABLE former (
            collection TEXT NOT NULL, -- a name that it had
            document TEXT NOT NULL, -- one that was taken out of it; '': the collection itself
            collection_id INTEGER NOT NULL, -- never given twice
            label TEXT NOT NULL, -- of a collection that is gone; else its own counts
            PRIMARY KEY (collection, document, collection_id)
        )"""
    )


def _statistics_of_collections(db: sqlite3.Connection) -> None:
    """Count sections and terms for each collection; earlier versions counted those of the whole library."""
    for name in (
        "TRIGGER section_added",
        "TRIGGER section_removed",
        "TABLE section_totals",
        "TABLE section_vocabulary",
    ):
        db.execute(f"DROP {name}")
    db.execute(
        """CREATE TRIGGER section_added AFTER INSERT ON section BEGIN
            INSERT INTO section_terms(rowid, heading_terms, body_terms)
                VALUES (new.id, new.heading_terms, new.body_terms);
        END"""
    )
    db.execute(
        """CREATE TRIGGER section_removed AFTER DELETE ON section BEGIN
            INSERT INTO section_terms(section_terms, rowid, heading_terms, body_terms)
                VALUES ('delete', old.id, old.heading_terms, old.body_terms);
        END"""
    )
    for name in ("sections", "heading_length", "body_length"):  # totals of the collection's sections
        db.execute(f"ALTER TABLE collection ADD COLUMN {name} INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """CREATE TABLE collection_term (
            collection_id INTEGER NOT NULL REFERENCES collection(id) ON DELETE CASCADE,
            term TEXT NOT NULL,
            sections INTEGER NOT NULL, -- sections of the collection that contain the term
            PRIMARY KEY (collection_id, term)
        ) WITHOUT ROWID"""
    )

    def execute(sql: str, *values: object) -> list[Row]:
        return db.execute(sql, values).fetchall()

    for (document_id,) in db.execute("SELECT id FROM document").fetchall():
        _TermCounts.of_document(execute, document_id).change(execute, document_id, 1)


def _recognized_sections(db: sqlite3.Connection) -> None:
    """Store which sections are of recognized text (OCR), and how certain their numbers are.

    Earlier versions noted only the documents, so all sections of these are marked, without any number.
    """
    db.execute("ALTER TABLE section ADD COLUMN recognized TEXT NOT NULL DEFAULT 'null'")
    db.execute(
        """UPDATE section SET recognized = '[]' WHERE document_id IN (SELECT id FROM document WHERE json_valid(report)
            AND EXISTS (SELECT 1 FROM json_each(report, '$.notes') WHERE value = 'recognized'))"""
    )


def _documents_of_new_formats(db: sqlite3.Connection) -> None:
    """Queue documents again whose formats earlier versions did not read."""
    db.execute(
        """UPDATE document SET state = 'waiting', attempts = 0
            WHERE state = 'failed' AND error_code IN ('document_old_format', 'document_presentation')"""
    )


def _secret_files(db: sqlite3.Connection) -> None:
    """Store which files were moved into a confidential collection, so that no other collection takes them in again."""
    db.execute(
        """CREATE TABLE secret_file (
            path TEXT NOT NULL,
            sha256 TEXT NOT NULL, -- of a content that it had there; '': not read yet
            PRIMARY KEY (path, sha256)
        )"""
    )
    db.execute("CREATE INDEX secret_file_content ON secret_file(sha256)")
    # Whether the user has consented to having the document in a collection that is not confidential.
    db.execute("ALTER TABLE document ADD COLUMN is_permitted INTEGER NOT NULL DEFAULT 0")


def _unwatched_collections(db: sqlite3.Connection) -> None:
    """Store in which collections the user has cancelled the reading, so that no look at their folders resumes it."""
    db.execute("ALTER TABLE collection ADD COLUMN is_unwatched INTEGER NOT NULL DEFAULT 0")


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first_version,
    _documents_with_hidden_text,
    _former_names,
    _statistics_of_collections,
    _recognized_sections,
    _documents_of_new_formats,
    _secret_files,
    _unwatched_collections,
)

_COUNTED_ROWS = 2000  # sections read at once
_Execute = Callable[..., list[Row]]  # gets SQL and its values


@dataclass(slots=True)
class _TermCounts:
    """What a document adds to the statistics of its collection."""

    sections: int = 0
    heading_length: int = 0
    body_length: int = 0
    terms: Counter[str] = field(default_factory=Counter)  # term -> sections that contain it

    @classmethod
    def of_document(cls, execute: _Execute, document_id: int) -> "_TermCounts":
        """Count the stored sections of a document."""
        counts = cls()
        last = -1
        while rows := execute(
            "SELECT position, heading_terms, body_terms FROM section WHERE document_id = ? AND position > ?"
            " ORDER BY position LIMIT ?",
            document_id,
            last,
            _COUNTED_ROWS,
        ):
            for _, heading_terms, body_terms in rows:
                counts.add(heading_terms.split(), body_terms.split())
            last = rows[-1]["position"]
        return counts

    def add(self, heading_terms: Sequence[str], body_terms: Sequence[str]) -> None:
        """Count one more section."""
        self.sections += 1
        self.heading_length += len(heading_terms)
        self.body_length += len(body_terms)
        self.terms.update({*heading_terms, *body_terms})

    def change(self, execute: _Execute, document_id: int, sign: int) -> None:
        """Add the counts to those of the document's collection (`sign` 1), or subtract them (-1)."""
        if not self.sections:
            return
        lengths = (self.sections * sign, self.heading_length * sign, self.body_length * sign)
        execute(
            "UPDATE collection SET sections = sections + ?, heading_length = heading_length + ?,"
            " body_length = body_length + ? WHERE id = (SELECT collection_id FROM document WHERE id = ?)",
            *lengths,
            document_id,
        )
        listed = json.dumps({term: count * sign for term, count in self.terms.items()})
        execute(
            "INSERT INTO collection_term(collection_id, term, sections)"
            " SELECT d.collection_id, j.key, j.value FROM json_each(?) j JOIN document d ON d.id = ? WHERE TRUE"
            " ON CONFLICT DO UPDATE SET sections = sections + excluded.sections",
            listed,
            document_id,
        )
        if sign < 0:
            execute(
                "DELETE FROM collection_term WHERE sections <= 0"
                " AND collection_id = (SELECT collection_id FROM document WHERE id = ?)"
                " AND term IN (SELECT key FROM json_each(?))",
                document_id,
                listed,
            )


class TermStatistics:
    """How many sections of some collections there are, how long they are, and how many contain a term.

    So a collection ranks its sections equally whatever other collections the library has.
    """

    def __init__(self, database: Database, collection_ids: Iterable[int]) -> None:
        self._db = database
        self._collections = json.dumps(list(collection_ids))
        totals = "coalesce(sum(sections), 0), coalesce(sum(heading_length), 0), coalesce(sum(body_length), 0)"
        self.sections, heading, body = database.read(
            f"SELECT {totals} FROM collection WHERE id IN (SELECT value FROM json_each(?))",  # noqa: S608
            self._collections,
        )[0]
        self.heading_length = max(1.0, heading / max(1, self.sections))  # average number of terms
        self.body_length = max(1.0, body / max(1, self.sections))

    def count(self, terms: Iterable[str]) -> dict[str, int]:
        """Return, for each of the terms that occur, the number of sections that contain it."""
        rows = self._db.read(
            "SELECT term, sum(sections) AS sections FROM collection_term"
            " WHERE collection_id IN (SELECT value FROM json_each(?)) AND term IN (SELECT value FROM json_each(?))"
            " GROUP BY term",
            self._collections,
            json.dumps(list(terms)),
        )
        return {row["term"]: row["sections"] for row in rows}

    def count_matches(self, expression: str) -> int:
        """Return the number of sections that match an FTS5 expression."""
        return int(
            self._db.read(
                "SELECT count(*) FROM section_terms t CROSS JOIN section s ON s.id = t.rowid"
                " CROSS JOIN document d ON d.id = s.document_id"
                " WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?))",
                expression,
                self._collections,
            )[0][0]
        )


class SectionTable:
    """The table of the sections of documents.

    Its methods raise AppError as `Database` does. Changes belong to the caller's transaction.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, document_id: int, sections: Sequence[DocumentSection], note: Callable[[int], None]) -> None:
        """Add the sections of a document. `note` receives the number of sections written so far."""
        counts = _TermCounts()
        for position, section in enumerate(sections):
            note(position)
            heading_terms, body_terms = terms.extract_section_terms(section)
            counts.add(heading_terms, body_terms)
            self._db.write(
                "INSERT INTO section(document_id, position, heading, tag, text, page, page_last, boxes, captions,"
                " heading_terms, body_terms, heading_length, body_length, recognized)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                document_id,
                position,
                json.dumps(section.heading, ensure_ascii=False),
                section.tag,
                section.text,
                section.page,
                section.page_last,
                json.dumps([dataclasses.astuple(box) for box in section.boxes]),
                json.dumps(section.captions, ensure_ascii=False),
                " ".join(heading_terms),
                " ".join(body_terms),
                len(heading_terms),
                len(body_terms),
                json.dumps(section.recognized),
            )
        counts.change(self._db.read, document_id, 1)

    def forget(self, document_id: int) -> None:
        """Delete the sections of a document; triggers delete their terms from the index."""
        _TermCounts.of_document(self._db.read, document_id).change(self._db.read, document_id, -1)
        self._db.write("DELETE FROM section WHERE document_id = ?", document_id)

    def move(self, document_id: int, collection_id: int) -> None:
        """Put a document with its sections into another collection."""
        counts = _TermCounts.of_document(self._db.read, document_id)
        counts.change(self._db.read, document_id, -1)
        self._db.write("UPDATE document SET collection_id = ? WHERE id = ?", collection_id, document_id)
        counts.change(self._db.read, document_id, 1)

    def of_document(self, document_id: int) -> list[tuple[int, DocumentSection]]:
        """Return (section id, section) in the document's order."""
        return self._db.read_as(_with_id, "SELECT * FROM section WHERE document_id = ? ORDER BY position", document_id)

    def around(self, section_id: int, reach: int) -> list[tuple[int, DocumentSection]]:
        """Return (section id, section) of a section and its neighbours in the document, in order.

        `reach`: the number of neighbours on either side.
        """
        return self._db.read_as(
            _with_id,
            """SELECT near.* FROM section s JOIN section near ON near.document_id = s.document_id
               AND near.position BETWEEN s.position - ? AND s.position + ? WHERE s.id = ? ORDER BY near.position""",
            reach,
            reach,
            section_id,
        )

    def passages(self, scored: Sequence[tuple[int, float]]) -> list[Passage]:
        """Return the passages of (section id, score) in the given order, ranked from 1.

        Sections that no longer exist are left out.
        """
        found = self._db.read_as(
            _passage,
            """SELECT s.*, d.name AS document, d.path, c.name AS collection, c.label
               FROM section s JOIN document d ON d.id = s.document_id JOIN collection c ON c.id = d.collection_id
               WHERE s.id IN (SELECT value FROM json_each(?))""",
            json.dumps([section_id for section_id, _ in scored]),
        )
        by_id = {passage.section_id: passage for passage in found}
        there = [(by_id[section_id], score) for section_id, score in scored if section_id in by_id]
        return [dataclasses.replace(one, score=score, rank=rank) for rank, (one, score) in enumerate(there, start=1)]


def _with_id(row: Row) -> tuple[int, DocumentSection]:
    return row["id"], _section(row)


def _section(row: Row) -> DocumentSection:
    return DocumentSection(
        heading=heading_of(row),
        text=text_of(row, "text"),
        tag=invisible_characters.to_single_line(row["tag"]),
        page=row["page"],
        page_last=row["page_last"],
        boxes=tuple(PageBox(*values) for values in json.loads(row["boxes"])),
        captions=captions_of(row),
        recognized=_recognized_of(row),
    )


def _recognized_of(row: Row) -> tuple[tuple[str, int], ...] | None:
    found = json.loads(row["recognized"])
    return None if found is None else tuple((str(number), int(certain)) for number, certain in found)


def text_of(row: Row, column: str) -> str:
    """Return a text column of a row. Raises TypeError if the database contains bytes or a number."""
    value = row[column]
    if not isinstance(value, str):
        raise TypeError(column)
    return value


def heading_of(row: Row) -> tuple[str, ...]:
    """Return the heading path of a row. Raises ValueError or TypeError if the stored value is invalid."""
    parts = tuple(json.loads(row["heading"]))
    if not all(isinstance(part, str) for part in parts):
        raise TypeError("heading")
    return tuple(map(invisible_characters.to_single_line, parts))  # otherwise it could imitate a line of the program


def captions_of(row: Row) -> tuple[str, ...]:
    """Return the numbers of a row's tables and figures. Raises ValueError or TypeError if the value is invalid."""
    return tuple(json.loads(row["captions"]))


def _passage(row: Row) -> Passage:
    """Return a row as a passage without score and rank."""
    section = _section(row)
    return Passage(
        section_id=row["id"],
        section=section,
        document_id=row["document_id"],
        document=row["document"],
        path=row["path"],
        collection=row["collection"],
        label=stored_label(row["label"]),
        score=0.0,
        rank=0,
        parts=(section,),
    )
