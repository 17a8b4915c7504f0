"""Widen found sections to passages, and judge whether passages can contain the answer to a question.

A passage is a section with neighbours under the same heading, up to 1,200 characters. Before any model is asked, the
best sentence with its headings is judged, in three results, since refusing an answer that is there harms as much as a
wrong one. The limits were chosen with tests/benchmarks/abstention.py; chosen on two kinds of text (laws, Wikipedia,
technical standards), they also hold for the third.
"""

import dataclasses
import itertools
import math
import unicodedata
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from app.base import search_text
from app.base.lazy_pattern import lazy_pattern
from app.documents import terms
from app.documents.document_tables import SectionTable
from app.documents.grounding import evidence, sentences, source_citations
from app.documents.grounding.grounding_record import Verdict
from app.documents.library import Library
from app.documents.records import Passage, Section
from app.documents.retrieval.named_clauses import NamedClauses
from app.documents.section_terms import TermStatistics
from app.documents.values import notation, quantities

if TYPE_CHECKING:  # most machines have no embedding model and do not need numpy
    from app.documents.retrieval.semantic_index import SemanticQuery

PASSAGE_CHARACTERS = 1200  # most characters of a passage
NEIGHBOUR_SECTIONS = 8  # candidates on either side


def widen_sections(
    library: Library,
    scored: Sequence[tuple[int, float]],
    limit: int,
    clauses: NamedClauses = NamedClauses(),  # noqa: B008  immutable
) -> list[Passage]:
    """Return up to `limit` passages for sections (id, score) found by a search, the best first, without common parts.

    Those of `clauses` come first, with the best score, and stay within their clauses.
    """
    table = SectionTable(library.database)
    taken: set[int] = set()
    kept: dict[int, list[tuple[int, Section]]] = {}
    depths = {one.section_id: one.depth for one in clauses.first(scored)}
    best = max((score for _, score in scored), default=1.0)
    ordered = [*((section_id, best) for section_id in depths), *(one for one in scored if one[0] not in depths)]
    for section_id, _ in ordered:
        if section_id in taken or len(kept) == limit:
            continue
        near = table.around(section_id, NEIGHBOUR_SECTIONS)
        at = next((place for place, row in enumerate(near) if row[0] == section_id), None)
        if at is not None:
            kept[section_id] = _extent(near, at, taken, depths.get(section_id))
            taken.update(row[0] for row in kept[section_id])
    found = table.passages([one for one in ordered if one[0] in kept])
    named: Literal["clause", "neighbour"] = "clause" if clauses.groups else "neighbour"
    return [
        dataclasses.replace(
            join_parts(passage, [section for _, section in kept[passage.section_id]]),
            named=named if passage.section_id in depths else "",
        )
        for passage in found
    ]


def _extent(
    near_sections: Sequence[tuple[int, Section]], at: int, taken_ids: Collection[int], depth: int | None
) -> list[tuple[int, Section]]:
    """Return the sections around index `at` that are not taken and share a path of `depth` (None: siblings)."""
    headings = [section.heading for _, section in near_sections]
    sizes = [
        len(section.text) + len(section.tag) + len(section.heading[-1] if section.heading else "") + 5
        for _, section in near_sections
    ]
    first = last = at
    length = sizes[at]
    is_growing = True
    while is_growing:
        is_growing = False
        for place in (last + 1, first - 1):
            is_there = 0 <= place < len(near_sections) and near_sections[place][0] not in taken_ids
            if (
                is_there
                and _is_near(headings[place], headings[at], depth)
                and length + sizes[place] <= PASSAGE_CHARACTERS
            ):
                length += sizes[place]
                first, last = min(first, place), max(last, place)
                is_growing = True
    return list(near_sections[first : last + 1])


def _is_near(path: Sequence[str], other: Sequence[str], depth: int | None) -> bool:
    """Whether two heading paths are equal or siblings; with `depth`, whether they begin with the same so many parts."""
    if depth is not None:
        return path[:depth] == other[:depth]
    common = next((place for place, pair in enumerate(zip(path, other, strict=False)) if pair[0] != pair[1]), None)
    if common is None:
        common = min(len(path), len(other))
    return common >= max(1, len(other) - 1) if other else not path


def join_parts(passage: Passage, parts: Sequence[Section]) -> Passage:
    """Join parts to one text with headings and tags in between, under the found section's heading, tag and page."""
    lines: list[str] = []
    before: Section | None = None
    for part in parts:
        above = opening_lines(part, before) if len(parts) > 1 else ""
        lines += [above, part.text] if above else [part.text]
        before = part
    section = dataclasses.replace(
        passage.section,
        text="\n".join(lines),
        page_last=max(part.page_last for part in parts),
        boxes=tuple(dict.fromkeys(box for part in parts for box in part.boxes)),
        captions=tuple(dict.fromkeys(caption for part in parts for caption in part.captions)),
        recognized=_join_recognized(parts),
    )
    return dataclasses.replace(passage, section=section, parts=tuple(parts))


