"""Kotae's own manual as a collection, so that a first question can be answered with nothing prepared."""

import hashlib
from pathlib import Path

from app.documents.library import Library
from app.documents.records import Collection


def provide(library: Library, file: Path, name: str) -> list[int]:
    """Makes or updates the collection with that manual in it; read anew when its text has changed.

    Gives the ids of documents that are to be removed: the manual in another language, or of a moved program.
    """
    collections = library.collections()
    own = next((one for one in collections if one.is_builtin), None)
    free = _free(name, [one for one in collections if one is not own])
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


def _free(name: str, others: list[Collection]) -> str:
    taken, free, number = {one.name for one in others}, name, 1
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
