"""All that a run has told, without what was done again: for curves and samples over time."""

from dataclasses import dataclass, field
from pathlib import Path

from app.training.runs import journal
from app.training.runs.standing import JOURNAL
from trainer.events import (
    Adjusted,
    EvaluationStep,
    Event,
    Finished,
    PreflightFinding,
    PreflightFindings,
    ResolvedRecipe,
    Sample,
    Started,
    TrainingStep,
)


@dataclass(slots=True)
class History:
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
                _drop(event.step, self.steps, self.evaluations, self.samples)
                self.steps.append(event)
            case EvaluationStep():
                _drop(event.step, self.evaluations, self.samples)
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


def _drop(step: int, *told: list[TrainingStep] | list[EvaluationStep] | list[Sample]) -> None:
    """From this step on: it is done again, after a start, and after a rollback, which tells no start."""
    for kept in told:
        while kept and kept[-1].step >= step:
            kept.pop()


def read(folder: Path) -> History:
    """Of a run's folder. Lines that are torn, or of a newer protocol, are passed over."""
    found = History()
    for event in journal.read(folder / JOURNAL):
        found.take(event)
    return found
