"""Convert the options of `kotae ask` and similar commands to an answer request.

`--adapter` names a LoRA adapter: a file, or a training run, which also determines the base model.
"""

import argparse
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from app.base import settings
from app.base.cli.commands import Output, check_limit
from app.base.cli.loop import core_application
from app.base.confidentiality import Label, highest_label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.presets import Choices, Preset
from app.chat.services.answer_run import AnswerRequest, choices_in_force
from app.chat.services.preset_library import PresetLibrary
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.chat.store import Store
from app.documents import records
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.command_documents import QuestionEmbedder, scope_of
from app.documents.services.embedding import Embedding
from app.inference import child_commands, crashes, gguf, load_plan, machine
from app.inference.engine.messages import THOUGHT_TOKENS, AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.models import base_models, local_models, model_registry
from app.models.model_registry import choose_listed_model, is_model_file
from app.models.services import remote_servers

if TYPE_CHECKING:  # most questions need nothing of trainings
    from trainer.spec import RunSpec

NO_ADAPTER, CARD_ADAPTER = "none", "card"
# Returns the folder of a training run, from the folder of all runs and the run's name. Raises AppError("run_unknown" |
# "run_ambiguous").
FindRun = Callable[[Path, str], Path]
# Returns the label of a model's training data, from the path of the documents' database and the model.
LabelOfModel = Callable[[Path, LocalModel], Label]


class AdapterChoice(Struct, frozen=True):
    """The adapter that the option `--adapter` names."""

    use: AdapterUse | None  # None: the model without any adapter, not even the one of its card
    run: Path | None = None  # folder of the run that trained the adapter; None: the option named a file

    @property
    def in_use(self) -> tuple[AdapterUse, ...]:
        return (self.use,) if self.use is not None else ()


