"""How long the texts are that will be trained on, where they are from, and which are of quite another length."""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.training.data.curation import TRAINED, Curation
from app.training.data.lengths import Lengths, measure

FENCE = 3.0  # quartile ranges beyond the quartiles: Tukey's outer fence (Exploratory Data Analysis, 1977)
LEAST_ROWS = 12  # of fewer nobody can say what is usual
OUTLIERS_MOST = 50
SHARES_MOST = 12  # named; the others are counted together
BARS = 16  # of a histogram, about


@dataclass(frozen=True, slots=True)
class Outlier:
    number: int  # of the item
    line: int
    characters: int  # of the answer
    question: str


@dataclass(frozen=True, slots=True)
class Share:
    """`name`: "" for rows without one; None for all that are not named."""

    name: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Characters. `bins`: answers that are no longer than a bound, and longer than the one before; `beyond`: than the
    last one. `outliers`: answers beyond the outer fences, the longest first. `groups`, `categories`: the largest first;
    () where no row has one."""

    rows: int
    questions: Lengths
    answers: Lengths
    bins: tuple[tuple[int, int], ...]
    beyond: int
    outliers: tuple[Outlier, ...]
    groups: tuple[Share, ...]
    categories: tuple[Share, ...]


def distribution(rows: Curation) -> Distribution | None:
    """Of the rows that count; None where there are none."""
    used = [(item, rows.row_of(item)) for item in rows.items if rows.state_of(item) in TRAINED]
    if not used:
        return None
    answers = [len(row.answer) for _, row in used]
    low, high = _fences(answers)
    outliers = [
        Outlier(item.number, row.line, length, row.question)
        for (item, row), length in zip(used, answers, strict=True)
        if not low <= length <= high
    ]
    outliers.sort(key=lambda one: (-one.characters, one.number))
    bins = _bins([length for length in answers if length <= high])
    return Distribution(
        rows=len(used),
        questions=measure([len(row.question) for _, row in used]),
        answers=measure(answers),
        bins=bins,
        beyond=sum(length > high for length in answers),
        outliers=tuple(outliers[:OUTLIERS_MOST]),
        groups=_shares([row.group for _, row in used]),
        categories=_shares([item.evidence.category if item.evidence else "" for item, _ in used]),
    )


def _fences(lengths: Sequence[int]) -> tuple[float, float]:
    if len(lengths) < LEAST_ROWS:
        return 0, max(lengths)
    lower, _, upper = statistics.quantiles(lengths, n=4)
    room = FENCE * (upper - lower)
    return lower - room, upper + room


def _bins(lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """All as wide as each other: 1, 2 or 5 of a power of ten."""
    width = round_up(max(lengths) / BARS)
    counts = Counter(-(-length // width) for length in lengths)
    return tuple((place * width, counts[place]) for place in range(1, max(counts) + 1))


def round_up(value: float) -> int:
    """To the next number that is 1, 2 or 5 of a power of ten; at least 1."""
    power = 1
    while True:
        for first in (1, 2, 5):
            if first * power >= value:
                return first * power
        power *= 10


def _shares(names: Sequence[str]) -> tuple[Share, ...]:
    counts = Counter(names)
    if set(counts) <= {""}:
        return ()
    named = sorted(counts.items(), key=lambda one: (one[0] == "", -one[1], one[0]))
    shown, rest = named[:SHARES_MOST], named[SHARES_MOST:]
    others = sum(count for _, count in rest)
    return (*(Share(name, count) for name, count in shown), *([Share(None, others)] if others else []))
