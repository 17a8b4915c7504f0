"""A small file replaced whole or not at all.

Names of files: a conversation's title as one that every system and a USB stick take, and one that is free.

A file that is there whole or not at all, and what it means for the user when it cannot be written.

Lines added to a file that several processes may write, each whole by itself.

Large files copied with their hash, and what it means for the user when a drive does not take them.
"""

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from app.base.errors import AppError
from app.base.files.input_file import open_regular

NAME_CHARACTERS_MAX = 80
NAME_BYTES_MAX = 200  # of UTF-8; file systems take 255, and a number and a suffix come behind
_FORBIDDEN_CHARACTERS = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|$)", re.IGNORECASE)


def safe_name(title: str, otherwise: str) -> str:
    """Without suffix. `otherwise` is taken where nothing of the title is left."""
    # Control characters, and those that turn the direction of what is shown: a name must not pretend another suffix.
    kept = "".join(
        " " if character.isspace() else character
        for character in unicodedata.normalize("NFC", title)
        if character.isspace() or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn")
    )
    name = _cut(" ".join(_FORBIDDEN_CHARACTERS.sub("_", kept).split())).strip(" .")
    if not name.strip("_ "):
        name = otherwise
    return f"_{name}" if _DEVICE.match(name.replace(" ", "")) else name


def _cut(name: str) -> str:
    return name[:NAME_CHARACTERS_MAX].encode()[:NAME_BYTES_MAX].decode("utf-8", "ignore")


def free_path(path: Path) -> Path:
    """Return the path, or one with a number where it is taken: a clock that goes back comes to the same name again."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free


def write_atomically(path: Path, content: bytes) -> None:
    """Replaces `path` whole or not at all: temporary name in the same folder, fsync, rename."""
    with _beside(path, content) as made:
        made.replace(path)


def create_atomically(path: Path, content: bytes) -> None:
    """Make a file that is not there, whole or not at all; where another process is quicker, its file stays."""
    with _beside(path, content) as made:
        try:
            os.link(made, path)
        except FileExistsError:
            return
        except OSError:  # a file system without links
            made.replace(path)


@contextlib.contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    made = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield made
    finally:
        made.unlink(missing_ok=True)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE = (errno.ENOENT, errno.ENOTDIR)


@contextmanager
def open_atomically(target: Path) -> Iterator[BinaryIO]:
    """Replaces `target` when the block ends well; otherwise leaves it as it was and nothing beside it.

    Raises AppError("disk_full" | "export_forbidden" | "export_folder_gone" | "export_unwritable").
    """
    temporary = target.with_name(f".kotae-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise export_error(error, target) from error
    finally:
        with contextlib.suppress(OSError):  # its folder may be gone with it
            temporary.unlink(missing_ok=True)


def require_zip_date() -> None:
    """Word and Excel files are archives, which know only years from 1980 to 2107. Raises AppError("clock_unfit")."""
    year = time.gmtime().tm_year
    if not 1981 <= year <= 2106:  # a day less at each end, for the zones
        raise AppError("clock_unfit", year=year)


def check_new_target(target: Path, suffixes: Sequence[str], format_code: str, **facts: str) -> None:
    """Before anything is done for a file that a user names. `facts`: of the format's error, beside the file's name.

    Raises AppError(format_code | "export_folder_gone" | "export_exists").
    """
    if target.suffix.lower() not in suffixes:
        raise AppError(format_code, **{"name": target.name, **facts})
    if not target.parent.is_dir():
        raise AppError("export_folder_gone", path=str(target.parent))
    if target.exists():
        raise AppError("export_exists", path=str(target))


def create_numbered_file(folder: Path, stem: str, suffix: str, numbers: dict[str, int]) -> Path:
    """A new empty file: `stem` and, where that name is taken, a number. The folder itself says what is taken.

    `numbers`: the last one of each stem, kept from call to call, so that equal names are not tried again and again.
    Raises AppError as `whole_file`.
    """
    while True:
        number = numbers[stem] = numbers.get(stem, 0) + 1
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem} ({number}){suffix}")
        try:
            path.open("xb").close()
        except FileExistsError:
            continue
        except OSError as error:
            raise export_error(error, path) from error
        return path


def export_error(error: OSError, target: Path) -> AppError:
    folder = str(target.parent)
    if error.errno in _FULL:
        return AppError("disk_full", path=folder)
    if error.errno in _FORBIDDEN:
        return AppError("export_forbidden", path=folder)
    if error.errno in _GONE:
        return AppError("export_folder_gone", path=folder)
    return AppError("export_unwritable", path=str(target), reason=error.strerror or str(error))


def append_line(path: Path, line: bytes) -> None:
    """Add a line, and wait until it is on the disk. Raises OSError.

    What an earlier one has left that found the disk full stays a line of its own, and takes nothing with it.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            line = line if os.read(descriptor, 1) == b"\n" else b"\n" + line
        left = memoryview(line + b"\n")
        while left:  # a disk that gets full takes a part first
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


ReportBytes = Callable[[int, int], None]  # bytes done, of how many; what it raises ends the work

BLOCK_BYTES = 1 << 20
_SPARE_BYTES = 16 << 20  # what a file system takes for itself while files are written


class CopyProgress:
    """Adds up what is done for a `ReportBytes`. `passes`: how often each byte is added (2: written, read back)."""

    def __init__(self, report: ReportBytes, total_bytes: int, passes: int = 1) -> None:
        self._report = report
        self._total = total_bytes
        self._passes = passes
        self._done = 0

    def add(self, count: int) -> None:
        self._done += count
        self._report(min(self._done // self._passes, self._total), self._total)


def hash_file(path: Path, meter: CopyProgress) -> str:
    """sha256 of a file, read from the drive where the system lets one ask for that. Raises OSError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        drop_from_cache(file)
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            meter.add(len(block))
    return digest.hexdigest()


def drop_from_cache(file: BinaryIO) -> None:
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


def drive_error(error: OSError, folder: Path, otherwise: str, need_bytes: int = 0) -> AppError:
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
