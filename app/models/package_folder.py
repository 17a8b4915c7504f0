"""Keep a folder of locked packages from which this Python imports an optional part of the program.

The wheels are unpacked here and not by uv, which needs a Python program that a bundle does not have; the packages of
these locks bring nothing that only an installer could place. The folder is made beside the old one and renamed when it
is complete, with a stamp that only this machine can sign: a data folder may come from another person, and code in it is
loaded only if Kotae has put it there. The stamp has a digest of all files, which is checked before they are loaded.
"""

import compileall
import contextlib
import hashlib
import json
import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from app.base import authenticity
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.input_file import sha256_of
from app.base.files.output_file import drive_errors, require_space, write_atomically
from app.models.package_locks import PackageLock

STAMP = "kotae-packages.json"
UNPACKED = 3  # size of the unpacked packages with their bytecode, relative to the wheels: measured 2.6


def locate(folder: Path, lock: PackageLock | None) -> Path | None:
    """Return the folder if Kotae unpacked packages for this system and Python into it on this machine.

    `lock`: the current one, which may be newer than the packages; None: there is none for this machine. This takes
    milliseconds, so it does not look at the packages: call `is_unchanged` before anything is imported from them.
    """
    return folder if _own_stamp(folder, lock) else None


def version(folder: Path, lock: PackageLock | None) -> str:
    """Return a text that changes when the packages are installed, replaced or removed; "" without packages."""
    return str(_own_stamp(folder, lock).get("mac", ""))


def is_current(folder: Path, lock: PackageLock | None) -> bool:
    """Whether the folder holds the packages of this lock, not those of an earlier version of Kotae, or none."""
    return lock is not None and _own_stamp(folder, lock).get("digest") == lock.digest


def is_unchanged(folder: Path, lock: PackageLock | None) -> bool:
    """Whether every file of the packages is as it was unpacked, and none was added. Reads all: 0.5 s for 300 MB."""
    try:
        return _own_stamp(folder, lock).get("files") == _digest_files(folder)
    except OSError:
        return False


def install(lock: PackageLock, folder: Path, fetch: Callable[[Path], None]) -> None:
    """Make the folder, or replace it. `fetch`: puts the lock's verified wheels into a folder.

    The wheels of a failed attempt are kept for the next one. Raises AppError("packages_busy" | "packages_unwritable" |
    "drive_space") and what `fetch` raises.
    """
    work = _work_folder(folder)
    with drive_errors(folder, "packages_unwritable"), _locked(folder):
        new, wheels = work / "packages", work / "wheels"
        _restore(folder)
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
            shutil.rmtree(work / "old", ignore_errors=True)
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
            folder.rename(work / "removed")
        shutil.rmtree(work, ignore_errors=True)


def recover(folder: Path) -> None:
    """Put back the packages that an installation had moved aside when it was killed."""
    if (_work_folder(folder) / "old").exists() and not folder.exists():
        with contextlib.suppress(AppError, OSError), _locked(folder):
            _restore(folder)


def _restore(folder: Path) -> None:
    old = _work_folder(folder) / "old"
    if old.exists() and not folder.exists():
        old.rename(folder)


def _work_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock that only one program can have; it ends with the process. Raises AppError("packages_busy")."""
    import filelock  # here, because the reading child waits for this module and installs nothing

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
    files = _digest_files(new)
    mac = authenticity.sign_for_this_machine(purpose, *_signed(lock.name, lock.digest, files))
    stamp = {"lock": lock.name, "digest": lock.digest, "files": files, "mac": mac, "python": sys.version.split()[0]}
    write_atomically(new / STAMP, json.dumps(stamp).encode("ascii"))


def _own_stamp(folder: Path, lock: PackageLock | None) -> dict[str, Any]:
    """Return the stamp that this machine has signed for the lock's system and Python; {} if there is none."""
    try:
        stamp = strict_json.load_file(folder / STAMP)
    except (OSError, ValueError):
        return {}
    if lock is None or not isinstance(stamp, dict) or stamp.get("lock") != lock.name:
        return {}
    parts = _signed(lock.name, stamp.get("digest"), stamp.get("files"))
    return stamp if authenticity.is_signed_by_this_machine(stamp.get("mac"), folder.name, *parts) else {}


def _signed(*parts: object) -> list[bytes]:
    return [str(part).encode("utf-8", "replace") for part in parts]


def _digest_files(folder: Path) -> str:
    """Return the SHA-256 of the relative paths and contents of all files except the stamp. Raises OSError.

    Bytecode is included, because Python prefers it to its source. A link counts as one and is not followed.
    """
    digest = hashlib.sha256()
    for base, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(base, name).is_symlink()]
        for path in (Path(base, name) for name in sorted([*names, *links])):
            if path != folder / STAMP:
                content = "link" if path.is_symlink() else sha256_of(path)
                digest.update(f"{path.relative_to(folder).as_posix()}\0{content}\n".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
