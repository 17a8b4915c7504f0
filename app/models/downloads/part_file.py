"""Write a file that is being downloaded to `NAME.part`, and its checkpoint to `NAME.part.json` beside it.

The checkpoint never claims more than is on the disk: the data is synced first, then the checkpoint is written, synced
and renamed. That is slow, so in between `NAME.part.now` records the ranges that are written but perhaps not synced. It
is valid if the process was killed, but not after a restart of the machine.

Every byte is written once, so a checksum computed while the file grows is the checksum of the final file. `ByteRanges`
records which bytes have been written.
"""

import contextlib
import dataclasses
import errno
import functools
import hashlib
import json
import math
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any

from app.base import json_lines
from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.base.files import strict_json
from app.models.downloads.download_source import ChangedError, FileIdentity
from app.models.downloads.messages import Fetch, FileOrigin

ByteRange = tuple[int, int]  # start, end (exclusive)


class ByteRanges:
    """Holds a set of half-open byte ranges, sorted and disjoint."""

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._ranges: list[ByteRange] = []
        self._total = 0
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[ByteRange]:
        return iter(self._ranges)

    @property
    def total(self) -> int:
        """Return the number of bytes in all ranges."""
        return self._total

    @property
    def prefix_end(self) -> int:
        """Return the end of the range that starts at 0; 0 if there is none."""
        return self._ranges[0][1] if self._ranges and self._ranges[0][0] == 0 else 0

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        apart = []
        for other in self._ranges:
            if other[1] < start or end < other[0]:
                apart.append(other)
            else:
                start, end = min(start, other[0]), max(end, other[1])
        self._ranges = sorted([*apart, (start, end)])
        self._total = sum(high - low for low, high in self._ranges)

    def find_gaps(self, start: int, end: int) -> list[ByteRange]:
        """Return the gaps between `start` and `end`, in order."""
        gaps = []
        for low, high in self._ranges:
            if high <= start:
                continue
            if low >= end:
                break
            if low > start:
                gaps.append((start, low))
            start = max(start, high)
        if start < end:
            gaps.append((start, end))
        return gaps


VERSION = 1
RESERVE_BYTES = 16 << 20  # left free on the disk, which also holds the conversations
SYNC_EVERY_S = 1.0
_SMALLEST_STEP_BYTES = 256 << 10
_STEPS = 512  # records per file, so that a killed download repeats less than 1 %
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PartCheckpoint:
    """Describes a partial file: the content of `NAME.part.json`. Contains no secret."""

    origin: FileOrigin
    card_id: str
    size_bytes: int
    etag: str
    sha256: str  # expected; "": unknown
    ranges: tuple[ByteRange, ...] = ()
    differing: tuple[ByteRange, ...] = ()  # where the source answered differently the second time
    attempt: int = 0  # 0: first fetch; 1, 2: repair
    modified: str = ""  # time from the source

    @property
    def identity(self) -> FileIdentity:
        return FileIdentity(self.size_bytes, self.etag, self.sha256, self.modified)


