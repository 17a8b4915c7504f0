"""Read what the runs of a scale study measured: hold-out losses, their differences, and the course of each run.

All losses are nats a token of answers that no run was trained on, over the same token ids.
"""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.base import bootstrap
from app.base.bootstrap import LEAST_UNITS, ConfidenceInterval
from app.base.errors import AppError
from app.base.wording import phrase
from app.evaluation.study import study_steps
from app.evaluation.study.studies import Study, Training
from app.training import quality_gate
from app.training.runs import run_folders, run_journal
from app.training.runs.run_journal import RunHistory

RISE_NATS = 0.01  # rise of the validation loss above its best; less is fluctuation
OVERFIT_STEPS = 2  # least number of evaluations after the best one that shows overfitting


@dataclass(frozen=True, slots=True)
class TrainingCurve:
    """The losses of a run by step. `training`, `validation`: pairs of step and loss in nats a token.

    A training loss is the mean since the evaluation before. `overfit_step`: the step after which validation rises while
    training falls; None: there is none. `gap`: validation minus training loss at the best step; None: unknown.
    `reason`: as in `trainer.events.Finished`.
    """

    steps: int
    best_step: int
    reason: str
    training: tuple[tuple[int, float], ...]
    validation: tuple[tuple[int, float], ...]
    overfit_step: int | None
    gap: float | None


@dataclass(frozen=True, slots=True)
class MeasuredRun:
    """A run that has ended. `nll`: loss in nats of each hold-out example with the run's adapter."""

    training: Training
    nll: tuple[float, ...]
    course: TrainingCurve


@dataclass(frozen=True, slots=True)
class LossChange:
    """A change of the loss in nats a token from one set of runs to another; negative is better.

    `by_group`: None if each example is its own group. `by_seed`: the difference for each seed that both sets have.
    """

    by_example: ConfidenceInterval
    by_group: ConfidenceInterval | None
    by_seed: tuple[float, ...]

    @property
    def decisive(self) -> ConfidenceInterval:
        """Return the interval that decides whether the loss changed.

        With too few groups, or if only the interval by example contains 0, this is the interval by example; else the
        interval by group.
        """
        group = self.by_group
        if group is None or group.units < LEAST_UNITS or (self.by_example.holds_zero and not group.holds_zero):
            return self.by_example
        return group

    @property
    def is_better(self) -> bool:
        """Return whether the loss fell by more than chance explains, and with every seed."""
        return self.decisive.is_better and all(one < 0 for one in self.by_seed)


@dataclass(frozen=True, slots=True)
class MeasuredSize:
    """The runs of one size. `nll`: mean loss over the seeds, in nats a token.

    `spread`: standard deviation of the seeds' losses; None: there is one seed.
    """

    rows: int
    runs: tuple[MeasuredRun, ...]  # ordered by seed
    nll: float
    spread: float | None
    from_base: LossChange
    from_previous: LossChange | None


@dataclass(frozen=True, slots=True)
class FixedStepsControl:
    """A control: a smaller size trained for as many steps as the largest. All changes are for the control's seed alone.

    `gain`: change from the size to the largest, which is the sum of `by_steps` (from the size to the control) and
    `by_data` (from the control to the largest). `explains`: data | steps | unclear | nothing (there is no gain).
    """

    run: MeasuredRun
    nll: float
    gain: LossChange
    by_steps: LossChange
    by_data: LossChange

    @property
    def explains(self) -> str:
        if not self.gain.is_better:
            return "nothing"
        if self.by_data.is_better:
            return "data"
        return "steps" if self.by_steps.is_better else "unclear"


