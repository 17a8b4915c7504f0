"""Many questions from a file, one after another, each on the disk before the next is asked."""

import statistics
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal

from app.core.batch import answer_file, journal
from app.core.batch.journal import Head, Journal
from app.core.batch.questions import Question, QuestionFile
from app.core.batch.report import Report
from app.core.batch.results import Result, label_of
from app.core.documents import labels
from app.core.documents.grounding import CollectionRef
from app.core.documents.library import Library
from app.core.documents.records import Label
from app.core.errors import AppError
from app.core.presets import Choices
from app.core.prompt import Turn
from app.core.records import LocalModel
from app.core.settings import Settings
from app.core.training import runs
from app.core.wording import describe_error
from app.engine.messages import AdapterUse
from app.services import background
from app.services.answer_run import AnswerRequest, AnswerRun, Outcome
from app.services.embedding import Embedding
from app.services.engine import EngineClient
from app.services.grounding import Wanted

RATED = 20  # answers, the latest: the time that is left is told from them
DEATHS_MOST = 2  # of the engine one after another: more are no fault of one question
# What one question can do; everything else would happen to the next one too.
_OF_ONE_QUESTION = frozenset({"context_full", "decode_failed", "text_unreadable"})
_DEATHS = frozenset({"engine_died", "engine_hung"})


@dataclass(frozen=True, slots=True)
class Batch:
    """What is asked of what with what. `choices`: in force. `documents`: the database."""

    questions: QuestionFile
    path: Path  # of the questions
    out: Path
    model: LocalModel
    settings: Settings
    choices: Choices
    documents: Path
    scope: tuple[CollectionRef, ...] = ()
    adapters: tuple[AdapterUse, ...] | None = None  # as of AnswerRequest

    def head(self) -> Head:
        used = "".join(f" + {_name(Path(adapter.path))}:{adapter.strength:g}" for adapter in self.adapters or ())
        if self.adapters == ():
            used = " - adapter"
        return Head(
            str(self.path.absolute()), self.questions.sha256, self.questions.column, self.model.id + used,
            self.model.name + used, self.scope, self.choices, self.settings.context_tokens, time.time(),
        )  # fmt: skip


def _name(adapter: Path) -> str:
    """Those of training runs are all called the same; their folders are not."""
    return adapter.parent.name if adapter.name == runs.ADAPTER else adapter.name


