"""Large files copied with their hash, and what it means for the user when a drive does not take them."""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from app.base.errors import AppError
from app.base.files.plain_file import open_regular

Report = Callable[[int, int], None]  # bytes done, of how many; what it raises ends the work

BLOCK_BYTES = 1 << 20
_SPARE_BYTES = 16 << 20  # what a file system takes for itself while files are written


class Meter:
    """Adds up what is done for a `Report`. `passes`: how often each byte is added (2: written, read back)."""

    def __init__(self, report: Report, total_bytes: int, passes: int = 1) -> None:
        self._report = report
        self._total = total_bytes
        self._passes = passes
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._report(min(self._done // self._passes, self._total), self._total)


def hash_of(path: Path, meter: Meter) -> str:
    """sha256 of a file, read from the drive where the system lets one ask for that. Raises OSError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        forget_cached(file)
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            meter.add(len(block))
    return digest.hexdigest()


def forget_cached(file: BinaryIO) -> None:
    """What was just written would otherwise be compared in memory, where it is right even if the drive is not."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Makes new names in it last through a power cut; Windows does that by itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def require_space(folder: Path, need_bytes: int) -> None:
    """Raises AppError("drive_space") when the drive of this folder has less room."""
    free_bytes = shutil.disk_usage(folder).free
    if need_bytes and free_bytes < need_bytes + _SPARE_BYTES:
        raise AppError("drive_space", path=str(folder), need_bytes=need_bytes + _SPARE_BYTES, free_bytes=free_bytes)


def write_failure(error: OSError, folder: Path, otherwise: str, need_bytes: int = 0) -> AppError:
    """AppError("drive_space" | "drive_file_limit"), or with the code `otherwise`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return AppError("drive_space", path=str(folder), need_bytes=need_bytes, free_bytes=_free_bytes(folder))
    if error.errno == errno.EFBIG:  # FAT32 ends at 4 GiB
        return AppError("drive_file_limit", path=str(folder))
    return AppError(otherwise, path=str(folder), reason=error.strerror or str(error))


def _free_bytes(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
