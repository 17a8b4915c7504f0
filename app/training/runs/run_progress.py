"""Compute a run's progress from its journal, even while another process writes it.

The result holds curves, sample answers and health checks, each of which is fine, worth knowing, or needs a decision.
"""

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.base import plots
from app.base.files import strict_json
from app.base.files.input_file import open_regular
from app.base.plots import CurvePoints
from app.training.data.rows import read_objects
from app.training.runs import run_clock, run_folders, run_journal
from app.training.runs.run_clock import RunClock, StageRates
from app.training.runs.run_journal import JOURNAL_FILE, RunHistory, RunStatus
from trainer import sleep_inhibitor
from trainer.events import Cancelled, EvaluationStep, Failed, Finished, Paused, Sample, TrainingStep
from trainer.spec import RunSpec

ALARM_AFTER = 2  # consecutive rises of the validation loss; early stopping's default is 3
# Failures that would happen again, because a run's settings cannot change.
_FINAL = frozenset((
    "spec_invalid", "data_changed", "data_invalid", "preflight_blocked", "base_unreadable", "not_finite",
    "checkpoint_damaged", "nothing_to_resume", "run_exists",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One health check of a run.

    `key`: not_finite | early_stopping | overfitting | checkpoint | sleep | memory | speed. `level`: "ok" | "note"
    (worth knowing) | "warning". `facts`: figures to show; {} if there are none yet.
    """

    key: str
    level: str
    facts: dict[str, Any] = field(default_factory=dict)


def health_checks(history: RunHistory, *, is_awake: bool) -> tuple[HealthCheck, ...]:
    """Return all health checks. `is_awake`: the trainer can keep the machine awake (`trainer.sleep_inhibitor`)."""
    standing = history.status
    return (
        _not_finite(history),
        _early_stopping(standing),
        _overfitting(history),
        _checkpoint(standing),
        HealthCheck("sleep", "ok" if is_awake else "note"),
        _memory(history),
        *_speed(history),
    )


def count_rises(evaluations: Sequence[EvaluationStep]) -> int:
    """Return how many of the last losses are each worse than the one before."""
    losses = [one.loss for one in evaluations]
    count = 0
    while count + 1 < len(losses) and losses[-1 - count] > losses[-2 - count]:
        count += 1
    return count


def is_overfitting(evaluations: Sequence[EvaluationStep]) -> bool:
    return count_rises(evaluations) >= ALARM_AFTER


def count_without_improvement(evaluations: Sequence[EvaluationStep]) -> int:
    """Count the evaluations since the best one, as the trainer does."""
    losses = [one.loss for one in evaluations]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def patience_of(standing: RunStatus) -> int:
    """Return the patience of early stopping; 0 if it is off."""
    asked = standing.effective.spec if standing.effective else {}
    return (asked.get("patience") or 0) if asked.get("evaluations_per_epoch") != 0 else 0


def is_resumable(state: str, end: Finished | Paused | Cancelled | Failed | None) -> bool:
    """Return whether a run can be resumed that no process is training. `state`: its `TrainingRunFolder.state`."""
    if isinstance(end, Failed) and end.code in _FINAL:
        return False
    return state in ("waiting", "paused", "crashed", "failed", "cancelled")


# ------------------------------------------------------------- private functions


def _not_finite(history: RunHistory) -> HealthCheck:
    end = history.status.end
    if isinstance(end, Failed) and end.code == "not_finite":
        return HealthCheck("not_finite", "warning", {"step": end.facts.get("step", history.status.last_step)})
    found = [one for one in history.adjusted if one.reason == "not_finite"]
    return HealthCheck("not_finite", "warning" if found else "ok", {"count": len(found)} if found else {})


def _early_stopping(standing: RunStatus) -> HealthCheck:
    most, count = patience_of(standing), count_without_improvement(standing.evaluations)
    if isinstance(standing.end, Finished) and standing.end.reason == "early_stopping":
        return HealthCheck("early_stopping", "note", {"count": count, "most": most, "has_ended": True})
    facts = {"count": count, "most": most} if most else {}
    return HealthCheck("early_stopping", "note" if count or not most else "ok", facts)


def _overfitting(history: RunHistory) -> HealthCheck:
    evaluations = history.evaluations
    count = count_rises(evaluations)
    trained = [one.loss for one in history.steps[-10:]]
    facts: dict[str, Any] = {"count": count} if len(evaluations) > 1 else {}
    if facts and trained:
        facts["gap"] = evaluations[-1].loss - sum(trained) / len(trained)
    level = "warning" if is_overfitting(evaluations) else "note" if count else "ok"
    return HealthCheck("overfitting", level, facts)


def _checkpoint(standing: RunStatus) -> HealthCheck:
    """Return the check for checkpoints; the trainer reports a checkpoint only after hashing its files."""
    saved = standing.saved
    return HealthCheck("checkpoint", "ok" if saved else "note", {"step": saved.step} if saved else {})


def _memory(history: RunHistory) -> HealthCheck:
    found = [one for one in history.adjusted if one.reason == "out_of_memory"]
    facts = {"micro_batch": found[-1].facts.get("micro_batch", 1), "step": found[-1].step} if found else {}
    return HealthCheck("memory", "note" if found else "ok", facts)


def _speed(history: RunHistory) -> Iterator[HealthCheck]:
    """Yield a check of the speed if training was slow, otherwise nothing."""
    found = [one for one in history.adjusted if one.reason == "slow"]
    if found:
        yield HealthCheck("speed", "warning", {"step": found[-1].step})


SMALL_POINTS = 120  # points of a sparkline
MARKED_POINTS = 120  # evaluations, each drawn as a mark
# A thread that computes in Python lets the drawing thread run every 5 ms, and drawing needs hundreds of such switches:
# sleeping for a millisecond switches sooner.
YIELD_LINES, YIELD_POINTS, YIELD_S = 25, 500, 0.001


@dataclass(frozen=True, slots=True)
class SampleAnswers:
    """The answers to one sample question during training, without repetitions.

    `reference`: the answer in the validation rows; "" if the question is not in them. `last_step`: the step of the last
    answer, even if that repeats the one before.
    """

    question: str
    reference: str
    answers: tuple[Sample, ...]
    last_step: int


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a run.

    `state`: a state of TrainingRunFolder, or "ending" (the program that started the training is gone, and the trainer
    is saving). `steps` and `evaluations` are complete; the curves have only as many points as can be drawn.
    """

    state: str
    standing: RunStatus = field(default_factory=RunStatus)
    requested: RunSpec | None = None  # with all settings once they are decided; None: the file is damaged
    is_judged: bool = False
    has_checkpoint: bool = False
    is_from_elsewhere: bool = False  # another machine or person trained the run
    has_holdout: bool = False  # there are held-out rows to judge the run by
    steps: tuple[TrainingStep, ...] = ()
    evaluations: tuple[EvaluationStep, ...] = ()
    raw: CurvePoints = ()
    smooth: CurvePoints = ()
    validation: CurvePoints = ()
    rate: CurvePoints = ()
    norm: CurvePoints = ()
    speed: CurvePoints = ()
    memory: CurvePoints = ()
    answers: tuple[SampleAnswers, ...] = ()
    watched: tuple[HealthCheck, ...] = ()
    clock: RunClock = field(default_factory=lambda: RunClock(None, StageRates()))

    @property
    def is_live(self) -> bool:
        return self.state in ("running", "judging", "ending")

    @property
    def can_resume(self) -> bool:
        """Return whether the run's training or judging can be resumed."""
        waits_for_judge = self.state == "finished" and self.has_holdout and not self.is_judged
        return waits_for_judge or is_resumable(self.state, self.standing.end)


class ProgressReader:
    """Reads one run's progress, only the new part of its journal on each call.

    This takes milliseconds; the first call takes a second after hours of training.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._history = RunHistory()
        self._references: dict[str, str] | None = None
        self._clock: RunClock | None = None
        self.course: RunProgress | None = None  # the last result of `look`

    def look(self, *, is_ours: bool) -> RunProgress:
        """Read the new events and return the progress; the same object as before if nothing has changed.

        `is_ours`: this program trains or judges the run, so locks of other processes need not be checked.
        """
        has_news = self._read()
        state = self._state(is_ours=is_ours)
        before = self.course
        if before is None or has_news or state != before.state:
            self.course = before = self._course(state)
        return before

    # ------------------------------------------------------------- private methods

    def _read(self) -> bool:
        """Read complete new lines and return whether there were any; invalid lines are skipped."""
        try:
            with open_regular(self._folder / JOURNAL_FILE) as file:
                if file.seek(0, 2) < self._offset:  # the journal was replaced by an import
                    self._offset, self._history, self._clock = 0, RunHistory(), None
                file.seek(self._offset)
                block = file.read(strict_json.FILE_BYTES)  # the next call reads the rest
        except OSError:  # the run has not started yet
            return False
        complete = block[: block.rfind(b"\n") + 1]
        self._offset += len(complete)
        clock = self._clock = self._clock or self._new_clock()
        for number, line in enumerate(complete.splitlines(), start=1):
            if number % YIELD_LINES == 0:
                time.sleep(YIELD_S)
            try:
                at, event = run_journal.read_timed_event(line)
            except ValueError:  # an incomplete line, or an unknown event
                continue
            self._history.take(event)
            clock.take(at, event)
        return bool(complete)

    def _new_clock(self) -> RunClock:
        folder = self._folder
        return RunClock(run_folders.effective_spec(folder), run_clock.read_rates(folder))

    def _clock_now(self) -> RunClock:
        """Return a clock that the caller may advance, ended if the run is judged."""
        clock = (self._clock or self._new_clock()).copy()
        with contextlib.suppress(OSError):  # not judged
            clock.end_judging((self._folder / run_folders.GATE).stat().st_mtime, has_verdict=True)
        return clock

    def _state(self, *, is_ours: bool) -> str:
        if is_ours:
            return "judging" if self._history.status.state == "finished" else "running"
        is_held = run_folders.is_locked(self._folder)
        state = run_folders.state_of(self._folder, self._history.status)
        return "ending" if state == "running" and not is_held else state

    def _course(self, state: str) -> RunProgress:
        history, folder = self._history, self._folder
        steps, evaluations = tuple(history.steps), history.evaluations
        losses = plots.finite_points([(step.step, step.loss) for step in steps])
        raw, smooth = _thinned(losses), _thinned(plots.smooth_exponentially(losses))
        return RunProgress(
            state=state,
            standing=self._history.status,
            requested=run_folders.effective_spec(folder),
            is_judged=(folder / run_folders.GATE).is_file(),
            has_checkpoint=run_folders.has_checkpoint(folder),
            is_from_elsewhere=run_folders.is_from_elsewhere(folder),
            has_holdout=(folder / run_folders.HOLDOUT).is_file(),
            steps=steps,
            evaluations=evaluations,
            raw=raw,
            smooth=smooth,
            validation=_marked(evaluations),
            rate=_thin_out([(step.step, step.learning_rate) for step in steps]),
            norm=_thin_out([(step.step, step.gradient_norm) for step in steps]),
            speed=_thin_out([(step.step, step.tokens_per_s) for step in steps]),
            memory=_thin_out([(step.step, float(step.memory_bytes)) for step in steps]),
            answers=self._answers(),
            watched=health_checks(history, is_awake=sleep_inhibitor.can_keep_awake()),
            clock=self._clock_now(),
        )

    def _answers(self) -> tuple[SampleAnswers, ...]:
        if self._history.samples and self._references is None:
            self._references = _references(run_folders.effective_spec(self._folder))
        known = self._references or {}
        return tuple(sample_answers(samples, known) for samples in _by_question(self._history.samples))


def sample_answers(samples: Sequence[Sample], known: Mapping[str, str]) -> SampleAnswers:
    """Return the answers that differ from the answer before.

    `samples`: those of one question, oldest first. `known`: reference answers by question.
    """
    differs = [one for number, one in enumerate(samples) if not number or one.answer != samples[number - 1].answer]
    question = samples[0].question
    return SampleAnswers(question, known.get(question, ""), tuple(differs), samples[-1].step)


def _by_question(samples: Sequence[Sample]) -> Collection[list[Sample]]:
    found: dict[str, list[Sample]] = {}
    for one in samples:
        found.setdefault(one.question, []).append(one)
    return found.values()


def _marked(evaluations: Sequence[EvaluationStep]) -> CurvePoints:
    return plots.thin_points(plots.finite_points([(one.step, one.loss) for one in evaluations]), MARKED_POINTS)


def _thin_out(points: Sequence[tuple[float, float]]) -> CurvePoints:
    return _thinned(plots.finite_points(points), SMALL_POINTS)


def _thinned(points: CurvePoints, most: int = plots.CURVE_POINTS_MAX) -> CurvePoints:
    if len(points) > YIELD_POINTS:
        time.sleep(YIELD_S)
    return plots.thin_points(points, most)


def _references(requested: RunSpec | None) -> dict[str, str]:
    """Return the answer of each question in the validation rows, which contain the sample questions."""
    found: dict[str, str] = {}
    try:
        rows = read_objects(Path(requested.validation)) if requested else []
    except OSError:  # the file was moved
        return found
    for row in rows:
        with contextlib.suppress(KeyError, ValueError, TypeError):
            question, answer = row["messages"][-2:]
            found.setdefault(question["content"], answer["content"])
    return found
