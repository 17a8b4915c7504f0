"""Provide lock files that one process holds until it ends, in whatever way."""

import contextlib
import os
import sys
import time
from pathlib import Path

from PySide6.QtCore import QLockFile

from app.base.files.input_file import open_regular

if sys.platform != "win32":
    import fcntl

_BEGUN_S = 0.05  # a process locks and writes its new file within microseconds


class ProcessLock(QLockFile):
    """A lock file. It is free once its process has ended, also one that was killed before it wrote its id.

    Unlike filelock, it respects the lock of another computer on a drive whose locks stay on each computer.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.setStaleLockTime(0)  # it is stale only if its process has ended, however old it is

    def take(self, patience_ms: int = 0) -> bool:
        """Acquire the lock, or keep it. Return False if another process holds it or is just making it.

        Where files cannot be locked, such as on some network drives, it returns True.
        """
        if self.isLocked() or self.tryLock(patience_ms) or self._is_impossible():
            return True
        # Qt never takes an empty file for stale, nor one of zeros, which a power cut may leave.
        return _remove_unwritten(Path(self.fileName())) and (self.tryLock(0) or self._is_impossible())

    def _is_impossible(self) -> bool:
        return self.error() != QLockFile.LockError.LockFailedError


def _remove_unwritten(path: Path) -> bool:
    """Remove a lock file without an id. Return False if it has one, or a process holds it or is just making it."""
    with contextlib.suppress(OSError), open_regular(path) as file:
        if sys.platform != "win32":  # there a file that is held cannot be removed
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        opened = os.fstat(file.fileno())
        is_begun = abs(time.time() - opened.st_mtime) >= _BEGUN_S  # abs: a clock may have been set back
        # Another process may have removed this file, and made one that it holds, before the flock.
        if is_begun and file.read(1) in (b"", b"\0") and os.path.samestat(opened, path.stat()):
            if sys.platform == "win32":
                file.close()
            path.unlink()
            return True
    return False
