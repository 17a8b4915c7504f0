"""Copies of the database: one a day, one before a migration, and the way back from a damaged file."""

import sqlite3
import time
from pathlib import Path

from app.core.database_errors import failure

BACKUPS_KEPT = 7


def copy(database: Path, target: Path) -> None:
    """Copies a database that may be in use, whole or not at all.

    Raises AppError("disk_full" | "database_unusable" | "database_damaged").
    """
    temporary = target.with_suffix(".tmp")
    source = sqlite3.connect(database)
    made = sqlite3.connect(temporary)
    try:
        source.backup(made)
    except sqlite3.Error as error:
        made.close()
        temporary.unlink(missing_ok=True)
        raise failure(error, database) from error
    finally:
        made.close()
        source.close()
    temporary.replace(target)


def daily(database: Path, folder: Path, now: float) -> Path | None:
    """Makes today's backup if there is none yet, and keeps the newest seven. Returns the new file, or None."""
    target = folder / time.strftime("kotae-%Y%m%d.sqlite", time.localtime(now))
    if target.exists():
        return None
    copy(database, target)
    for old in sorted(folder.glob("kotae-????????.sqlite"))[:-BACKUPS_KEPT]:
        old.unlink()
    return target


def restore_newest(database: Path, folder: Path) -> Path | None:
    """Puts the newest sound backup in the place of a damaged database, which is kept as `.damaged`.

    Returns the backup used, or None when there is none: then the program starts with an empty database.
    """
    sound = next(
        (found for found in sorted(folder.glob("kotae-*.sqlite"), key=_modified, reverse=True) if _is_sound(found)),
        None,
    )
    for suffix in ("", "-wal", "-shm"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            file.replace(database.with_name(f"{database.stem}.damaged-{int(time.time())}{suffix}"))
    if sound is not None:
        copy(sound, database)
    return sound


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _is_sound(path: Path) -> bool:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        finally:
            db.close()
    except sqlite3.DatabaseError:
        return False
