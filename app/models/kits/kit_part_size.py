"""The size of a kit's parts, from a command-line option."""

import re

from app.base.errors import AppError
from app.base.wording import phrase
from app.models.kits import kit_parts

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMG]?B?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_PART_MIN_BYTES = 10**6


def part_bytes_from(text: str) -> int:
    """Raises AppError("bad_option")."""
    found = _SIZE.fullmatch(text.strip())
    size = round(float(found[1]) * _UNITS[found[2].upper().rstrip("B")]) if found else 0
    if not _PART_MIN_BYTES <= size <= kit_parts.PART_MAX_BYTES:
        raise AppError(
            "bad_option", option="--part-size", value=text, expected=phrase("common.range", low="1MB", high="4.2GB")
        )
    return size
