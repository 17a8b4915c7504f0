"""What training environment there is, for people to look at."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.core import training_environment
from app.core.errors import AppError
from app.core.training_environment import Probe
from app.core.training_setup import folders
from app.core.training_setup.folders import Folders


@dataclass(frozen=True, slots=True)
class Report:
    python: Path | None  # None: there is none
    size_bytes: int = 0  # 0: not a folder of its own
    probe: Probe | None = None
    problem: AppError | None = None  # why it cannot be used
    is_own: bool = False  # in the data folder: made here, and may be deleted
    is_current: bool = True  # False: another version of Kotae has made it, with other libraries
    left_bytes: int = 0  # of an attempt that was not finished


def report(data: Path) -> Report:
    """Seconds: it imports torch there and adds up the sizes."""
    where = Folders(data)
    left = size_of(where.part)
    try:
        environment = training_environment.locate(data)
    except AppError as error:
        return Report(None, problem=error, left_bytes=left)
    folder = environment.python.parent.parent
    probe, problem = None, None
    try:
        probe = training_environment.check(environment)
    except AppError as error:
        problem = error
    return Report(
        environment.python,
        size_bytes=size_of(folder) if (folder / "pyvenv.cfg").is_file() else 0,
        probe=probe,
        problem=problem,
        is_own=folder in (where.final, where.old),
        is_current=folders.is_current(folder),
        left_bytes=left,
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