@dataclass(frozen=True, slots=True)
class PartPaths:
    """Provides the paths of a file during and after its download."""

    target: Path

    def _with_suffix(self, suffix: str) -> Path:
        return self.target.with_name(self.target.name + suffix)

    @property
    def part_path(self) -> Path:
        return self._with_suffix(".part")

    @property
    def bad_path(self) -> Path:
        """Return the path of a complete file whose checksum is wrong."""
        return self._with_suffix(".bad")

    @property
    def checkpoint(self) -> Path:
        return self._with_suffix(".part.json")

    @property
    def unsynced_path(self) -> Path:
        return self._with_suffix(".part.now")

    @property
    def lock(self) -> Path:
        return self._with_suffix(".part.lock")

    def data(self, attempt: int) -> Path:
        return self.bad_path if attempt else self.part_path

    def discard(self) -> None:
        self.part_path.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """Delete the records of the download, the checkpoint last: `NAME.part.now` is invalid without it."""
        for path in (self.unsynced_path, temporary_path(self.checkpoint), self.checkpoint):
            path.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Return the temporary path for writing a file; it is fixed, so that a killed child leaves only one such file."""
    return path.with_name(path.name + ".tmp")


def new_checkpoint(fetch: Fetch, identity: FileIdentity) -> PartCheckpoint:
    origin = dataclasses.replace(fetch.origin, place=strip_credentials(fetch.origin.place))
    sha256 = fetch.sha256 or identity.sha256
    return PartCheckpoint(origin, fetch.card_id, identity.size_bytes, identity.etag, sha256, modified=identity.modified)


def read_checkpoint(path: Path) -> PartCheckpoint | None:
    """Return the checkpoint with the ranges recorded after it; None if there is no usable one."""
    try:
        data = strict_json.load_file(path)
        if data.pop("version") != VERSION:
            return None
        checkpoint = json_lines.convert(data, PartCheckpoint)
        size_bytes = checkpoint.size_bytes
        now = _read_unsynced(path.with_suffix(".now"), checkpoint.attempt)
        ranges, differing = (
            tuple(ByteRanges(_valid_ranges([*getattr(checkpoint, key), *now.get(key, ())], size_bytes)))
            for key in ("ranges", "differing")
        )
        return dataclasses.replace(checkpoint, ranges=ranges, differing=differing)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _read_unsynced(path: Path, attempt: int) -> dict[str, Any]:
    """Return the record of ranges written since the checkpoint; {} if unreadable or older than the machine's start."""
    try:
        now: dict[str, Any] = strict_json.load_file(path)
        return now if now["boot"] == boot_id() and now["attempt"] == attempt else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


