"""The Pythons that a kit may bring: files of python-build-standalone, each pinned by its hash beside the locks.

    linux-x86_64 3.12 6a9e… cpython-3.12.16+20261110-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz

Written by packaging/training_pythons.py. No other Python out of a kit is unpacked or started: whoever makes a kit also
writes its table, so that a hash in there says nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.files.output_file import CopyProgress, hash_file
from app.models import package_locks as locks
from app.models.package_locks import PackageLock, Python

LIST_NAME = "pythons.txt"
ARCHIVE_MAX_BYTES = 300_000_000  # the largest has 60 MB
_PIN = re.compile(r"^([a-z0-9]+-[a-z0-9_]+) (\d\.\d+) ([0-9a-f]{64}) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PinnedPython:
    system: str  # as `locks.this_system`
    python: Python
    sha256: str
    name: str  # of the file, as its makers call it


def pinned() -> Iterator[PinnedPython]:
    """Yield what the list holds, of each kind of machine and Python the newest first."""
    path = locks.folder() / LIST_NAME
    for system, version, sha256, name in _PIN.findall(path.read_text("utf-8")) if path.is_file() else ():
        python = locks.python_from(version)
        assert python is not None
        yield PinnedPython(system, python, sha256, name)


def with_hash(sha256: str) -> PinnedPython | None:
    """Return the one of that content; None: Kotae does not know it."""
    return next((pin for pin in pinned() if pin.sha256 == sha256), None)


def newest(system: str, python: Python) -> PinnedPython | None:
    """Return the one to be proposed for that kind of machine."""
    return next((pin for pin in pinned() if (pin.system, pin.python) == (system, python)), None)


def require(path: Path, sha256: str, lock: PackageLock) -> PinnedPython:
    """Return the pin of a Python that goes with `lock`. `path`: the file that has that hash, for the sentence.

    Raises AppError: python_archive_unknown, python_archive_other.
    """
    pin = with_hash(sha256)
    if pin is None:
        raise unknown(path, lock.system, lock.python)
    if (pin.system, pin.python) != (lock.system, lock.python):
        have, wanted = (f"{locks.dotted(one.python)}, {one.system}" for one in (pin, lock))
        raise AppError("python_archive_other", path=str(path), have=have, wanted=wanted)
    return pin


def of_file(path: Path, system: str = "", python: Python | None = None) -> PinnedPython:
    """Return the pin of a file by its content. `system`, `python`: what it is for, for the sentence.

    Raises AppError: file_unreadable, python_archive_unknown.
    """
    try:
        is_small = path.is_file() and path.stat().st_size <= ARCHIVE_MAX_BYTES
        pin = with_hash(hash_file(path, CopyProgress(lambda _done, _total: None, 0))) if is_small else None
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    if pin is None:
        raise unknown(path, system or locks.this_system(), python)
    return pin


def unknown(path: Path, system: str, python: Python | None) -> AppError:
    """Return the refusal, with the names of the files that are taken."""
    fitting = [pin for pin in pinned() if pin.system == system and python in (None, pin.python)]
    newest_of_each = {pin.python: pin.name for pin in reversed(fitting)}
    names = ", ".join(newest_of_each[version] for version in sorted(newest_of_each, reverse=True)) or "-"
    return AppError("python_archive_unknown", path=str(path), names=names)
