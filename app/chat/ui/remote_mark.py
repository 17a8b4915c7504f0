"""The line over the field that says, as long as a model elsewhere is chosen, that the text leaves this machine."""

from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.base.wording import phrase
from app.uikit.localization import sends_to_text
from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel, IconLabel


class RemoteMark(QWidget):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._icon = IconLabel(theme, "external-link", "warning")
        self.words = ElidedLabel("", "caption", "warning", strong=True)
        row = QHBoxLayout(self)
        row.setContentsMargins(4, 0, 4, 2)
        row.setSpacing(8)
        row.addWidget(self._icon)
        row.addWidget(self.words, 1)
        self.hide()

    def show_place(self, place: str, *, is_allowed: bool = True) -> None:
        """`place`: host and port; "": the model is of this machine. `is_allowed`: something may leave at all."""
        self.setVisible(bool(place))
        stopped = phrase("chat.outside_traffic_is_blocked_so", place=place)
        self.words.setText(sends_to_text(place) if is_allowed else stopped)
        self._icon.show_icon(*(("external-link", "warning") if is_allowed else ("lock", "warning")))
        self.setAccessibleName(self.words.text())
