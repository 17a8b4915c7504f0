"""The offer to undo: the one message that goes away by itself, after ten seconds."""

from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.labels import ElidedLabel

SHOWN_MS = 10_000
MARGIN = 24


class Toast(QFrame):
    """Floats below the header of the page, clear of the field one writes in. A new offer replaces the one shown."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._room = parent
        self._undo: Callable[[], None] | None = None
        self._timer = QTimer(self, singleShot=True, interval=SHOWN_MS)
        self._build()
        self._timer.timeout.connect(self.hide)
        parent.installEventFilter(self)
        self.hide()

    def offer(self, text: str, undo: Callable[[], None]) -> None:
        """Shows `text` and calls `undo` if the user asks for it within ten seconds."""
        self._undo = undo
        self._text.setText(text)
        self.setAccessibleName(text)
        self._place()
        self.show()
        self.raise_()
        self._timer.start()
        QAccessible.updateAccessibility(QAccessibleAnnouncementEvent(self, text))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Resize and self.isVisible():
            self._place()
        return super().eventFilter(watched, event)

    def _build(self) -> None:
        self.setProperty("surface", "toast")
        self._text = ElidedLabel()
        self.undo_button = Button(self._theme, self.tr("元に戻す"), icon="undo-2", compact=True)
        self.undo_button.clicked.connect(self._on_undo)
        close = IconButton(self._theme, "x", self.tr("閉じる"))
        close.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(16, 8, 8, 8)
        row.setSpacing(12)
        row.addWidget(self._text, 1)
        row.addWidget(self.undo_button)
        row.addWidget(close)

    def _on_undo(self) -> None:
        self.hide()
        self._timer.stop()
        if self._undo is not None:
            undo, self._undo = self._undo, None
            undo()

    def _place(self) -> None:
        room = self._room.rect()
        self.ensurePolished()
        width = min(self.sizeHint().width(), room.width() - 2 * MARGIN)
        height = self.sizeHint().height()
        top = self._theme.metric("header_height") + MARGIN // 2
        self.setGeometry((room.width() - width) // 2, top, width, height)
