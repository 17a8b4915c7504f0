"""The parts of a transfer kit put together, file by file, under a name that is no model's until all is right."""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.base.errors import AppError
from app.base.files.input_file import open_regular, read_regular
from app.base.files.output_file import BLOCK_BYTES, CopyProgress, ReportBytes, drop_from_cache, hash_file, sync_folder
from app.models.kits.kit_manifest import Kit, KitExtra, KitFile, KitModel, KitPart

_SUFFIX = ".kotae-joining"
_EXTRA_MAX_BYTES = 1 << 20
_NAMES_TRIED = 99


@dataclass(frozen=True, slots=True)
class Joined:
    """`made`: those of `paths` that were not there before. With problems there are neither."""

    paths: tuple[Path, ...] = ()
    made: tuple[Path, ...] = ()
    problems: tuple[AppError, ...] = ()


class Joining:
    """Raises OSError where the target folder cannot be written; what is wrong with the kit is in `Joined`."""

    def __init__(self, kit: Kit, folder: Path, target: Path, report: ReportBytes) -> None:
        """Half joined files of other kits are removed."""
        self._kit = kit
        self._target = target
        self._meter = CopyProgress(report, kit.size_bytes, passes=2)  # joined, read back
        self._joiner = PartJoiner(folder, self._meter)
        own = {_half(target, file) for model in kit.models for file in model.files}
        for path in target.glob(f".*{_SUFFIX}"):
            if path not in own:
                with contextlib.suppress(OSError):
                    path.unlink()

    def missing_bytes(self) -> int:
        """Room that is still needed: without what is there whole or half."""
        missing = 0
        for model in self._kit.models:
            for file, name in zip(model.files, model.file_names(model.stem), strict=True):
                is_there = _has_size(self._target / name, file.size_bytes)
                half = _half(self._target, file)
                there = half.stat().st_size if is_regular(half) else 0
                missing += 0 if is_there else max(0, file.size_bytes - there)
        return missing

    def join(self, model: KitModel) -> Joined:
        stem = self._free_stem(model)
        paths = tuple(self._target / name for name in model.file_names(stem))
        lacking = [(path, file) for path, file in zip(paths, model.files, strict=True) if not path.exists()]
        problems: list[AppError] = []
        try:
            for _path, file in lacking:
                problems += self._joiner.join(file, _half(self._target, file), model.stem)
        except BaseException:
            self._drop(model)
            raise
        if any(problem.code == "kit_content_refused" for problem in problems):
            self._drop(model)
        if problems:
            return Joined(problems=tuple(problems))
        for path, file in lacking:
            _half(self._target, file).replace(path)
        self._drop(model)  # of an earlier import, where the file has come another way meanwhile
        sync_folder(self._target)
        return Joined(paths, tuple(path for path, _file in lacking))

    def _drop(self, model: KitModel) -> None:
        for file in model.files:
            with contextlib.suppress(OSError):
                _half(self._target, file).unlink(missing_ok=True)

    def _free_stem(self, model: KitModel) -> str:
        """One under which nothing else lies. Files of this very model count as free: an import that was interrupted."""
        for number in range(1, _NAMES_TRIED + 1):
            stem = model.stem if number == 1 else f"{model.stem} ({number})"
            names = model.file_names(stem)
            if all(self._is_free_for(name, file) for name, file in zip(names, model.files, strict=True)):
                return stem
        raise AppError("export_exists", path=str(self._target / model.file_names(model.stem)[0]))

    def _is_free_for(self, name: str, file: KitFile) -> bool:
        path = self._target / name
        if not path.exists() and not path.is_symlink():
            return True
        return _has_size(path, file.size_bytes) and hash_file(path, self._meter) == file.sha256


class PartJoiner:
    """The parts in one folder. Every byte counts twice: joined, read back."""

    def __init__(self, folder: Path, meter: CopyProgress) -> None:
        self._folder = folder
        self._meter = meter

    def join(self, file: KitFile, half: Path, name: str) -> list[AppError]:
        """All that is wrong with the parts of one file; the others are joined, for the next time.

        `name`: what a file is called whose parts are right but not the whole.
        """
        problems: list[AppError] = []
        offset = 0
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        with os.fdopen(os.open(half, flags, 0o666), "r+b") as out:
            for part in file.parts:
                if not self._is_joined(out, offset, part):
                    problem = self._copy(out, offset, part)
                    problems += [problem] if problem else []
                offset += part.size_bytes
            out.truncate(offset)
            out.flush()
            os.fsync(out.fileno())
            if not problems and self._whole_hash(out, offset) != file.sha256:
                problems.append(AppError("kit_content_refused", name=name))
        return problems

    def _whole_hash(self, out: BinaryIO, size: int) -> str:
        """Of what has reached the drive."""
        drop_from_cache(out)
        digest = hashlib.sha256()
        for block in _range(out, 0, size):
            digest.update(block)
            self._meter.add(len(block))
        return digest.hexdigest()

    def _is_joined(self, out: BinaryIO, offset: int, part: KitPart) -> bool:
        if os.fstat(out.fileno()).st_size < offset + part.size_bytes:
            return False
        digest = hashlib.sha256()
        for block in _range(out, offset, part.size_bytes):
            digest.update(block)
        if digest.hexdigest() != part.sha256:
            return False
        self._meter.add(part.size_bytes)
        return True

    def _copy(self, out: BinaryIO, offset: int, part: KitPart) -> AppError | None:
        path = self._folder / part.name
        try:
            status = path.lstat()
        except OSError:
            return AppError("kit_part_missing", part=part.name)
        if not stat.S_ISREG(status.st_mode):
            return AppError("kit_part_irregular", part=part.name)
        digest = hashlib.sha256()
        if status.st_size == part.size_bytes:
            out.seek(offset)
            for block in _contents(path, part.size_bytes):
                out.write(block)
                digest.update(block)
                self._meter.add(len(block))
        return None if digest.hexdigest() == part.sha256 else AppError("kit_part_damaged", part=part.name)


def is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


def read_small(path: Path, extra: KitExtra) -> bytes | None:
    """None when it is not what the table says."""
    try:
        content = read_regular(path, _EXTRA_MAX_BYTES)
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == extra.sha256 else None


def _half(target: Path, file: KitFile) -> Path:
    """The same for the same content, so that the next import finds it."""
    return target / f".{file.sha256[:32]}{_SUFFIX}"


def _has_size(path: Path, size_bytes: int) -> bool:
    return is_regular(path) and path.stat().st_size == size_bytes


def _contents(path: Path, size: int) -> Iterator[bytes]:
    """Ends early where the stick cannot be read: then the hash is wrong."""
    with contextlib.suppress(OSError), open_regular(path) as file:  # since it was looked at it may be another
        yield from _range(file, 0, size)


def _range(file: BinaryIO, offset: int, size: int) -> Iterator[bytes]:
    file.seek(offset)
    while size > 0 and (block := file.read(min(size, BLOCK_BYTES))):
        yield block
        size -= len(block)
