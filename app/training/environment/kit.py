"""Write and read kits for a machine without a network: a lock's wheels in a folder, split for FAT32 if necessary.

    training-kit.json     the table, written last: a kit without it is not complete
    NAME.whl              each file of the lock under its own name, so that pip could install from here too
    001-0001.kotae-part   parts of a file that is larger than the largest part
    LOCK.txt, README.txt  for people

    {"format": "kotae-training-kit", "version": 1, "sha256": "… of all the rest",
     "lock": "cpu-win32-x86_64-py312", "lock_sha256": "…", "python": "3.12",
     "files": [{"name": "….whl", "size_bytes": 1, "sha256": "…", "parts": [{"size_bytes": 1, "sha256": "…"}]}]}

An included Python is the last of `files`; "python" is then its version, otherwise "".

A kit, like any folder of wheels, is untrusted, because it comes on a memory stick or from a share. Its files are read
once and copied, and each copy is compared with the lock and the list of Pythons of the installing Kotae
(`base_pythons`), never with the kit's own table, before anything is unpacked or run. Files that are not in the table
are not opened.
"""

import dataclasses
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.files.output_file import (
    CopyProgress,
    ReportBytes,
    drive_errors,
    hash_file,
    open_atomically,
    require_space,
    sync_folder,
)
from app.base.paths import resources
from app.models import package_locks as locks
from app.models.kits import transfer_kit
from app.models.kits.kit_import import PartJoiner, is_regular
from app.models.kits.transfer_kit import PART_BYTES, PART_SUFFIX, KitFile, KitPart, PartWriter
from app.models.package_locks import LockedFile, PackageLock, Python
from app.training.environment import base_pythons
from app.training.environment.base_pythons import PinnedPython
from app.training.environment.folders import UNWRITABLE, EnvironmentFolders

KIT_FORMAT = "kotae-training-kit"
KIT_VERSION = 1
KIT_NAME = "training-kit.json"
README_NAME = "README.txt"
_FILES_MAX = 999
_WORD = re.compile(r"[a-z0-9_.-]{0,64}")  # text that is safe to show
# Matches neither a path nor a name that Windows reserves for a device.
_FILE = re.compile(
    r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)\.)[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.(whl|tar\.gz|tgz|tar\.xz|tar\.bz2)"
)


@dataclass(frozen=True, slots=True)
class KitEntry:
    name: str  # file name in the kit (unless it is split into parts) and of the copy
    file: KitFile


@dataclass(frozen=True, slots=True)
class TrainingKit:
    lock: str  # name of the lock
    lock_sha256: str
    wheels: tuple[KitEntry, ...]
    python: KitEntry | None = None
    python_version: Python | None = None

    @property
    def entries(self) -> Iterator[KitEntry]:
        yield from self.wheels
        if self.python is not None:
            yield self.python

    @property
    def size_bytes(self) -> int:
        return sum(entry.file.size_bytes for entry in self.entries)


def is_kit(folder: Path) -> bool:
    return (folder / KIT_NAME).is_file()


def write_kit(
    folder: Path,
    lock: PackageLock,
    wheels: dict[str, Path],
    archive: tuple[Path, PinnedPython] | None,
    part_bytes: int = 0,
    report: ReportBytes = lambda _done, _total: None,
) -> TrainingKit:
    """Write a kit. `wheels`: the lock's verified files by name. `archive`: a Python to include, with its pin; or None.

    Correct files of an earlier kit are kept. `report` counts each byte twice: when written and when read back. Raises
    AppError: kit_folder_taken, kit_unwritable, drive_space, drive_file_limit, python_archive_unknown, and as
    `PartWriter` does.
    """
    size = part_bytes or PART_BYTES
    paths = [wheels[file.name] for file in lock.files] + ([archive[0]] if archive else [])
    if archive and not _FILE.fullmatch(archive[0].name):
        raise AppError("python_archive_unusable", path=str(archive[0]), reason=archive[0].name)
    refuse_foreign_files(folder)
    earlier = _earlier(folder)
    with drive_errors(folder, "kit_unwritable", size):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / KIT_NAME).unlink(missing_ok=True)  # without the table the kit counts as incomplete
        entries = _write_files(folder, paths, size, report)
        version = archive[1].python if archive else None
        kit = TrainingKit(lock.name, lock.digest, *_split(entries, version), version)
        if archive and kit.python and kit.python.file.sha256 != archive[1].sha256:  # the archive was replaced meanwhile
            raise base_pythons.unknown_archive_error(archive[0], lock.system, lock.python)
        _put(folder / f"{lock.name}.txt", lock.path.read_bytes())
        _put(folder / README_NAME, _readme(kit, lock).encode("utf-8"))
        _put(folder / KIT_NAME, transfer_kit.table_bytes(_kit_as_json(kit)))
        sync_folder(folder)
        _remove_old_files(folder, kit, earlier | {entry.name for entry in kit.entries})
    return kit


