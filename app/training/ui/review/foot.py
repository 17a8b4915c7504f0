"""What can be decided of a row, each with its key."""

from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.uikit.language import noted
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.key_button import KeyButton
from app.uikit.widgets.labels import Label, Rule

MARGIN_PX = 16


class ReviewFoot(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.accept_button = KeyButton(theme, self.tr("採用"), "A")
        self.edit_button = KeyButton(theme, self.tr("修正して採用"), "E")
        self.reject_button = KeyButton(theme, self.tr("却下"), "R")
        self.undo_button = Button(theme, self.tr("元に戻す"), "quiet", "undo-2")
        self.undo_button.setAccessibleName(noted(self.tr("元に戻す"), "Ctrl+Z"))
        self.undo_button.setToolTip("Ctrl+Z")
        self.note = Label(tone="text2")
        row = QHBoxLayout()
        row.setContentsMargins(MARGIN_PX, 9, MARGIN_PX, 9)
        row.setSpacing(12)
        self._buttons = Flow(self.accept_button, self.edit_button, self.reject_button, self.undo_button)
        row.addWidget(self._buttons, 1)
        row.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Rule())
        column.addLayout(row)

    def show_state(self, *, can_decide: bool, can_undo: bool, total: int, left: int) -> None:
        """`left` of `total` wait for somebody to decide."""
        for button in (self.accept_button, self.edit_button, self.reject_button):
            button.setEnabled(can_decide)
        self.undo_button.setVisible(can_undo)
        if not can_decide:
            self.note.setText(self.tr("選ばれている行がありません"))
        elif left:
            self.note.setText(self.tr("見直しがあと {n} 件あります").format(n=f"{left:,}"))
        else:
            self.note.setText(self.tr("見直しは終わりました") if total else "")
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """The list tells it too: here it does not push the buttons onto another line."""
        needed = self._buttons.sizeHint().width() + self.note.sizeHint().width() + 3 * MARGIN_PX
        self.note.setVisible(bool(self.note.text()) and needed <= self.width())
