"""Compare two systems over the same questions, separate differences from chance, and measure how far two raters agree.

Each question counts with its mean over all seeds. There is a difference only if the interval of the mean difference
excludes 0 both by question (`app.base.bootstrap`) and by group, because questions on one document are alike.
`tests/benchmarks/statistics.py` measures how often this finds a difference between equal and between different systems.
Agreement is measured by Cohen's kappa and Spearman's rank correlation.
"""

import dataclasses
import functools
import math
import operator
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.base import bootstrap
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.wording import phrase
from app.evaluation.records import Evaluation, Question, ResultRow, SystemResult

Verdict = Literal["better", "worse", "unclear"]
LEAST_DECIDED = 6  # decided votes; fewer may all be for one side by chance (sign test)
_CHANCE = 0.05
_EQUAL = 1e-9  # rounding difference of equal sums


@dataclass(frozen=True, slots=True)
class ComparedMeasure:
    """A measure of answers; higher is better.

    `value_of`: function that returns a row's value, or None without a value.
    """

    name: str
    value_of: Callable[[ResultRow], float | None]


@dataclass(frozen=True, slots=True)
class MeanScore:
    """The mean of a measure with its bootstrap intervals.

    `by_group`: the interval with the questions of a group drawn together; None: every question is its own group.
    `spread`: standard deviation of the seeds' means; None: there is one seed.
    """

    by_question: ConfidenceInterval
    by_group: ConfidenceInterval | None
    spread: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two systems by one measure, over the questions for which both have a value.

    `first_mean`, `second_mean`: mean value of each system. `by_question`, `by_group`: interval of the mean of second
    minus first, by question and by group as in MeanScore. `wins`, `losses`: number of questions that the second system
    answers better or worse. `verdict`: whether the second is better or worse. `left_out`: number of questions without a
    value of both. `is_voted`: the values come from votes, which may leave most questions undecided.
    """

    measure: str
    first_mean: float
    second_mean: float
    by_question: ConfidenceInterval
    by_group: ConfidenceInterval | None
    wins: int
    ties: int
    losses: int
    verdict: Verdict
    left_out: int = 0
    is_voted: bool = False

    @property
    def decided(self) -> int:
        return self.wins + self.losses

    @property
    def has_few(self) -> bool:
        """Return whether there are too few questions, or too few decided votes, for a verdict."""
        return self.by_question.units < LEAST_UNITS or (self.is_voted and self.decided < LEAST_DECIDED)

    @property
    def decides_by_group(self) -> bool:
        """Return whether the interval by group contains 0 and the interval by question does not."""
        is_grouped = self.by_group is not None and self.by_group.units >= LEAST_UNITS and self.by_group.holds_zero
        return is_grouped and not self.by_question.holds_zero

    @property
    def needed_questions(self) -> int | None:
        """Return how many questions would show this difference, with two significant digits; None if it is 0."""
        times = self.decisive.times_needed
        return None if times is None else int(float(f"{self.by_question.units * times:.1e}"))

    @property
    def decisive(self) -> ConfidenceInterval:
        """Return the interval that decides the verdict, by question or by group."""
        return self.by_group if self.decides_by_group and self.by_group is not None else self.by_question


def _rule_measure(name: str) -> ComparedMeasure:
    return ComparedMeasure(name, operator.attrgetter(f"marks.{name}"))


MEASURES = {
    measure.name: measure
    for measure in (
        *map(_rule_measure, ("score", "must_include", "numbers", "char_f1", "citation", "gold_cited")),
        ComparedMeasure("judge", lambda row: row.judgement.score if row.judgement else None),
    )
}


def best_value(measure: str) -> float:
    """Return the highest possible value of the measure of this name; the lowest one is 0."""
    return 3.0 if measure == "judge" else 1.0


def mean(result: SystemResult, questions: Iterable[Question], measure: ComparedMeasure) -> MeanScore | None:
    """Return a system's mean of a measure; None if no question has a value."""
    return means([result], list(questions), measure)[0]


def means(
    results: Sequence[SystemResult], questions: Sequence[Question], measure: ComparedMeasure
) -> list[MeanScore | None]:
    """Return `mean` of each system; faster than one after the other."""
    values = [by_question(result, measure) for result in results]
    known = [[question for question in questions if question.id in found] for found in values]
    rows = [[found[one.id] for one in of] for found, of in zip(values, known, strict=True)]
    intervals = _intervals(rows, known, (0.0, best_value(measure.name)))
    return [
        MeanScore(*interval, _deviation_over_seeds(result, of, measure)) if interval is not None else None
        for result, of, interval in zip(results, known, intervals, strict=True)
    ]


