"""Format training runs for the terminal (a line, a page, an outcome) and as JSON."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import invisible_characters, wording
from app.base.errors import AppError
from app.base.wording import format_duration, format_size, phrase
from app.training import training_errors
from app.training.runs import run_folders
from app.training.runs.run_folders import TrainingRunFolder
from app.training.runs.run_journal import RunStatus
from app.training.services.terminal_run import loss_text, phase_text
from trainer import adapter
from trainer.adapter import AdapterError
from trainer.events import Failed, Finished

if TYPE_CHECKING:  # `quality_gate` imports numpy, which most commands do not need
    from app.training.quality_gate import GateResult

_SETTINGS = (
    "preset", "precision", "device", "context_tokens", "rank", "alpha", "dropout", "learning_rate", "micro_batch",
    "accumulation", "epochs", "max_steps", "optimizer", "seed",
)  # fmt: skip


def run_line(run: TrainingRunFolder) -> str:
    standing, best, gate = run.standing, run.standing.best_evaluation, gate_of(run)
    state = phrase(f"training.run_state.{run.state}")
    if run.is_from_elsewhere:
        state = phrase("training.run_state.elsewhere", state=state)
    if run.state == "exported":
        path = run_folders.exported_to(run.folder)
        return phrase("common.run_line_exported", id=run.id, state=state, path=path, size=format_size(run.size_bytes))
    return phrase(
        "common.run_line",
        id=run.id,
        state=f"{state} ({phrase(f'training.gate.{gate.verdict}')})" if gate else state,
        step=standing.last_step,
        total=_total(standing),
        loss=loss_text(best.loss if best else None),
        size=format_size(run.size_bytes),
    )


def run_page(run: TrainingRunFolder) -> list[str]:
    """Return the lines that show everything about one run."""
    standing = run.standing
    state = phrase(f"training.run_state.{run.state}")
    lines = [run.id, phrase("common.run_show_state", state=state, step=standing.last_step, total=_total(standing))]
    if run.state == "exported":
        lines = [run.id, phrase("common.run_show_exported", state=state, path=run_folders.exported_to(run.folder))]
    if run.state == "running" and standing.phase is not None:
        lines.append(phrase("common.run_phase", phase=phase_text(standing.phase.name)))
    if run.spec is not None:
        lines.append(phrase("common.run_show_base", path=run.spec.base))
        lines.append(phrase("common.run_show_data", path=run.spec.train))
        if run.spec.adapter:
            lines.append(phrase("common.run_show_start", name=_start_name(run.spec.adapter)))
    lines.append(phrase("common.run_show_folder", path=run.folder, size=format_size(run.size_bytes)))
    if decided := settings(run):
        lines.append(phrase("common.run_show_settings", settings=settings_text(decided)))
    lines += _progress_lines(standing)
    if isinstance(standing.end, Finished):
        lines += outcome(run, standing.end)
    problem = problem_of(run)
    if problem is not None:
        lines.append(str(wording.describe_error(problem)))
    return lines


def _start_name(folder: str) -> str:
    """Return the name of the earlier run whose adapter is trained further; the folder's path if the name is unknown."""
    try:
        return adapter.read(Path(folder)).name or folder
    except AdapterError:
        return folder


def _progress_lines(standing: RunStatus) -> list[str]:
    """Return lines for the preflight findings, the evaluations and the sample answers."""
    lines = [
        phrase(f"training.run_finding.{finding.level}", text=training_errors.finding_text(finding))
        for finding in standing.findings
    ]
    for evaluation in standing.evaluations:
        key = "common.run_evaluation" if evaluation.step else "common.run_base_loss"
        lines.append(phrase(key, step=evaluation.step, loss=loss_text(evaluation.loss)))
    for sample in standing.samples:
        question, answer = plain(sample.question), plain(sample.answer)
        lines.append(phrase("common.run_show_sample", step=sample.step, question=question, answer=answer))
    return lines


def plain(text: str) -> str:
    """Return the text on one line without terminal control characters, which a model's answer may contain."""
    return invisible_characters.to_single_line(text)


