"""Compare two systems blind: a person chooses between answers without names, and the votes are stored.

Order and sides are derived from the ids, so that they are the same whenever the study is opened. Each system is A for
half of the questions. The agreement with the judge is Cohen's kappa of the two preferences.
`blind.jsonl` in a study's folder stores each vote at once. Lines are only added; a retraction is a line too. The lock
is held only while a line is added, so that a study with an open comparison can still be moved to the bin. A process
that has not seen the newest line cannot add one.
"""

import hashlib
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import filelock

from app.base import json_lines
from app.base.bootstrap import ConfidenceInterval, share_interval
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.output_file import drive_error, drive_errors, sync_folder, write_atomically
from app.base.wording import phrase
from app.evaluation.judge import paired_statistics
from app.evaluation.judge.paired_statistics import ComparedMeasure, Comparison
from app.evaluation.records import Evaluation, Question, ResultRow, System, SystemResult
from app.evaluation.report.scoring import GAINS

Vote = Literal["a_better", "b_better", "same", "both_wrong"]
VOTES: tuple[Vote, ...] = get_args(Vote)
BLIND_FILE_VERSION = 1
FILE, LOCK = "blind.jsonl", "blind.lock"


@dataclass(frozen=True, slots=True)
class Begun:
    """The first line of `blind.jsonl`, which has the version of the format."""

    version: int = BLIND_FILE_VERSION


@dataclass(frozen=True, slots=True)
class Voted:
    """A vote on a question. `a`, `b`: ids of the systems shown as A and B.

    `is_open`: their names had been revealed before.
    """

    question: str  # id of the question
    vote: Vote
    a: str
    b: str
    is_open: bool = False
    at: float = field(default_factory=time.time)  # seconds since 1970 (UTC)


@dataclass(frozen=True, slots=True)
class Retracted:
    """The event that a vote on a question for two systems was retracted."""

    question: str
    a: str
    b: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Revealed:
    """The event that the names of these two systems were revealed."""

    a: str
    b: str
    at: float = field(default_factory=time.time)


BlindEvent = Voted | Retracted | Revealed
_KINDS: dict[str, type[Begun | BlindEvent]] = {
    "Begun": Begun, "Voted": Voted, "Retracted": Retracted, "Revealed": Revealed
}  # fmt: skip


class BlindFile:
    """The votes of a study for every pair of systems; the order of the two in a pair does not matter."""

    def __init__(self, folder: Path) -> None:
        """Read the votes from a study's folder. Raises AppError("blind_damaged")."""
        self.path = folder / FILE
        self._votes: dict[frozenset[str], dict[str, Voted]] = {}
        self._revealed: set[frozenset[str]] = set()
        try:
            raw = strict_json.read_bytes(self.path) if self.path.exists() else b""
            self._seen_bytes = len(raw)
            self._lines = raw[: raw.rfind(b"\n") + 1]  # an incomplete last line is dropped
            for entry in _read_events(self._lines):
                self._apply_event(entry)
        except (OSError, ValueError, TypeError) as error:
            raise AppError("blind_damaged", path=str(self.path), reason=str(error)[:200]) from error

    def votes(self, system_id: str, other_id: str) -> tuple[Voted, ...]:
        """Return the votes on two systems, without retracted ones, newest last."""
        return tuple(self._votes.get(frozenset((system_id, other_id)), {}).values())

    def is_revealed(self, system_id: str, other_id: str) -> bool:
        return frozenset((system_id, other_id)) in self._revealed

    def add(self, *entries: BlindEvent) -> None:
        """Add lines, all of them or none; they are on the disk when this returns. The file is small, and written anew.

        Raises AppError: "blind_busy" or "blind_changed" if another process adds or has added lines (the file must be
        read again), "blind_unwritable" | "drive_space" | "drive_file_limit".
        """
        head = () if self._lines else (Begun(),)
        lines = self._lines + b"".join(map(json_lines.encode_line, (*head, *entries)))
        with self._locked(), drive_errors(self.path.parent, "blind_unwritable"):
            size = self.path.stat().st_size if self._seen_bytes or self.path.exists() else 0
            if size != self._seen_bytes:
                raise AppError("blind_changed")
            write_atomically(self.path, lines)
            sync_folder(self.path.parent)
        self._lines, self._seen_bytes = lines, len(lines)
        for entry in entries:
            self._apply_event(entry)

    def _apply_event(self, entry: BlindEvent) -> None:
        pair = frozenset((entry.a, entry.b))
        votes = self._votes.setdefault(pair, {})
        match entry:
            case Voted():
                votes.pop(entry.question, None)
                votes[entry.question] = entry
            case Retracted():
                votes.pop(entry.question, None)
            case Revealed():
                self._revealed.add(pair)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            lock = work_folder.acquire_lock(self.path.with_name(LOCK))
        except filelock.Timeout as error:
            raise AppError("blind_busy") from error
        except OSError as error:
            raise drive_error(error, self.path.parent, "blind_unwritable") from error
        try:
            yield
        finally:
            lock.release()


