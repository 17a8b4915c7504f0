"""Define `kotae models find`, `verify`, `move-folder`, `build`, `export-kit` and `import-kit`."""

import argparse
import dataclasses
import functools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base import confidentiality, invisible_characters
from app.base.cli.commands import Output, add_command
from app.base.cli.loop import core_application
from app.base.confidentiality import ExportRequest, Label
from app.base.errors import AppError
from app.base.files import input_file
from app.base.paths import Paths
from app.base.services import background
from app.base.services.single_instance import without_window
from app.base.wording import describe_error, format_size, help_text
from app.inference import child_commands, quantizations
from app.inference.local_model import LocalModel
from app.models import (
    found_models,
    gguf_build,
    hf_folders,
    local_models,
    model_registry,
    models_folder,
    training_environment,
    verification,
)
from app.models.artifact_steps import StepProgress
from app.models.cli import model_inspection
from app.models.gguf_build import BuildPlan, BuildRequest, KeepLineage
from app.models.kits import kit_export, kit_import
from app.models.kits.kit_import import KitPresets
from app.models.kits.transfer_kit import part_bytes_from
from app.models.model_store import ModelStore
from app.models.verification import VerifyResult

if TYPE_CHECKING:
    from app.models.services.build_runner import BuildRunner  # imported late: it loads the engine client


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    add_command(actions, shared, "find", help_text("models find"), _find)
    verifying = add_command(actions, shared, "verify", help_text("models verify"), _verify)
    verifying.add_argument("model", metavar="ID", nargs="?", help=help_text("models verify id"))
    moving = add_command(actions, shared, "move-folder", help_text("models move-folder"), _move)
    moving.add_argument("folder", metavar="DIR")


def record_hashes(model: LocalModel, where: Paths, output: Output) -> LocalModel:
    """Hash the files of a model just added and store the hashes, so that later damage can be detected.

    Models whose files all have a hash are returned unchanged.
    """
    if all(fingerprint.sha256 for fingerprint in model.files):
        return model
    verdict = verification.verify_model(model, percent_reporter(output, "models.verifying", name=model.name))
    output.end_progress()
    with ModelStore.open(where.database, where.backups) as store:
        store.put_local_model(verdict.model)
    return verdict.model


def percent_reporter(output: Output, key: str, **facts: Any) -> Callable[[int, int], None]:
    """Return a callback that prints the progress each time its percentage changes."""
    last = -1

    def report(done: int, total: int) -> None:
        nonlocal last
        now = 100 * done // total if total else 0
        if now != last:
            last = now
            output.progress(key, percent=now, **facts)

    return report


def problem_data(problem: AppError) -> dict[str, str]:
    sentence = describe_error(problem)
    return {"code": problem.code, "message": sentence.message, "next": sentence.next}


