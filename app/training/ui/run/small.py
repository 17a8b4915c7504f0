"""A value as it is now, over the course it has taken: a curve without axes, to be seen at a glance."""

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.plots import CurvePoints
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label

HEIGHT_PX = 40


class Small(QFrame):
    def __init__(self, theme: Theme, name: str, *, from_zero: bool = False) -> None:
        """`from_zero`: the lower edge is 0, so that what hardly changes looks so."""
        super().__init__()
        self.setProperty("surface", "card")
        self.name = Label(name, "caption", "text2")
        self.value = Label(role="caption", strong=True)
        self._line = _Line(theme, from_zero=from_zero)
        self._line.setAccessibleName(name)
        head = QHBoxLayout()
        head.addWidget(self.name, 1)
        head.addWidget(self.value)
        column = QVBoxLayout(self)
        column.setContentsMargins(10, 8, 10, 8)
        column.setSpacing(6)
        column.addLayout(head)
        column.addWidget(self._line)

    def show_points(self, points: CurvePoints, value: str, total: int) -> None:
        """`total`: of steps, at the right edge."""
        self.value.setText(value)
        self._line.setAccessibleDescription(value)
        self._line.show_points(points, total)


class _Line(QWidget):
    def __init__(self, theme: Theme, *, from_zero: bool) -> None:
        super().__init__()
        self._theme = theme
        self._from_zero = from_zero
        self._points: CurvePoints = ()
        self._total = 1
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._resize)
        self._resize()

    def show_points(self, points: CurvePoints, total: int) -> None:
        self._points, self._total = points, max(1, total)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width, height = self.width() - 2.0, self.height() - 6.0
        painter.setPen(QPen(self._theme.color("line"), 1))
        painter.drawLine(QPointF(0, self.height() - 1.0), QPointF(self.width(), self.height() - 1.0))
        if not self._points:
            return
        low, high = min(y for _x, y in self._points), max(y for _x, y in self._points)
        low = 0.0 if self._from_zero else low
        span = high - low
        places = [
            QPointF(1 + width * x / self._total, 2 + (height * (high - y) / span if span else height / 2))
            for x, y in self._points
        ]
        painter.setPen(QPen(self._theme.color("chart1"), 1.5, Qt.PenStyle.SolidLine))
        painter.drawPolyline(QPolygonF(places))

    def _resize(self) -> None:
        self.setFixedHeight(self._theme.px(HEIGHT_PX))
