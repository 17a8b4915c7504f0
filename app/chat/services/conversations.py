"""Provide the stored conversations to the window (order, folders, bin and search), with a signal for changes."""

import bisect
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.files.day_record import DayRecord
from app.chat import conversation_privacy
from app.chat.organizer import ConversationOrganizer
from app.chat.records import Conversation, Folder
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef


class Conversations(QObject):
    """The stored conversations. A change that fails emits `problem_occurred`, and changes nothing."""

    changed = Signal()
    problem_occurred = Signal(object)  # AppError

    def __init__(self, store: Store) -> None:
        super().__init__()
        self._store = store
        self._organizer = ConversationOrganizer(store.database)
        self._listed: list[Conversation] | None = None  # None: to be read
        self._changed_ids: set[int] = set()  # of conversations that have changed since `_listed` was read

    @property
    def path(self) -> Path:
        """Return the path of the database."""
        return self._store.database.path

    def all_conversations(self) -> list[Conversation]:
        """Return the conversations outside the bin, the most recently used first."""
        return self._store.conversations()

    def listed(self) -> list[Conversation]:
        """Return `all_conversations` as of the last known change. Reads again only what has changed: of 10,000
        conversations, 16 ms are saved at each question."""
        if self._listed is None:
            self._listed = self.all_conversations()
        elif self._changed_ids:
            found = self._store.conversations_of([*self._changed_ids])
            self._listed = [one for one in self._listed if one.id not in self._changed_ids]
            for one in found:
                if one.binned_at is None:
                    bisect.insort(self._listed, one, key=lambda other: (-other.updated_at, -other.id))
        self._changed_ids = set()
        return self._listed

    def folders(self) -> list[Folder]:
        return self._organizer.folders()

    def binned(self) -> list[Conversation]:
        return self._organizer.binned()

    def binned_count(self) -> int:
        return self._organizer.binned_count()

    def stored_ids(self, conversation_ids: Collection[int]) -> frozenset[int]:
        """Return which of these conversations still exist, in the list or in the bin."""
        return self._organizer.stored_ids(conversation_ids)

    def referenced_collections(self, conversation_id: int) -> list[CollectionRef]:
        """Return the collections that the answers of a conversation searched or cite, in all branches, each once."""
        return [ref for _, ref in conversation_privacy.referenced_collections(self._store, [conversation_id])]

    def with_drafts(self) -> frozenset[int]:
        return self._organizer.with_drafts()

    def rename(self, conversation_id: int, title: str) -> bool:
        return self._change(lambda: self._organizer.rename(conversation_id, title))

    def pin(self, conversation_ids: Sequence[int], *, is_pinned: bool = True) -> bool:
        return self._change(lambda: self._organizer.pin(conversation_ids, is_pinned=is_pinned))

    def add_folder(self, name: str, conversation_ids: Sequence[int] = ()) -> int | None:
        """Add a folder with these conversations and return its id, or None if that failed."""
        made: list[int] = []

        def add() -> None:
            made.append(self._organizer.add_folder(name))
            self._organizer.move(conversation_ids, made[0])

        self._change(add)
        return made[0] if made else None

    def rename_folder(self, folder_id: int, name: str) -> bool:
        """Rename a folder; return whether there is one and that succeeded."""
        is_there = any(folder.id == folder_id for folder in self.folders())
        return is_there and self._change(lambda: self._organizer.rename_folder(folder_id, name))

    def remove_folder(self, folder_id: int) -> Callable[[], object] | None:
        """Remove a folder but not its conversations. Return a function that undoes this, or None if it failed."""
        folder = next(folder for folder in self.folders() if folder.id == folder_id)
        everything = [*self.all_conversations(), *self.binned()]
        inside = [conversation.id for conversation in everything if conversation.folder_id == folder_id]
        if not self._change(lambda: self._organizer.remove_folder(folder_id)):
            return None
        return lambda: self._change(lambda: self._organizer.restore_folder(folder, inside))

    def move(self, conversation_ids: Sequence[int], folder_id: int | None) -> bool:
        """Move conversations to a folder, or out of their folders with None; return whether that succeeded."""
        return self._change(lambda: self._organizer.move(conversation_ids, folder_id))

    def bin(self, conversation_ids: Sequence[int]) -> bool:
        """Move conversations to the bin, where they stay for 30 days; return whether that succeeded."""
        return self._change(lambda: self._organizer.bin(conversation_ids))

    def restore(self, conversation_ids: Sequence[int]) -> bool:
        """Return conversations from the bin to the list; return whether that succeeded."""
        return self._change(lambda: self._organizer.restore(conversation_ids))

    def erase(self, conversation_ids: Sequence[int]) -> None:
        """Erase binned conversations, which cannot be undone."""
        self._change(lambda: self._organizer.mark_for_erasure(conversation_ids))
        self._erase_some()

    def erase_expired_from_bin(self, record: DayRecord) -> None:
        """Erase what is in the bin for over 30 days. `record` also measures them by the machine's uptime."""
        self._change(lambda: self._organizer.mark_expired_for_erasure(record))
        self._erase_some()

    def refresh(self) -> None:
        """Emit `changed` if another program, such as `kotae chats import`, has written to the database."""
        if self._store.database.is_changed_elsewhere():
            self.note_change()

    def note_change(self, conversation_id: int | None = None) -> None:
        """Emit `changed` because another object has written to a conversation, or to several (None)."""
        self.mark_changed(None if self._store.database.is_changed_elsewhere() else conversation_id)
        self.changed.emit()

    def mark_changed(self, conversation_id: int | None) -> None:
        """Let `listed` read a conversation again, or all of them (None)."""
        if conversation_id is None:
            self._listed = None
        else:
            self._changed_ids.add(conversation_id)

    def _erase_some(self) -> None:
        """Erase in short steps, so that the window stays responsive; the next start erases what remains."""
        try:
            is_more = self._organizer.erase_some()
        except AppError as error:
            self.problem_occurred.emit(error)
            return
        if is_more:
            QTimer.singleShot(0, self, self._erase_some)

    def _change(self, work: Callable[[], object]) -> bool:
        is_done = True
        try:
            work()
        except AppError as error:
            is_done = False
            self.problem_occurred.emit(error)
        self.note_change()
        return is_done
