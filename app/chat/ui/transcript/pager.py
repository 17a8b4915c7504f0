"""‹ 2／3 ›: the other versions of a question or an answer. Nothing that was said is ever erased."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.base.wording import phrase
from app.chat.records import Message
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.labels import Label


class Pager(QWidget):
    step_requested = Signal(int)  # -1: the version before, 1: the next one

    def __init__(self, theme: Theme, message: Message, before: str, after: str, parent: QWidget | None = None) -> None:
        """`before`, `after`: what the two buttons lead to, in words."""
        super().__init__(parent)
        self._message = message
        self._buttons = {
            -1: IconButton(theme, "chevron-left", before, "Alt+←"),
            1: IconButton(theme, "chevron-right", after, "Alt+→"),
        }
        count = Label(phrase("chat.i_n", i=message.branch, n=message.branches), role="caption", tone="text2")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(theme.px(2))
        for widget in (self._buttons[-1], count, self._buttons[1]):
            row.addWidget(widget)
        for step, button in self._buttons.items():
            button.clicked.connect(lambda _checked=False, step=step: self.step_requested.emit(step))
        self.set_busy(False)

    def set_busy(self, is_busy: bool) -> None:
        """While an answer is written, no other branch can be shown."""
        for step, button in self._buttons.items():
            is_there = 1 <= self._message.branch + step <= self._message.branches
            button.setEnabled(is_there and not is_busy)

    def focused_step(self) -> int:
        """The button that has the keyboard: -1 or 1; 0: neither."""
        return next((step for step, button in self._buttons.items() if button.hasFocus()), 0)

    def focus_step(self, step: int) -> None:
        """Gives the keyboard to a button, or to the other one where that leads nowhere."""
        button = self._buttons[step] if self._buttons[step].isEnabled() else self._buttons[-step]
        button.setFocus()
