"""What would be installed here: which lock, and from which Python. The Python decides where there are several locks."""

from dataclasses import dataclass
from pathlib import Path

from app.base.errors import AppError
from app.models import package_locks as locks
from app.models.package_locks import PackageLock
from app.training.environment import base_python, gathering, kit, own_python
from app.training.environment.base_python import BasePython
from app.training.environment.folders import Folders
from app.training.environment.kit import TrainingKit


@dataclass(frozen=True, slots=True)
class Plan:
    lock: PackageLock
    python: BasePython | None  # None: it is in the kit, or is fetched
    kit: TrainingKit | None = None
    lacks_cuda: bool = False  # there is a card, and what would be installed does not use it


def plan(variant: str, source: Path | None, where: Folders, data: Path) -> Plan:
    """`variant`: as chosen; "": what suits this machine. `source`: a folder of wheels or a kit; None: the indexes.

    `data`: the data folder. Nothing out of `source` is started, nor what lies in a folder that is not in use yet.

    Seconds: Pythons are started, and the driver of a card is asked.
    Raises AppError: training_no_lock, no_base_python, wheels_folder_missing, wheels_none, training_wheel_missing,
    training_wheel_damaged, and those of `kit.read` and `kit.lock_of`.
    """
    found = gathering.kit_in(source) if source is not None else None
    candidates = _candidates(variant, source, found)
    versions = locks.versions(candidates)
    python = base_python.find(versions, own_python.trusted(where, data))
    lock = next((lock for lock in candidates if python and lock.python == python.version[:2]), candidates[0])
    if python is None and source is not None and (found is None or found.python is None):
        names = "/".join(locks.dotted(version) for version in versions)
        raise AppError("no_base_python", versions=names, newest=locks.dotted(versions[0]))
    if source is not None:
        gathering.require_all(source, lock, found)
    lacks = lock.variant == "cpu" and variant != "cpu" and locks.has_card()
    return Plan(lock, python, found, lacks)


def _candidates(variant: str, source: Path | None, found: TrainingKit | None) -> tuple[PackageLock, ...]:
    """The newest Python first; of a plain folder those that it has all files of, if there are any."""
    if source is None:
        return locks.fitting(locks.proposed_variant(variant))
    if not source.is_dir():
        raise AppError("wheels_folder_missing", path=str(source))
    if found is not None:
        lock = kit.lock_of(found, source)
        if variant and lock.variant != variant:
            raise AppError("training_kit_variant", path=str(source), have=lock.variant)
        return (lock,)
    if next(source.glob("*.whl"), None) is None:
        raise AppError("wheels_none", path=str(source))
    wanted = locks.fitting(locks.proposed_variant(variant))
    others = () if variant else tuple(lock for lock in locks.all_locks() if lock not in wanted)
    whole = tuple(lock for lock in (*wanted, *others) if not gathering.missing(source, lock))
    return whole or wanted
