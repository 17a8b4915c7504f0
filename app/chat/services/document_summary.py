"""Summarize a document with a model, part by part; an interrupted summary goes on where it stopped."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base.confidentiality import LABELS, Label
from app.base.errors import AppError
from app.base.services import background
from app.base.services.background import LongTask, TaskProgress
from app.base.settings import Settings
from app.chat.services.prompt_run import PromptJob, PromptRun, PromptRunProgress
from app.documents import whole_document
from app.documents.overview import summary, summary_journals
from app.documents.overview.result_table import ResultTable
from app.documents.overview.summary import ModelSummary
from app.documents.retrieval import excerpts
from app.documents.whole_document import WholeDocument
from app.inference.local_model import LocalModel
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.inference.services.engine import EngineClient
from app.models import local_models


@dataclass(frozen=True, slots=True)
class SummaryJob:
    """A document, or the chapter with this title, and the model that sums it up. `documents`: the database's path.

    A model that is too small or on a server writes nothing: the document is quoted. `training_label`: returns the label
    of what the model was trained on.
    """

    documents: Path
    document_id: int
    model: LocalModel
    settings: Settings
    chapter: str = ""
    training_label: Callable[[], Label] = lambda: LABELS[0]


class SummaryRun(QObject):
    """Writes one summary. It emits exactly one of `finished`, `stopped` and `failed`; the journal keeps all replies."""

    progressed = Signal(int, int, object)  # done, total (of this round, if a model writes), seconds left or None
    finished = Signal(object)  # ResultTable
    stopped = Signal()
    failed = Signal(object)  # AppError

    def __init__(
        self, engine: EngineClient, template_command: list[str], job: SummaryJob, parent: QObject | None = None
    ) -> None:
        super().__init__(parent)
        self._engine, self._template_command, self._job = engine, template_command, job
        self._task: LongTask | None = None
        self._run: PromptRun | None = None
        self._journal = job.documents
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

    def _begin(self, work: Callable[[TaskProgress], object], on_done: Callable[..., None]) -> None:
        def done(result: object) -> None:
            self._task = None
            if self._is_stopping:
                self._on_stopped()
            elif not self._is_over:
                on_done(result)

        self._task = background.run_long(
            work, done, self._fail, lambda done, total: self.progressed.emit(done, total, None), self._on_stopped
        )

    def _on_prepared(self, prepared: tuple[WholeDocument, range, bool]) -> None:
        document, rows, is_quoted = prepared
        if is_quoted:
            self._begin(lambda progress: summary.quote_clauses(document, rows, progress.report), self._end)
            return
        sha256 = document.document.sha256 if document.document else ""
        self._journal = summary_journals.journal_of(self._job.documents, sha256)
        self._summary = ModelSummary(document, rows)
        self._ask()

    def _ask(self) -> None:
        job, prompts = self._job, self._summary.prompts
        if not prompts:
            self._begin(
                lambda _progress: replace(self._summary.table(job.model.name), least_label=job.training_label()),
                self._end,
            )
            return
        run = self._run = PromptRun(
            self._engine, self._template_command, PromptJob(job.model, job.settings, prompts, self._journal), self
        )
        run.progressed.connect(self._on_progressed)
        run.finished.connect(self._on_replied)
        run.stopped.connect(self._on_stopped)
        run.failed.connect(self._fail)
        run.start()

    def _on_progressed(self, progress: PromptRunProgress) -> None:
        self.progressed.emit(progress.done, progress.total, progress.left_s)

    def _on_replied(self, replies: dict[StandalonePrompt, ModelReply]) -> None:
        self._forget_run()
        self._begin(lambda _progress: self._summary.take(replies), lambda _nothing: self._ask())

    def _on_stopped(self) -> None:
        self._forget_run()
        if not self._is_over:
            self._is_over = True
            self.stopped.emit()

    def _end(self, table: ResultTable) -> None:
        self._is_over = True
        self.finished.emit(table)

    def _fail(self, error: AppError) -> None:
        self._forget_run()
        if not self._is_over:
            self._is_over = True
            self.failed.emit(error)

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None


def _prepare(job: SummaryJob, progress: TaskProgress) -> tuple[WholeDocument, range, bool]:
    """Return the document, the rows to sum up, and whether they are quoted. Raises AppError("document_not_readable" |
    "chapter_unknown")."""
    document = whole_document.load(job.documents, job.document_id, progress.check)
    if document is None or not document.sections:
        raise AppError("document_not_readable")
    summary_journals.remove_orphans(job.documents)
    is_quoted = job.model == local_models.NO_MODEL or job.model.remote is not None or excerpts.is_too_small(job.model)
    return document, summary.rows_of_chapter(document, job.chapter), is_quoted
