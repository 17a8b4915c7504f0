"""Counts as bars: upright for sizes that follow each other, lying for things with names."""

from collections.abc import Sequence

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.training.data.distribution import round_up
from app.uikit.theme import Theme

PLOT_PX, AXIS_PX, TOP_PX = 150, 22, 20
BAR_MOST_PX, ROW_PX, LABEL_MOST = 80, 26, 0.4  # the last: share of the width
GRID_LINES = 4

Bar = tuple[str, int]


class Chart(QWidget):
    """`bars`: what each is called, and how many there are. Said to screen readers as a sentence."""

    def __init__(self, theme: Theme, name: str) -> None:
        super().__init__()
        self._theme = theme
        self._bars: Sequence[Bar] = ()
        self.setAccessibleName(name)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._on_theme_changed)

    def show_bars(self, bars: Sequence[Bar], told: str) -> None:
        """`told`: the same in words."""
        self._bars = bars
        self.setAccessibleDescription(told)
        self.updateGeometry()
        self.update()

    def _on_theme_changed(self) -> None:
        self.updateGeometry()
        self.update()


class Histogram(Chart):
    """`name` of a bar: its upper bound, written below its right edge; or > and the bound below it."""

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(360), self._theme.px(PLOT_PX + AXIS_PX + TOP_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self.sizeHint().height())

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
            is_open = bound.startswith(">")  # it has no upper bound: what it is stands below its middle
            edge = bar.center().x() if is_open else plot.left() + round((place + 1) * step)
            if edge - half >= written_to:  # where two do not fit beside each other, the first one is written
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


class Bars(Chart):
    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(360), len(self._bars) * self._theme.px(ROW_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(200), self.sizeHint().height())

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
