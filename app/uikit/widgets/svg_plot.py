"""Show the plots of `app.base.plots` in a widget, in the colours of the theme."""

import functools
import re
from collections.abc import Callable

from PySide6.QtCore import QRectF, QSize
from PySide6.QtGui import QFont, QFontInfo, QPainter, QPaintEvent
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base.paths import resources
from app.uikit.theme import Theme

_TOKENS = {
    "ink": "text", "faint": "text2", "line": "line", "ground": "base",
    "one": "chart1", "two": "chart2", "three": "chart3", "four": "chart4",
}  # fmt: skip
_VARIABLE = re.compile(r"var\(--(\w+)\)")

Draw = Callable[[float, float], str]


class SvgPlot(QWidget):
    """A plot, drawn again for each size. It is not accessible, so a text or table must show its values too."""

    def __init__(self, theme: Theme, draw: Draw, *, least_px: int = 0, height_px: int = 0, most_px: int = 9999) -> None:
        """Create the widget, with sizes in pixels at 100 % text size. `least_px`, `most_px`: of its width.

        `draw`: returns <svg> or "" for width and height; `height_px` 0: it gets 0 and decides the height.
        """
        super().__init__()
        self._theme = theme
        self._draw = draw
        self._least_px, self._height_px, self._most_px = least_px, height_px, most_px
        self._drawn_for: tuple[int, int] | None = None
        self._heights: dict[int, int] = {}  # by width
        self._renderer = QSvgRenderer(self)
        policy = QSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        policy.setHeightForWidth(not height_px)
        self.setSizePolicy(policy)
        theme.changed.connect(self.redraw)

    def redraw(self) -> None:
        """Draw the plot again, because its values or the theme have changed."""
        self._drawn_for = None
        self._heights.clear()
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        width = self._theme.px(self._least_px)
        return QSize(width, self._theme.px(self._height_px) or self.heightForWidth(width))

    def minimumSizeHint(self) -> QSize:
        return QSize(self._theme.px(self._least_px), self._theme.px(self._height_px))

    def heightForWidth(self, width: int) -> int:
        width = min(width, self._theme.px(self._most_px))
        if width not in self._heights:  # layouts ask many times, and for several widths in turn
            self._load(width, 0)
            box = self._renderer.viewBoxF()
            self._heights[width] = round(width * box.height() / max(1.0, box.width()))
        return self._heights[width]

    def paintEvent(self, _event: QPaintEvent) -> None:
        width = min(self.width(), self._theme.px(self._most_px))
        height = self.height() if self._height_px else self.heightForWidth(width)
        self._load(width, height if self._height_px else 0)
        painter = QPainter(self)
        self._renderer.render(painter, QRectF(0, 0, width, height))
        painter.end()

    # ------------------------------------------------------------------- private

    def _load(self, width: int, height: int) -> None:
        if self._drawn_for == (width, height):
            return
        self._drawn_for = width, height
        scale = self._theme.px(1000) / 1000
        svg = self._draw(width / scale, height / scale)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {svg.removeprefix("<svg ")}'
        self._renderer.load(head.replace(">", f"><style>{_style(self._theme)}</style>", 1).encode() if svg else b"")


def _style(theme: Theme) -> str:
    return _filled_style(theme.font("ui").toString(), tuple(theme.color(token).name() for token in _TOKENS.values()))


@functools.lru_cache(maxsize=1)  # looking up the family takes as long as loading a plot
def _filled_style(font: str, colors: tuple[str, ...]) -> str:
    """Return plots.css with colours in place of variables and one font family, because QtSvg supports no more."""
    found = QFont()
    found.fromString(font)
    by_name = dict(zip(_TOKENS, colors, strict=True))
    colored = _VARIABLE.sub(lambda name: by_name[name[1]], _stylesheet())
    return f"text {{ font-family: '{QFontInfo(found).family()}'; }}\n{colored}"


@functools.cache
def _stylesheet() -> str:
    return (resources() / "report" / "plots.css").read_text("utf-8")
