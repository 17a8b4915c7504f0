"""Which files a collection is made of: what its sources hold now, and how that differs from what was read.

What is done to a collection as a whole: files and folders added to it, and what changed in them since.

Nothing is read here: documents are put into the queue. Taking them out is left to the reading child, as it takes time.

Kotae's own manual as a collection, so that a first question can be answered with nothing prepared.
"""

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.documents import records
from app.documents.library import Library
from app.documents.records import Document, DocumentCollection

_MOUNT_POINT = 0xA0000003  # stat.IO_REPARSE_TAG_MOUNT_POINT, which is not defined elsewhere

CountCallback = Callable[[int], None]  # files found so far; may raise to end the search


@dataclass(frozen=True, slots=True)
class ScanResult:
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
class FolderDifference:
    """`missing` as in `ScanResult`, and what is unreadable where something was read: nothing from there is `gone`."""

    new: list[Path]
    changed: list[int]  # ids of documents
    gone: list[int]
    missing: list[Path]


def scan_sources(
    sources: Iterable[Path], note: CountCallback = lambda _count: None, held: Collection[str] = frozenset()
) -> ScanResult:
    """A file that was named is taken whatever its name is; of a folder, what `formats` knows, with its subfolders.

    `held`: what was named by itself, here or earlier; no folder counts it as left out.
    """
    found = ScanResult()
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


def compare_with_sources(
    sources: Sequence[Path], documents: Sequence[Document], note: CountCallback = lambda _count: None
) -> FolderDifference:
    """What `sources` hold now against the documents of the collection. Only names, sizes and dates are looked at.

    A file that was added by itself and is no longer in its folder has gone; a whole folder may be on another drive.
    """
    found = scan_sources(sources, note)
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
    return FolderDifference(new, changed, gone, list(dict.fromkeys((*missing, *lost))))


def includes(root: Path, path: Path) -> bool:
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


def _walk(root: Path, found: ScanResult, note: CountCallback, held: Collection[str]) -> None:
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
    is_known = stat.S_ISREG(status.st_mode) and Path(name).suffix.casefold() in records.DOCUMENT_SUFFIXES
    return "" if is_known or stat.S_ISDIR(status.st_mode) else "unknown"


def _is_junction(status: os.stat_result) -> bool:
    """Windows' other kind of link to a folder."""
    return getattr(status, "st_reparse_tag", 0) == _MOUNT_POINT


def _is_hidden(status: os.stat_result) -> bool:
    """As Windows marks it."""
    return bool(getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN)


@dataclass(frozen=True, slots=True)
class AddedFiles:
    """`known`: files that the collection holds already. `skipped` and `missing` as in `scan.Scan`."""

    collection_id: int
    new: list[int] = field(default_factory=list)  # ids of documents
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    missing: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """Numbers of documents. `gone`: ids of what is still to be removed. `missing`: sources that are not there now."""

    collection_id: int
    new: int = 0
    changed: int = 0
    gone: list[int] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def add_paths(
    library: Library, collection_id: int, paths: Sequence[Path], note: CountCallback = lambda _count: None
) -> AddedFiles:
    """Files, and folders with what they hold. The sources are stored first: a later `refresh` completes the rest.

    What a known source holds anyway is not stored as one: it may leave with its folder.
    """
    paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  links stay as the user named them
    there = [path for path in paths if _is_there(path)]
    known = library.sources(collection_id)
    held = {path for path in there for source in known if source in path.parents and includes(source, path)}
    library.add_sources(collection_id, [path for path in there if path not in held])
    found = scan_sources(paths, note, {str(source) for source in library.sources(collection_id)})
    files = list(dict.fromkeys(found.files))
    library.take_back(collection_id, files)
    new = library.add_documents(collection_id, files)
    return AddedFiles(collection_id, new, len(files) - len(new), found.skipped, found.missing)


def restore_paths(
    library: Library,
    collection_id: int,
    paths: Sequence[Path],
    files: Sequence[Path],
    note: CountCallback = lambda _count: None,
) -> AddedFiles:
    """Adds `paths` again. Of `files`, the documents that were there, those that have gone since are put into the queue
    too: reading them fails, and says why. They are among the `missing`."""
    added = add_paths(library, collection_id, paths, note)
    lost = [path for path in files if not _is_there(path)]
    for homeless in (added.missing, lost):
        known = library.sources(collection_id)
        outside = [path for path in homeless if not any(source in path.parents for source in known)]
        library.add_sources(collection_id, outside)
    library.take_back(collection_id, lost)
    new = library.add_documents(collection_id, lost)
    return replace(added, new=[*added.new, *new], missing=list(dict.fromkeys((*added.missing, *lost))))


def refresh_collection(
    library: Library, collection_id: int, note: CountCallback = lambda _count: None
) -> RefreshResult:
    """New files of the sources, and changed ones, are put into the queue."""
    documents = library.documents(collection_id)
    found = compare_with_sources(library.sources(collection_id), documents, note)
    left_out = library.left_out(collection_id)
    new = library.add_documents(collection_id, [path for path in found.new if str(path) not in left_out])
    library.read_again(found.changed)
    ids = set(found.gone)
    gone = {document.path for document in documents if document.id in ids}
    for source in library.sources(collection_id):
        if str(source) in gone:
            library.remove_source(collection_id, source)
    return RefreshResult(collection_id, len(new), len(found.changed), found.gone, found.missing)


def empty_queue(library: Library) -> None:
    """What was read before stays as it was; what was not leaves. Of folders, a later `refresh` finds it again."""
    with library.database.transaction():
        for document in library.waiting():
            if document.indexed_at:
                library.keep(document.id)
            else:
                library.remove_source(document.collection_id, Path(document.path))
                library.remove_documents([document.id])


def _is_there(path: Path) -> bool:
    try:
        return path.exists() and str(path).encode("utf-8") != b""
    except (OSError, ValueError):  # no text, a NUL, or no right to look
        return False


def provide_manual(library: Library, file: Path, name: str) -> list[int]:
    """Makes or updates the collection with that manual in it; read anew when its text has changed.

    Gives the ids of documents that are to be removed: the manual in another language, or of a moved program.
    """
    collections = library.collections()
    own = next((one for one in collections if one.is_builtin), None)
    free = _free_name(name, [one for one in collections if one is not own])
    collection_id = library.add_collection(free, "public", is_builtin=True) if own is None else own.id
    if own is not None and own.name != free:
        library.rename_collection(own.id, free)
    documents = library.documents(collection_id)
    there = next((document for document in documents if document.path == str(file)), None)
    if there is None:
        library.add_documents(collection_id, [file])
    elif there.sha256 != hashlib.sha256(file.read_bytes()).hexdigest():
        library.read_again([there.id])
    return [document.id for document in documents if document is not there]


def _free_name(name: str, others: list[DocumentCollection]) -> str:
    taken, free, number = {one.name for one in others}, name, 1
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
