"""Rows of labels and drawings, some of them on a ground of their own."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLabel, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.containers import CardGrid

INDENT_PX, ROW_PX, PAD_PX = 8, 34, 4


class RowGrid(CardGrid):
    """As `CardGrid`, whose rows touch each other, so that a plot can go on from one to the next."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._grounds: dict[int, str] = {}
        self.grid.setVerticalSpacing(0)
        self.grid.setHorizontalSpacing(10)
        theme.changed.connect(self.update)

    def ground(self, token: str) -> None:
        """Of the row that is being filled. `token`: a colour of the theme."""
        self._grounds[self._row] = token

    def put(self, widget: QWidget, column: int, *, span: int = 1, is_number: bool = False) -> None:
        if isinstance(widget, QLabel):
            widget.setMinimumHeight(self._theme.px(ROW_PX))
            widget.setContentsMargins(0, PAD_PX, 0, PAD_PX)
            if column == 0 or is_number:
                widget.setIndent(self._theme.px(INDENT_PX))
        super().put(widget, column, span=span, is_number=is_number)

    def clear(self) -> None:
        super().clear()
        self._grounds.clear()
        for column in range(self.grid.columnCount()):
            self.grid.setColumnMinimumWidth(column, 0)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """The grounds lie under the row, not beside its widgets, which would be another layer for every reader."""
        painter = QPainter(self)
        for row, token in self._grounds.items():
            if (item := self.grid.itemAtPosition(row, 0)) is not None:  # `cellRect` is empty where texts wrap
                cell = item.geometry()
                painter.fillRect(QRect(0, cell.top(), self.width(), cell.height()), self._theme.color(token))
        painter.end()
