"""The options of commands that may use a model of another machine."""

import argparse
import sys
from pathlib import Path

from app.base.errors import AppError
from app.base.wording import help_text
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models import remote_models

KEY_MAX = 500  # characters


def add_options(parser: argparse.ArgumentParser) -> None:
    """Of a command that asks."""
    parser.add_argument("--allow-remote", action="store_true", help=help_text("ask --allow-remote"))
    parser.add_argument("--key-from", metavar="FILE|-", help=help_text("models add-remote --key-from"))


def require_permission(model: LocalModel, options: argparse.Namespace) -> None:
    """Raises AppError("remote_not_allowed"): the text would leave this machine, and nobody has said that it may."""
    if model.remote is not None and not options.allow_remote:
        raise AppError("remote_not_allowed", address=remote_models.shown(model))


def give_key(engine: EngineClient, model: LocalModel, options: argparse.Namespace) -> None:
    """What --key-from names, to the one server that it is for. Raises AppError("key_unreadable")."""
    if model.remote is not None and options.key_from is not None:
        engine.remote_keys.give(model.remote.address, _key(options.key_from))


def _key(place: str) -> str:
    """The first line of a file, or of the standard input. Raises AppError("key_unreadable")."""
    try:
        text = sys.stdin.readline() if place == "-" else Path(place).expanduser().read_text("utf-8-sig")
    except (OSError, UnicodeError, RuntimeError) as error:
        raise AppError("key_unreadable", path=place) from error
    key = (text.splitlines() or [""])[0].strip()
    if not key or len(key) > KEY_MAX:
        raise AppError("key_unreadable", path=place)
    return key