def read_kit(folder: Path) -> TrainingKit:
    """Read the table of contents of a kit, a folder with all packages for a machine without a network.

    Raises AppError: kit_missing, kit_newer, training_kit_damaged.
    """
    try:
        return _read(folder)
    except AppError as error:
        if error.code in ("kit_missing", "kit_newer"):
            raise
        raise AppError("training_kit_damaged", path=str(folder)) from error


def _read(folder: Path) -> TrainingKit:
    document = transfer_kit.read_table(folder / KIT_NAME, KIT_FORMAT, KIT_VERSION)
    listed = document.get("files")
    if not isinstance(listed, list) or not 1 <= len(listed) <= _FILES_MAX:
        raise AppError("kit_manifest_refused", where="files")
    entries = [_entry(item, number) for number, item in enumerate(listed, start=1)]
    if len({entry.name.casefold() for entry in entries}) != len(entries):
        raise AppError("kit_manifest_refused", where="files")
    words = {name: document.get(name) for name in ("lock", "lock_sha256", "python")}
    for name, value in words.items():
        if not isinstance(value, str) or not _WORD.fullmatch(value):
            raise AppError("kit_manifest_refused", where=name)
    version = _version(str(words["python"]))
    if not all(_is_wheel(entry) for entry in _split(entries, version)[0]):  # an sdist would run code when built
        raise AppError("kit_manifest_refused", where="files")
    return TrainingKit(str(words["lock"]), str(words["lock_sha256"]), *_split(entries, version), version)


def lock_of(kit: TrainingKit, folder: Path) -> PackageLock:
    """Return this Kotae's lock for which the kit was made, after comparing every file in the kit's table with it.

    Raises AppError: training_kit_other, training_kit_system, training_kit_unlisted, python_archive_unknown,
    python_archive_other.
    """
    lock = locks.find_lock(kit.lock)
    if lock is None or lock.digest != kit.lock_sha256:
        raise AppError("training_kit_other", path=str(folder), lock=kit.lock)
    if lock.system != locks.this_system():
        raise AppError("training_kit_system", path=str(folder), system=lock.system, here=locks.this_system())
    known = {file.name: (file.size_bytes, file.sha256) for file in lock.files}
    for entry in kit.wheels:
        if known.get(entry.name) != (entry.file.size_bytes, entry.file.sha256):
            raise AppError("training_kit_unlisted", path=str(folder), file=entry.name)
    if kit.python is not None:
        pin = base_pythons.require_pinned(folder / kit.python.name, kit.python.file.sha256, lock)
        if kit.python.file.size_bytes > base_pythons.ARCHIVE_MAX_BYTES or kit.python_version != pin.python:
            raise AppError("training_kit_unlisted", path=str(folder), file=kit.python.name)
    return lock


def _write_files(folder: Path, paths: list[Path], part_bytes: int, report: ReportBytes) -> list[KitEntry]:
    sizes = [path.stat().st_size for path in paths]
    names = {path.name for path in paths}
    there = [path for path in folder.iterdir() if path.name in names or path.name.endswith(PART_SUFFIX)]
    require_space(folder, max(0, sum(sizes) - sum(path.stat().st_size for path in there if path.is_file())))
    writer = PartWriter(folder, part_bytes, CopyProgress(report, sum(sizes), passes=2))
    entries = []
    for number, path in enumerate(paths, start=1):
        entries.append(KitEntry(path.name, writer.write(path, number, keeps_name=True)))
    return entries


