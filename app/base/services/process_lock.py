"""Provide lock files that one process holds until it ends, in whatever way."""

import time
from pathlib import Path

from PySide6.QtCore import QLockFile

_BEGUN_S = 0.05  # a process locks its new file within microseconds


class ProcessLock(QLockFile):
    """A lock file. Its process ending releases it, however it ends and whatever the file then says."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path))
        self.setStaleLockTime(0)  # it is stale only if its process has ended, however old it is

    def take(self, patience_ms: int = 0) -> bool:
        """Acquire the lock, or keep it. Return False only if another process holds it: a disk without locks stops
        nobody."""
        if self.isLocked() or self.tryLock(patience_ms):
            return True
        if self.error() != QLockFile.LockError.LockFailedError:
            return True
        # The file of an ended process may look valid (reused id, other system) or be empty (killed before it wrote,
        # power cut). Qt then asks the kernel, which knows whether a process holds it.
        return self._is_begun() and self.removeStaleLockFile() and self.tryLock(0)

    def _is_begun(self) -> bool:
        """Return whether the file's process has had the time to lock it."""
        try:
            return abs(time.time() - Path(self.fileName()).stat().st_mtime) >= _BEGUN_S  # clocks are set back, too
        except OSError:
            return False
