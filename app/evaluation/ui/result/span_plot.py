"""Means with their intervals, one to a row of a table, on a scale that all rows share."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base import plots
from app.evaluation.report.result_shown import Span
from app.uikit.theme import Theme

ROW_PX, AXIS_PX, DOT_PX, CAP_PX, EDGE_PX, LEAST_PX = 34, 30, 4.5, 4, 18, 120
_PENS = (None, [3, 2], [1, 1.5], [3, 1.5, 1, 1.5])  # solid, dash, dot, dash-dot; in widths of the line


@dataclass(frozen=True, slots=True)
class Scale:
    """`ticks`: round numbers, from the least to the greatest. `has_zero`: 0 is what the others are seen from."""

    ticks: tuple[float, ...]
    has_zero: bool = False

    @property
    def digits(self) -> int:
        return max(0, -math.floor(math.log10(self.ticks[1] - self.ticks[0]) + 1e-9))

    def x(self, value: float, width: float, edge: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return edge + (width - 2 * edge) * (value - low) / (high - low)


def scale_of(spans: Sequence[Span], *, has_zero: bool = False) -> Scale:
    ends = [end for one in spans for end in (one.low, one.high, *((0.0,) if has_zero else ()))]
    low, high = min(ends), max(ends)
    return Scale(tuple(plots.ticks(low, high) if high > low or low else [0.0, 0.5, 1.0]), has_zero)


class _Drawn(QWidget):
    def __init__(self, theme: Theme, scale: Scale, height_px: int) -> None:
        super().__init__()
        self._theme = theme
        self._scale = scale
        self._height_px = height_px
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(LEAST_PX), self._theme.px(self._height_px))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()

    def _x(self, value: float) -> float:
        return self._scale.x(value, self.width(), self._theme.px(EDGE_PX))


class Axis(_Drawn):
    """The numbers of the scale; those that would run into each other are left out."""

    def __init__(self, theme: Theme, scale: Scale) -> None:
        super().__init__(theme, scale, AXIS_PX)

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, theme = QPainter(self), self._theme
        painter.setFont(theme.font("caption", 600))
        painter.setPen(theme.color("text2"))
        metrics = QFontMetrics(painter.font())
        taken = -math.inf
        for value in self._scale.ticks:
            text, x = self._text(value), self._x(value)
            width = metrics.horizontalAdvance(text) + 2
            left = min(max(0.0, x - width / 2), self.width() - width)
            if left > taken:
                painter.drawText(QRectF(left, 0, width, self.height()), Qt.AlignmentFlag.AlignCenter, text)
                taken = left + width + theme.px(6)
        painter.end()

    def _text(self, value: float) -> str:
        if self._scale.has_zero:
            is_zero = abs(value) < 1e-9
            return "0" if is_zero else f"{value:+.{self._scale.digits}f}".replace("-", "\u2212")
        return f"{value:.{self._scale.digits}f}"


class SpanRow(_Drawn):
    """What it shows stands in words beside it. `series`: from 0; None: of a difference, whose dot is filled where
    `is_sure`."""

    def __init__(
        self, theme: Theme, scale: Scale, span: Span | None, series: int | None = None, *, is_sure: bool = False
    ) -> None:
        super().__init__(theme, scale, ROW_PX)
        self._span = span
        self._series = series
        self._is_sure = is_sure

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, theme = QPainter(self), self._theme
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for value in self._scale.ticks:
            is_zero = self._scale.has_zero and abs(value) < 1e-9
            pen = QPen(theme.color("text2" if is_zero else "line"), 1)
            if is_zero:
                pen.setDashPattern([2, 3])
            elif self._scale.has_zero:
                continue
            painter.setPen(pen)
            x = round(self._x(value)) + 0.5
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        if self._span is not None:
            self._draw_span(painter, self._span)
        painter.end()

    def _draw_span(self, painter: QPainter, span: Span) -> None:
        theme, y = self._theme, self.height() / 2
        left, middle, right = (self._x(value) for value in (span.low, span.mean, span.high))
        turn, series = divmod(self._series or 0, len(_PENS))
        color = theme.color("text2" if self._series is None else f"chart{series + 1}")
        pen = QPen(color, 2)
        if (pattern := _PENS[series]) is not None:
            pen.setDashPattern(pattern)
        painter.setPen(pen)
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        painter.setPen(QPen(color, 2))
        cap = theme.px(CAP_PX)
        for x in (left, right):
            painter.drawLine(QPointF(x, y - cap), QPointF(x, y + cap))
        is_filled = self._is_sure if self._series is None else (series in (0, 3)) != (turn % 2 == 1)
        painter.setBrush(color if is_filled else theme.color("base"))
        draw_mark(painter, series, QPointF(middle, y), theme.px(DOT_PX))


def draw_mark(painter: QPainter, series: int, at: QPointF, radius: float) -> None:
    """● □ △ ◆, in the pen and brush of the painter."""
    x, y = at.x(), at.y()
    if series == 0:
        painter.drawEllipse(at, radius, radius)
    elif series == 1:
        painter.drawRect(QRectF(x - radius + 0.5, y - radius + 0.5, 2 * radius - 1, 2 * radius - 1))
    elif series == 2:
        tip, foot = y - radius * 1.2, y + radius * 0.9
        painter.drawPolygon(
            QPolygonF([QPointF(x, tip), QPointF(x + radius * 1.2, foot), QPointF(x - radius * 1.2, foot)])
        )
    else:
        side = radius * 1.2
        corners = [QPointF(x, y - side), QPointF(x + side, y), QPointF(x, y + side), QPointF(x - side, y)]
        painter.drawPolygon(QPolygonF(corners))
