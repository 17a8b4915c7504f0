"""Answer many questions from a file; each answer is on the disk before it is reported."""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.authenticity import Signer
from app.base.confidentiality import DEFAULT_LABEL, ExportRequest, Label, Permit, highest_label
from app.base.errors import AppError
from app.base.services import background
from app.base.services.process_lock import ProcessLock
from app.base.settings import Settings
from app.base.wording import describe_error, phrase
from app.chat.batch import answer_file, journal
from app.chat.batch.answer_file import BatchReport
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.chat.batch.question_table import BatchFile
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, answer_of_outcome
from app.chat.services.prompt_run import AnswerQueue
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.embedding import Embedding
from app.inference.engine.messages import AdapterUse
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.inference.services.engine import EngineClient
from app.models import base_models, model_registry

# Errors whose usual messages are about a conversation.
_EXPLAINED = frozenset({"context_full", "decode_failed", "engine_died", "engine_hung"})


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch with its model and settings. `documents` is the path of the documents' database."""

    questions: BatchFile
    path: Path  # the questions file
    out: Path
    model: LocalModel
    settings: Settings
    choices: Choices
    documents: Path
    scope: tuple[CollectionRef, ...] = ()
    adapters: tuple[AdapterUse, ...] | None = None  # as in AnswerRequest
    is_agreed: bool = False  # as in AnswerRequest
    training_label: Callable[[], Label] = field(kw_only=True)  # label of the training data of model and adapters

    def head(self) -> JournalHeader:
        """Return the header of the journal. Its model id names the adapters, and its model name also the server."""
        used = ""
        for adapter in self.adapters or ():  # all adapters of runs have the same file name
            path = Path(adapter.path)
            used += f" + {(path.parent if path.name == base_models.ADAPTER else path).name}:{adapter.strength:g}"
        sent = f" @ {model_registry.server_address(self.model)}" if self.model.remote is not None else ""
        if self.adapters == ():
            used = " - adapter"
        return JournalHeader(
            str(self.path.absolute()), self.questions.sha256, self.questions.column, self.model.id + used,
            self.model.name + used + sent, self.scope, self.choices, self.settings.context_tokens, time.time(),
        )  # fmt: skip

    def check(self) -> None:
        """Check that the batch can begin. Raises AppError as `check_target` and `check_start`."""
        answer_file.check_target(self.out, self.path)
        journal.check_start(self.out, self.head(), self.signer)

    @property
    def signer(self) -> Signer:
        """Return the signer of the data folder, which contains the documents' database."""
        return Signer(self.documents.parent)


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """The progress of a batch in questions. `left_s` are the seconds left, None until they can be estimated."""

    done: int
    total: int
    question: str = ""  # the question that is being answered
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """The numbers of rows in the file of answers, by result."""

    answered: int
    not_found: int
    doubtful: int  # answers with at least one sentence that a person should check
    failed: int
    skipped: int
    waiting: int
    label: Label


