"""From the options of a command to an answer request.

`kotae ask --adapter`: a LoRA adapter as a file, or that of a training run with the model it was trained on.
"""

import argparse
import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from app.base import settings
from app.base.cli.commands import check_limit
from app.base.confidentiality import Label, highest_label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.presets import Choices, Preset
from app.chat.services.answer_run import AnswerRequest, choices_in_force
from app.chat.services.preset_library import PresetLibrary
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.chat.store import Store
from app.documents.services import command_documents
from app.inference import gguf
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.models import base_models, local_models, model_registry
from app.models.model_registry import choose_listed_model, is_model_file
from app.models.services import remote_servers
from trainer.spec import RunSpec

NO_ADAPTER, CARD_ADAPTER = "none", "card"
# Finds the folder of a run among all runs, by its name. Raises AppError: run_unknown, run_ambiguous.
FindRun = Callable[[Path, str], Path]
# The label of what a model was trained on, by the documents' database of now.
LabelOfModel = Callable[[Path, LocalModel], Label]


@dataclass(frozen=True, slots=True)
class AdapterChoice:
    use: AdapterUse | None  # None: the model alone, without the adapter of its card
    run: Path | None = None  # the folder of the run that made it; None: a file of which nothing is known

    @property
    def in_use(self) -> tuple[AdapterUse, ...]:
        return (self.use,) if self.use is not None else ()


def choose_adapter(text: str, runs_folder: Path, find_run: FindRun) -> AdapterChoice:
    """RUN, FILE, or one of them with :STRENGTH; "none".

    Raises AppError: bad_option, adapter_unknown, adapter_not_gguf, run_ambiguous, run_no_adapter.
    """
    if text == NO_ADAPTER:
        return AdapterChoice(None)
    name, strength = _split_strength(text)
    path = _adapter_file(name)
    if path is not None:
        _require_gguf(path)
        return AdapterChoice(AdapterUse(str(path), strength))
    try:
        run = find_run(runs_folder, name)
    except AppError as error:
        if error.code != "run_unknown":
            raise
        before, _, after = name.rpartition(":")
        if before and _is_known(before, runs_folder, find_run):
            raise _strength_error(after) from error
        raise AppError("adapter_unknown", wanted=name) from error
    if not (run / base_models.ADAPTER).is_file():
        raise AppError("run_no_adapter", id=run.name)
    return AdapterChoice(AdapterUse(str(run / base_models.ADAPTER), strength), run)


def adapter_name(adapters: tuple[AdapterUse, ...] | None, model: LocalModel) -> str | None:
    """What answers beside the model (`adapters` as of AnswerRequest): a run or a file by its name, or OF_CARD."""
    if adapters is None and model.tuned is not None and model.adapter:
        strength = model.tuned.strength
        return model.tuned.run_name if strength == 1 else f"{model.tuned.run_name}:{strength:g}"
    if adapters is None:
        return CARD_ADAPTER if local_models.adapter_of(model) is not None else None
    if not adapters:
        return None
    path, strength = Path(adapters[0].path), adapters[0].strength
    is_run = path.name == base_models.ADAPTER and (path.parent / base_models.SPEC).is_file()
    name = run_name(path.parent) if is_run else path.name
    return name if strength == 1 else f"{name}:{strength:g}"


def run_name(run: Path) -> str:
    asked = base_models.read_spec(run / base_models.SPEC)
    return (asked.name if asked is not None else "") or run.name


def _adapter_file(name: str) -> Path | None:
    path = base_models.existing_path(name)
    if (path is not None and path.is_file() and path.name != base_models.SPEC) or name.lower().endswith(".gguf"):
        return path or Path(name).absolute()
    return None


def _is_known(name: str, runs_folder: Path, find_run: FindRun) -> bool:
    try:
        return _adapter_file(name) is not None or bool(find_run(runs_folder, name))
    except AppError as error:
        return error.code == "run_ambiguous"


def _require_gguf(path: Path) -> None:
    """Raises AppError: adapter_not_gguf, and those of `gguf.read_header`."""
    try:
        gguf.read_header(path)
    except AppError as error:
        if error.code in ("not_gguf_format", "not_gguf_text", "not_gguf_unknown"):  # others tell what became of it
            raise AppError("adapter_not_gguf", path=str(path)) from error
        raise


