"""The open conversation: questions stored before anything is computed, answers stored while they stream."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, QTimer, Signal

from app.core import catalogue, load_plan, local_models, prompt
from app.core.errors import AppError
from app.core.prompt import Turn
from app.core.records import AnswerDetails, Conversation, LocalModel, Message
from app.core.settings import CONTEXT_CHOICES
from app.core.store import Store
from app.engine.messages import Done, Event, Failed, Tokenize, Tokenized
from app.services import answer_run, background
from app.services.answer_run import AnswerRequest, AnswerRun, Outcome
from app.services.engine import EngineClient, EngineDeath
from app.services.events import Overflow, Stage
from app.services.library import ModelLibrary
from app.services.preferences import Preferences

SAVED_EVERY_MS = 1000
# Shorter runs say more about the clock than about the machine.
_MEASURED_PROMPT_TOKENS, _MEASURED_ANSWER_TOKENS = 64, 16


@dataclass
class _Writing:
    """The answer that is being written."""

    answer: Message
    run: AnswerRun
    text: str = ""
    saved_text: str = ""


class ChatSession(QObject):
    """One conversation at a time, one answer at a time. Messages are app.core.records.Message."""

    conversation_opened = Signal(object, object)  # Conversation | None (a new one), list[Message]
    message_added = Signal(object)  # Message
    text_received = Signal(int, str)  # answer id, the next piece of its text
    answer_finished = Signal(object)  # Message
    stage_changed = Signal(object)  # Stage
    overflowed = Signal(object)  # Overflow
    problem_occurred = Signal(object)  # AppError
    conversations_changed = Signal()

    def __init__(
        self,
        store: Store,
        engine: EngineClient,
        library: ModelLibrary,
        preferences: Preferences,
        template_command: list[str],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._store = store
        self._engine = engine
        self._library = library
        self._preferences = preferences
        self._template_command = template_command
        self.conversation: Conversation | None = None
        self._writing: _Writing | None = None
        # (conversation id, context size) -> how many of the oldest turns the user chose to leave out
        self._left_out: dict[tuple[int, int], int] = {}
        self._overflow: tuple[Message, Overflow] | None = None  # the answer that did not fit
        self._counting: tuple[str, Message, int, int] | None = None  # request id, answer, tokens needed, context
        self._prepared_id = ""
        self._save_timer = QTimer(self, interval=SAVED_EVERY_MS)
        self._save_timer.timeout.connect(self._save_text)
        engine.event_received.connect(self._on_engine_event)
        engine.died.connect(self._on_died)

    # ------------------------------------------------------------- conversations

    @property
    def is_busy(self) -> bool:
        return self._writing is not None

    @property
    def model(self) -> LocalModel | None:
        """The model that answers: the chosen one, else the first there is."""
        models = self._library.models()
        chosen = next((model for model in models if model.id == self._preferences.value.model_id), None)
        return chosen or next(iter(models), None)

    @property
    def model_id(self) -> str | None:
        model = self.model
        return model.id if model else None

    def use_model(self, model_id: str) -> None:
        """The next answer is by this model; it is loaded then."""
        self._preferences.change(model_id=model_id)

    def conversations(self) -> list[Conversation]:
        return self._store.conversations()

    def new(self) -> None:
        """An empty conversation; it is stored with its first question."""
        self._leave()
        self.conversation = None
        self.conversation_opened.emit(None, [])

    def open(self, conversation_id: int) -> None:
        """Shows a conversation. An answer that is being written in another one is stopped and kept."""
        if self.conversation is not None and self.conversation.id == conversation_id:
            return
        self._leave()
        self._show(conversation_id)

    def rename(self, conversation_id: int, title: str) -> None:
        if not self._change(lambda: self._store.rename(conversation_id, title)):
            return
        if self.conversation is not None and self.conversation.id == conversation_id:
            self.conversation = self._store.conversation(conversation_id)
        self.conversations_changed.emit()

    def bin(self, conversation_id: int) -> None:
        """Moves a conversation to the bin; `restore` brings it back as it was."""
        if self.conversation is not None and self.conversation.id == conversation_id:
            self.new()
        self._change(lambda: self._store.bin(conversation_id))
        self.conversations_changed.emit()

    def restore(self, conversation_id: int) -> None:
        self._change(lambda: self._store.restore(conversation_id))
        self.conversations_changed.emit()

    # ------------------------------------------------------------------- answers

    def ask(self, text: str) -> bool:
        """Stores the question, then has it answered.

        False: it was not taken, because an answer is being written, or as `problem_occurred` says (empty, full disk).
        """
        if self.is_busy:
            return False
        try:
            if not text.strip():
                raise AppError("empty_question")
            here = self.conversation.id if self.conversation else None
            leaf = self._store.leaf_id(here) if here is not None else None
            question = self._store.add_question(text, here, leaf)
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        self.conversation = self._store.conversation(question.conversation_id)
        self.message_added.emit(question)
        self.conversations_changed.emit()
        self._change(lambda: self._answer(question.id))
        return True

    def close(self) -> None:
        """Keeps what was written so far; the engine is about to end."""
        if self._writing is not None:
            self._writing.run.abandon()
            self._on_stopped()

    def prepare(self) -> None:
        """Loads the model ahead, while the question is being typed. What goes wrong is said when it is asked."""
        model = self.model
        is_needed = self._engine.facts is None and self._engine.loading is None and not self.is_busy
        if model is None or not is_needed or self._prepared_id == model.id:
            return
        self._prepared_id = model.id  # once: this is called at every key
        settings = self._preferences.value

        def send(plan: load_plan.Plan) -> None:
            if not self.is_busy and self._engine.facts is None:
                answer_run.load(self._engine, model.name, plan)

        background.run(lambda: load_plan.plan(model, settings), send, lambda _error: None)

    def stop(self) -> None:
        if self._writing is not None:
            self._writing.run.stop()

    def regenerate(self, answer_id: int, force_load: bool = False) -> None:
        """Answers the same question again: a new branch beside the old answer, or in its place if it had no text."""
        if self.is_busy:
            return
        answer = self._store.message(answer_id)
        question_id = answer.parent_id
        assert question_id is not None
        if self._change(lambda: self._answer(question_id, answer if not answer.text else None, force_load)):
            self._show(answer.conversation_id)

    def show_branch(self, answer_id: int, step: int) -> None:
        """Shows another answer to the same question, and what followed it. `step`: -1 or 1."""
        if not self.is_busy and self._change(lambda: self._store.show_branch(answer_id, step)):
            self._show(self._store.message(answer_id).conversation_id)

    def resolve_overflow(self, choice: str) -> None:
        """`choice`: drop (the oldest turns) | widen (the context) | new (conversation with the same question)."""
        if self._overflow is None or self.is_busy:
            return
        (answer, overflow), self._overflow = self._overflow, None
        if choice == "new":
            assert answer.parent_id is not None
            question = self._store.message(answer.parent_id)
            self.new()
            self.ask(question.text)
            return
        if choice == "drop":
            here = self._left_out_key(answer.conversation_id)
            self._left_out[here] = self._left_out.get(here, 0) + overflow.droppable_turns
        elif overflow.wider_context_tokens is not None:
            self._preferences.change(context_tokens=overflow.wider_context_tokens)
        self.regenerate(answer.id)

    # ------------------------------------------------------------------- private

    def _leave(self) -> None:
        """What was asked of the user about this conversation is no longer the question."""
        self.stop()
        self._overflow = self._counting = None
        self._engine.forget_usage()

    def _change(self, work: Callable[[], None]) -> bool:
        """Does what may meet a full disk; then says so and returns False."""
        try:
            work()
        except AppError as error:
            self.problem_occurred.emit(error)
            return False
        return True

    def _left_out_key(self, conversation_id: int) -> tuple[int, int]:
        """With a wider context nothing need be left out."""
        return conversation_id, self._preferences.value.context_tokens

    def _show(self, conversation_id: int) -> None:
        self.conversation = self._store.conversation(conversation_id)
        self.conversation_opened.emit(self.conversation, self._store.thread(conversation_id))

    def _answer(self, question_id: int, emptied: Message | None = None, force_load: bool = False) -> None:
        self._overflow = self._counting = None
        model = self.model
        details = AnswerDetails(model_id=model.id, model_name=model.name) if model else AnswerDetails()
        answer = (
            self._store.restart_answer(emptied.id, details) if emptied else self._store.add_answer(question_id, details)
        )
        if emptied is None:
            self.message_added.emit(answer)
        if model is None:
            self._finish(answer, "", "failed", dataclasses.replace(details, error_code="no_model"))
            self.problem_occurred.emit(AppError("no_model"))
            return
        turns = self._turns(answer)
        request = AnswerRequest(model, turns, self._preferences.value, force_load=force_load)
        run = AnswerRun(self._engine, self._template_command, request, self)
        self._writing = _Writing(answer, run)
        run.stage_changed.connect(self.stage_changed)
        run.text_received.connect(self._on_text)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self._on_stopped)
        self._save_timer.start()
        run.start()

    def _turns(self, answer: Message) -> tuple[Turn, ...]:
        """The branch up to the question, without what the user chose to leave out and without failed answers."""
        turns: list[Turn] = []
        for message in self._store.thread(answer.conversation_id):
            if message.role == "question":
                turns.append(Turn(message.text))
            elif message.id != answer.id and turns and message.text:
                turns[-1] = Turn(turns[-1].question, message.text)
        answered = [turn for turn in turns[:-1] if turn.answer is not None]
        return (*answered[self._left_out.get(self._left_out_key(answer.conversation_id), 0) :], turns[-1])

    def _on_text(self, piece: str) -> None:
        assert self._writing is not None
        self._writing.text += piece
        self.text_received.emit(self._writing.answer.id, piece)

    def _save_text(self) -> None:
        writing = self._writing
        if writing is not None and writing.text != writing.saved_text:
            try:
                self._store.update_answer(writing.answer.id, writing.text)
                writing.saved_text = writing.text
            except AppError as error:
                self.stop()
                self.problem_occurred.emit(error)

    def _on_finished(self, outcome: Outcome) -> None:
        writing = self._end_writing()
        details = _with_outcome(writing.answer.details or AnswerDetails(), outcome)
        status = "stopped" if outcome.done.stop_reason == "cancelled" else "done"
        self._finish(writing.answer, writing.text.strip(), status, details)
        self._note_speed(writing.run.request.model, outcome.done)

    def _on_stopped(self) -> None:
        writing = self._end_writing()
        details = dataclasses.replace(writing.answer.details or AnswerDetails(), stop_reason="cancelled")
        self._finish(writing.answer, writing.text, "stopped", details)

    def _on_failed(self, error: AppError) -> None:
        writing = self._end_writing()
        details = writing.answer.details or AnswerDetails()
        details = dataclasses.replace(details, stop_reason="failed", error_code=error.code)
        answer = self._finish(writing.answer, writing.text, "failed", details)
        if error.code == "context_full":
            self._count_turns(answer, writing.run.request, error)
        else:
            self.problem_occurred.emit(error)

    def _end_writing(self) -> _Writing:
        writing = self._writing
        assert writing is not None
        self._writing = None
        self._save_timer.stop()
        writing.run.deleteLater()
        return writing

    def _finish(self, answer: Message, text: str, status: str, details: AnswerDetails) -> Message:
        try:
            finished = self._store.finish_answer(answer.id, text, status, details)
        except AppError as error:  # the disk is full: what was saved a second ago stays
            self.problem_occurred.emit(error)
            finished = dataclasses.replace(answer, text=text, status="failed", details=details)
        self.stage_changed.emit(Stage())
        self.answer_finished.emit(finished)
        return finished

    def _note_speed(self, model: LocalModel, done: Done) -> None:
        facts, usage, timings = self._engine.facts, done.usage, done.timings
        evaluated = usage.prompt_tokens - usage.cached_tokens
        is_long = evaluated >= _MEASURED_PROMPT_TOKENS and usage.answer_tokens >= _MEASURED_ANSWER_TOKENS
        if facts is None or not is_long or timings.prompt_s <= 0 or timings.answer_s <= 0:
            return
        speed = (evaluated / timings.prompt_s, usage.answer_tokens / timings.answer_s)
        self._library.update(
            dataclasses.replace(model, speeds=load_plan.note_speed(model.speeds, facts.repack, *speed))
        )

    # ------------------------------------------------------------------ overflow

    def _count_turns(self, answer: Message, request: AnswerRequest, error: AppError) -> None:
        """Asks the engine how long the prompt would be without its oldest turns: one, two, … up to all but the last."""
        request_id = self._engine.new_id()
        self._counting = (request_id, answer, error.facts["prompt_tokens"], error.facts["context_tokens"])
        form = local_models.form_of(request.model) or catalogue.load().forms[local_models.FALLBACK_FORM]
        shorter = (request.turns[count:] for count in range(1, len(request.turns)))
        system = answer_run.system_prompt(request)
        self._engine.send(Tokenize(request_id, tuple(prompt.build(form, turns, system) for turns in shorter)))

    def _on_engine_event(self, event: Event) -> None:
        if self._counting is None or not isinstance(event, Tokenized | Failed) or event.id != self._counting[0]:
            return
        if isinstance(event, Failed):
            self._on_died()
            return
        (_, answer, needed, context), self._counting = self._counting, None
        overflow = _overflow(event.counts, needed, context, self._trained_context())
        self._overflow = (answer, overflow)
        self.overflowed.emit(overflow)

    def _on_died(self, *_death: EngineDeath) -> None:
        """Nobody will count any more: the plain sentence has to do."""
        if self._counting is not None:
            (_, _, needed, context), self._counting = self._counting, None
            self.problem_occurred.emit(AppError("context_full", prompt_tokens=needed, context_tokens=context))

    def _trained_context(self) -> int:
        return self._engine.facts.trained_context_tokens if self._engine.facts else 0


def _overflow(shorter: tuple[int, ...], needed: int, context: int, trained: int) -> Overflow:
    """What would help. `shorter`: the prompt's tokens without its 1, 2, … oldest turns. A quarter is for the answer."""
    room = context * 3 // 4
    dropped = next((count for count, tokens in enumerate(shorter, start=1) if tokens <= room), 0)
    wider = next((size for size in CONTEXT_CHOICES if size * 3 // 4 >= needed and size > context), None)
    if wider is not None and wider > trained > 0:
        wider = trained if trained * 3 // 4 >= needed else None
    return Overflow(needed, context, dropped, wider)


def _with_outcome(details: AnswerDetails, outcome: Outcome) -> AnswerDetails:
    done = outcome.done
    return dataclasses.replace(
        details,
        stop_reason=done.stop_reason,
        seed=done.seed,
        prompt_tokens=done.usage.prompt_tokens,
        cached_tokens=done.usage.cached_tokens,
        answer_tokens=done.usage.answer_tokens,
        first_token_s=done.timings.first_token_s,
        total_s=outcome.total_s,
        tokens_per_s=done.usage.answer_tokens / done.timings.answer_s if done.timings.answer_s > 0 else 0.0,
    )
