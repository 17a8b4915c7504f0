"""Locate or unpack the Python from which the training environment is made.

It is the base of the running Python, an installed one, or one that Kotae unpacked from a kit's archive or that uv
downloaded. Each of these own Pythons has a folder that is never moved. An archive is laid out as
python-build-standalone's "install_only": `python/bin/python3`; `python/python.exe` on Windows.

Kits may contain only archives of python-build-standalone that `pythons.txt` (next to the locks) pins by hash:

    linux-x86_64 3.12 6a9e… cpython-3.12.16+20261110-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz

packaging/training_pythons.py writes that list. A kit's own table proves nothing, since the author of the kit writes it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base import programs
from app.base.errors import AppError
from app.base.files.input_file import read_regular
from app.base.files.output_file import CopyProgress, drive_error, hash_file
from app.models import package_locks as locks
from app.models import training_environment
from app.models.package_locks import PackageLock, Python
from app.training.environment import folders
from app.training.environment.folders import UNWRITABLE, EnvironmentFolders

PROBE_LIMIT_S = 20.0

_PROBE = """\
import ctypes, json, ssl, sys, sysconfig, zlib
is_usual = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")
if not is_usual or sys.maxsize < 2**32:
    sys.exit("no wheel of a lock is for this one")
print(json.dumps([sys.executable, list(sys.version_info[:3])]))
"""


@dataclass(frozen=True, slots=True)
class BasePython:
    path: Path
    version: tuple[int, int, int]


def find_python(versions: Sequence[Python], own_folders: Sequence[Path] = ()) -> BasePython | None:
    """Return a Python of one of these versions; None if there is none.

    `own_folders`: Kotae's own Pythons, tried last.
    """
    return first_working(candidates(versions), versions) or first_working(
        [[str(path)] for path in own_folders], versions
    )


def first_working(commands: Iterable[list[str]], versions: Sequence[Python]) -> BasePython | None:
    """Start the commands in turn and return the first Python of one of these versions; None if there is none."""
    for command in commands:
        python = probe_python(command)
        if python is not None and python.version[:2] in versions:
            return python
    return None


def candidates(versions: Sequence[Python]) -> list[list[str]]:
    """Return commands that start a Python of this machine, the preferred ones first."""
    names = [f"{major}.{minor}" for major, minor in versions]
    found = []
    if not getattr(sys, "frozen", False):
        found.append([getattr(sys, "_base_executable", sys.executable)])
    launcher = programs.find_program("py") if os.name == "nt" else None
    if launcher:
        found += [[launcher, f"-{name}"] for name in names]
    installed = [programs.find_program(name) for name in (*(f"python{name}" for name in names), "python3", "python")]
    return found + [[program] for program in installed if program]


def probe_python(command: list[str]) -> BasePython | None:
    """Return the Python that the command starts; None if it does not start or no wheels are built for it.

    Wheels are built only for 64-bit CPython with the GIL. The Microsoft Store's placeholder and broken links do not
    start.
    """
    hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    try:
        run = subprocess.run(
            [*command, "-I", "-X", "utf8", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_LIMIT_S,
            check=True,
            creationflags=hidden,
        )
        path, version = json.loads(run.stdout.decode("utf-8"))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    major, minor, micro = version
    return BasePython(Path(path), (major, minor, micro))


LIST_NAME = "pythons.txt"
ARCHIVE_MAX_BYTES = 300_000_000  # limit; the largest published archive has 60 MB
_PIN = re.compile(r"^([a-z0-9]+-[a-z0-9_]+) (\d\.\d+) ([0-9a-f]{64}) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class PinnedPython:
    system: str  # a value of `locks.this_system`
    python: Python
    sha256: str
    name: str  # file name, as published


def list_pinned() -> Iterator[PinnedPython]:
    """Yield the pinned Pythons; of each system and version, the newest comes first."""
    path = locks.folder() / LIST_NAME
    for system, version, sha256, name in _PIN.findall(path.read_text("utf-8")) if path.is_file() else ():
        python = locks.python_from(version)
        assert python is not None
        yield PinnedPython(system, python, sha256, name)


def pinned_with_hash(sha256: str) -> PinnedPython | None:
    """Return the pinned Python whose archive has this hash; None if there is none."""
    return next((pin for pin in list_pinned() if pin.sha256 == sha256), None)


def newest_pinned(system: str, python: Python) -> PinnedPython | None:
    """Return the newest pinned Python for this system and version; None if there is none."""
    return next((pin for pin in list_pinned() if (pin.system, pin.python) == (system, python)), None)


def require_pinned(path: Path, sha256: str, lock: PackageLock) -> PinnedPython:
    """Return the pinned Python of an archive if it fits `lock`. `path`: the archive's file, for error messages.

    Raises AppError: python_archive_unknown, python_archive_other.
    """
    pin = pinned_with_hash(sha256)
    if pin is None:
        raise unknown_archive_error(path, lock.system, lock.python)
    if (pin.system, pin.python) != (lock.system, lock.python):
        have, wanted = (f"{locks.dotted(one.python)}, {one.system}" for one in (pin, lock))
        raise AppError("python_archive_other", path=str(path), have=have, wanted=wanted)
    return pin


def identify_archive(path: Path, system: str = "", python: Python | None = None) -> PinnedPython:
    """Return the pinned Python of an archive by its hash. `system`, `python`: the requested ones, for error messages.

    Raises AppError: file_unreadable, python_archive_unknown.
    """
    try:
        is_small = path.is_file() and path.stat().st_size <= ARCHIVE_MAX_BYTES
        pin = pinned_with_hash(hash_file(path, CopyProgress(lambda _done, _total: None, 0))) if is_small else None
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    if pin is None:
        raise unknown_archive_error(path, system or locks.this_system(), python)
    return pin


def unknown_archive_error(path: Path, system: str, python: Python | None) -> AppError:
    """Return the error for an archive that is not pinned, with the names of the accepted files."""
    fitting = [pin for pin in list_pinned() if pin.system == system and python in (None, pin.python)]
    newest_of_each = {pin.python: pin.name for pin in reversed(fitting)}
    names = ", ".join(newest_of_each[version] for version in sorted(newest_of_each, reverse=True)) or "-"
    return AppError("python_archive_unknown", path=str(path), names=names)


def own_programs(where: EnvironmentFolders) -> list[Path]:
    """Return the Python programs that Kotae unpacked or uv downloaded into this base folder."""
    names = ("python.exe", "*/python.exe") if os.name == "nt" else ("bin/python3", "*/bin/python3")
    return sorted(path for name in names for path in where.pythons.glob(f"*/{name}"))


def trusted_programs(where: EnvironmentFolders, data: Path) -> list[Path]:
    """Return Kotae's own Pythons next to the environment in use; none from a folder that others may have filled.

    `data`: the data folder, which records the environment's location.
    """
    is_known = any(folders.is_same(where.base, base) for base in (training_environment.base_folder(data), data))
    return own_programs(where) if is_known and training_environment.is_ours(where.final, data) else []


def unpack_archive(archive: Path, sha256: str, where: EnvironmentFolders) -> None:
    """Unpack an archive to where `own_programs` searches. Raises AppError.

    `archive`: a verified file whose `sha256` is pinned. An existing folder is replaced, because its Python does not
    work.
    """
    target, half = where.pythons / sha256[:16], where.discarded / "python"
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(half, filter="data")  # refuses paths outside the target, devices and absolute links
        where.pythons.mkdir(mode=0o700, exist_ok=True)
        if target.exists():
            target.rename(where.discarded / target.name)
        half.rename(target)
    except (EOFError, tarfile.TarError) as error:
        raise AppError("python_archive_unusable", path=str(archive), reason=str(error)) from error
    except OSError as error:
        raise drive_error(error, where.pythons, UNWRITABLE) from error
    finally:
        shutil.rmtree(half, ignore_errors=True)  # remains only after an error, such as a full disk


def discard_unused_pythons(where: EnvironmentFolders, data: Path) -> None:
    """Delete Kotae's own Pythons that neither the current nor the previous environment of this data folder uses."""
    if not where.pythons.is_dir():
        return
    ours = [folder for folder in (where.final, where.old_folder) if training_environment.is_ours(folder, data)]
    used = {folder for home in map(_base_python_of, ours) if home for folder in Path(home).resolve().parents}
    for folder in where.pythons.iterdir():
        if folder.resolve() not in used:
            shutil.rmtree(folder, ignore_errors=True)  # the next attempt deletes what remains
    if not any(where.pythons.iterdir()):
        shutil.rmtree(where.pythons, ignore_errors=True)


def _base_python_of(environment: Path) -> str:
    """Return the folder of a venv's base Python as given in its pyvenv.cfg; "" if it gives none."""
    try:
        lines = read_regular(environment / "pyvenv.cfg", 1 << 16).decode("utf-8").splitlines()
    except (OSError, ValueError):
        return ""
    return next((line.partition("=")[2].strip() for line in lines if line.partition("=")[0].strip() == "home"), "")
