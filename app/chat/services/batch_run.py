"""Many questions from a file, one after another, each on the disk before the next is asked."""

import dataclasses
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal

from app.base import confidentiality
from app.base.authenticity import Signer
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.base.wording import describe_error
from app.chat.batch import answer_file, journal
from app.chat.batch.answer_file import BatchReport
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader, answer_label
from app.chat.batch.question_table import BatchFile, BatchQuestion
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest
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


@dataclass(frozen=True, slots=True)
class Batch:
    """What is asked of what with what. `choices`: in force. `documents`: the database."""

    questions: BatchFile
    path: Path  # of the questions
    out: Path
    model: LocalModel
    settings: Settings
    choices: Choices
    documents: Path
    scope: tuple[CollectionRef, ...] = ()
    adapters: tuple[AdapterUse, ...] | None = None  # as of AnswerRequest
    is_agreed: bool = False  # likewise
    learned: Callable[[], Label] = field(kw_only=True)  # of what model and adapters were trained on, now

    def head(self) -> JournalHeader:
        used = "".join(f" + {_name(Path(adapter.path))}:{adapter.strength:g}" for adapter in self.adapters or ())
        sent = f" @ {model_registry.server_address(self.model)}" if self.model.remote is not None else ""
        if self.adapters == ():
            used = " - adapter"
        return JournalHeader(
            str(self.path.absolute()), self.questions.sha256, self.questions.column, self.model.id + used,
            self.model.name + used + sent, self.scope, self.choices, self.settings.context_tokens, time.time(),
        )  # fmt: skip

    def check(self) -> None:
        """Before confidential answers are put on record. Raises AppError as `check_target` and `check_start`."""
        answer_file.check_target(self.out, self.path)
        journal.check_start(self.out, self.head(), self.seal)

    @property
    def seal(self) -> Signer:
        """Of the data folder, which the documents' database lies in."""
        return Signer(self.documents.parent)


def _name(adapter: Path) -> str:
    """Those of training runs are all called the same; their folders are not."""
    return adapter.parent.name if adapter.name == base_models.ADAPTER else adapter.name


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """How far it is. `left_s`: None until it can be told."""

    done: int
    total: int
    question: str = ""  # the one that is being answered
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class BatchSummary:
    """What the file of answers holds now."""

    answered: int
    not_found: int
    doubtful: int  # answers with sentences to be checked
    failed: int
    skipped: int
    waiting: int
    label: Label


