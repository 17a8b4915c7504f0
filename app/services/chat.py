"""The open conversation: questions stored before anything is computed, answers stored while they stream."""

import dataclasses
from collections.abc import Callable

from PySide6.QtCore import QObject, Signal

from app.core import prompt
from app.core.errors import AppError
from app.core.presets import PROGRAM, Choices, Preset
from app.core.records import AnswerDetails, Conversation, Draft, LocalModel, Message
from app.core.shelf import Shelf
from app.core.store import Store
from app.services import answer_run
from app.services.answer_run import AnswerRequest, AnswerRun, Outcome
from app.services.answer_writer import AnswerWriter
from app.services.conversations import Conversations
from app.services.engine import EngineClient
from app.services.events import Overflow, Stage
from app.services.library import ModelLibrary
from app.services.overflow import OverflowCounter
from app.services.preferences import Preferences
from app.services.presets import Presets
from app.services.temporary import TemporaryStores


class ChatSession(QObject):
    """One conversation at a time, one answer at a time. Messages are app.core.records.Message."""

    conversation_opened = Signal(object, object)  # Conversation | None (a new one), list[Message]
    message_added = Signal(object)  # Message
    text_received = Signal(int, str)  # answer id, the next piece of its text
    answer_finished = Signal(object)  # Message
    stage_changed = Signal(object)  # Stage
    overflowed = Signal(object)  # Overflow
    problem_occurred = Signal(object)  # AppError
    answering_changed = Signal()  # preset or choices of the open conversation
    about_to_leave = Signal()  # the open conversation, for another one: the last moment to keep its draft
    temporary_left = Signal()  # a temporary conversation with messages; `reopen_temporary` brings it back

    def __init__(
        self,
        store: Store,
        conversations: Conversations,
        presets: Presets,
        engine: EngineClient,
        library: ModelLibrary,
        preferences: Preferences,
        template_command: list[str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._disk = self._store = store  # where the open conversation is kept
        self._temporary = TemporaryStores()
        self._conversations = conversations
        self._presets = presets
        self._engine = engine
        self._library = library
        self._preferences = preferences
        self._template_command = template_command
        self.conversation: Conversation | None = None
        self.folder_id: int | None = None  # where a new conversation will be
        self._new_answering: tuple[str | None, Choices] = (None, Choices())  # of a conversation without a question yet
        self._writer: AnswerWriter | None = None  # of the answer that is being written
        # (is temporary, conversation id, context size) -> how many of the oldest turns the user chose to leave out
        self._left_out: dict[tuple[bool, int, int], int] = {}
        self._overflow: tuple[Message, Overflow] | None = None  # the answer that did not fit
        self._counter = OverflowCounter(engine, self)
        self._counter.counted.connect(self._on_counted)
        self._counter.failed.connect(self.problem_occurred)
        conversations.changed.connect(self._on_conversations_changed)

    # ------------------------------------------------------------- conversations

    @property
    def is_busy(self) -> bool:
        return self._writer is not None

    @property
    def is_temporary(self) -> bool:
        """Whether the open conversation lives in memory only."""
        return self._store is not self._disk

    def messages(self) -> list[Message]:
        """All of the open conversation, in every branch."""
        return self._store.tree(self.conversation.id) if self.conversation else []

    @property
    def model(self) -> LocalModel | None:
        """The model that answers: the chosen one, else the first there is."""
        models = self._library.models()
        first = next(iter(models), None)
        return next((model for model in models if model.id == self._preferences.value.model_id), first)

    @property
    def model_id(self) -> str | None:
        return self.model.id if self.model else None

    def use_model(self, model_id: str) -> None:
        """The next answer is by this model; it is loaded then."""
        self._preferences.change(model_id=model_id)

    def new(self, folder_id: int | None = None, *, is_temporary: bool = False) -> None:
        """An empty conversation; it is stored with its first question. A temporary one never is."""
        self._leave()
        self._store = self._temporary.add() if is_temporary else self._disk
        self.conversation, self.folder_id, self._new_answering = None, folder_id, (None, Choices())
        self.conversation_opened.emit(None, [])

    def open(self, conversation_id: int) -> None:
        """Shows a conversation. An answer that is being written in another one is stopped and kept."""
        if not self.is_temporary and self.conversation is not None and self.conversation.id == conversation_id:
            return
        self._leave()
        self._store = self._disk
        self._show(conversation_id)

    def open_at(self, message_id: int) -> None:
        """Shows the conversation of a stored message, in a branch that has it."""
        conversation_id = self._disk.message(message_id).conversation_id
        self.open(conversation_id)
        if not self.is_busy and self._change(lambda: self._store.show_message(message_id)):
            self._show(conversation_id)

    def reopen_temporary(self) -> None:
        """Back to the temporary conversation that was left last."""
        left = self._temporary.take_back()
        if left is not None:
            self._leave()
            self._store = left
            self._show(left.conversations()[0].id)

    def keep_temporary(self) -> None:
        """Stores the temporary conversation after all, and goes on in the stored one."""
        if not self.is_temporary or self.conversation is None or self.is_busy:
            return
        conversation, messages = self._store.conversation(self.conversation.id), self._store.tree(self.conversation.id)
        assert conversation is not None
        stored: list[int] = []
        if self._change(lambda: stored.append(self._disk.add_tree(conversation, messages))):
            self._temporary.drop(self._store)
            self._store = self._disk
            self._show(stored[0])
            self._conversations.note_change()

    # ----------------------------------------------------------------- answering

    @property
    def preset(self) -> Preset:
        """The preset in force here."""
        chosen = self.conversation.preset_id if self.conversation else self._new_answering[0]
        return self._presets.chat_preset(chosen or self._preferences.value.preset_id)

    @property
    def choices(self) -> Choices:
        """What this conversation has otherwise than its preset."""
        return self.conversation.choices if self.conversation else self._new_answering[1]

    def answer_by(self, preset_id: str | None, choices: Choices) -> None:
        """Preset and deviations of this conversation, from the next answer on. None: the preset of new ones."""
        here = self.conversation
        if here is None:
            self._new_answering = (preset_id, choices)
        elif self._change(lambda: self._store.set_answering(here.id, preset_id, choices)):
            self.conversation = self._store.conversation(here.id)
        self.answering_changed.emit()

    def draft(self) -> Draft:
        """What was typed here and not sent."""
        return Shelf(self._store.database).draft(self.conversation.id if self.conversation else None)

    def keep_draft(self, draft: Draft) -> None:
        here = self.conversation
        self._change(lambda: Shelf(self._store.database).keep_draft(here.id if here else None, draft))

    # ------------------------------------------------------------------- answers

    def ask(self, text: str) -> bool:
        """Stores the question, then has it answered.

        False: it was not taken, because an answer is being written, or as `problem_occurred` says (empty, full disk).
        """
        return self._ask(text, self._store.leaf_id(self.conversation.id) if self.conversation else None)

    def edit(self, question_id: int, text: str) -> bool:
        """Asks a question in other words: a new branch beside the old one."""
        return self._ask(text, self._store.message(question_id).parent_id)

    def act(self, answer_id: int, action: Preset) -> bool:
        """Asks for something about an answer, below it."""
        return self._ask(action.request, answer_id, action.choices, keeps_draft=True)

    def regenerate(self, answer_id: int, force_load: bool = False) -> None:
        """Answers the same question again: a new branch beside the old answer, or in its place if it had no text."""
        if self.is_busy:
            return
        answer = self._store.message(answer_id)
        question_id = answer.parent_id
        assert question_id is not None
        emptied = answer if not answer.text else None
        if self._change(lambda: self._answer(question_id, emptied=emptied, force_load=force_load)):
            self._show(answer.conversation_id)

    def reproduce(self, answer_id: int) -> None:
        """Answers again with the same model, settings and seed, beside the old answer; its details then say whether
        the text is the same."""
        answer = self._store.message(answer_id)
        details = answer.details
        if self.is_busy or details is None or details.choices is None or answer.parent_id is None:
            return
        if self._library.model(details.model_id) is None:
            self.problem_occurred.emit(AppError("model_gone", name=details.model_name))
            return
        question_id = answer.parent_id
        if self._change(lambda: self._answer(question_id, repeated=answer)):
            self._show(answer.conversation_id)

    def show_branch(self, message_id: int, step: int) -> None:
        """Shows another answer to the same question (or another question), and what followed it. `step`: -1 or 1."""
        if not self.is_busy and self._change(lambda: self._store.show_branch(message_id, step)):
            self._show(self._store.message(message_id).conversation_id)

    def resolve_overflow(self, choice: str) -> None:
        """`choice`: drop (the oldest turns) | widen (the context) | new (conversation with the same question)."""
        if self._overflow is None or self.is_busy:
            return
        (answer, overflow), self._overflow = self._overflow, None
        if choice == "new":
            assert answer.parent_id is not None
            question = self._store.message(answer.parent_id)
            self.new(is_temporary=self.is_temporary)
            self.ask(question.text)
            return
        if choice == "drop":
            here = self._left_out_key(answer.conversation_id)
            self._left_out[here] = self._left_out.get(here, 0) + overflow.droppable_turns
        elif overflow.wider_context_tokens is not None:
            self._preferences.change(context_tokens=overflow.wider_context_tokens)
        self.regenerate(answer.id)

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.run.stop()

    def close(self) -> None:
        """Keeps what was written so far; the engine is about to end."""
        if self._writer is not None:
            self._writer.abandon()
        self._temporary.close()

    # ------------------------------------------------------------------- private

    def _leave(self) -> None:
        """An answer that is being written ends now, as far as it is; nothing asked of the user is open any more."""
        self.about_to_leave.emit()
        self.stop()
        if self._writer is not None:
            self._writer.abandon()
        self._overflow = None
        self._counter.forget()
        self._engine.forget_usage()
        if self.is_temporary and self.conversation is not None:
            self._temporary.leave(self._store)
            self.temporary_left.emit()
        elif self.is_temporary:
            self._temporary.drop(self._store)

    def _change(self, work: Callable[[], object]) -> bool:
        """Does what may meet a full disk; then says so and returns False."""
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        return True

    def _left_out_key(self, conversation_id: int) -> tuple[bool, int, int]:
        """With a wider context nothing need be left out."""
        return self.is_temporary, conversation_id, self._preferences.value.context_tokens

    def _show(self, conversation_id: int) -> None:
        self.conversation = self._store.conversation(conversation_id)
        self.conversation_opened.emit(self.conversation, self._store.thread(conversation_id))

    def _on_conversations_changed(self) -> None:
        """The open one may have a new name, or be in the bin."""
        if self.conversation is None or self.is_temporary:
            return
        self.conversation = self._store.conversation(self.conversation.id)
        if self.conversation is None or self.conversation.binned_at is not None:
            self.new()

    def _ask(
        self, text: str, parent_id: int | None, choices: Choices | None = None, *, keeps_draft: bool = False
    ) -> bool:
        if self.is_busy:
            return False
        here = self.conversation
        leaf_id = self._store.leaf_id(here.id) if here else None
        try:
            if not text.strip():
                raise AppError("empty_question")
            question = self._store.add_question(
                text, here.id if here else None, parent_id, folder_id=self.folder_id, keeps_draft=keeps_draft
            )
            if here is None and self._new_answering != (None, Choices()):
                self._store.set_answering(question.conversation_id, *self._new_answering)
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        self.conversation = self._store.conversation(question.conversation_id)
        if leaf_id == parent_id:
            self.message_added.emit(question)
        else:
            self._show(question.conversation_id)  # a new branch: what followed the old one is out of sight
        self._conversations.note_change()
        self._change(lambda: self._answer(question.id, choices=choices))
        return True

    def _answer(
        self,
        question_id: int,
        *,
        choices: Choices | None = None,
        emptied: Message | None = None,
        repeated: Message | None = None,
        force_load: bool = False,
    ) -> None:
        """`choices` go over those of the conversation. `emptied`: the answer without text that is taken up again."""
        self._overflow = None
        self._counter.forget()
        model = self._library.model(repeated.details.model_id) if repeated and repeated.details else self.model
        details = self._planned(model, choices or Choices(), question_id, repeated)
        if emptied is not None:
            answer = self._store.restart_answer(emptied.id, details)
        else:
            answer = self._store.add_answer(question_id, details)
            self.message_added.emit(answer)
        if model is None:
            failed = dataclasses.replace(details, error_code="no_model")
            self.answer_finished.emit(self._store.finish_answer(answer.id, "", "failed", failed))
            self.problem_occurred.emit(AppError("no_model"))
            return
        settings = dataclasses.replace(self._preferences.value, context_tokens=details.context_tokens)
        turns = prompt.turns(self._store.thread(answer.conversation_id), answer.id, details.left_out_turns)
        request = AnswerRequest(model, turns, settings, details.choices or PROGRAM, force_load=force_load)
        run = AnswerRun(self._engine, self._template_command, request, self)
        writer = self._writer = AnswerWriter(self._store, answer, run, repeated, self)
        run.stage_changed.connect(self.stage_changed)
        writer.text_received.connect(self.text_received)
        writer.problem_occurred.connect(self.problem_occurred)
        writer.ended.connect(self._on_ended)
        writer.start()

    def _planned(
        self, model: LocalModel | None, choices: Choices, question_id: int, repeated: Message | None
    ) -> AnswerDetails:
        """What an answer is going to be made with: stored with it, so that it can be repeated."""
        if repeated is not None and repeated.details is not None and repeated.details.choices is not None:
            before = repeated.details
            same = Choices(seed=before.seed).over(before.choices or Choices())
            return AnswerDetails(
                before.model_id,
                before.model_name,
                choices=same,
                context_tokens=before.context_tokens,
                left_out_turns=before.left_out_turns,
                reproduces_id=repeated.id,
            )
        context = self._preferences.value.context_tokens
        if model is None:
            return AnswerDetails(context_tokens=context)
        left_out = self._left_out.get(self._left_out_key(self._store.message(question_id).conversation_id), 0)
        return AnswerDetails(
            model.id,
            model.name,
            choices=answer_run.in_force(model, choices, self.choices, self.preset.choices),
            context_tokens=context,
            left_out_turns=left_out,
        )

    def _on_ended(self, answer: Message, outcome: Outcome | None, error: AppError | None) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        request = writer.run.request
        writer.run.deleteLater()
        self.stage_changed.emit(Stage())
        self.answer_finished.emit(answer)
        facts = self._engine.facts
        if outcome is not None and facts is not None:
            self._library.note_speed(request.model, facts.repack, outcome.done)
        elif error is not None and error.code == "context_full":
            self._counter.count(answer, request, error)
        elif error is not None:
            self.problem_occurred.emit(error)

    def _on_counted(self, answer: Message, overflow: Overflow) -> None:
        self._overflow = (answer, overflow)
        self.overflowed.emit(overflow)
