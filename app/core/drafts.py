"""Drafts of trainings on the disk, a folder each.

    draft.json        the draft (`app.core.plan`), written anew with each change
    rows-1/, 2, …     its rows and what was decided of them (`app.core.datasets.curation`); the draft says which counts
    split-1/, 2, …    what was frozen of them; runs read their data from here, so the folder stays as long as they do

What was removed lies in `.bin` beside them, and can be restored.
"""

import dataclasses
import json
import shutil
from pathlib import Path

from app.core import dated_folder, lines
from app.core.atomic import write_atomically
from app.core.copying import write_failure
from app.core.errors import AppError
from app.core.plan import Draft

DRAFT, BIN = "draft.json", ".bin"
ROWS, SPLIT = "rows", "split"


def listed(drafts: Path) -> list[Draft]:
    """The one that was changed last first; without those that cannot be read."""
    try:
        folders = [folder for folder in drafts.iterdir() if (folder / DRAFT).is_file()]
    except OSError:  # none was ever made
        return []
    found = (_or_none(drafts, folder.name) for folder in folders)
    return sorted(filter(None, found), key=lambda draft: (draft.changed_at, draft.id), reverse=True)


def new(drafts: Path, now: float) -> Draft:
    """Raises AppError("draft_unwritable" | "drive_space")."""
    return save(drafts, Draft(dated_folder.new(drafts, "", now).name), now)


def read(drafts: Path, id: str) -> Draft:
    """Whether there is a training environment is not known yet. Raises AppError("draft_damaged")."""
    folder = drafts / id
    try:
        data = json.loads((folder / DRAFT).read_bytes())
        draft: Draft = lines.from_json(data, {"Draft": Draft})
    except (OSError, ValueError, AttributeError) as error:
        raise AppError("draft_damaged", path=str(folder)) from error
    return dataclasses.replace(draft, id=id, has_environment=False)


def save(drafts: Path, draft: Draft, now: float) -> Draft:
    """Gives it as it was written. Raises AppError("draft_unwritable" | "drive_space")."""
    draft, folder = dataclasses.replace(draft, changed_at=now), drafts / draft.id
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / DRAFT, lines.to_line(draft))
    except OSError as error:
        raise write_failure(error, folder, "draft_unwritable") from error
    return draft


def free(drafts: Path, id: str, kind: str) -> Path:
    """A folder that is not there yet. `kind`: ROWS | SPLIT."""
    number = 1
    while (folder := drafts / id / f"{kind}-{number}").exists():
        number += 1
    return folder


def remove(drafts: Path, id: str) -> None:
    """Into the bin. Raises AppError("draft_unwritable")."""
    target = drafts / BIN / id
    try:
        target.parent.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(target, ignore_errors=True)  # of one that was restored and removed again
        (drafts / id).rename(target)
    except OSError as error:
        raise write_failure(error, drafts / id, "draft_unwritable") from error


def restore(drafts: Path, id: str) -> None:
    """Raises AppError("draft_unwritable")."""
    try:
        (drafts / BIN / id).rename(drafts / id)
    except OSError as error:
        raise write_failure(error, drafts / id, "draft_unwritable") from error


def _or_none(drafts: Path, id: str) -> Draft | None:
    try:
        return read(drafts, id)
    except AppError:
        return None
