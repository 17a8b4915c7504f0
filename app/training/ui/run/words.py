"""How a run goes, in words."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import wording
from app.base.wording import phrase
from app.training.runs.course import Course
from app.training.runs.watching import Watched
from app.uikit.localization import format_duration, join_facts
from trainer import events
from trainer.events import Finished

if TYPE_CHECKING:
    from app.training.services.gate import GateProgress  # numpy


def state(course: Course) -> str:
    return {
        "waiting": phrase("training.not_started"),
        "running": phrase("common.training"),
        "ending": phrase("training.saving"),
        "judging": phrase("training.being_judged"),
        "paused": phrase("training.paused"),
        "finished": phrase("training.finished"),
        "crashed": phrase("training.broken_off"),
        "failed": phrase("common.failed"),
        "cancelled": phrase("training.aborted"),
        "exported": phrase("training.exported"),
    }[course.state]


def epochs(course: Course) -> str:
    """ "" before the first step."""
    step = course.standing.step
    if step is None or not step.step:
        return ""
    in_all = step.epoch * step.total / step.step
    return phrase("training.a_b_epochs", a=f"{step.epoch:.1f}", b=f"{in_all:.1f}".removesuffix(".0"))


def phase(course: Course) -> str:
    """What the trainer is doing besides a step; "" where that is all."""
    told = course.standing.phase
    if course.state != "running" or (told is not None and told.name == "training"):
        return ""
    if told is None or course.standing.end is not None:  # of the start before
        return phrase("training.starting_the_training_process")
    known = told.name in events.PHASES
    name = (
        wording.phrase(f"training.run_phase.{told.name}")
        if known
        else wording.phrase("training.run_phase.other", name=told.name)
    )
    if told.total and told.name not in ("evaluating", "saving"):
        return join_facts(name, f"{100 * told.done // told.total}\u00a0%")
    return name


def judging(progress: "GateProgress") -> str:
    from app.training.gate import F16_ADAPTER, ON_BASE  # numpy

    is_named = progress.form in (*ON_BASE, F16_ADAPTER)
    key = f"training.run_form.{progress.form.replace('+', '_')}" if is_named else "training.run_form.merged"
    what = wording.phrase(f"training.run_gating.{progress.phase}", form=wording.phrase(key, form=progress.form))
    facts: dict[str, Any] = {"number": progress.number, "steps": progress.steps, "what": what}
    if progress.total:
        return wording.phrase("training.run_gating.percent", percent=100 * progress.done // progress.total, **facts)
    return wording.phrase("common.run_gating", **facts)


def finished(end: Finished) -> str:
    return wording.phrase(f"training.run_finished.{end.reason}", step=end.step, time=format_duration(end.seconds))


def left(seconds: float) -> str:
    """About, and rounded up; "" for what is not known."""
    if not math.isfinite(seconds):
        return ""
    if seconds < 60:
        return phrase("training.under_1_min")
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return phrase("training.about_m_min", m=minutes)
    return phrase("training.about_h_h_m_min_2", h=minutes // 60, m=minutes % 60)


def loss(value: float | None) -> str:
    """Nats a trained token."""
    return f"{value:.3f}" if value is not None and math.isfinite(value) else "–"


def rate(value: float) -> str:
    """A learning rate: 6.1e-5."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(power)}" if value else "0"


def gigabytes(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f}\u00a0GB"


def base(course: Course) -> str:
    asked = course.asked
    if asked is None:
        return "–"
    path = Path(asked.base)
    name = path.stem if path.suffix.lower() == ".gguf" else path.name
    precision = (asked.precision or "").upper()
    return join_facts(" ".join(part for part in (name, precision) if part), f"r{asked.rank}" if asked.rank else "")


def watched_name(key: str) -> str:
    return {
        "not_finite": phrase("training.invalid_numbers_nan"),
        "early_stopping": phrase("training.early_stopping"),
        "overfitting": phrase("training.overfitting"),
        "checkpoint": phrase("training.checkpoint"),
        "sleep": phrase("training.sleep_2"),
        "memory": phrase("common.not_enough_memory"),
        "speed": phrase("training.speed"),
    }[key]


def watched(found: Watched, course: Course) -> str:
    facts = found.facts
    match found.key:
        case "not_finite" if "step" in facts:
            return phrase("training.diverged_at_step_s", s=f"{facts['step']:,}")
        case "not_finite" if facts:
            return phrase("training.n_times_resumed_with_half", n=facts["count"])
        case "early_stopping" if course.standing.effective is None:
            return "–"
        case "early_stopping":
            return _early_stopping(facts)
        case "overfitting":
            return _overfitting(facts)
        case "checkpoint" if facts:
            return join_facts(
                phrase("training.step_s", s=f"{facts['step']:,}"),
                phrase("training.verified"),
            )
        case "checkpoint":
            return phrase("common.none_yet")
        case "sleep" if found.level != "ok":
            return phrase("training.cannot_be_prevented")
        case "sleep" if course.state in ("running", "ending"):
            return phrase("training.prevented_while_training")
        case "memory" if facts:
            return phrase("training.going_on_with_n_at", n=facts["micro_batch"])
        case "speed":
            return phrase("training.much_slower_since_step_s", s=f"{facts['step']:,}")
    return phrase("common.none") if found.key != "sleep" else phrase("training.not_kept_awake")


def _early_stopping(facts: Mapping[str, Any]) -> str:
    if not facts:
        return phrase("training.not_used")
    words = phrase("training.no_improvement_n_m", n=facts["count"], m=facts["most"])
    return join_facts(words, phrase("training.ended")) if facts.get("has_ended") else words


def _overfitting(facts: Mapping[str, Any]) -> str:
    count = facts.get("count", 0)
    words = phrase("training.rose_n_times_in_a", n=count) if count else phrase("common.none")
    if "gap" not in facts:
        return words
    return phrase("training.words_gap_gap", words=words, gap=f"{facts['gap']:.2f}")
