"""Show a whole document: its outline beside its text or its pages, where one is in it, and the strip to find words."""

from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent, QShortcut
from PySide6.QtWidgets import QSplitter, QStackedWidget, QWidget

from app.base import search_text
from app.base.services.background import LatestWork, TaskProgress
from app.base.wording import phrase
from app.chat.ui.reader.outline import OutlineList
from app.chat.ui.reader.section_rows import SectionRows
from app.chat.ui.text.source_row import TAG_CHARACTERS
from app.documents.whole_document import WholeDocument, WordCounter
from app.uikit import untrusted_text
from app.uikit.find_strip import FindStrip, MatchPlaces
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import make_icon_button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Label, Separator, set_surface


class ReaderFind(FindStrip):
    """The strip that finds words in the shown document."""

    def __init__(self, theme: Theme, rows: SectionRows) -> None:
        super().__init__(theme, phrase("chat.find_in_this_document"))
        self._rows = rows
        self._document: WholeDocument | None = None
        self._counter: WordCounter | None = None  # keeps folded texts as long as the document, so only while it is open
        self._counting = LatestWork()

    def show_document(self, document: WholeDocument) -> None:
        """Find in another document from now on. The strip is closed."""
        self._document = document
        self.leave()

    def open(self) -> None:
        was_open = not self.isHidden()
        self._take_focus()
        if not was_open:
            self._count()

    def look_for(self, query: str) -> None:
        """Open the strip with a query, and go to its first match from the section on that is read."""
        self._set_query(query)
        self.show()
        self._count()

    # ----------------------------------------------------------------- private

    def _on_query_changed(self) -> None:
        self._count()

    def _count(self) -> None:
        """Count the words in the background, then go to the first match from the section on that is read."""
        self._counting.drop()
        words = tuple(search_text.fold(self.field.text()).split())
        if self._document is None or not words:
            self._on_counted((), [])
            return
        self._counter = self._counter or WordCounter(self._document)
        count = partial(_count, self._counter, words)
        self._counting.run_long(count, partial(self._on_counted, words), lambda _error: None)

    def _on_counted(self, words: tuple[str, ...], counts: list[int]) -> None:
        self._places = MatchPlaces(counts)
        self._rows.mark(words)
        self._number = self._places.number(max(0, self._rows.row), 0) if self._places else 0
        self._show_match()

    def _show_match(self) -> None:
        self._show_number()
        if self._places:
            self._rows.reveal(*self._places[self._number])

    def _forget(self) -> None:
        self._counting.drop()
        self._counter = None
        self._rows.mark(())


def _count(counter: WordCounter, words: tuple[str, ...], progress: TaskProgress) -> list[int]:
    return counter.count(words, progress.check)


OUTLINE_PX, OUTLINE_MIN_PX, OUTLINE_MAX_PX = 260, 140, 480
NARROW_PX = 620  # width below which the outline replaces the text instead of standing beside it
SIDE_PX = 16


