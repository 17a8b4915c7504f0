"""How a stored answer labels its conversation; what users choose is `app.chat.conversation_labels`."""

from app.base import confidentiality
from app.base.confidentiality import LABELS
from app.base.database import Database
from app.chat.records import AnswerDetails
from app.documents import labels


def raise_label(database: Database, conversation_id: int, details: AnswerDetails | None) -> None:
    """An answer hands the highest label of its sources on. Inside the transaction that stores it."""
    if details is None or details.grounding is None or not details.grounding.sources:
        return
    label = labels.of_answer(LABELS[0], [details.grounding])
    lower = LABELS[: LABELS.index(label)]
    marks = ", ".join("?" * len(lower))
    database.write(
        f"UPDATE conversation SET label = ? WHERE id = ? AND label IN ({marks})",  # noqa: S608
        label,
        conversation_id,
        *lower,
    )


def label_first(database: Database, conversation_id: int, details: AnswerDetails | None) -> None:
    """The first answer of a conversation gives it its label, which may be lower than what it began with.

    Inside the transaction that stores it.
    """
    if details is None or details.grounding is None or not details.grounding.sources:
        return
    database.write(
        "UPDATE conversation SET label = ? WHERE id = ? AND label = ?"
        " AND (SELECT COUNT(*) FROM message WHERE conversation_id = ? AND role = 'answer') = 1",
        labels.of_answer(LABELS[0], [details.grounding]),
        conversation_id,
        confidentiality.DEFAULT,
        conversation_id,
    )
