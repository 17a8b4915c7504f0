"""Show the tab 長さと分布: lengths, sources and outliers of the rows.

Counts are shown as charts: a histogram for lengths, horizontal bars for sources.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base.services import background
from app.base.wording import phrase
from app.training.data import data_overview
from app.training.data.curation import Curation
from app.training.data.data_overview import DataDistribution, SourceShare, round_up
from app.training.services.draft_editor import DraftEditor
from app.training.ui.data import row_texts
from app.training.ui.wizard import MARGIN_PX
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import Stretch, make_column, make_row, make_scrollable
from app.uikit.widgets.labels import Label
from app.uikit.widgets.number_table import NumberTableModel, NumberTableView

PLOT_PX, AXIS_PX, TOP_PX = 150, 22, 20
BAR_MOST_PX, ROW_PX, LABEL_MOST = 80, 26, 0.4  # LABEL_MOST: largest share of the width for labels
GRID_LINES = 4

NamedCount = tuple[str, int]


class CountChart(QWidget):
    """A chart of named counts. Its accessible description contains the same counts."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._bars: Sequence[NamedCount] = ()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def show_bars(self, bars: Sequence[NamedCount], description: str) -> None:
        """Show bars. `description`: the same counts as text, for a screen reader."""
        self._bars = bars
        self.setAccessibleDescription(description)
        self.updateGeometry()
        self.update()

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self.sizeHint().height())


class Histogram(CountChart):
    """A histogram. A bar's name is its upper bound, written below its right edge, or ">" and the lower bound."""

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(360), self._theme.px(PLOT_PX + AXIS_PX + TOP_PX))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        if not self._bars:
            return
        painter, theme = QPainter(self), self._theme
        most = max(count for _, count in self._bars)
        metrics = QFontMetrics(theme.font("caption"))
        painter.setFont(theme.font("caption"))
        left = metrics.horizontalAdvance(f"{most:,}") + theme.px(8)
        right = self.width() - metrics.horizontalAdvance(self._bars[-1][0]) // 2 - theme.px(4)
        plot = QRect(left, theme.px(TOP_PX), max(1, right - left), theme.px(PLOT_PX))
        self._paint_grid(painter, plot, most)
        step = min(plot.width() / len(self._bars), theme.px(BAR_MOST_PX))
        written_to = left - theme.px(4)
        for place, (bound, count) in enumerate(self._bars):
            at = plot.left() + round(place * step)
            width = max(1, round((place + 1) * step) - round(place * step) - theme.px(2))
            height = round(plot.height() * count / most)
            bar = QRect(at + theme.px(1), plot.bottom() + 1 - height, width, height)
            painter.fillRect(bar, theme.color("chart1"))
            self._paint_count(painter, metrics, bar, count)
            half = metrics.horizontalAdvance(bound) // 2
            is_open = bound.startswith(">")  # without an upper bound, the text is centred below the bar
            edge = bar.center().x() if is_open else plot.left() + round((place + 1) * step)
            if edge - half >= written_to:  # of two overlapping texts, only the first is drawn
                painter.setPen(theme.color("text2"))
                area = QRect(edge - half, plot.bottom() + theme.px(4), 2 * half + 2, theme.px(AXIS_PX - 4))
                painter.drawText(area, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop), bound)
                written_to = edge + half + theme.px(6)
        painter.end()

    def _paint_grid(self, painter: QPainter, plot: QRect, most: int) -> None:
        theme = self._theme
        step = round_up(most / GRID_LINES)
        for value in range(0, most + 1, step):
            y = plot.bottom() + 1 - round(plot.height() * value / most)
            painter.setPen(QPen(theme.color("control" if value == 0 else "line"), 1))
            painter.drawLine(plot.left(), y, plot.right(), y)
            painter.setPen(theme.color("muted"))
            area = QRect(0, y - theme.px(9), plot.left() - theme.px(6), theme.px(18))
            painter.drawText(area, int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), f"{value:,}")

    def _paint_count(self, painter: QPainter, metrics: QFontMetrics, bar: QRect, count: int) -> None:
        text = f"{count:,}"
        if count and metrics.horizontalAdvance(text) <= bar.width() + self._theme.px(2):
            painter.setPen(self._theme.color("text"))
            area = QRect(bar.left() - 2, bar.top() - self._theme.px(18), bar.width() + 4, self._theme.px(17))
            painter.drawText(area, int(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignBottom), text)


