"""Models that other programs have put on this machine: found without writing, copying or hashing anything.

Links are followed only where they lead into one of the folders that are searched; each real folder and each real file
is looked at once, so loops end. Time, entries and depth are bounded, and the outcome says when a bound was met.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.base.errors import AppError
from app.inference import gguf
from app.inference.gguf import GgufHeader
from app.models import ollama
from app.models.model_places import Place

MAX_ENTRIES = 200_000
MAX_DEPTH = 12
MAX_SECONDS = 20.0

_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FoundModel:
    """`path` is what to import: the first part of a split model, or a file of Ollama's without suffix."""

    path: Path
    source: str
    name: str
    size_bytes: int  # of all parts
    architecture: str
    quantization: str
    context_tokens: int
    parts: int = 1


@dataclass(frozen=True, slots=True)
class Skipped:
    path: Path
    source: str
    reason: AppError


@dataclass(slots=True)
class Findings:
    models: list[FoundModel] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    is_complete: bool = True  # False: a bound was met, and there may be more


def search(
    places: Sequence[Place], report: Callable[[int, int], None] = lambda _looked, _of: None, max_s: float = MAX_SECONDS
) -> Findings:
    """`report` is told how many entries were looked at (of 0: not known); what it raises ends the search."""
    found = _Search(places, report, time.monotonic() + max_s)
    try:
        for place in places:
            found.look_through(place)
    except _Bound:
        found.findings.is_complete = False
    return found.findings


class _Bound(Exception):  # noqa: N818  nothing went wrong
    """Enough was looked at."""


class _Search:
    def __init__(self, places: Sequence[Place], report: Callable[[int, int], None], deadline: float) -> None:
        self.findings = Findings()
        self._report = report
        self._deadline = deadline
        self._entries = 0
        self._roots = [real for place in places if (real := _real(place.folder)) is not None]
        self._folders: set[Path] = set()  # real ones that were looked through
        self._files: set[Path] = set()

    def look_through(self, place: Place) -> None:
        real = _real(place.folder)
        if real is None:
            return
        if place.source == "ollama":
            self._look_at_store(place)
        else:
            self._walk(place, place.folder, real, MAX_DEPTH)

    def _count(self) -> None:
        self._entries += 1
        self._report(self._entries, 0)
        if self._entries > MAX_ENTRIES or time.monotonic() > self._deadline:
            raise _Bound

    def _look_at_store(self, place: Place) -> None:
        for entry in ollama.entries(place.folder):
            self._count()
            if entry.weights is None:  # a model in the cloud, or one in another format
                self._skip(entry.manifest, place, AppError("found_no_weights", name=entry.name))
            else:
                self._take(entry.weights, place, entry.name)

    def _walk(self, place: Place, folder: Path, real: Path, depth: int) -> None:
        if real in self._folders:
            return
        self._folders.add(real)
        for child in self._children(place, folder):
            self._count()
            if _is_folder(child):
                self._enter(place, child, depth - 1)
            elif child.name.casefold().endswith(".gguf"):
                self._take(Path(child.path), place)

    def _enter(self, place: Place, child: "os.DirEntry[str]", depth: int) -> None:
        path = Path(child.path)
        real = _real(path)
        if real is None or depth == 0:
            return
        if child.is_symlink() and not self._is_inside(real):
            self._skip(path, place, AppError("found_outside", path=str(path)))
        else:
            self._walk(place, path, real, depth)

    def _children(self, place: Place, folder: Path) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(folder) as entries:
                yield from sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            reason = error.strerror or str(error)
            self._skip(folder, place, AppError("file_unreadable", path=str(folder), reason=reason))

    def _take(self, path: Path, place: Place, name: str = "") -> None:
        if _is_later_part(path):
            return
        real = _real(path)
        if real is None:
            self._skip(path, place, AppError("file_missing", path=str(path)))
        elif not self._is_inside(real):
            self._skip(path, place, AppError("found_outside", path=str(path)))
        elif real not in self._files:
            self._files.add(real)
            try:
                header = gguf.check_model(path, every_token=False)
                self._check_parts(header)
            except AppError as error:
                self._skip(path, place, _told(error))
            else:
                self.findings.models.append(_found(path, place, name, header))

    def _check_parts(self, header: GgufHeader) -> None:
        for part in header.parts:
            real = _real(part)
            if real is None or not self._is_inside(real):
                raise AppError("found_outside", path=str(part))

    def _skip(self, path: Path, place: Place, reason: AppError) -> None:
        self.findings.skipped.append(Skipped(path, place.source, reason))

    def _is_inside(self, real: Path) -> bool:
        return any(real.is_relative_to(root) for root in self._roots)


def _found(path: Path, place: Place, name: str, header: GgufHeader) -> FoundModel:
    return FoundModel(
        path=path,
        source=place.source,
        name=name or path.stem,
        size_bytes=header.file_bytes,
        architecture=header.architecture,
        quantization=header.quantization,
        context_tokens=header.context_length,
        parts=1 + len(header.parts),
    )


def _told(error: AppError) -> AppError:
    """A later part is only looked at where the first one is gone: that is what is to be said."""
    if error.code != "split_not_first":
        return error
    return AppError("split_part_missing", missing=error.facts["first"], count=error.facts["count"])


def _is_later_part(path: Path) -> bool:
    """One that the first part answers for, or where that is gone the part before it."""
    part = _PART.fullmatch(path.name)
    if part is None or part["number"] == "00001":
        return False
    before = {1, int(part["number"]) - 1}
    return any(path.with_name(f"{part['stem']}-{number:05}-of-{part['count']}.gguf").exists() for number in before)


def _is_folder(child: "os.DirEntry[str]") -> bool:
    try:
        return child.is_dir()
    except OSError:  # a link in a circle
        return False


def _real(path: Path) -> Path | None:
    """Without links; None where nothing is, or nobody may look."""
    try:
        return path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):  # a loop, a NUL
        return None
