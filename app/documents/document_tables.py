"""Define the tables of the documents' database as migrations, and read and write its sections.

The database is a file of its own, because writing an index takes seconds and must not delay a question that is being
stored. It can be rebuilt from the files, so it needs no backups. The file is over 450 lines because each version of the
tables stays as a migration.
"""

import dataclasses
import json
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from app.base import invisible_characters
from app.base.confidentiality import stored_label
from app.base.database import Database, Row
from app.base.errors import AppError
from app.documents import terms
from app.documents.records import PageBox, Passage, Section
from app.documents.section_terms import SectionTerms, TermCounts, runs_of_terms, stored_terms


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
    """Create the full-text index of sections. `app.documents.terms` makes its terms; lengths are numbers of terms."""
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
    """Store former names of collections and documents with labels, by which texts made of them stay confidential."""
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
        "TRIGGER IF EXISTS section_added",
        "TRIGGER IF EXISTS section_removed",
        "TABLE IF EXISTS section_totals",
        "TABLE IF EXISTS section_vocabulary",
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

    _require_texts(db)

    def execute(sql: str, *values: object) -> list[Row]:
        return db.execute(sql, values).fetchall()

    for (document_id,) in db.execute("SELECT id FROM document").fetchall():
        counts = TermCounts()
        listed = "SELECT heading_terms, body_terms FROM section WHERE document_id = ?"
        for heading_terms, body_terms in db.execute(listed, (document_id,)):
            counts.add(heading_terms.split(), body_terms.split())
        counts.change(execute, document_id, 1)


def _recognized_sections(db: sqlite3.Connection) -> None:
    """Store which sections are of recognized text (OCR), earlier ones without numbers, and how certain numbers are."""
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


