"""Manage the folders of the training environment: how it is made, replaces the previous one, and is reported.

A new environment is made in a side folder and renamed when it works, so that the current one keeps working until then;
the previous one is kept and can be restored. Renaming is safe: only `python` is used, which finds pyvenv.cfg next to
itself, while a venv's scripts contain their original path. A venv does contain the path of its base Python, so a Python
from a kit or the network has a folder of its own that is never moved.

The environment may be on another drive than the data. While it is made, a file in the data folder records where, so
that fetched packages are found again. The module also checks whether a folder can hold an environment.
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
from app.base.files.output_file import drive_error, drive_errors, write_atomically
from app.base.files.work_folder import folder_size_bytes
from app.models import package_locks as locks
from app.models import training_environment
from app.models.package_locks import PackageLock
from app.models.training_environment import EnvironmentProbe

ATTEMPT = f"{training_environment.FOLDER}.attempt"  # in the data folder: folders of attempts, separated by "\0"
_ATTEMPT_BYTES = 1 << 20
UNWRITABLE = "training_environment_unwritable"
ENDING_S = 2.0  # time for a killed process to disappear


@dataclass(frozen=True, slots=True)
class EnvironmentFolders:
    """The folders of an environment, all below the data folder or a folder that the user chose."""

    base: Path

    @property
    def final(self) -> Path:
        return self.base / training_environment.FOLDER

    @property
    def old(self) -> Path:
        """Return the previous environment, which `training_environment.locate` uses between two renames."""
        return self.base / training_environment.OLD_FOLDER

    @property
    def swapped(self) -> Path:
        """Return the temporary place of the current environment while it changes places with the previous one."""
        return self.base / f"{training_environment.FOLDER}.swapped"

    @property
    def pythons(self) -> Path:
        """Return the folder of Kotae's own base Pythons."""
        return self.base / f"{training_environment.FOLDER}.python"

    @property
    def part(self) -> Path:
        """Return the folder of the environment being made and of fetched files, which an interrupted attempt reuses."""
        return self.base / f"{training_environment.FOLDER}.part"

    @property
    def half(self) -> Path:
        return self.part / "environment"

    @property
    def discarded(self) -> Path:
        """Return the folder for what is deleted later.

        A rename hides an environment at once, while a half-deleted one could be found.
        """
        return self.part / "discarded"

    @property
    def wheels(self) -> Path:
        """Return the folder of files that were fetched or joined from a kit's parts."""
        return self.part / "wheels"

    @property
    def cache(self) -> Path:
        """Return uv's cache for unpacked wheels, on the same drive, so that uv need not copy them again."""
        return self.part / "cache"

    @property
    def temporary(self) -> Path:
        """Return the folder for temporary files: the system's may be in memory and smaller than one wheel."""
        return self.part / "tmp"


