"""The training of this program: one run at a time, from its first step to its verdict, whatever page is shown."""

import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import filelock
from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services import background
from app.inference.services.engine import CLOSE_LIMIT_S, EngineClient, EngineReservation, end_within
from app.training.runs import run_folders, training_list
from app.training.services import training_run
from app.training.services.training_run import LockedRun, Trainer, TrainingRun
from trainer.events import Cancelled, Paused

if TYPE_CHECKING:
    from app.training.services.gate_run import GateProgress, GateRun  # numpy, which most starts never need


class Releasable(Protocol):
    def release(self) -> None: ...


H = TypeVar("H", bound=Releasable)
Scorers = tuple[Callable[[Path], list[str]], Callable[[Path], list[str]]]  # of quantizing and of scoring (GateCommands)


class TrainingRunner(QObject):
    """Between `started` and `ended` the run is trained, and then judged.

    The model that answers is unloaded meanwhile, because its memory is needed, and nothing can be asked; an answer that
    is being given is waited for first. With the next question after the end the model is loaded again.

    Nothing here waits: the engine ends, and the run's folder is looked at and held, while the window goes on.
    """

    started = Signal(object)  # the run's folder (Path)
    event_received = Signal(object)  # trainer.events.Event
    judging = Signal(object)  # GateProgress
    ended = Signal(object, object)  # the run's folder (Path); AppError, or None where nothing failed
    making = Signal(object)  # GateProgress of one form of a run that was judged
    made = Signal(object, object)  # as `ended`, of a form; nothing of it has `started`

    def __init__(
        self,
        engine: EngineClient,
        locate: Callable[[], Trainer],
        bases: Path,
        scorers: Scorers,
        parent: QObject | None = None,
        is_answering: Callable[[], bool] = lambda: False,
    ) -> None:
        """`locate` raises AppError("no_training_environment"). `bases`: where they are kept as folders."""
        super().__init__(parent)
        self._engine = engine
        self._locate = locate
        self._bases = bases
        self._scorers = scorers
        self._memory = EngineReservation(engine, is_answering)
        self.folder: Path | None = None  # of the run that is being trained or judged, or waits for that
        self.run: TrainingRun | None = None  # while it is trained
        self.form = ""  # the one that is made of `folder`; "": it is trained or judged
        self.progress: GateProgress | None = None  # while it is judged
        self.outcome = ""  # of the last one that has ended: finished | paused | cancelled | failed
        self._gate: GateRun | None = None
        self._is_judged = False  # now
        self._turn: object = None  # what is prepared in the background, as long as it is wanted
        self._began_at = 0.0

    @property
    def is_training(self) -> bool:
        """Whether a run is trained or judged, or is about to be."""
        return self.folder is not None

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an answer to be given."""
        return self._memory.is_waiting

    @property
    def is_judging(self) -> bool:
        return self._is_judged

    @property
    def is_asked(self) -> bool:
        """Whether it was told to end in some way."""
        return self.run is not None and self.run.is_asked

    @property
    def elapsed_s(self) -> float:
        """Since this program has begun with it; after its end, until now."""
        return time.monotonic() - self._began_at

    def start(self, folder: Path) -> None:
        """Begins, or goes on. Raises AppError: run_busy (this or another one), study_has_memory; what `locate` and
        `training.take` raise, `ended` tells."""
        self._take(folder, lambda: self._train(folder))

    def judge(self, folder: Path) -> None:
        """A run that was trained at another time. Raises AppError as `start`; what `GateRun.start` raises, `ended`
        tells."""
        self._take(folder, lambda: self._judge(folder))

    def go_on(self, folder: Path) -> None:
        """With what is left to do: to train it, or to judge it. Raises AppError as `start` and `judge`."""
        if training_list.has_finished(folder):
            self.judge(folder)
        else:
            self.start(folder)

    def make(self, folder: Path, form: str) -> None:
        """Another form of a judged run than the proposed one. `made` ends it, and tells what `GateRun.start` raises.
        Raises AppError as `start`."""
        self._take(folder, lambda: self._measure(folder, self.making.emit, form), form)

    def pause(self) -> None:
        """A training saves where it is; what was measured of a run that is judged is kept."""
        if self.run is not None and self.run.is_running:
            self.run.pause()
        elif self._gate is not None:
            self._gate.end()
        elif self.is_training:
            self._end(None, "paused")

    def finish(self) -> None:
        """Ends the training here, with the best that was trained so far; one that is judged has ended."""
        if self.run is not None:
            self.run.finish()

    def cancel(self) -> None:
        """Ends without saving where it is. The run stays in the list, and can go on from what was saved last; what was
        measured of a run that is judged is kept, as by `pause`."""
        if self.run is not None and self.run.is_running:
            self.run.cancel()
        elif self._gate is not None:
            self._gate.end()
        elif self.is_training:
            self._end(None, "cancelled")

    def close(self, limit_s: float = CLOSE_LIMIT_S) -> bool:
        """Pauses and waits, for the end of the program. False: the trainer is still saving.

        It then ends by itself once this process has gone; but Qt would kill it, where it destroyed what talks to it.
        """
        if self.is_training:
            end_within(limit_s, self.pause, self.made if self.form else self.ended, lambda: not self.is_training)
        return self.run is None

    # ------------------------------------------------------------------- private

    def _take(self, folder: Path, begin: Callable[[], None], form: str = "") -> None:
        if self.folder is not None:
            raise AppError("run_busy", id=self.folder.name)
        if self._engine.refusal is not None:  # something else has the memory
            raise self._engine.refusal
        self.form = form
        self.folder, self._began_at, self.outcome = folder, time.monotonic(), ""
        self._memory.take(AppError("training_has_memory"), begin)
        if self.folder == folder and not form:  # else it has ended already
            self.started.emit(folder)

    def _prepare(self, take: Callable[[Trainer], H], go_on: Callable[[Trainer, H], None]) -> None:
        """`take`, in the background, gives what holds the run, and is released where nobody wants it any more."""
        locate = self._locate
        turn = self._turn = object()

        def work() -> tuple[Trainer, H]:
            trainer = locate()  # perhaps on a drive that sleeps
            return trainer, take(trainer)

        def begin(found: tuple[Trainer, H]) -> None:
            if self._turn is turn:
                go_on(*found)
            else:
                found[1].release()

        background.run(work, begin, lambda error: self._end(error, "failed") if self._turn is turn else None)

    def _train(self, folder: Path) -> None:
        def begin(trainer: Trainer, taken: LockedRun) -> None:
            run = self.run = TrainingRun(trainer, folder, self)
            run.event_received.connect(self.event_received)
            run.finished.connect(lambda _end: self._on_trained(trainer))
            run.paused.connect(self._on_stopped)
            run.cancelled.connect(self._on_stopped)
            run.failed.connect(lambda error: self._end(error, "failed"))
            run.start(taken)

        self._prepare(lambda trainer: training_run.lock_for_training(trainer, folder), begin)

    def _on_trained(self, trainer: Trainer) -> None:
        folder = self.folder
        assert folder is not None
        self._forget_run()
        if not trainer.can_judge or not (folder / run_folders.HOLDOUT).is_file():
            self._end(None, "finished")
            return
        self._judge(folder)

    def _judge(self, folder: Path) -> None:
        self._is_judged = True
        self._measure(folder, self._on_judging)

    def _measure(self, folder: Path, tell: Callable[["GateProgress"], None], form: str = "") -> None:
        def begin(trainer: Trainer, lock: filelock.BaseFileLock) -> None:
            from app.training.services.gate_run import GateCommands, GateRun

            gate = self._gate = GateRun(GateCommands(trainer.environment, *self._scorers), self)
            gate.progressed.connect(tell)
            gate.finished.connect(lambda _found: self._end(None, "finished"))
            gate.cancelled.connect(lambda: self._end(None, "paused"))
            gate.failed.connect(lambda error: self._end(error, "failed"))
            gate.start(folder, self._bases, form=form, lock=lock)

        self._prepare(lambda _trainer: _lock_for_gate(folder), begin)

    def _on_judging(self, progress: "GateProgress") -> None:
        self.progress = progress
        self.judging.emit(progress)

    def _on_stopped(self, end: Paused | Cancelled) -> None:
        self._end(None, "paused" if isinstance(end, Paused) else "cancelled")

    def _forget_run(self) -> None:
        if self.run is not None:
            self.run.deleteLater()
            self.run = None

    def _forget(self) -> None:
        self._memory.give_back()
        self._forget_run()
        if self._gate is not None:
            self._gate.deleteLater()
        self.folder = self._gate = self.progress = self._turn = None
        self._is_judged = False
        self.form = ""

    def _end(self, error: AppError | None, outcome: str) -> None:
        folder, told = self.folder, self.made if self.form else self.ended
        self._forget()
        self.outcome = outcome
        told.emit(folder, error)


def _lock_for_gate(folder: Path) -> filelock.BaseFileLock:
    """Raises AppError as `runs.hold`."""
    importlib.import_module("app.training.runs.run_report")  # takes longer to load than the window may stand still
    return run_folders.lock_run(folder)
