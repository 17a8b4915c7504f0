"""One training run: the trainer as a child, what it tells, and how it ends."""

import dataclasses
import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import filelock
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.models import training_environment
from app.models.training_environment import TrainingEnvironment
from app.training import training_errors
from app.training.runs import run_folders, run_journal
from app.training.runs.run_journal import RunStatus
from trainer import events
from trainer.events import Cancelled, Failed, Finished, Paused

VARIABLE = "KOTAE_TRAINER"  # "fake:BEHAVIOUR" takes `trainer.fake`, for tests of whole programs

# How long the child may take to do as it is told; a step on a slow CPU takes minutes, and is finished first.
PAUSE_LIMIT_S = 600.0
CANCEL_LIMIT_S = 15.0
EXIT_LIMIT_S = 30.0  # after its last event


@dataclass(frozen=True, slots=True)
class Trainer:
    environment: TrainingEnvironment
    module: str = "trainer"

    @property
    def converter(self) -> str:
        """The folder of llama.cpp's converter. Raises AppError("converter_missing")."""
        if self.environment.converter is not None:
            return str(self.environment.converter)
        if not self.can_judge:
            return ""
        raise AppError("converter_missing", path=str(self.environment.python.parent.parent))

    @property
    def can_judge(self) -> bool:
        """What the fake has made up is not to be measured."""
        return self.module == "trainer"

    def command(self, *arguments: str) -> list[str]:
        return self.environment.command(self.module, *arguments)


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A run that nobody else trains until it is released, and what it goes on from."""

    lock: filelock.BaseFileLock
    standing: RunStatus
    has_checkpoint: bool

    def release(self) -> None:
        self.lock.release()


def lock_for_training(trainer: Trainer, folder: Path) -> LockedRun:
    """Looks whether the run may begin, or go on, and keeps it for this program. Takes up to seconds.

    With the converter of now: an environment may have been made anew, or moved.

    Raises AppError: run_busy, run_judging, run_ending, run_unwritable, run_is_finished, run_exported,
    run_from_elsewhere, converter_missing.
    """
    lock = run_folders.lock_run(folder)
    try:
        run = run_folders.read(folder)
        if isinstance(run.standing.end, Finished):
            raise AppError("run_is_finished", id=run.id)
        run_folders.require_here(run)
        run_folders.require_planned_here(run)
        asked = run.spec
        if asked is not None and asked.converter and asked.converter != trainer.converter:
            run_folders.write_spec(folder, dataclasses.replace(asked, converter=trainer.converter))
    except BaseException:
        lock.release()
        raise
    return LockedRun(lock, dataclasses.replace(run.standing, end=None), run.has_checkpoint)


def locate_trainer(data: Path) -> Trainer:
    """Raises AppError("no_training_environment")."""
    if os.environ.get(VARIABLE, "").startswith("fake"):
        return Trainer(TrainingEnvironment(Path(sys.executable), None), "trainer.fake")
    return Trainer(training_environment.locate(data))


class TrainingRun(QObject):
    """`start` ends with exactly one of `finished`, `paused`, `cancelled` and `failed`; the run's folder is held until
    then."""

    event_received = Signal(object)  # trainer.events.Event: each, the last one too
    finished = Signal(object)  # Finished
    paused = Signal(object)  # Paused
    cancelled = Signal(object)  # Cancelled
    failed = Signal(object)  # AppError

    def __init__(self, trainer: Trainer, folder: Path, parent: QObject | None = None) -> None:
        """`folder`: with a spec in it (`runs.create`)."""
        super().__init__(parent)
        self._folder = folder
        self._trainer = trainer
        self._lock: filelock.BaseFileLock | None = None
        self._child: ChildProcess | None = None
        self._wish = ""  # the command that the child is to obey
        self.standing = RunStatus()
        self._patience = QTimer(self, singleShot=True)
        self._patience.timeout.connect(self._on_patience_over)

    @property
    def is_running(self) -> bool:
        return self._child is not None

    @property
    def is_asked(self) -> bool:
        """Whether it was told to end in some way."""
        return bool(self._wish)

    @property
    def child_pid(self) -> int:
        """0 while no child works."""
        return self._child.pid if self._child is not None else 0

    def start(self, taken: LockedRun | None = None) -> None:
        """Begins, or goes on from the last checkpoint. `taken`: by `take`; None: it is taken now. Raises AppError as
        `take`, then."""
        assert not self.is_running
        taken = taken or lock_for_training(self._trainer, self._folder)
        self._lock, self.standing, self._wish = taken.lock, taken.standing, ""
        resume = ["--resume"] if taken.has_checkpoint else []
        command = self._trainer.command(str(self._folder / run_folders.SPEC), "--commands", *resume)
        # Apart: Ctrl+C while torch is still being imported, or in what it converts, would end it instead of pausing.
        self._child = ChildProcess(command, self._folder / run_folders.LOG, self, is_apart=True)
        self._child.line_received.connect(self._on_line)
        self._child.exited.connect(self._on_exited)
        self._child.start()

    def pause(self) -> None:
        """Saves where it is and ends. Goes on with `start`."""
        self._ask("pause", PAUSE_LIMIT_S)

    def finish(self) -> None:
        """Ends here, with the best that was trained so far. How long the export takes is not limited."""
        self._ask("finish", None)

    def cancel(self) -> None:
        self._ask("cancel", CANCEL_LIMIT_S)

    def kill(self) -> None:
        """At once; what was trained since the last checkpoint is lost. Blocks until it is gone; `failed` is emitted."""
        child = self._child
        if child is not None:
            child.kill()
            child.stop()

    # ------------------------------------------------------------------------ private

    def _ask(self, command: str, limit_s: float | None) -> None:
        if self._child is None or self.standing.end is not None:
            return
        self._wish = command
        self._child.send(json.dumps({"command": command}).encode("ascii") + b"\n")
        if limit_s is not None:
            self._patience.start(int(limit_s * 1000))

    def _on_line(self, line: bytes) -> None:
        assert self._child is not None
        try:
            event = run_journal.read_event(line)
        except ValueError:
            self._wish = "garbled"
            self._child.kill()
            return
        self.standing = run_journal.status_after(self.standing, event)
        if isinstance(event, events.TERMINAL):
            self._patience.start(int(EXIT_LIMIT_S * 1000))
        self.event_received.emit(event)

    def _on_patience_over(self) -> None:
        if self._child is not None:
            self._child.kill()

    def _on_exited(self, how: ChildExit) -> None:
        """What it said last counts, also where it fell over its own feet afterwards."""
        self._patience.stop()
        child, self._child = self._child, None
        if child is not None:
            child.deleteLater()
        if self.standing.end is None and self._wish == "cancel":
            self._note_cancellation()
        self._release()
        match self.standing.end:
            case Finished() as end:
                self.finished.emit(end)
            case Paused() as end:
                self.paused.emit(end)
            case Cancelled() as end:
                self.cancelled.emit(end)
            case Failed() as end:
                self.failed.emit(training_errors.error_from_run(end.code, end.facts, self._folder.name))
            case None:
                self.failed.emit(self._crash(how))

    def _note_cancellation(self) -> None:
        """It did not answer and was killed; the user wanted it gone, and that is what the journal says."""
        end = Cancelled(self.standing.last_step)
        run_folders.record_event(self._folder, end)
        self.standing = run_journal.status_after(self.standing, end)

    def _crash(self, how: ChildExit) -> AppError:
        facts = {"id": self._folder.name, "log": str(self._folder / run_folders.LOG)}
        if how.cause == "not_started":
            return AppError("training_environment_broken", path=how.detail, reason="not started")
        if self._wish == "pause" and how.cause in ("killed", "stopped"):
            return AppError("run_unresponsive", **facts)
        code = "run_killed" if how.cause == "killed" and not self._wish else "run_crashed"
        cause = self._wish if self._wish == "garbled" else how.detail or how.cause
        return AppError(code, cause=cause, tail=how.log_tail, **facts)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