def measure_of(evaluation: Evaluation) -> ComparedMeasure:
    """Return the measure that decides: the judge's score if the judge is trusted, else the score by rules."""
    is_judged = evaluation.judge is not None and evaluation.judge.is_trusted
    return MEASURES["judge" if is_judged else "score"]


def value_of(evaluation: Evaluation, result: SystemResult, measure: ComparedMeasure) -> float | None:
    """Return a system's mean of a measure; None if no answer has a value."""
    found_mean = mean(result, evaluation.questions.questions, measure)
    return found_mean.by_question.mean if found_mean else None


def compare(
    first: SystemResult, second: SystemResult, questions: Sequence[Question], measure: ComparedMeasure
) -> Comparison | None:
    """Compare two systems; None if there is no question for which both have a value."""
    return compare_pairs([(first, second)], questions, measure)[0]


def compare_pairs(
    pairs: Sequence[tuple[SystemResult, SystemResult]], questions: Sequence[Question], measure: ComparedMeasure
) -> list[Comparison | None]:
    """Return `compare` of each pair of systems; faster than one after the other."""
    systems = {id(one): one for pair in pairs for one in pair}
    values = {key: by_question(one, measure) for key, one in systems.items()}
    return _compare_values(
        measure.name, [(values[id(first)], values[id(second)]) for first, second in pairs], questions
    )


def compare_values(
    name: str, before: Mapping[str, float], after: Mapping[str, float], questions: Sequence[Question]
) -> Comparison | None:
    """Compare the values of two systems, each by question id; None if they share no question. `name`: the measure."""
    return _compare_values(name, [(before, after)], questions)[0]


def _compare_values(
    name: str, pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]], questions: Sequence[Question]
) -> list[Comparison | None]:
    known = [[one for one in questions if one.id in before and one.id in after] for before, after in pairs]
    differences = [
        [after[one.id] - before[one.id] for one in of] for (before, after), of in zip(pairs, known, strict=True)
    ]
    intervals = _intervals(differences, known, (-best_value(name), best_value(name)))
    return [
        Comparison(
            name,
            statistics.fmean(before[one.id] for one in of),
            statistics.fmean(after[one.id] for one in of),
            *interval,
            wins=sum(difference > _EQUAL for difference in found),
            ties=sum(abs(difference) <= _EQUAL for difference in found),
            losses=sum(difference < -_EQUAL for difference in found),
            verdict=_verdict(*interval),
            left_out=len(questions) - len(of),
        )
        if interval is not None
        else None
        for (before, after), of, found, interval in zip(pairs, known, differences, intervals, strict=True)
    ]


def compare_votes(name: str, votes: Mapping[str, float], questions: Sequence[Question]) -> Comparison | None:
    """Compare votes by question id: above 0 for the second system, below 0 for the first, 0 for neither.

    The verdict must also pass the sign test, because the bootstrap overestimates few votes: for five equal votes its
    interval is a single point.
    """
    found = compare_values(name, dict.fromkeys(votes, 0.0), votes, questions)
    if found is None:
        return None
    verdict = found.verdict if sign_test(found.wins, found.losses) < _CHANCE else "unclear"
    return dataclasses.replace(found, verdict=verdict, is_voted=True)


def sign_test(wins: int, losses: int) -> float:
    """Return the probability that chance makes votes at least as uneven: exact, two-sided, without undecided votes."""
    count = wins + losses
    tail: int = sum(math.comb(count, at) for at in range(min(wins, losses) + 1))
    return min(1.0, tail / 2 ** (count - 1)) if count else 1.0


def comparison_sentence(comparison: Comparison, first: str, second: str) -> str:
    """Return a sentence on the result with the interval that decides it. `first`, `second`: names of the systems."""
    decisive = comparison.decisive
    key: str = comparison.verdict
    if comparison.has_few:
        key = "few" if decisive.units < LEAST_UNITS else "few_votes"
    elif comparison.decides_by_group:
        key = "unclear_groups"
    elif comparison.verdict == "unclear" and not decisive.holds_zero:
        key = "unclear_votes"
    needed = comparison.needed_questions
    if key in ("unclear", "unclear_groups") and needed is not None:
        key += "_needed"
    return phrase(
        f"evaluation.compared.{key}",
        first=first,
        second=second,
        measure=phrase(f"evaluation.measure.{comparison.measure}"),
        mean=signed(decisive.mean),
        low=signed(decisive.low),
        high=signed(decisive.high),
        units=decisive.units,
        least=LEAST_DECIDED if key == "few_votes" else LEAST_UNITS,
        wins=comparison.wins,
        losses=comparison.losses,
        decided=comparison.decided,
        needed=f"{needed:,}" if needed is not None else "",
    )


