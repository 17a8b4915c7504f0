"""At the foot of the window: how far an export or import is, and how it ended."""

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.labels import Rule, set_surface
from app.uikit.widgets.progress_row import ProgressRow


class TransferStrip(QWidget):
    """Takes no room while there is nothing to say."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        set_surface(self, "base")
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(Rule())
        inside = QVBoxLayout()
        inside.setContentsMargins(16, 8, 16, 8)
        inside.addWidget(self.progress)
        inside.addWidget(self.banner)
        column.addLayout(inside)
        for part in (self.progress, self.banner):
            part.installEventFilter(self)
        self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self.setVisible(not (self.progress.isHidden() and self.banner.isHidden()))
        return super().eventFilter(watched, event)
