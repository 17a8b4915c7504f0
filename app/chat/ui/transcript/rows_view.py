"""Show a column of thousands of rows, of which only those in or near the visible part have widgets.

The heights of the other rows are estimated. They are corrected when the rows come near, without moving what the user is
reading. A Fenwick tree makes sums and corrections of heights O(log n).
"""

import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QApplication, QFrame, QHBoxLayout, QWidget

from app.chat import answer_check
from app.chat.records import Message
from app.uikit.theme import Theme


class RowHeights:
    """Stores the heights of rows in px as a Fenwick tree."""

    def __init__(self, heights: Iterable[int] = ()) -> None:
        self._heights = list(heights)
        self._tree = [0, *self._heights]
        for node in range(1, len(self._tree)):
            parent = node + (node & -node)
            if parent < len(self._tree):
                self._tree[parent] += self._tree[node]

    def __len__(self) -> int:
        return len(self._heights)

    def __getitem__(self, row: int) -> int:
        return self._heights[row]

    def __setitem__(self, row: int, height: int) -> None:
        change = height - self._heights[row]
        self._heights[row] = height
        node = row + 1
        while change and node < len(self._tree):
            self._tree[node] += change
            node += node & -node

    def __iter__(self) -> Iterator[int]:
        return iter(self._heights)

    def append(self, height: int) -> None:
        node = len(self._tree)
        below = node - (node & -node)
        self._heights.append(height)
        self._tree.append(height + self.top(node - 1) - self.top(below))

    def top(self, row: int) -> int:
        """Return the y of a row's top in px: the sum of all heights before it. `top(len(self))` is the total."""
        total = 0
        while row > 0:
            total += self._tree[row]
            row -= row & -row
        return total

    def row_at(self, y: int) -> int:
        """Return the row that covers `y` (px), or the nearest one when `y` is outside. At least one row must exist."""
        row, left = 0, y
        step = 1 << (len(self._tree).bit_length() - 1)
        while step:
            if row + step < len(self._tree) and self._tree[row + step] <= left:
                row += step
                left -= self._tree[row]
            step >>= 1
        return min(row, len(self._heights) - 1)


TOP_PX, BOTTOM_PX = 20, 28  # px above the first and below the last message
GAP_AFTER_QUESTION, GAP_AFTER_ANSWER = 14, 18
SIDE_PX = 16
USED_SOURCES = 2  # assumed highest number of sources that an answer shows
_NARROWEST = 160  # minimum width in px, because a page has almost no width before the window is laid out