class BarChart(CountChart):
    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(360), len(self._bars) * self._theme.px(ROW_PX))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        if not self._bars:
            return
        painter, theme = QPainter(self), self._theme
        metrics, gap = QFontMetrics(theme.font("caption")), theme.px(8)
        painter.setFont(theme.font("caption"))
        most = max(count for _, count in self._bars)
        named = max(metrics.horizontalAdvance(name) for name, _ in self._bars) + 2
        label = min(named, round(self.width() * LABEL_MOST))
        number = metrics.horizontalAdvance(f"{most:,}") + 2
        room = max(1, self.width() - label - number - 2 * gap)
        for place, (name, count) in enumerate(self._bars):
            row = QRect(0, place * theme.px(ROW_PX), self.width(), theme.px(ROW_PX))
            painter.setPen(theme.color("text"))
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, label)
            flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
            painter.drawText(QRect(0, row.top(), label, row.height()), flags, shown)
            width = max(2, round(room * count / most))
            inset = theme.px(6)
            painter.fillRect(label + gap, row.top() + inset, width, row.height() - 2 * inset, theme.color("chart1"))
            painter.setPen(theme.color("text2"))
            painter.drawText(QRect(label + 2 * gap + width, row.top(), number, row.height()), flags, f"{count:,}")
        painter.end()


class ChartWithTable(QWidget):
    """A chart that the user can switch to a table of the same numbers."""

    def __init__(self, theme: Theme, title: str, chart: CountChart, column: str) -> None:
        """Create the chart and its table. `column`: title of the column with the names."""
        super().__init__()
        self.chart = chart
        self.figures = NumberTableModel((column, phrase("training.rows")), 0)
        self.table = NumberTableView(theme, self.figures, title)
        self.toggle = Button(theme, phrase("training.show_as_a_table"), compact=True)
        self.rest_label = Label(role="caption", tone="text2", wraps=True)
        head = make_row((Label(title, "heading3", wraps=True), 1), (self.toggle, 0, Qt.AlignmentFlag.AlignTop))
        make_column(head, chart, self.table, self.rest_label, into=self, spacing_px=8)
        self.table.hide()
        self.toggle.clicked.connect(self._toggle_table)

    def show_bars(self, bars: Sequence[NamedCount], rows: Sequence[tuple[str, ...]], rest: str = "") -> None:
        """Show the bars, and `rows` in the table.

        `rest_label`: a text about counts that the chart omits; "" for none.
        """
        self.rest_label.setText(rest)
        self.rest_label.setVisible(bool(rest))
        description = phrase("common.data_gap").join(f"{name} {count}" for name, count in rows)
        self.chart.show_bars(bars, description)
        self.figures.set_rows(rows)

    def _toggle_table(self) -> None:
        is_table = self.table.isHidden()
        self.table.setVisible(is_table)
        self.chart.setVisible(not is_table)
        self.toggle.setText(phrase("training.show_as_a_chart") if is_table else phrase("training.show_as_a_table"))


