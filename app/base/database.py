"""Open, migrate, write and back up sqlite files, and translate errors of sqlite into errors for the user.

Every write is committed and synced before `transaction` ends (WAL, synchronous=FULL), so data that the window shows
as stored survives a kill or a power cut. One `Database` belongs to one thread.

There is a backup for each day and one before each migration, and a damaged file is replaced by the newest of them. The
computer's clock may be wrong, so it alone never decides which backup is deleted or restored.

Reading a whole file takes seconds for a large library, so `open` does not check it. `check_database` does, and a note
beside the file tells when that was, or that damage was found. While damage is noted, `open` checks the file as well.

The file is over 450 lines because it alone contains what the program knows about sqlite's files.
"""

import contextlib
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from msgspec import Struct

from app.base.errors import AppError
from app.base.files.day_record import DAY_S, DayRecord
from app.base.files.input_file import open_regular
from app.base.files.output_file import free_path, write_atomically
from app.base.migrations import MIGRATIONS

IN_MEMORY = Path(":memory:")
# Python raises this if sqlite's error message quotes a damaged schema that is not UTF-8.
UNREADABLE_ERROR = UnicodeDecodeError
_BAD_VALUES = ("Could not decode to UTF-8", "malformed JSON")  # how messages of errors without a code begin
_LEAST_BYTES = 1_000_000


