"""Where the memory would go: weights, cache and the rest of a model beside other programs, as one bar with a legend."""

from dataclasses import dataclass

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QBrush, QPainter, QPainterPath, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.models.ui import words
from app.models.ui.fits import Judged
from app.uikit import localization
from app.uikit.theme import Theme
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label

BAR_PX, SWATCH_PX = 18, 10

# Ground and, for who does not see colours, a pattern.
_LOOKS = {
    "weights": ("accent", Qt.BrushStyle.SolidPattern),
    "kv": ("warning", Qt.BrushStyle.BDiagPattern),
    "compute": ("success", Qt.BrushStyle.HorPattern),
    "free": ("base", Qt.BrushStyle.SolidPattern),
    "others": ("sunken", Qt.BrushStyle.SolidPattern),
}


@dataclass(frozen=True, slots=True)
class Part:
    kind: str
    size_bytes: int


def parts_of(judged: Judged) -> list[Part]:
    """In the place where the model would be: the graphics processor's memory where all of it fits there."""
    needed, room = judged.fit.needed, judged.fit.room
    total, others = room.total_bytes, room.others_bytes
    if judged.fit.judgement.place == "graphics":
        total, others = room.graphics_total_bytes, room.graphics_total_bytes - room.graphics_bytes
    free = max(0, total - others - needed.total_bytes)
    sizes = {"weights": needed.weights_bytes, "kv": needed.kv_bytes, "compute": needed.compute_bytes}
    return [Part(kind, size) for kind, size in (sizes | {"free": free, "others": others}).items()]


class MemoryBar(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._bar = _Bar(theme)
        self._items = {kind: _LegendItem(theme, kind) for kind in _LOOKS}
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self._bar)
        column.addWidget(FlowBox(*self._items.values()))

    def show_judged(self, judged: Judged) -> None:
        parts = parts_of(judged)
        self._bar.set_parts(parts)
        rest = phrase("models.rest_estimate") if judged.fit.is_rough else phrase("models.compute_buffers")
        names = {
            "weights": phrase("models.weights"),
            "kv": phrase("models.kv_cache"),
            "compute": rest,
            "free": phrase("models.free"),
            "others": phrase("models.other_programs"),
        }
        for part in parts:
            item = self._items[part.kind]
            item.set_text(f"{names[part.kind]} {words.gigabytes(part.size_bytes)}")
            item.setVisible(part.size_bytes > 0)
        sizes = [f"{names[part.kind]} {words.gigabytes(part.size_bytes)}" for part in parts if part.size_bytes]
        self._bar.setAccessibleName(phrase("models.memory_use"))
        self._bar.setAccessibleDescription("、".join(sizes) if localization.is_japanese() else ", ".join(sizes))


class _Bar(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._parts: list[Part] = []
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self._on_theme_changed()
        theme.changed.connect(self._on_theme_changed)

    def _on_theme_changed(self) -> None:
        self.setFixedHeight(self._theme.px(BAR_PX))

    def set_parts(self, parts: list[Part]) -> None:
        self._parts = parts
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        outline = QPainterPath()
        outline.addRoundedRect(area, 3, 3)
        painter.setClipPath(outline)
        whole = max(1, sum(part.size_bytes for part in self._parts))
        left = area.left()
        for part in self._parts:
            width = area.width() * part.size_bytes / whole
            _fill(painter, self._theme, QRectF(left, area.top(), width, area.height()), part.kind)
            left += width
        painter.setClipping(False)
        painter.setPen(QPen(self._theme.color("control"), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPath(outline)


class _LegendItem(QWidget):
    def __init__(self, theme: Theme, kind: str) -> None:
        super().__init__()
        self._label = Label(role="caption", tone="text2")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 4, 0)
        row.setSpacing(5)
        row.addWidget(_Swatch(theme, kind))
        row.addWidget(self._label)

    def set_text(self, text: str) -> None:
        self._label.setText(text)
        self.updateGeometry()


class _Swatch(QWidget):
    def __init__(self, theme: Theme, kind: str) -> None:
        super().__init__()
        self._theme, self._kind = theme, kind
        self.setFixedSize(theme.px(SWATCH_PX), theme.px(SWATCH_PX))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        area = QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5)
        _fill(painter, self._theme, area, self._kind)
        painter.setPen(QPen(self._theme.color("control"), 1))
        painter.drawRect(area)


def _fill(painter: QPainter, theme: Theme, area: QRectF, kind: str) -> None:
    tone, pattern = _LOOKS[kind]
    painter.fillRect(area, theme.color("base"))
    painter.fillRect(area, QBrush(theme.color(tone), pattern))
