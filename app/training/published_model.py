"""Add the model that a run has trained to the model list, where it can be chosen like any other."""

import contextlib
import dataclasses
from collections.abc import Collection
from pathlib import Path

from app.base.confidentiality import DEFAULT_LABEL
from app.base.errors import AppError
from app.base.files.output_file import drive_errors, require_space, write_atomically
from app.documents.collection_lookup import Origin
from app.inference.local_model import LocalModel, TuningRecord
from app.models import base_models, local_models, model_registry
from app.models.model_store import ModelStore
from app.training import run_result
from app.training.quality_gate import BASE_ADAPTER
from app.training.runs import lineage, run_folders
from app.training.runs.run_folders import TrainingRunFolder
from trainer.spec import RunSpec


def publish(
    folder: Path,
    store: ModelStore,
    models_folder: Path,
    keep: Collection[str] = (),
    form: str = BASE_ADAPTER,
    strength: float = 1.0,
) -> LocalModel:
    """Return the list's model for this run, form and strength; add it if it is missing.

    `folder`: the run's folder. `strength`: factor for the adapter, 0 to 2, for BASE_ADAPTER only; a merged file has the
    trained strength. `keep`: as for `model_registry.delete_unused_adapters`. This hashes the adapter, and the base if
    its hash is unknown. Raises AppError: run_no_adapter, run_damaged, run_base_is_folder, run_form_unknown,
    tuned_base_gone, tuned_base_changed, tuned_form_missing, tuned_needs_template, tuned_unwritable, drive_space, and
    the errors for a damaged file and of the database.
    """
    run = run_folders.read(folder)
    trained, asked = run.require_adapter(), run.require_spec()
    if form != BASE_ADAPTER:
        return _add_merged_model(run, asked, trained, form, store, models_folder)
    base = _base(run, asked, store)
    if base is None:
        raise AppError("tuned_base_gone", name=run.name, base=Path(asked.base).name, path=asked.base)
    model = _with_trained_form(run, asked, base, base.name)
    sha256 = _sha256(trained)
    tuned = TuningRecord(
        run.id, run.name, form, base.name, base.files[0].sha256, sha256, strength, *_known_lineage(run.folder)
    )
    name = run.name if strength == 1 else f"{run.name} ×{strength:g}"
    adapter = model_registry.adapter_file(models_folder, sha256)
    model_registry.delete_unused_adapters(store, models_folder, {*keep, str(adapter)})
    _copy(trained, adapter, sha256)
    lineage.write_lineage_note(trained, adapter)
    model = dataclasses.replace(model, name=name, tuned=tuned, adapter=str(adapter))
    return model_registry.add_tuned_model(model, store, models_folder)


def _add_merged_model(
    run: TrainingRunFolder, requested: RunSpec, adapter: Path, form: str, store: ModelStore, models_folder: Path
) -> LocalModel:
    path = run_result.form_file(run.folder, form)
    if path is None:
        raise AppError("tuned_form_missing", name=run.name, form=form)
    base = None
    with contextlib.suppress(AppError):  # a merged file works without its base
        base = _base(run, requested, store)
    base_name = base.name if base is not None else Path(requested.base).name
    is_allowed = base is not None and base.template_allowed
    model = dataclasses.replace(local_models.describe(path), template_allowed=is_allowed)
    model = _with_trained_form(run, requested, model, base_name)
    # `describe` may mistake a file for a catalogue file of the same size, and so give the wrong hash.
    first = dataclasses.replace(model.files[0], sha256=_sha256(path))
    label, origins = _known_lineage(run.folder)
    tuned = TuningRecord(
        run.id, run.name, form, base_name, requested.base_sha256, _sha256(adapter), label=label, origins=origins
    )
    name = f"{run.name} {form}"
    model = dataclasses.replace(model, name=name, files=(first, *model.files[1:]), tuned=tuned)
    return model_registry.add_tuned_model(model, store, models_folder)


def _base(run: TrainingRunFolder, requested: RunSpec, store: ModelStore) -> LocalModel | None:
    """Return the base as a model of the list, with its hash; None if its file is missing."""
    models = store.local_models()
    made = run.folder / "base.gguf"  # the gate makes it if the base is a folder
    try:
        if not requested.base_sha256 and made.is_file():
            listed = next((model for model in models if model.path == str(made)), None)
            found = listed or local_models.describe(made)
        else:
            found = base_models.model_of_run(requested, models)
        sha256 = model_registry.file_sha256(Path(found.path), found.files)
    except AppError as error:
        if error.code in ("run_base_gone", "run_base_is_folder"):
            return None
        raise
    except OSError:
        return None
    if requested.base_sha256 not in ("", sha256):
        raise AppError("tuned_base_changed", name=run.name, base=found.name, path=found.path)
    first, *others = local_models.describe(Path(found.path)).files  # with current sizes and times
    files = (dataclasses.replace(first, sha256=sha256), *others)
    return local_models.add(store, dataclasses.replace(found, files=files))


def _with_trained_form(run: TrainingRunFolder, requested: RunSpec, model: LocalModel, base_name: str) -> LocalModel:
    model = base_models.with_trained_form(run_folders.effective_spec(run.folder) or requested, model)
    if model.form_id is None and not model.template_allowed:  # needs the publisher's template, which is not allowed
        raise AppError("tuned_needs_template", name=run.name, base=base_name)
    return model


def _known_lineage(run: Path) -> tuple[str, tuple[Origin, ...]]:
    """Return the label and origins of the run's data. With the origins the label can be updated later."""
    found = lineage.lineage_of_run(run)
    return found.label or DEFAULT_LABEL, found.origins


def _sha256(path: Path) -> str:
    try:
        return model_registry.file_sha256(path)
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error


def _copy(source: Path, target: Path, sha256: str) -> None:
    if target.is_file() and _sha256(target) == sha256:
        return
    with drive_errors(target.parent, "tuned_unwritable"):
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, source.stat().st_size)
        write_atomically(target, source.read_bytes())
