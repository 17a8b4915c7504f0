"""Summarize the rows of a draft: how many are used or excluded, which flaws they have, and how long the texts are.

The distribution covers only the rows that will be trained on: lengths and sources.
"""

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from app.training.data import personal
from app.training.data.check import LengthSummary, summarize_lengths
from app.training.data.curation import TRAINED_STATES, Curation
from app.training.data.rows import TrainingRow


@dataclass(frozen=True, slots=True)
class DataOverview:
    """Numbers of rows; all fields after `total` add up to it.

    `duplicates` and `flawed` rows are excluded until the user keeps them.
    """

    total: int
    used: int
    duplicates: int = 0
    flawed: int = 0
    undecided: int = 0
    rejected: int = 0
    unusable: int = 0  # lines of the file that could not be imported as rows


def count_rows(rows: Curation, unusable: int) -> DataOverview:
    counts = rows.counts
    flagged = [item for item in rows.items if item.flags]
    duplicates = sum("same_row" in item.flags and rows.state_of(item) == "left_out" for item in flagged)
    return DataOverview(
        total=len(rows.items) + unusable,
        used=sum(counts[state] for state in TRAINED_STATES),
        duplicates=duplicates,
        flawed=counts["left_out"] - duplicates,
        undecided=counts["undecided"],
        rejected=counts["rejected"],
        unusable=unusable,
    )


def personal_texts(row: TrainingRow, code: str) -> list[str]:
    """Return the row's personal details of the kind that `code` (one of `check.CODES`) names; [] if it names none."""
    kind = code.removeprefix("personal_")
    return [
        message.text[one.start : one.end]
        for message in row.messages
        for one in personal.find_personal(message.text)
        if one.kind == kind
    ]


FENCE = 3.0  # in interquartile ranges: Tukey's outer fence (Exploratory Data Analysis, 1977)
LEAST_ROWS = 12  # with fewer rows no length counts as unusual
SHARES_MOST = 12  # most sources listed by name; the others are summed up
HISTOGRAM_BARS = 16  # approximate number of bars


@dataclass(frozen=True, slots=True)
class SourceShare:
    """The rows of one source. `name`: "" for rows without a source; None for the sum of all sources not listed."""

    name: str | None
    rows: int


@dataclass(frozen=True, slots=True)
class DataDistribution:
    """Lengths in characters and sources of the rows that will be trained on.

    `bins`: pairs (upper bound, number of answers longer than the previous bound and up to this one); `beyond`: number
    of answers above the last bound, which is within Tukey's outer fence. `groups`, `categories`: numbers of rows, the
    largest first; () if no row has a group or category.
    """

    rows: int
    questions: LengthSummary
    answers: LengthSummary
    bins: tuple[tuple[int, int], ...]
    beyond: int
    groups: tuple[SourceShare, ...]
    categories: tuple[SourceShare, ...]


def measure_distribution(rows: Curation) -> DataDistribution | None:
    """Return the distribution of the rows that will be trained on; None if there are none."""
    used = [(item, rows.row_of(item)) for item in rows.items if rows.state_of(item) in TRAINED_STATES]
    if not used:
        return None
    answers = [len(row.answer) for _, row in used]
    high = _upper_fence(answers)
    bins = _bins([length for length in answers if length <= high])
    return DataDistribution(
        rows=len(used),
        questions=summarize_lengths([len(row.question) for _, row in used]),
        answers=summarize_lengths(answers),
        bins=bins,
        beyond=sum(length > high for length in answers),
        groups=_shares([row.group for _, row in used]),
        categories=_shares([item.evidence.category if item.evidence else "" for item, _ in used]),
    )


def _upper_fence(lengths: Sequence[int]) -> float:
    if len(lengths) < LEAST_ROWS:
        return max(lengths)
    lower, _, upper = statistics.quantiles(lengths, n=4)
    return upper + FENCE * (upper - lower)


def _bins(lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Count lengths in bins of equal width, which is 1, 2 or 5 times a power of ten."""
    width = _round_up(max(lengths) / HISTOGRAM_BARS)
    counts = Counter(-(-length // width) for length in lengths)
    return tuple((place * width, counts[place]) for place in range(1, max(counts) + 1))


def _round_up(value: float) -> int:
    """Return the smallest of 1, 2, 5, 10, 20, 50, … that is not below the value."""
    power = 1
    while True:
        for first in (1, 2, 5):
            if first * power >= value:
                return first * power
        power *= 10


def _shares(names: Sequence[str]) -> tuple[SourceShare, ...]:
    counts = Counter(names)
    if set(counts) <= {""}:
        return ()
    named = sorted(counts.items(), key=lambda one: (one[0] == "", -one[1], one[0]))
    shown, rest = named[:SHARES_MOST], named[SHARES_MOST:]
    others = sum(count for _, count in rest)
    return (*(SourceShare(name, count) for name, count in shown), *([SourceShare(None, others)] if others else []))
