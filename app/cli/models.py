"""`kotae models`: what is here, what would fit, adding and removing."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from app.cli.ask import choose_model
from app.cli.output import Output
from app.core import catalogue, fit, gguf, local_models, settings, starter
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.records import LocalModel
from app.core.store import Store
from app.core.wording import help_text, phrase


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.cli.main import add_command

    group = add_command(commands, shared, "models", help_text("models"), None)
    actions = group.add_subparsers(dest="action", metavar="ACTION", title=help_text("commands"), required=True)
    add_command(actions, shared, "list", help_text("models list"), _list)
    show = add_command(actions, shared, "show", help_text("models show"), _show)
    show.add_argument("model", metavar="ID|FILE")
    add = add_command(actions, shared, "add", help_text("models add"), _add)
    add.add_argument("what", metavar="starter", choices=["starter"], help=help_text("models add what"))
    importing = add_command(actions, shared, "import", help_text("models import"), _import)
    importing.add_argument("file", metavar="FILE.gguf")
    importing.add_argument("--trust-template", action="store_true", help=help_text("models import --trust-template"))
    remove = add_command(actions, shared, "remove", help_text("models remove"), _remove)
    remove.add_argument("model", metavar="ID")
    fitting = add_command(actions, shared, "fit", help_text("models fit"), _fit)
    fitting.add_argument("model", metavar="ID|FILE")
    fitting.add_argument("--context", metavar="N", type=int, help=help_text("models fit --context"))


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    store = Store.open(where.database, where.backups)
    models = store.local_models()
    store.close()
    lines = [f"{model.id}\t{model.name}\t{model.size_bytes / 1e9:.2f} GB" for model in models]
    output.result({"models": [_described(model) for model in models]}, "\n".join(lines) or output.phrase("no_models"))
    return 0


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    model = choose_model(options.model, where)
    header = gguf.check_model(Path(model.path))
    data = _described(model) | {
        "parameters": header.parameters,
        "layers": header.block_count,
        "vocabulary": header.vocab_size,
        "has_chat_template": header.chat_template is not None,
        "form": model.form_id,
        "speeds": model.speeds,
    }
    output.result(data, "\n".join(f"{key}\t{value}" for key, value in data.items() if value not in (None, "")))
    return 0


def _add(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    card = starter.card()
    is_new = not (where.models / starter.FILE_NAME).is_file()

    def report(fraction: float) -> bool:
        output.progress("adding", name=card.title, percent=round(fraction * 100))
        return True

    model = _stored(local_models.describe(starter.assemble(where.models, report)), where)
    output.end_progress()
    if is_new:
        output.note("licence", licence=card.licence, notice=card.licence_notice)
    output.result(_described(model), output.phrase("added", name=model.name, id=model.id))
    return 0


def _import(options: argparse.Namespace, where: Paths, output: Output) -> int:
    model = local_models.describe(Path(options.file))
    if options.trust_template:
        model = dataclasses.replace(model, template_allowed=True)
    model = _stored(model, where)
    if local_models.needs_template_consent(model):
        output.note("template_note")
    output.result(_described(model), output.phrase("added", name=model.name, id=model.id))
    return 0


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    store = Store.open(where.database, where.backups)
    try:
        model = local_models.find(store.local_models(), options.model)
        if model is None:
            raise AppError("unknown_model", wanted=options.model)
        store.remove_local_model(model.id)
    finally:
        store.close()
    output.result(_described(model), output.phrase("removed", name=model.name, path=model.path))
    return 0


def _fit(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status 1 when the model does not fit."""
    context = options.context or settings.load(where.settings).context_tokens
    if not 256 <= context <= 1 << 20:
        limits = phrase("range", low=256, high=1 << 20)
        raise AppError("bad_option", option="--context", value=context, expected=limits)
    estimate = fit.estimate(gguf.check_model(Path(choose_model(options.model, where).path)), context)
    available = fit.available_memory_bytes()
    verdict = fit.verdict(estimate, available)
    data = dataclasses.asdict(estimate) | {"available_bytes": available, "verdict": verdict}
    output.result(data, output.phrase(f"fit_{verdict}", total_bytes=estimate.total_bytes, available_bytes=available))
    return 1 if verdict == "insufficient" else 0


def _stored(model: LocalModel, where: Paths) -> LocalModel:
    """Adds the model to the list; one with the same file keeps its id and what was measured with it."""
    store = Store.open(where.database, where.backups)
    try:
        model = local_models.merged(model, store.local_models())
        store.put_local_model(model)
    finally:
        store.close()
    return model


def _described(model: LocalModel) -> dict[str, Any]:
    card = catalogue.load().card(model.card_id)
    return {
        "id": model.id,
        "name": model.name,
        "path": model.path,
        "size_bytes": model.size_bytes,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "context_tokens": model.context_tokens,
        "licence": card.licence if card else None,
        "is_trial": card.is_trial if card else False,
        "is_present": Path(model.path).is_file(),
    }
