"""Transfer bytes from a source into a partial file over several connections, each with its own piece, with retries.

A connection that keeps failing returns its piece and ends; the transfer fails when the last one has ended. So a server
that allows only two connections is used by two.
"""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TypeVar

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

PIECE_BYTES = 64 << 20  # one request fetches a piece
SMALLEST_PIECE_BYTES = 1 << 20
REPORT_EVERY_S = 0.2
_HASH_BYTES = 64 << 20  # hashed in one go between two progress reports
_SPEED_WINDOW_S = 5.0
BAD_RANGES = 2  # after this many bad answers the source counts as one without range requests

Send = Callable[[Progress | WaitingToRetry], None]
T = TypeVar("T")


class TransferStopped(Exception):  # noqa: N818  not an error
    """Stops a transfer because a pause was requested."""


class PermanentError(AppError):
    """Ends a connection after too many failures in a row: download_stalled | _cut | _busy | _unreachable | _server."""


class TransferControl:
    """Lets other threads stop a running fetch and limit its speed."""

    def __init__(self, bytes_per_s: int = 0) -> None:
        self.stopping = threading.Event()
        self.wake_up = threading.Event()  # wakes the waiting main thread: stop requested, or a connection has ended
        self._lock = threading.Condition()  # notified to end a wait for the speed limit
        self._limits = 0  # counts the changes of the limit
        self._bytes_per_s = bytes_per_s
        self._free_at = 0.0

    def stop(self) -> None:
        self.stopping.set()
        self.wake_up.set()
        with self._lock:
            self._lock.notify_all()

    def limit(self, bytes_per_s: int) -> None:
        with self._lock:
            self._bytes_per_s, self._free_at = bytes_per_s, 0.0
            self._limits += 1
            self._lock.notify_all()

    def wait_for_allowance(self, count: int) -> None:
        """Wait until `count` more bytes are within the speed limit, which all connections share."""
        with self._lock:
            if not self._bytes_per_s:
                return
            now = time.monotonic()
            self._free_at = max(self._free_at, now) + count / self._bytes_per_s
            limits = self._limits
            self._lock.wait_for(lambda: self.stopping.is_set() or self._limits != limits, self._free_at - now)


class RetryBackoff:
    """Computes the wait after each failure: it doubles up to a maximum, with jitter, but is at least the server's."""

    def __init__(self, pace: TransferPolicy) -> None:
        self._pace = pace
        self._failures = 0

    def reset(self) -> None:
        self._failures = 0

    def next_wait_s(self, error: TransientError) -> float:
        """Return the seconds to wait. Raises PermanentError after too many failures in a row."""
        self._failures += 1
        if self._failures > self._pace.patience:
            raise PermanentError(f"download_{error.reason}") from error
        longest_s = min(self._pace.longest_backoff_s, self._pace.backoff_s * 2.0 ** (self._failures - 1))
        return max(error.wait_s, longest_s * random.uniform(0.5, 1.0))  # noqa: S311  not a secret


def with_retries(act: Callable[[], T], pace: TransferPolicy, wait: Callable[[str, float], None]) -> T:
    """Return the result of `act`; after a transient failure call `wait` with reason and seconds, and try again.

    Raises PermanentError after too many failures in a row, and the other exceptions of `act` and `wait`.
    """
    patience = RetryBackoff(pace)
    while True:
        try:
            return act()
        except TransientError as error:
            wait(error.reason, patience.next_wait_s(error))


