"""Show a training run in the terminal on stderr, and pause it on Ctrl+C."""

import math
from collections.abc import Callable

from PySide6.QtCore import QTimer

from app.base import wording
from app.base.cli.commands import Output, time_left_suffix
from app.base.cli.loop import CommandEventLoop
from app.base.errors import AppError
from app.training import training_errors
from app.training.runs.run_journal import RunStatus
from app.training.services.training_run import TrainingRun
from trainer import events
from trainer.events import (
    Adjusted,
    EvaluationStep,
    Event,
    Phase,
    PreflightFinding,
    PreflightFindings,
    RunForecast,
    TrainingStep,
)

_MEASURED = ("converting_base", "reading", "exporting")  # phases that report their own progress; the others have steps


class TerminalRun(CommandEventLoop):
    """Shows a run in the terminal until it ends, and then sets `result` or `error`.

    The first Ctrl+C pauses the run, a second one kills it.
    """

    def __init__(self, run: TrainingRun, run_id: str, output: Output, on_begun: Callable[[], None]) -> None:
        """Connect to the run. `on_begun` is called once it is certain that no other process trains the run."""
        super().__init__(self._pause)
        self._run = run
        self._id = run_id
        self._on_begun = on_begun
        self._output = output
        run.event_received.connect(self._on_event)
        for ended in (run.finished, run.paused, run.cancelled):
            ended.connect(self.finish)
        run.failed.connect(self.fail)

    def wait(self) -> None:
        """Train the run to its end. Raises KeyboardInterrupt at the second Ctrl+C."""
        QTimer.singleShot(0, self._begin)  # starts after the handler of Ctrl+C is installed
        try:
            self.run()
        except KeyboardInterrupt:
            self._output.end_progress()
            self._output.note("common.run_stopped", id=self._id)
            raise
        finally:
            self._run.kill()
            self._output.end_progress()

    def _begin(self) -> None:
        try:
            self._run.start()
            self._on_begun()
        except AppError as error:
            self.fail(error)

    def _pause(self) -> None:
        if not self._run.is_asked:
            self._output.end_progress()
            show_pausing(self._run.standing, self._output)
        self._run.pause()

    def _on_event(self, event: Event) -> None:
        match event:
            case Phase():
                self._show_phase(event)
            case TrainingStep():
                self._show_step(event)
            case EvaluationStep():
                self._print_evaluation(event)
            case PreflightFindings():
                for finding in event.found:
                    self._print_finding(finding)
            case RunForecast():
                facts = {"peak_bytes": event.peak_bytes, "available_bytes": event.available_bytes}
                key = "common.run_forecast_measured" if event.is_measured else "common.run_forecast"
                self._print(key, time=wording.format_duration(event.total_s), disk_bytes=event.disk_bytes, **facts)
            case Adjusted():
                self._print(f"training.run_adjusted.{event.reason}", step=event.step)

    def _show_phase(self, event: Phase) -> None:
        step = self._run.standing.step
        if event.name == "training" and step is not None:
            self._show_step(step)  # replaces the line of the previous phase
            return
        phase = phase_text(event.name)
        if event.total and event.name in _MEASURED:
            self._output.progress("training.run_phase.percent", phase=phase, percent=100 * event.done // event.total)
        else:
            self._output.progress("common.run_phase", phase=phase)

    def _show_step(self, event: TrainingStep) -> None:
        best = self._run.standing.best_evaluation
        self._output.progress(
            "common.run_step",
            step=event.step,
            total=event.total,
            loss=loss_text(event.loss),
            validation=loss_text(best.loss if best else None),
            tokens_per_s=f"{event.tokens_per_s:.0f}",
            memory_bytes=event.memory_bytes,
            left=wording.phrase("common.run_left", left=time_left_suffix(event.left_s))
            if math.isfinite(event.left_s)
            else "",
        )

    def _print_evaluation(self, event: EvaluationStep) -> None:
        key = (
            "common.run_base_loss"
            if event.step == 0
            else "common.run_evaluation_best"
            if event.is_best
            else "common.run_evaluation"
        )
        self._print(key, step=event.step, loss=loss_text(event.loss))

    def _print_finding(self, finding: PreflightFinding) -> None:
        self._print(f"training.run_finding.{finding.level}", text=training_errors.finding_text(finding))

    def _print(self, key: str, **facts: object) -> None:
        self._output.end_progress()
        self._output.note(key, **facts)


def show_pausing(standing: RunStatus, output: Output) -> None:
    """Print what must end before the run pauses, and what another Ctrl+C would lose."""
    phase, forecast = standing.phase, standing.forecast
    name = phase.name if phase else "loading"
    if name == "saving":
        name = "training"
    step_s = forecast.step_s if forecast and forecast.is_measured else 0.0
    about = wording.phrase("common.run_step_takes", time=wording.format_duration(step_s)) if step_s >= 1 else ""
    known = name in ("training", "evaluating", "exporting")
    output.note(f"training.run_pausing.{name}" if known else "common.run_pausing", phase=phase_text(name), about=about)


def phase_text(name: str) -> str:
    known = name in events.PHASES
    return (
        wording.phrase(f"training.run_phase.{name}") if known else wording.phrase("training.run_phase.other", name=name)
    )


def loss_text(loss: float | None) -> str:
    """Format a loss in nats per trained token; "-" if it is None or not finite."""
    return f"{loss:.3f}" if loss is not None and math.isfinite(loss) else "-"
