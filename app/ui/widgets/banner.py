"""What the user must handle: an icon, bold what, a sentence and the next step. It stays until handled."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.ui.theme import Theme
from app.ui.widgets.buttons import Button, IconButton
from app.ui.widgets.icon import Icon
from app.ui.widgets.labels import Label, repolish

_ICONS = {"warning": "triangle-alert", "danger": "circle-x", "success": "circle-check"}


class Banner(QFrame):
    """Hidden until `show_message`. `level`: success, warning or danger."""

    action_requested = Signal(str)  # the key of the button
    closed = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._build()
        self.hide()

    def show_message(self, level: str, what: str, sentence: str, actions: tuple[tuple[str, str], ...] = ()) -> None:
        """`actions`: (key, words) of each button."""
        self.setProperty("surface", level)
        self._icon.show_icon(_ICONS[level], level)
        self._what.setText(what)
        self._what.set_tone(level)
        self._sentence.setText(sentence)
        self._sentence.setVisible(bool(sentence))
        self._set_actions(actions)
        self.setAccessibleName(f"{what}{sentence}")
        repolish(self)
        self.show()

    def dismiss(self) -> None:
        self.hide()
        self.closed.emit()

    def _build(self) -> None:
        self._icon = Icon(self._theme, "triangle-alert", "warning")
        self._what = Label(strong=True, wraps=True)
        self._sentence = Label(tone="text2", wraps=True)
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self._what)
        words.addWidget(self._sentence)
        self._buttons = QHBoxLayout()
        self._buttons.setSpacing(8)
        close = IconButton(self._theme, "x", self.tr("閉じる"))
        close.clicked.connect(self.dismiss)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 8, 8, 8)
        row.setSpacing(12)
        row.addWidget(self._icon)
        row.addLayout(words, 1)
        row.addLayout(self._buttons)
        row.addWidget(close)

    def _set_actions(self, actions: tuple[tuple[str, str], ...]) -> None:
        while (item := self._buttons.takeAt(0)) is not None:
            if (button := item.widget()) is not None:
                button.deleteLater()
        for key, words in actions:
            button = Button(self._theme, words, compact=True)
            button.clicked.connect(lambda _=False, key=key: self.action_requested.emit(key))
            self._buttons.addWidget(button)
