"""公開, 社外秘, 機密: what an answer inherits of the documents behind it. The highest label wins."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.core.documents.grounding import CollectionRef, Grounding
from app.core.documents.records import LABELS, Collection, Label

DEFAULT: Label = "internal"  # of what no document says anything about
HIGHEST = LABELS[-1]


def highest(labels: Iterable[Label], default: Label = LABELS[0]) -> Label:
    return max(labels, key=LABELS.index, default=default)


def of_told(told: object) -> Label:
    """What a record says; DEFAULT where that is no label."""
    return next((label for label in LABELS if label == told), DEFAULT)


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


def of_rows(rows: Iterable[Mapping[str, Any]]) -> Label:
    """The highest that rows carry in their provenance (`app.core.generation.rows`); the lowest where none does."""
    return told_of_rows(rows) or LABELS[0]


def told_of_rows(rows: Iterable[Mapping[str, Any]]) -> Label | None:
    """As `of_rows`; None where none does."""
    origins = (row.get("provenance") for row in rows)
    told = [origin.get("label") for origin in origins if isinstance(origin, Mapping)]
    return next((label for label in reversed(LABELS) if label in told), None)


def may_train(label: Label, *, is_consented: bool) -> bool:
    """Whether text of this label may become training data. 機密 never does without a yes to exactly that."""
    return label != HIGHEST or is_consented
