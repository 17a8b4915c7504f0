"""A file on its way: `NAME.part`, and beside it `NAME.part.json`, which says what of it has reached the disk.

The mark never claims more than is there: data is synced first, then the mark is written anew, synced and renamed. That
is slow, so between two of them `NAME.part.now` says what has been written but perhaps not reached the disk: true after
the process was killed, and not believed after the machine was started anew.
Every byte is written once; so a checksum taken while the file grows is the checksum of what is there in the end.

Which bytes of a file are there: half-open ranges, sorted and apart.
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

import psutil

from app.base.addresses import strip_credentials
from app.base.errors import AppError
from app.base.files import strict_json
from app.models.downloads.download_source import ChangedError, FileIdentity
from app.models.downloads.messages import Fetch, FileOrigin

ByteRange = tuple[int, int]  # start, end; the end is not part of it


class ByteRanges:
    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        self._ranges: list[ByteRange] = []
        self._total = 0
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[ByteRange]:
        return iter(self._ranges)

    @property
    def total(self) -> int:
        """Bytes in all ranges together."""
        return self._total

    @property
    def prefix_end(self) -> int:
        """How far the file is there without a gap from its beginning."""
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

    def missing(self, start: int, end: int) -> list[ByteRange]:
        """The gaps between `start` and `end`, in order."""
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
RESERVE_BYTES = 16 << 20  # left free on the disk: the conversations are there too
SYNC_EVERY_S = 1.0
_SMALLEST_STEP_BYTES = 256 << 10
_STEPS = 512  # notes a file, so that a killed download sends less than 1 % again
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class PartCheckpoint:
    """What is known about a file on its way; the content of `NAME.part.json`. Holds no secret."""

    origin: FileOrigin
    card_id: str
    size_bytes: int
    etag: str
    sha256: str  # what it should have; "": nobody said
    ranges: tuple[ByteRange, ...] = ()
    differing: tuple[ByteRange, ...] = ()  # where the source said something else the second time
    attempt: int = 0  # 0: being fetched; 1, 2: being repaired
    modified: str = ""  # as the source says

    @property
    def identity(self) -> FileIdentity:
        return FileIdentity(self.size_bytes, self.etag, self.sha256, self.modified)


@dataclass(frozen=True, slots=True)
class PartPaths:
    """Where a file is while it is on its way, and afterwards."""

    target: Path

    def _beside(self, suffix: str) -> Path:
        return self.target.with_name(self.target.name + suffix)

    @property
    def part(self) -> Path:
        return self._beside(".part")

    @property
    def bad(self) -> Path:
        """A whole file whose checksum is wrong."""
        return self._beside(".bad")

    @property
    def mark(self) -> Path:
        return self._beside(".part.json")

    @property
    def now(self) -> Path:
        return self._beside(".part.now")

    @property
    def lock(self) -> Path:
        return self._beside(".part.lock")

    def data(self, attempt: int) -> Path:
        return self.bad if attempt else self.part

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.forget()

    def forget(self) -> None:
        """The mark last: what was noted after it means nothing without it."""
        for path in (self.now, temporary_path(self.mark), self.mark):
            path.unlink(missing_ok=True)


def temporary_path(path: Path) -> Path:
    """Always the same name: a killed child leaves no others."""
    return path.with_name(path.name + ".tmp")


def new_checkpoint(fetch: Fetch, identity: FileIdentity) -> PartCheckpoint:
    origin = dataclasses.replace(fetch.origin, place=strip_credentials(fetch.origin.place))
    sha256 = fetch.sha256 or identity.sha256
    return PartCheckpoint(origin, fetch.card_id, identity.size_bytes, identity.etag, sha256, modified=identity.modified)


def read_checkpoint(path: Path) -> PartCheckpoint | None:
    """None where there is none that can be used; then the file is fetched from the beginning."""
    try:
        data = strict_json.load_file(path)
        if data.pop("version") != VERSION:
            return None
        mark = PartCheckpoint(FileOrigin(**data.pop("origin")), **data)
        _check_types(mark)
        size_bytes = mark.size_bytes
        now = _read_now(path.with_suffix(".now"), mark.attempt)
        ranges, differing = (
            tuple(ByteRanges(_checked([*getattr(mark, key), *now.get(key, ())], size_bytes)))
            for key in ("ranges", "differing")
        )
        return dataclasses.replace(mark, ranges=ranges, differing=differing)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _check_types(mark: PartCheckpoint) -> None:
    """Raises TypeError."""
    texts = (*dataclasses.astuple(mark.origin), mark.card_id, mark.etag, mark.sha256, mark.modified)
    counts = (mark.size_bytes, mark.attempt)
    if any(type(text) is not str for text in texts) or any(type(count) is not int for count in counts):
        raise TypeError("a field of another type")


def _read_now(path: Path, attempt: int) -> dict[str, Any]:
    """What was written since the mark; nothing where the machine has been started anew since, or it is unreadable."""
    try:
        now: dict[str, Any] = strict_json.load_file(path)
        return now if now["boot"] == boot_id() and now["attempt"] == attempt else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


@functools.cache
def boot_id() -> str:
    """Another one each time that the machine is started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:  # no Linux
        return str(round(psutil.boot_time()))


def _checked(ranges: Any, size_bytes: int) -> tuple[ByteRange, ...]:
    pairs = tuple((int(start), int(end)) for start, end in ranges)
    if any(not 0 <= start < end <= size_bytes for start, end in pairs):
        raise ValueError("a range outside of the file")
    return pairs


