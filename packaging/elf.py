"""What a program or library for Linux asks of the machine, and zeros in it: by its own headers, without binutils.

Only 64 bit, little-endian files, which is what Kotae is built for. Layout: System V ABI, chapters 4 and 5; the versions
of symbols: Linux Standard Base 5, chapter "Symbol Versioning".
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MACHINES = {62: "x86_64", 183: "aarch64"}  # e_machine -> `uname -m`
_PT_LOAD, _PT_DYNAMIC = 1, 2
_SHT_NOBITS = 8
_LARGEST_PAGE = 0x10000  # of the machines below
_DT_NEEDED, _DT_STRTAB, _DT_VERNEED, _DT_VERNEEDNUM = 1, 5, 0x6FFFFFFE, 0x6FFFFFFF


@dataclass(frozen=True)
class Binary:
    """`needed_libraries`: names of libraries. `versions`: of symbols in them, like GLIBC_2.34."""

    machine: str
    needed_libraries: tuple[str, ...]
    versions: frozenset[str]


def read(path: Path) -> Binary | None:
    """None for what is no ELF file of 64 bits; a broken one is none either."""
    with path.open("rb") as file:
        if file.read(6) != b"\x7fELF\x02\x01":
            return None
    try:
        return _parse(path.read_bytes())
    except (struct.error, ValueError, IndexError):
        return None


def without_gap(data: bytes) -> bytes:
    """Return a library without the zeros of its longest gap: what patchelf moves to the end may begin 2 MB further.

    `data` is what `read` takes. Addresses in memory stay; what follows the gap moves by whole pages.
    """
    (table, size, count), (sections, section_size, section_count) = _program_headers(data), _section_headers(data)
    parts = [(32, table, size * count), (40, sections, section_size * section_count)]  # where each offset is written
    for entry in range(table, table + size * count, size):
        _, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, entry)
        parts.append((entry + 8, offset, length))
    for entry in range(sections, sections + section_size * section_count, section_size):
        _, kind, _, _, offset, length = struct.unpack_from("<IIQQQQ", data, entry)
        parts.append((entry + 24, offset, 0 if kind == _SHT_NOBITS else length))
    end = start = stop = 0
    for _, offset, length in sorted(parts, key=lambda part: part[1]):
        if offset - end > stop - start:
            start, stop = end, offset
        end = max(end, offset + length)
    shift = (stop - start) // _LARGEST_PAGE * _LARGEST_PAGE
    if not shift or any(data[start:stop]):
        return data
    moved = bytearray(data)
    for place, offset, _ in parts:
        if offset >= stop:
            struct.pack_into("<Q", moved, place, offset - shift)
    for entry in range(table, table + size * count, size):  # whose alignment its place must be a multiple of
        (alignment,) = struct.unpack_from("<Q", data, entry + 48)
        struct.pack_into("<Q", moved, entry + 48, min(alignment, _LARGEST_PAGE))
    del moved[stop - shift : stop]
    return bytes(moved)


def newest(versions: Iterable[str], prefix: str) -> tuple[int, ...]:
    """(2, 34) where GLIBC_2.34 is the newest of `versions` that begins with `prefix` GLIBC_; () without one."""
    numbers = [name.removeprefix(prefix).split(".") for name in versions if name.startswith(prefix)]
    return max((tuple(map(int, parts)) for parts in numbers if all(map(str.isdecimal, parts))), default=())


def _parse(data: bytes) -> Binary:
    machine, table, size, count = (*struct.unpack_from("<H", data, 18), *_program_headers(data))
    headers = [struct.unpack_from("<IIQQQQ", data, table + index * size) for index in range(count)]
    loads = [(vaddr, offset, length) for kind, _, offset, vaddr, _, length in headers if kind == _PT_LOAD]
    tags: list[tuple[int, int]] = []
    for kind, _, offset, _, _, length in headers:
        if kind == _PT_DYNAMIC:
            tags += struct.iter_unpack("<QQ", data[offset : offset + length])
    single = dict(tags)
    strings = _offset(loads, single[_DT_STRTAB]) if _DT_STRTAB in single else 0
    needed = tuple(_text(data, strings + value) for tag, value in tags if tag == _DT_NEEDED)
    versions = frozenset[str]()
    if _DT_VERNEED in single:
        start = _offset(loads, single[_DT_VERNEED])
        versions = frozenset(_versions(data, start, single[_DT_VERNEEDNUM], strings))
    return Binary(MACHINES.get(machine, str(machine)), needed, versions)


def _program_headers(data: bytes) -> tuple[int, int, int]:
    """Where the table is, the size of an entry, how many there are."""
    (table,) = struct.unpack_from("<Q", data, 32)
    return (table, *struct.unpack_from("<HH", data, 54))


def _section_headers(data: bytes) -> tuple[int, int, int]:
    """Return the same of the table of sections."""
    (table,) = struct.unpack_from("<Q", data, 40)
    return (table, *struct.unpack_from("<HH", data, 58))


def _offset(loads: list[tuple[int, int, int]], address: int) -> int:
    for vaddr, offset, length in loads:
        if vaddr <= address < vaddr + length:
            return address - vaddr + offset
    raise ValueError(f"{address:#x} is in no segment")


def _versions(data: bytes, start: int, files: int, strings: int) -> Iterator[str]:
    """The chain of libraries, and below each the chain of its versions."""
    for _ in range(files):
        _, count, _, first, following = struct.unpack_from("<HHIII", data, start)
        entry = start + first
        for _ in range(count):
            _, _, _, name, next_entry = struct.unpack_from("<IHHII", data, entry)
            yield _text(data, strings + name)
            entry += next_entry
        start += following


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode("ascii")
