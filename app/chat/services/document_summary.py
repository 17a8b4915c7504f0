"""Summarize a document with a model, part by part; an interrupted summary goes on where it stopped."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.confidentiality import LABELS, Label
from app.base.errors import AppError
from app.base.services.background import LongTask, TaskProgress, run_long
from app.base.settings import Settings
from app.chat.services.prompt_run import PromptJob, PromptRun
from app.documents import whole_document
from app.documents.overview import summary
from app.documents.overview.summary import ModelSummary
from app.inference.local_model import LocalModel
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.inference.services.engine import EngineClient


@dataclass(frozen=True, slots=True)
class SummaryJob:
    """A document, or a chapter of it, and the model. `training_label`: of what the model was trained on."""

    documents: Path
    document_id: int
    model: LocalModel
    settings: Settings
    chapter: str = ""
    training_label: Callable[[], Label] = lambda: LABELS[0]


class SummaryRun(QObject):
    """Writes one summary. It emits exactly one of `finished`, `stopped` and `failed`; the journal keeps all replies."""

    progressed = Signal(int, int, object)  # done, total (of this round), seconds left or None
    finished = Signal(object)  # ResultTable
    stopped = Signal()
    failed = Signal(object)  # AppError

    def __init__(self, engine: EngineClient, job: SummaryJob, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine, self._job = engine, job
        self._task: LongTask | None = None
        self._run: PromptRun | None = None
        self._is_stopping = self._is_over = False

    def start(self) -> None:
        self._begin(partial(_prepare, self._job), self._on_prepared)

    def stop(self) -> None:
        """Stop and drop the sentences that are being written."""
        self._is_stopping = True
        if self._run is not None:
            self._run.stop()
        elif self._task is not None:
            self._task.cancel()

    def abandon(self) -> None:
        """End at once and emit no more signals."""
        self._is_over = True
        if self._run is not None:
            self._run.abandon()
        if self._task is not None:
            self._task.cancel()

    # ------------------------------------------------------------------- private

    def _begin(self, work: Callable[[TaskProgress], Any], on_done: Callable[[Any], None]) -> None:
        def done(result: object) -> None:
            self._task = None
            if self._is_stopping:
                self._end(self.stopped)
            elif not self._is_over:
                on_done(result)

        failed, stopped = partial(self._end, self.failed), partial(self._end, self.stopped)
        self._task = run_long(work, done, failed, None, stopped)

    def _on_prepared(self, prepared: tuple[ModelSummary, Path]) -> None:
        self._summary, self._journal = prepared
        self._ask()

    def _ask(self) -> None:
        job, prompts = self._job, self._summary.prompts
        if not prompts:
            self._begin(
                lambda _progress: replace(self._summary.table(job.model.name), least_label=job.training_label()),
                partial(self._end, self.finished),
            )
            return
        asked = PromptJob(job.model, job.settings, prompts, self._journal)
        run = self._run = PromptRun(self._engine, asked, self)
        run.progressed.connect(lambda progress: self.progressed.emit(progress.done, progress.total, progress.left_s))
        run.finished.connect(self._on_replied)
        run.stopped.connect(lambda: self._end(self.stopped))
        run.failed.connect(lambda error: self._end(self.failed, error))
        run.start()

    def _on_replied(self, replies: dict[StandalonePrompt, ModelReply]) -> None:
        self._forget_run()
        self._begin(lambda _progress: self._summary.take(replies), lambda _nothing: self._ask())

    def _end(self, signal: SignalInstance, *result: object) -> None:
        self._forget_run()
        if not self._is_over:
            self._is_over = True
            signal.emit(*result)

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None


def _prepare(job: SummaryJob, progress: TaskProgress) -> tuple[ModelSummary, Path]:
    """Return the summary and the file of its replies. Raises AppError("document_not_readable" | "chapter_unknown")."""
    document = whole_document.load(job.documents, job.document_id, progress.check)
    if document is None or document.document is None or not document.sections:
        raise AppError("document_not_readable")
    whole_document.remove_orphaned_summaries(job.documents)
    made = ModelSummary(document, summary.rows_of_chapter(document, job.chapter))
    return made, whole_document.summary_journal_of(job.documents, document.document.sha256)