class PartFile:
    """Written by several threads; after `close` a late one gets ValueError from its write."""

    def __init__(self, places: PartPaths, mark: PartCheckpoint, sync_bytes: int) -> None:
        self._places = places
        self._mark = mark
        self._path = places.data(mark.attempt)
        self._step = max(_SMALLEST_STEP_BYTES, min(sync_bytes, mark.size_bytes // _STEPS))
        self._sync_bytes = sync_bytes
        self._synced_at = -math.inf
        self._since_sync = 0  # bytes
        self._ranges, self._differing = ByteRanges(mark.ranges), ByteRanges(mark.differing)
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._unnoted = 0  # bytes
        self._now = _Now(places.now)
        self.check_space(RESERVE_BYTES)
        with self._explained():
            if self._path.is_symlink():
                self._path.unlink()  # never through a link to somewhere else
            self._file = self._path.open("r+b" if self._path.exists() else "w+b", buffering=0)
            self._file.truncate(mark.size_bytes)

    @property
    def done_bytes(self) -> int:
        return self._ranges.total

    @property
    def prefix_end(self) -> int:
        return self._ranges.prefix_end

    def missing(self) -> list[ByteRange]:
        with self._writing:
            return self._ranges.missing(0, self._mark.size_bytes)

    def write(self, start: int, data: bytes) -> int:
        """Puts the data where it belongs, leaving out what is there already; returns how much was new.

        Under repair the data is compared with what is there, and written where it differs.
        """
        new = 0
        with self._writing, self._explained():
            for low, high in self._ranges.missing(start, min(start + len(data), self._mark.size_bytes)):
                self._put(low, memoryview(data)[low - start : high - start])
                self._ranges.add(low, high)
                new += high - low
            self._unnoted += new
        if self._unnoted >= self._step:
            self._note()
        return new

    def _put(self, start: int, data: memoryview) -> None:
        self._file.seek(start)
        if self._mark.attempt:
            if self._file.read(len(data)) == data:
                return
            self._differing.add(start, start + len(data))
            self._file.seek(start)
        while data:
            written = self._file.write(data) or 0
            data = data[written:]

    def _note(self, *, is_last: bool = False) -> None:
        """Says what is there. Threads that have written a step more wait here for their turn."""
        with self._syncing, self._explained():
            with self._writing:
                if self._file.closed:
                    return
                mark = dataclasses.replace(self._mark, ranges=tuple(self._ranges), differing=tuple(self._differing))
                self._since_sync, self._unnoted = self._since_sync + self._unnoted, 0
            is_due = time.monotonic() - self._synced_at >= SYNC_EVERY_S or self._since_sync >= self._sync_bytes
            if is_due or is_last:
                self._sync(mark)
            else:
                self._now.write(mark)
        self.check_space(0)

    def _sync(self, mark: PartCheckpoint) -> None:
        """Data to the disk, then the mark."""
        os.fsync(self._file.fileno())
        write_checkpoint(self._places, mark)
        self._mark = mark
        self._since_sync, self._synced_at = 0, time.monotonic()

    @property
    def mark(self) -> PartCheckpoint:
        return self._mark

    def check_space(self, reserve_bytes: int) -> None:
        """Raises AppError("download_disk_full") where the rest would not fit, or the disk is all but full."""
        rest = self._mark.size_bytes - self._ranges.total if not self._mark.attempt else 0
        need = rest + reserve_bytes if reserve_bytes else min(rest, RESERVE_BYTES)
        free = shutil.disk_usage(self._path.parent).free
        if rest and free < need:
            raise AppError("download_disk_full", path=str(self._path.parent), need_bytes=rest, free_bytes=free)

    def close(self) -> None:
        """Syncs and closes. The lock order keeps a sync in another thread from using a closed file."""
        try:
            self._note(is_last=True)
        finally:
            with self._syncing, self._writing:
                self._file.close()
                self._now.close()
        self._places.now.unlink(missing_ok=True)  # the mark says all of it

    @contextlib.contextmanager
    def _explained(self) -> Any:
        try:
            yield
        except OSError as error:
            raise write_error(error, self._path, self._mark.size_bytes) from error


def write_checkpoint(places: PartPaths, mark: PartCheckpoint) -> None:
    """Replaces the mark whole or not at all."""
    with temporary_path(places.mark).open("wb") as file:
        file.write(json.dumps({"version": VERSION, **dataclasses.asdict(mark)}).encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())
    temporary_path(places.mark).replace(places.mark)


class _Now:
    """`NAME.part.now`, overwritten in place by one write: to rename a file over another can wait for the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: FileIO | None = None
        self._size = 0

    def write(self, mark: PartCheckpoint) -> None:
        if self._file is None:
            self._path.unlink(missing_ok=True)  # never through a link to somewhere else
            self._file = self._path.open("xb", buffering=0)
        now = {"boot": boot_id(), "attempt": mark.attempt, "ranges": mark.ranges, "differing": mark.differing}
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
    """The sha256 of a file that grows from its beginning, read again from the system's cache as it comes."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb", buffering=0)
        self._hash = hashlib.sha256()
        self._at = 0

    def follow(self, end: int, limit_bytes: int) -> bool:
        """Takes in up to `limit_bytes` more, not beyond `end`; True when that has been reached.

        Raises ChangedError where the file has become shorter than that.
        """
        limit = min(end, self._at + limit_bytes)
        while self._at < limit:
            block = self._file.read(min(_BLOCK_BYTES, limit - self._at))
            if not block:
                raise ChangedError
            self._hash.update(block)
            self._at += len(block)
        return self._at >= end

    def hexdigest(self) -> str:
        return self._hash.hexdigest()

    def close(self) -> None:
        self._file.close()
