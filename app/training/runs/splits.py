"""Data that were split and frozen (`app.training.data.split`) for a training, wherever they lie: of drafts and of runs.

Only their records are read: whether they still are what was written is asked by who uses one (`split.verify`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.base.files import strict_json
from app.base.paths import Paths
from app.models import base_models
from app.training import drafts
from app.training.data import split_record
from app.training.data.rows import PARTS
from app.training.runs import runs


@dataclass(frozen=True, slots=True)
class SplitChoice:
    """`name`: of the training that it was made for; "": nobody has given one. `source`: what people call the data."""

    name: str
    folder: str
    source: str = ""
    train: int = 0  # rows
    holdout: int = 0


def listed(where: Paths) -> list[SplitChoice]:
    """Each once, whoever has a copy of it: those of runs before those of drafts, the newest first."""
    found: dict[tuple[str, ...], SplitChoice] = {}
    for name, folder in (*_of_runs(where.runs), *_of_drafts(where.drafts)):
        read = _read(name, folder)
        if read is not None:
            hashes, choice = read
            found.setdefault(hashes, choice)
    return list(found.values())


# ------------------------------------------------------------------------- private


def _of_runs(folder: Path) -> Iterator[tuple[str, Path]]:
    for run in sorted(runs.folders(folder), key=lambda run: run.name, reverse=True):
        asked = base_models.read_spec(run / runs.SPEC)
        if asked is not None:
            yield asked.name, run / runs.DATA


def _of_drafts(folder: Path) -> Iterator[tuple[str, Path]]:
    for draft in drafts.listed(folder):
        if draft.frozen is not None:
            yield draft.name, Path(draft.frozen.folder)


def _read(name: str, folder: Path) -> tuple[tuple[str, ...], SplitChoice] | None:
    """With the hashes of its parts. None: no split lies there, or its record cannot be read."""
    try:
        manifest = strict_json.load_file(folder / split_record.MANIFEST)
        files = manifest["files"]
        hashes = tuple(str(files[part]["sha256"]) for part in PARTS)
        source = str(manifest.get("source", {}).get("name") or "")
        train, holdout = (int(files[part]["rows"]) for part in ("train", "holdout"))
        return hashes, SplitChoice(name, str(folder), source, train, holdout)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
