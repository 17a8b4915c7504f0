"""The line over the field that says that an earlier question is being changed, not a new one written."""

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import make_icon_button
from app.uikit.widgets.labels import IconLabel, Label


class EditLine(QWidget):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.cancel_button = make_icon_button(theme, phrase("chat.cancel_esc"), "x", "quiet", compact=True)
        self.cancel_button.setAccessibleName(phrase("chat.stop_editing"))
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 0, 2)
        row.setSpacing(8)
        row.addWidget(IconLabel(theme, "pencil", "accent"))
        words = Label(phrase("chat.editing_the_question"), role="caption", tone="accent", strong=True)
        row.addWidget(words, 1)
        row.addWidget(self.cancel_button)