class ReaderView(QWidget):
    """A document with its outline. In a narrow place the button 目次 shows one or the other."""

    row_changed = Signal(int)  # the section that is read now; -1: none

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.document: WholeDocument | None = None
        self._wants_outline: bool | None = None  # as the user has chosen; None: by the width
        set_surface(self, "base")
        self._build()
        self.outline_button.clicked.connect(self._on_outline_clicked)
        self.outline.chosen.connect(self._on_heading_chosen)
        self.text.row_changed.connect(self._on_row_changed)
        self.find_strip.left.connect(self.text.setFocus)
        self._theme.changed.connect(self._lay_out)
        for keys, act in (
            ("Ctrl+F", self.find_strip.open),
            ("F3", lambda: self.find_strip.step(1)),
            ("Shift+F3", lambda: self.find_strip.step(-1)),
        ):
            QShortcut(QKeySequence(keys), self, act).setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        self._lay_out()

    def show_document(self, document: WholeDocument) -> None:
        """Show another document; call `go_to` next."""
        self.document = document
        self.find_strip.show_document(document)
        self.outline.show_outline(document.outline)
        self.text.show_document(document)
        self._wants_outline = None
        self._lay_out()

    def go_to(self, row: int, quote: str = "") -> None:
        """Show a section, and what is above it in the outline."""
        self.outline.follow(row, reveals=True)
        self.text.show_row(row, quote)

    def focus_first(self) -> None:
        (self.outline if self.outline.isVisible() and not self.text.isVisible() else self.text).setFocus()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        theme = self._theme
        self.outline_button = make_icon_button(theme, phrase("chat.outline_button"), "menu", "quiet", compact=True)
        self.outline_button.setCheckable(True)
        self.place = ElidedLabel(role="caption", tone="text2")
        self.tag = Label(role="caption", tone="text2")
        self.page = Label(role="caption", tone="text2")
        self._place_row = make_row(self.outline_button, (self.place, 1), self.tag, self.page, spacing_px=theme.px(8))
        self.outline, self.text = OutlineList(theme), SectionRows(theme)
        self.find_strip = ReaderFind(theme, self.text)
        self.stack = QStackedWidget()  # the text, and the pages of a document that has some
        self.stack.addWidget(self.text)
        self._side = QWidget()
        set_surface(self._side, "side")
        make_column((self.outline, 1), into=self._side, margins_px=(2, 6, 2, 6), spacing_px=0)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        self.splitter.addWidget(self._side)
        self.splitter.addWidget(self.stack)
        self.splitter.setChildrenCollapsible(False)
        self.splitter.setHandleWidth(1)
        self.splitter.setStretchFactor(0, 0)
        self.splitter.setStretchFactor(1, 1)
        make_column(self.find_strip, self._place_row, Separator(), (self.splitter, 1), into=self, spacing_px=0)

    def _lay_out(self) -> None:
        px = self._theme.px
        is_narrow = self.width() < px(NARROW_PX)
        has_outline = self.document is not None and bool(self.document.outline)
        wanted = not is_narrow if self._wants_outline is None else self._wants_outline
        is_shown = has_outline and wanted
        was_hidden = self._side.isHidden()
        self.outline_button.setVisible(has_outline)
        self.outline_button.setChecked(is_shown)
        self._side.setVisible(is_shown)
        self.stack.setVisible(not (is_shown and is_narrow))
        self._side.setMinimumWidth(px(OUTLINE_MIN_PX))
        self._side.setMaximumWidth(16_777_215 if is_narrow else px(OUTLINE_MAX_PX))
        self._place_row.setContentsMargins(px(SIDE_PX) - 6, px(4), px(SIDE_PX), px(4))
        if is_shown and was_hidden and not is_narrow:
            self.splitter.setSizes([px(OUTLINE_PX), max(1, self.width() - px(OUTLINE_PX))])

    # ------------------------------------------------------------------- slots

    def _on_outline_clicked(self) -> None:
        self._wants_outline = self._side.isHidden()
        self._lay_out()
        if self.outline.isVisible():
            self.outline.setFocus(Qt.FocusReason.OtherFocusReason)

    def _on_heading_chosen(self, row: int) -> None:
        if self.width() < self._theme.px(NARROW_PX):
            self._wants_outline = None
            self._lay_out()
        self.text.show_row(row)

    def _on_row_changed(self, row: int) -> None:
        document = self.document
        if document is None or row < 0:
            return
        section = document.sections[row]
        self.outline.follow(row)
        self.place.setText(untrusted_text.make_harmless(" › ".join(section.heading)))
        self.tag.setText(untrusted_text.make_harmless(section.tag)[:TAG_CHARACTERS])
        recognized = phrase("common.recognized") if section.is_recognized else ""
        page = phrase("chat.page_short", n=section.page) if section.page else ""
        self.page.setText("　".join(filter(None, (recognized, page))))
        self.row_changed.emit(row)
