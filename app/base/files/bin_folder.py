"""What was removed lies in `.bin` beside the folders that it was one of, and can be restored until it is emptied."""

import contextlib
import os
import shutil
import time
from pathlib import Path

from app.base.files.day_record import DayRecord
from app.base.files.file_names import free_place

BIN = ".bin"
_REMOVED = ".removed"  # in a folder in the bin: its time is when it came there


def put(folder: Path, now: float) -> None:
    """`now`: seconds since 1970. Raises OSError."""
    target = folder.parent / BIN / folder.name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    if target.exists():  # another one of that name, which stays too
        target.rename(free_place(target))
    folder.rename(target)
    mark(target, now)


def take_back(parent: Path, name: str) -> Path:
    """Raises OSError."""
    folder = (parent / BIN / name).rename(parent / name)
    unmark(folder)
    return folder


def mark(folder: Path, now: float) -> None:
    """That it came into the bin. Where that cannot be written, `empty` does when it first sees it."""
    with contextlib.suppress(OSError):
        (folder / _REMOVED).touch()
        os.utime(folder / _REMOVED, (now, now))


def unmark(folder: Path) -> None:
    """That it is out of the bin."""
    with contextlib.suppress(OSError):
        (folder / _REMOVED).unlink(missing_ok=True)


def empty(parent: Path, record: DayRecord, now: float, days: float) -> list[str]:
    """Deletes for good what was removed so many days ago, by the record too; gives the names of what is gone.

    The time of a folder without a mark, which an earlier version has promised to keep, begins now.
    """
    dated, gone = {}, []
    for folder in _folders(parent / BIN):
        with contextlib.suppress(OSError):
            if not (folder / _REMOVED).exists():
                mark(folder, time.time())
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
