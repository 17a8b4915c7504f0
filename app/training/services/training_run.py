"""Run one training: start the trainer as a child process, follow its events, and report how it ends."""

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.base.errors import AppError
from app.base.services.child_process import ChildExit, ChildProcess
from app.models import training_environment
from app.models.training_environment import TrainingEnvironment
from app.training import run_plan, training_errors
from app.training.runs import run_folders, run_journal
from app.training.runs.run_journal import RunStatus
from trainer import events
from trainer.events import Cancelled, Failed, Finished, Paused

if TYPE_CHECKING:
    import filelock

VARIABLE = "KOTAE_TRAINER"  # the path of a script to run instead of the trainer, for tests of whole programs

# Limits for the child to obey a command. It completes its current step first, which takes minutes on a slow CPU.
PAUSE_LIMIT_S = 600.0
CANCEL_LIMIT_S = 15.0
EXIT_LIMIT_S = 30.0  # seconds after the child's last event


@dataclass(frozen=True, slots=True)
class Trainer:
    environment: TrainingEnvironment
    module: str = "trainer"

    @property
    def converter(self) -> str:
        """Return the folder of llama.cpp's converter; "" for the fake trainer. Raises AppError("converter_missing")."""
        if self.environment.converter is not None:
            return str(self.environment.converter)
        if not self.can_judge:
            return ""
        raise AppError("converter_missing", path=str(self.environment.python.parent.parent))

    @property
    def can_judge(self) -> bool:
        """Return whether the results can be measured; those of the fake trainer cannot."""
        return self.module == "trainer"

    def command(self, *arguments: str) -> list[str]:
        return self.environment.command(self.module, *arguments)


@dataclass(frozen=True, slots=True)
class LockedRun:
    """A locked run, which no other process can train.

    `standing`: the status from which it resumes. `card`: the trainer's arguments that name the card.
    """

    lock: "filelock.BaseFileLock"
    standing: RunStatus
    has_checkpoint: bool
    card: Sequence[str] = ()

    def release(self) -> None:
        self.lock.release()


def lock_for_training(trainer: Trainer, folder: Path) -> LockedRun:
    """Check that the run may start or resume, and lock it. This can take seconds.

    The converter's path in the spec is updated, since the environment may have been made again or moved.

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
    card = run_plan.card_arguments() if trainer.can_judge else []
    return LockedRun(lock, dataclasses.replace(run.standing, end=None), run.has_checkpoint, card)


def locate_trainer(data: Path) -> Trainer:
    """Return the trainer of the training environment. Raises AppError("no_training_environment")."""
    if script := os.environ.get(VARIABLE):
        return Trainer(TrainingEnvironment(Path(sys.executable), None), script)
    return Trainer(training_environment.locate(data))


class TrainingRun(QObject):
    """Trains one run.

    `start` ends with exactly one of `finished`, `paused`, `cancelled` and `failed`, and the run's folder is locked
    until then.
    """

    event_received = Signal(object)  # trainer.events.Event, including the terminal one
    finished = Signal(object)  # Finished
    paused = Signal(object)  # Paused
    cancelled = Signal(object)  # Cancelled
    failed = Signal(object)  # AppError

    def __init__(self, trainer: Trainer, folder: Path, parent: QObject | None = None) -> None:
        """Create the training for a run's `folder`, which contains a spec (`run_folders.create`)."""
        super().__init__(parent)
        self._folder = folder
        self._trainer = trainer
        self._lock: filelock.BaseFileLock | None = None
        # The child has its own process group: in torch's import or a conversion, Ctrl+C would kill it, not pause it.
        self._child = ChildProcess([], folder / run_folders.LOG, run_journal.read_event, self, is_apart=True)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        self._command = ""  # the last command sent to the child
        self.standing = RunStatus()

    @property
    def is_running(self) -> bool:
        return self._child.is_running

    @property
    def is_asked(self) -> bool:
        """Return whether the run has received a command to pause, finish or cancel."""
        return bool(self._command)

    @property
    def child_pid(self) -> int:
        """Return the child's process id; 0 if there is no child."""
        return self._child.pid

    def start(self, locked: LockedRun | None = None) -> None:
        """Start the training, or resume it from the last checkpoint.

        `locked`: the result of `lock_for_training`; None to lock the run now, which raises the same AppErrors.
        """
        assert not self.is_running
        locked = locked or lock_for_training(self._trainer, self._folder)
        self._lock, self.standing, self._command = locked.lock, locked.standing, ""
        resume = ["--resume"] if locked.has_checkpoint else []
        command = self._trainer.command(str(self._folder / run_folders.SPEC), "--commands", *resume, *locked.card)
        self._child.use_command(command)
        self._child.start()

    def pause(self) -> None:
        """Save a checkpoint and end; `start` resumes from it."""
        self._ask("pause", PAUSE_LIMIT_S)

    def finish(self) -> None:
        """End the training now with the best weights so far. The time for the export is not limited."""
        self._ask("finish", None)

    def cancel(self) -> None:
        self._ask("cancel", CANCEL_LIMIT_S)

    def kill(self) -> None:
        """Kill the child and wait until it has ended; steps after the last checkpoint are lost. `failed` is emitted."""
        self._child.kill()
        self._child.stop()

    # ------------------------------------------------------------- private methods

    def _ask(self, command: str, limit_s: float | None) -> None:
        if not self.is_running or self.standing.end is not None:
            return
        self._command = command
        self._child.send(json.dumps({"command": command}).encode("ascii") + b"\n")
        if limit_s is not None:
            self._child.limit(limit_s)

    def _on_event(self, event: events.Event) -> None:
        self.standing = run_journal.status_after(self.standing, event)
        if isinstance(event, events.TERMINAL):
            self._child.limit(EXIT_LIMIT_S)
        self.event_received.emit(event)

    def _on_exited(self, child_exit: ChildExit) -> None:
        """Emit the signal for the child's terminal event, even if the child crashed after sending it."""
        if self.standing.end is None and self._command == "cancel":
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
                self.failed.emit(self._crash(child_exit))

    def _note_cancellation(self) -> None:
        """Record the cancellation in place of a killed child."""
        end = Cancelled(self.standing.last_step)
        run_folders.record_event(self._folder, end)
        self.standing = run_journal.status_after(self.standing, end)

    def _crash(self, child_exit: ChildExit) -> AppError:
        facts = {"id": self._folder.name, "log": str(self._folder / run_folders.LOG)}
        if child_exit.cause == "not_started":
            return AppError("training_environment_broken", path=child_exit.detail, reason="not started")
        if self._command == "pause" and child_exit.cause in ("killed", "stopped"):
            return AppError("run_unresponsive", **facts)
        code = "run_killed" if child_exit.cause == "killed" and not self._command else "run_crashed"
        return AppError(code, cause=child_exit.reason, tail=child_exit.log_tail, **facts)

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None
