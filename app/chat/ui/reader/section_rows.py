"""Show the sections of a document below each other, of which only those near the visible part have widgets."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QImageReader, QKeyEvent, QPainter, QPaintEvent, QPixmap, QPixmapCache
from PySide6.QtWidgets import QWidget

from app.base.wording import phrase
from app.chat.ui.transcript.rows_view import TOP_PX, Row, RowHeights, RowsView
from app.documents.whole_document import WholeDocument, WholeSection
from app.uikit.text.source_text import MARGIN_PX, SourcePage
from app.uikit.theme import Theme
from app.uikit.untrusted_text import remove_display_helpers
from app.uikit.widgets.labels import plain_tooltip

GAP_PX, HEADING_GAP_PX = 6, 22  # px between sections, and before one with a heading
OUTER_HEADINGS = 1  # depth from which headings are small
PICTURE_GAP_PX = 8


class SectionRow(Row):
    """The widget of a section: its new headings and its text, and below them the picture of a manual's section."""

    def __init__(self, section: WholeSection, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.section = section
        self._theme = theme
        self.page = SourcePage(theme, vertical_px=0)
        self.page.setParent(self)
        self.text = self.page.text
        self.text.setAccessibleName(" ".join(section.new_heading) or phrase("common.text_of_the_source"))
        self._picture = SectionPicture(*section.picture, theme, self) if section.picture is not None else None

    def show_quote(self, quote: str) -> None:
        """Show the text, with a passage of it marked; "" for none."""
        section = self.section
        depth = len(section.heading) - len(section.new_heading)
        if section.is_markdown:
            headings = (f"{'#' * (depth + at)} {one}" for at, one in enumerate(section.new_heading, start=2))
            self.text.show_markdown("\n\n".join((*headings, section.text)))
            return
        start = section.text.find(quote) if quote else -1
        roles = ["heading2" if depth + at < OUTER_HEADINGS else "heading3" for at in range(len(section.new_heading))]
        places = [(start, start + len(quote))] if start >= 0 else []
        self.page.show_text(section.text, places, list(zip(section.new_heading, roles, strict=True)))

    def fit(self, width: int) -> int:
        height = self.page.fit(width)
        if self._picture is not None:
            left = self._theme.px(MARGIN_PX)
            room = width - 2 * left
            self._picture.setGeometry(left, height + PICTURE_GAP_PX, room, self._picture.heightForWidth(room))
            height = self._picture.geometry().bottom() + 1
        return height

    def mark_rect(self) -> QRect:
        """Return the place of the current match, in this widget."""
        return self.text.mark_rect().translated(self.text.mapTo(self, self.text.rect().topLeft()))

    def quote_rect(self) -> QRect:
        """Return the place of the passage that `show_quote` marks; the top of this widget without one."""
        return QRect(0, round(self.page.top_of(0)), 1, 1) if self.page.marks else QRect(0, 0, 1, 1)

    def selected_text(self) -> str:
        return remove_display_helpers(self.text.textCursor().selection().toPlainText()).strip()

    def deselect(self) -> None:
        cursor = self.text.textCursor()
        cursor.clearSelection()
        self.text.setTextCursor(cursor)


class SectionPicture(QWidget):
    """A picture, never wider than its own width. It is read when painted: all those of the manual take 38 MB."""

    def __init__(self, file: Path, about: str, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._file = str(file)
        self._size = QImageReader(self._file).size()
        self._theme = theme
        self.setAccessibleName(about)
        self.setToolTip(plain_tooltip(about))

    def sizeHint(self) -> QSize:
        return self._size

    def heightForWidth(self, width: int) -> int:
        return round(self._size.height() * self._shown_width(width) / max(1, self._size.width()))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        width = self._shown_width(self.width())
        area = QRectF(0, 0, width, self.heightForWidth(width))
        pixmap = QPixmap()
        if not QPixmapCache.find(self._file, pixmap):
            pixmap.load(self._file)
            QPixmapCache.insert(self._file, pixmap)
        painter.drawPixmap(area, pixmap, QRectF(pixmap.rect()))
        painter.setPen(self._theme.color("line"))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(area.adjusted(0.5, 0.5, -0.5, -0.5))

    def _shown_width(self, width: int) -> int:
        return min(width, self._size.width())


class SectionRows(RowsView[SectionRow]):
    """The text of a document. One row can have selected text at a time."""

    row_changed = Signal(int)  # the section that is read now: the first one in sight, or the one that was gone to
    link_chosen = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self._sections: Sequence[WholeSection] = ()
        self._sizes: Sequence[tuple[int, int, int]] = ()
        self._query_words: tuple[str, ...] = ()
        self._revealed = (-1, 0)  # row and match that were gone to
        self._quote: tuple[int, str] = (-1, "")  # row and passage to mark
        self._gone_to: int | None = None  # the row that was gone to, until the user scrolls
        self._row = -1
        self._follows = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName(phrase("chat.text_of_the_document"))

    @property
    def row(self) -> int:
        """Return the index of the section that is read now; -1 without sections."""
        return self._row

    def show_document(self, document: WholeDocument) -> None:
        """Show another document; call `show_row` next."""
        self._drop_from(0)
        self._sections, self._sizes = document.sections, document.sizes
        self._query_words, self._revealed, self._quote = (), (-1, 0), (-1, "")
        self._gone_to, self._row = 0, -1
        self._heights = self._estimated()

    def show_row(self, row: int, quote: str = "") -> None:
        """Scroll to a section, or to a passage of it, which is marked."""
        if not self._sections:
            self._place()
            return
        before, self._quote = self._quote[0], (row, quote)
        for changed in {before, row} & set(self.views):
            self._drop(changed)
        self._follows = False
        self._gone_to = row
        self._place((row, TOP_PX))
        if quote and row in self.views:
            self._bring_into_view(row, SectionRow.quote_rect)
        self._tell_row()

    def mark(self, query_words: Sequence[str]) -> None:
        """Mark these words in all sections; () removes all marks."""
        self._query_words, self._revealed = tuple(query_words), (-1, 0)
        for view in self.views.values():
            view.text.mark(self._query_words)

    def reveal(self, row: int, match_number: int) -> None:
        """Scroll to a match in a section, from 0."""
        before = self.views.get(self._revealed[0])
        self._revealed, self._gone_to = (row, match_number), row
        if before is not None:
            before.text.mark(self._query_words)
        if row in self.views:
            self.views[row].text.mark(self._query_words, match_number)
        self._bring_into_view(row, SectionRow.mark_rect)
        self._tell_row()

    def selection(self) -> tuple[int, str]:
        """Return the section with selected text, and that text; without one the section that is read now, and ""."""
        for row, view in self.views.items():
            if text := view.selected_text():
                return row, text
        return self._row, ""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Scroll to the top with Home and to the bottom with End."""
        if event.key() == Qt.Key.Key_Home:
            self.show_row(0)
        elif event.key() == Qt.Key.Key_End:
            self.show_row(len(self._sections) - 1)
        else:
            super().keyPressEvent(event)

    def scrollContentsBy(self, dx: int, dy: int) -> None:
        if not self._is_placing:
            self._gone_to = None
        super().scrollContentsBy(dx, dy)
        self._follows = False  # the end of a document is no place to stay at

    # -------------------------------------------------------------------- rows

    def _create_view(self, row: int) -> SectionRow:
        view = SectionRow(self._sections[row], self._theme, self.viewport())
        view.show_quote(self._quote[1] if self._quote[0] == row else "")
        if self._query_words:
            view.text.mark(self._query_words, self._revealed[1] if self._revealed[0] == row else None)
        view.text.selectionChanged.connect(lambda: self._on_selected(view))
        view.text.link_chosen.connect(self.link_chosen)
        return view

    def _estimated(self) -> RowHeights:
        theme = self._theme
        characters = max(1, self._column.width // theme.font("reading").pixelSize())
        line, heading, gap = theme.line_height("reading"), theme.px(HEADING_GAP_PX + 24), theme.px(GAP_PX)
        return RowHeights(
            (length // characters + breaks + 1) * line + gap + heading * headings
            for headings, length, breaks in self._sizes
        )

    def _gap(self, row: int) -> int:
        has_heading = row + 1 < len(self._sections) and bool(self._sections[row + 1].new_heading)
        return self._theme.px(HEADING_GAP_PX if has_heading else GAP_PX)

    def _anchor(self) -> tuple[int, int]:
        """Pass over a first row of which only the end can be seen, above the one that was gone to."""
        row, y = super()._anchor()
        if row + 1 < len(self._heights) and y + self._heights[row] <= TOP_PX:
            return row + 1, y + self._heights[row]
        return row, y

    def _on_placed(self) -> None:
        self._tell_row()

    def _tell_row(self) -> None:
        row = -1
        if self._sections:
            row = self._anchor()[0] if self._gone_to is None else self._gone_to
        if row != self._row:
            self._row = row
            self.row_changed.emit(row)

    def _on_selected(self, view: SectionRow) -> None:
        """Leave selected text in one section only, as it is cited with its clause."""
        if view.text.textCursor().hasSelection():
            for other in self.views.values():
                if other is not view and other.text.textCursor().hasSelection():
                    other.deselect()
