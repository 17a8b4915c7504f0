"""What was removed lies in `.bin` beside the folders that it was one of, and can be restored until it is emptied."""

import os
import shutil
from pathlib import Path

BIN = ".bin"


def put(folder: Path, now: float) -> None:
    """`now`: seconds since 1970, which the folder in the bin keeps as its time. Raises OSError."""
    target = folder.parent / BIN / folder.name
    target.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.rmtree(target, ignore_errors=True)  # of one that was restored and removed again
    folder.rename(target)
    os.utime(target, (now, now))


def take_back(parent: Path, name: str) -> Path:
    """Raises OSError."""
    return (parent / BIN / name).rename(parent / name)


def empty(parent: Path, before: float) -> list[str]:
    """Deletes for good what was removed before that time; gives the names of what is gone."""
    gone = []
    for folder in _folders(parent / BIN):
        try:
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder)
                gone.append(folder.name)
        except OSError:  # somebody looks at a file in it: the next time
            continue
    return gone


def _folders(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.is_dir() and not path.is_symlink()]
    except OSError:  # nothing was ever removed
        return []
