"""Ask one model many prompts, one after another.

`AnswerQueue` emits each answer before it asks the next prompt. `PromptRun` adds a journal of replies, for prompts that
are independent of conversations.
"""

import functools
import json
import statistics
from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.files import input_file
from app.base.services import background
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun, choices_in_force
from app.documents.services.embedding import Embedding
from app.inference import reply_journal
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.reply_journal import ModelReply, ReplyJournal, StandalonePrompt
from app.inference.services.engine import EngineClient
from app.models import local_models, model_registry

DURATIONS_KEPT = 20  # number of latest answers from which the remaining time is estimated
TRIES_MAX = 2  # tries of one question during which the engine died; another cause than the question seldom occurs twice
ENGINE_FAILURES_MAX = 4  # consecutive failures of the engine; more are not caused by one question
# Errors that concern one question only. Any other error would occur with the next question too.
_OF_ONE_QUESTION = frozenset({"context_full", "decode_failed", "text_unreadable"})
ENGINE_FAILURES = frozenset({"engine_died", "engine_hung"})  # the question may or may not be the cause


class AnswerQueue(QObject):
    """Answers a queue of keys, each of which identifies one request. It emits exactly one `ended`, unless it is
    abandoned.

    Every signal handler may stop the queue.
    """

    asked = Signal(object)  # key of the next request; it is answered once the queue is not held
    answered = Signal(object, str, object)  # key, text, AnswerOutcome
    refused = Signal(object, object)  # key, AppError that concerns this request only; the queue continues
    ended = Signal(object)  # AppError that every later request would raise too; None: complete or stopped

    def __init__(
        self,
        engine: EngineClient,
        template_command: list[str],
        request_of: Callable[[Hashable], AnswerRequest],
        parent: QObject | None = None,
        embedding: Embedding | None = None,
        permit: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare the queue. `request_of` returns the request of a key when its turn comes. `embedding` is as in
        `AnswerRun`. `permit` is called in the background with the text of each answer before `answered` is emitted; an
        AppError that it raises ends the queue."""
        super().__init__(parent)
        self._engine = engine
        self._template_command = template_command
        self._request_of = request_of
        self._embedding = embedding
        self._permit = permit
        self._answer: tuple[str, AnswerOutcome] | None = None  # an answer that waits for its permit
        self.pending: deque[Hashable] = deque()  # keys without an answer; the first one is being answered
        self._run: AnswerRun | None = None
        self._text = ""
        self._engine_failures = 0
        self._tries = 0  # how often the first key was asked
        self._durations: deque[float] = deque(maxlen=DURATIONS_KEPT)
        self._held_by: set[str] = set()
        self._is_started = self._is_stopping = self._is_over = False

    def start(self, keys: Iterable[Hashable]) -> None:
        self.pending.extend(keys)
        self._is_started = True
        self._next()

    @property
    def is_answering(self) -> bool:
        return self._run is not None or self._answer is not None

    @property
    def left_s(self) -> int | None:
        """Return the estimated remaining seconds, or None before the first answer."""
        return round(statistics.fmean(self._durations) * len(self.pending)) if self._durations else None

    def hold(self, holder: str) -> None:
        """Pause after the current answer, until every holder has released the queue. `holder` names the holder."""
        self._held_by.add(holder)

    def release(self, holder: str) -> None:
        self._held_by.discard(holder)
        if self._is_started and not self._is_over and not self.is_answering and not self._held_by:
            self._next()

    def stop(self) -> None:
        """Stop, and drop the answer that is being written. An answer that only waits for its permit is still
        emitted."""
        if self._is_over:
            return
        self._is_stopping = True
        if self._run is not None:
            self._run.stop()
        elif self._answer is None:
            self._emit_ended_once(None)

    def abandon(self) -> None:
        """End at once and emit no more signals."""
        self._is_over = True
        if self._run is not None:
            self._run.abandon()
            self._forget_run()

    # ------------------------------------------------------------------- private

    def _next(self) -> None:
        if self._is_over:
            return
        if not self.pending or self._is_stopping:
            self._emit_ended_once(None)
            return
        self.asked.emit(self.pending[0])
        if self._held_by or self._is_over:
            return
        self._text = ""
        self._tries += 1
        request = self._request_of(self.pending[0])
        run = self._run = AnswerRun(self._engine, self._template_command, request, self, self._embedding)
        run.text_received.connect(self._on_text)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self._on_stopped)
        run.start()

    def _on_text(self, piece: str) -> None:
        self._text += piece

    def _on_finished(self, outcome: AnswerOutcome) -> None:
        if outcome.done.stop_reason == "cancelled":
            self._on_stopped()
            return
        self._engine_failures = 0
        self._durations.append(outcome.total_s)
        self._forget_run()
        self._answer = self._text, outcome
        if self._permit is None:
            self._hand_out(None)
        else:  # the permit reads a database, which could block the window
            background.run(functools.partial(self._permit, self._text), self._hand_out, self._end_unpermitted)

    def _hand_out(self, _nothing: None) -> None:
        if self._answer is None or self._is_over:
            return
        (text, outcome), self._answer = self._answer, None
        self.answered.emit(self._pop(), text, outcome)
        self._next()

    def _end_unpermitted(self, error: AppError) -> None:
        self._answer = None
        self._emit_ended_once(error)

    def _on_failed(self, error: AppError) -> None:
        is_engine_failure = error.code in ENGINE_FAILURES
        self._engine_failures += is_engine_failure
        if is_engine_failure and self._tries < TRIES_MAX and self._engine_failures <= ENGINE_FAILURES_MAX:
            self._forget_run()
            self._next()
            return
        if error.code in _OF_ONE_QUESTION or (is_engine_failure and self._engine_failures <= ENGINE_FAILURES_MAX):
            self._forget_run()
            self.refused.emit(self._pop(), error)
            self._next()
            return
        self._forget_run()
        self._emit_ended_once(error)

    def _on_stopped(self) -> None:
        self._forget_run()
        self._emit_ended_once(None)

    def _pop(self) -> Hashable:
        self._tries = 0
        return self.pending.popleft()

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None

    def _emit_ended_once(self, error: AppError | None) -> None:
        if not self._is_over:
            self._is_over = True
            self.ended.emit(error)


GREEDY_CHOICES = Choices(temperature=0.0, repeat_penalty=1.0, seed=0)  # the same reply to the same prompt every time


@dataclass(frozen=True, slots=True)
class PromptJob:
    """Prompts for one model, and the file of their journal. `choices` apply after each prompt's own and before those of
    the model card.

    `adapters` is as in AnswerRequest.
    """

    model: LocalModel
    settings: Settings
    prompts: tuple[StandalonePrompt, ...]
    journal: Path
    choices: Choices = GREEDY_CHOICES
    adapters: tuple[AdapterUse, ...] | None = None


@dataclass(frozen=True, slots=True)
class PromptRunProgress:
    """The progress of a prompt run in prompts. `left_s` are the estimated seconds left, None before the first reply."""

    done: int
    total: int
    left_s: int | None = None


class PromptRun(QObject):
    """Asks the prompts of a job. It emits exactly one of `finished`, `stopped` and `failed`; the journal keeps all
    replies."""

    progressed = Signal(object)  # PromptRunProgress
    finished = Signal(object)  # dict[StandalonePrompt, ModelReply] with all prompts of the job
    stopped = Signal()
    failed = Signal(object)  # AppError

    def __init__(
        self,
        engine: EngineClient,
        template_command: list[str],
        job: PromptJob,
        parent: QObject | None = None,
        permit: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare the run of `job`. `permit` is as in `AnswerQueue`."""
        super().__init__(parent)
        self._job = job
        self._prompts: dict[str, StandalonePrompt] = {}  # by journal key, without duplicates
        self._journal: ReplyJournal | None = None
        self._error: AppError | None = None
        self._is_stopped = False
        self._queue = AnswerQueue(engine, template_command, self._request_of, self, permit=permit)
        self._queue.asked.connect(lambda _key: self._report_progress())
        self._queue.answered.connect(self._on_answered)
        self._queue.refused.connect(self._on_refused)
        self._queue.ended.connect(self._on_ended)

    def start(self) -> None:
        """Open the journal in the background, then ask the prompts. A model file without a stored hash is hashed
        first."""
        background.run(lambda: _open_journal(self._job), self._on_opened, self.failed.emit)

    def stop(self) -> None:
        """Stop and drop the reply that is being written."""
        self._is_stopped = True
        if self._journal is not None:
            self._queue.stop()

    def hold(self, holder: str) -> None:
        """Hold the queue as `AnswerQueue.hold` does."""
        self._queue.hold(holder)

    def release(self, holder: str) -> None:
        self._queue.release(holder)

    def abandon(self) -> None:
        """End at once and emit no more signals."""
        self._is_stopped = True
        self._queue.abandon()
        if self._journal is not None:
            self._journal.close()

    @property
    def replied(self) -> dict[StandalonePrompt, ModelReply]:
        """Return the replies so far to the prompts of the job."""
        replies = self._journal.replies if self._journal is not None else {}
        return {prompt: replies[key] for key, prompt in self._prompts.items() if key in replies}

    # ------------------------------------------------------------------- private

    def _on_opened(self, opened: tuple[ReplyJournal, dict[str, StandalonePrompt]]) -> None:
        self._journal, self._prompts = opened
        if self._is_stopped:
            self._on_ended(None)
            return
        self._queue.start([key for key in self._prompts if key not in self._journal.replies])

    def _request_of(self, key: Hashable) -> AnswerRequest:
        job, prompt = self._job, self._prompts[str(key)]
        own = Choices(system_prompt=prompt.system, max_tokens=prompt.max_tokens).with_defaults(job.choices)
        choices = choices_in_force(job.model, own)
        turns = (Turn(prompt.question),)
        return AnswerRequest(job.model, turns, job.settings, choices, job.adapters, grammar=prompt.grammar)

    def _on_answered(self, key: str, text: str, outcome: AnswerOutcome) -> None:
        done = outcome.done
        seconds = round(outcome.total_s - outcome.load_s, 4)
        usage = done.usage
        self._keep(key, ModelReply(text.strip(), done.stop_reason, usage.prompt_tokens, usage.answer_tokens, seconds))

    def _on_refused(self, key: str, error: AppError) -> None:
        reply = ModelReply("", "failed", error_code=error.code)
        if error.code in ENGINE_FAILURES:  # not stored in the journal, so that the next run asks again
            assert self._journal is not None
            self._journal.replies[key] = reply
        else:
            self._keep(key, reply)

    def _keep(self, key: str, reply: ModelReply) -> None:
        assert self._journal is not None
        try:
            self._journal.add(key, reply)
        except AppError as error:
            self._error = error
            self._queue.stop()

    def _report_progress(self) -> None:
        total = len(self._prompts)
        self.progressed.emit(PromptRunProgress(total - len(self._queue.pending), total, self._queue.left_s))

    def _on_ended(self, error: AppError | None) -> None:
        assert self._journal is not None
        self._journal.close()
        error = self._error or error
        if error is not None:
            self.failed.emit(error)
        elif self._queue.pending or self._is_stopped:
            self.stopped.emit()
        else:
            self._report_progress()
            self.finished.emit(self.replied)


def reply_conditions(job: PromptJob) -> str:
    """Return everything except the prompt that a reply depends on, as JSON.

    Files without a stored hash are read. Raises AppError("remote_cannot") for a remote model, and OSError.
    """
    model = job.model
    if model.remote is not None:  # a server may answer with another model tomorrow
        raise AppError("remote_cannot", address=model_registry.server_address(model))
    used = local_models.with_adapters(model, job.adapters)[1]
    adapters = [[input_file.sha256_of(Path(use.path)), use.strength] for use in used]
    sha256 = (model.files[0].sha256 if model.files else "") or input_file.sha256_of(Path(model.path))
    context = job.settings.context_tokens
    return json.dumps([sha256, model.form_id, model.template_allowed, adapters, job.choices.as_dict(), context])


def _open_journal(job: PromptJob) -> tuple[ReplyJournal, dict[str, StandalonePrompt]]:
    try:
        conditions = reply_conditions(job)
    except OSError as error:
        raise AppError("model_missing", path=job.model.path) from error
    prompts = {reply_journal.reply_key(prompt, conditions): prompt for prompt in job.prompts}
    return ReplyJournal(job.journal), prompts