def _read_events(raw: bytes) -> Iterator[BlindEvent]:
    """Read the lines after the first one. Raises ValueError for lines that this version cannot have written."""
    for number, line in enumerate(raw.splitlines()):
        entry = json_lines.decode(line, _KINDS)
        if isinstance(entry, Begun) != (number == 0) or (
            isinstance(entry, Begun) and entry.version != BLIND_FILE_VERSION
        ):
            raise ValueError("another version")
        if not isinstance(entry, Begun):
            yield entry


LEAST_ANSWERS = 30  # least number of answers with a vote and a judge's preference for showing kappa
Verdict = Literal["few", "unclear", "first", "second"]


@dataclass(frozen=True, slots=True)
class BlindPair:
    """Two answers to a question, shown as A and B. `a_system`, `b_system`: ids of their systems."""

    question: Question
    a: str
    b: str
    a_system: str
    b_system: str


@dataclass(frozen=True, slots=True)
class BlindPairing:
    """Two systems in the order of the evaluation, with their answers of the first seed.

    `equal`: number of questions left out because both answers are the same. `judged`: the judge's preference by
    question id: 1 the second system, -1 the first, 0 neither. `basis`: whether the preference comes from judged pairs
    or from scores.
    """

    first: System
    second: System
    pairs: tuple[BlindPair, ...]
    equal: int
    judged: Mapping[str, float]
    basis: Literal["", "pairs", "scores"]  # "": there was no judge


@dataclass(frozen=True, slots=True)
class JudgeAgreement:
    """The agreement of a person with the judge.

    `n`: number of blind votes for which the judge has a preference. `same_votes`: number of those votes that agree with
    the judge. `most`: the largest `n` that is still possible. `kappa`: Cohen's kappa with quadratic weights; None: too
    few votes, or undefined (both always preferred the same system).
    """

    n: int
    same_votes: int
    most: int
    kappa: float | None
    has_judge: bool

    @property
    def missing_votes(self) -> int:
        """Return the number of votes that are missing until kappa is shown."""
        return max(0, LEAST_ANSWERS - self.n)


@dataclass(frozen=True, slots=True)
class BlindOutcome:
    """The result of a blind comparison.

    `difference`: mean over the questions of 1 (second preferred), -1 (first) and 0 (neither), with the interval that
    decides. `when_open`: number of votes given after the names were revealed. They are among the counts, but not in
    `decided` (number of blind votes for one of both), `difference`, `second_rate` (share of the decided ones that
    prefer the second), `verdict` and `agreement`.
    """

    first: System
    second: System
    n: int
    first_wins: int
    second_wins: int
    ties: int
    both_wrong: int
    when_open: int
    decided: int
    difference: ConfidenceInterval | None  # None: no blind vote
    verdict: Verdict
    agreement: JudgeAgreement
    second_rate: ConfidenceInterval | None  # 0 to 1, with Wilson's interval; None: too few votes


def suggested_systems(evaluation: Evaluation) -> tuple[str, str] | None:
    """Return the ids of the first system and the best of the others; None if there are fewer than two."""
    if len(evaluation.systems) < 2:
        return None
    measure = paired_statistics.measure_of(evaluation)
    first, *others = evaluation.systems
    best = max(others, key=lambda one: _mean(one, measure))
    return first.system.id, best.system.id


