"""Measure this machine's memory, cores, GPUs and disk, and judge whether a model fits."""

import functools
import importlib.util
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from app.base import json_lines, programs
from app.inference import child_commands, engine_packs, memory_estimate
from app.inference.offload import RESERVE_BYTES, Card
from app.inference.processor_cores import system_text, usable_cores

if TYPE_CHECKING:
    import psutil

NVIDIA_TIMEOUT_S = 3.0  # a hanging driver must not delay the answer
DRIVERS_TIMEOUT_S = 20.0  # of a child that loads a pack of hundreds of megabytes and starts a driver
DRIVERS_REST_S = 300.0  # after a driver has crashed or hung, before it is asked again
_MIB = 1 << 20

_OLD_FIELDS = "name,memory.total,memory.free,driver_version"  # old drivers reject queries with unknown fields
_FIELDS = f"{_OLD_FIELDS},compute_cap,uuid"

# PCI vendor ids of GPUs that can compute; the graphics chips of servers and virtual machines only show a screen.
_VENDORS = {"0x10de": "NVIDIA", "0x1002": "AMD", "0x8086": "Intel"}


@dataclass(frozen=True, slots=True)
class Gpu:
    """Describes a graphics processor."""

    name: str
    memory_bytes: int | None = None  # None: shared with the CPU, or unknown without a driver
    free_bytes: int | None = None
    driver: str = ""  # version; "": unknown
    capability: tuple[int, int] | None = None  # CUDA's, such as (8, 9); None: unknown
    uuid: str = ""  # by which CUDA's programs can be told to use this card; "": unknown


@dataclass(frozen=True, slots=True)
class Machine:
    """Holds this machine's memory and disk space in bytes, and its number of cores."""

    memory_bytes: int
    available_bytes: int  # memory that a model can take now; less in a container with a limit
    cores: int  # physical
    free_disk_bytes: int  # on the drive of the models folder


def measure_machine(models_folder: Path) -> Machine:
    """Measure the machine, without starting a program. Raises OSError if the folder does not exist."""
    import psutil

    return Machine(
        memory_bytes=psutil.virtual_memory().total,
        available_bytes=memory_estimate.available_memory_bytes(),
        cores=usable_cores().every,
        free_disk_bytes=shutil.disk_usage(models_folder).free,
    )


def list_gpus(cards: Path = Path("/sys/class/drm")) -> tuple[Gpu, ...]:
    """Return the GPUs by the names that their drivers give; without a driver, by maker (Linux only).

    May take seconds if a driver has to wake up.
    """
    named = _query_nvidia()
    makers = [maker for maker in _makers(cards) if not (named and maker == "NVIDIA")]
    return (*named, *(Gpu(maker) for maker in makers))


def list_engine_cards(graphics: str) -> tuple[Card, ...]:
    """Return the graphics cards that the engine would use, which a child asks the drivers for once.

    `graphics`: as in the settings. () without a pack, and if a driver crashes or hangs; it is asked again after
    `DRIVERS_REST_S`.
    """
    packs, _ = engine_packs.chosen(graphics)
    if not packs or time.monotonic() < _rested_at.get(packs, 0.0):
        return ()
    try:
        return _ask_drivers(packs)
    except (OSError, subprocess.SubprocessError, ValueError):
        _rested_at[packs] = time.monotonic() + DRIVERS_REST_S
        return ()


def has_picture_library() -> bool:
    """Return whether the engine was built with llama.cpp's multimodal library (libmtmd)."""
    package = importlib.util.find_spec("llama_cpp")
    folders = (package and package.submodule_search_locations) or ()
    return any(any(Path(folder, "lib").glob("*mtmd*")) for folder in folders)


_rested_at: dict[tuple[str, ...], float] = {}  # when the drivers of packs may be asked again


@functools.cache  # which keeps no errors
def _ask_drivers(packs: tuple[str, ...]) -> tuple[Card, ...]:
    """Raise OSError, SubprocessError or ValueError if a driver crashes, hangs or tells nonsense."""
    run = subprocess.run(
        child_commands.device_list(packs),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        timeout=DRIVERS_TIMEOUT_S, check=True, creationflags=programs.NO_WINDOW,
    )  # fmt: skip
    return tuple(json_lines.convert(json_lines.decode_object(line), Card) for line in run.stdout.splitlines())


def _query_nvidia() -> tuple[Gpu, ...]:
    """Return the GPUs that nvidia-smi lists; () without an NVIDIA driver, which brings that program."""
    program = programs.find_program("nvidia-smi")
    if program is None:
        return ()
    for fields in (_FIELDS, _OLD_FIELDS):
        command = [program, f"--query-gpu={fields}", "--format=csv,noheader,nounits"]
        try:
            run = subprocess.run(
                command, capture_output=True, timeout=NVIDIA_TIMEOUT_S, check=True, creationflags=programs.NO_WINDOW
            )
        except subprocess.CalledProcessError:  # nvidia-smi fails, or does not know a field
            continue
        except (OSError, subprocess.SubprocessError):  # not installed, or hanging
            break
        return read_nvidia_list(run.stdout.decode("utf-8", "replace"))
    return ()


