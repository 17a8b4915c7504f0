"""How well passages are found: the ranks at which those that hold the gold quotes of questions are returned."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.documents.records import Passage
from app.documents.retrieval.retrieved_passages import normalize_quote, quote_rank
from app.evaluation.records import Question

DEPTHS = (1, 3, 5, 10, 20)

Search = Callable[[str, int], Sequence[Passage]]  # question, how many


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rank`: from 1, by which all quotes had been returned; 0: not among the `DEPTHS[-1]` looked at."""

    question: Question
    rank: int
    seconds: float
    lengths: tuple[int, ...]  # characters of the passages


def measure(questions: Sequence[Question], search: Search) -> list[Outcome]:
    """Of the questions with gold quotes."""
    found = []
    for question in questions:
        quotes = [quote for gold in question.gold if (quote := normalize_quote(gold.quote))]
        if quotes:
            started = time.perf_counter()
            passages = search(question.text, DEPTHS[-1])
            seconds = time.perf_counter() - started
            texts = [normalize_quote(passage.section.text) for passage in passages]
            lengths = tuple(len(passage.section.text) for passage in passages)
            found.append(Outcome(question, quote_rank(texts, quotes), seconds, lengths))
    return found


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Recall at each depth (the share of questions whose quotes were all returned by then) and mean reciprocal rank;
    None where no question has quotes."""
    ranks = [outcome.rank for outcome in outcomes]
    recall = {f"recall_at_{depth}": _mean([0 < rank <= depth for rank in ranks]) for depth in DEPTHS}
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


def by_category(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    names = sorted({outcome.question.category for outcome in outcomes})
    return {name: summary([one for one in outcomes if one.question.category == name]) for name in names if name}


def _mean(values: Sequence[float]) -> float | None:
    return round(statistics.fmean(values), 4) if values else None
