"""Show a source below an answer: number, document and clause, tag (how binding the clause is), and page."""

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QKeyEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QSizePolicy, QWidget

from app.base.wording import phrase
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CitedSource
from app.uikit import untrusted_text
from app.uikit.theme import Theme
from app.uikit.widgets.labels import plain_tooltip

HEIGHT_PX = 30
KEYS_MAX = 9  # highest source number that a key opens
TAG_CHARACTERS = 12  # enough for tags such as 考え方; an imported file may contain any


class SourceRow(QAbstractButton):
    """A button that paints its own text, so that text from documents and files is never interpreted as rich text."""

    def __init__(self, theme: Theme, number: int, source: CitedSource, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.number = number
        self._source = source
        self._is_open = False
        name, clause = source.document.rpartition(".")[0] or source.document, " ".join(source.heading)
        self.words = untrusted_text.make_harmless(f"{name}　{clause}".rstrip("　"))
        tags = [untrusted_text.make_harmless(source.tag)[:TAG_CHARACTERS]]
        tags += [phrase("common.recognized")] if source.recognized is not None else []
        self._tag = "・".join(filter(None, tags))
        place = untrusted_text.make_harmless(source_citations.describe_place(source))
        self.setAccessibleName(phrase("chat.source_n", n=number) + f" {place}")
        where = f"{untrusted_text.make_harmless(source.collection)} › {place}"
        keys = phrase("chat.source_n_alt_n", n=number)
        self.setToolTip(plain_tooltip(f"{keys} {where}" if number <= KEYS_MAX else where))
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAttribute(Qt.WidgetAttribute.WA_Hover)

    @property
    def is_open(self) -> bool:
        return self._is_open

    def show_open(self, is_open: bool) -> None:
        """Set whether the source is open next to the conversation."""
        if is_open != self._is_open:
            self._is_open = is_open
            self.setAccessibleDescription(phrase("chat.open") if is_open else "")
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(240), self._theme.px(HEIGHT_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(120), self._theme.px(HEIGHT_PX))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Click with Enter too, not only with the space bar."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and not event.isAutoRepeat():
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        theme, px = self._theme, self._theme.px
        if self._is_open or self.underMouse():
            painter.fillRect(self.rect(), theme.color("accent_soft" if self._is_open else "raised"))
        painter.setPen(QPen(theme.color("line"), 1))
        painter.drawLine(0, 0, self.width(), 0)
        left = self._paint_number(painter)
        right = self._paint_page(painter)
        right = self._paint_tag(painter, left, right)
        painter.setFont(theme.font("ui", 600 if self._is_open else None))
        painter.setPen(theme.color("text"))
        room = QRect(left, 0, right - left, self.height())
        words = QFontMetrics(painter.font()).elidedText(self.words, Qt.TextElideMode.ElideMiddle, room.width())
        painter.drawText(room, int(Qt.AlignmentFlag.AlignVCenter), words)
        if self.hasFocus():
            width = theme.metric("focus_ring")
            painter.setPen(QPen(theme.color("accent"), width))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            inset = width / 2
            painter.drawRoundedRect(self.rect().toRectF().adjusted(inset, inset, -inset, -inset), px(4), px(4))

    def _paint_number(self, painter: QPainter) -> int:
        theme, px = self._theme, self._theme.px
        chip = QRect(px(2), (self.height() - px(20)) // 2, px(24), px(20))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(theme.color("accent" if self._is_open else "accent_soft"))
        painter.drawRoundedRect(chip, theme.metric("radius_chip"), theme.metric("radius_chip"))
        painter.setFont(theme.font("caption", 600))
        painter.setPen(theme.color("on_accent" if self._is_open else "accent"))
        painter.drawText(chip, int(Qt.AlignmentFlag.AlignCenter), str(self.number))
        return chip.right() + px(8)

    def _paint_page(self, painter: QPainter) -> int:
        """Paint the page number; return the x coordinate where the room for the text ends."""
        if not self._source.page:
            return self.width() - self._theme.px(4)
        words = f"p.{self._source.page}"
        painter.setFont(self._theme.font("ui"))
        painter.setPen(self._theme.color("text2"))
        width = QFontMetrics(painter.font()).horizontalAdvance(words)
        place = QRect(self.width() - width - self._theme.px(4), 0, width + 1, self.height())
        painter.drawText(place, int(Qt.AlignmentFlag.AlignVCenter), words)
        return place.left() - self._theme.px(10)

    def _paint_tag(self, painter: QPainter, left: int, right: int) -> int:
        """Paint the tag after the text, or at the right if the text is long; return the x coordinate where the room for
        the text ends."""
        px = self._theme.px
        if not self._tag:
            return right
        font = self._theme.font("caption")
        width = QFontMetrics(font).horizontalAdvance(self._tag) + px(16)
        words_width = QFontMetrics(self._theme.font("ui", 600 if self._is_open else None)).horizontalAdvance(self.words)
        at = min(left + words_width + px(10), right - width)
        tag = QRect(at, (self.height() - px(20)) // 2, width, px(20))
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.setBrush(self._theme.color("raised"))
        painter.drawRoundedRect(tag.toRectF().adjusted(0.5, 0.5, -0.5, -0.5), px(4), px(4))
        painter.setFont(font)
        painter.setPen(self._theme.color("text2"))
        painter.drawText(tag, int(Qt.AlignmentFlag.AlignCenter), self._tag)
        return at - px(8)
