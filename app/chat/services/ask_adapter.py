"""`kotae ask --adapter`: a LoRA adapter as a file, or that of a training run with the model it was trained on."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path

from app.base.confidentiality import Label, highest_label
from app.base.errors import AppError
from app.base.wording import phrase
from app.inference import gguf
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.models import base_models, local_models
from trainer.spec import RunSpec

NONE, OF_CARD = "none", "card"
# Finds the folder of a run among all runs, by its name. Raises AppError: run_unknown, run_ambiguous.
FindRun = Callable[[Path, str], Path]
# The label of what a model was trained on, by the documents' database of now.
LabelOf = Callable[[Path, LocalModel], Label]


@dataclass(frozen=True, slots=True)
class Adapter:
    use: AdapterUse | None  # None: the model alone, without the adapter of its card
    run: Path | None = None  # the folder of the run that made it; None: a file of which nothing is known

    @property
    def in_use(self) -> tuple[AdapterUse, ...]:
        return (self.use,) if self.use is not None else ()


def choose(text: str, runs_folder: Path, find_run: FindRun) -> Adapter:
    """RUN, FILE, or one of them with :STRENGTH; "none".

    Raises AppError: bad_option, adapter_unknown, adapter_not_gguf, run_ambiguous, run_no_adapter.
    """
    if text == NONE:
        return Adapter(None)
    name, strength = _divided(text)
    path = _file(name)
    if path is not None:
        _require_gguf(path)
        return Adapter(AdapterUse(str(path), strength))
    try:
        run = find_run(runs_folder, name)
    except AppError as error:
        if error.code != "run_unknown":
            raise
        before, _, after = name.rpartition(":")
        if before and _is_known(before, runs_folder, find_run):
            raise _no_strength(after) from error
        raise AppError("adapter_unknown", wanted=name) from error
    if not (run / base_models.ADAPTER).is_file():
        raise AppError("run_no_adapter", id=run.name)
    return Adapter(AdapterUse(str(run / base_models.ADAPTER), strength), run)


def name_of(adapters: tuple[AdapterUse, ...] | None, model: LocalModel) -> str | None:
    """What answers beside the model (`adapters` as of AnswerRequest): a run or a file by its name, or OF_CARD."""
    if adapters is None and model.tuned is not None and model.adapter:
        strength = model.tuned.strength
        return model.tuned.run_name if strength == 1 else f"{model.tuned.run_name}:{strength:g}"
    if adapters is None:
        return OF_CARD if local_models.adapter_of(model) is not None else None
    if not adapters:
        return None
    path, strength = Path(adapters[0].path), adapters[0].strength
    is_run = path.name == base_models.ADAPTER and (path.parent / base_models.SPEC).is_file()
    name = name_of_run(path.parent) if is_run else path.name
    return name if strength == 1 else f"{name}:{strength:g}"


def name_of_run(run: Path) -> str:
    asked = base_models.read_spec(run / base_models.SPEC)
    return (asked.name if asked is not None else "") or run.name


def _file(name: str) -> Path | None:
    path = base_models.existing_path(name)
    if (path is not None and path.is_file() and path.name != base_models.SPEC) or name.lower().endswith(".gguf"):
        return path or Path(name).absolute()
    return None


def _is_known(name: str, runs_folder: Path, find_run: FindRun) -> bool:
    try:
        return _file(name) is not None or bool(find_run(runs_folder, name))
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


def base_of(run: Path, models: Collection[LocalModel]) -> LocalModel:
    """Raises AppError: run_damaged, and those of `bases.model_for`."""
    return base_models.model_of_run(_spec(run), models)


def asked_as_trained(model: LocalModel, adapter: Adapter | None) -> LocalModel:
    """The model, in the form of the run. Raises AppError: adapter_other_base, run_form_unknown, run_damaged."""
    if adapter is None or adapter.run is None:
        return model
    asked = _spec(adapter.run)
    base_models.require_same_base(asked, model)
    return base_models.with_trained_form(base_models.read_spec(adapter.run / base_models.EFFECTIVE) or asked, model)


def _spec(run: Path) -> RunSpec:
    asked = base_models.read_spec(run / base_models.SPEC)
    if asked is None:
        raise AppError("run_damaged", id=run.name)
    return asked


def _divided(text: str) -> tuple[str, float]:
    """A colon inside a path (C:\\…) is no strength."""
    name, colon, strength = text.rpartition(":")
    try:
        value = float(strength) if colon and name else 1.0
    except ValueError:
        return text, 1.0
    if not 0 <= value <= 2:
        raise _no_strength(strength)
    return (name if colon and name else text), value


def _no_strength(text: str) -> AppError:
    return AppError("bad_option", option="--adapter", value=text, expected=phrase("common.range", low=0, high=2))


def learned(documents: Path, label_of: LabelOf, model: LocalModel, adapters: Collection[AdapterUse] | None) -> Label:
    """Return the label of what the model was trained on: as it is in the list, and with each adapter that it is asked
    with instead. `documents`: the database."""
    others = [replace(model, adapter=one.path) for one in adapters or ()]
    return highest_label(label_of(documents, one) for one in (model, *others))
