"""The memory that a model may take now, who has the rest, and what that means for a model."""

from dataclasses import dataclass

import psutil

from app.inference import fit, machine
from app.inference.fit import MemoryEstimate
from app.inference.machine import Gpu


@dataclass(frozen=True, slots=True)
class Room:
    """`available_bytes` includes what the loaded model gives back. Graphics memory is 0 where the engine has none."""

    total_bytes: int
    available_bytes: int
    others_bytes: int  # other programs, and the system
    graphics_bytes: int = 0  # free
    graphics_total_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Judgement:
    """`verdict`: comfortable | tight | insufficient. `place`: memory | graphics | both (shared between them)."""

    verdict: str
    place: str
    available_bytes: int  # in that place
    short_bytes: int = 0  # what is missing; 0: it fits


def measure(reclaimable_bytes: int = 0) -> Room:
    """Takes up to some seconds where a driver of a graphics processor has to be asked.

    `reclaimable_bytes`: what unloading the model that is loaded gives back.
    """
    return of(fit.memory_bytes(), fit.available_memory_bytes(), own_bytes(), reclaimable_bytes, machine.graphics())


def of(total: int, available: int, own: int, reclaimable: int = 0, gpu: Gpu | None = None) -> Room:
    """`own`: memory of this program and its children."""
    return Room(
        total_bytes=total,
        available_bytes=min(total, available + reclaimable),
        others_bytes=max(0, total - available - own),
        graphics_bytes=(gpu.free_bytes or 0) if gpu else 0,
        graphics_total_bytes=(gpu.memory_bytes or 0) if gpu else 0,
    )


def judge(needed: MemoryEstimate, room: Room) -> Judgement:
    """A model that does not fit into the graphics processor's memory is shared with the processor's, and slower."""
    if not room.graphics_bytes:
        return _judgement(needed, fit.verdict(needed, room.available_bytes), "memory", room.available_bytes)
    verdict = fit.verdict(needed, room.graphics_bytes)
    if verdict != "insufficient":
        return _judgement(needed, verdict, "graphics", room.graphics_bytes)
    both = room.graphics_bytes + room.available_bytes
    return _judgement(needed, "tight" if needed.total_bytes <= both else "insufficient", "both", both)


def own_bytes() -> int:
    """What this process and its children hold. Weights that are mapped from a file belong to nobody."""
    me = psutil.Process()
    return sum(_held_bytes(process) for process in (me, *me.children(recursive=True)))


def _held_bytes(process: psutil.Process) -> int:
    try:
        memory = process.memory_info()
    except psutil.Error:  # it has just ended
        return 0
    return int(memory.rss) - int(getattr(memory, "shared", 0))


def _judgement(needed: MemoryEstimate, verdict: str, place: str, available: int) -> Judgement:
    return Judgement(verdict, place, available, max(0, needed.total_bytes - available))
