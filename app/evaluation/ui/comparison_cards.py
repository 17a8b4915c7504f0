"""Compare systems in rows: the card of all systems with means, intervals and plots, and the card of differences.

The differences (差と確からしさ) show pairs of systems, and whether chance explains their difference.
"""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PySide6.QtCore import QRect, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QLabel, QSizePolicy, QWidget

from app.base import plots
from app.base.plots import PlotEstimate, PlotScale
from app.base.wording import phrase
from app.evaluation.report.result_view_data import ResultViewData, SystemDifference, SystemViewData
from app.evaluation.ui import result_texts
from app.uikit.localization import join_facts, with_note
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Badge, Card, CardGrid, FlowBox, RowsInTurns, make_column, make_row
from app.uikit.widgets.labels import Label, plain_tooltip
from app.uikit.widgets.svg_plot import SvgPlot

INDENT_PX, ROW_PX, PAD_PX = 8, 34, 4


class RowGrid(CardGrid):
    """A `CardGrid` whose rows touch, so that a plot continues from one row to the next."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._grounds: dict[int, str] = {}
        self.grid.setVerticalSpacing(0)
        self.grid.setHorizontalSpacing(10)
        theme.changed.connect(self.update)

    def ground(self, token: str) -> None:
        """Set the background of the row that is being filled. `token`: a colour of the theme."""
        self._grounds[self._row] = token

    def put(self, widget: QWidget, column: int, *, span: int = 1, is_number: bool = False) -> None:
        if isinstance(widget, QLabel):
            widget.setMinimumHeight(self._theme.px(ROW_PX))
            widget.setContentsMargins(0, PAD_PX, 0, PAD_PX)
            if column == 0 or is_number:
                widget.setIndent(self._theme.px(INDENT_PX))
        super().put(widget, column, span=span, is_number=is_number)

    def clear(self) -> None:
        super().clear()
        self._grounds.clear()
        for column in range(self.grid.columnCount()):
            self.grid.setColumnMinimumWidth(column, 0)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the backgrounds here, because widgets behind the cells would confuse screen readers."""
        painter = QPainter(self)
        for row, token in self._grounds.items():
            if (item := self.grid.itemAtPosition(row, 0)) is not None:  # `cellRect` is empty if texts wrap
                cell = item.geometry()
                painter.fillRect(QRect(0, cell.top(), self.width(), cell.height()), self._theme.color(token))
        painter.end()


ROWS_AT_ONCE = 4


