"""Show the headings of a document as a tree that follows what is read.

It is a flat list of the unfolded headings: a tree view of Qt asks Python for each of thousands of entries when one is
unfolded.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyleOptionViewItem

from app.base.wording import phrase
from app.documents.whole_document import Heading
from app.uikit import untrusted_text
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip
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
