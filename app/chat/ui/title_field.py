"""Where the title of the open conversation is changed, in its place in the header."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent
from PySide6.QtWidgets import QLineEdit

from app.base.wording import phrase

_KEEPING_REASONS = (Qt.FocusReason.PopupFocusReason, Qt.FocusReason.ActiveWindowFocusReason)


class TitleField(QLineEdit):
    """Hidden until `start`. Enter, or going elsewhere, takes the new title; Esc leaves the old one."""

    ended = Signal(str)  # the new title; "": as it was
    left_by_key = Signal()  # Enter or Esc: the keyboard has to go somewhere

    def __init__(self) -> None:
        super().__init__()
        self._title = ""
        self.setAccessibleName(phrase("chat.name_of_the_conversation"))
        self.returnPressed.connect(self.finish)
        self.hide()

    def start(self, title: str) -> None:
        self._title = title
        self.setText(title)
        self.show()
        self.selectAll()
        self.setFocus()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._end("")
        else:
            super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() not in _KEEPING_REASONS:
            self.finish()

    def finish(self) -> None:
        """Takes what stands here, if it is shown."""
        title = self.text().strip()
        self._end(title if title != self._title else "")

    def _end(self, title: str) -> None:
        if not self.isHidden():
            had_keyboard = self.hasFocus()
            self.hide()
            self.ended.emit(title)
            if had_keyboard:
                self.left_by_key.emit()
