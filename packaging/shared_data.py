"""Make two data files of a bundle smaller that answer as before: Sudachi's dictionary, and the ICU data of Qt.

    python packaging/shared_data.py FOLDER    # _internal of the bundle

SudachiDict has a table of costs for each pair of 5,981 kinds of words, 72 of its 115 MB. Kinds that no word of the
small dictionary has go, and kinds with the same costs become one, so every text is split as before. Layout: sudachi.rs
0.7, `dic/description.rs`, `dic/connect.rs`, `dic/word_info/layout.rs`.

Qt asks ICU how strings are ordered; Kotae's languages are Japanese and English, and the others take most of its 32 MB.
Layout: ICU's `ucmndata.h`, a table of contents and its items.
"""

import json
import re
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_PAGE = 4096  # bytes; each block of the dictionary starts at a page
_ENTRY = 32  # bytes: the fixed part of a word, and where the first one stands in its block
_NO_KIND = -1  # of a word that is only part of others
_SHARED = -1  # instead of a length
Kinds = NDArray[np.int16]


def shrink_dictionary(dictionary: Path, resources: Path) -> None:
    """Rewrite `dictionary`, and the numbers of kinds in `resources` (SudachiPy's unk.def and sudachi.json).

    Raises ValueError for a layout other than the known one.
    """
    data = bytearray(dictionary.read_bytes())
    head, blocks = _blocks(data)
    at, size = blocks["ConnMatrix"]
    columns, rows = struct.unpack_from("<hh", data, at)
    costs = np.frombuffer(bytes(data[at + 4 : at + size]), "<i2").reshape(rows, columns)  # of a word, after another
    words = _words(data, *blocks["Entries"]) // 2
    fields = np.frombuffer(data[: len(data) // 2 * 2], "<i2").copy()
    lefts, rights = fields[words], fields[words + 1]
    settings = json.loads((resources / "sudachi.json").read_text("utf-8"))
    lines = [line.split(",") for line in (resources / "unk.def").read_text("utf-8").splitlines()]
    plugins = [plugin for plugin in settings["oovProviderPlugin"] if "leftId" in plugin]
    used_rows = _used(lefts, [*(line[1] for line in lines), *(plugin["leftId"] for plugin in plugins)])
    used_columns = _used(rights, [*(line[2] for line in lines), *(plugin["rightId"] for plugin in plugins)])
    new_rows = _renumber(costs[:, used_columns], used_rows)
    new_columns = _renumber(costs[used_rows].T, used_columns)
    fields[words] = np.where(lefts == _NO_KIND, _NO_KIND, new_rows[lefts])
    fields[words + 1] = np.where(rights == _NO_KIND, _NO_KIND, new_columns[rights])
    kept = costs[np.ix_(_first_of(new_rows), _first_of(new_columns))]
    # Square, because SudachiPy compares the numbers of unknown words with the other side.
    kept = np.pad(kept, [(0, max(kept.shape) - side) for side in kept.shape])
    written = fields.tobytes() + data[fields.nbytes :]
    parts = {name: written[start : start + length] for name, (start, length) in blocks.items()}
    parts["ConnMatrix"] = struct.pack("<hh", kept.shape[1], kept.shape[0]) + kept.tobytes()
    for line in lines:
        line[1:3] = str(new_rows[int(line[1])]), str(new_columns[int(line[2])])
    for plugin in plugins:
        plugin |= {"leftId": int(new_rows[plugin["leftId"]]), "rightId": int(new_columns[plugin["rightId"]])}
    dictionary.write_bytes(_dictionary_file(_with_note(head), parts))
    (resources / "unk.def").write_text("".join(f"{','.join(line)}\n" for line in lines), "utf-8")
    (resources / "sudachi.json").write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")


def shrink_icu(library: Path) -> None:
    """Rewrite libicudata.so.NN with the items of `_is_needed_of_icu`."""
    data = library.read_bytes()
    start = data.index(b"\xda\x27\x14\x00") - 2
    table = start + struct.unpack_from("<H", data, start)[0]
    count = struct.unpack_from("<I", data, table)[0]
    offsets = list(struct.iter_unpack("<II", data[table + 4 : table + 4 + 8 * count]))
    ends = [at for _, at in offsets[1:]] + [len(data) - table]
    items = [
        (data[table + name : data.index(b"\0", table + name) + 1], data[table + at : table + end])
        for (name, at), end in zip(offsets, ends, strict=True)
    ]
    kept = [(name, body) for name, body in items if _is_needed_of_icu(name[:-1].decode("ascii").partition("/")[2])]
    with tempfile.TemporaryDirectory() as folder:
        packed, source = Path(folder, "icu.dat"), Path(folder, "icu.s")
        packed.write_bytes(data[start:table] + _icu_items(kept))
        symbol = f"icudt{library.name.rpartition('.')[2]}_dat"
        source.write_text(
            f'.section .rodata\n.globl {symbol}\n.type {symbol}, %object\n.balign 16\n{symbol}:\n.incbin "{packed}"\n'
            f".size {symbol}, .-{symbol}\n.section .note.GNU-stack,\"\",%progbits\n", "ascii",
        )  # fmt: skip
        made = ["gcc", "-shared", "-nostdlib", f"-Wl,-soname,{library.name}", "-o", str(library), str(source)]
        subprocess.run(made, check=True)


def _is_needed_of_icu(name: str) -> bool:
    """Whether an item, such as coll/ja.res, is about order or encodings, and about Japanese, English or no language."""
    folder, _, file = name.rpartition("/")
    if folder not in ("", "coll"):
        return False
    language = re.fullmatch(r"([a-z]{2,3})(_\w*)?\.res", file)
    encoding = re.match(r"ibm-943_P15A|ibm-5348_|euc-jp|jisx", file) if file.endswith(".cnv") else True
    return bool(encoding) and (language is None or language[1] in ("ja", "en"))


def _icu_items(items: list[tuple[bytes, bytes]]) -> bytes:
    """The table of contents, the names, and the items, each at a multiple of 16 bytes."""
    names_at = 4 + 8 * len(items)
    at = -(-(names_at + sum(len(name) for name, _ in items)) // 16) * 16
    table, names, bodies = struct.pack("<I", len(items)), b"", b""
    for name, body in items:
        table += struct.pack("<II", names_at + len(names), at + len(bodies))
        names += name
        bodies += body + bytes(-len(body) % 16)
    return (table + names).ljust(at, b"\0") + bodies


def _used(of_words: Kinds, of_unknown: list[str | int]) -> Kinds:
    """Return the numbers of kinds that occur, and 0, the edge of a text."""
    found = {0, *map(int, of_words), *map(int, of_unknown)} - {_NO_KIND}
    return np.array(sorted(found), np.int16)


def _renumber(costs: NDArray[np.int16], used: Kinds) -> Kinds:
    """Return the new number of each row, _NO_KIND for an unused one; equal rows share one, and 0 stays 0."""
    numbers = np.full(len(costs), _NO_KIND, np.int16)
    known: dict[bytes, int] = {}
    for kind in used:
        numbers[kind] = known.setdefault(costs[kind].tobytes(), len(known))
    return numbers


def _first_of(numbers: Kinds) -> NDArray[np.intp]:
    """Return for each new number the first old one."""
    found, first = np.unique(numbers, return_index=True)
    kept: NDArray[np.intp] = first[found != _NO_KIND]
    return kept


def _words(data: bytearray, start: int, size: int) -> NDArray[np.int64]:
    """Return where in the file each word stands: its kinds to the left and right, 24 bytes more, and six lengths."""
    found, at, end = [], start + _ENTRY, start + size
    while at + _ENTRY <= end:
        found.append(at)
        *lengths, has_user_data = struct.unpack_from("<6b", data, at + 26)  # -1: shares the list before it
        if has_user_data or min(lengths) < _SHARED or min(lengths[0], lengths[-1]) < 0:
            raise ValueError(f"{at}: no word of the known layout")
        at += -(-(_ENTRY + 4 * sum(max(0, length) for length in lengths)) // 8) * 8
    if at != end:
        raise ValueError("the words do not end with their block")
    return np.array(found, np.int64)


def _blocks(data: bytearray) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Return the head of the file up to the list of blocks, and each block's start and size by name."""
    if data[:24] != b"SudachiBinaryDic" + struct.pack("<Q", 1):
        raise ValueError("no dictionary of the known version")
    at = 24 + 16  # time and flags
    for _ in range(3):  # comment, signature, reference
        length, at = _read_number(data, at)
        at += length
    for _ in range(2):  # numbers of words
        _, at = _read_number(data, at)
    head = bytes(data[:at])
    count, at = _read_number(data, at)
    blocks = {}
    for _ in range(count):
        length, at = _read_number(data, at)
        name, at = data[at : at + length].decode("ascii"), at + length
        start, at = _read_number(data, at)
        size, at = _read_number(data, at)
        blocks[name] = start, size
    return head, blocks


def _with_note(head: bytes) -> bytes:
    """Return the head with what was changed in its comment, as Apache-2.0 asks (section 4 b)."""
    length, at = _read_number(head, 40)
    comment = head[at : at + length] + b"; kinds of words with equal costs joined for Kotae"
    return head[:40] + _number(len(comment)) + comment + head[at + length :]


def _dictionary_file(head: bytes, parts: dict[str, bytes]) -> bytes:
    description, body = head + _number(len(parts)), b""
    for name, part in parts.items():
        description += _number(len(name)) + name.encode("ascii") + _number(_PAGE + len(body)) + _number(len(part))
        body += part + bytes(-len(part) % _PAGE)
    return description.ljust(_PAGE, b"\0") + body


def _read_number(data: bytes | bytearray, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, the low ones first, and where it ends."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 0x80:
            return value, at


def _number(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


if __name__ == "__main__":
    inside = Path(sys.argv[1])
    shrink_dictionary(inside / "sudachidict_small/resources/system.dic", inside / "sudachipy/resources")
    for icu in inside.rglob("libicudata.so.*"):
        if not icu.is_symlink():
            shrink_icu(icu)
