"""分野別: loss before and after by what the kept-back rows are sorted by, as a plot and as a table."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.base.bootstrap import Interval
from app.training.result_view import Categories
from app.training.ui.result import words
from app.training.ui.result.interval_plot import IntervalPlot, Mark
from app.uikit.language import joined
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.card import Card, Grid
from app.uikit.widgets.flow import Flow
from app.uikit.widgets.labels import Label


class CategoriesCard(Card):
    """Hidden where there is nothing to tell apart."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self.table_button = Button(theme, self.tr("表で見る"), "link")
        self.table_button.setCheckable(True)
        self.head.addWidget(self.table_button, 0, Qt.AlignmentFlag.AlignTop)
        self.plot = IntervalPlot(theme)
        self.table = Grid()
        self._legend = Flow(
            _legend(Mark(theme, is_after=False), self.tr("学習前")),
            _legend(Mark(theme, is_after=True), self.tr("学習後")),
            Label(self.tr("横線は 95 % 区間。右端は差"), "caption", "text2"),
        )
        for widget in (self._legend, self.plot, self.table):
            self.column.addWidget(widget)
        self.table_button.toggled.connect(self._show_table)
        self._show_table(False)
        self.hide()

    def show_categories(self, found: Categories) -> None:
        self.setVisible(bool(found.rows))
        self.title.setText(words.category_title(found))
        self.plot.show_rows(found.rows)
        told = (joined(words.category(row.name), words.signed(row.change.mean)) for row in found.rows)
        self.plot.setAccessibleName(joined(self.title.text(), *told))
        self.table.clear()
        if found.rows:
            self._fill(found)

    # ------------------------------------------------------------------- private

    def _fill(self, found: Categories) -> None:
        """A name stands above its numbers: at a large text size both do not fit side by side."""
        names = (self.tr("件数"), self.tr("学習前"), self.tr("学習後"), self.tr("差"))
        for column, name in enumerate(names):
            self.table.put(Label(name, "caption", "muted"), column, is_number=True)
            self.table.grid.setColumnStretch(column, 1 if column else 0)
        self.table.rule(len(names))
        for row in found.rows:
            self.table.put(Label(words.category(row.name), "caption", strong=True, wraps=True), 0, span=len(names))
            self.table.next_row()
            told = (_told(row.before, _plain), _told(row.after, _plain), _told(row.change, words.signed))
            for column, cell in enumerate((f"{row.count:,}", *told)):
                self.table.put(Label(cell, "caption", wraps=column > 0), column, is_number=True)
            self.table.rule(len(names))

    def _show_table(self, is_table: bool) -> None:
        self.table_button.setText(self.tr("図で見る") if is_table else self.tr("表で見る"))
        self.plot.setVisible(not is_table)
        self._legend.setVisible(not is_table)
        self.table.setVisible(is_table)


def _told(found: Interval, number: Callable[[float], str]) -> str:
    return f"{number(found.mean)}\n{words.between(number(found.low), number(found.high))}"


def _plain(value: float) -> str:
    return f"{value:.3f}"


def _legend(mark: Mark, name: str) -> QWidget:
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 8, 0)
    row.setSpacing(6)
    row.addWidget(mark)
    row.addWidget(Label(name, "caption", "text2"))
    return holder
