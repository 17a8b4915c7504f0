"""What a foreign file may cost a child that reads it: memory, time, and how much an archive may unpack to.

Documents (`app.documents.reading.limits`) and workbooks of data (`app.base.tables`) have the same limits. Nothing is
ever extracted to disk.
"""

import contextlib
import os
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

ZIP_ENTRIES = 20_000  # a presentation of 500 pictures has 2,000
ZIP_BYTES = 1_000_000_000  # of all entries together
ZIP_ENTRY_BYTES = 400_000_000  # one sheet with a million rows has 300 MB
ZIP_RATIO = 200  # of what is above ZIP_RATIO_FROM_BYTES: office XML is packed 10 to 50 times, a bomb 1,000 times
ZIP_RATIO_FROM_BYTES = 10_000_000
ZIP_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # all that office files use; others take gigabytes to unpack
NICE = 10  # added to the niceness, so that the window stays quick


def problem_of(archive: zipfile.ZipFile) -> str:
    """Look at the directory of an archive only. Return protected | damaged | bomb, or "" for none."""
    entries = archive.infolist()
    if any(entry.flag_bits & 1 for entry in entries):
        return "protected"
    if any(entry.compress_type not in ZIP_METHODS for entry in entries):
        return "damaged"
    sizes = [(entry.file_size, entry.compress_size) for entry in entries]
    total = (unpacked_bytes(archive), sum(packed for _, packed in sizes))
    is_too_large = total[0] > ZIP_BYTES or any(unpacked > ZIP_ENTRY_BYTES for unpacked, _ in sizes)
    is_bomb = len(entries) > ZIP_ENTRIES or is_too_large or any(is_packed_too_well(*one) for one in (*sizes, total))
    return "bomb" if is_bomb else ""


def unpacked_bytes(archive: zipfile.ZipFile) -> int:
    return sum(entry.file_size for entry in archive.infolist())


def is_packed_too_well(unpacked: int, packed: int, from_bytes: int = ZIP_RATIO_FROM_BYTES) -> bool:
    return unpacked > from_bytes and unpacked > ZIP_RATIO * max(1, packed)


def step_back() -> None:
    """Leave the processor to others, who are waited for, for the rest of this process's life."""
    if sys.platform == "win32":
        import psutil

        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICE)


def address_space_bytes() -> int:
    """Of this process now. 0 where the system does not tell: it has no limit of the kind either."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return 0


@contextlib.contextmanager
def more_memory_at_most(memory_bytes: int) -> Iterator[None]:
    """Give this process so much address space beside what it has, until the block ends. Linux only."""
    now = address_space_bytes()
    if sys.platform == "win32" or not now:
        yield
        return
    import resource

    before, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = now + memory_bytes
    resource.setrlimit(
        resource.RLIMIT_AS, (allowed if before == resource.RLIM_INFINITY else min(allowed, before), most)
    )
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (before, most))


def limit_memory(memory_bytes: int) -> None:
    """Give this process so much address space for the rest of its life.

    Windows has no such limit without a job object: the parent watches there.
    """
    if sys.platform == "win32":
        return
    import resource

    _, most = resource.getrlimit(resource.RLIMIT_AS)
    allowed = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (allowed, allowed))
    except (ValueError, OSError) as error:  # macOS takes no limit below what is mapped already
        print(f"budget: no memory limit: {error}", file=sys.stderr)  # noqa: T201  stderr is the log
