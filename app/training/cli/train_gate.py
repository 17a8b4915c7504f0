"""`kotae train gate` and `report`: whether what a run has made is to be used, measured and told."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.base.cli.commands import Output
from app.base.cli.loop import CommandLoop, core_application
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import help_text, phrase
from app.inference import child_commands
from app.training.cli import train_words
from app.training.runs import runs
from app.training.runs.runs import Run
from app.training.services import training
from app.training.services.training import Trainer
from trainer.events import Finished

if TYPE_CHECKING:  # what measures and draws is loaded when something is measured
    from app.training.gate import Gate
    from app.training.services.gate import GateProgress, GateRun


def add_parsers(actions: Any, shared: argparse.ArgumentParser) -> None:
    from app.base.cli.commands import add_command

    for name, command in (("gate", _gate), ("report", _report)):
        parser = add_command(actions, shared, name, help_text(f"train {name}"), command)
        parser.add_argument("run_id", metavar="RUN", help=help_text("train run id"))


def _gate(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 1 rejected; 3 expected error; 130 interrupted, and the same command goes on."""
    run = runs.find_finished(where.runs, options.run_id)
    found = judge(training.locate(where.data), run.folder, where, output)
    return tell(runs.read(run.folder), found, output)


def _report(options: argparse.Namespace, where: Paths, output: Output) -> int:
    """Exit status: 0; 1 rejected; 3 there is none yet."""
    run = runs.find_finished(where.runs, options.run_id)
    from app.training import gate_file
    from app.training.runs import report

    if isinstance(run.standing.end, Finished) and not (run.folder / runs.HOLDOUT).is_file():  # nothing to judge it by
        path = report.write(run.folder)
        told = [run.id, *train_words.outcome(run, run.standing.end), phrase("common.run_report", path=path)]
        output.result(train_words.described(run), "\n".join(told))
        return 0
    found = gate_file.read(run.folder)
    if not (run.folder / runs.REPORT).is_file():
        report.write(run.folder)
    return tell(run, found, output)


def judge(trainer: Trainer, folder: Path, where: Paths, output: Output) -> "Gate":
    """Runs the gate of a finished run to its end. Raises AppError, KeyboardInterrupt."""
    from app.training.services.gate import GateCommands, GateRun

    app = core_application()
    gate_run = GateRun(GateCommands(trainer.environment, child_commands.quantizer, child_commands.scorer))
    judging = _Judging(gate_run, output)
    try:
        judging.wait(folder, where.bases)
    finally:
        gate_run.deleteLater()
        background.shut_down()
        del app
    if judging.error is not None:
        raise judging.error
    if judging.gate is None:
        output.note("common.run_gate_interrupted", id=folder.name)
        raise KeyboardInterrupt
    return judging.gate


def tell(run: Run, found: "Gate", output: Output) -> int:
    """Prints it, and gives the exit status: 1 where the verdict is no."""
    from app.training.cli import train_verdict

    text = "\n".join([run.id, *train_verdict.lines(run, found)])
    output.result(train_words.described(run) | train_verdict.as_json(found), text)
    return 1 if found.verdict == "reject" else 0


class _Judging:
    """Runs one GateRun to its end and says how far it is."""

    def __init__(self, run: "GateRun", output: Output) -> None:
        self._run = run
        self._output = output
        self._told = 0  # the step whose line is out
        self.gate: Gate | None = None
        self.error: AppError | None = None
        self.waiting = CommandLoop(run.cancel)
        run.progressed.connect(self._on_progressed)
        run.finished.connect(self._on_finished)
        run.failed.connect(self._on_failed)
        run.cancelled.connect(self.waiting.stop)

    def wait(self, folder: Path, cache: Path) -> None:
        """Raises what `GateRun.start` raises, and KeyboardInterrupt."""
        self._run.start(folder, cache)
        try:
            self.waiting.run()
        finally:
            self._run.cancel()
            self._output.end_progress()

    def _on_progressed(self, progress: "GateProgress") -> None:
        from app.training.cli import train_verdict

        form = train_verdict.form_name(progress.form)
        what = self._output.phrase(f"training.run_gating.{progress.phase}", form=form)
        facts: dict[str, Any] = {"number": progress.number, "steps": progress.steps, "what": what}
        if not sys.stderr.isatty():  # a log, or a program: a line a step
            if progress.number != self._told:
                self._told = progress.number
                self._output.note("common.run_gating", **facts)
        elif progress.total:
            percent = 100 * progress.done // progress.total
            self._output.progress("training.run_gating.percent", percent=percent, **facts)
        else:
            self._output.progress("common.run_gating", **facts)

    def _on_finished(self, found: "Gate") -> None:
        self.gate = found
        self.waiting.stop()

    def _on_failed(self, error: AppError) -> None:
        self.error = error
        self.waiting.stop()