def outcome(run: TrainingRunFolder, end: Finished) -> list[str]:
    lines = [phrase(f"training.run_finished.{end.reason}", step=end.step, time=format_duration(end.seconds))]
    if run.is_from_elsewhere:
        lines.append(phrase("common.run_trained_elsewhere"))
    if end.best_loss is not None:
        losses = {"base_loss": loss_text(end.base_loss), "best_loss": loss_text(end.best_loss)}
        lines.append(phrase("common.run_losses", best_step=end.best_step, **losses))
    lines.append(phrase("common.run_speed", tokens_per_s=f"{end.tokens_per_s:.0f}", peak_bytes=end.peak_bytes))
    gate = gate_of(run)
    if gate is not None:
        from app.training.cli import train_verdict

        lines += train_verdict.verdict_lines(run, gate)
    elif run.adapter is not None:
        lines.append(phrase("common.run_use", id=run.id))
    return lines


def elapsed(trained_s: float, elapsed_s: float, *, is_judged: bool) -> str:
    """Return a text with the time since the command started, split into training and (if `is_judged`) judging.

    `trained_s`, `elapsed_s`: seconds of training and of the whole command.
    """
    return phrase(
        "common.run_elapsed_judged" if is_judged else "common.run_elapsed",
        total=format_duration(elapsed_s),
        trained=format_duration(trained_s),
        judged=format_duration(round(elapsed_s) - round(trained_s)),
    )


def settings_text(values: Mapping[str, Any]) -> str:
    return phrase("common.setting_between").join(
        training_errors.setting_text(name, value) for name, value in values.items()
    )


def gate_of(run: TrainingRunFolder) -> "GateResult | None":
    if not run.is_judged:
        return None
    from app.training import quality_gate

    return quality_gate.read_gate_or_none(run.folder)


def problem_of(run: TrainingRunFolder) -> AppError | None:
    """Return the error that ended a run before it was finished; None if there was none."""
    end = run.standing.end
    if isinstance(end, Failed):
        return training_errors.error_from_run(end.code, end.facts, run.id)
    if run.spec is None:
        return AppError("run_damaged", id=run.id)
    return None


def settings(run: TrainingRunFolder) -> dict[str, Any]:
    """Return the settings that the run uses, without those that are None; {} if they are unknown."""
    asked = run_folders.effective_spec(run.folder)
    values = {name: getattr(asked, name) for name in _SETTINGS} if asked else {}
    return {name: value for name, value in values.items() if value is not None}


def _total(standing: RunStatus) -> int | str:
    return standing.step.total if standing.step else "-"


def run_as_json(run: TrainingRunFolder) -> dict[str, Any]:
    standing, end, best = run.standing, run.standing.end, run.standing.best_evaluation
    step = standing.step
    problem, gate = problem_of(run), gate_of(run)
    report_path = run.folder / run_folders.REPORT
    return {
        "id": run.id,
        "name": run.name,
        "state": run.state,
        "is_from_elsewhere": run.is_from_elsewhere,
        "folder": str(run.folder),
        "base": run.spec.base if run.spec else None,
        "went_on_from": _start_name(run.spec.adapter) if run.spec and run.spec.adapter else None,
        "step": standing.last_step,
        "total": step.total if step else None,
        "loss": _finite(step.loss if step else None),
        "base_loss": _finite(standing.base_loss),
        "best_loss": _finite(best.loss if best else None),
        "best_step": best.step if best else None,
        "adapter": str(run.adapter) if run.adapter else None,
        "size_bytes": run.size_bytes,
        "started_at": standing.started_at or None,
        "tokens_per_s": end.tokens_per_s if isinstance(end, Finished) else step.tokens_per_s if step else None,
        "peak_bytes": end.peak_bytes if isinstance(end, Finished) else step.memory_bytes if step else None,
        "seconds": end.seconds if isinstance(end, Finished) else None,
        "reason": end.reason if isinstance(end, Finished) else None,
        "verdict": gate.verdict if gate else None,
        "report": str(report_path) if report_path.is_file() and run_folders.is_planned_here(run.folder) else None,
        "problem": {"code": problem.code, "message": str(wording.describe_error(problem))} if problem else None,
    }


def _finite(value: float | None) -> float | None:
    """Return the value; None for infinity and NaN, which JSON cannot represent."""
    return value if value is not None and math.isfinite(value) else None
