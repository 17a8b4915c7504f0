"""Words that were looked for, in a shown document: their places, and how they are marked without changing it."""

from collections.abc import Sequence

from PySide6.QtGui import QPen, QTextCharFormat, QTextCursor, QTextDocument, QTextFormat
from PySide6.QtWidgets import QTextEdit

from app.base import text
from app.uikit import characters
from app.uikit.theme import Theme

MARKS_MAX = 1000  # in one message; more would be no help, and each is painted

Place = tuple[int, int]  # start and end, as Qt counts


def places(document: QTextDocument, query_words: Sequence[str]) -> list[Place]:
    """In order. `query_words` as `app.base.text` folds them."""
    shown = document.toPlainText()
    found = text.occurrences(shown, query_words)[:MARKS_MAX]
    if found and max(shown) > "\uffff":
        return [(characters.in_utf16(shown, start), characters.in_utf16(shown, end)) for start, end in found]
    return found


def selections(
    document: QTextDocument, found: Sequence[Place], current: int | None, theme: Theme
) -> list[QTextEdit.ExtraSelection]:
    """The `current` one has an outline, so that it is not told by a colour alone."""
    look = QTextCharFormat()
    look.setBackground(theme.color("cite"))
    look.setForeground(theme.color("text"))
    outlined = QTextCharFormat(look)
    outlined.setProperty(QTextFormat.Property.OutlinePen.value, QPen(theme.color("text"), theme.metric("focus_ring")))
    marked = []
    for number, (start, end) in enumerate(found):
        selection = QTextEdit.ExtraSelection()
        selection.cursor = QTextCursor(document)
        selection.cursor.setPosition(start)
        selection.cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
        selection.format = outlined if number == current else look
        marked.append(selection)
    return marked
