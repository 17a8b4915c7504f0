"""Plot means before and after with their intervals, a row for each category: □ and dashed before, ● and solid after."""

import math
from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base.bootstrap import ConfidenceInterval
from app.training.run_result import CategoryLoss
from app.training.ui.result import verdict_texts
from app.uikit.theme import Theme
from app.uikit.widgets.list_rows import draw_text

ROW_PX, AXIS_PX, DOT_PX, GAP_PX = 34, 24, 4.5, 12
NAMES_SHARE = 0.34  # largest share of the width
_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
_TICKS = 5


class IntervalPlot(QWidget):
    """A plot of intervals. A table next to it has the same numbers for screen readers."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._rows: tuple[CategoryLoss, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def show_rows(self, rows: Sequence[CategoryLoss]) -> None:
        self._rows = tuple(rows)
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(0, self._theme.px(ROW_PX) * len(self._rows) + self._theme.px(AXIS_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self._rows:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        metrics = QFontMetrics(self._theme.font("caption"))
        names = max(metrics.horizontalAdvance(verdict_texts.category_name(row.name)) for row in self._rows) + 2
        counts = max(metrics.horizontalAdvance(f"{row.count:,}") for row in self._rows)
        changes = max(metrics.horizontalAdvance(verdict_texts.format_change(row.change.mean)) for row in self._rows)
        gap = self._theme.px(GAP_PX)
        names = min(names, round(self.width() * NAMES_SHARE))
        left, right = names + counts + 2 * gap, self.width() - changes - gap
        plot = QRectF(left, 0, max(1, right - left), self._theme.px(ROW_PX) * len(self._rows))
        low, high = self._range()
        self._draw_axis(painter, plot, low, high)
        for at, row in enumerate(self._rows):
            top, height = at * self._theme.px(ROW_PX), self._theme.px(ROW_PX)
            draw_text(
                painter,
                self._theme,
                QRect(0, top, names, height),
                verdict_texts.category_name(row.name),
                "caption",
                "text",
            )
            self._draw_right(painter, QRect(names + gap, top, counts, height), f"{row.count:,}", "muted")
            change = verdict_texts.format_change(row.change.mean)
            self._draw_right(painter, QRect(self.width() - changes, top, changes, height), change, "text")
            self._draw_interval(painter, plot, top + height * 0.34, row.before, (low, high), is_after=False)
            self._draw_interval(painter, plot, top + height * 0.68, row.after, (low, high), is_after=True)

    # ------------------------------------------------------------------- private

    def _range(self) -> tuple[float, float]:
        all_ = [one for row in self._rows for one in (row.before, row.after)]
        low, high = min(one.low for one in all_), max(one.high for one in all_)
        pad = max(0.05, (high - low) * 0.05)
        return low - pad, high + pad

    def _draw_axis(self, painter: QPainter, plot: QRectF, low: float, high: float) -> None:
        step = _tick_step((high - low) / _TICKS)
        painter.setFont(self._theme.font("caption"))
        digits = max(0, -math.floor(math.log10(step)))
        tick = math.ceil(low / step)
        used_to = -math.inf
        while tick * step <= high:
            x = plot.left() + (tick * step - low) / (high - low) * plot.width()
            painter.setPen(QPen(self._theme.color("line"), 1))
            painter.drawLine(QPointF(x, 0), QPointF(x, plot.bottom()))
            text = f"{tick * step:.{digits}f}"
            width = QFontMetrics(painter.font()).horizontalAdvance(text)
            if x - width / 2 > used_to:  # numbers must not overlap
                painter.setPen(self._theme.color("text2"))
                area = QRectF(x - width, plot.bottom(), 2 * width, self._theme.px(AXIS_PX))
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
                used_to = x + width / 2 + self._theme.px(6)
            tick += 1

    def _draw_right(self, painter: QPainter, area: QRect, text: str, tone: str) -> None:
        painter.setFont(self._theme.font("caption"))
        painter.setPen(self._theme.color(tone))
        painter.drawText(area, int(_RIGHT), text)

    def _draw_interval(
        self,
        painter: QPainter,
        plot: QRectF,
        y: float,
        found: ConfidenceInterval,
        span: tuple[float, float],
        *,
        is_after: bool,
    ) -> None:
        low, high = span
        left, middle, right = (
            plot.left() + (value - low) / (high - low) * plot.width() for value in (found.low, found.mean, found.high)
        )
        color = self._theme.color("chart1" if is_after else "chart2")
        pen = QPen(color, 2)
        if not is_after:
            pen.setDashPattern([3, 2])
        painter.setPen(pen)
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        painter.setPen(QPen(color, 2))
        cap = self._theme.px(3)
        for x in (left, right):
            painter.drawLine(QPointF(x, y - cap), QPointF(x, y + cap))
        draw_marker(painter, self._theme, QPointF(middle, y), is_after=is_after)


class PlotMarker(QWidget):
    """The marker of before or after in a legend."""

    def __init__(self, theme: Theme, *, is_after: bool) -> None:
        super().__init__()
        self._theme = theme
        self._is_after = is_after
        theme.changed.connect(self._resize)
        self._resize()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        y = self.height() / 2
        pen = QPen(self._theme.color("chart1" if self._is_after else "chart2"), 2)
        if not self._is_after:
            pen.setDashPattern([3, 2])
        painter.setPen(pen)
        painter.drawLine(QPointF(0, y), QPointF(self.width(), y))
        draw_marker(painter, self._theme, QPointF(self.width() / 2, y), is_after=self._is_after)

    def _resize(self) -> None:
        self.setFixedSize(self._theme.px(26), self._theme.px(14))


def draw_marker(painter: QPainter, theme: Theme, at: QPointF, *, is_after: bool) -> None:
    radius = theme.px(DOT_PX)
    color = theme.color("chart1" if is_after else "chart2")
    painter.setPen(QPen(color, 2))
    painter.setBrush(color if is_after else theme.color("base"))
    area = QRectF(at.x() - radius, at.y() - radius, 2 * radius, 2 * radius)
    if is_after:
        painter.drawEllipse(area.adjusted(1, 1, -1, -1))
    else:
        painter.drawRect(area.adjusted(1, 1, -1, -1))
    painter.setBrush(Qt.BrushStyle.NoBrush)


def _tick_step(rough: float) -> float:
    """Return the smallest 1, 2 or 5 times a power of ten that is at least `rough`."""
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
