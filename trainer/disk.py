"""A full disk, whatever a library calls it, and what is on it for good. Standard library only."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from trainer.events import RunError

NEARLY_FULL_BYTES = 8 << 20


@contextlib.contextmanager
def writing(folder: Path, *parts: Path, needed_bytes: int = 0) -> Iterator[None]:
    """Of a block that writes into `folder`: after any error nothing is left of `parts`, files or folders.

    Raises RunError("disk_full") where that was the error.
    """
    try:
        yield
    except BaseException as error:
        is_the_disk = is_full(error, folder)  # before anything is deleted
        for part in parts:
            discard(part)
        if not is_the_disk:
            raise
        raise RunError("disk_full", path=str(folder), needed_bytes=needed_bytes) from error


def is_full(error: BaseException, folder: Path) -> bool:
    """torch and safetensors tell of a full disk without an errno; then their words and the disk itself are asked."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if not isinstance(error, RuntimeError | OSError) and type(error).__name__ != "SafetensorError":
        return False
    return "No space left" in str(error) or shutil.disk_usage(folder).free < NEARLY_FULL_BYTES


def discard(path: Path) -> None:
    """A file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk for good."""
    if os.name == "nt" and path.is_dir():  # folders cannot be opened there, and need not be
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
