"""Share the work of the reading child with copies of its process, as many as the machine has cores to spare.

A helper makes index terms and reads pages of PDF files and parts of Markdown, confined and without a database. It only
saves time: what it does not return, the reading child does itself. Only Linux has helpers, forks of a process without
threads.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from app.base.isolation import sandbox

Part = TypeVar("Part")
Made = TypeVar("Made")

HELPERS_MOST = 3  # the reading child itself cuts and writes, which takes a third of the work
HELPER_BYTES = 1_000_000_000  # available memory that one helper needs
PATIENCE_S = 15.0  # longest wait for a part, after which this process does it; less than the limit of a page
PARTS_LEAST = 3  # fewer are done sooner than sent
AHEAD = 2  # parts that a helper has, so that it does not wait for the next one
_PIPE_BYTES = 1 << 20  # holds the parts ahead, so that two processes never wait for each other
_PART_BYTES = _PIPE_BYTES // (AHEAD + 1)
_PR_SET_PDEATHSIG = 1


def helper_count() -> int:
    """Return how many helpers this machine has room for; 0 on one core."""
    if sys.platform != "linux":
        return 0
    by_memory = _available_bytes() // HELPER_BYTES - 1
    return int(max(0, min(len(os.sched_getaffinity(0)) - 1, by_memory, HELPERS_MOST)))


def _available_bytes() -> int:
    """Return the memory that programs can take now; 0 if Linux does not tell.

    Not by psutil, as this child's start waits for its import and needs nothing else of it.
    """
    lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:")), 0)


class _Helper:
    """A forked process, with the numbers of the parts that it works on."""

    def __init__(self) -> None:
        import fcntl  # not on Windows

        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ours_in)
            os.close(ours_out)
            _serve(parent, Connection(theirs_in, writable=False), Connection(theirs_out, readable=False))
        os.close(theirs_in)
        os.close(theirs_out)
        self._requests, self._results = Connection(ours_out, readable=False), Connection(ours_in, writable=False)
        self.ahead = 1
        with contextlib.suppress(OSError):  # the user's pipes may take no more memory
            fcntl.fcntl(ours_out, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            self.ahead = AHEAD
            fcntl.fcntl(ours_in, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)  # a result does not wait until it is taken
        self.parts: deque[int] = deque()

    def begin(self, number: int, request: bytes) -> None:
        """Send a part. Raises OSError if the helper is gone."""
        self._requests.send_bytes(request)
        self.parts.append(number)

    @property
    def has_result(self) -> bool:
        return self._results.poll()

    def take(self) -> Any:
        """Wait for the result of the first of `parts`. Raises OSError or EOFError if there is none in time."""
        if not self._results.poll(PATIENCE_S):
            raise EOFError
        is_made, made = pickle.loads(self._results.recv_bytes())  # noqa: S301  a copy of this process
        self.parts.popleft()
        if not is_made:
            raise EOFError
        return made

    def close(self) -> None:
        """End the process: now where the kernel lets this one, else with its part or with this process."""
        self._requests.close()
        self._results.close()
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _serve(parent: int, requests: Connection, results: Connection) -> None:
    """Do the parts of a helper until its parent ends."""
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(2, 1)
        sandbox.confine()
        while os.getppid() == parent:
            work, part = pickle.loads(requests.recv_bytes())  # noqa: S301  from the process that this is a copy of
            try:
                outcome = pickle.dumps((True, work(part)), pickle.HIGHEST_PROTOCOL)
            except Exception:  # noqa: BLE001  the parent does it again, and reports the error
                outcome = pickle.dumps((False, None))
            results.send_bytes(outcome)
    finally:
        os._exit(0)


class Helpers:
    """The helpers of a reading child; there may be none."""

    def __init__(self, count: int) -> None:
        """Start helpers. The process must not have threads or open databases yet."""
        self._helpers: list[_Helper] = []
        with contextlib.suppress(OSError):  # the user may have no more processes
            for _ in range(count):
                self._helpers.append(_Helper())

    def __bool__(self) -> bool:
        return bool(self._helpers)

    def map(self, work: Callable[[Part], Made], parts: Iterable[Part], own: Callable[[Part], Made]) -> Iterator[Made]:
        """Return `work(part)` for all parts in order, from helpers if they are many; `own`: the same for this process.

        All parts are taken now, and helpers work on the first ones while the others are made.
        """
        taken: list[Part] = []
        left: deque[int] = deque()
        made: dict[int, Made] = {}
        for part in parts:
            left.append(len(taken))
            taken.append(part)
            if len(taken) == PARTS_LEAST:
                self._finish_others()
            if len(taken) >= PARTS_LEAST:
                self._share(work, taken, left, made)
        return self._results(work, taken, left, made, own) if len(taken) >= PARTS_LEAST else map(own, taken)

    def _finish_others(self) -> None:
        """Wait for the parts of an iteration that an error has ended."""
        for helper in list(self._helpers):
            while helper.parts:
                self._take(helper, deque(), {})

    def _results(
        self,
        work: Callable[[Part], Made],
        parts: Sequence[Part],
        left: deque[int],
        made: dict[int, Made],
        own: Callable[[Part], Made],
    ) -> Iterator[Made]:
        next_part = 0
        while next_part < len(parts):
            self._share(work, parts, left, made)
            if next_part in made:
                yield made.pop(next_part)
                next_part += 1
            elif left:
                number = left.popleft()
                made[number] = own(parts[number])
            else:
                self._take(next(one for one in self._helpers if next_part in one.parts), left, made)

    def _share(
        self, work: Callable[[Part], Any], parts: Sequence[Part], left: deque[int], made: dict[int, Any]
    ) -> None:
        """Take the results that are there, and give each helper parts ahead."""
        for helper in list(self._helpers):
            while helper.parts and helper.has_result:
                self._take(helper, left, made)
            while left and helper in self._helpers and len(helper.parts) < helper.ahead:
                request = pickle.dumps((work, parts[left[0]]), pickle.HIGHEST_PROTOCOL)
                if len(request) > _PART_BYTES:
                    return
                number = left.popleft()
                try:
                    helper.begin(number, request)
                except OSError:
                    left.appendleft(number)
                    self._drop(helper, left)

    def _take(self, helper: _Helper, left: deque[int], made: dict[int, Any]) -> None:
        number = helper.parts[0]
        try:
            made[number] = helper.take()
        except (OSError, EOFError, pickle.UnpicklingError):
            if number not in helper.parts:  # it has answered that it failed
                left.appendleft(number)
            self._drop(helper, left)

    def _drop(self, helper: _Helper, left: deque[int]) -> None:
        """End a helper; this process does its parts."""
        left.extendleft(reversed(helper.parts))
        helper.parts.clear()
        self._helpers.remove(helper)
        helper.close()


NO_HELPERS = Helpers(0)
