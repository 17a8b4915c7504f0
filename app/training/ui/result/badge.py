"""A state as word, shape and colour, on one line."""

from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel, Label


class Badge(QWidget):
    def __init__(self, theme: Theme, icon: str, tone: str, words: str) -> None:
        super().__init__()
        self.words = Label(words, "caption", tone, strong=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(6)
        row.addWidget(IconLabel(theme, icon, tone, 14))
        row.addWidget(self.words)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Preferred)
