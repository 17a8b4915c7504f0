"""What making the environment needs: room on the drive, and how much comes over the network."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from app.base.files.output_file import require_space
from app.models import package_locks as locks
from app.training.environment import planning
from app.training.environment.folders import Folders
from app.training.environment.planning import Plan

# Installed / fetched, measured with torch 2.13.
INSTALLED = {"cpu": 4.0, "cuda": 1.9}
SPARE = 1.05  # a file system takes a little more than the files
VENV_BYTES = 1_000_000
PYTHON_BYTES = 250_000_000  # one that is fetched or in a kit, unpacked, and its archive


@dataclass(frozen=True, slots=True)
class Need:
    room_bytes: int  # at most, while it is made; what is there stays meanwhile
    download_bytes: int  # 0: nothing comes over the network
    free_bytes: int
    base: Path | None = None  # whose room it is
    variant: str = ""  # what would be installed: one of `locks.VARIANTS`
    python: str = ""  # "3.12"
    fetches_python: bool = False  # over the network, beside the packages
    lacks_cuda: bool = False  # there is a card that it would not use


def estimate(base: Path, data: Path, source: Path | None, variant: str = "") -> Need:
    """`base`: the folder that it is made below. `source`: a folder of wheels or a kit; None: the indexes.

    Seconds where a graphics driver wakes up. Raises AppError as `planning.plan`.
    """
    return of_plan(planning.plan(variant, source, Folders(base), data), source, base)


def of_plan(plan: Plan, source: Path | None, base: Path) -> Need:
    """The files of the lock lie beside what is made of them: fetched, or copied out of the folder."""
    lock = plan.lock
    python_bytes = PYTHON_BYTES if plan.python is None else 0
    room = round(lock.size_bytes * INSTALLED[lock.variant] * SPARE) + lock.size_bytes + VENV_BYTES + python_bytes
    free = shutil.disk_usage(base).free
    fetched = lock.size_bytes if source is None else 0
    fetches = plan.python is None and source is None
    return Need(room, fetched, free, base, lock.variant, locks.dotted(lock.python), fetches, plan.lacks_cuda)


def require_room(folders: Folders, need: Need) -> None:
    """Raises AppError("drive_space"). What an earlier attempt has fetched or copied is there already."""
    there = sum(path.stat().st_size for path in folders.wheels.rglob("*") if path.is_file())
    require_space(folders.base, max(0, need.room_bytes - there))
