"""Show the text of a source, as read from its document, with the cited places highlighted."""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from app.base.wording import phrase
from app.uikit import untrusted_text
from app.uikit.text.rich_text import RichText, selection
from app.uikit.theme import Theme

MARGIN_PX = 16
BAR_PX = 12  # space for the bar at the left of the text


class SourceText(QScrollArea):
    """A scrolling view of a source as plain text: nothing in it is treated as markup."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._text = ""
        self._places: tuple[tuple[int, int], ...] = ()
        self.sheet = SourcePage(theme)
        self.setWidget(self.sheet)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setProperty("surface", "base")
        self.sheet.text.setAccessibleName(phrase("common.text_of_the_source"))
        theme.changed.connect(self._show_page)

    def show_text(self, text: str, places: Sequence[tuple[int, int]]) -> None:
        """Show the text, scrolled to the first place. `places`: start and end index of each place to highlight."""
        self._text, self._places = text, tuple(places)
        self._show_page()
        if self.sheet.marks:
            self.verticalScrollBar().setValue(round(self.sheet.top_of(0)) - self._theme.px(3 * MARGIN_PX))
        else:
            self.verticalScrollBar().setValue(0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit_sheet_width()

    def _show_page(self) -> None:
        self.sheet.show_text(self._text, self._places)
        self._fit_sheet_width()

    def _fit_sheet_width(self) -> None:
        self.sheet.fit(self.width() - self.verticalScrollBar().sizeHint().width())


class SourcePage(QWidget):
    """The text of a source, with a bar at the left of each highlighted place."""

    def __init__(self, theme: Theme, vertical_px: int = MARGIN_PX) -> None:
        """Create the page. `vertical_px`: the margin above and below the text."""
        super().__init__()
        self._theme = theme
        self._vertical_px = vertical_px
        self.text = RichText(theme, self)
        self.marks: list[tuple[int, int]] = []  # start and end, in UTF-16 units

    def show_text(self, text: str, places: Sequence[tuple[int, int]], headings: Sequence[tuple[str, str]] = ()) -> None:
        """Show a text below its headings, each with the role of its font. `places` are places in the text."""
        self.text.show_headed("".join(f"{heading}\n" for heading, _ in headings) + text, [role for _, role in headings])
        above = sum(_shown_length(heading) + 1 for heading, _ in headings)
        self.marks = [(above + _shown_length(text[:start]), above + _shown_length(text[:end])) for start, end in places]
        look = QTextCharFormat()
        look.setBackground(self._theme.color("cite"))
        look.setForeground(self._theme.color("text"))
        self.text.setExtraSelections([selection(self.text.document(), place, look) for place in self.marks])

    def fit(self, width: int) -> int:
        """Lay out for a width in px, and return the height."""
        margin, bar, vertical = self._theme.px(MARGIN_PX), self._theme.px(BAR_PX), self._theme.px(self._vertical_px)
        height = self.text.fit(max(80, width - 2 * margin - bar)) + 2 * vertical
        self.text.move(margin + bar, vertical)
        self.resize(width, height)
        self.update()
        return height

    def top_of(self, mark: int) -> float:
        return self.text.cursorRect(self._cursor(self.marks[mark][0])).top() + self.text.y()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(self.rect(), self._theme.color("base"))
        for start, end in self.marks:
            first, last = (self.text.cursorRect(self._cursor(place)) for place in (start, max(start, end - 1)))
            origin = self.text.mapTo(self, QPoint())
            bar = QRectF(self._theme.px(MARGIN_PX), first.top(), self._theme.px(3), last.bottom() - first.top())
            painter.fillRect(bar.translated(0, origin.y()), self._theme.color("cite_bar"))
        event.accept()

    def _cursor(self, offset: int) -> QTextCursor:
        cursor = QTextCursor(self.text.document())
        cursor.setPosition(min(offset, self.text.document().characterCount() - 1))
        return cursor


def _shown_length(text: str) -> int:
    """Return the length in UTF-16 units that a text has in a document of `RichText.show_plain`."""
    shown = untrusted_text.make_harmless(text)
    return untrusted_text.utf16_offset(shown, len(shown))
