"""Read a run's journal, which has one event per line, and derive the run's status and history from it.

A journal may come from another machine, so types and values are checked. The status is the same whether it is updated
event by event or replayed from the file. The history keeps all events for curves and samples over time, except steps
that were repeated later.
"""

import contextlib
import dataclasses
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.files import strict_json
from trainer import events, spec
from trainer.events import (
    Adjusted,
    Cancelled,
    Checkpoint,
    EvaluationStep,
    Event,
    Failed,
    Finished,
    Paused,
    Phase,
    PreflightFinding,
    PreflightFindings,
    ResolvedRecipe,
    RunForecast,
    Sample,
    Started,
    TrainingStep,
)

SENT_AT = "at"  # of each line, beside the event's own fields: seconds since 1970; earlier versions wrote none
_LEVELS = {"block", "warn", "note"}
_KNOWN_REASONS = {
    events.Adjusted: ("out_of_memory", "not_finite", "slow", "faster"),
    events.Finished: ("early_stopping", "epochs", "steps", "stopped"),
}
_MAY_BE_INFINITE = ("loss", "gradient_norm", "left_s", "total_s")  # training diverged, or nothing was measured yet


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Return the event that a JSON object represents. Raises ValueError for an unknown event or an invalid value."""
    sent_at = data.get(SENT_AT, 0.0)
    if not isinstance(sent_at, int | float) or not 0 <= sent_at < math.inf:
        raise ValueError(f"{SENT_AT}: no time")
    known = {name: value for name, value in data.items() if name != SENT_AT}
    event = json_lines.convert_message(known, events.KINDS, "event")
    for entry in dataclasses.fields(event):
        value = getattr(event, entry.name)
        if isinstance(value, float) and entry.name not in _MAY_BE_INFINITE and not math.isfinite(value):
            raise ValueError(f"{entry.name}: no finite number")
    if isinstance(event, events.ResolvedRecipe):
        spec.from_json(event.spec)
    if isinstance(event, events.PreflightFindings) and not {one.level for one in event.found} <= _LEVELS:
        raise ValueError("unknown level")
    if isinstance(event, events.Adjusted | events.Finished) and event.reason not in _KNOWN_REASONS[type(event)]:
        raise ValueError("unknown reason")
    return event


def read_event(line: bytes) -> Event:
    """Parse a line of the journal as an event. Raises ValueError."""
    return read_timed_event(line)[1]


def read_timed_event(line: bytes) -> tuple[float, Event]:
    """Return when an event of the journal was sent, in seconds since 1970 (0: not recorded), and the event.

    Raises ValueError.
    """
    data = json_lines.decode_object(line)
    event = event_from_json(data)  # refuses a wrong time, too
    return float(data.get(SENT_AT, 0.0)), event


def read_timed_events(path: Path) -> Iterator[tuple[float, Event]]:
    """Yield the events of a journal with their times, as `read_timed_event` returns them.

    Incomplete lines and unknown events are skipped; a missing file gives none.
    """
    try:
        written = strict_json.read_bytes(path).splitlines()
    except OSError:  # the run has not started yet
        return
    for line in written:
        with contextlib.suppress(ValueError):
            yield read_timed_event(line)


def read_events(path: Path) -> Iterator[Event]:
    """Yield the events of a journal as `read_timed_events` does, without their times."""
    return (event for _, event in read_timed_events(path))


JOURNAL_FILE = "events.jsonl"

_ENDS = {Finished: "finished", Paused: "paused", Cancelled: "cancelled", Failed: "failed"}


@dataclass(frozen=True, slots=True)
class RunStatus:
    """The status of a run. `end`: the terminal event, or None. `evaluations`: those up to `step`, oldest first."""

    started_at: float = 0.0  # seconds since 1970 of the first start; 0: not started
    pid: int = 0  # id of the last process
    phase: Phase | None = None
    step: TrainingStep | None = None
    evaluations: tuple[EvaluationStep, ...] = ()
    samples: tuple[Sample, ...] = ()  # those of the last evaluation
    findings: tuple[PreflightFinding, ...] = ()
    effective: ResolvedRecipe | None = None
    forecast: RunForecast | None = None
    saved: Checkpoint | None = None  # the last checkpoint
    end: Finished | Paused | Cancelled | Failed | None = None

    @property
    def state(self) -> str:
        """Return "waiting", "running" (also after a crash), "finished", "paused", "cancelled" or "failed"."""
        if self.end is not None:
            return _ENDS[type(self.end)]
        return "running" if self.started_at else "waiting"

    @property
    def base_loss(self) -> float | None:
        """Return the loss on the validation rows before training; None if it was not measured."""
        return self.evaluations[0].loss if self.evaluations and self.evaluations[0].step == 0 else None

    @property
    def best_evaluation(self) -> EvaluationStep | None:
        return min(self.evaluations, key=lambda evaluation: evaluation.loss, default=None)

    @property
    def last_step(self) -> int:
        return self.step.step if self.step else 0


def status_after(standing: RunStatus, event: Event) -> RunStatus:
    """Return the status after the event."""
    match event:
        case Started():
            return _status_after_start(standing, event)
        case Phase():
            return dataclasses.replace(standing, phase=event)
        case TrainingStep():
            return dataclasses.replace(standing, step=event, evaluations=_evaluations_before(event.step, standing))
        case EvaluationStep():
            return dataclasses.replace(standing, evaluations=(*_evaluations_before(event.step, standing), event))
        case Sample():
            same = tuple(sample for sample in standing.samples if sample.step == event.step)
            return dataclasses.replace(standing, samples=(*same, event))
        case PreflightFindings():
            return dataclasses.replace(standing, findings=event.found)
        case ResolvedRecipe():
            return dataclasses.replace(standing, effective=event)
        case RunForecast():
            return dataclasses.replace(standing, forecast=event)
        case Checkpoint():
            return dataclasses.replace(standing, saved=event)
        case Finished() | Paused() | Cancelled() | Failed():
            return dataclasses.replace(standing, end=event)
        case _:  # no other event changes the status
            return standing


def _evaluations_before(step: int, standing: RunStatus) -> tuple[EvaluationStep, ...]:
    """Return the evaluations before `step`. After a rollback, which sends no start event, later ones are repeated."""
    kept = standing.evaluations
    while kept and kept[-1].step >= step:
        kept = kept[:-1]
    return kept


def _status_after_start(standing: RunStatus, event: Started) -> RunStatus:
    """Return the status after a start event; everything after the resumed step will be repeated."""
    kept = event.resumed_step
    step = standing.step if standing.step and standing.step.step <= kept else None
    before = standing if kept else RunStatus()
    return dataclasses.replace(
        before,
        started_at=standing.started_at or event.time,
        pid=event.pid,
        phase=None,
        step=step,
        evaluations=tuple(evaluation for evaluation in before.evaluations if evaluation.step <= kept),
        end=None,
    )


def replay_status(folder: Path) -> RunStatus:
    """Return the status from the journal in a run's folder."""
    standing = RunStatus()
    for event in read_events(folder / JOURNAL_FILE):
        standing = status_after(standing, event)
    return standing


