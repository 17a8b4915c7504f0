"""Compute the label of a conversation, and store the user's consent to send it to a remote server.

A conversation has the label that the user chose, but never a lower one than the documents that its answers use. The
database stores the labels that those documents had at the time. `effective_label` also considers the labels that the
collections have now; the window shows this label, and it decides wherever a conversation leaves the program. When the
collections cannot be read, every conversation that searched one counts as confidential.
"""

import functools
import json
from collections.abc import Iterable, Sequence

from app.base.addresses import origin_of
from app.base.confidentiality import DEFAULT_LABEL, HIGHEST_LABEL, LABELS, Label, highest_label
from app.chat.records import Conversation, Message
from app.chat.store import Store
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import DocumentCollection
from app.inference.local_model import LocalModel

KnownCollections = Sequence[DocumentCollection] | None  # as `collections_now` returns; None: they cannot be read


def collection_labels(
    collections: KnownCollections, scope: Iterable[CollectionRef], messages: Iterable[Message]
) -> list[Label]:
    """Return the current labels of all collections that a conversation uses.

    These are the collections of `scope`, those that its answers searched or cite, and those that the answering models
    were trained on. A deleted collection counts with its last label.
    """
    known = [message.details for message in messages if message.details is not None]
    refs = [ref for details in known for ref in details.scope]
    for details in known:
        ids = {ref.name: ref.id for ref in details.scope}
        refs += [CollectionRef(ids.get(source.collection, 0), source.collection) for source in details.named_sources]
        refs += [CollectionRef(0, name) for name in details.learned]  # collections in the model's training data
    return _labels_of(collections, {*scope, *refs})


def effective_label(conversation: Conversation, messages: Iterable[Message], collections: KnownCollections) -> Label:
    """Return the label of a conversation that has these `messages` in all its branches."""
    return highest_label((conversation.label, *collection_labels(collections, conversation.scope, messages)))


def highest_effective_label(
    store: Store, conversations: Sequence[Conversation], collections: KnownCollections
) -> Label:
    """Return the highest effective label; read answers only when the stored labels do not decide."""
    label = highest_label(conversation.label for conversation in conversations)
    known = [HIGHEST_LABEL] if collections is None else [one.label for one in collections]
    most = highest_label(known)
    if LABELS.index(label) >= LABELS.index(most):
        return label
    return highest_label(effective_labels(store, conversations, collections).values())


def effective_labels(
    store: Store, conversations: Sequence[Conversation], collections: KnownCollections
) -> dict[int, Label]:
    """Return the effective label of each stored conversation by its id, reading all answers with one query."""
    refs = {one.id: {*one.scope} for one in conversations}
    for conversation_id, ref in referenced_collections(store, [*refs]):
        refs[conversation_id].add(ref)
    labels_of = functools.cache(lambda ref: highest_label(_labels_of(collections, [ref])))
    return {one.id: highest_label((one.label, *map(labels_of, refs[one.id]))) for one in conversations}


def referenced_collections(store: Store, ids: Sequence[int]) -> list[tuple[int, CollectionRef]]:
    """Return pairs (conversation id, collection) of all answers, each once: `collection_labels` in SQL."""
    rows = store.database.read(
        """WITH answer(conversation_id, details) AS MATERIALIZED (
               SELECT m.conversation_id, m.details FROM json_each(?) c JOIN message m ON m.conversation_id = c.value
               WHERE m.details -> '$.scope' <> '[]' OR m.details -> '$.grounding.sources' <> '[]'
                   OR m.details -> '$.quoted' <> '[]' OR m.details -> '$.learned' <> '[]')
           SELECT conversation_id, json_extract(one.value, '$.id'), json_extract(one.value, '$.name')
               FROM answer, json_each(details, '$.scope') one
           UNION SELECT conversation_id, coalesce((SELECT json_extract(s.value, '$.id')
                   FROM json_each(details, '$.scope') s
                   WHERE json_extract(s.value, '$.name') = json_extract(one.value, '$.collection')), 0),
               json_extract(one.value, '$.collection') FROM answer, json_each(details, '$.grounding.sources') one
           UNION SELECT conversation_id, 0, json_extract(one.value, '$.collection')
               FROM answer, json_each(details, '$.quoted') one
           UNION SELECT conversation_id, 0, one.value FROM answer, json_each(details, '$.learned') one""",
        json.dumps(list(ids)),
    )
    return [(row[0], CollectionRef(row[1], row[2])) for row in rows]


def _labels_of(collections: KnownCollections, refs: Iterable[CollectionRef]) -> list[Label]:
    """Return the current labels of the collections; the highest for each when they cannot be read."""
    if collections is None:
        return [HIGHEST_LABEL for _ in refs]
    return [one.label for ref in refs for one in collection_lookup.resolve_reference(collections, ref)]


def set_label(store: Store, conversation_id: int, label: Label) -> Label:
    """Store the label that the user chose, or a higher one that the documents require, and return it."""
    known = (message.details for message in store.tree(conversation_id) if message.details is not None)
    given = highest_label((label, *(one for details in known for one in details.labels)))
    with store.database.transaction():
        store.database.write("UPDATE conversation SET label = ? WHERE id = ?", given, conversation_id)
    return given


def is_unanswered(messages: Sequence[Message]) -> bool:
    """Return whether an answer is still to come that may lower the label a conversation begins with."""
    is_first = all(one.branches == 1 and (one.role == "question" or one.status == "streaming") for one in messages)
    return is_first and (not messages or messages[-1].status == "streaming")


def displayed_label(own_label: Label, others: Sequence[Label], *, is_unanswered: bool) -> Label | None:
    """Return the label to show, of the stored one and the documents' `others`; None if nothing decides."""
    if is_unanswered and own_label == DEFAULT_LABEL:
        return highest_label(others) if others else None
    return highest_label((own_label, *others)) if others or own_label != DEFAULT_LABEL else None


def has_remote_consent(store: Store, conversation_id: int | None, model: LocalModel) -> bool:
    """Return whether the conversation may be sent to the model's server; always True for a local model."""
    if model.remote is None:
        return True
    sql = "SELECT 1 FROM remote_consent WHERE conversation_id = ? AND origin = ?"
    return bool(store.database.read(sql, conversation_id, origin_of(model.remote.address)))


def record_remote_consent(store: Store, conversation_id: int, model: LocalModel) -> None:
    """Record that the user agrees to send the conversation to this server, whichever of its models is used."""
    assert model.remote is not None
    with store.database.transaction():
        store.database.write(
            "INSERT OR IGNORE INTO remote_consent(conversation_id, origin) VALUES (?, ?)",
            conversation_id,
            origin_of(model.remote.address),
        )
