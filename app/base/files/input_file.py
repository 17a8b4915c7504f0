"""Open files of foreign folders only if they are regular files (a pipe would block), and read them up to a limit."""

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from app.base.errors import AppError

LINE_BYTES = 64 << 20  # the limit of a line; a row of training data has some thousand bytes
_READS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)  # does not block for a pipe
_FLAGS = _READS | getattr(os, "O_NOFOLLOW", 0)


def too_large_error(path: Path) -> OSError:
    """Return an OSError (EFBIG) for a file over the limit; the system's own text for EFBIG is about writing."""
    return OSError(errno.EFBIG, "too large to be read", str(path))


class NotPlainError(OSError):
    """The path is not of the required kind. `kind`: link | hard_link | not_file | not_folder | too_large."""

    def __init__(self, path: Path, kind: str) -> None:
        super().__init__(errno.ELOOP, kind, str(path))
        self.path = path
        self.kind = kind


def size_of(path: Path) -> int:
    """Return the size of a file in bytes; 0 if there is none, or it cannot be asked."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def require_folder(path: Path) -> None:
    """Raise NotPlainError if the path is a link or a file, and OSError if it does not exist."""
    mode = path.lstat().st_mode
    if _is_link(path, mode):
        raise NotPlainError(path, "link")
    if not stat.S_ISDIR(mode):
        raise NotPlainError(path, "not_folder")


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading; links are followed. Raises OSError, also for a folder, a pipe or a device."""
    descriptor = os.open(path, _READS)
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a regular file in hexadecimal. Raises OSError as `open_regular`."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Return the content of a regular file. Raises OSError as `open_regular`, and for more than `most_bytes`."""
    with open_regular(path) as file:
        return _read_bounded(file, path, most_bytes)


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a regular file with their ends. Raises OSError, also for a line of more than `LINE_BYTES`."""
    with open_regular(path) as file:
        while line := file.readline(LINE_BYTES + 1):
            if len(line) > LINE_BYTES:
                raise too_large_error(path)
            yield line


def open_plain(path: Path, most_bytes: int) -> BinaryIO:
    """Open a regular file of at most `most_bytes`. Raises NotPlainError, also for links and hard links, and OSError."""
    if _is_link(path, path.lstat().st_mode):
        raise NotPlainError(path, "link")
    descriptor = os.open(path, _FLAGS)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotPlainError(path, "not_file")
        if status.st_nlink > 1:
            raise NotPlainError(path, "hard_link")
        if status.st_size > most_bytes:
            raise NotPlainError(path, "too_large")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_plain(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file. Raises OSError and NotPlainError as `open_plain`."""
    with open_plain(path, most_bytes) as file:
        return _read_bounded(file, path, most_bytes)


def _read_bounded(file: BinaryIO, path: Path, most_bytes: int) -> bytes:
    raw = file.read(most_bytes + 1)
    if len(raw) > most_bytes:
        raise too_large_error(path)
    return raw


def _is_link(path: Path, mode: int) -> bool:
    """Whether the path, with this `st_mode`, is a symbolic link or a reparse point (junction) of Windows."""
    if stat.S_ISLNK(mode):
        return True
    attributes = getattr(path.lstat(), "st_file_attributes", 0)
    return bool(attributes & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0))


def absolute_path(path: Path) -> Path:
    """Return a typed path as an absolute one, with ~ expanded. Raises AppError("hf_folder_unreadable")."""
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise AppError("hf_folder_unreadable", path=str(path), reason=str(error)) from error
