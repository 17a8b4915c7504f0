"""Bytes from a source into a part file: several connections, each with its own piece, retried while there is hope.

A connection that gets nowhere gives its piece back and ends; the transfer fails when the last one has. So a server
that allows two connections is served by two.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable

from app.base.errors import AppError
from app.models.downloads.download_source import (
    BadRangeError,
    DownloadSource,
    FileIdentity,
    NoRangesError,
    TransientError,
)
from app.models.downloads.messages import Progress, TransferPolicy, WaitingToRetry
from app.models.downloads.part_file import ByteRange, PartFile, RunningHash

PIECE_BYTES = 64 << 20  # a piece is one request
SMALLEST_PIECE_BYTES = 1 << 20
REPORT_EVERY_S = 0.2
_HASH_BYTES = 64 << 20  # at one go between two reports
_SPEED_WINDOW_S = 5.0
BAD_RANGES = 2  # then the source is taken for one that knows no ranges

Send = Callable[[Progress | WaitingToRetry], None]


class TransferStopped(Exception):  # noqa: N818  nothing went wrong
    """A pause was asked for."""


class PermanentError(AppError):
    """Too many failures in a row: download_stalled | _cut | _busy | _unreachable | _server."""


class TransferControl:
    """What other threads tell a running fetch: to stop, and how fast it may be."""

    def __init__(self, bytes_per_s: int = 0) -> None:
        self.stopping = threading.Event()
        self.news = threading.Event()  # for the thread that waits: stopped, or a connection has ended
        self._lock = threading.Condition()  # notified when those who wait for the limit need not
        self._limits = 0  # how many there have been
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    def stop(self) -> None:
        self.stopping.set()
        self.news.set()
        with self._lock:
            self._lock.notify_all()

    def limit(self, bytes_per_s: int) -> None:
        with self._lock:
            self._bytes_per_s, self._free_at = bytes_per_s, 0.0
            self._limits += 1
            self._lock.notify_all()

    def wait_for_allowance(self, count: int) -> None:
        """Waits until `count` bytes more are within the limit. All connections share it."""
        with self._lock:
            if not self._bytes_per_s:
                return
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / self._bytes_per_s
            limits = self._limits
            self._lock.wait_for(lambda: self.stopping.is_set() or self._limits != limits, self._free_at - now)


class RetryBackoff:
    """How long to wait after a failure, and when to give up: doubling, with jitter, at least what the server asks."""

    def __init__(self, pace: TransferPolicy) -> None:
        self._pace = pace
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next_wait_s(self, error: TransientError) -> float:
        """Raises HopelessError when there have been too many failures in a row."""
        self._failures += 1
        if self._failures > self._pace.patience:
            raise PermanentError(f"download_{error.reason}") from error
        longest_s = min(self._pace.longest_backoff_s, self._pace.backoff_s * 2.0 ** (self._failures - 1))
        return max(error.wait_s, longest_s * random.uniform(0.5, 1.0))  # noqa: S311  not for secrets


def probe_source(
    source: DownloadSource, pace: TransferPolicy, control: TransferControl, tell: Callable[[str, float], None]
) -> FileIdentity:
    """What the source has. Raises AppError and Stopped."""
    patience = RetryBackoff(pace)
    while True:
        try:
            return source.probe()
        except TransientError as error:
            wait_s = patience.next_wait_s(error)
            tell(error.reason, wait_s)
            if control.stopping.wait(wait_s):
                raise TransferStopped from error


class ByteTransfer:
    """One pass over what is missing in a part file."""

    def __init__(
        self, command_id: str, source: DownloadSource, part: PartFile, identity: FileIdentity, pace: TransferPolicy
    ) -> None:
        self._id = command_id
        self._source, self._part, self._identity, self._pace = source, part, identity, pace
        self._lock = threading.Lock()
        self._pieces = deque(self._cut(part.missing()))
        self._halt = threading.Event()
        self._failure: Exception | None = None
        self._hopeless: PermanentError | None = None  # why the last connection ended that gave up
        self._is_whole = False  # the source knows no ranges
        self._bad_ranges = 0
        self._not_before = 0.0
        self._at_work = 0  # connections

    def run(self, control: TransferControl, send: Send, digest: RunningHash | None) -> None:
        """Returns when nothing is missing; the digest has followed as far as it could meanwhile.

        Raises AppError, ChangedError and Stopped; then threads may still be waiting for the network. They end by
        themselves and write nothing more, since the part file is closed by then.
        """
        count = max(1, min(self._source.connections, len(self._pieces)))
        threads = [
            threading.Thread(target=self._work, args=(control, send), name=f"connection {number}", daemon=True)
            for number in range(count)
        ]
        self._at_work = count
        for thread in threads:
            thread.start()
        speed = TransferSpeed(self._part.done_bytes)
        try:
            while self._at_work and not self._halt.is_set():
                control.news.wait(0 if digest and not self._follow(digest) else REPORT_EVERY_S)
                control.news.clear()
                if control.stopping.is_set():
                    raise TransferStopped
                send(self._progress(speed))
            self._raise_failure(control)
            send(self._progress(speed))
        finally:
            self._halt.set()

    def _follow(self, digest: RunningHash) -> bool:
        return digest.follow(self._part.prefix_end, _HASH_BYTES)

    def _progress(self, speed: "TransferSpeed") -> Progress:
        done = self._part.done_bytes
        return Progress(self._id, done, self._identity.size_bytes, speed.note(done))

    def _raise_failure(self, control: TransferControl) -> None:
        if self._failure is not None:
            raise self._failure
        if self._part.missing():
            if control.stopping.is_set():  # seen by the connections before it was seen here
                raise TransferStopped
            assert self._hopeless is not None
            raise self._hopeless

    def _cut(self, missing: list[ByteRange]) -> list[ByteRange]:
        share = self._identity.size_bytes // (self._source.connections * 4)
        step = max(SMALLEST_PIECE_BYTES, min(PIECE_BYTES, share))
        return [(at, min(at + step, end)) for start, end in missing for at in range(start, end, step)]

    # ------------------------------------------------------------- in a connection's thread

    def _work(self, control: TransferControl, send: Send) -> None:
        patience = RetryBackoff(self._pace)
        try:
            while not self._halt.is_set() and (taken := self._take()):
                self._bring(*taken, patience, control, send)
        except PermanentError as error:
            self._hopeless = error
        except Exception as error:  # noqa: BLE001  carried to the thread that waits, where a bug rises
            if not self._halt.is_set():  # else it comes from the part file being closed
                self._failure = error
                self._halt.set()
        finally:
            with self._lock:
                self._at_work -= 1
            control.news.set()

    def _take(self) -> tuple[ByteRange, bool] | None:
        with self._lock:
            return (self._pieces.popleft(), self._is_whole) if self._pieces else None

    def _put_back(self, piece: ByteRange, is_whole: bool) -> None:
        with self._lock:
            if is_whole == self._is_whole:  # else the one that reads all of it brings this too
                self._pieces.appendleft(piece)

    def _bring(
        self, piece: ByteRange, is_whole: bool, patience: RetryBackoff, control: TransferControl, send: Send
    ) -> None:
        """One piece, or what can be had of it; the rest is put back."""
        at, end = piece
        try:
            self._halt.wait(self._not_before - time.monotonic())
            whole = self._source.read_whole if is_whole else None
            for data in whole(self._identity) if whole else self._source.read(self._identity, at, end):
                control.wait_for_allowance(len(data))
                if self._halt.is_set() or control.stopping.is_set():
                    return
                if at >= end:
                    break  # more than was asked for
                if self._part.write(at, data[: end - at]):
                    patience.reset()
                at += len(data)
            if at < end:
                raise TransientError("cut")
        except TransientError as error:
            self._put_back(piece if is_whole else (at, end), is_whole)
            self._wait(error, patience, send)
        except NoRangesError:
            self._use_whole()
        except BadRangeError:
            self._put_back(piece, is_whole)
            self._on_bad_range(patience, send)

    def _wait(self, error: TransientError, patience: RetryBackoff, send: Send) -> None:
        if self._halt.is_set():
            return
        wait_s = patience.next_wait_s(error)
        if error.wait_s:  # the server asks all of us
            self._not_before = time.monotonic() + wait_s
        send(WaitingToRetry(self._id, error.reason, wait_s))
        self._halt.wait(wait_s)

    def _on_bad_range(self, patience: RetryBackoff, send: Send) -> None:
        self._bad_ranges += 1
        if self._bad_ranges >= BAD_RANGES:
            self._use_whole()
        else:
            self._wait(TransientError("server"), patience, send)

    def _use_whole(self) -> None:
        """From here on one connection reads the file from its beginning; what is there already is not written again."""
        with self._lock:
            if not self._is_whole:
                self._is_whole = True
                self._pieces = deque([(0, self._identity.size_bytes)])


class TransferSpeed:
    """Bytes a second over the last seconds."""

    def __init__(self, done_bytes: int) -> None:
        self._samples = deque([(time.monotonic(), done_bytes)])

    def note(self, done_bytes: int) -> float:
        now = time.monotonic()
        self._samples.append((now, done_bytes))
        while len(self._samples) > 2 and now - self._samples[0][0] > _SPEED_WINDOW_S:
            self._samples.popleft()
        before_s, before_bytes = self._samples[0]
        return (done_bytes - before_bytes) / max(now - before_s, 1e-3)
