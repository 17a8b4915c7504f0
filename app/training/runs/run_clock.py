"""Tell how much of a run is done, from its start to the verdict, and how long the rest will take.

Every stage has a cost in seconds: first what it cost on this machine before (`StageRates`), then what the run itself
measures. The estimate of the rest goes up and down with these costs; what is shown only falls. It falls faster than
time while the estimate is lower, and slower while it is higher, so it reaches 0 with the estimate and never stands
still or jumps back. While the two differ much, both are shown, as a range. Only the measured steps
(`RunForecast.is_measured`) set it anew; until then it is a rough range.
"""

import contextlib
import copy
import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.models import catalogue
from app.models.artifact_steps import StepProgress
from app.training.runs import run_folders, run_journal
from trainer import events
from trainer.events import Event, Phase, ResolvedRecipe, RunForecast, Started, TrainingStep
from trainer.spec import RunSpec

STAGES = ("starting", "converting_base", "preparing", "training", "exporting", "judging")
_STAGE_OF = {
    "converting_base": "converting_base", "reading": "preparing", "checking": "preparing", "loading": "preparing",
    "probing": "preparing", "training": "training", "evaluating": "training", "saving": "training",
    "exporting": "exporting",
}  # fmt: skip
STEP_S = 1.0  # longest step in which the shown time advances
REPLAYED_STEPS = 300  # most steps of one gap between two events
CATCH_UP_S = 8.0  # time constant with which the shown time falls to a lower estimate
GATE_WITHIN_S = 120.0  # seconds from the end of the training to the first report of its gate
LEAST_LEFT, LATE_FACTOR = 0.1, 2.0  # share of its cost that a stage has left until it ends; see `_left_of`
LATE_FROM, LATE_FROM_S = 1.3, 10.0  # the run is late from this multiple of the shown time on, and so many seconds
ROUGH_FROM, ROUGH_TO = 0.5, 2.0  # range of an estimate before the measured steps
PACE_MOST = 20.0  # times its forecast that a training makes the stages after it longer
LEAST_S = 0.1  # until the run has ended
SHARE_MOST = 0.99  # until the run has ended
ROW_TOKENS = 150.0  # of a row that is not read yet
RATES_FILE = "training-rates.json"
# The steps of the gate in their order, as (kind, name): those up to a verdict, and those of all other forms.
_VERDICT = (
    ("convert", "f16+adapter"), ("quantize", "base"), ("score", "base"), ("score", "base+shipped"),
    ("score", "base+adapter"), ("answer", ""),
)  # fmt: skip
_FORMS = (
    ("score", "f16+adapter"), ("merge", "F16"), ("score", "F16"),
    *((kind, form) for form in ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M") for kind in ("quantize", "score")),
    ("answer", ""),
)  # fmt: skip
_ANSWERED = 20  # most lines that the gate answers
_GATE_COSTS = frozenset(("convert", "score", "quantize", "base", "merge", "answer"))


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run computes. `billions`: parameters / 10^9. `converts`: the base is not converted for training yet.

    `held_out`: rows for the verdict; 0: there is none. `row_tokens`: tokens of a row.
    """

    billions: float = 0.3
    converts: bool = False
    trained: float = 0.0
    held_out: int = 0
    row_tokens: float = ROW_TOKENS
    has_file: bool = True  # the base is a GGUF file, which the gate need not quantize
    has_shipped: bool = False  # the catalogue has an adapter for the base, which the gate measures too


# The rates are kept as seconds of this run, which stay true when the default costs change.
_KEPT_LOAD = Workload(converts=True, trained=240.0, held_out=20)


def workload_of(requested: RunSpec, facts: Mapping[str, Any]) -> Workload:
    """Return the workload of a run. `facts`: those of its ResolvedRecipe; {} before it."""
    base = Path(requested.base)
    has_file = base.suffix.lower() == ".gguf"
    size = base.stat().st_size if has_file and base.is_file() else 0
    parameters = facts.get("parameters") or size / 0.75  # bytes per weight, between Q4_K_M and Q8_0
    examples = facts.get("examples") or 0
    folder = Path(requested.bases or "") / requested.base_sha256[:16]
    return Workload(
        billions=max(parameters / 1e9, 0.01),
        converts=has_file and not (requested.base_sha256 and folder.is_dir()),
        trained=_count_lines(Path(requested.train)) * (requested.epochs or 3.0),
        held_out=_count_lines(Path(requested.holdout)) if requested.holdout else 0,
        row_tokens=facts["tokens"] / examples if examples and facts.get("tokens") else ROW_TOKENS,
        has_file=has_file,
        has_shipped=any(
            requested.base_sha256 in {file.sha256 for file in card.files} - {""}
            for card in catalogue.load().cards
            if card.adapter
        ),
    )


def default_costs(load: Workload) -> dict[str, float]:
    """Return the cost of each stage and each kind of the gate's steps in seconds, on two cores of a server of 2020.

    Measured with the trial model (0.27 billion parameters). That of training holds until the trainer forecasts it.
    """
    tokens = load.held_out * load.row_tokens
    scored = min(load.held_out, run_folders.MEASURED_LINES) * load.row_tokens
    answered = min(load.held_out, _ANSWERED) * load.row_tokens
    return {
        "starting": 7.0,
        "converting_base": 18.0 + 22 * load.billions if load.converts else 0.0,
        "training": 20.0 + 0.03 * load.trained * load.row_tokens * load.billions,
        "preparing": 10.0 + 30 * load.billions,
        "exporting": 5.0 + 0.01 * tokens * load.billions + 4 * load.billions,
        "convert": 8.0 + 30 * load.billions,
        "merge": 3.0 + 10 * load.billions,
        "quantize": 2.0 + 40 * load.billions,
        "score": 2.0 + 10 * load.billions + 0.012 * scored * load.billions,
        "answer": 4.0 + 0.03 * answered * load.billions,
        "base": 4.0 + 10 * load.billions + (0.012 * scored + 0.03 * answered) * load.billions,  # scores and answers
    }


@dataclass(frozen=True, slots=True)
class StageRates:
    """How many times its default cost each stage took on this machine in earlier runs; 1 where nothing is known."""

    factors: Mapping[str, float] = field(default_factory=dict)

    def costs(self, load: Workload) -> dict[str, float]:
        return {name: cost * self.factors.get(name, 1.0) for name, cost in default_costs(load).items()}

    def with_costs(self, load: Workload, took_s: Mapping[str, float]) -> "StageRates":
        """Return the rates after a run. `took_s`: measured seconds by stage or kind of step."""
        known = default_costs(load)
        found = {name: seconds / known[name] for name, seconds in took_s.items() if known.get(name)}
        return StageRates({**self.factors, **found})


def read_rates(run: Path) -> StageRates:
    """Return the rates beside the folder of all runs; without the file, or with a damaged one, nothing is known."""
    known = default_costs(_KEPT_LOAD)
    try:
        found = strict_json.loads(strict_json.read_bytes(_rates_file(run)))["seconds"]
        factors = {str(name): float(one) / known[name] for name, one in found.items() if name in known}
        return StageRates({name: one for name, one in factors.items() if 0.01 <= one <= 100})
    except (OSError, ValueError, TypeError, AttributeError, KeyError, OverflowError):
        return StageRates()


@dataclass(frozen=True, slots=True)
class ClockReading:
    """What to show of a run now.

    `share`: of the work from the start to the verdict, 0 to 1. `left_s`: seconds left; with `most_s`, the lower end of
    a range. `is_late`: it takes longer than was thought. `stopped_s`: time in which nothing worked on the run.
    """

    share: float = 0.0
    left_s: float | None = None
    most_s: float | None = None
    is_late: bool = False
    stopped_s: float = 0.0


class RunClock:
    """Follows a run by its events, live or from its journal. All times are seconds since 1970."""

    def __init__(self, requested: RunSpec | None, rates: StageRates, *, judges: bool = True) -> None:
        """Create the clock. `judges`: a verdict follows the training if rows are held out."""
        self._requested = requested
        self._rates = rates
        self._judges = judges
        self.load = workload_of(requested, {}) if requested is not None else Workload()
        self._costs = rates.costs(self.load)
        self._stage, self._began_at = "", 0.0
        self._done = (0, 0, 0.0)  # progress within the stage or the gate's step: done, total, when
        self._told_left: tuple[float, float] | None = None  # the trainer's own time left for its steps, and when
        self._gate: tuple[str, str] | None = None  # kind and name of the gate's current step
        self._at: float | None = None  # until when the shown time has been advanced; None: nothing works on the run
        self._ended_at = self._first_at = self._last_at = 0.0  # of the last end, the first start and the last event
        self._left: float | None = None
        self._share = self._stopped_s = 0.0
        self._pace = 1.0  # how many times its measured cost the training takes, beside other programs
        self._is_rough = True
        self.took_s: dict[str, float] = {}  # measured seconds of complete stages and of kinds of the gate's steps

    def copy(self) -> "RunClock":
        """Return a clock that goes on by itself from here."""
        other = copy.copy(self)
        other._costs, other.took_s = dict(self._costs), dict(self.took_s)
        return other

    def elapsed_s(self, now: float, *, is_live: bool) -> float | None:
        """Return the seconds of wall time from the start at step 0 until `now`, or until the run ended.

        Pauses and times in which the program was closed count too (`ClockReading.stopped_s` is their sum). None: the
        run has not started, or an earlier version wrote its journal, without times.
        """
        until = now if is_live else self._last_at
        return max(0.0, until - self._first_at) if self._first_at and until else None

    # -------------------------------------------------------------------- events

    def take(self, at: float, event: Event) -> None:
        """Take an event that was sent at `at`; one without a time counts as sent with the one before."""
        at = at or (event.time if isinstance(event, Started) else self._at or self._ended_at)
        if isinstance(event, Started):
            self._start(min(at, event.time or at), is_anew=not event.resumed_step)
        self._advance(at)
        self._last_at = max(at, self._last_at)
        match event:
            case Phase():
                is_held_out = event.name == "evaluating" and event.total > 0  # the test rows, after the last step
                self._enter(at, "exporting" if is_held_out else _STAGE_OF.get(event.name, self._stage))
                if event.total and event.name not in ("training", "saving"):
                    self._done = (event.done, event.total, at)
            case ResolvedRecipe() if self._requested is not None:
                facts = event.facts
                self.load = dataclasses.replace(workload_of(self._requested, facts), converts=self.load.converts)
                self._costs = self._rates.costs(self.load) | {"training": self._costs["training"]}
            case RunForecast() if math.isfinite(event.total_s):
                self._costs["training"] = event.total_s
                if event.is_measured:
                    self._set_anew(at, is_rough=False)
            case TrainingStep() if math.isfinite(event.left_s):
                self._told_left = (event.left_s, at)
                if not self._is_rough:
                    pace = (at - self._began_at + event.left_s) / max(self._costs["training"], LEAST_S)
                    self._pace = min(max(pace, 1.0), PACE_MOST)
                if self._is_rough:  # nothing was measured before
                    self._set_anew(at, is_rough=False)
            case events.Finished():
                self._enter(at, "judging")
                if not self._has_verdict:
                    self._stop(at)
                    self._share, self._left = 1.0, 0.0
            case events.Paused() | events.Cancelled() | events.Failed():
                self._stop(at)
            case _:  # other events do not change the time left
                pass

    def take_judging(self, at: float, progress: StepProgress) -> None:
        """Take the progress of the gate at `at`."""
        if self._gate is None and at - self._last_at > GATE_WITHIN_S:  # it was judged later
            self._stopped_s += at - self._last_at if self._last_at else 0.0
            self._at = at
        self._last_at = max(at, self._last_at)
        self._advance(at)
        self._enter(at, "judging")
        step = (progress.kind, progress.name)
        if step != self._gate:
            self._end_gate_step(at)
            self._gate, self._began_at, self._done = step, at, (0, 0, at)
        if progress.total:
            self._done = (progress.done, progress.total, at)

    def end_judging(self, at: float, *, has_verdict: bool) -> None:
        """End the gate, with a verdict or stopped."""
        self._last_at = max(at, self._last_at)
        self._advance(at)
        self._end_gate_step(at)
        self._stop(at)
        if has_verdict:
            self._share, self._left = 1.0, 0.0

    def look(self, now: float) -> ClockReading:
        """Return what to show at `now`."""
        self._advance(now)
        stopped = self._stopped_s
        if self._at is None or self._left is None:
            return ClockReading(self._share, None, None, stopped_s=stopped)
        if self._is_rough:
            return ClockReading(self._share, self._left * ROUGH_FROM, self._left * ROUGH_TO, stopped_s=stopped)
        estimate = self._estimate(now)
        is_late = estimate > LATE_FROM * self._left + LATE_FROM_S
        return ClockReading(self._share, self._left, estimate if is_late else None, is_late, stopped)

    # ------------------------------------------------------------- private methods

    @property
    def _has_verdict(self) -> bool:
        return self._judges and self.load.held_out > 0

    def _start(self, at: float, *, is_anew: bool) -> None:
        if is_anew:  # nothing before counts any more
            self._first_at, self._stopped_s = at, 0.0
        elif self._last_at:
            self._stopped_s += max(0.0, at - self._last_at)  # since it ended, or died
        self._at, self._ended_at = at, 0.0
        self._stage, self._began_at, self._done, self._told_left = "starting", at, (0, 0, at), None
        self._set_anew(at, is_rough=True)

    def _set_anew(self, at: float, *, is_rough: bool) -> None:
        self._is_rough, self._left = is_rough, max(self._estimate(at), LEAST_S)

    def _stop(self, at: float) -> None:
        self._at, self._ended_at, self._gate = None, at, None

    def _enter(self, at: float, stage: str) -> None:
        if stage != self._stage and stage in STAGES:
            self._end_stage(at)
            self._stage, self._began_at, self._done = stage, at, (0, 0, at)

    def _end_stage(self, at: float) -> None:
        if self._stage in self._costs and self._stage != "judging":
            self.took_s[self._stage] = at - self._began_at

    def _end_gate_step(self, at: float) -> None:
        if self._gate is not None and _cost_of(self._gate) in self._costs:
            name = _cost_of(self._gate)
            took = max(at - self._began_at, 0.1)
            for other in _GATE_COSTS - self.took_s.keys():  # this machine is that much slower than was thought
                self._costs[other] *= took / self._costs[name] if other != name else 1.0
            self._pace = 1.0
            self.took_s[name] = self._costs[name] = took

    def _advance(self, until: float) -> None:
        """Advance what is shown; see the module."""
        if self._at is None or self._left is None:
            return
        step = max(STEP_S, (until - self._at) / REPLAYED_STEPS)
        while self._at < until:
            passed = min(step, until - self._at)
            left = self._left
            estimate = max(self._estimate(self._at), passed)
            if estimate >= left:
                fall = passed * left / estimate
            else:
                fall = passed + (left - estimate) * min(1.0, passed / CATCH_UP_S)
            worked = min(fall, passed)  # a lower estimate is no work done
            self._share += (SHARE_MOST - self._share) * min(1.0, worked / max(left, worked))
            self._left = max(left - fall, LEAST_S)
            self._at += passed

    def _estimate(self, now: float) -> float:
        """Return the seconds that the rest should take as far as is known at `now`."""
        return self._left_of_stage(now) + sum(self._later_costs())

    def _left_of_stage(self, now: float) -> float:
        if self._stage == "training" and self._told_left is not None:
            seconds, at = self._told_left
            return _left_of(seconds, now - at)
        done, total, at = self._done
        if total and done > 0.05 * total:
            return _left_of((at - self._began_at) * (total - done) / done, now - at)
        return _left_of(self._cost_now, now - self._began_at)

    @property
    def _cost_now(self) -> float:
        return self._costs.get(_cost_of(self._gate) if self._gate is not None else self._stage, 0.0)

    def _later_costs(self) -> Iterator[float]:
        """Yield the costs of all stages and steps of the gate that follow the current one."""
        if self._stage != "judging":
            later = STAGES[STAGES.index(self._stage or "starting") + 1 : -1]
            yield from (self._costs[one] * (self._pace if one == "exporting" else 1.0) for one in later)
        if not self._has_verdict:
            return
        steps = _FORMS if self._gate in _FORMS[:-1] else _verdict_steps(self.load)
        first = steps.index(self._gate) + 1 if self._gate in steps else 0
        first = len(steps) if self._gate is not None and self._gate[0] == "answer" else first
        yield from (self._costs[_cost_of(step)] * self._pace for step in steps[first:])


def _left_of(cost_s: float, spent_s: float) -> float:
    """Return the seconds left of what should cost `cost_s`. What has outlasted that takes twice the excess again."""
    return max(cost_s - spent_s, LEAST_LEFT * cost_s + LATE_FACTOR * max(0.0, spent_s - cost_s))


def _verdict_steps(load: Workload) -> tuple[tuple[str, str], ...]:
    """Return the steps of the gate up to the verdict."""
    steps = _VERDICT[2 if load.has_file else 0 :]
    return tuple(step for step in steps if load.has_shipped or step[1] != "base+shipped")


def _cost_of(step: tuple[str, str]) -> str:
    """Return the name of the cost of a step of the gate, which writes the base's answers when it scores the base."""
    return "base" if step == ("score", "base") else step[0]


def stages_around(requested: RunSpec, facts: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds before a planned training, and from its end to its verdict, 0 without held-out rows.

    `facts`: as for `workload_of`.
    """
    load = workload_of(requested, facts)
    costs = read_rates(Path(requested.folder)).costs(load)
    before, after = STAGES[: STAGES.index("training")], ("exporting", *map(_cost_of, _verdict_steps(load)))
    return sum(costs[one] for one in before), sum(costs[one] for one in after) if load.held_out else 0.0


def _count_lines(path: Path) -> int:
    try:
        return sum(1 for line in strict_json.read_bytes(path).splitlines() if line.strip())
    except OSError:
        return 0


def learn_rates(run: Path, judged: Sequence[tuple[float, StepProgress]], ended_at: float) -> None:
    """Keep what the stages of a judged run cost, for the next one. `judged`: what the gate reported, and when."""
    rates = read_rates(run)
    clock = RunClock(run_folders.effective_spec(run), rates)
    for at, event in run_journal.read_timed_events(run / run_journal.JOURNAL_FILE):
        clock.take(at, event)
    for at, progress in judged:
        clock.take_judging(at, progress)
    clock.end_judging(ended_at, has_verdict=True)
    known = default_costs(_KEPT_LOAD)
    factors = rates.with_costs(clock.load, clock.took_s).factors
    seconds = {name: round(one * known[name], 3) for name, one in sorted(factors.items())}
    text = json.dumps({"seconds": seconds}, indent=1)
    with contextlib.suppress(OSError):  # the next estimate is rougher
        write_atomically(_rates_file(run), text.encode("ascii"))


def _rates_file(run: Path) -> Path:
    return run.parent.parent / RATES_FILE
