"""Read the lock files, each with the exact files of an environment or part for one system and Python version.

packaging/training_lock.py writes them. Nothing that is not locked is installed, so without a lock there is no
training environment and no part for text recognition (OCR). A lock file consists of entries like this:

    # torch-2.13.0-cp312-cp312-win_amd64.whl 122057313
    torch==2.13.0 \\
        --hash=sha256:024c…
"""

import hashlib
import platform
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.base.paths import resources

VARIANTS = ("cpu", "cuda")
Python = tuple[int, int]

_NAME = re.compile(r"(cpu|cuda|ocr)-([a-z0-9]+-[a-z0-9_]+)-py(\d)(\d\d)")
_ENTRY = re.compile(r"^# (\S+\.whl) (\d+)\n([a-z0-9-]+)==(\S+) \\\n    --hash=sha256:([0-9a-f]{64})\n", re.MULTILINE)
_MACHINES = {"amd64": "x86_64"}  # Windows' name for it


@dataclass(frozen=True, slots=True)
class LockedFile:
    """Describes a wheel in a lock."""

    package: str
    version: str
    name: str  # file name
    size_bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{self.package}=={self.version}"


@dataclass(frozen=True, slots=True)
class PackageLock:
    """Holds the content of a lock file."""

    path: Path
    variant: str  # one of VARIANTS, or "ocr"
    system: str  # "linux-x86_64", as `this_system` returns it
    python: Python
    files: tuple[LockedFile, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def size_bytes(self) -> int:
        """Return the total size of all wheels, which must be downloaded."""
        return sum(file.size_bytes for file in self.files)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def folder() -> Path:
    return resources() / "training_environment" / "locked"


def ocr_lock() -> PackageLock | None:
    """Return the lock of the packages that recognize text, for this machine and this Python; None if there is none."""
    name = f"ocr-{this_system()}-py{sys.version_info[0]}{sys.version_info[1]}"
    path = resources() / "ocr" / "locked" / f"{name}.txt"
    return _read_lock(path) if path.is_file() else None


def this_system() -> str:
    kind = platform.machine().lower()
    return f"{sys.platform}-{_MACHINES.get(kind, kind)}"


def all_locks(system: str = "") -> tuple[PackageLock, ...]:
    """Return the locks for a kind of machine ("": this one), newest Python first."""
    wanted = system or this_system()
    found = [
        lock for path in folder().glob("*.txt") if (lock := _read_lock(path)) is not None and lock.system == wanted
    ]
    return tuple(sorted(found, key=lambda lock: (lock.python, lock.variant), reverse=True))


def find_lock(name: str) -> PackageLock | None:
    """Return the lock of this name; None if this version of Kotae has none."""
    path = folder() / f"{name}.txt"
    return _read_lock(path) if _NAME.fullmatch(name) and path.is_file() else None


def has_card() -> bool:
    """Return whether this machine has an NVIDIA GPU; on Linux, even without its driver. May take seconds."""
    from app.inference import machine  # here, because the reading child waits for this module and needs no GPU

    return any(gpu.name not in ("AMD", "Intel") for gpu in machine.list_gpus())


def proposed_variant(variant: str = "", system: str = "") -> str:
    """Return `variant` unless it is "", else cuda if this machine's GPU and the locks support it, else cpu."""
    known = {lock.variant for lock in all_locks(system)}
    return variant or ("cuda" if "cuda" in known and has_card() else "cpu")


def fitting(variant: str, system: str = "", pythons: Collection[Python] | None = None) -> tuple[PackageLock, ...]:
    """Return the locks of a variant, newest Python first. `pythons`: restrict to these versions.

    Raises AppError("training_no_lock") if there is none.
    """
    ours = all_locks(system)
    found = tuple(lock for lock in ours if lock.variant == variant and (pythons is None or lock.python in pythons))
    if not found:
        others = sorted({f"--variant {lock.variant} --python-version {dotted(lock.python)}" for lock in ours})
        have = ", ".join(others) or "-"
        wanted = "/".join(dotted(python) for python in sorted(pythons)) if pythons else "-"
        raise AppError("training_no_lock", variant=variant, system=system or this_system(), python=wanted, have=have)
    return found


def versions(locks: Sequence[PackageLock]) -> tuple[Python, ...]:
    return tuple(dict.fromkeys(lock.python for lock in locks))


def python_from(text: str) -> Python | None:
    """Return (3, 12) for "3.12"; None for anything else."""
    found = re.fullmatch(r"(\d)\.(\d{1,2})", text)
    return (int(found[1]), int(found[2])) if found else None


def dotted(python: Sequence[int]) -> str:
    return ".".join(str(number) for number in python)


def _read_lock(path: Path) -> PackageLock | None:
    found = _NAME.fullmatch(path.stem)
    if found is None:
        return None
    entries = _ENTRY.findall(path.read_text("utf-8"))
    files = tuple(
        LockedFile(package, version, name, int(size), digest) for name, size, package, version, digest in entries
    )
    return PackageLock(path, found[1], found[2], (int(found[3]), int(found[4])), files)
