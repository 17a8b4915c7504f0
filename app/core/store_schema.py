"""The database's tables as a list of migrations: entry n brings a database from version n to n + 1."""

import sqlite3
from collections.abc import Callable


def _first(db: sqlite3.Connection) -> None:
    db.execute(
        """CREATE TABLE conversation (
            id INTEGER PRIMARY KEY,
            title TEXT NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL,
            leaf_id INTEGER REFERENCES message(id),
            binned_at REAL
        )"""
    )
    db.execute(
        """CREATE TABLE message (
            id INTEGER PRIMARY KEY,
            conversation_id INTEGER NOT NULL REFERENCES conversation(id) ON DELETE CASCADE,
            parent_id INTEGER REFERENCES message(id),
            role TEXT NOT NULL CHECK (role IN ('question', 'answer')),
            text TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('streaming', 'done', 'stopped', 'failed')),
            created_at REAL NOT NULL,
            details TEXT
        )"""
    )
    db.execute("CREATE INDEX message_conversation ON message(conversation_id)")
    db.execute("CREATE INDEX message_parent ON message(parent_id)")
    db.execute("CREATE INDEX message_streaming ON message(status) WHERE status = 'streaming'")
    db.execute("CREATE INDEX conversation_updated ON conversation(updated_at DESC) WHERE binned_at IS NULL")
    db.execute(
        """CREATE TABLE local_model (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            path TEXT NOT NULL UNIQUE,
            size_bytes INTEGER NOT NULL,
            architecture TEXT NOT NULL,
            quantization TEXT NOT NULL,
            context_tokens INTEGER NOT NULL,
            added_at REAL NOT NULL,
            card_id TEXT,
            form_id TEXT,
            template_allowed INTEGER NOT NULL DEFAULT 0,
            speeds TEXT
        )"""
    )


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (_first,)
