"""Large files written as parts that a FAT32 stick takes: each whole or not at all, and read back."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from app.base.errors import AppError
from app.base.files.input_file import open_regular
from app.base.files.output_file import BLOCK_BYTES, CopyProgress, hash_file
from app.models.kits.kit_manifest import KitFile, KitPart, part_name

PART_BYTES = 3_900_000_000  # FAT32 takes 4 GiB less one byte
PART_MAX_BYTES = (1 << 32) - 1
_HALF_SUFFIX = ".tmp"


class Digest(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class PartWriter:
    """Into one folder. Every byte counts twice: written, read back."""

    def __init__(self, folder: Path, part_bytes: int, meter: CopyProgress) -> None:
        self._folder = folder
        self._part_bytes = part_bytes
        self._meter = meter

    def write(self, path: Path, number: int, *, keeps_name: bool = False) -> KitFile:
        """`number`: of the file in the kit. `keeps_name`: one that needs no parts is called there as it is here.

        Raises AppError (file_unreadable, model_file_changed, move_copy_wrong), and OSError for what cannot be written.
        """
        whole = hashlib.sha256()
        parts: list[KitPart] = []
        try:
            reader = open_regular(path)
        except OSError as error:
            raise _unreadable(path, error) from error
        with reader:
            size = left = os.fstat(reader.fileno()).st_size
            is_single = keeps_name and size <= self._part_bytes
            while left:
                name = path.name if is_single else part_name(number, len(parts) + 1)
                parts.append(self._part(reader, path, name, min(left, self._part_bytes), whole))
                left -= parts[-1].size_bytes
        return KitFile(size, whole.hexdigest(), tuple(parts))

    def _part(self, reader: BinaryIO, source: Path, name: str, size: int, whole: Digest) -> KitPart:
        """One that is there and right is not written again. `whole` sees every byte of the source once."""
        target, part = self._folder / name, hashlib.sha256()
        if not target.is_symlink() and target.is_file() and target.stat().st_size == size:
            for block in _blocks(reader, source, size):
                part.update(block)
                whole.update(block)
                self._meter.add(len(block))
            if _hash_or_nothing(target, self._meter) == part.hexdigest():
                return KitPart(name, size, part.hexdigest())
            reader.seek(-size, os.SEEK_CUR)
            part, whole = hashlib.sha256(), hashlib.sha256()
        self._write(reader, source, target, size, (part, whole))
        return KitPart(name, size, part.hexdigest())

    def _write(self, reader: BinaryIO, source: Path, target: Path, size: int, digests: tuple[Digest, Digest]) -> None:
        half = target.with_name(target.name + _HALF_SUFFIX)
        half.unlink(missing_ok=True)
        try:
            with half.open("xb") as out:
                for block in _blocks(reader, source, size):
                    out.write(block)
                    for digest in digests:
                        digest.update(block)
                    self._meter.add(len(block))
                out.flush()
                os.fsync(out.fileno())
            if hash_file(half, self._meter) != digests[0].hexdigest():
                raise AppError("move_copy_wrong", path=str(target))
            half.replace(target)
        except BaseException:
            with contextlib.suppress(OSError):
                half.unlink(missing_ok=True)
            raise


def _blocks(reader: BinaryIO, source: Path, size: int) -> Iterator[bytes]:
    """Exactly `size` bytes. Raises AppError, so that a failure to read is not taken for one to write."""
    while size:
        try:
            block = reader.read(min(size, BLOCK_BYTES))
        except OSError as error:
            raise _unreadable(source, error) from error
        if not block:  # it became shorter meanwhile
            raise AppError("model_file_changed", path=str(source))
        size -= len(block)
        yield block


def _unreadable(path: Path, error: OSError) -> AppError:
    return AppError("file_unreadable", path=str(path), reason=error.strerror or str(error))


def _hash_or_nothing(path: Path, meter: CopyProgress) -> str:
    try:
        return hash_file(path, meter)
    except OSError:  # a spoilt stick: it is written anew
        return ""