def _join_recognized(parts: Sequence[Section]) -> tuple[tuple[str, int], ...] | None:
    """Return the numbers of all recognized parts, each with its lowest certainty; None if no part was recognized."""
    found = [part.recognized for part in parts if part.recognized is not None]
    lowest: dict[str, int] = {}
    for number, certain in itertools.chain.from_iterable(found):
        lowest[number] = min(certain, lowest.get(number, certain))
    return tuple(lowest.items()) if found else None


def opening_lines(part: Section, before: Section | None) -> str:
    """Return the heading and tag lines that precede a part in its document."""
    is_new = before is None or part.heading != before.heading
    lines = [part.heading[-1]] if is_new and part.heading else []
    if part.tag and (is_new or before is None or part.tag != before.tag):
        lines.append(f"＜{part.tag}＞")
    return "\n".join(lines)


PASSAGES_JUDGED = 3  # with more passages, one is likelier to contain the words by chance
# Least confidence of "answered" and of "near".
LIMITS_WITH_MEANING = (0.86, 0.4)
LIMITS_BY_WORDS = (0.76, 0.54)
SECTIONS_LEAST = 20  # for a refusal: of fewer, a word that is in none says little
COSINE_WEIGHT = 3.0  # of the best cosine above the model's neutral one
_DISCOUNT = 0.7  # factor if a passage lacks a value that the question names, or any value of the unit that it asks for
# Terms that only form the question, and pairs across a change of script, which are not words.
_QUESTION_WORDS = lazy_pattern(
    "[ァ-ヺー][一-鿿]|[一-鿿][ァ-ヺー]|.*[何幾].*|教え|違い|理由|方法|意味|場合|必要|規定|標準|程度"
    "|上限|下限|目安|定義|種類|区別|列挙|一覧|記述|説明|要点|内容|概要|具体"
)
# Words of asking, which are in no passage; those of Japanese are left out by the dictionary.
_ENGLISH_FRAME = lazy_pattern(r"(?i)^\s*(?:what (?:is|are|about)|tell me about)\s+(?:the |an? )?")
_LOANWORD = lazy_pattern("[ァ-ヺー]{3,}")
_UNIT_ASKED = lazy_pattern(rf"何\s?(?P<unit>{notation.UNIT_PATTERN})")


class Answerability(Struct, frozen=True):
    """A judgement. `confidence`: the weighted share (0 to 1) of terms in the best sentence, moved by the cosine.

    `is_by_words`: whether a cosine could still change the verdict.
    """

    verdict: Verdict
    confidence: float
    is_by_words: bool = False


def judge_answerability(
    library: Library,
    question: str,
    passages: Sequence[Passage],
    collection_ids: Sequence[int],
    glossary: Path | None = None,
    nearness: float | None = None,
) -> Answerability:
    """Judge the best three passages by their best sentence and by meaning; a named clause is an answer.

    `glossary`: the user's own list of synonyms. `nearness`: the passages' best cosine with the question above the
    model's neutral one, as `nearness` returns it. Raises AppError("glossary_unreadable").
    """
    if not passages or passages[0].named == "neighbour":
        return Answerability("not_in_documents", 0.0)
    question = _ENGLISH_FRAME.sub("", question)
    statistics = TermStatistics(library.database, collection_ids)
    wanted = _WantedTerms(statistics, question, statistics.sections)
    if passages[0].named:
        return Answerability("answered", 1.0)
    if not wanted.weights:  # nothing to compare: 「標準」とは何ですか, ありがとう
        return Answerability("near", 0.0)
    best = passages[:PASSAGES_JUDGED]
    values = _QuestionValues(question)
    others = terms.synonyms_by_word(question, glossary)
    certain, near = LIMITS_BY_WORDS if nearness is None else LIMITS_WITH_MEANING
    meaning = COSINE_WEIGHT * (nearness or 0.0)

    def confidence_of(terms_asked: _WantedTerms) -> float:
        return max(terms_asked.best_share(one, others) * values.discount(one) for one in best) + meaning

    confidence = confidence_of(wanted)
    is_near = confidence >= near
    if not is_near and statistics.sections < SECTIONS_LEAST:
        is_near = confidence_of(_WantedTerms(statistics, question, SECTIONS_LEAST)) >= near
    verdict: Verdict = "answered" if confidence >= certain else "near" if is_near else "not_in_documents"
    return Answerability(verdict, confidence, is_by_words=nearness is None)


def nearness(
    library: Library, passages: Sequence[Passage], collection_ids: Sequence[int], meaning: "SemanticQuery | None"
) -> float | None:
    """Return the best cosine of the passages that are judged, above the model's neutral one.

    None without a vector of the question (`meaning`) or of the passages, or if the model's cosines were not measured.
    Raises AppError("vectors_unusable").
    """
    if meaning is None or not meaning.neutral_cosine:
        return None
    similar = meaning.compare(library, collection_ids)
    cosines = [similar.of_passage(one) for one in passages[:PASSAGES_JUDGED]]
    return max((one - meaning.neutral_cosine for one in cosines if one is not None), default=None)


