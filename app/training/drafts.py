"""Drafts of trainings on the disk, a folder each.

    draft.json        the draft (`app.training.plan`), written anew with each change
    rows-1/, 2, …     its rows and what was decided of them (`app.training.data.curation`); the draft says which counts
    split-1/, 2, …    what was frozen of them; a run takes a copy along (`app.training.runs.runs`)

What was removed lies in the bin (`app.base.files.work_folder`), and can be restored.
"""

import dataclasses
import time
from pathlib import Path
from typing import Any

from app.base import invisible_characters, json_lines
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.output_file import drive_error, write_atomically
from app.training.plan import Draft

DRAFT = "draft.json"
ROWS, SPLIT = "rows", "split"


def listed(drafts: Path) -> list[Draft]:
    """The one that was changed last first; without those that cannot be read."""
    found = (_or_none(drafts, id) for id in ids(drafts))
    return sorted(filter(None, found), key=lambda draft: (draft.changed_at, draft.id), reverse=True)


def ids(drafts: Path) -> list[str]:
    """Of all, those that cannot be read among them, in no order."""
    try:
        return [folder.name for folder in drafts.iterdir() if (folder / DRAFT).is_file()]
    except OSError:  # none was ever made
        return []


def new(drafts: Path, now: float) -> Draft:
    """Raises AppError("draft_unwritable" | "drive_space")."""
    return save(drafts, Draft(work_folder.timestamped_path(drafts, "", now).name), now)


def read(drafts: Path, id: str) -> Draft:
    """Whether there is a training environment is not known yet. Raises AppError("draft_damaged")."""
    folder = drafts / id
    try:
        data = strict_json.load_file(folder / DRAFT)
        draft: Draft = json_lines.decode_message(data, {"Draft": Draft})
        name = invisible_characters.to_single_line(draft.name)
        found = _at_home(dataclasses.replace(draft, id=id, name=name, has_environment=False), folder)
        # What is of another kind than it should be fails here.
        _ = (found.with_settings(), found.mark, found.step, found.changed_at + 0.0)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise AppError("draft_damaged", path=str(folder)) from error
    return found


def _at_home(draft: Draft, folder: Path) -> Draft:
    """Its rows and its split lie in its own folder, wherever that was moved since."""

    def moved(part: Any) -> Any:
        path = Path(part.folder) if part is not None else None
        if path is None or path.parent.name != draft.id or path.parent == folder:
            return part
        return dataclasses.replace(part, folder=str(folder / path.name))

    return dataclasses.replace(draft, data=moved(draft.data), frozen=moved(draft.frozen))


def save(drafts: Path, draft: Draft, now: float) -> Draft:
    """Gives it as it was written.

    Raises AppError: draft_changed (meanwhile, or removed, by somebody else), draft_unwritable, drive_space.
    """
    folder = drafts / draft.id
    if draft.changed_at and _changed_at(folder) != draft.changed_at:
        raise AppError("draft_changed", path=str(folder))
    draft = dataclasses.replace(draft, changed_at=now)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(folder / DRAFT, json_lines.encode_line(draft))
    except OSError as error:
        raise drive_error(error, folder, "draft_unwritable") from error
    return draft


def _changed_at(folder: Path) -> Any:
    """None: there is no draft, or nobody can tell."""
    try:
        return strict_json.load_file(folder / DRAFT)["changed_at"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def free(drafts: Path, id: str, kind: str) -> Path:
    """A folder that is not there yet. `kind`: ROWS | SPLIT."""
    number = 1
    while (folder := drafts / id / f"{kind}-{number}").exists():
        number += 1
    return folder


def remove(drafts: Path, id: str) -> None:
    """Into the bin. Raises AppError("draft_unwritable")."""
    try:
        work_folder.move_to_bin(drafts / id, time.time())
    except OSError as error:
        raise drive_error(error, drafts / id, "draft_unwritable") from error


def restore(drafts: Path, id: str) -> None:
    """Raises AppError("draft_unwritable")."""
    try:
        work_folder.restore_from_bin(drafts, id)
    except OSError as error:
        raise drive_error(error, drafts / id, "draft_unwritable") from error


def _or_none(drafts: Path, id: str) -> Draft | None:
    try:
        return read(drafts, id)
    except AppError:
        return None
