"""Models that another machine of the local network computes: kept in the list, and when text may be sent to them.

They are no files: nothing is read, hashed, moved, measured or trained of them. Their key is never kept here.
"""

import dataclasses
import json
import time
from collections.abc import Collection

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.database import Row
from app.base.errors import AppError
from app.inference import local_model
from app.inference.local_model import LocalModel, RemoteModel
from app.models import local_models
from app.models.model_store import ModelStore

NAME_MAX = 80  # characters
_ID_PREFIX = "lan-"  # no file's id begins so by accident


def described(name: str, remote: RemoteModel, taken: Collection[LocalModel] = ()) -> LocalModel:
    """As a model of the list. `taken`: those that are there; the same model of the same server keeps its place."""
    path = f"{remote.address}#{remote.model}"
    old = next((model for model in taken if model.path == path), None)
    title = " ".join(name.split())[:NAME_MAX] or remote.model
    id = old.id if old else local_models.free_id(f"{_ID_PREFIX}{title}", {model.id for model in taken})
    added_at = old.added_at if old else time.time()
    return LocalModel(id, title, path, 0, "", "", remote.context_tokens, added_at, remote=remote)


def changed(before: LocalModel, now: LocalModel) -> LocalModel:
    """What is described now, in the place of what was there."""
    return dataclasses.replace(now, id=before.id, added_at=before.added_at)


def listed(store: ModelStore) -> list[LocalModel]:
    """In the order in which they were added."""
    found = store.database.read_as(_model, "SELECT id, entry FROM remote_model")
    return sorted(found, key=lambda model: (model.added_at, model.id))


def put(store: ModelStore, model: LocalModel) -> None:
    """Adds it, or replaces the one with its id."""
    assert model.remote is not None
    entry = {"name": model.name, "added_at": model.added_at, **dataclasses.asdict(model.remote)}
    with store.database.transaction():
        store.database.write(
            "INSERT OR REPLACE INTO remote_model(id, entry) VALUES (?, ?)",
            model.id,
            json.dumps(entry, ensure_ascii=False),
        )


def shown(model: LocalModel) -> str:
    """Whom its questions are sent to; "" for a model of this machine."""
    return local_model.address_label(model.remote.address) if model.remote is not None else ""


# ------------------------------------------------------------------- what may leave


def require_sendable(model: LocalModel, label: Label) -> None:
    """`label`: the highest of what is to be sent. Raises AppError("remote_secret"): 機密 stays on this machine."""
    if model.remote is not None and label == confidentiality.HIGHEST_LABEL:
        raise AppError("remote_secret", address=shown(model))


# ------------------------------------------------------------------------- private


def _model(row: Row) -> LocalModel:
    told = json.loads(row["entry"])
    remote = RemoteModel(told["address"], told["model"], told["context_tokens"])
    path = f"{remote.address}#{remote.model}"
    return LocalModel(row["id"], told["name"], path, 0, "", "", remote.context_tokens, told["added_at"], remote=remote)
