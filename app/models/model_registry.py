"""Keep the tuned and remote models of the list, and find the model that a command names.

A tuned model is either a merged file, with a row in `local_model` like any other, or a base with an adapter. The latter
has no such row: it uses its base's file and the facts about it. Its adapter is a copy in the models folder, so that
the run can be deleted. `app.training.published_model` adds tuned models.

A remote model runs on another machine of the local network. It has no file to read, hash, move, measure or
train, and its key is never stored here.
"""

import dataclasses
import functools
import json
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeGuard

from app.base import confidentiality, settings
from app.base.confidentiality import Label
from app.base.database import Row
from app.base.errors import AppError
from app.base.files import input_file
from app.base.paths import Paths
from app.inference import local_model
from app.inference.local_model import FileFingerprint, LocalModel, RemoteModel
from app.models import base_models, local_models, model_store
from app.models.model_store import ModelStore

REMOTE_NAME_MAX = 80  # characters
_ID_PREFIX = "lan-"  # of remote models' ids, to avoid ids of files


def describe_remote_model(name: str, remote: RemoteModel, models: Collection[LocalModel] = ()) -> LocalModel:
    """Describe a remote model as a model of the list.

    `models`: the models in the list; one with the same server and model name passes on its id and date.
    """
    title = " ".join(name.split())[:REMOTE_NAME_MAX] or remote.model
    id = local_models.free_id(f"{_ID_PREFIX}{title}", {model.id for model in models})
    new = _remote_model(id, title, remote, time.time())
    old = next((model for model in models if model.path == new.path), None)
    return with_old_identity(old, new) if old else new


def with_old_identity(before: LocalModel, now: LocalModel) -> LocalModel:
    """Return `now` with the id and date of `before`, which it replaces."""
    return dataclasses.replace(now, id=before.id, added_at=before.added_at)


def list_remote_models(store: ModelStore) -> list[LocalModel]:
    """Return the remote models in the order in which they were added."""
    found = store.database.read_as(_stored_remote_model, "SELECT id, entry FROM remote_model")
    return sorted(found, key=lambda model: (model.added_at, model.id))


def put_remote_model(store: ModelStore, model: LocalModel) -> None:
    """Add a remote model, or replace the one with its id."""
    assert model.remote is not None
    entry = {"name": model.name, "added_at": model.added_at, **dataclasses.asdict(model.remote)}
    with store.database.transaction():
        store.database.write(
            "INSERT OR REPLACE INTO remote_model(id, entry) VALUES (?, ?)",
            model.id,
            json.dumps(entry, ensure_ascii=False),
        )


def server_address(model: LocalModel) -> str:
    """Return the address that the model's prompts are sent to; "" for a model of this machine."""
    return local_model.address_label(model.remote.address) if model.remote is not None else ""


# ----------------------------------------------------------- what may be sent


def require_sendable(model: LocalModel, label: Label) -> None:
    """Raise AppError("remote_secret") if text labelled 機密 would leave this machine.

    `label`: the highest label of the text to be sent.
    """
    if model.remote is not None and label == confidentiality.HIGHEST_LABEL:
        raise AppError("remote_secret", address=server_address(model))


# ------------------------------------------------------------------------- private


def _stored_remote_model(row: Row) -> LocalModel:
    entry = json.loads(row["entry"])
    requests = entry.get("requests", local_model.REMOTE_REQUESTS)  # an earlier version stored none
    sees = entry.get("sees_pictures", False)
    remote = RemoteModel(entry["address"], entry["model"], entry["context_tokens"], requests, sees)
    return _remote_model(row["id"], entry["name"], remote, entry["added_at"])


def _remote_model(id: str, name: str, remote: RemoteModel, added_at: float) -> LocalModel:
    path = f"{remote.address}#{remote.model}"
    return LocalModel(id, name, path, 0, "", "", remote.context_tokens, added_at, remote=remote)


ADAPTERS_FOLDER = "adapters"  # below the models folder
NO_PROVENANCE: Mapping[str, Any] = {"run_id": "", "base_sha256": "", "adapter_sha256": "", "adapter_strength": 1.0}
_SUFFIX = ".lora"  # of GGUF files that the search for models must not find


