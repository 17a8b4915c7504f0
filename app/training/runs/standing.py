"""Where a run is, told from its events: by whoever listens to it, and the same by whoever reads its journal later."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from app.training.runs import journal
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

JOURNAL = "events.jsonl"

_ENDS = {Finished: "finished", Paused: "paused", Cancelled: "cancelled", Failed: "failed"}


@dataclass(frozen=True, slots=True)
class Standing:
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


def after(standing: Standing, event: Event) -> Standing:
    """The standing once this has happened."""
    match event:
        case Started():
            return _started(standing, event)
        case Phase():
            return dataclasses.replace(standing, phase=event)
        case TrainingStep():
            return dataclasses.replace(standing, step=event, evaluations=_before(event.step, standing))
        case EvaluationStep():
            return dataclasses.replace(standing, evaluations=(*_before(event.step, standing), event))
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


def _before(step: int, standing: Standing) -> tuple[EvaluationStep, ...]:
    """Without what a rollback takes back: it tells no start."""
    kept = standing.evaluations
    while kept and kept[-1].step >= step:
        kept = kept[:-1]
    return kept


def _started(standing: Standing, event: Started) -> Standing:
    """What was done beyond the step that it goes on from will be done again."""
    kept = event.resumed_step
    step = standing.step if standing.step and standing.step.step <= kept else None
    begun = standing if kept else Standing()
    return dataclasses.replace(
        begun,
        started_at=standing.started_at or event.time,
        pid=event.pid,
        phase=None,
        step=step,
        evaluations=tuple(evaluation for evaluation in begun.evaluations if evaluation.step <= kept),
        end=None,
    )


def replay(folder: Path) -> Standing:
    """From the journal of a run's folder. Lines that are torn, or of a newer protocol, are passed over."""
    standing = Standing()
    for event in journal.read(folder / JOURNAL):
        standing = after(standing, event)
    return standing
