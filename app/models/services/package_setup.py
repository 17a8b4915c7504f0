"""Supervise a child that installs packages from the package indexes, or from a folder without a network."""

import time
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base import json_lines
from app.base.errors import AppError
from app.base.services.child_process import ChildProcess
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.inference.services.events import NetworkContact


class PackageSetup(QObject):
    """Runs one installation at a time, and stops it when the network is forbidden while it needs it."""

    began = Signal()
    finished = Signal()
    failed = Signal(object)  # AppError
    cancelled = Signal()
    contacted = Signal(object)  # NetworkContact
    place: str  # as in NetworkContact; each kind of installation has its own

    def __init__(
        self,
        preferences: Preferences,
        child: ChildProcess,
        proxy: Callable[[], str],
        forbidden_code: str,
        parent: QObject | None,
    ) -> None:
        """`proxy`: returns a URL, with name and password if needed; "" for the system's settings."""
        super().__init__(parent)
        self._preferences, self._child, self._proxy, self._forbidden_code = preferences, child, proxy, forbidden_code
        self._contacts: list[NetworkContact] = []
        self._is_online = False
        self._started_at = 0.0
        child.setParent(self)
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

    def close(self) -> None:
        """Stop the child but keep downloaded files, so that the next attempt resumes."""
        self._child.stop()

    def _start_child(self, make_job: Callable[[str], Any], *, is_online: bool) -> None:
        """Start the child with the job that `make_job` returns for a proxy."""
        if is_online and not self.may_use_network:
            self.failed.emit(AppError(self._forbidden_code))
            return
        self._is_online = is_online
        self._started_at = time.monotonic()
        self._child.start()
        self.began.emit()
        self._child.send(json_lines.encode_line(make_job(self._proxy() if is_online else "")))

    def _note_contact(self, host: str) -> None:
        self._contacts.append(NetworkContact(host, time.time(), "", self.place))
        self.contacted.emit(self._contacts[-1])

    def _on_preferences(self, settings: Settings) -> None:
        if not settings.network_allowed and self.network_task_count:
            self._child.stop()
            self.failed.emit(AppError(self._forbidden_code))
