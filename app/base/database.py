"""The sqlite file under the tables: opening, migrating, transactions, and what a failure of sqlite means.

Every write is committed and synced before `transaction` ends (WAL, synchronous=FULL), so what the window has shown
as stored survives a kill or a power cut. One `Database` belongs to one thread.
"""

import functools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from app.base import backups
from app.base.database_errors import IN_MEMORY, UNREADABLE, failure
from app.base.errors import AppError
from app.base.files.file_names import free_place
from app.base.store_schema import MIGRATIONS

Migrations = Sequence[Callable[[sqlite3.Connection], None]]  # entry n brings a file from version n to n + 1

Made = TypeVar("Made")

BUSY_MS = 5000  # a writer waits so long for another


class Database:
    """Raises AppError("database_damaged" | "newer_data" | "database_unusable") from `open`, and
    AppError("disk_full" | "database_unusable" | "database_damaged") from every other method."""

    def __init__(self, db: sqlite3.Connection, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self.now = clock  # seconds since 1970
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
        """Opens or creates the file: checks it, then migrates it, after a backup.

        `backup_folder` None: what is in the file can be made again, so no backup is made. `migrations` None: those of
        the conversations' database.
        """
        try:
            db = _connected(path)
        except (sqlite3.Error, UNREADABLE) as error:  # a folder, or a path longer than sqlite's 512 bytes, among others
            raise failure(error, path) from error
        try:
            intact = db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        except (sqlite3.DatabaseError, UNREADABLE) as error:
            db.close()
            raise failure(error, path) from error
        if not intact:
            db.close()
            raise AppError("database_damaged", path=str(path))
        database = cls(db, path, clock)
        try:
            database._migrate(backup_folder, MIGRATIONS if migrations is None else migrations)
            database._keep_own_programs(MIGRATIONS if migrations is None else migrations)
        except BaseException:
            db.close()
            raise
        return database

    @classmethod
    def beside(cls, path: Path, clock: Callable[[], float] = time.time) -> "Database":
        """A second connection, for another thread, to what `open` has opened: nothing is checked or migrated again."""
        try:
            return cls(_connected(path), path, clock)
        except sqlite3.Error as error:
            raise failure(error, path) from error

    @classmethod
    def in_memory(cls, clock: Callable[[], float] = time.time) -> "Database":
        """The same tables, never written to a disk: not even sqlite's temporary files."""
        db = sqlite3.connect(str(IN_MEMORY), isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA temp_store=MEMORY")
        database = cls(db, IN_MEMORY, clock)
        database._migrate(None, MIGRATIONS)
        return database

    def close(self) -> None:
        self._db.close()

    def read(self, sql: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise failure(error, self.path) from error

    def read_as(self, make: Callable[[sqlite3.Row], Made], sql: str, *values: object) -> list[Made]:
        """As `read`, each row as what it stands for. One that stands for nothing is damage."""
        rows = self.read(sql, *values)
        try:
            return [make(row) for row in rows]
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            raise AppError("database_damaged", path=str(self.path)) from error

    def write(self, sql: str, *values: object) -> int:
        """Inside a `transaction`. Returns the id of the row that was inserted last."""
        return self._db.execute(sql, values).lastrowid or 0

    def empty_log(self) -> None:
        """Takes what was erased out of the file beside the database too, which keeps old pages.

        Not while another connection is amid a long read, for which it does not wait; the next call does it then, or
        closing.
        """
        self.read("PRAGMA busy_timeout = 0")
        try:
            self.read("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self.read(f"PRAGMA busy_timeout = {BUSY_MS}")

    def is_changed_elsewhere(self) -> bool:
        """Whether another connection has written since this was asked last (the first time: since `open`)."""
        before, self._version = self._version, self.read("PRAGMA data_version")[0][0]
        return self._version != before

    def changes(self) -> int:
        """Rows changed by this connection so far."""
        return self._db.total_changes

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All of it or nothing. One inside another belongs to the outer one."""
        if self._db.in_transaction:
            yield
            return
        try:
            self._db.execute("BEGIN IMMEDIATE")
            is_counted, before = _has_count(self._db), self._db.total_changes
            try:
                yield
                if is_counted and self._db.total_changes > before:
                    self._db.execute("UPDATE last_id SET changes = changes + 1")
            except BaseException:
                if self._db.in_transaction:  # sqlite may have rolled back itself: a full disk
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise failure(error, self.path) from error

    def _migrate(self, backup_folder: Path | None, migrations: Migrations) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations):
            raise AppError("newer_data", version=version, known=len(migrations), path=str(self.path))
        if version < 0:
            raise AppError("database_damaged", path=str(self.path))
        if version == len(migrations):
            return
        if version > 0 and backup_folder is not None:
            name = f"kotae-before-v{len(migrations)}-{int(self.now())}-{os.getpid()}.sqlite"
            backups.copy(self.path, free_place(backup_folder / name))
        with self.transaction():
            version = self._db.execute("PRAGMA user_version").fetchone()[0]  # another process may have been quicker
            for migrate in migrations[version:]:
                migrate(self._db)
            self._db.execute(f"PRAGMA user_version = {len(migrations)}")

    def _keep_own_programs(self, migrations: Migrations) -> None:
        """Others, in a file that somebody has prepared, would change what is written after it was acknowledged, such as
        a label."""
        found = _programs(self._db)
        if not found or found == (own := _of_migrations(tuple(migrations))):
            return
        with self.transaction():
            for kind, name in found:
                quoted = name.replace('"', '""')
                self._db.execute(f'DROP {kind} IF EXISTS "{quoted}"')
            for sql in own.values():
                self._db.execute(sql)


def _has_count(db: sqlite3.Connection) -> bool:
    """Whether it is a database of conversations: that of the documents has no backups to choose from."""
    return any(row[1] == "changes" for row in db.execute("PRAGMA table_info(last_id)"))


def _use_wal(db: sqlite3.Connection) -> None:
    """Changing the journal does not wait as other statements do: another first start may hold the file for a moment."""
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


def _programs(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Return what runs when something else is written or read: triggers and views, with their texts."""
    found = db.execute("SELECT type, name, sql FROM sqlite_master WHERE type IN ('trigger', 'view')")
    return {(kind, name): sql for kind, name, sql in found}


@functools.cache
def _of_migrations(migrations: tuple[Callable[[sqlite3.Connection], None], ...]) -> dict[tuple[str, str], str]:
    with closing(sqlite3.connect(str(IN_MEMORY), isolation_level=None)) as db:
        for migrate in migrations:
            migrate(db)
        return _programs(db)


def _connected(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_MS / 1000)
    try:
        db.row_factory = sqlite3.Row
        _use_wal(db)
        db.execute("PRAGMA synchronous=FULL")
        db.execute("PRAGMA foreign_keys=ON")
        db.execute("PRAGMA temp_store=MEMORY")  # temporary files would hold texts, and the reading child can make none
        db.execute("PRAGMA secure_delete=ON")  # what is erased from the bin leaves no readable rest in the file
    except BaseException:
        db.close()
        raise
    return db


Row = sqlite3.Row
