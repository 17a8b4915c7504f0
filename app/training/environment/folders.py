"""Manage the folders of the training environment: make, replace, restore, delete and report it.

A new environment is made in a side folder and renamed when it works, so that the current one keeps working until then;
the previous one is kept and can be restored. Renaming is safe: only `python` is used, which reads the pyvenv.cfg next
to itself, while a venv's scripts contain their original path. A venv does contain the path of its base Python, so a
Python from a kit or the network has a folder of its own that is never moved.

The environment may be on another drive than the data. While it is made, a file in the data folder records its location,
so that downloaded packages can be reused. The module also checks whether a folder can hold an environment.
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

from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import read_regular
from app.base.files.output_file import drive_error, drive_errors, write_atomically
from app.base.files.work_folder import folder_size_bytes
from app.models import package_locks as locks
from app.models import training_environment
from app.models.package_locks import PackageLock
from app.models.training_environment import EnvironmentProbe

ATTEMPT = f"{training_environment.FOLDER}.attempt"  # in the data folder: folders of attempts, joined with "\0"
_ATTEMPT_BYTES = 1 << 20
UNWRITABLE = "training_environment_unwritable"
ENDING_S = 2.0  # seconds for a killed process to end


@dataclass(frozen=True, slots=True)
class EnvironmentFolders:
    """The folders of an environment, all inside the data folder or a folder that the user chose."""

    base: Path

    @property
    def final(self) -> Path:
        return self.base / training_environment.FOLDER

    @property
    def old_folder(self) -> Path:
        """Return the previous environment's folder, which `training_environment.locate` uses between two renames."""
        return self.base / training_environment.OLD_FOLDER

    @property
    def swapped(self) -> Path:
        """Return the temporary name of the current environment while it changes places with the previous one."""
        return self.base / f"{training_environment.FOLDER}.swapped"

    @property
    def pythons(self) -> Path:
        """Return the folder of Kotae's own base Pythons."""
        return self.base / f"{training_environment.FOLDER}.python"

    @property
    def part_folder(self) -> Path:
        """Return the folder of the unfinished environment and of downloaded files, which the next attempt reuses."""
        return self.base / f"{training_environment.FOLDER}.part"

    @property
    def half(self) -> Path:
        return self.part_folder / "environment"

    @property
    def discarded(self) -> Path:
        """Return the folder for what is deleted later.

        Renaming an environment into it takes it out of use at once; a half-deleted environment could still be used.
        """
        return self.part_folder / "discarded"

    @property
    def wheels(self) -> Path:
        """Return the folder of files that were downloaded or joined from a kit's parts."""
        return self.part_folder / "wheels"

    @property
    def cache(self) -> Path:
        """Return uv's cache of unpacked wheels. It is on the same drive, so that uv need not copy the files again."""
        return self.part_folder / "cache"

    @property
    def temporary(self) -> Path:
        """Return the folder for temporary files: the system's own may be in memory and smaller than one wheel."""
        return self.part_folder / "tmp"


@contextlib.contextmanager
def locked(folders: EnvironmentFolders) -> Iterator[None]:
    """Hold the lock that only one program can have; it ends with the process.

    Raises AppError("training_setup_running") if another program holds it.
    """
    import filelock  # here, because commands wait for this module

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
    """Create the folders for an attempt and delete an earlier attempt's files except downloads. Raises AppError."""
    with drive_errors(folders.part_folder, UNWRITABLE):
        for folder in (folders.half, folders.cache, folders.temporary, folders.discarded):
            if folder.exists():
                shutil.rmtree(folder)
        for folder in (folders.part_folder, folders.wheels, folders.cache, folders.temporary, folders.discarded):
            folder.mkdir(mode=0o700, exist_ok=True)


def finish_renaming(folders: EnvironmentFolders) -> None:
    """Complete the renames of a program that ended between two of them. Raises AppError."""
    with drive_errors(folders.final, UNWRITABLE):
        if folders.old_folder.exists() and not folders.final.exists():
            folders.old_folder.rename(folders.final)
        if folders.swapped.exists():
            folders.swapped.rename(folders.final if not folders.final.exists() else folders.old_folder)


