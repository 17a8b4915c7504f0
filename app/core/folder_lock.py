"""A folder in which one process at a time works, which holds its lock file; and whoever lists folders looks whether."""

from pathlib import Path

import filelock

_LIMIT_S = 0.5  # whoever looks holds the lock for a moment
_LOOK_LIMIT_S = 0.05  # the same, of two that look at once
_POLL_S = 0.02


def hold(path: Path) -> filelock.BaseFileLock:
    """`path`: of the lock file. Raises filelock.Timeout where somebody holds it, and OSError."""
    lock = filelock.FileLock(str(path), timeout=_LIMIT_S, poll_interval=_POLL_S, thread_local=False)
    lock.acquire()
    return lock


def is_held(path: Path) -> bool:
    """False, too, in a folder that may only be read."""
    try:
        if path.exists():
            with filelock.FileLock(str(path), timeout=_LOOK_LIMIT_S, poll_interval=_POLL_S):
                pass
    except filelock.Timeout:
        return True
    except OSError:
        pass
    return False
