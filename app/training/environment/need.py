"""What making the environment needs: room on the drive, and how much comes over the network."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.files.copying import require_space
from app.models import package_locks as locks
from app.models.package_locks import Lock
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


def estimate(base: Path, source: Path | None, variant: str = "") -> Need:
    """`base`: the folder that it is made below. `source`: a folder of wheels or a kit; None: the indexes.

    Seconds where a graphics driver wakes up. Raises AppError as `planning.plan`, and training_wheel_damaged.
    """
    return of_plan(planning.plan(variant, source, Folders(base)), source, base)


def of_plan(plan: Plan, source: Path | None, base: Path) -> Need:
    """Raises AppError("training_wheel_damaged")."""
    lock = plan.lock
    python_bytes = PYTHON_BYTES if plan.python is None else 0
    if source is None:
        unpacked, fetched = lock.size_bytes * INSTALLED[lock.variant], lock.size_bytes
    else:
        unpacked, fetched = unpacked_bytes(source, lock), 0
    parted = sum(entry.file.size_bytes for entry in plan.kit.wheels if len(entry.file.parts) > 1) if plan.kit else 0
    room = round(unpacked * SPARE) + fetched + parted + VENV_BYTES + python_bytes
    free = shutil.disk_usage(base).free
    fetches = plan.python is None and source is None
    return Need(room, fetched, free, base, lock.variant, locks.dotted(lock.python), fetches, plan.lacks_cuda)


def require_room(folders: Folders, need: Need) -> None:
    """Raises AppError("drive_space"). What an earlier attempt has fetched is there already."""
    fetched = min(need.download_bytes, sum(path.stat().st_size for path in folders.wheels.rglob("*") if path.is_file()))
    require_space(folders.base, need.room_bytes - fetched)


def unpacked_bytes(source: Path, lock: Lock) -> int:
    """Of the lock's wheels; of those in parts it is estimated.

    Raises AppError("training_wheel_damaged").
    """
    total = 0
    for file in lock.files:
        path = source / file.name
        if not path.is_file():
            total += round(file.size_bytes * INSTALLED[lock.variant])
            continue
        try:
            with zipfile.ZipFile(path) as wheel:
                total += sum(entry.file_size for entry in wheel.infolist())
        except (OSError, zipfile.BadZipFile) as error:
            raise AppError("training_wheel_damaged", path=str(path), package=str(file)) from error
    return total
