"""How long something still takes, told only once it can be told."""

import math
import time
from collections import deque
from collections.abc import Callable

STABLE_AFTER_S = 2.0  # the first moments are start-up, and a number that jumps is worse than none
WINDOW_S = 10.0  # the rate is that of the recent past: disks and processors get other things to do


class TimeLeft:
    """Takes the fraction that is done, 0 to 1, whenever it changes. One that falls begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._noted: deque[tuple[float, float]] = deque()  # time, fraction; the oldest kept is the window's edge
        self._began_at = 0.0

    def restart(self) -> None:
        self._noted.clear()

    def note(self, fraction: float) -> None:
        now = self._clock()
        if self._noted and fraction < self._noted[-1][1]:
            self.restart()
        if not self._noted:
            self._began_at = now
        self._noted.append((now, fraction))
        while len(self._noted) > 2 and now - self._noted[1][0] >= WINDOW_S:
            self._noted.popleft()

    @property
    def seconds(self) -> int | None:
        """Whole seconds, at least 1. None while the rate is not known, and when it is done."""
        if len(self._noted) < 2 or self._clock() - self._began_at < STABLE_AFTER_S:
            return None
        (first_at, first), (last_at, last) = self._noted[0], self._noted[-1]
        if last <= first or last >= 1 or last_at <= first_at:
            return None
        left = (1 - last) * (last_at - first_at) / (last - first) - (self._clock() - last_at)
        return max(1, math.ceil(left))
