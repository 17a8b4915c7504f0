"""Read facts from llama.cpp's log that its interface lacks (offloaded layers, buffers, settings); choose threads.

llama.cpp's workers wait for each other by spinning: with as many threads as cores, one busy neighbour slows every token
down (measured here: 68 tokens/s fell to 3-25). One core is therefore left free, and more while other programs use them.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

MEASURED_EVERY_S = 1.0


def threads_for(requested: int | None, busy_cores: float, cores: int) -> int:
    """Return the number of threads to use now: `requested`, else cores - 1, or fewer if other programs occupy more.

    `busy_cores`: processor time per second that other processes take; half a core counts as one.
    """
    if requested is not None:
        return max(1, requested)
    return max(1, min(cores - 1, cores - int(busy_cores + 0.5)))


class CpuLoadMeter:
    """Measures the processor time of *other* processes, in cores, as a mean since the last reading."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._read_at = time.monotonic()
        self._all, self._own = self._readings()
        self._busy_cores = 0.0

    def busy_cores(self) -> float:
        """Return how many cores other processes occupy, measured at most once a second."""
        now = time.monotonic()
        if now - self._read_at >= MEASURED_EVERY_S:
            everything, own = self._readings()
            others = (everything - self._all) - (own - self._own)
            self._busy_cores = max(0.0, others / (now - self._read_at))
            self._read_at, self._all, self._own = now, everything, own
        return self._busy_cores

    def _readings(self) -> tuple[float, float]:
        """Return seconds of processor time so far: busy time of the whole machine, and of this process."""
        times = psutil.cpu_times()
        waiting = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
        own = self._process.cpu_times()
        return sum(times) - waiting - getattr(times, "guest", 0.0), own.user + own.system


_OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
_DEVICE = re.compile(r"using device (.+?)(?: - \d+ MiB free)?$")
_KV = re.compile(r"(?:KV|RS) buffer size = +([\d.]+) MiB")
_KV_TYPE = re.compile(r", K \((\w+)\):")
_COMPUTE = re.compile(r"compute buffer size = +([\d.]+) MiB")
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LoadLogFacts:
    """Holds the facts that llama.cpp's log states about a load."""

    offloaded_layers: int = 0
    devices: tuple[str, ...] = ()
    kv_bytes: int = 0
    compute_bytes: int = 0
    kv_type: str = ""  # type of the cached keys and values
    is_repacked: bool = False
    flash_attention: bool = False

    def gpu_reason(self, has_backend: bool, requested_layers: int) -> str:
        """Return why no layer runs on a GPU; "" if one does."""
        if self.offloaded_layers > 0:
            return ""
        if not has_backend:
            return "no_backend"
        if requested_layers == 0:
            return "not_requested"
        return "offload_failed" if self.devices else "no_device"


def read_load_log(lines: Sequence[str]) -> LoadLogFacts:
    """Read the facts of one load. Lines missing in another version's log leave the defaults."""
    text = "\n".join(lines)
    offloaded = _OFFLOADED.search(text)
    return LoadLogFacts(
        offloaded_layers=int(offloaded[1]) if offloaded else 0,
        devices=tuple(match[1] for line in lines if (match := _DEVICE.search(line.strip()))),
        kv_bytes=_total(_KV, text),
        compute_bytes=_total(_COMPUTE, text),
        kv_type=found[1] if (found := _KV_TYPE.search(text)) else "",
        is_repacked="_REPACK model buffer size" in text,
        flash_attention=bool(re.search(r"Flash Attention enabled|flash_attn += enabled", text)),
    )


def first_error_line(lines: Sequence[str]) -> str:
    """Return the first line that states an error (later ones only repeat it), else the last line."""
    candidates = [line.strip() for line in lines if "error" in line.lower() or "failed" in line.lower()]
    return candidates[0] if candidates else (lines[-1].strip() if lines else "")


def _total(pattern: re.Pattern[str], text: str) -> int:
    return int(sum(float(match[1]) for match in pattern.finditer(text)) * _MIB)
