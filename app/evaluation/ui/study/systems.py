"""The systems of a study, a line each: its state as a sign, its name, how many questions it has answered."""

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.evaluation.study.headway import Headway
from app.evaluation.ui.study import words
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.icon import Icon
from app.uikit.widgets.labels import Label, Rule

DONE, NOW, LATER = "done", "now", "later"

_MARKS = {
    DONE: ("circle-check", "success"),
    NOW: ("play", "accent"),
    LATER: ("ellipsis", "muted"),
}


class Systems(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.rows: dict[str, SystemRow] = {}
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)

    def show_systems(self, systems: Sequence[Headway], now: str) -> None:
        """`now`: the name of the one that is being measured; "": none is."""
        if [one.id for one in systems] != list(self.rows):
            self._renew(systems)
        for one in systems:
            state = NOW if one.name == now else DONE if one.is_measured else LATER
            self.rows[one.id].show_state(state, one.answered, one.questions)

    def _renew(self, systems: Sequence[Headway]) -> None:
        while (item := self._column.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.rows = {}
        for one in systems:
            if self.rows:
                self._column.addWidget(Rule())
            row = self.rows[one.id] = SystemRow(self._theme, one.name)
            self._column.addWidget(row)
            row.show()


class SystemRow(QWidget):
    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._mark = Icon(theme, *_MARKS[LATER])
        self.name = Label(name, wraps=True)
        self.name.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.state = Label(tone="text2")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(10)
        row.addWidget(self._mark, 0, Qt.AlignmentFlag.AlignTop)
        row.addWidget(self.name, 1)
        row.addWidget(self.state, 0, Qt.AlignmentFlag.AlignTop)

    def show_state(self, state: str, answered: int, questions: int) -> None:
        self._mark.show_icon(*_MARKS[state])
        told = {
            DONE: self.tr("完了"),
            NOW: self.tr("測定中"),
            LATER: self.tr("未完了") if answered else self.tr("待機"),
        }
        self.state.setText(joined(words.answered(answered, questions) if questions else "", told[state]))
        self.name.setAccessibleName(joined(self.name.text(), self.state.text()))
