"""Which conversation is open, where it is kept, what was typed in it, and with what it is answered.

Where a temporary conversation waits after it was left: in memory, as long as somebody may want it back.
"""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Signal

from app.base import confidentiality
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.chat import answer_ratings, conversation_privacy
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import Choices, Preset
from app.chat.records import Conversation, Message, UnsentDraft
from app.chat.services.answer_settings import UNTOUCHED, AnswerSettings
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.documents.grounding.grounding_record import CollectionRef


class TemporaryStore:
    """Each temporary conversation has a store of its own. The last that was left is here; earlier ones are closed."""

    def __init__(self) -> None:
        self._store: Store | None = None

    def put(self, store: Store) -> None:
        self.close()
        self._store = store

    def take(self) -> Store | None:
        store, self._store = self._store, None
        return store

    def close(self) -> None:
        if (store := self.take()) is not None:
            store.close()


class OpenConversation(QObject):
    """One at a time: a stored one, a temporary one in memory, or one without a question yet."""

    conversation_opened = Signal(object, object)  # Conversation | None (a new one), list[Message]
    about_to_leave = Signal()  # the open conversation, for another one: the last moment to keep its draft
    temporary_left = Signal()  # a temporary conversation that is not empty; `reopen_temporary` brings it back
    answer_rated = Signal(object)  # Message
    answering_changed = Signal()  # preset, choices or scope of the open conversation
    problem_occurred = Signal(object)  # AppError

    def __init__(
        self, store: Store, conversations: Conversations, answering: AnswerSettings, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._disk = self._store = store  # where the open conversation is kept
        self._left = TemporaryStore()
        self._conversations = conversations
        self._answering = answering
        self.conversation: Conversation | None = None
        self.folder_id: int | None = None  # where a new conversation will be
        conversations.changed.connect(self._on_conversations_changed)

    @property
    def is_temporary(self) -> bool:
        """Whether the open conversation lives in memory only."""
        return self._store is not self._disk

    def messages(self) -> list[Message]:
        """All of the open conversation, in every branch."""
        return self._store.tree(self.conversation.id) if self.conversation else []

    def asked(self) -> list[CollectionRef]:
        """What its answers in every branch were asked of or rest on, each once; quicker than `messages`."""
        found = (
            conversation_privacy.referenced_collections(self._store, [self.conversation.id])
            if self.conversation
            else []
        )
        return [ref for _, ref in found]

    def new(self, folder_id: int | None = None, *, is_temporary: bool = False) -> None:
        """An empty conversation; it is stored with its first question. A temporary one never is."""
        self._leave()
        self._store = Store.in_memory() if is_temporary else self._disk
        self.folder_id, self._answering.of_new, self._answering.scope_of_new = folder_id, UNTOUCHED, ()
        self._show(None)

    def open(self, conversation_id: int) -> None:
        """Shows a conversation."""
        if not self.is_temporary and self.conversation is not None and self.conversation.id == conversation_id:
            return
        wanted = self._disk.conversation(conversation_id)
        if wanted is None or wanted.binned_at is not None:
            return  # a list that is about to be filled anew
        self._leave()
        self._store = self._disk
        self._show(conversation_id)

    def reopen_temporary(self) -> None:
        """Back to the temporary conversation that was left last."""
        left = self._left.take()
        if left is not None:
            self._leave()
            self._store = left
            self._show(next((kept.id for kept in left.conversations()), None))

    def forget_temporary(self) -> None:
        """The temporary conversation that was left last has no way back any more."""
        self._left.close()

    def close(self) -> None:
        """Forgets temporary conversations; the program is about to end."""
        self._left.close()
        if self.is_temporary:
            self._store.close()

    # ----------------------------------------------------------------- answering

    @property
    def preset(self) -> Preset:
        """The preset in force here."""
        return self._answering.preset(self.conversation)

    @property
    def choices(self) -> Choices:
        """What this conversation has otherwise than its preset."""
        return self._answering.choices(self.conversation)

    def answer_by(self, preset_id: str | None, choices: Choices) -> bool:
        """Preset and deviations of this conversation, from the next answer on. None: the preset of new ones.

        False: it could not be stored, as `problem_occurred` says.
        """
        here = self.conversation
        if here is None:
            self._answering.of_new = (preset_id, choices)
        elif not self._change(lambda: self._store.set_answering(here.id, preset_id, choices)):
            return False
        else:
            self.conversation = self._store.conversation(here.id)
        self.answering_changed.emit()
        return True

    @property
    def scope(self) -> tuple[CollectionRef, ...]:
        """The collections that this conversation asks; (): none."""
        return self._answering.scope(self.conversation)

    def ask_of(self, scope: Sequence[CollectionRef]) -> bool:
        """From the next answer on. False: it could not be stored, as `problem_occurred` says."""
        here = self.conversation
        if here is None:
            self._answering.scope_of_new = tuple(scope)
        elif not self._change(lambda: self._store.set_scope(here.id, scope)):
            return False
        else:
            self.conversation = self._store.conversation(here.id)
        self.answering_changed.emit()
        return True

    @property
    def label(self) -> Label:
        """As its documents and the user have made it by now."""
        stored = self._store.conversation(self.conversation.id) if self.conversation else None
        return stored.label if stored else confidentiality.DEFAULT_LABEL

    def give_label(self, label: Label) -> bool:
        """Never below its documents. False: it could not be stored, as `problem_occurred` says."""
        here = self.conversation
        if here is None or not self._change(lambda: conversation_privacy.set_label(self._store, here.id, label)):
            return False
        self.conversation = self._store.conversation(here.id)
        self._conversations.note_change()
        self.answering_changed.emit()
        return True

    def rate(self, answer_id: int, rating: int, correction: str | None = None) -> bool:
        """As `answer_ratings.rate`. False: it could not be stored, as `problem_occurred` says."""
        is_done = self._change(lambda: answer_ratings.rate(self._store, answer_id, rating, correction))
        if is_done:
            self.answer_rated.emit(self._store.message(answer_id))
        return is_done

    def draft(self) -> UnsentDraft:
        """What was typed here and not sent."""
        return ConversationOrganizer(self._store.database).draft(self.conversation.id if self.conversation else None)

    def keep_draft(self, draft: UnsentDraft) -> bool:
        """False: it could not be stored, as `problem_occurred` says."""
        here = self.conversation
        return self._change(
            lambda: ConversationOrganizer(self._store.database).keep_draft(here.id if here else None, draft)
        )

    # ------------------------------------------------------------------- private

    def _leave(self) -> None:
        """A temporary conversation in which nothing was written or typed is forgotten."""
        self.about_to_leave.emit()
        if self.is_temporary and (self.conversation is not None or self.draft().text):
            self._left.put(self._store)
            self.temporary_left.emit()
        elif self.is_temporary:
            self._store.close()

    def _change(self, work: Callable[[], object]) -> bool:
        """Does what may meet a full disk; then says so and returns False."""
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        return True

    def _show(self, conversation_id: int | None) -> None:
        """None: one without a question yet."""
        self.conversation = None
        messages: list[Message] = []
        if conversation_id is not None:
            self.conversation = self._store.conversation(conversation_id)
            messages = self._store.thread(conversation_id)
        self.conversation_opened.emit(self.conversation, messages)

    def _on_conversations_changed(self) -> None:
        """The open one may have a new name, or be in the bin."""
        if self.conversation is None or self.is_temporary:
            return
        self.conversation = self._store.conversation(self.conversation.id)
        if self.conversation is None or self.conversation.binned_at is not None:
            self.new()
