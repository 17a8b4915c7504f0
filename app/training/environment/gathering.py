"""The files of a lock out of a folder, perhaps a kit: each checked with the lock's hash before anything is installed.

Whole files are used where they lie; those that a kit has in parts are joined beside the environment.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

from app.base.errors import AppError
from app.base.files.copying import Meter, hash_of
from app.models.kits.kit_joining import PartJoiner, is_regular
from app.models.package_locks import Lock, LockedFile
from app.training.environment import kit as kits
from app.training.environment.folders import Folders, unwritable
from app.training.environment.kit import Entry, TrainingKit

Told = Callable[[str, int, int], None]  # package, bytes done, of how many
_NAMED_MAX = 3  # packages in one sentence


def missing(folder: Path, lock: Lock, kit: TrainingKit | None = None) -> list[LockedFile]:
    """What the folder has not, looked at by names alone."""
    there = {entry.name for entry in kit.wheels} if kit else {path.name for path in folder.glob("*.whl")}
    return [file for file in lock.files if file.name not in there]


def require_all(folder: Path, lock: Lock, kit: TrainingKit | None = None) -> None:
    """Raises AppError("training_wheel_missing")."""
    lacking = missing(folder, lock, kit)
    if lacking:
        more = f" … (+{len(lacking) - _NAMED_MAX})" if len(lacking) > _NAMED_MAX else ""
        names = ", ".join(map(str, lacking[:_NAMED_MAX])) + more
        raise AppError("training_wheel_missing", package=names, path=str(folder), lock=lock.name)


def gather(folder: Path, lock: Lock, kit: TrainingKit | None, target: Path, tell: Told) -> dict[str, Path]:
    """Where each file of the lock is, by its name. `target`: the folder for what is joined.

    Raises AppError: training_wheel_missing, training_wheel_damaged, kit_part_missing, kit_part_damaged,
    kit_part_irregular, drive_space.
    """
    require_all(folder, lock, kit)
    parted = {entry.name: entry for entry in kit.wheels if len(entry.file.parts) > 1} if kit else {}
    total = lock.size_bytes
    found: dict[str, Path] = {}
    done = 0
    for file in lock.files:
        begun, package = done, file.package

        def told(count: int, _total: int, begun: int = begun, package: str = package) -> None:
            tell(package, begun + count, total)

        told(0, 0)
        if file.name in parted:
            found[file.name] = _joined(parted[file.name], file.name, folder, target, told)
        else:
            found[file.name] = folder / file.name
        _require_right(found[file.name], file, told)
        done += file.size_bytes
    return found


def python_archive(folder: Path, kit: TrainingKit, where: Folders) -> tuple[Path, str]:
    """The Python of a kit as one file, and its sha256. Raises AppError as `gather`."""
    assert kit.python is not None
    entry = kit.python
    if len(entry.file.parts) > 1:
        return _joined(entry, "python.tar", folder, where.wheels, lambda _done, _total: None), entry.file.sha256
    path = folder / entry.name
    if not is_regular(path):
        raise AppError("kit_part_missing", part=entry.name)
    if _hash(path, Meter(lambda _done, _total: None, 0)) != entry.file.sha256:
        raise AppError("kit_part_damaged", part=entry.name)
    return path, entry.file.sha256


def folders_of(paths: Sequence[Path]) -> list[Path]:
    return list(dict.fromkeys(path.parent for path in paths))


def kit_in(folder: Path) -> TrainingKit | None:
    """None: a plain folder. Raises AppError as `kit.read`."""
    return kits.read(folder) if kits.is_kit(folder) else None


def _require_right(path: Path, file: LockedFile, told: Callable[[int, int], None]) -> None:
    if not is_regular(path) or path.stat().st_size != file.size_bytes:
        raise AppError("training_wheel_damaged", path=str(path), package=str(file))
    if _hash(path, Meter(told, file.size_bytes)) != file.sha256:
        raise AppError("training_wheel_damaged", path=str(path), package=str(file))


def _hash(path: Path, meter: Meter) -> str:
    """ "" for what cannot be read: a spoilt stick."""
    try:
        return hash_of(path, meter)
    except OSError:
        return ""


def _joined(entry: Entry, name: str, folder: Path, into: Path, told: Callable[[int, int], None]) -> Path:
    target, half = into / name, into / f"{name}.joining"
    if is_regular(target) and _hash(target, Meter(lambda _done, _total: None, 0)) == entry.file.sha256:
        return target
    meter = Meter(told, entry.file.size_bytes, passes=2)
    try:
        problems = PartJoiner(folder, meter).join(entry.file, half, name)
        if problems:
            raise problems[0]
        half.replace(target)
    except OSError as error:
        raise unwritable(error, into) from error
    return target
