"""Opens a database with one migration more, which stops in the middle: `python -m tests.faults.half_migration DATA`."""

import sqlite3
import sys

from app.base import database, paths
from app.base.migrations import MIGRATIONS
from app.chat.store import Store


def half(db: sqlite3.Connection) -> None:
    db.execute("CREATE TABLE half (words TEXT)")
    db.executemany("INSERT INTO half VALUES (?)", (("x" * 1000,) for _ in range(20_000)))  # more than a cache holds
    db.execute("UPDATE message SET text = 'half'")
    print("half", flush=True)
    sys.stdin.read()


def main() -> None:
    where = paths.locate(sys.argv[1])
    database.MIGRATIONS = (*MIGRATIONS, half)
    Store.open(where.database, where.backups)


if __name__ == "__main__":
    main()
