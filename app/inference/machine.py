"""What this machine offers to a model: memory, cores, graphics processors, room for files. Measured, never guessed.

The memory that a model may take now, who has the rest, and what that means for a model.
"""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.base import programs
from app.inference import memory_estimate
from app.inference.memory_estimate import MemoryEstimate

NVIDIA_TIMEOUT_S = 3.0  # a driver that hangs must not hold the answer up
_MIB = 1 << 20

_OLD_FIELDS = "name,memory.total,memory.free,driver_version"  # old drivers refuse a question for what they do not know
_FIELDS = f"{_OLD_FIELDS},compute_cap"

_GPU_BACKENDS = ("cuda", "vulkan", "hip", "sycl")

# PCI vendors of processors that compute; the graphics chips of servers and virtual machines only draw.
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}


@dataclass(frozen=True, slots=True)
class Gpu:
    name: str
    memory_bytes: int | None = None  # None: shared with the processor, or there is no driver to ask
    free_bytes: int | None = None
    driver: str = ""  # its version; "": not told
    capability: tuple[int, int] | None = None  # CUDA's, (8, 9); None: not told


@dataclass(frozen=True, slots=True)
class Machine:
    memory_bytes: int
    available_bytes: int  # what a model may take now; less in a container with a limit
    cores: int  # physical
    free_disk_bytes: int  # where the models are kept


def measure_machine(models_folder: Path) -> Machine:
    """At once. Raises OSError when the folder is gone."""
    return Machine(
        memory_bytes=psutil.virtual_memory().total,
        available_bytes=memory_estimate.available_memory_bytes(),
        cores=psutil.cpu_count(logical=False) or psutil.cpu_count() or 1,
        free_disk_bytes=shutil.disk_usage(models_folder).free,
    )


def list_gpus(cards: Path = Path("/sys/class/drm")) -> tuple[Gpu, ...]:
    """Graphics processors as their drivers name them; what no driver names, by its maker (Linux only).

    Takes up to some seconds where a driver wakes up.
    """
    named = _nvidia()
    makers = [maker for maker in _makers(cards) if not (named and maker == "NVIDIA")]
    return (*named, *(Gpu(maker) for maker in makers))


def find_engine_gpu(libraries: Path | None = None) -> Gpu | None:
    """The graphics processor with the most free memory of its own, if the engine can compute there.

    `libraries`: those of the engine; a backend for graphics processors is one of them (the package is not imported).
    """
    folder = libraries or _engine_libraries()
    if folder is None or not any(list(folder.glob(f"*ggml-{kind}*")) for kind in _GPU_BACKENDS):
        return None
    return max((gpu for gpu in _nvidia() if gpu.free_bytes), key=lambda gpu: gpu.free_bytes or 0, default=None)


def _engine_libraries() -> Path | None:
    package = importlib.util.find_spec("llama_cpp")
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / "lib"


def _nvidia() -> tuple[Gpu, ...]:
    """What NVIDIA's own tool lists. It comes with the driver; without one no model could use the processor."""
    program = programs.find_program("nvidia-smi")
    if program is None:
        return ()
    for fields in (_FIELDS, _OLD_FIELDS):
        command = [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows would flash a console
        try:
            run = subprocess.run(
                command, capture_output=True, timeout=NVIDIA_TIMEOUT_S, check=True, creationflags=hidden
            )
        except subprocess.CalledProcessError:  # it fails, or does not know one of the fields
            continue
        except (OSError, subprocess.SubprocessError):  # not installed, or it hangs
            break
        return read_nvidia_list(run.stdout.decode("utf-8", "replace"))
    return ()


def read_nvidia_list(text: str) -> tuple[Gpu, ...]:
    """Lines of `name, MiB in all, MiB free, driver[, compute capability]`. What the driver does not tell is a word in
    brackets."""
    return tuple(found for line in text.splitlines() if (found := _read_nvidia_line(line)))


def _read_nvidia_line(line: str) -> Gpu | None:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) < 4:
        return None
    name, total, free, driver, capability = (*parts, "")[:5]
    version = re.fullmatch(r"(\d+)\.(\d+)", capability)
    return Gpu(
        name,
        _mebibytes(total),
        _mebibytes(free),
        driver if driver[:1].isdecimal() else "",
        (int(version[1]), int(version[2])) if version else None,
    )


def _mebibytes(amount: str) -> int | None:
    return int(amount) * _MIB if amount.isdecimal() else None


def _makers(cards: Path) -> list[str]:
    """One name for each card of a maker we know, in the order of the cards (connectors like card0-DP-1 are none)."""
    folders = [card for card in sorted(cards.glob("card*")) if re.fullmatch(r"card\d+", card.name)]
    vendors = [_text(folder / "device" / "vendor") for folder in folders]
    return [_VENDORS[vendor] for vendor in vendors if vendor in _VENDORS]


def _text(file: Path) -> str:
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


@dataclass(frozen=True, slots=True)
class MemoryBudget:
    """`available_bytes` includes what the loaded model gives back. Graphics memory is 0 where the engine has none."""

    total_bytes: int
    available_bytes: int
    others_bytes: int  # other programs, and the system
    graphics_bytes: int = 0  # free
    graphics_total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class MemoryVerdict:
    """`verdict`: comfortable | tight | insufficient. `place`: memory | graphics | both (shared between them)."""

    verdict: str
    place: str
    available_bytes: int  # in that place
    short_bytes: int = 0  # what is missing; 0: it fits


def measure_memory(reclaimable_bytes: int = 0) -> MemoryBudget:
    """Takes up to some seconds where a driver of a graphics processor has to be asked.

    `reclaimable_bytes`: what unloading the model that is loaded gives back.
    """
    return compute_memory_budget(
        memory_estimate.memory_bytes(),
        memory_estimate.available_memory_bytes(),
        program_memory_bytes(),
        reclaimable_bytes,
        find_engine_gpu(),
    )


def compute_memory_budget(
    total: int, available: int, own: int, reclaimable: int = 0, gpu: Gpu | None = None
) -> MemoryBudget:
    """`own`: memory of this program and its children."""
    return MemoryBudget(
        total_bytes=total,
        available_bytes=min(total, available + reclaimable),
        others_bytes=max(0, total - available - own),
        graphics_bytes=(gpu.free_bytes or 0) if gpu else 0,
        graphics_total_bytes=(gpu.memory_bytes or 0) if gpu else 0,
    )


def judge_memory(needed: MemoryEstimate, room: MemoryBudget) -> MemoryVerdict:
    """A model that does not fit into the graphics processor's memory is shared with the processor's, and slower."""
    if not room.graphics_bytes:
        return _memory_verdict(
            needed, memory_estimate.judge_fit(needed, room.available_bytes), "memory", room.available_bytes
        )
    verdict = memory_estimate.judge_fit(needed, room.graphics_bytes)
    if verdict != "insufficient":
        return _memory_verdict(needed, verdict, "graphics", room.graphics_bytes)
    both = room.graphics_bytes + room.available_bytes
    return _memory_verdict(needed, "tight" if needed.total_bytes <= both else "insufficient", "both", both)


def program_memory_bytes() -> int:
    """What this process and its children hold. Weights that are mapped from a file belong to nobody."""
    me = psutil.Process()
    return sum(_held_bytes(process) for process in (me, *me.children(recursive=True)))


def _held_bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(memory.rss) - int(getattr(memory, "shared", 0))


def _memory_verdict(needed: MemoryEstimate, verdict: str, place: str, available: int) -> MemoryVerdict:
    return MemoryVerdict(verdict, place, available, max(0, needed.total_bytes - available))
