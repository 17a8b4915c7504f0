"""A column of thousands of rows of which only those near the visible part have widgets.

The heights of the others are estimated, and corrected when they come near, without moving what is being read.
"""

import math
import time
from collections.abc import Callable

from PySide6.QtCore import QRect, Qt, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QAbstractScrollArea, QFrame, QWidget

from app.chat.ui.transcript.column import BOTTOM, TOP, Column
from app.chat.ui.transcript.heights import Heights
from app.chat.ui.transcript.live_rows import LiveRows
from app.chat.ui.transcript.message_view import MessageView
from app.uikit.theme import Theme

FILL_MS = 8  # a pause in which a frame can be painted
LIVE_MAX = 60  # widgets kept while scrolling goes on; fewer when it rests
BUDGET_S = 0.007  # for new widgets in one go; what is missing then follows in the next round of the event loop


class RowsView(QAbstractScrollArea):
    """Subclasses say what the rows are (`_create_view`, `_estimated`, `_gap`) and call `_place` after each change."""

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._heights = Heights()
        self._live = LiveRows(self._create_view)
        self._column = Column.of(self.width(), theme)
        self._follows = True  # the end stays in sight when something is added
        self._is_placing = False
        self._fill_timer = QTimer(self, singleShot=True, interval=FILL_MS)
        self._fill_timer.timeout.connect(self._fill)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setProperty("surface", "base")

    def _create_view(self, row: int) -> MessageView:
        raise NotImplementedError

    def _estimated(self) -> Heights:
        """Heights of all rows from what is known without a widget, gaps included."""
        raise NotImplementedError

    def _gap(self, row: int) -> int:
        """Pixels between this row and the next."""
        raise NotImplementedError

    def _on_placed(self) -> None:
        """The part in sight may have changed."""

    @property
    def live_count(self) -> int:
        return len(self._live)

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
        column = Column.of(self.width(), self._theme)
        if column.width == self._column.width:
            self._column = column
            self._place()
            return
        anchor = self._anchor()
        self._column = column
        self._heights = self._estimated()
        for row in self._live:
            self._measure(row)
        self._place(anchor)

    def focusNextPrevChild(self, is_next: bool) -> bool:
        moved = super().focusNextPrevChild(is_next)
        focused = self.focusWidget()
        if moved and focused is not None and self.viewport().isAncestorOf(focused):
            # None while a row is being taken away: Qt then moves the focus out of what is no longer a row.
            view = next((view for row in self._live if (view := self._live[row]).isAncestorOf(focused)), None)
            if view is None:
                return moved
            self._ensure_visible(view, QRect(focused.mapTo(view, focused.rect().topLeft()), focused.size()))
        return moved

    def _ensure_visible(self, view: MessageView, rect: QRect) -> None:
        """Scrolls just as far as needed; of a part higher than the viewport its top is shown."""
        top = view.y() + rect.top()
        below = top + rect.height() - self.viewport().height()
        bar = self.verticalScrollBar()
        if top < 0:
            bar.setValue(bar.value() + top - TOP)
        elif below > 0:
            bar.setValue(bar.value() + min(top, below + TOP))

    def _bring(self, row: int, part: Callable[[MessageView], QRect]) -> None:
        """Scrolls a part of a row, in its widget's coordinates, to the upper third, unless it is in sight already."""
        self._follows = False
        self._need(row, math.inf)
        self._measure(row)
        height = self.viewport().height()
        y = self._y(row, self.verticalScrollBar().value())
        is_far = y >= height or y + self._heights[row] <= 0
        self._place((row, height // 3) if is_far else None)
        view = self._live[row]
        rect = part(view).translated(0, view.y())
        if rect.top() < TOP or rect.bottom() > height - 2 * TOP:
            self.verticalScrollBar().setValue(self.verticalScrollBar().value() + rect.top() - height // 3)

    # ----------------------------------------------------------------- placing

    def _place(self, anchor: tuple[int, int] | None = None) -> None:
        """Gives the visible rows their widgets and everything its position; the row of `anchor` stays where it is."""
        if not len(self._heights):
            self.verticalScrollBar().setRange(0, 0)
            self._on_placed()
            return
        self._is_placing = True
        deadline = time.perf_counter() + BUDGET_S
        row, y = self._end_anchor(deadline) if self._follows else anchor or self._anchor()
        first, last, is_complete = self._realize(row, y, 0, deadline)
        while self._scroll_to(row, y):  # an end of the range moved it: other rows may have come into sight
            row, y = self._anchor()
            first, last, is_complete = self._realize(row, y, 0, deadline)
        if len(self._live) > LIVE_MAX:
            self._live.drop_outside(first - 2, last + 2)
        self._position()
        self._is_placing = False
        if not is_complete or not {max(0, first - 1), min(last + 1, len(self._heights) - 1)} <= set(self._live):
            self._fill_timer.start()
        self._on_placed()

    def _fill(self) -> None:
        """In a free moment: what the budget left out, and rows just outside, so that scrolling finds them ready."""
        if not len(self._heights):
            return
        self._is_placing = True
        row, y = self._anchor()
        margin = self.viewport().height() // 2
        first, last, is_complete = self._realize(row, y, margin, time.perf_counter() + BUDGET_S / 4)
        self._scroll_to(row, y)
        self._live.drop_outside(first - 2, last + 2)
        self._position()
        self._is_placing = False
        if is_complete:
            self._live.set_tab_order()
            self._on_placed()
        else:
            self._fill_timer.start()

    def _anchor(self) -> tuple[int, int]:
        """The first visible row that has a widget, and its top in the viewport: what must not jump."""
        if not len(self._heights):
            return 0, 0
        value = self.verticalScrollBar().value()
        row = visible = self._heights.row_at(value - TOP)
        while visible < len(self._heights) and self._y(visible, value) < self.viewport().height():
            if visible in self._live:
                return visible, self._y(visible, value)
            visible += 1
        return row, self._y(row, value)

    def _end_anchor(self, deadline: float) -> tuple[int, int]:
        last = len(self._heights) - 1
        self._need(last, deadline)
        return last, self.viewport().height() - BOTTOM - self._heights[last]

    def _y(self, row: int, value: int) -> int:
        return TOP + self._heights.top(row) - value

    def _realize(self, row: int, y: int, margin: int, deadline: float) -> tuple[int, int, bool]:
        """Widgets for what reaches into the viewport and `margin`: first and last row, and whether all have one."""
        is_complete = True
        last, bottom = row, y
        while True:
            is_complete &= self._need(last, deadline)
            bottom += self._heights[last]
            if bottom >= self.viewport().height() + margin or last + 1 == len(self._heights):
                break
            last += 1
        first, top = row, y
        while first > 0 and top > -margin:
            first -= 1
            is_complete &= self._need(first, deadline)
            top -= self._heights[first]
        return first, last, is_complete

    def _need(self, row: int, deadline: float) -> bool:
        if row in self._live:
            return True
        if time.perf_counter() > deadline:
            return False
        self._live.ensure(row)
        self._measure(row)
        return True

    def _measure(self, row: int) -> None:
        view = self._live.get(row)
        if view is not None:
            self._heights[row] = view.fit(self._column.width) + self._gap(row)

    def _scroll_to(self, row: int, y: int) -> bool:
        """Sets range and value so that the row stands at `y`. Returns whether an end of the range prevented it."""
        bar = self.verticalScrollBar()
        height = self.viewport().height()
        bar.setPageStep(max(1, height - self._theme.px(40)))
        bar.setSingleStep(self._theme.line_height("reading"))
        bar.setRange(0, max(0, TOP + self._heights.top(len(self._heights)) + BOTTOM - height))
        wanted = self._y(row, 0) - y
        is_same = bar.value() == wanted
        bar.setValue(wanted)
        return not is_same and bar.value() != wanted

    def _position(self) -> None:
        value = self.verticalScrollBar().value()
        for row in self._live:
            view = self._live[row]
            height = self._heights[row] - self._gap(row)
            view.setGeometry(self._column.left, self._y(row, value), self._column.width, height)
            view.show()
