"""Define `kotae ask`: answer one question, as streamed text or as JSON.

With `--collection` the answer is followed by the result of its check and its sources. `ask_batch` implements `--batch`.
"""

import argparse
import functools
import signal
import sys
from typing import Any

from app.base.cli.commands import Output, add_command
from app.base.cli.loop import CommandEventLoop
from app.base.confidentiality import DEFAULT_LABEL, Label, highest_label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.wording import help_text, phrase, shorten
from app.chat.batch.journal import answer_facts
from app.chat.services import command_request
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun, answer_of_outcome
from app.chat.services.command_request import FindRun, LabelOfModel, request_from_options
from app.documents import collection_lookup
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CitedSource, CollectionRef, Grounding
from app.documents.services import command_documents
from app.inference.local_model import LocalModel
from app.inference.services.events import AnswerStage
from app.models.services import remote_servers


def add_parser(commands: Any, shared: argparse.ArgumentParser, *, find_run: FindRun, label_of: LabelOfModel) -> None:
    parser = add_command(commands, shared, "ask", help_text("ask"), functools.partial(run, find_run, label_of))
    question_or_batch = parser.add_mutually_exclusive_group()
    question_or_batch.add_argument("question", metavar="QUESTION", nargs="?", help=help_text("ask question"))
    question_or_batch.add_argument("--batch", metavar="FILE", help=help_text("ask --batch"))
    parser.add_argument("--model", metavar="ID|FILE", help=help_text("ask --model"))
    parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", help=help_text("ask --adapter"))
    parser.add_argument("--collection", metavar="NAME", action="append", default=[], help=help_text("ask --collection"))
    parser.add_argument("--file", metavar="FILE", action="append", default=[], help=help_text("ask --file"))
    parser.add_argument("--preset", metavar="NAME", help=help_text("ask --preset"))
    parser.add_argument("--system", metavar="TEXT", help=help_text("ask --system"))
    parser.add_argument("--max-tokens", metavar="N", type=int, help=help_text("ask --max-tokens"))
    think = argparse.BooleanOptionalAction
    parser.add_argument("--think", action=think, help=help_text("ask --think"))
    parser.add_argument("--temperature", metavar="T", type=float, help=help_text("ask --temperature"))
    parser.add_argument("--seed", metavar="N", type=int, help=help_text("ask --seed"))
    parser.add_argument("--context", metavar="N", type=int, help=help_text("ask --context"))
    parser.add_argument("--out", metavar="FILE", help=help_text("ask --out"))
    remote_servers.add_remote_options(parser)
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def run(find_run: FindRun, label_of: LabelOfModel, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Answer one question. Return the exit status: 0, or 130 when interrupted (the answer so far is printed). Raises
    AppError, for which the command exits with 3."""
    if options.batch is not None:
        if options.file:
            raise AppError("bad_option", option="--file", value=options.file[0], expected="QUESTION")
        from app.chat.cli import ask_batch

        return ask_batch.run(find_run, label_of, options, where, output)
    if options.question is None:
        options.missing("QUESTION")
    if options.question == "-":
        options.question = _question_from_input()
    if not options.question.strip():
        raise AppError("empty_question")
    is_shown = bool(options.file) and command_request.shows_pictures(options, where, output)
    with command_documents.attached_files(options.file, where, output, is_shown=is_shown) as files:
        return _answer(find_run, label_of, options, where, output, files)


def _answer(
    find_run: FindRun,
    label_of: LabelOfModel,
    options: argparse.Namespace,
    where: Paths,
    output: Output,
    files: tuple[CollectionRef, ...],
) -> int:
    request = request_from_options(options, where, find_run, files)
    with command_request.command_engine(request, options, where, output, "engine-ask.log") as (engine, embedding):
        # The child for the search starts meanwhile.
        training_label = command_request.training_label(where.documents, label_of, request.model, request.adapters)
        run = AnswerRun(engine, request, embedding=embedding)
        loop = _AnswerLoop(run, output)
        run.start()
        loop.run()
    if loop.error is not None:
        raise loop.error
    if loop.result is None:
        raise KeyboardInterrupt
    _print(loop, loop.result, request, output, training_label)
    return 128 + signal.SIGINT if loop.was_interrupted else 0


def _question_from_input() -> str:
    """Return the whole standard input as the question, without the white space around it. Raises AppError."""
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise AppError("question_not_utf8") from error


class _AnswerLoop(CommandEventLoop):
    """Runs the event loop of the command until its answer has ended. `result` is the AnswerOutcome."""

    def __init__(self, run: AnswerRun, output: Output) -> None:
        super().__init__(run.stop)
        self._answer_run = run
        self._output = output
        self.text = ""
        run.stage_changed.connect(self._on_stage)
        run.text_received.connect(self._on_text)
        run.finished.connect(self.finish)
        run.failed.connect(self.fail)
        run.stopped.connect(self.stop)

    def _on_stage(self, stage: AnswerStage) -> None:
        if stage.kind in ("searching", "loading", "reading", "thinking", "checking"):
            self._output.progress(f"chat.ask_stage.{stage.kind}", percent=round(100 * (stage.fraction or 0)))

    def _on_text(self, text: str) -> None:
        shown = text if self.text else text.lstrip()
        if not self.text and shown:
            self._output.end_progress()
        self.text += shown
        try:
            self._output.stream(shown)
        except BrokenPipeError as error:  # raised again after the event loop, where the command can handle it
            self.error = error
            self._answer_run.stop()


def _print(
    loop: _AnswerLoop, outcome: AnswerOutcome, request: AnswerRequest, output: Output, training_label: Label
) -> None:
    """Print the answer. `training_label` is the label of the data that the model was trained on."""
    wanted = request.retrieval
    asked = collection_lookup.current_label_of_scope(wanted.documents, wanted.scope) if wanted else DEFAULT_LABEL
    label = highest_label((asked, training_label))
    answer = answer_of_outcome(0, loop.text, outcome, request.model, label)
    adapter = command_request.adapter_name(request.adapters, request.model)
    is_stopped = outcome.done.stop_reason == "cancelled"
    result = answer_facts(answer) | {
        "verdict": "stopped" if is_stopped else answer.verdict,
        "adapter": adapter,
    }
    if outcome.thoughts:
        result["reasoning"] = outcome.thoughts
    if answer.verdict == "length":
        result["ended_in"] = "answer" if answer.answer else "reasoning"
    output.end_progress()
    grounding = outcome.grounding
    output.result(result, "\n" + sources_text(loop.text, grounding, output) if grounding else "")
    if answer.verdict == "length":
        output.note("chat.answer_cut" if answer.answer else "chat.answer_cut_in_thoughts")
    if loop.was_interrupted:
        output.note("common.interrupted")
    elif not output.is_json and answer.answer_tokens:
        output.note(
            "chat.answer_summary",
            model=_model_name(request.model, adapter),
            total_s=f"{answer.total_s:.1f}",
            tokens_per_s=f"{answer.tokens_per_s:.1f}",
        )


def _model_name(model: LocalModel, adapter: str | None) -> str:
    if adapter is None or model.tuned is not None:
        return model.name
    name = phrase("chat.answer_adapter_of_card") if adapter == command_request.CARD_ADAPTER else adapter
    return phrase("chat.answer_with_adapter", model=model.name, adapter=name)


QUOTED_CHARACTERS = 120  # characters of a source shown on the terminal; JSON has the complete text


def sources_text(answer: str, grounding: Grounding, output: Output) -> str:
    """Return the text below an answer: the result of its check, then its sources or the nearest passages."""
    lines = source_citations.check_messages(grounding)
    if grounding.sources:
        lines += ["", source_citations.sources_heading(grounding)]
    for number in source_citations.used_sources(answer, grounding):
        source = grounding.sources[number - 1]
        quote = shorten(" ".join(source.text.split()), QUOTED_CHARACTERS)
        lines += [f"[{number}] {_source_text(source, output)}", f"    {quote}"]
    return "\n" + "\n".join(lines).lstrip("\n")


def _source_text(source: CitedSource, output: Output) -> str:
    page = output.phrase("common.page", page=source.page) if source.page else ""
    recognized = output.phrase("common.recognized") if source.recognized is not None else ""
    parts = (source.collection_title, source.document, " > ".join(source.heading), source.tag, page, recognized)
    return "  ".join(part for part in parts if part)
