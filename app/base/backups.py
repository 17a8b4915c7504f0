"""Copies of the database: one a day, one before a migration, and the way back from a damaged file."""

import shutil
import sqlite3
import time
from pathlib import Path

from app.base.database_errors import UNREADABLE, failure
from app.base.errors import AppError

BACKUP_DAYS = 7
_DAY_S = 24 * 60 * 60


def copy(database: Path, target: Path) -> None:
    """Copies a database that may be in use, whole or not at all.

    Raises AppError("disk_full" | "backup_failed" | "database_damaged").
    """
    temporary = target.with_suffix(".tmp")
    try:
        target.parent.mkdir(exist_ok=True)
        # What a killed copy left: sqlite would take its journal for that of this one.
        for left in (temporary, temporary.with_name(f"{temporary.name}-journal")):
            left.unlink(missing_ok=True)
        try:
            _copy(database, temporary)
            if not _is_sound(temporary):
                raise AppError("database_damaged", path=str(database))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (sqlite3.Error, UNREADABLE) as error:
        found = failure(error, target)
        if found.code == "database_damaged":
            raise failure(error, database) from error
        if found.code == "disk_full":
            raise found from error
        raise AppError("backup_failed", path=str(target.parent), reason=str(error)) from error
    except OSError as error:
        raise AppError("backup_failed", path=str(target.parent), reason=error.strerror or str(error)) from error


def daily(database: Path, folder: Path, now: float) -> Path | None:
    """Makes today's backup if there is none yet, then removes what is older than seven days, which others promise.

    Returns the new file, or None. Raises AppError as `copy`; then nothing is removed. Copies before a migration and
    what a killed copy left go too; a damaged database stays, which may hold what is nowhere else.
    """
    target = folder / time.strftime("kotae-%Y%m%d.sqlite", time.localtime(now))
    is_new = not target.exists()
    if is_new:
        copy(database, target)
    for found in (*folder.glob("kotae-*.sqlite"), *folder.glob("kotae-*.tmp*"), database.with_suffix(".tmp")):
        try:
            if found != target and _modified(found) < now - BACKUP_DAYS * _DAY_S:
                found.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise AppError("backup_failed", path=str(folder), reason=error.strerror or str(error)) from error
    return target if is_new else None


def restore_newest(database: Path, folder: Path) -> Path | None:
    """Puts the newest sound backup in the place of a damaged database, which is kept as `.damaged`.

    Returns the backup used, or None when there is none: then the program starts with an empty database.
    """
    sound = next(
        (found for found in sorted(folder.glob("kotae-*.sqlite"), key=_modified, reverse=True) if _is_sound(found)),
        None,
    )
    # Whatever happens on the way, the next start finds the damaged file or the backup, never an empty place.
    fresh = database.with_name(f"{database.stem}.restored")
    if sound is not None:
        copy(sound, fresh)
    damaged = f"{database.stem}.damaged-{int(time.time())}"
    for suffix in ("-wal", "-shm"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            file.replace(database.with_name(damaged + suffix))
    if sound is None:
        database.replace(database.with_name(damaged))
        return None
    shutil.copyfile(database, database.with_name(damaged))
    fresh.replace(database)
    return sound


def _copy(database: Path, target: Path) -> None:
    source = sqlite3.connect(database)
    try:
        made = sqlite3.connect(target)
        try:
            source.backup(made)
        finally:
            made.close()
    finally:
        source.close()


def _modified(path: Path) -> float:
    return path.stat().st_mtime


def _is_sound(path: Path) -> bool:
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
        finally:
            db.close()
    except (sqlite3.DatabaseError, UNREADABLE):
        return False