def blind_pairing(evaluation: Evaluation, system_id: str, other_id: str) -> BlindPairing:
    """Pair the answers of two systems. `system_id`, `other_id`: their ids, in either order."""
    first, second = (result for result in evaluation.systems if result.system.id in (system_id, other_id))
    before, after = _first_rows(evaluation, first), _first_rows(evaluation, second)
    both = [question for question in evaluation.questions.questions if question.id in before and question.id in after]
    different = [question for question in both if before[question.id].shown_answer != after[question.id].shown_answer]
    seed = (evaluation.id, first.system.id, second.system.id)
    by_side = sorted(different, key=lambda question: _drawn("side", *seed, question.id))
    turned = {question.id for question in by_side[: len(different) // 2]}
    pairs = tuple(
        _pair(question, first, second, before, after, is_turned=question.id in turned)
        for question in sorted(different, key=lambda question: _drawn("order", *seed, question.id))
    )
    judged, basis = _judged(evaluation, first, second, before, after)
    return BlindPairing(first.system, second.system, pairs, len(both) - len(different), judged, basis)


class BlindComparison:
    """A blind comparison: the pairs in the order in which they are shown, and the votes so far."""

    def __init__(self, pairing: BlindPairing, blind_file: BlindFile) -> None:
        self.pairing = pairing
        self._blind_file = blind_file
        self._ids = [pair.question.id for pair in pairing.pairs]

    @property
    def votes(self) -> tuple[Voted, ...]:
        """Return the votes that were not retracted, newest last.

        Votes on questions that the pairing no longer has are left out.
        """
        known = set(self._ids)
        kept = self._blind_file.votes(self.pairing.first.id, self.pairing.second.id)
        return tuple(one for one in kept if one.question in known)

    @property
    def current(self) -> BlindPair | None:
        """Return the next pair to decide; None if every pair is decided."""
        done = {one.question for one in self.votes}
        return next((pair for pair in self.pairing.pairs if pair.question.id not in done), None)

    @property
    def is_revealed(self) -> bool:
        """Return whether the names may be shown, because they were revealed or every pair is decided."""
        return self._names_were_shown or (bool(self._ids) and self.current is None)

    @property
    def agreement(self) -> JudgeAgreement:
        return agreement_of(self.pairing, self.votes, is_revealed=self.is_revealed)

    def vote(self, vote: Vote) -> None:
        """Vote on the current pair; the last vote reveals the names. Raises AppError as `BlindFile.add`."""
        pair = self.current
        if pair is None:
            return
        voted = Voted(pair.question.id, vote, pair.a_system, pair.b_system, self._names_were_shown)
        is_last = len(self.votes) + 1 == len(self._ids)
        self._blind_file.add(voted, *([self._reveal_event] if is_last and not self._names_were_shown else []))

    def undo(self) -> None:
        """Retract the newest vote, so that its pair is the current one again. Raises AppError as `BlindFile.add`."""
        if self.votes:
            last = self.votes[-1]
            self._blind_file.add(Retracted(last.question, last.a, last.b))

    def reveal(self) -> None:
        """Reveal the names of the systems. Raises AppError as `BlindFile.add`."""
        if not self._names_were_shown:
            self._blind_file.add(self._reveal_event)

    @property
    def _names_were_shown(self) -> bool:
        return self._blind_file.is_revealed(self.pairing.first.id, self.pairing.second.id)

    @property
    def _reveal_event(self) -> Revealed:
        return Revealed(self.pairing.first.id, self.pairing.second.id)


def blind_outcome(pairing: BlindPairing, votes: Sequence[Voted]) -> BlindOutcome:
    """Return the result of a blind comparison.

    Takes a moment for hundreds of votes, because the interval is drawn 10,000 times.
    """
    gains = [_gain(vote, pairing.second.id) for vote in votes]
    decided = [gain > 0 for gain in _gains(pairing, votes).values() if gain]
    kinds = [vote.vote for vote in votes]
    compared = paired_statistics.compare_votes(
        "blind", _gains(pairing, votes), [pair.question for pair in pairing.pairs]
    )
    return BlindOutcome(
        pairing.first,
        pairing.second,
        len(votes),
        first_wins=sum(gain < 0 for gain in gains),
        second_wins=sum(gain > 0 for gain in gains),
        ties=kinds.count("same"),
        both_wrong=kinds.count("both_wrong"),
        when_open=sum(vote.is_open for vote in votes),
        decided=compared.decided if compared else 0,
        difference=compared.decisive if compared else None,
        verdict=_verdict(compared),
        agreement=agreement_of(pairing, votes, is_revealed=True),
        second_rate=share_interval(decided) if decided and _verdict(compared) != "few" else None,
    )


def rate_text(rate: ConfidenceInterval) -> str:
    share, low, high = (f"{100 * value:.0f}\u00a0%" for value in (rate.mean, rate.low, rate.high))
    return phrase("evaluation.blind_win_rate", share=share, low=low, high=high, n=rate.units)


def agreement_of(pairing: BlindPairing, votes: Sequence[Voted], *, is_revealed: bool = False) -> JudgeAgreement:
    """Return the agreement of the votes with the judge. `is_revealed`: no further vote can be blind."""
    gains = _gains(pairing, votes)
    both = [(gain, pairing.judged[id]) for id, gain in gains.items() if id in pairing.judged]
    most = len(both) if is_revealed else sum(pair.question.id in pairing.judged for pair in pairing.pairs)
    kappa = paired_statistics.kappa(*zip(*both, strict=True)) if len(both) >= LEAST_ANSWERS else None
    same = sum(gain == judged for gain, judged in both)
    return JudgeAgreement(len(both), same, most, kappa, has_judge=bool(pairing.basis))


def _mean(result: SystemResult, measure: ComparedMeasure) -> float:
    """Return the mean value of the answers; 0 if no answer has a value.

    It has no interval, which would take long to compute.
    """
    values = [value for row in result.rows if (value := measure.value_of(row)) is not None]
    return statistics.fmean(values) if values else 0.0


def _first_rows(evaluation: Evaluation, result: SystemResult) -> dict[str, ResultRow]:
    return {row.question_id: row for row in result.rows if row.seed in evaluation.seeds[:1]}


def _pair(
    question: Question,
    first: SystemResult,
    second: SystemResult,
    before: Mapping[str, ResultRow],
    after: Mapping[str, ResultRow],
    *,
    is_turned: bool,
) -> BlindPair:
    """Return the two answers to a question as A and B. `is_turned`: A is the second system's answer."""
    a, b = before[question.id].shown_answer, after[question.id].shown_answer
    if is_turned:
        return BlindPair(question, b, a, second.system.id, first.system.id)
    return BlindPair(question, a, b, first.system.id, second.system.id)


def _drawn(*parts: str) -> str:
    """Return a pseudo-random text that is the same for the same parts in every version of Python."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()


def _judged(
    evaluation: Evaluation,
    first: SystemResult,
    second: SystemResult,
    before: Mapping[str, ResultRow],
    after: Mapping[str, ResultRow],
) -> tuple[dict[str, float], Literal["", "pairs", "scores"]]:
    if evaluation.judge is None:
        return {}, ""
    if first is evaluation.systems[0]:
        asked = [
            preference
            for preference in evaluation.preferences
            if preference.system_id == second.system.id and preference.seed in evaluation.seeds[:1]
        ]
        if asked:
            return {one.question_id: GAINS[one.winner] for one in asked if one.winner is not None}, "pairs"
    scores = ({id: row.judgement.score for id, row in rows.items() if row.judgement} for rows in (before, after))
    one, other = ({id: score for id, score in side.items() if score is not None} for side in scores)
    return {id: float((other[id] > one[id]) - (other[id] < one[id])) for id in one.keys() & other.keys()}, "scores"


def _gains(pairing: BlindPairing, votes: Sequence[Voted]) -> dict[str, float]:
    """Return the blind votes by question id: 1 for the second system, -1 for the first, 0 for neither."""
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
