"""Ask questions in the open conversation. A question is stored before its answer is computed, and an answer while it
streams.

`ModelPreloader` loads the models while the user types the first question.

The file is long, because asking, editing, repeating and leaving a conversation share one state: the answer being
written.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from msgspec import structs
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.addresses import origin_of
from app.base.confidentiality import DEFAULT_LABEL, HIGHEST_LABEL, Label, highest_label
from app.base.errors import AppError
from app.base.services import background
from app.base.services.preferences import Preferences
from app.chat import conversation_privacy
from app.chat.answer_check import AnswerRecord
from app.chat.presets import PROGRAM_DEFAULTS, Choices, Preset
from app.chat.records import AnswerDetails, Message
from app.chat.services import answer_run, answer_settings
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun
from app.chat.services.answer_settings import AnswerSettings, LearnedDetails, OverflowCounter, can_repeat, replan
from app.chat.services.answer_writer import AnswerWriter
from app.chat.services.conversations import Conversations
from app.chat.services.open_conversation import OpenConversation
from app.chat.services.preset_library import PresetLibrary
from app.chat.store import Store
from app.documents.library import collections_now
from app.documents.services.embedding import Embedding
from app.inference import load_plan
from app.inference.engine.messages import THOUGHT_TOKENS
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.inference.services.events import AnswerStage
from app.models import local_models, model_registry
from app.models.services.model_library import ModelLibrary


class ChatSession(OpenConversation):
    """The open conversation, and how it is asked. One answer at a time, because one model is loaded."""

    message_added = Signal(object)  # Message
    text_received = Signal(int, str)  # answer id, next piece of the answer's text
    answer_finished = Signal(object)  # Message
    answer_finished_elsewhere = Signal(object)  # Message, of a conversation that is no longer open
    stage_changed = Signal(object)  # AnswerStage

    def __init__(
        self,
        store: Store,
        conversations: Conversations,
        presets: PresetLibrary,
        engine: EngineClient,
        library: ModelLibrary,
        preferences: Preferences,
        documents: Path,
        embedding: Embedding | None = None,
        learned: LearnedDetails = model_registry.training_data_fields,
    ) -> None:
        """Prepare to answer. `documents` is the path of the documents' database, which need not exist before a question
        searches it. `learned` returns the fields that record a model's training data; a caller may pass a function that
        knows more of them than the list of models."""
        super().__init__(store, conversations, AnswerSettings(presets, library, preferences, learned))
        self._engine = engine
        self._library = library
        self._preferences = preferences
        self._documents = documents
        self._embedding = embedding
        self._writer: AnswerWriter | None = None  # writes the current answer; None: no answer is being written
        self._agreed_origin = ""  # the server to which the user agreed in a conversation without a question; "": none
        self._templates: dict[object, str] = {}  # by file: what its own template says of thoughts
        self.overflow = OverflowCounter(engine, self)
        self.overflow.failed.connect(self.problem_occurred)
        self.about_to_leave.connect(self._on_leaving)
        conversations.changed.connect(self._on_list_changed)
        library.trained_added.connect(lambda model: self.use_model(model.id))
        engine.allow_network(preferences.value.network_allowed)
        preferences.changed.connect(lambda chosen: engine.allow_network(chosen.network_allowed))

    @property
    def is_busy(self) -> bool:
        """Return whether an answer is being written, in any conversation; the next question must wait."""
        return self._writer is not None

    @property
    def is_answering_elsewhere(self) -> bool:
        return self._writer is not None and not self._is_here(self._writer)

    @property
    def model(self) -> LocalModel | None:
        """Return the model that will answer the next question; None if no model is installed."""
        return self._answer_settings.model

    @property
    def model_id(self) -> str | None:
        return self.model.id if self.model else None

    @property
    def needs_remote_consent(self) -> bool:
        """Return whether the next question goes to a remote model without the user's consent for this conversation."""
        model, here = self.model, self.conversation
        if model is None or model.remote is None or (here is None and self._agreed_origin == self._origin):
            return False
        return not conversation_privacy.has_remote_consent(self._store, here.id if here else None, model)

    def agree_to_remote(self) -> None:
        """Record that this conversation may be sent to the server of the current model from now on."""
        model, here = self.model, self.conversation
        if model is None or model.remote is None:
            return
        if here is None:
            self._agreed_origin = self._origin
        else:
            self._change(lambda: conversation_privacy.record_remote_consent(self._store, here.id, model))

    def thinks(self, messages: Iterable[Message]) -> bool | None:
        """Return whether the model will think before the next answer; None: it cannot.

        Of a model of a server that is known only from the thoughts of its answers among `messages`.
        """
        model, here = self.model, self.conversation or self._new
        if model is None:
            return None
        budget = answer_run.choices_in_force(model, here.choices, self.preset.choices).thought_tokens
        if self._thinking_of(model):
            return local_models.thinks(model, budget)
        answers = (one.details for one in messages if model.remote is not None and one.details is not None)
        return budget != 0 if any(one.thoughts and one.model_id == model.id for one in answers) else None

    def _thinking_of(self, model: LocalModel) -> str:
        """Return `local_models.thinking_of`; "" until the head of a file with its own template has been read."""
        if local_models.form_of(model) is not None:
            return local_models.thinking_of(model)
        key = (model.path, model.files)
        if key not in self._templates:
            self._templates[key] = ""

            def note(found: str) -> None:
                self._templates[key] = found
                if found:
                    self.answer_settings_changed.emit()

            background.run(lambda: local_models.thinking_of(model), note, lambda _error: None)
        return self._templates[key]

    def think(self, is_wanted: bool) -> bool:
        """Let the model think before the answers of this conversation, or not; return False when storing failed."""
        here = self.conversation or self._new
        budget = (self.preset.choices.thought_tokens or THOUGHT_TOKENS) if is_wanted else 0
        return self.answer_by(here.preset_id, dataclasses.replace(here.choices, thought_tokens=budget))

    def use_model(self, model_id: str) -> None:
        """Use this model for all later answers; the next answer loads it."""
        self._preferences.change(model_id=model_id)

    def back_to_base(self) -> LocalModel | None:
        """Select the base of the tuned model, and return that or None. Raises AppError("tuned_no_base")."""
        model = self.model
        if model is None or model.tuned is None:
            return None
        self.use_model(self._library.base_of(model).id)
        return model

    def open_at(self, message_id: int) -> None:
        """Open the conversation of a stored message, and show a branch that contains the message."""
        conversation_id = self._disk.message(message_id).conversation_id
        self.open(conversation_id)
        self.read_earlier()
        if not self.is_busy and self._change(lambda: self._store.show_message(message_id)):
            self._show_conversation(conversation_id)

    def keep_temporary(self) -> None:
        """Store the temporary conversation on the disk and continue there."""
        if not self.is_temporary or self.conversation is None or self.is_busy:
            return
        conversation, messages = self._store.conversation(self.conversation.id), self._store.tree(self.conversation.id)
        assert conversation is not None
        stored: list[int] = []
        if self._change(lambda: stored.append(self._disk.add_tree(conversation, messages))):
            self._store.close()
            self._store = self._disk
            self._show_conversation(stored[0])
            self._conversations.note_change()

    # ------------------------------------------------------------------- answers

    def ask(self, text: str) -> bool:
        """Store the question and begin to answer it; return whether it was accepted.

        It is not accepted while an answer is being written; otherwise `problem_occurred` gives the reason (empty
        question, full disk).
        """
        return self._ask(text, self._store.leaf_id(self.conversation.id) if self.conversation else None)

    def ask_follow_up(self, answer_id: int, question: str) -> bool:
        """Ask a suggested question below an answer, of the documents that it searched; return whether it was accepted.

        The conversation asks these again, whatever was chosen since. What the user is typing stays.
        """
        details = self._store.message(answer_id).details
        if details is not None and details.scope and not self.is_busy:
            self.ask_of(details.scope)
        return self._ask(question, answer_id, keeps_draft=True)

    def edit(self, question_id: int, text: str) -> bool:
        """Ask the changed text of a question as a new branch next to the original; return whether it was accepted."""
        return self._ask(text, self._store.message(question_id).parent_id)

    def act(self, answer_id: int, action: Preset) -> bool:
        """Ask for an action on an answer, such as a summary, as a question below it; return whether it was accepted.

        The question's text is the action's name, since the user has not written its request.
        """
        details = AnswerDetails(is_action=True, request=action.request)
        return self._ask(action.name, answer_id, action.choices, keeps_draft=True, action=details)

    def regenerate(self, answer_id: int, thought_tokens: int | None = None, *, force_load: bool = False) -> None:
        """Answer the same question again, as a new branch or in place of an answer without text.

        `thought_tokens`: think at most so long this time, in a context with room for it; None: as the conversation
        says. `force_load` loads the model even if the memory seems too small.
        """
        if self.is_busy or self.conversation is None:
            return
        *line, answer = self._store.line(answer_id)
        is_action = answer.details is not None and answer.details.is_action
        own = Choices(thought_tokens=thought_tokens)
        plan = self._answer_settings.plan(self.conversation, line, own, is_action=is_action)
        if thought_tokens and answer.details is not None:
            plan = self._answer_settings.with_room(plan, answer.details.prompt_tokens)
        emptied = answer if not answer.text and not self._store.is_followed(answer_id) else None
        self._change(lambda: self._answer(answer.parent_id, plan, emptied=emptied, force_load=force_load))

    def reproduce(self, answer_id: int) -> None:
        """Answer again with the same model, settings and seed, if known; record whether the text is the same."""
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
        """Show the previous (`step` -1) or next (1) message with the same parent, and the messages below it."""
        is_free = self._writer is None or self.is_answering_elsewhere
        if is_free and self._change(lambda: self._store.show_branch(message_id, step)):
            self._show_conversation(self._store.message(message_id).conversation_id)

    def resolve_overflow(self, choice: str) -> None:
        """Apply what the user chose for a conversation that no longer fits the context: "drop" its oldest turns,
        "widen" the context, or ask the same question in a "new" conversation."""
        found = None if self.is_busy else self.overflow.take()
        if found is None or self.conversation is None:
            return
        answer, overflow = found
        if choice == "new":
            line = reversed(self._store.line(answer.id))
            question = next(one for one in line if one.role == "question" and not one.is_action)
            here = self.conversation
            label = conversation_privacy.effective_label(here, self.messages(), collections_now(self._documents))
            agreed = "" if self.needs_remote_consent else self._origin
            self.open_new(here.folder_id, is_temporary=self.is_temporary)
            self._agreed_origin = agreed  # the user has agreed to send this same question
            self._new = structs.replace(self._new, preset_id=here.preset_id, choices=here.choices, scope=here.scope)
            self._ask(question.text, None, keeps_draft=True, label=label)
            return
        if choice == "drop":
            self._answer_settings.leave_out(
                self.conversation, self._store.line(answer.id)[:-1], overflow.droppable_turns
            )
        elif overflow.wider_context_tokens is not None:
            self._preferences.change(context_tokens=overflow.wider_context_tokens)
        self.regenerate(answer.id)

    def answered(self, answer_id: int) -> AnswerRecord:
        """Return an answer of the open conversation for export."""
        question, answer = self._store.line(answer_id)[-2:]
        model_id = answer.details.model_id if answer.details else ""
        return AnswerRecord(question, answer, self.label, self._library.model(model_id))

    def stop(self) -> None:
        if self._writer is not None:
            self._writer.run.stop()

    def close(self) -> None:
        """Store the text of the answer so far and close the conversation, before the engine is shut down."""
        if self._writer is not None:
            self._writer.abandon()
        super().close()

    # ------------------------------------------------------------------- private

    @property
    def _origin(self) -> str:
        """Return the origin of the server of the current model; "" for a local model."""
        model = self.model
        return origin_of(model.remote.address) if model is not None and model.remote is not None else ""

    def _on_leaving(self) -> None:
        """End the answer of a temporary conversation, not of a stored one. Withdraw the offered remedies."""
        self._agreed_origin = ""
        if self.is_temporary:
            self._abandon_answer()
        self.overflow.forget()
        self._engine.forget_usage()

    def _on_list_changed(self) -> None:
        """Stop the answer of a conversation that was moved to the bin."""
        if self._writer is not None and self._writer.store is self._disk:
            here = self._disk.conversation(self._writer.answer.conversation_id)
            if here is None or here.binned_at is not None:
                self._abandon_answer()

    def _abandon_answer(self) -> None:
        """End the answer that is being written, and store its text so far."""
        self.stop()
        if self._writer is not None:  # the engine has not confirmed the stop yet
            self._writer.abandon()

    def _is_here(self, writer: AnswerWriter) -> bool:
        here = self.conversation
        return here is not None and writer.store is self._store and writer.answer.conversation_id == here.id

    def _show_conversation(self, conversation_id: int | None, most: int = -1) -> None:
        """Show a conversation; first store what has been written of its answer."""
        writer = self._writer
        if writer is not None and writer.answer.conversation_id == conversation_id and writer.store is self._store:
            writer.save()
        super()._show_conversation(conversation_id, most)
        if writer is not None and self._is_here(writer):
            self.stage_changed.emit(writer.run.stage)

    def _ask(
        self,
        text: str,
        parent_id: int | None,
        own_choices: Choices | None = None,
        *,
        keeps_draft: bool = False,
        action: AnswerDetails | None = None,
        label: Label = DEFAULT_LABEL,
    ) -> bool:
        """Store a question and answer it; return whether it was accepted.

        `own_choices` are choices for this one answer. `action` are the details of the question of an action on the
        previous answer. `label` is the label of the conversation that the question was copied from.
        """
        if self.is_busy:
            return False
        here = self.conversation
        leaf_id = self._store.leaf_id(here.id) if here else None
        try:
            if not text.strip():
                raise AppError("empty_question")
            with self._store.database.transaction():
                question = self._store.add_question(
                    text,
                    here.id if here else None,
                    parent_id,
                    folder_id=self._new.folder_id,
                    keeps_draft=keeps_draft,
                    details=action,
                )
                if here is None:
                    self._store_new(question.conversation_id, label)
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        is_apart = here is None and keeps_draft  # the draft remains with the next new conversation
        if is_apart:
            self.about_to_leave.emit()
        self.conversation = self._store.conversation(question.conversation_id)
        assert self.conversation is not None
        if leaf_id == parent_id and not is_apart:
            self.message_added.emit(question)
        else:
            self._show_conversation(question.conversation_id)  # a new branch hides the messages below the old one
        line = self._store.line(question.id)
        plan = self._answer_settings.plan(
            self.conversation, line, own_choices or Choices(), is_action=action is not None
        )
        # In a turn of its own, because a list of thousands of conversations takes as long as all of the above.
        # 0 would come before all other events.
        QTimer.singleShot(1, self, lambda: self._conversations.note_change(question.conversation_id))
        self._change(lambda: self._answer(question.id, plan))
        return True

    def _store_new(self, conversation_id: int, label: Label) -> None:
        """Store the settings that the user chose for a conversation before its first question."""
        new, model = self._new, self.model
        self._store.store_answer_settings(conversation_id, new.preset_id, new.choices)
        self._store.set_scope(conversation_id, new.scope)
        if label == HIGHEST_LABEL:
            conversation_privacy.set_label(self._store, conversation_id, label)
        if model is not None and self._agreed_origin == self._origin != "":
            conversation_privacy.record_remote_consent(self._store, conversation_id, model)

    def _answer(
        self,
        question_id: int | None,
        plan: AnswerDetails,
        *,
        emptied: Message | None = None,
        repeated: Message | None = None,
        force_load: bool = False,
    ) -> None:
        """Write an answer, again in place of `emptied`, which has no text, or as a repetition of `repeated`."""
        assert self.conversation is not None
        assert question_id is not None
        self.overflow.forget()
        if plan.scope and repeated is None and self._engine.refusal is not None:  # quotations need no engine
            plan = AnswerDetails(context_tokens=plan.context_tokens, scope=plan.scope)
        model, label = self._library.model(plan.model_id), self.label
        if plan.scope or (model is not None and model.remote is not None):  # collections may have higher labels now
            collections = collections_now(self._documents)
            now = conversation_privacy.collection_labels(collections, (), self.messages())
            label = highest_label((label, *now))
        is_next = self._store.leaf_id(self.conversation.id) == question_id
        if emptied is not None:
            answer = self._store.restart_answer(emptied.id, plan)
        else:
            answer = self._store.add_answer(question_id, plan)
            self.message_added.emit(answer)
        self._conversations.mark_changed(answer.conversation_id)
        if not is_next:
            self._show_conversation(answer.conversation_id)
        model = model or local_models.NO_MODEL
        settings = dataclasses.replace(self._preferences.value, context_tokens=plan.context_tokens)
        turns = answer_settings.prompt_turns(self._store.thread(answer.conversation_id), answer.id, plan.left_out_turns)
        choices = Choices(seed=plan.seed).with_defaults(plan.choices or PROGRAM_DEFAULTS)
        wanted = answer_settings.retrieval_request(self._documents, plan, turns, self._store.line(question_id))
        request = AnswerRequest(
            model, turns, settings, choices, force_load=force_load, retrieval=wanted, label=label,
            is_agreed=conversation_privacy.has_remote_consent(self._store, answer.conversation_id, model),
            may_share=not self.is_temporary and self.conversation.choices.system_prompt is None,
        )  # fmt: skip
        run = AnswerRun(self._engine, request, self, self._embedding)
        writer = self._writer = AnswerWriter(self._store, answer, run, repeated, self)
        run.stage_changed.connect(self.stage_changed)
        run.text_received.connect(self._on_text_received)
        writer.problem_occurred.connect(self.problem_occurred)
        writer.ended.connect(self._on_ended)
        # After a full disk the end is stored later, and may change the label.
        writer.destroyed.connect(lambda: self._conversations.mark_changed(answer.conversation_id))
        writer.start()

    def _on_text_received(self, piece: str) -> None:
        if self._writer is not None and self._is_here(self._writer):
            self.text_received.emit(self._writer.answer.id, piece)

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
            self._library.note_speed(request.model, facts, outcome.done)
        elif error is not None and error.code == "context_full" and is_here:
            self.overflow.count(answer, request, error)
        elif error is not None and is_here:
            self.problem_occurred.emit(error)


class ModelPreloader(QObject):
    """Loads the model, and the one for searching by meaning, while the user types a question."""

    failed = Signal(object)  # AppError: the model cannot be loaded, as asking a question would report too

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
        """Load the model unless it is loaded or remote. Every keystroke may call this."""
        session, engine = self._session, self._engine
        if not self.is_on:
            return
        if self._embedding is not None and session.scope:
            self._embedding.load_model()
        model = session.model
        is_needed = engine.facts is None and engine.loading is None and not session.is_busy and not engine.refusal
        if model is None or model.remote is not None or not is_needed or self._prepared_id == model.id:
            return
        self._prepared_id = model.id
        settings = self._preferences.value

        def send(plan: load_plan.LoadPlan) -> None:
            if not session.is_busy and engine.facts is None and not engine.refusal:
                answer_run.send_load(engine, model.name, plan)

        background.run(lambda: load_plan.plan_load(model, settings), send, self.failed.emit)
