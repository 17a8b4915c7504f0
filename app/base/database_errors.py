"""What a failure of sqlite means for the user."""

import shutil
import sqlite3
from pathlib import Path

from app.base.errors import AppError

IN_MEMORY = Path(":memory:")
# What Python raises where sqlite's words on a damaged schema quote it and are no text.
UNREADABLE = UnicodeDecodeError
_BAD_VALUES = ("Could not decode to UTF-8", "malformed JSON")  # words of errors that have no code of their own
_LEAST_BYTES = 1_000_000


def failure(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> AppError:
    """AppError("database_damaged" | "disk_full" | "database_unusable")."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    is_unreadable = isinstance(error, UNREADABLE) or str(error).startswith(_BAD_VALUES)
    if is_unreadable or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return AppError("database_damaged", path=str(path))
    # On a full disk the files beside the database cannot grow either; sqlite then reports an input/output error.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return AppError("disk_full", path=str(path.parent))
    return AppError("database_unusable", path=str(path), reason=str(error))


def _is_full(path: Path) -> bool:
    return path != IN_MEMORY and shutil.disk_usage(path.parent).free < _LEAST_BYTES
