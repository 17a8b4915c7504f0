"""Define `kotae ask --batch FILE --out FILE`: answer many questions into a file; an interrupted batch can be
resumed."""

import argparse
import dataclasses
import functools
import signal
from pathlib import Path

from app.base import confidentiality
from app.base.cli.commands import Output, time_left_suffix
from app.base.cli.loop import CommandEventLoop
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import phrase
from app.chat.batch.journal import BatchAnswer
from app.chat.batch.question_table import BatchFile, column_name, read_batch_file
from app.chat.services import command_request
from app.chat.services.batch_run import Batch, BatchRun, BatchStatus, BatchSummary, batch_export
from app.chat.services.command_request import FindRun, LabelOfModel
from app.documents import encodings

SHOWN_SKIPPED = 20  # skipped rows listed on the terminal; the file of answers lists all


def run(find_run: FindRun, label_of: LabelOfModel, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Answer a file of questions and return the exit status.

    It is 0; 1 when a row has no answer; 130 when interrupted and resumable. Raises AppError, for which the command
    exits with 3.
    """
    if not options.out:
        raise AppError("batch_no_out")
    path, out = Path(options.batch).expanduser(), Path(options.out).expanduser()
    batch_file = read_batch_file(path)
    _describe_file(batch_file, output)
    request = command_request.request_from_options(options, where, find_run)
    scope = request.retrieval.scope if request.retrieval else ()
    batch = Batch(
        batch_file, path, out, request.model, request.settings, request.choices, where.documents, scope,
        request.adapters, request.is_agreed, training_label=functools.partial(
            command_request.training_label, where.documents, label_of, request.model, request.adapters
        ),
    )  # fmt: skip
    batch.check()
    permit = confidentiality.permit_export(batch_export(batch), where.exports_log, is_agreed=options.allow_secret)
    with command_request.command_engine(request, options, where, output, "engine-batch.log") as (engine, embedding):
        batch_run = BatchRun(engine, batch, permit, embedding=embedding)
        loop = CommandEventLoop(batch_run.stop)
        _report(batch_run, output)
        batch_run.ended.connect(loop.finish)
        batch_run.failed.connect(loop.fail)
        try:
            batch_run.start()
            loop.run()
        finally:
            batch_run.abandon()
    output.end_progress()
    if loop.error is not None:
        raise loop.error
    if loop.result is None:
        raise KeyboardInterrupt
    return _print(loop.result, batch_file, out, output)


def _describe_file(batch_file: BatchFile, output: Output) -> None:
    """Print which column holds the questions, and which rows are not questions."""
    place = ""
    if batch_file.sheet:
        place = output.phrase("chat.batch_where_sheet", sheet=batch_file.sheet)
    elif batch_file.encoding:
        place = output.phrase("chat.batch_where_encoding", encoding=encodings.encoding_name(batch_file.encoding))
    column = column_name(batch_file.columns, batch_file.column)
    output.note("chat.batch_found", name=batch_file.name, count=len(batch_file.questions), column=column, where=place)
    if batch_file.is_guessed:
        output.note("chat.batch_guessed")
    if batch_file.blank_lines:
        output.note("common.batch_blank", count=batch_file.blank_lines)
    for row in batch_file.skipped[:SHOWN_SKIPPED]:
        output.note("common.batch_skipped", line=row.line, reason=phrase(f"chat.batch_reason.{row.reason}"))
    if len(batch_file.skipped) > SHOWN_SKIPPED:
        output.note("chat.batch_skipped_more", count=len(batch_file.skipped) - SHOWN_SKIPPED)


def _report(run: BatchRun, output: Output) -> None:
    """Show on stderr how far the batch is and which questions failed."""

    def on_begun(status: BatchStatus) -> None:
        if status.done:
            output.note("chat.batch_resumed", done=status.done, total=status.total)

    def on_progressed(status: BatchStatus) -> None:
        left = time_left_suffix(status.left_s)
        output.progress("chat.batch_progress", done=status.done, total=status.total, left=left)

    def on_answered(result: BatchAnswer) -> None:
        if result.error:
            output.end_progress()
            output.note("chat.batch_unanswered", line=result.line, reason=result.error)

    run.begun.connect(on_begun)
    run.progressed.connect(on_progressed)
    run.answered.connect(on_answered)


def _print(summary: BatchSummary, batch_file: BatchFile, out: Path, output: Output) -> int:
    skipped = [{"line": row.line, "reason": row.reason} for row in batch_file.skipped]
    data = dataclasses.asdict(summary) | {"out": str(out), "skipped": skipped}
    text = output.phrase(
        "chat.batch_done", answered=summary.answered, not_found=summary.not_found, doubtful=summary.doubtful, path=out
    )
    output.result(data, text)
    if summary.waiting:
        output.note("chat.batch_interrupted", done=summary.answered, total=len(batch_file.questions))
        return 128 + signal.SIGINT
    if summary.failed:
        output.note("chat.batch_failed", count=summary.failed)
    if summary.skipped:
        output.note("chat.batch_skipped_count", count=summary.skipped)
    return 1 if summary.failed or summary.skipped else 0
