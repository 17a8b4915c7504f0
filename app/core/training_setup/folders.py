"""Where a training environment is made, and how it takes the place of the one before.

It is made in a side folder and renamed when it works, so that the one that is there keeps working until then. A venv's
scripts hold the path they were made at; `python` does not (it finds pyvenv.cfg beside itself), and it alone is used.
"""

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from app.core import training_environment
from app.core.atomic import write_atomically
from app.core.copying import write_failure
from app.core.errors import AppError
from app.core.paths import resources

STAMP = "kotae-environment.json"


@dataclass(frozen=True, slots=True)
class Folders:
    """All below the data folder."""

    data: Path

    @property
    def final(self) -> Path:
        return self.data / training_environment.FOLDER

    @property
    def old(self) -> Path:
        """The one before, for the moment between two renames; found by `training_environment.locate` too."""
        return self.data / training_environment.OLD_FOLDER

    @property
    def part(self) -> Path:
        """What is being made, and what was fetched for it: an interrupted attempt need not fetch it again."""
        return self.data / f"{training_environment.FOLDER}.part"

    @property
    def half(self) -> Path:
        return self.part / "environment"

    @property
    def cache(self) -> Path:
        return self.part / "cache"

    @property
    def temporary(self) -> Path:
        """For pip: /tmp may be in memory, and smaller than one wheel."""
        return self.part / "tmp"


@contextlib.contextmanager
def held(folders: Folders) -> Iterator[None]:
    """For one program at a time. Raises AppError("training_setup_running"). Falls with its process."""
    lock = filelock.FileLock(str(folders.data / f"{training_environment.FOLDER}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise AppError("training_setup_running") from error
    except OSError as error:
        raise unwritable(error, folders.data) from error
    try:
        yield
    finally:
        lock.release()


def begin(folders: Folders) -> None:
    """Clears away what an earlier attempt has left, but for what it had fetched. Raises AppError."""
    try:
        if folders.old.exists() and not folders.final.exists():  # ended between the two renames
            folders.old.rename(folders.final)
        for folder in (folders.old, folders.half, folders.temporary):
            if folder.exists():
                shutil.rmtree(folder)
        for folder in (folders.part, folders.cache, folders.temporary):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable(error, folders.part) from error


def take_place(folders: Folders) -> None:
    """The new one for the old one: two renames, taken back where the second is refused. Raises AppError."""
    try:
        if folders.final.exists():
            folders.final.rename(folders.old)
        try:
            folders.half.rename(folders.final)
        except OSError:
            if folders.old.exists():
                folders.old.rename(folders.final)
            raise
    except OSError as error:
        raise unwritable(error, folders.final) from error
    for folder in (folders.old, folders.part):
        shutil.rmtree(folder, ignore_errors=True)  # the next attempt tries again


def discard_part(data: Path) -> None:
    """What an attempt has left, fetched packages too; nothing where another program is at it."""
    folders = Folders(data)
    with contextlib.suppress(AppError), held(folders):
        shutil.rmtree(folders.part, ignore_errors=True)


def remove(data: Path) -> None:
    """Deletes the environment of the data folder, and what unfinished attempts have left. Raises AppError."""
    folders = Folders(data)
    with held(folders):
        try:
            folders.part.mkdir(mode=0o700, exist_ok=True)
            for number, folder in enumerate((folders.final, folders.old)):
                if folder.exists():  # out of sight at once: one that is half deleted would be found
                    folder.rename(folders.part / f"removed-{number}")
            shutil.rmtree(folders.part)
        except OSError as error:
            raise unwritable(error, folders.final) from error


def requirements() -> Path:
    return resources() / "training_environment" / "requirements.txt"


def requirements_digest() -> str:
    return hashlib.sha256(requirements().read_bytes()).hexdigest()


def write_stamp(folder: Path) -> None:
    """Only what works has one. Raises OSError."""
    body = {"requirements": requirements_digest()}
    write_atomically(folder / STAMP, json.dumps(body).encode("ascii"))


def is_current(folder: Path) -> bool:
    """Whether it holds what this version of Kotae would install; True for one that was made by hand."""
    try:
        stamp: Any = json.loads((folder / STAMP).read_bytes())
    except OSError:
        return True
    except ValueError:
        return False
    return isinstance(stamp, dict) and stamp.get("requirements") == requirements_digest()


def unwritable(error: OSError, folder: Path) -> AppError:
    return write_failure(error, folder, "training_environment_unwritable")
