"""The conversation and a source beside it; in a narrow window the source takes its place."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QWidget

from app.chat.ui.text.source_panel import WIDTH_MAX_PX, SourcePanel
from app.uikit.theme import Theme

NARROW_PX = 1100  # of the window
LEFT_MIN_PX = 460  # of the conversation, when the source comes


class Beside(QSplitter):
    changed = Signal()  # the source came, went, or took the conversation's place

    def __init__(self, theme: Theme, conversation: QWidget, panel: SourcePanel, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self._theme = theme
        self._conversation = conversation
        self._panel = panel
        self._is_open = self._was_open = False
        self.addWidget(conversation)
        self.addWidget(panel)
        self.setChildrenCollapsible(False)
        self.setHandleWidth(1)
        self.setStretchFactor(0, 1)
        self.setStretchFactor(1, 0)
        panel.hide()
        theme.changed.connect(self._lay_out)

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def is_over(self) -> bool:
        """Whether the source takes the place of the conversation."""
        return self._is_open and self.window().width() < self._theme.px(NARROW_PX)

    def show_panel(self, is_open: bool) -> None:
        self._is_open = is_open
        self._lay_out()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        before = (self._panel.isHidden(), self._conversation.isHidden())
        self._panel.show_over(self.is_over)
        self._panel.setVisible(self._is_open)
        self._conversation.setVisible(not self.is_over)
        if self._is_open and not self.is_over and not self._was_open:
            width = min(self._theme.px(WIDTH_MAX_PX), self.width() - self._theme.px(LEFT_MIN_PX))
            self.setSizes([self.width() - width, width])
            self._was_open = True  # from now on it has the width that the user gives it
        if before != (self._panel.isHidden(), self._conversation.isHidden()):
            self.changed.emit()