def base_model_of(run: Path, models: Collection[LocalModel]) -> LocalModel:
    """Raises AppError: run_damaged, and those of `bases.model_for`."""
    return base_models.model_of_run(_spec_of_run(run), models)


def in_form_of_run(model: LocalModel, adapter: AdapterChoice | None) -> LocalModel:
    """The model, in the form of the run. Raises AppError: adapter_other_base, run_form_unknown, run_damaged."""
    if adapter is None or adapter.run is None:
        return model
    asked = _spec_of_run(adapter.run)
    base_models.require_same_base(asked, model)
    return base_models.with_trained_form(base_models.read_spec(adapter.run / base_models.EFFECTIVE) or asked, model)


def _spec_of_run(run: Path) -> RunSpec:
    asked = base_models.read_spec(run / base_models.SPEC)
    if asked is None:
        raise AppError("run_damaged", id=run.name)
    return asked


def _split_strength(text: str) -> tuple[str, float]:
    """A colon inside a path (C:\\…) is no strength."""
    name, colon, strength = text.rpartition(":")
    try:
        value = float(strength) if colon and name else 1.0
    except ValueError:
        return text, 1.0
    if not 0 <= value <= 2:
        raise _strength_error(strength)
    return (name if colon and name else text), value


def _strength_error(text: str) -> AppError:
    return AppError("bad_option", option="--adapter", value=text, expected=phrase("common.range", low=0, high=2))


def training_label(
    documents: Path, label_of: LabelOfModel, model: LocalModel, adapters: Collection[AdapterUse] | None
) -> Label:
    """Return the label of what the model was trained on: as it is in the list, and with each adapter that it is asked
    with instead. `documents`: the database."""
    others = [replace(model, adapter=one.path) for one in adapters or ()]
    return highest_label(label_of(documents, one) for one in (model, *others))


def _choose_model(
    wanted: str | None, preset_name: str | None, where: Paths, adapter: AdapterChoice | None = None
) -> tuple[LocalModel, Settings, Preset]:
    """The model, the settings of the window, and the preset of that name, else the window's of new conversations."""
    stored = settings.load(where.settings)
    store = Store.open(where.database, where.backups)
    try:
        if is_model_file(wanted):
            model = local_models.describe(Path(wanted))
        elif wanted is None and adapter is not None and adapter.run is not None:
            model = base_model_of(adapter.run, store.local_models())
        else:
            model = choose_listed_model(wanted, model_registry.list_models(store, where.models), where)
        presets = PresetLibrary(store)
        default = presets.chat_preset(stored.preset_id)
        preset = _preset_by_name(preset_name, presets) if preset_name is not None else default
    finally:
        store.close()
    return in_form_of_run(model, adapter), stored, preset


def find_preset(wanted: str, where: Paths) -> Preset:
    """Raises AppError("unknown_preset"), and what a damaged database gives."""
    store = Store.open(where.database, where.backups)
    try:
        return _preset_by_name(wanted, PresetLibrary(store))
    finally:
        store.close()


def _preset_by_name(wanted: str, presets: PresetLibrary) -> Preset:
    """By name or id."""
    known = presets.all("chat")
    found = next((preset for preset in known if wanted in (preset.name, preset.id)), None)
    if found is None:
        raise AppError("unknown_preset", wanted=wanted, known=" / ".join(preset.name for preset in known))
    return found


def request_from_options(options: argparse.Namespace, where: Paths, find_run: FindRun) -> AnswerRequest:
    """What the options say. Raises AppError as `choose_model`, "bad_option", "unknown_preset", "unknown_collection"."""
    check_limit("--max-tokens", options.max_tokens, 1, 1 << 20)
    check_limit("--temperature", options.temperature, 0, 5)
    check_limit("--seed", options.seed, 0, (1 << 32) - 1)
    check_limit("--context", options.context, 256, 1 << 20)
    chosen = options.adapter
    adapter = choose_adapter(chosen, where.runs, find_run) if chosen is not None else None
    model, stored, preset = _choose_model(options.model, options.preset, where, adapter)
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
        choices=choices_in_force(model, own, preset.choices),
        adapters=adapter.in_use if adapter else None,
        wanted=RetrievalRequest(where.documents, scope, turns) if scope else None,
        is_agreed=model.remote is not None and options.allow_remote,
    )
