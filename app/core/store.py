"""The one sqlite database: conversations as message trees, and the local models.

Every write is committed and synced before the method returns (WAL, synchronous=FULL), so what the window has shown
as stored survives a kill or a power cut. One `Store` belongs to one thread.
"""

import dataclasses
import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.core.errors import AppError
from app.core.records import AnswerDetails, Conversation, LocalModel, Message
from app.core.store_schema import MIGRATIONS

BACKUPS_KEPT = 7
TITLE_CHARACTERS = 40
_LEAST_BYTES = 1_000_000


_MESSAGE = """m.*,
    (SELECT count(*) FROM message s WHERE s.conversation_id = m.conversation_id AND s.parent_id IS m.parent_id
        AND s.id <= m.id) AS branch,
    (SELECT count(*) FROM message s WHERE s.conversation_id = m.conversation_id AND s.parent_id IS m.parent_id)
        AS branches"""


class Store:
    """Raises AppError("database_damaged" | "newer_data" | "database_unusable") from `open`, and
    AppError("disk_full" | "database_unusable" | "database_damaged") from every other method."""

    def __init__(self, db: sqlite3.Connection, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._db = db
        self._clock = clock
        self.path = path

    @classmethod
    def open(cls, path: Path, backups: Path, clock: Callable[[], float] = time.time) -> "Store":
        """Opens or creates the database: checks it, then migrates it, after a backup."""
        try:
            db = sqlite3.connect(path, isolation_level=None)
        except sqlite3.Error as error:  # a folder in its place, or a path longer than the 512 bytes that sqlite takes
            raise _damaged_or_unusable(error, path) from error
        try:
            db.row_factory = sqlite3.Row
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
            intact = db.execute("PRAGMA quick_check(1)").fetchone()[0] == "ok"
        except sqlite3.DatabaseError as error:
            db.close()
            raise _damaged_or_unusable(error, path) from error
        if not intact:
            db.close()
            raise AppError("database_damaged", path=str(path))
        store = cls(db, path, clock)
        store._migrate(backups)
        return store

    def close(self) -> None:
        self._db.close()

    # ------------------------------------------------------------ conversations

    def conversations(self) -> list[Conversation]:
        """All that are not in the bin, the most recently used first."""
        rows = self._read(
            "SELECT id, title, created_at, updated_at, leaf_id FROM conversation"
            " WHERE binned_at IS NULL ORDER BY updated_at DESC, id DESC"
        )
        return [Conversation(*row) for row in rows]

    def conversation(self, conversation_id: int) -> Conversation | None:
        row = self._db.execute(
            "SELECT id, title, created_at, updated_at, leaf_id FROM conversation WHERE id = ?",
            (conversation_id,),
        ).fetchone()
        return Conversation(*row) if row else None

    def leaf_id(self, conversation_id: int) -> int | None:
        """The last message of the branch that is shown."""
        found = self.conversation(conversation_id)
        return found.leaf_id if found else None

    def thread(self, conversation_id: int) -> list[Message]:
        """The shown branch, from its first question to its leaf."""
        rows = self._read(
            f"""WITH RECURSIVE line(id, parent_id, depth) AS (
                   SELECT m.id, m.parent_id, 0 FROM conversation c JOIN message m ON m.id = c.leaf_id WHERE c.id = ?
                   UNION ALL
                   SELECT m.id, m.parent_id, depth + 1 FROM line l JOIN message m ON m.id = l.parent_id)
               SELECT {_MESSAGE} FROM line l JOIN message m ON m.id = l.id ORDER BY l.depth DESC""",  # noqa: S608
            conversation_id,
        )
        return [_message(row) for row in rows]

    def message(self, message_id: int) -> Message:
        """Raises KeyError when it is not there."""
        rows = self._read(f"SELECT {_MESSAGE} FROM message m WHERE m.id = ?", message_id)  # noqa: S608
        if not rows:
            raise KeyError(message_id)
        return _message(rows[0])

    def add_question(self, text: str, conversation_id: int | None = None, parent_id: int | None = None) -> Message:
        """Stores a question, in a new conversation when `conversation_id` is None. Committed when this returns."""
        now = self._clock()
        with self._transaction():
            if conversation_id is None:
                conversation_id = self._insert(
                    "INSERT INTO conversation(title, created_at, updated_at) VALUES (?, ?, ?)",
                    (_title(text), now, now),
                )
            return self._add_message(conversation_id, parent_id, "question", text, "done", None, now)

    def add_answer(self, question_id: int, details: AnswerDetails) -> Message:
        """An empty answer with status "streaming", child of the question."""
        question = self.message(question_id)
        with self._transaction():
            return self._add_message(
                question.conversation_id, question_id, "answer", "", "streaming", details, self._clock()
            )

    def restart_answer(self, answer_id: int, details: AnswerDetails) -> Message:
        """Takes up again an answer that never had text, instead of putting a new branch beside nothing."""
        answer = self.finish_answer(answer_id, "", "streaming", details)
        with self._transaction():
            self._db.execute("UPDATE conversation SET leaf_id = ? WHERE id = ?", (answer_id, answer.conversation_id))
        return answer

    def update_answer(self, answer_id: int, text: str) -> None:
        """The text so far of an answer that is being streamed."""
        with self._transaction():
            self._db.execute("UPDATE message SET text = ? WHERE id = ? AND status = 'streaming'", (text, answer_id))

    def finish_answer(self, answer_id: int, text: str, status: str, details: AnswerDetails) -> Message:
        """The answer's last text and how it ended. `status`: done | stopped | failed."""
        with self._transaction():
            self._db.execute(
                "UPDATE message SET text = ?, status = ?, details = ? WHERE id = ?",
                (text, status, _details_json(details), answer_id),
            )
        return self.message(answer_id)

    def show_branch(self, message_id: int, step: int) -> None:
        """Shows the branch `step` places from this message's, down to what was said last in it."""
        message = self.message(message_id)
        siblings = self._read(
            "SELECT id FROM message WHERE conversation_id = ? AND parent_id IS ? ORDER BY id",
            message.conversation_id,
            message.parent_id,
        )
        place = message.branch - 1 + step
        if not 0 <= place < len(siblings):
            return
        newest = self._read(
            """WITH RECURSIVE below(id) AS (
                   SELECT ? UNION ALL SELECT m.id FROM below b JOIN message m ON m.parent_id = b.id)
               SELECT max(id) FROM below""",
            siblings[place][0],
        )
        with self._transaction():
            self._db.execute(
                "UPDATE conversation SET leaf_id = ? WHERE id = ?", (newest[0][0], message.conversation_id)
            )

    def end_interrupted_answers(self) -> None:
        """Marks what a crash left streaming as stopped. Only for the one window: its own answers stream too."""
        rows = self._read("SELECT id, text, details FROM message WHERE status = 'streaming'")
        for row in rows:
            details = _details(row["details"]) or AnswerDetails()
            self.finish_answer(
                row["id"], row["text"], "stopped", dataclasses.replace(details, stop_reason="interrupted")
            )

    def rename(self, conversation_id: int, title: str) -> None:
        with self._transaction():
            self._db.execute("UPDATE conversation SET title = ? WHERE id = ?", (_title(title), conversation_id))

    def bin(self, conversation_id: int) -> None:
        """Takes a conversation out of the list; nothing is erased. Undone by `restore`."""
        with self._transaction():
            self._db.execute("UPDATE conversation SET binned_at = ? WHERE id = ?", (self._clock(), conversation_id))

    def restore(self, conversation_id: int) -> None:
        with self._transaction():
            self._db.execute("UPDATE conversation SET binned_at = NULL WHERE id = ?", (conversation_id,))

    # ------------------------------------------------------------- local models

    def local_models(self) -> list[LocalModel]:
        rows = self._read("SELECT * FROM local_model ORDER BY added_at, id")
        return [_local_model(row) for row in rows]

    def put_local_model(self, model: LocalModel) -> None:
        """Adds a model, or replaces the one with the same id or path."""
        values = dataclasses.asdict(model)
        values["speeds"] = json.dumps(model.speeds) if model.speeds is not None else None
        columns = ", ".join(values)
        marks = ", ".join(f":{name}" for name in values)
        with self._transaction():
            self._db.execute(f"INSERT OR REPLACE INTO local_model({columns}) VALUES ({marks})", values)  # noqa: S608

    def remove_local_model(self, model_id: str) -> None:
        """Forgets the row; the file is the caller's."""
        with self._transaction():
            self._db.execute("DELETE FROM local_model WHERE id = ?", (model_id,))

    # ------------------------------------------------------------------ backups

    def _migrate(self, backups: Path) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if version > len(MIGRATIONS):
            self._db.close()
            raise AppError("newer_data", version=version, known=len(MIGRATIONS), path=str(self.path))
        if version == len(MIGRATIONS):
            return
        if version > 0:
            backup(self.path, backups / f"kotae-before-v{len(MIGRATIONS)}-{int(self._clock())}.sqlite")
        with self._transaction():
            for migrate in MIGRATIONS[version:]:
                migrate(self._db)
            self._db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")

    # ------------------------------------------------------------------ private

    def _add_message(
        self,
        conversation_id: int,
        parent_id: int | None,
        role: str,
        text: str,
        status: str,
        details: AnswerDetails | None,
        now: float,
    ) -> Message:
        message_id = self._insert(
            "INSERT INTO message(conversation_id, parent_id, role, text, status, created_at, details)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                conversation_id,
                parent_id,
                role,
                text,
                status,
                now,
                _details_json(details) if details else None,
            ),
        )
        self._db.execute(
            "UPDATE conversation SET leaf_id = ?, updated_at = ? WHERE id = ?",
            (message_id, now, conversation_id),
        )
        return self.message(message_id)

    def _read(self, sql: str, *values: object) -> list[sqlite3.Row]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise _damaged_or_unusable(error, self.path) from error

    def _insert(self, sql: str, values: tuple[Any, ...]) -> int:
        row_id = self._db.execute(sql, values).lastrowid
        assert row_id is not None
        return row_id

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._db.in_transaction:  # sqlite may have rolled back itself: a full disk
                    self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
        except sqlite3.Error as error:
            raise _damaged_or_unusable(error, self.path) from error