def signed(value: float) -> str:
    """Format with sign and three decimals, using a true minus sign; 0 has no sign."""
    text = f"{value:+.3f}".replace("-", "\u2212")
    return text if text.strip("+\u22120.") else text[1:]


def groups_of(questions: Sequence[Question]) -> list[str]:
    """Return the group of each question; [] if each question is its own group."""
    groups = [f"group {one.group}" if one.group else f"question {one.id}" for one in questions]
    return groups if len(set(groups)) < len(groups) else []


def _verdict(by_question: ConfidenceInterval, by_group: ConfidenceInterval | None) -> Verdict:
    """Return the verdict on the second system; with too few groups the interval by question decides alone."""
    is_grouped = by_group is not None and by_group.units >= LEAST_UNITS
    if by_question.holds_zero or (is_grouped and by_group is not None and by_group.holds_zero):
        return "unclear"
    return "worse" if by_question.mean < 0 else "better"


def _intervals(
    values: Sequence[Sequence[float]], questions: Sequence[Sequence[Question]], bounds: tuple[float, float]
) -> list[tuple[ConfidenceInterval, ConfidenceInterval | None] | None]:
    """Return the interval by question of each list of values, and that by group.

    `questions`: those of each list's values. `bounds`: the least and the greatest possible value. None for an empty
    list; the interval by group is None if each question is its own group.
    """
    found: list[tuple[ConfidenceInterval, ConfidenceInterval | None] | None] = [None] * len(values)
    alike: dict[tuple[str, ...], list[int]] = {}  # the lists that have the same questions are drawn together
    for at, of in enumerate(questions):
        alike.setdefault(tuple(one.id for one in of), []).append(at)
    for ids, places in alike.items():
        if ids:
            groups, rows = tuple(groups_of(questions[places[0]])), tuple(tuple(values[at]) for at in places)
            of_questions = _kept_intervals(rows, (), bounds)
            of_groups = _kept_intervals(rows, groups, bounds) if groups else [None] * len(rows)
            for at, one, other in zip(places, of_questions, of_groups, strict=True):
                found[at] = (one, other)
    return found


@functools.lru_cache(maxsize=128)  # a result needs 25: it shows them in several places, and when it is opened again
def _kept_intervals(
    rows: tuple[tuple[float, ...], ...], groups: tuple[str, ...], bounds: tuple[float, float]
) -> list[ConfidenceInterval]:
    return bootstrap.mean_intervals(rows, groups, bounds)


def by_question(result: SystemResult, measure: ComparedMeasure) -> dict[str, float]:
    """Return for each question id the mean of its values over the seeds."""
    found: dict[str, list[float]] = {}
    for row in result.rows:
        if (value := measure.value_of(row)) is not None:
            found.setdefault(row.question_id, []).append(value)
    return {question: statistics.fmean(values) if len(values) > 1 else values[0] for question, values in found.items()}


def _deviation_over_seeds(
    result: SystemResult, questions: Sequence[Question], measure: ComparedMeasure
) -> float | None:
    if len({row.seed for row in result.rows}) < 2:
        return None
    ids = {question.id for question in questions}
    by_seed: dict[int, list[float]] = {}
    for row in result.rows:
        if row.question_id in ids and (value := measure.value_of(row)) is not None:
            by_seed.setdefault(row.seed, []).append(value)
    return statistics.stdev(map(statistics.fmean, by_seed.values())) if len(by_seed) > 1 else None


def kappa(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Cohen's kappa of two ratings of the same things: 1 is agreement, 0 is chance, below 0 is less than chance.

    A disagreement weighs the square of the distance of the two ratings: 1 - (mean weight of the pairs) / (mean weight
    of all pairs of a first and a second rating). Cohen, Psychological Bulletin 70, 1968. None if undefined: nothing was
    rated, or both gave everything the same rating.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if one.shape != other.shape:
        raise ValueError("ratings of different things")
    if not one.size:
        return None
    ones, one_counts = np.unique(one, return_counts=True)
    others, other_counts = np.unique(other, return_counts=True)
    by_chance = one_counts @ (ones[:, None] - others[None, :]) ** 2 @ other_counts / one.size**2
    return 1 - float(((one - other) ** 2).mean() / by_chance) if by_chance else None


def spearman(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rho, -1 to 1; equal values share their mean rank (Kendall 1948, Rank Correlation Methods).

    None if undefined: fewer than two pairs, or one side is constant.
    """
    one, other = _ranks(first), _ranks(second)
    if one.shape != other.shape:
        raise ValueError("values of different things")
    middle = (one.size + 1) / 2  # mean of all ranks
    one, other = one - middle, other - middle
    scale = float(np.sqrt((one @ one) * (other @ other)))
    return float(one @ other) / scale if scale else None


def _ranks(values: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return ranks from 1; equal values get their mean."""
    _, which, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[which]
