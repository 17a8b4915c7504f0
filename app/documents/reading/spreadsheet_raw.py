"""What openpyxl's stream of rows leaves out: merged cells, and formulas whose values were never stored."""

import re
import zipfile
from dataclasses import dataclass, field

PIECE_BYTES = 1_000_000
OVERLAP_BYTES = 2_000  # longer than what is looked for
MERGED_MOST = 100_000  # rows of merged cells; more make a picture, no table

_MERGED = re.compile(rb"<(?:\w+:)?mergeCell\s[^>]{0,200}?ref=[\"']([A-Z]{1,3})(\d{1,7}):([A-Z]{1,3})(\d{1,7})[\"']")
_UNCOMPUTED = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?:\s[^>]{0,200})?/>)\s*+"
    rb"(?:<(?:\w+:)?v\s*+/>|<(?:\w+:)?v>\s*+</(?:\w+:)?v>)?+\s*+</(?:\w+:)?c>"
)


@dataclass(slots=True)
class Raw:
    """`merged`: row (from 1) -> (first column, last column from 0, 0 in the range's first row and -1 below it)."""

    merged: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)
    has_uncomputed: bool = False


def raw_of(archive: zipfile.ZipFile, part: str) -> Raw:
    """Reads one sheet's part as bytes, piece by piece. Raises what `zipfile` does."""
    raw = Raw()
    before = b""
    rows = 0
    seen: set[tuple[bytes, ...]] = set()
    with archive.open(part.lstrip("/")) as file:
        while piece := file.read(PIECE_BYTES):
            window = before + piece
            raw.has_uncomputed = raw.has_uncomputed or _UNCOMPUTED.search(window) is not None
            for match in _MERGED.finditer(window):
                if match.groups() in seen:
                    continue
                seen.add(match.groups())
                top, bottom = int(match[2]), int(match[4])
                rows += bottom - top + 1
                if bottom < top or rows > MERGED_MOST:
                    return raw
                first, last = _column(match[1]), _column(match[3])
                for row in range(top, bottom + 1):
                    raw.merged.setdefault(row, []).append((first, max(first, last), 0 if row == top else -1))
            before = window[-OVERLAP_BYTES:]
    return raw


def _column(letters: bytes) -> int:
    value = 0
    for letter in letters:
        value = value * 26 + letter - 64
    return value - 1