class BatchRun(QObject):
    """Ends with exactly one of `finished`, `stopped` and `failed`; the file of answers holds what there is by then."""

    begun = Signal(object)  # Standing: where it goes on
    progressed = Signal(object)  # Standing
    answered = Signal(object)  # Result
    finished = Signal(object)  # Ended
    stopped = Signal(object)  # Ended
    failed = Signal(object)  # AppError

    def __init__(
        self,
        engine: EngineClient,
        template_command: list[str],
        batch: Batch,
        permit: Permit,
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        """`permit`: of `export_of`. `embedding`: as of `AnswerRun`."""
        super().__init__(parent)
        self.batch = batch
        self._permit = permit
        self._questions = {question.line: question for question in batch.questions.questions}
        self._lock = QLockFile(str(batch.out) + journal.JOURNAL_SUFFIX + ".lock")
        self._lock.setStaleLockTime(0)  # stale only when its process is gone, however long it takes
        self._journal: BatchJournal | None = None
        self._scope_label: Label = confidentiality.DEFAULT_LABEL
        self._queue = AnswerQueue(
            engine, template_command, self._request_of, self, embedding, lambda _text: permit.require()
        )
        self._queue.asked.connect(self._on_asked)
        self._queue.answered.connect(self._on_answered)
        self._queue.refused.connect(self._on_refused)
        self._queue.ended.connect(self._on_ended)
        self._error: AppError | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Opens the journal in the background. A file of answers that cannot be is told before anything is asked."""
        try:
            answer_file.check_target(self.batch.out, self.batch.path)
        except AppError as error:
            self.failed.emit(error)
            return
        if not self._lock.tryLock(0) and self._lock.error() == QLockFile.LockError.LockFailedError:
            self.failed.emit(AppError("batch_running", path=str(self.batch.out)))
            return
        background.run(lambda: _opened(self.batch, self._permit), self._on_opened, self._on_not_opened)

    @property
    def is_answering(self) -> bool:
        return self._queue.is_answering

    def hold(self, by: str) -> None:
        """As of `AnswerQueue`."""
        self._queue.hold(by)

    def release(self, by: str) -> None:
        self._queue.release(by)

    def stop(self) -> None:
        """Drops the answer that is being written; what is answered is put into the file. It can go on later."""
        self._is_stopping = True
        if self._journal is not None:
            self._queue.stop()

    def abandon(self) -> None:
        """At once, without writing the file: the program ends, and the journal has everything."""
        self._queue.abandon()
        if self._journal is not None:
            self._journal.close()
        self._lock.unlock()

    # ------------------------------------------------------------------- private

    def _on_opened(self, opened: tuple[BatchJournal, Label]) -> None:
        self._journal, self._scope_label = opened
        known = self._journal.results
        waiting = [line for line in self._questions if line not in known or known[line].verdict == "failed"]
        self.begun.emit(self._standing(waiting))
        if self._is_stopping:
            self._save()
        else:
            self._queue.start(waiting)

    def _on_not_opened(self, error: AppError) -> None:
        self._lock.unlock()
        self.failed.emit(error)

    @property
    def standing(self) -> BatchStatus:
        return (
            self._standing(self._queue.pending) if self._journal is not None else BatchStatus(0, len(self._questions))
        )

    def _standing(self, waiting: Sequence[Hashable]) -> BatchStatus:
        total = len(self._questions)
        question = self._question(waiting[0]).text if waiting else ""
        return BatchStatus(total - len(waiting), total, question, self._queue.left_s)

    def _question(self, line: Hashable) -> BatchQuestion:
        assert isinstance(line, int)
        return self._questions[line]

    def _request_of(self, line: Hashable) -> AnswerRequest:
        batch, turns = self.batch, (Turn(self._question(line).text),)
        wanted = RetrievalRequest(batch.documents, batch.scope, turns) if batch.scope else None
        return AnswerRequest(
            batch.model, turns, batch.settings, batch.choices, batch.adapters, wanted=wanted, label=self._scope_label,
            is_agreed=batch.is_agreed,
        )  # fmt: skip

    def _on_asked(self, _line: int) -> None:
        self.progressed.emit(self.standing)

    def _on_answered(self, line: int, text: str, outcome: AnswerOutcome) -> None:
        self._keep(answer_of_outcome(line, text, outcome, self.batch.model, self._scope_label))

    def _on_refused(self, line: int, error: AppError) -> None:
        self._keep(failed_answer(line, error, self.batch.model, self._scope_label))

    def _keep(self, result: BatchAnswer) -> None:
        assert self._journal is not None
        try:
            self._journal.add(result)
        except AppError as error:  # the disk is full; the journal stays
            self._error = error
            self._queue.stop()
            return
        self.answered.emit(result)

    def _on_ended(self, error: AppError | None) -> None:
        self._error = self._error or error
        self._save()

    def _save(self) -> None:
        assert self._journal is not None
        kept = self._journal
        model = self.batch.model
        sha256 = model.files[0].sha256 if model.files else ""
        made = BatchReport(self.batch.questions, kept.head, kept.results, sha256, self._scope_label)
        background.run(lambda: _saved(made, self.batch, self._permit), self._on_saved, self._on_unsaved)

    def _on_unsaved(self, error: AppError) -> None:
        self._end()
        self.failed.emit(self._error or error)

    def _on_saved(self, made: BatchReport) -> None:
        ended = _ended(made)
        kept = self._journal
        self._end()
        if self._error is not None:
            self.failed.emit(self._error)
        elif ended.waiting:
            self.stopped.emit(ended)
        else:
            if not ended.failed and kept is not None:
                kept.remove()
            self.finished.emit(ended)

    def _end(self) -> None:
        if self._journal is not None:
            self._journal.close()
        self._lock.unlock()


def batch_label(batch: Batch) -> Label:
    """Of what is asked, and of what the model that answers was trained on, as they are now."""
    return confidentiality.highest_label(
        (collection_lookup.current_label_of_scope(batch.documents, batch.scope), batch.learned())
    )


def batch_export(batch: Batch) -> ExportRequest:
    named = " / ".join([*(ref.name for ref in batch.scope), batch.model.name])
    return ExportRequest("answers", str(batch.out.absolute()), lambda: batch_label(batch), named)


def _opened(batch: Batch, permit: Permit) -> tuple[BatchJournal, Label]:
    return BatchJournal.open(permit.at(batch.out), batch.head(), batch.seal), batch_label(batch)


def _saved(report: BatchReport, batch: Batch, permit: Permit) -> BatchReport:
    """Write the file, labelled as what was asked is by now: answers take hours."""
    made = dataclasses.replace(report, scope_label=batch_label(batch))
    answer_file.save_answers(made, batch.out, permit=permit)
    return made


def answer_of_outcome(line: int, text: str, outcome: AnswerOutcome, model: LocalModel, scope: Label) -> BatchAnswer:
    """`scope`: the label of what was asked."""
    done, kept = outcome.done, outcome.grounding
    is_cut = done.stop_reason in ("length", "context")
    return BatchAnswer(
        line,
        "length" if is_cut else kept.verdict if kept else "answered",
        text.strip(),
        model=model.id,
        label=answer_label(scope, kept),
        seed=done.seed,
        prompt_tokens=done.usage.prompt_tokens,
        cached_tokens=done.usage.cached_tokens,
        answer_tokens=done.usage.answer_tokens,
        load_s=outcome.load_s,
        first_token_s=done.timings.first_token_s,
        total_s=outcome.total_s,
        tokens_per_s=done.usage.answer_tokens / done.timings.answer_s if done.timings.answer_s > 0 else 0.0,
        answered_at=time.time(),
        grounding=kept,
    )


def failed_answer(line: int, error: AppError, model: LocalModel, scope: Label) -> BatchAnswer:
    """Of a question that could not be answered."""
    words = str(describe_error(error))
    return BatchAnswer(
        line, "failed", error_code=error.code, error=words, model=model.id, label=scope, answered_at=time.time()
    )


def _ended(made: BatchReport) -> BatchSummary:
    verdicts = [line.verdict for line in made.lines()]
    asked = {line: result for line, result in made.results.items() if result.verdict != "failed"}
    return BatchSummary(
        answered=len(asked),
        not_found=verdicts.count("not_in_documents"),
        doubtful=sum(result.doubts > 0 for result in asked.values()),
        failed=verdicts.count("failed"),
        skipped=verdicts.count("skipped"),
        waiting=verdicts.count("waiting"),
        label=made.label,
    )