class _WantedTerms:
    """The terms of a question by the root of their idf: pairs of characters, and nouns without one: 堰, のり面.

    Those of general nouns count half: 注意点 of 杭の注意点 may be nowhere, and the answer still be there.
    """

    def __init__(self, statistics: TermStatistics, question: str, sections: int) -> None:
        """Weigh the terms by how many of so many sections have them."""
        # A part of a loanword says nothing: ワイ of ワイン.
        loanwords = {word.rstrip("ー") for word in _LOANWORD.findall(search_text.fold(question))} - {""}
        self._words = {word: word for word in loanwords} | {
            word.text: word.base for word in terms.nouns_without_pairs(question)
        }
        without = evidence.content_terms(_LOANWORD.sub(" ", search_text.fold(question)))
        pairs = [term for term in without if not _QUESTION_WORDS.fullmatch(term)]
        if not pairs and not self._words:
            pairs = [
                term
                for term in terms.extract_terms(terms.without_grammar(question))
                if len(term) > 1 and not _QUESTION_WORDS.fullmatch(term)
            ]
        having = dict.fromkeys(pairs, 0) | statistics.count(pairs)
        for text in self._words:
            having[text] = statistics.count_matches(search_text.match_expression(text))
        general = terms.general_terms(question)
        self.weights = {
            term: math.sqrt(math.log((sections + 1) / (count + 0.5))) * (terms.WEIGHT_GENERAL if term in general else 1)
            for term, count in having.items()
        }

    def best_share(self, passage: Passage, others: Sequence[tuple[str, list[list[str]]]]) -> float:
        """Return the largest weighted share of the terms, or synonyms (`others`), in a sentence with its headings."""
        text, best = passage.section.text, 0.0
        for section, start, end in source_citations.part_extents(passage):
            heading = " ".join((*section.heading, passage.document))
            around = frozenset(terms.extract_terms(heading)), search_text.fold(heading)
            for one in sentences.split_sentences(text[start:end]):
                sentence = text[start + one.start : start + one.end]
                found = around[0].union(terms.extract_terms(sentence))
                best = max(best, self._share(found, f"{around[1]}\n{search_text.fold(sentence)}", others))
        return best

    def _share(self, found: frozenset[str], folded: str, others: Sequence[tuple[str, list[list[str]]]]) -> float:
        there = {term for term in self.weights if self._is_in(term, found, folded)}
        for word, same in others:
            if any(found.issuperset(listed) for listed in same):
                there |= self.weights.keys() & {word, *terms.extract_terms(word)}
        return sum(self.weights[term] for term in there) / sum(self.weights.values())

    def _is_in(self, term: str, found: frozenset[str], folded: str) -> bool:
        base = self._words.get(term)
        return term in found if base is None else term in folded or base in folded


class _QuestionValues:
    """The values that a question names, and the units that it asks for (何m, 何年)."""

    def __init__(self, question: str) -> None:
        flat, _ = notation.flatten(question)
        self._values = [(value, question[value.start : value.end]) for value in quantities.parse(question)]
        self._dates = notation.parse_dates(question)
        asked = _UNIT_ASKED.finditer(flat) if "何" in flat else ()
        self._units = {notation.unit_of(found["unit"]).name for found in asked}

    def discount(self, passage: Passage) -> float:
        """Return the factor (0 to 1) for a passage: 1, or less if it lacks a value or unit of the question."""
        if not (self._units or self._values or self._dates):
            return 1.0
        source_evidence = evidence.prepare_passage(passage)
        has_unit = not self._units or any(value.unit in self._units for value in source_evidence.quantities)
        has_values = all(source_evidence.holds(value, written) for value, written in self._values)
        has_dates = all(source_evidence.holds_date(date) for date in self._dates)
        return (1.0 if has_unit else _DISCOUNT) * (1.0 if has_values and has_dates else _DISCOUNT)


QUOTE_SHARE = 0.5  # share of a quote that a passage must contain, because a quote may extend beyond it
_MARKUP = lazy_pattern(r"[\s|>*\\^]")  # Markdown's signs, which a quote may still have
_WAVES = lazy_pattern("[〜～–]")


def normalize_quote(text: str) -> str:
    return _WAVES.sub("~", _MARKUP.sub("", unicodedata.normalize("NFKC", text)))


def quote_rank(texts: Sequence[str], quotes: Sequence[str]) -> int:
    """Return how many texts, from the first, have all quotes as `normalize_quote` writes them; 0 if any is missing."""
    ranks = [next((at for at, text in enumerate(texts, 1) if contains_quote(text, quote)), 0) for quote in quotes]
    return max(ranks, default=0) if all(ranks) else 0


def contains_quote(text: str, quote: str) -> bool:
    """Whether a passage contains the quote, or half of it in one piece. Both are from `normalize_quote`."""
    if quote in text:
        return True
    length = max(1, math.ceil(len(quote) * QUOTE_SHARE))
    return any(quote[at : at + length] in text for at in range(len(quote) - length + 1))
