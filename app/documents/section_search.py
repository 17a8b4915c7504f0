"""Find the sections that contain every word of a query; `retrieval.passage_search` also finds those that lack some."""

from dataclasses import dataclass

from app.base.confidentiality import Label, stored_label
from app.base.database import Row
from app.documents import terms
from app.documents.document_tables import heading_of, text_of
from app.documents.library import Library

SECTIONS_MAX = 200  # the best matching sections that are returned; with more matches a user refines the query
_HEADING_WEIGHT = 4.0  # of a word in the headings, against one in the text

_FROM = """FROM section_terms t CROSS JOIN section s ON s.id = t.rowid
    CROSS JOIN document d ON d.id = s.document_id CROSS JOIN collection c ON c.id = d.collection_id
    WHERE t.section_terms MATCH ? AND NOT c.is_leaving AND c.attached = ''
    AND NOT EXISTS (SELECT 1 FROM left_out l WHERE l.collection_id = d.collection_id AND l.path = d.path)"""


@dataclass(frozen=True, slots=True)
class SectionHit:
    """A section with all words of the query in its headings or in its text."""

    section_id: int
    document_id: int
    document: str  # name
    collection: str  # name
    label: Label
    heading: tuple[str, ...]
    text: str
    page: int  # from 1; 0: the format has no pages


@dataclass(frozen=True, slots=True)
class FoundSections:
    """The best matching sections, the best first, and the number of all that match."""

    hits: tuple[SectionHit, ...] = ()
    count: int = 0


def find_sections(library: Library, query: str, limit: int = SECTIONS_MAX) -> FoundSections:
    """Return the matching sections of all collections. Raises AppError as `Database`, also if it is interrupted."""
    expression = terms.match_expression(query)
    if not expression:
        return FoundSections()
    count = library.database.read(f"SELECT count(*) {_FROM}", expression)[0][0]
    hits = library.database.read_as(
        _hit,
        f"""SELECT s.id, s.document_id, s.heading, s.text, s.page, d.name AS document, c.name AS collection, c.label
            {_FROM} ORDER BY bm25(section_terms, ?, 1.0), s.id LIMIT ?""",
        expression,
        _HEADING_WEIGHT,
        limit,
    )
    return FoundSections(tuple(hits), count)


def _hit(row: Row) -> SectionHit:
    return SectionHit(
        row["id"], row["document_id"], text_of(row, "document"), text_of(row, "collection"), stored_label(row["label"]),
        heading_of(row), text_of(row, "text"), row["page"],
    )  # fmt: skip
