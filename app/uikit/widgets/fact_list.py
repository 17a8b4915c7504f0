"""Names and values in two columns."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

NAME_WIDTH_PX = 104


class FactList(QWidget):
    """Values wrap and can be copied."""

    def __init__(self, theme: Theme, *, is_compact: bool = False) -> None:
        super().__init__()
        self._theme = theme
        self._role = "caption" if is_compact else "ui"
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)

    def set_facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Leaves out facts without a value."""
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self._grid.setColumnMinimumWidth(0, self._theme.px(NAME_WIDTH_PX))
        for row, (name, value) in enumerate((name, value) for name, value in facts if value):
            name_label, value_label = Label(name, self._role, "muted"), _value(value, self._role)
            self._grid.addWidget(name_label, row, 0, Qt.AlignmentFlag.AlignTop)
            self._grid.addWidget(value_label, row, 1)
            name_label.show()  # at once: Qt shows what is added to a visible layout a moment later, which flickers
            value_label.show()


def _value(text: str, role: str) -> Label:
    label = Label(text, role, wraps=True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return label
