"""Store the user's ratings of answers (good or bad) and the corrections of bad ones."""

from app.base.confidentiality import Label
from app.chat import conversation_privacy
from app.chat.records import Message
from app.chat.store import Store
from app.documents.grounding import answer_markup

GOOD, UNRATED, BAD = 1, 0, -1


def rate(store: Store, answer_id: int, rating: int, correction: str | None = None) -> Message:
    """Store a rating and return the changed answer.

    `correction` None keeps an earlier correction, which counts while the answer is rated bad. A correction that only
    repeats the answer is stored as "". Raises KeyError when the answer does not exist.
    """
    answer = store.message(answer_id)
    written = answer.correction if correction is None else correction.strip()
    if text_without_marks(answer, written) == text_without_marks(answer, answer.text):
        written = ""
    with store.database.transaction():
        store.database.write(
            "UPDATE message SET rating = ?, correction = ? WHERE id = ? AND role = 'answer'",
            rating,
            written,
            answer_id,
        )
    return store.message(answer_id)


def text_without_marks(answer: Message, text: str) -> str:
    """Return an answer or its correction without source marks such as [1], which have no meaning outside the answer.

    The text of an answer without documents stays as it is, because there [1] is often part of some code.
    """
    is_grounded = answer.details is not None and answer.details.grounding is not None
    return (answer_markup.CITED_MARK.sub("", text) if is_grounded else text).strip()


def rated_answers(
    store: Store, collections: conversation_privacy.KnownCollections
) -> list[tuple[Message, Message, Label]]:
    """Return question, answer and current label of each rated answer outside the bin, the oldest first."""
    rows = store.database.read(
        "SELECT m.parent_id, m.id, m.conversation_id FROM message m JOIN conversation c ON c.id = m.conversation_id"
        " WHERE m.rating <> 0 AND c.binned_at IS NULL ORDER BY m.id"
    )
    within = {row[2] for row in rows}
    known = conversation_privacy.effective_labels(
        store, [conversation for conversation in store.conversations() if conversation.id in within], collections
    )
    return [(store.message(row[0]), store.message(row[1]), known[row[2]]) for row in rows if row[2] in known]
