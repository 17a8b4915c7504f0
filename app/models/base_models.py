"""Find the base model of a training run by its name, and the model that a finished adapter belongs to.

A base is a model of the list, a GGUF file or a publisher's folder. The second half of the module translates between the
prompt forms of the catalogue and those of the trainer.
"""

import contextlib
import dataclasses
import re
import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.base import invisible_characters
from app.base.errors import AppError
from app.base.files import input_file
from app.base.wording import phrase
from app.inference.local_model import LocalModel
from app.inference.prompts import PromptForm
from app.models import catalogue, hf_folders, local_models
from app.models.catalogue import ModelCard
from app.models.hf_folders import HfModel

if TYPE_CHECKING:  # a question needs nothing of downloads and of trainings
    from app.models.download_queue import QueuedDownload
    from trainer.prompt_form import TrainingPromptForm
    from trainer.spec import RunSpec

STARTER = "starter"
WHOLE_TYPES = ("F32", "F16", "BF16")  # types of a GGUF file whose weights are not quantized
SPEC, EFFECTIVE, ADAPTER = "run.json", "effective.json", "adapter.gguf"  # files in a run's folder
_PART = re.compile(r"-\d{5}-of-(?!00001)\d{5}\.gguf$", re.IGNORECASE)  # later part of a split model
TRAINED_FORM = "question_answer_trained"  # replaces FALLBACK_FORM once a base model is trained


@dataclass(frozen=True, slots=True)
class BaseModel:
    """Describes a model that can be trained."""

    path: Path
    name: str
    sha256: str  # "" for a folder, which has no single file
    form: "TrainingPromptForm | None"  # None: use the base's own chat template
    weights: str  # where they are from: "owner/name@commit", `hf_folders.WEIGHTS`, or the type of a GGUF file


def resolve_base(reference: str, models: Collection[LocalModel]) -> BaseModel:
    """Return the base that `reference` names: a path, "starter", or a listed model by id, card or part of its name.

    Raises AppError: base_unknown, base_starter_missing, base_for_search, base_is_split, and the errors of reading a
    damaged file or folder.
    """
    reference = reference.encode("utf-8", "replace").decode()
    path = existing_path(reference)
    if path is not None and path.is_dir():
        return _of_folder(path)
    if path is not None or reference.lower().endswith(".gguf"):
        return _base_of_model(local_models.describe(path or Path(reference)))
    model = find_listed(reference, models)
    if model is None:
        raise AppError("base_starter_missing") if reference == STARTER else AppError("base_unknown", wanted=reference)
    return _base_of_model(model)


def find_listed(reference: str, models: Collection[LocalModel]) -> LocalModel | None:
    """Return the listed model that `reference` names ("starter": the trial model); None if there is none."""
    if not reference.strip():
        return None
    return local_models.find(models, catalogue.load().trial.id if reference == STARTER else reference)


def read_base_folder(path: Path) -> HfModel:
    """Read a publisher's folder that can be trained.

    Raises AppError as `hf_folders.read_hf_model` does, and base_no_template.
    """
    model = hf_folders.read_hf_model(path)
    if _form_of(model) is None:
        _require_template(model)
    return model


def weights_text(weights: str) -> str:
    """Return what a base's weights are (`BaseModel.weights`): the publisher's, or those of a quantized copy."""
    kind = "fetched" if "/" in weights else "folder" if weights == hf_folders.WEIGHTS else "copy"
    kind = "whole" if weights in WHOLE_TYPES else kind
    return phrase(f"models.base_weights.{kind}", weights=weights)


def weights_of_folder(model: HfModel) -> str:
    """Return `BaseModel.weights` of a folder: repository and commit if it was fetched, by Kotae or others."""
    is_fetched = bool(model.repository) and model.folder.parent.name == "snapshots"
    return f"{model.repository}@{model.folder.name[:8]}" if is_fetched else hf_folders.WEIGHTS


def fetched_bases(models: Path) -> list[Path]:
    """Return the folders of publisher's weights that were downloaded completely into the models folder."""
    from app.models import download_queue

    found = []
    for folder in sorted((models / download_queue.BASES).glob("models--*/snapshots/*")):
        with contextlib.suppress(AppError):
            hf_folders.check_before_weights(folder, ())
            found.append(folder)
    return found


def fetched_name(folder: Path) -> str:
    """Return "owner/name@commit" of fetched weights, as `weights_of_folder` does, without reading them."""
    repository = folder.parent.parent.name.removeprefix("models--").replace("--", "/", 1)
    return f"{repository}@{folder.name[:8]}"


