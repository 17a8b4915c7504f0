"""What the study advises: its verdict in bold, why, and the step that follows from it."""

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QBoxLayout, QFrame, QHBoxLayout, QVBoxLayout

from app.evaluation.report.results import System
from app.evaluation.ui.result import words
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import Label

BAR_PX, WIDE_PX = 4, 640


class AdviceBox(QFrame):
    """Hidden where nothing is advised."""

    use_requested = Signal(object)  # System

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._system: System | None = None
        self.setProperty("surface", "card")
        self.verdict = Label(role="heading3", strong=True, wraps=True)
        self.reasons = Label(wraps=True)
        self.use_button = Button(theme, words.use())
        self.why_not = Label(role="caption", tone="warning", wraps=True)
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._deed = QVBoxLayout()
        self._build()
        self.use_button.clicked.connect(lambda: self.use_requested.emit(self._system))
        self.hide()

    def show_advice(self, sentences: tuple[str, ...], system: System | None) -> None:
        """`system`: the advised one; None: none is."""
        self._system = system
        self.setVisible(bool(sentences))
        self.verdict.setText(sentences[0] if sentences else "")
        self.reasons.setText("\n".join(sentences[1:]))
        self.reasons.setVisible(len(sentences) > 1)
        self.use_button.setVisible(system is not None)
        self.setAccessibleName(joined(*sentences))
        self.show_obstacle("")

    def show_obstacle(self, why_not: str) -> None:
        """Why what is advised cannot be used now; "": it can."""
        self.use_button.setEnabled(not why_not)
        self.use_button.setAccessibleDescription(why_not)
        self.why_not.setText(f"▲ {why_not}" if why_not else "")
        self.why_not.setVisible(bool(why_not) and self._system is not None)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_row = self.width() >= self._theme.px(WIDE_PX)
        directions = QBoxLayout.Direction
        self._content.setDirection(directions.LeftToRight if is_row else directions.TopToBottom)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        bar = QRect(0, 0, self._theme.px(BAR_PX), self.height())
        painter.fillRect(bar, self._theme.color("accent"))
        painter.end()

    # ------------------------------------------------------------------- private

    def _build(self) -> None:
        told = QVBoxLayout()
        told.setSpacing(4)
        for label in (self.verdict, self.reasons):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            told.addWidget(label)
        self._deed.setSpacing(4)
        self._deed.addWidget(self.use_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._deed.addWidget(self.why_not)
        self._deed.addStretch(1)
        self._content.setSpacing(12)
        self._content.addLayout(told, 1)
        self._content.addLayout(self._deed)
        row = QHBoxLayout(self)
        row.setContentsMargins(20, 14, 16, 14)
        row.setSpacing(14)
        row.addWidget(Icon(self._theme, "info", "accent", 20), 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(self._content, 1)