def replace_current(folders: EnvironmentFolders) -> None:
    """Replace the current environment by the new one; if a rename fails, undo the earlier ones. Raises AppError."""
    renames = [(folders.half, folders.final)]
    if folders.final.exists():
        renames.insert(0, (folders.final, folders.old_folder))
        if folders.old_folder.exists():
            renames.insert(0, (folders.old_folder, folders.discarded / "old"))
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
    shutil.rmtree(folders.part_folder, ignore_errors=True)  # the next attempt deletes what remains


def restore_previous(base: Path) -> None:
    """Swap the current and the previous environment. Raises AppError, training_no_previous if there is none."""
    folders = EnvironmentFolders(base)
    with locked(folders):
        finish_renaming(folders)
        if not folders.old_folder.exists():
            raise AppError("training_no_previous", path=str(folders.old_folder))
        with drive_errors(folders.final, UNWRITABLE):
            folders.final.rename(folders.swapped)
            folders.old_folder.rename(folders.final)
            folders.swapped.rename(folders.old_folder)


def discard_part(base: Path) -> None:
    """Delete the files of an attempt, including downloaded packages, unless another program is using them."""
    folders = EnvironmentFolders(base)
    until = time.monotonic() + ENDING_S
    while (
        folders.part_folder.exists() and time.monotonic() < until
    ):  # a killed process may still hold the lock or write
        with contextlib.suppress(AppError), locked(folders):
            shutil.rmtree(folders.part_folder, ignore_errors=True)
        if folders.part_folder.exists():
            time.sleep(0.05)


def is_same(path: Path, other: Path) -> bool:
    """Return whether both paths lead to the same folder, even through a link, a mapped drive or other letter case."""
    try:
        return path == other or path.samefile(other)
    except OSError:  # one of the folders is missing
        return False


def record_attempt(data: Path, base: Path) -> None:
    """Record that an environment is being made in `base`, and delete the files of attempts in other folders.

    Folders that cannot be reached now stay recorded. Raises AppError.
    """
    _write_attempts(data, _discard_parts(data, base), str(base))


def list_attempts(data: Path) -> list[Path]:
    """Return the base folders of unfinished attempts."""
    return [Path(name) for name in _read_attempts(data) if name]


def proposed_base(data: Path) -> Path:
    """Return the base folder to propose: that of the last attempt, which can then resume, otherwise the current one."""
    tried = _read_attempts(data)[-1]
    return Path(tried) if tried and Path(tried).is_dir() else training_environment.base_folder(data)


def forget_attempts(data: Path) -> None:
    """Delete the files of all attempts; folders on a missing drive stay recorded. Raises AppError."""
    _write_attempts(data, _discard_parts(data), "")


def _discard_parts(data: Path, kept_path: Path | None = None) -> list[Path]:
    """Delete the files of all attempts except in `kept_path`; return the folders that are missing or still in use."""
    others = [base for base in list_attempts(data) if kept_path is None or not is_same(base, kept_path)]
    for base in others:
        discard_part(base)
    return [base for base in others if not base.is_dir() or EnvironmentFolders(base).part_folder.exists()]


def _read_attempts(data: Path) -> list[str]:
    """Return the recorded folders; the last is the one to resume, or "" if there is none."""
    try:
        return read_regular(data / ATTEMPT, _ATTEMPT_BYTES).decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return [""]


def _write_attempts(data: Path, left_files: list[Path], tried: str) -> None:
    text = "\0".join([*map(str, left_files), tried])
    with drive_errors(data, UNWRITABLE):
        if text:
            write_atomically(data / ATTEMPT, text.encode("utf-8", "surrogateescape"))
        else:
            (data / ATTEMPT).unlink(missing_ok=True)


def remove_environment_and_attempts(data: Path) -> None:
    """Delete Kotae's environment, wherever it is, and the files of all attempts. Raises AppError."""
    bases = (training_environment.base_folder(data), data)
    for base in dict.fromkeys(base for base in bases if base.is_dir()):
        remove_environment(base)
    forget_attempts(data)


def remove_environment(base: Path) -> None:
    """Delete the environment inside `base` and the files of unfinished attempts there. Raises AppError."""
    folders = EnvironmentFolders(base)
    there = (folders.final, folders.old_folder, folders.swapped, folders.pythons)
    if not any(folder.exists() for folder in (*there, folders.part_folder)):
        return
    with locked(folders), drive_errors(folders.final, UNWRITABLE):
        folders.part_folder.mkdir(mode=0o700, exist_ok=True)
        for number, folder in enumerate(there):
            if folder.exists():  # the rename takes it out of use before it is half deleted
                folder.rename(folders.part_folder / f"removed-{number}")
        shutil.rmtree(folders.part_folder)


