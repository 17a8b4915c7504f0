"""`kotae ask --batch FILE --out FILE`: many questions, answered into a file; an interrupted batch can be resumed."""

import argparse
import dataclasses
import functools
import signal
from contextlib import nullcontext
from pathlib import Path

from app.base import confidentiality
from app.base.cli.commands import Output, format_time_left
from app.base.cli.loop import CommandLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.chat.batch import question_table
from app.chat.batch.journal import BatchAnswer
from app.chat.batch.question_table import BatchFile, SkippedRow
from app.chat.services import command_request
from app.chat.services.batch_run import Batch, BatchRun, BatchStatus, BatchSummary, batch_export
from app.chat.services.command_request import FindRun, LabelOfModel
from app.documents import encodings
from app.documents.services.command_documents import QuestionEmbedder
from app.inference import child_commands
from app.inference.services.engine import EngineClient
from app.models.services import remote_servers

SHOWN_SKIPPED = 20  # rows on the terminal; the file of answers lists all


def run(find_run: FindRun, label_of: LabelOfModel, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Answer a file of questions.

    Exit status: 0; 1 when a row has no answer; 3 for an expected error; 130 when interrupted and resumable.
    """
    if not options.out:
        raise AppError("batch_no_out")
    path, out = Path(options.batch).expanduser(), Path(options.out).expanduser()
    found = question_table.read_batch_file(path)
    _describe_file(found, output)
    request = command_request.request_from_options(options, where, find_run)
    scope = request.wanted.scope if request.wanted else ()
    batch = Batch(
        found, path, out, request.model, request.settings, request.choices, where.documents, scope, request.adapters,
        request.is_agreed, training_label=functools.partial(
            command_request.training_label, where.documents, label_of, request.model, request.adapters
        ),
    )  # fmt: skip
    batch.check()
    permit = confidentiality.permit_export(batch_export(batch), where.exports_log, is_agreed=options.allow_secret)
    app = core_application()
    with QuestionEmbedder(where, output) if scope else nullcontext() as embedder:
        embedding = embedder.embedding if embedder else None
        engine = EngineClient(child_commands.engine(), where.logs / "engine-batch.log")
        remote_servers.give_remote_key(engine, request.model, options)
        running = _RunningBatch(BatchRun(engine, child_commands.template(), batch, permit, embedding=embedding), output)
        try:
            running.wait()
        finally:
            running.run.abandon()
            engine.shut_down()
            background.shut_down()
    del app
    return _print(running, found, out, output)


def _describe_file(found: BatchFile, output: Output) -> None:
    """Print which column holds the questions, and which rows are none."""
    place = ""
    if found.sheet:
        place = output.phrase("chat.batch_where_sheet", sheet=found.sheet)
    elif found.encoding:
        place = output.phrase("chat.batch_where_encoding", encoding=encodings.encoding_name(found.encoding))
    column = question_table.column_name(found.columns, found.column)
    output.note("chat.batch_found", name=found.name, count=len(found.questions), column=column, where=place)
    if found.is_guessed:
        output.note("chat.batch_guessed")
    if found.blank_lines:
        output.note("common.batch_blank", count=found.blank_lines)
    for row in found.skipped[:SHOWN_SKIPPED]:
        output.note("common.batch_skipped", line=row.line, reason=_reason(row))
    if len(found.skipped) > SHOWN_SKIPPED:
        output.note("chat.batch_skipped_more", count=len(found.skipped) - SHOWN_SKIPPED)


def _reason(row: SkippedRow) -> str:
    return phrase(f"chat.batch_reason.{row.reason}")


class _RunningBatch:
    """Runs one `BatchRun` to its end."""

    def __init__(self, run: BatchRun, output: Output) -> None:
        self.run = run
        self._output = output
        self.summary: BatchSummary | None = None
        self.error: AppError | None = None
        self.loop = CommandLoop(run.stop)
        run.begun.connect(self._on_begun)
        run.progressed.connect(self._on_progressed)
        run.answered.connect(self._on_answered)
        run.finished.connect(self._on_ended)
        run.stopped.connect(self._on_ended)
        run.failed.connect(self._on_failed)

    def wait(self) -> None:
        """Start the run and wait for its end; a file that is refused at once fails before the event loop begins."""
        self.run.start()
        if self.error is None:
            self.loop.run()

    def _on_begun(self, status: BatchStatus) -> None:
        if status.done:
            self._output.note("chat.batch_resumed", done=status.done, total=status.total)

    def _on_progressed(self, status: BatchStatus) -> None:
        self._output.progress(
            "chat.batch_progress", done=status.done, total=status.total, left=format_time_left(status.left_s)
        )

    def _on_answered(self, result: BatchAnswer) -> None:
        if result.error:
            self._output.end_progress()
            self._output.note("common.batch_skipped", line=result.line, reason=result.error)

    def _on_ended(self, summary: BatchSummary) -> None:
        self.summary = summary
        self.loop.stop()

    def _on_failed(self, error: AppError) -> None:
        self.error = error
        self.loop.stop()


def _print(running: _RunningBatch, found: BatchFile, out: Path, output: Output) -> int:
    output.end_progress()
    if running.error is not None:
        raise running.error
    summary = running.summary
    if summary is None:
        raise KeyboardInterrupt
    skipped = [{"line": row.line, "reason": row.reason} for row in found.skipped]
    data = dataclasses.asdict(summary) | {"out": str(out), "skipped": skipped}
    text = output.phrase(
        "chat.batch_done", answered=summary.answered, not_found=summary.not_found, doubtful=summary.doubtful, path=out
    )
    output.result(data, text)
    if summary.waiting:
        output.note("chat.batch_interrupted", done=summary.answered, total=len(found.questions))
        return 128 + signal.SIGINT
    if summary.failed:
        output.note("chat.batch_failed", count=summary.failed)
    if summary.skipped:
        output.note("chat.batch_skipped_count", count=summary.skipped)
    return 1 if summary.failed or summary.skipped else 0
