"""Show a whole document: its outline beside its text or its pages, where one is in it, and the strip to find words.

The outline is a flat list of the unfolded headings: a tree view of Qt asks Python for each of thousands of entries when
one is unfolded.
"""

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QMouseEvent, QPainter, QResizeEvent, QShortcut
from PySide6.QtWidgets import QListView, QSplitter, QStackedWidget, QStyle, QStyleOptionViewItem, QWidget

from app.base import search_text
from app.base.services.background import LatestWork, TaskProgress
from app.base.wording import phrase
from app.chat.ui.reader.section_rows import SectionRows
from app.chat.ui.text.source_panel import TAG_CHARACTERS
from app.documents.whole_document import Heading, WholeDocument, WordCounter
from app.uikit import untrusted_text
from app.uikit.find_strip import FindStrip, MatchPlaces
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import make_icon_button
from app.uikit.widgets.containers import make_column, make_row
from app.uikit.widgets.labels import ElidedLabel, Label, Separator, plain_tooltip, set_surface
from app.uikit.widgets.list_rows import Index, ThemedDelegate

UNFOLDED_MAX = 60  # an outline with more headings shows only the outermost ones at first
DEPTH_MAX = 5  # deeper headings are not indented further
INDENT_PX, CHEVRON_PX, SIDE_PX, ROW_PX = 14, 16, 8, 28


class OutlineModel(QAbstractListModel):
    """The headings that are not folded away, in order. A heading's number is its index in the whole outline."""

    def __init__(self) -> None:
        super().__init__()
        self._headings: Sequence[Heading] = ()
        self._rows: list[int] = []  # the first section of each heading
        self._parents: frozenset[int] = frozenset()  # numbers of the headings with others below them
        self._unfolded: set[int] = set()
        self._shown: list[int] = []  # numbers
        self._place: dict[int, int] = {}  # number -> index in `_shown`

    def show_outline(self, headings: Sequence[Heading]) -> None:
        self.beginResetModel()
        self._headings, self._rows = headings, [heading.row for heading in headings]
        self._parents = frozenset(heading.parent for heading in headings)
        self._unfolded = set(self._parents) if len(headings) <= UNFOLDED_MAX else set()
        self._list()
        self.endResetModel()

    def heading(self, number: int) -> Heading:
        return self._headings[number]

    def number_at(self, index: Index) -> int:
        """Return the number of a shown heading; -1 for an invalid index."""
        return self._shown[index.row()] if index.isValid() else -1

    def number_of_row(self, row: int) -> int:
        """Return the number of the last heading at or before a section; -1 if there is none."""
        return bisect_right(self._rows, row) - 1

    def index_of(self, number: int) -> QModelIndex:
        """Return the index of a heading, or of the nearest shown one above it if it is folded away."""
        while number >= 0 and number not in self._place:
            number = self._headings[number].parent
        return self.index(self._place[number]) if number >= 0 else QModelIndex()

    def can_unfold(self, number: int) -> bool:
        return number in self._parents

    def is_unfolded(self, number: int) -> bool:
        return number in self._unfolded

    def set_unfolded(self, number: int, *, is_unfolded: bool) -> None:
        """Unfold or fold a heading."""
        if self.can_unfold(number) and is_unfolded != self.is_unfolded(number):
            self.beginResetModel()
            self._unfolded ^= {number}
            self._list()
            self.endResetModel()

    def reveal(self, number: int) -> None:
        """Unfold everything above a heading."""
        above: set[int] = set()
        while number >= 0 and (number := self._headings[number].parent) >= 0:
            above.add(number)
        if not above <= self._unfolded:
            self.beginResetModel()
            self._unfolded |= above
            self._list()
            self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        number = self._shown[index.row()]
        title = untrusted_text.make_harmless(self._headings[number].title)
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return title
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(title)
            case Qt.ItemDataRole.AccessibleTextRole:
                level = phrase("chat.heading_level_n", n=self._headings[number].depth + 1)
                state = "unfolded" if self.is_unfolded(number) else "folded"
                return join_facts(title, level, phrase(f"chat.outline.{state}") if self.can_unfold(number) else "")
        return None

    def _list(self) -> None:
        shown: list[int] = []
        hidden_below = -1  # depth of the folded heading whose subtree is passed over; -1: none
        for number, heading in enumerate(self._headings):
            if hidden_below >= 0 and heading.depth > hidden_below:
                continue
            shown.append(number)
            hidden_below = -1 if number in self._unfolded else heading.depth
        self._shown = shown
        self._place = {number: place for place, number in enumerate(shown)}


