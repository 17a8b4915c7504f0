"""What the commands that take the name of a collection share: its database, and the names that may be meant."""

from pathlib import Path

from app.base.cli.commands import SIMILAR_NAMES_MAX, find_similar_names
from app.base.errors import AppError
from app.documents.library import Library
from app.documents.records import Collection, Document

PATIENCE_MS = 60_000  # a window may be amid a long document


def open_library(path: Path) -> Library:
    """Raises AppError("documents_unusable" | "documents_newer" | "database_unusable" | "disk_full")."""
    try:
        library = Library.open(path)
    except AppError as error:
        if error.code != "database_damaged":
            raise
        raise AppError("documents_unusable", path=str(path)) from error
    library.database.read(f"PRAGMA busy_timeout = {PATIENCE_MS}")
    return library


def find(library: Library, name: str) -> Collection:
    """Raises AppError("unknown_collection" | "unknown_collection_near")."""
    known = library.collections()
    found = next((one for one in known if one.name == name.strip()), None)
    if found is not None:
        return found
    offered = find_similar_names(name, [one.name for one in known])
    if offered:
        raise AppError("unknown_collection_near", name=name, near=" / ".join(offered))
    raise AppError("unknown_collection", name=name)


def find_document(library: Library, collection: Collection, wanted: str) -> Document:
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
