"""Whether a folder, perhaps of another drive, can hold a training environment."""

import os
import tempfile
from pathlib import Path

from app.base.errors import AppError
from app.models import training_environment
from app.training.environment import folders
from app.training.environment.folders import Folders

_HERE = Folders(Path())
_NAMES = {path.name for path in (_HERE.final, _HERE.old, _HERE.swapped, _HERE.pythons, _HERE.part)}


def require_usable(base: Path) -> None:
    """Tries it there, in a folder of its own that is deleted again. The room is `need`'s matter.

    Raises AppError: training_place_missing, training_place_unwritable (reason), training_place_no_links,
    training_place_no_programs.
    """
    if not base.is_dir():
        raise AppError("training_place_missing", path=str(base))
    try:
        with tempfile.TemporaryDirectory(prefix=".kotae-", dir=base) as trial:
            _require_links(Path(trial), base)
    except OSError as error:
        raise AppError("training_place_unwritable", path=str(base), reason=error.strerror or str(error)) from error
    _require_programs(base)


def require_free(base: Path, data: Path) -> None:
    """That nothing of somebody else's would be replaced or used, and that it is in no folder that will be deleted.

    In a folder that this Kotae has not chosen before, nothing of the names that it uses may lie: programs in there, and
    the stamp that says who has made them, may have come with the drive.

    Raises AppError: training_place_inside, training_place_taken.
    """
    final = Folders(base).final
    is_in_use = folders.is_same(base, training_environment.base_folder(data))
    if is_in_use and (training_environment.is_ours(final, data) or not os.path.lexists(final)):
        return
    resolved = base.resolve()
    for folder in (resolved, *resolved.parents):
        if folder.name.casefold() in _NAMES or (folder / training_environment.STAMP).is_file():
            raise AppError("training_place_inside", path=str(folder))
    if folders.is_same(base, data):
        return
    begun = any(folders.is_same(base, attempt) for attempt in folders.attempts(data))
    where = Folders(base)
    for folder in (where.final, where.old, where.swapped, *(() if begun else (where.pythons, where.part))):
        if os.path.lexists(folder):
            raise AppError("training_place_taken", path=str(folder))


def known_as(base: Path, data: Path) -> Path:
    """A folder that is in use already, by whatever path, under the name that it has there."""
    known = (training_environment.base_folder(data), data)
    return next((folder for folder in known if folders.is_same(base, folder)), base)


def _require_links(trial: Path, base: Path) -> None:
    """A venv has links, but on Windows. FAT and exFAT know none."""
    if os.name != "posix":
        return
    try:
        (trial / "link").symlink_to("target")
    except OSError as error:
        raise AppError("training_place_no_links", path=str(base)) from error


def _require_programs(base: Path) -> None:
    """Memory sticks may be mounted so that nothing on them can be started."""
    if os.name == "posix" and os.statvfs(base).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise AppError("training_place_no_programs", path=str(base))
