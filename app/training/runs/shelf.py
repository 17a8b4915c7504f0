"""What people do with runs that are there: another name, a note, and the bin, out of which they come back."""

import json
import time
from collections.abc import Collection
from pathlib import Path

from app.base import authenticity
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.input_file import open_regular
from app.base.files.output_file import drive_error, write_atomically
from app.inference.local_model import LocalModel
from app.models import base_models
from app.training.runs import runs
from app.training.runs.runs import Run

NOTE = "note.txt"  # in the run's folder
NOTE_LETTERS = 4000


def note_of(folder: Path) -> str:
    """ "": nobody has written one."""
    try:
        with open_regular(folder / NOTE) as file:
            return file.read(4 * NOTE_LETTERS).decode("utf-8", "replace")[:NOTE_LETTERS]
    except OSError:
        return ""


def write_note(folder: Path, text: str) -> None:
    """Also while it is trained. Raises AppError: run_note_long, run_unwritable, drive_space."""
    if len(text) > NOTE_LETTERS:
        raise AppError("run_note_long", letters=f"{len(text):,}", most=f"{NOTE_LETTERS:,}")
    try:
        if text.strip():
            write_atomically(folder / NOTE, text.encode("utf-8", "replace"))
        else:
            (folder / NOTE).unlink(missing_ok=True)
    except OSError as error:
        raise drive_error(error, folder, "run_unwritable") from error


def rename(run: Run, name: str) -> None:
    """In its spec, where the name is; "": it is called by its folder.

    Raises AppError: run_damaged, run_from_elsewhere, run_busy, run_judging, run_ending, run_unwritable, drive_space.
    """
    if run.spec is None:
        raise AppError("run_damaged", id=run.id)
    runs.require_planned_here(run)
    held = runs.hold(run.folder)
    path = run.folder / runs.SPEC
    try:
        said = strict_json.load_file(path)
        said["name"] = name.strip().encode("utf-8", "replace").decode()
        told = json.dumps(said, ensure_ascii=False, indent=1).encode()
        authenticity.write_registered(path, told)
    except OSError as error:
        raise drive_error(error, run.folder, "run_unwritable") from error
    finally:
        held.release()


# ------------------------------------------------------------------------ the bin


def remove(run: Run, models: Collection[LocalModel]) -> None:
    """Into the bin. `models`: of the list.

    Raises AppError: run_has_model, run_busy, run_judging, run_ending, run_not_removed, run_unwritable.
    """
    require_no_model(run, models)
    runs.hold(run.folder).release()  # nobody works on it; a folder with an open file cannot be moved everywhere
    try:
        work_folder.move_to_bin(run.folder, time.time())
    except OSError as error:
        raise AppError("run_not_removed", id=run.id, reason=error.strerror or str(error)) from error


def restore(where: Path, id: str) -> Run:
    """`where`: the runs' folder. Raises AppError("run_unwritable")."""
    try:
        return runs.read(work_folder.restore_from_bin(where, id))
    except OSError as error:
        raise drive_error(error, where / id, "run_unwritable") from error


def require_no_model(run: Run, models: Collection[LocalModel]) -> None:
    """Raises AppError("run_has_model") where one of the list lies in it."""
    for model in models:
        if run.folder.resolve() in Path(model.path).resolve().parents:
            raise AppError("run_has_model", id=run.id, model=model.name, model_id=model.id)


def clear_bases(where: Path, cache: Path) -> int:
    """Deletes what bases were turned into, for runs that are gone; gives the bytes. Runs in the bin are not counted:
    what one of them needs is made again. `where`: the runs' folder."""
    return base_models.delete_unused_conversions(cache, [run.spec for run in runs.listed(where)])
