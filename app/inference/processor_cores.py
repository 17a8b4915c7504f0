"""Count the processor cores that this process may use, from the topology that the system states.

Some processors have fast and slow cores. Threads that wait for each other at each step run at the speed of the slowest,
so a single token is computed on the fast ones.
"""

import ctypes
import functools
import os
import platform
import struct
import sys
from pathlib import Path

from msgspec import Struct

FAST_SHARE = 0.75  # of the highest capacity, from which a core counts as fast; fast cores differ by some percent
_RELATION_CORE = 0  # RelationProcessorCore of GetLogicalProcessorInformationEx


class ProcessorCores(Struct, frozen=True):
    """Numbers of physical cores. `fast`: those of the fastest kind; most processors have only one kind."""

    fast: int
    every: int


def usable_cores() -> ProcessorCores:
    """Return the cores that this process may use: those of its affinity, within the limit of its container."""
    if sys.platform == "win32":
        return cores_of_windows(_processor_information())
    if sys.platform == "darwin":
        fast, every = _sysctl("hw.perflevel0.physicalcpu"), _sysctl("hw.physicalcpu")
        return _limited(fast or every or 1, every or fast or 1, None)
    return cores_of_linux(os.sched_getaffinity(0))


def processor_name(file: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of the processor as the system states it."""
    return _cpuinfo(file).get("model name") or platform.processor() or platform.machine()


@functools.cache
def has_matrix_unit(file: Path = Path("/proc/cpuinfo")) -> bool:
    """Return whether the processor multiplies 8-bit matrices in a unit of their own (Intel's AMX).

    Only Linux states that.
    """
    return "amx_int8" in _cpuinfo(file).get("flags", "").split()


def _cpuinfo(file: Path) -> dict[str, str]:
    """Return what Linux states of the first processor; {} on other systems."""
    first = system_text(file).partition("\n\n")[0]
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first.splitlines())}


def cores_of_linux(
    processors: set[int], devices: Path = Path("/sys/devices"), limits: Path = Path("/sys/fs/cgroup/cpu.max")
) -> ProcessorCores:
    """Count the cores of logical processors. `devices`: the folder of sysfs. `limits`: the container's file."""
    fastest: dict[str, int] = {}  # by the processors that share a core
    slow = processors_of(system_text(devices / "cpu_atom" / "cpus"))
    for processor in processors:
        folder = devices / "system" / "cpu" / f"cpu{processor}"
        core = system_text(folder / "topology" / "thread_siblings_list") or str(processor)
        capacity = system_text(folder / "cpu_capacity")
        speed = int(capacity) if capacity.isdecimal() else 1024
        # Kernels before 6.12 state no capacities of Intel's cores, but which of them are slow.
        fastest[core] = max(fastest.get(core, 0), 0 if processor in slow else speed)
    best = max(fastest.values(), default=0)
    fast = sum(speed >= FAST_SHARE * best for speed in fastest.values())
    quota, _, period = system_text(limits).partition(" ")
    limit = max(1, int(quota) // int(period)) if quota.isdecimal() and period.isdecimal() and int(period) else None
    return _limited(fast, len(fastest), limit)


def cores_of_windows(information: bytes) -> ProcessorCores:
    """Count the cores in a buffer of SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX; a higher class is a faster core."""
    classes: list[int] = []
    at = 0
    while at + 10 <= len(information):
        relation, size = struct.unpack_from("<II", information, at)
        if relation == _RELATION_CORE:
            classes.append(information[at + 9])
        at += max(8, size)
    if not classes:
        import psutil

        every = psutil.cpu_count(logical=False) or 1
        return ProcessorCores(every, every)
    return _limited(classes.count(max(classes)), len(classes), None)


def processors_of(listed: str) -> set[int]:
    """Parse the kernel's list of processors: 0-3,8."""
    found: set[int] = set()
    for part in listed.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal():
            found.update(range(int(first), int(last if last.isdecimal() else first) + 1))
    return found


def _limited(fast: int, every: int, limit: int | None) -> ProcessorCores:
    most = every if limit is None else min(every, limit)
    return ProcessorCores(max(1, min(fast, most)), max(1, most))


def system_text(file: Path) -> str:
    """Return what a file of the kernel says; "" if it is not there."""
    try:
        return file.read_text("ascii").strip()
    except (OSError, ValueError):
        return ""


def _processor_information() -> bytes:
    call = ctypes.windll.kernel32.GetLogicalProcessorInformationEx  # type: ignore[attr-defined,unused-ignore]
    size = ctypes.c_ulong(0)
    call(_RELATION_CORE, None, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    return buffer.raw if call(_RELATION_CORE, buffer, ctypes.byref(size)) else b""


def _sysctl(name: str) -> int:
    """Return a number that macOS states about the machine; 0 if it does not."""
    value, size = ctypes.c_int(0), ctypes.c_size_t(ctypes.sizeof(ctypes.c_int))
    library = ctypes.CDLL(None)
    failed = library.sysctlbyname(name.encode("ascii"), ctypes.byref(value), ctypes.byref(size), None, 0)
    return 0 if failed else value.value
