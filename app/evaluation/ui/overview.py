"""Show the first tab of the results: the advice, the systems, and the sections of the study's kind.

A table of a report is shown with all columns; if it is too wide, it scrolls next to its first column.
"""

import html
import re
from collections.abc import Iterator
from typing import Any

from PySide6.QtCore import QRect, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QVBoxLayout,
    QWidget,
)

from app.base import plots
from app.base.plots import PlotBar
from app.base.wording import phrase
from app.evaluation.records import ReportSection, ReportTable, System
from app.evaluation.report.result_view_data import ResultViewData
from app.evaluation.ui import result_texts
from app.evaluation.ui.comparison_cards import ComparisonCard, DifferencesCard
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import (
    CARD_SIDE_PX,
    Card,
    RowsInTurns,
    Stretch,
    make_column,
    make_row,
    set_direction,
)
from app.uikit.widgets.labels import IconLabel, Label, plain_tooltip
from app.uikit.widgets.svg_plot import SvgPlot
from app.uikit.widgets.tables import Index, NumberTableModel, NumberTableView


class TextTableModel(NumberTableModel):
    """The model of a report's table; columns that hold only numbers are aligned right."""

    def __init__(self, table: ReportTable) -> None:
        super().__init__(table.head, wide=0)
        self.set_rows(table.rows)
        self._is_number = table.is_number

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        text = self.rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return text or "—"  # screen readers skip a cell without a name
        return plain_tooltip(text) if role == Qt.ItemDataRole.ToolTipRole else super().data(index, role)

    def _side(self, column: int) -> int:
        side = Qt.AlignmentFlag.AlignRight if self._is_number[column] else Qt.AlignmentFlag.AlignLeft
        return int(side | Qt.AlignmentFlag.AlignVCenter)


class TextTable(NumberTableView):
    """A table with the height of its rows, so that only the page scrolls vertically."""

    wide_least_px = 210  # names of systems often begin alike

    def __init__(self, theme: Theme, table: ReportTable, name: str) -> None:
        self.cells = TextTableModel(table)
        super().__init__(theme, self.cells, name, rows_shown=len(table.rows))


MARGIN_PX, GAP_PX, WIDE_PX = 24, 14, 900
BAR_PX, ADVICE_WIDE_PX = 4, 640
PLOT_MOST_PX = 560
_SVG_LABEL = re.compile(r'aria-label="([^"]*)"')
# two plots side by side keep the width they were drawn for, so that their text stays readable
PLOT_PX, PLOT_GAP_PX = 520, 16


class AdviceBox(QFrame):
    """Shows the advice; hidden if there is none."""

    use_requested = Signal(object)  # System

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._system: System | None = None
        self.setProperty("surface", "card")
        self.verdict = Label(role="heading3", strong=True, wraps=True)
        self.reasons = Label(wraps=True)
        self.use_button = Button(theme, phrase("evaluation.use_this_combination_for_questions"))
        self.why_not = Label(role="caption", tone="warning", wraps=True)
        self._content = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._build()
        self.use_button.clicked.connect(lambda: self.use_requested.emit(self._system))
        self.hide()

    def show_advice(self, sentences: tuple[str, ...], system: System | None) -> None:
        """Show the advice. `system`: the recommended system; None: none is recommended."""
        self._system = system
        self.setVisible(bool(sentences))
        self.verdict.setText(sentences[0] if sentences else "")
        self.reasons.setText("\n".join(sentences[1:]))
        self.reasons.setVisible(len(sentences) > 1)
        self.use_button.setVisible(system is not None)
        self.setAccessibleName(join_facts(*sentences))
        self.show_obstacle("")

    def show_obstacle(self, why_not: str) -> None:
        """Show why the recommended system cannot be used now; "": it can be used."""
        self.use_button.setEnabled(not why_not)
        self.use_button.setAccessibleDescription(why_not)
        self.why_not.setText(f"▲ {why_not}" if why_not else "")
        self.why_not.setVisible(bool(why_not) and self._system is not None)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        set_direction(self._content, is_row=self.width() >= self._theme.px(ADVICE_WIDE_PX))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        bar = QRect(0, 0, self._theme.px(BAR_PX), self.height())
        painter.fillRect(bar, self._theme.color("accent"))
        painter.end()

    def _build(self) -> None:
        for label in (self.verdict, self.reasons):
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        use = (self.use_button, 0, Qt.AlignmentFlag.AlignLeft)
        self._content.setSpacing(12)
        self._content.addLayout(make_column(self.verdict, self.reasons, spacing_px=4), 1)
        self._content.addLayout(make_column(use, self.why_not, Stretch(), spacing_px=4))
        make_row(
            (IconLabel(self._theme, "info", "accent", 20), 0, Qt.AlignmentFlag.AlignTop),
            (self._content, 1),
            into=self,
            margins_px=(20, 14, 16, 14),
            spacing_px=14,
        )


def _report_plot(theme: Theme, svg: str) -> SvgPlot:
    """Return a plot of a report, as wide as its place up to PLOT_MOST_PX. Tables next to it have the same values."""
    plot = SvgPlot(theme, lambda *_size: svg, most_px=PLOT_MOST_PX)
    found = _SVG_LABEL.search(svg)
    plot.setAccessibleName(html.unescape(found.group(1)) if found else "")
    plot.setToolTip(plain_tooltip(plot.accessibleName()))
    return plot