@functools.cache
def boot_id() -> str:
    """Return an id that changes with each start of the machine."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:  # not Linux
        import psutil  # here, because Linux never needs it

        return str(round(psutil.boot_time()))


def _valid_ranges(ranges: Any, size_bytes: int) -> tuple[ByteRange, ...]:
    pairs = tuple((int(start), int(end)) for start, end in ranges)
    if any(not 0 <= start < end <= size_bytes for start, end in pairs):
        raise ValueError("a range outside of the file")
    return pairs


class PartFile:
    """Writes the partial file from several threads. After `close` a late write raises ValueError."""

    def __init__(self, places: PartPaths, checkpoint: PartCheckpoint, sync_bytes: int) -> None:
        self._places = places
        self._checkpoint = checkpoint
        self._path = places.data(checkpoint.attempt)
        self._step = max(_SMALLEST_STEP_BYTES, min(sync_bytes, checkpoint.size_bytes // _STEPS))
        self._sync_bytes = sync_bytes
        self._synced_at = -math.inf
        self._since_sync = 0  # bytes
        self._ranges, self._differing = ByteRanges(checkpoint.ranges), ByteRanges(checkpoint.differing)
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._unrecorded = 0  # bytes
        self._unsynced = _UnsyncedRecord(places.unsynced_path)
        self.check_space(RESERVE_BYTES)
        with self._translate_errors():
            if self._path.is_symlink():
                self._path.unlink()  # never write through a link
            self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
            self._file.truncate(checkpoint.size_bytes)

    @property
    def done_bytes(self) -> int:
        return self._ranges.total

    @property
    def prefix_end(self) -> int:
        return self._ranges.prefix_end

    def find_gaps(self) -> list[ByteRange]:
        with self._writing:
            return self._ranges.find_gaps(0, self._checkpoint.size_bytes)

    def write(self, start: int, data: bytes) -> int:
        """Write the bytes of `data` that are missing at offset `start`; return their number.

        During a repair the data is compared with the file, and written where it differs.
        """
        new = 0
        with self._writing, self._translate_errors():
            for low, high in self._ranges.find_gaps(start, min(start + len(data), self._checkpoint.size_bytes)):
                self._put(low, memoryview(data)[low - start : high - start])
                self._ranges.add(low, high)
                new += high - low
            self._unrecorded += new
        if self._unrecorded >= self._step:
            self._record_ranges()
        return new

    def _put(self, start: int, data: memoryview) -> None:
        self._file.seek(start)
        if self._checkpoint.attempt:
            if self._file.read(len(data)) == data:
                return
            self._differing.add(start, start + len(data))
            self._file.seek(start)
        while data:
            written = self._file.write(data) or 0
            data = data[written:]

    def _record_ranges(self, *, is_last: bool = False) -> None:
        """Record on disk which ranges of the file are written. `is_last`: sync the data too, even if that is not due.

        Meanwhile another thread that wants to record ranges waits here.
        """
        with self._syncing, self._translate_errors():
            with self._writing:
                if self._file.closed:
                    return
                checkpoint = dataclasses.replace(
                    self._checkpoint, ranges=tuple(self._ranges), differing=tuple(self._differing)
                )
                self._since_sync, self._unrecorded = self._since_sync + self._unrecorded, 0
            is_due = time.monotonic() - self._synced_at >= SYNC_EVERY_S or self._since_sync >= self._sync_bytes
            if is_due or is_last:
                self._sync(checkpoint)
            else:
                self._unsynced.write(checkpoint)
        self.check_space(0)

    def _sync(self, checkpoint: PartCheckpoint) -> None:
        """Sync the data, then write the checkpoint."""
        os.fsync(self._file.fileno())
        write_checkpoint(self._places, checkpoint)
        self._checkpoint = checkpoint
        self._since_sync, self._synced_at = 0, time.monotonic()

    @property
    def checkpoint(self) -> PartCheckpoint:
        return self._checkpoint

    def check_space(self, reserve_bytes: int) -> None:
        """Raise AppError("download_disk_full") if the rest and `reserve_bytes` do not fit.

        With `reserve_bytes` 0, raise it only if less than the rest and less than RESERVE_BYTES are free.
        """
        rest = self._checkpoint.size_bytes - self._ranges.total if not self._checkpoint.attempt else 0
        need = rest + reserve_bytes if reserve_bytes else min(rest, RESERVE_BYTES)
        free = shutil.disk_usage(self._path.parent).free
        if rest and free < need:
            raise AppError("download_disk_full", path=str(self._path.parent), need_bytes=rest, free_bytes=free)

    def close(self) -> None:
        """Sync and close the file. The lock order keeps another thread from syncing a closed file."""
        try:
            self._record_ranges(is_last=True)
        finally:
            with self._syncing, self._writing:
                self._file.close()
                self._unsynced.close()
        self._places.unsynced_path.unlink(missing_ok=True)  # the checkpoint contains all ranges

    @contextlib.contextmanager
    def _translate_errors(self) -> Any:
        try:
            yield
        except OSError as error:
            raise write_error(error, self._path, self._checkpoint.size_bytes) from error


def write_checkpoint(places: PartPaths, checkpoint: PartCheckpoint) -> None:
    """Replace the checkpoint atomically."""
    with temporary_path(places.checkpoint).open("wb") as file:
        file.write(json.dumps({"version": VERSION, **dataclasses.asdict(checkpoint)}).encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    temporary_path(places.checkpoint).replace(places.checkpoint)


class _UnsyncedRecord:
    """Writes `NAME.part.now` in place with one write, because renaming over a file can wait for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._size = 0

    def write(self, checkpoint: PartCheckpoint) -> None:
        if self._file is None:
            self._path.unlink(missing_ok=True)  # never write through a link
            self._file = self._path.open("xb", buffering=0)
        now = {
            "boot": boot_id(),
            "attempt": checkpoint.attempt,
            "ranges": checkpoint.ranges,
            "differing": checkpoint.differing,
        }
        line = json.dumps(now).encode("ascii")
        self._size = max(self._size, len(line))
        self._file.seek(0)
        self._file.write(line.ljust(self._size))

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


def write_error(error: OSError, path: Path, need_bytes: int) -> AppError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        free = shutil.disk_usage(path.parent).free
        return AppError("download_disk_full", path=str(path.parent), need_bytes=need_bytes, free_bytes=free)
    return AppError("download_unwritable", path=str(path.parent), reason=error.strerror or str(error))


class RunningHash:
    """Computes the SHA-256 of a growing file, which it reads again from the system's cache."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._hash = hashlib.sha256()
        self._offset = 0

    def follow(self, end: int, limit_bytes: int) -> bool:
        """Hash up to `limit_bytes` more bytes, not beyond offset `end`; return whether `end` is reached.

        Raises ChangedError if the file has become shorter.
        """
        limit = min(end, self._offset + limit_bytes)
        while self._offset < limit:
            block = self._file.read(min(_BLOCK_BYTES, limit - self._offset))
            if not block:
                raise ChangedError
            self._hash.update(block)
            self._offset += len(block)
        return self._offset >= end

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()
