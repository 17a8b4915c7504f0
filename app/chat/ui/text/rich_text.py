"""The text of one message: selectable by mouse and keyboard, as high as its document, never scrolling by itself."""

from collections.abc import Callable, Sequence

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
    QTextCursor,
    QTextDocument,
    QWheelEvent,
)
from PySide6.QtWidgets import QFrame, QMenu, QSizePolicy, QTextBrowser, QWidget

from app.chat.ui.text import citations, formats, markdown, marks
from app.chat.ui.text.stream import StreamedDocument
from app.documents.claims.grounding import Grounding
from app.uikit import characters
from app.uikit.characters import without_helpers
from app.uikit.theme import Theme
from app.uikit.words import to_clipboard

_SCROLLING_KEYS = (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)


class RichText(QTextBrowser):
    """`show_markdown`, `show_plain` or, while an answer grows, `show_growing`; then `fit`."""

    link_chosen = Signal(str)
    source_chosen = Signal(int)  # the number of its mark

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._stream: StreamedDocument | None = None
        self._shown: markdown.SafeDocument | None = None
        self._width = theme.metric("column_width")
        self._sought: tuple[str, ...] = ()  # words that are marked
        self._places: list[marks.Place] = []
        self._current: int | None = None  # which of the places is looked at
        self._grounding: Grounding | None = None  # of what is shown
        self._source: int | None = None  # that is open
        self._copy_text: Callable[[str], None] = to_clipboard
        self._build()
        self.anchorClicked.connect(self._on_anchor_clicked)

    def _build(self) -> None:
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setOpenLinks(False)
        self.setOpenExternalLinks(False)
        self.setUndoRedoEnabled(False)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # The width is told, not taken from the viewport: a document is then laid out once instead of three times.
        self.setLineWrapMode(QTextBrowser.LineWrapMode.FixedPixelWidth)
        self.setLineWrapColumnOrWidth(self._width)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.viewport().setAutoFillBackground(False)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setFont(self._theme.font("reading"))

    def show_markdown(self, text: str, grounding: Grounding | None = None) -> None:
        """`grounding`: whose marks become links, and whose doubtful sentences are underlined."""
        self._stream = None
        self._grounding = grounding
        self._show(markdown.parse(text))

    def show_plain(self, text: str) -> None:
        self._stream = None
        self._show(markdown.parse_plain(text))

    def show_growing(self, text: str) -> None:
        """`text`: all of an answer so far. Only its last, unfinished blocks are parsed again."""
        if self._stream is None:
            document = markdown.SafeDocument()
            formats.style(document, self._theme)
            self._show(document)
            self._stream = StreamedDocument(document, self._theme)
        self._stream.update(text)

    def append_plain(self, text: str) -> None:
        """Adds a page of a long text below what is shown."""
        cursor = QTextCursor(self.document())
        cursor.movePosition(QTextCursor.MoveOperation.End)
        cursor.insertBlock()
        cursor.insertText(characters.harmless(text))
        if self._sought:
            self._mark()

    def mark(self, query_words: Sequence[str], current: int | None = None) -> int:
        """Marks these words, also in what is shown later, and one of them as the current one, or the last if there are
        fewer. Gives how many there are."""
        if query_words or self._sought:
            self._sought, self._current = tuple(query_words), current
            self._mark()
        return len(self._places)

    def show_source(self, number: int | None) -> None:
        """The source that is open beside the conversation: its marks are filled."""
        if self._grounding is not None and number != self._source:
            self._source = number
            self._mark()

    def mark_rect(self) -> QRect:
        """Where the current mark begins."""
        cursor = QTextCursor(self.document())
        if self._current is not None and self._places:
            cursor.setPosition(self._places[min(self._current, len(self._places) - 1)][0])
        return self.cursorRect(cursor)

    def _mark(self) -> None:
        self._places = marks.places(self.document(), self._sought) if self._sought else []
        current = None if self._current is None else min(self._current, len(self._places) - 1)
        found = marks.selections(self.document(), self._places, current, self._theme)
        if self._grounding is not None:
            cited = citations.selections(self.document(), self._grounding, self._source, self._theme)
            found = [*cited, *found]
        self.setExtraSelections(found)

    def fit(self, width: int) -> int:
        """Takes `width` and the height that its text needs then, which is returned."""
        if width != self._width:
            self._width = width
            self.setLineWrapColumnOrWidth(width)
        height = int(self.document().size().height() + 0.99)
        self.setFixedSize(width, height)
        return height

    def plain_text(self) -> str:
        return without_helpers(self.document().toPlainText())

    def _show(self, document: markdown.SafeDocument) -> None:
        formats.style(document, self._theme)
        if self._grounding is not None:
            citations.link(document, len(self._grounding.sources), self._theme)
        document.setParent(self)
        document.setTextWidth(self._width)
        document.block_images()
        kept = self._kept_selection(document)
        self.setDocument(document)
        if kept is not None:
            self.setTextCursor(kept)
        if self._sought or self._grounding is not None:
            self._mark()
        if self._shown is not None:
            self._shown.deleteLater()
        self._shown = document

    def _kept_selection(self, document: QTextDocument) -> QTextCursor | None:
        """The selection in the new document, where the text up to it is the same."""
        old = self.textCursor()
        end = old.selectionEnd()
        if not old.hasSelection() or self.document().toPlainText()[:end] != document.toPlainText()[:end]:
            return None
        kept = QTextCursor(document)
        kept.setPosition(old.anchor())
        kept.setPosition(old.position(), QTextCursor.MoveMode.KeepAnchor)
        return kept

    # ---------------------------------------------------------- what Qt asks

    def loadResource(self, _type: int, _name: QUrl | str) -> None:
        return None

    def doSetSource(
        self, _url: QUrl | str, _type: QTextDocument.ResourceType = QTextDocument.ResourceType.UnknownResource
    ) -> None:
        """A browser that goes nowhere."""

    def createMimeDataFromSelection(self) -> QMimeData:
        """Plain text only. Qt's own object is emptied: one made in Python outlives the interpreter in the clipboard,
        and its destruction at the end of the process is a crash."""
        data = super().createMimeDataFromSelection()
        data.text()  # Qt fills it when it is first asked
        for kind in data.formats():
            data.removeFormat(kind)
        data.setText(without_helpers(self.textCursor().selection().toPlainText()))
        return data

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = self.menu_at(event.pos())
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.popup(event.globalPos())

    def menu_at(self, place: QPoint) -> QMenu:
        """Qt's own, but what it copies goes the way that `copy_by` has set."""
        menu = self.createStandardContextMenu(place)
        for action in menu.actions():
            if action.objectName() == "edit-copy":
                action.triggered.disconnect()
                action.triggered.connect(self.copy_selection)
        return menu

    def copy_by(self, copy: Callable[[str], None]) -> None:
        """How selected text leaves for the clipboard; at first it simply does."""
        self._copy_text = copy

    def copy_selection(self) -> None:
        if text := without_helpers(self.textCursor().selection().toPlainText()):
            self._copy_text(text)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.Copy):
            self.copy_selection()
        elif event.key() in _SCROLLING_KEYS and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            event.ignore()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        self._paint_grounds(painter, QRectF(event.rect()))
        painter.end()
        super().paintEvent(event)
        self._paint_focus()

    def _paint_focus(self) -> None:
        """A ring around the link that has the keyboard: Qt's dots are lost beside a filled mark."""
        ends = [self.textCursor(), self.textCursor()]
        if not (self.hasFocus() and ends[0].hasSelection()):
            return
        places = (ends[0].selectionStart(), ends[0].selectionEnd())
        ends[0].setPosition(places[0] + 1)  # a format is that of the character before it
        ends[1].setPosition(places[1])
        link, other = (end.charFormat().anchorHref() for end in ends)
        if not link or link != other:  # words that were selected, perhaps up to a link
            return
        ends[0].setPosition(places[0])
        first, last = (self.cursorRect(end) for end in ends)
        if first.top() == last.top():  # around one that goes on in the next line, the dots have to do
            painter = QPainter(self.viewport())
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(self._theme.color("text"), self._theme.metric("focus_ring")))
            ring = QRectF(QRect(first.topLeft(), QPoint(last.left(), last.bottom())))
            painter.drawRoundedRect(ring.adjusted(-1, 0, 1, 0), 3, 3)
            painter.end()

    def _paint_grounds(self, painter: QPainter, exposed: QRectF) -> None:
        layout = self.document().documentLayout()
        block = self.document().findBlock(layout.hitTest(exposed.topLeft(), Qt.HitTestAccuracy.FuzzyHit))
        block = self._start_of_run(block)
        while block.isValid():
            last = self._end_of_run(block)
            kind = block.blockFormat().property(formats.KIND)
            rect = layout.blockBoundingRect(block).united(layout.blockBoundingRect(last))
            if rect.top() > exposed.bottom():
                break
            if kind == formats.BULLET:
                self._paint_bullet(painter, block, layout.blockBoundingRect(block))
                last = block
            elif kind:
                self._paint_ground(painter, kind, rect)
            block = last.next()

    def _paint_bullet(self, painter: QPainter, block: QTextBlock, text: QRectF) -> None:
        line = block.layout().lineAt(0)
        if line.isValid():
            baseline = text.top() + line.y() + line.ascent()
            center = QPointF(text.left() + line.x() - self._theme.px(11), baseline - self._theme.px(5.5))
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.color("text2"))
            painter.drawEllipse(center, self._theme.px(20) / 10, self._theme.px(20) / 10)

    def _paint_ground(self, painter: QPainter, kind: str, text: QRectF) -> None:
        width = self.viewport().width()
        px = self._theme.px
        if kind == formats.CODE:
            ground = QRectF(0, text.top() - px(10), width, text.height() + px(20))
            _fill(painter, ground, self._theme.color("sunken"), px(6))
        elif kind == formats.QUOTE:
            _fill(painter, QRectF(0, text.top(), px(3), text.height()), self._theme.color("control"), 0)
        else:
            _fill(painter, QRectF(0, text.center().y(), width, 1), self._theme.color("line"), 0)

    @staticmethod
    def _start_of_run(block: QTextBlock) -> QTextBlock:
        kind = block.blockFormat().property(formats.KIND)
        while kind and block.previous().isValid() and block.previous().blockFormat().property(formats.KIND) == kind:
            block = block.previous()
        return block

    @staticmethod
    def _end_of_run(block: QTextBlock) -> QTextBlock:
        kind = block.blockFormat().property(formats.KIND)
        while kind and block.next().isValid() and block.next().blockFormat().property(formats.KIND) == kind:
            block = block.next()
        return block

    def _on_anchor_clicked(self, url: QUrl) -> None:
        number = citations.number_of(url.toString())
        if number is not None:
            self.source_chosen.emit(number)
        else:
            self.link_chosen.emit(url.toString())


def _fill(painter: QPainter, rect: QRectF, color: QColor, radius: int) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(color)
    painter.drawRoundedRect(rect, radius, radius)
