"""`kotae ask`: one question, one answer, streamed or as JSON.

What `kotae ask --collection` says of an answer's sources: which collections are asked, and how they are shown.
"""

import argparse
import dataclasses
import functools
import signal
from contextlib import nullcontext
from typing import Any

from app.base.cli.commands import Output, add_command
from app.base.cli.loop import CommandLoop, core_application
from app.base.confidentiality import DEFAULT_LABEL, Label, highest_label
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import help_text, phrase
from app.chat import answer_check
from app.chat.batch import journal
from app.chat.services import command_request
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun
from app.chat.services.command_request import FindRun, LabelOfModel, request_from_options
from app.documents import collection_lookup
from app.documents.grounding import source_citations
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.documents.services.command_documents import QuestionEmbedder
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.inference.services.events import AnswerStage
from app.models.services import remote_servers

VERDICTS = {"end": "answered", "stop": "answered", "length": "length", "context": "length", "cancelled": "stopped"}


def add_parser(commands: Any, shared: argparse.ArgumentParser, *, find_run: FindRun, label_of: LabelOfModel) -> None:
    parser = add_command(commands, shared, "ask", help_text("ask"), functools.partial(run, find_run, label_of))
    asked = parser.add_mutually_exclusive_group()
    asked.add_argument("question", metavar="QUESTION", nargs="?", help=help_text("ask question"))
    asked.add_argument("--batch", metavar="FILE", help=help_text("ask --batch"))
    parser.add_argument("--model", metavar="ID|FILE", help=help_text("ask --model"))
    parser.add_argument("--adapter", metavar="RUN|FILE[:STRENGTH]", help=help_text("ask --adapter"))
    parser.add_argument("--collection", metavar="NAME", action="append", default=[], help=help_text("ask --collection"))
    parser.add_argument("--preset", metavar="NAME", help=help_text("ask --preset"))
    parser.add_argument("--system", metavar="TEXT", help=help_text("ask --system"))
    parser.add_argument("--max-tokens", metavar="N", type=int, help=help_text("ask --max-tokens"))
    parser.add_argument("--temperature", metavar="T", type=float, help=help_text("ask --temperature"))
    parser.add_argument("--seed", metavar="N", type=int, help=help_text("ask --seed"))
    parser.add_argument("--context", metavar="N", type=int, help=help_text("ask --context"))
    parser.add_argument("--out", metavar="FILE", help=help_text("ask --out"))
    remote_servers.add_remote_options(parser)
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def run(find_run: FindRun, label_of: LabelOfModel, options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 3 expected error; 130 interrupted (what was answered so far is printed)."""
    if options.batch is not None:
        from app.chat.cli import ask_batch

        return ask_batch.run(find_run, label_of, options, where, output)
    if options.question is None:
        options.missing("QUESTION")
    if not options.question.strip():
        raise AppError("empty_question")
    request = request_from_options(options, where, find_run)
    learned = command_request.training_label(where.documents, label_of, request.model, request.adapters)
    app = core_application()
    with QuestionEmbedder(where, output) if request.wanted else nullcontext() as meanings:
        embedding = meanings.embedding if meanings else None
        engine = EngineClient(child_commands.engine(), where.logs / "engine-ask.log")
        remote_servers.give_remote_key(engine, request.model, options)
        asking = _Asking(AnswerRun(engine, child_commands.template(), request, embedding=embedding), output)
        try:
            asking.wait()
        finally:
            engine.shut_down()
            background.shut_down()
    del app
    if asking.broken_pipe is not None:
        raise asking.broken_pipe
    if asking.error is not None:
        raise asking.error
    if asking.outcome is None:
        raise KeyboardInterrupt
    _print(asking, request, output, learned)
    return 128 + signal.SIGINT if asking.waiting.was_interrupted else 0


class _Asking:
    """Runs one AnswerRun to its end and collects what it says."""

    def __init__(self, run: AnswerRun, output: Output) -> None:
        self._run = run
        self._output = output
        self.text = ""
        self.outcome: AnswerOutcome | None = None
        self.error: AppError | None = None
        self.broken_pipe: BrokenPipeError | None = None
        self.waiting = CommandLoop(run.stop)
        run.stage_changed.connect(self._on_stage)
        run.text_received.connect(self._on_text)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self.waiting.stop)

    def wait(self) -> None:
        self._run.start()
        self.waiting.run()

    def _on_stage(self, stage: AnswerStage) -> None:
        if stage.kind in ("searching", "loading", "reading", "checking"):
            self._output.progress(f"chat.ask_{stage.kind}", percent=round(100 * (stage.fraction or 0)))

    def _on_text(self, text: str) -> None:
        shown = text if self.text else text.lstrip()
        if not self.text and shown:
            self._output.end_progress()
        self.text += shown
        try:
            self._output.stream(shown)
        except BrokenPipeError as error:  # raised on where it can be handled: after the event loop
            self.broken_pipe = error
            self._run.stop()

    def _on_finished(self, outcome: AnswerOutcome) -> None:
        self.outcome = outcome
        self.waiting.stop()

    def _on_failed(self, error: AppError) -> None:
        self.error = error
        self.waiting.stop()


def _print(asking: _Asking, request: AnswerRequest, output: Output, learned: Label) -> None:
    """`learned`: the label of what the model was trained on."""
    outcome = asking.outcome
    assert outcome is not None
    done, kept = outcome.done, outcome.grounding
    adapter = command_request.adapter_name(request.adapters, request.model)
    speed = done.usage.answer_tokens / done.timings.answer_s if done.timings.answer_s > 0 else 0.0
    result = {
        "answer": asking.text.strip(),
        "verdict": kept.verdict if kept and done.stop_reason in ("end", "stop") else VERDICTS[done.stop_reason],
        **answer_check.check_facts(kept),
        "label": _label(request, learned, kept),
        "model": request.model.id,
        "adapter": adapter,
        "usage": dataclasses.asdict(done.usage),
        "seed": done.seed,
        "timings": {
            "load_s": round(outcome.load_s, 4),
            "retrieval_s": round(kept.retrieval_s, 4) if kept else 0.0,
            "first_token_s": round(done.timings.first_token_s, 4),
            "total_s": round(outcome.total_s, 4),
            "tokens_per_s": round(speed, 2),
        },
    }
    output.end_progress()
    output.result(result, "\n" + sources_text(asking.text, kept, output) if kept else "")
    if VERDICTS[done.stop_reason] == "length":
        output.note("chat.answer_cut")
    if asking.waiting.was_interrupted:
        output.note("common.interrupted")
    elif not output.is_json and done.usage.answer_tokens:
        output.note(
            "chat.answer_summary",
            model=_shown(request.model, adapter),
            total_s=f"{outcome.total_s:.1f}",
            tokens_per_s=f"{speed:.1f}",
        )


def _label(request: AnswerRequest, learned: Label, kept: Grounding | None) -> Label:
    """Return what the answer is labelled now, as `Report` has it for a batch."""
    asked = (
        collection_lookup.current_label_of_scope(request.wanted.documents, request.wanted.scope)
        if request.wanted
        else DEFAULT_LABEL
    )
    return journal.answer_label(highest_label((asked, learned)), kept)


def _shown(model: LocalModel, adapter: str | None) -> str:
    if adapter is None or model.tuned is not None:
        return model.name
    name = phrase("chat.answer_adapter_of_card") if adapter == command_request.CARD_ADAPTER else adapter
    return phrase("chat.answer_with_adapter", model=model.name, adapter=name)


QUOTED_CHARACTERS = 120  # of a source on the terminal; JSON has all of it


def sources_text(answer: str, grounding: Grounding, output: Output) -> str:
    """Below an answer: which sentences are to be checked, then the sources that it uses, or the nearest passages."""
    lines = source_citations.check_messages(grounding)
    if grounding.sources:
        lines += ["", output.phrase("common.sources" if grounding.verdict == "answered" else "common.nearest")]
    for number in source_citations.used_sources(answer, grounding):
        source = grounding.sources[number - 1]
        lines += [f"[{number}] {_place(source, output)}", f"    {_quote(source)}"]
    return "\n" + "\n".join(lines).lstrip("\n")


def _place(source: CitedSource, output: Output) -> str:
    page = output.phrase("common.page", page=source.page) if source.page else ""
    parts = (source.collection, source.document, " > ".join(source.heading), source.tag, page)
    return "  ".join(part for part in parts if part)


def _quote(source: CitedSource) -> str:
    line = " ".join(source.text.split())
    return line if len(line) <= QUOTED_CHARACTERS else line[: QUOTED_CHARACTERS - 1] + "…"
