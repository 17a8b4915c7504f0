"""The label of a conversation: as the user gave it, and never below the documents that it was answered from."""

from app.core.documents import labels
from app.core.documents.records import LABELS, Label
from app.core.store import Store


def inherited(store: Store, conversation_id: int) -> Label:
    """The lowest that it can have: the highest of all sources of all its answers."""
    kept = [message.details.grounding for message in store.tree(conversation_id) if message.details is not None]
    return labels.of_answer(LABELS[0], kept)


def give(store: Store, conversation_id: int, label: Label) -> Label:
    """What the user has chosen, or more where its documents ask for more. Gives the label that it has now."""
    given = labels.highest((label, inherited(store, conversation_id)))
    with store.database.transaction():
        store.database.write("UPDATE conversation SET label = ? WHERE id = ?", given, conversation_id)
    return given