def delete_fetched(folder: Path) -> None:
    """Delete fetched weights. Raises AppError("base_not_deleted")."""
    try:
        shutil.rmtree(folder)
        for parent in (folder.parent, folder.parent.parent):
            with contextlib.suppress(OSError):  # another commit is there
                parent.rmdir()
    except OSError as error:
        raise AppError("base_not_deleted", path=str(folder), reason=error.strerror or str(error)) from error


def require_chat_template(base: BaseModel) -> None:
    """Raise AppError("base_no_template") for a folder that defines no chat template."""
    if base.form is None and base.path.is_dir():
        _require_template(hf_folders.read_hf_model(base.path))


def _require_template(model: HfModel) -> None:
    if not hf_folders.has_chat_template(model.folder):
        raise AppError("base_no_template", path=str(model.folder))


def check_before_weights(job: "QueuedDownload") -> None:
    """Refuse a base that could not be trained once all but its weights has come, before the gigabytes do.

    Raises AppError as `read_base_folder` does.
    """
    if not job.is_base or any(file.has_arrived == hf_folders.is_weights(file.name) for file in job.files):
        return
    folder = Path(job.folder)
    repository = hf_folders.check_before_weights(folder, [file.name for file in job.files if not file.has_arrived])
    if _card_of(repository) is None and not hf_folders.has_chat_template(folder):
        raise AppError("base_no_template", path=str(folder))


def training_refusal(model: LocalModel) -> AppError | None:
    """Return why a listed model cannot be trained; None if its entry shows no reason. The file is not read."""
    if local_models.is_for_search(model):
        return AppError("base_for_search", name=model.name)
    if len(model.files) > 1 or _PART.search(Path(model.path).name):
        return AppError("base_is_split", name=model.name)
    return None if Path(model.path).is_file() else AppError("model_missing", path=model.path)


def read_spec(path: Path) -> "RunSpec | None":
    """Return the run spec in a file, its name made one line for display; None if it is damaged or missing."""
    from trainer import spec

    try:
        found = spec.read(path)
    except (OSError, spec.SpecError):
        return None
    return dataclasses.replace(found, name=invisible_characters.to_single_line(found.name))


def model_of_run(requested: "RunSpec", models: Collection[LocalModel]) -> LocalModel:
    """Return the base model of a training run: the one at the recorded path, else one with the recorded hash.

    Raises AppError: run_base_gone, run_base_is_folder, and the errors of describing a file.
    """
    base = Path(requested.base)
    if base.is_dir():
        raise AppError("run_base_is_folder", path=requested.base)
    listed = next((model for model in models if model.path == requested.base), None)
    same = (model for model in models if requested.base_sha256 and _noted_sha256(model) == requested.base_sha256)
    found = listed or next(same, None)
    if found is None and base.is_file():
        found = local_models.describe(base)
    if found is None:
        raise AppError("run_base_gone", path=requested.base)
    return found


def require_same_base(requested: "RunSpec", model: LocalModel) -> None:
    """Raise AppError("adapter_other_base") if the model is not the base that the training run started from.

    llama.cpp would load the adapter into another model, and the answers would get worse.
    """
    if requested.base_sha256 and sha256_of_model(model) != requested.base_sha256:
        raise AppError("adapter_other_base", base=requested.base, model=model.name)


def sha256_of_model(model: LocalModel) -> str:
    """Return the SHA-256 of the model's first file; read the file if the list has no valid one.

    Raises AppError("file_unreadable").
    """
    try:
        return _noted_sha256(model) or input_file.sha256_of(Path(model.path))
    except OSError as error:
        raise AppError("file_unreadable", path=model.path, reason=error.strerror or str(error)) from error


def existing_path(path_text: str, base_folder: Path = Path()) -> Path | None:
    """Return the absolute path of an existing file or folder; None if missing.

    Relative names start at `base_folder`.
    """
    try:
        path = (base_folder / Path(path_text).expanduser()).absolute()
        return path if path_text and path.exists() else None
    except (OSError, RuntimeError, ValueError):  # name too long, `~` of an unknown user
        return None


