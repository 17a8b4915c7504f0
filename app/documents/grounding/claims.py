"""Each sentence of an answer tied to the passages it is from, with what of it does not occur there.

A sentence is supported when most of its terms stand in its passages, no value, date or name is missing, none stands
there for another one among the same words, and the sentence that it repeats is not its opposite. Nothing is hidden or
changed: what is doubtful is marked. Whether a sentence follows from what it is made of is not judged.
"""

import re
from collections.abc import Sequence

from app.documents.grounding import evidence, names, sentences, source_marks
from app.documents.grounding.evidence import Evidence
from app.documents.grounding.grounding import Claim
from app.documents.grounding.sentences import Sentence
from app.documents.grounding.source_marks import CITED
from app.documents.records import Passage
from app.documents.values import dates, numerals, quantities

NOT_FOUND = re.compile(
    "資料(?:の中)?に(?:は|も)?(?:[^。]{0,20}?)(?:ありません|見当たりません|記載されていません|(?:記載|記述|情報)(?:は|が|も)ない(?:。|$))"
)
# Share of a sentence's terms in its passages from which it counts as taken from there. Of the 100 right answers of
# tests/documents/claims.toml the least has 0.50; of 2,400 pairs with another passage 97 % have less than 0.34.
COVERAGE_MIN = 0.4
_RETIED = 1.25  # another passage must fit this much better than the cited one
_GAIN_MIN = 0.15  # of terms, for a second passage
_TERMS_MIN = 4  # はい。 and the like say nothing that could be looked up
_LEAD_IN = re.compile(r"(?:[:：]|(?:以下|次)の(?:とおり|通り)(?:です|である|とする)?[。.]?)\s*$")


def check(answer: str, passages: Sequence[Passage], question: str = "") -> tuple[Claim, ...]:
    """The claims of an answer, in order. Headings, what leads to a list, and 資料にありません claim nothing."""
    sources = [evidence.of_passage(passage) for passage in passages]
    everything = evidence.union(sources)
    asked = evidence.of_text(question)
    found = sentences.split(answer)
    return tuple(
        _checked(answer, sentence, sources, everything, asked)
        for sentence in found
        if _claims_something(answer, sentence, found)
    )


def says_not_found(answer: str, claimed: Sequence[Claim]) -> bool:
    """Whether the answer says that the documents do not have it, and nothing else that they do have."""
    return NOT_FOUND.search(answer) is not None and not any(claim.is_supported for claim in claimed)


def _claims_something(answer: str, sentence: Sentence, all_of_them: Sequence[Sentence]) -> bool:
    text = answer[sentence.start : sentence.end]
    bare = CITED.sub("", text)
    has_value = bool(quantities.parse(bare) or dates.parse(bare))
    if sentence.kind == "heading" or _LEAD_IN.search(text) or (NOT_FOUND.search(text) and not has_value):
        return False
    if sentence.kind == "row":  # the first row of a table names its columns
        before = [one for one in all_of_them if one.end <= sentence.start]
        if not before or before[-1].kind != "row":
            return False
    return has_value or len(evidence.content_terms(bare)) >= _TERMS_MIN


def _checked(
    answer: str, sentence: Sentence, sources: Sequence[Evidence], everything: Evidence, asked: Evidence
) -> Claim:
    written = answer[sentence.start : sentence.end]
    text = CITED.sub(lambda found: " " * len(found.group()), written)
    wanted = evidence.content_terms(text)
    cited = [number - 1 for number in _cited(written) if 0 < number <= len(sources)]
    tied = _tied(text, wanted, cited, sources, asked)
    together = evidence.union([sources[at] for at in tied])
    missing = tuple(dict.fromkeys([*_missing(text, together, asked), *_exchanged(text, everything)]))
    is_covered = _coverage(wanted, together) >= COVERAGE_MIN or _is_foreign(text, together)
    is_supported = bool(tied) and is_covered and not missing and not together.denies(text)
    return Claim(written, sentence.start, sentence.end, tuple(at + 1 for at in tied), is_supported, missing)


def _tied(
    text: str, wanted: frozenset[str], cited: list[int], sources: Sequence[Evidence], asked: Evidence
) -> list[int]:
    """The cited passages, unless others fit much better or alone have all values; without a citation the best ones."""
    if not sources:
        return []
    ranked = sorted(range(len(sources)), key=lambda at: (-_fit(text, wanted, sources[at], asked), at))
    best = ranked[0]
    if cited:
        together = evidence.union([sources[at] for at in cited])
        own = _fit(text, wanted, together, asked)
        if _fit(text, wanted, sources[best], asked) <= own * _RETIED or _is_foreign(text, together):
            return sorted(set(cited))
    if _coverage(wanted, sources[best]) < COVERAGE_MIN / 2:
        return sorted(set(cited))
    for other in ranked[1:]:
        both = evidence.union([sources[best], sources[other]])
        if _fit(text, wanted, both, asked) - _fit(text, wanted, sources[best], asked) >= _GAIN_MIN:
            return sorted((best, other))
    return [best]


def _fit(text: str, wanted: frozenset[str], source: Evidence, asked: Evidence) -> float:
    """0 to 1: shares of the terms, less what of values and names is missing."""
    missing = len(_missing(text, source, asked))
    return _coverage(wanted, source) / (1 + missing)


def _coverage(wanted: frozenset[str], source: Evidence) -> float:
    """0 to 1: the share of the terms that the source has."""
    return len(wanted & source.terms) / len(wanted) if wanted else 1.0


def _missing(text: str, source: Evidence, asked: Evidence) -> list[str]:
    """Values, dates and names of a sentence that its source does not have, in order. Names may be the question's."""
    values, days = quantities.parse(text), dates.parse(text)
    found = [
        (value.start, text[value.start : value.bound_end])
        for value in values
        if not source.holds(value, text[value.start : value.end])
    ]
    found += [(day.start, text[day.start : day.end]) for day in days if not source.holds_date(day)]
    taken = [*((one.start, one.end) for one in values), *((one.start, one.end) for one in days)]
    known = source.searchable + "\n" + asked.searchable
    for name in names.parse(text):
        is_value = any(start < name.end and name.start < end for start, end in taken)
        if not is_value and not names.is_in(name, known):
            found.append((name.start, text[name.start : name.end]))
    return [written for _, written in sorted(found)]


def _exchanged(text: str, everything: Evidence) -> list[str]:
    """Values and dates in whose place the passages, in the same words, have others."""
    all_of_them = evidence.said(text)
    return [
        text[one.value.start : getattr(one.value, "bound_end", one.value.end)]
        for one in all_of_them
        if everything.says_otherwise(one, all_of_them)
    ]


def _is_foreign(text: str, source: Evidence) -> bool:
    """Whether the sentence is in English and the source is not: then terms cannot be compared, values can."""
    has_japanese = re.search("[ぁ-んァ-ヶ一-鿿]", text) is not None
    return not has_japanese and re.search("[ぁ-んァ-ヶ一-鿿]", source.searchable) is not None


def _cited(written: str) -> list[int]:
    return [number for mark in source_marks.find(numerals.flatten(written)[0]) for number in mark.numbers]