@dataclass(frozen=True, slots=True)
class Standing:
    """How far it is. `left_s`: None until it can be told."""

    done: int
    total: int
    question: str = ""  # the one that is being answered
    left_s: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
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
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        """`embedding`: as of `AnswerRun`."""
        super().__init__(parent)
        self._embedding = embedding
        self.batch = batch
        self._engine = engine
        self._template_command = template_command
        self._lock = QLockFile(str(batch.out) + journal.SUFFIX + ".lock")
        self._lock.setStaleLockTime(0)  # stale only when its process is gone, however long it takes
        self._journal: Journal | None = None
        self._scope_label: Label = labels.DEFAULT
        self._pending: deque[Question] = deque()
        self._run: AnswerRun | None = None
        self._text = ""
        self._deaths = 0
        self._durations: deque[float] = deque(maxlen=RATED)
        self._error: AppError | None = None
        self._made: Report | None = None  # what is being written
        self._held_by: set[str] = set()
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
        background.run(lambda: _opened(self.batch), self._on_opened, self._on_not_opened)

    @property
    def is_answering(self) -> bool:
        return self._run is not None

    def hold(self, by: str) -> None:
        """After the answer that is being written, until everybody who holds it has let it go."""
        self._held_by.add(by)

    def release(self, by: str) -> None:
        self._held_by.discard(by)
        is_waiting = self._journal is not None and self._run is None and not self._is_stopping
        if is_waiting and self._pending and not self._held_by:
            self._next()

    def stop(self) -> None:
        """Drops the answer that is being written; what is answered is put into the file. It can go on later."""
        if self._is_stopping:
            return
        self._is_stopping = True
        if self._run is not None:
            self._run.stop()
        elif self._journal is not None:
            self._save()

    def abandon(self) -> None:
        """At once, without writing the file: the program ends, and the journal has everything."""
        self._is_stopping = True
        if self._run is not None:
            self._run.abandon()
        if self._journal is not None:
            self._journal.close()
        self._lock.unlock()

    # ------------------------------------------------------------------- private

    def _on_opened(self, opened: tuple[Journal, Label]) -> None:
        self._journal, self._scope_label = opened
        known = self._journal.results
        self._pending.extend(
            question
            for question in self.batch.questions.questions
            if question.line not in known or known[question.line].verdict == "failed"
        )
        self.begun.emit(self.standing)
        self._next()

    def _on_not_opened(self, error: AppError) -> None:
        self._lock.unlock()
        self.failed.emit(error)

    @property
    def standing(self) -> Standing:
        total = len(self.batch.questions.questions)
        if self._journal is None:
            return Standing(0, total)
        question = self._pending[0].text if self._pending else ""
        left = round(statistics.fmean(self._durations) * len(self._pending)) if self._durations else None
        return Standing(total - len(self._pending), total, question, left)

    def _next(self) -> None:
        if self._is_stopping or not self._pending:
            self._save()
            return
        self.progressed.emit(self.standing)
        if self._held_by:
            return
        batch, question = self.batch, self._pending[0]
        turns = (Turn(question.text),)
        wanted = Wanted(batch.documents, batch.scope, turns) if batch.scope else None
        request = AnswerRequest(batch.model, turns, batch.settings, batch.choices, batch.adapters, wanted=wanted)
        self._text = ""
        run = self._run = AnswerRun(self._engine, self._template_command, request, self, self._embedding)
        run.text_received.connect(self._on_text)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self._on_stopped)
        run.start()

    def _on_text(self, piece: str) -> None:
        self._text += piece

    def _on_finished(self, outcome: Outcome) -> None:
        if outcome.done.stop_reason == "cancelled":
            self._on_stopped()
            return
        self._deaths = 0
        self._durations.append(outcome.total_s)
        self._keep(_result(self._pending[0], self._text, outcome, self.batch.model, self._scope_label))

    def _on_failed(self, error: AppError) -> None:
        self._deaths += error.code in _DEATHS
        if error.code in _OF_ONE_QUESTION or (error.code in _DEATHS and self._deaths <= DEATHS_MOST):
            words = str(describe_error(error))
            self._keep(
                Result(
                    self._pending[0].line, "failed", error_code=error.code, error=words, model=self.batch.model.id,
                    label=self._scope_label, answered_at=time.time(),
                )
            )  # fmt: skip
            return
        self._error = error
        self._on_stopped()

    def _on_stopped(self) -> None:
        self._forget_run()
        self._save()

    def _keep(self, result: Result) -> None:
        assert self._journal is not None
        self._forget_run()
        try:
            self._journal.add(result)
        except AppError as error:  # the disk is full: what is in the journal stays there
            self._error = error
            self._save()
            return
        self._pending.popleft()
        self.answered.emit(result)
        self._next()

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None

    def _save(self) -> None:
        assert self._journal is not None
        kept = self._journal
        model = self.batch.model
        sha256 = model.files[0].sha256 if model.files else ""
        made = Report(self.batch.questions, kept.head, kept.results, sha256, self._scope_label)
        self._made = made
        background.run(lambda: answer_file.save(made, self.batch.out), self._on_saved, self._on_unsaved)

    def _on_unsaved(self, error: AppError) -> None:
        self._end()
        self.failed.emit(self._error or error)

    def _on_saved(self, _nothing: None) -> None:
        assert self._made is not None
        ended = _ended(self._made)
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


def scope_label(documents: Path, scope: tuple[CollectionRef, ...]) -> Label:
    """Of what is asked: the highest of its collections."""
    if not scope:
        return labels.DEFAULT
    library = Library.beside(documents)
    try:
        return labels.of_scope(library.collections(), scope)
    finally:
        library.close()


def _opened(batch: Batch) -> tuple[Journal, Label]:
    return Journal.open(batch.out, batch.head()), scope_label(batch.documents, batch.scope)


def _result(question: Question, text: str, outcome: Outcome, model: LocalModel, scope: Label) -> Result:
    done, kept = outcome.done, outcome.grounding
    is_cut = done.stop_reason in ("length", "context")
    return Result(
        question.line,
        "length" if is_cut else kept.verdict if kept else "answered",
        text.strip(),
        model=model.id,
        label=label_of(scope, kept),
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


def _ended(made: Report) -> Ended:
    verdicts = [line.verdict for line in made.lines()]
    asked = {line: result for line, result in made.results.items() if result.verdict != "failed"}
    return Ended(
        answered=len(asked),
        not_found=verdicts.count("not_in_documents"),
        doubtful=sum(result.doubts > 0 for result in asked.values()),
        failed=verdicts.count("failed"),
        skipped=verdicts.count("skipped"),
        waiting=verdicts.count("waiting"),
        label=made.label,
    )
