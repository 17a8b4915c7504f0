"""Work on the page モデル: a line of progress and a banner on how it ended. Takes no room without either."""

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.progress_row import ProgressRow


class Strip(QWidget):
    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.progress = ProgressRow(theme)
        self.banner = Banner(theme)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        for part in (self.progress, self.banner):
            column.addWidget(part)
            part.installEventFilter(self)
        self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self.setVisible(not (self.progress.isHidden() and self.banner.isHidden()))
        return super().eventFilter(watched, event)
