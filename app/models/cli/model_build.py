"""Define `kotae models build`: build quantized models of the list from a publisher's safetensors folder."""

import argparse
import dataclasses
import functools
import signal
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import confidentiality, invisible_characters
from app.base.cli.commands import Output, add_command
from app.base.cli.loop import core_application
from app.base.confidentiality import ExportRequest, Label
from app.base.files import input_file
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import help_text
from app.inference import child_commands, quantizations
from app.inference.local_model import LocalModel
from app.models import gguf_build, hf_folders, local_models, training_environment
from app.models.artifact_steps import StepProgress
from app.models.cli import model_inspection, model_maintenance
from app.models.gguf_build import BuildPlan, BuildRequest, KeepLineage
from app.models.model_store import ModelStore

if TYPE_CHECKING:
    from app.models.services.build_runner import BuildRunner  # imported late: it loads the engine client


# Called with the documents' database and an adapter's folder; returns the present label of its training data.
LearnedBy = Callable[[Path, Path], Label]


def add_parsers(
    actions: Any, shared: argparse.ArgumentParser, learned_by: LearnedBy, keep_lineage: KeepLineage
) -> None:
    build = functools.partial(_build, learned_by, keep_lineage)
    parser = add_command(actions, shared, "build", help_text("models build"), build)
    parser.add_argument("folder", metavar="HF_FOLDER", nargs="?", help=help_text("models build folder"))
    parser.add_argument("--quant", metavar="FORM[,FORM]", default="Q4_K_M", help=help_text("models build --quant"))
    parser.add_argument("--adapter", metavar="DIR", help=help_text("models build --adapter"))
    parser.add_argument("--name", metavar="NAME", default="", help=help_text("models build --name"))
    parser.add_argument("--imatrix", metavar="FILE", help=help_text("models build --imatrix"))
    parser.add_argument("--to", metavar="DIR", help=help_text("models build --to"))
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    parser.add_argument("--clean", action="store_true", help=help_text("models build --clean"))


def _build(
    learned_by: LearnedBy, keep_lineage: KeepLineage, options: argparse.Namespace, where: Paths, output: Output
) -> int:
    """Run the build and return the exit status: 0, or 130 if interrupted; an expected error gives 3.

    After 130 or 3 the same command resumes the build.
    """
    target = input_file.absolute_path(Path(options.to)) if options.to else where.models
    if options.clean:
        return _clean(target, output)
    if options.folder is None:
        options.missing("HF_FOLDER")
    plan = _plan(options, target)
    if options.to and options.adapter:
        adapter = Path(options.adapter)
        export = ExportRequest("kit", str(target), lambda: learned_by(where.documents, adapter), plan.name)
        confidentiality.permit_export(export, where.exports_log, is_agreed=options.allow_secret)
    if plan.other_base:
        output.note("models.build_other_base", base=plan.other_base, name=plan.request.model.repository)
    from app.models.services.artifact_session import ArtifactSession
    from app.models.services.build_runner import BuildRunner

    environment = training_environment.locate(where.data)
    app = core_application()
    store = ModelStore.open(where.database, where.backups)
    try:
        builds = BuildRunner(
            environment,
            child_commands.engine(),
            where.logs,
            lambda model: local_models.add(store, model),
            keep_lineage,
        )
        builds.model_added.connect(functools.partial(_report_added, output))
        session = ArtifactSession(builds, output, functools.partial(_report_progress, output))
        session.wait(lambda: builds.start(plan))
        builds.deleteLater()
    finally:
        store.close()
        background.shut_down()
        del app
    if session.result is None:
        _report_kept_files(target, output)
        raise session.error or KeyboardInterrupt
    models = [model_maintenance.record_hashes(model, where, output) for model in session.result]
    _print(plan, models, builds, output)
    return 128 + signal.SIGINT if session.was_interrupted else 0


def _plan(options: argparse.Namespace, target: Path) -> BuildPlan:
    forms = quantizations.parse_quantizations(options.quant)
    model = hf_folders.read_hf_model(Path(options.folder))
    return gguf_build.plan_build(
        BuildRequest(
            model=model,
            forms=forms,
            models=target,
            adapter=hf_folders.read_hf_adapter(Path(options.adapter), model) if options.adapter else None,
            name=options.name,
            text=input_file.absolute_path(Path(options.imatrix)) if options.imatrix else None,
        )
    )


def _clean(target: Path, output: Output) -> int:
    freed = gguf_build.delete_unfinished_builds(target)
    output.result({"freed_bytes": freed}, output.phrase("models.build_cleaned", freed_bytes=freed))
    return 0


def _report_kept_files(target: Path, output: Output) -> None:
    kept = gguf_build.unfinished_build_bytes(target)
    if kept:
        output.end_progress()
        output.note("models.build_kept", kept_bytes=kept)


def _report_progress(output: Output, progress: StepProgress) -> None:
    percent = 100 * progress.done // progress.total if progress.total else 0
    facts = {"form": progress.name, "number": progress.number, "steps": progress.steps, "percent": percent}
    output.progress(f"models.building_step.{progress.kind}", **facts)


def _report_added(output: Output, model: LocalModel) -> None:
    output.end_progress()
    output.note("models.added", name=model.name, id=model.id)


def _print(plan: BuildPlan, models: list[LocalModel], builds: "BuildRunner", output: Output) -> None:
    models_data, lines = [], []
    for form, model in zip(plan.request.forms, models, strict=True):
        trial = builds.trials.get(form.name)
        models_data.append(model_inspection.model_data(model) | {"trial": trial})
        lines.append(output.phrase("models.built", name=model.name, id=model.id, size_bytes=model.size_bytes))
        if trial is not None:
            lines.append(output.phrase("models.build_trial", text=invisible_characters.to_single_line(trial)))
        elif form.name in builds.trials:
            lines.append(output.phrase("models.build_not_tried"))
    steps = [dataclasses.asdict(report) for report in builds.reports]
    data = {"models": models_data, "steps": steps, "planned_peak_bytes": plan.peak_bytes, "outtype": plan.outtype}
    output.result(data, "\n".join(lines))
