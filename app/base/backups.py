"""Copies of the database: one a day, one before a migration, and the way back from a damaged file.

None is deleted, and none chosen, on the word of the clock alone.
"""

import contextlib
import shutil
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

from app.base.database_errors import UNREADABLE, failure
from app.base.errors import AppError
from app.base.files.day_record import DAY_S, DayRecord
from app.base.files.file_names import free_place

BACKUP_DAYS = 7
KEPT = 3  # whatever their dates are
MOST = 21  # of a program that runs so little that its record of days hardly grows
_KIND = "backups"  # in the record of days
_LASTING_IDS, _COUNTED = 5, 13  # versions from which `last_id` says what was erased, and counts the changes


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
    """Makes today's backup if there is none yet, then removes what is older than seven days.

    A clock that stands or goes back makes no day last longer than two days of the record, `DayRecord`. What is removed
    must be old by that too, or there are MOST with newer content; and the KEPT backups with the newest stay
    whatever their dates are. Copies before a migration and what a killed copy left go too; a damaged database stays,
    which may hold what is nowhere else.

    Returns the new file, or None. Raises AppError as `copy`; then nothing is removed.
    """
    record, today = DayRecord(database.parent), time.strftime("kotae-%Y%m%d", time.localtime(now))
    seen = record.look(_KIND, _dated(database, folder), now)
    is_due = all(one.age > 1 for name, one in seen.items() if name.startswith(today))
    target = free_place(folder / f"{today}.sqlite")
    if is_due:
        copy(database, target)
        seen = record.look(_KIND, _dated(database, folder), now)  # its first day
    ripe = {name for name, one in seen.items() if one.is_ripe(now, BACKUP_DAYS)}
    if ripe or len(seen) > MOST:
        names = [path.name for path in _newest_first(folder)]
        ripe |= {name for name in names[MOST:] if name in seen and seen[name].at < now - BACKUP_DAYS * DAY_S}
        ripe -= {*names[:KEPT]}
    for name in sorted(ripe):
        try:
            place = database.parent if name == database.with_suffix(".tmp").name else folder
            (place / name).unlink(missing_ok=True)
        except OSError as error:
            raise AppError("backup_failed", path=str(folder), reason=error.strerror or str(error)) from error
    return target if is_due else None


def _dated(database: Path, folder: Path) -> dict[str, float]:
    """Return the backups and what killed copies have left, by their names, with their dates by the clock."""
    found = {}
    for path in (*folder.glob("kotae-*.sqlite"), *folder.glob("kotae-*.tmp*"), database.with_suffix(".tmp")):
        with contextlib.suppress(OSError):
            found[path.name] = _modified(path)
    return found


@dataclass(frozen=True, slots=True, order=True)
class Content:
    """How much has happened in a database, the older the less. No clock has a part in it but between equals.

    `changes`: writes so far, 0 before version 12; `messages`: the highest id that a message ever had; `changed_at`:
    the last time that stands in it; `conversations`: outside the bin.
    """

    changes: int
    messages: int
    changed_at: float
    conversations: int


def content(database: Path) -> Content | None:
    """Return what a sound backup holds; None for a damaged one."""
    if not _is_sound(database):
        return None
    with contextlib.closing(_read_only(database)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            return Content(0, 0, 0.0, 0)
        changes = db.execute("SELECT changes FROM last_id").fetchone()[0] if version >= _COUNTED else 0
        erased = db.execute("SELECT message FROM last_id").fetchone()[0] if version >= _LASTING_IDS else 0
        last = db.execute("SELECT ifnull(max(id), 0), ifnull(max(created_at), 0) FROM message").fetchone()
        kept = db.execute(
            "SELECT count(*) FILTER (WHERE binned_at IS NULL), ifnull(max(updated_at), 0), ifnull(max(binned_at), 0)"
            " FROM conversation"
        ).fetchone()
        return Content(changes, max(erased, last[0]), max(last[1], *kept[1:]), kept[0])


def _newest_first(folder: Path) -> list[Path]:
    """Return the sound backups, by content."""
    found = []
    for path in folder.glob("kotae-*.sqlite"):
        try:
            held = content(path)
        except (sqlite3.DatabaseError, UNREADABLE):  # tables that are none of ours
            continue
        if held is not None:
            found.append((held, _modified(path), path))
    return [path for *_, path in sorted(found, reverse=True)]


def restore_newest(database: Path, folder: Path) -> Path | None:
    """Puts the sound backup with the newest content in the place of a damaged database, kept as `.damaged`.

    Returns the backup used, or None when there is none: then the program starts with an empty database.
    """
    sound = next(iter(_newest_first(folder)), None)
    # Whatever happens on the way, the next start finds the damaged file or the backup, never an empty place.
    fresh = database.with_name(f"{database.stem}.restored")
    if sound is not None:
        copy(sound, fresh)
    number = int(time.time())
    while database.with_name(damaged := f"{database.stem}.damaged-{number}").exists():
        number += 1
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


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro&immutable=1", uri=True)


def _is_sound(path: Path) -> bool:
    try:
        with contextlib.closing(_read_only(path)) as db:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok")
    except (sqlite3.DatabaseError, UNREADABLE):
        return False