class OutlineList(QListView):
    """The outline. Right unfolds a heading, Left folds it or goes to the one above."""

    chosen = Signal(int)  # row of the first section below a heading that the user went to

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.outline = OutlineModel()
        self._is_following = False
        list_rows.set_up_list(
            self, self.outline, OutlineDelegate(theme, self.outline, self), phrase("chat.outline_of_the_document")
        )
        self.setUniformItemSizes(True)
        self.selectionModel().currentChanged.connect(self._on_current_changed)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def show_outline(self, headings: Sequence[Heading]) -> None:
        self._is_following = True
        self.outline.show_outline(headings)
        self._is_following = False

    def follow(self, row: int, *, reveals: bool = False) -> None:
        """Select the heading of a section. `reveals`: unfold what is above it, if it is folded away."""
        number = self.outline.number_of_row(row)
        current = self.outline.number_at(self.currentIndex())
        if not reveals and current >= 0 and self.outline.heading(current).row == row:
            return  # one of several headings of this section, which the user has chosen
        if reveals:
            self.outline.reveal(number)
        self._select(number)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        number = self.outline.number_at(self.currentIndex())
        if number < 0 or event.key() not in (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Return, Qt.Key.Key_Enter):
            super().keyPressEvent(event)
        elif event.key() == Qt.Key.Key_Right:
            self._unfold(number, is_unfolded=True)
        elif event.key() != Qt.Key.Key_Left:
            self.chosen.emit(self.outline.heading(number).row)
        elif self.outline.is_unfolded(number):
            self._unfold(number, is_unfolded=False)
        elif (above := self.outline.heading(number).parent) >= 0:
            self.setCurrentIndex(self.outline.index_of(above))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Fold or unfold by a click on the chevron; go to a heading by any other click."""
        number = self.outline.number_at(self.indexAt(event.position().toPoint()))
        if number >= 0 and event.button() == Qt.MouseButton.LeftButton:
            left = _left(self._theme, self.outline.heading(number))
            if self.outline.can_unfold(number) and event.position().x() < left + self._theme.px(CHEVRON_PX):
                self._unfold(number, is_unfolded=not self.outline.is_unfolded(number))
                return
            if self.outline.number_at(self.currentIndex()) == number:
                self.chosen.emit(self.outline.heading(number).row)
        super().mousePressEvent(event)

    def _unfold(self, number: int, *, is_unfolded: bool) -> None:
        kept, top = self.outline.number_at(self.currentIndex()), self.verticalScrollBar().value()
        self._is_following = True
        self.outline.set_unfolded(number, is_unfolded=is_unfolded)
        self._is_following = False
        self.doItemsLayout()
        self.verticalScrollBar().setValue(top)
        self._select(kept)

    def _select(self, number: int) -> None:
        self._is_following = True
        self.setCurrentIndex(self.outline.index_of(number))
        self._is_following = False

    def _on_current_changed(self, current: QModelIndex) -> None:
        if not self._is_following and current.isValid():
            self.chosen.emit(self.outline.heading(self.outline.number_at(current)).row)


class OutlineDelegate(ThemedDelegate):
    """Paints a heading with its indentation, and a chevron if there are headings below it."""

    def __init__(self, theme: Theme, outline: OutlineModel, parent: QListView) -> None:
        super().__init__(theme, parent)
        self._outline = outline

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.px(ROW_PX))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme, number = self._theme, self._outline.number_at(index)
        heading = self._outline.heading(number)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        area: QRect = option.rect.adjusted(2, 0, -2, 0)
        list_rows.draw_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        left, size = area.left() + _left(theme, heading), theme.px(CHEVRON_PX)
        if self._outline.can_unfold(number):
            icon = "chevron-down" if self._outline.is_unfolded(number) else "chevron-right"
            theme.icon(icon, "text2", 14).paint(painter, QRect(left, area.top(), size, area.height()))
        room = area.adjusted(0, 0, -theme.px(SIDE_PX), 0)
        room.setLeft(left + size + theme.px(2))
        tone = "text" if heading.depth == 0 or is_chosen else "text2"
        list_rows.draw_text(painter, theme, room, index.data(), "ui", tone, weight=600 if is_chosen else 400)
        painter.restore()


def _left(theme: Theme, heading: Heading) -> int:
    """Return the x coordinate of a heading's chevron."""
    return theme.px(SIDE_PX) + theme.px(INDENT_PX) * min(heading.depth, DEPTH_MAX)


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
PLACE_SIDE_PX = 16


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
        self._place_row.setContentsMargins(px(PLACE_SIDE_PX) - 6, px(4), px(PLACE_SIDE_PX), px(4))
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