def database_error(error: sqlite3.Error | UnicodeDecodeError, path: Path) -> AppError:
    """Return AppError("database_damaged" | "disk_full" | "database_unusable") for an error of sqlite."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    is_unreadable = isinstance(error, UNREADABLE_ERROR) or str(error).startswith(_BAD_VALUES)
    if is_unreadable or code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return AppError("database_damaged", path=str(path))
    # If sqlite's journal files cannot grow on a full disk, it reports an input/output error.
    if code == sqlite3.SQLITE_FULL or (code == sqlite3.SQLITE_IOERR and _is_full(path)):
        return AppError("disk_full", path=str(path.parent))
    return AppError("database_unusable", path=str(path), reason=str(error))


def _is_full(path: Path) -> bool:
    return path != IN_MEMORY and shutil.disk_usage(path.parent).free < _LEAST_BYTES


BACKUP_DAYS = 7
BACKUPS_KEPT = 3  # the newest, which are never deleted
BACKUPS_MAX = 21  # the limit if the program runs so rarely that its `DayRecord` hardly counts days
_BACKUP_KIND = "backups"  # the kind of items in the `DayRecord`
_LASTING_IDS = 5  # the first schema version whose table `last_id` keeps the highest erased id
_COUNTED = 13  # the first schema version whose table `last_id` counts the changes


def copy_database(database: Path, target: Path) -> None:
    """Copy a database wholly or not at all. Raises AppError("disk_full" | "backup_failed" | "database_damaged")."""
    temporary = target.with_suffix(".tmp")
    try:
        target.parent.mkdir(exist_ok=True)
        # A killed copy may have left these; sqlite would take its journal for that of the new copy.
        for leftover in (temporary, temporary.with_name(f"{temporary.name}-journal")):
            leftover.unlink(missing_ok=True)
        try:
            _copy_pages(database, temporary)
            is_sound = _is_sound(temporary)
            _note_check(database, is_sound=is_sound)
            if not is_sound:
                raise AppError("database_damaged", path=str(database))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
    except (sqlite3.Error, UNREADABLE_ERROR) as error:
        reported = database_error(error, target)
        if reported.code == "database_damaged":
            raise database_error(error, database) from error
        if reported.code == "disk_full":
            raise reported from error
        raise AppError("backup_failed", path=str(target.parent), reason=str(error)) from error
    except OSError as error:
        raise AppError("backup_failed", path=str(target.parent), reason=error.strerror or str(error)) from error


def make_daily_backup(database: Path, folder: Path, now: float) -> Path | None:
    """Make today's backup unless there is one, then delete those older than BACKUP_DAYS. Return the new file, or None.

    A wrong clock (`now`: seconds since 1970) delays the next one by two days of the `DayRecord` at most. A backup goes
    only if that record counts it as old too, or if BACKUPS_MAX have newer content; the BACKUPS_KEPT with the newest
    content never go, and neither do damaged databases. Raises AppError as `copy_database`; then nothing is removed.
    """
    record, today = DayRecord(database.parent), time.strftime("kotae-%Y%m%d", time.localtime(now))
    seen = record.track(_BACKUP_KIND, _dated_backups(database, folder), now)
    is_due = all(one.age > 1 for name, one in seen.items() if name.startswith(today))
    target = free_path(folder / f"{today}.sqlite")
    if is_due:
        copy_database(database, target)
        seen = record.track(_BACKUP_KIND, _dated_backups(database, folder), now)  # records the new file's first day
    expired = {name for name, one in seen.items() if one.is_expired(now, BACKUP_DAYS)}
    if expired or len(seen) > BACKUPS_MAX:
        names = [path.name for path in _newest_first(folder)]
        expired |= {name for name in names[BACKUPS_MAX:] if name in seen and seen[name].at < now - BACKUP_DAYS * DAY_S}
        expired -= {*names[:BACKUPS_KEPT]}
    for name in sorted(expired):
        try:
            place = database.parent if name == database.with_suffix(".tmp").name else folder
            (place / name).unlink(missing_ok=True)
        except OSError as error:
            raise AppError("backup_failed", path=str(folder), reason=error.strerror or str(error)) from error
    return target if is_due else None


def _dated_backups(database: Path, folder: Path) -> dict[str, float]:
    """Return the names of the backups and of leftovers of killed copies, with their modification times."""
    dates = {}
    for path in (*folder.glob("kotae-*.sqlite"), *folder.glob("kotae-*.tmp*"), database.with_suffix(".tmp")):
        with contextlib.suppress(OSError):
            dates[path.name] = _modified(path)
    return dates


class BackupContent(Struct, frozen=True, order=True):
    """The counts by which backups are ordered from old to new. Times decide only between equal counts.

    `changes`: writes so far, 0 before schema version 13; `messages`: the highest id that a message ever had;
    `changed_at`: the latest time in the tables; `conversations`: number of those outside the bin.
    """

    changes: int
    messages: int
    changed_at: float
    conversations: int


def backup_content(database: Path) -> BackupContent | None:
    """Return the counts of a backup; None if it is damaged. Raises sqlite3.DatabaseError for foreign tables."""
    if not _is_sound(database):
        return None
    with contextlib.closing(_read_only(database)) as db:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            return BackupContent(0, 0, 0.0, 0)
        changes = db.execute("SELECT changes FROM last_id").fetchone()[0] if version >= _COUNTED else 0
        erased = db.execute("SELECT message FROM last_id").fetchone()[0] if version >= _LASTING_IDS else 0
        last = db.execute("SELECT ifnull(max(id), 0), ifnull(max(created_at), 0) FROM message").fetchone()
        kept = db.execute(
            "SELECT count(*) FILTER (WHERE binned_at IS NULL), ifnull(max(updated_at), 0), ifnull(max(binned_at), 0)"
            " FROM conversation"
        ).fetchone()
        return BackupContent(changes, max(erased, last[0]), max(last[1], *kept[1:]), kept[0])


def _newest_first(folder: Path) -> list[Path]:
    """Return the undamaged backups in a folder, the one with the newest content first."""
    backups = []
    for path in folder.glob("kotae-*.sqlite"):
        try:
            content = backup_content(path)
        except (sqlite3.DatabaseError, UNREADABLE_ERROR):  # the tables are not Kotae's
            continue
        if content is not None:
            backups.append((content, _modified(path), path))
    return [path for *_, path in sorted(backups, reverse=True)]


def restore_newest_backup(database: Path, folder: Path) -> Path | None:
    """Replace a damaged database, renamed to `.damaged-…`, by the backup with the newest content; None without any."""
    sound = next(iter(_newest_first(folder)), None)
    # The order of these steps ensures that the next start finds the damaged file or the backup, never no file.
    fresh = database.with_name(f"{database.stem}.restored")
    if sound is not None:
        copy_database(sound, fresh)
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


def _copy_pages(database: Path, target: Path) -> None:
    source = sqlite3.connect(database)
    try:
        copy = sqlite3.connect(target)
        try:
            source.backup(copy)
        finally:
            copy.close()
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
    except (sqlite3.DatabaseError, UNREADABLE_ERROR):
        return False


CHECKED_SUFFIX = ".checked"  # of the note beside a database; its time is that of the last check
CHECK_EVERY_S = DAY_S
_SOUND, _DAMAGED = b"sound\n", b"damaged\n"


def is_check_due(path: Path, now: float) -> bool:
    """Return whether a database was not checked in the last CHECK_EVERY_S. `now`: seconds since 1970."""
    try:
        return path.is_file() and not 0 <= now - _modified(path.with_suffix(CHECKED_SUFFIX)) < CHECK_EVERY_S
    except OSError:
        return True


def has_open_log(path: Path) -> bool:
    """Whether a write-ahead log exists: the database is open in another process, or was not closed."""
    return path.with_name(f"{path.name}-wal").exists()


def check_database(path: Path) -> None:
    """Check a database that may be in use, for seconds, and note the result beside it; not in the GUI thread.

    Raises AppError("database_damaged" | "database_unusable" | "disk_full").
    """
    with contextlib.closing(Database.open_second(path)) as database:
        database.check()


def _note_check(path: Path, *, is_sound: bool) -> None:
    with contextlib.suppress(OSError):  # a full disk, or a child that cannot write here: the check is done again
        write_atomically(path.with_suffix(CHECKED_SUFFIX), _SOUND if is_sound else _DAMAGED)


def _is_damage_noted(path: Path) -> bool:
    try:
        with open_regular(path.with_suffix(CHECKED_SUFFIX)) as note:
            return note.read(len(_DAMAGED)) == _DAMAGED
    except OSError:
        return False


Migrations = Sequence[Callable[[sqlite3.Connection], None]]  # entry n migrates a file from version n to n + 1

Made = TypeVar("Made")

BUSY_MS = 5000  # how long a connection waits for the lock of another
MIGRATION_MS = 600_000  # likewise, to migrate: another may be doing so, which takes a minute for 100,000 sections


class Database:
    """A connection to one sqlite file.

    `open` raises AppError("database_damaged" | "newer_data" | "database_unusable"), every other method
    AppError("disk_full" | "database_unusable" | "database_damaged").
    """

    def __init__(self, db: sqlite3.Connection, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self.clock = clock  # seconds since 1970
        self.path = path
        self._version: int = db.execute("PRAGMA data_version").fetchone()[0]

    @classmethod
    def open(
        cls,
        path: Path,
        backup_folder: Path | None,
        clock: Callable[[], float] = time.time,
        migrations: Migrations | None = None,
    ) -> "Database":
        """Open or create the file, and migrate it after a backup. Check it first if damage is noted.

        `backup_folder`: None makes no backup, for content that can be generated again. `clock`: returns seconds since
        1970. `migrations`: None uses MIGRATIONS, those of the database of conversations.
        """
        database = cls.open_second(path, clock)
        try:
            if _is_damage_noted(path):
                database.check()
            database._migrate(backup_folder, MIGRATIONS if migrations is None else migrations)
            database._drop_programs()
        except (sqlite3.Error, UNREADABLE_ERROR) as error:
            database.close()
            raise database._failure(error) from error
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def open_second(cls, path: Path, clock: Callable[[], float] = time.time) -> "Database":
        """Open a second connection, for another thread, to a file that `open` has already migrated."""
        try:
            db = _connected(path)
        except (sqlite3.Error, UNREADABLE_ERROR) as error:  # a folder, or a path longer than sqlite's 512 bytes
            raise database_error(error, path) from error
        try:
            return cls(db, path, clock)
        except (sqlite3.Error, UNREADABLE_ERROR) as error:
            db.close()
            raise database_error(error, path) from error

    @classmethod
    def in_memory(cls, clock: Callable[[], float] = time.time) -> "Database":
        """Create a database with the tables of MIGRATIONS in memory. sqlite writes no temporary files either."""
        db = sqlite3.connect(str(IN_MEMORY), isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA temp_store=MEMORY")
        database = cls(db, IN_MEMORY, clock)
        database._migrate(None, MIGRATIONS)
        return database

    def close(self) -> None:
        self._db.close()

    def interrupt(self) -> None:
        """End the statement that runs, which then raises AppError("database_unusable"). For other threads."""
        with contextlib.suppress(sqlite3.ProgrammingError):  # it is closed already
            self._db.interrupt()

    def check(self) -> None:
        """Check the whole file and note the result beside it. Raises AppError("database_damaged")."""
        is_sound = self.read("PRAGMA quick_check(1)")[0][0] == "ok"
        _note_check(self.path, is_sound=is_sound)
        if not is_sound:
            raise AppError("database_damaged", path=str(self.path))

    def read(self, sql: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._db.execute(sql, values).fetchall()
        except (sqlite3.Error, UNREADABLE_ERROR) as error:
            raise self._failure(error) from error

    def read_as(self, make: Callable[[sqlite3.Row], Made], sql: str, *values: object) -> list[Made]:
        """Read rows and convert each with `make`. Raises AppError("database_damaged") if `make` raises."""
        rows = self.read(sql, *values)
        try:
            return [make(row) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise AppError("database_damaged", path=str(self.path)) from error

    def write(self, sql: str, *values: object) -> int:
        """Execute a statement in `transaction`, which translates sqlite3.Error; return the last inserted id, or 0."""
        return self._db.execute(sql, values).lastrowid or 0

    def empty_log(self) -> None:
        """Empty the write-ahead log, which keeps erased content, unless another connection reads."""
        self.read("PRAGMA busy_timeout = 0")
        try:
            self.read("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.read(f"PRAGMA busy_timeout = {BUSY_MS}")

    def is_changed_elsewhere(self) -> bool:
        """Return whether another connection has written since the last call, or since `open` if there was none."""
        before, self._version = self._version, self.read("PRAGMA data_version")[0][0]
        return self._version != before

    def changes(self) -> int:
        """Return the number of rows that this connection has changed so far."""
        return self._db.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all writes of the block together, or none of them. An inner transaction is part of the outer one."""
        if self._db.in_transaction:
            yield
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            # The database of the documents does not count its changes, because it has no backups.
            is_counted = any(row[1] == "changes" for row in self._db.execute("PRAGMA table_info(last_id)"))
            before = self._db.total_changes
            try:
                yield
                if is_counted and self._db.total_changes > before:
                    self._db.execute("UPDATE last_id SET changes = changes + 1")
            except BaseException:
                if self._db.in_transaction:  # on a full disk sqlite may have rolled back by itself
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error | UnicodeDecodeError) -> AppError:
        """Return the error for the user; note damage, so that the next `open` checks the file."""
        reported = database_error(error, self.path)
        if reported.code == "database_damaged" and self.path != IN_MEMORY:
            _note_check(self.path, is_sound=False)
        return reported

    def _migrate(self, backup_folder: Path | None, migrations: Migrations) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise AppError("newer_data", version=version, known=len(migrations), path=str(self.path))
        if version < 0:
            raise AppError("database_damaged", path=str(self.path))
        if version == len(migrations):
            return
        if version > 0 and backup_folder is not None:
            name = f"kotae-before-v{len(migrations)}-{int(self.clock())}-{os.getpid()}.sqlite"
            copy_database(self.path, free_path(backup_folder / name))
        self._db.execute(f"PRAGMA busy_timeout = {MIGRATION_MS}")
        with self.transaction():
            # Another thread or process may have migrated the file meanwhile.
            version = self._db.execute("PRAGMA user_version").fetchone()[0]
            for migrate in migrations[version:]:
                migrate(self._db)
            self._db.execute(f"PRAGMA user_version = {len(migrations)}")
        self._db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

    def _drop_programs(self) -> None:
        """Drop triggers and views, which only a manipulated file has: they could change labels after a write."""
        listed = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
        present = self._db.execute(listed).fetchall()
        if not present:
            return
        with self.transaction():
            for kind, name in present:
                quoted = name.replace('"', '""')
                self._db.execute(f'DROP {kind} IF EXISTS "{quoted}"')


def _use_wal(db: sqlite3.Connection) -> None:
    """Switch the journal to WAL. Retry for BUSY_MS while another process locks the file: sqlite does not wait here."""
    until = time.monotonic() + BUSY_MS / 1000
    while True:
        try:
            db.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        db.row_factory = sqlite3.Row
        _use_wal(db)
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA temp_store=MEMORY")  # files would hold texts, and the reading child cannot create any
        db.execute("PRAGMA secure_delete=ON")  # overwrites erased conversations with zeros
    except BaseException:
        db.close()
        raise
    return db


Row = sqlite3.Row
