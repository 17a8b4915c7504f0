"""Keep a folder of locked packages from which this Python imports an optional part of the program.

The wheels are unpacked here and not by uv, which needs a Python program that a bundle does not have; the packages of
these locks bring nothing that only an installer could place. The folder is made beside the old one and renamed when it
is complete, with a stamp that only this machine can sign: a data folder may come from another person, and code in it is
loaded only if Kotae has put it there.
"""

import compileall
import contextlib
import json
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock

from app.base import authenticity
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import drive_errors, require_space, write_atomically
from app.models.package_locks import PackageLock

STAMP = "kotae-packages.json"
UNPACKED = 3  # size of the unpacked packages with their bytecode, relative to the wheels: measured 2.6


def locate(folder: Path, lock: PackageLock | None) -> Path | None:
    """Return the folder if it holds packages for this system and Python that Kotae unpacked on this machine.

    `lock`: the current one, which may be newer than the packages; None: there is none for this machine.
    """
    try:
        stamp = strict_json.load_file(folder / STAMP)
    except (OSError, ValueError):
        return None
    if lock is None or not isinstance(stamp, dict) or stamp.get("lock") != lock.name:
        return None
    parts = (lock.name.encode(), str(stamp.get("digest")).encode())
    return folder if authenticity.is_signed_by_this_machine(stamp.get("mac"), folder.name, *parts) else None


def is_current(folder: Path, lock: PackageLock) -> bool:
    """Whether a located folder holds the packages of this lock, not those of an earlier version of Kotae."""
    return bool(strict_json.load_file(folder / STAMP)["digest"] == lock.digest)


def install(lock: PackageLock, folder: Path, fetch: Callable[[Path], None]) -> None:
    """Make the folder, or replace it. `fetch`: puts the lock's verified wheels into a folder.

    The wheels of a failed attempt are kept for the next one. Raises AppError("packages_busy" | "packages_unwritable" |
    "drive_space") and what `fetch` raises.
    """
    work = _work_folder(folder)
    with drive_errors(folder, "packages_unwritable"), _locked(folder):
        new, wheels = work / "packages", work / "wheels"
        shutil.rmtree(new, ignore_errors=True)
        wheels.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = sum(path.stat().st_size for path in wheels.iterdir())
        require_space(work, max(0, (UNPACKED + 1) * lock.size_bytes - kept))
        fetch(wheels)
        for file in lock.files:
            with zipfile.ZipFile(wheels / file.name) as archive:
                archive.extractall(new)
        compileall.compile_dir(new, quiet=2, workers=1)  # a reading child may write nothing here
        _write_stamp(new, folder.name, lock)
        if folder.exists():
            folder.rename(work / "old")
        new.rename(folder)
        shutil.rmtree(work, ignore_errors=True)


def remove(folder: Path) -> None:
    """Delete the folder and the files of attempts. Raises AppError("packages_busy" | "packages_unwritable")."""
    work = _work_folder(folder)
    with drive_errors(folder, "packages_unwritable"), _locked(folder):
        if folder.exists():  # the rename takes it out of use before it is half deleted
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(mode=0o700, exist_ok=True)
            folder.rename(work / "old")
        shutil.rmtree(work, ignore_errors=True)


def _work_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that only one program can have; it ends with the process. Raises AppError("packages_busy")."""
    lock = filelock.FileLock(str(folder.with_name(f"{folder.name}.lock")), timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise AppError("packages_busy") from error
    try:
        yield
    finally:
        lock.release()


def _write_stamp(new: Path, purpose: str, lock: PackageLock) -> None:
    mac = authenticity.sign_for_this_machine(purpose, lock.name.encode(), lock.digest.encode())
    stamp = {"lock": lock.name, "digest": lock.digest, "mac": mac, "python": sys.version.split()[0]}
    write_atomically(new / STAMP, json.dumps(stamp).encode("ascii"))
