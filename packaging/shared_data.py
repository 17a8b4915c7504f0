"""Make two data files of a bundle smaller that answer as before: Sudachi's dictionary, and the ICU data of Qt.

    python packaging/shared_data.py FOLDER    # _internal of the bundle

SudachiDict has a table of costs for each pair of 5,981 kinds of words, 72 of its 115 MB. Kinds that no word of the
small dictionary has go, and kinds with the same costs become one, so every text is split as before. Layout: sudachi.rs
0.7, `dic/description.rs`, `dic/connect.rs`, `dic/word_info/layout.rs`.

Qt asks ICU how strings are ordered; Kotae's languages are Japanese and English, and the others take most of its 32 MB.
Layout: ICU's `ucmndata.h`, a table of contents and its items.
"""

import io
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
_SHARED = -1  # instead of a length: the list before it
_NOTE = "kinds of words with equal costs joined for Kotae"  # in each file, as Apache-2.0 asks (section 4 b)
Kinds = NDArray[np.int16]  # -1: that of a word that is only part of others


def shrink_dictionary(dictionary: Path, resources: Path) -> None:
    """Rewrite `dictionary`, and the numbers of kinds in `resources` (SudachiPy's unk.def and sudachi.json).

    Raises ValueError for a layout other than the known one.
    """
    data = dictionary.read_bytes()
    head, blocks = _blocks(data)
    at, size = blocks["ConnMatrix"]
    columns, rows = struct.unpack_from("<hh", data, at)
    costs = np.frombuffer(data, "<i2", (size - 4) // 2, at + 4).reshape(rows, columns)  # of a word, after another
    words = _words(data, *blocks["Entries"]) // 2
    fields = np.frombuffer(data, "<i2", len(data) // 2).copy()
    settings = json.loads((resources / "sudachi.json").read_text("utf-8"))
    lines = [line.split(",") for line in (resources / "unk.def").read_text("utf-8").splitlines()]
    plugins = [plugin for plugin in settings["oovProviderPlugin"] if "leftId" in plugin]
    used_rows = _used(fields[words], *(line[1] for line in lines), *(plugin["leftId"] for plugin in plugins))
    used_columns = _used(fields[words + 1], *(line[2] for line in lines), *(plugin["rightId"] for plugin in plugins))
    new_rows, kept_rows = _renumber(costs[:, used_columns], used_rows)
    new_columns, kept_columns = _renumber(costs[used_rows].T, used_columns)
    fields[words], fields[words + 1] = new_rows[fields[words]], new_columns[fields[words + 1]]
    kept = costs[np.ix_(kept_rows, kept_columns)]
    # Square, because SudachiPy compares the numbers of unknown words with the other side.
    kept = np.pad(kept, [(0, max(kept.shape) - side) for side in kept.shape])
    written = fields.tobytes() + data[fields.nbytes :]
    parts = {name: written[start : start + length] for name, (start, length) in blocks.items()}
    parts["ConnMatrix"] = struct.pack("<hh", *kept.shape) + kept.tobytes()
    for line in lines:
        line[1:3] = str(new_rows[int(line[1])]), str(new_columns[int(line[2])])
    for plugin in plugins:
        plugin |= {"leftId": int(new_rows[plugin["leftId"]]), "rightId": int(new_columns[plugin["rightId"]])}
    settings["changes"] = _NOTE
    body = b""
    for name, part in parts.items():
        head += _with_length(name.encode("ascii")) + _number(_PAGE + len(body)) + _number(len(part))
        body += part + bytes(-len(part) % _PAGE)
    dictionary.write_bytes(head.ljust(_PAGE, b"\0") + body)
    (resources / "unk.def").write_text("\n".join([f"# {_NOTE}", *map(",".join, lines), ""]), "utf-8", newline="\n")
    (resources / "sudachi.json").write_text(json.dumps(settings, ensure_ascii=False, indent=1), "utf-8")


def _used(of_words: Kinds, *others: str | int) -> NDArray[np.int64]:
    """Return the numbers of kinds that occur, and 0, the edge of a text."""
    return np.unique([0, *of_words[of_words >= 0], *map(int, others)])


def _renumber(costs: NDArray[np.int16], used: NDArray[np.int64]) -> tuple[Kinds, NDArray[np.intp]]:
    """Return the new number of each row, equal rows sharing one, and the first row of each; 0 stays 0, and -1 -1."""
    numbers, known = np.full(len(costs) + 1, -1, np.int16), dict[bytes, int]()
    for kind in used:
        numbers[kind] = known.setdefault(costs[kind].tobytes(), len(known))
    return numbers, np.unique(numbers, return_index=True)[1][1:]


def _words(data: bytes, start: int, size: int) -> NDArray[np.int64]:
    """Return where in the file each word stands: its kinds to the left and right, 24 bytes more, and six lengths."""
    rows = np.frombuffer(data, np.int8, size // 8 * 8, start).reshape(-1, 8)  # words begin at multiples of 8 bytes
    lengths = np.maximum(rows[3:, 2:7], 0).sum(axis=1, dtype=np.int16)
    steps = memoryview(_ENTRY // 8 + (lengths + 1) // 2)  # in rows, if a word began in this one
    found, at = [], _ENTRY // 8
    while at < len(steps):
        found.append(at)
        at += steps[at]
    places = np.array(found, np.int64)
    facts = rows[places + 3, 2:]  # the last: whether it has user data
    if facts[:, 5].any() or facts[:, :5].min() < _SHARED or facts[:, (0, 4)].min() < 0:
        raise ValueError("there is a word of an unknown layout")
    if 8 * at != size:
        raise ValueError("the words do not end with their block")
    return start + 8 * places


def _blocks(data: bytes) -> tuple[bytes, dict[str, tuple[int, int]]]:
    """Return the head of the new file up to the list of blocks, and each block's start and size in `data` by name."""
    file = io.BytesIO(data)
    head = file.read(40)  # with time and flags
    if head[:24] != b"SudachiBinaryDic" + struct.pack("<Q", 1):
        raise ValueError("no dictionary of the known version")
    comment, signature, reference = (file.read(_read_number(file)) for _ in range(3))
    head += b"".join(map(_with_length, (comment + f"; {_NOTE}".encode(), signature, reference)))
    *numbers_of_words, count = (_read_number(file) for _ in range(3))
    head += b"".join(map(_number, (*numbers_of_words, count)))
    names_and_places = ((file.read(_read_number(file)), _read_number(file), _read_number(file)) for _ in range(count))
    return head, {name.decode("ascii"): (start, size) for name, start, size in names_and_places}


def _read_number(file: io.BytesIO) -> int:
    """Return a number of seven bits a byte, the low ones first."""
    byte = file.read(1)[0]
    return byte if byte < 0x80 else byte & 0x7F | _read_number(file) << 7


def _number(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _number(value >> 7)


def _with_length(text: bytes) -> bytes:
    return _number(len(text)) + text


def shrink_icu(library: Path) -> None:
    """Rewrite libicudata.so.NN with the items of `_is_needed_of_icu`."""
    data = library.read_bytes()
    start = data.index(b"\xda\x27\x14\x00") - 2
    table = start + struct.unpack_from("<H", data, start)[0]
    count = struct.unpack_from("<I", data, table)[0]
    offsets = list(struct.iter_unpack("<II", data[table + 4 : table + 4 + 8 * count]))
    ends = [at for _, at in offsets[1:]] + [len(data) - table]
    names, bodies, places = b"", b"", []
    for (name_at, at), end in zip(offsets, ends, strict=True):
        name = data[table + name_at : data.index(b"\0", table + name_at) + 1]
        if _is_needed_of_icu(name[:-1].decode("ascii").partition("/")[2]):
            places.append((len(names), len(bodies)))
            names += name
            bodies += data[table + at : table + end] + bytes((at - end) % 16)  # each at a multiple of 16 bytes
    names_at = 4 + 8 * len(places)
    bodies_at = -(-(names_at + len(names)) // 16) * 16
    listed = b"".join(struct.pack("<II", names_at + name, bodies_at + body) for name, body in places)
    contents = (struct.pack("<I", len(places)) + listed + names).ljust(bodies_at, b"\0")
    symbol = f"icudt{library.name.rpartition('.')[2]}_dat"
    with tempfile.NamedTemporaryFile() as packed:
        packed.write(data[start:table] + contents + bodies)
        packed.flush()
        source = (
            f".section .rodata\n.globl {symbol}\n.type {symbol}, %object\n.balign 16\n{symbol}:\n"
            f'.incbin "{packed.name}"\n.size {symbol}, .-{symbol}\n.section .note.GNU-stack,"",%progbits\n'
        )
        options = ["-shared", "-nostdlib", f"-Wl,-soname,{library.name}", "-o", str(library)]
        subprocess.run(["gcc", *options, "-x", "assembler", "-"], input=source, text=True, check=True)


def _is_needed_of_icu(name: str) -> bool:
    """Whether an item, such as coll/ja.res, is about order or encodings, and about Japanese, English or no language."""
    folder, _, file = name.rpartition("/")
    language = re.fullmatch(r"([a-z]{2,3})(_\w*)?\.res", file)
    is_known = not file.endswith(".cnv") or re.match(r"ibm-943_P15A|ibm-5348_|euc-jp|jisx", file)
    return folder in ("", "coll") and bool(is_known) and (language is None or language[1] in ("ja", "en"))


if __name__ == "__main__":
    inside = Path(sys.argv[1])
    shrink_dictionary(inside / "sudachidict_small/resources/system.dic", inside / "sudachipy/resources")
    for icu in inside.rglob("libicudata.so.*"):
        if not icu.is_symlink():
            shrink_icu(icu)
