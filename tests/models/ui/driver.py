"""The page モデル as a person uses it: what stands there, what is clicked, and what opens."""

from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget

from app.application import AppContext
from app.models.services.downloads import Download
from app.models.ui.download_controller import DownloadConsent
from app.models.ui.download_row import DownloadRow
from app.uikit.dialogs import Dialog

LIMIT_MS = 60_000


def words(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisibleTo(widget))


class ModelsDriver:
    def __init__(self, parts: AppContext, qtbot) -> None:
        self.parts, self.qtbot, self.window = parts, qtbot, parts.window
        self.library, self.preferences, self.downloads = parts.library, parts.preferences, parts.downloads
        parts.window.show_page("models")
        self.page = parts.window.page("models")
        self.list, self.detail, self.strip = self.page.list, self.page.detail, self.page.maintenance_strip

    def choose(self, key: str) -> None:
        self.list.setCurrentIndex(self.page.models.index_of(key))

    def titles(self) -> list[str]:
        return [self.page.models.index(row).data() for row in range(self.page.models.rowCount())]

    def shown(self) -> str:
        """What is said of the chosen model."""
        labels = self.detail.findChildren(QLabel)
        return "\n".join(label.text() for label in labels if label.isVisibleTo(self.page))

    def click(self, button: QAbstractButton) -> None:
        assert button.isVisible()
        assert button.isEnabled()
        self.qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    def dialog(self, kind: type[QWidget] = Dialog):
        """The one dialog of this kind that is open."""
        (found,) = [one for one in QApplication.topLevelWidgets() if isinstance(one, kind) and one.isVisible()]
        return found

    def wait(self, is_so: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(is_so()), timeout=LIMIT_MS)

    def until(self, signal):
        """Waits at the end of the block for what it has begun."""
        return self.qtbot.waitSignal(signal, timeout=LIMIT_MS)

    def until_clicked(self, signal, button: QAbstractButton) -> list:
        """Clicks and waits; returns what the signal tells."""
        with self.until(signal) as told:
            self.click(button)
        return told.args


class DownloadsDriver(ModelsDriver):
    """The page with downloads, as the library's catalogue offers them."""

    def consent(self) -> DownloadConsent:
        self.click(self.detail.download_button)
        return self.dialog(DownloadConsent)

    def start(self) -> None:
        dialog = self.consent()
        dialog.licence_check.setChecked(True)
        self.click(dialog.buttons["accept"])

    def start_and_receive(self) -> None:
        self.start()
        self.wait(lambda: self.only().done_bytes > 0)

    def only(self) -> Download:
        (item,) = self.downloads.items()
        return item

    @property
    def row(self) -> DownloadRow:
        (row,) = self.page.downloading._rows.values()
        return row
