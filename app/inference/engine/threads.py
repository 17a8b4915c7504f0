"""Choose how many threads llama.cpp uses, by the kind of work and by what other programs do.

llama.cpp's threads wait for each other by spinning, at each of the hundreds of steps of a token. If another program
takes the core of one of them, all wait until that thread has a turn again.
"""

import os
import sys
import time
from dataclasses import dataclass

import psutil

from app.inference.processor_cores import ProcessorCores, usable_cores

MEASURED_EVERY_S = 0.4
_MEASURED_FIRST_S = 0.1  # so that what runs beside is known when a model has been loaded, or soon after a pause


@dataclass(frozen=True, slots=True)
class ThreadNumbers:
    """The numbers of threads for a step with one token and for one with several (a prompt, or several answers)."""

    token: int
    batch: int


def choose_threads(requested: int | None, busy_cores: float, cores: ProcessorCores) -> ThreadNumbers:
    """Return the numbers to use now: `requested`, else one for each core that other programs leave free.

    `busy_cores`: processor time per second that other processes take; half a core counts as one.
    """
    if requested is not None:
        return ThreadNumbers(max(1, requested), max(1, requested))
    taken = int(busy_cores + 0.5)
    free = max(1, cores.every - taken)
    return ThreadNumbers(min(free, cores.fast), free)


class ThreadPolicy:
    """Chooses the numbers of threads again whenever other programs have begun or ended work."""

    def __init__(self, requested: int | None = None) -> None:
        """`requested`: a fixed number of threads, or None."""
        self._requested = requested
        self._cores = usable_cores()
        self._meter = CpuLoadMeter()

    def now(self) -> ThreadNumbers:
        return choose_threads(self._requested, self._meter.busy_cores(), self._cores)


class CpuLoadMeter:
    """Measures the processor time of *other* processes, in cores, as a mean since the last reading.

    Only the processors that this process may use are counted.
    """

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._processors = None if sys.platform in ("win32", "darwin") else os.sched_getaffinity(0)
        self._read_at = time.monotonic()
        self._next_after_s = _MEASURED_FIRST_S
        self._all, self._own = self._readings()
        self._busy_cores = 0.0

    def busy_cores(self) -> float:
        """Return how many cores other processes occupy.

        It is measured at most every MEASURED_EVERY_S, but already _MEASURED_FIRST_S after the start, and after a
        reading that covers twice that time, which says little of what runs now.
        """
        now = time.monotonic()
        passed_s = now - self._read_at
        if passed_s >= self._next_after_s:
            everything, own = self._readings()
            others = (everything - self._all) - (own - self._own)
            self._busy_cores = max(0.0, others / passed_s)
            self._read_at, self._all, self._own = now, everything, own
            self._next_after_s = MEASURED_EVERY_S if passed_s < 2 * MEASURED_EVERY_S else _MEASURED_FIRST_S
        return self._busy_cores

    def _readings(self) -> tuple[float, float]:
        """Return seconds of processor time so far: busy time of the processors, and of this process."""
        busy = 0.0
        for number, times in enumerate(psutil.cpu_times(percpu=True)):
            if self._processors is None or number in self._processors:
                waiting = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
                busy += sum(times) - waiting - getattr(times, "guest", 0.0)
        own = self._process.cpu_times()
        return busy, own.user + own.system