class RowCard(Card):
    """A card with a row for each of some parts of a result, in columns if they have room. It is filled when it is
    visible, because only then its width is known."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self._theme = theme
        self._view_data: ResultViewData | None = None
        self._is_wide = True
        self._is_filled = False
        self.rows = RowGrid(theme)
        self.filling = RowsInTurns(self.rows, ROWS_AT_ONCE)
        self.hide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fill_if_needed()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fill_if_needed()

    # ------------------------------------------------- to be implemented by subclasses

    def _has_room_for_columns(self) -> bool:
        raise NotImplementedError

    def _fill(self, result: ResultViewData) -> Iterator[None]:
        """Add the head and the rows for `_is_wide`; yield after each row."""
        raise NotImplementedError

    def _show_rows(self, result: ResultViewData, *, has_rows: bool) -> None:
        """Show the rows of a result; hide the card if it has none."""
        self._view_data, self._is_filled = result, False
        self.setVisible(has_rows)
        self._fill_if_needed()

    def _fill_if_needed(self) -> None:
        if self._view_data is None or not self.isVisible():
            return
        is_wide = self._has_room_for_columns()
        if not self._is_filled or is_wide != self._is_wide:
            self._is_wide, self._is_filled = is_wide, True
            self.rows.clear()
            self.filling.begin(self._fill(self._view_data))


NAME_PX, PLOT_PX, COLUMN_PX = 150, 150, 84
AXIS_PX, PLOT_LEAST_PX = 30, 120
_STYLES = (("one", False), ("two", True), ("three", True), ("four", False))  # style, and whether its mark is open


def _axis(theme: Theme, scale: PlotScale) -> SvgPlot:
    return SvgPlot(theme, lambda *size: plots.axis_row(scale, *size), least_px=PLOT_LEAST_PX, height_px=AXIS_PX)


def system_plot(theme: Theme, scale: PlotScale, span: PlotEstimate | None, number: int) -> SvgPlot:
    """Return the plot of a system.

    `number`: index of the system from 0; from the fifth on, open marks are filled and filled ones open.
    """
    turn, series = divmod(number, len(_STYLES))
    style, is_open = _STYLES[series]
    return _span_row(theme, scale, span, style, is_open=is_open != (turn % 2 == 1))


def _span_row(theme: Theme, scale: PlotScale, span: PlotEstimate | None, style: str, *, is_open: bool) -> SvgPlot:
    one = dataclasses.replace(span, style=style, is_open=is_open) if span else None
    return SvgPlot(theme, lambda *size: plots.interval_row(scale, one, *size), least_px=PLOT_LEAST_PX, height_px=ROW_PX)


@dataclass(frozen=True, slots=True)
class ComparisonColumn:
    """A column of ComparisonCard. `is_drawn`: the plot shows its value too; such columns are left of the plot."""

    name: str
    text: Callable[[SystemViewData], str]
    is_drawn: bool = False


class ComparisonCard(RowCard):
    """Shows the systems with their means; hidden if no system was asked."""

    use_requested = Signal(object)  # System

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.about = Label(role="caption", tone="text2", wraps=True)
        self.column.addWidget(self.about)
        self.column.addWidget(self.rows)

    def show_result(self, result: ResultViewData) -> None:
        count = len(result.systems)
        self.title.setText(
            phrase("evaluation.n_systems_compared", n=count) if count > 1 else phrase("evaluation.results")
        )
        self.about.setText(
            result_texts.measured_by(result) if result.measure else phrase("evaluation.no_answer_has_a_score")
        )
        self._show_rows(result, has_rows=bool(result.systems))

    def _has_room_for_columns(self) -> bool:
        columns = self._columns(self._view_data) if self._view_data else []
        return self.width() >= self._theme.px(NAME_PX + PLOT_PX + COLUMN_PX * (len(columns) + 1))

    def _columns(self, result: ResultViewData) -> list[ComparisonColumn]:
        """Return the columns between name and button in which any value is known."""
        digits = result.digits
        all_: list[ComparisonColumn] = [
            ComparisonColumn(
                phrase("evaluation.mean"), lambda one: result_texts.number(one.mean, digits), is_drawn=True
            ),
            ComparisonColumn(
                phrase("evaluation.95_interval"), lambda one: result_texts.span(one.span, digits), is_drawn=True
            ),
            ComparisonColumn(phrase("evaluation.full_score"), lambda one: result_texts.percent(one.perfect)),
            ComparisonColumn(phrase("evaluation.right_citations"), lambda one: result_texts.percent(one.citation)),
            ComparisonColumn(phrase("evaluation.abstained"), lambda one: result_texts.share(one.abstained)),
            ComparisonColumn(phrase("evaluation.s_question"), lambda one: result_texts.number(one.seconds, 1)),
        ]
        if result.kind != "documents":
            all_.append(
                ComparisonColumn(phrase("common.size"), lambda one: result_texts.gigabytes(one.system.size_bytes))
            )
        return [one for one in all_ if any(one.text(system) != result_texts.NONE for system in result.systems)]

    def _fill(self, result: ResultViewData) -> Iterator[None]:
        spans = [one.span for one in result.systems if one.span is not None]
        fill = self._fill_wide if self._is_wide else self._fill_narrow
        return fill(result, self._columns(result), plots.interval_scale(spans) if spans else None)

    def _fill_wide(
        self, result: ResultViewData, columns: list[ComparisonColumn], scale: PlotScale | None
    ) -> Iterator[None]:
        rows, px = self.rows, self._theme.px
        before = sum(one.is_drawn for one in columns)
        last = len(columns) + 2
        count = last + 1
        rows.ground("raised")
        rows.put(Label(phrase("evaluation.pairs_column.system"), "caption", "text2", strong=True), 0)
        rows.grid.setColumnMinimumWidth(0, px(NAME_PX - 30))
        rows.grid.setColumnStretch(0, 3)
        for at, column in enumerate(columns):
            rows.put(Label(column.name, "caption", "text2", strong=True), self._grid_column(at, before), is_number=True)
        rows.grid.setColumnStretch(before + 1, 4 if scale else 0)
        if scale:
            rows.put(_axis(self._theme, scale), before + 1)
        rows.add_separator(count)
        for number, system in enumerate(result.systems):
            if system.system == result.advised:
                rows.ground("accent_soft")
            rows.put(Label(system.system.name, strong=True, wraps=True), 0)
            for at, column in enumerate(columns):
                rows.put(Label(column.text(system)), self._grid_column(at, before), is_number=True)
            if scale:
                rows.put(system_plot(self._theme, scale, system.span, number), before + 1)
            rows.put(self._use_button(system), last)
            if number + 1 < len(result.systems):
                rows.add_separator(count)
            yield

    def _grid_column(self, at: int, before: int) -> int:
        """Return the grid column of column `at`. Grid column 0 is the name; the plot follows `before` columns."""
        return at + 1 if at < before else at + 2

    def _fill_narrow(
        self, result: ResultViewData, columns: list[ComparisonColumn], scale: PlotScale | None
    ) -> Iterator[None]:
        """Add three rows for each system: its name, its plot, and its other values."""
        rows = self.rows
        rows.grid.setColumnStretch(0, 1)
        if scale:
            rows.put(_axis(self._theme, scale), 0, span=2)
            rows.add_separator(2)
        for number, system in enumerate(result.systems):
            rows.put(Label(system.system.name, strong=True, wraps=True), 0)
            rows.put(self._use_button(system), 1)
            rows.next_row()
            if scale:
                rows.put(system_plot(self._theme, scale, system.span, number), 0, span=2)
                rows.next_row()
            facts = [f"{column.name}\u00a0{column.text(system)}" for column in columns]
            rows.put(_fact_box(facts, self._theme.px(INDENT_PX)), 0, span=2)
            if number + 1 < len(result.systems):
                rows.add_separator(2)
            yield

    def _use_button(self, system: SystemViewData) -> Button:
        """Return the button for using a system. Whether the model still exists is checked when it is clicked."""
        button = Button(self._theme, phrase("common.use"), "quiet", compact=True)
        button.setAccessibleName(with_note(phrase("evaluation.use_this_combination_for_questions"), system.system.name))
        button.setToolTip(plain_tooltip(phrase("evaluation.use_this_combination_for_questions")))
        button.clicked.connect(lambda: self.use_requested.emit(system.system))
        return button


def _fact_box(facts: list[str], indent_px: int) -> QWidget:
    """Return a box with short texts, in which lines break only between two texts."""
    holder = QWidget()
    column = make_column(into=holder, margins_px=(indent_px, 0, indent_px, indent_px))
    labels = [Label(one, "caption", "text2") for one in facts]
    for label in labels:
        label.setContentsMargins(0, 0, indent_px, 0)
    column.addWidget(FlowBox(*labels))
    return holder


WIDE_PX, PAIR_NAME_PX = 660, 150


class VerdictBadge(QWidget):
    """Shows a verdict on a coloured background; `sentence` explains it in the tooltip."""

    def __init__(self, theme: Theme, verdict: str, sentence: str) -> None:
        super().__init__()
        icon, tone = result_texts.VERDICTS[verdict]
        name = phrase(f"evaluation.verdict_badge.{verdict}")
        badge = Badge(theme)
        surface = tone if tone in ("success", "danger") else "tag"
        badge.show_state(surface, icon, name if icon else f"≈ {name}", tone)
        self.words = badge.words
        self.words.setAccessibleName(name)
        self.words.setAccessibleDescription(sentence)
        self.setToolTip(plain_tooltip(sentence))
        make_row(
            (badge, 0, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), into=self, margins_px=(0, 0, 8, 0)
        )
        self.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Preferred)


class DifferencesCard(RowCard):
    """Shows the differences of pairs of systems; hidden if there are no two systems to compare."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme)
        self.title.setText(phrase("evaluation.differences_and_how_sure_they"))
        self.notes = Label(role="caption", tone="text2", wraps=True)
        self.column.addWidget(self.rows)
        self.column.addWidget(self.notes)
        self.column.addStretch(1)

    def show_result(self, result: ResultViewData) -> None:
        self.notes.setText("\n".join(result.notes))
        self.notes.setVisible(bool(result.notes))
        self._show_rows(result, has_rows=bool(result.differences))

    def _has_room_for_columns(self) -> bool:
        return self.width() >= self._theme.px(WIDE_PX)

    def _fill(self, result: ResultViewData) -> Iterator[None]:
        spans = [difference.span for difference in result.differences if difference.span is not None]
        scale = plots.interval_scale(spans, has_zero=True) if spans else None
        count = 5 if self._is_wide else 2
        self._fill_head(scale, count)
        for at, one in enumerate(result.differences):
            if self._is_wide:
                self._add_wide(one, result.digits, scale)
            else:
                self._add_narrow(one, result.digits, scale)
            if at + 1 < len(result.differences):
                self.rows.add_separator(count)
            yield

    def _fill_head(self, scale: PlotScale | None, count: int) -> None:
        rows = self.rows
        if self._is_wide:
            rows.ground("raised")
            heads = (
                (phrase("evaluation.pair"), 0),
                (phrase("evaluation.difference"), 1),
                (phrase("evaluation.95_interval"), 2),
                (phrase("evaluation.blind_column.verdict"), 4),
            )
            for name, column in heads:
                rows.put(Label(name, "caption", "text2", strong=True), column, is_number=column in (1, 2))
            if scale:
                rows.put(_axis(self._theme, scale), 3)
            rows.grid.setColumnMinimumWidth(0, self._theme.px(PAIR_NAME_PX))
            for column, stretch in enumerate((5, 0, 0, 4 if scale else 0, 0)):
                rows.grid.setColumnStretch(column, stretch)
            rows.add_separator(count)
            return
        rows.grid.setColumnStretch(0, 1)
        if scale:
            rows.put(_axis(self._theme, scale), 0, span=2)
            rows.add_separator(count)

    def _add_wide(self, difference: SystemDifference, digits: int, scale: PlotScale | None) -> None:
        self.rows.put(self._name(difference), 0)
        self.rows.put(Label(result_texts.signed(difference.mean, digits)), 1, is_number=True)
        self.rows.put(Label(result_texts.signed_span(difference.span, digits)), 2, is_number=True)
        if scale:
            self.rows.put(self._plot(difference, scale), 3)
        self.rows.put(VerdictBadge(self._theme, difference.verdict, difference.sentence), 4)

    def _add_narrow(self, difference: SystemDifference, digits: int, scale: PlotScale | None) -> None:
        self.rows.put(self._name(difference), 0)
        self.rows.put(VerdictBadge(self._theme, difference.verdict, difference.sentence), 1)
        self.rows.next_row()
        if scale:
            self.rows.put(self._plot(difference, scale), 0, span=2)
            self.rows.next_row()
        interval = (
            phrase("evaluation.95_interval_span", span=result_texts.signed_span(difference.span, digits))
            if difference.span
            else ""
        )
        text = join_facts(phrase("evaluation.difference_d", d=result_texts.signed(difference.mean, digits)), interval)
        self.rows.put(Label(text, "caption", "text2", wraps=True), 0, span=2)

    def _name(self, difference: SystemDifference) -> Label:
        name = Label(
            phrase("evaluation.second_and_first", second=difference.second, first=difference.first), wraps=True
        )
        name.setToolTip(plain_tooltip(difference.sentence))
        name.setAccessibleDescription(difference.sentence)
        return name

    def _plot(self, difference: SystemDifference, scale: PlotScale) -> SvgPlot:
        plot = _span_row(
            self._theme, scale, difference.span, "plain", is_open=difference.verdict not in ("better", "worse")
        )
        plot.setToolTip(plain_tooltip(difference.sentence))
        return plot
