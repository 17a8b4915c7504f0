"""The plots of a report (`app.base.plots`), in the colours of the window."""

import html
import re

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QFontInfo, QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.labels import tip

MOST_PX = 560
_LABEL = re.compile(r'aria-label="([^"]*)"')
# As in report.css; a line of its own kind each, so that colour does not tell them alone.
_STYLE = """
text {{ fill: {text2}; font-size: 12px; font-family: '{family}'; }}
.name {{ fill: {text}; }}
.axis, .grid {{ stroke: {line}; stroke-width: 1; fill: none; }}
.zero {{ stroke: {text}; stroke-dasharray: 2 3; }}
.series {{ fill: none; stroke-width: 2; }}
.one {{ stroke: {chart1}; }}
.two {{ stroke: {chart2}; stroke-dasharray: 6 4; }}
.three {{ stroke: {chart3}; stroke-dasharray: 2 3; }}
.dot {{ stroke: none; }}
.dot.one {{ fill: {chart1}; }}
.dot.two {{ fill: {chart2}; }}
.dot.three {{ fill: {chart3}; }}
.mean {{ fill: {chart1}; stroke: {chart1}; stroke-width: 2; }}
.mean.open {{ fill: {base}; }}
"""
_COLORS = ("text", "text2", "line", "base", "chart1", "chart2", "chart3")


class SvgPlot(QWidget):
    """As wide as its place, up to MOST_PX. What it shows stands in the tables beside it."""

    def __init__(self, theme: Theme, svg: str) -> None:
        super().__init__()
        self._theme = theme
        self._svg = svg
        self._renderer = QSvgRenderer(self)
        found = _LABEL.search(svg)
        self.setAccessibleName(html.unescape(found.group(1)) if found else "")
        self.setToolTip(tip(self.accessibleName()))
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)
        theme.changed.connect(self._load)
        self._load()

    @property
    def is_drawn(self) -> bool:
        return self._renderer.isValid()

    def sizeHint(self) -> QSize:
        width = self._theme.px(MOST_PX)
        return QSize(width, self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, 0)

    def heightForWidth(self, width: int) -> int:
        box = self._renderer.viewBoxF()
        return round(min(width, self._theme.px(MOST_PX)) * box.height() / max(1.0, box.width()))

    def paintEvent(self, _event: QPaintEvent) -> None:
        width = min(self.width(), self._theme.px(MOST_PX))
        painter = QPainter(self)
        self._renderer.render(painter, QRectF(0, 0, width, self.heightForWidth(width)))
        painter.end()

    def _load(self) -> None:
        colors = {name: self._theme.color(name).name() for name in _COLORS}
        family = QFontInfo(self._theme.font("ui")).family()  # QtSvg takes one; of a list it would take none
        style = f"<style>{_STYLE.format(family=family, **colors)}</style>"
        svg = self._svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        self._renderer.load(svg.replace(">", f">{style}", 1).encode())
        self.updateGeometry()
        self.update()
