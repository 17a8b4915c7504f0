"""What making the environment needs: room on the drive, and how much comes over the network."""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path

from app.core import machine
from app.core.copying import require_space
from app.core.errors import AppError
from app.core.training_setup.folders import Folders

# Measured with torch 2.13 (CPU): 1.2 GB installed, 0.3 GB of packages. With CUDA as published: 6 GB, 2.7 GB.
CPU_INSTALLED_BYTES, CPU_DOWNLOAD_BYTES = 1_300_000_000, 300_000_000
CUDA_INSTALLED_BYTES, CUDA_DOWNLOAD_BYTES = 6_000_000_000, 2_700_000_000
COMPILED = 1.35  # installed / unpacked, with what Python compiles beside its sources; measured 1.26
VENV_BYTES = 30_000_000


@dataclass(frozen=True, slots=True)
class Need:
    room_bytes: int  # at most, while it is made; what is there stays meanwhile
    download_bytes: int  # 0: nothing comes over the network
    free_bytes: int
    base: Path | None = None  # whose room it is


def estimate(base: Path, wheels: Path | None) -> Need:
    """`base`: the folder that it is made below. Seconds where a graphics driver wakes up.

    Raises AppError as `unpacked_bytes`.
    """
    free_bytes = shutil.disk_usage(base).free
    if wheels is not None:
        return Need(round(unpacked_bytes(wheels) * COMPILED) + VENV_BYTES, 0, free_bytes, base)
    has_cuda = any(gpu.name not in ("AMD", "Intel") for gpu in machine.gpus())  # those have no driver that names them
    installed, download = CPU_INSTALLED_BYTES, CPU_DOWNLOAD_BYTES
    if has_cuda:
        installed, download = CUDA_INSTALLED_BYTES, CUDA_DOWNLOAD_BYTES
    # Each package is on the drive as it came and in the cache of an interrupted attempt.
    return Need(installed + 2 * download, download, free_bytes, base)


def require_room(folders: Folders, need: Need) -> None:
    """Raises AppError("drive_space"). What an earlier attempt has fetched is there already."""
    fetched = min(need.download_bytes, sum(path.stat().st_size for path in folders.cache.rglob("*") if path.is_file()))
    require_space(folders.base, need.room_bytes - fetched)


def unpacked_bytes(wheels: Path) -> int:
    """Of each package the largest wheel: the folder may hold several platforms.

    Raises AppError: wheels_folder_missing, wheels_none, wheels_unusable (one that is damaged).
    """
    if not wheels.is_dir():
        raise AppError("wheels_folder_missing", path=str(wheels))
    sizes: dict[str, int] = {}
    for path in sorted(wheels.glob("*.whl")):
        try:
            with zipfile.ZipFile(path) as wheel:
                size = sum(entry.file_size for entry in wheel.infolist())
        except (OSError, zipfile.BadZipFile) as error:
            raise AppError("wheels_unusable", path=str(path), reason=str(error)) from error
        name = path.name.partition("-")[0]
        sizes[name] = max(size, sizes.get(name, 0))
    if not sizes:
        raise AppError("wheels_none", path=str(wheels))
    return sum(sizes.values())
