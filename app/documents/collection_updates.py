"""Add files and folders to a collection, and bring a collection up to date with its sources, or with Kotae's manual.

No file is opened: documents are queued, and names, sizes and dates compared. Removals are left to the reading child, as
they take time. The file is over 450 lines because adding, refreshing and moving share one scan and its rules.
"""

import hashlib
import os
import secrets
import shutil
import stat
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from app.base.confidentiality import HIGHEST_LABEL, ExportRequest, Label, Permit
from app.base.files.output_file import drive_errors, write_atomically
from app.base.wording import phrase, unique_name
from app.documents import records
from app.documents.library import Library, label_now
from app.documents.records import Document, DocumentCollection, shown_name

_JUNCTION = 0xA0000003  # stat.IO_REPARSE_TAG_MOUNT_POINT: Windows' other kind of link to a folder

# Why an entry of a folder is skipped, in the order of display: hidden, the lock of an open Office
# file, a link that leads out of the folder, an unknown suffix, a name of bytes that are not text, unreadable, and a
# file that was moved into a confidential collection.
SKIP_REASONS = ("hidden", "lock", "link", "unknown", "name", "unreadable", "secret")
FileVersions = dict[str, tuple[int, int]]  # time of modification in ns and size in bytes, by path
CountCallback = Callable[[int], None]  # receives the number of files found so far; may raise to end the scan


@dataclass(frozen=True, slots=True)
class ScanResult:
    """The files found in the sources with their versions, and the number of skipped entries by reason (SKIP_REASONS).

    `missing`: sources that do not exist, cannot be read, or are folders without any entry, as a drive's mount point is
    while the drive is not connected. `unreadable`: paths below a source that cannot be read, and empty folders there.
    """

    versions: FileVersions = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    missing: list[Path] = field(default_factory=list)
    unreadable: list[Path] = field(default_factory=list)
    sources: Sequence[Path] = ()
    begun_at: float = field(default_factory=time.time)

    @property
    def files(self) -> list[Path]:
        return [Path(path) for path in self.versions]


@dataclass(frozen=True, slots=True)
class FolderDifference:
    """The difference between the sources of a collection and its documents.

    `missing`: also unreadable folders that contain documents, which are not in `removed_ids`.
    """

    new: list[Path]
    changed: list[int]  # ids of documents
    removed_ids: list[int]
    missing: list[Path]


def scan_sources(
    sources: Sequence[Path], note: CountCallback = lambda _count: None, given: Collection[str] = frozenset()
) -> ScanResult:
    """Return the files of the sources: those that are one, and in folders and their subfolders those of a known suffix.

    `note`: receives the number of files so far. `given`: paths added by name, which never count as skipped.
    """
    scan_result = ScanResult(sources=sources)
    for source in sources:
        if not _is_text(os.fspath(source)):
            scan_result.skipped["name"] += 1
            continue
        try:
            status = source.stat()
            if stat.S_ISDIR(status.st_mode):
                _walk(source, scan_result, note, given)
            elif stat.S_ISREG(status.st_mode):
                scan_result.versions[str(source)] = status.st_mtime_ns, status.st_size
            else:
                scan_result.skipped["unreadable"] += 1
        except (OSError, ValueError):  # ValueError: a NUL in the name
            scan_result.missing.append(source)
    return scan_result


def compare_with_sources(
    sources: Sequence[Path],
    documents: Sequence[Document],
    note: CountCallback = lambda _count: None,
    earlier: Sequence[FileVersions] = (),
    scan_result: ScanResult | None = None,
) -> FolderDifference:
    """Compare names, sizes and dates of the files in the sources with the documents of the collection.

    A file that was added by name and left its folder counts as gone; documents of a missing or empty folder, perhaps of
    another drive, do not. `earlier`: the versions that former scans found; a file that had another one may be half
    written, so it is left out. `scan_result`: a recent scan; None: scan now.
    """
    scan_result = scan_result or scan_sources(sources, note)
    known = {document.path: document for document in documents}
    there = scan_result.versions
    missing = [source for source in scan_result.missing if str(source) not in known or _is_empty(source.parent)]

    def is_settled(path: str) -> bool:
        return all(versions.get(path) == there.get(path) for versions in earlier)

    out_of_sight = {*missing, *scan_result.unreadable}
    gone, changed, kept = [], [], set[Path]()
    for document in documents:
        path, version = Path(document.path), there.get(document.path)
        if version is not None:
            if _is_changed(document, version) and is_settled(document.path):
                changed.append(document.id)
        elif places := out_of_sight.intersection((path, *path.parents)):
            kept |= places
        elif is_settled(document.path):
            gone.append(document.id)
    new = [Path(path) for path in there if path not in known and is_settled(path)]
    lost = (path for path in scan_result.unreadable if path in kept)
    return FolderDifference(new, changed, gone, list(dict.fromkeys((*missing, *lost))))


