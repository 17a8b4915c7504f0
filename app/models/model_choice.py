"""Which model a command means: a file, an entry of the list, or the one the window uses."""

from pathlib import Path
from typing import TypeGuard

from app.base import settings
from app.base.errors import AppError
from app.base.paths import Paths
from app.inference.local_model import LocalModel
from app.models import bases, local_models, remote_models, starter
from app.models.model_store import ModelStore


def choose_model(wanted: str | None, where: Paths) -> LocalModel:
    """A GGUF file, a model of the list that is a file of its own, or without a wish the one the window uses.

    Raises AppError: "no_model_command", "unknown_model", "base_starter_missing", "remote_cannot", and what a damaged
    file or database gives.
    """
    if is_file(wanted):
        return local_models.describe(Path(wanted))
    store = ModelStore.open(where.database, where.backups)
    try:
        return listed_model(wanted, store.local_models(), where)
    except AppError as error:
        elsewhere = find(store, wanted) if error.code == "unknown_model" else None
        if elsewhere is None:
            raise
        raise AppError("remote_cannot", address=remote_models.shown(elsewhere)) from error
    finally:
        store.close()


def is_file(wanted: str | None) -> TypeGuard[str]:
    return wanted is not None and (wanted.lower().endswith(".gguf") or Path(wanted).is_file())


def listed_model(wanted: str | None, models: list[LocalModel], where: Paths) -> LocalModel:
    is_starter = wanted == bases.STARTER
    chosen = starter.card().id if is_starter else wanted or settings.load(where.settings).model_id
    found = local_models.find(models, chosen) if chosen else None
    if found is None and wanted is not None:
        raise AppError("base_starter_missing") if is_starter else AppError("unknown_model", wanted=wanted)
    answering = [model for model in models if not local_models.is_for_search(model)]
    if wanted is None and found not in answering:
        found = next(iter(answering), None)
    if found is None:
        raise AppError("no_model_command")
    return found


def find(store: ModelStore, wanted: str | None) -> LocalModel | None:
    """A model elsewhere of that name; None: there is none."""
    return local_models.find(remote_models.listed(store), wanted) if wanted else None
