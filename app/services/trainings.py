"""The training of this program: one run at a time, from its first step to its verdict, whatever page is shown."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.core.errors import AppError
from app.core.training import runs
from app.services.engine import EngineClient
from app.services.gate import GateCommands, GateRun
from app.services.training import Trainer, TrainingRun
from trainer.events import Cancelled, Finished, Paused

Scorers = tuple[Callable[[Path], list[str]], Callable[[Path], list[str]]]  # of quantizing and of scoring (GateCommands)


class Trainings(QObject):
    """Between `started` and `ended` the run is trained, and then judged. The model that answers is unloaded first: its
    memory is needed; with the next question it is loaded again."""

    started = Signal(object)  # the run's folder (Path)
    event_received = Signal(object)  # trainer.events.Event
    judging = Signal(object)  # GateProgress
    ended = Signal(object, object)  # the run's folder (Path); AppError, or None where nothing failed

    def __init__(
        self,
        engine: EngineClient,
        locate: Callable[[], Trainer],
        bases: Path,
        scorers: Scorers,
        parent: QObject | None = None,
    ) -> None:
        """`locate` raises AppError("no_training_environment"). `bases`: where they are kept as folders."""
        super().__init__(parent)
        self._engine = engine
        self._locate = locate
        self._bases = bases
        self._scorers = scorers
        self.folder: Path | None = None  # of the run that is being trained or judged
        self.run: TrainingRun | None = None  # while it is trained
        self._gate: GateRun | None = None

    @property
    def is_judging(self) -> bool:
        return self._gate is not None

    def start(self, folder: Path) -> None:
        """Begins, or goes on. Raises AppError as `locate` and `TrainingRun.start`."""
        assert self.folder is None
        trainer = self._locate()
        run = TrainingRun(trainer, folder, self)
        try:
            run.start()
        except AppError:
            run.deleteLater()
            raise
        self._engine.shut_down()
        self.folder, self.run = folder, run
        run.event_received.connect(self.event_received)
        run.finished.connect(lambda end: self._on_trained(end, trainer))
        run.paused.connect(self._on_stopped)
        run.cancelled.connect(self._on_stopped)
        run.failed.connect(self._end)
        self.started.emit(folder)

    def judge(self, folder: Path) -> None:
        """A run that was trained at another time. Raises AppError as `locate` and `GateRun.start`."""
        assert self.folder is None
        self._judge(folder, self._locate())
        self._engine.shut_down()
        self.started.emit(folder)

    def pause(self) -> None:
        """A training saves where it is; what was measured of a run that is judged is kept."""
        if self.run is not None:
            self.run.pause()
        elif self._gate is not None:
            self._gate.cancel()

    def finish(self) -> None:
        """Ends the training here, with the best that was trained so far."""
        if self.run is not None:
            self.run.finish()

    def cancel(self) -> None:
        """What was trained is given up; the run stays in the list."""
        if self.run is not None:
            self.run.cancel()

    # ------------------------------------------------------------------- private

    def _on_trained(self, _end: Finished, trainer: Trainer) -> None:
        folder = self.folder
        assert folder is not None
        self._forget_run()
        if not trainer.can_judge or not (folder / runs.HOLDOUT).is_file():
            self._end(None)
            return
        try:
            self._judge(folder, trainer)
        except AppError as error:
            self._end(error)

    def _judge(self, folder: Path, trainer: Trainer) -> None:
        """Raises AppError as `GateRun.start`."""
        gate = GateRun(GateCommands(trainer.environment, *self._scorers), self)
        gate.start(folder, self._bases)
        self.folder, self._gate = folder, gate
        gate.progressed.connect(self.judging)
        gate.finished.connect(lambda _gate: self._end(None))
        gate.cancelled.connect(lambda: self._end(None))
        gate.failed.connect(self._end)

    def _on_stopped(self, _end: Paused | Cancelled) -> None:
        self._end(None)

    def _forget_run(self) -> None:
        if self.run is not None:
            self.run.deleteLater()
            self.run = None

    def _end(self, error: AppError | None) -> None:
        folder, gate = self.folder, self._gate
        self._forget_run()
        self.folder = self._gate = None
        if gate is not None:
            gate.deleteLater()
        self.ended.emit(folder, error)
