"""The label of a conversation: as the user gave it, and never below the documents that it was answered from.

What is stored holds the labels that those documents had then. `effective` is what is shown, and what counts wherever a
conversation leaves the program: with the labels that all collections have now. Where these cannot be read, what was
asked of any counts as confidential.

The label that a conversation shows: that of its answers and its user, and of the collections that it asks.

Also how labels look wherever they stand.

Which conversations may be sent to which server.
"""

import functools
import json
from collections.abc import Iterable, Sequence

from app.base import confidentiality
from app.base.addresses import origin_of
from app.base.confidentiality import LABELS, Label
from app.chat.records import Conversation, Message
from app.chat.store import Store
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.inference.local_model import LocalModel

KnownCollections = Sequence[DocumentCollection] | None  # as of `collections_now`; None: they cannot be read


def collection_labels(
    there: KnownCollections, scope: Iterable[CollectionRef], messages: Iterable[Message]
) -> list[Label]:
    """What the collections are labelled now that are in `scope`, that answers were or are being asked of, and that
    answers rest on; those that are gone, what they were labelled last."""
    known = [one.details for one in messages if one.details is not None]
    refs = [ref for details in known for ref in details.scope]
    for details in known:
        ids = {ref.name: ref.id for ref in details.scope}
        refs += [CollectionRef(ids.get(one.collection, 0), one.collection) for one in details.named_sources]
        refs += [CollectionRef(0, name) for name in details.learned]  # by the model that answered
    return _labels_of(there, {*scope, *refs})


def effective_label(conversation: Conversation, messages: Iterable[Message], there: KnownCollections) -> Label:
    """`messages`: all of it, in every branch. Never below what is stored."""
    return confidentiality.highest_label((conversation.label, *collection_labels(there, conversation.scope, messages)))


def highest_effective_label(store: Store, conversations: Sequence[Conversation], there: KnownCollections) -> Label:
    """Of stored conversations, as `effective`; looks into their answers only where that can make a difference."""
    found = confidentiality.highest_label(one.label for one in conversations)
    most = confidentiality.HIGHEST_LABEL if there is None else confidentiality.highest_label(one.label for one in there)
    if LABELS.index(found) >= LABELS.index(most):
        return found
    return confidentiality.highest_label(effective_labels(store, conversations, there).values())


def effective_labels(store: Store, conversations: Sequence[Conversation], there: KnownCollections) -> dict[int, Label]:
    """Of stored conversations by their ids, as `effective`, with one look at the answers of all."""
    refs = {one.id: {*one.scope} for one in conversations}
    for conversation_id, ref in referenced_collections(store, [*refs]):
        refs[conversation_id].add(ref)
    labels_of = functools.cache(lambda ref: confidentiality.highest_label(_labels_of(there, [ref])))
    return {one.id: confidentiality.highest_label((one.label, *map(labels_of, refs[one.id]))) for one in conversations}


def referenced_collections(store: Store, ids: Sequence[int]) -> list[tuple[int, CollectionRef]]:
    """What the answers of conversations (the first of a pair) have to do with, as `of_collections` takes it from
    messages, each once."""
    rows = store.database.read(
        "SELECT c.value, json_extract(one.value, '$.id'), json_extract(one.value, '$.name')"
        " FROM json_each(?1) c JOIN message m ON m.conversation_id = c.value, json_each(m.details, '$.scope') one"
        " UNION SELECT c.value, coalesce((SELECT json_extract(s.value, '$.id') FROM json_each(m.details, '$.scope') s"
        " WHERE json_extract(s.value, '$.name') = json_extract(one.value, '$.collection')), 0),"
        " json_extract(one.value, '$.collection')"
        " FROM json_each(?1) c JOIN message m ON m.conversation_id = c.value,"
        " json_each(m.details, '$.grounding.sources') one"
        " UNION SELECT c.value, 0, json_extract(one.value, '$.collection')"
        " FROM json_each(?1) c JOIN message m ON m.conversation_id = c.value, json_each(m.details, '$.quoted') one"
        " UNION SELECT c.value, 0, one.value FROM json_each(?1) c JOIN message m ON m.conversation_id = c.value,"
        " json_each(m.details, '$.learned') one",
        json.dumps(list(ids)),
    )
    return [(row[0], CollectionRef(row[1], row[2])) for row in rows]


def _labels_of(there: KnownCollections, refs: Iterable[CollectionRef]) -> list[Label]:
    if there is None:
        return [confidentiality.HIGHEST_LABEL for _ in refs]
    return [one.label for ref in refs for one in collection_lookup.resolve_reference(there, ref)]


def inherited_label(store: Store, conversation_id: int) -> Label:
    """The lowest that it can have: the highest of all sources of all its answers."""
    known = [message.details for message in store.tree(conversation_id) if message.details is not None]
    found = [source.label for details in known for source in details.named_sources]
    found += [confidentiality.label_from(details.model_label) for details in known if details.model_label]
    return confidentiality.highest_label(found)


def set_label(store: Store, conversation_id: int, label: Label) -> Label:
    """What the user has chosen, or more where its documents ask for more. Gives the label that it has now."""
    given = confidentiality.highest_label((label, inherited_label(store, conversation_id)))
    with store.database.transaction():
        store.database.write("UPDATE conversation SET label = ? WHERE id = ?", given, conversation_id)
    return given


def is_unanswered(messages: Sequence[Message]) -> bool:
    """Nothing was asked yet, or the first answer of all branches is being written: it may lower what a conversation
    began with."""
    is_first = all(one.branches == 1 and (one.role == "question" or one.status == "streaming") for one in messages)
    return is_first and (not messages or messages[-1].status == "streaming")


def displayed_label(own: Label, others: Sequence[Label], *, is_unanswered: bool) -> Label | None:
    """`own`: as it is stored. `others`: of its documents. None: nothing says anything about it."""
    if is_unanswered and own == confidentiality.DEFAULT_LABEL:
        return confidentiality.highest_label(others) if others else None
    return confidentiality.highest_label((own, *others)) if others or own != confidentiality.DEFAULT_LABEL else None


def has_remote_consent(store: Store, conversation_id: int | None, model: LocalModel) -> bool:
    """Whether the user has said that this conversation may be sent there. True for a model of this machine."""
    if model.remote is None:
        return True
    sql = "SELECT 1 FROM remote_consent WHERE conversation_id = ? AND origin = ?"
    return bool(store.database.read(sql, conversation_id, origin_of(model.remote.address)))


def record_remote_consent(store: Store, conversation_id: int, model: LocalModel) -> None:
    """The user has said so: to this server, whichever of its models."""
    assert model.remote is not None
    with store.database.transaction():
        store.database.write(
            "INSERT OR IGNORE INTO remote_consent(conversation_id, origin) VALUES (?, ?)",
            conversation_id,
            origin_of(model.remote.address),
        )