def refuse_foreign_files(folder: Path) -> None:
    """Raise AppError("kit_folder_taken") if a kit in the folder would replace foreign files.

    Wheels of the same name are allowed, because their content is compared.
    """
    if is_kit(folder):
        try:
            transfer_kit.read_table(folder / KIT_NAME, KIT_FORMAT, KIT_VERSION)
        except AppError as error:
            if error.code == "kit_foreign":
                raise AppError("kit_folder_taken", path=str(folder / KIT_NAME)) from error
    elif os.path.lexists(folder / README_NAME) and not _is_our_readme(folder / README_NAME):
        raise AppError("kit_folder_taken", path=str(folder / README_NAME))


def _is_our_readme(path: Path) -> bool:
    """Return whether the file is the README of one of Kotae's kits."""
    try:
        with open_regular(path) as file:
            return is_regular(path) and b"Kotae" in file.read(100)
    except OSError:
        return False


def _put(path: Path, content: bytes) -> None:
    with open_atomically(path) as file:
        file.write(content)


def _earlier(folder: Path) -> set[str]:
    """Return the file names of the kit to be replaced, except unknown archives, which may be foreign files."""
    try:
        entries = list(read_kit(folder).entries)
    except AppError:
        return set()
    return {entry.name for entry in entries if _is_wheel(entry) or base_pythons.pinned_with_hash(entry.file.sha256)}


def _is_wheel(entry: KitEntry) -> bool:
    return entry.name.endswith(".whl")


def _remove_old_files(folder: Path, kit: TrainingKit, names: set[str]) -> None:
    """Delete the parts, and the files in `names`, that do not belong to this kit."""
    wanted = {part.name for entry in kit.entries for part in entry.file.parts}
    parts = folder.glob(f"[0-9][0-9][0-9]-[0-9][0-9][0-9][0-9]{PART_SUFFIX}*")
    for path in [*parts, *(folder / name for name in names)]:
        if path.name not in wanted and is_regular(path):
            path.unlink()


def _split(entries: list[KitEntry], python: Python | None) -> tuple[tuple[KitEntry, ...], KitEntry | None]:
    return (tuple(entries), None) if python is None else (tuple(entries[:-1]), entries[-1])


def _kit_as_json(kit: TrainingKit) -> dict[str, Any]:
    return {
        "format": KIT_FORMAT,
        "version": KIT_VERSION,
        "lock": kit.lock,
        "lock_sha256": kit.lock_sha256,
        "python": locks.dotted(kit.python_version) if kit.python_version else "",
        "files": [{"name": entry.name, **transfer_kit.file_as_dict(entry.file)} for entry in kit.entries],
    }


def _entry(item: Any, number: int) -> KitEntry:
    where = f"files[{number}]"
    file = transfer_kit.kit_file_from(item, where, number)
    name = item.get("name")
    if not isinstance(name, str) or not _FILE.fullmatch(name):
        raise AppError("kit_manifest_refused", where=f"{where}.name")
    if len(file.parts) == 1:
        file = dataclasses.replace(file, parts=(dataclasses.replace(file.parts[0], name=name),))
    return KitEntry(name, file)


def _version(text: str) -> Python | None:
    if not text:
        return None
    python = locks.python_from(text)
    if python is None:
        raise AppError("kit_manifest_refused", where="python")
    return python


def _readme(kit: TrainingKit, lock: PackageLock) -> str:
    """Return the README's text in both languages, because people read it on another machine."""
    text = (resources() / "training_environment" / "kit_readme.txt").read_text("utf-8")
    python = kit.python.name if kit.python else "-"
    return text.format(lock=lock.name, python=locks.dotted(lock.python), archive=python, files=len(kit.wheels))


ReportPackage = Callable[[str, int, int], None]  # gets: package, bytes done, total bytes
_NAMED_MAX = 3  # most packages listed in a message


def missing_wheels(folder: Path, lock: PackageLock, kit: TrainingKit | None = None) -> list[LockedFile]:
    """Return the lock's files that are missing in the folder, judged by name only."""
    there = {entry.name for entry in kit.wheels} if kit else {path.name for path in folder.glob("*.whl")}
    return [file for file in lock.files if file.name not in there]


