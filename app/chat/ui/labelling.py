"""The label that a conversation shows: that of its answers and its user, and of the collections that it asks.

Also how labels look wherever they stand.
"""

from collections.abc import Sequence

from app.base import confidentiality
from app.base.confidentiality import Label
from app.chat.records import Message


def is_unanswered(messages: Sequence[Message]) -> bool:
    """Nothing was asked yet, or the first answer of all branches is being written: it may lower what a conversation
    began with."""
    is_first = all(one.branches == 1 and (one.role == "question" or one.status == "streaming") for one in messages)
    return is_first and (not messages or messages[-1].status == "streaming")


def shown(own: Label, others: Sequence[Label], *, is_unanswered: bool) -> Label | None:
    """`own`: as it is stored. `others`: of its documents. None: nothing says anything about it."""
    if is_unanswered and own == confidentiality.DEFAULT_LABEL:
        return confidentiality.highest_label(others) if others else None
    return confidentiality.highest_label((own, *others)) if others or own != confidentiality.DEFAULT_LABEL else None
