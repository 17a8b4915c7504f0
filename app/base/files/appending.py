"""Lines added to a file that several processes may write, each whole by itself."""

import os
from pathlib import Path


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
