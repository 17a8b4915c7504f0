"""An icon that stands before words."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel

from app.uikit.theme import Theme


class Icon(QLabel):
    """Decoration for the words beside it, so it has no name of its own."""

    def __init__(self, theme: Theme, name: str, token: str = "text2", size: int = 16) -> None:  # noqa: S107 (a colour)
        super().__init__()
        self.setTextFormat(Qt.TextFormat.PlainText)
        self._theme = theme
        self._name, self._token, self._size = name, token, size
        theme.changed.connect(self._draw)
        self._draw()

    def show_icon(self, name: str, token: str) -> None:
        self._name, self._token = name, token
        self._draw()

    def _draw(self) -> None:
        size = self._theme.px(self._size)
        icon = self._theme.icon(self._name, self._token, self._size)
        self.setPixmap(icon.pixmap(size, size))
        self.setFixedWidth(size)
