"""A field for words that are looked for: a magnifying glass before them, and a button that clears them."""

from PySide6.QtCore import QRect
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QLineEdit, QToolButton, QWidget

from app.base.wording import phrase
from app.uikit.theme import Theme

QUERY_MAX = 200  # characters; longer than anything that people look for
ICON_LEFT_PX, ICON_PX, GAP_PX = 9, 16, 7


class SearchField(QLineEdit):
    """`name` is its placeholder, and what screen readers say.

    The glass is painted: Qt's own way would make a button of it, which does nothing and has no name.
    """

    def __init__(self, theme: Theme, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self.setMaxLength(QUERY_MAX)
        self.setPlaceholderText(name)
        self.setAccessibleName(name)
        self.setClearButtonEnabled(True)
        clear_button = self.findChild(QToolButton)
        assert clear_button is not None
        self.clear_button: QToolButton = clear_button
        self.clear_button.setAccessibleName(phrase("uikit.clear_the_search"))
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        size = self._theme.px(ICON_PX)
        place = QRect(self._theme.px(ICON_LEFT_PX), (self.height() - size) // 2, size, size)
        self._theme.icon("search", "muted").paint(QPainter(self), place)

    def _on_theme_changed(self) -> None:
        self.setTextMargins(self._theme.px(ICON_PX + GAP_PX), 0, 0, 0)
        self.clear_button.setIcon(self._theme.icon("x", "text2"))
