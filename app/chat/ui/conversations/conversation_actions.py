"""Perform actions on conversations and folders, each with its undo."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from app.base.wording import phrase, shorten, unique_name
from app.chat.records import Conversation
from app.chat.services.conversations import Conversations
from app.chat.ui.conversations.conversation_view import ConversationView
from app.uikit.undo import UndoableAction, UndoStack

FOLDER_CHARACTERS = 14


class ConversationActions(QObject):
    """Performs what the list and the bin request. An action that fails, for example on a full disk, offers no undo."""

    bin_undone = Signal(int)  # id of the only conversation that an undo returned from the bin
    folder_added = Signal(int)  # id of a new folder, which the user should name

    def __init__(
        self, conversations: Conversations, listed: ConversationView, undo_stack: UndoStack, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._conversations = conversations
        self._undo_stack = undo_stack
        self._added: tuple[int, UndoableAction | None] = (0, None)  # the last folder that was added, with its undo
        listed.bin_requested.connect(self.bin)
        listed.move_requested.connect(self.move)
        listed.folder_requested.connect(self.add_folder)
        listed.folder_removal_requested.connect(self.remove_folder)
        listed.pin_requested.connect(self.pin)

    def pin(self, ids: Sequence[int], is_pinned: bool) -> None:
        """Pin or unpin conversations, with an undo for those that this changes."""
        listed = [one for one in self._conversations.all_conversations() if one.id in ids]
        ids = [one.id for one in listed if (one.pinned_at is not None) != is_pinned]
        title = self._title(ids)
        if ids and self._conversations.pin(ids, is_pinned=is_pinned):
            words = [_words("pinned", len(ids)), _words("unpinned", len(ids))]
            done, undone = words if is_pinned else reversed(words)
            action = UndoableAction(
                done=done,
                undone=undone,
                undo=lambda: self._conversations.pin(ids, is_pinned=not is_pinned),
                redo=lambda: self.pin(ids, is_pinned),
                title=title,
                conversation_ids=ids,
            )
            self._undo_stack.push(action)

    def rename(self, conversation_id: int, title: str) -> None:
        renamed = next((one for one in self._conversations.all_conversations() if one.id == conversation_id), None)
        if renamed is not None:
            rename(self._conversations, renamed, title, self._undo_stack.push)

    def bin(self, ids: Sequence[int]) -> None:
        """Move conversations to the bin, with an undo for those that are not there yet."""
        wanted = set(ids)
        listed = [one for one in self._conversations.all_conversations() if one.id in wanted]
        ids, n = [one.id for one in listed], len(listed)
        if ids and self._conversations.bin(ids):
            action = UndoableAction(
                done=phrase("chat.moved_title_to_the_bin")
                if n == 1
                else phrase("chat.moved_n_conversations_to_the", n=n),
                undone=_words("from_bin", n),
                undo=lambda: self._restore(ids),
                redo=lambda: self.bin(ids),
                title=listed[0].title,
                conversation_ids=ids,
            )
            self._undo_stack.offer(action)

    def restore(self, ids: Sequence[int]) -> None:
        """Return conversations from the bin to the list, with an undo."""
        if self._conversations.restore(ids):
            n = len(ids)
            action = UndoableAction(
                done=_words("from_bin", n),
                undone=_words("to_bin", n),
                undo=lambda: self._conversations.bin(ids),
                redo=lambda: self.restore(ids),
                title=self._title(ids),
                conversation_ids=ids,
            )
            self._undo_stack.push(action)

    def move(self, ids: Sequence[int], folder_id: int | None) -> None:
        """Move conversations to a folder, with an undo; None removes them from their folders."""
        title, before = self._title(ids), self._folders_of(ids)
        name = next((folder.name for folder in self._conversations.folders() if folder.id == folder_id), "")
        if not self._conversations.move(ids, folder_id):
            return
        if folder_id is None:
            one = phrase("chat.took_title_out_of_its")
            several = phrase("chat.took_n_conversations_out_of")
        else:
            one = phrase("chat.moved_title_to_folder").replace("{folder}", shorten(name, FOLDER_CHARACTERS))
            several = phrase("chat.moved_n_conversations_to_title")
        action = UndoableAction(
            done=one if len(ids) == 1 else several.replace("{n}", str(len(ids))),
            undone=_words("to_place", len(ids)),
            undo=lambda: self._move_back(before),
            redo=lambda: self.move(ids, folder_id),
            title=title if len(ids) == 1 else name,
            conversation_ids=ids,
        )
        self._undo_stack.offer(action)

    def add_folder(self, ids: Sequence[int] = ()) -> None:
        """Add a folder that contains these conversations, with an undo."""
        before = self._folders_of(ids)
        folder_id = self._conversations.add_folder(self._free_name(phrase("common.new_folder")), ids)
        if folder_id is not None:
            action = UndoableAction(
                done=phrase("chat.added_a_folder"),
                undone=phrase("chat.took_the_new_folder_away"),
                undo=lambda: self._undo_folder(folder_id, before),
                redo=lambda: self.add_folder(ids),
                conversation_ids=ids,
            )
            self._undo_stack.push(action)
            self._added = folder_id, action
            self.folder_added.emit(folder_id)

    def rename_folder(self, folder_id: int, name: str) -> bool:
        """Give a folder another name, with an undo; return whether that succeeded."""
        before = next((folder.name for folder in self._conversations.folders() if folder.id == folder_id), name)
        if before == name:
            return False
        name = self._free_name(name)
        if not self._conversations.rename_folder(folder_id, name):
            return False
        if self._added == (folder_id, self._undo_stack.last):
            return True  # its first name is a part of adding it

        def change(now: str, wanted: str) -> bool:
            """Rename the folder that is called `now`: since an undo of its removal it has another id."""
            ids = [folder.id for folder in self._conversations.folders() if folder.name == now]
            id = folder_id if folder_id in ids else next(iter(ids), 0)
            return self.rename_folder(id, wanted) if wanted == name else self._conversations.rename_folder(id, wanted)

        action = UndoableAction(
            done=phrase("chat.renamed_to_title"),
            undone=phrase("common.the_name_is_back", name=shorten(before, FOLDER_CHARACTERS)),
            undo=lambda: change(name, before),
            redo=lambda: change(before, name),
            title=name,
        )
        self._undo_stack.push(action)
        return True

    def remove_folder(self, folder_id: int) -> None:
        name = next(folder.name for folder in self._conversations.folders() if folder.id == folder_id)
        inside = [one.id for one in self._conversations.all_conversations() if one.folder_id == folder_id]
        undo = self._conversations.remove_folder(folder_id)
        if undo is not None:
            action = UndoableAction(
                done=phrase("chat.deleted_the_folder_title_its"),
                undone=phrase("chat.the_folder_title_is_back"),
                undo=undo,
                redo=lambda: self._remove_folder_again(name),
                title=name,
                conversation_ids=inside,
            )
            self._undo_stack.offer(action)

    # ------------------------------------------------------------------- private

    def _restore(self, ids: Sequence[int]) -> bool:
        is_done = self._conversations.restore(ids)
        if is_done and len(ids) == 1:
            self.bin_undone.emit(ids[0])
        return is_done

    def _remove_folder_again(self, name: str) -> None:
        """Remove the folder that has this name now: an undo gave it a new id."""
        for folder in self._conversations.folders():
            if folder.name == name:
                self.remove_folder(folder.id)

    def _title(self, ids: Sequence[int]) -> str:
        return next((one.title for one in self._conversations.all_conversations() if one.id in ids), "")

    def _folders_of(self, ids: Sequence[int]) -> dict[int, int | None]:
        wanted = set(ids)
        return {one.id: one.folder_id for one in self._conversations.all_conversations() if one.id in wanted}

    def _move_back(self, before: dict[int, int | None]) -> bool:
        moves = [
            self._conversations.move([one for one, folder in before.items() if folder == folder_id], folder_id)
            for folder_id in set(before.values())
        ]
        return all(moves)

    def _undo_folder(self, folder_id: int, before: dict[int, int | None]) -> bool:
        if not self._move_back(before):
            return False
        is_there = any(folder.id == folder_id for folder in self._conversations.folders())
        return not is_there or self._conversations.remove_folder(folder_id) is not None

    def _free_name(self, name: str) -> str:
        return unique_name(name, [folder.name for folder in self._conversations.folders()])


def rename(
    conversations: Conversations, renamed: Conversation, title: str, offer: Callable[[UndoableAction], object]
) -> None:
    """Give a conversation another title, and call `offer` with the undo."""
    if title != renamed.title and conversations.rename(renamed.id, title):
        action = UndoableAction(
            done=phrase("chat.renamed_to_title"),
            undone=phrase("common.the_name_is_back", name=shorten(renamed.title, FOLDER_CHARACTERS)),
            undo=lambda: conversations.rename(renamed.id, renamed.title),
            redo=lambda: rename(conversations, renamed, title, offer),
            title=title,
            conversation_ids=[renamed.id],
        )
        offer(action)


def _words(of: str, n: int) -> str:
    """Return what is said of `n` conversations; that of one contains {title}.

    `of`: from_bin | to_bin | to_place | pinned | unpinned.
    """
    return phrase(f"chat.said_of_one.{of}") if n == 1 else phrase(f"chat.said_of_several.{of}", n=n)