def includes(root: Path, path: Path) -> bool:
    """Whether a scan of the folder `root` reaches `path`, which is somewhere below it."""
    here = root
    for part in path.relative_to(root).parts:
        here /= part
        if _reason_to_skip(here, root):
            return False
    return True


def _is_changed(document: Document, version: tuple[int, int]) -> bool:
    """Whether a file with this version is not the one that was read or, for a failed document, tried."""
    known = document.modified_ns, document.size_bytes
    if document.state == "failed":  # only a changed file is tried again
        known = document.tried_modified_ns, document.tried_size_bytes
    if version == known or document.state in ("waiting", "reading"):
        return False
    try:
        status = Path(document.path).stat()  # the entry in a folder of Windows may be older than its file
    except OSError:
        return False
    return (status.st_mtime_ns, status.st_size) != known


def _is_empty(folder: Path) -> bool:
    """Whether the folder has no entry or cannot be read, as a drive's mount point while it is not connected."""
    try:
        with os.scandir(folder) as entries:
            return next(entries, None) is None
    except OSError:
        return True


def _walk(root: Path, result: ScanResult, note: CountCallback, given: Collection[str]) -> None:
    """Add the files of a folder to `result`, without following links, and without recursion for any depth."""
    folders, is_first = [str(root)], True
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            if is_first:
                raise
            result.skipped["unreadable"] += 1
            result.unreadable.append(Path(folder))
            continue
        if not listed:
            (result.missing if is_first else result.unreadable).append(Path(folder))
        is_first = False
        inside = []
        for entry in listed:
            reason = _reason_to_skip(entry, root)
            if reason == "inside" or (reason and entry.path in given):
                continue
            if reason:
                result.skipped[reason] += 1
                if reason == "unreadable":
                    result.unreadable.append(Path(entry.path))
            elif entry.is_dir(follow_symlinks=False):
                inside.append(entry.path)
            else:
                status = entry.stat(follow_symlinks=False)
                result.versions[entry.path] = status.st_mtime_ns, status.st_size
        folders += reversed(inside)
        note(len(result.versions))


def _is_text(path: str) -> bool:
    """Whether the path can be stored as text in the database; names with other bytes have lone surrogates in Python."""
    return path.encode("utf-8", "replace").decode() == path


def _reason_to_skip(entry: "os.DirEntry[str] | Path", root: Path) -> str:
    """Return one of SKIP_REASONS, "", or "inside" for a link to something in the same folder, which is found anyway."""
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
        if stat.S_ISLNK(status.st_mode) or getattr(status, "st_reparse_tag", 0) == _JUNCTION:
            return "inside" if Path(path).resolve().is_relative_to(root.resolve()) else "link"
    except (OSError, RuntimeError):  # the entry has gone meanwhile, or links form a circle
        return "unreadable"
    is_known = stat.S_ISREG(status.st_mode) and name.casefold().endswith(records.DOCUMENT_SUFFIXES)
    return "" if is_known or stat.S_ISDIR(status.st_mode) else "unknown"


def _is_hidden(status: os.stat_result) -> bool:
    """Whether Windows marks the entry as hidden."""
    return bool(getattr(status, "st_file_attributes", 0) & stat.FILE_ATTRIBUTE_HIDDEN)