def backup(database: Path, target: Path) -> None:
    """Copies a database that may be in use, whole or not at all. Raises AppError("disk_full" | "database_unusable")."""
    temporary = target.with_suffix(".tmp")
    source = sqlite3.connect(database)
    copy = sqlite3.connect(temporary)
    try:
        source.backup(copy)
    except sqlite3.Error as error:
        copy.close()
        temporary.unlink(missing_ok=True)
        raise _damaged_or_unusable(error, database) from error
    finally:
        copy.close()
        source.close()
    temporary.replace(target)


def daily_backup(database: Path, backups: Path, now: float) -> Path | None:
    """Makes today's backup if there is none yet, and keeps the newest seven. Returns the new file, or None."""
    target = backups / time.strftime("kotae-%Y%m%d.sqlite", time.localtime(now))
    if target.exists():
        return None
    backup(database, target)
    for old in sorted(backups.glob("kotae-????????.sqlite"))[:-BACKUPS_KEPT]:
        old.unlink()
    return target


def restore_newest_backup(database: Path, backups: Path) -> Path | None:
    """Puts the newest sound backup in the place of a damaged database, which is kept as `.damaged`.

    Returns the backup used, or None when there is none: then the program starts with an empty database.
    """
    sound = next(
        (copy for copy in sorted(backups.glob("kotae-*.sqlite"), key=_modified, reverse=True) if _is_sound(copy)),
        None,
    )
    for suffix in ("", "-wal", "-shm"):
        file = database.with_name(database.name + suffix)
        if file.exists():
            file.replace(database.with_name(f"{database.stem}.damaged-{int(time.time())}{suffix}"))
    if sound is not None:
        backup(sound, database)
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


