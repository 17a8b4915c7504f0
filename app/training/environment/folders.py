"""Where a training environment is made, and how it takes the place of the one before.

It is made in a side folder and renamed when it works, so that the one that is there keeps working until then; the one
before stays beside it and can be gone back to. A venv's scripts hold the path they were made at; `python` does not (it
finds pyvenv.cfg beside itself), and it alone is used. What does hold a path is where a venv's base Python is, so a
Python that came with a kit or from the network lies beside them all and is never moved.
It may be on another drive than the data. While it is made, a note in the data folder says where, so that what was
fetched is found again.

Whether a folder, perhaps of another drive, can hold a training environment.

What training environment there is, for people to look at.
"""

import contextlib
import json
import os
import shutil
import tempfile
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
from app.models.training_environment import EnvironmentProbe

ATTEMPT = f"{training_environment.FOLDER}.attempt"  # in the data folder: where one is being made, "\0" between several
_ATTEMPT_BYTES = 1 << 20
ENDING_S = 2.0  # that a process which was killed may take to be gone


@dataclass(frozen=True, slots=True)
class EnvironmentFolders:
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
def locked(folders: EnvironmentFolders) -> Iterator[None]:
    """For one program at a time. Raises AppError("training_setup_running"). Falls with its process."""
    lock = filelock.FileLock(str(folders.base / f"{training_environment.FOLDER}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise AppError("training_setup_running") from error
    except OSError as error:
        raise unwritable_error(error, folders.base) from error
    try:
        yield
    finally:
        lock.release()


def prepare_part(folders: EnvironmentFolders) -> None:
    """Clears away what an earlier attempt has left, but for what it had fetched. Raises AppError."""
    try:
        for folder in (folders.half, folders.cache, folders.temporary, folders.discarded):
            if folder.exists():
                shutil.rmtree(folder)
        for folder in (folders.part, folders.wheels, folders.cache, folders.temporary, folders.discarded):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise unwritable_error(error, folders.part) from error


def finish_renaming(folders: EnvironmentFolders) -> None:
    """Where a program has ended between two renames. Raises AppError."""
    try:
        if folders.old.exists() and not folders.final.exists():
            folders.old.rename(folders.final)
        if folders.swapped.exists():
            folders.swapped.rename(folders.final if not folders.final.exists() else folders.old)
    except OSError as error:
        raise unwritable_error(error, folders.final) from error


def replace_current(folders: EnvironmentFolders) -> None:
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
        raise unwritable_error(error, folders.final) from error
    shutil.rmtree(folders.part, ignore_errors=True)  # the next attempt tries again


def restore_previous(base: Path) -> None:
    """The one before for the one in use, which becomes the one before. Raises AppError, none where there is none."""
    folders = EnvironmentFolders(base)
    with locked(folders):
        finish_renaming(folders)
        if not folders.old.exists():
            raise AppError("training_no_previous", path=str(folders.old))
        try:
            folders.final.rename(folders.swapped)
            folders.old.rename(folders.final)
            folders.swapped.rename(folders.old)
        except OSError as error:
            raise unwritable_error(error, folders.final) from error


def discard_part(base: Path) -> None:
    """What an attempt has left, fetched packages too; nothing where another program is at it."""
    folders = EnvironmentFolders(base)
    until = time.monotonic() + ENDING_S
    while folders.part.exists() and time.monotonic() < until:  # what was killed may still hold it, or write a last file
        with contextlib.suppress(AppError), locked(folders):
            shutil.rmtree(folders.part, ignore_errors=True)
        if folders.part.exists():
            time.sleep(0.05)


def is_same(one: Path, other: Path) -> bool:
    """Whether both paths lead to the same folder: by a link, a mapped drive, letters of another size."""
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is not there
        return False


def record_attempt(data: Path, base: Path) -> None:
    """One is being made in `base`. What was left elsewhere is deleted, or stays noted until its drive is there.

    Raises AppError.
    """
    _write_attempts(data, _discard_parts(data, base), str(base))


def list_attempts(data: Path) -> list[Path]:
    """Where attempts were begun that have not come to their end."""
    return [Path(name) for name in _read_attempts(data) if name]


def proposed_base(data: Path) -> Path:
    """The folder to make one in: where an attempt was begun, so that it goes on from there, else where it is."""
    tried = _read_attempts(data)[-1]
    return Path(tried) if tried and Path(tried).is_dir() else training_environment.base_folder(data)


def forget_attempts(data: Path) -> None:
    """With what they have left; of a drive that is not there it stays noted. Raises AppError."""
    _write_attempts(data, _discard_parts(data), "")


def _discard_parts(data: Path, kept: Path | None = None) -> list[Path]:
    """Those but `kept`; gives the folders that are not there now, or where another program is at it."""
    others = [base for base in list_attempts(data) if kept is None or not is_same(base, kept)]
    for base in others:
        discard_part(base)
    return [base for base in others if not base.is_dir() or EnvironmentFolders(base).part.exists()]


def _read_attempts(data: Path) -> list[str]:
    """Folders; the last one is gone on from, "" where there is none."""
    try:
        return read_regular(data / ATTEMPT, _ATTEMPT_BYTES).decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return [""]


def _write_attempts(data: Path, left: list[Path], tried: str) -> None:
    text = "\0".join([*map(str, left), tried])
    try:
        if text:
            write_atomically(data / ATTEMPT, text.encode("utf-8", "surrogateescape"))
        else:
            (data / ATTEMPT).unlink(missing_ok=True)
    except OSError as error:
        raise unwritable_error(error, data) from error


def remove_all(data: Path) -> None:
    """Deletes the environment that was made here, wherever it is, and what attempts have left. Raises AppError."""
    bases = (training_environment.base_folder(data), data)
    for base in dict.fromkeys(base for base in bases if base.is_dir()):
        remove_environment(base)
    forget_attempts(data)


def remove_environment(base: Path) -> None:
    """Deletes the environment below `base`, and what unfinished attempts have left there. Raises AppError."""
    folders = EnvironmentFolders(base)
    there = (folders.final, folders.old, folders.swapped, folders.pythons)
    if not any(folder.exists() for folder in (*there, folders.part)):
        return
    with locked(folders):
        try:
            folders.part.mkdir(mode=0o700, exist_ok=True)
            for number, folder in enumerate(there):
                if folder.exists():  # out of sight at once: one that is half deleted would be found
                    folder.rename(folders.part / f"removed-{number}")
            shutil.rmtree(folders.part)
        except OSError as error:
            raise unwritable_error(error, folders.final) from error


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


def unwritable_error(error: OSError, folder: Path) -> AppError:
    return drive_error(error, folder, "training_environment_unwritable")


_RELATIVE = EnvironmentFolders(Path())
_RESERVED_NAMES = {
    path.name for path in (_RELATIVE.final, _RELATIVE.old, _RELATIVE.swapped, _RELATIVE.pythons, _RELATIVE.part)
}


def require_usable_base(base: Path) -> None:
    """Tries it there, in a folder of its own that is deleted again. The room is `need`'s matter.

    Raises AppError: training_place_missing, training_place_unwritable (reason), training_place_no_links,
    training_place_no_programs.
    """
    if not base.is_dir():
        raise AppError("training_place_missing", path=str(base))
    try:
        with tempfile.TemporaryDirectory(prefix=".kotae-", dir=base) as trial:
            _require_links(Path(trial), base)
    except OSError as error:
        raise AppError("training_place_unwritable", path=str(base), reason=error.strerror or str(error)) from error
    _require_programs(base)


def require_free_base(base: Path, data: Path) -> None:
    """That nothing of somebody else's would be replaced or used, and that it is in no folder that will be deleted.

    In a folder that this Kotae has not chosen before, nothing of the names that it uses may lie: programs in there, and
    the stamp that says who has made them, may have come with the drive.

    Raises AppError: training_place_inside, training_place_taken.
    """
    final = EnvironmentFolders(base).final
    is_in_use = is_same(base, training_environment.base_folder(data))
    if is_in_use and (training_environment.is_ours(final, data) or not os.path.lexists(final)):
        return
    resolved = base.resolve()
    for folder in (resolved, *resolved.parents):
        if folder.name.casefold() in _RESERVED_NAMES or (folder / training_environment.STAMP).is_file():
            raise AppError("training_place_inside", path=str(folder))
    if is_same(base, data):
        return
    begun = any(is_same(base, attempt) for attempt in list_attempts(data))
    where = EnvironmentFolders(base)
    for folder in (where.final, where.old, where.swapped, *(() if begun else (where.pythons, where.part))):
        if os.path.lexists(folder):
            raise AppError("training_place_taken", path=str(folder))


def known_base(base: Path, data: Path) -> Path:
    """A folder that is in use already, by whatever path, under the name that it has there."""
    known = (training_environment.base_folder(data), data)
    return next((folder for folder in known if is_same(base, folder)), base)


def _require_links(trial: Path, base: Path) -> None:
    """A venv has links, but on Windows. FAT and exFAT know none."""
    if os.name != "posix":
        return
    try:
        (trial / "link").symlink_to("target")
    except OSError as error:
        raise AppError("training_place_no_links", path=str(base)) from error


def _require_programs(base: Path) -> None:
    """Memory sticks may be mounted so that nothing on them can be started."""
    if os.name == "posix" and os.statvfs(base).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise AppError("training_place_no_programs", path=str(base))


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    python: Path | None  # None: there is none
    size_bytes: int = 0  # 0: not a folder of its own
    probe: EnvironmentProbe | None = None
    problem: AppError | None = None  # why it cannot be used
    is_own: bool = False  # made here, and may be deleted
    is_current: bool = True  # False: another version of Kotae has made it, with other libraries
    left_bytes: int = 0  # of an attempt that was not finished
    previous_bytes: int = 0  # of the one before, which can be gone back to; 0: there is none
    base: Path | None = None  # the folder that it is in, or would be made in


def report_environment(data: Path) -> EnvironmentReport:
    """Seconds: it imports torch there and adds up the sizes."""
    base = training_environment.base_folder(data)
    bases = [EnvironmentFolders(one) for one in dict.fromkeys((base, data))]
    left = sum(
        folder_size_bytes(EnvironmentFolders(one).part) for one in dict.fromkeys((base, data, *list_attempts(data)))
    )
    try:
        environment = training_environment.locate(data)
    except AppError as none:
        is_away = not base.is_dir()  # a drive that is not connected
        error = AppError("training_place_missing", path=str(base)) if is_away else none
        return EnvironmentReport(None, problem=error, left_bytes=left, base=proposed_base(data))
    folder = environment.python.parent.parent
    where = next((one for one in bases if folder in (one.final, one.old)), None)
    probe, problem = None, None
    try:
        probe = training_environment.check(environment)
    except AppError as error:
        problem = error
    return EnvironmentReport(
        environment.python,
        size_bytes=folder_size_bytes(folder) + (folder_size_bytes(where.pythons) if where else 0)
        if (folder / "pyvenv.cfg").is_file()
        else 0,
        probe=probe,
        problem=problem,
        is_own=where is not None,
        is_current=is_current(folder),
        left_bytes=left,
        previous_bytes=folder_size_bytes(where.old) if where and folder != where.old else 0,
        base=base,
    )


def folder_size_bytes(folder: Path) -> int:
    """Of its files, in bytes; links are not followed."""
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(parent, name)).st_size  # noqa: PTH118  tens of thousands of them
            except OSError:  # deleted meanwhile
                continue
    return total
