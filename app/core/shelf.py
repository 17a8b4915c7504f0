"""How conversations are kept: names, folders, pins, the bin, and what was typed and not sent."""

from collections.abc import Sequence

from app.core.database import Database
from app.core.message_index import MessageIndex
from app.core.records import Conversation, Draft, Folder
from app.core.store import CONVERSATION, as_conversation, title_of

BIN_DAYS = 30
# `binned_at` of a conversation that is being imported: in no list until all have arrived. It counts as binned before
# 1970, so that what a crash leaves half imported is erased at the next start.
ARRIVING = -1.0
_DAY_S = 24 * 60 * 60


class Shelf:
    """Raises AppError as `Database` does. Each change is committed when the method returns."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._index = MessageIndex(database)

    def rename(self, conversation_id: int, title: str) -> None:
        with self._db.transaction():
            self._db.write("UPDATE conversation SET title = ? WHERE id = ?", title_of(title), conversation_id)

    def pin(self, conversation_ids: Sequence[int], *, is_pinned: bool = True) -> None:
        self._set("pinned_at", self._db.now() if is_pinned else None, conversation_ids)

    # ------------------------------------------------------------------ folders

    def folders(self) -> list[Folder]:
        """By name."""
        return [Folder(*row) for row in self._db.read("SELECT id, name FROM folder ORDER BY name, id")]

    def add_folder(self, name: str) -> int:
        with self._db.transaction():
            return self._db.write("INSERT INTO folder(name) VALUES (?)", title_of(name))

    def rename_folder(self, folder_id: int, name: str) -> None:
        with self._db.transaction():
            self._db.write("UPDATE folder SET name = ? WHERE id = ?", title_of(name), folder_id)

    def remove_folder(self, folder_id: int) -> None:
        """Its conversations stay, outside any folder."""
        with self._db.transaction():
            self._db.write("DELETE FROM folder WHERE id = ?", folder_id)

    def restore_folder(self, folder: Folder, conversation_ids: Sequence[int]) -> None:
        """Undoes `remove_folder`. It gets a new id where a folder made since then has the old one."""
        with self._db.transaction():
            is_taken = self._db.read("SELECT 1 FROM folder WHERE id = ?", folder.id)
            folder_id = self._db.write(
                "INSERT INTO folder(id, name) VALUES (?, ?)", None if is_taken else folder.id, folder.name
            )
            self.move(conversation_ids, folder_id)

    def move(self, conversation_ids: Sequence[int], folder_id: int | None) -> None:
        """`folder_id` None, or that of a folder that is gone: out of any folder."""
        is_there = folder_id is not None and self._db.read("SELECT 1 FROM folder WHERE id = ?", folder_id)
        self._set("folder_id", folder_id if is_there else None, conversation_ids)

    # ---------------------------------------------------------------------- bin

    def bin(self, conversation_ids: Sequence[int]) -> None:
        """Takes conversations out of the list; nothing is erased. Undone by `restore`."""
        self._set("binned_at", self._db.now(), conversation_ids)

    def restore(self, conversation_ids: Sequence[int]) -> None:
        self._set("binned_at", None, conversation_ids)

    def binned(self) -> list[Conversation]:
        """What is in the bin, the last first."""
        rows = self._db.read(
            f"SELECT {CONVERSATION} FROM conversation"  # noqa: S608
            " WHERE binned_at >= 0 ORDER BY binned_at DESC, id DESC"
        )
        return [as_conversation(row) for row in rows]

    def erase(self, conversation_ids: Sequence[int]) -> None:
        """For good, with every trace in the index. Only conversations that are in the bin."""
        with self._db.transaction():
            for conversation_id in conversation_ids:
                self._erase(conversation_id)

    def erase_old(self) -> int:
        """Erases what has been in the bin for more than 30 days; gives how many that were."""
        limit = self._db.now() - BIN_DAYS * _DAY_S
        old = [row[0] for row in self._db.read("SELECT id FROM conversation WHERE binned_at < ?", limit)]
        self.erase(old)
        return len(old)

    # ------------------------------------------------------------------- drafts

    def draft(self, conversation_id: int | None) -> Draft:
        """What was typed in a conversation; None: for the next new one."""
        rows = self._db.read("SELECT text, edited_id, set_aside FROM draft WHERE conversation_id IS ?", conversation_id)
        return Draft(*rows[0]) if rows else Draft()

    def keep_draft(self, conversation_id: int | None, draft: Draft) -> None:
        """An empty draft is forgotten."""
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
        """The conversations in which something was typed and not sent."""
        rows = self._db.read("SELECT conversation_id FROM draft WHERE conversation_id IS NOT NULL")
        return frozenset(row[0] for row in rows)

    # ------------------------------------------------------------------ private

    def _set(self, column: str, value: object, conversation_ids: Sequence[int]) -> None:
        with self._db.transaction():
            for conversation_id in conversation_ids:
                self._db.write(f"UPDATE conversation SET {column} = ? WHERE id = ?", value, conversation_id)  # noqa: S608

    def _erase(self, conversation_id: int) -> None:
        is_binned = self._db.read("SELECT binned_at IS NOT NULL FROM conversation WHERE id = ?", conversation_id)
        if not is_binned or not is_binned[0][0]:
            return
        rows = self._db.read(
            "SELECT id, text FROM message WHERE conversation_id = ? AND status <> 'streaming'", conversation_id
        )
        for message_id, text in rows:
            self._index.replace(message_id, text, "")
        # Messages point at each other and the conversation at its leaf: the knots are undone first.
        self._db.write("UPDATE conversation SET leaf_id = NULL WHERE id = ?", conversation_id)
        self._db.write("UPDATE message SET parent_id = NULL WHERE conversation_id = ?", conversation_id)
        self._db.write("DELETE FROM conversation WHERE id = ?", conversation_id)
