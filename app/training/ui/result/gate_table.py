"""合格の条件: all that the gate has looked at, with what was asked and what was found."""

from collections.abc import Sequence

from PySide6.QtGui import QResizeEvent

from app.training.result_view import Condition
from app.training.ui.result import words
from app.training.ui.result.badge import Badge
from app.uikit.language import noted
from app.uikit.theme import Theme
from app.uikit.widgets.card import Card, Grid
from app.uikit.widgets.labels import Label

WIDE_PX = 520  # for four columns


class GateTable(Card):
    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self.title.setText(self.tr("合格の条件"))
        self._theme = theme
        self._found: tuple[Condition, ...] = ()
        self._is_wide = True
        self.grid = Grid()
        self.column.addWidget(self.grid)

    def show_conditions(self, found: Sequence[Condition]) -> None:
        self._found = tuple(found)
        self._fill()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        if is_wide != self._is_wide:
            self._is_wide = is_wide
            self._fill()

    # ------------------------------------------------------------------- private

    def _fill(self) -> None:
        self.grid.clear()
        if self._is_wide:
            names = (self.tr("項目"), self.tr("条件"), self.tr("結果"), self.tr("判定"))
            for column, (name, stretch) in enumerate(zip(names, (4, 4, 5, 0), strict=True)):
                self.grid.put(Label(name, "caption", "muted"), column)
                self.grid.grid.setColumnStretch(column, stretch)
            self.grid.rule(4)
        else:
            self.grid.grid.setColumnStretch(0, 1)
        for at, one in enumerate(self._found):
            self._add(one)
            if at + 1 < len(self._found):
                self.grid.rule(4 if self._is_wide else 2)

    def _add(self, one: Condition) -> None:
        name, wanted, found = words.condition(one)
        badge = Badge(self._theme, *words.LEVELS[one.level], words.level(one.level))
        badge.words.setAccessibleName(noted(name, words.level(one.level)))
        self.grid.put(Label(name, wraps=True), 0)
        if self._is_wide:
            self.grid.put(Label(wanted, "caption", "text2", wraps=True), 1)
            self.grid.put(Label(found, "caption", wraps=True), 2)
            self.grid.put(badge, 3)
            return
        self.grid.put(badge, 1)
        self.grid.next_row()
        told = self.tr("条件：{wanted}\n結果：{found}").format(wanted=wanted, found=found)
        self.grid.put(Label(told, "caption", "text2", wraps=True), 0, span=2)
