"""The list of models; over an entry that is being downloaded lies its progress, with buttons of its own."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtWidgets import QListView, QVBoxLayout, QWidget

from app.base.wording import phrase
from app.models.ui.delegate import MARGIN_PX, ModelDelegate
from app.models.ui.download_row import DownloadRow
from app.models.ui.entries import ModelList
from app.uikit.theme import Theme

LEAST_PX = 48  # a banner above the list needs the room of a small window more


class ModelView(QListView):
    def __init__(self, theme: Theme, models: ModelList) -> None:
        super().__init__()
        self._theme = theme
        self.models = models
        self.setModel(models)
        self.setItemDelegate(ModelDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(phrase("models.models"))
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setResizeMode(QListView.ResizeMode.Adjust)  # else what lies over the entries keeps its width
        self.setMinimumHeight(LEAST_PX)

    def place_rows(self) -> dict[str, DownloadRow]:
        """A new row over each entry that has a download, by the download's id: Qt drops them when the list changes."""
        rows = {}
        for index in self.models.downloading():
            entry = self.models.entry(index)
            assert entry is not None
            assert entry.download is not None
            row = rows[entry.download.id] = DownloadRow(self._theme)
            self.setIndexWidget(index, _Holder(self._theme, row))
        return rows


class _Holder(QWidget):
    """Leaves the words of the entry free; clicks there choose the entry."""

    def __init__(self, theme: Theme, row: DownloadRow) -> None:
        super().__init__()
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN_PX, 0, MARGIN_PX, theme.px(10))
        column.addStretch(1)
        column.addWidget(row)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.ignore()
