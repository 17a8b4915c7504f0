"""Hold the index terms of a section in little room, as the database stores them, and count them for each collection.

The full-text index keeps no copy of its terms, but sqlite deletes an entry only given exactly its terms, and a search
counts them in its candidates. So each section stores its runs, of which the terms are made (`app.base.search_text`).
They are compressed with the section's own heading and text as the dictionary, and take 3 % of what the terms would. The
counts, which bm25 needs, change in the transaction that changes the sections.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from msgspec import Struct, field

from app.base import search_text
from app.base.database import Database, Row
from app.base.errors import AppError

_BYTES_MOST = 64_000_000  # of unpacked terms: far more than the longest section has


class SectionTerms(Struct, frozen=True):
    """The terms of a section, as runs of heading and text and as terms of values, between spaces to be counted."""

    heading: str
    body: str
    values: str

    @classmethod
    def of(cls, heading: Iterable[str], body: Iterable[str], values: Iterable[str]) -> "SectionTerms":
        """Return the terms of runs."""
        return cls(*("".join(f" {run} " for run in runs) for runs in (heading, body, values)))

    @classmethod
    def unpack(cls, stored: bytes, heading: str, text: str) -> "SectionTerms":
        """Return the stored terms of a row. Raises ValueError or TypeError if it is damaged."""
        try:
            unpacked = zlib.decompressobj(zdict=f"{heading}{text}".encode()).decompress(stored, _BYTES_MOST)
        except zlib.error as error:
            raise ValueError("terms") from error
        return cls(*(f" {runs.replace(' ', '  ')} " if runs else "" for runs in unpacked.decode().split("\n")))

    def pack(self, heading: str, text: str) -> bytes:
        """Return the terms as `unpack` reads them with the same `heading` and `text`, those of the row."""
        packer = zlib.compressobj(6, wbits=13, memLevel=5, zdict=f"{heading}{text}".encode())
        runs = "\n".join(" ".join(part.split()) for part in (self.heading, self.body, self.values))
        return packer.compress(runs.encode()) + packer.flush()

    def heading_terms(self) -> list[str]:
        return search_text.terms_of_runs(self.heading.split())

    def body_terms(self) -> list[str]:
        """Return the terms of the text, then those of its values and dates."""
        return [*search_text.terms_of_runs(self.body.split()), *self.values.split()]


class CountedTerm(Struct, frozen=True):
    """A term to be counted in sections; 堰* counts all terms that begin with 堰."""

    sought: str
    is_word: bool = False  # whether it may be the term of a value
    is_double: bool = False  # 々々: its places may overlap

    @classmethod
    def of(cls, term: str) -> "CountedTerm":
        if not search_text.is_japanese_run(term):
            return cls(f" {term[:-1]}" if term.endswith("*") else f" {term} ", is_word=True)
        if term.endswith("*"):
            return cls(term[:-1])
        return cls(term if len(term) > 1 else f"{term} ", is_double=len(term) > 1 and term[0] == term[1])

    def count(self, runs: str, values: str = "") -> int:
        """Return how often it occurs in `runs` and `values` of `SectionTerms`."""
        if self.is_double:
            return len(re.findall(f"(?={self.sought})", runs))
        return runs.count(self.sought) + (values.count(self.sought) if self.is_word else 0)


def runs_of_terms(terms: Sequence[str]) -> list[str]:
    """Return the runs that have these terms, without those of values and dates: 橋脚の for 橋脚, 脚の, の."""
    runs: list[str] = []
    pairs = ""
    for term in terms:
        if len(term) == 2 and search_text.is_japanese_run(term):
            pairs += term[0]
        else:
            runs.append(pairs + term)
            pairs = ""
    return runs


_COUNTED_ROWS = 2000  # sections read at once
_Execute = Callable[..., list[Row]]  # gets SQL and its values


class TermCounts(Struct):
    """What a document adds to the statistics of its collection."""

    sections: int = 0
    heading_length: int = 0
    body_length: int = 0
    terms: Counter[str] = field(default_factory=Counter)  # term -> sections that contain it

    @classmethod
    def of_document(cls, execute: _Execute, document_id: int) -> "TermCounts":
        """Count the stored sections of a document."""
        counts = cls()
        last = -1
        while rows := execute(
            "SELECT position, heading, text, terms FROM section WHERE document_id = ? AND position > ?"
            " ORDER BY position LIMIT ?",
            document_id,
            last,
            _COUNTED_ROWS,
        ):
            for row in rows:
                terms = stored_terms(row)
                counts.add(terms.heading_terms(), terms.body_terms())
            last = rows[-1]["position"]
        return counts

    def add(self, heading_terms: Sequence[str], body_terms: Sequence[str]) -> None:
        """Count one more section."""
        self.sections += 1
        self.heading_length += len(heading_terms)
        self.body_length += len(body_terms)
        self.terms.update({*heading_terms, *body_terms})

    def merge(self, other: "TermCounts") -> None:
        """Count the sections of `other` too."""
        self.sections += other.sections
        self.heading_length += other.heading_length
        self.body_length += other.body_length
        self.terms.update(other.terms)

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


def stored_terms(row: Row) -> SectionTerms:
    """Return the terms of a row of `section`. Raises AppError("database_damaged")."""
    try:
        return SectionTerms.unpack(row["terms"], row["heading"], row["text"])
    except (ValueError, TypeError) as error:
        raise AppError("database_damaged", path="") from error


class TermStatistics:
    """Number and length of the sections of some collections, whatever others there are, and how many have a term."""

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
        others = "SELECT 1 FROM collection WHERE id NOT IN (SELECT value FROM json_each(?)) AND sections > 0 LIMIT 1"
        if not self._db.read(others, self._collections):  # without the join it takes a third of the time
            return int(
                self._db.read("SELECT count(*) FROM section_terms WHERE section_terms MATCH ?", expression)[0][0]
            )
        return int(
            self._db.read(
                "SELECT count(*) FROM section_terms t CROSS JOIN section s ON s.id = t.rowid"
                " CROSS JOIN document d ON d.id = s.document_id"
                " WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?))",
                expression,
                self._collections,
            )[0][0]
        )
