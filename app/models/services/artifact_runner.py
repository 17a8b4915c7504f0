"""Run steps (`artifact_steps`) one after the other, each in a child process or by a task of the caller.

A runner holds a lock on its results. Whatever ends it (a stop, an error, a kill) leaves only finished files, and the
next start plans the steps that are still missing.
"""

import contextlib
import dataclasses
import functools
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from PySide6.QtCore import QObject, QTimer, Signal

from app.base import json_lines, programs
from app.base.errors import AppError
from app.base.files.output_file import drive_error, require_space
from app.base.services import background
from app.base.services.child_process import ChildExit, ChildProcess
from app.inference import crashes, engine_packs
from app.inference.engine import model_jobs
from app.inference.engine.model_jobs import Imatrix, Quantize, Score
from app.inference.services.engine import STALL_LIMIT_S
from app.models.artifact_steps import ArtifactStep, StepProgress
from app.models.training_environment import TrainingEnvironment
from trainer import convert_job
from trainer.convert_job import Failed, Finished, GgufToHf, Progress, part_path

_RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class Workplace:
    """Holds the path of the child's job and the beginning of its log's path (`<log><kind>.log`).

    `unwritable`: error code for a folder that cannot be written.
    """

    job: Path
    log: str
    unwritable: str


class StepTask(QObject):
    """Runs a step. `start` ends with one of `ended` and `stopped`; a stopped step can be resumed."""

    progressed = Signal(object, object, object)  # done, total (0: unknown), seconds left (None: unknown)
    ended = Signal(object)  # AppError if it failed; else the task's result or None
    stopped = Signal()

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """Stop without waiting; `stopped` follows."""
        raise NotImplementedError

    def kill(self) -> None:
        """Stop at once and emit nothing more. Blocks for a moment."""


