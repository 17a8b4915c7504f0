"""Sections in the documents' database, with the full-text index over their terms."""

import dataclasses
import json
from collections.abc import Callable, Sequence

from app.base.database import Database, Row
from app.documents import terms
from app.documents.records import Box, Passage, Section


class SectionTable:
    """Raises AppError as `Database` does. Changes are made inside the caller's transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def add(self, document_id: int, sections: Sequence[Section], note: Callable[[int], None]) -> None:
        """`note` is told how many are written so far."""
        for position, section in enumerate(sections):
            note(position)
            heading_terms, body_terms = terms.of_section(section)
            self._db.write(
                "INSERT INTO section(document_id, position, heading, tag, text, page, page_last, boxes, captions,"
                " heading_terms, body_terms, heading_length, body_length)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
            )

    def forget(self, document_id: int) -> None:
        """Triggers take the terms out of the index."""
        self._db.write("DELETE FROM section WHERE document_id = ?", document_id)

    def of_document(self, document_id: int) -> list[tuple[int, Section]]:
        """With their ids, in the document's order."""
        rows = self._db.read("SELECT * FROM section WHERE document_id = ? ORDER BY position", document_id)
        return [(row["id"], as_section(row)) for row in rows]

    def around(self, section_id: int, reach: int) -> list[Row]:
        """A section and up to `reach` before and after it in its document, in order; `as_section` reads a row."""
        return self._db.read(
            """SELECT near.* FROM section s JOIN section near ON near.document_id = s.document_id
               AND near.position BETWEEN s.position - ? AND s.position + ? WHERE s.id = ? ORDER BY near.position""",
            reach,
            reach,
            section_id,
        )

    def passages(self, scored: Sequence[tuple[int, float]]) -> list[Passage]:
        """Of (section id, score), in that order, ranked from 1. Sections that are gone are left out."""
        rows = self._db.read(
            """SELECT s.*, d.name AS document, d.path, c.name AS collection, c.label
               FROM section s JOIN document d ON d.id = s.document_id JOIN collection c ON c.id = d.collection_id
               WHERE s.id IN (SELECT value FROM json_each(?))""",
            json.dumps([section_id for section_id, _ in scored]),
        )
        by_id = {row["id"]: row for row in rows}
        found = [(by_id[section_id], score) for section_id, score in scored if section_id in by_id]
        return [_passage(row, score, rank) for rank, (row, score) in enumerate(found, start=1)]


def as_section(row: Row) -> Section:
    return Section(
        heading=tuple(json.loads(row["heading"])),
        text=row["text"],
        tag=row["tag"],
        page=row["page"],
        page_last=row["page_last"],
        boxes=tuple(Box(*values) for values in json.loads(row["boxes"])),
        captions=tuple(json.loads(row["captions"])),
    )


def _passage(row: Row, score: float, rank: int) -> Passage:
    section = as_section(row)
    return Passage(
        section_id=row["id"],
        section=section,
        document_id=row["document_id"],
        document=row["document"],
        path=row["path"],
        collection=row["collection"],
        label=row["label"],
        score=score,
        rank=rank,
        parts=(section,),
    )
