"""Which plans and verdicts this program has written itself, by their content: all others came from elsewhere.

Whoever hands a folder over can write any verdict into it, and the hash beside it. What this program decides by is in
the data folder alone: a list of the hashes of what it wrote, noted before the file is there, so that none is lost.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from app.base.files.appending import append_line
from app.base.files.atomic import make_once, write_atomically
from app.base.files.plain_file import read_regular

FILE = "made_here.txt"  # in the data folder
NAMES = ("run.json", "gate.json", "study.json", "results.json")
_LIST_BYTES, _FILE_BYTES = 64 << 20, 256 << 20  # a million files; the largest is the results of an evaluation
_FOLDERS = ("runs", "evaluations")  # where files of these names were made before there was a list
_DATABASE = "kotae.sqlite"  # of a data folder that was in use before


class _List:
    """Of one process; without a data folder it lasts as long as the process."""

    def __init__(self) -> None:
        self.file: Path | None = None
        self.digests: set[str] = set()
        self.read_bytes = 0

    def read(self) -> None:
        """What any process has added since."""
        with contextlib.suppress(OSError):
            if self.file is not None and self.file.stat().st_size != self.read_bytes:
                raw = read_regular(self.file, _LIST_BYTES)
                self.read_bytes = len(raw)
                self.digests.update(raw.decode("ascii", "replace").split())

    def add(self, digest: str) -> None:
        """Raises OSError."""
        if self.file is not None:
            append_line(self.file, digest.encode("ascii"))
        self.digests.add(digest)


_list = _List()


def use(data: Path) -> None:
    """Keep the list in this data folder. Where an earlier version has worked in it, what lies there is its own.

    Raises OSError.
    """
    _list.file, _list.digests, _list.read_bytes = data / FILE, set(), 0
    if not _list.file.exists():
        found = _digests_below(data) if (data / _DATABASE).is_file() else []
        make_once(_list.file, "".join(f"{digest}\n" for digest in found).encode("ascii"))


def write_ours(path: Path, content: bytes) -> None:
    """Write a file (its name: one of NAMES) whole or not at all, and known as ours. Raises OSError.

    It is noted first: a kill between both leaves a hash of nothing, instead of a file that is taken for somebody
    else's.
    """
    assert path.name in NAMES
    digest = _digest(path.name, content)
    if digest not in _list.digests:
        _list.add(digest)
    write_atomically(path, content)


def knows(name: str, content: bytes) -> bool:
    """Whether this program has written a file of this name and content."""
    digest = _digest(name, content)
    if digest not in _list.digests:
        _list.read()
    return digest in _list.digests


def knows_file(path: Path) -> bool:
    """As `knows`; False where it cannot be read."""
    try:
        return knows(path.name, read_regular(path, _FILE_BYTES))
    except OSError:
        return False


def _digest(name: str, content: bytes) -> str:
    return hashlib.sha256(name.encode() + b"\0" + content).hexdigest()


def _digests_below(data: Path) -> list[str]:
    """Of all that has one of NAMES; links are not followed."""
    found = []
    for folder in _FOLDERS:
        for base, _folders, names in os.walk(data / folder):
            for path in (Path(base, name) for name in NAMES if name in names):
                with contextlib.suppress(OSError):
                    if not path.is_symlink():
                        found.append(_digest(path.name, read_regular(path, _FILE_BYTES)))
    return found
