"""A button that shows its key as a key cap."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap

from app.uikit.language import noted
from app.uikit.theme import PIXEL_RATIOS, Theme
from app.uikit.widgets.buttons import Button

CAP_PX, CAP_GAP_PX = 18, 6


class KeyButton(Button):
    """A button whose key stands behind its word, as a key cap."""

    def __init__(self, theme: Theme, text: str, key: str) -> None:
        super().__init__(theme, text)
        self._key = key
        self.setAccessibleName(noted(text, key))
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the cap is its icon, behind the word
        theme.changed.connect(self._draw_cap)
        self._draw_cap()

    def _draw_cap(self) -> None:
        theme = self._theme
        icon = QIcon()
        for mode, token in ((QIcon.Mode.Normal, "text2"), (QIcon.Mode.Disabled, "control")):
            for ratio in PIXEL_RATIOS:
                icon.addPixmap(_cap(theme, self._key, token, ratio), mode)
        self.setIcon(icon)
        self.setIconSize(QSize(theme.px(CAP_PX + CAP_GAP_PX), theme.px(CAP_PX)))


def _cap(theme: Theme, key: str, token: str, ratio: float) -> QPixmap:
    """Room at its left keeps it from the word."""
    size, gap = theme.px(CAP_PX), theme.px(CAP_GAP_PX)
    pixmap = QPixmap(QSize(size + gap, size) * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.color(token), 1))
    cap = QRectF(gap + 0.5, 0.5, size - 1, size - 1)
    painter.drawRoundedRect(cap, theme.px(4), theme.px(4))
    painter.setFont(theme.font("caption"))
    painter.drawText(cap, int(Qt.AlignmentFlag.AlignCenter), key)
    painter.end()
    return pixmap