def list_models(store: ModelStore, models_folder: Path) -> list[LocalModel]:
    """Return the whole list without reading a file: models with a file, bases with an adapter, remote models."""
    files = store.local_models()
    tuned = store.database.read_as(
        lambda row: _tuned_model(row["id"], row["tuned"], json.loads(row["entry"]), files, models_folder),
        "SELECT * FROM tuned_model WHERE entry IS NOT NULL",
    )
    return [*files, *sorted(tuned, key=lambda model: (model.added_at, model.id)), *list_remote_models(store)]


def read_files(where: Paths) -> list[LocalModel]:
    """Return the models of the list that have their own file. Raises AppError as `ModelStore.open` does."""
    with ModelStore.open(where.database, where.backups) as store:
        return store.local_models()


def base_of(model: LocalModel, models: Collection[LocalModel]) -> LocalModel | None:
    """Return the listed model that a tuned model was trained on; None if it is gone."""
    tuned = model.tuned
    if tuned is None:
        return None
    files = [other for other in models if not other.adapter and other.id != model.id]
    same = [other for other in files if tuned.base_sha256 and tuned.base_sha256 in {m.sha256 for m in other.files[:1]}]
    return next((other for other in [*same, *files] if other.path == model.path), next(iter(same), None))


def provenance_fields(model: LocalModel) -> Mapping[str, Any]:
    """Return the fields of AnswerDetails that identify the tuned model of an answer."""
    tuned = model.tuned
    if tuned is None:
        return NO_PROVENANCE
    return {
        "run_id": tuned.run_id,
        "base_sha256": tuned.base_sha256,
        "adapter_sha256": tuned.adapter_sha256,
        "adapter_strength": tuned.strength,
    }


def training_data_fields(model: LocalModel) -> Mapping[str, Any]:
    """Return the fields of AnswerDetails with the confidentiality label of the model's training data."""
    tuned = model.tuned
    if tuned is None:
        return {}
    return {"model_label": tuned.label, "learned": tuple(dict.fromkeys(name for name, _document in tuned.origins))}


def require_unchanged(model: LocalModel) -> None:
    """Raise AppError unless a tuned model's base and adapter still have the hashes recorded when they were combined.

    Hash a file again if its size or time has changed since its hash was stored. A model without an adapter passes.

    Codes: tuned_base_gone, tuned_base_changed, tuned_adapter_gone, tuned_adapter_changed.
    """
    tuned = model.tuned
    if tuned is None or not model.adapter:
        return
    facts = {"name": model.name, "base": tuned.base_name}
    base = ("base", model.path, tuned.base_sha256, model.files)
    for part, path, sha256, fingerprints in (base, ("adapter", model.adapter, tuned.adapter_sha256, ())):
        try:
            found = file_sha256(Path(path), fingerprints)
        except OSError as error:
            raise AppError(f"tuned_{part}_gone", path=path, **facts) from error
        if found != sha256:
            raise AppError(f"tuned_{part}_changed", path=path, **facts)


def file_sha256(path: Path, fingerprints: tuple[FileFingerprint, ...] = ()) -> str:
    """Return a file's SHA-256: the recorded one while size and time are unchanged, else computed. Raises OSError."""
    status = path.stat()
    return local_models.recorded_sha256(path, fingerprints) or _cached_sha256(path, status.st_size, status.st_mtime_ns)


# ------------------------------------------------------------------------- changes


def put_tuned_model(store: ModelStore, model: LocalModel) -> None:
    """Add or replace a tuned model of either kind. Its adapter must already be at `adapter_file`."""
    assert model.tuned is not None
    entry = {"name": model.name, "path": model.path, "added_at": model.added_at, "form_id": model.form_id}
    with store.database.transaction():
        if not model.adapter:
            store.put_local_model(model)
        store.database.write(
            "INSERT OR REPLACE INTO tuned_model(id, tuned, entry) VALUES (?, ?, ?)",
            model.id,
            model_store.tuned_to_json(model.tuned),
            json.dumps(entry, ensure_ascii=False) if model.adapter else None,
        )


