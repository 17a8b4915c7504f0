"""Which files a collection is made of: what its sources hold now, and how that differs from what was read."""

import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.documents import formats
from app.documents.records import Document

_MOUNT_POINT = 0xA0000003  # stat.IO_REPARSE_TAG_MOUNT_POINT, which is not defined elsewhere

Note = Callable[[int], None]  # files found so far; may raise to end the search


@dataclass(frozen=True, slots=True)
class Scan:
    """`skipped`: how many entries of folders were left out, by reason: hidden, lock (of an open Office file), link
    (leads out of the folder), unknown (suffix), name (bytes that are no text), unreadable.

    `missing`: sources that are not there, cannot be looked into, or are folders without any entry, as a drive's are
    when it is not plugged in. `unreadable`: what cannot be looked at below a source, as when a network fails amid it.
    """

    files: list[Path] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    missing: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Difference:
    """`missing` as in `Scan`, and what is unreadable where something was read: nothing from there is `gone`."""

    new: list[Path]
    changed: list[int]  # ids of documents
    gone: list[int]
    missing: list[Path]


def scan(sources: Iterable[Path], note: Note = lambda _count: None, held: Collection[str] = frozenset()) -> Scan:
    """A file that was named is taken whatever its name is; of a folder, what `formats` knows, with its subfolders.

    `held`: what was named by itself, here or earlier; no folder counts it as left out.
    """
    found = Scan()
    for source in sources:
        if not _is_text(os.fspath(source)):
            found.skipped["name"] += 1
            continue
        try:
            kind = source.stat().st_mode
            if stat.S_ISDIR(kind):
                _walk(source, found, note, held)
            elif stat.S_ISREG(kind):
                found.files.append(source)
            else:
                found.skipped["unreadable"] += 1
        except (OSError, ValueError):  # ValueError: a NUL in the name
            found.missing.append(source)
    return found


def compare(sources: Sequence[Path], documents: Sequence[Document], note: Note = lambda _count: None) -> Difference:
    """What `sources` hold now against the documents of the collection. Only names, sizes and dates are looked at.

    A file that was added by itself and is no longer in its folder has gone; a whole folder may be on another drive.
    """
    found = scan(sources, note)
    known = {document.path: document for document in documents}
    there = {str(path) for path in found.files}
    missing = [source for source in found.missing if str(source) not in known or not source.parent.is_dir()]
    out_of_sight = {*missing, *found.unreadable}
    gone, changed, kept = [], [], set[Path]()
    for document in documents:
        path = Path(document.path)
        if document.path in there:
            if _is_changed(document, path):
                changed.append(document.id)
        elif places := out_of_sight.intersection((path, *path.parents)):
            kept |= places
        else:
            gone.append(document.id)
    new = [path for path in dict.fromkeys(found.files) if str(path) not in known]
    lost = (path for path in found.unreadable if path in kept)
    return Difference(new, changed, gone, list(dict.fromkeys((*missing, *lost))))


def reaches(root: Path, path: Path) -> bool:
    """Whether a look through a folder comes to what stands somewhere below it."""
    here = root
    for part in path.relative_to(root).parts:
        here /= part
        if _reason_to_skip(here, root):
            return False
    return True


def _is_changed(document: Document, path: Path) -> bool:
    if document.state in ("waiting", "reading"):
        return False
    try:
        status = path.stat()
    except OSError:
        return False
    known = document.modified_ns, document.size_bytes
    if document.state == "failed":  # another try is worth it only for another file
        known = document.tried_modified_ns, document.tried_size_bytes
    return (status.st_mtime_ns, status.st_size) != known


def _walk(root: Path, found: Scan, note: Note, held: Collection[str]) -> None:
    """Without recursion: folders can be nested deeper than Python's stack. Links to folders are not followed."""
    folders, is_first = [str(root)], True
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            if is_first:
                raise
            found.skipped["unreadable"] += 1
            found.unreadable.append(Path(folder))
            continue
        if is_first and not listed:
            found.missing.append(root)
        is_first = False
        inside = []
        for entry in listed:
            reason = _reason_to_skip(entry, root)
            if reason == "inside" or (reason and entry.path in held):
                continue
            if reason:
                found.skipped[reason] += 1
                if reason == "unreadable":
                    found.unreadable.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                inside.append(entry.path)
            else:
                found.files.append(Path(entry.path))
        folders += reversed(inside)
        note(len(found.files))


def _is_text(path: str) -> bool:
    """Whether a database takes it: other bytes of a name are lone surrogates in Python."""
    return path.encode("utf-8", "replace").decode() == path


def _reason_to_skip(entry: "os.DirEntry[str] | Path", root: Path) -> str:
    """ "": taken. "inside": a link to what is found in this folder anyway, which need not be told."""
    name, path = entry.name, os.fspath(entry)
    if not _is_text(path):
        return "name"
    if name.startswith("~$"):
        return "lock"
    if name.startswith("."):
        return "hidden"
    try:
        status = entry.stat(follow_symlinks=False)
        if _is_hidden(status):
            return "hidden"
        if stat.S_ISLNK(status.st_mode) or _is_junction(status):
            return "inside" if Path(path).resolve().is_relative_to(root.resolve()) else "link"
    except (OSError, RuntimeError):  # it has gone meanwhile, or a link in a circle
        return "unreadable"
    is_known = stat.S_ISREG(status.st_mode) and Path(name).suffix.casefold() in formats.SUFFIXES
    return "" if is_known or stat.S_ISDIR(status.st_mode) else "unknown"


def _is_junction(status: os.stat_result) -> bool:
    """Windows' other kind of link to a folder."""
    return getattr(status, "st_reparse_tag", 0) == _MOUNT_POINT


def _is_hidden(status: os.stat_result) -> bool:
    """As Windows marks it."""
    return bool(getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN)
