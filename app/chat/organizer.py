"""Organize stored conversations: titles, folders, pins, the bin and unsent drafts."""

import json
import time
from collections.abc import Callable, Collection, Sequence

from app.base.database import Database
from app.base.files.day_record import DayRecord
from app.chat.message_index import MessageIndex
from app.chat.records import Conversation, Folder, UnsentDraft, stored_moment, stored_text
from app.chat.store import BEING_ERASED, CONVERSATION_COLUMNS, conversation_from_row, title_of

BIN_DAYS = 30
# The value of `binned_at` while a conversation is being imported. It appears in no list until the whole import is
# stored; the next start erases what a crash left behind.
BEING_IMPORTED = -1.0
# Limits of one step of erasing, so that a streaming answer can be saved between two steps.
TURN_CONVERSATIONS = 50
TURN_MESSAGES = 200
TURN_S = 0.03


class ConversationOrganizer:
    """Changes stored conversations, each time committed. Methods raise AppError as `Database` does."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._index = MessageIndex(database)

    def rename(self, conversation_id: int, title: str) -> None:
        with self._db.transaction():
            self._db.write("UPDATE conversation SET title = ? WHERE id = ?", title_of(title), conversation_id)

    def pin(self, conversation_ids: Sequence[int], *, is_pinned: bool = True) -> None:
        self._set("pinned_at", self._db.clock() if is_pinned else None, conversation_ids)

    # ------------------------------------------------------------------ folders

    def folders(self) -> list[Folder]:
        """Return all folders, sorted by name."""
        rows = self._db.read("SELECT id, name FROM folder ORDER BY name, id")
        return [Folder(row[0], stored_text(row[1])) for row in rows]

    def add_folder(self, name: str) -> int:
        with self._db.transaction():
            return self._db.write("INSERT INTO folder(name) VALUES (?)", title_of(name))

    def rename_folder(self, folder_id: int, name: str) -> None:
        with self._db.transaction():
            self._db.write("UPDATE folder SET name = ? WHERE id = ?", title_of(name), folder_id)

    def remove_folder(self, folder_id: int) -> None:
        """Delete a folder but not its conversations, which are then outside any folder."""
        with self._db.transaction():
            self._db.write("DELETE FROM folder WHERE id = ?", folder_id)

    def restore_folder(self, folder: Folder, conversation_ids: Sequence[int]) -> None:
        """Undo `remove_folder`. The folder gets a new id when a later folder has the old one."""
        with self._db.transaction():
            is_taken = self._db.read("SELECT 1 FROM folder WHERE id = ?", folder.id)
            folder_id = self._db.write(
                "INSERT INTO folder(id, name) VALUES (?, ?)", None if is_taken else folder.id, folder.name
            )
            self.move(conversation_ids, folder_id)

    def move(self, conversation_ids: Sequence[int], folder_id: int | None) -> None:
        """Move conversations into a folder, or out of any folder when `folder_id` is None or no longer exists."""
        is_there = folder_id is not None and self._db.read("SELECT 1 FROM folder WHERE id = ?", folder_id)
        self._set("folder_id", folder_id if is_there else None, conversation_ids)

    # ---------------------------------------------------------------------- bin

    def bin(self, conversation_ids: Sequence[int]) -> None:
        """Move conversations to the bin, which erases nothing; `restore` undoes it."""
        self._set("binned_at", max(0.0, self._db.clock()), conversation_ids)

    def restore(self, conversation_ids: Sequence[int]) -> None:
        self._set("binned_at", None, conversation_ids)

    def binned(self) -> list[Conversation]:
        """Return the conversations in the bin, the last binned first."""
        return self._db.read_as(
            conversation_from_row,
            f"SELECT {CONVERSATION_COLUMNS} FROM conversation"  # noqa: S608
            " WHERE binned_at >= 0 ORDER BY binned_at DESC, id DESC",
        )

    def binned_count(self) -> int:
        """Return the number of conversations in the bin."""
        count: int = self._db.read("SELECT count(*) FROM conversation WHERE binned_at >= 0")[0][0]
        return count

    def stored_ids(self, conversation_ids: Collection[int]) -> frozenset[int]:
        """Return which of these conversations still exist, in the list or in the bin."""
        rows = self._db.read(
            "SELECT id FROM conversation WHERE ifnull(binned_at, 0) >= 0 AND id IN (SELECT value FROM json_each(?))",
            json.dumps(list(conversation_ids)),
        )
        return frozenset(row[0] for row in rows)

    def mark_for_erasure(self, conversation_ids: Sequence[int]) -> None:
        """Mark binned conversations, which disappear from all lists for good; `erase_some` erases them."""
        with self._db.transaction():
            self._db.write(
                "UPDATE conversation SET binned_at = ?, leaf_id = NULL"
                " WHERE binned_at IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
                BEING_ERASED,
                json.dumps(list(conversation_ids)),
            )

    def mark_expired_for_erasure(self, record: DayRecord) -> int:
        """Mark what is in the bin for over 30 days, and incomplete imports, for erasure; return how many."""
        rows = self._db.read("SELECT id FROM conversation WHERE binned_at = ?", BEING_IMPORTED)
        incomplete = [row[0] for row in rows]
        self.mark_for_erasure(incomplete)
        rows = self._db.read("SELECT id, binned_at FROM conversation WHERE binned_at >= 0")
        old = record.expired_items(
            "conversations", {str(row[0]): stored_moment(row[1]) for row in rows}, self._db.clock(), BIN_DAYS
        )
        self.mark_for_erasure([int(name) for name in old])
        return len(incomplete) + len(old)

    def erase_some(self) -> bool:
        """Erase a part of the marked conversations, also from the index and the files; return whether more remain.

        It works in steps, because erasing thousands of messages at once would block the window and other writers for
        seconds.
        """
        if not self._has_leftovers() and not self._is_erasing():
            return False
        with self._db.transaction():
            if self._is_erasing():
                self._erase_messages()
            elif not self._index.purge_some_deleted_terms():
                self._db.write("UPDATE last_id SET has_leftovers = 0")
        if self._has_leftovers():
            return True
        self._db.empty_log()
        return False

    def erase(self, conversation_ids: Sequence[int], pause: Callable[[], None] = lambda: None) -> None:
        """Mark conversations for erasure and erase them, calling `pause` between the steps so that others can write."""
        self.mark_for_erasure(conversation_ids)
        while self.erase_some():
            pause()

    # ------------------------------------------------------------------- drafts

    def draft(self, conversation_id: int | None) -> UnsentDraft:
        """Return the unsent draft of a conversation. None as `conversation_id` is the next new conversation."""
        rows = self._db.read("SELECT text, edited_id, set_aside FROM draft WHERE conversation_id IS ?", conversation_id)
        written, edited_id, set_aside = rows[0] if rows else ("", None, "")
        return UnsentDraft(stored_text(written), edited_id, stored_text(set_aside))

    def keep_draft(self, conversation_id: int | None, draft: UnsentDraft) -> None:
        """Store a draft in place of the last one; an empty draft is deleted."""
        with self._db.transaction():
            self._db.write("DELETE FROM draft WHERE conversation_id IS ?", conversation_id)
            if draft.text or draft.edited_id is not None:
                self._db.write(
                    "INSERT INTO draft(conversation_id, text, edited_id, set_aside) VALUES (?, ?, ?, ?)",
                    conversation_id,
                    draft.text,
                    draft.edited_id,
                    draft.set_aside,
                )

    def with_drafts(self) -> frozenset[int]:
        """Return the ids of the conversations that have an unsent draft."""
        rows = self._db.read("SELECT conversation_id FROM draft WHERE conversation_id IS NOT NULL")
        return frozenset(row[0] for row in rows)

    # ------------------------------------------------------------------ private

    def _set(self, column: str, value: object, conversation_ids: Sequence[int]) -> None:
        with self._db.transaction():
            self._db.write(
                f"UPDATE conversation SET {column} = ? WHERE ifnull(binned_at, 0) >= 0"  # noqa: S608
                " AND id IN (SELECT value FROM json_each(?))",
                value,
                json.dumps(list(conversation_ids)),
            )

    def _is_erasing(self) -> bool:
        return bool(self._db.read("SELECT 1 FROM conversation WHERE binned_at = ? LIMIT 1", BEING_ERASED))

    def _has_leftovers(self) -> bool:
        return bool(self._db.read("SELECT has_leftovers FROM last_id")[0][0])

    def _erase_messages(self) -> None:
        rows = self._db.read(
            "SELECT id FROM conversation WHERE binned_at = ? LIMIT ?", BEING_ERASED, TURN_CONVERSATIONS
        )
        erasing = json.dumps([row[0] for row in rows])
        # The newest first, because a message refers to its parent, which is always older.
        messages = self._db.read(
            "SELECT id, text, status FROM message WHERE conversation_id IN (SELECT value FROM json_each(?))"
            " ORDER BY id DESC LIMIT ?",
            erasing,
            TURN_MESSAGES,
        )
        started = time.monotonic()
        erased: list[int] = []
        for message_id, text, status in messages:
            if erased and time.monotonic() - started > TURN_S:
                break
            erased.append(message_id)
            if status != "streaming":
                self._index.replace(message_id, text, "")
        self._db.write(
            "UPDATE last_id SET conversation = max(conversation, (SELECT ifnull(max(id), 0) FROM conversation)),"
            " message = max(message, (SELECT ifnull(max(id), 0) FROM message)), has_leftovers = 1"
        )
        self._db.write("DELETE FROM message WHERE id IN (SELECT value FROM json_each(?))", json.dumps(erased))
        self._db.write(
            "DELETE FROM conversation WHERE id IN (SELECT value FROM json_each(?))"
            " AND NOT EXISTS (SELECT 1 FROM message m WHERE m.conversation_id = conversation.id)",
            erasing,
        )
