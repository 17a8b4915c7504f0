"""What this installation has written itself is known by a mark that only it can make.

For files that lie where others can write, beside the user's own: a record of answers says what a check has found, and
nothing that somebody else has put in its place may.
"""

import functools
import hashlib
import hmac
import secrets
from pathlib import Path

from app.base.files.atomic import make_once
from app.base.files.plain_file import read_regular

KEY_FILE = "seal.key"
KEY_BYTES = 32


def mark_of(key: bytes, *parts: bytes) -> str:
    """Return 64 hexadecimal digits (HMAC-SHA256), of these parts in this order."""
    made = hmac.new(key, digestmod=hashlib.sha256)
    for part in parts:
        made.update(len(part).to_bytes(8, "big") + part)
    return made.hexdigest()


def is_mark(told: object, key: bytes, *parts: bytes) -> bool:
    """Return whether what a file says is the mark of these parts."""
    said = told.encode("utf-8", "replace") if isinstance(told, str) else told
    return isinstance(said, bytes) and hmac.compare_digest(said, mark_of(key, *parts).encode("ascii"))


class Seal:
    """`folder`: the data folder, which holds the key; it is made when it is first needed.

    Every method raises OSError.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_FILE

    def mark(self, *parts: bytes) -> bytes:
        return mark_of(self._key, *parts).encode("ascii")

    def is_own(self, mark: bytes, *parts: bytes) -> bool:
        return is_mark(mark, self._key, *parts)

    @functools.cached_property
    def _key(self) -> bytes:
        if not self._path.exists():
            self._path.parent.mkdir(parents=True, exist_ok=True)
            make_once(self._path, secrets.token_bytes(KEY_BYTES))
        key = read_regular(self._path, KEY_BYTES)
        if len(key) != KEY_BYTES:
            raise OSError(f"{self._path}: {len(key)} bytes")
        return key
