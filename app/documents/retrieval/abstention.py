"""Whether what was found for a question can hold its answer, judged by its words alone, before any model is asked.

Measured with tests/benchmarks/abstention.py on questions of kasensabo: 76 with an answer, 20 without. Who is turned
away sees the nearest passages, who is answered wrongly may not notice; but most questions have an answer. So the
threshold is the highest that turns away fewer than one in ten of those.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.documents import terms
from app.documents.grounding import evidence
from app.documents.grounding.evidence import Evidence
from app.documents.library import Library
from app.documents.records import Passage
from app.documents.retrieval import synonyms
from app.documents.values import dates, numerals, quantities, units

THRESHOLD = 0.65
LOOKED_AT = 3  # passages: the more are looked at, the likelier one has the words by chance
_DISCOUNT = 0.7  # for a passage without the value that the question names, or without any of the unit it asks for
# Terms that ask, and pairs across a change of script, which are no words.
_ASKING = re.compile(
    "[ァ-ヺー][一-鿿]|[一-鿿][ァ-ヺー]|.*[何幾].*|教え|違い|理由|方法|意味|場合|必要|規定|標準|程度"
    "|上限|下限|目安|定義|区別|列挙|一覧|記述|説明|要点|内容|概要|具体"
)
_UNIT_ASKED = re.compile(rf"何\s?(?P<unit>{units.PATTERN})")


@dataclass(frozen=True, slots=True)
class Judgement:
    """`score`: 0 to 1, the weighed share of the question's terms in the passage that has most of it."""

    score: float

    @property
    def is_enough(self) -> bool:
        return self.score >= THRESHOLD


def judge(library: Library, question: str, passages: Sequence[Passage], glossary: Path | None = None) -> Judgement:
    """Of passages that a search gave, the best first. Terms that few sections have weigh more.

    `glossary`: the user's own list of words that mean the same. Raises AppError("glossary_unreadable").
    """
    if not passages:
        return Judgement(0.0)
    weights = _weights(library, question)
    if not weights:  # nothing that could be looked for: 「標準」とは何ですか
        return Judgement(1.0)
    wanted = _Wanted(question)
    others = synonyms.by_word(question, glossary)
    found = [evidence.of_passage(passage) for passage in passages[:LOOKED_AT]]
    return Judgement(max(_share(weights, others, one) * wanted.discount(one) for one in found))


def _share(weights: dict[str, float], others: Sequence[tuple[str, list[list[str]]]], found: Evidence) -> float:
    """Of the terms by their weights, those that the passage has itself or in another word for the same."""
    there = {term for term in weights if term in found.terms}
    for word, same in others:
        if any(found.terms.issuperset(listed) for listed in same):
            there |= weights.keys() & set(terms.of_text(word))
    return sum(weights[term] for term in there) / sum(weights.values())


def _weights(library: Library, question: str) -> dict[str, float]:
    """Of each term of a question: the logarithm of how rare it is among all sections (the idf of bm25)."""
    asked = [term for term in evidence.asked_terms(question) if not _ASKING.fullmatch(term)]
    sections = library.database.read("SELECT sections FROM section_totals")[0][0]
    rows = library.database.read(
        "SELECT v.term, v.doc FROM json_each(?) j JOIN section_vocabulary v ON v.term = j.value", json.dumps(asked)
    )
    having = dict.fromkeys(asked, 0) | {row["term"]: row["doc"] for row in rows}
    return {term: math.log((sections + 1) / (count + 0.5)) for term, count in having.items()}


class _Wanted:
    """The values that a question names, and the units that it asks for (何m, 何年)."""

    def __init__(self, question: str) -> None:
        flat, _ = numerals.flatten(question)
        self._values = [(value, question[value.start : value.end]) for value in quantities.parse(question)]
        self._dates = dates.parse(question)
        self._units = {units.of(found["unit"]).name for found in _UNIT_ASKED.finditer(flat)}

    def discount(self, found: Evidence) -> float:
        """1, or less for what the passage lacks."""
        has_unit = not self._units or any(value.unit in self._units for value in found.quantities)
        has_values = all(found.holds(value, written) for value, written in self._values)
        has_dates = all(found.holds_date(date) for date in self._dates)
        return (1.0 if has_unit else _DISCOUNT) * (1.0 if has_values and has_dates else _DISCOUNT)
