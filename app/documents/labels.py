"""公開, 社外秘, 機密: what an answer inherits of the documents behind it. The highest label wins."""

from collections.abc import Iterable, Sequence

from app.base.confidentiality import DEFAULT, Label, highest
from app.documents.grounding.grounding import CollectionRef, Grounding
from app.documents.records import Collection


def asked(there: Sequence[Collection], scope: Iterable[CollectionRef]) -> list[tuple[Collection | None, CollectionRef]]:
    """By name, as the search does it; one that was renamed by its id. None: it was removed."""
    by_name = {one.name: one for one in there}
    by_id = {one.id: one for one in there if not one.is_builtin}  # ids begin anew in a new database, with the manual
    return [(by_name.get(ref.name) or by_id.get(ref.id), ref) for ref in scope]


def of_scope(collections: Sequence[Collection], scope: Sequence[CollectionRef]) -> Label:
    """Of the collections that are asked; DEFAULT where none is. A collection that is gone counts as DEFAULT."""
    return highest((one.label if one else DEFAULT for one, _ in asked(collections, scope)), DEFAULT)


def of_answer(own: Label | None, groundings: Iterable[Grounding | None]) -> Label:
    """Of answers in a conversation. `own`: what the user has given the conversation; None: nothing.

    Documents can only raise it: what was told from secret ones stays secret.
    """
    found = [source.label for kept in groundings if kept is not None for source in kept.sources]
    if own is not None:
        return highest((own, *found))
    return highest(found, DEFAULT)