def _damaged_or_unusable(error: sqlite3.Error, path: Path) -> AppError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    # On a full disk the files beside the database cannot grow either; sqlite then reports an input/output error.
    is_full = code == sqlite3.SQLITE_IOERR and shutil.disk_usage(path.parent).free < _LEAST_BYTES
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return AppError("database_damaged", path=str(path))
    if code == sqlite3.SQLITE_FULL or is_full:
        return AppError("disk_full", path=str(path.parent))
    return AppError("database_unusable", path=str(path), reason=str(error))


def _title(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= TITLE_CHARACTERS else line[: TITLE_CHARACTERS - 1] + "…"


def _details_json(details: AnswerDetails) -> str:
    return json.dumps(dataclasses.asdict(details), ensure_ascii=False)


def _details(text: str | None) -> AnswerDetails | None:
    """Unknown keys (a newer program's) are left out."""
    if text is None:
        return None
    known = {field.name for field in dataclasses.fields(AnswerDetails)}
    return AnswerDetails(**{key: value for key, value in json.loads(text).items() if key in known})


def _message(row: sqlite3.Row) -> Message:
    return Message(
        row["id"],
        row["conversation_id"],
        row["parent_id"],
        row["role"],
        row["text"],
        row["status"],
        row["created_at"],
        _details(row["details"]),
        row["branch"],
        row["branches"],
    )


def _local_model(row: sqlite3.Row) -> LocalModel:
    values = dict(row)
    values["template_allowed"] = bool(values["template_allowed"])
    values["speeds"] = json.loads(values["speeds"]) if values["speeds"] else None
    return LocalModel(**values)