def _find(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    listed = {found_models.resolved(model.path) for model in model_registry.read_files(where)}
    found = found_models.search_folders(found_models.known_model_folders(Path.home(), own_folder=where.models))
    models = [
        dataclasses.asdict(model) | {"path": str(model.path), "is_listed": found_models.resolved(model.path) in listed}
        for model in found.models
    ]
    skipped = [{"path": str(s.path), "source": s.source, "problem": problem_data(s.reason)} for s in found.skipped]
    lines = [
        f"{output.phrase(f'models.model_source.{m.source}')}\t{m.name}\t{format_size(m.size_bytes)}\t{m.path}"
        for m in found.models
    ]
    for one in found.skipped:
        output.note("models.found_skipped", path=one.path, reason=describe_error(one.reason))
    if not found.is_complete:
        output.note("models.found_incomplete")
    data = {"found": models, "skipped": skipped, "is_complete": found.is_complete}
    output.result(data, "\n".join(lines) or output.phrase("models.nothing_found"))
    return 0


def _verify(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Verify one model or all; return exit status 1 if one is damaged, changed or missing, else 0."""
    with ModelStore.open(where.database, where.backups) as store:
        models = store.local_models()
        if options.model is not None:
            models = [_find_local(options.model, models, store)]
        elsewhere = len(model_registry.list_remote_models(store))
        verdicts = [_verdict(model, store, output) for model in models]
        if verdicts:
            verification.record_verifications(where.data / verification.VERIFIED_FILE, verdicts, time.time())
    lines = [f"{verdict.model.id}\t{_describe_verdict(verdict, output)}" for verdict in verdicts]
    data = [
        {
            "id": verdict.model.id,
            "path": verdict.model.path,
            "state": verdict.state,
            "sha256": [fingerprint.sha256 for fingerprint in verdict.model.files],
            "problem": problem_data(verdict.problem) if verdict.problem else None,
        }
        for verdict in verdicts
    ]
    nothing = (
        output.phrase("models.verify_elsewhere", count=elsewhere) if elsewhere else output.phrase("models.no_models")
    )
    output.result({"models": data}, "\n".join(lines) or nothing)
    return 0 if all(verdict.is_good for verdict in verdicts) else 1


def _find_local(name: str, models: list[LocalModel], store: ModelStore) -> LocalModel:
    """Return the named model. Raises AppError: remote_unverifiable (a remote model has no file), unknown_model."""
    found = local_models.find(models, name)
    if found is not None:
        return found
    elsewhere = model_registry.find_remote_model(store, name)
    if elsewhere is not None:
        address = model_registry.server_address(elsewhere)
        raise AppError("remote_unverifiable", name=elsewhere.name, id=elsewhere.id, address=address)
    raise AppError("unknown_model", wanted=name)


def _verdict(model: LocalModel, store: ModelStore, output: Output) -> VerifyResult:
    verdict = verification.verify_model(model, percent_reporter(output, "models.verifying", name=model.name))
    output.end_progress()
    if verdict.is_good:
        store.put_local_model(verdict.model)
    return verdict


def _describe_verdict(verdict: VerifyResult, output: Output) -> str:
    return (
        str(describe_error(verdict.problem)) if verdict.problem else output.phrase(f"models.verified.{verdict.state}")
    )


def _move(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Move the models folder; return exit status 1 if files are left in the old folder, else 0."""
    with without_window(where.lock):
        before = models_folder.pending(where)
        if before is not None and not before.is_own:
            output.note(f"models.foreign_move.{before.state}", source=before.source, target=before.target)
        with ModelStore.open(where.database, where.backups) as store:
            moved = models_folder.move(where, Path(options.folder), store, percent_reporter(output, "models.moving"))
    output.end_progress()
    if moved.files_left:
        output.note("models.moved_rest", count=moved.files_left)
    data = {"models_folder": str(moved.folder), "files_left": moved.files_left}
    output.result(data, output.phrase("models.moved", path=moved.folder))
    return 1 if moved.files_left else 0


PresetsOf = Callable[[ModelStore], KitPresets]  # returns the presets in the database
LabelOf = Callable[
    [Path, LocalModel], Label
]  # called with the documents' database; returns the present label of the model's training data


def add_kit_parsers(actions: Any, shared: argparse.ArgumentParser, presets_of: PresetsOf, label_of: LabelOf) -> None:
    export = add_command(
        actions, shared, "export-kit", help_text("models export-kit"), functools.partial(_export, presets_of, label_of)
    )
    export.add_argument("folder", metavar="DIR")
    export.add_argument("--model", metavar="ID", action="append", help=help_text("models export-kit --model"))
    export.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    export.add_argument("--part-size", metavar="SIZE", default="3.9GB", help=help_text("models export-kit --part-size"))
    importer = add_command(
        actions, shared, "import-kit", help_text("models import-kit"), functools.partial(_import, presets_of)
    )
    importer.add_argument("folder", metavar="DIR")
    importer.add_argument("--to", metavar="DIR", help=help_text("models import-kit --to"))


def _export(presets_of: PresetsOf, label_of: LabelOf, options: argparse.Namespace, where: Paths, output: Output) -> int:
    part_bytes = part_bytes_from(options.part_size)
    with ModelStore.open(where.database, where.backups) as store:
        listed = store.local_models()
        chosen = [local_models.find(listed, wanted) for wanted in options.model or ()]
        presets = presets_of(store).to_kit()
    for wanted, model in zip(options.model or (), chosen, strict=True):
        if model is None:
            raise AppError("unknown_model", wanted=wanted)
    models = list({model.id: model for model in chosen if model is not None}.values()) if chosen else listed
    folder = Path(options.folder)
    exported = kit_export.export_for_gate(models, folder, functools.partial(label_of, where.documents))
    kit = kit_export.export_kit(
        models,
        folder,
        permit=confidentiality.permit_export(exported, where.exports_log, is_agreed=options.allow_secret),
        presets=presets,
        part_bytes=part_bytes,
        report=percent_reporter(output, "models.kit_exporting"),
    )
    output.end_progress()
    parts = [part.name for part in kit.parts()]
    data = {"models": [model.id for model in models], "parts": parts, "size_bytes": kit.size_bytes}
    text = output.phrase(
        "models.kit_exported", models=len(models), parts=len(parts), size_bytes=kit.size_bytes, path=options.folder
    )
    output.result(data, text)
    return 0


def _import(presets_of: PresetsOf, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Import a kit; return exit status 1 if parts are damaged or missing. Complete models are listed anyway."""
    target = Path(options.to).absolute() if options.to else where.models
    with ModelStore.open(where.database, where.backups) as store:
        presets = presets_of(store)
        outcome = kit_import.import_kit(
            Path(options.folder),
            target,
            lambda model: local_models.add(store, model),
            presets.from_kit,
            percent_reporter(output, "models.kit_importing"),
        )
        added = presets.add_new(outcome.presets)
    output.end_progress()
    lines = [str(describe_error(problem)) for problem in outcome.problems]
    keys = ["models.kit_model_here" if model in outcome.existing else "models.added" for model in outcome.models]
    lines += [output.phrase(key, name=one.name, id=one.id) for key, one in zip(keys, outcome.models, strict=True)]
    lines += [output.phrase("models.kit_model_unchecked", name=model.name) for model in outcome.unchecked]
    lines += [output.phrase("models.kit_model_waits", name=stem) for stem in outcome.waiting]
    data = {
        "models": [
            {"id": model.id, "name": model.name, "path": model.path}
            | {"is_published": model not in outcome.unchecked, "was_here": model in outcome.existing}
            for model in outcome.models
        ],
        "presets": [preset.name for preset in added],
        "waiting": outcome.waiting,
        "problems": [problem_data(problem) | {"part": problem.facts.get("part")} for problem in outcome.problems],
    }
    output.result(data, "\n".join(lines))
    return 1 if outcome.problems else 0


# Called with the documents' database and an adapter's folder; returns the present label of its training data.
LearnedBy = Callable[[Path, Path], Label]


def add_build_parser(
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
    models = [record_hashes(model, where, output) for model in session.result]
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
