"""The collections that a command names, as the scope of a question."""

from app.base.cli.commands import Output
from app.base.paths import Paths
from app.documents import collections
from app.documents.grounding.grounding import CollectionRef
from app.documents.services import docs_reading


def scope_of(names: list[str], where: Paths) -> tuple[CollectionRef, ...]:
    """Kotae's own manual is read first where it is asked. Raises AppError as `collections.find`."""
    for name in names:
        docs_reading.provide_manual(where, Output(is_json=False), name)
    library = collections.open_library(where.documents)
    try:
        found = (collections.find(library, name) for name in dict.fromkeys(names))
        return tuple(CollectionRef(collection.id, collection.name) for collection in found)
    finally:
        library.close()
