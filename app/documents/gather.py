"""What is done to a collection as a whole: files and folders added to it, and what changed in them since.

Nothing is read here: documents are put into the queue. Taking them out is left to the reading child, as it takes time.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.documents.library import Library
from app.documents.scan import Note, compare, reaches, scan


@dataclass(frozen=True, slots=True)
class Added:
    """`known`: files that the collection holds already. `skipped` and `missing` as in `scan.Scan`."""

    collection_id: int
    new: list[int] = field(default_factory=list)  # ids of documents
    known: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    missing: list[Path] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """Numbers of documents. `gone`: ids of what is still to be removed. `missing`: sources that are not there now."""

    collection_id: int
    new: int = 0
    changed: int = 0
    gone: list[int] = field(default_factory=list)
    missing: list[Path] = field(default_factory=list)


def add(library: Library, collection_id: int, paths: Sequence[Path], note: Note = lambda _count: None) -> Added:
    """Files, and folders with what they hold. The sources are stored first: a later `refresh` completes the rest.

    What a known source holds anyway is not stored as one: it may leave with its folder.
    """
    paths = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100  links stay as the user named them
    there = [path for path in paths if _is_there(path)]
    known = library.sources(collection_id)
    held = {path for path in there for source in known if source in path.parents and reaches(source, path)}
    library.add_sources(collection_id, [path for path in there if path not in held])
    found = scan(paths, note, {str(source) for source in library.sources(collection_id)})
    files = list(dict.fromkeys(found.files))
    library.take_back(collection_id, files)
    new = library.add_documents(collection_id, files)
    return Added(collection_id, new, len(files) - len(new), found.skipped, found.missing)


def bring_back(
    library: Library, collection_id: int, paths: Sequence[Path], files: Sequence[Path], note: Note = lambda _count: None
) -> Added:
    """Adds `paths` again. Of `files`, the documents that were there, those that have gone since are put into the queue
    too: reading them fails, and says why. They are among the `missing`."""
    added = add(library, collection_id, paths, note)
    lost = [path for path in files if not _is_there(path)]
    for homeless in (added.missing, lost):
        known = library.sources(collection_id)
        outside = [path for path in homeless if not any(source in path.parents for source in known)]
        library.add_sources(collection_id, outside)
    library.take_back(collection_id, lost)
    new = library.add_documents(collection_id, lost)
    return replace(added, new=[*added.new, *new], missing=list(dict.fromkeys((*added.missing, *lost))))


def refresh(library: Library, collection_id: int, note: Note = lambda _count: None) -> Refreshed:
    """New files of the sources, and changed ones, are put into the queue."""
    documents = library.documents(collection_id)
    found = compare(library.sources(collection_id), documents, note)
    left_out = library.left_out(collection_id)
    new = library.add_documents(collection_id, [path for path in found.new if str(path) not in left_out])
    library.read_again(found.changed)
    ids = set(found.gone)
    gone = {document.path for document in documents if document.id in ids}
    for source in library.sources(collection_id):
        if str(source) in gone:
            library.remove_source(collection_id, source)
    return Refreshed(collection_id, len(new), len(found.changed), found.gone, found.missing)


def leave_queue(library: Library) -> None:
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
