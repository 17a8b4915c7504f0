"""What was removed lies in `.bin` beside the folders that it was one of, and can be restored until it is emptied.

A folder in which one process at a time works, which holds its lock file; and whoever lists folders looks whether.

Names of folders that people find again: by the time, and by what they have called their content.
"""

import contextlib
import os
import re
import shutil
import sys
import time
import unicodedata
from pathlib import Path

import filelock

from app.base.files.day_record import DayRecord
from app.base.files.output_file import free_path

_LIMIT_S = 0.5  # whoever looks holds the lock for a moment
_POLL_S = 0.02


def acquire_lock(path: Path) -> filelock.BaseFileLock:
    """`path`: of the lock file. Raises filelock.Timeout where somebody holds it, and OSError."""
    lock = filelock.FileLock(str(path), timeout=_LIMIT_S, poll_interval=_POLL_S, thread_local=False)
    lock.acquire()
    return lock


if sys.platform == "win32":
    _LOOK_LIMIT_S, _LOOK_POLL_S = 0.004, 0.002  # of two that look at once

    def is_locked(path: Path) -> bool:
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

    def is_locked(path: Path) -> bool:
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


_SLUG_CHARACTERS = 40


def timestamped_path(parent: Path, name: str, now: float) -> Path:
    """A free place in `parent`, called by its time (of this machine) and its name. It is not made yet.

    What lies in the bin keeps its name, to which it may come back.
    """
    plain = unicodedata.normalize("NFKC", name).casefold()
    slug = re.sub(r"[^\w.-]+", "-", plain)[:_SLUG_CHARACTERS].strip("-.")
    stem = time.strftime("%Y%m%d-%H%M%S", time.localtime(now)) + (f"-{slug}" if slug else "")
    folder, number = parent / stem, 2
    while folder.exists() or (parent / BIN / folder.name).exists():
        folder, number = parent / f"{stem}-{number}", number + 1
    return folder


BIN = ".bin"
_REMOVED = ".removed"  # in a folder in the bin: its time is when it came there


def move_to_bin(folder: Path, now: float) -> None:
    """`now`: seconds since 1970. Raises OSError."""
    target = folder.parent / BIN / folder.name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    if target.exists():  # another one of that name, which stays too
        target.rename(free_path(target))
    folder.rename(target)
    mark_deleted(target, now)


def restore_from_bin(parent: Path, name: str) -> Path:
    """Raises OSError."""
    folder = (parent / BIN / name).rename(parent / name)
    unmark_deleted(folder)
    return folder


def mark_deleted(folder: Path, now: float) -> None:
    """That it came into the bin. Where that cannot be written, `empty` does when it first sees it."""
    with contextlib.suppress(OSError):
        (folder / _REMOVED).touch()
        os.utime(folder / _REMOVED, (now, now))


def unmark_deleted(folder: Path) -> None:
    """That it is out of the bin."""
    with contextlib.suppress(OSError):
        (folder / _REMOVED).unlink(missing_ok=True)


def empty_bin(parent: Path, record: DayRecord, now: float, days: float) -> list[str]:
    """Deletes for good what was removed so many days ago, by the record too; gives the names of what is gone.

    The time of a folder without a mark, which an earlier version has promised to keep, begins now.
    """
    dated, gone = {}, []
    for folder in _folders(parent / BIN):
        with contextlib.suppress(OSError):
            if not (folder / _REMOVED).exists():
                mark_deleted(folder, time.time())
            dated[folder.name] = (folder / _REMOVED).stat().st_mtime
    for name in sorted(record.ripe(parent.name, dated, now, days)):
        with contextlib.suppress(OSError):  # somebody looks at a file in it: the next time
            shutil.rmtree(parent / BIN / name)
            gone.append(name)
    return gone


def _folders(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:  # nothing was ever removed
        return []