def read_nvidia_list(text: str) -> tuple[Gpu, ...]:
    """Parse nvidia-smi's lines of `name, MiB total, MiB free, driver[, compute capability, UUID]`.

    The driver writes unknown values as a word in brackets.
    """
    return tuple(found for line in text.splitlines() if (found := _read_nvidia_line(line)))


def _read_nvidia_line(line: str) -> Gpu | None:
    parts = [part.strip() for part in line.split(",")]
    if len(parts) < 4:
        return None
    name, total, free, driver, capability, uuid = (*parts, "", "")[:6]
    version = re.fullmatch(r"(\d+)\.(\d+)", capability)
    return Gpu(
        name,
        _mebibytes(total),
        _mebibytes(free),
        driver if driver[:1].isdecimal() else "",
        (int(version[1]), int(version[2])) if version else None,
        uuid if uuid.startswith("GPU-") else "",
    )


def _mebibytes(amount: str) -> int | None:
    return int(amount) * _MIB if amount.isdecimal() else None


def _makers(cards: Path) -> list[str]:
    """Return the maker of each GPU in `cards` whose vendor is listed; connectors such as card0-DP-1 are skipped."""
    folders = [card for card in sorted(cards.glob("card*")) if re.fullmatch(r"card\d+", card.name)]
    vendors = [system_text(folder / "device" / "vendor") for folder in folders]
    return [_VENDORS[vendor] for vendor in vendors if vendor in _VENDORS]


class MemoryBudget(Struct, frozen=True):
    """Holds the memory sizes by which a model is judged.

    `available_bytes` includes the memory that unloading the present model frees. Graphics memory is 0 if the engine
    cannot use it.
    """

    total_bytes: int
    available_bytes: int
    others_bytes: int  # used by other programs and the system
    graphics_bytes: int = 0  # what a model may take of the cards' own memory; others' use shows when it is loaded
    graphics_total_bytes: int = 0
    has_cards: bool = False  # also True for cards that share the main memory


class MemoryVerdict(Struct, frozen=True):
    """States whether a model fits.

    `verdict`: comfortable | tight | insufficient. `memory_kind`: memory | graphics | both (split between them).
    """

    verdict: str
    memory_kind: str
    available_bytes: int  # free memory in that place
    short_bytes: int = 0  # missing bytes; 0: it fits


def measure_memory(reclaimable_bytes: int = 0, graphics: str = "auto") -> MemoryBudget:
    """Measure the memory. May take seconds if a graphics driver has to wake up.

    `reclaimable_bytes`: memory that unloading the loaded model frees. `graphics`: as in the settings.
    """
    return compute_memory_budget(
        memory_estimate.memory_bytes(),
        memory_estimate.available_memory_bytes(),
        program_memory_bytes(),
        reclaimable_bytes,
        list_engine_cards(graphics),
    )


def compute_memory_budget(
    total: int, available: int, own_bytes: int, reclaimable: int = 0, cards: Sequence[Card] = ()
) -> MemoryBudget:
    """Compute the budget from sizes in bytes.

    `total`, `available`: memory of the machine; `own_bytes`: memory of this program and its children; `reclaimable`:
    memory that unloading the loaded model frees; `cards`: those on which the engine computes; (): the CPU only.
    """
    own = [card.total_bytes for card in cards if not card.is_integrated]
    return MemoryBudget(
        total_bytes=total,
        available_bytes=min(total, available + reclaimable),
        others_bytes=max(0, total - available - own_bytes),
        graphics_bytes=sum(max(0, total_bytes - RESERVE_BYTES) for total_bytes in own),
        graphics_total_bytes=sum(own),
        has_cards=bool(cards),
    )


def judge_memory(estimate: memory_estimate.MemoryEstimate, budget: MemoryBudget) -> MemoryVerdict:
    """Return whether and where a model fits; one larger than the GPU's memory is split with main memory."""
    place, room = ("graphics", budget.graphics_bytes) if budget.graphics_bytes else ("memory", budget.available_bytes)
    verdict = memory_estimate.judge_fit(estimate, room)
    if place == "graphics" and verdict == "insufficient":
        place, room = "both", budget.graphics_bytes + budget.available_bytes
        verdict = "tight" if estimate.total_bytes <= room else "insufficient"
    return MemoryVerdict(verdict, place, room, max(0, estimate.total_bytes - room))


def program_memory_bytes() -> int:
    """Return the memory of this process and its children, without weights mapped from files."""
    import psutil

    me = psutil.Process()
    return sum(_held_bytes(process) for process in (me, *me.children(recursive=True)))


def _held_bytes(process: "psutil.Process") -> int:
    import psutil

    try:
        memory = process.memory_info()
    except psutil.Error:  # the process has just ended
        return 0
    return int(memory.rss) - int(getattr(memory, "shared", 0))
