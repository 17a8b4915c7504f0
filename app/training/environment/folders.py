"""Where a training environment is made, and how it takes the place of the one before.

It is made in a side folder and renamed when it works, so that the one that is there keeps working until then; the one
before stays beside it and can be gone back to. A venv's scripts hold the path they were made at; `python` does not (it
finds pyvenv.cfg beside itself), and it alone is used. What does hold a path is where a venv's base Python is, so a
Python that came with a kit or from the network lies beside them all and is never moved.
It may be on another drive than the data. While it is made, a note in the data folder says where, so that what was
fetched is found again.
"""

import contextlib
import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import read_regular
from app.base.files.output_file import drive_error, write_atomically
from app.models import package_locks as locks
from app.models import training_environment
from app.models.package_locks import PackageLock

ATTEMPT = f"{training_environment.FOLDER}.attempt"  # in the data folder: where one is being made, "\0" between several
_ATTEMPT_BYTES = 1 << 20
ENDING_S = 2.0  # that a process which was killed may take to be gone


@dataclass(frozen=True, slots=True)
class Folders:
    """All below one folder: that of the data, or the one that the user has chosen."""

    base: Path

    @property
    def final(self) -> Path:
        return self.base / training_environment.FOLDER

    @property
    def old(self) -> Path:
        """The one before. `training_environment.locate` finds it where there is no `final`: between two renames."""
        return self.base / training_environment.OLD_FOLDER

    @property
    def swapped(self) -> Path:
        """The one that was in use, for the moment in which it changes places with the one before."""
        return self.base / f"{training_environment.FOLDER}.swapped"

    @property
    def pythons(self) -> Path:
        """Base Pythons of our own, one folder each."""
        return self.base / f"{training_environment.FOLDER}.python"

    @property
    def part(self) -> Path:
        """What is being made, and what was fetched for it: an interrupted attempt need not fetch it again."""
        return self.base / f"{training_environment.FOLDER}.part"

    @property
    def half(self) -> Path:
        return self.part / "environment"

    @property
    def discarded(self) -> Path:
        """What is deleted in the end, out of sight at once: half of it would be found."""
        return self.part / "discarded"

    @property
    def wheels(self) -> Path:
        """What was fetched, or joined out of a kit's parts."""
        return self.part / "wheels"

    @property
    def cache(self) -> Path:
        """uv's, for what it unpacks: on the same drive, so that nothing is copied once more."""
        return self.part / "cache"

    @property
    def temporary(self) -> Path:
        """The system's may be in memory, and smaller than one wheel."""
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
        for folder in (folders.half, folders.cache, folders.temporary, folders.discarded):
            if folder.exists():
                shutil.rmtree(folder)
        for folder in (folders.part, folders.wheels, folders.cache, folders.temporary, folders.discarded):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable(error, folders.part) from error


def finish_renaming(folders: Folders) -> None:
    """Where a program has ended between two renames. Raises AppError."""
    try:
        if folders.old.exists() and not folders.final.exists():
            folders.old.rename(folders.final)
        if folders.swapped.exists():
            folders.swapped.rename(folders.final if not folders.final.exists() else folders.old)
    except OSError as error:
        raise unwritable(error, folders.final) from error


def take_place(folders: Folders) -> None:
    """The new one for the old one: renames, taken back where one is refused. Raises AppError."""
    renames = [(folders.half, folders.final)]
    if folders.final.exists():
        renames.insert(0, (folders.final, folders.old))
        if folders.old.exists():
            renames.insert(0, (folders.old, folders.discarded / "old"))
    done: list[tuple[Path, Path]] = []
    try:
        for source, target in renames:
            source.rename(target)
            done.append((source, target))
    except OSError as error:
        for source, target in reversed(done):
            with contextlib.suppress(OSError):
                target.rename(source)
        raise unwritable(error, folders.final) from error
    shutil.rmtree(folders.part, ignore_errors=True)  # the next attempt tries again


def go_back(base: Path) -> None:
    """The one before for the one in use, which becomes the one before. Raises AppError, none where there is none."""
    folders = Folders(base)
    with held(folders):
        finish_renaming(folders)
        if not folders.old.exists():
            raise AppError("training_no_previous", path=str(folders.old))
        try:
            folders.final.rename(folders.swapped)
            folders.old.rename(folders.final)
            folders.swapped.rename(folders.old)
        except OSError as error:
            raise unwritable(error, folders.final) from error


