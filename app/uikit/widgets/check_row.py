"""Something that can be marked among others: its name and what is to be known of it, each on one line."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QCheckBox, QHBoxLayout, QVBoxLayout, QWidget

from app.uikit.widgets.labels import ElidedLabel


class CheckRow(QWidget):
    """The words shorten where the room ends, which those of a check box cannot; a click on them marks too."""

    toggled = Signal(bool)

    def __init__(self, title: str, facts: str, *, is_checked: bool = False, is_fixed: bool = False) -> None:
        """`is_fixed`: it is shown, but nobody can change it."""
        super().__init__()
        self.box = QCheckBox()
        self.box.setAccessibleName(title)
        self.box.setAccessibleDescription(facts)
        self.box.setChecked(is_checked)
        self.box.setEnabled(not is_fixed)
        self.box.toggled.connect(self.toggled)
        self._facts = ElidedLabel(facts, "caption", "text2")
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(ElidedLabel(title, strong=True))
        words.addWidget(self._facts)
        row = QHBoxLayout(self)
        row.setContentsMargins(12, 6, 12, 6)
        row.setSpacing(10)
        row.addWidget(self.box, 0, Qt.AlignmentFlag.AlignTop)
        row.addLayout(words, 1)

    def show_facts(self, facts: str) -> None:
        self._facts.setText(facts)
        self.box.setAccessibleDescription(facts)

    @property
    def is_checked(self) -> bool:
        return self.box.isChecked()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self.box.isEnabled() and event.button() == Qt.MouseButton.LeftButton:
            self.box.toggle()
            self.box.setFocus(Qt.FocusReason.MouseFocusReason)
        super().mouseReleaseEvent(event)
