"""A section of the report: its sentences, plots and tables."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QGridLayout

from app.evaluation.report.report_parts import Section
from app.evaluation.ui.result.svg_plot import SvgPlot
from app.evaluation.ui.result.text_table import TextTable
from app.uikit.theme import Theme
from app.uikit.widgets.card import SIDE_PX, Card
from app.uikit.widgets.labels import Label

PLOT_PX, GAP_PX = 520, 16  # a plot beside another is as wide as it was drawn, or its words would be too small


class SectionCard(Card):
    def __init__(self, theme: Theme, section: Section) -> None:
        super().__init__(section.title)
        self._theme = theme
        self._columns = 0
        for sentence in section.sentences:
            label = Label(sentence, wraps=True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.column.addWidget(label)
        self.plots = [SvgPlot(theme, plot) for plot in section.plots if plot]
        self._grid = QGridLayout()
        self._grid.setSpacing(GAP_PX)
        self.column.addLayout(self._grid)
        for table in section.tables:
            if table.rows:
                self.column.addWidget(TextTable(theme, table, section.title))
            for note in table.notes:
                self.column.addWidget(Label(note, "caption", "text2", wraps=True))
        self._place_plots()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._place_plots()

    def _place_plots(self) -> None:
        room = self.width() - 2 * SIDE_PX - GAP_PX
        columns = 2 if room >= 2 * self._theme.px(PLOT_PX) else 1
        if columns == self._columns:
            return
        self._columns = columns
        for number, plot in enumerate(self.plots):
            self._grid.addWidget(plot, number // columns, number % columns)
        for column in range(2):
            self._grid.setColumnStretch(column, int(column < columns))
