"""Where files and folders can be dropped: a dashed strip that says so, and lights up while something is dragged."""

from pathlib import Path

from PySide6.QtCore import QMimeData, QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QFrame, QVBoxLayout

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel


class DropZone(QFrame):
    def __init__(self, theme: Theme, words: str = "") -> None:
        """`words`: what it says; "": that files and folders can be dropped."""
        super().__init__()
        self._theme = theme
        self._is_lit = False
        label = ElidedLabel(words or phrase("uikit.drop_files_or_folders_here"), tone="text2")
        label.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 10, 16, 10)
        column.addWidget(label)
        theme.changed.connect(self.update)

    def light(self, *, is_lit: bool) -> None:
        self._is_lit = is_lit
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(self._theme.color("accent" if self._is_lit else "control"), 1, Qt.PenStyle.DashLine))
        painter.setBrush(self._theme.color("accent_soft" if self._is_lit else "base"))
        radius = self._theme.metric("radius_card")
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), radius, radius)


def dropped_paths(data: QMimeData) -> list[Path]:
    """Files and folders of this machine among what is dragged."""
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile() and url.toLocalFile()]
