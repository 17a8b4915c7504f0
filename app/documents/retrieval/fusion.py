"""What is near in meaning, beside what has the words: two rankings made one.

Reciprocal rank fusion (Cormack, Clarke and Büttcher, SIGIR 2009): it needs no common scale, which bm25 and cosines do
not have. With their constant of 60 and equal weights a small model does harm: of 126 questions to five volumes of
kasensabo the words alone have 125 in the first five passages, fused with multilingual-e5-small 110; as below 124. So
the words lead where they cover a question, and meaning has an equal say where they do not.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from app.base.database import Database, Row
from app.documents.library import Library
from app.documents.retrieval import abstention
from app.documents.retrieval.passages import widened
from app.documents.retrieval.vectors import Floats, Near, Vectors, digest_of
from app.documents.section_table import heading_of, text_of

CONSTANT = 10
COVERED_WEIGHT = 0.1  # of meaning, where passages hold the question's words
CANDIDATES = 120  # of either ranking
WIDER = 8  # times more are looked at while other collections or old rows leave too few


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a question means to an embedding model. `vector`: [dimensions], of unit length."""

    question: str
    vectors: Vectors
    vector: Floats

    def fused(
        self, library: Library, scored: Sequence[tuple[int, float]], collection_ids: Sequence[int]
    ) -> list[tuple[int, float]]:
        """(section id, score) found by words, the best first, with those near in meaning among them, ranked anew.

        Raises AppError("vectors_unusable").
        """
        by_words = [section_id for section_id, _ in scored]
        near = self._near(library.database, collection_ids)
        texts = {**_texts(library.database, by_words, collection_ids), **near}
        seen: set[str] = set()  # forms and remarks that a document repeats
        found = []
        weight = COVERED_WEIGHT if self._is_covered(library, scored) else 1.0
        for section_id, score in reciprocal_ranks((1.0, by_words), (weight, list(near))):
            text = texts.get(section_id, "")
            if text not in seen:
                seen.add(text)
                found.append((section_id, score))
        return found

    def _is_covered(self, library: Library, scored: Sequence[tuple[int, float]]) -> bool:
        best = widened(library, scored, abstention.LOOKED_AT)
        return abstention.judge(library, self.question, best).is_enough

    def _near(self, database: Database, collection_ids: Sequence[int]) -> dict[int, str]:
        """Section id to its text, the nearest first. Rows whose section has another text now, or none, are left out."""
        looked_at, rows = CANDIDATES * 2, self.vectors.count()
        while True:
            nearest = self.vectors.nearest(self.vector, looked_at)
            texts = _texts(database, [one.section_id for one in nearest], collection_ids)
            found = {one.section_id: texts[one.section_id] for one in nearest if _is_of(one, texts)}
            if len(found) >= CANDIDATES or looked_at >= rows:
                return dict(list(found.items())[:CANDIDATES])
            looked_at *= WIDER


def reciprocal_ranks(*rankings: tuple[float, Sequence[int]]) -> list[tuple[int, float]]:
    """Of (weight, ids): each of (id, score), the best first; of equal ones, the first ranking's first."""
    scores: dict[int, float] = {}
    for weight, ranking in rankings:
        for rank, one in enumerate(ranking, start=1):
            scores[one] = scores.get(one, 0.0) + weight / (CONSTANT + rank)
    return sorted(scores.items(), key=lambda item: item[1], reverse=True)


def embedded_section(row: Row) -> tuple[int, str]:
    """Return the id of a section, and what its vector is made of. Raises ValueError, TypeError."""
    return row["id"], embedded_text(heading_of(row), text_of(row, "text"))


def embedded_text(heading: Sequence[str], text: str) -> str:
    """Of a section: what its vector is made of, without the model's own prefix."""
    return "\n".join([" > ".join(heading), text]) if heading else text


def _is_of(near: Near, texts: dict[int, str]) -> bool:
    return near.section_id in texts and digest_of(texts[near.section_id]) == near.digest


def _texts(database: Database, section_ids: Sequence[int], collection_ids: Sequence[int]) -> dict[int, str]:
    """What the sections' vectors are made of; without those of other collections."""
    found = database.read_as(
        embedded_section,
        """SELECT s.id, s.heading, s.text FROM section s JOIN document d ON d.id = s.document_id
           WHERE s.id IN (SELECT value FROM json_each(?)) AND d.collection_id IN (SELECT value FROM json_each(?))""",
        json.dumps(list(section_ids)),
        json.dumps(list(collection_ids)),
    )
    return dict(found)
