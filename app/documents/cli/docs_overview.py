"""Run `kotae docs summarize`, `compare` and `list-values`: work on whole documents, printed or written to a file."""

import argparse
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from app.base import confidentiality, settings
from app.base.cli.commands import Output, time_left_suffix
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text
from app.documents import collection_lookup
from app.documents.overview import result_table
from app.documents.overview.result_table import Kind, OverviewRequest, ResultTable
from app.documents.records import Document

NO_MODEL = "none"


def add_actions(
    add_action: Callable[..., Any], *, summary_run: Callable[..., Any], label_of: Callable[..., Any]
) -> None:
    """Add the actions. `summary_run` makes the object that summarizes, `label_of` returns the label of a model."""
    summarize = add_action("summarize", partial(_summarize, summary_run, label_of))
    compare, values = add_action("compare", _compare), add_action("list-values", _list_values)
    for parser in (summarize, compare, values):
        parser.add_argument("collection", metavar="COLLECTION")
    summarize.add_argument("document", metavar="DOCUMENT", help=help_text("docs show document"))
    summarize.add_argument("--chapter", metavar="TITLE", default="", help=help_text("docs summarize --chapter"))
    summarize.add_argument("--model", metavar="ID|FILE", help=help_text("docs summarize --model"))
    compare.add_argument("document", metavar="OLD", help=help_text("docs compare old"))
    compare.add_argument("new", metavar="NEW", help=help_text("docs compare new"))
    compare.add_argument("--in", metavar="COLLECTION", dest="other", help=help_text("docs compare --in"))
    values.add_argument("document", metavar="DOCUMENT", nargs="*", help=help_text("docs list-values document"))
    for parser in (summarize, compare, values):
        parser.add_argument("--out", metavar="FILE", help=help_text("docs summarize --out"))
        parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def _find(where: Paths, output: Output, collection: str, references: list[str]) -> list[Document]:
    from app.documents.services import command_documents

    command_documents.provide_manual(where, output, collection)
    with closing(collection_lookup.open_library(where.documents)) as library:
        found = collection_lookup.find_collection(library, collection)
        if not references:
            return [one for one in library.documents(found.id) if one.report.sections]
        return [collection_lookup.find_document(library, found, one) for one in dict.fromkeys(references)]


def _compare(options: argparse.Namespace, where: Paths, output: Output) -> int:
    others = options.other or options.collection
    both = (options.collection, options.document), (others, options.new)
    found = [_find(where, output, collection, [one])[0] for collection, one in both]
    return _make("comparison", found, options, where, output)


def _list_values(options: argparse.Namespace, where: Paths, output: Output) -> int:
    return _make("values", _find(where, output, options.collection, options.document), options, where, output)


def _make(
    kind: Kind, found: list[Document], options: argparse.Namespace, where: Paths, output: Output, chapter: str = ""
) -> int:
    from app.documents.overview import result_maker

    _check_out(options)
    request = OverviewRequest(kind, tuple(one.id for one in found), options.collection, chapter)
    table = result_maker.make(where.documents, request, partial(_report, output))
    return _print(table, options, where, output)


def _summarize(
    summary_run: Callable[..., Any], label_of: Callable[..., Any], options: argparse.Namespace, where: Paths,
    output: Output,
) -> int:  # fmt: skip
    """Summarize. Exit status: 0; 3 for an expected error; 130 if interrupted, which can be resumed."""
    from app.base.cli.loop import CommandEventLoop, core_application
    from app.base.services import background
    from app.documents.retrieval import excerpts
    from app.inference import child_commands
    from app.inference.services.engine import EngineClient
    from app.models import local_models, model_registry

    _check_out(options)
    document = _find(where, output, options.collection, [options.document])[0]
    model = local_models.NO_MODEL
    if options.model != NO_MODEL:
        try:
            model = model_registry.choose_model(options.model, where)
        except AppError as error:
            if error.code != "no_model_command" or options.model is not None:
                raise
    if model.remote is not None or excerpts.is_too_small(model):
        return _make("summary", [document], options, where, output, options.chapter)
    app = core_application()
    engine = EngineClient(child_commands.engine(), where.logs / "engine-summary.log")
    label = partial(label_of, where.documents, model)
    run = summary_run(
        engine, where.documents, document.id, model, settings.load(where.settings), options.chapter, label
    )
    loop = CommandEventLoop(run.stop)
    run.finished.connect(loop.finish)
    run.failed.connect(loop.fail)
    run.stopped.connect(loop.stop)
    run.progressed.connect(lambda done, total, left_s: _report(output, done, total, left_s))
    try:
        run.start()
        loop.run()
    finally:
        run.abandon()
        engine.shut_down()
        background.shut_down()
    output.end_progress()
    del app
    if loop.error is not None:
        raise loop.error
    if loop.result is None:
        output.note("documents.summary_interrupted")
        return 128 + signal.SIGINT
    return _print(loop.result, options, where, output)


def _report(output: Output, done: int, total: int, left_s: float | None = None) -> None:
    output.progress("documents.summary_progress", done=done, total=total, left=time_left_suffix(left_s))


def _check_out(options: argparse.Namespace) -> None:
    """Refuse a file that could not be written, before the work."""
    if options.out:
        result_table.check_suffix(Path(options.out))


def _print(table: ResultTable, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print a result, or write it to the file of `--out`, and return the exit status 0."""
    output.end_progress()
    out = Path(options.out).expanduser().absolute() if options.out else None
    if out:
        request = result_table.export_request(where.documents, table, out)
        permit = confidentiality.permit_export(request, where.exports_log, is_agreed=options.allow_secret)
        result_table.save(table, out, permit)
    names = [column.name for column in table.columns]
    data = {
        "kind": table.kind, "title": table.title, "facts": list(table.facts), "coverage": list(table.coverage),
        "rows": [{"group": row.group, **dict(zip(names, row.cells, strict=True))} for row in table.rows],
        "out": str(out) if out else None,
    }  # fmt: skip
    lines = [*table.facts, output.phrase("documents.result_written", path=out)]
    if not out:
        cells = ([column.title for column in table.columns], *(row.cells for row in table.rows))
        shown = ("\t".join(" ".join(str(cell).split()) for cell in row) for row in cells)
        lines = [table.title, *table.facts, "", *shown]
    output.result(data, "\n".join(lines))
    return 0
