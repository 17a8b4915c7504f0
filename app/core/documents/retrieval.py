"""From a question to the passages that may answer it, by its words: no model is needed, though one may add to it.

bm25 (Robertson and Zaragoza 2009) over pairs of characters, twice: FTS5 finds candidates by the rarer terms, then each
candidate is scored with weighted terms, its clause counting too. The weights were fitted to the questions that
tests/benchmarks/retrieval.py measures with.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.core.database import Database, Row
from app.core.documents import synonyms, terms
from app.core.documents.library import Library
from app.core.documents.passages import widened
from app.core.documents.records import Passage

if TYPE_CHECKING:  # most machines have no embedding model, and need no numpy
    from app.core.documents.fusion import Meaning

CANDIDATES = 120
TERMS = 30  # of a question, those that tell most
COMMON_SHARE = 0.1  # a term in more sections than that finds no candidates
CLAUSES = 40  # of the best candidates, their clauses are scored
CLAUSE_WEIGHT = 0.3
HEADING_WEIGHT = 1.0
SATURATION = 1.2  # k1
LENGTH_SHARE, HEADING_LENGTH_SHARE = 0.75, 0.5  # b
COVERAGE_POWER = 0.4  # of the share of the question that occurs


@dataclass(frozen=True, slots=True)
class _Query:
    """Weights times inverse document frequencies of the terms that occur at all."""

    terms: Mapping[str, float]
    body_length: float  # averages
    heading_length: float

    @property
    def total(self) -> float:
        return sum(self.terms.values())


def search(
    library: Library,
    query: str,
    collection_ids: Sequence[int],
    limit: int = 20,
    glossary: Path | None = None,
    meaning: "Meaning | None" = None,
) -> list[Passage]:
    """The best `limit` passages of those collections, the best first; by words alone [] when none of them occurs.

    `glossary`: the user's own list of words that mean the same. `meaning`: of the query; what is near it is found too.
    Raises AppError("glossary_unreadable").
    """
    scored = _by_words(library.database, query, collection_ids, glossary)
    return widened(library, meaning.fused(library, scored, collection_ids) if meaning else scored, limit)


def _by_words(
    database: Database, query: str, collection_ids: Sequence[int], glossary: Path | None
) -> list[tuple[int, float]]:
    """(section id, score), the best first."""
    weights = synonyms.of_query(query, glossary) | terms.of_query(query)
    counted, wanted = _counted(database, weights)
    if not collection_ids or not wanted.terms:
        return []
    rows = _candidates(database, _rare(wanted.terms, weights, counted), collection_ids)
    scores = {row["id"]: _score(wanted, [row]) for row in rows}
    best = sorted(rows, key=lambda row: scores[row["id"]], reverse=True)
    for clause in _clauses(database, best[:CLAUSES]):
        gain = CLAUSE_WEIGHT * _score(wanted, clause, len(clause))
        scores.update((row["id"], scores[row["id"]] + gain) for row in clause if row["id"] in scores)
    best.sort(key=lambda row: scores[row["id"]], reverse=True)
    return [(row["id"], scores[row["id"]]) for row in _distinct(best)]


def _counted(database: Database, weights: Mapping[str, float]) -> tuple[dict[str, float], _Query]:
    """In which share of the sections each term occurs, and the query in bm25's terms."""
    sections, heading, body = database.read("SELECT sections, heading_length, body_length FROM section_totals")[0]
    if not sections:
        return {}, _Query({}, 1.0, 1.0)
    rows = database.read(
        "SELECT v.term, v.doc FROM json_each(?) j JOIN section_vocabulary v ON v.term = j.value",
        json.dumps(list(weights)),
    )
    shares = {row["term"]: row["doc"] / sections for row in rows}
    found = {
        row["term"]: weights[row["term"]] * math.log(1 + (sections - row["doc"] + 0.5) / (row["doc"] + 0.5))
        for row in rows
    }
    found = dict(sorted(found.items(), key=lambda item: item[1], reverse=True)[:TERMS])
    return shares, _Query(found, max(1.0, body / sections), max(1.0, heading / sections))


def _rare(found: Mapping[str, float], weights: Mapping[str, float], shares: Mapping[str, float]) -> list[str]:
    """The terms that candidates are found by."""
    telling = [term for term in found if weights[term] > terms.WEIGHT_KANA] or list(found)
    return [term for term in telling if shares[term] <= COMMON_SHARE] or telling


def _candidates(database: Database, wanted: Iterable[str], collection_ids: Sequence[int]) -> list[Row]:
    return database.read(
        """WITH found(id) AS (
               SELECT t.rowid FROM section_terms t CROSS JOIN section s ON s.id = t.rowid
                   CROSS JOIN document d ON d.id = s.document_id
               WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?))
               ORDER BY bm25(section_terms, 2.0, 1.0) LIMIT ?)
           SELECT s.id, s.document_id, s.heading, s.heading_terms, s.body_terms, s.heading_length, s.body_length
           FROM found f JOIN section s ON s.id = f.id""",
        " OR ".join(f'"{term}"' for term in wanted),
        json.dumps(list(collection_ids)),
        CANDIDATES,
    )


def _clauses(database: Database, best: Sequence[Row]) -> list[list[Row]]:
    """All sections of the clauses that the candidates are of."""
    rows = database.read(
        """SELECT DISTINCT s.id, s.document_id, s.heading, s.heading_terms, s.body_terms, s.heading_length,
               s.body_length
           FROM json_each(?) j JOIN section b ON b.id = j.value
           JOIN section s ON s.document_id = b.document_id AND s.heading = b.heading""",
        json.dumps([row["id"] for row in best]),
    )
    clauses: dict[tuple[int, str], list[Row]] = {}
    for row in rows:
        clauses.setdefault((row["document_id"], row["heading"]), []).append(row)
    return list(clauses.values())


def _score(wanted: _Query, rows: Sequence[Row], parts: int = 1) -> float:
    """bm25 of sections taken as one text. `parts`: how many average sections long an average one would be."""
    body = "".join(f" {row['body_terms']} " for row in rows)
    heading = f" {rows[0]['heading_terms']} "
    length = sum(row["body_length"] for row in rows) / (wanted.body_length * max(1.0, parts**0.5))
    body_norm = 1 - LENGTH_SHARE + LENGTH_SHARE * length
    heading_norm = 1 - HEADING_LENGTH_SHARE + HEADING_LENGTH_SHARE * rows[0]["heading_length"] / wanted.heading_length
    score = covered = 0.0
    for term, weight in wanted.terms.items():
        padded = f" {term} "
        often = body.count(padded) / body_norm + HEADING_WEIGHT * heading.count(padded) / heading_norm
        if often:
            score += weight * often * (SATURATION + 1) / (often + SATURATION)
            covered += weight
    return score * (covered / wanted.total) ** COVERAGE_POWER if covered else 0.0


def _distinct(rows: Iterable[Row]) -> list[Row]:
    """Without what says the same as a better one: forms and remarks that a document repeats."""
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(row["body_terms"], row)
    return list(first.values())