@dataclass(frozen=True, slots=True)
class TranscriptColumn:
    """The position and width of the column of messages in a page, in px."""

    left: int
    width: int

    @classmethod
    def for_page_width(cls, page_width: int, theme: Theme) -> "TranscriptColumn":
        """Return a column of 640 px at a text size of 100 %; in a narrow page, one with only 16 px at each side."""
        width = max(_NARROWEST, min(theme.metric("column_width"), page_width - 2 * theme.px(SIDE_PX)))
        return cls(max(0, (page_width - width) // 2), width)


class HeightEstimate:
    """Estimates the height in px of messages without a widget, from the number of their characters."""

    def __init__(self, column: TranscriptColumn, theme: Theme) -> None:
        font_px = theme.font("reading").pixelSize()
        self._line = theme.line_height("reading")
        self._answer_characters = max(1, column.width // font_px)
        self._question_characters = max(1, (column.width - theme.px(32)) // font_px)
        self._question_frame = theme.px(46 + GAP_AFTER_QUESTION)
        self._answer_frame = theme.px(34 + GAP_AFTER_ANSWER)
        self._check, self._source = theme.px(34), theme.px(30)

    def height(self, message: Message) -> int:
        if message.is_action:
            return self._check
        text = message.text[:20_000]
        if message.role == "question":
            return self._question_frame + self._lines(text, self._question_characters) * self._line
        return (
            self._answer_frame + self._lines(text, self._answer_characters) * self._line + self._footer_height(message)
        )

    def _footer_height(self, message: Message) -> int:
        """Return the height of the check and the sources below an answer from documents, in px."""
        grounding = answer_check.grounding_of(message)
        mark_px = 2 * self._check * len(answer_check.origin_marks(message))
        if grounding is None:
            return mark_px
        return mark_px + self._check + self._source * min(USED_SOURCES, len(grounding.sources))

    @staticmethod
    def _lines(text: str, characters: int) -> int:
        return len(text) // characters + text.count("\n") + 1


def gap_after(message: Message, theme: Theme) -> int:
    return theme.px(GAP_AFTER_QUESTION if message.role == "question" else GAP_AFTER_ANSWER)


class CentredRow(QHBoxLayout):
    """A layout that centres a widget, at most as wide as the transcript, and lets the page become narrower."""

    def __init__(self, theme: Theme, widget: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._widget = widget
        self.setSpacing(0)
        self.addStretch(1)
        self.addWidget(widget, 10_000)
        self.addStretch(1)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _lay_out(self) -> None:
        self.setContentsMargins(self._theme.px(SIDE_PX), 0, self._theme.px(SIDE_PX), 0)
        self._widget.setMaximumWidth(self._theme.metric("column_width"))


class Row(QWidget):
    """The widget of a row."""

    def fit(self, width: int) -> int:
        """Lay out for a width in px and return the height needed in px, without applying the height."""
        raise NotImplementedError


RowT = TypeVar("RowT", bound=Row)

FILL_MS = 8  # a pause in which Qt can paint a frame
LIVE_MAX = 60  # most widgets during scrolling; fewer are kept when scrolling stops
BUDGET_S = 0.007  # seconds for new widgets in one call; the rest are made in the next round of the event loop


class RowsView(QAbstractScrollArea, Generic[RowT]):
    """Shows rows. Subclasses implement `_create_view`, `_estimated`, `_gap`, and call `_place` after changes."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._heights = RowHeights()
        self.views: dict[int, RowT] = {}  # by row; only those that are visible, near, or have the focus
        self._column = TranscriptColumn.for_page_width(self.width(), theme)
        self._follows = True  # True: the view stays at the end when rows grow or are added
        self._is_placing = False
        self._fill_timer = QTimer(self, singleShot=True, interval=FILL_MS)
        self._fill_timer.timeout.connect(self._fill)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setProperty("surface", "base")
        theme.changed.connect(self._rebuild)

    def _create_view(self, row: int) -> RowT:
        raise NotImplementedError

    def _estimated(self) -> RowHeights:
        """Return the estimated heights of all rows, including the gaps below them, in px."""
        raise NotImplementedError

    def _gap(self, row: int) -> int:
        """Return the pixels between this row and the next."""
        raise NotImplementedError

    def _on_placed(self) -> None:
        """React to a possible change of the visible part; the default does nothing."""

    def _rebuild(self) -> None:
        """Make all widgets again, because text keeps the colours and sizes of its creation."""
        anchor = self._anchor()
        self._drop_from(0)
        self._column = TranscriptColumn.for_page_width(self.width(), self._theme)
        self._heights = self._estimated()
        self._place(anchor)

    # --------------------------------------------------------------- scrolling

    def is_at_end(self) -> bool:
        bar = self.verticalScrollBar()
        return bar.value() >= bar.maximum() - 2

    def scroll_to_end(self) -> None:
        self._follows = True
        self._place()

    def scrollContentsBy(self, _dx: int, _dy: int) -> None:
        if not self._is_placing:
            self._follows = self.is_at_end()
            self._place()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        column = TranscriptColumn.for_page_width(self.width(), self._theme)
        if column.width == self._column.width:
            self._column = column
            self._place()
            return
        anchor = self._anchor()
        self._column = column
        self._heights = self._estimated()
        for row in list(self.views):
            self._measure(row)
        self._place(anchor)

    def focusNextPrevChild(self, is_next: bool) -> bool:
        moved = super().focusNextPrevChild(is_next)
        focused = self.focusWidget()
        if moved and focused is not None and self.viewport().isAncestorOf(focused):
            # None while a row is being removed: Qt then moves the focus out of a widget that is no longer in `views`.
            view = next((view for view in self.views.values() if view.isAncestorOf(focused)), None)
            if view is None:
                return moved
            self._ensure_visible(view, QRect(focused.mapTo(view, focused.rect().topLeft()), focused.size()))
        return moved

    def _ensure_visible(self, view: RowT, rect: QRect) -> None:
        """Scroll just far enough to show the part `rect` of a widget, or its top if it is higher than the viewport."""
        top = view.y() + rect.top()
        below = top + rect.height() - self.viewport().height()
        bar = self.verticalScrollBar()
        if top < 0:
            bar.setValue(bar.value() + top - TOP_PX)
        elif below > 0:
            bar.setValue(bar.value() + min(top, below + TOP_PX))

    def _bring_into_view(self, row: int, part: Callable[[RowT], QRect]) -> None:
        """Scroll a `part` of a row, a rectangle in its widget, to the upper third, unless it is visible."""
        self._follows = False
        self._ensure_view(row, math.inf)
        self._measure(row)
        height = self.viewport().height()
        y = self._y(row, self.verticalScrollBar().value())
        is_far = y >= height or y + self._heights[row] <= 0
        self._place((row, height // 3) if is_far else None)
        view = self.views[row]
        rect = part(view).translated(0, view.y())
        if rect.top() < TOP_PX or rect.bottom() > height - 2 * TOP_PX:
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() + rect.top() - height // 3)

    # ----------------------------------------------------------------- placing

    def _place(self, anchor: tuple[int, int] | None = None) -> None:
        """Make the widgets of visible rows and position all. `anchor`: a row and the y coordinate that it keeps."""
        if not len(self._heights):
            self.verticalScrollBar().setRange(0, 0)
            self._on_placed()
            return
        self._is_placing = True
        deadline = time.perf_counter() + BUDGET_S
        row, y = self._end_anchor(deadline) if self._follows else anchor or self._anchor()
        first, last, is_complete = self._create_visible_views(row, y, 0, deadline)
        while self._scroll_to(row, y):  # the scroll range prevented the position, so other rows may be visible now
            row, y = self._anchor()
            first, last, is_complete = self._create_visible_views(row, y, 0, deadline)
        if len(self.views) > LIVE_MAX:
            self._drop_outside(first - 2, last + 2)
        self._position()
        self._is_placing = False
        if not is_complete or not {max(0, first - 1), min(last + 1, len(self._heights) - 1)} <= set(self.views):
            self._fill_timer.start()
        self._on_placed()

    def _fill(self) -> None:
        """Make, in idle time, the widgets beyond the time budget and those just outside the viewport."""
        if not len(self._heights):
            return
        self._is_placing = True
        row, y = self._anchor()
        margin = self.viewport().height() // 2
        first, last, is_complete = self._create_visible_views(row, y, margin, time.perf_counter() + BUDGET_S / 4)
        self._scroll_to(row, y)
        self._drop_outside(first - 2, last + 2)
        self._position()
        self._is_placing = False
        if is_complete:
            self._set_tab_order()
            self._on_placed()
        else:
            self._fill_timer.start()

    def _anchor(self) -> tuple[int, int]:
        """Return the first visible row with a widget and its y in the viewport, which placing must not change."""
        if not len(self._heights):
            return 0, 0
        value = self.verticalScrollBar().value()
        row = visible = self._heights.row_at(value - TOP_PX)
        while visible < len(self._heights) and self._y(visible, value) < self.viewport().height():
            if visible in self.views:
                return visible, self._y(visible, value)
            visible += 1
        return row, self._y(row, value)

    def _end_anchor(self, deadline: float) -> tuple[int, int]:
        last = len(self._heights) - 1
        self._ensure_view(last, deadline)
        return last, self.viewport().height() - BOTTOM_PX - self._heights[last]

    def _y(self, row: int, value: int) -> int:
        return TOP_PX + self._heights.top(row) - value

    def _create_visible_views(self, row: int, y: int, margin: int, deadline: float) -> tuple[int, int, bool]:
        """Make the widgets of the rows within the viewport and `margin` px around it. Return the first and the last of
        these rows, and whether all have a widget. `deadline` is as for `_ensure_view`."""
        is_complete = True
        last, bottom = row, y
        while True:
            is_complete &= self._ensure_view(last, deadline)
            bottom += self._heights[last]
            if bottom >= self.viewport().height() + margin or last + 1 == len(self._heights):
                break
            last += 1
        first, top = row, y
        while first > 0 and top > -margin:
            first -= 1
            is_complete &= self._ensure_view(first, deadline)
            top -= self._heights[first]
        return first, last, is_complete

    def _ensure_view(self, row: int, deadline: float) -> bool:
        """Make a row's widget until `deadline` (seconds of time.perf_counter); return whether the row has one."""
        if row in self.views:
            return True
        if time.perf_counter() > deadline:
            return False
        self.views[row] = self._create_view(row)
        self._measure(row)
        return True

    def _measure(self, row: int) -> None:
        view = self.views.get(row)
        if view is not None:
            self._heights[row] = view.fit(self._column.width) + self._gap(row)

    def _scroll_to(self, row: int, y: int) -> bool:
        """Set the scroll range, and the value that puts the row at `y`; return whether the range forbade that."""
        bar = self.verticalScrollBar()
        height = self.viewport().height()
        bar.setPageStep(max(1, height - self._theme.px(40)))
        bar.setSingleStep(self._theme.line_height("reading"))
        bar.setRange(0, max(0, TOP_PX + self._heights.top(len(self._heights)) + BOTTOM_PX - height))
        value = self._y(row, 0) - y
        is_same = bar.value() == value
        bar.setValue(value)
        return not is_same and bar.value() != value

    def _position(self) -> None:
        value = self.verticalScrollBar().value()
        for row, view in list(self.views.items()):
            height = self._heights[row] - self._gap(row)
            view.setGeometry(self._column.left, self._y(row, value), self._column.width, height)
            view.show()

    def _drop_outside(self, first: int, last: int) -> None:
        """Remove the widgets of all rows but `first` to `last`, except one with the focus."""
        focused = QApplication.focusWidget()
        for row in [row for row in self.views if not first <= row <= last]:
            if focused is None or not self.views[row].isAncestorOf(focused):
                self._drop(row)

    def _drop_from(self, first: int) -> None:
        for row in [row for row in self.views if row >= first]:
            self._drop(row)

    def _drop(self, row: int) -> None:
        view = self.views.pop(row)
        view.hide()
        view.deleteLater()

    def _set_tab_order(self) -> None:
        """Make Tab follow the conversation, because widgets are made in the order in which they become visible."""
        chain = [
            widget
            for _, view in sorted(self.views.items())
            for widget in view.findChildren(QWidget)
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        ]
        for earlier, later in itertools.pairwise(chain):
            QWidget.setTabOrder(earlier, later)
