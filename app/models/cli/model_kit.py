"""`kotae models export-kit` and `import-kit`: models carried to a machine without a network."""

import argparse
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base import confidentiality
from app.base.cli.commands import Output, add_command
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error, help_text
from app.inference.local_model import LocalModel
from app.models import local_models
from app.models.cli.model_care import as_data, percent
from app.models.kits import kit_export, kit_import
from app.models.kits.kit_import import KitPresets
from app.models.kits.kit_part_size import part_bytes_from
from app.models.model_store import ModelStore

PresetsOf = Callable[[ModelStore], KitPresets]  # those of the database
LabelOf = Callable[[Path, LocalModel], Label]  # of what a model has learned, by the documents' database of now


def add_parsers(actions: Any, shared: argparse.ArgumentParser, presets_of: PresetsOf, label_of: LabelOf) -> None:
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
    store = ModelStore.open(where.database, where.backups)
    try:
        listed = store.local_models()
        chosen = [local_models.find(listed, wanted) for wanted in options.model or ()]
        presets = presets_of(store).to_kit()
    finally:
        store.close()
    for wanted, model in zip(options.model or (), chosen, strict=True):
        if model is None:
            raise AppError("unknown_model", wanted=wanted)
    models = list({model.id: model for model in chosen if model is not None}.values()) if chosen else listed
    folder = Path(options.folder)
    exported = kit_export.export_of(models, folder, functools.partial(label_of, where.documents))
    kit = kit_export.export(
        models,
        folder,
        permit=confidentiality.permit_export(exported, where.exports_log, is_agreed=options.allow_secret),
        presets=presets,
        part_bytes=part_bytes,
        report=percent(output, "models.kit_exporting"),
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
    """Exit status 1 when something of the kit was damaged or missing; what was whole is in the list all the same."""
    target = Path(options.to).absolute() if options.to else where.models
    store = ModelStore.open(where.database, where.backups)
    try:
        presets = presets_of(store)
        outcome = kit_import.bring_in(
            Path(options.folder),
            target,
            lambda model: local_models.add(store, model),
            presets.from_kit,
            percent(output, "models.kit_importing"),
        )
        added = presets.add_new(outcome.presets)
    finally:
        store.close()
    output.end_progress()
    lines = [str(describe_error(problem)) for problem in outcome.problems]
    keys = ["models.kit_model_here" if model in outcome.here else "models.added" for model in outcome.models]
    lines += [output.phrase(key, name=one.name, id=one.id) for key, one in zip(keys, outcome.models, strict=True)]
    lines += [output.phrase("models.kit_model_unchecked", name=model.name) for model in outcome.unchecked]
    lines += [output.phrase("models.kit_model_waits", name=stem) for stem in outcome.waiting]
    data = {
        "models": [
            {"id": model.id, "name": model.name, "path": model.path}
            | {"is_published": model not in outcome.unchecked, "was_here": model in outcome.here}
            for model in outcome.models
        ],
        "presets": [preset.name for preset in added],
        "waiting": outcome.waiting,
        "problems": [as_data(problem) | {"part": problem.facts.get("part")} for problem in outcome.problems],
    }
    output.result(data, "\n".join(lines))
    return 1 if outcome.problems else 0
