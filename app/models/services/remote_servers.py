"""Request the models of a server in the local network, and handle the options of commands that use a remote model.

The request is sent by a child process that may contact only that server and then ends.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from msgspec import Struct
from PySide6.QtCore import QObject, QTimer, Signal

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.base.wording import help_text
from app.inference import local_model
from app.inference.local_model import LocalModel, OfferedModel, RemoteModel
from app.inference.services.engine import EngineClient
from app.models import model_registry

DEADLINE_S = 60.0


class ServerAnswer(Struct, frozen=True):
    """Holds the child's result: the models of the server, or the code and facts of an error."""

    models: tuple[OfferedModel, ...] = ()
    error: str = ""
    facts: dict[str, Any] = {}


class RemoteCheck(QObject):
    """Queries a server once. Emits exactly one of `found` and `failed`, unless cancelled."""

    found = Signal(object)  # tuple[RemoteModel, ...], with the context length that the server reports; 0: unknown
    failed = Signal(object)  # AppError

    def __init__(self, address: str, key: str, parent: QObject | None = None) -> None:
        """Start the query when the event loop runs. `address` must be normalized (`app.inference.local_model`)."""
        super().__init__(parent)
        self._address = address
        self._key = key
        self._child = ChildProcess(programs.remote_check_command(address), None, _decode, self)
        self._child.exited.connect(self._on_exited)
        self._start = QTimer(self, singleShot=True, interval=0)  # the caller must connect the signals first
        self._start.timeout.connect(self._ask)
        self._start.start()

    def cancel(self) -> None:
        """Stop the query; no signal follows."""
        self._start.stop()
        self._child.kill()
        self._child.stop()

    def _ask(self) -> None:
        self._child.ask(json.dumps({"key": self._key}).encode("ascii") + b"\n", DEADLINE_S)

    def _on_exited(self, child_exit: ChildExit) -> None:
        answer: ServerAnswer | None = child_exit.last_event
        if child_exit.cause == "stopped":
            return
        if child_exit.cause == "not_started":
            self.failed.emit(AppError("engine_missing", cause="not_started"))
        elif answer is None:
            self.failed.emit(AppError("remote_silent", address=local_model.address_label(self._address)))
        elif answer.error:
            self.failed.emit(AppError(answer.error, **answer.facts))
        else:
            facts = ((one.name, one.context_tokens, one.requests, one.sees_pictures) for one in answer.models)
            self.found.emit(tuple(RemoteModel(self._address, *each) for each in facts))


def _decode(line: bytes) -> ServerAnswer:
    return json_lines.convert(json_lines.decode_object(line), ServerAnswer)


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
    """Keep the key of --key-from in the engine, for the model's server only. Raises AppError("key_unreadable")."""
    if model.remote is not None and options.key_from is not None:
        engine.remote_keys.give(model.remote.address, read_key(options.key_from))


def read_key(source: str) -> str:
    """Return the first line of a file, or of standard input for "-". Raises AppError("key_unreadable")."""
    try:
        text = sys.stdin.readline() if source == "-" else Path(source).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeError, RuntimeError) as error:
        raise AppError("key_unreadable", path=source) from error
    key = (text.splitlines() or [""])[0].strip()
    if not key or len(key) > KEY_MAX:
        raise AppError("key_unreadable", path=source)
    return key
