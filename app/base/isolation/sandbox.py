"""Restrict what child processes that open foreign files may reach and use.

On Linux (5.13 and later), Landlock restricts access to files, programs and processes, also for native code. `confine`
restricts the whole process: it may write and start only the given files, and signal only itself and its children.
`run_confined` parses a file in a thread that can read only that file and the program's own parts. Elsewhere nothing is
restricted. The protection has limits: threads share their memory, files that were open before stay open, and names,
sizes and dates of files stay visible.

The second half limits memory, processor time, priority and the unpacked size of archives, for documents and workbooks.
Nothing is ever extracted to disk.
"""

import _thread
import contextlib
import ctypes
import functools
import math
import os
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:  # most processes that are confined open no archive
    import zipfile

Made = TypeVar("Made")

_CREATE, _ADD, _RESTRICT = 444, 445, 446  # the same numbers on all machines
_VERSION, _PATH_BENEATH, _PR_SET_NO_NEW_PRIVS = 1, 1, 38
# Rights to files (linux/landlock.h); _SINCE: the version of the interface that introduced some of them.
_EXECUTE, _WRITE, _READ, _READ_FOLDER = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_CHANGE_FOLDER = 0b1_1111_1111 << 4  # remove and create entries of a folder
_REFER, _TRUNCATE, _DEVICE_CONTROL = 1 << 13, 1 << 14, 1 << 15
_SINCE = ((2, _REFER), (3, _TRUNCATE), (5, _DEVICE_CONTROL))
_WRITING = _WRITE | _CHANGE_FOLDER | _REFER | _TRUNCATE | _DEVICE_CONTROL
_READING = _READ | _READ_FOLDER
_OF_FILES = _EXECUTE | _WRITE | _READ | _TRUNCATE | _DEVICE_CONTROL
_CONNECT_AND_BIND = 0b11  # rights to TCP, since version 4
_SCOPED = 0b11  # abstract AF_UNIX sockets and signals reach only processes confined together, since version 6

# The system's libraries, settings, devices and /proc, also where unusual distributions keep them. Of /dev only these
# entries, because terminals, cameras and the shared memory of other programs are there too.
_SYSTEM = ("/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/opt", "/proc", "/sys", "/nix/store",
           "/gnu/store", "/snap", "/run/opengl-driver", "/run/host", "/app", "/dev/null", "/dev/zero", "/dev/full",
           "/dev/random", "/dev/urandom")  # fmt: skip
PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/nix/store", "/gnu/store", "/snap")
DEVICES = ("/dev/dri", "/dev/kfd", "/dev/dxg")  # graphics cards
_SHARED = "/dev/shm"  # noqa: S108  some drivers need it, though memory of other programs is there too
SHADER_CACHES = (".nv", ".cache/nvidia", ".cache/mesa_shader_cache", ".cache/mesa_shader_cache_db")

_confined = False


@functools.cache
def landlock_version() -> int:
    """Return the version of the kernel's Landlock interface; 0 if there is none."""
    if sys.platform != "linux":
        return 0
    return max(0, _system_call(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION)))


def confine(writes: Iterable[Path] = (), starts: Iterable[Path] = (), *, reads: Iterable[Path] | None = None) -> bool:
    """Confine this process and its children for good, before it has threads. Return whether it is confined now.

    `writes`: what it may change. `starts`: programs, or their folders. `reads`: beside the program's parts; None: all.
    """
    global _confined
    rules = [
        *((path, _WRITING | _READING) for path in (Path(os.devnull), *writes)),
        *((path, _EXECUTE) for path in starts),
        *((path, _READING) for path in reads or ()),
    ]
    handled = _WRITING | _EXECUTE | (0 if reads is None else _READING)
    _confined = landlock_version() > 0 and _restrict(handled, rules, _SCOPED, _CONNECT_AND_BIND)
    return _confined


def run_confined(act: Callable[[], Made], reads: Iterable[Path], writes: Iterable[Path] | None = None) -> Made:
    """Run `act` in a thread that reads only `reads` and the program, and changes only `writes` (None: what it could).

    Without `confine` it runs in this thread. Raises what `act` raises, and OSError if the kernel refuses.
    """
    if not _confined:
        return act()
    handled = _READING if writes is None else _READING | _WRITING
    rules = [(path, _READING) for path in reads]
    rules += [(path, _READING | _WRITING) for path in (Path(os.devnull), *(writes or ()))]
    outcome: list[tuple[Made | None, BaseException | None]] = []
    has_ended = threading.Lock()
    has_ended.acquire()

    def confined() -> None:
        try:
            if not _restrict(handled, rules, 0, 0):
                raise OSError("the kernel takes no further layer")
            outcome.append((act(), None))
        except BaseException as error:  # noqa: BLE001  raised again in the waiting thread
            outcome.append((None, error))
        finally:
            has_ended.release()

    _thread.start_new_thread(confined, ())  # without the wait for its start, as a small document takes milliseconds
    has_ended.acquire()
    result, error = outcome.pop()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def graphics_paths() -> Iterator[Path]:
    """Yield the devices and cache folders that computing on a graphics card writes to; none without a card."""
    cards = [*Path("/dev").glob("nvidia*"), *(path for path in map(Path, DEVICES) if path.exists())]
    if not cards:
        return
    yield from (*cards, Path(_SHARED))
    with contextlib.suppress(RuntimeError):  # no home
        yield from (Path.home() / name for name in SHADER_CACHES)


