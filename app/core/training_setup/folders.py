"""Where a training environment is made, and how it takes the place of the one before.

It is made in a side folder and renamed when it works, so that the one that is there keeps working until then. A venv's
scripts hold the path they were made at; `python` does not (it finds pyvenv.cfg beside itself), and it alone is used.
It may be on another drive than the data. While it is made there, a note in the data folder says where, so that what was
fetched is found again.
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
ATTEMPT = f"{training_environment.FOLDER}.attempt"  # in the data folder: where one is being made


@dataclass(frozen=True, slots=True)
class Folders:
    """All below one folder: that of the data, or the one that the user has chosen."""

    base: Path

    @property
    def final(self) -> Path:
        return self.base / training_environment.FOLDER

    @property
    def old(self) -> Path:
        """The one before, for the moment between two renames; found by `training_environment.locate` too."""
        return self.base / training_environment.OLD_FOLDER

    @property
    def part(self) -> Path:
        """What is being made, and what was fetched for it: an interrupted attempt need not fetch it again."""
        return self.base / f"{training_environment.FOLDER}.part"

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
    lock = filelock.FileLock(str(folders.base / f"{training_environment.FOLDER}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise AppError("training_setup_running") from error
    except OSError as error:
        raise unwritable(error, folders.base) from error
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


def discard_part(base: Path) -> None:
    """What an attempt has left, fetched packages too; nothing where another program is at it."""
    folders = Folders(base)
    if not folders.part.exists():
        return
    with contextlib.suppress(AppError), held(folders):
        shutil.rmtree(folders.part, ignore_errors=True)


def note_attempt(data: Path, base: Path) -> None:
    """One is being made in `base`. Raises AppError."""
    try:
        write_atomically(data / ATTEMPT, str(base).encode("utf-8", "surrogateescape"))
    except OSError as error:
        raise unwritable(error, data) from error


def attempted(data: Path) -> Path | None:
    """Where an attempt was begun that has not come to its end; None: there is none."""
    try:
        text = (data / ATTEMPT).read_bytes().decode("utf-8", "surrogateescape")
    except OSError:
        return None
    return Path(text) if text and "\0" not in text else None


def proposed(data: Path) -> Path:
    """The folder to make one in: where an attempt was begun, so that it goes on from there, else where it is."""
    tried = attempted(data)
    return tried if tried is not None and tried.is_dir() else training_environment.base_folder(data)


def forget_attempt(data: Path) -> None:
    with contextlib.suppress(OSError):
        (data / ATTEMPT).unlink()


def remove_all(data: Path) -> None:
    """Deletes the environment that was made here, wherever it is, and what attempts have left. Raises AppError."""
    bases = (training_environment.base_folder(data), data)
    for base in dict.fromkeys(base for base in bases if base.is_dir()):
        remove(base)
    tried = attempted(data)
    if tried is not None:
        discard_part(tried)
    forget_attempt(data)


def remove(base: Path) -> None:
    """Deletes the environment below `base`, and what unfinished attempts have left there. Raises AppError."""
    folders = Folders(base)
    if not any(folder.exists() for folder in (folders.final, folders.old, folders.part)):
        return
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
