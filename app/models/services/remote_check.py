"""Asks a server in the local network which models it has: in a child that may speak to it alone, and ends."""

from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.base import programs
from app.base.errors import AppError
from app.base.services.child_process import OneShotProcess
from app.inference import local_model
from app.inference.local_model import RemoteModel

DEADLINE_MS = 60_000
KILL_MS = 1000


class RemoteCheck(QObject):
    """One check; exactly one of `found` and `failed`, unless it is cancelled."""

    found = Signal(object)  # tuple[Remote, ...]: with what the server says of each context; 0: nothing
    failed = Signal(object)  # AppError

    def __init__(self, address: str, key: str, parent: QObject | None = None) -> None:
        """`address`: a normal one (`app.inference.local_model`)."""
        super().__init__(parent)
        self._address = address
        self._child = OneShotProcess(programs.remote_check_command(address), {"key": key}, DEADLINE_MS, self)
        self._child.answered.connect(self._on_answered)
        self._child.ended.connect(self._on_ended)
        QTimer.singleShot(0, self, self._child.start)  # whoever made it has to listen first

    def cancel(self) -> None:
        """Nothing is told any more."""
        self._child.cancel(KILL_MS)

    def _on_answered(self, told: dict[str, Any]) -> None:
        if "error" in told:
            self.failed.emit(AppError(told["error"], **told["facts"]))
        else:
            self.found.emit(
                tuple(RemoteModel(self._address, one["name"], one["context_tokens"]) for one in told["models"])
            )

    def _on_ended(self, is_started: bool) -> None:
        silent = AppError("remote_silent", address=local_model.address_label(self._address))
        self.failed.emit(silent if is_started else AppError("engine_missing", cause="not_started"))
