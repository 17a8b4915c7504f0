"""The label that a conversation shows: that of its answers and its user, and of the collections that it asks."""

from collections.abc import Iterable, Sequence

from app.core.documents import labels
from app.core.documents.grounding import CollectionRef
from app.core.documents.records import Collection, Label
from app.core.records import Message


def asked(there: Sequence[Collection], scope: Iterable[CollectionRef]) -> list[tuple[Collection | None, CollectionRef]]:
    """By name, as the search does it; one that was renamed by its id. None: it was removed."""
    by_name = {one.name: one for one in there}
    by_id = {one.id: one for one in there if not one.is_builtin}  # ids begin anew in a new database, with the manual
    return [(by_name.get(ref.name) or by_id.get(ref.id), ref) for ref in scope]


def being_asked(messages: Iterable[Message]) -> list[CollectionRef]:
    """Of answers that are being written: their label is not stored yet, and the scope may be another by now."""
    written = [one.details for one in messages if one.status == "streaming" and one.details is not None]
    return [ref for details in written for ref in details.scope]


def labels_asked(
    there: Sequence[Collection], scope: Iterable[CollectionRef], messages: Iterable[Message]
) -> list[Label]:
    """Of the collections of `scope`, and of what is being asked among `messages`; those that are gone have none."""
    return [one.label for one, _ in asked(there, (*scope, *being_asked(messages))) if one is not None]


def is_unanswered(messages: Sequence[Message]) -> bool:
    """Nothing was asked yet, or the first answer of all branches is being written: it may lower what a conversation
    began with."""
    is_first = all(one.branches == 1 and (one.role == "question" or one.status == "streaming") for one in messages)
    return is_first and (not messages or messages[-1].status == "streaming")


def shown(own: Label, others: Sequence[Label], *, is_unanswered: bool) -> Label | None:
    """`own`: as it is stored. `others`: of its documents. None: nothing says anything about it."""
    if is_unanswered and own == labels.DEFAULT:
        return labels.highest(others) if others else None
    return labels.highest((own, *others)) if others or own != labels.DEFAULT else None
