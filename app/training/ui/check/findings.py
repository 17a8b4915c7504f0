"""What was found before a training, a line each: its mark, what it is about, a sentence, and the way to mend it."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.training.ui import check_words as words
from app.training.ui.check_words import BLOCK, NOTE, OK, WARN, Line
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import Label

TOPIC_PX = 104
STACKED_BELOW_PX = 560
MARK_DOWN_PX = 2  # beside the first line

_MARKS = {
    OK: ("circle-check", "success"),
    NOTE: ("info", "text2"),
    WARN: ("triangle-alert", "warning"),
    BLOCK: ("circle-x", "danger"),
}


class Findings(QWidget):
    step_requested = Signal(str)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.shown: list[Line] = []
        self.rows: list[FindingRow] = []
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(10)

    def show_lines(self, lines: Sequence[Line]) -> None:
        if list(lines) == self.shown:
            return
        self.shown = list(lines)
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = [FindingRow(self._theme, line) for line in lines]
        for row in self.rows:
            self._column.addWidget(row)
            row.button.clicked.connect(lambda _=False, step=row.line.step: self.step_requested.emit(step))
            row.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers


class FindingRow(QWidget):
    def __init__(self, theme: Theme, line: Line) -> None:
        super().__init__()
        self._theme = theme
        self.line = line
        self._topic = Label(line.topic, strong=True)
        self.text = Label(line.text, tone="text2" if line.level == NOTE else "text", wraps=True)
        self.text.setAlignment(Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignLeft)
        self.text.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.text.setAccessibleName(f"{words.state(line.level)} {line.topic} {line.text}")
        self.button = Button(theme, words.back_to(line.step) if line.step else "", compact=True)
        self.button.setVisible(bool(line.step))
        self._build()
        theme.changed.connect(self._resize)
        self._resize()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_stacked = self.width() < self._theme.px(STACKED_BELOW_PX)
        directions = QBoxLayout.Direction
        self._words.setDirection(directions.TopToBottom if is_stacked else directions.LeftToRight)
        self._words.setSpacing(2 if is_stacked else 12)
        self._words.setAlignment(self.button, Qt.AlignmentFlag.AlignLeft if is_stacked else Qt.AlignmentFlag.AlignTop)

    def _build(self) -> None:
        top = Qt.AlignmentFlag.AlignTop
        icon, tone = _MARKS[self.line.level]
        mark = Icon(self._theme, icon, tone)
        mark.setToolTip(words.state(self.line.level))
        mark.setContentsMargins(0, MARK_DOWN_PX, 0, 0)
        self._words = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._words.addWidget(self._topic, 0, top)
        self._words.addWidget(self.text, 1)
        self._words.addWidget(self.button, 0, top)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(mark, 0, top)
        row.addLayout(self._words, 1)

    def _resize(self) -> None:
        self._topic.setMinimumWidth(self._theme.px(TOPIC_PX))