def _terms_without_copy(db: sqlite3.Connection) -> None:
    """Store the terms of sections compressed; earlier versions stored them as the index's content, as long as it."""
    _require_texts(db)
    db.create_function("packed", 4, _packed, deterministic=True)
    db.execute("DROP TRIGGER section_added")
    db.execute("DROP TRIGGER section_removed")
    db.execute("DROP TABLE section_terms")
    db.execute(
        """CREATE VIRTUAL TABLE section_terms USING fts5(
            heading_terms, body_terms, content='', tokenize="unicode61 remove_diacritics 0 categories 'L* N* M*'")"""
    )
    db.execute(
        "INSERT INTO section_terms(rowid, heading_terms, body_terms) SELECT id, heading_terms, body_terms FROM section"
    )
    db.execute("ALTER TABLE section RENAME TO section_with_copy")
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
            terms BLOB NOT NULL, -- packed SectionTerms
            heading_length INTEGER NOT NULL,
            body_length INTEGER NOT NULL,
            recognized TEXT NOT NULL DEFAULT 'null'
        )"""
    )
    db.execute(
        """INSERT INTO section SELECT id, document_id, position, heading, tag, text, page, page_last, boxes, captions,
            packed(heading_terms, body_terms, heading, text), heading_length, body_length, recognized
            FROM section_with_copy"""
    )
    db.execute("DROP TABLE section_with_copy")
    db.execute("CREATE INDEX section_document ON section(document_id, position)")


def _attached_files(db: sqlite3.Connection) -> None:
    """Store which collections are a file for the questions of one conversation or of one command."""
    db.execute("ALTER TABLE collection ADD COLUMN attached TEXT NOT NULL DEFAULT ''")


def _require_texts(db: sqlite3.Connection) -> None:
    """Raise AppError("database_damaged") if sections of an earlier version have no text where there should be some."""
    columns = ("heading", "text", "heading_terms", "body_terms")
    wrong = " OR ".join(f"typeof({column}) != 'text'" for column in columns)
    if db.execute(f"SELECT 1 FROM section WHERE {wrong} LIMIT 1").fetchone():  # noqa: S608
        raise AppError("database_damaged", path="")


def _packed(heading_terms: str, body_terms: str, heading: str, text: str) -> bytes:
    """Pack the terms of a section of an earlier version."""
    terms_of_body = body_terms.split()
    values = [term for term in terms_of_body if _VALUE_TERM.match(term)]
    body = [term for term in terms_of_body if not _VALUE_TERM.match(term)]
    return SectionTerms.of(runs_of_terms(heading_terms.split()), runs_of_terms(body), values).pack(heading, text)


# A term of a value or a date has letters and digits, but no run has both.
_VALUE_TERM = re.compile(r"(?:v|date)\w*?\d")

MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _first_version,
    _documents_with_hidden_text,
    _former_names,
    _statistics_of_collections,
    _recognized_sections,
    _documents_of_new_formats,
    _secret_files,
    _unwatched_collections,
    _terms_without_copy,
    _attached_files,
)


BATCH_CHARACTERS = 20_000


class IndexEntry(Struct, frozen=True):
    """What the database stores of a section for searching. `heading`: its path as JSON; terms are split by spaces."""

    heading: str
    terms: bytes  # packed SectionTerms
    heading_terms: str
    body_terms: str
    heading_length: int
    body_length: int


IndexBatch = tuple[list[IndexEntry], TermCounts]


def batches_of(sections: Iterable[Section]) -> Iterator[list[tuple[tuple[str, ...], str]]]:
    """Yield heading path and text of the sections, in lists of about BATCH_CHARACTERS."""
    batch: list[tuple[tuple[str, ...], str]] = []
    characters = 0
    for section in sections:
        batch.append((section.heading, section.text))
        characters += len(section.text)
        if characters >= BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
    if batch:
        yield batch


def index_batch(batch: Sequence[tuple[tuple[str, ...], str]]) -> IndexBatch:
    """Return the entries for sections, given as heading path and text, and the counts of their terms."""
    entries, counts = [], TermCounts()
    for path, text in batch:
        found = terms.extract_section_terms(Section(path, text))
        heading = json.dumps(path, ensure_ascii=False)
        heading_terms, body_terms = found.heading_terms(), found.body_terms()
        counts.add(heading_terms, body_terms)
        lengths = len(heading_terms), len(body_terms)
        packed = found.pack(heading, text)
        entries.append(IndexEntry(heading, packed, " ".join(heading_terms), " ".join(body_terms), *lengths))
    return entries, counts


def _entries(batches: Iterable[IndexBatch], counts: TermCounts) -> Iterator[IndexEntry]:
    """Yield the entries of batches, and add their counts to `counts`."""
    for entries, batch_counts in batches:
        counts.merge(batch_counts)
        yield from entries


class SectionTable:
    """The table of the sections, changed in the caller's transaction. Methods raise AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(
        self,
        document_id: int,
        sections: Sequence[Section],
        note: Callable[[int], None],
        batches: Iterable[IndexBatch] | None = None,
    ) -> None:
        """Add sections; `note` gets their number so far. `batches`: of `index_batch`; None: made here."""
        counts = TermCounts()
        entries = _entries(map(index_batch, batches_of(sections)) if batches is None else batches, counts)
        for position, (section, entry) in enumerate(zip(sections, entries, strict=True)):
            note(position)
            section_id = self._db.write(
                "INSERT INTO section(document_id, position, heading, tag, text, page, page_last, boxes, captions,"
                " terms, heading_length, body_length, recognized) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                document_id,
                position,
                entry.heading,
                section.tag,
                section.text,
                section.page,
                section.page_last,
                json.dumps([dataclasses.astuple(box) for box in section.boxes]),
                json.dumps(section.captions, ensure_ascii=False),
                entry.terms,
                entry.heading_length,
                entry.body_length,
                json.dumps(section.recognized),
            )
            self._db.write(
                "INSERT INTO section_terms(rowid, heading_terms, body_terms) VALUES (?, ?, ?)",
                section_id,
                entry.heading_terms,
                entry.body_terms,
            )
        counts.change(self._db.read, document_id, 1)

    def forget(self, document_id: int) -> None:
        """Delete the sections of a document, and their terms from the index."""
        counts = TermCounts()
        for row in self._db.read("SELECT id, heading, text, terms FROM section WHERE document_id = ?", document_id):
            found = stored_terms(row)
            heading_terms, body_terms = found.heading_terms(), found.body_terms()
            counts.add(heading_terms, body_terms)
            self._db.write(
                "INSERT INTO section_terms(section_terms, rowid, heading_terms, body_terms) VALUES ('delete', ?, ?, ?)",
                row["id"],
                " ".join(heading_terms),
                " ".join(body_terms),
            )
        counts.change(self._db.read, document_id, -1)
        self._db.write("DELETE FROM section WHERE document_id = ?", document_id)

    def move(self, document_id: int, collection_id: int) -> None:
        """Put a document with its sections into another collection."""
        counts = TermCounts.of_document(self._db.read, document_id)
        counts.change(self._db.read, document_id, -1)
        self._db.write("UPDATE document SET collection_id = ? WHERE id = ?", collection_id, document_id)
        counts.change(self._db.read, document_id, 1)

    def of_document(self, document_id: int) -> list[tuple[int, Section]]:
        """Return (section id, section) in the document's order."""
        return self._db.read_as(_with_id, "SELECT * FROM section WHERE document_id = ? ORDER BY position", document_id)

    def around(self, section_id: int, reach: int) -> list[tuple[int, Section]]:
        """Return (section id, section) of a section and `reach` neighbours on either side in the document, in order."""
        return self._db.read_as(
            _with_id,
            """SELECT near.* FROM section s JOIN section near ON near.document_id = s.document_id
               AND near.position BETWEEN s.position - ? AND s.position + ? WHERE s.id = ? ORDER BY near.position""",
            reach,
            reach,
            section_id,
        )

    def passages(self, scored: Sequence[tuple[int, float]]) -> list[Passage]:
        """Return the passages of those (section id, score) that exist, in the given order, ranked from 1."""
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


def _with_id(row: Row) -> tuple[int, Section]:
    return row["id"], _section(row)


def _section(row: Row) -> Section:
    return Section(
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
    return parse_heading(row["heading"])


def parse_heading(stored: str) -> tuple[str, ...]:
    """Return a stored heading path. Raises as `heading_of`."""
    parts = tuple(json.loads(stored))
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
