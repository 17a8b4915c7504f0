"""Checkpoints that are whole or not there: written beside, flushed, sealed with hashes, renamed.

`transformers.Trainer` writes into the final folder, file after file; killed in between it leaves one that looks whole.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import disk

MANIFEST = "manifest.json"
VERSION = 1
_NAME = re.compile(r"checkpoint-(\d+)")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    step: int
    path: Path


def begin(folder: Path, step: int) -> Path:
    """An empty folder to be filled. What a killed process left under that name goes first."""
    part = folder / f"checkpoint-{step}.part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def publish(part: Path, step: int, conditions: Mapping[str, Any] | None = None) -> Checkpoint:
    """Seals what `begin` has given and gives it its name, in place of what has it. `conditions`: what must be the same
    for whoever goes on from it. Raises OSError."""
    files = {}
    for path in sorted(part.iterdir()):
        files[path.name] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
        disk.flush(path)
    manifest = part / MANIFEST
    sealed = {"version": VERSION, "step": step, "files": files, "conditions": dict(conditions or {})}
    manifest.write_text(json.dumps(sealed, indent=1), encoding="utf-8")
    disk.flush(manifest)
    disk.flush(part)
    final = part.with_suffix("")
    shutil.rmtree(final, ignore_errors=True)  # a damaged one, or what was trained beyond the step resumed from
    part.rename(final)
    disk.flush(final.parent)
    return Checkpoint(step, final)


def whole(folder: Path) -> list[Checkpoint]:
    """Those whose files are what they were when they were sealed, the newest first."""
    return [found for found in _named(folder) if is_whole(found)]


def is_whole(checkpoint: Checkpoint) -> bool:
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


def conditions(checkpoint: Checkpoint) -> dict[str, Any]:
    """Return what was sealed with a checkpoint that is whole; nothing where an earlier version has made it."""
    found = json.loads((checkpoint.path / MANIFEST).read_bytes()).get("conditions")
    return found if isinstance(found, dict) else {}


def prune(folder: Path, keep: Collection[int], newest: int = 2) -> None:
    """Deletes all but the `newest` ones, those of the steps in `keep`, and what was never finished."""
    for part in folder.glob("checkpoint-*.part"):
        shutil.rmtree(part, ignore_errors=True)
    for found in _named(folder)[newest:]:
        if found.step not in keep:
            shutil.rmtree(found.path, ignore_errors=True)


def forget_after(folder: Path, step: int) -> None:
    """Deletes what was trained beyond the step that is resumed from."""
    for found in _named(folder):
        if found.step > step:
            shutil.rmtree(found.path, ignore_errors=True)


def size_bytes(checkpoint: Checkpoint) -> int:
    return sum(path.stat().st_size for path in checkpoint.path.iterdir())


def _named(folder: Path) -> list[Checkpoint]:
    if not folder.is_dir():
        return []
    found = [(_NAME.fullmatch(path.name), path) for path in folder.iterdir()]
    return sorted((Checkpoint(int(name[1]), path) for name, path in found if name), key=lambda one: -one.step)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
