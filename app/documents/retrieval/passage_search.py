"""Search for the passages that may answer a question, by its words and, with an embedding model, by meaning.

FTS5 finds candidates by the rarer terms (pairs of characters), then BM25+ (Lv and Zhai, CIKM 2011) with weighted terms
and their clause scores them. Of the synonyms of a word only the best counts. Presence and length were weighed on half
of the questions about laws, Wikipedia and technical standards; no other half has fewer answers in its first five.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from app.base import invisible_characters, search_text
from app.base.database import Database, Row
from app.documents import terms
from app.documents.document_tables import heading_of, text_of
from app.documents.grounding import sentences
from app.documents.library import Library
from app.documents.records import Passage
from app.documents.retrieval import named_clauses, sentence_ranking
from app.documents.retrieval.retrieved_passages import widen_sections
from app.documents.section_terms import CountedTerm, SectionTerms, TermStatistics

if TYPE_CHECKING:  # most machines have no embedding model and do not need numpy
    from app.documents.retrieval.semantic_index import SemanticQuery

CANDIDATES = 120
TERMS = 30  # the most informative terms of a question; at most as many find candidates
COMMON_SHARE = 0.1  # a term in a larger share of sections does not find candidates
CLAUSES = 40  # the number of best candidates whose clauses are scored
CLAUSE_REACH = 20  # sections of the clause before and after a candidate
CLAUSE_WEIGHT = 0.3
SATURATION = 1.2  # k1 of BM25+
PRESENCE = 0.5  # δ of BM25+: the gain of a term that occurs at all, so that more of the terms beat one more often
DEFINITIONS = 20  # sections in which the definition of a word is looked for
DEFINITION_WEIGHT = 0.2  # share of the best score that a definition adds
REFERRED = 2  # sections to which a named clause refers that come right after it
LENGTH_SHARE = 0.5  # b of BM25+


class _Query(Struct, frozen=True):
    """The terms of a question that occur in the index, with their weights times inverse document frequencies."""

    terms: Mapping[str, float]
    synonyms: Sequence[Sequence[Mapping[str, float]]]  # for each word, the weighted terms of each synonym
    rare: Sequence[str]  # terms that find candidates
    counted: Mapping[str, CountedTerm]  # all of the terms
    body_length: float  # average number of terms in a section's text
    heading_length: float


class _Candidate(Struct, frozen=True):
    """A section that is scored. `heading`: its path as stored; the lengths are numbers of terms."""

    id: int
    document_id: int
    heading: str
    terms: SectionTerms
    heading_length: int
    body_length: int


def search(
    library: Library,
    query: str,
    collection_ids: Sequence[int],
    limit: int = 20,
    glossary: Path | None = None,
    meaning: "SemanticQuery | None" = None,
) -> list[Passage]:
    """Return the best `limit` passages of the collections; clauses that the query names first, or alone if it is all.

    `glossary`: the user's own list of synonyms. `meaning`: the question's embedding, by which sections near in meaning
    are found too. Raises AppError("glossary_unreadable").
    """
    clauses = named_clauses.find_clauses(library, query, collection_ids)
    if clauses.is_all:
        return widen_sections(library, [], limit, clauses)
    scored = _by_words(library.database, query, collection_ids, glossary)
    if meaning:
        scored = meaning.fuse_ranking(library, scored, collection_ids)
    for word in sentence_ranking.defined_words(query):
        scored = _raise_definitions(library.database, word, scored, collection_ids)
    if clauses.groups:
        first = [one.section_id for one in clauses.first(scored)]
        scored = _raise_referred(scored, named_clauses.find_referred(library, first, collection_ids))
    return widen_sections(library, scored, limit, clauses)


def _by_words(
    database: Database, query: str, collection_ids: Sequence[int], glossary: Path | None
) -> list[tuple[int, float]]:
    """Return (section id, score) of the sections that contain words of the query, the best first."""
    statistics = TermStatistics(database, collection_ids)
    wanted = _weigh_query(statistics, invisible_characters.to_plain_text(query), glossary)
    if not wanted.rare:
        return []
    rows = _candidates(database, wanted.rare, collection_ids)
    scores = {row.id: _score(wanted, [row]) for row in rows}
    best = sorted(rows, key=lambda row: scores[row.id], reverse=True)
    for clause in _clauses(database, best[:CLAUSES]):
        gain = CLAUSE_WEIGHT * _score(wanted, clause, len(clause))
        scores.update((row.id, scores[row.id] + gain) for row in clause if row.id in scores)
    best.sort(key=lambda row: scores[row.id], reverse=True)
    return [(row.id, scores[row.id]) for row in _distinct(best)]


def _raise_definitions(
    database: Database, word: str, scored: Sequence[tuple[int, float]], collection_ids: Sequence[int]
) -> list[tuple[int, float]]:
    """Return the ranking with definitions of a word raised or added, from its first sections and those with …とは."""
    *pairs, last = terms.extract_terms(search_text.fold(word)) or [""]
    listed = [" ".join((*pairs, f"{last}と", "とは")), " ".join((*pairs, last, "とは"))]  # 堰とは, 「堰」とは
    titles = [
        " ".join((*pairs, f"{last}の", f"の{title[0]}", title)) for title in sentence_ranking.DEFINING_TITLES.split("|")
    ]
    found = database.read_as(
        lambda row: (row["id"], text_of(row, "text"), " ".join(heading_of(row)[-1:])),
        """SELECT s.id, s.text, s.heading FROM section s WHERE s.id IN (SELECT value FROM json_each(?)) UNION
           SELECT * FROM (SELECT s.id, s.text, s.heading FROM section_terms t CROSS JOIN section s ON s.id = t.rowid
               CROSS JOIN document d ON d.id = s.document_id
               WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?)) LIMIT ?)""",
        json.dumps([section_id for section_id, _ in scored[:DEFINITIONS]]),
        f"body_terms : ({' OR '.join(map(_expression, listed))}) OR "
        f"heading_terms : ({' OR '.join(map(_expression, titles))})",
        json.dumps(list(collection_ids)),
        DEFINITIONS,
    )
    scores = dict(scored)
    best, least = max(scores.values(), default=1.0), min(scores.values(), default=0.0)
    seen: set[str] = set()
    for section_id, text, title in sorted(found, key=lambda one: one[0] not in scores):
        if text in seen:  # other editions of the same document
            continue
        seen.add(text)
        if sentence_ranking.is_titled_definition(word, title):
            scores[section_id] = best * (1 + DEFINITION_WEIGHT)
            continue
        parts = sentences.split_sentences(text)
        share = max((sentence_ranking.definition_share(word, text[one.start : one.end]) for one in parts), default=0.0)
        if share:
            scores[section_id] = scores.get(section_id, least) + DEFINITION_WEIGHT * best * share
    return sorted(scores.items(), key=lambda item: item[1], reverse=True)


def _raise_referred(scored: Sequence[tuple[int, float]], referred: Sequence[int]) -> list[tuple[int, float]]:
    """Return the ranking begun by the best sections to which named clauses refer."""
    scores = dict(scored)
    first = sorted(referred, key=lambda one: -scores.get(one, 0.0))[:REFERRED]
    best = max(scores.values(), default=1.0)
    return [*((one, best) for one in first), *(pair for pair in scored if pair[0] not in first)]


def _weigh_query(statistics: TermStatistics, query: str, glossary: Path | None) -> _Query:
    sections = statistics.sections
    own, words = terms.weigh_query_terms(query), terms.synonyms_of_query(query, glossary)
    every = own.keys() | {term for others in words for other in others for term in other}
    having = statistics.count(every)
    for prefix in (term for term in every if term.endswith("*")):
        if count := statistics.count_matches(_expression(prefix)):
            having[prefix] = count

    def weighed(part: Mapping[str, float], without: Mapping[str, float]) -> dict[str, float]:
        return {
            term: weight * math.log(1 + (sections - having[term] + 0.5) / (having[term] + 0.5))
            for term, weight in part.items()
            if term in having and term not in without
        }

    found = dict(sorted(weighed(own, {}).items(), key=lambda item: item[1], reverse=True)[:TERMS])
    others = [[part for other in word if (part := weighed(other, found))] for word in words]
    informative = {term: weight for term, weight in found.items() if own[term] > terms.WEIGHT_KANA}
    informative |= {term: weight for word in others for part in word for term, weight in part.items()}
    listed = sorted(informative or found, key=lambda term: informative.get(term, 0.0), reverse=True)
    rare = [term for term in listed if having[term] <= COMMON_SHARE * sections] or listed
    counted = {
        term: CountedTerm.of(term) for part in (found, *(one for word in others for one in word)) for term in part
    }
    lengths = statistics.body_length, statistics.heading_length
    return _Query(found, [word for word in others if word], rare[:TERMS], counted, *lengths)


def _expression(term: str) -> str:
    """Return a term as an FTS5 expression; 堰* is a prefix."""
    return f'"{term[:-1]}" *' if term.endswith("*") else f'"{term}"'


def _candidates(database: Database, query_terms: Iterable[str], collection_ids: Sequence[int]) -> list[_Candidate]:
    return database.read_as(
        _candidate,
        """WITH found(id) AS (
               SELECT t.rowid FROM section_terms t CROSS JOIN section s ON s.id = t.rowid
                   CROSS JOIN document d ON d.id = s.document_id
               WHERE t.section_terms MATCH ? AND d.collection_id IN (SELECT value FROM json_each(?))
               ORDER BY bm25(section_terms, 2.0, 1.0) LIMIT ?)
           SELECT s.id, s.document_id, s.heading, s.text, s.terms, s.heading_length, s.body_length
           FROM found f JOIN section s ON s.id = f.id""",
        " OR ".join(map(_expression, query_terms)),
        json.dumps(list(collection_ids)),
        CANDIDATES,
    )


def _candidate(row: Row) -> _Candidate:
    terms_found = SectionTerms.unpack(row["terms"], row["heading"], row["text"])
    return _Candidate(
        row["id"], row["document_id"], row["heading"], terms_found, row["heading_length"], row["body_length"]
    )


def _clauses(database: Database, best: Sequence[_Candidate]) -> list[list[_Candidate]]:
    """Return the candidates by clause, with a limited number of sections around that have the same heading."""
    rows = database.read_as(
        _candidate,
        """WITH near(id) AS (
               SELECT DISTINCT s.id FROM json_each(?) j JOIN section b ON b.id = j.value
                   JOIN section s ON s.document_id = b.document_id AND s.heading = b.heading
                       AND s.position BETWEEN b.position - ? AND b.position + ?)
           SELECT s.id, s.document_id, s.heading, s.text, s.terms, s.heading_length, s.body_length
           FROM near n JOIN section s ON s.id = n.id""",
        json.dumps([row.id for row in best]),
        CLAUSE_REACH,
        CLAUSE_REACH,
    )
    clauses: dict[tuple[int, str], list[_Candidate]] = {}
    for row in rows:
        clauses.setdefault((row.document_id, row.heading), []).append(row)
    return list(clauses.values())


def _score(query: _Query, rows: Sequence[_Candidate], parts: int = 1) -> float:
    """Return the BM25+ score of `parts` sections as one text, its length divided by the root of their number."""
    body, values = ("".join(texts) for texts in zip(*((row.terms.body, row.terms.values) for row in rows), strict=True))
    heading = rows[0].terms.heading
    length = sum(row.body_length for row in rows) / (query.body_length * max(1.0, parts**0.5))
    body_norm = 1 - LENGTH_SHARE + LENGTH_SHARE * length
    heading_norm = 1 - LENGTH_SHARE + LENGTH_SHARE * rows[0].heading_length / query.heading_length
    gains: dict[str, float] = {}
    for term, counted in query.counted.items():
        often = counted.count(body, values) / body_norm + counted.count(heading) / heading_norm
        gains[term] = often * (SATURATION + 1) / (often + SATURATION) + PRESENCE if often else 0.0

    def relevance(part: Mapping[str, float]) -> float:
        return sum(weight * gains[term] for term, weight in part.items())

    return relevance(query.terms) + sum(max(relevance(other) for other in others) for others in query.synonyms)


def _distinct(rows: Iterable[_Candidate]) -> list[_Candidate]:
    """Drop sections whose terms equal those of a better one, such as forms and remarks that a document repeats."""
    first: dict[tuple[str, str], _Candidate] = {}
    for row in rows:
        first.setdefault((row.terms.body, row.terms.values), row)
    return list(first.values())