def discard_part(base: Path) -> None:
    """What an attempt has left, fetched packages too; nothing where another program is at it."""
    folders = Folders(base)
    until = time.monotonic() + ENDING_S
    while folders.part.exists() and time.monotonic() < until:  # what was killed may still hold it, or write a last file
        with contextlib.suppress(AppError), held(folders):
            shutil.rmtree(folders.part, ignore_errors=True)
        if folders.part.exists():
            time.sleep(0.05)


def is_same(one: Path, other: Path) -> bool:
    """Whether both paths lead to the same folder: by a link, a mapped drive, letters of another size."""
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is not there
        return False


def note_attempt(data: Path, base: Path) -> None:
    """One is being made in `base`. What was left elsewhere is deleted, or stays noted until its drive is there.

    Raises AppError.
    """
    _note(data, _discard_parts(data, base), str(base))


def attempts(data: Path) -> list[Path]:
    """Where attempts were begun that have not come to their end."""
    return [Path(name) for name in _noted(data) if name]


def proposed(data: Path) -> Path:
    """The folder to make one in: where an attempt was begun, so that it goes on from there, else where it is."""
    tried = _noted(data)[-1]
    return Path(tried) if tried and Path(tried).is_dir() else training_environment.base_folder(data)


def forget_attempts(data: Path) -> None:
    """With what they have left; of a drive that is not there it stays noted. Raises AppError."""
    _note(data, _discard_parts(data), "")


def _discard_parts(data: Path, kept: Path | None = None) -> list[Path]:
    """Those but `kept`; gives the folders that are not there now, or where another program is at it."""
    others = [base for base in attempts(data) if kept is None or not is_same(base, kept)]
    for base in others:
        discard_part(base)
    return [base for base in others if not base.is_dir() or Folders(base).part.exists()]


def _noted(data: Path) -> list[str]:
    """Folders; the last one is gone on from, "" where there is none."""
    try:
        return read_regular(data / ATTEMPT, _ATTEMPT_BYTES).decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return [""]


def _note(data: Path, left: list[Path], tried: str) -> None:
    text = "\0".join([*map(str, left), tried])
    try:
        if text:
            write_atomically(data / ATTEMPT, text.encode("utf-8", "surrogateescape"))
        else:
            (data / ATTEMPT).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable(error, data) from error


def remove_all(data: Path) -> None:
    """Deletes the environment that was made here, wherever it is, and what attempts have left. Raises AppError."""
    bases = (training_environment.base_folder(data), data)
    for base in dict.fromkeys(base for base in bases if base.is_dir()):
        remove(base)
    forget_attempts(data)


def remove(base: Path) -> None:
    """Deletes the environment below `base`, and what unfinished attempts have left there. Raises AppError."""
    folders = Folders(base)
    there = (folders.final, folders.old, folders.swapped, folders.pythons)
    if not any(folder.exists() for folder in (*there, folders.part)):
        return
    with held(folders):
        try:
            folders.part.mkdir(mode=0o700, exist_ok=True)
            for number, folder in enumerate(there):
                if folder.exists():  # out of sight at once: one that is half deleted would be found
                    folder.rename(folders.part / f"removed-{number}")
            shutil.rmtree(folders.part)
        except OSError as error:
            raise unwritable(error, folders.final) from error


def write_stamp(folder: Path, lock: PackageLock, key: str) -> None:
    """Only what works has one. `key`: `training_environment.key`. Raises OSError."""
    stamp = {"lock": lock.name, "digest": lock.digest, "key": key}
    write_atomically(folder / training_environment.STAMP, json.dumps(stamp).encode("ascii"))


def is_current(folder: Path) -> bool:
    """Whether it holds what this version of Kotae would install; True for one that was made by hand."""
    try:
        stamp: Any = strict_json.load_file(folder / training_environment.STAMP)
    except OSError:
        return True
    except ValueError:
        return False
    lock = locks.named(str(stamp.get("lock"))) if isinstance(stamp, dict) else None
    return lock is not None and stamp.get("digest") == lock.digest


def unwritable(error: OSError, folder: Path) -> AppError:
    return drive_error(error, folder, "training_environment_unwritable")
