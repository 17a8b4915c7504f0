"""The upper edge of a page: its title and what can be done there."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel, Rule, set_surface

MARGIN = 24


class Header(QWidget):
    """48 px high. `set_inset` makes room at the left for the button that shows the sidebar of a narrow window."""

    def __init__(self, theme: Theme, title: str = "") -> None:
        super().__init__()
        self._theme = theme
        set_surface(self, "base")
        self.title = ElidedLabel(title, "heading3")
        self._row = QHBoxLayout()
        self._row.setSpacing(10)
        self._row.setContentsMargins(MARGIN, 0, MARGIN, 0)
        self._row.addWidget(self.title, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(self._row, 1)
        column.addWidget(Rule())
        theme.changed.connect(self._resize)
        self._resize()

    def add_action(self, widget: QWidget) -> None:
        """Adds a button at the right."""
        # Aligned, so that the fixed height of a button does not limit the row's.
        self._row.addWidget(widget, 0, Qt.AlignmentFlag.AlignVCenter)

    def set_inset(self, inset_px: int) -> None:
        self._row.setContentsMargins(max(MARGIN, inset_px), 0, MARGIN if inset_px == 0 else 12, 0)

    def _resize(self) -> None:
        self.setFixedHeight(self._theme.metric("header_height"))
