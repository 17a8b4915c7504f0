"""The label that a conversation shows: that of its answers and its user, and of the collections that it asks.

Also how labels look wherever they stand.
"""

from collections.abc import Sequence

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter

from app.core.documents import labels
from app.core.documents.records import LABELS, Label
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