@functools.cache
def _program_folders() -> tuple[Path, ...]:
    """Return the folders of this program, of Python and of the system, except those that contain the home folder."""
    packages = [Path(entry) for entry in sys.path if entry]
    root = Path(__file__).resolve().parents[3]
    paths = {*map(Path, _SYSTEM), Path(sys.prefix), Path(sys.base_prefix), *packages, root / "app", root / "resources"}
    paths |= {root / "trainer", Path(sys.executable).resolve().parent}
    paths |= {Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(":") if entry}
    home = os.path.expanduser("~")  # noqa: PTH111  (there may be none)
    return tuple(path for path in paths if not Path(home).is_relative_to(path))


def _restrict(handled: int, rules: Iterable[tuple[Path, int]], scoped: int, network: int) -> bool:
    """Add a Landlock layer to the calling thread. Return whether the kernel accepted it.

    `handled`: the rights that are denied except by `rules`, a path and its rights each; missing paths are skipped. If
    reading is among them, the program's own folders may be read.
    `scoped`, `network`: the bits _SCOPED and _CONNECT_AND_BIND, or 0.
    """
    known = landlock_version()
    for since, right in _SINCE:
        if known < since:
            handled &= ~right
    attributes = struct.pack("=QQQ", handled, network if known >= 4 else 0, scoped if known >= 6 else 0)
    attributes = attributes[: 8 if known < 4 else 16 if known < 6 else 24]
    ruleset = _system_call(_CREATE, attributes, ctypes.c_size_t(len(attributes)), ctypes.c_uint(0))
    if ruleset < 0:
        return False
    try:
        if handled & _READING:
            for descriptor, is_folder in _opened_program_folders():
                _allow(ruleset, descriptor, _READING, is_folder=is_folder)
        for path, rights in rules:
            if (opened := _opened(path)) is not None:
                try:
                    _allow(ruleset, opened[0], rights & handled, is_folder=opened[1])
                finally:
                    os.close(opened[0])
        zero = ctypes.c_ulong(0)
        _libc().prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero)
        return _system_call(_RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint(0)) == 0
    finally:
        os.close(ruleset)


def _opened(path: Path) -> tuple[int, bool] | None:
    """Return a descriptor of a file or folder for a rule, and whether it is a folder; None if there is none."""
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC), path.is_dir()  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return None


@functools.cache
def _opened_program_folders() -> list[tuple[int, bool]]:
    """Return what `_opened` does for each folder; they stay open, as each small document needs a layer of its own."""
    return [opened for path in _program_folders() if (opened := _opened(path)) is not None]


def _allow(ruleset: int, descriptor: int, rights: int, *, is_folder: bool) -> None:
    if not is_folder:
        rights &= _OF_FILES
    if rights:
        rule = struct.pack("=Qi", rights, descriptor)
        _system_call(_ADD, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), rule, 0)


def _system_call(number: int, *arguments: object) -> int:
    return int(_libc().syscall(ctypes.c_long(number), *arguments))


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


ZIP_ENTRIES = 20_000  # a presentation of 500 pictures has 2,000 entries
ZIP_BYTES = 1_000_000_000  # unpacked size of all entries together
ZIP_ENTRY_BYTES = 400_000_000  # one sheet with a million rows has 300 MB
ZIP_RATIO = 200  # checked above ZIP_RATIO_FROM_BYTES: office XML is packed 10 to 50 times, a bomb 1,000 times
ZIP_RATIO_FROM_BYTES = 10_000_000
ZIP_METHODS = (0, 8)  # ZIP_STORED, ZIP_DEFLATED, of office files; some others need gigabytes of memory
NICE = 10  # added to the niceness, so that the window stays responsive


def archive_problem(archive: "zipfile.ZipFile") -> str:
    """Return why not to unpack an archive, judged by its directory: protected | damaged | bomb; "" for no reason."""
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        return "protected"
    if any(entry.compress_type not in ZIP_METHODS or entry.header_offset < 0 for entry in entries):
        return "damaged"
    sizes = [(entry.file_size, entry.compress_size) for entry in entries]
    total = (unpacked_bytes(archive), sum(packed for _, packed in sizes))
    is_too_large = total[0] > ZIP_BYTES or any(unpacked > ZIP_ENTRY_BYTES for unpacked, _ in sizes)
    is_packed_too_well = any(
        unpacked > max(ZIP_RATIO_FROM_BYTES, ZIP_RATIO * max(1, packed)) for unpacked, packed in (*sizes, total)
    )
    return "bomb" if len(entries) > ZIP_ENTRIES or is_too_large or is_packed_too_well else ""


def unpacked_bytes(archive: "zipfile.ZipFile") -> int:
    return sum(entry.file_size for entry in archive.infolist())


def lower_priority() -> None:
    """Lower the processor priority for the rest of this process's life."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICE)


def address_space_bytes() -> int:
    """Return the size of this process's address space; 0 if the system does not report it (not Linux)."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


def resident_bytes() -> int:
    """Return the memory that this process holds now."""
    if sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import psutil  # here, because Linux never needs it

    return int(psutil.Process().memory_info().rss)


def limit_memory(memory_bytes: int) -> None:
    """Limit the address space for good; not on Windows, where the parent process watches the memory."""
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    except (ValueError, OSError) as error:  # macOS accepts no limit below the present address space
        print(f"budget: no memory limit: {error}", file=sys.stderr)  # noqa: T201  stderr is the log


def limit_processor_time(seconds: float) -> None:
    """Let the system kill this process when it has used `seconds` more of processor time, rounded up.

    The system does it, because a thread would not run: when memory is used up, CPython 3.11 can repeat the handling of
    one MemoryError for ever without giving other threads a turn. Not on Windows, where the parent process must watch.
    """
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    allowed = math.ceil(time.process_time() + seconds)
    allowed = allowed if most == resource.RLIM_INFINITY else min(allowed, most)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, most))
