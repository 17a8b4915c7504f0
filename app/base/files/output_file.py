"""Write files completely or not at all, name them safely, append lines, and check copies of large files by their hash.

- `write_atomically`, `create_atomically` write the program's own small files and raise OSError.
- `open_atomically`, `create_numbered_file` write files for the user and raise AppError.
- `append_line` appends to a file that several processes may write.
- `CopyProgress`, `hash_file` and the functions after them are for copies to other drives.
"""

import contextlib
import errno
import hashlib
import os
import re
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
NAME_BYTES_MAX = 200  # in UTF-8; file systems allow 255, of which a number and a suffix take some
_FORBIDDEN_CHARACTERS = re.compile(r'[/\\:*?"<>|]')
_DEVICE = re.compile(r"(?:CON|PRN|AUX|NUL|CONIN\$|CONOUT\$|COM[0-9¹²³]|LPT[0-9¹²³])(?:\.|$)", re.IGNORECASE)


def safe_name(title: str, otherwise: str) -> str:
    """Return a title as a file name, without suffix, that all systems accept; `otherwise` if nothing of it is left."""
    # Control characters and those of writing direction are removed, because they can make a name show another suffix.
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
    """Return the path, or if it exists the first free one with "-2", "-3" and so on before its suffix."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.stem}-{number}{path.suffix}"), number + 1
    return free


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file completely or not at all: to a temporary name in the same folder, fsync, rename. Raises OSError."""
    with _temporary_file_beside(path, content) as temporary:
        temporary.replace(path)


def create_atomically(path: Path, content: bytes) -> None:
    """Create a file completely or not at all; an existing one is kept. Raises OSError."""
    with _temporary_file_beside(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            return
        except OSError:  # the file system has no hard links
            temporary.replace(path)


@contextlib.contextmanager
def _temporary_file_beside(path: Path, content: bytes) -> Iterator[Path]:
    """Write a temporary file in the folder of `path` and yield its path; delete it at the end unless it was renamed."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".tmp")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_GONE = (errno.ENOENT, errno.ENOTDIR)


@contextmanager
def open_atomically(target: Path) -> Iterator[BinaryIO]:
    """Yield a temporary file that replaces `target` if the block succeeds; otherwise delete it and keep `target`.

    Raises AppError("disk_full" | "export_forbidden" | "export_folder_gone" | "export_unwritable").
    """
    temporary = target.with_name(f".kotae-{os.urandom(8).hex()}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        raise export_error(error, target) from error
    finally:
        with contextlib.suppress(OSError):  # the folder may be gone
            temporary.unlink(missing_ok=True)


def require_clock_fit_for_zip() -> None:
    """Raise AppError("clock_unfit") if the clock is outside 1980 to 2107, the years of zip (Word and Excel) files."""
    year = time.gmtime().tm_year
    if not 1981 <= year <= 2106:  # one year less at each end, because local time differs from UTC
        raise AppError("clock_unfit", year=year)


def check_new_target(target: Path, suffixes: Sequence[str], format_code: str, **facts: str) -> None:
    """Check the path of a file to create. Raises AppError: `format_code`, "export_folder_gone", "export_exists"."""
    if target.suffix.lower() not in suffixes:
        raise AppError(format_code, **{"name": target.name, **facts})
    if not target.parent.is_dir():
        raise AppError("export_folder_gone", path=str(target.parent))
    if target.exists():
        raise AppError("export_exists", path=str(target))


def create_numbered_file(folder: Path, stem: str, suffix: str, numbers: dict[str, int]) -> Path:
    """Create an empty file, with " (2)", " (3)" and so on for a taken name; two processes never get the same one.

    `numbers`: the last one of each stem, kept between calls. Raises AppError as `open_atomically`.
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
    """Return the AppError for an OSError while writing `target`. `open_atomically` lists the codes."""
    folder = str(target.parent)
    if error.errno in _FULL:
        return AppError("disk_full", path=folder)
    if error.errno in _FORBIDDEN:
        return AppError("export_forbidden", path=folder)
    if error.errno in _GONE:
        return AppError("export_folder_gone", path=folder)
    return AppError("export_unwritable", path=str(target), reason=error.strerror or str(error))


def append_line(path: Path, line: bytes) -> None:
    """Append a line, after ending an incomplete one, and wait until it is on the disk.

    Raises OSError, after removing what was written of the line, unless another process has written meanwhile.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            line = line if os.read(descriptor, 1) == b"\n" else b"\n" + line
        remaining = memoryview(line + b"\n")
        end = size + len(remaining)
        try:
            while remaining:  # on an almost full disk only a part is written
                remaining = remaining[os.write(descriptor, remaining) :]
            os.fsync(descriptor)
        except OSError:
            with contextlib.suppress(OSError):
                if os.fstat(descriptor).st_size == end - len(remaining):
                    os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


ReportBytes = Callable[[int, int], None]  # (bytes done, total bytes); if it raises, the work ends

BLOCK_BYTES = 1 << 20
_SPARE_BYTES = 16 << 20  # space that the file system itself needs while files are written


class CopyProgress:
    """The progress of a copy. `passes`: how often each byte is added, such as 2 if it is written and read back."""

    def __init__(self, report: ReportBytes, total_bytes: int, passes: int = 1) -> None:
        self._report = report
        self._total = total_bytes
        self._passes = passes
        self._done_bytes = 0

    def add(self, count: int) -> None:
        """Add `count` bytes that were read or written, and report how many bytes of the file are done so far."""
        self._done_bytes += count
        self._report(min(self._done_bytes // self._passes, self._total), self._total)


def hash_file(path: Path, meter: CopyProgress) -> str:
    """Return the SHA-256 in hexadecimal, read from the drive if possible; `meter` gets each block. Raises OSError."""
    digest = hashlib.sha256()
    with open_regular(path) as file:
        drop_from_cache(file)
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            meter.add(len(block))
    return digest.hexdigest()


def drop_from_cache(file: BinaryIO) -> None:
    """Drop a file from the system's cache, so that a check reads the drive instead of the memory. Not on Windows."""
    if hasattr(os, "posix_fadvise"):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that new file names in it survive a power cut. Windows does that by itself."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def require_space(folder: Path, need_bytes: int) -> None:
    """Raise AppError("drive_space") if the folder's drive has too little free space. `need_bytes` 0: no check."""
    free = shutil.disk_usage(folder).free
    if need_bytes and free < need_bytes + _SPARE_BYTES:
        raise AppError("drive_space", path=str(folder), need_bytes=need_bytes + _SPARE_BYTES, free_bytes=free)


def drive_error(error: OSError, folder: Path, otherwise: str, need_bytes: int = 0) -> AppError:
    """Return "drive_space" (with `need_bytes`), "drive_file_limit" or `otherwise` for an OSError on a drive."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return AppError("drive_space", path=str(folder), need_bytes=need_bytes, free_bytes=free_bytes(folder))
    if error.errno == errno.EFBIG:  # FAT32 allows 4 GiB
        return AppError("drive_file_limit", path=str(folder))
    return AppError(otherwise, path=str(folder), reason=error.strerror or str(error))


@contextmanager
def drive_errors(folder: Path, otherwise: str, need_bytes: int = 0) -> Iterator[None]:
    """Convert an OSError in the block to the AppError that `drive_error` returns for it."""
    try:
        yield
    except OSError as error:
        raise drive_error(error, folder, otherwise, need_bytes) from error


def free_bytes(folder: Path) -> int:
    """Return the free space on the folder's drive; 0 if it is unknown."""
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