@dataclass(frozen=True, slots=True)
class ScaleResults:
    """All results of a scale study. `groups`: the group of each hold-out example; (): each is its own group.

    `doubling`: change from `half` to all rows; `half` is the largest size of at most half the rows, or else the
    smallest.
    """

    tokens: tuple[int, ...]
    groups: tuple[str, ...]
    base_nll: float
    sizes: tuple[MeasuredSize, ...]
    controls: tuple[FixedStepsControl, ...]
    doubling: LossChange
    half: int

    @property
    def largest(self) -> MeasuredSize:
        return self.sizes[-1]

    @property
    def main_runs(self) -> list[MeasuredRun]:
        return [run for size in self.sizes for run in size.runs]

    @property
    def early_share(self) -> float:
        """Return the share, 0 to 1, of the runs without controls that early stopping has ended."""
        found = self.main_runs
        return sum(run.course.reason == "early_stopping" for run in found) / len(found)


@dataclass(frozen=True, slots=True)
class HoldoutLosses:
    """The hold-out of all runs: for each example the loss of the base in nats, the number of tokens and the group."""

    base: tuple[float, ...]
    tokens: tuple[int, ...]
    groups: tuple[str, ...]

    def nll(self, runs: Iterable[MeasuredRun]) -> float:
        return float(np.sum(_mean_losses(runs)) / sum(self.tokens))

    def change(self, before: Sequence[MeasuredRun], after: Sequence[MeasuredRun]) -> LossChange:
        """Return the change of the mean losses over the seeds, paired by example."""
        seeds = {run.training.seed: run for run in before}
        pairs = [(seeds[run.training.seed], run) for run in after if run.training.seed in seeds]
        by_seed = tuple((sum(one.nll) - sum(other.nll)) / sum(self.tokens) for other, one in pairs)
        return self._change_between(_mean_losses(before), _mean_losses(after), by_seed)

    def from_base(self, after: Sequence[MeasuredRun]) -> LossChange:
        by_seed = tuple((sum(run.nll) - sum(self.base)) / sum(self.tokens) for run in after)
        return self._change_between(self.base, _mean_losses(after), by_seed)

    def _change_between(
        self, before: Sequence[float], after: Sequence[float], by_seed: tuple[float, ...]
    ) -> LossChange:
        grouped = bootstrap.difference_interval(before, after, self.tokens, self.groups) if self.groups else None
        return LossChange(bootstrap.difference_interval(before, after, self.tokens), grouped, by_seed)


def measure(study: Study) -> ScaleResults:
    """Read the hold-out losses of all runs of a study, and compute its results.

    Raises AppError: evaluation_not_finished, evaluation_damaged, holdout_unreadable.
    """
    trainings = study.trainings
    if not all(map(study_steps.is_trained, trainings)):
        raise AppError("evaluation_not_finished", id=study.id)
    holdouts = [run_folders.read_holdout(Path(training.folder)) for training in trainings]
    if len({holdout.digest for holdout in holdouts}) > 1:
        raise AppError("evaluation_damaged", id=study.id, reason=phrase("evaluation.scale_other_holdouts"))
    first = holdouts[0]
    losses = HoldoutLosses(
        tuple(example.base_nll for example in first.examples),
        tuple(len(example.trained) for example in first.examples),
        _groups(Path(trainings[0].folder), [example.line for example in first.examples]),
    )
    found = [
        MeasuredRun(
            training,
            tuple(example.adapter_nll for example in one.examples),
            training_curve_of(run_journal.read_history(Path(training.folder))),
        )
        for training, one in zip(trainings, holdouts, strict=True)
    ]
    if not all(map(math.isfinite, (*losses.base, *(nll for run in found for nll in run.nll)))):
        raise AppError("evaluation_damaged", id=study.id, reason=phrase("evaluation.scale_loss_missing"))
    return combine_runs(losses, found)


def holdout_nats(training: Training) -> float:
    """Return the loss in nats of all hold-out answers with the run's adapter, summed; NaN if it was not measured.

    For the same texts the sum can be compared between tokenizers. Raises AppError("holdout_unreadable").
    """
    return sum(example.adapter_nll for example in run_folders.read_holdout(Path(training.folder)).examples)


