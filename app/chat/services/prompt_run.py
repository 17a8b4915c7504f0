"""Ask one model many prompts, as many at a time as the engine writes answers.

`AnswerQueue` emits each answer as it ends. `PromptRun` adds a journal of replies, for prompts that are independent of
conversations.
"""

import functools
import json
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import structs
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.files import input_file
from app.base.services import background
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun, choices_in_force
from app.documents.services.embedding import Embedding
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import BATCHED_REQUESTS, LocalModel
from app.inference.prompts import Turn
from app.inference.reply_journal import ModelReply, ReplyJournal, StandalonePrompt, reply_key
from app.inference.services.engine import EngineClient
from app.inference.services.events import AnswerStage
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

    The first request is asked alone; once its model is loaded, as many others as it was loaded for are asked beside it.
    Every signal handler may stop the queue.
    """

    progressed = Signal()  # at the beginning, and after each request but the last
    answered = Signal(object, str, object)  # key, text, AnswerOutcome
    refused = Signal(object, object)  # key, AppError that concerns this request only; the queue continues
    ended = Signal(object)  # AppError that every later request would raise too; None: complete or stopped

    def __init__(
        self,
        engine: EngineClient,
        request_of: Callable[[Any], AnswerRequest],
        parent: QObject | None = None,
        embedding: Embedding | None = None,
        permit: Callable[[str], None] | None = None,
        alone: int = 0,
    ) -> None:
        """Prepare the queue. `request_of` returns the request of a key when its turn comes. `embedding` is as in
        `AnswerRun`. `permit` is called in the background with the text of each answer before `answered` is emitted; an
        AppError that it raises ends the queue. The first `alone` requests are asked one after another."""
        super().__init__(parent)
        self._engine = engine
        self._request_of = request_of
        self._embedding = embedding
        self._permit = permit
        self._alone = alone
        self.pending: deque[Any] = deque()  # keys without an answer, also those that are being answered
        self._runs: dict[Any, AnswerRun] = {}
        self._permitting: set[Any] = set()  # keys whose answers wait for their permit
        self._beside: set[Any] = set()  # keys that are or were answered at the same time as others
        self._suspects: set[Any] = set()  # keys that failed beside others: each is asked again alone
        self._parallel = BATCHED_REQUESTS  # at most: the plan to load the model has fewer
        self._engine_failures = 0
        self._tries: Counter[Any] = Counter()  # how often the engine died while a key was answered alone
        self._durations: deque[float] = deque(maxlen=DURATIONS_KEPT)  # seconds from one answer to the next
        self._counted_from = 0.0  # time.monotonic() of the latest answer, or when the first of several was asked
        self._held_by: set[str] = set()
        self._error: AppError | None = None
        self._is_started = self._is_stopping = False
        self.is_stopped = False  # by `stop`
        self.is_over = False
        self._is_storable = True

    def start(self, keys: Iterable[Any]) -> None:
        self.pending.extend(keys)
        self._is_started = True
        self._go_on()

    @property
    def is_answering(self) -> bool:
        return bool(self._runs or self._permitting)

    @property
    def left_s(self) -> int | None:
        """Return the estimated remaining seconds, or None before the first answer."""
        return round(statistics.fmean(self._durations) * len(self.pending)) if self._durations else None

    def hold(self, holder: str) -> None:
        """Pause after the current answers, until every holder has released the queue. `holder` names the holder."""
        self._held_by.add(holder)

    def release(self, holder: str) -> None:
        self._held_by.discard(holder)
        if self._is_started and not self._held_by:
            self._next()

    def stop(self) -> None:
        """Stop, as soon as it is started, and drop the answers that are being written. An answer that only waits for
        its permit is still emitted."""
        self.is_stopped = self._is_stopping = True
        if self._is_started and not self.is_over:
            self._end(None)

    def store(self, write: Callable[[], None]) -> bool:
        """Store an answer by calling `write`; return whether that succeeded. An AppError ends the queue.

        After one nothing more is written, because the file may end with a part of a line.
        """
        if self._is_storable:
            try:
                write()
            except AppError as error:  # for example a full disk
                self._is_storable = False
                self._end(error)
        return self._is_storable

    def abandon(self) -> None:
        """End at once and emit no more signals."""
        self.is_over = True
        for key, run in list(self._runs.items()):
            run.abandon()
            self._forget_run(key)

    # ------------------------------------------------------------------- private

    def _go_on(self) -> None:
        if self.pending and not self._is_stopping and not self.is_over:
            self.progressed.emit()
        self._next()

    def _next(self) -> None:
        """Ask as many requests as can be answered now, or end if there are none."""
        if self.is_over:
            return
        if self._is_stopping or not self.pending:
            self._end(self._error)
            return
        while not self._held_by and not self._is_stopping and (key := self._next_key()) is not None:
            self._ask(key)

    def _next_key(self) -> Any | None:
        """Return the key to ask now; None if it has to wait for an answer."""
        loaded = self._engine.loaded
        kinds = {run.stage.kind for run in self._runs.values()}
        # Searches run one after another, as each has its time limit and they share one child.
        may_join = bool(kinds & {"reading", "thinking", "answering"}) and not kinds & {"", "searching"}
        at_once = loaded.parallel if loaded and may_join and not self._suspects and self._alone <= 0 else 1
        most = at_once + 1 if at_once > 1 else 1  # one waits in the engine, which begins it as soon as an answer ends
        if len(self._runs) + len(self._permitting) >= most:
            return None
        waiting = [key for key in self.pending if key not in self._runs and key not in self._permitting]
        return next((key for key in waiting if key in self._suspects), waiting[0] if waiting else None)

    def _ask(self, key: Any) -> None:
        request = self._request_of(key)
        if self._runs:
            self._beside.update((key, *self._runs))
        else:
            self._counted_from = time.monotonic()
            if not self._suspects:
                request = structs.replace(request, parallel=min(self._parallel, len(self.pending)))
        run = self._runs[key] = AnswerRun(self._engine, request, self, self._embedding)
        run.stage_changed.connect(self._on_stage)
        run.finished.connect(functools.partial(self._on_finished, key))
        run.failed.connect(functools.partial(self._on_failed, key))
        run.stopped.connect(functools.partial(self._on_stopped, key))
        run.start()

    def _on_stage(self, stage: AnswerStage) -> None:
        if stage.kind == "reading" and self._engine.loaded is not None and not self._held_by:
            self._parallel = self._engine.loaded.parallel
            QTimer.singleShot(0, self, self._next)

    def _on_finished(self, key: Any, outcome: AnswerOutcome) -> None:
        if outcome.done.stop_reason == "cancelled":
            self._on_stopped(key)
            return
        self._engine_failures = 0
        self._alone -= 1
        now = time.monotonic()
        self._durations.append(now - self._counted_from)
        self._counted_from = now
        if key in self._beside:
            outcome = structs.replace(outcome, is_alone=False)
        text = self._runs[key].text
        self._forget_run(key)
        self._permitting.add(key)
        if self._permit is None:
            self._hand_out(key, text, outcome, None)
        else:  # the permit reads a database, which could block the window
            background.run(
                functools.partial(self._permit, text),
                functools.partial(self._hand_out, key, text, outcome),
                functools.partial(self._end_unpermitted, key),
            )

    def _hand_out(self, key: Any, text: str, outcome: AnswerOutcome, _nothing: None) -> None:
        self._permitting.discard(key)
        if not self.is_over:
            self._remove(key)
            self.answered.emit(key, text, outcome)
            self._go_on()

    def _end_unpermitted(self, key: Any, error: AppError) -> None:
        self._permitting.discard(key)
        self._end(error)

    def _on_failed(self, key: Any, error: AppError) -> None:
        was_alone = key not in self._beside
        self._forget_run(key)
        if error.code in _OF_ONE_QUESTION:
            self._refuse(key, error)
            return
        if not was_alone:  # others may be the cause
            self._suspects.add(key)
            self._next()
            return
        self._tries[key] += 1
        self._engine_failures += 1
        if error.code not in ENGINE_FAILURES or self._engine_failures > ENGINE_FAILURES_MAX:
            self._end(error)
        elif self._tries[key] < TRIES_MAX:
            self._next()
        else:
            self._refuse(key, error)

    def _refuse(self, key: Any, error: AppError) -> None:
        self._remove(key)
        self.refused.emit(key, error)
        self._go_on()

    def _on_stopped(self, key: Any) -> None:
        self._forget_run(key)
        self._end(self._error)

    def _remove(self, key: Any) -> None:
        self.pending.remove(key)
        self._suspects.discard(key)

    def _forget_run(self, key: Any) -> None:
        self._runs.pop(key).deleteLater()
        self._beside.discard(key)

    def _end(self, error: AppError | None) -> None:
        """Stop all answers, and emit `ended` when the last of them has stopped."""
        self._is_stopping = True
        self._error = self._error or error
        for run in list(self._runs.values()):
            run.stop()
        if not self.is_answering and not self.is_over:
            self.is_over = True
            self.ended.emit(self._error)


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
    """Asks the prompts of a job; all replies are in a journal. Emits one of `finished`, `stopped`, `failed`."""

    progressed = Signal(object)  # PromptRunProgress
    finished = Signal(object)  # dict[StandalonePrompt, ModelReply] with all prompts of the job
    stopped = Signal()
    failed = Signal(object)  # AppError

    def __init__(
        self,
        engine: EngineClient,
        job: PromptJob,
        parent: QObject | None = None,
        permit: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare the run of `job`. `permit` is as in `AnswerQueue`."""
        super().__init__(parent)
        self._job = job
        self._prompts: dict[str, StandalonePrompt] = {}  # by journal key, without duplicates
        self._journal: ReplyJournal | None = None
        self.queue = AnswerQueue(engine, self._request_of, self, permit=permit)
        self.queue.progressed.connect(self._report_progress)
        self.queue.answered.connect(self._on_answered)
        self.queue.refused.connect(self._on_refused)
        self.queue.ended.connect(self._on_ended)

    def start(self) -> None:
        """Open the journal in the background, then ask the prompts. A model file without a stored hash is hashed
        first."""
        background.run(lambda: _open_journal(self._job), self._on_opened, self.failed.emit)

    def stop(self) -> None:
        """Stop and drop the reply that is being written."""
        self.queue.stop()

    def abandon(self) -> None:
        """End at once and emit no more signals."""
        self.queue.abandon()
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
        if self.queue.is_over:  # abandoned meanwhile
            self._journal.close()
            return
        self.queue.start([key for key in self._prompts if key not in self._journal.replies])

    def _request_of(self, key: str) -> AnswerRequest:
        job, prompt = self._job, self._prompts[key]
        own = Choices(system_prompt=prompt.system, max_tokens=prompt.max_tokens, thought_tokens=0)
        choices = choices_in_force(job.model, own, job.choices)
        turns = (Turn(prompt.question),)
        return AnswerRequest(job.model, turns, job.settings, choices, job.adapters, grammar=prompt.grammar)

    def _on_answered(self, key: str, text: str, outcome: AnswerOutcome) -> None:
        done = outcome.done
        seconds = round(outcome.total_s - outcome.load_s, 4)
        usage = done.usage
        self._keep(key, ModelReply(text.strip(), done.stop_reason, usage.prompt_tokens, usage.answer_tokens, seconds))

    def _on_refused(self, key: str, error: AppError) -> None:
        assert self._journal is not None
        reply = ModelReply("", "failed", error_code=error.code)
        if error.code in ENGINE_FAILURES:  # not stored in the journal, so that the next run asks again
            self._journal.replies[key] = reply
        else:
            self._keep(key, reply)

    def _keep(self, key: str, reply: ModelReply) -> None:
        assert self._journal is not None
        self.queue.store(functools.partial(self._journal.add, key, reply))

    def _report_progress(self) -> None:
        total = len(self._prompts)
        self.progressed.emit(PromptRunProgress(total - len(self.queue.pending), total, self.queue.left_s))

    def _on_ended(self, error: AppError | None) -> None:
        assert self._journal is not None
        self._journal.close()
        if error is not None:
            self.failed.emit(error)
        elif self.queue.pending or self.queue.is_stopped:
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
    prompts = {reply_key(prompt, conditions): prompt for prompt in job.prompts}
    return ReplyJournal(job.journal), prompts
