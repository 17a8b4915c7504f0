"""Score one answer by rules, without a model, so that the same answer always gets the same scores.

Texts are compared after NFKC, without white space and Markdown's signs, with all wave dashes as one and in one case
(`comparable`), and without source marks ([1]).
* `must_include`: the share of the entries that the answer contains; of "a|b" one is enough. An entry that is one
  value with its unit, a range of two values, or one date also matches another spelling or unit, and 5 mm does not
  match 25 mm. The bound of a value may be missing, but not reversed: 50 cm以下 does not match 50 cm以上.
* `numbers`: the share of the answer's dates and values with a unit that the reference, the gold quotes or
  `must_include` contain, by the rules of the check against documents (`app.documents.grounding.evidence`). Values of
  the question, and counts of what the answer lists (3つ), are left out. None: no value is left, or there is no right
  answer.
* `char_f1`: the measure of llm-jp-eval, which is the `token_sort_ratio` of fuzzywuzzy. For Japanese this is twice the
  longest common subsequence divided by the sum of both lengths: F1 of the characters that both have in the same order.
  Unlike in llm-jp-eval, texts are made comparable first, words are not sorted, and percentages are not rounded.
* `is_exact`: the exact match of llm-jp-eval for comparable texts; a full stop at the end does not count.
* `citation`, `gold_cited`, `gold_rank`: measured by `app.documents.retrieval.retrieved_passages.contains_quote`, if the
  system has documents and the question has gold quotes. A source is cited if the answer names it or a sentence was
  matched to it.
* `has_abstained`: true by the verdict, or if the first sentence (after an apology or a heading) says so, no source
  supports a sentence, and the answer has no value that is not in the question.
* `score`: for an unanswerable question 1 if the answer has abstained, else 0. For other questions None without a right
  answer; 0 if the answer has abstained or is broken; else `must_include`, or without required words `char_f1`. A failed
  answer has no other measure; its score is 0 where another answer could have more.
The last part measures retrieval: the ranks at which the passages with the gold quotes are returned.
"""

import functools
import itertools
import re
import statistics
import time
import tomllib
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.base.paths import resources
from app.chat.batch.journal import BatchAnswer
from app.documents.grounding import answer_markup, claims, evidence, sentences, source_citations
from app.documents.records import Passage
from app.documents.retrieval import retrieved_passages
from app.documents.retrieval.retrieved_passages import normalize_quote, quote_rank
from app.documents.values import notation, quantities
from app.documents.values.notation import Date
from app.documents.values.quantities import Quantity
from app.evaluation.records import Question, RuleScores
from app.inference.scoring_files import is_looping


def score_answer(question: Question, result: BatchAnswer) -> RuleScores:
    if result.verdict == "failed":
        return RuleScores(score=0.0 if can_be_scored(question) else None)
    answer = answer_markup.CITED_MARK.sub("", result.answer)
    has_abstained = _has_abstained(question, result, answer)
    is_broken = not answer.strip() or result.verdict == "length" or is_looping(answer)
    must_include = _must_include(question, answer)
    char_f1 = similarity(comparable(answer), comparable(question.reference)) if question.reference.strip() else None
    citation, gold_cited, gold_rank = _gold_scores(question, result)
    return RuleScores(
        score=_score(question, must_include, char_f1, has_abstained=has_abstained, is_broken=is_broken),
        must_include=must_include,
        numbers=_numbers(question, answer),
        char_f1=char_f1,
        is_exact=_is_exact(question, answer),
        citation=citation,
        gold_cited=gold_cited,
        gold_rank=gold_rank,
        has_abstained=has_abstained,
        is_broken=is_broken,
    )


def abstains(text: str) -> bool:
    """Return whether a text says that the documents do not have the answer, and gives no value instead."""
    return _begins_with_abstention(text) and not _own_values(Question("", ""), text)


def can_be_scored(question: Question) -> bool:
    """Return whether rules can score an answer to the question.

    Questions without a right answer are left out, because their failed answers alone would get scores.
    """
    return not question.is_answerable or bool(question.reference.strip() or _entries(question))


def comparable(text: str) -> str:
    return retrieved_passages.normalize_quote(text).casefold()


def similarity(text: str, other: str) -> float:
    """Return twice the longest common subsequence divided by the sum of both lengths, 0 to 1; 1 for two empty texts.

    The length is computed on whole rows of bits (Hyyrö, Bit-Parallel LCS-length Computation Revisited, AWOCA 2004): a
    bit of `unmatched` is cleared where a character of `text` extends the subsequence.
    """
    if not text or not other:
        return float(text == other)
    places: dict[str, int] = {}
    for at, character in enumerate(text):
        places[character] = places.get(character, 0) | 1 << at
    everything = unmatched = (1 << len(text)) - 1
    for character in other:
        matching = unmatched & places.get(character, 0)
        unmatched = (unmatched + matching | unmatched - matching) & everything
    return 2 * (len(text) - unmatched.bit_count()) / (len(text) + len(other))