def choose_adapter(text: str, runs_folder: Path, find_run: FindRun) -> AdapterChoice:
    """Return the adapter that an option names: RUN or FILE, optionally with :STRENGTH (0 to 2), or "none".

    Raises AppError("bad_option" | "adapter_unknown" | "adapter_not_gguf" | "run_ambiguous" | "run_no_adapter").
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
        if before and _names_adapter_or_run(before, runs_folder, find_run):
            raise _strength_error(after) from error
        raise AppError("adapter_unknown", wanted=name) from error
    if not (run / base_models.ADAPTER).is_file():
        raise AppError("run_no_adapter", id=run.name)
    return AdapterChoice(AdapterUse(str(run / base_models.ADAPTER), strength), run)


def adapter_name(adapters: tuple[AdapterUse, ...] | None, model: LocalModel) -> str | None:
    """Return the name of the run or file in use, with a strength other than 1; CARD_ADAPTER; None for none."""
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
    spec = base_models.read_spec(run / base_models.SPEC)
    return (spec.name if spec is not None else "") or run.name


def _adapter_file(name: str) -> Path | None:
    path = base_models.existing_path(name)
    if (path is not None and path.is_file() and path.name != base_models.SPEC) or name.lower().endswith(".gguf"):
        return path or Path(name).absolute()
    return None


def _names_adapter_or_run(name: str, runs_folder: Path, find_run: FindRun) -> bool:
    try:
        return _adapter_file(name) is not None or bool(find_run(runs_folder, name))
    except AppError as error:
        return error.code == "run_ambiguous"


def _require_gguf(path: Path) -> None:
    """Check that a file is GGUF. Raises AppError("adapter_not_gguf") and those of `gguf.read_header`."""
    try:
        gguf.read_header(path)
    except AppError as error:
        if error.code in ("not_gguf_format", "not_gguf_text", "not_gguf_unknown"):  # other messages need no context
            raise AppError("adapter_not_gguf", path=str(path)) from error
        raise


def base_model_of(run: Path, models: Collection[LocalModel]) -> LocalModel:
    """Return the base model of a run from `models`. Raises AppError("run_damaged") and those of
    `base_models.model_of_run`."""
    return base_models.model_of_run(_spec_of_run(run), models)


def in_form_of_run(model: LocalModel, adapter: AdapterChoice | None) -> LocalModel:
    """Return the model with the prompt form that the run was trained with. Raises AppError("adapter_other_base" |
    "run_form_unknown" | "run_damaged")."""
    if adapter is None or adapter.run is None:
        return model
    spec = _spec_of_run(adapter.run)
    base_models.require_same_base(spec, model)
    return base_models.with_trained_form(base_models.read_spec(adapter.run / base_models.EFFECTIVE) or spec, model)


def _spec_of_run(run: Path) -> "RunSpec":
    spec = base_models.read_spec(run / base_models.SPEC)
    if spec is None:
        raise AppError("run_damaged", id=run.name)
    return spec


def _split_strength(text: str) -> tuple[str, float]:
    r"""Split NAME:STRENGTH; the strength is 1 if there is none. The colon in a Windows path (C:\…) does not begin a
    strength."""
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
    """Return the highest label of the training data of the model, its own adapter and `adapters`."""
    others = [replace(model, adapter=one.path) for one in adapters or ()]
    return highest_label(label_of(documents, one) for one in (model, *others))


def _choose_model(
    reference: str | None,
    preset_name: str | None,
    where: Paths,
    adapter: AdapterChoice | None = None,
    *,
    quotes: bool = False,
) -> tuple[LocalModel, Settings, Preset]:
    """Return the model that the options choose, the stored settings, and the preset: the named one, or else that of new
    conversations. With `quotes`, the model is `NO_MODEL` if there is none."""
    stored = settings.load(where.settings)
    with Store.open(where.database, where.backups) as store:
        if is_model_file(reference):
            model = local_models.describe(Path(reference))
        elif reference is None and adapter is not None and adapter.run is not None:
            model = base_model_of(adapter.run, store.local_models())
        else:
            model = _listed_model(reference, model_registry.list_models(store, where.models), where, quotes=quotes)
        presets = PresetLibrary(store)
        default = presets.chat_preset(stored.preset_id)
        preset = _preset_by_name(preset_name, presets) if preset_name is not None else default
    return in_form_of_run(model, adapter), stored, preset


def _listed_model(reference: str | None, models: list[LocalModel], where: Paths, *, quotes: bool) -> LocalModel:
    try:
        return choose_listed_model(reference, models, where)
    except AppError as error:
        if error.code == "no_model_command" and quotes:
            return local_models.NO_MODEL
        raise


def find_preset(reference: str, where: Paths) -> Preset:
    """Return a preset by name or id. Raises AppError("unknown_preset"), and as `Store.open` does."""
    with Store.open(where.database, where.backups) as store:
        return _preset_by_name(reference, PresetLibrary(store))


def _preset_by_name(reference: str, presets: PresetLibrary) -> Preset:
    known = presets.presets_of_kind("chat")
    found = next((preset for preset in known if reference in (preset.name, preset.id)), None)
    if found is None:
        raise AppError("unknown_preset", wanted=reference, known=" / ".join(preset.name for preset in known))
    return found


def shows_pictures(options: argparse.Namespace, where: Paths, output: Output) -> bool:
    """Return whether attached pictures will be shown to the model; say why not if it has its projector."""
    model = _choose_model(options.model, options.preset, where, quotes=True)[0]
    if model.projector and any(map(records.is_picture_name, options.file)):
        if not machine.has_picture_library():
            output.note("chat.engine_reads_no_pictures")
        elif crashes.has_projector_crashed(model.projector):
            output.note("chat.projector_has_crashed", file=Path(model.projector).name)
    return load_plan.reads_pictures(model)


def request_from_options(
    options: argparse.Namespace, where: Paths, find_run: FindRun, files: tuple[CollectionRef, ...] = ()
) -> AnswerRequest:
    """Return the request that the options describe. `files`: attached files, which are asked too.

    Raises AppError("bad_option" | "unknown_preset" | "unknown_collection"), and as `choose_listed_model` does.
    """
    check_limit("--max-tokens", options.max_tokens, 1, 1 << 20)
    check_limit("--temperature", options.temperature, 0, 5)
    check_limit("--seed", options.seed, 0, (1 << 32) - 1)
    check_limit("--context", options.context, 256, 1 << 20)
    adapter = None if options.adapter is None else choose_adapter(options.adapter, where.runs, find_run)
    quotes = bool(options.collection or files) and adapter is None
    model, stored, preset = _choose_model(options.model, options.preset, where, adapter, quotes=quotes)
    remote_servers.require_remote_permission(model, options)
    thinks = getattr(options, "think", None)
    if thinks and model.remote is None and not local_models.thinking_of(model):
        raise AppError("model_cannot_think", name=model.name)
    own = Choices(
        system_prompt=options.system,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        thought_tokens=None if thinks is None else THOUGHT_TOKENS * thinks,
        seed=options.seed,
    )
    if options.context is not None:
        stored = replace(stored, context_tokens=options.context)
    turns = (Turn(options.question),)
    scope = (*files, *(scope_of(options.collection, where) if options.collection else ()))
    return AnswerRequest(
        model=model,
        turns=turns,
        settings=stored,
        choices=choices_in_force(model, own, preset.choices),
        adapters=adapter.in_use if adapter else None,
        retrieval=RetrievalRequest(where.documents, scope, turns) if scope else None,
        is_agreed=model.remote is not None and options.allow_remote,
        may_share=True,  # reads what the window has kept; a command ends before the engine writes any
    )


@contextmanager
def command_engine(
    request: AnswerRequest, options: argparse.Namespace, where: Paths, output: Output, log_name: str
) -> Iterator[tuple[EngineClient, Embedding | None]]:
    """Yield the engine of a command, and its embedding (None without documents); shut both down afterwards."""
    app = core_application()
    with QuestionEmbedder(where, output) if request.retrieval else nullcontext() as embedder:
        if embedder and embedder.embedding:
            embedder.embedding.load_model()
        engine = EngineClient(child_commands.engine(where.prefix_states), where.logs / log_name)
        remote_servers.give_remote_key(engine, request.model, options)
        try:
            yield engine, embedder.embedding if embedder else None
        finally:
            engine.shut_down()
            background.shut_down()
    del app
