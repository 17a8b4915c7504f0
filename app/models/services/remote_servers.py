"""Ask a server of the local network for its models, and handle the options of commands that use a remote model.

The question is asked by a child process that may contact only that server and then ends.
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
    """One query of a server. Emits exactly one of `found` and `failed`, unless cancelled."""

    found = Signal(object)  # tuple[RemoteModel, ...], with the context length that the server reports; 0: unknown
    failed = Signal(object)  # AppError

    def __init__(self, address: str, key: str, parent: QObject | None = None) -> None:
        """`address` must be normalized (`app.inference.local_model`)."""
        super().__init__(parent)
        self._address = address
        self._child = OneShotProcess(programs.remote_check_command(address), {"key": key}, DEADLINE_MS, self)
        self._child.answered.connect(self._on_answered)
        self._child.ended.connect(self._on_ended)
        QTimer.singleShot(0, self, self._child.start)  # the caller must connect the signals first

    def cancel(self) -> None:
        """Stop the query; no signal follows."""
        self._child.cancel(KILL_MS)

    def _on_answered(self, answer: dict[str, Any]) -> None:
        if "error" in answer:
            self.failed.emit(AppError(answer["error"], **answer["facts"]))
        else:
            self.found.emit(
                tuple(RemoteModel(self._address, one["name"], one["context_tokens"]) for one in answer["models"])
            )

    def _on_ended(self, is_started: bool) -> None:
        silent = AppError("remote_silent", address=local_model.address_label(self._address))
        self.failed.emit(silent if is_started else AppError("engine_missing", cause="not_started"))


KEY_MAX = 500  # characters


def add_remote_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that sends prompts."""
    parser.add_argument("--allow-remote", action="store_true", help=help_text("ask --allow-remote"))
    parser.add_argument("--key-from", metavar="FILE|-", help=help_text("models add-remote --key-from"))


def require_remote_permission(model: LocalModel, options: argparse.Namespace) -> None:
    """Raise AppError("remote_not_allowed") if text would leave this machine without --allow-remote."""
    if model.remote is not None and not options.allow_remote:
        raise AppError("remote_not_allowed", address=model_registry.server_address(model))


def give_remote_key(engine: EngineClient, model: LocalModel, options: argparse.Namespace) -> None:
    """Give the key named by --key-from to the model's server only. Raises AppError("key_unreadable")."""
    if model.remote is not None and options.key_from is not None:
        engine.remote_keys.give(model.remote.address, read_key(options.key_from))


def read_key(place: str) -> str:
    """Return the first line of a file, or of standard input for "-". Raises AppError("key_unreadable")."""
    try:
        text = sys.stdin.readline() if place == "-" else Path(place).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeError, RuntimeError) as error:
        raise AppError("key_unreadable", path=place) from error
    key = (text.splitlines() or [""])[0].strip()
    if not key or len(key) > KEY_MAX:
        raise AppError("key_unreadable", path=place)
    return key