@dataclass(frozen=True, slots=True)
class AddedFiles:
    """The result of adding paths. `known_files`: those that the collection had; other fields as in `ScanResult`."""

    collection_id: int
    new: list[int] = field(default_factory=list)  # ids of documents
    known_files: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    missing: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """The numbers of a refresh. `removed_ids`: documents still to be removed. `missing`: sources that are not there."""

    collection_id: int
    new: int = 0
    changed: int = 0
    removed_ids: list[int] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def add_paths(
    library: Library,
    collection_id: int,
    paths: Sequence[Path],
    note: CountCallback = lambda _count: None,
    permit: Permit | None = None,
) -> AddedFiles:
    """Add files, and folders with their contents, to a collection.

    The sources are stored first, so that a later refresh can complete an interrupted call. A path inside a folder that
    is already a source does not become a source, so it is removed together with the folder. Files that were moved into
    a confidential collection are skipped, except those among `paths` if `permit` allows it, as `entry_request` asks.
    """
    paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  resolving would replace links
    barred, permitted = library.secret_paths(collection_id), set[str]()
    if permit is not None and permit.is_agreed:
        permitted = barred.intersection(map(str, paths))
        barred -= permitted
    open_paths = [path for path in paths if str(path) not in barred and _is_there(path)]
    library.add_sources(collection_id, _outside(library.sources(collection_id), open_paths))
    library.set_watched(collection_id, is_watched=False)  # if the user cancels the scan, no look shall complete it
    scan_result = scan_sources(paths, note, {str(source) for source in library.sources(collection_id)})
    library.set_watched(collection_id, is_watched=True)
    files = [path for path in scan_result.files if str(path) not in barred]
    if skipped := len(scan_result.versions) - len(files):
        scan_result.skipped["secret"] = skipped
    library.include_again(collection_id, files)
    new = library.add_documents(collection_id, files)
    library.permit_entry(collection_id, permitted)
    return AddedFiles(collection_id, new, len(files) - len(new), scan_result.skipped, scan_result.missing)


def restore_paths(
    library: Library,
    collection_id: int,
    paths: Sequence[Path],
    files: Sequence[Path],
    note: CountCallback = lambda _count: None,
) -> AddedFiles:
    """Add `paths` again, and queue also the former documents `files` that are gone, which fail with a reason."""
    added = add_paths(library, collection_id, paths, note)
    lost = [path for path in files if not _is_there(path)]
    for homeless in (added.missing, lost):
        known = library.sources(collection_id)
        outside = [path for path in homeless if not any(source in path.parents for source in known)]
        library.add_sources(collection_id, outside)
    library.include_again(collection_id, lost)
    new = library.add_documents(collection_id, lost)
    return replace(added, new=[*added.new, *new], missing=list(dict.fromkeys((*added.missing, *lost))))


def refresh_collection(
    library: Library,
    collection_id: int,
    note: CountCallback = lambda _count: None,
    earlier: Sequence[FileVersions] = (),
    scan_result: ScanResult | None = None,
) -> RefreshResult:
    """Queue new and changed files of the sources; what was added since `scan_result` does not count as removed."""
    documents = library.documents(collection_id)
    sources = library.sources(collection_id)
    difference = compare_with_sources(sources, documents, note, earlier, scan_result)
    if scan_result is not None:
        since = {document.id for document in documents if document.added_at >= scan_result.begun_at}
        difference = replace(difference, removed_ids=[one for one in difference.removed_ids if one not in since])
    excluded = library.excluded_paths(collection_id) | library.secret_paths(collection_id)
    new = library.add_documents(collection_id, [path for path in difference.new if str(path) not in excluded])
    library.read_again(difference.changed)
    ids = set(difference.removed_ids)
    gone = {document.path for document in documents if document.id in ids}
    for source in sources:
        if str(source) in gone:
            library.remove_source(collection_id, source)
    library.set_watched(collection_id, is_watched=True)
    if difference.changed or difference.removed_ids:
        library.wipe_states([collection_id])
    return RefreshResult(collection_id, len(new), len(difference.changed), difference.removed_ids, difference.missing)


def move_request(
    path: Path, collection: DocumentCollection, target: DocumentCollection, content_name: str
) -> ExportRequest:
    """Return the request for moving `content_name` from a collection of the database `path` to `target`."""
    label = partial(label_now, path, collection.id)
    return ExportRequest("move", target.name, label, content_name, becomes=target.label)


def entry_request(
    library: Library, collection_id: int, paths: Sequence[Path], name: str, becomes: Label
) -> ExportRequest | None:
    """Return the request for taking those of `paths` that are in a confidential collection; None if none is.

    `collection_id`: of the collection that gets them, 0 if it is new. `name`, `becomes`: its name and label.
    """
    held = library.secret_paths(collection_id).intersection(map(str, paths))
    if not held:
        return None
    return ExportRequest("move", name, lambda: HIGHEST_LABEL, shown_name(Path(min(held))), becomes=becomes)


