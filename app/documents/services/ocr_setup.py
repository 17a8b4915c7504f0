"""Install the part that recognizes text on pictures of pages, in the downloading child."""

import logging
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services.child_process import ChildExit
from app.base.services.preferences import Preferences
from app.documents.reading.pdf import ocr
from app.models import package_folder
from app.models.downloads import messages
from app.models.downloads.messages import Done, Failed, InstallOcr, NetworkAccess, NetworkContacted, Progress, Verifying
from app.models.services.fetcher import downloading_child
from app.models.services.package_setup import PackageSetup

log = logging.getLogger("kotae")


class OcrSetup(PackageSetup):
    """Installs the part. `start` ends with exactly one of `finished`, `failed` and `cancelled`."""

    place = "documents"
    progressed = Signal(int, int)  # bytes fetched, all bytes; (0, 0): unpacking

    def __init__(
        self,
        preferences: Preferences,
        command: list[str],
        database: Path,
        logs: Path,
        proxy: Callable[[], str],
        parent: QObject | None = None,
    ) -> None:
        """Create the setup; `command` starts the downloading child.

        `database`: of the documents, beside which the part is. `proxy`: as for `PackageSetup`.
        """
        child = downloading_child(command, logs / "ocr-setup.log")
        super().__init__(preferences, child, proxy, "ocr_network_forbidden", parent)
        child.event_received.connect(self._on_event)
        child.exited.connect(self._on_exited)
        self._folder = ocr.part_folder(database)
        package_folder.recover(self._folder)

    def start(self, wheels: Path | None = None) -> None:
        """Install the part. `wheels`: a folder that has its packages; None for the package indexes."""
        if not self.is_running:
            self._start_child(
                lambda proxy: InstallOcr("1", str(self._folder), str(wheels or ""), NetworkAccess(proxy=proxy)),
                is_online=wheels is None,
            )

    def cancel(self) -> None:
        """Stop the installation; what was fetched is kept for the next one."""
        if self.is_running:
            self._child.stop()
            self.cancelled.emit()

    # ------------------------------------------------------------------ private

    def _on_event(self, event: messages.Event) -> None:
        match event:
            case NetworkContacted():
                self._note_contact(event.host)
            case Progress():
                self.progressed.emit(event.done_bytes, event.total_bytes)
            case Verifying():
                self.progressed.emit(0, 0)
            case Done():
                self._child.stop()
                self.finished.emit()
            case Failed():
                self._child.stop()
                self.failed.emit(AppError(event.code, **event.facts))

    def _on_exited(self, child_exit: ChildExit) -> None:
        if child_exit.cause != "stopped":
            log.warning("the installation of the OCR part has ended: %s", child_exit.reason)
            self.failed.emit(AppError("ocr_setup_died", cause=child_exit.reason))
