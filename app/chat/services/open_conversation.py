"""Hold the open conversation: its store, its draft, and the settings of its answers.

A temporary conversation that the user left stays in memory, so that the user can return to it.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import structs
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.confidentiality import DEFAULT_LABEL, Label
from app.base.database import Database
from app.base.errors import AppError
from app.chat import answer_ratings, conversation_privacy
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import Choices, Preset
from app.chat.records import AnswerDetails, Conversation, Message, UnsentDraft
from app.chat.services.answer_settings import AnswerSettings
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef

SHOWN_FIRST = 60  # messages that are read before a conversation is shown; more than a window is high
READ_S, READ_LEAST, READ_MOST = 0.01, 20, 400  # seconds and messages of one turn that reads earlier ones

NEW_CONVERSATION = Conversation(0, "", 0.0, 0.0, None)


class OpenConversation(QObject):
    """The open conversation: a stored one, a temporary one in memory, or one without a question yet."""

    # Conversation or None (a new one), list[Message] of the shown branch, of which `earlier_read` may add the beginning
    conversation_opened = Signal(object, object)
    earlier_read = Signal(object)  # list[Message] before those that are known of the shown branch
    about_to_leave = Signal()  # emitted before another conversation is opened, the last moment to store the draft
    temporary_left = Signal()  # from a temporary conversation with text; `reopen_temporary` returns to it
    answer_rated = Signal(object)  # Message
    answer_edited = Signal(object)  # Message
    answer_settings_changed = Signal()  # the preset, choices or scope of the open conversation
    problem_occurred = Signal(object)  # AppError

    def __init__(self, store: Store, conversations: Conversations, answer_settings: AnswerSettings) -> None:
        super().__init__()
        self._disk = self._store = store  # `_store` has the open conversation, in memory for a temporary one
        self._left: Store | None = None  # store of the temporary conversation that was left last
        self._conversations = conversations
        self._answer_settings = answer_settings
        self.conversation: Conversation | None = None
        self._referenced: list[CollectionRef] = []  # of `referenced_collections`
        self._referenced_at: tuple[Database, int, list[int]] | None = None  # the state of the database then
        self._earlier_id: int | None = None  # the last message of the shown branch that is not read yet
        self._turn = SHOWN_FIRST  # messages that the next turn reads
        self._read_timer = QTimer(self, singleShot=True, interval=0)
        self._read_timer.timeout.connect(lambda: self.read_earlier(self._turn))
        self._new = NEW_CONVERSATION  # the folder, preset, choices and scope of a conversation without a question
        conversations.changed.connect(self._on_conversations_changed)

    @property
    def is_temporary(self) -> bool:
        """Return whether the open conversation exists only in memory."""
        return self._store is not self._disk

    def messages(self) -> list[Message]:
        """Return all messages of the open conversation, in every branch."""
        return self._store.tree(self.conversation.id) if self.conversation else []

    def referenced_collections(self) -> list[CollectionRef]:
        """Return the collections that the answers searched or cite, faster than from `messages`."""
        ids, database = [self.conversation.id] if self.conversation else [], self._store.database
        state = (database, database.changes(), ids)
        if state != self._referenced_at:  # the header and the scope ask at each change, of thousands of messages
            found = conversation_privacy.referenced_collections(self._store, ids)
            self._referenced, self._referenced_at = [ref for _, ref in found], state
        return self._referenced

    def open_new(self, folder_id: int | None = None, *, is_temporary: bool = False) -> None:
        """Open an empty conversation. Its first question stores it, on the disk or, for a temporary one, in memory."""
        self._leave()
        self._store = Store.in_memory() if is_temporary else self._disk
        self._new = structs.replace(NEW_CONVERSATION, folder_id=folder_id)
        self._show_conversation(None)

    def open(self, conversation_id: int) -> None:
        """Open a conversation of the list. Do nothing if it is open already, in the bin or erased."""
        if not self.is_temporary and self.conversation is not None and self.conversation.id == conversation_id:
            return
        wanted = self._disk.conversation(conversation_id)
        if wanted is None or wanted.binned_at is not None:
            return  # the list in which the user clicked is not refreshed yet
        self._leave()
        self._store = self._disk
        self._show_conversation(conversation_id, SHOWN_FIRST)

    def read_earlier(self, most: int = -1) -> None:
        """Read the beginning of the shown branch, if it is not known yet, or the last `most` messages of it; the next
        turns of the event loop read the rest."""
        if self._earlier_id is None:
            return
        began, messages = time.perf_counter(), list[Message]()
        earlier_id, self._earlier_id = self._earlier_id, None
        if self._change(lambda: messages.extend(self._store.line(earlier_id, most))) and messages:
            self._await_earlier(messages)
            self.earlier_read.emit(messages)
            share = READ_S / max(time.perf_counter() - began, 1e-4)
            self._turn = max(READ_LEAST, min(READ_MOST, round(len(messages) * share)))

    def reopen_temporary(self) -> None:
        """Open the temporary conversation that the user left last."""
        left, self._left = self._left, None
        if left is not None:
            self._leave()
            self._store = left
            self._show_conversation(next((kept.id for kept in left.conversations()), None))

    def forget_temporary(self) -> None:
        """Close the temporary conversation that the user left last; it cannot be reopened."""
        if self._left is not None:
            self._left.close()
            self._left = None

    def close(self) -> None:
        """Close the temporary conversations, before the program ends."""
        self._await_earlier([])
        self.forget_temporary()
        if self.is_temporary:
            self._store.close()

    # ----------------------------------------------------------------- answering

    @property
    def preset(self) -> Preset:
        """Return the preset of this conversation."""
        return self._answer_settings.preset(self.conversation or self._new)

    @property
    def choices(self) -> Choices:
        """Return the choices in which this conversation differs from its preset."""
        return (self.conversation or self._new).choices

    def answer_by(self, preset_id: str | None, choices: Choices) -> bool:
        """Set preset (None: as in new conversations) and differing choices; return whether that succeeded."""
        return self._store_setting(
            lambda here: self._store.store_answer_settings(here, preset_id, choices),
            preset_id=preset_id,
            choices=choices,
        )

    @property
    def scope(self) -> tuple[CollectionRef, ...]:
        """Return the collections that this conversation searches; (): none."""
        return (self.conversation or self._new).scope

    def asked_names(self, *, has_temporary: bool = True) -> set[str]:
        """Return the names of the collections that any conversation asks: stored, in the bin, or not begun yet.

        `has_temporary`: also the temporary ones. Raises AppError as `Database` does.
        """
        stores = {self._disk, *((self._store, self._left) if has_temporary else ())}
        names = {ref.name for ref in self.scope} if has_temporary or not self.is_temporary else set[str]()
        return names.union(*(store.asked_names() for store in stores if store is not None))

    def ask_of(self, scope: Sequence[CollectionRef]) -> bool:
        """Set the collections that later questions search; return whether that succeeded."""
        return self._store_setting(lambda here: self._store.set_scope(here, scope), scope=tuple(scope))

    @property
    def label(self) -> Label:
        """Return the label that is stored for this conversation now."""
        stored = self._store.conversation(self.conversation.id) if self.conversation else None
        return stored.label if stored else DEFAULT_LABEL

    def give_label(self, label: Label) -> bool:
        """Set the label, never below that of the documents; return whether that succeeded."""
        is_done = self.conversation is not None and self._store_setting(
            lambda here: conversation_privacy.set_label(self._store, here, label)
        )
        if is_done:
            self._conversations.note_change()
        return is_done

    def rate(self, answer_id: int, rating: int, correction: str | None = None) -> bool:
        """Rate an answer as `answer_ratings.rate` does; return whether that succeeded."""
        is_done = self._change(lambda: answer_ratings.rate(self._store, answer_id, rating, correction))
        if is_done:
            self.answer_rated.emit(self._store.message(answer_id))
        return is_done

    def edit_answer(self, answer_id: int, text: str) -> tuple[Callable[[], bool], Callable[[], bool]] | None:
        """Replace the text of an answer and keep the original; the original text itself ends the edit.

        Return functions that take this change back and make it again, whichever conversation is open then, each False
        if that failed; or None when storing failed, with `problem_occurred`.
        """
        store, before = self._store, self._store.message(answer_id)
        text, details = text.strip(), before.details or AnswerDetails()
        is_original = text == before.written_text.strip()
        original, now = (None, 0.0) if is_original else (before.written_text, time.time())
        after = dataclasses.replace(
            before,
            text=before.written_text if is_original else text,
            details=dataclasses.replace(details, original=original, edited_at=now),
        )
        undo, redo = (functools.partial(self._put_answer, store, one) for one in (before, after))
        return (undo, redo) if redo() else None

    def draft(self) -> UnsentDraft:
        """Return the unsent draft of this conversation."""
        return ConversationOrganizer(self._store.database).draft(self.conversation.id if self.conversation else None)

    def keep_draft(self, draft: UnsentDraft) -> bool:
        """Store the unsent draft. Return False when storing it failed, with `problem_occurred`."""
        here = self.conversation
        return self._change(
            lambda: ConversationOrganizer(self._store.database).keep_draft(here.id if here else None, draft)
        )

    # ------------------------------------------------------------------- private

    def _store_setting(self, store: Callable[[int], object], **fields: Any) -> bool:
        """Store a setting by calling `store` with the conversation's id; return False if that failed.

        A conversation without a question is not stored yet: then keep the setting's `fields` in `_new` instead.
        """
        here = self.conversation
        if here is None:
            self._new = structs.replace(self._new, **fields)
        elif not self._change(lambda: store(here.id)):
            return False
        else:
            self.conversation = self._store.conversation(here.id)
        self.answer_settings_changed.emit()
        return True

    def _put_answer(self, store: Store, answer: Message) -> bool:
        """Store an answer as it is given; return False if that failed, or nothing has kept the answer."""
        if store not in (self._disk, self._store, self._left):
            return False
        try:
            is_done = self._change(lambda: store.put_edited(answer))
        except KeyError:
            return False
        if is_done and store is self._store:
            self.answer_edited.emit(store.message(answer.id))
        return is_done

    def _leave(self) -> None:
        """Keep the open temporary conversation in memory before another one opens; close an empty one."""
        self.about_to_leave.emit()
        if self.is_temporary and (self.conversation is not None or self.draft().text):
            self.forget_temporary()
            self._left = self._store
            self.temporary_left.emit()
        elif self.is_temporary:
            self._store.close()

    def _change(self, work: Callable[[], object]) -> bool:
        """Call `work`; return False if it raised AppError, which `problem_occurred` reports."""
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        return True

    def _show_conversation(self, conversation_id: int | None, most: int = -1) -> None:
        """Show a conversation, first its last `most` messages; None shows one without a question yet."""
        self.conversation = None
        messages: list[Message] = []
        if conversation_id is not None:
            self.conversation = self._store.conversation(conversation_id)
            messages = self._store.thread(conversation_id, most)
        self._await_earlier(messages)
        self.conversation_opened.emit(self.conversation, messages)

    def _await_earlier(self, messages: Sequence[Message]) -> None:
        """Let the next turns read what precedes these messages; nothing if they are none or begin the branch."""
        self._earlier_id = messages[0].parent_id if messages else None
        if self._earlier_id is None:
            self._read_timer.stop()
        else:
            self._read_timer.start()

    def _on_conversations_changed(self) -> None:
        """Read the open conversation again, because it may have been renamed or moved to the bin."""
        self._referenced_at = None  # another program may have written to it
        if self.conversation is None or self.is_temporary:
            return
        self.conversation = self._store.conversation(self.conversation.id)
        if self.conversation is None or self.conversation.binned_at is not None:
            self.open_new()
