"""Draw means with their intervals in table rows on one scale, and the numbers of answers by score.

The breakdown (得点の内訳) shows for each system a bar in four parts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QBrush, QFontMetrics, QPainter, QPaintEvent, QPen, QPolygonF, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base import plots
from app.base.wording import phrase
from app.evaluation.report.result_view_data import ResultViewData, Span, SystemViewData
from app.evaluation.ui.result import result_texts
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.containers import Card, CardGrid, FlowBox, make_row
from app.uikit.widgets.labels import Label, plain_tooltip

ROW_PX, AXIS_PX, DOT_PX, CAP_PX, EDGE_PX, LEAST_PX = 34, 30, 4.5, 4, 18, 120
_PENS = (None, [3, 2], [1, 1.5], [3, 1.5, 1, 1.5])  # solid, dash, dot, dash-dot; in widths of the line


@dataclass(frozen=True, slots=True)
class AxisScale:
    """The scale of a plot. `ticks`: ascending round numbers. `has_zero`: values are differences from 0."""

    ticks: tuple[float, ...]
    has_zero: bool = False

    @property
    def digits(self) -> int:
        return max(0, -math.floor(math.log10(self.ticks[1] - self.ticks[0]) + 1e-9))

    def x(self, value: float, width: float, edge: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        return edge + (width - 2 * edge) * (value - low) / (high - low)


def scale_of(spans: Sequence[Span], *, has_zero: bool = False) -> AxisScale:
    ends = [end for one in spans for end in (one.low, one.high, *((0.0,) if has_zero else ()))]
    low, high = min(ends), max(ends)
    return AxisScale(tuple(plots.ticks(low, high) if high > low or low else [0.0, 0.5, 1.0]), has_zero)


class _PlotRow(QWidget):
    def __init__(self, theme: Theme, scale: AxisScale, height_px: int) -> None:
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


class Axis(_PlotRow):
    """The numbers of a scale; those that would overlap are left out."""

    def __init__(self, theme: Theme, scale: AxisScale) -> None:
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


class SpanRow(_PlotRow):
    """A mean with its interval; the table holds the same values as text.

    `series`: number from 0; None: a difference, with a filled dot if `is_sure`.
    """

    def __init__(
        self, theme: Theme, scale: AxisScale, span: Span | None, series: int | None = None, *, is_sure: bool = False
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
    """Draw ● □ △ or ◆ with the pen and brush of the painter."""
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


BAR_PX, WIDE_PX, SWATCH_PX = 24, 500, 16
# Background and text colour of each part. The first two have a pattern, so that colour is not the only distinction.
_LOOKS = (("base", "text"), ("base", "text"), ("accent_soft", "text"), ("accent", "on_accent"))
_PATTERNS = (Qt.BrushStyle.Dense7Pattern, Qt.BrushStyle.BDiagPattern)


class BreakdownCard(Card):
    """The numbers of answers by score; hidden if no answer has a score."""

    def __init__(self, theme: Theme) -> None:
        super().__init__("")
        self._theme = theme
        self._found: ResultViewData | None = None
        self._is_wide = True
        self.rows = CardGrid()
        self.rows.grid.setVerticalSpacing(8)
        self.about = Label(role="caption", tone="text2", wraps=True)
        self._keys = [Label(role="caption", tone="text2") for _ in _LOOKS]
        self.legend = FlowBox(*(_key(theme, part, label) for part, label in enumerate(self._keys)))
        for widget in (self.rows, self.legend, self.about):
            self.column.addWidget(widget)
        self.column.addStretch(1)
        self.hide()

    def show_result(self, found: ResultViewData) -> None:
        self._found = found
        counted = [sum(one.counts) for one in found.systems if one.counts]
        self.setVisible(bool(counted))
        is_plain = len(found.questions) == max(counted, default=0)  # every question once
        title = phrase("evaluation.scores_n_questions") if is_plain else phrase("evaluation.scores_n_answers")
        self.title.setText(title.format(n=f"{max(counted, default=0):,}"))
        for label, name in zip(self._keys, result_texts.points(found), strict=True):
            label.setText(name)
        if found.has_judged_counts:
            explanation = phrase("evaluation.from_the_left_0_1")
        else:
            explanation = phrase("evaluation.from_the_left_0_below")
        self.about.setText(explanation)
        self._fill()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_wide = self.width() >= self._theme.px(WIDE_PX)
        if is_wide != self._is_wide:
            self._is_wide = is_wide
            self._fill()

    # ------------------------------------------------------------------- private

    def _fill(self) -> None:
        self.rows.clear()
        if self._found is None:
            return
        names = result_texts.points(self._found)
        for one in self._found.systems:
            if not one.counts:
                continue
            bar = ScoreBar(self._theme, one.counts, _counts_text(one, names))
            self.rows.put(Label(one.system.name, wraps=True), 0)
            if not self._is_wide:
                self.rows.next_row()
            self.rows.put(bar, 1 if self._is_wide else 0)
            self.rows.next_row()
        self.rows.grid.setColumnStretch(0, 2)
        self.rows.grid.setColumnStretch(1, 5 if self._is_wide else 0)


class ScoreBar(QWidget):
    """A bar of counts. `description`: the same as text."""

    def __init__(self, theme: Theme, counts: Sequence[int], description: str) -> None:
        super().__init__()
        self._theme = theme
        self._counts = tuple(counts)
        self.setAccessibleName(description)
        self.setToolTip(plain_tooltip(description))
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)

    def sizeHint(self) -> QSize:
        return QSize(self._theme.px(160), self._theme.px(BAR_PX))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter, theme = QPainter(self), self._theme
        painter.setFont(theme.font("caption"))
        metrics = QFontMetrics(painter.font())
        room, total, at = self.width() - 1, sum(self._counts), 0.5
        for part, count in enumerate(self._counts):
            if not count:
                continue
            area = QRectF(at, 2.5, room * count / total, self.height() - 5)
            at += area.width()
            draw_part(painter, theme, part, area)
            text = f"{count:,}"
            width = metrics.horizontalAdvance(text) + theme.px(6)
            if width <= area.width():
                plate = QRectF(area.center().x() - width / 2, area.top() + 1, width, area.height() - 1.5)
                painter.fillRect(plate, theme.color(_LOOKS[part][0]))
                painter.setPen(theme.color(_LOOKS[part][1]))
                painter.drawText(area, Qt.AlignmentFlag.AlignCenter, text)
        painter.end()


class ScoreSwatch(QWidget):
    def __init__(self, theme: Theme, part: int) -> None:
        super().__init__()
        self._theme = theme
        self._part = part
        theme.changed.connect(self._resize)
        self._resize()

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        draw_part(painter, self._theme, self._part, QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5))
        painter.end()

    def _resize(self) -> None:
        self.setFixedSize(self._theme.px(SWATCH_PX), self._theme.px(SWATCH_PX - 4))


def draw_part(painter: QPainter, theme: Theme, part: int, area: QRectF) -> None:
    painter.fillRect(area, theme.color(_LOOKS[part][0]))
    if part < len(_PATTERNS):
        painter.fillRect(area, QBrush(theme.color("control"), _PATTERNS[part]))
    painter.setPen(QPen(theme.color("control"), 1))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRect(area)


def _key(theme: Theme, part: int, label: Label) -> QWidget:
    holder = QWidget()
    make_row(ScoreSwatch(theme, part), label, into=holder, margins_px=(0, 0, 8, 0), spacing_px=6)
    return holder


def _counts_text(one: SystemViewData, names: Sequence[str]) -> str:
    parts = (f"{name} {count:,}" for name, count in zip(names, one.counts, strict=True))
    return join_facts(one.system.name, *parts)
