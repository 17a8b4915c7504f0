"""A kit for a machine without a network: a lock's wheels in a folder, as a FAT32 stick takes them.

    training-kit.json     the table, written last: without it a kit is not finished
    NAME.whl              each file of the lock under its own name: pip could install from here, too
    001-0001.kotae-part   parts of a file that is larger than one part may be
    LOCK.txt, README.txt  for people

    {"format": "kotae-training-kit", "version": 1, "sha256": "… of all the rest",
     "lock": "cpu-win32-x86_64-py312", "lock_sha256": "…", "python": "3.12",
     "files": [{"name": "….whl", "size_bytes": 1, "sha256": "…", "parts": [{"size_bytes": 1, "sha256": "…"}]}]}

A Python that goes with it is the last of `files`; "python" is then its version, else "". What is installed from a kit
is judged by what comes with the Kotae that installs it, its lock and its list of Pythons (`python_pins`), and never by
the kit's own table. Files of the folder that the table does not name are not opened.
"""

import dataclasses
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.files.output_file import (
    CopyProgress,
    ReportBytes,
    drive_error,
    open_atomically,
    require_space,
    sync_folder,
)
from app.base.paths import resources
from app.models import package_locks as locks
from app.models.kits import transfer_kit
from app.models.kits.kit_import import is_regular
from app.models.kits.transfer_kit import PART_BYTES, PART_SUFFIX, KitFile, PartWriter
from app.models.package_locks import PackageLock, Python
from app.training.environment import python_pins
from app.training.environment.python_pins import PinnedPython

FORMAT = "kotae-training-kit"
VERSION = 1
NAME = "training-kit.json"
README = "README.txt"
_FILES_MAX = 999
_WORD = re.compile(r"[a-z0-9_.-]{0,64}")  # it is shown
# No path, and no name that Windows keeps for a device.
_FILE = re.compile(
    r"(?!(?i:con|prn|aux|nul|com\d|lpt\d)\.)[A-Za-z0-9][A-Za-z0-9._+-]{0,199}\.(whl|tar\.gz|tgz|tar\.xz|tar\.bz2)"
)


@dataclass(frozen=True, slots=True)
class Entry:
    name: str  # of the file, in the kit where it is in one piece, and when it is joined
    file: KitFile


@dataclass(frozen=True, slots=True)
class TrainingKit:
    lock: str  # its name
    lock_sha256: str
    wheels: tuple[Entry, ...]
    python: Entry | None = None
    python_version: Python | None = None

    @property
    def entries(self) -> Iterator[Entry]:
        yield from self.wheels
        if self.python is not None:
            yield self.python

    @property
    def size_bytes(self) -> int:
        return sum(entry.file.size_bytes for entry in self.entries)


def is_kit(folder: Path) -> bool:
    return (folder / NAME).is_file()


def write(
    folder: Path,
    lock: PackageLock,
    wheels: dict[str, Path],
    archive: tuple[Path, PinnedPython] | None,
    part_bytes: int = 0,
    report: ReportBytes = lambda _done, _total: None,
) -> TrainingKit:
    """`wheels`: the lock's files by name, verified. `archive`: a Python to go with them, and what it must be.

    What is there from an earlier time and right stays. `report` is told bytes, each twice: written, read back.
    Raises AppError: kit_folder_taken, kit_unwritable, drive_space, drive_file_limit, python_archive_unknown, and those
    of `PartWriter`.
    """
    size = part_bytes or PART_BYTES
    paths = [wheels[file.name] for file in lock.files] + ([archive[0]] if archive else [])
    if archive and not _FILE.fullmatch(archive[0].name):
        raise AppError("python_archive_unusable", path=str(archive[0]), reason=archive[0].name)
    require_ours(folder)
    earlier = _earlier(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / NAME).unlink(missing_ok=True)  # from here on the kit is not finished
        entries = _write_files(folder, paths, size, report)
        version = archive[1].python if archive else None
        kit = TrainingKit(lock.name, lock.digest, *_split(entries, version), version)
        if archive and kit.python and kit.python.file.sha256 != archive[1].sha256:  # it was replaced meanwhile
            raise python_pins.unknown(archive[0], lock.system, lock.python)
        _put(folder / f"{lock.name}.txt", lock.path.read_bytes())
        _put(folder / README, _readme(kit, lock).encode("utf-8"))
        _put(folder / NAME, transfer_kit.table_bytes(_document(kit)))
        sync_folder(folder)
        _remove_others(folder, kit, earlier | {entry.name for entry in kit.entries})
    except OSError as error:
        raise drive_error(error, folder, "kit_unwritable", size) from error
    return kit


def read(folder: Path) -> TrainingKit:
    """Raises AppError: kit_missing, kit_newer, training_kit_damaged."""
    try:
        return _read(folder)
    except AppError as error:
        if error.code in ("kit_missing", "kit_newer"):
            raise
        raise AppError("training_kit_damaged", path=str(folder)) from error


def _read(folder: Path) -> TrainingKit:
    document = transfer_kit.read_table(folder / NAME, FORMAT, VERSION)
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
    if not all(_is_wheel(entry) for entry in _split(entries, version)[0]):  # nothing that would have to be built
        raise AppError("kit_manifest_refused", where="files")
    return TrainingKit(str(words["lock"]), str(words["lock_sha256"]), *_split(entries, version), version)