def delete_unused_conversions(folder: Path, specs: Collection["RunSpec | None"]) -> int:
    """Delete the conversions of GGUF bases in `folder` that no run of `specs` needs; return the bytes freed.

    Conversions are folders named after the base's hash. If one spec is None (unreadable), nothing is deleted, because
    its base is unknown. Whole f16 files do not name their base and are deleted only when there is no run at all.
    """
    if None in specs or not folder.is_dir():
        return 0
    used = {asked.base_sha256[:16] for asked in specs if asked is not None}
    freed = 0
    for path in folder.iterdir():
        is_folder = re.fullmatch("[0-9a-f]{16}", path.name) and path.name not in used and path.is_dir()
        is_file = not specs and path.name.endswith("-f16.gguf")
        if is_folder or is_file:
            freed += _delete_unless_held(path)
    return freed


def _delete_unless_held(path: Path) -> int:
    """Delete a conversion and its lock file; return the bytes freed, 0 if another process holds it."""
    import filelock  # answers need this module, but not the lock

    try:
        with filelock.FileLock(f"{path}.lock", timeout=0):
            files = [path, *path.rglob("*")] if path.is_dir() else [path]
            size = sum(file.stat().st_size for file in files if file.is_file())
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    except (OSError, filelock.Timeout):  # another process writes or reads it
        return 0
    Path(f"{path}.lock").unlink(missing_ok=True)
    return size


# -------------------------------------------------------------------------- forms


def trainer_form(form: PromptForm) -> "TrainingPromptForm":
    """Return a form of the catalogue in the trainer's type.

    `end` is the control token that follows an answer and stops the engine; a completion form has none.
    """
    from trainer.prompt_form import TrainingPromptForm

    after = form.answer.partition("{text}")[2]
    ends = () if form.is_completion else (stop for stop in form.stop if after.startswith(stop))
    return TrainingPromptForm(
        question=form.question,
        answer=form.answer,
        answer_start=form.answer_start,
        system=form.system,
        end=next(iter(ends), ""),
        stop=form.stop,
        is_completion=form.is_completion,
    )


def _form_after_training(form: PromptForm) -> PromptForm:
    """Return the form to use with a base model after training it.

    A trained base ends its answers itself, so it needs no blank line as a stop string.
    """
    return catalogue.load().forms[TRAINED_FORM] if form.id == local_models.FALLBACK_FORM else form


def find_prompt_form(form: "TrainingPromptForm") -> PromptForm | None:
    """Return the catalogue's form with the same markup, preferably with the same stop strings; None if missing."""
    same = [one for one in catalogue.load().forms.values() if _markup(trainer_form(one)) == _markup(form)]
    return next((one for one in same if one.stop == form.stop), next(iter(same), None))


def _markup(form: "TrainingPromptForm") -> tuple[object, ...]:
    return form.question, form.answer, form.answer_start, form.system, form.is_completion


def with_trained_form(requested: "RunSpec", model: LocalModel) -> LocalModel:
    """Return the model with the prompt form that it was trained with. `requested`: the effective spec of the run.

    Raises AppError("run_form_unknown") if the catalogue has no such form and the model's own template is not used.
    """
    form = find_prompt_form(requested.form) if requested.form else None
    if form is not None:
        return dataclasses.replace(model, form_id=form.id)
    if requested.form is not None and not (model.form_id is None and model.template_allowed):
        raise AppError("run_form_unknown", model=model.name, path=model.path)
    return model


# ------------------------------------------------------------------------ private


def _base_of_model(model: LocalModel) -> BaseModel:
    """Return a model as the base of a training. Raises AppError if it cannot be trained."""
    if (error := training_refusal(model)) is not None:
        raise error
    form = None if local_models.needs_template_consent(model) else local_models.form_of(model)
    return BaseModel(
        Path(model.path),
        model.name,
        sha256_of_model(model),
        trainer_form(_form_after_training(form)) if form else None,
        model.quantization,
    )


def _of_folder(path: Path) -> BaseModel:
    model = hf_folders.read_hf_model(path)
    card, form = _card_of(model.repository), _form_of(model)
    return BaseModel(
        model.folder,
        card.title if card else model.name,
        "",
        trainer_form(_form_after_training(form)) if form else None,
        weights_of_folder(model),
    )


def _form_of(model: HfModel) -> PromptForm | None:
    card = _card_of(model.repository)
    return catalogue.load().forms.get(card.form) if card else None


def _card_of(repository: str) -> ModelCard | None:
    cards = catalogue.load().cards
    return next((card for card in cards if card.base_model and card.base_model == repository), None)


def _noted_sha256(model: LocalModel) -> str:
    """Return the first file's SHA-256 in the list; "" if the file has changed since or is missing."""
    try:
        return local_models.recorded_sha256(Path(model.path), model.files)
    except OSError:
        return ""
