"""From the options of a command to an answer request."""

import argparse
import dataclasses
from pathlib import Path

from app.base import settings
from app.base.cli.commands import check_limit
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.settings import Settings
from app.chat.presets import Choices, Preset
from app.chat.services import ask_adapter
from app.chat.services.answer_run import AnswerRequest, in_force
from app.chat.services.ask_adapter import Adapter, FindRun
from app.chat.services.grounding import Wanted
from app.chat.services.presets import Presets
from app.chat.store import Store
from app.documents.services import command_documents
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.models import local_models, model_registry
from app.models.model_registry import choose_listed_model, is_model_file
from app.models.services import remote_servers


def _choose(
    wanted: str | None, preset_name: str | None, where: Paths, adapter: Adapter | None = None
) -> tuple[LocalModel, Settings, Preset]:
    """The model, the settings of the window, and the preset of that name, else the window's of new conversations."""
    stored = settings.load(where.settings)
    store = Store.open(where.database, where.backups)
    try:
        if is_model_file(wanted):
            model = local_models.describe(Path(wanted))
        elif wanted is None and adapter is not None and adapter.run is not None:
            model = ask_adapter.base_of(adapter.run, store.local_models())
        else:
            model = choose_listed_model(wanted, model_registry.list_models(store, where.models), where)
        presets = Presets(store)
        default = presets.chat_preset(stored.preset_id)
        preset = _preset(preset_name, presets) if preset_name is not None else default
    finally:
        store.close()
    return ask_adapter.asked_as_trained(model, adapter), stored, preset


def find_preset(wanted: str, where: Paths) -> Preset:
    """Raises AppError("unknown_preset"), and what a damaged database gives."""
    store = Store.open(where.database, where.backups)
    try:
        return _preset(wanted, Presets(store))
    finally:
        store.close()


def _preset(wanted: str, presets: Presets) -> Preset:
    """By name or id."""
    known = presets.all("chat")
    found = next((preset for preset in known if wanted in (preset.name, preset.id)), None)
    if found is None:
        raise AppError("unknown_preset", wanted=wanted, known=" / ".join(preset.name for preset in known))
    return found


def request_of(options: argparse.Namespace, where: Paths, find_run: FindRun) -> AnswerRequest:
    """What the options say. Raises AppError as `choose_model`, "bad_option", "unknown_preset", "unknown_collection"."""
    check_limit("--max-tokens", options.max_tokens, 1, 1 << 20)
    check_limit("--temperature", options.temperature, 0, 5)
    check_limit("--seed", options.seed, 0, (1 << 32) - 1)
    check_limit("--context", options.context, 256, 1 << 20)
    chosen = options.adapter
    adapter = ask_adapter.choose(chosen, where.runs, find_run) if chosen is not None else None
    model, stored, preset = _choose(options.model, options.preset, where, adapter)
    remote_servers.require_remote_permission(model, options)
    own = Choices(
        system_prompt=options.system, temperature=options.temperature, max_tokens=options.max_tokens, seed=options.seed
    )
    if options.context is not None:
        stored = dataclasses.replace(stored, context_tokens=options.context)
    turns = (Turn(options.question),)
    scope = command_documents.scope_of(options.collection, where) if options.collection else ()
    return AnswerRequest(
        model=model,
        turns=turns,
        settings=stored,
        choices=in_force(model, own, preset.choices),
        adapters=adapter.in_use if adapter else None,
        wanted=Wanted(where.documents, scope, turns) if scope else None,
        is_agreed=model.remote is not None and options.allow_remote,
    )
