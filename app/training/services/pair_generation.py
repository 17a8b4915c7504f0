"""Generate question-answer pairs from a collection, in rounds until there are enough or no passages are left.

A journal next to the output file stores the model's replies, and the file is written once all replies are judged. So
the same job can resume after any interruption.
"""

import time
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app import __version__
from app.base import confidentiality
from app.base.confidentiality import ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files import input_file
from app.base.files.output_file import check_new_target
from app.base.paths import Paths
from app.base.services import background
from app.base.settings import Settings
from app.chat.services.prompt_run import PromptJob, PromptRun, PromptRunProgress
from app.documents import collection_lookup
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import DocumentCollection
from app.documents.retrieval import passage_search, retrieved_passages
from app.inference.local_model import LocalModel
from app.inference.reply_journal import ModelReply, StandalonePrompt
from app.inference.services.engine import EngineClient
from app.models import base_models, local_models
from app.training.generation import generation_plan, pair_files, prompts
from app.training.generation.generation_plan import GenerationPlan, GenerationStatus, SelectedPassages
from app.training.generation.pair_records import PairWriter
from app.training.runs import lineage

JOURNAL_SUFFIX = ".kotae-generate"
SUFFIXES = (".jsonl",)
SEARCHED = 20  # most passages searched for an answer to an unanswerable question


@dataclass(frozen=True, slots=True)
class GenerationJob:
    """A job to generate pairs. `out`: the output file. `pair_count`: number of pairs. `seed`: order of the passages.

    `is_agreed`: the user agreed to pairs from confidential documents.
    """

    where: Paths
    collection: DocumentCollection
    out: Path
    pair_count: int
    seed: int
    model: LocalModel
    settings: Settings
    is_agreed: bool = False

    @property
    def export_request(self) -> ExportRequest:
        """Return the export request for the pairs; its label covers the collection and the model's training data."""
        return ExportRequest(
            "pairs",
            str(self.out.absolute()),
            lambda: pairs_label_now(self.where.documents, self.collection, self.model),
            self.collection.name,
        )

    @property
    def journal(self) -> Path:
        return self.out.with_name(self.out.name + JOURNAL_SUFFIX)


@dataclass(frozen=True, slots=True)
class GenerationOutcome:
    """The result of a generation. `selected`: the passages to ask about. `seconds`: since the last start or resume."""

    job: GenerationJob
    standing: GenerationStatus
    selected: SelectedPassages
    seconds: float

    @property
    def file(self) -> Path | None:
        """Return the path of the pairs' file; None if no pair was accepted."""
        return self.job.out if self.standing.accepted else None


@dataclass(frozen=True, slots=True)
class GenerationProgress:
    """The progress of a generation.

    `accepted`: pairs accepted before this round, of `pair_count`; `round`: progress within the round. `passages`:
    number of suitable passages.
    """

    accepted: int
    pair_count: int
    round: PromptRunProgress
    passages: int


@dataclass(frozen=True, slots=True)
class GenerationStopped:
    """The numbers of accepted pairs and of replies when a generation was stopped."""

    accepted: int = 0
    replies: int = 0


@dataclass(frozen=True, slots=True)
class _Prepared:
    plan: GenerationPlan
    selected: SelectedPassages
    writer: PairWriter


def pairs_label_now(documents: Path, collection: DocumentCollection, model: LocalModel) -> Label:
    """Return the label that pairs get which this model writes about this collection."""
    asked = collection_lookup.current_label_of_scope(documents, (CollectionRef(collection.id, collection.name),))
    return confidentiality.highest_label((asked, lineage.label_of_model(documents, model)))


def check_target(out: Path) -> None:
    """Raise an error if the output file cannot be written.

    Raises AppError("generation_out_format" | "export_folder_gone" | "export_exists").
    """
    check_new_target(out, SUFFIXES, "generation_out_format")