class BatchRun(QObject):
    """Answers a batch. Emits exactly one of `ended` and `failed`, after writing the answers so far."""

    begun = Signal(object)  # BatchStatus at the beginning, with the questions that an earlier run answered
    progressed = Signal(object)  # BatchStatus
    answered = Signal(object)  # BatchAnswer
    ended = Signal(object)  # BatchSummary; some questions are `waiting` if the batch was stopped
    failed = Signal(object)  # AppError

    def __init__(
        self,
        engine: EngineClient,
        batch: Batch,
        permit: Permit,
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        """Prepare the run. `permit` must be the permit for `batch_export(batch)`; `embedding` is as in `AnswerRun`."""
        super().__init__(parent)
        self.batch = batch
        self._permit = permit
        self._questions = {question.line: question for question in batch.questions.questions}
        self._lock = ProcessLock(Path(f"{batch.out}{journal.JOURNAL_SUFFIX}.lock"))
        self._journal: BatchJournal | None = None
        self._scope_label: Label = DEFAULT_LABEL
        self.queue = AnswerQueue(engine, self._request_of, self, embedding, lambda _text: permit.require())
        self.queue.progressed.connect(lambda: self.progressed.emit(self.status))
        self.queue.answered.connect(self._on_answered)
        self.queue.refused.connect(self._on_refused)
        self.queue.ended.connect(self._on_ended)
        self._error: AppError | None = None  # of the queue

    def start(self) -> None:
        """Open the journal in the background, then ask the questions; emit `failed` if answers cannot be written."""
        if not self._lock.take():
            self.failed.emit(AppError("batch_running", path=str(self.batch.out)))
            return
        background.run(lambda: _open_journal(self.batch, self._permit), self._on_opened, self._on_failed)

    def stop(self) -> None:
        """Drop the answer that is being written, and save the others. The batch can be resumed."""
        self.queue.stop()

    def abandon(self) -> None:
        """End at once without writing the file of answers, because the program ends; the journal has all answers."""
        self.queue.abandon()
        self._lock.unlock()

    # ------------------------------------------------------------------- private

    def _on_opened(self, opened: tuple[BatchJournal, Label]) -> None:
        self._journal, self._scope_label = opened
        known = self._journal.results
        pending = [line for line in self._questions if line not in known or known[line].verdict == "failed"]
        self.begun.emit(self._status_of(pending))
        self.queue.start(pending)

    def _on_failed(self, error: AppError) -> None:
        self._lock.unlock()
        self.failed.emit(self._error or error)

    @property
    def status(self) -> BatchStatus:
        return self._status_of(self.queue.pending if self._journal is not None else tuple(self._questions))

    def _status_of(self, pending: Sequence[int]) -> BatchStatus:
        total = len(self._questions)
        question = self._questions[pending[0]].text if pending and self._journal is not None else ""
        return BatchStatus(total - len(pending), total, question, self.queue.left_s)

    def _request_of(self, line: int) -> AnswerRequest:
        batch, turns = self.batch, (Turn(self._questions[line].text),)
        wanted = RetrievalRequest(batch.documents, batch.scope, turns) if batch.scope else None
        return AnswerRequest(
            batch.model, turns, batch.settings, batch.choices, batch.adapters, retrieval=wanted,
            label=self._scope_label, is_agreed=batch.is_agreed,
        )  # fmt: skip

    def _on_answered(self, line: int, text: str, outcome: AnswerOutcome) -> None:
        self._store_answer(answer_of_outcome(line, text, outcome, self.batch.model, self._scope_label))

    def _on_refused(self, line: int, error: AppError) -> None:
        self._store_answer(failed_answer(line, error, self.batch.model, self._scope_label))

    def _store_answer(self, result: BatchAnswer) -> None:
        assert self._journal is not None
        if self.queue.store(functools.partial(self._journal.add, result)):
            self.answered.emit(result)

    def _on_ended(self, error: AppError | None) -> None:
        assert self._journal is not None
        self._error, answers, model = error, self._journal, self.batch.model
        sha256 = model.files[0].sha256 if model.files else ""
        report = BatchReport(self.batch.questions, answers.head, answers.results, sha256, self._scope_label)
        background.run(lambda: _save_answers(report, self.batch, self._permit), self._on_saved, self._on_failed)

    def _on_saved(self, report: BatchReport) -> None:
        if self._error is not None:
            self._on_failed(self._error)
            return
        summary = _summary_of(report)
        self._lock.unlock()
        if not summary.waiting and not summary.failed and self._journal is not None:
            self._journal.remove()
        self.ended.emit(summary)


def batch_label(batch: Batch) -> Label:
    """Return the current label of the searched collections and of the training data of the model that answers."""
    return highest_label(
        (collection_lookup.current_label_of_scope(batch.documents, batch.scope), batch.training_label())
    )


def batch_export(batch: Batch) -> ExportRequest:
    """Return the request to export the answers. It computes their label whenever the label is needed."""
    named = " / ".join([*(ref.name for ref in batch.scope), batch.model.name])
    return ExportRequest("answers", str(batch.out.absolute()), lambda: batch_label(batch), named)


def _open_journal(batch: Batch, permit: Permit) -> tuple[BatchJournal, Label]:
    answer_file.check_target(batch.out, batch.path)
    return BatchJournal.open(permit.at(batch.out), batch.head(), batch.signer), batch_label(batch)


def _save_answers(report: BatchReport, batch: Batch, permit: Permit) -> BatchReport:
    """Write the file of answers with the labels that the collections have by now, hours later."""
    report = dataclasses.replace(report, scope_label=batch_label(batch))
    answer_file.save_answers(report, batch.out, permit=permit)
    return report


def failed_answer(line: int, error: AppError, model: LocalModel, scope: Label) -> BatchAnswer:
    """Return the stored form of a question without an answer; arguments as of `answer_of_outcome`."""
    is_explained = error.code in _EXPLAINED
    message = phrase(f"chat.batch_error.{error.code}", **error.facts) if is_explained else str(describe_error(error))
    return BatchAnswer(
        line, "failed", error_code=error.code, error=message, model=model.id, label=scope, answered_at=time.time()
    )


def _summary_of(report: BatchReport) -> BatchSummary:
    verdicts = [line.verdict for line in report.lines()]
    asked = {line: result for line, result in report.results.items() if result.verdict != "failed"}
    return BatchSummary(
        answered=len(asked),
        not_found=verdicts.count("not_in_documents"),
        doubtful=sum(result.doubts > 0 or result.verdict == "near" for result in asked.values()),
        failed=verdicts.count("failed"),
        skipped=verdicts.count("skipped"),
        waiting=verdicts.count("waiting"),
        label=report.label,
    )
