"""Checkpoints that are whole or not there: written beside, flushed, sealed with hashes, renamed.

`transformers.Trainer` writes into the final folder, file after file; killed in between it leaves one that looks whole.

A full disk, whatever a library calls it, and what is on it for good. Standard library only.
"""

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.events import RunError

NEARLY_FULL_BYTES = 8 << 20


@contextlib.contextmanager
def guarded_write(folder: Path, *parts: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Of a block that writes into `folder`: after any error nothing is left of `parts`, files or folders.

    Raises RunError("disk_full") where that was the error.
    """
    try:
        yield
    except BaseException as error:
        is_the_disk = is_disk_full(error, folder)  # before anything is deleted
        for part in parts:
            discard(part)
        if not is_the_disk:
            raise
        raise RunError("disk_full", path=str(folder), needed_bytes=needed_bytes) from error


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """torch and safetensors tell of a full disk without an errno; then their words and the disk itself are asked."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, RuntimeError | OSError) and type(error).__name__ != "SafetensorError":
        return False
    return "No space left" in str(error) or shutil.disk_usage(folder).free < NEARLY_FULL_BYTES


def discard(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_path(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk for good."""
    if os.name == "nt" and path.is_dir():  # folders cannot be opened there, and need not be
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


MANIFEST = "manifest.json"
VERSION = 1
_CHECKPOINT_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class SavedCheckpoint:
    step: int
    path: Path


def begin_checkpoint(folder: Path, step: int) -> Path:
    """An empty folder to be filled. What a killed process left under that name goes first."""
    part = folder / f"checkpoint-{step}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def publish_checkpoint(part: Path, step: int, conditions: Mapping[str, Any] | None = None) -> SavedCheckpoint:
    """Seals what `begin` has given and gives it its name, in place of what has it. `conditions`: what must be the same
    for whoever goes on from it. Raises OSError."""
    files = {}
    for path in sorted(part.iterdir()):
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
        sync_path(path)
    manifest = part / MANIFEST
    sealed = {"version": VERSION, "step": step, "files": files, "conditions": dict(conditions or {})}
    manifest.write_text(json.dumps(sealed, indent=1), encoding="utf-8")
    sync_path(manifest)
    sync_path(part)
    final = part.with_suffix("")
    shutil.rmtree(final, ignore_errors=True)  # a damaged one, or what was trained beyond the step resumed from
    part.rename(final)
    sync_path(final.parent)
    return SavedCheckpoint(step, final)


def whole_checkpoints(folder: Path) -> list[SavedCheckpoint]:
    """Those whose files are what they were when they were sealed, the newest first."""
    return [found for found in _list_checkpoints(folder) if is_whole(found)]


def is_whole(checkpoint: SavedCheckpoint) -> bool:
    try:
        manifest = json.loads((checkpoint.path / MANIFEST).read_bytes())
        files = manifest["files"]
        present = {path.name for path in checkpoint.path.iterdir()} - {MANIFEST}
        return (
            manifest["version"] == VERSION
            and manifest["step"] == checkpoint.step
            and present == set(files)
            and all((checkpoint.path / name).is_file() for name in files)  # nobody ends the reading of a pipe
            and all(_digest(checkpoint.path / name) == fact["sha256"] for name, fact in files.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def sealed_conditions(checkpoint: SavedCheckpoint) -> dict[str, Any]:
    """Return what was sealed with a checkpoint that is whole; nothing where an earlier version has made it."""
    found = json.loads((checkpoint.path / MANIFEST).read_bytes()).get("conditions")
    return found if isinstance(found, dict) else {}


def prune_checkpoints(folder: Path, keep: Collection[int], newest: int = 2) -> None:
    """Deletes all but the `newest` ones, those of the steps in `keep`, and what was never finished."""
    for part in folder.glob("checkpoint-*.part"):
        shutil.rmtree(part, ignore_errors=True)
    for found in _list_checkpoints(folder)[newest:]:
        if found.step not in keep:
            shutil.rmtree(found.path, ignore_errors=True)


def delete_checkpoints_after(folder: Path, step: int) -> None:
    """Deletes what was trained beyond the step that is resumed from."""
    for found in _list_checkpoints(folder):
        if found.step > step:
            shutil.rmtree(found.path, ignore_errors=True)


def checkpoint_size_bytes(checkpoint: SavedCheckpoint) -> int:
    return sum(path.stat().st_size for path in checkpoint.path.iterdir())


def _list_checkpoints(folder: Path) -> list[SavedCheckpoint]:
    if not folder.is_dir():
        return []
    found = [(_CHECKPOINT_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return sorted((SavedCheckpoint(int(name[1]), path) for name, path in found if name), key=lambda one: -one.step)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
