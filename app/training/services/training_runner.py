"""Train and judge one run at a time for this program, independent of the page that is shown."""

import contextlib
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import filelock
from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.errors import AppError
from app.base.services import background
from app.inference.services.engine import CLOSE_LIMIT_S, EngineClient, EngineReservation, end_within
from app.models.artifact_steps import StepProgress
from app.training.runs import run_clock, run_folders, training_list
from app.training.services import training_run
from app.training.services.training_run import LockedRun, Trainer, TrainingRun
from trainer import sleep_inhibitor
from trainer.events import Cancelled, Paused

if TYPE_CHECKING:
    from app.training.services.gate_run import GateRun  # imports numpy, which most starts never need


class Releasable(Protocol):
    def release(self) -> None: ...


H = TypeVar("H", bound=Releasable)


class TrainingRunner(QObject):
    """Trains a run and then judges it, between `started` and `ended`.

    Meanwhile the model that answers questions is unloaded to free its memory, and no question can be asked; a running
    answer is completed first. The next question after the end loads the model again. Nothing here blocks: the engine
    ends, and the run's folder is checked and locked, in the background.
    """

    started = Signal(object)  # the run's folder (Path)
    event_received = Signal(object)  # trainer.events.Event
    judging = Signal(object)  # StepProgress
    ended = Signal(object, object)  # the run's folder (Path); AppError, or None for success
    making = Signal(object)  # StepProgress while `make` runs
    made = Signal(object, object)  # end of `make`, arguments as for `ended`; there is no `started`

    def __init__(
        self,
        engine: EngineClient,
        locate: Callable[[], Trainer],
        bases: Path,
        parent: QObject | None = None,
        is_answering: Callable[[], bool] = lambda: False,
    ) -> None:
        """Create the runner.

        `locate` returns the trainer or raises AppError("no_training_environment"). `bases`: the folder of converted
        bases. `is_answering`: returns whether an answer must be completed first.
        """
        super().__init__(parent)
        self._engine = engine
        self._locate = locate
        self._bases = bases
        self._memory = EngineReservation(engine, is_answering)
        self.folder: Path | None = None  # folder of the current run; None: there is none
        self.run: TrainingRun | None = None  # set while the run is trained
        self.form = ""  # the form that `make` is making; "" while a run is trained or judged
        self.progress: StepProgress | None = None  # set while the run is judged
        self.judged: list[tuple[float, StepProgress]] = []  # first and last reports on each step of the gate, and when
        self.outcome = ""  # how the last run ended: finished | paused | cancelled | failed
        self._gate: GateRun | None = None
        self._is_judging = False
        self._awake = contextlib.ExitStack()  # keeps the machine awake while a run is judged
        self._preparation: object = None  # identifies the current background preparation; None: there is none
        self._began_at = 0.0

    @property
    def is_training(self) -> bool:
        """Return whether a run is being trained or judged, or is about to be."""
        return self.folder is not None

    @property
    def is_waiting(self) -> bool:
        """Return whether the run waits for the end of an answer."""
        return self._memory.is_waiting

    @property
    def refusal(self) -> AppError | None:
        """Return why no run could start now although none is in progress here; None otherwise."""
        return self._engine.refusal if self.folder is None else None

    @property
    def refusal_changed(self) -> SignalInstance:
        return self._engine.refusal_changed

    @property
    def is_judging(self) -> bool:
        return self._is_judging

    @property
    def is_asked(self) -> bool:
        """Return whether the training has received a command to pause, finish or cancel."""
        return self.run is not None and self.run.is_asked

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since the last start."""
        return time.monotonic() - self._began_at

    def start(self, folder: Path) -> None:
        """Train a run, from the beginning or from its checkpoint.

        Raises AppError: run_busy (if any run is in progress), study_has_memory.

        Errors of `locate` and `lock_for_training` are passed to `ended`.
        """
        self._take(folder, lambda: self._train(folder))

    def judge(self, folder: Path, *, all_forms: bool = False) -> None:
        """Judge a run that has already been trained. `all_forms`: as for `GateRun.start`.

        Raises AppError as `start` does; errors of `GateRun.start` are passed to `ended`.
        """
        self._take(folder, lambda: self._judge(folder, all_forms=all_forms))

    def go_on(self, folder: Path) -> None:
        """Judge the run if it has been trained, otherwise train it. Raises AppError as `start` does."""
        if training_list.has_finished(folder):
            self.judge(folder)
        else:
            self.start(folder)

    def make_model_file(self, folder: Path, form: str) -> None:
        """Make the file of a judged run's form that was not proposed. `made` follows with the error, if any.

        Raises AppError as `start` does.
        """
        self._take(folder, lambda: self._measure(folder, self.making.emit, form), form)

    def pause(self) -> None:
        """Pause the current run: training saves a checkpoint, and a gate keeps its measurements."""
        if self.run is not None and self.run.is_running:
            self.run.pause()
        elif self._gate is not None:
            self._gate.stop()
        elif self.is_training:
            self._emit_end(None, "paused")

    def finish(self) -> None:
        """End the training now with the best weights so far; a gate is not affected."""
        if self.run is not None:
            self.run.finish()

    def cancel(self) -> None:
        """End the current run without saving.

        The run stays in the list and can resume from its last checkpoint; a gate keeps its measurements.
        """
        if self.run is not None and self.run.is_running:
            self.run.cancel()
        elif self._gate is not None:
            self._gate.stop()
        elif self.is_training:
            self._emit_end(None, "cancelled")

    def close(self, limit_s: float = CLOSE_LIMIT_S) -> bool:
        """Pause at the end of the program and wait; return False if the trainer still saves after `limit_s` seconds.

        The trainer then ends by itself after this process, unless Qt kills it by destroying its QProcess.
        """
        if self.is_training:
            end_within(limit_s, self.pause, self.made if self.form else self.ended, lambda: not self.is_training)
        return self.run is None

    # ------------------------------------------------------------- private methods

    def _take(self, folder: Path, begin: Callable[[], None], form: str = "") -> None:
        if self.folder is not None:
            raise AppError("run_busy", id=self.folder.name)
        if self._engine.refusal is not None:  # a study or another job has reserved the memory
            raise self._engine.refusal
        self.form, self.judged = form, []
        self.folder, self._began_at, self.outcome = folder, time.monotonic(), ""
        self._memory.take(AppError("training_has_memory"), begin)
        if self.folder == folder and not form:  # otherwise it has already ended
            self.started.emit(folder)

    def _prepare(self, take: Callable[[Trainer], H], go_on: Callable[[Trainer, H], None]) -> None:
        """Run `take` in the background, which locks the run, then `go_on`; release a lock that is no longer needed."""
        locate = self._locate
        turn = self._preparation = object()

        def work() -> tuple[Trainer, H]:
            trainer = locate()  # may have to wait for a sleeping drive
            return trainer, take(trainer)

        def go_on_if_current(outcome: tuple[Trainer, H]) -> None:
            if self._preparation is turn:
                go_on(*outcome)
            else:
                outcome[1].release()

        background.run(
            work, go_on_if_current, lambda error: self._emit_end(error, "failed") if self._preparation is turn else None
        )

    def _train(self, folder: Path) -> None:
        def begin(trainer: Trainer, locked: LockedRun) -> None:
            run = self.run = TrainingRun(trainer, folder, self)
            run.event_received.connect(self.event_received)
            run.finished.connect(lambda _end: self._on_trained(trainer))
            run.paused.connect(self._on_stopped)
            run.cancelled.connect(self._on_stopped)
            run.failed.connect(lambda error: self._emit_end(error, "failed"))
            run.start(locked)

        self._prepare(lambda trainer: training_run.lock_for_training(trainer, folder), begin)

    def _on_trained(self, trainer: Trainer) -> None:
        folder = self.folder
        assert folder is not None
        self._forget_run()
        if not trainer.can_judge or not (folder / run_folders.HOLDOUT).is_file():
            self._emit_end(None, "finished")
            return
        self._judge(folder)

    def _judge(self, folder: Path, *, all_forms: bool = False) -> None:
        self._is_judging = True
        self._awake.enter_context(sleep_inhibitor.keep_awake("Kotae: judging a fine-tuned model"))
        self._measure(folder, self._on_judging, all_forms=all_forms)

    def _measure(
        self, folder: Path, report: Callable[[StepProgress], None], form: str = "", *, all_forms: bool = False
    ) -> None:
        def begin(trainer: Trainer, lock: filelock.BaseFileLock) -> None:
            from app.training.services.gate_run import GateRun

            gate = self._gate = GateRun(trainer.environment, self)
            gate.progressed.connect(report)
            gate.finished.connect(lambda _found: self._on_measured(folder))
            gate.stopped.connect(lambda: self._emit_end(None, "paused"))
            gate.failed.connect(lambda error: self._emit_end(error, "failed"))
            gate.start(folder, self._bases, form=form, lock=lock, all_forms=all_forms)

        self._prepare(lambda _trainer: _lock_for_gate(folder), begin)

    def _on_measured(self, folder: Path) -> None:
        if self._is_judging:
            judged, ended_at = self.judged, time.time()
            background.run(lambda: run_clock.learn_rates(folder, judged, ended_at), lambda _none: None)
        self._emit_end(None, "finished")

    def _on_judging(self, progress: StepProgress) -> None:
        self.progress = progress
        step = (progress.kind, progress.name)
        if [(one.kind, one.name) for _, one in self.judged[-2:]] == [step, step]:
            self.judged.pop()
        self.judged.append((time.time(), progress))
        self.judging.emit(progress)

    def _on_stopped(self, end: Paused | Cancelled) -> None:
        self._emit_end(None, "paused" if isinstance(end, Paused) else "cancelled")

    def _forget_run(self) -> None:
        if self.run is not None:
            self.run.deleteLater()
            self.run = None

    def _forget(self) -> None:
        self._memory.give_back()
        self._forget_run()
        if self._gate is not None:
            self._gate.deleteLater()
        self.folder = self._gate = self.progress = self._preparation = None
        self._is_judging = False
        self._awake.close()
        self.form = ""

    def _emit_end(self, error: AppError | None, outcome: str) -> None:
        folder, signal = self.folder, self.made if self.form else self.ended
        self._forget()
        self.outcome = outcome
        signal.emit(folder, error)


def _lock_for_gate(folder: Path) -> filelock.BaseFileLock:
    """Lock the run for its gate. Raises AppError as `run_folders.lock_run` does."""
    importlib.import_module("app.training.runs.run_report")  # in this thread, because it takes longer than 50 ms
    return run_folders.lock_run(folder)
