"""Define `kotae models`: list, add and remove models, and add a model of a server in the local network."""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base import confidentiality, invisible_characters, settings
from app.base.addresses import origin_of
from app.base.cli.commands import Output, add_command, check_limit
from app.base.cli.loop import CommandEventLoop, core_application
from app.base.errors import AppError
from app.base.files import input_file, work_folder
from app.base.paths import Paths
from app.base.wording import describe_error, format_size, help_text, phrase
from app.inference import local_model
from app.inference.local_model import LocalModel, RemoteModel
from app.inference.services import keychain
from app.models import base_models, catalogue, local_models, model_registry, peft_adapter, starter
from app.models.catalogue import ModelCard
from app.models.cli import model_download, model_inspection, model_maintenance
from app.models.cli.model_maintenance import LabelOf, LearnedBy, PresetsOf
from app.models.gguf_build import KeepLineage
from app.models.model_store import ModelStore
from app.models.services.model_library import Publish
from app.models.services.remote_servers import RemoteCheck, read_key
from trainer import adapter


def add_remote_parser(actions: Any, shared: argparse.ArgumentParser) -> None:
    adding = add_command(actions, shared, "add-remote", help_text("models add-remote"), _add_remote)
    adding.add_argument("address", metavar="URL", help=help_text("models add-remote address"))
    adding.add_argument("--model", metavar="NAME", help=help_text("models add-remote --model"))
    adding.add_argument("--name", metavar="NAME", help=help_text("models add-remote --name"))
    adding.add_argument("--context", metavar="N", type=int, help=help_text("models add-remote --context"))
    adding.add_argument("--sees-pictures", action="store_true", help=help_text("models add-remote --sees-pictures"))
    adding.add_argument("--key-from", metavar="FILE|-", help=help_text("models add-remote --key-from"))
    adding.add_argument("--keep-key", action="store_true", help=help_text("models add-remote --keep-key"))


