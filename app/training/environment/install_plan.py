"""Plan an installation: its lock, its base Python, and the space and download that it needs.

If several locks fit, the available Python decides.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from app.base.errors import AppError
from app.base.files.output_file import require_space
from app.models import package_locks as locks
from app.models import training_environment
from app.models.package_locks import PackageLock
from app.training.environment import base_pythons, kit
from app.training.environment.base_pythons import BasePython
from app.training.environment.folders import EnvironmentFolders
from app.training.environment.kit import TrainingKit


@dataclass(frozen=True, slots=True)
class InstallPlan:
    lock: PackageLock
    python: BasePython | None  # None: it comes from the kit or the network
    source: Path | None  # a folder of wheels or a kit; None: the package indexes
    kit: TrainingKit | None = None
    lacks_cuda: bool = False  # the machine has a card that the installation would not use


def plan_install(variant: str, source: Path | None, where: EnvironmentFolders, data: Path) -> InstallPlan:
    """Plan the installation into the folders `where`.

    `variant`: one of `locks.VARIANTS`; "" for the one that suits this machine. `source`: a folder of wheels or a kit;
    None for the package indexes. `data`: the data folder. No program from `source`, or from a folder that is not in use
    yet, is started. This takes seconds: it starts Pythons and queries the graphics driver. Raises AppError:
    training_no_lock, no_base_python, wheels_folder_missing, wheels_none, training_wheel_missing,
    training_wheel_damaged, and as `kit.read_kit` and `kit.lock_of` do.
    """
    found = kit.kit_in(source) if source is not None else None
    candidates = _candidates(variant, source, found)
    versions = locks.versions(candidates)
    python = base_pythons.find_python(versions, base_pythons.trusted_programs(where, data))
    lock = next((lock for lock in candidates if python and lock.python == python.version[:2]), candidates[0])
    if python is None and source is not None and (found is None or found.python is None):
        names = "/".join(locks.dotted(version) for version in versions)
        raise AppError("no_base_python", versions=names, newest=locks.dotted(versions[0]))
    if source is not None:
        kit.require_all_wheels(source, lock, found)
    lacks = lock.variant == "cpu" and variant != "cpu" and locks.has_card()
    return InstallPlan(lock, python, source, found, lacks)


def _candidates(variant: str, source: Path | None, training_kit: TrainingKit | None) -> tuple[PackageLock, ...]:
    """Return the package locks to try, the newest Python first.

    For a kit this is the one that it was made for. For a plain folder of wheels these are the locks whose files are all
    in it; if there are none, those that fit this machine, whose missing files can then be named.
    """
    if source is None:
        return locks.fitting(locks.proposed_variant(variant))
    if not source.is_dir():
        raise AppError("wheels_folder_missing", path=str(source))
    if training_kit is not None:
        lock = kit.lock_of(training_kit, source)
        if variant and lock.variant != variant:
            raise AppError("training_kit_variant", path=str(source), have=lock.variant)
        return (lock,)
    if next(source.glob("*.whl"), None) is None:
        raise AppError("wheels_none", path=str(source))
    wanted = locks.fitting(locks.proposed_variant(variant))
    others = () if variant else tuple(lock for lock in locks.all_locks() if lock not in wanted)
    whole = tuple(lock for lock in (*wanted, *others) if not kit.missing_wheels(source, lock))
    return whole or wanted


# Ratio of installed to downloaded size, measured with torch 2.13.
INSTALLED = {"cpu": 4.0, "cuda": 1.9}
SPARE = 1.05  # files take a little more on the drive than their size
VENV_BYTES = 1_000_000
PYTHON_BYTES = 250_000_000  # an unpacked Python from a kit or the network, with its archive


@dataclass(frozen=True, slots=True)
class InstallNeed:
    """The disk space and download that an installation needs."""

    room_bytes: int  # maximum, reached while the current environment still exists
    download_bytes: int  # 0: nothing is downloaded
    free_bytes: int
    base: Path | None = None  # the folder on whose drive the space is needed
    variant: str = ""  # variant to install: one of `locks.VARIANTS`
    python: str = ""  # version, such as "3.12"
    fetches_python: bool = False  # a Python is downloaded too
    lacks_cuda: bool = False  # the machine has a card that the environment would not use
    replaces: bool = False  # there is an environment, which is kept as the previous one


def estimate_need(base: Path, data: Path, source: Path | None, variant: str = "") -> InstallNeed:
    """Estimate what an installation into the folder `base` needs.

    `source`: a folder of wheels or a kit; None for the package indexes. `variant`: one of `locks.VARIANTS`; "" for the
    one that suits this machine. This takes seconds if a graphics driver starts. Raises AppError as `plan_install` does.
    """
    need = need_of_plan(plan_install(variant, source, EnvironmentFolders(base), data), base)
    return replace(need, replaces=EnvironmentFolders(training_environment.base_folder(data)).final.is_dir())


def need_of_plan(plan: InstallPlan, base: Path) -> InstallNeed:
    """Return what the plan needs: space for the lock's files, which are kept, and for what is installed from them."""
    lock = plan.lock
    python_bytes = PYTHON_BYTES if plan.python is None else 0
    room = round(lock.size_bytes * INSTALLED[lock.variant] * SPARE) + lock.size_bytes + VENV_BYTES + python_bytes
    free = shutil.disk_usage(base).free
    fetched = lock.size_bytes if plan.source is None else 0
    fetches = plan.python is None and plan.source is None
    return InstallNeed(room, fetched, free, base, lock.variant, locks.dotted(lock.python), fetches, plan.lacks_cuda)


def require_room(folders: EnvironmentFolders, need: InstallNeed) -> None:
    """Raise AppError("drive_space") if space is short; files kept from an earlier attempt reduce the need."""
    there = sum(path.stat().st_size for path in folders.wheels.rglob("*") if path.is_file())
    require_space(folders.base, max(0, need.room_bytes - there))
