"""Asking in the open conversation: questions stored before anything is computed, answers while they stream.

Loads the models ahead, while the first question is being typed.
"""

import dataclasses
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base import confidentiality
from app.base.addresses import origin_of
from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.chat import conversation_privacy
from app.chat.exchange.answer_record import AnswerRecord
from app.chat.presets import PROGRAM_DEFAULTS, Choices, Preset
from app.chat.records import AnswerDetails, Message
from app.chat.services import answer_run, answer_settings
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun
from app.chat.services.answer_settings import (
    UNTOUCHED,
    AnswerSettings,
    LearnedDetails,
    OverflowCounter,
    can_repeat,
    replan,
)
from app.chat.services.answer_writer import AnswerWriter
from app.chat.services.conversations import Conversations
from app.chat.services.open_conversation import OpenConversation
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.documents.library import collections_now
from app.documents.services.embedding import Embedding
from app.inference import load_plan
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.inference.services.events import AnswerStage
from app.models import model_registry
from app.models.services.model_library import ModelLibrary


class ChatSession(OpenConversation):
    """One conversation at a time, one answer at a time. Messages are app.chat.records.Message."""

    message_added = Signal(object)  # Message
    text_received = Signal(int, str)  # answer id, the next piece of its text
    answer_finished = Signal(object)  # Message
    answer_finished_elsewhere = Signal(object)  # Message, of a conversation that is not open any more
    stage_changed = Signal(object)  # Stage

    def __init__(
        self,
        store: Store,
        conversations: Conversations,
        presets: PresetLibrary,
        engine: EngineClient,
        library: ModelLibrary,
        preferences: Preferences,
        template_command: list[str],
        documents: Path,
        parent: QObject | None = None,
        embedding: Embedding | None = None,
        learned: LearnedDetails = model_registry.learned_fields,
    ) -> None:
        """`documents`: their database, which need not exist before something is asked of it. `learned`: from whoever
        knows more of a model's files than the list of models."""
        super().__init__(store, conversations, AnswerSettings(presets, library, preferences, learned), parent)
        self._engine = engine
        self._library = library
        self._preferences = preferences
        self._template_command = template_command
        self._documents = documents
        self._embedding = embedding
        self._writer: AnswerWriter | None = None  # of the answer that is being written
        self._agreed_origin = ""  # of the server, for the conversation that has no question yet
        self.overflow = OverflowCounter(engine, self)
        self.overflow.failed.connect(self.problem_occurred)
        self.about_to_leave.connect(self._on_leaving)
        conversations.changed.connect(self._on_list_changed)
        library.trained_added.connect(self._on_trained_added)
        engine.allow_network(preferences.value.network_allowed)
        preferences.changed.connect(lambda chosen: engine.allow_network(chosen.network_allowed))

    @property
    def is_busy(self) -> bool:
        """Whether an answer is being written, here or in another conversation: the next one has to wait."""
        return self._writer is not None

    @property
    def is_answering_elsewhere(self) -> bool:
        return self._writer is not None and not self._is_here(self._writer)

    @property
    def model(self) -> LocalModel | None:
        """The model that answers."""
        return self._answering.model

    @property
    def model_id(self) -> str | None:
        return self.model.id if self.model else None

    @property
    def needs_remote_consent(self) -> bool:
        """Whether the next question is for a model elsewhere, and the user has not agreed to that here."""
        model, here = self.model, self.conversation
        if model is None or model.remote is None or (here is None and self._agreed_origin == self._origin):
            return False
        return not conversation_privacy.has_remote_consent(self._store, here.id if here else None, model)

    def agree_to_remote(self) -> None:
        """This conversation, from now on to its end, may be sent to the server of the model that answers."""
        model, here = self.model, self.conversation
        if model is None or model.remote is None:
            return
        if here is None:
            self._agreed_origin = self._origin
        else:
            self._change(lambda: conversation_privacy.record_remote_consent(self._store, here.id, model))

    def use_model(self, model_id: str) -> None:
        """The next answer is by this model; it is loaded then."""
        self._preferences.change(model_id=model_id)

    def back_to_base(self) -> LocalModel | None:
        """The base of the tuned model that answers takes its place; that one, which stays in the list, is returned.

        With `use_model` and its id it answers again. None: no tuned model answers. Raises AppError("tuned_no_base").
        """
        model = self.model
        if model is None or model.tuned is None:
            return None
        self.use_model(self._library.base_of(model).id)
        return model

    def open_at(self, message_id: int) -> None:
        """Shows the conversation of a stored message, in a branch that has it."""
        conversation_id = self._disk.message(message_id).conversation_id
        self.open(conversation_id)
        if not self.is_busy and self._change(lambda: self._store.show_message(message_id)):
            self._show(conversation_id)

    def keep_temporary(self) -> None:
        """Stores the temporary conversation after all, and goes on in the stored one."""
        if not self.is_temporary or self.conversation is None or self.is_busy:
            return
        conversation, messages = self._store.conversation(self.conversation.id), self._store.tree(self.conversation.id)
        assert conversation is not None
        stored: list[int] = []
        if self._change(lambda: stored.append(self._disk.add_tree(conversation, messages))):
            self._store.close()
            self._store = self._disk
            self._show(stored[0])
            self._conversations.note_change()

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
        return self._ask(action.request, answer_id, action.choices, keeps_draft=True, is_action=True)

    def regenerate(self, answer_id: int, force_load: bool = False) -> None:
        """Answers the same question again: a new branch beside the old answer, or in its place if it had no text."""
        if self.is_busy or self.conversation is None:
            return
        *line, answer = self._store.line(answer_id)
        is_action = answer.details is not None and answer.details.is_action
        plan = self._answering.plan(self.conversation, line, Choices(), is_action=is_action)
        emptied = answer if not answer.text and not self._store.is_followed(answer_id) else None
        self._change(lambda: self._answer(answer.parent_id, plan, emptied=emptied, force_load=force_load))

    def reproduce(self, answer_id: int) -> None:
        """Answers again with the same model, settings and seed, beside the old answer; its details then say whether
        the text is the same. Nothing happens where those are not known."""
        answer = self._store.message(answer_id)
        details = answer.details
        if self.is_busy or not can_repeat(details):
            return
        model = self._library.model(details.model_id)
        if model is None or not answer_settings.is_same_model(model, details):
            self.problem_occurred.emit(AppError("model_gone", name=details.model_name))
            return
        self._change(lambda: self._answer(answer.parent_id, replan(answer), repeated=answer))

    def show_branch(self, message_id: int, step: int) -> None:
        """Shows another answer to the same question (or another question), and what followed it. `step`: -1 or 1."""
        is_free = self._writer is None or self.is_answering_elsewhere
        if is_free and self._change(lambda: self._store.show_branch(message_id, step)):
            self._show(self._store.message(message_id).conversation_id)

    def resolve_overflow(self, choice: str) -> None:
        """`choice`: drop (the oldest turns) | widen (the context) | new (conversation with the same question)."""
        found = None if self.is_busy else self.overflow.take()
        if found is None or self.conversation is None:
            return
        answer, overflow = found
        if choice == "new":
            question, here = self._store.line(answer.id)[-2], self.conversation
            label = conversation_privacy.effective_label(here, self.messages(), collections_now(self._documents))
            agreed = "" if self.needs_remote_consent else self._origin
            self.new(here.folder_id, is_temporary=self.is_temporary)
            self._agreed_origin = agreed  # it is the same question
            self._answering.of_new, self._answering.scope_of_new = (here.preset_id, here.choices), here.scope
            self._ask(question.text, None, keeps_draft=True, label=label)
            return
        if choice == "drop":
            self._answering.leave_out(self.conversation, self._store.line(answer.id)[:-1], overflow.droppable_turns)
        elif overflow.wider_context_tokens is not None:
            self._preferences.change(context_tokens=overflow.wider_context_tokens)
        self.regenerate(answer.id)

    def answered(self, answer_id: int) -> AnswerRecord:
        """An answer of the open conversation, to be exported."""
        question, answer = self._store.line(answer_id)[-2:]
        model_id = answer.details.model_id if answer.details else ""
        return AnswerRecord(question, answer, self.label, self._library.model(model_id))

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.run.stop()

    def close(self) -> None:
        """Keeps what was written so far; the engine is about to end."""
        if self._writer is not None:
            self._writer.abandon()
        super().close()

    # ------------------------------------------------------------------- private

    @property
    def _origin(self) -> str:
        """Of the server that answers; "": a model of this machine does."""
        model = self.model
        return origin_of(model.remote.address) if model is not None and model.remote is not None else ""

    def _on_trained_added(self, model: LocalModel) -> None:
        """What a run has trained answers from now on, everywhere."""
        self.use_model(model.id)

    def _on_leaving(self) -> None:
        """A stored answer goes on being written; a temporary one ends. Nothing asked of the user is open any more."""
        self._agreed_origin = ""
        if self.is_temporary:
            self._abandon()
        self.overflow.forget()
        self._engine.forget_usage()

    def _on_list_changed(self) -> None:
        """What is in the bin needs no answer."""
        if self._writer is not None and self._writer.store is self._disk:
            here = self._disk.conversation(self._writer.answer.conversation_id)
            if here is None or here.binned_at is not None:
                self._abandon()

    def _abandon(self) -> None:
        self.stop()
        if self._writer is not None:
            self._writer.abandon()

    def _is_here(self, writer: AnswerWriter) -> bool:
        here = self.conversation
        return here is not None and writer.store is self._store and writer.answer.conversation_id == here.id

    def _show(self, conversation_id: int | None) -> None:
        """With all of an answer that is being written there."""
        writer = self._writer
        if writer is not None and writer.answer.conversation_id == conversation_id and writer.store is self._store:
            writer.save()
        super()._show(conversation_id)
        if writer is not None and self._is_here(writer):
            self.stage_changed.emit(writer.run.stage)

    def _ask(
        self,
        text: str,
        parent_id: int | None,
        own: Choices | None = None,
        *,
        keeps_draft: bool = False,
        is_action: bool = False,
        label: Label = confidentiality.DEFAULT_LABEL,
    ) -> bool:
        """`own`: choices of this one answer. `is_action`: about the answer above. `label`: of the conversation that
        the question was taken from."""
        if self.is_busy:
            return False
        here = self.conversation
        leaf_id = self._store.leaf_id(here.id) if here else None
        try:
            if not text.strip():
                raise AppError("empty_question")
            with self._store.database.transaction():
                question = self._store.add_question(
                    text, here.id if here else None, parent_id, folder_id=self.folder_id, keeps_draft=keeps_draft
                )
                if here is None and self._answering.of_new != UNTOUCHED:
                    self._store.set_answering(question.conversation_id, *self._answering.of_new)
                if here is None and self._answering.scope_of_new:
                    self._store.set_scope(question.conversation_id, self._answering.scope_of_new)
                if here is None and label == confidentiality.HIGHEST_LABEL:
                    conversation_privacy.set_label(self._store, question.conversation_id, label)
                if here is None and self.model is not None and self._agreed_origin == self._origin != "":
                    conversation_privacy.record_remote_consent(self._store, question.conversation_id, self.model)
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        is_apart = here is None and keeps_draft  # what is typed is for the next new conversation, not for this one
        if is_apart:
            self.about_to_leave.emit()
        self.conversation = self._store.conversation(question.conversation_id)
        assert self.conversation is not None
        if leaf_id == parent_id and not is_apart:
            self.message_added.emit(question)
        else:
            self._show(question.conversation_id)  # a new branch: what followed the old one is out of sight
        line = self._store.line(question.id)
        plan = self._answering.plan(self.conversation, line, own or Choices(), is_action=is_action)
        self._conversations.note_change()
        if self.conversation is not None:  # else it has gone to the bin meanwhile
            self._change(lambda: self._answer(question.id, plan))
        return True

    def _answer(
        self,
        question_id: int | None,
        plan: AnswerDetails,
        *,
        emptied: Message | None = None,
        repeated: Message | None = None,
        force_load: bool = False,
    ) -> None:
        """`emptied`: the answer without text that is taken up again."""
        assert self.conversation is not None
        assert question_id is not None
        self.overflow.forget()
        model, label = self._library.model(plan.model_id), self.label
        if model is not None and model.remote is not None:  # with what the collections are labelled by now
            there = collections_now(self._documents)
            now = conversation_privacy.collection_labels(there, (), self.messages())
            label = confidentiality.highest_label((label, *now))
        is_next = self._store.leaf_id(self.conversation.id) == question_id
        if emptied is not None:
            answer = self._store.restart_answer(emptied.id, plan)
        else:
            answer = self._store.add_answer(question_id, plan)
            self.message_added.emit(answer)
        if not is_next:
            self._show(answer.conversation_id)
        if model is None:
            failed = dataclasses.replace(plan, error_code="no_model")
            self.answer_finished.emit(self._store.finish_answer(answer.id, "", "failed", failed))
            self.problem_occurred.emit(AppError("no_model"))
            return
        settings = dataclasses.replace(self._preferences.value, context_tokens=plan.context_tokens)
        turns = answer_settings.prompt_turns(self._store.thread(answer.conversation_id), answer.id, plan.left_out_turns)
        choices = Choices(seed=plan.seed).over(plan.choices or PROGRAM_DEFAULTS)
        wanted = answer_settings.retrieval_request(self._documents, plan, turns, self._store.line(question_id))
        request = AnswerRequest(
            model, turns, settings, choices, force_load=force_load, wanted=wanted, label=label,
            is_agreed=conversation_privacy.has_remote_consent(self._store, answer.conversation_id, model),
        )  # fmt: skip
        run = AnswerRun(self._engine, self._template_command, request, self, self._embedding)
        writer = self._writer = AnswerWriter(self._store, answer, run, repeated, self)
        run.stage_changed.connect(self.stage_changed)
        writer.text_received.connect(self._on_text_received)
        writer.problem_occurred.connect(self.problem_occurred)
        writer.ended.connect(self._on_ended)
        writer.start()

    def _on_text_received(self, answer_id: int, piece: str) -> None:
        if not self.is_answering_elsewhere:
            self.text_received.emit(answer_id, piece)

    def _on_ended(self, answer: Message, outcome: AnswerOutcome | None, error: AppError | None) -> None:
        writer, self._writer = self._writer, None
        assert writer is not None
        request = writer.run.request
        writer.run.deleteLater()
        self.stage_changed.emit(AnswerStage())
        is_here = self._is_here(writer)
        if is_here:
            self.answer_finished.emit(answer)
        else:
            self._engine.forget_usage()
            self.answer_finished_elsewhere.emit(answer)
        facts = self._engine.facts
        if outcome is not None and facts is not None:
            self._library.note_speed(request.model, facts.repack, outcome.done)
        elif error is not None and error.code == "context_full" and is_here:
            self.overflow.count(answer, request, error)
        elif error is not None and is_here:
            self.problem_occurred.emit(error)


class ModelPreloader(QObject):
    def __init__(
        self,
        session: ChatSession,
        engine: EngineClient,
        preferences: Preferences,
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._engine = engine
        self._preferences = preferences
        self._prepared_id = ""
        self.is_on = True
        self._embedding = embedding

    def begin(self) -> None:
        """Called at every key. What goes wrong is said when the question is asked. No server elsewhere hears of it."""
        session, engine = self._session, self._engine
        if not self.is_on:
            return
        if self._embedding is not None and session.scope:
            self._embedding.prepare()
        model = session.model
        is_needed = engine.facts is None and engine.loading is None and not session.is_busy and not engine.refusal
        if model is None or model.remote is not None or not is_needed or self._prepared_id == model.id:
            return
        self._prepared_id = model.id
        settings = self._preferences.value

        def send(plan: load_plan.LoadPlan) -> None:
            if not session.is_busy and engine.facts is None and not engine.refusal:
                answer_run.send_load(engine, model.name, plan)

        background.run(lambda: load_plan.plan_load(model, settings), send, lambda _error: None)
