"""Sections in the documents' database, with the full-text index over their terms."""

import dataclasses
import json
from collections.abc import Callable, Sequence

from app.base import invisible_characters
from app.base.confidentiality import stored_label
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
        return self._db.read_as(_with_id, "SELECT * FROM section WHERE document_id = ? ORDER BY position", document_id)

    def around(self, section_id: int, reach: int) -> list[tuple[int, Section]]:
        """A section and up to `reach` before and after it in its document, in order, with their ids."""
        return self._db.read_as(
            _with_id,
            """SELECT near.* FROM section s JOIN section near ON near.document_id = s.document_id
               AND near.position BETWEEN s.position - ? AND s.position + ? WHERE s.id = ? ORDER BY near.position""",
            reach,
            reach,
            section_id,
        )

    def passages(self, scored: Sequence[tuple[int, float]]) -> list[Passage]:
        """Of (section id, score), in that order, ranked from 1. Sections that are gone are left out."""
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
        boxes=tuple(Box(*values) for values in json.loads(row["boxes"])),
        captions=tuple(json.loads(row["captions"])),
    )


def text_of(row: Row, column: str) -> str:
    """Raises TypeError where the database holds bytes or a number."""
    found = row[column]
    if not isinstance(found, str):
        raise TypeError(column)
    return found


def heading_of(row: Row) -> tuple[str, ...]:
    """Raises ValueError, TypeError."""
    found = tuple(json.loads(row["heading"]))
    if not all(isinstance(part, str) for part in found):
        raise TypeError("heading")
    return tuple(map(invisible_characters.to_single_line, found))  # else a part could pose as a line of ours


def _passage(row: Row) -> Passage:
    """Without its score and rank."""
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
