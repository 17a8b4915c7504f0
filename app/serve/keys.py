"""The key that a program must know to be answered."""

import os
import re
import secrets
import stat
from pathlib import Path

from app.base.errors import AppError
from app.base.files.atomic import write_atomically

NAME = "serve.key"  # in the data folder, for this user alone
BYTES = 32
_SHAPE = re.compile(r"[!-~]{16,512}")  # what can stand in a header, and cannot be guessed at once


def read(path: Path) -> str:
    """Raises AppError("serve_key_unreadable" | "serve_key_unfit")."""
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode("ascii").strip()
    except OSError as error:
        reason = error.strerror or str(error)
        raise AppError("serve_key_unreadable", path=str(path), reason=reason) from error
    except UnicodeDecodeError as error:
        raise AppError("serve_key_unfit", path=str(path)) from error
    if not _SHAPE.fullmatch(text):
        raise AppError("serve_key_unfit", path=str(path))
    return text


def own(folder: Path, *, is_renewed: bool = False) -> str:
    """The one in the data folder, made at the first call. Raises AppError as `read`, and "serve_key_unwritable"."""
    path = folder / NAME
    try:
        if is_renewed or not path.exists():
            write_atomically(path, secrets.token_urlsafe(BYTES).encode("ascii") + b"\n")  # 0600, as mkstemp makes it
        elif os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            path.chmod(0o600)
    except OSError as error:
        raise AppError("serve_key_unwritable", path=str(path), reason=error.strerror or str(error)) from error
    return read(path)