def move_documents(
    library: Library, document_ids: Sequence[int], collection_id: int, permit: Permit | None = None
) -> None:
    """Move documents, unread again, in one transaction; only the new collection's folders follow them. Raises
    AppError."""
    documents = [document for document in map(library.document, document_ids) if document is not None]
    paths = [Path(document.path) for document in documents]
    outside = _outside(library.sources(collection_id), paths)  # may take seconds on a network
    with library.database.transaction():
        library.exclude(document_ids)
        library.move_documents(document_ids, collection_id, permit)
        library.include_again(collection_id, paths)
        library.add_sources(collection_id, outside)
    # Until now a search found them in the old collection, which may be less confidential.
    library.wipe_states(sorted({document.collection_id for document in documents}))


_PASTED = "pasted"  # the folder beside the database


def attach(library: Library, name: str, path: Path, owner: str, content: Callable[[], bytes] | None = None) -> None:
    """Add a file, which `content` may make, for the questions of a conversation or command. Raises AppError."""
    if content is not None:
        with drive_errors(library.path.parent, "data_dir_unusable"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content())
    library.attach(name, path, owner)


def ended_attached(collections: Iterable[DocumentCollection], asked: Collection[str]) -> list[int]:
    """Return the ids of attached files of ended commands, and of those that no conversation has among `asked`."""
    import psutil  # here, because commands wait for this module

    return [
        one.id
        for one in collections
        if one.attached
        and not (psutil.pid_exists(int(one.attached)) if one.attached.isdecimal() else one.name in asked)
    ]


def remove_attached(library: Library, asked: Collection[str]) -> None:
    """Remove what `ended_attached` names. Takes seconds for thousands of sections."""
    for collection_id in ended_attached(library.collections(has_attached=True), asked):
        library.remove_collection(collection_id)
    delete_pasted(library)


def pasted_path(documents: Path, name: str) -> Path:
    """Return the path of a new file for something that was pasted. `documents`: the path of the database."""
    return documents.with_name(_PASTED) / secrets.token_hex(8) / name


def delete_pasted(library: Library, paths: Iterable[str] | None = None) -> None:
    """Delete pasted files (of `paths`, as an undo may need others; None: all) that are no documents any more."""
    folder = library.path.with_name(_PASTED)
    kept = {Path(path).parent.name for path in library.paths_with(_PASTED)}
    wanted = {Path(path).parent for path in paths} if paths is not None else folder.glob("*")
    for each in wanted:
        if each.parent == folder and each.name not in kept:
            shutil.rmtree(each, ignore_errors=True)


def _outside(sources: Sequence[Path], paths: Iterable[Path]) -> list[Path]:
    """Return the paths that no scan of these sources reaches."""
    return [path for path in paths if not any(one in path.parents and includes(one, path) for one in sources)]


def empty_queue(library: Library) -> None:
    """Take all documents out of the queue: those never read are removed, until a later refresh finds them.

    Until then, or until something is added, the folders of these collections are not watched.
    """
    with library.database.transaction():
        for document in library.waiting():
            library.set_watched(document.collection_id, is_watched=False)
            if document.indexed_at:
                library.keep(document.id)
            else:
                library.remove_source(document.collection_id, Path(document.path))
                library.remove_documents([document.id])


def _is_there(path: Path) -> bool:
    try:
        return path.exists() and str(path).encode("utf-8") != b""
    except (OSError, ValueError):  # not text, a NUL, or no permission
        return False


def provide_manual(library: Library, file: Path, name: str) -> list[int]:
    """Create or update the collection with Kotae's manual. Return the ids of its other documents, to be removed."""
    collections = library.collections()
    own = next((collection for collection in collections if collection.is_builtin), None)
    free = unique_name(name, {collection.name for collection in collections if collection is not own})
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


def name_of_added(paths: Sequence[Path], taken: Collection[str]) -> str:
    """Return the name of the added folder, of the folder of several files, or of the first; numbered if it is taken.

    Folders directly in the home folder, such as that of downloads, say nothing about the files in them.
    """
    first, folder = paths[0], paths[0].parent
    is_shared = len(paths) > 1 and all(path.parent == folder for path in paths)
    if is_shared and folder.name and Path.home() not in (folder, folder.parent):
        name = folder.name
    else:
        name = first.name if first.is_dir() else first.stem
    return unique_name(name or phrase("common.documents"), taken)
