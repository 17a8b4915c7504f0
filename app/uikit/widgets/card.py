"""A titled part of the result, framed; and a grid that is filled anew."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.uikit.widgets.labels import Label, Rule

SIDE_PX = 16


class Card(QFrame):
    """`head`: its first line, where more than the title may stand. What is inside goes into `column`."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self.title = Label(title, "heading3", wraps=True)
        self.head = QHBoxLayout()
        self.head.setSpacing(12)
        self.head.addWidget(self.title, 1)
        self.column = QVBoxLayout(self)
        self.column.setContentsMargins(SIDE_PX, 12, SIDE_PX, 12)
        self.column.setSpacing(10)
        self.column.addLayout(self.head)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())


class Grid(QWidget):
    """Rows of labels and controls with a line under each. `clear` before it is filled."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = QGridLayout(self)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setHorizontalSpacing(14)
        self.grid.setVerticalSpacing(6)
        self._row = 0

    def clear(self) -> None:
        while (item := self.grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        for column in range(self.grid.columnCount()):
            self.grid.setColumnStretch(column, 0)
        self._row = 0

    def put(self, widget: QWidget, column: int, *, span: int = 1, is_number: bool = False) -> None:
        """Into the row that is being filled."""
        if isinstance(widget, QLabel):
            if is_number:
                widget.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if widget.wordWrap():
                widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.grid.addWidget(widget, self._row, column, 1, span)
        widget.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers

    def next_row(self) -> None:
        self._row += 1

    def rule(self, columns: int) -> None:
        """Under the row, which is finished."""
        self._row += 1
        self.put(Rule(), 0, span=columns)
        self._row += 1
