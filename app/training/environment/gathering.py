"""The files of a lock out of a folder, perhaps a kit: copied, and each copy checked before anything is unpacked or run.

The folder is somebody else's: a memory stick, a share. It is read once, and nothing is used where it lies.
"""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from app.base.errors import AppError
from app.base.files.output_file import CopyProgress, hash_file
from app.models.kits.kit_import import PartJoiner, is_regular
from app.models.kits.transfer_kit import KitFile, KitPart
from app.models.package_locks import LockedFile, PackageLock
from app.training.environment import kit as kits
from app.training.environment import python_pins
from app.training.environment.folders import Folders, unwritable
from app.training.environment.kit import TrainingKit

Told = Callable[[str, int, int], None]  # package, bytes done, of how many
_NAMED_MAX = 3  # packages in one sentence


def missing(folder: Path, lock: PackageLock, kit: TrainingKit | None = None) -> list[LockedFile]:
    """What the folder has not, looked at by names alone."""
    there = {entry.name for entry in kit.wheels} if kit else {path.name for path in folder.glob("*.whl")}
    return [file for file in lock.files if file.name not in there]


def require_all(folder: Path, lock: PackageLock, kit: TrainingKit | None = None) -> None:
    """Looks at names and sizes; `gather` reads. Raises AppError: training_wheel_missing, training_wheel_damaged."""
    lacking = missing(folder, lock, kit)
    if lacking:
        more = f" … (+{len(lacking) - _NAMED_MAX})" if len(lacking) > _NAMED_MAX else ""
        names = ", ".join(map(str, lacking[:_NAMED_MAX])) + more
        raise AppError("training_wheel_missing", package=names, path=str(folder), lock=lock.name)
    parted = {entry.name for entry in kit.wheels if len(entry.file.parts) > 1} if kit else set()
    for file in lock.files:
        path = folder / file.name
        if file.name not in parted and not (is_regular(path) and path.stat().st_size == file.size_bytes):
            raise AppError("training_wheel_damaged", path=str(path), package=str(file))


def gather(folder: Path, lock: PackageLock, kit: TrainingKit | None, target: Path, tell: Told) -> dict[str, Path]:
    """Where each file of the lock is, by its name: copied into `target`, and the copy compared with the lock's hash.

    Raises AppError: training_wheel_missing, training_wheel_damaged, kit_part_missing, kit_part_damaged,
    kit_part_irregular, drive_space.
    """
    require_all(folder, lock, kit)
    listed = {entry.name: entry.file for entry in kit.wheels} if kit else {}
    total = lock.size_bytes
    found: dict[str, Path] = {}
    done = 0
    for file in lock.files:
        begun, package = done, file.package

        def told(count: int, _total: int, begun: int = begun, package: str = package) -> None:
            tell(package, begun + count, total)

        told(0, 0)
        content = KitFile(file.size_bytes, file.sha256, (KitPart(file.name, file.size_bytes, file.sha256),))
        damaged = AppError("training_wheel_damaged", path=str(folder / file.name), package=str(file))
        found[file.name] = _copied(listed.get(file.name, content), folder, target / file.name, damaged, told)
        done += file.size_bytes
    return found


def python_archive(folder: Path, kit: TrainingKit, lock: PackageLock, where: Folders) -> tuple[Path, str]:
    """The Python of a kit as one file of our own, and its sha256, which is pinned. Raises AppError as `gather`."""
    assert kit.python is not None
    file, name = kit.python.file, kit.python.name
    python_pins.require(folder / name, file.sha256, lock)
    damaged = AppError("kit_part_damaged", part=name)
    return _copied(file, folder, where.wheels / "python.tar", damaged, lambda _done, _total: None), file.sha256


def remove_others(folder: Path, names: Collection[str]) -> None:
    """Leave nothing but these for uv to find: an earlier attempt was of other files, or has left halves of them.

    Raises AppError.
    """
    try:
        for path in folder.iterdir():
            if path.name in names:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    except OSError as error:
        raise unwritable(error, folder) from error


def kit_in(folder: Path) -> TrainingKit | None:
    """None: a plain folder. Raises AppError as `kit.read`."""
    return kits.read(folder) if kits.is_kit(folder) else None


def _copied(file: KitFile, folder: Path, target: Path, damaged: AppError, told: Callable[[int, int], None]) -> Path:
    """`folder` may change at any time: what counts is what has reached the copy. One that is there and right stays.

    Raises AppError: `damaged` for a file in one piece and for parts that do not make the whole.
    """
    if is_regular(target) and _hash(target) == file.sha256:
        return target
    try:
        joiner = PartJoiner(folder, CopyProgress(told, file.size_bytes, passes=2))
        problems = joiner.join(file, target.with_name(f"{target.name}.joining"), target.name)
        if problems:
            is_whole = len(file.parts) == 1 or problems[0].code == "kit_content_refused"
            raise damaged if is_whole else problems[0]
        target.with_name(f"{target.name}.joining").replace(target)
    except OSError as error:
        raise unwritable(error, target.parent) from error
    return target


def _hash(path: Path) -> str:
    """ "" for what cannot be read."""
    try:
        return hash_file(path, CopyProgress(lambda _done, _total: None, 0))
    except OSError:
        return ""
