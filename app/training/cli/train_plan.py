"""Run `kotae train plan` (estimate a run, or with `--job` prepare it for another machine) and `kotae train import`."""

import argparse
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.base import confidentiality, invisible_characters, wording
from app.base.cli.commands import Output, add_command
from app.base.confidentiality import Permit
from app.base.errors import AppError
from app.base.files.input_file import absolute_path
from app.base.paths import Paths
from app.base.wording import format_duration, format_size, help_text, phrase
from app.chat.store import Store
from app.inference import speed
from app.models import training_environment
from app.training import remote_job, remote_job_import, run_plan, spec_builder, training_errors
from app.training.cli import train_runs, train_texts
from app.training.run_plan import RunPlan
from app.training.runs import lineage, run_folders
from app.training.services import training_run
from app.training.services.training_run import Trainer
from trainer.events import Preview, PreviewToken
from trainer.spec import RunSpec

_MEMORY = ("weights", "tables", "adapter", "optimizer", "kept", "working", "spare", "libraries")
_SHOWN_TOKENS = 400
_SETTINGS = (
    "precision", "device", "context_tokens", "rank", "alpha", "dropout", "learning_rate", "micro_batch", "accumulation",
    "epochs", "max_steps", "optimizer", "gradient_checkpointing", "loss", "seed",
)  # fmt: skip


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "plan", help_text("train plan"), _plan)
    train_runs.add_spec_options(parser)
    parser.add_argument("--job", metavar="DIR", help=help_text("train plan --job"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    parser.add_argument("--with-base", action="store_true", help=help_text("train plan --with-base"))


def _plan(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Plan a run. Exit status: 0 if it fits or the job was written; 1 if it does not fit; 3 for an expected error."""
    if options.with_base and not options.job:
        raise AppError("bad_option", option="--with-base", value="", expected="--job DIR --with-base")
    fields = train_runs.spec_fields_from_options(options)
    trainer = training_run.locate_trainer(where.data) if options.job else _trainer(where)
    store = Store.open(where.database, where.backups)
    try:
        converter = trainer.converter if trainer and options.job else ""  # a job includes the converter
        models = store.local_models()
        asked = spec_builder.build_spec(fields, where, models, converter)
    finally:
        store.close()
    if options.job:
        folder = absolute_path(Path(options.job))
        bases = [model for model in models if asked.base in (model.path, model.adapter)]
        known = lineage.lineage_of_spec(asked)
        export = remote_job.job_export(known, bases, folder, where.documents, asked.name)
        permit = confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
        status = make_job(asked, folder, permit=permit, with_base=options.with_base, output=output)
        run_folders.record_export(Path(asked.folder), folder)
        return status
    output.progress("common.plan_working")
    try:
        speed_file = where.data / speed.FILE_NAME
        plan = run_plan.plan_run(
            asked, trainer.command if trainer else None, lambda kind: run_plan.find_device(kind, speed_file)
        )
    finally:
        output.end_progress()
    output.result(plan_as_json(plan), "\n".join(plan_lines(plan)))
    return 0 if plan.fits else 1


def _trainer(where: Paths) -> Trainer | None:
    try:
        return training_run.locate_trainer(where.data)
    except AppError as error:
        if error.code not in training_environment.MISSING:
            raise
        return None


# --------------------------------------------------------------------------- texts


def plan_lines(plan: RunPlan) -> list[str]:
    counts, decided = plan.counts, plan.spec
    lines = [phrase("training.plan_exact" if counts.is_exact else "training.plan_guessed")]
    numbers = {name: f"{value:,}" for name, value in dataclasses.asdict(counts).items()}
    lines.append(phrase("training.plan_rows", **numbers))
    settings = {name: getattr(decided, name) for name in _SETTINGS if getattr(decided, name) is not None}
    lines.append(phrase("common.run_show_settings", settings=train_texts.settings_text(settings)))
    lines += _costs(plan)
    lines += [
        phrase(f"training.run_finding.{finding.level}", text=train_texts.plain(training_errors.finding_text(finding)))
        for finding in plan.findings
    ]
    if plan.preview is not None:
        lines += [phrase("training.plan_preview", line=plan.preview.line), tokens_text(plan.preview)]
    return [*lines, *_verdict(plan)]


def _costs(plan: RunPlan) -> Iterator[str]:
    memory, device = plan.memory, plan.device
    place = device.name or phrase("training.plan_processor")
    yield phrase(
        "training.plan_memory", total=format_size(memory.total), free=format_size(device.free_bytes), place=place
    )
    for name in _MEMORY:
        part = getattr(memory, name)
        if part:
            yield phrase("training.plan_part", name=phrase(f"training.memory_part.{name}"), size=format_size(part))
    yield from _times(plan)
    disk, free = plan.disk, plan.free_disk_bytes
    yield phrase(
        "training.plan_disk",
        total=format_size(disk.training),
        free=format_size(free),
        checkpoints=format_size(disk.checkpoints),
    )


def _times(plan: RunPlan) -> Iterator[str]:
    """Yield lines with the planned times; the rounded times of steps and evaluations add up to the total."""
    time = plan.time
    total_s, steps_s = round(time.total_s), round(time.steps * time.step_s)
    yield phrase(
        "training.plan_time_card" if plan.device.kind == "cuda" else "training.plan_time",
        total=format_duration(total_s),
    )
    is_long = time.step_s >= 1
    step = (
        phrase("training.plan_about", time=format_duration(time.step_s))
        if is_long
        else phrase("training.plan_under_a_second")
    )
    yield phrase("training.plan_time_steps", steps=f"{time.steps:,}", step=step, total=format_duration(steps_s))
    if total_s > steps_s:
        yield phrase("training.plan_time_evaluations", total=format_duration(total_s - steps_s))
    if plan.verdict_s:
        yield phrase("training.plan_time_verdict", time=format_duration(plan.verdict_s))
    yield phrase("training.plan_time_not_counted")


def _verdict(plan: RunPlan) -> Iterator[str]:
    if plan.problem is not None:
        yield str(wording.describe_error(plan.problem))
    if not plan.has_memory:
        yield phrase("common.plan_short", allowed=format_size(plan.allowed_bytes), total=format_size(plan.memory.total))
        changes = phrase("common.setting_between").join(
            phrase(
                "training.plan_change",
                setting=training_errors.setting_text(name, value),
                key=name,
                value=json.dumps(value),
            )
            for name, value in plan.changes
        )
        yield phrase("training.plan_changes", changes=changes) if changes else phrase("training.plan_no_changes")
    if not plan.has_disk:
        yield phrase(
            "training.plan_disk_short", total=format_size(plan.disk.training), free=format_size(plan.free_disk_bytes)
        )
    if plan.fits:
        yield phrase("training.plan_fits")


def tokens_text(preview: Preview) -> str:
    """Return the preview as text: trained tokens in brackets, bars between the others, line ends made visible."""
    text, before = "", ""
    for token in preview.tokens[:_SHOWN_TOKENS]:
        shown = _token_text(token)
        text += f"[{shown}]" if token.is_trained else f"{before}{shown}"
        before = "" if token.is_trained else "|"
    return text + ("…" if len(preview.tokens) > _SHOWN_TOKENS else "")


def _token_text(token: PreviewToken) -> str:
    text = token.text.replace("\n", "⏎")
    return invisible_characters.remove(text) or "·"


def plan_as_json(plan: RunPlan) -> dict[str, Any]:
    memory, time = plan.memory, plan.time
    return {
        "fits": plan.fits,
        "is_exact": plan.counts.is_exact,
        "counts": dataclasses.asdict(plan.counts),
        "settings": {name: getattr(plan.spec, name) for name in _SETTINGS},
        "device": dataclasses.asdict(plan.device),
        "memory": {f"{name}_bytes": getattr(memory, name) for name in _MEMORY} | {"total_bytes": memory.total},
        "allowed_bytes": plan.allowed_bytes,
        "disk": {f"{name}_bytes": value for name, value in dataclasses.asdict(plan.disk).items()},
        "free_disk_bytes": plan.free_disk_bytes,
        "time": {"step_s": round(time.step_s, 3), "steps": time.steps, "total_s": round(time.total_s, 1)}
        | {"verdict_s": round(plan.verdict_s, 1)},
        "findings": [
            {"code": found.code, "level": found.level, "text": training_errors.finding_text(found)}
            for found in plan.findings
        ],
        "preview": dataclasses.asdict(plan.preview) if plan.preview else None,
        "problem": {"code": plan.problem.code, "message": str(wording.describe_error(plan.problem))}
        if plan.problem
        else None,
        "changes": dict(plan.changes),
    }


def add_import_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "import", help_text("train import"), _import)
    parser.add_argument("folder", metavar="DIR", help=help_text("train import folder"))


def make_job(requested: RunSpec, folder: Path, *, permit: Permit, with_base: bool, output: Output) -> int:
    """Write the job folder and list its run here as waiting for a result. Return exit status 0."""
    folder = folder.expanduser().absolute()
    output.progress("training.job_working")
    try:
        job = remote_job.make_job(requested, folder, permit=permit, with_base=with_base)
    finally:
        output.end_progress()
    run = run_folders.create(requested).name
    lines = [output.phrase("training.job_made", path=job.folder, size=format_size(job.size_bytes), id=run)]
    if not job.has_base:
        lines.append(output.phrase("training.job_base_missing", files=", ".join(job.base_files)))
    lines.append(output.phrase("training.job_next", path=job.folder))
    data = {
        "job": str(job.folder), "run": run, "size_bytes": job.size_bytes, "has_base": job.has_base,
        "base_files": list(job.base_files),
    }  # fmt: skip
    output.result(data, "\n".join(lines))
    return 0


def _import(options: argparse.Namespace, where: Paths, output: Output) -> int:
    run = remote_job_import.import_job(Path(options.folder), where.runs)
    output.result(train_texts.run_as_json(run), output.phrase("training.job_taken", id=run.id))
    return 0
