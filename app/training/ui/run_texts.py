"""Provide the texts of a run: its state, phase, health checks, status sentence and failures."""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.base import wording
from app.base.errors import AppError
from app.base.wording import ErrorMessage, format_duration, phrase
from app.inference.local_model import LocalModel
from app.models.artifact_steps import StepProgress
from app.training import training_errors
from app.training.runs import run_progress
from app.training.runs.run_clock import ClockReading
from app.training.runs.run_progress import HealthCheck, RunProgress
from app.training.services.training_runner import TrainingRunner
from app.training.ui import training_texts
from app.uikit import localization
from app.uikit.localization import join_facts
from trainer import events
from trainer.events import Failed, Finished


def epochs_text(course: RunProgress) -> str:
    """Return a text with the epochs done and their total; "" before the first step."""
    step = course.standing.step
    if step is None or not step.step:
        return ""
    in_all = step.epoch * step.total / step.step
    return phrase("training.a_b_epochs", a=f"{step.epoch:.1f}", b=f"{in_all:.1f}".removesuffix(".0"))


def phase_text(course: RunProgress) -> str:
    """Return what the trainer is doing if it is not training steps; otherwise ""."""
    phase = course.standing.phase
    if course.state != "running" or (phase is not None and phase.name == "training"):
        return ""
    if phase is None or course.standing.end is not None:  # the terminal event belongs to an earlier start
        return phrase("training.starting_the_training_process")
    known = phase.name in events.PHASES
    return (
        wording.phrase(f"training.run_phase.{phase.name}")
        if known
        else wording.phrase("training.run_phase.other", name=phase.name)
    )