class JobTask(StepTask):
    """Runs a job in a child process; its result is one file or folder. `ended` carries `convert_job.Finished`.

    A partial result is deleted, since some have many gigabytes. A shared file is made under a lock: while another
    process makes it, this one waits, and then ends with None.
    """

    def __init__(
        self, step: ArtifactStep, environment: TrainingEnvironment | AppError, workplace: Workplace, parent: QObject
    ) -> None:
        """Prepare the task. `environment`: AppError if there is none; a job that needs one ends with that error."""
        super().__init__(parent)
        self._step = step
        self._environment = environment
        self._job_place = workplace
        self._lock: filelock.BaseFileLock | None = None
        self._child: ChildProcess | None = None
        self._is_stopping = self._is_killed = False
        self._packs: tuple[str, ...] = ()  # the GPU packs of the child that runs
        self._progress = Progress(0, 0)  # the last one
        self._retry = QTimer(self, singleShot=True, interval=_RETRY_MS)
        self._retry.timeout.connect(self.start)

    @property
    def pid(self) -> int:
        """Return the process id of the child; 0 while there is none."""
        return self._child.pid if self._child is not None else 0

    def start(self) -> None:
        step = self._step
        try:
            step.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            if step.is_shared and not self._hold():
                self._retry.start()
            elif step.is_shared and step.path.exists():
                self._end_step(None)
            else:
                self._start_child()
        except AppError as error:
            self._end_step(error)
        except OSError as error:
            self._end_step(drive_error(error, step.path.parent, self._job_place.unwritable))

    def stop(self) -> None:
        self._is_stopping = True
        if self._child is not None:
            self._child.end()
        else:
            self._on_stopped()

    def kill(self) -> None:
        self._is_killed = True
        if self._child is not None:
            self._child.stop()
            self._delete_partial()
        self._release()

    def _hold(self) -> bool:
        """Lock the shared file and return whether it worked. Raises OSError."""
        lock = filelock.FileLock(f"{self._step.path}.lock", timeout=0, thread_local=False)
        try:
            lock.acquire()
        except filelock.Timeout:
            return False
        self._lock = lock
        return True

    def _start_child(self) -> None:
        step, place = self._step, self._job_place
        require_space(step.path.parent, step.writes_bytes)
        log = Path(f"{place.log}{step.kind}.log")
        decode = functools.partial(json_lines.decode, kinds=convert_job.EVENTS, key="event")
        limit_s = STALL_LIMIT_S if isinstance(step.job, Score) else 0.0  # as drivers may hang; others send less often
        # In its own session (`is_apart`), because Ctrl+C in the terminal would look like a crash of the child.
        self._child = ChildProcess(self._write_job(), log, decode, self, is_apart=True, silence_limit_s=limit_s)
        self._child.event_received.connect(self._on_event)
        self._child.exited.connect(self._on_exited)
        self._child.start()

    def _write_job(self) -> list[str]:
        """Write the job for the child and return the child's command. Raises AppError, OSError."""
        job, path = self._step.job, self._job_place.job
        if isinstance(job, Score):
            self._packs, cpu_reason = engine_packs.chosen()
            job = dataclasses.replace(job, packs=self._packs, cpu_reason=cpu_reason)
        if isinstance(job, Score | Quantize | Imatrix):
            model_jobs.write_job(job, path)
            return [*programs.own_program(), "--score" if isinstance(job, Score) else "--quantize", str(path)]
        environment = require_converter(self._environment)
        if isinstance(job, functools.partial):
            job = job(converter=str(environment.converter))
        path.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
        return environment.command("trainer.convert", str(path))

    def _on_event(self, event: convert_job.Event) -> None:
        if isinstance(event, Progress) and event != self._progress:  # one that is repeated is only a sign of life
            self._progress = event
            self.progressed.emit(event.done_bytes, event.total_bytes, None)

    def _on_exited(self, child_exit: ChildExit) -> None:
        if self._is_killed:
            return
        if child_exit.cause == "finished" and isinstance(child_exit.last_event, Finished):
            self._end_step(child_exit.last_event)
            return

        # A driver may have ended or stalled it, but for what ends where memory is short.
        is_suspect = child_exit.cause not in ("stopped", "not_started", "killed")

        def end_step(_outcome: object) -> None:
            if self._is_killed:
                return
            if self._is_stopping:
                self._on_stopped()
            elif self._packs and is_suspect and not isinstance(child_exit.last_event, Failed):
                crashes.crashed_packs.add(self._packs)
                self.start()
            else:
                self._end_step(self._error(child_exit))

        background.run(self._delete_partial, end_step, end_step)

    def _error(self, child_exit: ChildExit) -> AppError:
        """Return the error to show.

        An adapter that was trained on another base gets a code of its own, whose advice is about building a model.
        """
        event = child_exit.last_event
        if isinstance(event, Failed):
            code = "build_adapter_mismatch" if event.code == "adapter_mismatch" else event.code
            return AppError(code, **event.facts)
        if child_exit.cause == "hung":
            return AppError("score_hung", step=self._step.title, minutes=round(STALL_LIMIT_S / 60))
        cause = f"garbled: {child_exit.detail}" if child_exit.cause == "garbled" else child_exit.reason
        return AppError("build_died", step=self._step.title, cause=cause)

    def _delete_partial(self) -> None:
        part = part_path(str(self._step.path))
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
            return
        with contextlib.suppress(OSError):  # a virus scanner holds it (Windows): the next build deletes it
            part.unlink(missing_ok=True)

    def _end_step(self, result: Any) -> None:
        job = self._step.job
        if isinstance(result, AppError) and result.code == "reference_unreadable" and isinstance(job, Score):
            with contextlib.suppress(OSError):
                Path(job.reference).unlink(missing_ok=True)  # the next attempt writes it again
        self._release()
        self.ended.emit(result)

    def _on_stopped(self) -> None:
        self._release()
        self.stopped.emit()

    def _release(self) -> None:
        self._retry.stop()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


def require_converter(environment: TrainingEnvironment | AppError) -> TrainingEnvironment:
    """Return the environment. Raises AppError if there is none, or it lacks the converter ("converter_missing")."""
    if isinstance(environment, AppError):
        raise environment
    if environment.converter is None:
        raise AppError("converter_missing", path=str(environment.python.parent.parent))
    return environment


