"""`kotae ask`: one question, one answer, streamed or as JSON."""

import argparse
import dataclasses
import signal
from contextlib import nullcontext
from pathlib import Path
from typing import Any, TypeGuard

from app.cli import ask_adapter, ask_sources, model_remote
from app.cli.ask_adapter import Adapter
from app.cli.loop import Waiting, application
from app.cli.meaning import Meanings
from app.cli.output import Output
from app.core import children, local_models, remote_models, settings, starter, tuned_models
from app.core.errors import AppError
from app.core.paths import Paths
from app.core.presets import Choices, Preset
from app.core.prompt import Turn
from app.core.records import LocalModel
from app.core.settings import Settings
from app.core.store import Store
from app.core.training import bases
from app.core.wording import help_text, phrase
from app.services import background
from app.services.answer_run import AnswerRequest, AnswerRun, Outcome, in_force
from app.services.engine import EngineClient
from app.services.events import Stage
from app.services.grounding import Wanted
from app.services.presets import Presets

VERDICTS = {"end": "answered", "stop": "answered", "length": "length", "context": "length", "cancelled": "stopped"}


def add_parser(commands: Any, shared: argparse.ArgumentParser) -> None:
    from app.cli.main import add_command

    parser = add_command(commands, shared, "ask", help_text("ask"), run)
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
    model_remote.add_options(parser)
    parser.add_argument("--allow-secret", action="store_true", help=help_text("ask --allow-secret"))


