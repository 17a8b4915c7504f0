"""The lower edge of the wizard: what is still lacking, the way back, and the one thing to do next."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.training.plan import Problem
from app.training.ui import words
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.labels import IconLabel, Label, Separator, set_surface

MARGIN_PX = 24


class Foot(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        set_surface(self, "base")
        self._icon = IconLabel(theme, "triangle-alert", "warning")
        self.reason = Label(role="caption", tone="text2", wraps=True)
        self.back_button = Button(theme, phrase("common.back"))
        self.next_button = Button(theme, "", "primary")
        row = QHBoxLayout()
        row.setContentsMargins(MARGIN_PX, 10, MARGIN_PX, 10)
        row.setSpacing(8)
        row.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addWidget(self.reason, 1)
        row.addWidget(self.back_button)
        row.addWidget(self.next_button)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Separator())
        column.addLayout(row)

    def show_state(self, found: Sequence[Problem], primary: str, *, can_act: bool, can_go_back: bool) -> None:
        """`found`: the gravest first. `primary`: what the button does; "": there is none."""
        self._icon.setVisible(bool(found))
        if found:
            is_grave = found[0].is_blocking
            self._icon.show_icon("triangle-alert" if is_grave else "info", "warning" if is_grave else "text2")
        self.reason.setText(words.problem(found[0]) if found else "")
        self.back_button.setVisible(can_go_back)
        self.next_button.setVisible(bool(primary))
        self.next_button.setText(primary)
        self.next_button.setEnabled(can_act)
        self.next_button.setAccessibleDescription("" if can_act else self.reason.text())