def lock_of(kit: TrainingKit, folder: Path) -> PackageLock:
    """The lock of this Kotae that the kit was made for, when all that the kit lists is known to this Kotae.

    Raises AppError: training_kit_other, training_kit_system, training_kit_unlisted, python_archive_unknown,
    python_archive_other.
    """
    lock = locks.named(kit.lock)
    if lock is None or lock.digest != kit.lock_sha256:
        raise AppError("training_kit_other", path=str(folder), lock=kit.lock)
    if lock.system != locks.this_system():
        raise AppError("training_kit_system", path=str(folder), system=lock.system, here=locks.this_system())
    known = {file.name: (file.size_bytes, file.sha256) for file in lock.files}
    for entry in kit.wheels:
        if known.get(entry.name) != (entry.file.size_bytes, entry.file.sha256):
            raise AppError("training_kit_unlisted", path=str(folder), file=entry.name)
    if kit.python is not None:
        pin = python_pins.require(folder / kit.python.name, kit.python.file.sha256, lock)
        if kit.python.file.size_bytes > python_pins.ARCHIVE_MAX_BYTES or kit.python_version != pin.python:
            raise AppError("training_kit_unlisted", path=str(folder), file=kit.python.name)
    return lock


def _write_files(folder: Path, paths: list[Path], part_bytes: int, report: ReportBytes) -> list[Entry]:
    sizes = [path.stat().st_size for path in paths]
    names = {path.name for path in paths}
    there = [path for path in folder.iterdir() if path.name in names or path.name.endswith(PART_SUFFIX)]
    require_space(folder, max(0, sum(sizes) - sum(path.stat().st_size for path in there if path.is_file())))
    writer = PartWriter(folder, part_bytes, CopyProgress(report, sum(sizes), passes=2))
    entries = []
    for number, path in enumerate(paths, start=1):
        entries.append(Entry(path.name, writer.write(path, number, keeps_name=True)))
    return entries


def require_ours(folder: Path) -> None:
    """That nothing of somebody else's would be replaced. Wheels of that name may be: they are compared.

    Raises AppError("kit_folder_taken").
    """
    if is_kit(folder):
        try:
            transfer_kit.read_table(folder / NAME, FORMAT, VERSION)
        except AppError as error:
            if error.code == "kit_foreign":
                raise AppError("kit_folder_taken", path=str(folder / NAME)) from error
    elif os.path.lexists(folder / README) and not _is_our_readme(folder / README):
        raise AppError("kit_folder_taken", path=str(folder / README))


def _is_our_readme(path: Path) -> bool:
    """Of a kit that was not finished."""
    try:
        with open_regular(path) as file:
            return is_regular(path) and b"Kotae" in file.read(100)
    except OSError:
        return False


def _put(path: Path, content: bytes) -> None:
    with open_atomically(path) as file:
        file.write(content)


def _earlier(folder: Path) -> set[str]:
    """Names of the files of the kit that is replaced, but for what it may only call so: an archive of somebody's."""
    try:
        entries = list(read(folder).entries)
    except AppError:
        return set()
    return {entry.name for entry in entries if _is_wheel(entry) or python_pins.with_hash(entry.file.sha256)}


def _is_wheel(entry: Entry) -> bool:
    return entry.name.endswith(".whl")


def _remove_others(folder: Path, kit: TrainingKit, names: set[str]) -> None:
    """Parts, and those of `names` that are not files of this kit: of an earlier one, or in parts now."""
    wanted = {part.name for entry in kit.entries for part in entry.file.parts}
    parts = folder.glob(f"[0-9][0-9][0-9]-[0-9][0-9][0-9][0-9]{PART_SUFFIX}*")
    for path in [*parts, *(folder / name for name in names)]:
        if path.name not in wanted and is_regular(path):
            path.unlink()


def _split(entries: list[Entry], python: Python | None) -> tuple[tuple[Entry, ...], Entry | None]:
    return (tuple(entries), None) if python is None else (tuple(entries[:-1]), entries[-1])


def _document(kit: TrainingKit) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "lock": kit.lock,
        "lock_sha256": kit.lock_sha256,
        "python": locks.dotted(kit.python_version) if kit.python_version else "",
        "files": [{"name": entry.name, **transfer_kit.file_as_dict(entry.file)} for entry in kit.entries],
    }


def _entry(item: Any, number: int) -> Entry:
    where = f"files[{number}]"
    file = transfer_kit.kit_file_from(item, where, number)
    name = item.get("name")
    if not isinstance(name, str) or not _FILE.fullmatch(name):
        raise AppError("kit_manifest_refused", where=f"{where}.name")
    if len(file.parts) == 1:
        file = dataclasses.replace(file, parts=(dataclasses.replace(file.parts[0], name=name),))
    return Entry(name, file)


def _version(text: str) -> Python | None:
    if not text:
        return None
    python = locks.python_from(text)
    if python is None:
        raise AppError("kit_manifest_refused", where="python")
    return python


def _readme(kit: TrainingKit, lock: PackageLock) -> str:
    """In both languages: it is read on another machine."""
    text = (resources() / "training_environment" / "kit_readme.txt").read_text("utf-8")
    python = kit.python.name if kit.python else "-"
    return text.format(lock=lock.name, python=locks.dotted(lock.python), archive=python, files=len(kit.wheels))