def judging_progress_text(progress: StepProgress) -> str:
    what = training_texts.gate_step_text(progress)
    facts: dict[str, Any] = {"number": progress.number, "steps": progress.steps, "what": what}
    if progress.total:
        return wording.phrase("training.run_gating.percent", percent=100 * progress.done // progress.total, **facts)
    return wording.phrase("common.run_gating", **facts)


def finished_text(end: Finished) -> str:
    return wording.phrase(f"training.run_finished.{end.reason}", step=end.step, time=format_duration(end.seconds))


def left_text(reading: ClockReading) -> str:
    """Return a text with the approximate time left, or a range that begins with it; "" if nothing is known."""
    if reading.left_s is None:
        return ""
    least_s, most_s = reading.left_s, reading.most_s or 0.0
    if least_s < 60 and most_s >= 120:
        return phrase("training.about_a_s_to_b_min", a=_seconds(least_s), b=math.ceil(most_s / 60))
    key, low, high = "training.about_a_to_b_s", _seconds(least_s), _seconds(most_s)
    if max(least_s, most_s) >= 120:
        key, low, high = "training.about_a_to_b_min", math.ceil(least_s / 60), math.ceil(most_s / 60)
    return phrase(key, a=low, b=high) if low < high else _about(least_s)


def _seconds(seconds: float) -> int:
    """Round up to 5 seconds."""
    return max(5, 5 * math.ceil(seconds / 5))


def _about(seconds: float) -> str:
    """Return a duration as text, rounded up: to 5 seconds below two minutes, otherwise to minutes."""
    if seconds < 120:
        return phrase("training.about_s_s", s=_seconds(seconds))
    minutes = math.ceil(seconds / 60)
    if minutes < 60:
        return phrase("training.about_m_min", m=minutes)
    return phrase("training.about_h_h_m_min_2", h=minutes // 60, m=minutes % 60)


def format_loss(value: float | None) -> str:
    """Format a loss in nats per trained token; "–" if it is None or not finite."""
    return f"{value:.3f}" if value is not None and math.isfinite(value) else "–"


def format_learning_rate(value: float) -> str:
    """Format a learning rate like 6.1e-5."""
    mantissa, _, power = f"{value:.1e}".partition("e")
    return f"{mantissa}e{int(power)}" if value else "0"


def base_name(course: RunProgress, models: Iterable[LocalModel]) -> str:
    """Return the name of the run's base as in the list of `models`, or else of its file, its precision and the rank."""
    spec = course.requested
    if spec is None:
        return "–"
    path = Path(spec.base)
    by_file = path.stem if path.suffix.lower() == ".gguf" else path.name
    name = next((model.name for model in models if model.path == spec.base and not model.adapter), by_file)
    precision = (spec.precision or "").upper()
    return join_facts(" ".join(part for part in (name, precision) if part), f"r{spec.rank}" if spec.rank else "")


def health_check_name(key: str) -> str:
    return {
        "not_finite": phrase("training.invalid_numbers_nan"),
        "early_stopping": phrase("training.early_stopping"),
        "overfitting": phrase("training.overfitting"),
        "checkpoint": phrase("training.checkpoint"),
        "sleep": phrase("training.sleep_2"),
        "memory": phrase("common.not_enough_memory"),
        "speed": phrase("training.speed"),
    }[key]


def health_check_text(check: HealthCheck, course: RunProgress) -> str:
    facts = check.facts
    match check.key:
        case "not_finite" if "step" in facts:
            return phrase("training.diverged_at_step_s", s=f"{facts['step']:,}")
        case "not_finite" if facts:
            return phrase("training.n_times_resumed_with_half", n=facts["count"])
        case "early_stopping" if course.standing.effective is None:
            return "–"
        case "early_stopping":
            return _early_stopping_text(facts)
        case "overfitting":
            return _overfitting_text(facts)
        case "checkpoint" if facts:
            return join_facts(
                phrase("training.step_s", s=f"{facts['step']:,}"),
                phrase("training.verified"),
            )
        case "checkpoint":
            return phrase("common.none_yet")
        case "sleep" if check.level != "ok":
            return phrase("training.cannot_be_prevented")
        case "sleep" if course.state in ("running", "ending"):
            return phrase("training.prevented_while_training")
        case "memory" if facts:
            return phrase("training.going_on_with_n_at", n=facts["micro_batch"])
        case "speed":
            return phrase("training.much_slower_since_step_s", s=f"{facts['step']:,}")
    return phrase("common.none") if check.key != "sleep" else phrase("training.not_kept_awake")


def _early_stopping_text(facts: Mapping[str, Any]) -> str:
    if not facts:
        return phrase("training.not_used")
    words = phrase("training.no_improvement_n_m", n=facts["count"], m=facts["most"])
    return join_facts(words, phrase("training.ended")) if facts.get("has_ended") else words


def _overfitting_text(facts: Mapping[str, Any]) -> str:
    count = facts.get("count", 0)
    words = phrase("training.rose_n_times_in_a", n=count) if count else phrase("common.none")
    if "gap" not in facts:
        return words
    return phrase("training.words_gap_gap", words=words, gap=f"{facts['gap']:.2f}")


def status_sentence(course: RunProgress, trainings: TrainingRunner, *, is_ours: bool) -> str:
    """Return a sentence on the run's state; "" if the figures suffice. `is_ours`: this program runs it."""
    if is_ours and trainings.is_asked:
        return phrase("training.it_ends_as_soon_as")
    if is_ours and not course.is_live:
        return ""  # it has just begun and has not sent an event yet
    match course.state:
        case "running" if not is_ours:
            return localization.join_sentences(
                phrase("training.this_run_goes_on_outside"),
                phrase("training.to_stop_it_press_ctrl"),
            )
        case "judging" if is_ours and trainings.progress is not None:
            return judging_progress_text(trainings.progress)
        case "judging":
            return phrase("training.the_result_is_being_judged")
        case "ending":
            return phrase("training.the_training_process_is_saving")
        case "waiting":
            return phrase("training.it_has_not_started_yet")
        case "paused" if starts_over(course):
            return _saved_progress(course, "")
        case "paused":
            return phrase("training.paused_at_step_n_resume", n=f"{course.standing.last_step:,}")
        case "cancelled":
            return _saved_progress(course, phrase("training.this_run_was_aborted"))
        case "exported":
            return phrase("training.this_run_was_exported_to")
        case "finished":
            origin = wording.phrase("common.run_trained_elsewhere") if course.is_from_elsewhere else ""
            return (
                localization.join_sentences(origin, _finished_sentence(course))
                if origin
                else _finished_sentence(course)
            )
    return ""


def failure_message(course: RunProgress) -> ErrorMessage | None:
    """Return why an ended run failed and what to do next; None for other runs."""
    end = course.standing.end
    if course.state == "crashed":
        what = phrase("training.the_training_process_stopped_on")
        return ErrorMessage(what, _saved_progress(course, ""))
    if course.state == "failed" and isinstance(end, Failed):
        return error_message(training_errors.error_from_run(end.code, end.facts, ""), course)
    return None


def error_message(error: AppError, course: RunProgress | None) -> ErrorMessage:
    """Return the message of an error whose advice suits the window: a button or a new training, not a command."""
    described = wording.describe_error(error)
    if course is not None and course.can_resume and error.code.startswith("run_"):
        return ErrorMessage(described.message, _saved_progress(course, training_errors.remedy_text(error.code)))
    if error.code == "run_preflight_blocked":
        return ErrorMessage(described.message, phrase("training.mend_what_the_step_check"))
    if error.code == "run_not_finite":
        return ErrorMessage(described.message, phrase("training.start_a_new_run_with"))
    if error.code.startswith("run_"):
        return ErrorMessage(described.message, phrase("training.start_a_new_run"))
    return described


def overfitting_warning(course: RunProgress) -> str:
    """Return a warning that the validation loss rises; "" if it does not, or if the run has ended."""
    evaluations, best = course.standing.evaluations, course.standing.best_evaluation
    if course.state != "running" or best is None or not run_progress.is_overfitting(evaluations):
        return ""
    return phrase("training.validation_loss_rose_n_times", n=run_progress.count_rises(evaluations), s=f"{best.step:,}")


def abort_consequences(course: RunProgress) -> str:
    saved = course.standing.saved
    if saved is None or not saved.step:
        return phrase("training.nothing_is_saved_yet_you")
    return phrase("training.progress_up_to_step_n", n=f"{saved.step:,}")


def starts_over(course: RunProgress) -> bool:
    """Return whether a run that stopped can only begin again, because it has saved nothing."""
    return course.state in ("paused", "cancelled", "crashed", "failed") and not course.has_checkpoint


def _saved_progress(course: RunProgress, before: str) -> str:
    """Return the sentence `before`, followed by what is saved and how to continue."""
    saved = course.standing.saved
    if saved is None or not saved.step or starts_over(course):
        return localization.join_sentences(before, phrase("training.nothing_was_saved") if starts_over(course) else "")
    return localization.join_sentences(before, phrase("training.all_up_to_step_n", n=f"{saved.step:,}"))


def _finished_sentence(course: RunProgress) -> str:
    end = course.standing.end
    told = finished_text(end) if isinstance(end, Finished) else ""
    if course.can_resume:
        return join_facts(told, phrase("training.it_has_not_been_judged"))
    return told