class LengthsTab(QWidget):
    def __init__(self, theme: Theme, work: DraftEditor, show_row: Callable[[int], None]) -> None:
        """Create the tab. `show_row`: called with the number of an item to show."""
        super().__init__()
        self._work = work
        self._show_row = show_row
        self._requested: tuple[Curation, int] | None = None
        self._distribution: DataDistribution | None = None
        self.state = Label(tone="text2", wraps=True)
        self.questions = Label(tone="text2", wraps=True)
        self.answers_summary = Label(tone="text2", wraps=True)
        lengths = phrase("training.length_of_answers")
        self.answers = ChartWithTable(theme, lengths, Histogram(theme, lengths), phrase("common.characters"))
        kinds = phrase("training.kind_of_question")
        self.categories = ChartWithTable(theme, kinds, BarChart(theme, kinds), kinds)
        group = phrase("training.group")
        self.groups = ChartWithTable(theme, group, BarChart(theme, group), group)
        self.outliers_title = Label(role="heading3", wraps=True)
        self.outliers_about = Label(role="caption", tone="muted", wraps=True)
        self.outliers = NumberTableModel(
            (phrase("training.row"), phrase("common.characters"), phrase("common.batch_column.question")), 2
        )
        self.outlier_table = NumberTableView(theme, self.outliers, phrase("training.answers_of_quite_another_length"))
        self._build()

    def show_rows(self) -> None:
        rows = self._work.curation
        if rows is None or self._requested == (rows, rows.revision):
            return
        self._requested = (rows, rows.revision)
        self.state.setText(phrase("training.counting"))
        self.state.show()
        requested = self._requested
        background.run(lambda: (requested, data_overview.measure_distribution(rows)), self._on_found)

    def focus_first(self) -> None:
        self.answers.toggle.setFocus(Qt.FocusReason.ShortcutFocusReason)

    # ------------------------------------------------------------- private methods

    def _build(self) -> None:
        self._measured = QWidget()
        make_column(
            self.answers,
            self.answers_summary,
            self.questions,
            12,
            self.categories,
            12,
            self.groups,
            12,
            self.outliers_title,
            self.outliers_about,
            self.outlier_table,
            into=self._measured,
            spacing_px=8,
        )
        self._measured.hide()
        content = QWidget()
        sides = (MARGIN_PX, 16, MARGIN_PX, 16)
        make_column(self.state, self._measured, Stretch(), into=content, margins_px=sides, spacing_px=8)
        make_column(make_scrollable(content), into=self)
        self.outlier_table.activated.connect(self._on_activated)

    def _on_found(self, outcome: tuple[tuple[Curation, int], DataDistribution | None]) -> None:
        requested, distribution = outcome
        if requested != self._requested:
            return
        self._distribution = distribution
        self._measured.setVisible(distribution is not None)
        self.state.setVisible(distribution is None)
        self.state.setText(phrase("training.there_are_no_rows_that"))
        if distribution is not None:
            self._show_distribution(distribution)

    def _show_distribution(self, distribution: DataDistribution) -> None:
        self._show_answers(distribution)
        self.answers_summary.setText(row_texts.length_summary("answer", distribution.answers))
        self.questions.setText(row_texts.length_summary("question", distribution.questions))
        self._show_shares(self.categories, distribution.categories, is_category=True)
        self._show_shares(self.groups, distribution.groups, is_category=False)
        count = len(distribution.outliers)
        self.outliers_title.setText(phrase("training.answers_of_quite_another_length_n", n=f"{count:,}"))
        self.outliers_about.setText(phrase("training.answers_that_are_far_longer" if count else "training.none_2"))
        self.outliers.set_rows([
            (f"{one.line:,}", f"{one.characters:,}", row_texts.one_line(one.question)) for one in distribution.outliers
        ])  # fmt: skip
        self.outlier_table.setVisible(count > 0)

    def _show_answers(self, distribution: DataDistribution) -> None:
        bars, rows, before = [], [], 0
        for bound, count in distribution.bins:
            bars.append((f"{bound:,}", count))
            rows.append((phrase("training.a_to_b_characters", a=f"{before + 1:,}", b=f"{bound:,}"), f"{count:,}"))
            before = bound
        if distribution.beyond:
            bars.append((f">{before:,}", distribution.beyond))
            rows.append((phrase("training.more_than_a_characters", a=f"{before:,}"), f"{distribution.beyond:,}"))
        self.answers.show_bars(bars, rows)

    def _show_shares(self, plot: ChartWithTable, shares: Sequence[SourceShare], *, is_category: bool) -> None:
        plot.setVisible(bool(shares))
        named = [(self._name(share, is_category=is_category), share.rows) for share in shares]
        rest = sum(share.rows for share in shares if share.name is None)
        rest_text = phrase("training.n_rows_are_in_other", n=f"{rest:,}")
        bars = [bar for bar, share in zip(named, shares, strict=True) if share.name is not None]
        plot.show_bars(bars, [(name, f"{count:,}") for name, count in named], rest_text if rest else "")

    def _name(self, share: SourceShare, *, is_category: bool) -> str:
        if share.name is None:
            return phrase("training.others")
        if share.name == "":
            return phrase("training.none")
        return row_texts.question_category_name(share.name) if is_category else row_texts.one_line(share.name)

    def _on_activated(self, index: QModelIndex) -> None:
        if self._distribution is not None:
            self._show_row(self._distribution.outliers[index.row()].number)
