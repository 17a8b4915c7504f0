"""The journal of a run: what its training has told, one event a line. It may have come with a folder from elsewhere.

The trainer's own `events.from_json` looks at names alone, as the trainer has nothing but the standard library; whatever
this program draws, words and compares went through `event_of`, and has the types that it says.

Where a run is, told from its events: by whoever listens to it, and the same by whoever reads its journal later.

All that a run has told, without what was done again: for curves and samples over time.
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

_LEVELS = {"block", "warn", "note"}
_KNOWN_REASONS = {
    events.Adjusted: ("out_of_memory", "not_finite", "slow"),
    events.Finished: ("early_stopping", "epochs", "steps", "stopped"),
}
_MAY_BE_INFINITE = ("loss", "gradient_norm", "left_s", "total_s")  # training goes wrong, or has not been measured


def event_from_json(data: Mapping[str, Any]) -> Event:
    """Return the event that an object stands for. Raises ValueError for whatever is none, or has a wrong value."""
    kind = events.KINDS.get(str(data.get("event")))
    if kind is None:
        raise ValueError("unknown event")
    event: Event = json_lines.convert_value(kind, {key: value for key, value in data.items() if key != "event"})
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
    """Raises ValueError."""
    return event_from_json(json_lines.decode_object(line))


def read_events(path: Path) -> Iterator[Event]:
    """All events of a file, none where there is no file. Lines that are torn, or of a newer protocol, are left out."""
    try:
        written = strict_json.read_bytes(path).splitlines()
    except OSError:  # the run has not begun
        return
    for line in written:
        with contextlib.suppress(ValueError):
            yield read_event(line)


JOURNAL_FILE = "events.jsonl"

_ENDS = {Finished: "finished", Paused: "paused", Cancelled: "cancelled", Failed: "failed"}


@dataclass(frozen=True, slots=True)
class RunStatus:
    """`end`: None while no terminal event has come. Evaluations are those of the way to `step`, oldest first."""

    started_at: float = 0.0  # seconds since 1970, the first time; 0: never
    pid: int = 0  # of the last process
    phase: Phase | None = None
    step: TrainingStep | None = None
    evaluations: tuple[EvaluationStep, ...] = ()
    samples: tuple[Sample, ...] = ()  # of the last evaluation
    findings: tuple[PreflightFinding, ...] = ()
    effective: ResolvedRecipe | None = None
    forecast: RunForecast | None = None
    saved: Checkpoint | None = None  # the last one
    adjusted: tuple[Adjusted, ...] = ()
    end: Finished | Paused | Cancelled | Failed | None = None

    @property
    def state(self) -> str:
        """waiting | running | finished | paused | cancelled | failed; "running" also where it broke off."""
        if self.end is not None:
            return _ENDS[type(self.end)]
        return "running" if self.started_at else "waiting"

    @property
    def base_loss(self) -> float | None:
        """Of the validation rows, before anything was trained."""
        return self.evaluations[0].loss if self.evaluations and self.evaluations[0].step == 0 else None

    @property
    def best(self) -> EvaluationStep | None:
        return min(self.evaluations, key=lambda evaluation: evaluation.loss, default=None)

    @property
    def last_step(self) -> int:
        return self.step.step if self.step else 0


def status_after(standing: RunStatus, event: Event) -> RunStatus:
    """The standing once this has happened."""
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
        case Adjusted():
            return dataclasses.replace(standing, adjusted=(*standing.adjusted, event))
        case Finished() | Paused() | Cancelled() | Failed():
            return dataclasses.replace(standing, end=event)
        case _:  # a preview is for whoever looks at it
            return standing


def _evaluations_before(step: int, standing: RunStatus) -> tuple[EvaluationStep, ...]:
    """Without what a rollback takes back: it tells no start."""
    kept = standing.evaluations
    while kept and kept[-1].step >= step:
        kept = kept[:-1]
    return kept


def _status_after_start(standing: RunStatus, event: Started) -> RunStatus:
    """What was done beyond the step that it goes on from will be done again."""
    kept = event.resumed_step
    step = standing.step if standing.step and standing.step.step <= kept else None
    begun = standing if kept else RunStatus()
    return dataclasses.replace(
        begun,
        started_at=standing.started_at or event.time,
        pid=event.pid,
        phase=None,
        step=step,
        evaluations=tuple(evaluation for evaluation in begun.evaluations if evaluation.step <= kept),
        end=None,
    )


def replay_status(folder: Path) -> RunStatus:
    """From the journal of a run's folder. Lines that are torn, or of a newer protocol, are passed over."""
    standing = RunStatus()
    for event in read_events(folder / JOURNAL_FILE):
        standing = status_after(standing, event)
    return standing


@dataclass(slots=True)
class RunHistory:
    """Oldest first. `findings`, `effective` and `started`: as last told."""

    steps: list[TrainingStep] = field(default_factory=list)
    evaluations: list[EvaluationStep] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    adjusted: list[Adjusted] = field(default_factory=list)
    findings: tuple[PreflightFinding, ...] = ()
    effective: ResolvedRecipe | None = None
    started: Started | None = None
    finished: Finished | None = None

    def take(self, event: Event) -> None:
        match event:
            case Started():
                self._begin(event)
            case TrainingStep():
                _drop_from(event.step, self.steps, self.evaluations, self.samples)
                self.steps.append(event)
            case EvaluationStep():
                _drop_from(event.step, self.evaluations, self.samples)
                self.evaluations.append(event)
            case Sample():
                self.samples.append(event)
            case Adjusted():
                self.adjusted.append(event)
            case PreflightFindings():
                self.findings = event.found
            case ResolvedRecipe():
                self.effective = event
            case Finished():
                self.finished = event
            case _:  # where it is, which is past
                pass

    def _begin(self, event: Started) -> None:
        """What came after the step that it goes on from is done again."""
        self.started = event
        last = event.resumed_step
        self.steps = [one for one in self.steps if one.step <= last]
        self.evaluations = [one for one in self.evaluations if last and one.step <= last]
        self.samples = [one for one in self.samples if last and one.step <= last]
        self.adjusted = [one for one in self.adjusted if last and one.step <= last]


def _drop_from(step: int, *told: list[TrainingStep] | list[EvaluationStep] | list[Sample]) -> None:
    """From this step on: it is done again, after a start, and after a rollback, which tells no start."""
    for kept in told:
        while kept and kept[-1].step >= step:
            kept.pop()


def read_history(folder: Path) -> RunHistory:
    """Of a run's folder. Lines that are torn, or of a newer protocol, are passed over."""
    found = RunHistory()
    for event in read_events(folder / JOURNAL_FILE):
        found.take(event)
    return found
