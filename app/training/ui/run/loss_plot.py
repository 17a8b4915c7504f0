"""Plot the losses. Import this module only when a plot is shown: pyqtgraph takes a third of a second."""

import math

from app.base.wording import phrase

from app.training.ui.run import opengl_stub  # noqa: F401  before pyqtgraph; isort: skip
import pyqtgraph as pg
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPen, QWheelEvent

from app.base.plots import CurvePoints
from app.training.runs.run_progress import RunProgress
from app.training.ui import run_texts
from app.uikit.theme import Theme

RAW_OPACITY = 0.3
DASH = (6.0, 4.0)  # in pixels
MARK_PX, RING_PX = 7, 15
HEIGHT_PX = 300
_EDGE = 0.12  # share of the height that stays free above and below for labels


class LossPlot(pg.PlotWidget):  # type: ignore[misc]
    """A plot of training and validation loss over steps: raw values faint, smoothed ones, the best point, the current
    step.
    """

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._course: RunProgress | None = None
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setFrameShape(pg.PlotWidget.Shape.NoFrame)
        self.setMenuEnabled(False)
        self.setMouseEnabled(False, False)
        self.hideButtons()
        self.setAccessibleName(phrase("training.loss_curves"))
        self._raw, self._smooth, self._validation = (self.plot(antialias=True) for _ in range(3))
        self._now = pg.InfiniteLine(angle=90)
        self._ring = pg.ScatterPlotItem(size=RING_PX, symbol="o", antialias=True)
        self._labels = {key: pg.TextItem() for key in ("base", "best", "now")}
        for item in (self._now, self._ring, *self._labels.values()):
            self.addItem(item, ignoreBounds=True)
        theme.changed.connect(self._restyle)
        self._restyle()

    def show_course(self, course: RunProgress) -> None:
        self._course = course
        for item, points in (
            (self._raw, course.raw),
            (self._smooth, course.smooth),
            (self._validation, course.validation),
        ):
            item.setData(*_columns(points))
        self._fit(course)
        self._label_points(course)
        self.setAccessibleDescription(self._summary(course))

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Ignore the wheel, so that the page scrolls."""
        event.ignore()

    # ------------------------------------------------------------------- private

    def _fit(self, course: RunProgress) -> None:
        """Fit the axes. Outliers of the raw values may be cut off, because they would flatten the curves."""
        raw = sorted(y for _x, y in course.raw)
        heights = [y for _x, y in (*course.smooth, *course.validation)] + raw[len(raw) // 50 : len(raw) * 49 // 50]
        if not heights:
            return
        low, high = min(heights), max(heights)
        edge = max(high - low, 0.02) * _EDGE
        step = course.standing.step
        last = max((step.total if step else 1, *(one.step for one in course.evaluations[-1:])))
        self.setXRange(0, last, padding=0.01)
        self.setYRange(low - edge, high + edge, padding=0)

    def _label_points(self, course: RunProgress) -> None:
        """Label the first and the best loss and the current step."""
        standing, step = course.standing, course.standing.step
        base, best = standing.base_loss, standing.best
        total = step.total if step else 1
        is_running = course.state == "running" and step is not None
        self._now.setVisible(is_running)
        self._ring.setVisible(best is not None and best.step > 0)
        self._place(
            "base",
            None if base is None else (0.0, base),
            phrase("training.before_loss", loss=run_texts.format_loss(base)),
            (0.0, 1.0),
        )
        if best is not None and best.step > 0:
            self._ring.setData([best.step], [best.loss])
            text = phrase("training.best_loss_s", loss=run_texts.format_loss(best.loss), s=f"{best.step:,}")
            self._place("best", (best.step, best.loss), text, (_side(best.step, total), 1.4))
        else:
            self._place("best", None, "", (0.5, 1.0))
        if is_running and step is not None:
            self._now.setPos(step.step)
            top = self.getViewBox().viewRange()[1][1]
            at = 1.0 if step.step > 0.8 * total else 0.0
            self._place("now", (step.step, top), phrase("training.now_s", s=f"{step.step:,}"), (at, 0.0))
        else:
            self._place("now", None, "", (0.0, 0.0))

    def _place(self, key: str, at: tuple[float, float] | None, text: str, anchor: tuple[float, float]) -> None:
        label = self._labels[key]
        label.setVisible(at is not None and math.isfinite(at[1]))
        if at is not None and math.isfinite(at[1]):
            label.setText(text)
            label.setAnchor(anchor)
            label.setPos(*at)

    def _summary(self, course: RunProgress) -> str:
        standing = course.standing
        best = standing.best
        text: str = phrase("training.before_base_best_best_n")
        return text.format(
            base=run_texts.format_loss(standing.base_loss),
            best=run_texts.format_loss(best.loss if best else None),
            n=standing.last_step,
        )

    def _restyle(self) -> None:
        theme = self._theme
        first, second, text2 = theme.color("chart1"), theme.color("chart2"), theme.color("text2")
        self.setMinimumHeight(theme.px(HEIGHT_PX))
        self.setBackground(theme.color("base"))
        faint = QColor(first)
        faint.setAlphaF(RAW_OPACITY)
        self._raw.setPen(_pen(faint, 1))
        self._smooth.setPen(_pen(first, 2))
        self._validation.setPen(_pen(second, 2, DASH))
        self._validation.setSymbol("s")
        self._validation.setSymbolSize(MARK_PX)
        self._validation.setSymbolPen(_pen(second, 1.5))
        self._validation.setSymbolBrush(theme.color("base"))
        self._ring.setPen(_pen(theme.color("text"), 1.5))
        self._ring.setBrush(None)
        self._now.setPen(_pen(text2, 1, (1.0, 2.0)))
        for label in self._labels.values():
            label.setColor(text2)
            label.setFont(theme.font("caption"))
            ground = QColor(theme.color("base"))
            ground.setAlphaF(0.85)
            label.fill = pg.mkBrush(ground)
        for name in ("left", "bottom"):
            axis = self.getAxis(name)
            axis.setPen(_pen(theme.color("control"), 1) if name == "bottom" else _pen(theme.color("line"), 1))
            axis.setTextPen(text2)
            axis.setTickPen(_pen(theme.color("line"), 1))
            axis.setStyle(tickFont=theme.font("caption"), tickLength=0, maxTextLevel=0, maxTickLevel=0)
            axis.enableAutoSIPrefix(False)
        self.getAxis("left").setGrid(255)
        size = theme.font("caption").pixelSize()
        self.getAxis("bottom").setLabel(phrase("training.step"), **{"color": text2.name(), "font-size": f"{size}px"})
        if self._course is not None:
            self.show_course(self._course)


def _pen(color: QColor, width: float, dash: tuple[float, float] | None = None) -> QPen:
    """Return a cosmetic pen, whose width does not depend on the scale. Dash lengths are in pixels."""
    pen = QPen(color, width)
    pen.setCosmetic(True)
    if dash is not None:
        pen.setDashPattern([length / width for length in dash])
    return pen


def _side(step: float, total: float) -> float:
    """Return the horizontal anchor of a label, so that it stays inside the plot."""
    share = step / max(1, total)
    return 0.0 if share < 0.15 else 1.0 if share > 0.85 else 0.5


def _columns(points: CurvePoints) -> tuple[list[float], list[float]]:
    return [x for x, _y in points], [y for _x, y in points]
