"""`blind.jsonl` in a study's folder: which of two answers a person preferred, each choice on the disk at once.

Lines are only added; what takes a choice back is a line too. The lock is held while a line is added and no longer, so
that a study whose comparison is open can be moved to the bin. Whoever has not seen the newest line may add none.
"""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Literal, get_args

import filelock

from app.base import json_lines
from app.base.errors import AppError
from app.base.files import strict_json, work_folder
from app.base.files.output_file import drive_error, sync_folder

Vote = Literal["a_better", "b_better", "same", "both_wrong"]
VOTES: tuple[Vote, ...] = get_args(Vote)
VERSION = 1
FILE, LOCK = "blind.jsonl", "blind.lock"


@dataclass(frozen=True, slots=True)
class Begun:
    """The first line."""

    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Voted:
    """`a`, `b`: ids of the systems whose answers stood there. `is_open`: their names had been shown before."""

    question: str  # id
    vote: Vote
    a: str
    b: str
    is_open: bool = False
    at: float = field(default_factory=time.time)  # seconds since 1970 (UTC)


@dataclass(frozen=True, slots=True)
class Retracted:
    """The vote on this question, of these two systems, is taken back."""

    question: str
    a: str
    b: str
    at: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class Revealed:
    """The names of these two systems were shown."""

    a: str
    b: str
    at: float = field(default_factory=time.time)


Entry = Voted | Retracted | Revealed
_KINDS = {kind.__name__: kind for kind in (Begun, Voted, Retracted, Revealed)}


class BlindFile:
    """All comparisons of a study, of whichever two systems; which of the two is named first makes no difference."""

    def __init__(self, folder: Path) -> None:
        """Raises AppError("blind_damaged")."""
        self.path = folder / FILE
        self._votes: dict[frozenset[str], dict[str, Voted]] = {}
        self._revealed: set[frozenset[str]] = set()
        try:
            raw = strict_json.read_bytes(self.path) if self.path.exists() else b""
            self._seen_bytes = len(raw)
            self._whole_bytes = raw.rfind(b"\n") + 1  # half a line, from when the power went, is dropped
            for entry in _entries(raw[: self._whole_bytes]):
                self._note(entry)
        except (OSError, ValueError, TypeError) as error:
            raise AppError("blind_damaged", path=str(self.path), reason=str(error)[:200]) from error

    def votes(self, one: str, other: str) -> tuple[Voted, ...]:
        """Of two systems, those that stand; the newest is the last."""
        return tuple(self._votes.get(frozenset((one, other)), {}).values())

    def is_revealed(self, one: str, other: str) -> bool:
        return frozenset((one, other)) in self._revealed

    def add(self, *entries: Entry) -> None:
        """On the disk when it returns; all of them, or none.

        Raises AppError: "blind_busy" and "blind_changed" where somebody else adds or has added something (it is to be
        read anew), "blind_unwritable" | "drive_space" | "drive_file_limit".
        """
        head = () if self._whole_bytes else (Begun(),)
        raw = b"".join(map(json_lines.encode_line, (*head, *entries)))
        with self._held():
            self._append(raw)
        for entry in entries:
            self._note(entry)

    # ------------------------------------------------------------------- private

    def _note(self, entry: Entry) -> None:
        pair = frozenset((entry.a, entry.b))
        votes = self._votes.setdefault(pair, {})
        match entry:
            case Voted():
                votes.pop(entry.question, None)
                votes[entry.question] = entry
            case Retracted():
                votes.pop(entry.question, None)
            case Revealed():
                self._revealed.add(pair)

    @contextmanager
    def _held(self) -> Iterator[None]:
        try:
            lock = work_folder.acquire_lock(self.path.with_name(LOCK))
        except filelock.Timeout as error:
            raise AppError("blind_busy") from error
        except OSError as error:
            raise self._failure(error) from error
        try:
            yield
        finally:
            lock.release()

    def _append(self, raw: bytes) -> None:
        is_new = not self._seen_bytes and not self.path.exists()
        try:
            with self.path.open("xb" if is_new else "r+b", buffering=0) as file:
                if file.seek(0, os.SEEK_END) != self._seen_bytes:
                    raise AppError("blind_changed")
                self._write(file, raw)
            if is_new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise self._failure(error) from error

    def _write(self, file: FileIO, raw: bytes) -> None:
        """Behind the last whole line. Raises OSError, and leaves no half line then."""
        file.truncate(self._whole_bytes)
        self._seen_bytes = self._whole_bytes
        file.seek(self._whole_bytes)
        try:
            if file.write(raw) != len(raw):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            with contextlib.suppress(OSError):
                file.truncate(self._whole_bytes)
            raise
        self._seen_bytes = self._whole_bytes = self._whole_bytes + len(raw)

    def _failure(self, error: OSError) -> AppError:
        return drive_error(error, self.path.parent, "blind_unwritable")


def _entries(raw: bytes) -> Iterator[Entry]:
    """Raises ValueError for what this version cannot have written."""
    for number, line in enumerate(raw.splitlines()):
        data = strict_json.loads(line)
        if not isinstance(data, dict):
            raise ValueError(f"line {number + 1}")
        entry = json_lines.decode_message(data, _KINDS)
        if isinstance(entry, Begun) != (number == 0) or (number == 0 and entry.version != VERSION):
            raise ValueError("another version")
        if not isinstance(entry, Begun):
            yield _checked(entry, number)


def _checked(entry: Entry, number: int) -> Entry:
    texts = [entry.a, entry.b, *([] if isinstance(entry, Revealed) else [entry.question])]
    is_known = not isinstance(entry, Voted) or entry.vote in VOTES
    if not is_known or not all(isinstance(text, str) for text in texts):
        raise ValueError(f"line {number + 1}")
    return entry