def add_tuned_model(model: LocalModel, store: ModelStore, models_folder: Path) -> LocalModel:
    """Return the list's model with these files and this origin; add it under a free name if it is missing."""
    listed = list_models(store, models_folder)
    known = next((other for other in listed if _has_same_files_and_origin(other, model)), None)
    if known is not None:
        return known
    here = next((other for other in listed if other.path == model.path and not model.adapter), None)
    taken = {other.name for other in listed if other is not here}
    names = (model.name, *(f"{model.name} ({number})" for number in range(2, len(taken) + 2)))
    id = here.id if here is not None else local_models.free_id(model.name, {other.id for other in listed})
    added = dataclasses.replace(
        model, id=id, name=next(name for name in names if name not in taken), added_at=time.time(), speeds=None
    )
    put_tuned_model(store, added)
    return next(other for other in list_models(store, models_folder) if other.id == id)


def _has_same_files_and_origin(other: LocalModel, model: LocalModel) -> bool:
    """Return whether both have the same files and provenance; the names of the run and the base may differ."""
    if other.tuned is None or other.form_id != model.form_id or other.files != model.files:
        return False
    same = provenance_fields(other) == provenance_fields(model)
    return same and (other.path, other.adapter) == (model.path, model.adapter)


def adapter_file(models_folder: Path, sha256: str) -> Path:
    return models_folder / ADAPTERS_FOLDER / f"{sha256[:32]}{_SUFFIX}"


def delete_unused_adapters(store: ModelStore, models_folder: Path, keep: Collection[str] = ()) -> None:
    """Delete adapters that no listed model uses. `keep`: paths of adapters that an undo may need again."""
    used = {*keep, *(model.adapter for model in list_models(store, models_folder))}
    for path in (models_folder / ADAPTERS_FOLDER).glob(f"*{_SUFFIX}"):
        if str(path) not in used:
            for one in (path, *path.parent.glob(f"{path.stem}.*.json")):  # with its records in JSON beside it
                one.unlink(missing_ok=True)


# ------------------------------------------------------------------------- private


def _tuned_model(
    id: str, tuned: str, entry: dict[str, Any], files: list[LocalModel], models_folder: Path
) -> LocalModel:
    record = model_store.tuned_from_json(tuned)
    assert record is not None
    known = LocalModel(id, entry["name"], entry["path"], 0, "", "", 0, entry["added_at"], tuned=record)
    base = base_of(known, files) or known
    return dataclasses.replace(
        base,
        id=id,
        name=known.name,
        added_at=known.added_at,
        form_id=entry["form_id"],
        tuned=record,
        adapter=str(adapter_file(models_folder, record.adapter_sha256)),
    )


@functools.lru_cache(maxsize=16)
def _cached_sha256(path: Path, _size_bytes: int, _modified_ns: int) -> str:
    return input_file.sha256_of(path)


def choose_model(reference: str | None, where: Paths) -> LocalModel:
    """Return the model that a command names: a GGUF file, or a listed model with its own file.

    Without a name it is the model that the window uses. Raises AppError: no_model_command, unknown_model,
    base_starter_missing, remote_cannot, and the errors of a damaged file or database.
    """
    if is_model_file(reference):
        return local_models.describe(Path(reference))
    with ModelStore.open(where.database, where.backups) as store:
        try:
            return choose_listed_model(reference, store.local_models(), where)
        except AppError as error:
            elsewhere = find_remote_model(store, reference) if error.code == "unknown_model" else None
            if elsewhere is None:
                raise
            raise AppError("remote_cannot", address=server_address(elsewhere)) from error


def is_model_file(reference: str | None) -> TypeGuard[str]:
    return reference is not None and (reference.lower().endswith(".gguf") or Path(reference).is_file())


def choose_listed_model(reference: str | None, models: list[LocalModel], where: Paths) -> LocalModel:
    """Return the model named `reference`; None: the one that the window uses.

    Raises AppError as `choose_model` does.
    """
    if reference is None:
        used = local_models.answering_model(models, settings.load(where.settings).model_id)
        if used is None:
            raise AppError("no_model_command")
        return used
    found = base_models.find_listed(reference, models)
    if found is None:
        is_starter = reference == base_models.STARTER
        raise AppError("base_starter_missing") if is_starter else AppError("unknown_model", wanted=reference)
    return found


def find_remote_model(store: ModelStore, reference: str | None) -> LocalModel | None:
    """Return the remote model with this name; None if there is none."""
    return local_models.find(list_remote_models(store), reference) if reference else None
