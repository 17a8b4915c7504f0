"""見張り: what is watched, each with its state in a shape and a word."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QSizePolicy, QVBoxLayout

from app.training.runs.course import Course
from app.training.ui.run import words
from app.uikit.theme import Theme
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import Label

_LOOKS = {"ok": ("circle-check", "success"), "note": ("info", "accent"), "warning": ("triangle-alert", "warning")}


class Watch(QFrame):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setProperty("surface", "card")
        self._rows: dict[str, tuple[Icon, Label, Label]] = {}
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(8)
        self._grid.setColumnStretch(2, 1)
        column = QVBoxLayout(self)
        column.setContentsMargins(18, 14, 18, 14)
        column.setSpacing(10)
        column.addWidget(Label(self.tr("見張り"), "heading3"))
        column.addLayout(self._grid)

    def show_course(self, course: Course) -> None:
        for found in course.watched:
            if found.key not in self._rows:
                self._add(found.key)
            icon, _name, value = self._rows[found.key]
            icon.show_icon(*_LOOKS[found.level])
            value.setText(words.watched(found, course))
            value.set_tone("warning" if found.level == "warning" else "text2")

    def value(self, key: str) -> str:
        return self._rows[key][2].text()

    def _add(self, key: str) -> None:
        row = len(self._rows)
        made = (Icon(self._theme, "info"), Label(words.watched_name(key)), Label(tone="text2", wraps=True))
        made[0].setContentsMargins(0, 2, 0, 0)  # at the middle of the first line
        made[2].setAlignment(Qt.AlignmentFlag.AlignRight)
        made[2].setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for column, widget in enumerate(made):
            at = Qt.AlignmentFlag.AlignTop if column < 2 else Qt.AlignmentFlag(0)
            self._grid.addWidget(widget, row, column, at)
        self._rows[key] = made