class BreakdownCard(Card):
    """Shows the numbers of answers by score; hidden if no answer has a score."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self._names: tuple[str, ...] = ()
        self._bars: list[PlotBar] = []
        self.plot = SvgPlot(theme, lambda width, _height: plots.bar_plot("", self._names, self._bars, width=width))
        self.about = Label(role="caption", tone="text2", wraps=True)
        self.column.addWidget(self.plot)
        self.column.addWidget(self.about)
        self.column.addStretch(1)
        self.hide()

    def show_result(self, result: ResultViewData) -> None:
        counted = [sum(system.counts) for system in result.systems if system.counts]
        self.setVisible(bool(counted))
        is_plain = len(result.questions) == max(counted, default=0)  # each question was answered once
        title = "evaluation.scores_n_questions" if is_plain else "evaluation.scores_n_answers"
        self.title.setText(phrase(title, n=f"{max(counted, default=0):,}"))
        if result.has_judged_counts:
            self.about.setText(phrase("evaluation.from_the_left_0_1"))
        else:
            self.about.setText(phrase("evaluation.from_the_left_0_below"))
        self._names = result_texts.points(result)
        self._bars = [PlotBar(system.system.name, system.counts) for system in result.systems if system.counts]
        self.plot.redraw()
        description = "\n".join(self._counts_text(bar) for bar in self._bars)
        self.plot.setAccessibleName(description)
        self.plot.setToolTip(plain_tooltip(description))

    def _counts_text(self, bar: PlotBar) -> str:
        parts = (f"{name} {count:,}" for name, count in zip(self._names, bar.counts, strict=True))
        return join_facts(bar.name, *parts)


class SectionCard(Card):
    def __init__(self, theme: Theme, section: ReportSection) -> None:
        super().__init__(section.title)
        self._theme = theme
        self._columns = 0
        for sentence in section.sentences:
            label = Label(sentence, wraps=True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            self.column.addWidget(label)
        self.plots = [_report_plot(theme, plot) for plot in section.plots if plot]
        self._grid = QGridLayout()
        self._grid.setSpacing(PLOT_GAP_PX)
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
        room = self.width() - 2 * CARD_SIDE_PX - PLOT_GAP_PX
        columns = 2 if room >= 2 * self._theme.px(PLOT_PX) else 1
        if columns == self._columns:
            return
        self._columns = columns
        for number, plot in enumerate(self.plots):
            self._grid.addWidget(plot, number // columns, number % columns)
        for column in range(2):
            self._grid.setColumnStretch(column, int(column < columns))


class ResultOverview(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.doubt = Label(tone="warning", wraps=True)
        self.advice = AdviceBox(theme)
        self.comparison = ComparisonCard(theme)
        self.differences = DifferencesCard(theme)
        self.breakdown = BreakdownCard(theme)
        self.sections: list[SectionCard] = []
        self._pair = QBoxLayout(QBoxLayout.Direction.LeftToRight)
        self._rest = QVBoxLayout()
        self.filling = RowsInTurns(self, at_once=1)
        self._build()

    def show_result(self, result: ResultViewData) -> None:
        self.doubt.setText(f"▲ {result.doubt}" if result.doubt else "")
        self.doubt.setVisible(bool(result.doubt))
        self.advice.show_advice(result.advice, result.advised)
        for card in (self.comparison, self.differences, self.breakdown, *self.sections):
            card.hide()
        for section in self.sections:
            self._rest.removeWidget(section)
            section.deleteLater()
        self.sections = []
        self.filling.begin(self._show_cards(result))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        set_direction(self._pair, is_row=self.width() >= self._theme.px(WIDE_PX))

    def _build(self) -> None:
        self._pair.setSpacing(GAP_PX)
        self._pair.addWidget(self.differences, 1)
        self._pair.addWidget(self.breakdown, 1)
        self._rest.setSpacing(GAP_PX)
        make_column(
            self.doubt, self.advice, self.comparison, self._pair, self._rest, Stretch(),
            into=self, margins_px=(MARGIN_PX, 14, MARGIN_PX, 20), spacing_px=GAP_PX,
        )  # fmt: skip

    def _show_cards(self, result: ResultViewData) -> Iterator[None]:
        """Fill the cards from top to bottom, each in a turn of its own."""
        self.setUpdatesEnabled(True)
        self.comparison.show_result(result)
        yield
        while self.comparison.filling.isActive():
            yield
        self.setUpdatesEnabled(False)  # what follows is below what is seen, and each turn would paint all of it again
        try:
            yield from self._show_lower_cards(result)
        except Exception:  # the error is reported, and the rest of the page still works
            self.setUpdatesEnabled(True)
            raise
        self.setUpdatesEnabled(True)

    def _show_lower_cards(self, result: ResultViewData) -> Iterator[None]:
        self.breakdown.show_result(result)  # beside the differences, whose columns depend on the room that it leaves
        self.differences.show_result(result)
        yield
        while self.differences.filling.isActive():
            yield
        sections = list(result.sections)
        if result.categories is not None:
            sections.insert(0, ReportSection(phrase("evaluation.by_category"), tables=(result.categories,)))
        for section in sections:
            added = SectionCard(self._theme, section)
            self.sections.append(added)
            self._rest.addWidget(added)
            added.show()  # at once, because Qt shows a widget added to a visible layout a moment later, which flickers
            yield