def require_all_wheels(folder: Path, lock: PackageLock, kit: TrainingKit | None = None) -> None:
    """Raise an error unless all files of the lock are there with the right size; `collect_wheels` checks the content.

    Raises AppError: training_wheel_missing, training_wheel_damaged.
    """
    lacking = missing_wheels(folder, lock, kit)
    if lacking:
        more = f" … (+{len(lacking) - _NAMED_MAX})" if len(lacking) > _NAMED_MAX else ""
        names = ", ".join(map(str, lacking[:_NAMED_MAX])) + more
        raise AppError("training_wheel_missing", package=names, path=str(folder), lock=lock.name)
    parted = {entry.name for entry in kit.wheels if len(entry.file.parts) > 1} if kit else set()
    for file in lock.files:
        path = folder / file.name
        if file.name not in parted and not (is_regular(path) and path.stat().st_size == file.size_bytes):
            raise AppError("training_wheel_damaged", path=str(path), package=str(file))


def collect_wheels(
    folder: Path, lock: PackageLock, kit: TrainingKit | None, target: Path, report: ReportPackage
) -> dict[str, Path]:
    """Copy the lock's files into `target`, compare each copy with the lock's hash, and return the copies by name.

    `report` gets the package, the bytes copied so far and the total. Raises AppError: training_wheel_missing,
    training_wheel_damaged, kit_part_missing, kit_part_damaged, kit_part_irregular, drive_space.
    """
    require_all_wheels(folder, lock, kit)
    listed = {entry.name: entry.file for entry in kit.wheels} if kit else {}
    total = lock.size_bytes
    found: dict[str, Path] = {}
    done = 0
    for file in lock.files:
        begun, package = done, file.package

        def report_bytes(count: int, _total: int, bytes_before: int = begun, package: str = package) -> None:
            report(package, bytes_before + count, total)

        report_bytes(0, 0)
        content = KitFile(file.size_bytes, file.sha256, (KitPart(file.size_bytes, file.sha256, file.name),))
        damaged = AppError("training_wheel_damaged", path=str(folder / file.name), package=str(file))
        found[file.name] = _copied(listed.get(file.name, content), folder, target / file.name, damaged, report_bytes)
        done += file.size_bytes
    return found


def copy_python_archive(
    folder: Path, kit: TrainingKit | None, lock: PackageLock, where: EnvironmentFolders
) -> tuple[Path, str]:
    """Copy a kit's Python archive into one file, and return the file with its pinned hash.

    Raises AppError as `collect_wheels` does.
    """
    assert kit is not None
    assert kit.python is not None
    file, name = kit.python.file, kit.python.name
    base_pythons.require_pinned(folder / name, file.sha256, lock)
    damaged = AppError("kit_part_damaged", part=name)
    return _copied(file, folder, where.wheels / "python.tar", damaged, lambda _done, _total: None), file.sha256


def remove_other_wheels(folder: Path, names: Collection[str]) -> None:
    """Delete everything in the folder except `names`, so that uv cannot use files of an earlier attempt.

    Raises AppError.
    """
    with drive_errors(folder, UNWRITABLE):
        for path in folder.iterdir():
            if path.name in names:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()


def kit_in(folder: Path) -> TrainingKit | None:
    """Return the kit in the folder; None if the folder is not a kit. Raises AppError as `read_kit` does."""
    return read_kit(folder) if is_kit(folder) else None


def _copied(file: KitFile, folder: Path, target: Path, damaged: AppError, report: Callable[[int, int], None]) -> Path:
    """Copy a file, or join its parts, and verify the copy, since `folder` may change at any time.

    A correct copy that exists is kept. Raises AppError: `damaged` if the file or the joined parts do not have the right
    content.
    """
    if is_regular(target) and _sha256_or_empty(target) == file.sha256:
        return target
    with drive_errors(target.parent, UNWRITABLE):
        joiner = PartJoiner(folder, CopyProgress(report, file.size_bytes, passes=2))
        problems = joiner.join(file, target.with_name(f"{target.name}.joining"), target.name)
        if problems:
            is_whole = len(file.parts) == 1 or problems[0].code == "kit_content_refused"
            raise damaged if is_whole else problems[0]
        target.with_name(f"{target.name}.joining").replace(target)
    return target


def _sha256_or_empty(path: Path) -> str:
    """Return the file's hash; "" if the file is unreadable."""
    try:
        return hash_file(path, CopyProgress(lambda _done, _total: None, 0))
    except OSError:
        return ""
