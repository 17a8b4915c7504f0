"""A document that grows: what is settled stays, and only the unfinished end is parsed again."""

import re

from PySide6.QtGui import QTextBlockFormat, QTextCharFormat, QTextCursor, QTextDocumentFragment

from app.chat.ui.text import formats, markdown
from app.uikit.theme import Theme

_OPENS_PARAGRAPH = re.compile(r"(?![-*+>|#\s]|\d{1,9}[.)]|```|~~~)\S.|#{1,6}\s\S")


def settled_end(text: str, start: int = 0) -> int:
    """Where the text before cannot change its meaning any more: a blank line outside code with a new paragraph or
    heading after it. `start`: an earlier result. Lists stay open, because they may go on after a blank line."""
    end = start
    position = start
    fence = ""
    was_blank = False
    for line in text[start:].split("\n"):
        mark = markdown.is_fence(line)
        if fence:
            fence = "" if mark.startswith(fence) else fence
        else:
            if was_blank and _OPENS_PARAGRAPH.match(line):
                end = position
            fence = mark
        was_blank = not fence and not line.strip()
        position += len(line) + 1
    return end


class StreamedDocument:
    """Keeps a shown document equal to a text that only grows at its end."""

    def __init__(self, document: markdown.SafeDocument, theme: Theme) -> None:
        self._document = document
        self._theme = theme
        self._settled = 0  # characters of the text that will not be parsed again
        self._tail_position = 0  # where the unfinished end starts in the document

    def update(self, text: str) -> None:
        settled = settled_end(text, self._settled)
        cursor = QTextCursor(self._document)
        cursor.beginEditBlock()
        self._remove_tail(cursor)
        if settled > self._settled:
            self._append(cursor, text[self._settled : settled])
            self._settled = settled
            self._tail_position = self._document.characterCount() - 1
        self._append(cursor, text[self._settled :])
        cursor.endEditBlock()

    def _remove_tail(self, cursor: QTextCursor) -> None:
        cursor.setPosition(self._tail_position)
        style, characters = cursor.blockFormat(), cursor.blockCharFormat()
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        cursor.setBlockFormat(style)
        cursor.setBlockCharFormat(characters)

    def _append(self, cursor: QTextCursor, text: str) -> None:
        if not text.strip():
            return
        piece = markdown.parse(text)
        follows = self._document.characterCount() > 1
        formats.style(piece, self._theme, continues=follows)
        first = piece.begin()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if follows:
            cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
        start = cursor.position()
        cursor.insertFragment(QTextDocumentFragment(piece))
        cursor.setPosition(start)
        if first.textList() is None:  # Qt merges the first block's text without its format
            cursor.setBlockFormat(first.blockFormat())
            cursor.setBlockCharFormat(first.charFormat())
        elif cursor.block().length() == 1:  # or, for a list, leaves an empty block before it
            cursor.deleteChar()
