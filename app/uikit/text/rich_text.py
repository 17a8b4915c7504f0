"""Show foreign text, with the words of a query, as high as its document; while it grows, its end is parsed again."""

import re
from collections.abc import Sequence

from PySide6.QtCore import QMimeData, QPoint, QPointF, QRect, QRectF, Qt, QUrl, Signal
from PySide6.QtGui import (
    QColor,
    QContextMenuEvent,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPaintEvent,
    QPen,
    QTextBlock,
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextDocumentFragment,
    QTextFormat,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QMenu, QSizePolicy, QTextBrowser, QTextEdit, QWidget

from app.base.search_text import find_occurrences
from app.uikit import clipboard_guard, untrusted_text
from app.uikit.text import document_style, markdown
from app.uikit.theme import Theme
from app.uikit.untrusted_text import remove_display_helpers

MARKS_MAX = 1000  # highlighted words in one text; painting more takes time and is not useful
_SCROLLING_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
_OPENS_PARAGRAPH = re.compile(r"(?![-*+>|#\s]|\d{1,9}[.)]|```|~~~)\S.|#{1,6}\s\S")

Place = tuple[int, int]  # start and end, in UTF-16 units


def word_places(document: QTextDocument, query_words: Sequence[str]) -> list[Place]:
    """Return the places of these words in the document, in order. `query_words`: of `search_text.split_query`."""
    shown = document.toPlainText()
    places = find_occurrences(shown, query_words)[:MARKS_MAX]
    if places and max(shown) > "\uffff":
        return [
            (untrusted_text.utf16_offset(shown, start), untrusted_text.utf16_offset(shown, end))
            for start, end in places
        ]
    return places


def selection(document: QTextDocument, span: Place, look: QTextCharFormat) -> QTextEdit.ExtraSelection:
    """Return a highlight with the format `look` at a place, which does not change the document."""
    mark = QTextEdit.ExtraSelection()
    mark.cursor = QTextCursor(document)
    mark.cursor.setPosition(span[0])
    mark.cursor.setPosition(span[1], QTextCursor.MoveMode.KeepAnchor)
    mark.format = look
    return mark


def settled_end(text: str, start: int = 0) -> int:
    """Return the index before which the parsed result cannot change any more when the text grows.

    That is the start of a paragraph or heading after a blank line outside code. A list does not end there, because it
    may continue after a blank line. `start`: the result for a shorter text, from which to continue.
    """
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
    """Updates a shown document when its text grows at the end."""

    def __init__(self, document: markdown.SafeDocument, theme: Theme) -> None:
        self._document = document
        self._theme = theme
        self._settled = 0  # characters of the text that will not be parsed again
        self._tail_position = 0  # where the unfinished end starts in the document

    def update(self, text: str) -> None:
        """Show `text`, which begins with the text of the last call."""
        settled = settled_end(text, self._settled)
        cursor = QTextCursor(self._document)
        cursor.beginEditBlock()
        cursor.setPosition(self._tail_position)
        block_format, char_format = cursor.blockFormat(), cursor.blockCharFormat()
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        cursor.setBlockFormat(block_format)
        cursor.setBlockCharFormat(char_format)
        if settled > self._settled:
            self._append(cursor, text[self._settled : settled])
            self._settled = settled
            self._tail_position = self._document.characterCount() - 1
        self._append(cursor, text[self._settled :])
        cursor.endEditBlock()

    def _append(self, cursor: QTextCursor, text: str) -> None:
        if not text.strip():
            return
        piece = markdown.parse(text)
        follows = self._document.characterCount() > 1
        document_style.style_document(piece, self._theme, continues=follows)
        first = piece.begin()
        cursor.movePosition(QTextCursor.MoveOperation.End)
        if follows:
            cursor.insertBlock(QTextBlockFormat(), QTextCharFormat())
        start = cursor.position()
        cursor.insertFragment(QTextDocumentFragment(piece))
        cursor.setPosition(start)
        if first.textList() is None:  # Qt inserts the text of the first block without its format
            cursor.setBlockFormat(first.blockFormat())
            cursor.setBlockCharFormat(first.charFormat())
        elif cursor.block().length() == 1:  # before a list Qt leaves an empty block
            cursor.deleteChar()


class RichText(QTextBrowser):
    """A widget for text. Call `show_markdown`, `show_plain` or, for a growing answer, `show_growing`; then `fit`."""

    link_chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stream: StreamedDocument | None = None
        self._shown_document: markdown.SafeDocument | None = None
        self._width = theme.metric("column_width")
        self._query_words: tuple[str, ...] = ()  # words to highlight
        self._places: list[Place] = []
        self._current: int | None = None  # index in `_places` of the current one
        self._build()
        self.anchorClicked.connect(self._on_anchor_clicked)

    def _build(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setUndoRedoEnabled(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # With a fixed width, instead of the viewport's, a document is laid out once instead of three times.
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)
        self.setLineWrapColumnOrWidth(self._width)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setFont(self._theme.font("reading"))

    def show_markdown(self, text: str) -> None:
        self._stream = None
        self._show(markdown.parse(text))

    def show_plain(self, text: str) -> None:
        self._stream = None
        self._show(markdown.parse_plain(text))

    def show_headed(self, text: str, heading_roles: Sequence[str]) -> None:
        """Show a plain text whose first lines are headings. `heading_roles`: roles of their fonts."""
        self.show_plain(text)
        document_style.style_headings(self.document(), heading_roles, self._theme)

    def show_growing(self, text: str) -> None:
        """Show an unfinished answer. `text`: all of it so far, of which only the unfinished end is parsed again."""
        if self._stream is None:
            document = markdown.SafeDocument()
            document_style.style_document(document, self._theme)
            self._show(document)
            self._stream = StreamedDocument(document, self._theme)
        self._stream.update(text)

    def append_plain(self, text: str) -> None:
        """Append a page of a long text as plain text."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertBlock()
        cursor.insertText(untrusted_text.make_harmless(text))
        if self._query_words:
            self._show_highlights()

    def mark(self, query_words: Sequence[str], current: int | None = None) -> int:
        """Highlight these words, also in texts shown later. Return the number of their places.

        `current`: the index of the place to emphasize, or of the last one if it is too large; None: none.
        """
        if query_words or self._query_words:
            self._query_words, self._current = tuple(query_words), current
            self._show_highlights()
        return len(self._places)

    def mark_rect(self) -> QRect:
        """Return the cursor rectangle at the start of the current place, in the viewport."""
        cursor = QTextCursor(self.document())
        if self._current is not None and self._places:
            cursor.setPosition(self._places[min(self._current, len(self._places) - 1)][0])
        return self.cursorRect(cursor)

    def _show_highlights(self) -> None:
        self.setExtraSelections(self._highlights())

    def _highlights(self) -> list[QTextEdit.ExtraSelection]:
        """Find the words and return their highlights. The current one has an outline."""
        self._places = word_places(self.document(), self._query_words) if self._query_words else []
        current = None if self._current is None else min(self._current, len(self._places) - 1)
        look = QTextCharFormat()
        look.setBackground(self._theme.color("cite"))
        look.setForeground(self._theme.color("text"))
        outlined = QTextCharFormat(look)
        pen = QPen(self._theme.color("text"), self._theme.metric("focus_ring"))
        outlined.setProperty(QTextFormat.Property.OutlinePen.value, pen)
        return [
            selection(self.document(), place, outlined if number == current else look)
            for number, place in enumerate(self._places)
        ]

    def fit(self, width: int) -> int:
        """Set the width in pixels, and the height that the text needs with it. Return that height in pixels."""
        if width != self._width:
            self._width = width
            self.setLineWrapColumnOrWidth(width)
        height = int(self.document().size().height() + 0.99)
        self.setFixedSize(width, height)
        return height

    def plain_text(self) -> str:
        return remove_display_helpers(self.document().toPlainText())

    def _show(self, document: markdown.SafeDocument) -> None:
        self._style(document)
        document.setParent(self)
        document.setTextWidth(self._width)
        document.block_images()
        kept = self._kept_selection(document)
        self.setDocument(document)
        if kept is not None:
            self.setTextCursor(kept)
        self._show_highlights()
        if self._shown_document is not None:
            self._shown_document.deleteLater()
        self._shown_document = document

    def _style(self, document: markdown.SafeDocument) -> None:
        """Style a document before it is laid out."""
        document_style.style_document(document, self._theme)

    def _kept_selection(self, document: QTextDocument) -> QTextCursor | None:
        """Return the present selection for a new document, if the text up to its end is the same; else None."""
        old = self.textCursor()
        end = old.selectionEnd()
        if not old.hasSelection() or self.document().toPlainText()[:end] != document.toPlainText()[:end]:
            return None
        kept = QTextCursor(document)
        kept.setPosition(old.anchor())
        kept.setPosition(old.position(), QTextCursor.MoveMode.KeepAnchor)
        return kept

    # ---------------------------------------------------------- Qt's methods

    def loadResource(self, _type: int, _name: QUrl | str) -> None:
        return None

    def doSetSource(
        self, _url: QUrl | str, _type: QTextDocument.ResourceType = QTextDocument.ResourceType.UnknownResource
    ) -> None:
        """Ignore navigation."""

    def createMimeDataFromSelection(self) -> QMimeData:
        """Return the selection as plain text in an object of Qt's, as one of Python's would crash at the end."""
        data = super().createMimeDataFromSelection()
        data.text()  # Qt fills the object at the first access
        for kind in data.formats():
            data.removeFormat(kind)
        data.setText(remove_display_helpers(self.textCursor().selection().toPlainText()))
        return data

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu_at(event.pos())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def menu_at(self, position: QPoint) -> QMenu:
        """Return Qt's context menu, whose copy actions ask for consent to copy secret text."""
        menu = self.createStandardContextMenu(position)
        clipboard_guard.guard_menu(menu, self)
        return menu

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            clipboard_guard.copy_text(self, clipboard_guard.selected_text(self))
        elif event.key() in _SCROLLING_KEYS and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_block_backgrounds(painter, QRectF(event.rect()))
        painter.end()
        super().paintEvent(event)
        self._paint_focus()

    def _paint_focus(self) -> None:
        """Draw a ring around the focused link, as Qt's dots are hard to see; one over two lines has only these."""
        ends = [self.textCursor(), self.textCursor()]
        if not (self.hasFocus() and ends[0].hasSelection()):
            return
        places = (ends[0].selectionStart(), ends[0].selectionEnd())
        ends[0].setPosition(places[0] + 1)  # a cursor has the format of the character before it
        ends[1].setPosition(places[1])
        link, other = (end.charFormat().anchorHref() for end in ends)
        if not link or link != other:  # the selection is ordinary text
            return
        ends[0].setPosition(places[0])
        first, last = (self.cursorRect(end) for end in ends)
        if first.top() == last.top():  # the link is on one line
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.color("text"), self._theme.metric("focus_ring")))
            ring = QRectF(QRect(first.topLeft(), QPoint(last.left(), last.bottom())))
            painter.drawRoundedRect(ring.adjusted(-1, 0, 1, 0), 3, 3)
            painter.end()

    def _paint_block_backgrounds(self, painter: QPainter, exposed: QRectF) -> None:
        layout = self.document().documentLayout()
        block = self.document().findBlock(layout.hitTest(exposed.topLeft(), Qt.HitTestAccuracy.FuzzyHit))
        block = self._start_of_run(block)
        while block.isValid():
            last = self._end_of_run(block)
            kind = block.blockFormat().property(document_style.KIND)
            rect = layout.blockBoundingRect(block).united(layout.blockBoundingRect(last))
            if rect.top() > exposed.bottom():
                break
            if kind == document_style.BULLET:
                self._paint_bullet(painter, block, layout.blockBoundingRect(block))
                last = block
            elif kind:
                self._paint_block_background(painter, kind, rect)
            block = last.next()

    def _paint_bullet(self, painter: QPainter, block: QTextBlock, text: QRectF) -> None:
        line = block.layout().lineAt(0)
        if line.isValid():
            baseline = text.top() + line.y() + line.ascent()
            center = QPointF(text.left() + line.x() - self._theme.px(11), baseline - self._theme.px(5.5))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("text2"))
            painter.drawEllipse(center, self._theme.px(20) / 10, self._theme.px(20) / 10)

    def _paint_block_background(self, painter: QPainter, kind: str, text: QRectF) -> None:
        width = self.viewport().width()
        px = self._theme.px
        if kind == document_style.CODE:
            ground = QRectF(0, text.top() - px(10), width, text.height() + px(20))
            _fill(painter, ground, self._theme.color("sunken"), px(6))
        elif kind == document_style.QUOTE:
            _fill(painter, QRectF(0, text.top(), px(3), text.height()), self._theme.color("control"), 0)
        else:
            _fill(painter, QRectF(0, text.center().y(), width, 1), self._theme.color("line"), 0)

    @staticmethod
    def _start_of_run(block: QTextBlock) -> QTextBlock:
        kind = block.blockFormat().property(document_style.KIND)
        while (
            kind and block.previous().isValid() and block.previous().blockFormat().property(document_style.KIND) == kind
        ):
            block = block.previous()
        return block

    @staticmethod
    def _end_of_run(block: QTextBlock) -> QTextBlock:
        kind = block.blockFormat().property(document_style.KIND)
        while kind and block.next().isValid() and block.next().blockFormat().property(document_style.KIND) == kind:
            block = block.next()
        return block

    def _on_anchor_clicked(self, url: QUrl) -> None:
        self.link_chosen.emit(url.toString())


def _fill(painter: QPainter, rect: QRectF, color: QColor, radius: int) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRoundedRect(rect, radius, radius)
