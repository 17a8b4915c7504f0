"""What the user thinks of answers: good, bad, and what a bad one should have said."""

from app.base.confidentiality import Label
from app.chat import conversation_privacy
from app.chat.records import Message
from app.chat.store import Store
from app.documents.grounding import answer_markup

GOOD, UNRATED, BAD = 1, 0, -1


def rate(store: Store, answer_id: int, rating: int, correction: str | None = None) -> Message:
    """Gives the answer as it is then. `correction` None: one that was written earlier is kept, and counts while the
    answer is bad; one that only repeats the answer is none.

    Raises KeyError when the answer is not there (any more).
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
    """Text of an answer, or of its correction, without marks of sources, [1], which mean nothing elsewhere.

    Where there are no sources, they are part of the text: of code, often.
    """
    is_grounded = answer.details is not None and answer.details.grounding is not None
    return (answer_markup.CITED_MARK.sub("", text) if is_grounded else text).strip()


def rated_answers(store: Store, there: conversation_privacy.KnownCollections) -> list[tuple[Message, Message, Label]]:
    """Question, answer and the conversation's label of each answer that is rated, outside the bin, the oldest first.

    `there`: the collections as they are now.
    """
    rows = store.database.read(
        "SELECT m.parent_id, m.id, m.conversation_id FROM message m JOIN conversation c ON c.id = m.conversation_id"
        " WHERE m.rating <> 0 AND c.binned_at IS NULL ORDER BY m.id"
    )
    within = {row[2] for row in rows}
    known = conversation_privacy.effective_labels(
        store, [one for one in store.conversations() if one.id in within], there
    )
    return [(store.message(row[0]), store.message(row[1]), known[row[2]]) for row in rows if row[2] in known]
