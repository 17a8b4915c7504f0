"""A folder in which one process at a time works, which holds its lock file; and whoever lists folders looks whether."""

import os
import sys
from pathlib import Path

import filelock

_LIMIT_S = 0.5  # whoever looks holds the lock for a moment
_POLL_S = 0.02


def hold(path: Path) -> filelock.BaseFileLock:
    """`path`: of the lock file. Raises filelock.Timeout where somebody holds it, and OSError."""
    lock = filelock.FileLock(str(path), timeout=_LIMIT_S, poll_interval=_POLL_S, thread_local=False)
    lock.acquire()
    return lock


if sys.platform == "win32":
    _LOOK_LIMIT_S, _LOOK_POLL_S = 0.004, 0.002  # of two that look at once

    def is_held(path: Path) -> bool:
        """False, too, in a folder that may only be read. Waits for no more than a few milliseconds."""
        try:
            if path.exists():
                with filelock.FileLock(str(path), timeout=_LOOK_LIMIT_S, poll_interval=_LOOK_POLL_S):
                    pass
        except filelock.Timeout:
            return True
        except OSError:
            pass
        return False

else:
    import fcntl

    def is_held(path: Path) -> bool:
        """By a shared lock, of filelock's kind (flock): it is refused at once where somebody holds the file, and any
        number of programs may look at the same time. False where that cannot be found out."""
        try:
            file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        except OSError:
            return False
        finally:
            os.close(file)
        return False
