"""The label that a conversation shows: that of its answers and its user, and of the collections that it asks.

Also how labels look wherever they stand.
"""

from collections.abc import Iterable, Sequence

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from app.core.documents import labels
from app.core.documents.grounding import CollectionRef
from app.core.documents.records import LABELS, Collection, Label
from app.core.records import Message
from app.ui.documents import words
from app.ui.theme import Theme
from app.ui.widgets import rows

# Icon and tone. The highest is seen at a glance, and is no failure, which would be red.
LOOKS: dict[Label, tuple[str, str]] = {
    "public": ("", "muted"),
    "internal": ("lock", "text2"),
    "secret": ("lock", "warning"),
}


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


def told(label: Label) -> str:
    """Its words among other facts; "" for the lowest, which keeps nothing from anybody."""
    return "" if label == LABELS[0] else words.label(label)


def draw(painter: QPainter, theme: Theme, area: QRect, label: Label, tone: str) -> int:
    """In a row of a list whose other facts have `tone`: most have the middle label, so only the highest has its sign.
    Returns the width it took."""
    if label != labels.HIGHEST:
        return rows.draw_text(painter, theme, area, words.label(label), "caption", tone)
    return rows.draw_sign(painter, theme, area, *LOOKS[label], words.label(label), weight=600)
