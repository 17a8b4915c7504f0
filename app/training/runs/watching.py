"""What is watched while a run is trained: what goes as it should, what is to be known, and what asks for a decision."""

import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.training.runs.history import History
from app.training.runs.standing import Standing
from trainer.events import Cancelled, EvaluationStep, Failed, Finished, Paused

ALARM_AFTER = 2  # validation losses in a row that are worse than the one before: early stopping by default comes at 3
# Failures that would come again: something has to be changed, and what a run was asked does not change.
_FINAL = frozenset((
    "spec_invalid", "data_changed", "data_invalid", "preflight_blocked", "base_unreadable", "not_finite",
    "checkpoint_damaged", "nothing_to_resume", "run_exists",
))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Watched:
    """`key`: not_finite | early_stopping | overfitting | checkpoint | sleep | memory | speed. `level`: ok (as it
    should be), note (to be known), warning. `facts`: what is shown of it; {} where there is nothing to tell yet."""

    key: str
    level: str
    facts: dict[str, Any] = field(default_factory=dict)


def watched(history: History, standing: Standing, *, is_awake: bool) -> tuple[Watched, ...]:
    """`is_awake`: as of `keeps_awake`."""
    return (
        _not_finite(history, standing),
        _early_stopping(standing),
        _overfitting(history, standing.evaluations),
        _checkpoint(standing),
        Watched("sleep", "ok" if is_awake else "note"),
        _memory(history),
        *_speed(history),
    )


def rises(evaluations: Sequence[EvaluationStep]) -> int:
    """How many of the last losses in a row are worse than the one before each."""
    losses = [one.loss for one in evaluations]
    count = 0
    while count + 1 < len(losses) and losses[-1 - count] > losses[-2 - count]:
        count += 1
    return count


def is_overfitting(evaluations: Sequence[EvaluationStep]) -> bool:
    return rises(evaluations) >= ALARM_AFTER


def without_improvement(evaluations: Sequence[EvaluationStep]) -> int:
    """How many evaluations there were since the best one, as the trainer counts them."""
    losses = [one.loss for one in evaluations]
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def patience(standing: Standing) -> int:
    """0: the run does not end before its time."""
    asked = standing.effective.spec if standing.effective else {}
    return (asked.get("patience") or 0) if asked.get("evaluations_per_epoch") != 0 else 0


def keeps_awake(platform: str = sys.platform) -> bool:
    """Whether the trainer can keep this machine awake (`trainer.sleep_inhibitor`). Windows and macOS always let it."""
    if platform in ("win32", "darwin"):
        return True
    return shutil.which("systemd-inhibit") is not None and Path("/run/systemd/system").is_dir()


def can_go_on(state: str, end: Finished | Paused | Cancelled | Failed | None) -> bool:
    """Whether a run that is trained nowhere can be gone on with. `state`: of `app.training.runs.runs.Run`."""
    if isinstance(end, Failed) and end.code in _FINAL:
        return False
    return state in ("waiting", "paused", "crashed", "failed", "cancelled")


# ------------------------------------------------------------------------- private


def _not_finite(history: History, standing: Standing) -> Watched:
    if isinstance(standing.end, Failed) and standing.end.code == "not_finite":
        return Watched("not_finite", "warning", {"step": standing.end.facts.get("step", standing.last_step)})
    found = [one for one in history.adjusted if one.reason == "not_finite"]
    return Watched("not_finite", "warning" if found else "ok", {"count": len(found)} if found else {})


def _early_stopping(standing: Standing) -> Watched:
    most, count = patience(standing), without_improvement(standing.evaluations)
    if isinstance(standing.end, Finished) and standing.end.reason == "early_stopping":
        return Watched("early_stopping", "note", {"count": count, "most": most, "has_ended": True})
    facts = {"count": count, "most": most} if most else {}
    return Watched("early_stopping", "note" if count or not most else "ok", facts)


def _overfitting(history: History, evaluations: Sequence[EvaluationStep]) -> Watched:
    count = rises(evaluations)
    trained = [one.loss for one in history.steps[-10:]]
    facts: dict[str, Any] = {"count": count} if len(evaluations) > 1 else {}
    if facts and trained:
        facts["gap"] = evaluations[-1].loss - sum(trained) / len(trained)
    level = "warning" if is_overfitting(evaluations) else "note" if count else "ok"
    return Watched("overfitting", level, facts)


def _checkpoint(standing: Standing) -> Watched:
    """It was sealed with the hashes of its files before it was told."""
    saved = standing.saved
    return Watched("checkpoint", "ok" if saved else "note", {"step": saved.step} if saved else {})


def _memory(history: History) -> Watched:
    found = [one for one in history.adjusted if one.reason == "out_of_memory"]
    facts = {"micro_batch": found[-1].facts.get("micro_batch", 1), "step": found[-1].step} if found else {}
    return Watched("memory", "note" if found else "ok", facts)


def _speed(history: History) -> Iterator[Watched]:
    """Told only where there is something to tell."""
    found = [one for one in history.adjusted if one.reason == "slow"]
    if found:
        yield Watched("speed", "warning", {"step": found[-1].step})
