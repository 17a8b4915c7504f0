"""What training environment there is, for people to look at."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.models import training_environment
from app.models.training_environment import EnvironmentProbe
from app.training.environment import folders
from app.training.environment.folders import Folders


@dataclass(frozen=True, slots=True)
class Report:
    python: Path | None  # None: there is none
    size_bytes: int = 0  # 0: not a folder of its own
    probe: EnvironmentProbe | None = None
    problem: AppError | None = None  # why it cannot be used
    is_own: bool = False  # made here, and may be deleted
    is_current: bool = True  # False: another version of Kotae has made it, with other libraries
    left_bytes: int = 0  # of an attempt that was not finished
    previous_bytes: int = 0  # of the one before, which can be gone back to; 0: there is none
    base: Path | None = None  # the folder that it is in, or would be made in


def report(data: Path) -> Report:
    """Seconds: it imports torch there and adds up the sizes."""
    base = training_environment.base_folder(data)
    bases = [Folders(one) for one in dict.fromkeys((base, data))]
    left = sum(size_of(Folders(one).part) for one in dict.fromkeys((base, data, *folders.attempts(data))))
    try:
        environment = training_environment.locate(data)
    except AppError as none:
        is_away = not base.is_dir()  # a drive that is not connected
        error = AppError("training_place_missing", path=str(base)) if is_away else none
        return Report(None, problem=error, left_bytes=left, base=folders.proposed(data))
    folder = environment.python.parent.parent
    where = next((one for one in bases if folder in (one.final, one.old)), None)
    probe, problem = None, None
    try:
        probe = training_environment.check(environment)
    except AppError as error:
        problem = error
    return Report(
        environment.python,
        size_bytes=size_of(folder) + (size_of(where.pythons) if where else 0)
        if (folder / "pyvenv.cfg").is_file()
        else 0,
        probe=probe,
        problem=problem,
        is_own=where is not None,
        is_current=folders.is_current(folder),
        left_bytes=left,
        previous_bytes=size_of(where.old) if where and folder != where.old else 0,
        base=base,
    )


def size_of(folder: Path) -> int:
    """Of its files, in bytes; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  tens of thousands of them
            except OSError:  # deleted meanwhile
                continue
    return total
