"""`kotae models find`, `verify` and `move-folder`: models of other programs, damage, and another drive."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.single_instance import without_window
from app.base.wording import describe_error, format_size, help_text
from app.inference.local_model import LocalModel
from app.models import (
    found_models,
    local_models,
    model_choice,
    model_places,
    models_folder,
    remote_models,
    verify,
    verify_log,
)
from app.models.model_store import ModelStore
from app.models.verify import Verdict


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    add_command(actions, shared, "find", help_text("models find"), _find)
    verifying = add_command(actions, shared, "verify", help_text("models verify"), _verify)
    verifying.add_argument("model", metavar="ID", nargs="?", help=help_text("models verify id"))
    moving = add_command(actions, shared, "move-folder", help_text("models move-folder"), _move)
    moving.add_argument("folder", metavar="DIR")


def remember(model: LocalModel, where: Paths, output: Output) -> LocalModel:
    """Hashes the files of a model that was just added, unless their hashes are known, so that damage shows later."""
    if all(mark.sha256 for mark in model.files):
        return model
    verdict = verify.verify(model, percent(output, "models.verifying", name=model.name))
    output.end_progress()
    store = ModelStore.open(where.database, where.backups)
    try:
        store.put_local_model(verdict.model)
    finally:
        store.close()
    return verdict.model


def percent(output: Output, key: str, **facts: Any) -> Callable[[int, int], None]:
    last = -1

    def report(done: int, total: int) -> None:
        nonlocal last
        now = 100 * done // total if total else 0
        if now != last:
            last = now
            output.progress(key, percent=now, **facts)

    return report


def as_data(problem: AppError) -> dict[str, str]:
    sentence = describe_error(problem)
    return {"code": problem.code, "message": sentence.message, "next": sentence.next}


def _find(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    store = ModelStore.open(where.database, where.backups)
    listed = {_resolved(Path(model.path)) for model in store.local_models()}
    store.close()
    found = found_models.search(model_places.known(Path.home(), own=where.models))
    models = [
        {
            "path": str(model.path),
            "source": model.source,
            "name": model.name,
            "size_bytes": model.size_bytes,
            "architecture": model.architecture,
            "quantization": model.quantization,
            "context_tokens": model.context_tokens,
            "parts": model.parts,
            "is_listed": _resolved(model.path) in listed,
        }
        for model in found.models
    ]
    skipped = [{"path": str(s.path), "source": s.source, "problem": as_data(s.reason)} for s in found.skipped]
    lines = [
        f"{output.phrase('source_' + m.source)}\t{m.name}\t{format_size(m.size_bytes)}\t{m.path}" for m in found.models
    ]
    for one in found.skipped:
        output.note("models.found_skipped", path=one.path, reason=describe_error(one.reason))
    if not found.is_complete:
        output.note("models.found_incomplete")
    data = {"found": models, "skipped": skipped, "is_complete": found.is_complete}
    output.result(data, "\n".join(lines) or output.phrase("models.nothing_found"))
    return 0


def _resolved(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a link in a circle
        return path


def _verify(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status 1 when a model is damaged, changed or missing."""
    store = ModelStore.open(where.database, where.backups)
    try:
        models = store.local_models()
        if options.model is not None:
            models = [_wanted(options.model, models, store)]
        elsewhere = len(remote_models.listed(store))
        verdicts = [_verdict(model, store, output) for model in models]
        if verdicts:
            verify_log.note(where.data / verify_log.NAME, verdicts, time.time())
    finally:
        store.close()
    lines = [f"{verdict.model.id}\t{_said(verdict, output)}" for verdict in verdicts]
    data = [
        {
            "id": verdict.model.id,
            "path": verdict.model.path,
            "state": verdict.state,
            "sha256": [mark.sha256 for mark in verdict.model.files],
            "problem": as_data(verdict.problem) if verdict.problem else None,
        }
        for verdict in verdicts
    ]
    nothing = (
        output.phrase("models.verify_elsewhere", count=elsewhere) if elsewhere else output.phrase("models.no_models")
    )
    output.result({"models": data}, "\n".join(lines) or nothing)
    return 0 if all(verdict.is_good for verdict in verdicts) else 1


def _wanted(name: str, models: list[LocalModel], store: ModelStore) -> LocalModel:
    """Raises AppError("remote_unverifiable"): there is no file of it here; and "unknown_model"."""
    found = local_models.find(models, name)
    if found is not None:
        return found
    elsewhere = model_choice.find(store, name)
    if elsewhere is not None:
        address = remote_models.shown(elsewhere)
        raise AppError("remote_unverifiable", name=elsewhere.name, id=elsewhere.id, address=address)
    raise AppError("unknown_model", wanted=name)


def _verdict(model: LocalModel, store: ModelStore, output: Output) -> Verdict:
    verdict = verify.verify(model, percent(output, "models.verifying", name=model.name))
    output.end_progress()
    if verdict.is_good:
        store.put_local_model(verdict.model)
    return verdict


def _said(verdict: Verdict, output: Output) -> str:
    return (
        str(describe_error(verdict.problem)) if verdict.problem else output.phrase(f"models.verified_{verdict.state}")
    )


def _move(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status 1 when files are left in the old folder."""
    with without_window(where.lock):
        before = models_folder.pending(where)
        if before is not None and not before.is_own:
            output.note(f"models.move_{before.state}", source=before.source, target=before.target)
        store = ModelStore.open(where.database, where.backups)
        try:
            moved = models_folder.move(where, Path(options.folder), store, percent(output, "models.moving"))
        finally:
            store.close()
    output.end_progress()
    if moved.files_left:
        output.note("models.moved_rest", count=moved.files_left)
    data = {"models_folder": str(moved.folder), "files_left": moved.files_left}
    output.result(data, output.phrase("models.moved", path=moved.folder))
    return 1 if moved.files_left else 0