@contextlib.contextmanager
def locked(folders: EnvironmentFolders) -> Iterator[None]:
    """Hold the lock for one program at a time; it ends with the process. Raises AppError("training_setup_running")."""
    lock = filelock.FileLock(str(folders.base / f"{training_environment.FOLDER}.lock"), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise AppError("training_setup_running") from error
    except OSError as error:
        raise drive_error(error, folders.base, UNWRITABLE) from error
    try:
        yield
    finally:
        lock.release()


def prepare_part(folders: EnvironmentFolders) -> None:
    """Delete what an earlier attempt left, except fetched files, and create the folders. Raises AppError."""
    with drive_errors(folders.part, UNWRITABLE):
        for folder in (folders.half, folders.cache, folders.temporary, folders.discarded):
            if folder.exists():
                shutil.rmtree(folder)
        for folder in (folders.part, folders.wheels, folders.cache, folders.temporary, folders.discarded):
            folder.mkdir(mode=0o700, exist_ok=True)


def finish_renaming(folders: EnvironmentFolders) -> None:
    """Finish the renames of a program that ended between two of them. Raises AppError."""
    with drive_errors(folders.final, UNWRITABLE):
        if folders.old.exists() and not folders.final.exists():
            folders.old.rename(folders.final)
        if folders.swapped.exists():
            folders.swapped.rename(folders.final if not folders.final.exists() else folders.old)


def replace_current(folders: EnvironmentFolders) -> None:
    """Replace the current environment by the new one; if a rename fails, undo the others. Raises AppError."""
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
        raise drive_error(error, folders.final, UNWRITABLE) from error
    shutil.rmtree(folders.part, ignore_errors=True)  # the next attempt deletes the rest


def restore_previous(base: Path) -> None:
    """Swap the current and the previous environment. Raises AppError, training_no_previous if there is none."""
    folders = EnvironmentFolders(base)
    with locked(folders):
        finish_renaming(folders)
        if not folders.old.exists():
            raise AppError("training_no_previous", path=str(folders.old))
        with drive_errors(folders.final, UNWRITABLE):
            folders.final.rename(folders.swapped)
            folders.old.rename(folders.final)
            folders.swapped.rename(folders.old)


def discard_part(base: Path) -> None:
    """Delete what an attempt left, including fetched packages, unless another program is using it."""
    folders = EnvironmentFolders(base)
    until = time.monotonic() + ENDING_S
    while folders.part.exists() and time.monotonic() < until:  # a killed process may still hold the lock or write
        with contextlib.suppress(AppError), locked(folders):
            shutil.rmtree(folders.part, ignore_errors=True)
        if folders.part.exists():
            time.sleep(0.05)


def is_same(one: Path, other: Path) -> bool:
    """Return whether both paths lead to the same folder, by a link, a mapped drive or another case."""
    try:
        return one == other or one.samefile(other)
    except OSError:  # one of them is missing
        return False


def record_attempt(data: Path, base: Path) -> None:
    """Record that an environment is being made in `base`.

    Remains elsewhere are deleted, or stay recorded while unreachable.

    Raises AppError.
    """
    _write_attempts(data, _discard_parts(data, base), str(base))


def list_attempts(data: Path) -> list[Path]:
    """Return the folders of unfinished attempts."""
    return [Path(name) for name in _read_attempts(data) if name]


def proposed_base(data: Path) -> Path:
    """Return the folder to propose: that of the last attempt, which can then resume, otherwise the current one."""
    tried = _read_attempts(data)[-1]
    return Path(tried) if tried and Path(tried).is_dir() else training_environment.base_folder(data)


def forget_attempts(data: Path) -> None:
    """Delete what attempts left; those on a missing drive stay recorded. Raises AppError."""
    _write_attempts(data, _discard_parts(data), "")


def _discard_parts(data: Path, kept: Path | None = None) -> list[Path]:
    """Delete the remains of all attempts but `kept`; return the folders that are missing or in use elsewhere."""
    others = [base for base in list_attempts(data) if kept is None or not is_same(base, kept)]
    for base in others:
        discard_part(base)
    return [base for base in others if not base.is_dir() or EnvironmentFolders(base).part.exists()]


def _read_attempts(data: Path) -> list[str]:
    """Return the recorded folders; the last is the one to resume, "" if there is none."""
    try:
        return read_regular(data / ATTEMPT, _ATTEMPT_BYTES).decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return [""]


def _write_attempts(data: Path, left: list[Path], tried: str) -> None:
    text = "\0".join([*map(str, left), tried])
    with drive_errors(data, UNWRITABLE):
        if text:
            write_atomically(data / ATTEMPT, text.encode("utf-8", "surrogateescape"))
        else:
            (data / ATTEMPT).unlink(missing_ok=True)


def remove_all(data: Path) -> None:
    """Delete the environment made here, wherever it is, and what attempts left. Raises AppError."""
    bases = (training_environment.base_folder(data), data)
    for base in dict.fromkeys(base for base in bases if base.is_dir()):
        remove_environment(base)
    forget_attempts(data)


def remove_environment(base: Path) -> None:
    """Delete the environment below `base` and what unfinished attempts left there. Raises AppError."""
    folders = EnvironmentFolders(base)
    there = (folders.final, folders.old, folders.swapped, folders.pythons)
    if not any(folder.exists() for folder in (*there, folders.part)):
        return
    with locked(folders), drive_errors(folders.final, UNWRITABLE):
        folders.part.mkdir(mode=0o700, exist_ok=True)
        for number, folder in enumerate(there):
            if folder.exists():  # a rename hides it at once: a half-deleted folder could be found
                folder.rename(folders.part / f"removed-{number}")
        shutil.rmtree(folders.part)


def write_stamp(folder: Path, lock: PackageLock, key: str) -> None:
    """Write the stamp that marks a working environment. `key`: `training_environment.key`. Raises OSError."""
    stamp = {"lock": lock.name, "digest": lock.digest, "key": key}
    write_atomically(folder / training_environment.STAMP, json.dumps(stamp).encode("ascii"))


def is_current(folder: Path) -> bool:
    """Return whether it has the libraries of this version of Kotae; True for an environment made by hand."""
    try:
        stamp: Any = strict_json.load_file(folder / training_environment.STAMP)
    except OSError:
        return True
    except ValueError:
        return False
    lock = locks.named(str(stamp.get("lock"))) if isinstance(stamp, dict) else None
    return lock is not None and stamp.get("digest") == lock.digest


_RELATIVE = EnvironmentFolders(Path())
_RESERVED_NAMES = {
    path.name for path in (_RELATIVE.final, _RELATIVE.old, _RELATIVE.swapped, _RELATIVE.pythons, _RELATIVE.part)
}


def require_usable_base(base: Path) -> None:
    """Check that the folder can hold an environment, by a trial in a temporary folder.

    The free space is checked elsewhere.

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
    """Check that nothing foreign would be replaced or used, and that the folder lies in none that will be deleted.

    A folder that this Kotae has not used before must contain none of its names: programs in it, and the stamp that
    names their maker, may have come with the drive.

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
    """Return the folder under the path by which it is already in use, if it is."""
    known = (training_environment.base_folder(data), data)
    return next((folder for folder in known if is_same(base, folder)), base)


def _require_links(trial: Path, base: Path) -> None:
    """Check that the file system has links, which a venv needs except on Windows. FAT and exFAT have none."""
    if os.name != "posix":
        return
    try:
        (trial / "link").symlink_to("target")
    except OSError as error:
        raise AppError("training_place_no_links", path=str(base)) from error


def _require_programs(base: Path) -> None:
    """Check that programs can be started: memory sticks may be mounted without that right."""
    if os.name == "posix" and os.statvfs(base).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise AppError("training_place_no_programs", path=str(base))


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """The state of the training environment, for the user."""

    python: Path | None  # None: there is none
    size_bytes: int = 0  # 0: it is no venv
    probe: EnvironmentProbe | None = None
    problem: AppError | None = None  # why it cannot be used
    is_own: bool = False  # made by Kotae, which may delete it
    is_current: bool = True  # False: made by another version of Kotae, with other libraries
    left_bytes: int = 0  # of unfinished attempts
    previous_bytes: int = 0  # of the previous environment, which can be restored; 0: there is none
    base: Path | None = None  # the folder that contains it, or would contain it


def report_environment(data: Path) -> EnvironmentReport:
    """Report the environment. Takes seconds: it imports torch there and adds up the sizes."""
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
