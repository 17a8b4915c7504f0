"""公開, 社外秘, 機密: what an answer inherits of the documents behind it. The highest label wins.

What the commands that take the name of a collection share: its database, and the names that may be meant.
"""

import contextlib
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from app.base.cli.commands import SIMILAR_NAMES_MAX, find_similar_names
from app.base.confidentiality import DEFAULT_LABEL, HIGHEST_LABEL, LABELS, Label, highest_label
from app.base.errors import AppError
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Document, DocumentCollection

COMMAND_PATIENCE_MS = 60_000  # a window may be amid a long document


def open_library(path: Path) -> Library:
    """Raises AppError("documents_unusable" | "documents_newer" | "database_unusable" | "disk_full")."""
    try:
        library = Library.open(path)
    except AppError as error:
        if error.code != "database_damaged":
            raise
        raise AppError("documents_unusable", path=str(path)) from error
    library.database.read(f"PRAGMA busy_timeout = {COMMAND_PATIENCE_MS}")
    return library


def find_collection(library: Library, name: str) -> DocumentCollection:
    """Raises AppError("unknown_collection" | "unknown_collection_near")."""
    known = library.collections()
    found = next((one for one in known if one.name == name.strip()), None)
    if found is not None:
        return found
    offered = find_similar_names(name, [one.name for one in known])
    if offered:
        raise AppError("unknown_collection_near", name=name, near=" / ".join(offered))
    raise AppError("unknown_collection", name=name)


def find_document(library: Library, collection: DocumentCollection, wanted: str) -> Document:
    """By its name, its path, or the last parts of that.

    Raises AppError("unknown_document" | "unknown_document_near" | "document_ambiguous").
    """
    documents = library.documents(collection.id)
    parts = Path(wanted).parts
    found = [
        document
        for document in documents
        if wanted == document.name or (parts and Path(document.path).parts[-len(parts) :] == parts)
    ]
    found = found or [document for document in documents if document.path == str(Path(wanted).absolute())]
    if len(found) == 1:
        return found[0]
    if found:
        paths = " / ".join(document.path for document in found[:SIMILAR_NAMES_MAX])
        raise AppError("document_ambiguous", name=wanted, count=len(found), paths=paths)
    offered = find_similar_names(wanted, [document.name for document in documents])
    facts = {"name": wanted, "collection": collection.name}
    if offered:
        raise AppError("unknown_document_near", near=" / ".join(offered), **facts)
    raise AppError("unknown_document", **facts)


Origin = tuple[str, str]  # names of the collection and of the document that a text was made of


def resolve_scope(
    there: Sequence[DocumentCollection], scope: Iterable[CollectionRef]
) -> list[tuple[DocumentCollection | None, CollectionRef]]:
    """Return what a search takes: the collection that has the name; one that was renamed by its id. None: it was
    removed."""
    by_name = {one.name: one for one in reversed(there)}  # names of now stand before those that were (`labelled`)
    # Ids begin anew in a new database, with the manual.
    by_id = {one.id: one for one in reversed(there) if not one.is_builtin}
    return [(by_name.get(ref.name) or by_id.get(ref.id), ref) for ref in scope]


def resolve_reference(there: Sequence[DocumentCollection], ref: CollectionRef) -> list[DocumentCollection]:
    """Return what a record refers to, of `Library.labelled`: the collection of its id where that has or had the name,
    which another may have by now. Else all that it may be: ids begin anew with a new database, and sources have a name
    alone, with 0 for an id."""
    by_id = [one for one in there if one.id == ref.id != 0 and not one.is_builtin]
    if any(one.name == ref.name for one in by_id):
        return by_id
    named = [one for one in there if one.name == ref.name]
    return [*by_id, *(named or (one for one in there if not one.name))]  # `Library.remember`


def label_of_scope(there: Sequence[DocumentCollection], scope: Sequence[CollectionRef]) -> Label:
    """Return the highest label of the collections that the scope names.

    Both count: the collection that a search would take now, and the one that was meant when the scope was chosen. A
    collection of which no trace is left counts as DEFAULT, and so does an empty scope. `there`: of `Library.labelled`.
    """
    taken = [one.label if one else DEFAULT_LABEL for one, _ in resolve_scope(there, scope)]
    return highest_label(
        (*taken, *(one.label for ref in scope for one in resolve_reference(there, ref))), DEFAULT_LABEL
    )


def current_label_of_scope(documents: Path, scope: Sequence[CollectionRef]) -> Label:
    """As `of_scope`, by the documents' database of now. Raises AppError as that does."""
    if not scope:
        return DEFAULT_LABEL
    with contextlib.closing(Library.beside(documents)) as library:
        return label_of_scope(library.labelled(), scope)


def origins_of_rows(rows: Iterable[Mapping[str, Any]]) -> tuple[Origin, ...]:
    """Return what rows of training data say in their provenance that they were made of, each once."""
    told = (row.get("provenance") for row in rows)
    found = {
        (str(one.get("collection") or ""), str(one.get("document") or "")) for one in told if isinstance(one, Mapping)
    }
    return tuple(sorted(found - {("", "")}))


def label_of_origins(documents: Path, origins: Names[Origin], known: Label = LABELS[0]) -> Label:
    """Return the highest label that the origins have by now, and never less than `known`.

    `documents`: the database. Where it cannot be read, what was made of any document counts as confidential.
    """
    if not origins or known == HIGHEST_LABEL or not documents.is_file():
        return known
    collections, names = ({one[at] for one in origins if one[at]} for at in (0, 1))
    try:
        with contextlib.closing(Library.beside(documents)) as library:
            return highest_label((known, *library.labels_of(collections, names)))
    except AppError:
        return HIGHEST_LABEL