def _score(
    question: Question, must_include: float | None, char_f1: float | None, *, has_abstained: bool, is_broken: bool
) -> float | None:
    if not can_be_scored(question):
        return None
    if not question.is_answerable:
        return float(has_abstained)
    if has_abstained or is_broken:
        return 0.0
    return char_f1 if must_include is None else must_include


def _is_exact(question: Question, answer: str) -> bool | None:
    if not question.reference.strip():
        return None
    return comparable(answer).rstrip("。") == comparable(question.reference).rstrip("。")


# ------------------------------------------------------------------------ must_include


def _must_include(question: Question, answer: str) -> float | None:
    entries = _entries(question)
    if not entries:
        return None
    known = evidence.prepare_text(question.reference, *(gold.quote for gold in question.gold))
    return sum(any(_contains_entry(answer, entry, known) for entry in alternatives) for alternatives in entries) / len(
        entries
    )


def _entries(question: Question) -> list[list[str]]:
    """Return for each entry of `must_include` its alternatives, which the entry separates by "|"."""
    entries = ([one.strip() for one in entry.split("|") if one.strip()] for entry in question.must_include)
    return [found for found in entries if found]


def _contains_entry(answer: str, entry: str, source_evidence: evidence.Evidence) -> bool:
    """Return whether the answer contains the entry.

    `source_evidence`: the values in the right answer and the gold quotes.
    """
    entry_values, given = quantities.parse(entry), quantities.parse(answer)
    is_whole = bool(entry_values) and (entry_values[0].start, entry_values[-1].bound_end) == (0, len(entry))
    if is_whole and len(entry_values) == 1 and entry_values[0].unit:
        return any(_matches_value(entry_values[0], one) and not _has_other_bound(one, source_evidence) for one in given)
    if (
        is_whole
        and len(entry_values) == 2
        and entry_values[0].is_range_start
        and _contains_range((entry_values[0], entry_values[1]), given)
    ):
        return True
    for date in notation.parse_dates(entry):
        if (date.start, date.end) == (0, len(entry)):
            return any(date.is_in(one) for one in notation.with_years_filled(notation.parse_dates(answer)))
    text = comparable(entry)
    before = r"(?<!\d)(?<!\d\.)" if text[:1].isdigit() else ""
    behind = r"(?!\d|\.\d|,\d{3})" if text[-1:].isdigit() else ""
    return re.search(before + re.escape(text) + behind, comparable(answer)) is not None


def _contains_range(entry_range: tuple[Quantity, Quantity], answered: Sequence[Quantity]) -> bool:
    """Return whether the answer has both ends of the range in succession: 2倍から2.5倍 for 2～2.5倍."""
    return any(
        low.is_range_start and _matches_value(entry_range[0], low) and _matches_value(entry_range[1], high)
        for low, high in itertools.pairwise(answered)
    )


def _matches_value(expected: Quantity, answered: Quantity) -> bool:
    """Return whether the values are the same; a wanted value without a unit matches the number with any unit."""
    is_same = expected.is_same(answered) if expected.unit else expected.number == answered.number
    return is_same and expected.bound in ("", answered.bound)


def _has_other_bound(answered: Quantity, source_evidence: evidence.Evidence) -> bool:
    """Return whether the right answer has this value only with other bounds, such as 未満 instead of 以上."""
    bounds = {evidence.bound_of(one) for one in source_evidence.quantities if answered.is_same(one)} - {""}
    return bool(answered.bound and bounds) and answered.bound not in bounds


# ----------------------------------------------------------------------------- numbers


def _numbers(question: Question, answer: str) -> float | None:
    entries = itertools.chain.from_iterable(_entries(question))
    known = evidence.prepare_text(question.reference, *(gold.quote for gold in question.gold), *entries)
    if not question.reference.strip() and not question.gold and not known.values:
        return None
    held = [_is_held(known, one, answer) for one in _own_values(question, answer)]
    return sum(held) / len(held) if held else None


def _own_values(question: Question, answer: str) -> list[Quantity | Date]:
    """Return the answer's values with a unit, and its dates, that are not in the question."""
    of_question = evidence.prepare_text(question.text)
    values: list[Quantity | Date] = [one for one in quantities.parse(answer) if one.unit]
    values += notation.parse_dates(answer)
    return [one for one in values if not _is_held(of_question, one, answer)]


def _is_held(source_evidence: evidence.Evidence, value: Quantity | Date, answer: str) -> bool:
    if isinstance(value, Date):
        return source_evidence.holds_date(value)
    return evidence.is_own_count(value) or source_evidence.holds(value, answer[value.start : value.end])


