"""How a run has gone so far, worked out for whoever draws it; read from the journal, also while somebody writes it.

What is watched while a run is trained: what goes as it should, what is to be known, and what asks for a decision.
"""

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
from app.models import base_models
from app.training.runs import run_folders, run_journal
from app.training.runs.run_journal import JOURNAL_FILE, RunHistory, RunStatus
from trainer.events import Cancelled, EvaluationStep, Failed, Finished, Paused, Sample, TrainingStep
from trainer.spec import RunSpec

ALARM_AFTER = 2  # validation losses in a row that are worse than the one before: early stopping by default comes at 3
# Failures that would come again: something has to be changed, and what a run was asked does not change.
_FINAL = frozenset((
    "spec_invalid", "data_changed", "data_invalid", "preflight_blocked", "base_unreadable", "not_finite",
    "checkpoint_damaged", "nothing_to_resume", "run_exists",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class HealthCheck:
    """`key`: not_finite | early_stopping | overfitting | checkpoint | sleep | memory | speed. `level`: ok (as it
    should be), note (to be known), warning. `facts`: what is shown of it; {} where there is nothing to tell yet."""

    key: str
    level: str
    facts: dict[str, Any] = field(default_factory=dict)


def health_checks(history: RunHistory, standing: RunStatus, *, is_awake: bool) -> tuple[HealthCheck, ...]:
    """`is_awake`: as of `keeps_awake`."""
    return (
        _not_finite(history, standing),
        _early_stopping(standing),
        _overfitting(history, standing.evaluations),
        _checkpoint(standing),
        HealthCheck("sleep", "ok" if is_awake else "note"),
        _memory(history),
        *_speed(history),
    )


def count_rises(evaluations: Sequence[EvaluationStep]) -> int:
    """How many of the last losses in a row are worse than the one before each."""
    losses = [one.loss for one in evaluations]
    count = 0
    while count + 1 < len(losses) and losses[-1 - count] > losses[-2 - count]:
        count += 1
    return count


def is_overfitting(evaluations: Sequence[EvaluationStep]) -> bool:
    return count_rises(evaluations) >= ALARM_AFTER


def count_without_improvement(evaluations: Sequence[EvaluationStep]) -> int:
    """How many evaluations there were since the best one, as the trainer counts them."""
    losses = [one.loss for one in evaluations]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def patience_of(standing: RunStatus) -> int:
    """0: the run does not end before its time."""
    asked = standing.effective.spec if standing.effective else {}
    return (asked.get("patience") or 0) if asked.get("evaluations_per_epoch") != 0 else 0


def can_stay_awake(platform: str = sys.platform) -> bool:
    """Whether the trainer can keep this machine awake (`trainer.sleep_inhibitor`). Windows and macOS always let it."""
    if platform in ("win32", "darwin"):
        return True
    return shutil.which("systemd-inhibit") is not None and Path("/run/systemd/system").is_dir()


def is_resumable(state: str, end: Finished | Paused | Cancelled | Failed | None) -> bool:
    """Whether a run that is trained nowhere can be gone on with. `state`: of
    `app.training.runs.run_folders.TrainingRunFolder`.
    """
    if isinstance(end, Failed) and end.code in _FINAL:
        return False
    return state in ("waiting", "paused", "crashed", "failed", "cancelled")


# ------------------------------------------------------------------------- private


def _not_finite(history: RunHistory, standing: RunStatus) -> HealthCheck:
    if isinstance(standing.end, Failed) and standing.end.code == "not_finite":
        return HealthCheck("not_finite", "warning", {"step": standing.end.facts.get("step", standing.last_step)})
    found = [one for one in history.adjusted if one.reason == "not_finite"]
    return HealthCheck("not_finite", "warning" if found else "ok", {"count": len(found)} if found else {})


def _early_stopping(standing: RunStatus) -> HealthCheck:
    most, count = patience_of(standing), count_without_improvement(standing.evaluations)
    if isinstance(standing.end, Finished) and standing.end.reason == "early_stopping":
        return HealthCheck("early_stopping", "note", {"count": count, "most": most, "has_ended": True})
    facts = {"count": count, "most": most} if most else {}
    return HealthCheck("early_stopping", "note" if count or not most else "ok", facts)


def _overfitting(history: RunHistory, evaluations: Sequence[EvaluationStep]) -> HealthCheck:
    count = count_rises(evaluations)
    trained = [one.loss for one in history.steps[-10:]]
    facts: dict[str, Any] = {"count": count} if len(evaluations) > 1 else {}
    if facts and trained:
        facts["gap"] = evaluations[-1].loss - sum(trained) / len(trained)
    level = "warning" if is_overfitting(evaluations) else "note" if count else "ok"
    return HealthCheck("overfitting", level, facts)


def _checkpoint(standing: RunStatus) -> HealthCheck:
    """It was sealed with the hashes of its files before it was told."""
    saved = standing.saved
    return HealthCheck("checkpoint", "ok" if saved else "note", {"step": saved.step} if saved else {})


def _memory(history: RunHistory) -> HealthCheck:
    found = [one for one in history.adjusted if one.reason == "out_of_memory"]
    facts = {"micro_batch": found[-1].facts.get("micro_batch", 1), "step": found[-1].step} if found else {}
    return HealthCheck("memory", "note" if found else "ok", facts)


def _speed(history: RunHistory) -> Iterator[HealthCheck]:
    """Told only where there is something to tell."""
    found = [one for one in history.adjusted if one.reason == "slow"]
    if found:
        yield HealthCheck("speed", "warning", {"step": found[-1].step})


SMALL_POINTS = 120  # of a curve beside its present value
MARKED_POINTS = 120  # evaluations, each with a mark
# A thread that computes in Python takes turns of 5 ms with the one that draws, which needs hundreds of them: this one
# gives way after a millisecond.
YIELD_LINES, YIELD_POINTS, YIELD_S = 25, 500, 0.001


@dataclass(frozen=True, slots=True)
class SampleAnswers:
    """What one question was answered on the way: those that differ from the one before. `reference`: "" where the
    question is none of the validation rows. `last_step`: at which it was answered last."""

    question: str
    reference: str
    answers: tuple[Sample, ...]
    last_step: int


@dataclass(frozen=True, slots=True)
class RunProgress:
    """`state`: as of a run; also ending: whoever began it is gone, and it is saving. `steps` and `evaluations` hold
    all, the curves only as many points as can be told apart."""

    state: str
    standing: RunStatus = field(default_factory=RunStatus)
    asked: RunSpec | None = None  # with all that is decided, once it is; None: its file is damaged
    began_at: float = 0.0  # seconds since 1970, of the last start; 0: never
    is_resumed: bool = False  # whether the last start went on from a checkpoint
    is_judged: bool = False
    is_from_elsewhere: bool = False  # as of a run
    has_holdout: bool = False  # whether there is something to judge it by
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
        """With its training, or with its judging."""
        waits_for_judge = self.state == "finished" and self.has_holdout and not self.is_judged
        return waits_for_judge or is_resumable(self.state, self.standing.end)


class ProgressReader:
    """Of one run's folder. `look` reads what is new; it takes milliseconds, after hours of training a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = 0
        self._history = RunHistory()
        self._standing = RunStatus()
        self._references: dict[str, str] | None = None
        self._is_awake = can_stay_awake()
        self.course: RunProgress | None = None  # the last one

    def look(self, *, is_ours: bool) -> RunProgress:
        """The same object where nothing has changed. `is_ours`: this program trains or judges it, so that nobody else
        needs to be looked for."""
        told = self._read()
        state = self._state(is_ours=is_ours)
        before = self.course
        if before is None or told or state != before.state:
            self.course = before = self._course(state)
        return before

    # ------------------------------------------------------------------- private

    def _read(self) -> bool:
        """Whole lines only: one that is being written comes with the next look, and one that is torn never."""
        try:
            with open_regular(self._folder / JOURNAL_FILE) as file:
                if file.seek(0, 2) < self._offset:  # another journal, brought back from another machine
                    self._offset, self._history, self._standing = 0, RunHistory(), RunStatus()
                file.seek(self._offset)
                block = file.read(strict_json.FILE_BYTES)  # what is more comes with the next look
        except OSError:  # it has not begun
            return False
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        for number, line in enumerate(whole.splitlines(), start=1):
            if number % YIELD_LINES == 0:
                time.sleep(YIELD_S)
            try:
                event = run_journal.read_event(line)
            except ValueError:  # torn, or of a newer protocol
                continue
            self._history.take(event)
            self._standing = run_journal.status_after(self._standing, event)
        return bool(whole)

    def _state(self, *, is_ours: bool) -> str:
        if is_ours:
            return "judging" if self._standing.state == "finished" else "running"
        is_held = run_folders.is_locked(self._folder)
        state = run_folders.state_of(self._folder, self._standing)
        return "ending" if state == "running" and not is_held else state

    def _course(self, state: str) -> RunProgress:
        history, folder = self._history, self._folder
        steps, evaluations = tuple(history.steps), tuple(history.evaluations)
        losses = plots.finite_points([(one.step, one.loss) for one in steps])
        raw, smooth = _thinned(losses), _thinned(plots.smooth_exponentially(losses))
        started = history.started
        return RunProgress(
            state=state,
            standing=self._standing,
            asked=_asked(folder),
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
            watched=health_checks(history, self._standing, is_awake=self._is_awake),
        )

    def _answers(self) -> tuple[SampleAnswers, ...]:
        if self._history.samples and self._references is None:
            self._references = _references(_asked(self._folder))
        known = self._references or {}
        return tuple(sample_answers(told, known) for told in _by_question(self._history.samples))


def sample_answers(told: Sequence[Sample], known: Mapping[str, str]) -> SampleAnswers:
    """`told`: of one question, oldest first. `known`: question -> reference."""
    differs = [one for number, one in enumerate(told) if not number or one.answer != told[number - 1].answer]
    question = told[0].question
    return SampleAnswers(question, known.get(question, ""), tuple(differs), told[-1].step)


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


def _asked(folder: Path) -> RunSpec | None:
    return base_models.read_spec(folder / run_folders.EFFECTIVE) or base_models.read_spec(folder / run_folders.SPEC)


def _references(asked: RunSpec | None) -> dict[str, str]:
    """Question -> answer of the validation rows, which the questions are taken from."""
    found: dict[str, str] = {}
    try:
        lines = strict_json.read_bytes(Path(asked.validation)).splitlines() if asked else []
    except OSError:  # moved since, or no file of rows
        return found
    for line in lines:
        try:
            messages = strict_json.loads(line)["messages"]
            found.setdefault(messages[-2]["content"], messages[-1]["content"])
        except (ValueError, KeyError, IndexError, TypeError):
            continue
    return found
