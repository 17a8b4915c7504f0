"""What can be decided of a row, each with its key."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPen, QPixmap, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.ui.language import noted
from app.ui.theme import PIXEL_RATIOS, Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.flow import Flow
from app.ui.widgets.labels import Label, Rule

MARGIN_PX = 16
CAP_PX, CAP_GAP_PX = 18, 6


class ReviewFoot(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.accept_button = KeyButton(theme, self.tr("採用"), "A")
        self.edit_button = KeyButton(theme, self.tr("修正して採用"), "E")
        self.reject_button = KeyButton(theme, self.tr("却下"), "R")
        self.undo_button = Button(theme, self.tr("元に戻す"), "quiet", "undo-2")
        self.undo_button.setAccessibleName(noted(self.tr("元に戻す"), "Ctrl+Z"))
        self.undo_button.setToolTip("Ctrl+Z")
        self.note = Label(tone="text2")
        row = QHBoxLayout()
        row.setContentsMargins(MARGIN_PX, 9, MARGIN_PX, 9)
        row.setSpacing(12)
        self._buttons = Flow(self.accept_button, self.edit_button, self.reject_button, self.undo_button)
        row.addWidget(self._buttons, 1)
        row.addWidget(self.note)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Rule())
        column.addLayout(row)

    def show_state(self, *, can_decide: bool, can_undo: bool, total: int, left: int) -> None:
        """`left` of `total` wait for somebody to decide."""
        for button in (self.accept_button, self.edit_button, self.reject_button):
            button.setEnabled(can_decide)
        self.undo_button.setVisible(can_undo)
        if not can_decide:
            self.note.setText(self.tr("選ばれている行がありません"))
        elif left:
            self.note.setText(self.tr("見直しがあと {n} 件あります").format(n=f"{left:,}"))
        else:
            self.note.setText(self.tr("見直しは終わりました") if total else "")
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """The list tells it too: here it does not push the buttons onto another line."""
        needed = self._buttons.sizeHint().width() + self.note.sizeHint().width() + 3 * MARGIN_PX
        self.note.setVisible(bool(self.note.text()) and needed <= self.width())


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
