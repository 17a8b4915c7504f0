"""Models that another machine of the local network computes: kept in the list, and when text may be sent to them.

They are no files: nothing is read, hashed, moved, measured or trained of them. Their key is never kept here.
"""

import dataclasses
import json
import time
from collections.abc import Collection

from app.core import local_models, remote_address
from app.core.addresses import origin_of
from app.core.documents import labels
from app.core.documents.records import Label
from app.core.errors import AppError
from app.core.records import LocalModel
from app.core.remote_address import Remote
from app.core.settings import Settings
from app.core.store import Store

NAME_MAX = 80  # characters
_ID_PREFIX = "lan-"  # no file's id begins so by accident


def described(name: str, remote: Remote, taken: Collection[LocalModel] = ()) -> LocalModel:
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


def listed(store: Store) -> list[LocalModel]:
    """In the order in which they were added."""
    rows = store.database.read("SELECT id, entry FROM remote_model")
    return sorted((_model(row["id"], row["entry"]) for row in rows), key=lambda model: (model.added_at, model.id))


def put(store: Store, model: LocalModel) -> None:
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
    return remote_address.shown(model.remote.address) if model.remote is not None else ""


# ------------------------------------------------------------------- what may leave


def require_network(model: LocalModel, settings: Settings) -> None:
    """Raises AppError("remote_no_network") where the settings, or an administrator, let nothing out."""
    if model.remote is not None and not settings.network_allowed:
        raise AppError("remote_no_network", name=model.name)


def require_sendable(model: LocalModel, label: Label) -> None:
    """`label`: the highest of what is to be sent. Raises AppError("remote_secret"): 機密 stays on this machine."""
    if model.remote is not None and label == labels.HIGHEST:
        raise AppError("remote_secret", address=shown(model))


def has_consent(store: Store, conversation_id: int | None, model: LocalModel) -> bool:
    """Whether the user has said that this conversation may be sent there. True for a model of this machine."""
    if model.remote is None:
        return True
    sql = "SELECT 1 FROM remote_consent WHERE conversation_id = ? AND origin = ?"
    return bool(store.database.read(sql, conversation_id, origin_of(model.remote.address)))


def consent(store: Store, conversation_id: int, model: LocalModel) -> None:
    """The user has said so: to this server, whichever of its models."""
    assert model.remote is not None
    with store.database.transaction():
        store.database.write(
            "INSERT OR IGNORE INTO remote_consent(conversation_id, origin) VALUES (?, ?)",
            conversation_id,
            origin_of(model.remote.address),
        )


# ------------------------------------------------------------------------- private


def _model(id: str, entry: str) -> LocalModel:
    told = json.loads(entry)
    remote = Remote(told["address"], told["model"], told["context_tokens"])
    path = f"{remote.address}#{remote.model}"
    return LocalModel(id, told["name"], path, 0, "", "", remote.context_tokens, told["added_at"], remote=remote)
