"""How many threads llama.cpp gets.

Its workers wait for each other by spinning: with as many threads as cores, one busy neighbour slows every token down
(measured here: 68 tokens/s fell to 3-25). One core is therefore left free, and more while other programs use them.
"""

import time

import psutil

MEASURED_EVERY_S = 1.0


def physical_cores() -> int:
    return psutil.cpu_count(logical=False) or psutil.cpu_count() or 1


def default_threads() -> int:
    return max(1, physical_cores() - 1)


def threads_for(requested: int | None, busy_cores: float, cores: int) -> int:
    """The threads to use now. A requested number is kept; otherwise cores - 1, less what other programs occupy.

    `busy_cores`: processor time per second that other processes take. Half a core counts as one.
    """
    if requested is not None:
        return max(1, requested)
    return max(1, min(cores - 1, cores - int(busy_cores + 0.5)))


class LoadMeter:
    """Processor time that *other* processes take, in cores, as a mean since the last reading."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._at = time.monotonic()
        self._all, self._own = self._readings()
        self._busy_cores = 0.0

    def busy_cores(self) -> float:
        """Cheap enough between tokens: the system is asked at most once a second."""
        now = time.monotonic()
        if now - self._at >= MEASURED_EVERY_S:
            everything, own = self._readings()
            others = (everything - self._all) - (own - self._own)
            self._busy_cores = max(0.0, others / (now - self._at))
            self._at, self._all, self._own = now, everything, own
        return self._busy_cores

    def _readings(self) -> tuple[float, float]:
        """Seconds of processor time so far: the whole machine's busy time, and this process's own."""
        times = psutil.cpu_times()
        waiting = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
        own = self._process.cpu_times()
        return sum(times) - waiting - getattr(times, "guest", 0.0), own.user + own.system
