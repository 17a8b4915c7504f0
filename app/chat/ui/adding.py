"""Whether a model is on its way, for the page 質問 while it has none."""

from PySide6.QtCore import QObject

from app.chat.ui.empty import EmptyView
from app.models.services.downloads import Downloads
from app.models.services.maintenance import ModelMaintenance
from app.models.services.model_library import ModelLibrary


class Adding(QObject):
    def __init__(
        self, empty: EmptyView, library: ModelLibrary, upkeep: ModelMaintenance, downloads: Downloads, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._empty = empty
        self._library = library
        self._upkeep = upkeep
        self._downloads = downloads
        for signal in (
            library.progressed, library.imported, library.failed,
            upkeep.progressed, upkeep.kit_read, upkeep.failed,
            downloads.changed,
        ):  # fmt: skip
            signal.connect(self._show)
        self._show()

    def _show(self) -> None:
        self._empty.show_adding(
            is_adding=self._library.is_working or self._upkeep.is_importing,
            is_downloading=any(item.state not in ("paused", "failed") for item in self._downloads.items()),
        )