class ByteTransfer:
    """Fetches the missing bytes of a partial file in one pass."""

    def __init__(
        self, command_id: str, source: DownloadSource, part: PartFile, identity: FileIdentity, pace: TransferPolicy
    ) -> None:
        self._id = command_id
        self._source, self._part, self._identity, self._pace = source, part, identity, pace
        self._lock = threading.Lock()
        self._pieces = deque(self._split(part.find_gaps()))
        self._halt = threading.Event()
        self._failure: Exception | None = None
        self._permanent_error: PermanentError | None = None  # why the last connection gave up
        self._is_whole = False  # the source supports no range requests
        self._bad_ranges = 0
        self._not_before = 0.0
        self._running = 0  # running connections

    def run(self, control: TransferControl, send: Send, digest: RunningHash | None) -> None:
        """Transfer until nothing is missing; meanwhile `digest` hashes the complete bytes from the file's start.

        Raises AppError, ChangedError and TransferStopped. Threads may then still wait for the network; they end by
        themselves and write nothing more, since the partial file is closed.
        """
        count = max(1, min(self._source.connections, len(self._pieces)))
        threads = [
            threading.Thread(target=self._work, args=(control, send), name=f"connection {number}", daemon=True)
            for number in range(count)
        ]
        self._running = count
        for thread in threads:
            thread.start()
        speed = TransferSpeed(self._part.done_bytes)
        try:
            while self._running and not self._halt.is_set():
                has_more = digest is not None and not digest.follow(self._part.prefix_end, _HASH_BYTES)
                control.wake_up.wait(0 if has_more else REPORT_EVERY_S)
                control.wake_up.clear()
                if control.stopping.is_set():
                    raise TransferStopped
                send(self._progress(speed))
            self._raise_failure(control)
            send(self._progress(speed))
        finally:
            self._halt.set()

    def _progress(self, speed: "TransferSpeed") -> Progress:
        done = self._part.done_bytes
        return Progress(self._id, done, self._identity.size_bytes, speed.note(done))

    def _raise_failure(self, control: TransferControl) -> None:
        if self._failure is not None:
            raise self._failure
        if self._part.find_gaps():
            if control.stopping.is_set():  # the connections saw it before this thread
                raise TransferStopped
            assert self._permanent_error is not None
            raise self._permanent_error

    def _split(self, missing: list[ByteRange]) -> list[ByteRange]:
        share = self._identity.size_bytes // (self._source.connections * 4)
        step = max(SMALLEST_PIECE_BYTES, min(PIECE_BYTES, share))
        return [(at, min(at + step, end)) for start, end in missing for at in range(start, end, step)]

    # ------------------------------------------------------------- in a connection's thread

    def _work(self, control: TransferControl, send: Send) -> None:
        patience = RetryBackoff(self._pace)
        try:
            while not self._halt.is_set() and (taken := self._next_piece()):
                self._fetch_piece(*taken, patience, control, send)
        except PermanentError as error:
            self._permanent_error = error
        except Exception as error:  # noqa: BLE001  re-raised in the main thread
            if not self._halt.is_set():  # otherwise the closing of the partial file has caused the error
                self._failure = error
                self._halt.set()
        finally:
            with self._lock:
                self._running -= 1
            control.wake_up.set()

    def _next_piece(self) -> tuple[ByteRange, bool] | None:
        with self._lock:
            return (self._pieces.popleft(), self._is_whole) if self._pieces else None

    def _put_back(self, piece: ByteRange, is_whole: bool) -> None:
        with self._lock:
            if is_whole == self._is_whole:  # otherwise a connection that reads the whole file includes this piece
                self._pieces.appendleft(piece)

    def _fetch_piece(
        self, piece: ByteRange, is_whole: bool, patience: RetryBackoff, control: TransferControl, send: Send
    ) -> None:
        """Fetch one piece; after a failure, put its missing rest back into the queue."""
        at, end = piece
        try:
            self._halt.wait(self._not_before - time.monotonic())
            whole = self._source.read_whole if is_whole else None
            for data in whole(self._identity) if whole else self._source.read(self._identity, at, end):
                control.wait_for_allowance(len(data))
                if self._halt.is_set() or control.stopping.is_set():
                    return
                if at >= end:
                    break  # more than requested
                if self._part.write(at, data[: end - at]):
                    patience.reset()
                at += len(data)
            if at < end:
                raise TransientError("cut")
        except TransientError as error:
            self._put_back(piece if is_whole else (at, end), is_whole)
            self._wait(error, patience, send)
        except NoRangesError:
            self._switch_to_whole_file()
        except BadRangeError:
            self._put_back(piece, is_whole)
            self._on_bad_range(patience, send)

    def _wait(self, error: TransientError, patience: RetryBackoff, send: Send) -> None:
        if self._halt.is_set():
            return
        wait_s = patience.next_wait_s(error)
        if error.wait_s:  # the server's wait applies to all connections
            self._not_before = time.monotonic() + wait_s
        send(WaitingToRetry(self._id, error.reason, wait_s))
        self._halt.wait(wait_s)

    def _on_bad_range(self, patience: RetryBackoff, send: Send) -> None:
        self._bad_ranges += 1
        if self._bad_ranges >= BAD_RANGES:
            self._switch_to_whole_file()
        else:
            self._wait(TransientError("server"), patience, send)

    def _switch_to_whole_file(self) -> None:
        """Let one connection read the file from its beginning; bytes already written are skipped."""
        with self._lock:
            if not self._is_whole:
                self._is_whole = True
                self._pieces = deque([(0, self._identity.size_bytes)])


class TransferSpeed:
    """Measures bytes per second over the last five seconds."""

    def __init__(self, done_bytes: int) -> None:
        self._samples = deque([(time.monotonic(), done_bytes)])

    def note(self, done_bytes: int) -> float:
        now = time.monotonic()
        self._samples.append((now, done_bytes))
        while len(self._samples) > 2 and now - self._samples[0][0] > _SPEED_WINDOW_S:
            self._samples.popleft()
        before_s, before_bytes = self._samples[0]
        return (done_bytes - before_bytes) / max(now - before_s, 1e-3)