@dataclass(slots=True)
class RunHistory:
    """The status of a run with all its steps, samples and adjustments, oldest first. `started`: the last start."""

    status: RunStatus = field(default_factory=RunStatus)
    steps: list[TrainingStep] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    adjusted: list[Adjusted] = field(default_factory=list)
    started: Started | None = None

    @property
    def evaluations(self) -> tuple[EvaluationStep, ...]:
        return self.status.evaluations

    @property
    def finished(self) -> Finished | None:
        return self.status.end if isinstance(self.status.end, Finished) else None

    def take(self, event: Event) -> None:
        """Add an event to the history."""
        self.status = status_after(self.status, event)
        match event:
            case Started():
                self._begin(event)
            case TrainingStep():
                _drop_from(event.step, self.steps, self.samples)
                self.steps.append(event)
            case EvaluationStep():
                _drop_from(event.step, self.samples)
            case Sample():
                self.samples.append(event)
            case Adjusted():
                self.adjusted.append(event)
            case _:  # the other events change only the status
                pass

    def _begin(self, event: Started) -> None:
        """Drop everything after the step from which the run resumes, since it will be repeated."""
        self.started = event
        last = event.resumed_step
        self.steps = [one for one in self.steps if one.step <= last]
        self.samples = [one for one in self.samples if last and one.step <= last]
        self.adjusted = [one for one in self.adjusted if last and one.step <= last]


def _drop_from(step: int, *lists: list[TrainingStep] | list[Sample]) -> None:
    """Drop everything from this step on, which is being repeated after a rollback; a rollback sends no start event."""
    for kept in lists:
        while kept and kept[-1].step >= step:
            kept.pop()


def read_history(folder: Path) -> RunHistory:
    """Return the history from the journal in a run's folder."""
    found = RunHistory()
    for event in read_events(folder / JOURNAL_FILE):
        found.take(event)
    return found
