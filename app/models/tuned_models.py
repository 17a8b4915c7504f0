"""Tuned models of the list: a merged file, or the file of a base that answers with an adapter at a strength.

A merged file has its row in `local_model`, like any other. A base with an adapter has none: it borrows the file of its
base, with what is known of that. Its adapter is a copy in the models folder, so that the run can go.
How one comes into the list: `app.training.adoption`.
"""

import dataclasses
import functools
import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files import input_file
from app.inference.local_model import FileFingerprint, LocalModel
from app.models import remote_models, stored_tuned
from app.models.model_store import ModelStore

FOLDER = "adapters"  # below the models folder
NO_PROVENANCE: Mapping[str, Any] = {"run_id": "", "base_sha256": "", "adapter_sha256": "", "adapter_strength": 1.0}
_SUFFIX = ".lora"  # GGUF, but no model: it is not found where models are looked for


def listed(store: ModelStore, models_folder: Path) -> list[LocalModel]:
    """The whole list: models that are files, bases with an adapter, then models elsewhere. Looks at no file."""
    files = store.local_models()
    tuned = store.database.read_as(
        lambda row: _entry(row["id"], row["tuned"], json.loads(row["entry"]), files, models_folder),
        "SELECT * FROM tuned_model WHERE entry IS NOT NULL",
    )
    return [*files, *sorted(tuned, key=lambda model: (model.added_at, model.id)), *remote_models.listed(store)]


def base_of(model: LocalModel, models: Collection[LocalModel]) -> LocalModel | None:
    """The one of the list that a tuned model was trained on; None: it is not there any more."""
    tuned = model.tuned
    if tuned is None:
        return None
    files = [other for other in models if not other.adapter and other.id != model.id]
    same = [other for other in files if tuned.base_sha256 and tuned.base_sha256 in {m.sha256 for m in other.files[:1]}]
    return next((other for other in [*same, *files] if other.path == model.path), next(iter(same), None))


def provenance(model: LocalModel) -> Mapping[str, Any]:
    """What an answer keeps of it: fields of AnswerDetails."""
    tuned = model.tuned
    if tuned is None:
        return NO_PROVENANCE
    return {
        "run_id": tuned.run_id,
        "base_sha256": tuned.base_sha256,
        "adapter_sha256": tuned.adapter_sha256,
        "adapter_strength": tuned.strength,
    }


def learned(model: LocalModel) -> Mapping[str, Any]:
    """What an answer keeps of the label of the model's data: fields of AnswerDetails."""
    tuned = model.tuned
    if tuned is None:
        return {}
    return {"model_label": tuned.label, "learned": tuple(dict.fromkeys(name for name, _document in tuned.origins))}


def require_unchanged(model: LocalModel) -> None:
    """That base and adapter are those that were put together. Reads a file whole where it was touched since.

    Raises AppError: tuned_base_gone, tuned_base_changed, tuned_adapter_gone, tuned_adapter_changed.
    """
    tuned = model.tuned
    if tuned is None or not model.adapter:
        return
    facts = {"name": model.name, "base": tuned.base_name}
    parts = (
        ("base", model.path, tuned.base_sha256, model.files),
        ("adapter", model.adapter, tuned.adapter_sha256, ()),
    )
    for part, path, sha256, marks in parts:
        try:
            found = sha256_of(Path(path), marks)
        except OSError as error:
            raise AppError(f"tuned_{part}_gone", path=path, **facts) from error
        if found != sha256:
            raise AppError(f"tuned_{part}_changed", path=path, **facts)


def sha256_of(path: Path, marks: tuple[FileFingerprint, ...] = ()) -> str:
    """Of a file; as its mark says while it is what it was when that was made. Raises OSError."""
    status = path.stat()
    now = (status.st_size, status.st_mtime_ns)
    known = next((mark.sha256 for mark in marks[:1] if (mark.size_bytes, mark.modified_ns) == now), "")
    return known or _read(path, *now)


# ------------------------------------------------------------------------- changes


def put(store: ModelStore, model: LocalModel) -> None:
    """Adds or replaces it, whichever kind it is. Its adapter is to be where `adapter_file` says."""
    assert model.tuned is not None
    entry = {"name": model.name, "path": model.path, "added_at": model.added_at, "form_id": model.form_id}
    with store.database.transaction():
        if not model.adapter:
            store.put_local_model(model)
        store.database.write(
            "INSERT OR REPLACE INTO tuned_model(id, tuned, entry) VALUES (?, ?, ?)",
            model.id,
            stored_tuned.tuned_json(model.tuned),
            json.dumps(entry, ensure_ascii=False) if model.adapter else None,
        )


def adapter_file(models_folder: Path, sha256: str) -> Path:
    return models_folder / FOLDER / f"{sha256[:32]}{_SUFFIX}"


def clear(store: ModelStore, models_folder: Path, keep: Collection[str] = ()) -> None:
    """Deletes adapters that no model of the list has. `keep`: paths of those that may come back into it."""
    used = {*keep, *(model.adapter for model in listed(store, models_folder))}
    for path in (models_folder / FOLDER).glob(f"*{_SUFFIX}"):
        if str(path) not in used:
            for one in (path, *path.parent.glob(f"{path.stem}.*.json")):  # with what is noted beside it
                one.unlink(missing_ok=True)


# ------------------------------------------------------------------------- private


def _entry(id: str, tuned: str, entry: dict[str, Any], files: list[LocalModel], models_folder: Path) -> LocalModel:
    told = stored_tuned.tuned(tuned)
    assert told is not None
    known = LocalModel(id, entry["name"], entry["path"], 0, "", "", 0, entry["added_at"], tuned=told)
    base = base_of(known, files) or known
    return dataclasses.replace(
        base,
        id=id,
        name=known.name,
        added_at=known.added_at,
        form_id=entry["form_id"],
        tuned=told,
        adapter=str(adapter_file(models_folder, told.adapter_sha256)),
    )


@functools.lru_cache(maxsize=16)
def _read(path: Path, _size_bytes: int, _modified_ns: int) -> str:
    return input_file.sha256_of(path)
