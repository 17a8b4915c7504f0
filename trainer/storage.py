"""Write checkpoints that are complete or absent, and recognize a full disk. Standard library only.

A checkpoint is written under a temporary name, flushed, sealed with hashes and renamed. `transformers.Trainer` instead
writes file after file into the final folder, which looks complete even if the process is killed in between.
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
    """Guard a block that writes into `folder`: after any error delete `parts` (files or folders).

    Raises RunError("disk_full") if a full disk caused the error. `needed_bytes`: for the error's facts.
    """
    try:
        yield
    except BaseException as error:
        is_full = is_disk_full(error, folder)  # determined before anything is deleted
        for part in parts:
            discard(part)
        if not is_full:
            raise
        raise RunError("disk_full", path=str(folder), needed_bytes=needed_bytes) from error


def is_disk_full(error: BaseException, folder: Path) -> bool:
    """Return whether a full disk caused the error.

    numpy, torch and safetensors report a full disk without an errno; then the message and the free space decide.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, RuntimeError | OSError) and type(error).__name__ != "SafetensorError":
        return False
    return "No space left" in str(error) or shutil.disk_usage(folder).free < NEARLY_FULL_BYTES


def discard(path: Path) -> None:
    """Delete a file or a folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def sync_path(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open folders, and need not flush them
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
    """Create the empty folder of a new checkpoint; delete one that a killed process left."""
    part = folder / f"checkpoint-{step}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def publish_checkpoint(part: Path, step: int, conditions: Mapping[str, Any] | None = None) -> SavedCheckpoint:
    """Write the hashes of all files into the folder that `begin_checkpoint` made, and rename it.

    A checkpoint of the same step is replaced.

    `conditions`: values that a run must share to resume from this checkpoint. Raises OSError.
    """
    files = {}
    for path in sorted(part.iterdir()):
        files[path.name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        sync_path(path)
    manifest = part / MANIFEST
    sealed = {"version": VERSION, "step": step, "files": files, "conditions": dict(conditions or {})}
    manifest.write_text(json.dumps(sealed, indent=1), encoding="utf-8")
    sync_path(manifest)
    sync_path(part)
    final = part.with_suffix("")
    shutil.rmtree(final, ignore_errors=True)  # damaged, or made before a resume at an earlier step
    part.rename(final)
    sync_path(final.parent)
    return SavedCheckpoint(step, final)


def complete_checkpoints(folder: Path) -> list[SavedCheckpoint]:
    """Return the checkpoints whose files match their seal, the newest first."""
    return [found for found in _list_checkpoints(folder) if is_complete(found)]


def is_complete(checkpoint: SavedCheckpoint) -> bool:
    try:
        manifest = json.loads((checkpoint.path / MANIFEST).read_bytes())
        files = manifest["files"]
        present = {path.name for path in checkpoint.path.iterdir()} - {MANIFEST}
        return (
            manifest["version"] == VERSION
            and manifest["step"] == checkpoint.step
            and present == set(files)
            and all((checkpoint.path / name).is_file() for name in files)  # reading a pipe might never end
            and all(file_sha256(checkpoint.path / name) == fact["sha256"] for name, fact in files.items())
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def sealed_conditions(checkpoint: SavedCheckpoint) -> dict[str, Any]:
    """Return the values that a run must share to resume from a checkpoint; {} if an earlier version made it."""
    found = json.loads((checkpoint.path / MANIFEST).read_bytes()).get("conditions")
    return found if isinstance(found, dict) else {}


def prune_checkpoints(folder: Path, keep: Collection[int]) -> None:
    """Delete unfinished checkpoints, and all others except the two newest ones and the steps in `keep`."""
    for part in folder.glob("checkpoint-*.part"):
        shutil.rmtree(part, ignore_errors=True)
    for found in _list_checkpoints(folder)[2:]:
        if found.step not in keep:
            shutil.rmtree(found.path, ignore_errors=True)


def delete_checkpoints_after(folder: Path, step: int) -> None:
    """Delete the checkpoints of later steps than `step`, from which a run resumes."""
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


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