def _add_remote(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Add a model of a server to the list; if the server does not answer, raise AppError and add nothing."""
    check_limit("--context", options.context, 256, 1 << 20)
    address = local_model.normalize_address(options.address)
    if not settings.load(where.settings).network_allowed:
        raise AppError("remote_network_off")
    key = read_key(options.key_from) if options.key_from is not None else keychain.stored_credential(origin_of(address))
    chosen = _choose_model(_request_models(address, key), options.model, address)
    if options.keep_key and key:
        keychain.store_credential(key, origin_of(address))
    sees = options.sees_pictures or chosen.sees_pictures
    remote = dataclasses.replace(chosen, context_tokens=options.context or 0, sees_pictures=sees)
    with ModelStore.open(where.database, where.backups) as store:
        model = model_registry.describe_remote_model(
            options.name or chosen.model, remote, model_registry.list_models(store, where.models)
        )
        model_registry.put_remote_model(store, model)
    address = model_registry.server_address(model)
    return model_inspection.print_model(output, model, "models.remote_added", address=address)


def _request_models(address: str, key: str) -> tuple[RemoteModel, ...]:
    """Return the models that the server offers. Raises AppError, and KeyboardInterrupt after Ctrl+C."""
    app = core_application()
    check = RemoteCheck(address, key)
    outcome: list[tuple[RemoteModel, ...] | AppError] = []
    loop = CommandEventLoop(lambda: loop.stop())
    for signal in (check.found, check.failed):
        signal.connect(outcome.append)
        signal.connect(loop.stop)
    try:
        loop.run()
    finally:
        check.cancel()
    del app
    if not outcome:
        raise KeyboardInterrupt
    if isinstance(outcome[0], AppError):
        raise outcome[0]
    return outcome[0]


def _choose_model(models: tuple[RemoteModel, ...], reference: str | None, address: str) -> RemoteModel:
    names = [one.model for one in models]
    if reference is None and len(models) == 1:
        return models[0]
    if reference is None:
        known = " / ".join(names)
        raise AppError("bad_option", option="--model", value="-", expected=phrase("models.remote_models", known=known))
    if reference not in names:
        raise AppError("remote_model_unknown", address=local_model.address_label(address), model=reference)
    return models[names.index(reference)]


# Called with a run's name, form and strength (None: the usual ones); returns a function that lists its model.
Trained = Callable[[str, str | None, float | None, Paths], Publish]
# Called with the folder of a base; returns the names of the runs on it. Raises AppError("run_busy").
RunsOn = Callable[[Paths, Path], list[str]]


def add_parser(
    commands: Any,
    shared: argparse.ArgumentParser,
    *,
    trained: Trained,
    presets_of: PresetsOf,
    label_of: LabelOf,
    learned_by: LearnedBy,
    keep_lineage: KeepLineage,
    runs_on: RunsOn,
) -> None:
    group = add_command(commands, shared, "models", help_text("models"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    listing = add_command(actions, shared, "list", help_text("models list"), _list)
    listing.add_argument("--catalogue", action="store_true", help=help_text("models list --catalogue"))
    model_inspection.add_parsers(actions, shared)
    add = add_command(actions, shared, "add", help_text("models add"), functools.partial(_add, trained))
    add.add_argument("what", metavar="starter|RUN", help=help_text("models add what"))
    add.add_argument("--form", metavar="FORM", help=help_text("models add --form"))
    add.add_argument("--strength", metavar="N", type=float, help=help_text("models add --strength"))
    importing = add_command(
        actions, shared, "import", help_text("models import"), functools.partial(_import, keep_lineage)
    )
    importing.add_argument("file", metavar="FILE.gguf|DIR")
    importing.add_argument("--base", metavar="ID", help=help_text("models import --base"))
    importing.add_argument("--name", metavar="NAME", help=help_text("models import --name"))
    importing.add_argument("--trust-template", action="store_true", help=help_text("models import --trust-template"))
    writing = add_command(
        actions, shared, "export-adapter", help_text("models export-adapter"), functools.partial(_export, label_of)
    )
    writing.add_argument("model", metavar="ID")
    writing.add_argument("folder", metavar="DIR")
    writing.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))
    remove = add_command(actions, shared, "remove", help_text("models remove"), functools.partial(_remove, runs_on))
    remove.add_argument("model", metavar="ID")
    model_download.add_parsers(actions, shared)
    model_maintenance.add_parsers(actions, shared)
    model_maintenance.add_kit_parsers(actions, shared, presets_of, label_of)
    model_maintenance.add_build_parser(actions, shared, learned_by, keep_lineage)
    add_remote_parser(actions, shared)


def _list(options: argparse.Namespace, where: Paths, output: Output) -> int:
    with ModelStore.open(where.database, where.backups) as store:
        models = model_registry.list_models(store, where.models)
    book = catalogue.load()
    for problem in book.problems:  # cards of the user
        print(describe_error(problem), file=sys.stderr)  # noqa: T201
    names = local_models.distinct_names(models)
    lines = [_line(model, names[model.id], output) for model in models]
    bases = [_base_data(folder) for folder in base_models.fetched_bases(where.models)]
    kind = output.phrase("models.base_to_train")
    lines += [f"{base['name']}\t{kind}\t{format_size(base['size_bytes'])}" for base in bases]
    lines = lines or [output.phrase("models.no_models")]
    here = {model.card_id for model in models}
    lines += ["", output.phrase("models.catalogue")] if options.catalogue else []
    lines += [_catalogue_line(card) for card in book.cards if options.catalogue and card.id not in here]
    data: dict[str, Any] = {"models": [model_inspection.model_data(model) for model in models], "bases": bases}
    if options.catalogue:
        data["catalogue"] = [model_inspection.card_data(card) for card in book.cards]
    output.result(data, "\n".join(lines))
    return 0


def _line(model: LocalModel, name: str, output: Output) -> str:
    line = f"{model.id}\t{name}\t{model.remote.address if model.remote else format_size(model.size_bytes)}"
    return f"{line}\t{output.phrase('models.tuned_of', base=model.tuned.base_name)}" if model.tuned else line


def _base_data(folder: Path) -> dict[str, Any]:
    size_bytes = work_folder.folder_size_bytes(folder)
    return {"name": base_models.fetched_name(folder), "path": str(folder), "size_bytes": size_bytes}


def _catalogue_line(card: ModelCard) -> str:
    sizes = ", ".join(f"{file.quantization} {format_size(file.size_bytes)}" for file in card.files)
    return f"{card.id}\t{card.title}\t{sizes or '-'}\t{card.licence}"


def _add(trained: Trained, options: argparse.Namespace, where: Paths, output: Output) -> int:
    if options.what == "starter":
        return _add_starter(where, output)
    check_limit("--strength", options.strength, 0, 2)
    publish = trained(options.what, options.form, options.strength, where)
    with ModelStore.open(where.database, where.backups) as store:
        model = publish(store, where.models, ())
    return model_inspection.print_model(output, model, "models.added")


def _add_starter(where: Paths, output: Output) -> int:
    card = starter.card()
    is_new = not (where.models / starter.file_name(card)).is_file()

    def report(done_bytes: int, total_bytes: int) -> bool:
        output.progress("models.adding", name=card.title, percent=round(100 * done_bytes / total_bytes))
        return True

    model, *others = [_add_to_list(one, where) for one in starter.assemble_all(where.models, report)]
    output.end_progress()
    if is_new:
        output.note("models.licence", licence=card.licence, notice=card.licence_notice)
    for other in others:
        output.note("models.added", name=other.name, id=other.id)
    return model_inspection.print_model(output, model, "models.added")


def _import(keep_lineage: KeepLineage, options: argparse.Namespace, where: Paths, output: Output) -> int:
    if Path(options.file).is_dir():
        return _import_adapter(keep_lineage, options, where, output)
    model = dataclasses.replace(local_models.describe(Path(options.file)), template_allowed=options.trust_template)
    for option in ("base", "name"):
        if getattr(options, option) is not None:
            raise AppError("bad_option", option=f"--{option}", value=getattr(options, option), expected="DIR --base ID")
    model = model_maintenance.record_hashes(_add_to_list(model, where), where, output)
    if local_models.needs_template_consent(model):
        output.note("models.template_note")
    return model_inspection.print_model(output, model, "models.added")


def _import_adapter(keep_lineage: KeepLineage, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Add a base of the list with the adapter in a folder of PEFT, as a tuned model."""
    folder = input_file.absolute_path(Path(options.file))
    if options.base is None:
        if not (folder / adapter.CONFIG).is_file():  # a folder of another kind
            local_models.describe(folder)
        options.missing("--base")
    with ModelStore.open(where.database, where.backups) as store:
        base = model_registry.choose_listed_model(options.base, store.local_models(), where)
        found = peft_adapter.read_for(folder, base)
        name = invisible_characters.to_single_line(options.name or folder.name)[: model_registry.REMOTE_NAME_MAX]
        model = peft_adapter.add(found, base, name, store, where.models)
        keep_lineage(folder, Path(model.adapter))
    if not found.is_proven:
        output.note("models.adapter_unproven", base=base.name)
    return model_inspection.print_model(output, model, "models.added")


def _export(label_of: LabelOf, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Write the adapter of a tuned model as a folder that PEFT loads."""
    with ModelStore.open(where.database, where.backups) as store:
        model = local_models.find(model_registry.list_models(store, where.models), options.model)
    if model is None:
        raise AppError("unknown_model", wanted=options.model)
    folder = input_file.absolute_path(Path(options.folder))
    request = peft_adapter.export_request(model, folder, functools.partial(label_of, where.documents, model))
    permit = confidentiality.permit_export(request, where.exports_log, is_agreed=options.allow_secret)
    peft_adapter.export(model, folder, permit=permit)
    return model_inspection.print_model(output, model, "models.adapter_exported", path=str(folder))


def _remove(runs_on: RunsOn, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Take a model off the list; or delete a publisher's weights, and name the runs that were trained on them."""
    with ModelStore.open(where.database, where.backups) as store:
        model = local_models.find(model_registry.list_models(store, where.models), options.model)
        if model is None:
            return _delete_base(runs_on, options.model, where, output)
        store.remove_local_model(model.id)
        model_registry.delete_unused_adapters(store, where.models)
    if model.remote is not None:
        return model_inspection.print_model(output, model, "models.remote_removed", address=model.remote.address)
    if model.adapter and model.tuned:
        return model_inspection.print_model(output, model, "models.tuned_removed", base=model.tuned.base_name)
    return model_inspection.print_model(output, model, "models.removed", path=model.path)


def _delete_base(runs_on: RunsOn, name: str, where: Paths, output: Output) -> int:
    found = [
        (folder, data)
        for folder, data in ((one, _base_data(one)) for one in base_models.fetched_bases(where.models))
        if name in (data["name"], data["name"].partition("@")[0], data["path"])
    ]
    if len(found) != 1:  # none, or several commits
        raise AppError("unknown_model", wanted=name)
    folder, data = found[0]
    names = runs_on(where, folder)
    base_models.delete_fetched(folder)
    lines = [output.phrase("models.base_deleted", name=data["name"], size=format_size(data["size_bytes"]))]
    lines += [output.phrase("models.base_needed_by", runs=", ".join(names))] if names else []
    output.result(data | {"needed_by": names}, "\n".join(lines))
    return 0


def _add_to_list(model: LocalModel, where: Paths) -> LocalModel:
    with ModelStore.open(where.database, where.backups) as store:
        return local_models.add(store, model)