def combine_runs(losses: HoldoutLosses, runs: Sequence[MeasuredRun]) -> ScaleResults:
    """Combine runs of at least two sizes into the results of a study."""
    main = [run for run in runs if not run.training.is_control]
    by_rows: dict[int, list[MeasuredRun]] = {}
    for run in sorted(main, key=lambda run: (run.training.rows, run.training.seed)):
        by_rows.setdefault(run.training.rows, []).append(run)
    sizes, previous = list[MeasuredSize](), list[MeasuredRun]()
    for rows, own in by_rows.items():
        means = [losses.nll([run]) for run in own]
        sizes.append(
            MeasuredSize(
                rows,
                tuple(own),
                losses.nll(own),
                statistics.stdev(means) if len(means) > 1 else None,
                losses.from_base(own),
                losses.change(previous, own) if previous else None,
            )
        )
        previous = own
    largest = sizes[-1]
    half = max((rows for rows in by_rows if 2 * rows <= largest.rows), default=sizes[0].rows)
    return ScaleResults(
        losses.tokens,
        losses.groups,
        sum(losses.base) / sum(losses.tokens),
        tuple(sizes),
        tuple(_controls(losses, runs, by_rows)),
        losses.change(by_rows[half], largest.runs),
        half,
    )


def training_curve_of(history: RunHistory) -> TrainingCurve:
    validation = tuple((evaluation.step, evaluation.loss) for evaluation in history.evaluations)
    training = _means(history, [step for step, _ in validation if step > 0])
    best = min(validation, key=lambda one: one[1], default=(0, math.nan))
    last = history.steps[-1].step if history.steps else 0
    end = history.finished
    by_step = dict(training)
    return TrainingCurve(
        steps=end.step if end else last,
        best_step=end.best_step if end else best[0],
        reason=end.reason if end else "",
        training=training,
        validation=validation,
        overfit_step=_overfit(training, validation),
        gap=best[1] - by_step[best[0]] if best[0] in by_step else None,
    )


def _mean_losses(runs: Iterable[MeasuredRun]) -> list[float]:
    """Return the loss of each example in nats, as mean over the runs."""
    return [float(one) for one in np.mean([run.nll for run in runs], axis=0)]


def _controls(
    losses: HoldoutLosses, runs: Sequence[MeasuredRun], by_rows: dict[int, list[MeasuredRun]]
) -> Iterable[FixedStepsControl]:
    """Yield the controls for whose seed both their size and the largest have a run."""
    largest = max(by_rows)
    for run in sorted((one for one in runs if one.training.is_control), key=lambda one: one.training.rows):
        seed = run.training.seed
        small, large = (
            [one for one in by_rows.get(rows, ()) if one.training.seed == seed] for rows in (run.training.rows, largest)
        )
        if small and large:
            yield FixedStepsControl(
                run,
                losses.nll([run]),
                losses.change(small, large),
                losses.change(small, [run]),
                losses.change([run], large),
            )


def _groups(folder: Path, lines: Sequence[int]) -> tuple[str, ...]:
    asked = run_folders.read(folder).spec
    found = quality_gate.groups_of_lines(Path(asked.holdout), lines) if asked else None
    return found if found and len(set(found)) < len(found) else ()


def _means(history: RunHistory, ends: Sequence[int]) -> tuple[tuple[int, float], ...]:
    """Return for each of the steps `ends` the mean training loss since the step before it."""
    found, begin = [], 0
    for end in ends:
        losses = [step.loss for step in history.steps if begin < step.step <= end]
        if losses:
            found.append((end, statistics.fmean(losses)))
        begin = end
    return tuple(found)


def _overfit(training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]]) -> int | None:
    """Return the best step if the run overfits, else None.

    It overfits if at the end the validation loss is higher, and the training loss lower, than at the best step.
    """
    if not validation:
        return None
    best_step, best = min(validation, key=lambda one: one[1])
    later = [loss for step, loss in validation if step > best_step]
    losses = [loss for step, loss in training if step <= best_step][-1:]
    losses += [loss for step, loss in training if step > best_step]
    if len(later) < OVERFIT_STEPS or len(losses) < 2:
        return None
    has_risen, has_fallen = later[-1] - best > RISE_NATS, losses[-1] < losses[0]
    return best_step if has_risen and has_fallen else None