# -------------------------------------------------------------------------- documents


def _gold_scores(question: Question, result: BatchAnswer) -> tuple[float | None, float | None, int | None]:
    """Return `citation`, `gold_cited` and `gold_rank`; None for all without documents or gold quotes."""
    quotes = [quote for gold in question.gold if (quote := retrieved_passages.normalize_quote(gold.quote))]
    if result.grounding is None or not quotes:
        return None, None, None
    texts = [retrieved_passages.normalize_quote(source.text) for source in result.grounding.sources]
    cited = [texts[number - 1] for number in source_citations.cited_sources(result.answer, result.grounding)]
    right = [any(retrieved_passages.contains_quote(text, quote) for quote in quotes) for text in cited]
    found = [any(retrieved_passages.contains_quote(text, quote) for text in cited) for quote in quotes]
    citation = sum(right) / len(right) if right else None
    # a prompt lists the sources in document order, so they are sorted by score here
    by_rank = sorted(range(len(texts)), key=lambda at: -result.sources[at].score)
    return citation, sum(found) / len(found), retrieved_passages.quote_rank([texts[at] for at in by_rank], quotes)


def _has_abstained(question: Question, result: BatchAnswer, answer: str) -> bool:
    if result.verdict == "not_in_documents":
        return True
    if not _begins_with_abstention(answer):
        return False
    stated = result.grounding.claims if result.grounding else ()
    return not any(claim.is_supported for claim in stated) and not _own_values(question, answer)


def _begins_with_abstention(answer: str) -> bool:
    plain_sentences = (
        unicodedata.normalize("NFKC", answer[one.start : one.end]) for one in sentences.split_sentences(answer)
    )
    preamble, abstaining = _patterns()
    first = next((one for one in plain_sentences if not preamble.search(one)), "")
    return any(pattern.search(first) for pattern in abstaining)


@functools.cache
def _patterns() -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...]]:
    """Return the pattern of a preamble, and those of an abstention."""
    data = tomllib.loads((resources() / "evaluation" / "marking.toml").read_text("utf-8"))
    preamble, *abstaining = (re.compile(one, re.IGNORECASE) for one in (data["preamble"], *data["abstaining"]))
    return preamble, (claims.NOT_FOUND, *abstaining)


RETRIEVAL_DEPTHS = (1, 3, 5, 10, 20)

PassageSearch = Callable[[str, int], Sequence[Passage]]  # question, number of passages -> passages


@dataclass(frozen=True, slots=True)
class RetrievalOutcome:
    """The result of one search.

    `rank`: rank from 1 by which all gold quotes were returned; 0: not all were returned.
    """

    question: Question
    rank: int
    seconds: float
    lengths: tuple[int, ...]  # length of each returned passage in characters


def measure_retrieval(questions: Sequence[Question], search: PassageSearch) -> list[RetrievalOutcome]:
    """Search for each question that has gold quotes, and measure rank and time."""
    found = []
    for question in questions:
        quotes = [quote for gold in question.gold if (quote := normalize_quote(gold.quote))]
        if quotes:
            started = time.perf_counter()
            passages = search(question.text, RETRIEVAL_DEPTHS[-1])
            seconds = time.perf_counter() - started
            texts = [normalize_quote(passage.section.text) for passage in passages]
            lengths = tuple(len(passage.section.text) for passage in passages)
            found.append(RetrievalOutcome(question, quote_rank(texts, quotes), seconds, lengths))
    return found


def retrieval_summary(outcomes: Sequence[RetrievalOutcome]) -> dict[str, Any]:
    """Return recall at each depth, mean reciprocal rank, and times in seconds.

    Recall is the share of questions with all gold quotes by that depth. Shares and ranks are None if there are no
    outcomes.
    """
    ranks = [outcome.rank for outcome in outcomes]
    recall = {f"recall_at_{depth}": _mean([0 < rank <= depth for rank in ranks]) for depth in RETRIEVAL_DEPTHS}
    times = sorted(outcome.seconds for outcome in outcomes)
    lengths = [length for outcome in outcomes for length in outcome.lengths]
    return {
        "questions": len(ranks),
        **recall,
        "mrr": _mean([1 / rank if rank else 0.0 for rank in ranks]),
        "seconds_median": round(statistics.median(times), 4) if times else 0.0,
        "seconds_p95": round(times[min(len(times) - 1, int(len(times) * 0.95))], 4) if times else 0.0,
        "passage_characters_median": int(statistics.median(lengths)) if lengths else 0,
    }


def retrieval_by_category(outcomes: Sequence[RetrievalOutcome]) -> dict[str, dict[str, Any]]:
    names = sorted({outcome.question.category for outcome in outcomes})
    return {
        name: retrieval_summary([one for one in outcomes if one.question.category == name]) for name in names if name
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None