def run(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 3 expected error; 130 interrupted (what was answered so far is printed)."""
    if options.batch is not None:
        from app.cli import ask_batch

        return ask_batch.run(options, where, output)
    if options.question is None:
        options.missing("QUESTION")
    if not options.question.strip():
        raise AppError("empty_question")
    request = request_of(options, where)
    app = application()
    with Meanings(where, output) if request.wanted else nullcontext() as meanings:
        embedding = meanings.embedding if meanings else None
        engine = EngineClient(children.engine(), where.logs / "engine-ask.log")
        model_remote.give_key(engine, request.model, options)
        asking = _Asking(AnswerRun(engine, children.template(), request, embedding=embedding), output)
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
    _print(asking, request, output)
    return 128 + signal.SIGINT if asking.waiting.was_interrupted else 0


def choose_model(wanted: str | None, where: Paths) -> LocalModel:
    """A GGUF file, a model of the list that is a file of its own, or without a wish the one the window uses.

    Raises AppError: "no_model_command", "unknown_model", "base_starter_missing", "remote_cannot", and what a damaged
    file or database gives.
    """
    if _is_file(wanted):
        return local_models.describe(Path(wanted))
    store = Store.open(where.database, where.backups)
    try:
        return _listed_model(wanted, store.local_models(), where)
    except AppError as error:
        elsewhere = model_remote.find(store, wanted) if error.code == "unknown_model" else None
        if elsewhere is None:
            raise
        raise AppError("remote_cannot", address=remote_models.shown(elsewhere)) from error
    finally:
        store.close()


def _is_file(wanted: str | None) -> TypeGuard[str]:
    return wanted is not None and (wanted.lower().endswith(".gguf") or Path(wanted).is_file())


def _listed_model(wanted: str | None, models: list[LocalModel], where: Paths) -> LocalModel:
    is_starter = wanted == bases.STARTER
    chosen = starter.card().id if is_starter else wanted or settings.load(where.settings).model_id
    found = local_models.find(models, chosen) if chosen else None
    if found is None and wanted is not None:
        raise AppError("base_starter_missing") if is_starter else AppError("unknown_model", wanted=wanted)
    answering = [model for model in models if not local_models.is_for_search(model)]
    if wanted is None and found not in answering:
        found = next(iter(answering), None)
    if found is None:
        raise AppError("no_model_command")
    return found


def _choose(
    wanted: str | None, preset_name: str | None, where: Paths, adapter: Adapter | None = None
) -> tuple[LocalModel, Settings, Preset]:
    """The model, the settings of the window, and the preset of that name, else the window's of new conversations."""
    stored = settings.load(where.settings)
    store = Store.open(where.database, where.backups)
    try:
        if _is_file(wanted):
            model = local_models.describe(Path(wanted))
        elif wanted is None and adapter is not None and adapter.run is not None:
            model = ask_adapter.base_of(adapter.run, store.local_models())
        else:
            model = _listed_model(wanted, tuned_models.listed(store, where.models), where)
        presets = Presets(store)
        default = presets.chat_preset(stored.preset_id)
        preset = _preset(preset_name, presets) if preset_name is not None else default
    finally:
        store.close()
    return ask_adapter.asked_as_trained(model, adapter), stored, preset


def find_preset(wanted: str, where: Paths) -> Preset:
    """Raises AppError("unknown_preset"), and what a damaged database gives."""
    store = Store.open(where.database, where.backups)
    try:
        return _preset(wanted, Presets(store))
    finally:
        store.close()


def _preset(wanted: str, presets: Presets) -> Preset:
    """By name or id."""
    known = presets.all("chat")
    found = next((preset for preset in known if wanted in (preset.name, preset.id)), None)
    if found is None:
        raise AppError("unknown_preset", wanted=wanted, known=" / ".join(preset.name for preset in known))
    return found


def request_of(options: argparse.Namespace, where: Paths) -> AnswerRequest:
    """What the options say. Raises AppError as `choose_model`, "bad_option", "unknown_preset", "unknown_collection"."""
    check("--max-tokens", options.max_tokens, 1, 1 << 20)
    check("--temperature", options.temperature, 0, 5)
    check("--seed", options.seed, 0, (1 << 32) - 1)
    check("--context", options.context, 256, 1 << 20)
    adapter = ask_adapter.choose(options.adapter, where.runs) if options.adapter is not None else None
    model, stored, preset = _choose(options.model, options.preset, where, adapter)
    model_remote.require_permission(model, options)
    own = Choices(
        system_prompt=options.system, temperature=options.temperature, max_tokens=options.max_tokens, seed=options.seed
    )
    if options.context is not None:
        stored = dataclasses.replace(stored, context_tokens=options.context)
    turns = (Turn(options.question),)
    scope = ask_sources.scope_of(options.collection, where) if options.collection else ()
    return AnswerRequest(
        model=model,
        turns=turns,
        settings=stored,
        choices=in_force(model, own, preset.choices),
        adapters=adapter.in_use if adapter else None,
        wanted=Wanted(where.documents, scope, turns) if scope else None,
        is_agreed=model.remote is not None and options.allow_remote,
    )


def check(option: str, value: float | None, low: int, high: int) -> None:
    """Raises AppError("bad_option"); None is no value."""
    if value is not None and not low <= value <= high:
        raise AppError("bad_option", option=option, value=value, expected=phrase("range", low=low, high=high))


class _Asking:
    """Runs one AnswerRun to its end and collects what it says."""

    def __init__(self, run: AnswerRun, output: Output) -> None:
        self._run = run
        self._output = output
        self.text = ""
        self.outcome: Outcome | None = None
        self.error: AppError | None = None
        self.broken_pipe: BrokenPipeError | None = None
        self.waiting = Waiting(run.stop)
        run.stage_changed.connect(self._on_stage)
        run.text_received.connect(self._on_text)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.stopped.connect(self.waiting.stop)

    def wait(self) -> None:
        self._run.start()
        self.waiting.run()

    def _on_stage(self, stage: Stage) -> None:
        if stage.kind in ("searching", "loading", "reading", "checking"):
            self._output.progress(stage.kind, percent=round(100 * (stage.fraction or 0)))

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

    def _on_finished(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.waiting.stop()

    def _on_failed(self, error: AppError) -> None:
        self.error = error
        self.waiting.stop()


def _print(asking: _Asking, request: AnswerRequest, output: Output) -> None:
    outcome = asking.outcome
    assert outcome is not None
    done, kept = outcome.done, outcome.grounding
    adapter = ask_adapter.name_of(request.adapters, request.model)
    speed = done.usage.answer_tokens / done.timings.answer_s if done.timings.answer_s > 0 else 0.0
    result = {
        "answer": asking.text.strip(),
        "verdict": kept.verdict if kept and done.stop_reason in ("end", "stop") else VERDICTS[done.stop_reason],
        **ask_sources.as_dicts(kept),
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
    output.result(result, "\n" + ask_sources.as_text(kept, output) if kept else "")
    if asking.waiting.was_interrupted:
        output.note("interrupted")
    elif not output.is_json and done.usage.answer_tokens:
        output.note(
            "answer_summary",
            model=_shown(request.model, adapter),
            total_s=f"{outcome.total_s:.1f}",
            tokens_per_s=f"{speed:.1f}",
        )


def _shown(model: LocalModel, adapter: str | None) -> str:
    if adapter is None or model.tuned is not None:
        return model.name
    name = phrase("answer_adapter_of_card") if adapter == ask_adapter.OF_CARD else adapter
    return phrase("answer_with_adapter", model=model.name, adapter=name)
