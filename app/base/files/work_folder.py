"""Name, lock, delete and restore folders that hold one item each, such as a training run.

- A folder is named by the time of its creation and the name of the item.
- The process that works in a folder holds its lock file; other processes only test the lock.
- Deleting moves a folder to `.bin` in its parent folder; it can be restored until the bin is emptied.
"""

import contextlib
import os
import re
import shutil
import sys
import time
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING

from app.base.files.day_record import DayRecord
from app.base.files.output_file import free_path

if TYPE_CHECKING:
    import filelock

_LIMIT_S = 0.5  # a process that tests the lock holds it for a moment
_POLL_S = 0.02


def acquire_lock(path: Path) -> "filelock.BaseFileLock":
    """Acquire the lock file at `path`. Raises filelock.Timeout if another process holds it, and OSError."""
    import filelock  # most commands lock no folder, and its import takes a twentieth of theirs

    lock = filelock.FileLock(str(path), timeout=_LIMIT_S, poll_interval=_POLL_S, thread_local=False)
    lock.acquire()
    return lock


if sys.platform == "win32":
    _TEST_LIMIT_S, _TEST_POLL_S = 0.004, 0.002  # two processes may test the lock at the same moment

    def is_locked(path: Path) -> bool:
        """Return whether a process holds the lock, after a few milliseconds at most; False in a read-only folder."""
        import filelock

        try:
            if path.exists():
                with filelock.FileLock(str(path), timeout=_TEST_LIMIT_S, poll_interval=_TEST_POLL_S):
                    pass
        except filelock.Timeout:
            return True
        except OSError:
            pass
        return False

else:
    import fcntl

    def is_locked(path: Path) -> bool:
        """Return whether a process holds the lock; False if that cannot be determined.

        Request a shared flock, the kind of lock that filelock uses: this fails at once if a process holds the lock, and
        any number of processes can test at the same time.
        """
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


_SLUG_CHARACTERS = 40


def timestamped_path(parent: Path, name: str, now: float) -> Path:
    """Return a free path in `parent`, also free in its bin, by local time and `name`. `now`: seconds since 1970."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    slug = re.sub(r"[^\w.-]+", "-", plain)[:_SLUG_CHARACTERS].strip("-.")
    stem = time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + (f"-{slug}" if slug else "")
    folder, number = parent / stem, 2
    while folder.exists() or (parent / BIN / folder.name).exists():
        folder, number = parent / f"{stem}-{number}", number + 1
    return folder


BIN = ".bin"
_REMOVED = ".removed"  # a file in a deleted folder; its modification time is the time of deletion


def move_to_bin(folder: Path, now: float) -> None:
    """Move a folder to the bin. `now`: seconds since 1970. Raises OSError."""
    target = folder.parent / BIN / folder.name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    if target.exists():  # an earlier folder of that name, which is kept in the bin too
        target.rename(free_path(target))
    folder.rename(target)
    mark_deleted(target, now)


def restore_from_bin(parent: Path, name: str) -> Path:
    """Move a folder back from the bin and return its path. Raises OSError."""
    folder = (parent / BIN / name).rename(parent / name)
    unmark_deleted(folder)
    return folder


def mark_deleted(folder: Path, now: float) -> None:
    """Note by an empty file when a folder came into the bin (seconds since 1970); else `empty_bin` does it."""
    with contextlib.suppress(OSError):
        (folder / _REMOVED).touch()
        os.utime(folder / _REMOVED, (now, now))


def unmark_deleted(folder: Path) -> None:
    """Remove the file by which `mark_deleted` marked a folder."""
    with contextlib.suppress(OSError):
        (folder / _REMOVED).unlink(missing_ok=True)


def empty_bin(parent: Path, record: DayRecord, now: float, days: float) -> list[str]:
    """Erase the folders that are in the bin of `parent` for more than `days`, as `record` confirms; return their names.

    `now`: seconds since 1970. A folder without a mark, of an earlier version, is marked now.
    """
    dated, gone = {}, []
    for folder in _folders(parent / BIN):
        with contextlib.suppress(OSError):
            if not (folder / _REMOVED).exists():
                mark_deleted(folder, time.time())
            dated[folder.name] = (folder / _REMOVED).stat().st_mtime
    for name in sorted(record.expired_items(parent.name, dated, now, days)):
        with contextlib.suppress(OSError):  # if a program has one of the files open, the next call tries again
            shutil.rmtree(parent / BIN / name)
            gone.append(name)
    return gone


def _folders(folder: Path) -> list[Path]:
    try:
        return [path for path in folder.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:  # there is no bin yet
        return []


def folder_size_bytes(folder: Path) -> int:
    """Return the size of the folder's files in bytes; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):  # deleted meanwhile
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  faster for tens of thousands of files
    return total


def version_of(path: Path) -> tuple[int, int]:
    """Return a file's modification time in ns and size in bytes, to detect changes; (0, -1) if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return 0, -1
    return status.st_mtime_ns, status.st_size
