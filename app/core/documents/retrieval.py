"""From a question to the sections that may answer it: bm25 over the terms of `app.core.documents.terms`."""

import json
from collections.abc import Sequence

from app.core.documents import terms
from app.core.documents.library import Library
from app.core.documents.records import Passage

HEADING_WEIGHT = 2.0


def search(library: Library, query: str, collection_ids: Sequence[int], limit: int = 20) -> list[Passage]:
    """The best `limit` sections of those collections, the best first; [] when no term of the query occurs."""
    wanted = list(dict.fromkeys(terms.of_text(query)))
    if not wanted or not collection_ids:
        return []
    expression = " OR ".join(f'"{term}"' for term in wanted)
    rows = library.database.read(
        """SELECT t.rowid, -bm25(section_terms, ?, 1.0) AS score
           FROM section_terms t JOIN section s ON s.id = t.rowid JOIN document d ON d.id = s.document_id
           WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?))
           ORDER BY score DESC LIMIT ?""",
        HEADING_WEIGHT,
        expression,
        json.dumps(list(collection_ids)),
        limit,
    )
    return library.passages([(row[0], row[1]) for row in rows])
