"""The mark of a temporary conversation beside its title."""

from PySide6.QtWidgets import QFrame, QHBoxLayout

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel, IconLabel


class TemporaryTag(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.setProperty("surface", "tag")
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 3, 8, 3)
        row.setSpacing(6)
        row.addWidget(IconLabel(theme, "message-circle-dashed", size=14))
        row.addWidget(ElidedLabel(phrase("chat.temporary_chat_not_saved"), role="caption", tone="text2"))