def write_stamp(folder: Path, lock: PackageLock, key: str) -> None:
    """Write the stamp of a working environment. `key`: the value of `training_environment.key`. Raises OSError."""
    stamp = {"lock": lock.name, "digest": lock.digest, "key": key}
    write_atomically(folder / training_environment.STAMP, json.dumps(stamp).encode("ascii"))


def is_current(folder: Path) -> bool:
    """Return whether the environment has the libraries of this version of Kotae; True if the user made it."""
    try:
        stamp: Any = strict_json.load_file(folder / training_environment.STAMP)
    except OSError:
        return True
    except ValueError:
        return False
    lock = locks.find_lock(str(stamp.get("lock"))) if isinstance(stamp, dict) else None
    return lock is not None and stamp.get("digest") == lock.digest


_RELATIVE = EnvironmentFolders(Path())
_RESERVED_NAMES = {
    path.name
    for path in (_RELATIVE.final, _RELATIVE.old_folder, _RELATIVE.swapped, _RELATIVE.pythons, _RELATIVE.part_folder)
}


def require_usable_base(base: Path) -> None:
    """Raise an error unless the folder can hold an environment, which is tried in a temporary folder inside it.

    The free space is not checked here.

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
    """Raise an error if an environment in `base` would replace or use foreign files, or be inside one to be deleted.

    A folder that this Kotae has not used before must not contain any of the environment's file names: programs, and a
    stamp that claims to be Kotae's, may have come with the drive.

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
    for folder in (
        where.final,
        where.old_folder,
        where.swapped,
        *(() if begun else (where.pythons, where.part_folder)),
    ):
        if os.path.lexists(folder):
            raise AppError("training_place_taken", path=str(folder))


def known_base(base: Path, data: Path) -> Path:
    """Return the folder under the path that Kotae already uses for it; `base` itself if it is not in use."""
    known = (training_environment.base_folder(data), data)
    return next((folder for folder in known if is_same(base, folder)), base)


def _require_links(trial: Path, base: Path) -> None:
    """Raise an error if the file system lacks symbolic links (FAT, exFAT), which a venv needs except on Windows."""
    if os.name != "posix":
        return
    try:
        (trial / "link").symlink_to("target")
    except OSError as error:
        raise AppError("training_place_no_links", path=str(base)) from error


def _require_programs(base: Path) -> None:
    """Raise an error if the drive is mounted so that programs cannot start, as some memory sticks are."""
    if os.name == "posix" and os.statvfs(base).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise AppError("training_place_no_programs", path=str(base))


@dataclass(frozen=True, slots=True)
class EnvironmentReport:
    """The state of the training environment, to show to the user."""

    python: Path | None  # None: there is no environment
    size_bytes: int = 0  # 0: the environment is not a venv
    probe: EnvironmentProbe | None = None
    problem: AppError | None = None  # the reason why it cannot be used
    is_own: bool = False  # Kotae made it and may delete it
    is_current: bool = True  # False: another version of Kotae made it, with other libraries
    left_bytes: int = 0  # size of the files of unfinished attempts
    previous_bytes: int = 0  # size of the previous environment, which can be restored; 0: none
    base: Path | None = None  # the folder that contains the environment, or would contain it


def report_environment(data: Path) -> EnvironmentReport:
    """Return the state of the environment. This takes seconds: it imports torch there and adds up file sizes."""
    base = training_environment.base_folder(data)
    bases = [EnvironmentFolders(one) for one in dict.fromkeys((base, data))]
    left = sum(
        folder_size_bytes(EnvironmentFolders(one).part_folder)
        for one in dict.fromkeys((base, data, *list_attempts(data)))
    )
    try:
        environment = training_environment.locate(data)
    except AppError as none:
        is_away = not base.is_dir()  # its drive is not connected
        error = AppError("training_place_missing", path=str(base)) if is_away else none
        return EnvironmentReport(None, problem=error, left_bytes=left, base=proposed_base(data))
    folder = environment.python.parent.parent
    where = next((one for one in bases if folder in (one.final, one.old_folder)), None)
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
        previous_bytes=folder_size_bytes(where.old_folder) if where and folder != where.old_folder else 0,
        base=base,
    )