class PairGeneration(QObject):
    """Generates pairs. It ends with exactly one of `finished`, `stopped` and `failed`, unless it is abandoned.

    If no pair is accepted, it finishes without a file.
    """

    progressed = Signal(object)  # GenerationProgress
    finished = Signal(object)  # GenerationOutcome
    stopped = Signal(object)  # GenerationStopped
    failed = Signal(object)  # AppError

    def __init__(self, engine: EngineClient, job: GenerationJob, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._engine = engine
        self.job = job
        self._prepared: _Prepared | None = None
        self._replies: dict[StandalonePrompt, ModelReply] = {}
        self._lacking: dict[str, bool] = {}
        self._standing = GenerationStatus(job.pair_count)
        self._run: PromptRun | None = None
        self._started_at = 0.0
        self._is_over = self._is_writing = False
        self._permit: Permit | None = None
        self._held_by: set[str] = set()

    def start(self) -> None:
        self._started_at = time.monotonic()
        background.run(lambda: _prepared(self.job), self._on_prepared, self._fail)

    def stop(self) -> None:
        """Stop and drop the reply in progress; the journal keeps the others. A file being written is completed."""
        if self._run is not None:
            self._run.stop()
        elif not self._is_over and not self._is_writing:
            self._is_over = True
            self.stopped.emit(GenerationStopped(len(self._standing.accepted), len(self._replies)))

    def hold(self, holder: str) -> None:
        """Pause the generation until `release` is called with the same `holder`, as in `AnswerQueue`."""
        self._held_by.add(holder)
        if self._run is not None:
            self._run.queue.hold(holder)

    def release(self, holder: str) -> None:
        self._held_by.discard(holder)
        if self._run is not None:
            self._run.queue.release(holder)

    def abandon(self) -> None:
        """End at once without emitting a signal."""
        self._is_over = True
        if self._run is not None:
            self._run.abandon()

    # ------------------------------------------------------------- private methods

    def _on_prepared(self, prepared: _Prepared) -> None:
        if not self._is_over:
            self._prepared = prepared
            self._decide()

    def _decide(self) -> None:
        assert self._prepared is not None
        made, replies, lacking = self._prepared.plan, self._replies, self._lacking
        background.run(lambda: _compute_status(self.job, made, replies, lacking), self._on_decided, self._fail)

    def _on_decided(self, standing: GenerationStatus) -> None:
        if self._is_over:
            return
        self._standing = standing
        if not standing.prompts:
            self._save_pairs()
            return
        job = self.job
        asked = PromptJob(job.model, job.settings, tuple(standing.prompts), job.journal)
        run = self._run = PromptRun(self._engine, asked, self, self._require_permit)
        run.progressed.connect(self._on_progressed)
        run.finished.connect(self._on_replied)
        run.stopped.connect(self._on_stopped)
        run.failed.connect(self._fail)
        for by in self._held_by:
            run.queue.hold(by)
        run.start()

    def _pass_gate(self) -> Permit:
        """Return the export permit; it is requested just before the first confidential text is written.

        Raises AppError("secret_export" | "export_log_unwritable").
        """
        job = self.job
        if self._permit is None:
            self._permit = confidentiality.permit_export(
                job.export_request, job.where.exports_log, is_agreed=job.is_agreed
            )
        self._permit.require()
        return self._permit

    def _require_permit(self, text: str) -> None:
        """Require the permit before the text is stored. Raises AppError as `_pass_gate` does."""
        if text.strip():
            self._pass_gate()

    def _save_pairs(self) -> None:
        assert self._prepared is not None
        self._is_writing = True
        writer, seconds = self._prepared.writer, time.monotonic() - self._started_at
        generated = GenerationOutcome(self.job, self._standing, self._prepared.selected, seconds)

        def work() -> GenerationOutcome:  # the documents may have become confidential since the last reply
            permit = self._pass_gate() if generated.standing.accepted else None
            return _write_pairs(generated, writer, permit)

        background.run(work, self._on_written, self._fail)

    def _on_progressed(self, progress: PromptRunProgress) -> None:
        assert self._prepared is not None
        passages = len(self._prepared.selected.passages)
        self.progressed.emit(GenerationProgress(len(self._standing.accepted), self.job.pair_count, progress, passages))

    def _on_replied(self, replies: dict[StandalonePrompt, ModelReply]) -> None:
        self._forget_run()
        self._replies.update(replies)
        self._decide()

    def _on_stopped(self) -> None:
        assert self._run is not None
        assert self._prepared is not None
        self._replies.update(self._run.replied)
        self._forget_run()
        self._is_over = True
        made, replies, lacking = self._prepared.plan, self._replies, self._lacking
        background.run(lambda: _compute_status(self.job, made, replies, lacking), self._on_counted, self._on_uncounted)

    def _on_counted(self, standing: GenerationStatus) -> None:
        self.stopped.emit(GenerationStopped(len(standing.accepted), len(self._replies)))

    def _on_uncounted(self, _error: AppError) -> None:
        self._on_counted(self._standing)

    def _on_written(self, generated: GenerationOutcome) -> None:
        if not self._is_over:
            self._is_over = True
            self.finished.emit(generated)

    def _fail(self, error: AppError) -> None:
        self._forget_run()
        if not self._is_over:
            self._is_over = True
            self.failed.emit(error)

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None


def _prepared(job: GenerationJob) -> _Prepared:
    """Select passages and describe the model.

    Raises AppError as `check_target` does, and "generation_no_passages" | "file_unreadable".
    """
    check_target(job.out)
    library = Library.open_second(job.where.documents)
    try:
        selected = generation_plan.select_passages(
            library, job.collection, job.seed, generation_plan.max_passages(job.pair_count)
        )
    finally:
        library.close()
    if not selected.passages:
        raise AppError("generation_no_passages", name=job.collection.name, sections=selected.sections)
    made = GenerationPlan(selected.passages, job.pair_count, prompts.prompt_text("not_there"))
    return _Prepared(made, selected, _writer(job))


def _writer(job: GenerationJob) -> PairWriter:
    """Return the description of the model that writes the pairs. Raises AppError("file_unreadable")."""
    shipped = local_models.adapter_of(job.model)
    path = shipped.path if shipped is not None else None
    try:
        adapter = input_file.sha256_of(path) if path is not None else ""
    except OSError as error:
        raise AppError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    return PairWriter(job.model.name, base_models.sha256_of_model(job.model), adapter, job.seed, __version__)


def _compute_status(
    job: GenerationJob, plan: GenerationPlan, replies: dict[StandalonePrompt, ModelReply], lacking: dict[str, bool]
) -> GenerationStatus:
    """Compute the status from the replies.

    `lacking`: a cache of whether the collection lacks an answer to a question, since each round judges all replies
    again.
    """
    library = Library.open_second(job.where.documents)

    def lacks(question: str) -> bool:
        if question not in lacking:
            ids = [job.collection.id]
            found = passage_search.search(library, question, ids, SEARCHED, job.where.glossary)
            judged = retrieved_passages.judge_answerability(library, question, found, ids, job.where.glossary)
            lacking[question] = judged.verdict == "not_in_documents"
        return lacking[question]

    try:
        return generation_plan.compute_status(plan, replies, lacks)
    finally:
        library.close()


def _write_pairs(outcome: GenerationOutcome, writer: PairWriter, permit: Permit | None) -> GenerationOutcome:
    """Write the pairs, then delete the journal. Raises AppError as `check_target` and `Permit.open_atomically` do.

    `permit`: None if there are no pairs.
    """
    job = outcome.job
    check_target(job.out)
    if permit is not None:
        with permit.open_atomically(job.out) as file:
            file.write(
                pair_files.pairs_to_lines(
                    outcome.standing.accepted, writer, lineage.label_of_model(job.where.documents, job.model)
                )
            )
        job.journal.unlink(missing_ok=True)
        job.journal.with_name(job.journal.name + ".lock").unlink(missing_ok=True)
    return outcome
