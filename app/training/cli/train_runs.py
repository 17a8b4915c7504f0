"""`kotae train run | resume | list | show | remove`: training runs from beginning to end."""

import argparse
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.base.cli.commands import Output
from app.base.cli.loop import core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import format_size, help_text
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.training import drafting
from app.training.cli import train_gate, train_words
from app.training.runs import runs, shelf
from app.training.runs.runs import Run
from app.training.services import training
from app.training.services.train_live import Live
from app.training.services.training import Trainer, TrainingRun
from trainer.events import Finished
from trainer.spec import PRESETS, RunSpec

_OPTIONS = ("base", "preset", "name", "adapter")  # of the command line, by the names they have in a SPEC


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    parser = add_command(actions, shared, "run", help_text("train run"), _run)
    add_wishes(parser)
    parser.add_argument("--job", nargs="?", const="DIR", help=argparse.SUPPRESS)  # of `plan`, and looked for here
    listing = {"list": _list, "show": _show, "resume": _resume, "remove": _remove}
    for name, command in listing.items():
        parser = add_command(actions, shared, name, help_text(f"train {name}"), command)
        if name != "list":
            parser.add_argument("run_id", metavar="RUN", help=help_text("train run id"))


def add_wishes(parser: argparse.ArgumentParser) -> None:
    """SPEC, and the options that stand for one; read by `wishes_of`."""
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=help_text("train run spec"))
    parser.add_argument("--data", metavar="DIR", help=help_text("train run --data"))
    parser.add_argument("--base", metavar="ID|FILE|DIR", help=help_text("train run --base"))
    parser.add_argument("--preset", choices=PRESETS, help=help_text("train run --preset"))
    parser.add_argument("--name", metavar="NAME", help=help_text("train run --name"))
    parser.add_argument("--adapter", metavar="RUN|DIR", help=help_text("train run --adapter"))


def wishes_of(options: argparse.Namespace) -> dict[str, Any]:
    """What SPEC says, and the options, which go before it. Raises AppError: spec_*."""
    if options.spec is None:
        for option in ("data", "base"):
            if getattr(options, option) is None:
                options.missing(f"--{option}")
    wishes = drafting.read(Path(options.spec)) if options.spec is not None else {}
    given = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None}
    if options.data is not None:
        given["data"] = str(Path(options.data).absolute())
    return wishes | given


# ----------------------------------------------------------------------------- run


def _run(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 1 the result was rejected; 3 expected error; 130 interrupted, and can be gone on with."""
    if options.job:
        raise AppError("run_job_is_planned", job=options.job)
    wishes = wishes_of(options)
    trainer = training.locate(where.data)
    asked = drafting.draft(wishes, where, _models(where), trainer.converter)
    folder = runs.create(asked)
    return _train(trainer, folder, where, output, lambda: _tell_begun(trainer, asked, folder.name, output))


def _resume(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status as `_run`."""
    run = runs.find(where.runs, options.run_id)
    asked = _spec_of(run)
    trainer = training.locate(where.data)
    saved = run.standing.saved if run.has_checkpoint else None

    def tell() -> None:
        if saved is not None:
            output.note("common.run_continued", id=run.id, step=saved.step)
        else:
            _tell_begun(trainer, asked, run.id, output)

    return _train(trainer, run.folder, where, output, tell)


def _tell_begun(trainer: Trainer, asked: RunSpec, run_id: str, output: Output) -> None:
    output.note("common.run_begun", id=run_id, base=asked.base)
    if trainer.can_judge and asked.holdout:
        output.note("common.run_judged_after")


def _train(trainer: Trainer, folder: Path, where: Paths, output: Output, begun: Callable[[], None]) -> int:
    app = core_application()
    began_at = time.monotonic()
    training_run = TrainingRun(trainer, folder)
    live = Live(training_run, folder.name, output, begun)
    try:
        live.wait()
    finally:
        training_run.deleteLater()
        background.shut_down()
        del app
    if live.error is not None:
        raise live.error
    trained_s = time.monotonic() - began_at
    if not isinstance(live.end, Finished):
        run = runs.read(folder)
        key = f"common.run_{run.state}"
        output.result(train_words.described(run), output.phrase(key, id=run.id, step=run.standing.last_step))
        return 128 + signal.SIGINT if run.state == "paused" else 0
    if trainer.can_judge and (folder / runs.HOLDOUT).is_file():
        if live.waiting.was_interrupted:  # it came too late for a pause
            output.note("common.run_judged_later", id=folder.name)
        else:
            output.note("common.run_judging", id=folder.name)
            train_gate.judge(trainer, folder, where, output)
    run = runs.read(folder)
    gate = train_words.gate_of(run)
    elapsed_s = time.monotonic() - began_at
    lines = [*train_words.outcome(run, live.end), train_words.elapsed(trained_s, elapsed_s, is_judged=gate is not None)]
    output.result(train_words.described(run) | {"elapsed_s": round(elapsed_s, 1)}, "\n".join(lines))
    return 1 if gate is not None and gate.verdict == "reject" else 0


def _models(where: Paths) -> list[LocalModel]:
    store = Store.open(where.database, where.backups)
    try:
        return store.local_models()
    finally:
        store.close()


def _spec_of(run: Run) -> RunSpec:
    if run.spec is None:
        raise AppError("run_damaged", id=run.id)
    return run.spec


# ---------------------------------------------------------------------------- look


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    found = runs.listed(where.runs)
    lines = [train_words.line(run) for run in found] or [output.phrase("common.run_none")]
    output.result({"runs": [train_words.described(run) for run in found]}, "\n".join(lines))
    return 0


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    run = runs.find(where.runs, options.run_id)
    data = train_words.described(run) | {"settings": train_words.settings(run)}
    output.result(data, "\n".join(train_words.page(run)))
    return 0


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 3 also where a model of the list lies in it."""
    run = runs.find(where.runs, options.run_id)
    shelf.require_no_model(run, _models(where))
    freed = runs.remove(run)
    freed_bases = shelf.clear_bases(where.runs, where.bases)
    if freed_bases:
        output.note("common.run_bases_removed", size=format_size(freed_bases))
    freed += freed_bases
    output.result(
        {"id": run.id, "freed_bytes": freed}, output.phrase("common.run_removed", id=run.id, size=format_size(freed))
    )
    return 0
