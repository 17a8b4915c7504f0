"""How well passages are found: questions with the words that answer them, and the ranks at which those are returned.

A file of JSON lines; of each question `question` and `gold`, a list of `{"quote"}`: words of the documents, all of
which are needed. A question without `gold` is one whose answer is not there.
"""

import json
import math
import re
import statistics
import time
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.core.documents.records import Passage
from app.core.errors import AppError
from app.core.wording import phrase

DEPTHS = (1, 3, 5, 10, 20)
SHARE = 0.5  # of a quote in one piece, where it goes beyond a passage's end
BYTES_MAX = 100 << 20
_SIGNS = re.compile(r"[\s|>*\\^]")  # Markdown's, which a quote may still have
_WAVES = re.compile("[〜～–]")

Search = Callable[[str, int], Sequence[Passage]]  # question, how many


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    quotes: tuple[str, ...]  # normalized
    kind: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """`rank`: from 1, by which all quotes had been returned; 0: not among the `DEPTHS[-1]` looked at."""

    question: Question
    rank: int
    seconds: float
    lengths: tuple[int, ...]  # characters of the passages


def load(path: Path) -> list[Question]:
    """Raises AppError("question_file_missing" | "questions_unreadable")."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise _unreadable(path, "large", limit=f"{BYTES_MAX >> 20} MB")
        lines = path.read_text("utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise AppError("question_file_missing", path=str(path)) from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, "not_text") from error
    except OSError as error:
        raise _unreadable(path, "refused", detail=error.strerror or error) from error
    found = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            found.append(_question(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            reason = "not_json" if isinstance(error, json.JSONDecodeError) else "fields"
            raise _unreadable(path, reason, line=number) from error
    if not found:
        raise _unreadable(path, "empty")
    return found


def measure(questions: Sequence[Question], search: Search) -> list[Outcome]:
    """Of the questions that have an answer."""
    found = []
    for question in questions:
        if question.quotes:
            started = time.perf_counter()
            passages = search(question.text, DEPTHS[-1])
            seconds = time.perf_counter() - started
            texts = [normalized(passage.section.text) for passage in passages]
            lengths = tuple(len(passage.section.text) for passage in passages)
            found.append(Outcome(question, rank(texts, question.quotes), seconds, lengths))
    return found


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Recall at each depth (the share of questions whose quotes were all returned by then) and mean reciprocal rank."""
    ranks = [outcome.rank for outcome in outcomes]
    count = max(1, len(ranks))
    recall = {f"recall_at_{depth}": round(sum(0 < rank <= depth for rank in ranks) / count, 4) for depth in DEPTHS}
    times = sorted(outcome.seconds for outcome in outcomes)
    lengths = [length for outcome in outcomes for length in outcome.lengths]
    return {
        "questions": len(ranks),
        **recall,
        "mrr": round(sum(1 / rank for rank in ranks if rank) / count, 4),
        "seconds_median": round(statistics.median(times), 4) if times else 0.0,
        "seconds_p95": round(times[min(len(times) - 1, int(len(times) * 0.95))], 4) if times else 0.0,
        "passage_characters_median": int(statistics.median(lengths)) if lengths else 0,
    }


def by_kind(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Any]]:
    kinds = sorted({outcome.question.kind for outcome in outcomes})
    return {kind: summary([one for one in outcomes if one.question.kind == kind]) for kind in kinds if kind}


def normalized(text: str) -> str:
    return _WAVES.sub("~", _SIGNS.sub("", unicodedata.normalize("NFKC", text)))


def rank(texts: Sequence[str], quotes: Sequence[str]) -> int:
    """By which text, from 1, all quotes have been found; 0: not all are there. All normalized."""
    ranks = [next((at for at, text in enumerate(texts, 1) if holds(text, quote)), 0) for quote in quotes]
    return max(ranks, default=0) if all(ranks) else 0


def holds(text: str, quote: str) -> bool:
    """Whether a passage has the quote, or at least half of it in one piece. Both normalized."""
    if quote in text:
        return True
    length = max(1, math.ceil(len(quote) * SHARE))
    return any(quote[at : at + length] in text for at in range(len(quote) - length + 1))


def _unreadable(path: Path, reason: str, **facts: Any) -> AppError:
    return AppError("questions_unreadable", path=str(path), reason=phrase(f"questions_{reason}", **facts))


def _question(row: dict[str, Any]) -> Question:
    quotes = tuple(normalized(gold["quote"]) for gold in row.get("gold") or ())
    if not isinstance(row["question"], str) or not row["question"].strip() or not all(quotes):
        raise ValueError("question, gold")
    return Question(row["question"], quotes, str(row.get("type", "")), str(row.get("id", "")))
