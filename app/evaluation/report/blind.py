"""A person's blind comparison of two systems: which answer is better, without knowing whose it is.

Order and sides are drawn from the ids, so that they are the same whenever the study is opened. Which system is A
changes from question to question, as often the one as the other. How far the person agrees with the judge is Cohen's
kappa of the two preferences.
"""

import hashlib
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from app.base.bootstrap import ConfidenceInterval
from app.evaluation.judge import agreement, comparing
from app.evaluation.judge.comparing import Comparison, Measure
from app.evaluation.records import Question
from app.evaluation.report import advice
from app.evaluation.report.blind_file import BlindFile, Retracted, Revealed, Vote, Voted
from app.evaluation.report.pairing import GAINS
from app.evaluation.results import Evaluation, Row, System, SystemResult

LEAST_ANSWERS = 30  # of which both a person and the judge said something, before kappa is shown
Verdict = Literal["few", "unclear", "first", "second"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers to a question; `a_system`, `b_system`: ids of whose they are."""

    question: Question
    a: str
    b: str
    a_system: str
    b_system: str


@dataclass(frozen=True, slots=True)
class Pairing:
    """Two systems in the order of the evaluation, and what they answered with the first seed.

    `equal`: questions left out because both answers are the same. `judged`: by the question's id, what the judge
    prefers: 1 the second system, -1 the first, 0 neither. `basis`: of that, its judgement of pairs, or its scores.
    """

    first: System
    second: System
    pairs: tuple[Pair, ...]
    equal: int
    judged: Mapping[str, float]
    basis: Literal["", "pairs", "scores"]  # "": nobody judged


@dataclass(frozen=True, slots=True)
class Agreement:
    """`n`: blind votes on which the judge too has a preference, `same`: of them those with the same one. `most`: what
    `n` can become. `kappa`: quadratic weights; None: not enough, or not defined (both always preferred the same one).
    """

    n: int
    same: int
    most: int
    kappa: float | None
    has_judge: bool

    @property
    def wanting(self) -> int:
        """How many are missing until kappa is shown."""
        return max(0, LEAST_ANSWERS - self.n)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`difference`: mean over the questions of 1 (second preferred), -1 (first), 0 (neither); the interval that
    decides. `when_open`: votes that were given when the names were known. They are among the counts, but not in
    `decided` (blind votes for one of both), `difference`, `verdict` and `agreement`."""

    first: System
    second: System
    n: int
    first_wins: int
    second_wins: int
    same: int
    both_wrong: int
    when_open: int
    decided: int
    difference: ConfidenceInterval | None  # None: no blind vote
    verdict: Verdict
    agreement: Agreement


def suggested(found: Evaluation) -> tuple[str, str] | None:
    """Ids of the first system and the best of the others; None where there are no two."""
    if len(found.systems) < 2:
        return None
    measure = advice.measure_of(found)
    first, *others = found.systems
    best = max(others, key=lambda one: _mean(one, measure))
    return first.system.id, best.system.id


def pairing(found: Evaluation, one: str, other: str) -> Pairing:
    """`one`, `other`: ids of systems, in either order."""
    first, second = (result for result in found.systems if result.system.id in (one, other))
    before, after = _first_rows(found, first), _first_rows(found, second)
    both = [question for question in found.questions.questions if question.id in before and question.id in after]
    told = [question for question in both if before[question.id].answer.strip() != after[question.id].answer.strip()]
    seed = (found.id, first.system.id, second.system.id)
    by_side = sorted(told, key=lambda question: _drawn("side", *seed, question.id))
    turned = {question.id for question in by_side[: len(told) // 2]}
    pairs = tuple(
        _pair(question, first, second, before, after, is_turned=question.id in turned)
        for question in sorted(told, key=lambda question: _drawn("order", *seed, question.id))
    )
    judged, basis = _judged(found, first, second, before, after)
    return Pairing(first.system, second.system, pairs, len(both) - len(told), judged, basis)


class BlindComparison:
    """A pairing with its votes, in the order in which the questions are shown."""

    def __init__(self, pairing: Pairing, kept: BlindFile) -> None:
        self.pairing = pairing
        self._kept = kept
        self._ids = [pair.question.id for pair in pairing.pairs]

    @property
    def votes(self) -> tuple[Voted, ...]:
        """Those that stand; the newest is the last. Those on questions that are not compared any more do not count."""
        known = set(self._ids)
        kept = self._kept.votes(self.pairing.first.id, self.pairing.second.id)
        return tuple(one for one in kept if one.question in known)

    @property
    def current(self) -> Pair | None:
        """The next one to be decided."""
        done = {one.question for one in self.votes}
        return next((pair for pair in self.pairing.pairs if pair.question.id not in done), None)

    @property
    def is_revealed(self) -> bool:
        """Whether the names may be shown: somebody has seen them, or everything is decided."""
        return self._is_told or (bool(self._ids) and self.current is None)

    @property
    def agreement(self) -> Agreement:
        return agreement_of(self.pairing, self.votes, is_revealed=self.is_revealed)

    def vote(self, vote: Vote) -> None:
        """On the current pair. With the last one the names are shown. Raises AppError as `BlindFile.add`."""
        pair = self.current
        if pair is None:
            return
        voted = Voted(pair.question.id, vote, pair.a_system, pair.b_system, self._is_told)
        is_last = len(self.votes) + 1 == len(self._ids)
        self._kept.add(voted, *([self._told] if is_last and not self._is_told else []))

    def undo(self) -> None:
        """Takes the newest vote back; its pair is the current one then. Raises AppError as `BlindFile.add`."""
        if self.votes:
            last = self.votes[-1]
            self._kept.add(Retracted(last.question, last.a, last.b))

    def reveal(self) -> None:
        """Raises AppError as `BlindFile.add`."""
        if not self._is_told:
            self._kept.add(self._told)

    @property
    def _is_told(self) -> bool:
        return self._kept.is_revealed(self.pairing.first.id, self.pairing.second.id)

    @property
    def _told(self) -> Revealed:
        return Revealed(self.pairing.first.id, self.pairing.second.id)


def outcome(pairing: Pairing, votes: Sequence[Voted]) -> Outcome:
    """With the names. Takes a moment for hundreds of votes: the interval is drawn 10,000 times."""
    gains = [_gain(one, pairing.second.id) for one in votes]
    kinds = [one.vote for one in votes]
    compared = comparing.compare_votes("blind", _gains(pairing, votes), [pair.question for pair in pairing.pairs])
    return Outcome(
        pairing.first,
        pairing.second,
        len(votes),
        first_wins=sum(gain < 0 for gain in gains),
        second_wins=sum(gain > 0 for gain in gains),
        same=kinds.count("same"),
        both_wrong=kinds.count("both_wrong"),
        when_open=sum(one.is_open for one in votes),
        decided=compared.decided if compared else 0,
        difference=compared.decisive if compared else None,
        verdict=_verdict(compared),
        agreement=agreement_of(pairing, votes, is_revealed=True),
    )


def agreement_of(pairing: Pairing, votes: Sequence[Voted], *, is_revealed: bool = False) -> Agreement:
    """`is_revealed`: no vote can be blind any more."""
    gains = _gains(pairing, votes)
    both = [(gain, pairing.judged[id]) for id, gain in gains.items() if id in pairing.judged]
    most = len(both) if is_revealed else sum(pair.question.id in pairing.judged for pair in pairing.pairs)
    kappa = agreement.kappa(*zip(*both, strict=True)) if len(both) >= LEAST_ANSWERS else None
    same = sum(gain == judged for gain, judged in both)
    return Agreement(len(both), same, most, kappa, has_judge=bool(pairing.basis))


# ------------------------------------------------------------------------- private


def _mean(one: SystemResult, measure: Measure) -> float:
    """Without the interval, which takes its time; 0 where nothing has a value."""
    values = [value for row in one.rows if (value := measure.of(row)) is not None]
    return statistics.fmean(values) if values else 0.0


def _first_rows(found: Evaluation, one: SystemResult) -> dict[str, Row]:
    return {row.question_id: row for row in one.rows if row.seed in found.seeds[:1]}


def _pair(
    question: Question,
    first: SystemResult,
    second: SystemResult,
    before: Mapping[str, Row],
    after: Mapping[str, Row],
    *,
    is_turned: bool,
) -> Pair:
    """`is_turned`: A is the second system's."""
    a, b = before[question.id].answer.strip(), after[question.id].answer.strip()
    if is_turned:
        return Pair(question, b, a, second.system.id, first.system.id)
    return Pair(question, a, b, first.system.id, second.system.id)


def _drawn(*parts: str) -> str:
    """A number that looks drawn by chance; the same for the same parts, in every version of Python."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _judged(
    found: Evaluation, first: SystemResult, second: SystemResult, before: Mapping[str, Row], after: Mapping[str, Row]
) -> tuple[dict[str, float], Literal["", "pairs", "scores"]]:
    if found.judge is None:
        return {}, ""
    if first is found.systems[0]:
        asked = [one for one in found.preferences if one.system_id == second.system.id and one.seed in found.seeds[:1]]
        if asked:
            return {one.question_id: GAINS[one.winner] for one in asked if one.winner is not None}, "pairs"
    scores = ({id: row.judgement.score for id, row in rows.items() if row.judgement} for rows in (before, after))
    one, other = ({id: score for id, score in side.items() if score is not None} for side in scores)
    return {id: float((other[id] > one[id]) - (other[id] < one[id])) for id in one.keys() & other.keys()}, "scores"


def _gains(pairing: Pairing, votes: Sequence[Voted]) -> dict[str, float]:
    """Of blind votes, by the question's id: 1 the second system is preferred, -1 the first."""
    return {one.question: _gain(one, pairing.second.id) for one in votes if not one.is_open}


def _gain(voted: Voted, second: str) -> float:
    if voted.vote not in ("a_better", "b_better"):
        return 0.0
    return 1.0 if second == (voted.a if voted.vote == "a_better" else voted.b) else -1.0


def _verdict(compared: Comparison | None) -> Verdict:
    if compared is None or compared.has_few:
        return "few"
    verdicts: dict[str, Verdict] = {"better": "second", "worse": "first"}
    return verdicts.get(compared.verdict, "unclear")
