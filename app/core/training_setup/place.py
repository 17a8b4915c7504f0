"""Whether a folder, perhaps of another drive, can hold a training environment."""

import os
import tempfile
from pathlib import Path

from app.core.errors import AppError
from app.core.training_setup import folders
from app.core.training_setup.folders import Folders


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


def require_free(base: Path) -> None:
    """That nothing of somebody else's would be replaced there. For a folder that the user chooses.

    Raises AppError("training_place_taken").
    """
    final = Folders(base).final
    if final.exists() and not (final / folders.STAMP).is_file():
        raise AppError("training_place_taken", path=str(final))


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
