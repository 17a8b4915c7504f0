"""Two answers to one question: one beside the other, one above the other where it is narrow, or one alone."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

WIDE_PX = 440


class Answer(QWidget):
    """`head`: whose it is, and what is to be said of it."""

    def __init__(self) -> None:
        super().__init__()
        self.head = Label(role="caption", tone="text2", wraps=True)
        self.text = Label(wraps=True)
        self.text.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        for label in (self.head, self.text):
            label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.head)
        column.addWidget(self.text)
        column.addStretch(1)


class SideBySide(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.base, self.tuned = Answer(), Answer()
        self._row = QBoxLayout(QBoxLayout.Direction.LeftToRight, self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(16)
        self._row.addWidget(self.base, 1)
        self._row.addWidget(self.tuned, 1)

    def show_only(self, side: str) -> None:
        """`side`: base, tuned, or "" for both."""
        self.base.setVisible(side != "tuned")
        self.tuned.setVisible(side != "base")

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_row = self.width() >= self._theme.px(WIDE_PX)
        self._row.setDirection(QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom)
