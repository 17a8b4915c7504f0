"""The stored conversations as a collection: their order, folders, bin and search, with a signal when they change."""

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.files.day_record import DayRecord
from app.chat import conversation_privacy
from app.chat.message_index import MessageIndex, SearchResult
from app.chat.organizer import ConversationOrganizer
from app.chat.records import Conversation, Folder
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef


class Conversations(QObject):
    """What cannot be done (a full disk) changes nothing and is said by `problem_occurred`."""

    changed = Signal()
    problem_occurred = Signal(object)  # AppError

    def __init__(self, store: Store, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._store = store
        self._shelf = ConversationOrganizer(store.database)
        self._index = MessageIndex(store.database)

    def all(self) -> list[Conversation]:
        """Those that are not in the bin, the most recently used first."""
        return self._store.conversations()

    def folders(self) -> list[Folder]:
        return self._shelf.folders()

    def binned(self) -> list[Conversation]:
        return self._shelf.binned()

    def stored(self, conversation_ids: Collection[int]) -> frozenset[int]:
        """Those of them that are in the list or in the bin."""
        return self._shelf.stored(conversation_ids)

    def asked(self, conversation_id: int) -> list[CollectionRef]:
        """What its answers in every branch were asked of or rest on, each once."""
        return [ref for _, ref in conversation_privacy.referenced_collections(self._store, [conversation_id])]

    def with_drafts(self) -> frozenset[int]:
        return self._shelf.with_drafts()

    def search(self, query: str) -> SearchResult:
        return self._index.search(query)

    def rename(self, conversation_id: int, title: str) -> None:
        self._change(lambda: self._shelf.rename(conversation_id, title))

    def pin(self, conversation_ids: Sequence[int], *, is_pinned: bool = True) -> None:
        self._change(lambda: self._shelf.pin(conversation_ids, is_pinned=is_pinned))

    def add_folder(self, name: str, conversation_ids: Sequence[int] = ()) -> int | None:
        """A new folder with these conversations in it; gives its id, None where it could not be made."""
        made: list[int] = []

        def add() -> None:
            made.append(self._shelf.add_folder(name))
            self._shelf.move(conversation_ids, made[0])

        self._change(add)
        return made[0] if made else None

    def rename_folder(self, folder_id: int, name: str) -> None:
        self._change(lambda: self._shelf.rename_folder(folder_id, name))

    def remove_folder(self, folder_id: int) -> Callable[[], object] | None:
        """Its conversations stay. Gives what undoes it; None where it could not be removed."""
        folder = next(folder for folder in self.folders() if folder.id == folder_id)
        everything = [*self.all(), *self.binned()]
        inside = [conversation.id for conversation in everything if conversation.folder_id == folder_id]
        if not self._change(lambda: self._shelf.remove_folder(folder_id)):
            return None
        return lambda: self._change(lambda: self._shelf.restore_folder(folder, inside))

    def move(self, conversation_ids: Sequence[int], folder_id: int | None) -> bool:
        """Whether it could be done."""
        return self._change(lambda: self._shelf.move(conversation_ids, folder_id))

    def bin(self, conversation_ids: Sequence[int]) -> bool:
        """Out of the list for 30 days; `restore` brings them back as they were. Whether it could be done."""
        return self._change(lambda: self._shelf.bin(conversation_ids))

    def restore(self, conversation_ids: Sequence[int]) -> bool:
        """Whether it could be done."""
        return self._change(lambda: self._shelf.restore(conversation_ids))

    def erase(self, conversation_ids: Sequence[int]) -> None:
        """For good. Only what is in the bin."""
        self._change(lambda: self._shelf.give_up(conversation_ids))
        self._erase_some()

    def erase_old(self, record: DayRecord) -> None:
        """What has been in the bin for more than 30 days, by the record too."""
        self._change(lambda: self._shelf.give_up_old(record))
        self._erase_some()

    def refresh(self) -> None:
        """Another program may have written: `kotae chats import`."""
        if self._store.database.is_changed_elsewhere():
            self.changed.emit()

    def note_change(self) -> None:
        """A conversation was written to by somebody else."""
        self.changed.emit()

    def _erase_some(self) -> None:
        """In short turns, between which the window answers; what is left when it is closed goes at the next start."""
        try:
            is_more = self._shelf.erase_some()
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
        self.changed.emit()
        return is_done
