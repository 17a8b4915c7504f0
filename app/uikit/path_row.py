"""A file or folder that is chosen: what it is for, where it is, and buttons to choose it and to do without."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import ElidedLabel, Label


class PathRow(QWidget):
    choose_requested = Signal()
    cleared = Signal()

    def __init__(self, theme: Theme, title: str, sentence: str, *, can_clear: bool = True) -> None:
        super().__init__()
        self._can_clear = can_clear
        self.choose_button = Button(theme, phrase("uikit.choose"), icon="folder-open", compact=True)
        self.choose_button.setAccessibleName(f"{title} {self.choose_button.text()}")
        self.clear_button = Button(theme, phrase("common.remove"), compact=True)
        self.clear_button.setAccessibleName(f"{title} {self.clear_button.text()}")
        self.path = ElidedLabel(tone="text2")
        self.note = Label(sentence, "caption", "muted", wraps=True)
        self.note.setVisible(bool(sentence))
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.path, 1)
        row.addWidget(self.clear_button)
        row.addWidget(self.choose_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(12, 8, 12, 8)
        column.setSpacing(2)
        column.addWidget(Label(title, strong=True))
        column.addLayout(row)
        column.addWidget(self.note)
        self.choose_button.clicked.connect(self.choose_requested)
        self.clear_button.clicked.connect(self.cleared)
        self.show_path("")

    def show_path(self, path: str) -> None:
        """ "" for none."""
        self.path.setText(path or phrase("uikit.not_chosen"))
        self.clear_button.setVisible(self._can_clear and bool(path))

    def show_note(self, words: str, tone: str) -> None:
        self.note.setText(words)
        self.note.set_tone(tone)
        self.note.setVisible(bool(words))
