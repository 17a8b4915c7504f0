"""Keep evaluated beginnings of prompts in files, so that a new conversation over the same passages is answered sooner.

A file holds llama.cpp's cache (keys and values) of the instructions and passages with which prompts begin, from which
their text could be recovered. So it has the ids of the collections that the passages are from in its name and is
deleted with them, and only a `SharedStart`, sent by the window for conversations that may be kept, lets one be made.

A beginning is kept when it is asked the second time; a file without content records the first. llama.cpp's reader stops
the process at some damaged files, so each ends with a MAC that only this machine and user can make.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from app.base import authenticity

MOST_BYTES = 2 << 30  # of all files together
FREE_SHARE = 0.05  # of the free disk space that they may take at most
UNUSED_S = 30 * 24 * 3600.0  # a file that no question has used for this long is deleted
READ_BYTES_PER_S = 100e6  # a slow disk; a beginning is worth a file if evaluating it takes this many times as long:
WORTH_READING = 5.0
LEAST_SAVED_S = 0.5
_SEEN_MOST = 500
_STATE, _SEEN, _WIPED, _PART = ".state", ".seen", ".wiped", ".part"
_NONE = "all"  # in place of collection ids: instructions without passages
_PURPOSE = "prefix state"
_MAC_BYTES = 64
_CHUNK_BYTES = 4 << 20


class PrefixStates:
    """The files of one folder, for one loaded model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file_of(self, collections: Sequence[int], basis: str, tokens: Sequence[int]) -> Path:
        """Return where the state of `tokens` is or would be.

        `basis`: everything else that the state depends on: model file, engine, context and adapters.
        """
        named = "-".join(str(number) for number in sorted(set(collections))) or _NONE
        digest = hashlib.sha256(f"{basis}\n{' '.join(map(str, tokens))}".encode())
        return self._folder / f"{named}.{digest.hexdigest()[:40]}{_STATE}"

    def is_wanted(self, file: Path) -> bool:
        """Return whether the state should be written: it was asked before and is not kept. Record that it is asked."""
        seen = file.with_suffix(_SEEN)
        try:
            is_known = seen.exists()
            if not is_known:
                seen.touch(mode=0o600)
            return is_known and not file.exists()
        except OSError:  # for example a folder of another user
            return False

    def is_own(self, file: Path) -> bool:
        """Return whether a file is complete and as this program wrote it here; delete any other. Note that it is used.

        Reads the whole file.
        """
        try:
            with file.open("r+b") as stream:
                size = max(0, file.stat().st_size - _MAC_BYTES)
                digest, mac = _digest(stream.read, size), stream.read(_MAC_BYTES)
                is_valid = authenticity.is_signed_by_this_machine(mac, _PURPOSE, file.name.encode(), digest)
                stream.seek(size)
                stream.write(mac)  # for the date of its last use, which the sandbox does not let a child set
        except OSError:
            return False
        if not is_valid:
            _delete(file)
        return is_valid

    def keep(self, file: Path, size_bytes: int, since: float, write: Callable[[Path], bool]) -> bool:
        """Write a state, after deleting those used least recently to make room. Return whether it is kept.

        `size_bytes`: its size. `since`: as in `SharedStart`; what was wiped later is not kept. `write`: writes the
        state into a file and returns whether that worked.
        """
        part = file.with_name(f"{secrets.token_hex(8)}{_PART}")
        try:
            if self._is_wiped(file, since) or not self._make_room(size_bytes):
                return False
            if not write(part):
                return False
            with part.open("r+b") as stream:
                digest = _digest(stream.read, part.stat().st_size)
                mac = authenticity.sign_for_this_machine(_PURPOSE, file.name.encode(), digest)
                stream.write(mac.encode("ascii"))
                stream.flush()
                os.fsync(stream.fileno())
            part.replace(file)
        except OSError:  # for example a full disk: the answer does not depend on it
            return False
        finally:
            _delete(part)
        if self._is_wiped(file, since):  # meanwhile
            _delete(file)
        return file.exists()

    def _is_wiped(self, file: Path, since: float) -> bool:
        """Return whether a collection of a file's passages was wiped after `since`, within a second of clock error."""
        marks = (self._folder / f"{number}{_WIPED}" for number in _collections_of(file))
        return any(mark.stat().st_mtime > since - 1 for mark in marks if mark.exists())

    def _make_room(self, size_bytes: int) -> bool:
        """Delete the files used least recently, and unused or unfinished ones; return whether `size_bytes` fit now."""
        now = time.time()
        for pattern, age_s in ((f"*{_PART}", 3600.0), (f"*{_STATE}", UNUSED_S), (f"*{_SEEN}", UNUSED_S)):
            for file in _oldest_first(self._folder, pattern):
                if now - file.stat().st_mtime > age_s:
                    _delete(file)
        for seen in _oldest_first(self._folder, f"*{_SEEN}")[:-_SEEN_MOST]:
            _delete(seen)
        files = _oldest_first(self._folder, f"*{_STATE}")
        used = sum(file.stat().st_size for file in files)
        most = min(MOST_BYTES, int(FREE_SHARE * (shutil.disk_usage(self._folder).free + used)))
        for file in files if size_bytes <= most else ():
            if used + size_bytes <= most:
                break
            used -= file.stat().st_size
            _delete(file)
        return used + size_bytes <= most


def is_worth(tokens: int, size_bytes: int, tokens_per_s: float) -> bool:
    """Return whether reading a state of so many tokens is much faster than evaluating them."""
    evaluating_s = tokens / max(tokens_per_s, 1e-9)
    return evaluating_s >= max(LEAST_SAVED_S, WORTH_READING * size_bytes / READ_BYTES_PER_S)


def used_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in _oldest_first(folder, f"*{_STATE}"))


def wipe(folder: Path, collections: Sequence[int] | None = None) -> None:
    """Delete the states that hold passages of a collection, and keep those from being written whose search has begun.

    `collections`: their ids; None: all states. Does nothing without a folder.
    """
    if not folder.is_dir():
        return
    for number in collections or ():
        with contextlib.suppress(OSError):
            (folder / f"{number}{_WIPED}").write_bytes(b"\n")  # its date counts
    for file in [*folder.glob(f"*{_STATE}"), *folder.glob(f"*{_SEEN}"), *folder.glob(f"*{_PART}")]:
        if collections is None or file.suffix == _PART or set(_collections_of(file)) & set(collections):
            _delete(file)


def _delete(file: Path) -> None:
    with contextlib.suppress(OSError):  # gone already, or in use on Windows
        file.unlink()


def _collections_of(file: Path) -> list[int]:
    return [int(number) for number in file.name.partition(".")[0].split("-") if number.isdecimal()]


def _oldest_first(folder: Path, pattern: str) -> list[Path]:
    """Return the files by their last use; those that another process deletes meanwhile are left out."""
    found = []
    for file in folder.glob(pattern):
        with contextlib.suppress(OSError):
            found.append((file.stat().st_mtime, file))
    return [file for _, file in sorted(found)]


def _digest(read: Callable[[int], bytes], size_bytes: int) -> bytes:
    """Return the SHA-256 of the next `size_bytes` that `read` returns, or of fewer if it ends."""
    digest = hashlib.sha256()
    while size_bytes > 0 and (piece := read(min(_CHUNK_BYTES, size_bytes))):
        digest.update(piece)
        size_bytes -= len(piece)
    return digest.digest()
