"""Install the part that recognizes text on pictures of pages, in the downloading child."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base import json_lines
from app.base.errors import AppError
from app.base.services.child_process import ChildExit
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.documents.reading.pdf import ocr
from app.inference.services.events import NetworkContact
from app.models import package_folder
from app.models.downloads import messages
from app.models.downloads.messages import Done, Failed, InstallOcr, NetworkAccess, NetworkContacted, Progress, Verifying
from app.models.services.fetcher import downloading_child

log = logging.getLogger("kotae")


class OcrSetup(QObject):
    """Installs the part. `start` ends with exactly one of `finished`, `failed` and `cancelled`."""

    began = Signal()
    progressed = Signal(int, int)  # bytes fetched, all bytes; (0, 0): unpacking
    finished = Signal()
    failed = Signal(object)  # AppError
    cancelled = Signal()
    contacted = Signal(object)  # NetworkContact

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

        `database`: of the documents, beside which the part is. `proxy`: returns a URL with name and password, or "".
        """
        super().__init__(parent)
        self._preferences = preferences
        self._folder = ocr.part_folder(database)
        package_folder.recover(self._folder)
        self._proxy = proxy
        self._contacts: list[NetworkContact] = []
        self._is_online = False
        self._started_at = 0.0
        self._child = downloading_child(command, logs / "ocr-setup.log", self)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        preferences.changed.connect(self._on_preferences)

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    @property
    def may_use_network(self) -> bool:
        return self._preferences.value.network_allowed

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._started_at

    @property
    def network_task_count(self) -> int:
        """Return 1 while packages are downloaded, otherwise 0, for the display of network activity (外部通信)."""
        return int(self._is_online and self._child.is_running)

    def contacts(self) -> list[NetworkContact]:
        """Return the contacted hosts, oldest first."""
        return list(self._contacts)

    def start(self, wheels: Path | None = None) -> None:
        """Install the part. `wheels`: a folder that has its packages; None for the package indexes."""
        if self.is_running:
            return
        if wheels is None and not self.may_use_network:
            self.failed.emit(AppError("ocr_network_forbidden"))
            return
        self._is_online = wheels is None
        self._started_at = time.monotonic()
        self._child.start()
        self.began.emit()
        access = NetworkAccess(proxy=self._proxy() if wheels is None else "")
        self._child.send(json_lines.encode_line(InstallOcr("1", str(self._folder), str(wheels or ""), access)))

    def cancel(self) -> None:
        """Stop the installation; what was fetched is kept for the next one."""
        if self.is_running:
            self._child.stop()
            self.cancelled.emit()

    def close(self) -> None:
        self._child.stop()

    # ------------------------------------------------------------------ private

    def _on_event(self, event: messages.Event) -> None:
        match event:
            case NetworkContacted():
                contact = NetworkContact(event.host, time.time(), "")
                self._contacts.append(contact)
                self.contacted.emit(contact)
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

    def _on_preferences(self, settings: Settings) -> None:
        if not settings.network_allowed and self.network_task_count:
            self._child.stop()
            self.failed.emit(AppError("ocr_network_forbidden"))
