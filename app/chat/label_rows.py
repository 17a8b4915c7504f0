"""How a stored answer labels its conversation; what users choose is `app.chat.conversation_labels`."""

from app.base import confidentiality
from app.base.confidentiality import LABELS
from app.base.database import Database
from app.chat.records import AnswerDetails


def raise_label(database: Database, conversation_id: int, details: AnswerDetails | None) -> None:
    """An answer hands the highest label on of its sources and of what its model was trained on.

    Inside the transaction that stores it.
    """
    if details is None:
        return
    found = [source.label for source in details.named_sources]
    if details.model_label:
        found.append(confidentiality.label_from(details.model_label))
    if not found:
        return
    label = confidentiality.highest_label(found)
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

    Not of an imported one, whose questions may hold what nobody here has labelled.

    Inside the transaction that stores it.
    """
    if details is None or not details.named_sources:
        return
    database.write(
        "UPDATE conversation SET label = ? WHERE id = ? AND label = ? AND imported_at IS NULL"
        " AND (SELECT COUNT(*) FROM message WHERE conversation_id = ? AND role = 'answer') = 1",
        confidentiality.highest_label(source.label for source in details.named_sources),
        conversation_id,
        confidentiality.DEFAULT_LABEL,
        conversation_id,
    )
