"""Compute how a run has gone so far, from its journal, also while another process writes it.

The result holds curves, sample answers and health checks: what is as it should be, what the user should know, and what
needs a decision.
"""

import contextlib
import shutil
import sys
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
from app.training.runs import run_folders, run_journal
from app.training.runs.run_journal import JOURNAL_FILE, RunHistory, RunStatus
from trainer.events import Cancelled, EvaluationStep, Failed, Finished, Paused, Sample, TrainingStep
from trainer.spec import RunSpec

ALARM_AFTER = 2  # validation losses in a row, each worse than the one before; early stopping's default is 3
# Failures that would happen again, because the settings of a run cannot change.
_FINAL = frozenset((
    "spec_invalid", "data_changed", "data_invalid", "preflight_blocked", "base_unreadable", "not_finite",
    "checkpoint_damaged", "nothing_to_resume", "run_exists",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """One check of a run.

    `key`: not_finite | early_stopping | overfitting | checkpoint | sleep | memory | speed. `level`: ok | note (the user
    should know) | warning. `facts`: figures to show; {} if there are none yet.
    """

    key: str
    level: str
    facts: dict[str, Any] = field(default_factory=dict)


def health_checks(history: RunHistory, *, is_awake: bool) -> tuple[HealthCheck, ...]:
    """Return the health checks. `is_awake`: the trainer can keep the machine awake (`can_stay_awake`)."""
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
    """Count the losses at the end of the list that are each worse than the one before."""
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


def can_stay_awake(platform: str = sys.platform) -> bool:
    """Return whether the trainer can keep this machine awake (`trainer.sleep_inhibitor`).

    Windows and macOS always allow it.
    """
    if platform in ("win32", "darwin"):
        return True
    return shutil.which("systemd-inhibit") is not None and Path("/run/systemd/system").is_dir()


def is_resumable(state: str, end: Finished | Paused | Cancelled | Failed | None) -> bool:
    """Return whether a run that no process trains can be resumed. `state`: that of TrainingRunFolder."""
    if isinstance(end, Failed) and end.code in _FINAL:
        return False
    return state in ("waiting", "paused", "crashed", "failed", "cancelled")


# ------------------------------------------------------------------------- private


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
    """Return the check of checkpoints; the trainer reports one only after hashing its files."""
    saved = standing.saved
    return HealthCheck("checkpoint", "ok" if saved else "note", {"step": saved.step} if saved else {})


def _memory(history: RunHistory) -> HealthCheck:
    found = [one for one in history.adjusted if one.reason == "out_of_memory"]
    facts = {"micro_batch": found[-1].facts.get("micro_batch", 1), "step": found[-1].step} if found else {}
    return HealthCheck("memory", "note" if found else "ok", facts)


def _speed(history: RunHistory) -> Iterator[HealthCheck]:
    """Yield the check of the speed only if it was slow."""
    found = [one for one in history.adjusted if one.reason == "slow"]
    if found:
        yield HealthCheck("speed", "warning", {"step": found[-1].step})


SMALL_POINTS = 120  # of a sparkline
MARKED_POINTS = 120  # evaluations, each drawn with a mark
# A thread that computes in Python switches with the drawing thread every 5 ms, and drawing needs hundreds of switches:
# a sleep of a millisecond hands over sooner.
YIELD_LINES, YIELD_POINTS, YIELD_S = 25, 500, 0.001


@dataclass(frozen=True, slots=True)
class SampleAnswers:
    """The answers to one sample question during training, without repetitions.

    `reference`: "" if the question is not in the validation rows. `last_step`: of the last answer, repeated or not.
    """

    question: str
    reference: str
    answers: tuple[Sample, ...]
    last_step: int


@dataclass(frozen=True, slots=True)
class RunProgress:
    """The progress of a run.

    `state`: that of a run, or "ending": the process that started the training is gone, and the trainer is saving.
    `steps` and `evaluations` are complete; the curves have only as many points as can be drawn.
    """

    state: str
    standing: RunStatus = field(default_factory=RunStatus)
    asked: RunSpec | None = None  # with all settings decided, once they are; None: its file is damaged
    began_at: float = 0.0  # seconds since 1970, of the last start; 0: never
    is_resumed: bool = False  # the last start resumed from a checkpoint
    is_judged: bool = False
    is_from_elsewhere: bool = False  # as in TrainingRunFolder
    has_holdout: bool = False  # there are held-out rows to judge it by
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

    @property
    def is_live(self) -> bool:
        return self.state in ("running", "judging", "ending")

    @property
    def can_resume(self) -> bool:
        """Return whether its training or its judging can be resumed."""
        waits_for_judge = self.state == "finished" and self.has_holdout and not self.is_judged
        return waits_for_judge or is_resumable(self.state, self.standing.end)


class ProgressReader:
    """A reader of one run's progress, which reads only what is new: milliseconds, a second after hours of training."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._history = RunHistory()
        self._references: dict[str, str] | None = None
        self._is_awake = can_stay_awake()
        self.course: RunProgress | None = None  # the last one

    def look(self, *, is_ours: bool) -> RunProgress:
        """Read what is new and return the progress, the same object if nothing has changed.

        `is_ours`: this program trains or judges it, so that locks of other processes need no check.
        """
        has_news = self._read()
        state = self._state(is_ours=is_ours)
        before = self.course
        if before is None or has_news or state != before.state:
            self.course = before = self._course(state)
        return before

    # ------------------------------------------------------------------- private

    def _read(self) -> bool:
        """Read complete lines and return whether there were any; invalid lines are skipped."""
        try:
            with open_regular(self._folder / JOURNAL_FILE) as file:
                if file.seek(0, 2) < self._offset:  # another journal, imported from another machine
                    self._offset, self._history = 0, RunHistory()
                file.seek(self._offset)
                block = file.read(strict_json.FILE_BYTES)  # the next call reads the rest
        except OSError:  # the run has not started
            return False
        complete = block[: block.rfind(b"\n") + 1]
        self._offset += len(complete)
        for number, line in enumerate(complete.splitlines(), start=1):
            if number % YIELD_LINES == 0:
                time.sleep(YIELD_S)
            try:
                event = run_journal.read_event(line)
            except ValueError:  # an incomplete line, or one of a newer protocol
                continue
            self._history.take(event)
        return bool(complete)

    def _state(self, *, is_ours: bool) -> str:
        if is_ours:
            return "judging" if self._history.status.state == "finished" else "running"
        is_held = run_folders.is_locked(self._folder)
        state = run_folders.state_of(self._folder, self._history.status)
        return "ending" if state == "running" and not is_held else state

    def _course(self, state: str) -> RunProgress:
        history, folder = self._history, self._folder
        steps, evaluations = tuple(history.steps), history.evaluations
        losses = plots.finite_points([(one.step, one.loss) for one in steps])
        raw, smooth = _thinned(losses), _thinned(plots.smooth_exponentially(losses))
        started = history.started
        return RunProgress(
            state=state,
            standing=self._history.status,
            asked=run_folders.effective_spec(folder),
            began_at=started.time if started else 0.0,
            is_resumed=bool(started and started.resumed_step),
            is_judged=(folder / run_folders.GATE).is_file(),
            is_from_elsewhere=run_folders.is_from_elsewhere(folder),
            has_holdout=(folder / run_folders.HOLDOUT).is_file(),
            steps=steps,
            evaluations=evaluations,
            raw=raw,
            smooth=smooth,
            validation=_marked(evaluations),
            rate=_small([(one.step, one.learning_rate) for one in steps]),
            norm=_small([(one.step, one.gradient_norm) for one in steps]),
            speed=_small([(one.step, one.tokens_per_s) for one in steps]),
            memory=_small([(one.step, float(one.memory_bytes)) for one in steps]),
            answers=self._answers(),
            watched=health_checks(history, is_awake=self._is_awake),
        )

    def _answers(self) -> tuple[SampleAnswers, ...]:
        if self._history.samples and self._references is None:
            self._references = _references(run_folders.effective_spec(self._folder))
        known = self._references or {}
        return tuple(sample_answers(samples, known) for samples in _by_question(self._history.samples))


def sample_answers(samples: Sequence[Sample], known: Mapping[str, str]) -> SampleAnswers:
    """Return the answers that differ from the one before.

    `samples`: of one question, oldest first. `known`: references.
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


def _small(points: Sequence[tuple[float, float]]) -> CurvePoints:
    return _thinned(plots.finite_points(points), SMALL_POINTS)


def _thinned(points: CurvePoints, most: int = plots.CURVE_POINTS_MAX) -> CurvePoints:
    if len(points) > YIELD_POINTS:
        time.sleep(YIELD_S)
    return plots.thin_points(points, most)


def _references(asked: RunSpec | None) -> dict[str, str]:
    """Return the answer of each question in the validation rows, from which the sample questions are taken."""
    found: dict[str, str] = {}
    try:
        rows = read_objects(Path(asked.validation)) if asked else []
    except OSError:  # the file has moved
        return found
    for row in rows:
        with contextlib.suppress(KeyError, ValueError, TypeError):
            question, answer = row["messages"][-2:]
            found.setdefault(question["content"], answer["content"])
    return found