class ArtifactRunner(QObject):
    """Runs steps one after the other. A start ends with exactly one of `finished`, `failed` and `stopped`.

    A subclass calls `_begin`, then `_run_steps` with the missing steps, and `_finish`; its `_on_made` and
    `_on_all_made` decide what follows.
    """

    progressed = Signal(object)  # StepProgress
    finished = Signal(object)
    failed = Signal(object)  # AppError
    stopped = Signal()

    def __init__(self, environment: TrainingEnvironment | AppError, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._environment = environment
        self._release: Callable[[], object] | None = None
        self._job_place: Workplace | None = None
        self._steps: list[ArtifactStep] = []
        self._count = 0  # number of all steps since the start
        self._task: StepTask | None = None
        self._task_callbacks: tuple[Callable[[Any], None], Callable[[AppError], None]] | None = None
        self._task_phase = ""
        self._is_stopping = False

    @property
    def is_running(self) -> bool:
        return self._release is not None

    def stop(self) -> None:
        """Stop without waiting and keep finished files; `stopped` follows."""
        if self.is_running and not self._is_stopping:
            self._is_stopping = True
            if self._task is not None:
                self._task.stop()

    def cancel(self) -> None:
        """Stop at once and keep finished files. Blocks for a moment."""
        if self.is_running:
            self._on_stopped()

    # --------------------------------------------------------------------- steps

    def _begin(self, release: Callable[[], object], workplace: Workplace) -> None:
        """Start a run that holds a lock; `release` releases the lock at the end."""
        assert not self.is_running
        self._release, self._job_place = release, workplace
        self._steps, self._count, self._is_stopping = [], 0, False

    def _require_converter(self, steps: Iterable[ArtifactStep]) -> None:
        """Raise AppError as `require_converter` does if a step needs one."""
        if any(isinstance(step.job, functools.partial | GgufToHf) for step in steps):
            require_converter(self._environment)

    def _run_steps(self, steps: list[ArtifactStep]) -> None:
        self._steps = steps
        self._count += len(steps)
        self._next()

    def _next(self) -> None:
        """Begin the next step."""
        if not self._steps:
            self._on_all_made()
            return
        step = self._steps[0]
        self._attempt(lambda: self._run(self._task_of(step), lambda result: self._on_made(step, result)))

    def _task_of(self, step: ArtifactStep) -> StepTask:
        """Return the task of a step: here the making of a file. Raises AppError, OSError."""
        assert self._job_place is not None
        return JobTask(step, self._environment, self._job_place, self)

    def _run(
        self,
        task: StepTask,
        on_done: Callable[[Any], None],
        failed: Callable[[AppError], None] | None = None,
        phase: str = "",
    ) -> None:
        """Run a task, then call `on_done` or `failed`. `phase`: the step's phase shown in progress; "": its kind."""
        self._task, self._task_phase, self._task_callbacks = task, phase, (on_done, failed or self._fail)
        # No lambdas: one would refer to this runner, whose child the task is, and so destroy it within the task's end.
        task.progressed.connect(self._on_progressed)
        task.ended.connect(self._on_ended)
        task.stopped.connect(self._on_task_stopped)
        self._report(phase=phase)
        if self._task is task:  # a slot may have stopped the run
            task.start()

    def _on_progressed(self, done: int, total: int, left_s: int | None) -> None:
        self._report(done, total, left_s, phase=self._task_phase)

    def _on_ended(self, result: Any) -> None:
        assert self._task_callbacks is not None
        done, failed = self._task_callbacks
        self._forget_task()
        if isinstance(result, AppError):
            failed(result)
        else:
            self._attempt(lambda: done(result))

    def _on_task_stopped(self) -> None:
        self._forget_task()
        self._on_stopped()

    def _forget_task(self) -> None:
        """Delete the task, of which nothing more is heard."""
        task, self._task, self._task_callbacks = self._task, None, None
        if task is not None:
            task.blockSignals(True)
            task.deleteLater()

    def _on_made(self, step: ArtifactStep, result: Any) -> None:
        """Continue after a step; finally call `_advance`. `result`: the task's. An AppError or OSError ends the run."""
        raise NotImplementedError

    def _advance(self) -> None:
        self._steps.pop(0)
        self._next()

    def _on_all_made(self) -> None:
        raise NotImplementedError

    def _in_background(
        self,
        work: Callable[[], Any],
        on_done: Callable[[Any], None],
        failed: Callable[[AppError], None] | None = None,
    ) -> None:
        """Run `work` in the thread pool, then `on_done` or `failed`, unless the run has ended meanwhile."""
        run = self._release

        def deliver(result: Any) -> None:
            if self._release is run:
                self._on_stopped() if self._is_stopping else self._attempt(lambda: on_done(result))

        background.run(work, deliver, lambda error: (failed or self._fail)(error) if self._release is run else None)

    def _attempt(self, act: Callable[[], None]) -> None:
        """Call `act`; if it raises AppError or OSError, end the run with that error."""
        assert self._job_place is not None
        place = self._job_place
        try:
            act()
        except AppError as error:
            self._fail(error)
        except OSError as error:
            self._fail(drive_error(error, place.job.parent, place.unwritable))

    # ----------------------------------------------------------------------- end

    def _position(self) -> tuple[int, int]:
        """Return the number of the current step, from 1, and of all steps."""
        return self._count - len(self._steps) + 1, self._count

    def _report(self, done: int = 0, total: int = 0, left_s: int | None = None, *, phase: str = "") -> None:
        if self._steps:
            step = self._steps[0]
            self.progressed.emit(StepProgress(phase or step.kind, step.name, done, total, *self._position(), left_s))

    def _finish(self, result: Any) -> None:
        self._end_run()
        self.finished.emit(result)

    def _fail(self, error: AppError) -> None:
        self._end_run()
        self.failed.emit(error)

    def _on_stopped(self) -> None:
        self._end_run()
        self.stopped.emit()

    def _end_run(self) -> None:
        """End the task and release the lock."""
        if self._task is not None:
            self._task.kill()
            self._forget_task()
        self._steps = []
        release, self._release = self._release, None
        if release is not None:
            release()
