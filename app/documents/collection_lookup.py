"""Find collections and documents by name, and the confidentiality label of a text that was made of documents."""

import contextlib
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePath
from typing import Any

from app.base.cli.commands import SIMILAR_NAMES_MAX, find_similar_names
from app.base.confidentiality import DEFAULT_LABEL, HIGHEST_LABEL, LABELS, Label, highest_label
from app.base.errors import AppError
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import AskableDocument, Document, DocumentCollection, shown_name

COMMAND_PATIENCE_MS = 60_000  # a window may be writing a long document


def open_library(path: Path) -> Library:
    """Open the library for a command, which waits up to 60 s for a lock.

    Raises AppError("documents_unusable" | "documents_newer" | "database_unusable" | "disk_full").
    """
    try:
        library = Library.open(path)
    except AppError as error:
        if error.code != "database_damaged":
            raise
        raise AppError("documents_unusable", path=str(path)) from error
    library.database.read(f"PRAGMA busy_timeout = {COMMAND_PATIENCE_MS}")
    return library


def find_collection(library: Library, name: str) -> DocumentCollection:
    """Return the collection of this name. Raises AppError("unknown_collection" | "unknown_collection_near")."""
    known = library.collections()
    collection = next((one for one in known if one.name == name.strip()), None)
    if collection is not None:
        return collection
    offered = find_similar_names(name, [one.name for one in known])
    if offered:
        raise AppError("unknown_collection_near", name=name, near=" / ".join(offered))
    raise AppError("unknown_collection", name=name)


def find_document(library: Library, collection: DocumentCollection, reference: str) -> Document:
    """Return the document of this name, path, or end of a path. Raises AppError, with similar names if there are
    some."""
    documents = library.documents(collection.id)
    parts = Path(reference).parts
    found = [
        document
        for document in documents
        if reference == document.name or (parts and Path(document.path).parts[-len(parts) :] == parts)
    ]
    found = found or [document for document in documents if document.path == str(Path(reference).absolute())]
    if len(found) == 1:
        return found[0]
    if found:
        paths = " / ".join(document.path for document in found[:SIMILAR_NAMES_MAX])
        raise AppError("document_ambiguous", name=reference, count=len(found), paths=paths)
    offered = find_similar_names(reference, [document.name for document in documents])
    facts = {"name": reference, "collection": collection.name}
    if offered:
        raise AppError("unknown_document_near", near=" / ".join(offered), **facts)
    raise AppError("unknown_document", **facts)


Origin = tuple[str, str]  # names of the collection and the document behind a text


def resolve_scope(
    collections: Sequence[DocumentCollection], scope: Iterable[CollectionRef]
) -> list[tuple[DocumentCollection | None, CollectionRef]]:
    """Return for each reference the collection of its name, else that of its id (renamed), else None (removed)."""
    by_name = {one.name: one for one in reversed(collections)}  # `labelled` lists current names before former ones
    # A new database gives ids from 1 again, the first one to the manual.
    by_id = {one.id: one for one in reversed(collections) if not one.is_builtin}
    return [(by_name.get(ref.name) or by_id.get(ref.id), ref) for ref in scope]


def chosen_documents(
    documents: Sequence[AskableDocument], ref: CollectionRef, removed: Names[str]
) -> list[AskableDocument]:
    """Return the documents that a reference names by path, or by name if moved and its path is not `removed`."""
    there, wanted = {document.path for document in documents}, frozenset(ref.documents)
    moved = {shown_name(PurePath(path)) for path in wanted - there - set(removed)}
    return [one for one in documents if not wanted or one.path in wanted or one.name in moved]


def open_scope(library: Library, scope: Sequence[CollectionRef]) -> list[int]:
    """Return the ids of the collections in `scope`, restricted to documents that it names. Raises AppError."""
    found: list[int] = []
    chosen: dict[int, list[int]] = {}
    for one, ref in resolve_scope(library.collections(has_attached=True), scope):
        if one is not None and ref.documents:
            named = chosen_documents(library.askable_documents(one.id), ref, library.excluded_paths(one.id))
            chosen[one.id] = [document.id for document in named]
        if one is not None and chosen.get(one.id) != []:
            found.append(one.id)
    if not found:
        raise AppError("collections_gone", names=" / ".join(ref.title for ref in scope))
    library.restrict(chosen)
    return found


def resolve_reference(collections: Sequence[DocumentCollection], ref: CollectionRef) -> list[DocumentCollection]:
    """Return the collections that a stored reference may mean. `collections`: the result of `Library.labelled`.

    If the collection with the reference's id has or had its name, that is the only one, though another may have the
    name now. Otherwise all candidates count: a new database gives ids from 1 again, and references of sources have the
    id 0.
    """
    by_id = [one for one in collections if one.id == ref.id != 0 and not one.is_builtin]
    if any(one.name == ref.name for one in by_id):
        return by_id
    named = [one for one in collections if one.name == ref.name]
    # The collection without a name is UNKNOWN of `Library.keep_lost_labels`.
    return [*by_id, *(named or (one for one in collections if not one.name))]


def label_of_scope(collections: Sequence[DocumentCollection], scope: Sequence[CollectionRef]) -> Label:
    """Return the highest label of the collections that the scope names, of `Library.labelled`.

    For each reference the one that a search would use now counts, and the one that had the name when the scope was
    chosen. An unknown collection and an empty scope count as DEFAULT_LABEL.
    """
    taken = [one.label if one else DEFAULT_LABEL for one, _ in resolve_scope(collections, scope)]
    return highest_label(
        (*taken, *(one.label for ref in scope for one in resolve_reference(collections, ref))), DEFAULT_LABEL
    )


def current_label_of_scope(documents: Path, scope: Sequence[CollectionRef]) -> Label:
    """Return `label_of_scope` for the current state of the documents' database. Raises AppError as `Database` does."""
    if not scope:
        return DEFAULT_LABEL
    with contextlib.closing(Library.open_second(documents)) as library:
        return label_of_scope(library.labelled(), scope)


def origins_of_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Origin, ...]:
    """Return the origins (collection, document) in the provenance of rows of training data, each once.

    The provenance of a row is an object, or a list of them if it has several origins.
    """
    provenances = (row.get("provenance") for row in rows)
    origins = {
        (str(one.get("collection") or ""), str(one.get("document") or ""))
        for each in provenances
        for one in (each if isinstance(each, list) else [each])
        if isinstance(one, Mapping)
    }
    return tuple(sorted(origins - {("", "")}))


def label_of_origins(documents: Path, origins: Names[Origin], least_label: Label = LABELS[0]) -> Label:
    """Return the highest label of the origins, at least `least_label`; the highest if the database cannot be read."""
    if not origins or least_label == HIGHEST_LABEL or not documents.is_file():
        return least_label
    collections, names = ({one[at] for one in origins if one[at]} for at in (0, 1))
    try:
        with contextlib.closing(Library.open_second(documents)) as library:
            return highest_label((least_label, *library.labels_of(collections, names)))
    except AppError:
        return HIGHEST_LABEL
