"""Asks a server in the local network which models it has: in a child that may speak to it alone, and ends.

The options of commands that may use a model of another machine.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.base import programs
from app.base.errors import AppError
from app.base.services.child_process import OneShotProcess
from app.base.wording import help_text
from app.inference import local_model
from app.inference.local_model import LocalModel, RemoteModel
from app.inference.services.engine import EngineClient
from app.models import model_registry

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


KEY_MAX = 500  # characters


def add_remote_options(parser: argparse.ArgumentParser) -> None:
    """Of a command that asks."""
    parser.add_argument("--allow-remote", action="store_true", help=help_text("ask --allow-remote"))
    parser.add_argument("--key-from", metavar="FILE|-", help=help_text("models add-remote --key-from"))


def require_remote_permission(model: LocalModel, options: argparse.Namespace) -> None:
    """Raises AppError("remote_not_allowed"): the text would leave this machine, and nobody has said that it may."""
    if model.remote is not None and not options.allow_remote:
        raise AppError("remote_not_allowed", address=model_registry.server_address(model))


def give_remote_key(engine: EngineClient, model: LocalModel, options: argparse.Namespace) -> None:
    """What --key-from names, to the one server that it is for. Raises AppError("key_unreadable")."""
    if model.remote is not None and options.key_from is not None:
        engine.remote_keys.give(model.remote.address, read_key(options.key_from))


def read_key(place: str) -> str:
    """The first line of a file, or of the standard input. Raises AppError("key_unreadable")."""
    try:
        text = sys.stdin.readline() if place == "-" else Path(place).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeError, RuntimeError) as error:
        raise AppError("key_unreadable", path=place) from error
    key = (text.splitlines() or [""])[0].strip()
    if not key or len(key) > KEY_MAX:
        raise AppError("key_unreadable", path=place)
    return key
