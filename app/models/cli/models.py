"""`kotae models`: what is here and what could be, adding and removing."""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output, add_command, check_limit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import describe_error, format_size, help_text
from app.inference.local_model import LocalModel
from app.models import catalogue, local_models, starter, tuned_models
from app.models.build_plan import KeepLineage
from app.models.catalogue import ModelCard
from app.models.cli import model_build, model_care, model_download, model_fit, model_kit, model_remote
from app.models.cli.model_build import LearnedBy
from app.models.cli.model_kit import LabelOf, PresetsOf
from app.models.model_store import ModelStore
from app.models.services.library import Publish

# Finds a training run by its name. With its form and its strength (None: the usual ones) it becomes a model.
Trained = Callable[[str, str | None, float | None, Paths], Publish]


def add_parser(
    commands: Any,
    shared: argparse.ArgumentParser,
    *,
    trained: Trained,
    presets_of: PresetsOf,
    label_of: LabelOf,
    learned_by: LearnedBy,
    keep_lineage: KeepLineage,
) -> None:
    group = add_command(commands, shared, "models", help_text("models"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    listing = add_command(actions, shared, "list", help_text("models list"), _list)
    listing.add_argument("--catalogue", action="store_true", help=help_text("models list --catalogue"))
    model_fit.add_parsers(actions, shared)
    add = add_command(actions, shared, "add", help_text("models add"), functools.partial(_add, trained))
    add.add_argument("what", metavar="starter|RUN", help=help_text("models add what"))
    add.add_argument("--form", metavar="FORM", help=help_text("models add --form"))
    add.add_argument("--strength", metavar="N", type=float, help=help_text("models add --strength"))
    importing = add_command(actions, shared, "import", help_text("models import"), _import)
    importing.add_argument("file", metavar="FILE.gguf")
    importing.add_argument("--trust-template", action="store_true", help=help_text("models import --trust-template"))
    remove = add_command(actions, shared, "remove", help_text("models remove"), _remove)
    remove.add_argument("model", metavar="ID")
    model_download.add_parsers(actions, shared)
    model_care.add_parsers(actions, shared)
    model_kit.add_parsers(actions, shared, presets_of, label_of)
    model_build.add_parsers(actions, shared, learned_by, keep_lineage)
    model_remote.add_parser(actions, shared)


def _list(options: argparse.Namespace, where: Paths, output: Output) -> int:
    store = ModelStore.open(where.database, where.backups)
    models = tuned_models.listed(store, where.models)
    store.close()
    book = catalogue.load()
    for problem in book.problems:  # cards of the user
        print(describe_error(problem), file=sys.stderr)  # noqa: T201
    names = local_models.distinct_names(models)
    lines = [_line(model, names[model.id], output) for model in models]
    lines = lines or [output.phrase("models.no_models")]
    here = {model.card_id for model in models}
    lines += ["", output.phrase("models.catalogue")] if options.catalogue else []
    lines += [_catalogue_line(card) for card in book.cards if options.catalogue and card.id not in here]
    data: dict[str, Any] = {"models": [model_fit.described(model) for model in models]}
    if options.catalogue:
        data["catalogue"] = [model_fit.card_data(card) for card in book.cards]
    output.result(data, "\n".join(lines))
    return 0


def _line(model: LocalModel, name: str, output: Output) -> str:
    line = f"{model.id}\t{name}\t{model.remote.address if model.remote else format_size(model.size_bytes)}"
    return f"{line}\t{output.phrase('models.tuned_of', base=model.tuned.base_name)}" if model.tuned else line


def _catalogue_line(card: ModelCard) -> str:
    sizes = ", ".join(f"{file.quantization} {format_size(file.size_bytes)}" for file in card.files)
    return f"{card.id}\t{card.title}\t{sizes or '-'}\t{card.licence}"


def _add(trained: Trained, options: argparse.Namespace, where: Paths, output: Output) -> int:
    if options.what == "starter":
        return _add_starter(where, output)
    check_limit("--strength", options.strength, 0, 2)
    publish = trained(options.what, options.form, options.strength, where)
    store = ModelStore.open(where.database, where.backups)
    try:
        model = publish(store, where.models, ())
    finally:
        store.close()
    output.result(model_fit.described(model), output.phrase("models.added", name=model.name, id=model.id))
    return 0


def _add_starter(where: Paths, output: Output) -> int:
    card = starter.card()
    is_new = not (where.models / starter.FILE_NAME).is_file()

    def report(fraction: float) -> bool:
        output.progress("models.adding", name=card.title, percent=round(fraction * 100))
        return True

    model = _stored(starter.described(starter.assemble(where.models, report)), where)
    output.end_progress()
    if is_new:
        output.note("models.licence", licence=card.licence, notice=card.licence_notice)
    output.result(model_fit.described(model), output.phrase("models.added", name=model.name, id=model.id))
    return 0


def _import(options: argparse.Namespace, where: Paths, output: Output) -> int:
    model = local_models.describe(Path(options.file))
    if options.trust_template:
        model = dataclasses.replace(model, template_allowed=True)
    model = model_care.remember(_stored(model, where), where, output)
    if local_models.needs_template_consent(model):
        output.note("models.template_note")
    output.result(model_fit.described(model), output.phrase("models.added", name=model.name, id=model.id))
    return 0


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    store = ModelStore.open(where.database, where.backups)
    try:
        model = local_models.find(tuned_models.listed(store, where.models), options.model)
        if model is None:
            raise AppError("unknown_model", wanted=options.model)
        store.remove_local_model(model.id)
        tuned_models.clear(store, where.models)
    finally:
        store.close()
    said = output.phrase("models.removed", name=model.name, path=model.path)
    if model.adapter and model.tuned:
        said = output.phrase("models.tuned_removed", name=model.name, base=model.tuned.base_name)
    if model.remote is not None:
        said = output.phrase("models.remote_removed", name=model.name, address=model.remote.address)
    output.result(model_fit.described(model), said)
    return 0


def _stored(model: LocalModel, where: Paths) -> LocalModel:
    store = ModelStore.open(where.database, where.backups)
    try:
        return local_models.add(store, model)
    finally:
        store.close()
