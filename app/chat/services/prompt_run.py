"""Prompts that stand for themselves, asked of one model one after another, with a journal of the replies."""

import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.files import input_file
from app.base.services import background
from app.base.settings import Settings
from app.chat.presets import Choices
from app.chat.services.answer_queue import DEATHS, AnswerQueue
from app.chat.services.answer_run import AnswerRequest, Outcome, in_force
from app.inference import reply_journal
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.reply_journal import ModelReply, ReplyJournal, StandalonePrompt
from app.inference.services.engine import EngineClient
from app.models import local_models, model_registry

LIKELIEST = Choices(temperature=0.0, repeat_penalty=1.0, seed=0)  # the same reply each time


@dataclass(frozen=True, slots=True)
class PromptJob:
    """`choices`: beside the prompt's own; what they leave open is the model card's. `adapters`: as of AnswerRequest."""

    model: LocalModel
    settings: Settings
    prompts: tuple[StandalonePrompt, ...]
    journal: Path
    choices: Choices = LIKELIEST
    adapters: tuple[AdapterUse, ...] | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """`left_s`: None until it can be told."""

    done: int
    total: int
    left_s: int | None = None


class PromptRun(QObject):
    """Ends with exactly one of `finished`, `stopped` and `failed`; the journal holds what was replied by then."""

    progressed = Signal(object)  # Progress
    finished = Signal(object)  # dict[Prompt, Reply]: of all prompts of the job
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
        """`permit`: as of `AnswerQueue`."""
        super().__init__(parent)
        self._job = job
        self._prompts: dict[str, StandalonePrompt] = {}  # by key, each once
        self._journal: ReplyJournal | None = None
        self._error: AppError | None = None
        self._is_stopped = False
        self._queue = AnswerQueue(engine, template_command, self._request_of, self, permit=permit)
        self._queue.asked.connect(lambda _key: self._tell())
        self._queue.answered.connect(self._on_answered)
        self._queue.refused.connect(self._on_refused)
        self._queue.ended.connect(self._on_ended)

    def start(self) -> None:
        """Opens the journal in the background: a model that is not known by its hash is read first."""
        background.run(lambda: _opened(self._job), self._on_opened, self.failed.emit)

    def stop(self) -> None:
        """Drops the reply that is being written."""
        self._is_stopped = True
        if self._journal is not None:
            self._queue.stop()

    def hold(self, by: str) -> None:
        """As of `AnswerQueue`."""
        self._queue.hold(by)

    def release(self, by: str) -> None:
        self._queue.release(by)

    def abandon(self) -> None:
        """At once; says nothing more."""
        self._is_stopped = True
        self._queue.abandon()
        if self._journal is not None:
            self._journal.close()

    @property
    def replied(self) -> dict[StandalonePrompt, ModelReply]:
        """So far, of the prompts of the job."""
        kept = self._journal.replies if self._journal is not None else {}
        return {prompt: kept[key] for key, prompt in self._prompts.items() if key in kept}

    # ------------------------------------------------------------------- private

    def _on_opened(self, opened: tuple[ReplyJournal, dict[str, StandalonePrompt]]) -> None:
        self._journal, self._prompts = opened
        if self._is_stopped:
            self._on_ended(None)
            return
        self._queue.start([key for key in self._prompts if key not in self._journal.replies])

    def _request_of(self, key: Hashable) -> AnswerRequest:
        job, prompt = self._job, self._prompts[str(key)]
        own = Choices(system_prompt=prompt.system, max_tokens=prompt.max_tokens).over(job.choices)
        choices = in_force(job.model, own)
        turns = (Turn(prompt.question),)
        return AnswerRequest(job.model, turns, job.settings, choices, job.adapters, grammar=prompt.grammar)

    def _on_answered(self, key: str, text: str, outcome: Outcome) -> None:
        done = outcome.done
        seconds = round(outcome.total_s - outcome.load_s, 4)
        usage = done.usage
        self._keep(key, ModelReply(text.strip(), done.stop_reason, usage.prompt_tokens, usage.answer_tokens, seconds))

    def _on_refused(self, key: str, error: AppError) -> None:
        reply = ModelReply("", "failed", error_code=error.code)
        if error.code in DEATHS:  # asked again the next time
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

    def _tell(self) -> None:
        total = len(self._prompts)
        self.progressed.emit(Progress(total - len(self._queue.pending), total, self._queue.left_s))

    def _on_ended(self, error: AppError | None) -> None:
        assert self._journal is not None
        self._journal.close()
        error = self._error or error
        if error is not None:
            self.failed.emit(error)
        elif self._queue.pending or self._is_stopped:
            self.stopped.emit()
        else:
            self._tell()
            self.finished.emit(self.replied)


def answered_by(job: PromptJob) -> str:
    """All that a reply depends on beside its prompt. Reads files whose hash is not known whole; raises AppError."""
    model = job.model
    if model.remote is not None:  # what it says today and tomorrow need not be the same model's
        raise AppError("remote_cannot", address=model_registry.server_address(model))
    used = local_models.with_adapters(model, job.adapters)[1]
    adapters = [[input_file.sha256_of(Path(use.path)), use.strength] for use in used]
    sha256 = (model.files[0].sha256 if model.files else "") or input_file.sha256_of(Path(model.path))
    context = job.settings.context_tokens
    return json.dumps([sha256, model.form_id, model.template_allowed, adapters, job.choices.as_dict(), context])


def _opened(job: PromptJob) -> tuple[ReplyJournal, dict[str, StandalonePrompt]]:
    try:
        mark = answered_by(job)
    except OSError as error:
        raise AppError("model_missing", path=job.model.path) from error
    prompts = {reply_journal.reply_key(prompt, mark): prompt for prompt in job.prompts}
    return ReplyJournal(job.journal), prompts
