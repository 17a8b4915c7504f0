"""Lay out list, row and source side by side.

With less space the source moves below the row, with even less both move below the list.
"""

from collections.abc import Callable

from PySide6.QtCore import QSize, QTimer
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QPlainTextEdit, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.containers import Stretch, fix_width, make_column, make_row, make_scrollable, set_direction
from app.uikit.widgets.labels import Separator, set_surface

# Widths from which the source is placed beside the row, and the row beside the list.
SOURCE_FROM_PX = 1000
LIST_FROM_PX = 700

LIST_PX, LIST_LEAST_PX, SOURCE_PX = 348, 250, 388
LIST_SHARE, SOURCE_SHARE = 0.36, 0.34  # largest shares of the width for the list and the source
LIST_STRETCH, ROW_STRETCH = 42, 58  # parts of the height if the list is above the row
ROW_LEAST_PX = 140
AROUND_CARET_PX = 32
ABOVE_MARK_PX = 60  # height of the passage that stays visible above the quote


class ReviewLayout(QWidget):
    def __init__(self, theme: Theme, listed: QWidget, row: QWidget, source: QWidget) -> None:
        """Create the layout. `source` is hidden until `show_source` is called for a row that has one."""
        super().__init__()
        self._theme = theme
        self._listed, self._row, self._source = listed, row, source
        self._has_source = False
        self._mark_top: Callable[[], int] = int
        self._scroll_soon = QTimer(self, singleShot=True, interval=0)
        self._scroll_soon.timeout.connect(self._scroll)
        self._build()
        theme.changed.connect(self.lay_out)

    @property
    def is_stacked(self) -> bool:
        return self.width() < self._theme.px(LIST_FROM_PX)

    @property
    def is_source_beside(self) -> bool:
        return self.width() >= self._theme.px(SOURCE_FROM_PX)

    @property
    def _list_width(self) -> int:
        """Return the width of the list in pixels if it is beside the row."""
        px = self._theme.px
        return max(px(LIST_LEAST_PX), min(px(LIST_PX), round(self.width() * LIST_SHARE)))

    def show_source(self, has_source: bool) -> None:
        self._has_source = has_source
        self.lay_out()

    def scroll_to_top(self, mark_top: Callable[[], int]) -> None:
        """Scroll to the top after another row is shown.

        `mark_top`: returns the position of the quote in the source, in pixels; it is called after the layout.
        """
        self._mark_top = mark_top
        self._scroll_soon.start()

    def keep_in_sight(self, field: QPlainTextEdit) -> None:
        """Scroll so that the line with the text cursor of `field` stays visible."""
        place = field.viewport().mapTo(self._content, field.cursorRect().center())
        self._middle.ensureVisible(place.x(), place.y(), 0, self._theme.px(AROUND_CARET_PX))

    def lay_out(self) -> None:
        px, width = self._theme.px, self.width()
        is_stacked, is_beside = self.is_stacked, self.is_source_beside
        set_direction(self._columns, is_row=not is_stacked)
        self._below_list.setVisible(is_stacked)
        self._beside_list.setVisible(not is_stacked)
        self._place_source(is_beside)
        self._columns.setStretchFactor(self._listed, LIST_STRETCH if is_stacked else 0)
        fix_width(self._listed, None if is_stacked else self._list_width)
        self._middle.setMinimumHeight(px(ROW_LEAST_PX))
        self._right.setFixedWidth(min(px(SOURCE_PX), round(width * SOURCE_SHARE)))
        self._right.setVisible(is_beside and self._has_source)
        self._rule.setVisible(is_beside and self._has_source)
        self._source.setVisible(self._has_source)
        self._source_rule.setVisible(not is_beside and self._has_source)
        self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.lay_out()

    def minimumSizeHint(self) -> QSize:
        row, layout = self._theme.px(ROW_LEAST_PX), self._listed.layout()
        assert layout is not None
        listed = layout.minimumHeightForWidth(self.width() if self.is_stacked else self._list_width)
        return QSize(0, listed + row + 1 if self.is_stacked else max(listed, row))

    def sizeHint(self) -> QSize:
        """Return the minimum size: the parts scroll, so the widget need not be as high as they are."""
        return self.minimumSizeHint()

    def hasHeightForWidth(self) -> bool:
        return False

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        self._below_list, self._beside_list, self._rule = Separator(), Separator("vertical"), Separator("vertical")
        self._source_rule = Separator()
        self._content = content = QWidget()
        self._under_row = make_column(self._row, self._source_rule, Stretch(), into=content, spacing_px=0)
        holder = QWidget()
        self._beside_row = make_column(into=holder)
        self._middle, self._right = make_scrollable(content), make_scrollable(holder)
        set_surface(holder, "base")
        self._beside_row.addWidget(self._source)
        self._columns = make_row(
            self._listed,
            self._below_list,
            self._beside_list,
            (self._middle, ROW_STRETCH),
            self._rule,
            self._right,
            into=self,
            spacing_px=0,
        )

    def _scroll(self) -> None:
        self._middle.verticalScrollBar().setValue(0)
        top = self._mark_top()
        is_far = top > self._right.viewport().height() // 2
        self._right.verticalScrollBar().setValue(top - self._theme.px(ABOVE_MARK_PX) if is_far else 0)

    def _place_source(self, is_beside: bool) -> None:
        place = self._beside_row if is_beside else self._under_row
        if place.indexOf(self._source) < 0:
            if is_beside:
                self._under_row.removeWidget(self._source)
                place.addWidget(self._source)
            else:
                self._beside_row.removeWidget(self._source)
                place.insertWidget(place.count() - 1, self._source)
