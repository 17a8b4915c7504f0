"""Run `kotae train run | resume | list | show | remove` and `kotae train gate | report`."""

import argparse
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base.cli.commands import Output, add_command
from app.base.cli.loop import core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import format_size, help_text, phrase
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.models.artifact_steps import StepProgress
from app.training import spec_builder, training_errors
from app.training.cli import train_texts
from app.training.runs import run_folders, training_list
from app.training.runs.run_folders import TrainingRunFolder
from app.training.services import training_run
from app.training.services.terminal_run import TerminalRun
from app.training.services.training_run import Trainer, TrainingRun
from trainer.events import Finished
from trainer.spec import LOSSES, PRESETS, RunSpec

if TYPE_CHECKING:
    from app.models.services.artifact_session import StepLines
    from app.training.quality_gate import GateResult


def add_gate_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    for name, command in (("gate", _gate), ("report", _report)):
        parser = add_command(actions, shared, name, help_text(f"train {name}"), command)
        parser.add_argument("run_id", metavar="RUN", help=help_text("train run id"))
        if name == "gate":
            parser.add_argument("--all-forms", action="store_true", help=help_text("train gate --all-forms"))


def _gate(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Judge a run. Exit status: 0; 1 if rejected; 3 for an expected error; 130 if interrupted, which can be resumed."""
    run = run_folders.find_finished(where.runs, options.run_id)
    trainer = training_run.locate_trainer(where.data)
    found = judge_run(trainer, run.folder, where, output, all_forms=options.all_forms)
    return print_verdict(run_folders.read(run.folder), found, output)


def _report(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Print and write a run's report. Exit status: 0; 1 if the run was rejected; 3 if it is not judged yet."""
    run = run_folders.find_finished(where.runs, options.run_id)
    from app.training import quality_gate
    from app.training.runs import run_report

    has_holdout = (run.folder / run_folders.HOLDOUT).is_file()
    if isinstance(run.standing.end, Finished) and not has_holdout:  # without a hold-out the run cannot be judged
        path = run_report.write_report(run.folder)
        lines = [run.id, *train_texts.outcome(run, run.standing.end), phrase("common.run_report", path=path)]
        output.result(train_texts.run_as_json(run), "\n".join(lines))
        return 0
    gate_result = quality_gate.read_gate(run.folder)
    if not (run.folder / run_folders.REPORT).is_file():
        run_report.write_report(run.folder)
    return print_verdict(run, gate_result, output)


def judge_run(trainer: Trainer, folder: Path, where: Paths, output: Output, *, all_forms: bool = False) -> "GateResult":
    """Run the quality gate of a finished run to its end and return the result. Raises AppError, KeyboardInterrupt.

    `all_forms`: as for `GateRun.start`.
    """
    from app.models.services.artifact_session import ArtifactSession
    from app.training.services.gate_run import GateRun

    app = core_application()
    gate_run = GateRun(trainer.environment)
    judging = ArtifactSession(gate_run, output, gate_progress_lines(output).show)
    try:
        judging.wait(lambda: gate_run.start(folder, where.bases, all_forms=all_forms))
    finally:
        gate_run.deleteLater()
        background.shut_down()
        del app
    if judging.error is not None:
        raise judging.error
    if judging.result is None:
        output.note("common.run_gate_interrupted", id=folder.name)
        raise KeyboardInterrupt
    gate_result: GateResult = judging.result
    return gate_result


def gate_progress_lines(output: Output) -> "StepLines":
    from app.models.services.artifact_session import StepLines

    def describe(progress: StepProgress) -> str:
        return phrase(f"training.run_gating.{progress.kind}", form=training_errors.form_name(progress.name))

    return StepLines(output, "common.run_gating", "training.run_gating.percent", describe)


def print_verdict(run: TrainingRunFolder, gate: "GateResult", output: Output) -> int:
    """Print the verdict and return the exit status: 1 for a rejection, otherwise 0."""
    from app.training.cli import train_verdict

    text = "\n".join([run.id, *train_verdict.verdict_lines(run, gate)])
    output.result(train_texts.run_as_json(run) | train_verdict.verdict_as_json(gate), text)
    return 1 if gate.verdict == "reject" else 0


# Options with the same names as the fields of a SPEC, and those of them that are numbers.
_NUMBERS = {"rank": int, "learning_rate": float, "epochs": float, "micro_batch": int, "accumulation": int}
_OPTIONS = ("base", "preset", "name", "adapter", "loss", *_NUMBERS)


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    parser = add_command(actions, shared, "run", help_text("train run"), _run)
    add_spec_options(parser)
    parser.add_argument("--job", nargs="?", const="DIR", help=argparse.SUPPRESS)  # only for `plan`: `_run` refuses it
    listing = {"list": _list, "show": _show, "resume": _resume, "remove": _remove}
    for name, command in listing.items():
        parser = add_command(actions, shared, name, help_text(f"train {name}"), command)
        if name != "list":
            parser.add_argument("run_id", metavar="RUN", help=help_text("train run id"))


def add_spec_options(parser: argparse.ArgumentParser) -> None:
    """Add the argument SPEC and the options that override its fields; `spec_fields_from_options` reads both."""
    parser.add_argument("spec", metavar="SPEC", nargs="?", help=help_text("train run spec"))
    parser.add_argument("--data", metavar="DIR", help=help_text("train run --data"))
    parser.add_argument("--base", metavar="ID|FILE|DIR", help=help_text("train run --base"))
    parser.add_argument("--preset", choices=PRESETS, help=help_text("train run --preset"))
    parser.add_argument("--name", metavar="NAME", help=help_text("train run --name"))
    parser.add_argument("--adapter", metavar="RUN|DIR", help=help_text("train run --adapter"))
    parser.add_argument("--loss", choices=LOSSES, help=help_text("train run --loss"))
    for name, kind in _NUMBERS.items():
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, metavar="N", type=kind, help=help_text(f"train run {option}"))


