"""A row whose one widget stands in the column of the conversation."""

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.chat.ui.transcript.column import SIDE
from app.uikit.theme import Theme


class Centred(QHBoxLayout):
    """As wide as the column; without margins that would keep the page from getting narrower."""

    def __init__(self, theme: Theme, widget: QWidget) -> None:
        super().__init__()
        self._theme = theme
        self._widget = widget
        self.setSpacing(0)
        self.addStretch(1)
        self.addWidget(widget, 10_000)
        self.addStretch(1)
        theme.changed.connect(self._lay_out)
        self._lay_out()

    def _lay_out(self) -> None:
        self.setContentsMargins(self._theme.px(SIDE), 0, self._theme.px(SIDE), 0)
        self._widget.setMaximumWidth(self._theme.metric("column_width"))
