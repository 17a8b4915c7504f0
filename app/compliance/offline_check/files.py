"""What this program and its models are, by their hashes: the same numbers on two machines are the same files."""

import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from app.base.errors import AppError
from app.base.files.copying import Meter, Report, hash_of
from app.base.files.plain_file import sha256_of
from app.compliance.offline_check.records import HashedFile
from app.inference import engine_packs, gguf
from app.inference.local_model import FileMark, LocalModel


def of_program() -> Iterator[HashedFile]:
    """The executable, and one hash over all files that came with it."""
    yield _measured("program", Path(sys.executable))
    yield of_folder(_bundle())


def of_folder(folder: Path) -> HashedFile:
    """One hash over its files: of the lines `sha256  path`, sorted by path, as `files_note` of the page says it.

    A link to a file of the folder is not counted beside that file. One that leads out of it is read, for its place
    could hold anything.
    """
    lines, total, root = [], 0, folder.resolve()
    for path in sorted(folder.rglob("*"), key=lambda one: one.relative_to(folder).as_posix()):
        name = path.relative_to(folder)
        is_counted_elsewhere = path.is_symlink() and path.resolve().is_relative_to(root)
        if path.is_file() and not is_counted_elsewhere and "__pycache__" not in name.parts:
            lines.append(f"{sha256_of(path)}  {name.as_posix()}\n")
            total += path.stat().st_size
    digest = hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
    return HashedFile("manifest", f"{folder.name} ({len(lines)})", str(folder), total, digest, "measured")


def of_packs() -> Iterator[HashedFile]:
    """Parts for graphics cards, where they are used."""
    folder = engine_packs.folder_in_use()
    if folder is not None:
        for pack in engine_packs.installed(folder):
            yield _measured("pack", folder / pack.file)


def of_models(models: Sequence[LocalModel], report: Report) -> Iterator[HashedFile]:
    """From the list where a file is as it was when its hash was taken; else its bytes are read.

    `report`: of the bytes that have to be read.
    """
    waiting = [(model, path, mark) for model in models for path, mark in _parts(model)]
    total = sum(_size(path) for _, path, mark in waiting if not _is_known(path, mark))
    meter = Meter(report, total)
    for model, path, mark in waiting:
        if mark is not None and _is_known(path, mark):
            yield HashedFile("model", model.name, str(path), mark.size_bytes, mark.sha256, "stored")
            continue
        try:
            digest = hash_of(path, meter)
        except OSError as error:
            yield HashedFile("model", model.name, str(path), 0, error.strerror or str(error), "missing")
            continue
        is_changed = mark is not None and bool(mark.sha256) and mark.sha256 != digest
        yield HashedFile("model", model.name, str(path), _size(path), digest, "changed" if is_changed else "measured")


def _parts(model: LocalModel) -> Iterator[tuple[Path, FileMark | None]]:
    first = Path(model.path)
    marks = {mark.name: mark for mark in model.files}
    try:
        others = gguf.check_model(first).parts
    except (AppError, OSError):
        others = ()
    for path in (first, *others):
        yield path, marks.get(path.name)


def _is_known(path: Path, mark: FileMark | None) -> bool:
    if mark is None or not mark.sha256:
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (mark.size_bytes, mark.modified_ns)


def _bundle() -> Path:
    """The folder of a frozen program; from a checkout or an installation, the package."""
    if not getattr(sys, "frozen", False):
        return Path(__file__).resolve().parents[2]
    folder = Path(sys.executable).parent
    return folder.parent if sys.platform == "darwin" else folder  # Contents/MacOS has the executable alone


def _measured(role: str, path: Path) -> HashedFile:
    return HashedFile(role, path.name, str(path), _size(path), sha256_of(path), "measured")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
