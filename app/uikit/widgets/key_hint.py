"""Keys drawn as key caps with what they do."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.base.wording import current_language
from app.uikit.theme import Theme

Part = tuple[str, bool]  # words, and whether they are a key


class KeyHint(QWidget):
    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._parts: tuple[Part, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self.updateGeometry)
        theme.changed.connect(self.update)

    def show_parts(self, *parts: Part) -> None:
        self._parts = parts
        gap = "" if current_language() == "ja" else " "
        self.setAccessibleName(gap.join(words.strip(" ") for words, _ in parts))
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(int(self._lay_out()[-1][0].right()) if self._parts else 0, self._theme.px(22))

    def minimumSizeHint(self) -> QSize:
        return QSize(0, self._theme.px(22))

    def paintEvent(self, _event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self._theme.font("caption"))
        for place, words, is_key in self._lay_out():
            if place.right() > self.width() + 1:
                break
            if is_key:
                painter.setPen(QPen(self._theme.color("control"), 1))
                painter.drawRoundedRect(place.adjusted(0.5, 0.5, -0.5, -0.5), self._theme.px(3), self._theme.px(3))
            painter.setPen(self._theme.color("text2"))
            painter.drawText(place, int(Qt.AlignmentFlag.AlignCenter), words)

    def _lay_out(self) -> list[tuple[QRectF, str, bool]]:
        metrics = QFontMetrics(self._theme.font("caption"))
        height = self._theme.px(20)
        x = 0.0
        placed = []
        for words, is_key in self._parts:
            width = metrics.horizontalAdvance(words) + self._theme.px(10 if is_key else 8)
            placed.append((QRectF(x, self._theme.px(1), width, height), words, is_key))
            x += width
        return placed