def spec_fields_from_options(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the SPEC file, overridden by the options. Raises AppError with a code spec_…."""
    if options.spec is None:
        for option in ("data", "base"):
            if getattr(options, option) is None:
                options.missing(f"--{option}")
    fields = spec_builder.read_spec_file(Path(options.spec)) if options.spec is not None else {}
    given = {name: getattr(options, name) for name in _OPTIONS if getattr(options, name) is not None}
    if options.data is not None:
        given["data"] = str(Path(options.data).absolute())
    return fields | given


# ----------------------------------------------------------------------------- run


def _run(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Train a run.

    Exit status: 0; 1 if the result is rejected; 3 for an expected error; 130 if interrupted, which can be resumed.
    """
    if options.job:
        raise AppError("run_job_is_planned", job=options.job)
    fields = spec_fields_from_options(options)
    trainer = training_run.locate_trainer(where.data)
    asked = spec_builder.build_spec(fields, where, _models(where), trainer.converter)
    folder = run_folders.create(asked)
    return _train(trainer, folder, where, output, lambda: _print_begun(trainer, asked, folder.name, output))


def _resume(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Resume a run. Exit status: as for `_run`."""
    run = run_folders.find(where.runs, options.run_id)
    asked = run.require_spec()
    trainer = training_run.locate_trainer(where.data)
    saved = run.standing.saved if run.has_checkpoint else None

    def print_start() -> None:
        if saved is not None:
            output.note("common.run_continued", id=run.id, step=saved.step)
        else:
            _print_begun(trainer, asked, run.id, output)

    return _train(trainer, run.folder, where, output, print_start)


def _print_begun(trainer: Trainer, requested: RunSpec, run_id: str, output: Output) -> None:
    output.note("common.run_begun", id=run_id, base=requested.base)
    if trainer.can_judge and requested.holdout:
        output.note("common.run_judged_after")


def _train(trainer: Trainer, folder: Path, where: Paths, output: Output, print_start: Callable[[], None]) -> int:
    app = core_application()
    began_at = time.monotonic()
    process = TrainingRun(trainer, folder)
    live = TerminalRun(process, folder.name, output, print_start)
    try:
        live.wait()
    finally:
        process.deleteLater()
        background.shut_down()
        del app
    if live.error is not None:
        raise live.error
    trained_s = time.monotonic() - began_at
    if not isinstance(live.result, Finished):
        run = run_folders.read(folder)
        key = f"common.run_ended.{run.state}"
        output.result(train_texts.run_as_json(run), output.phrase(key, id=run.id, step=run.standing.last_step))
        return 128 + signal.SIGINT if run.state == "paused" else 0
    if trainer.can_judge and (folder / run_folders.HOLDOUT).is_file():
        if live.was_interrupted:  # Ctrl+C came too late to pause: the training has finished
            output.note("common.run_judged_later", id=folder.name)
        else:
            output.note("common.run_judging", id=folder.name)
            judge_run(trainer, folder, where, output)
    run = run_folders.read(folder)
    gate = train_texts.gate_of(run)
    elapsed_s = time.monotonic() - began_at
    lines = train_texts.outcome(run, live.result)
    lines.append(train_texts.elapsed(trained_s, elapsed_s, is_judged=gate is not None))
    output.result(train_texts.run_as_json(run) | {"elapsed_s": round(elapsed_s, 1)}, "\n".join(lines))
    return 1 if gate is not None and gate.verdict == "reject" else 0


def _models(where: Paths) -> list[LocalModel]:
    store = Store.open(where.database, where.backups)
    try:
        return store.local_models()
    finally:
        store.close()


# ----------------------------------------------------------------- list, show, remove


def _list(_options: argparse.Namespace, where: Paths, output: Output) -> int:
    found = run_folders.list_all(where.runs)
    lines = [train_texts.run_line(run) for run in found] or [output.phrase("common.run_none")]
    output.result({"runs": [train_texts.run_as_json(run) for run in found]}, "\n".join(lines))
    return 0


def _show(options: argparse.Namespace, where: Paths, output: Output) -> int:
    run = run_folders.find(where.runs, options.run_id)
    data = train_texts.run_as_json(run) | {"settings": train_texts.settings(run)}
    output.result(data, "\n".join(train_texts.run_page(run)))
    return 0


def _remove(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Delete a run. Exit status: 0; 3 for an expected error, also if the model list uses a file of the run."""
    run = run_folders.find(where.runs, options.run_id)
    training_list.require_no_model(run, _models(where))
    freed = run_folders.delete_run(run)
    freed_bases = training_list.clear_bases(where)
    if freed_bases:
        output.note("common.run_bases_removed", size=format_size(freed_bases))
    freed += freed_bases
    output.result(
        {"id": run.id, "freed_bytes": freed}, output.phrase("common.run_removed", id=run.id, size=format_size(freed))
    )
    return 0
