"""Run the quality gate of one training run: make and measure each form in children, judge, and write the report."""

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.services import background
from app.base.services.child_process import JobProcess
from app.inference import memory_estimate
from app.inference import scoring_files as score_files
from app.inference.engine import model_jobs
from app.inference.engine.model_jobs import ChatToScore, Quantize, Score
from app.inference.scoring_files import Scores
from app.models.training_environment import TrainingEnvironment
from app.training import export_plan, quality_gate
from app.training.export_plan import ExportPlan, ExportSource, ExportStep
from app.training.quality_gate import BASE, BASE_ADAPTER, COMPARED, F16_ADAPTER, MERGED_F16, ON_BASE, GateResult
from app.training.runs import run_folders, run_report
from trainer import convert_job
from trainer.convert_job import GgufToHf, HfToGguf, Merge

_SHARED = ("unpack", "convert")  # steps whose result other runs with the same base use too
_RETRY_MS = 1000
_SPEED_TOKENS = 24


@dataclass(frozen=True, slots=True)
class GateCommands:
    """The command lines of the children. `quantize` and `score` take the file of the job."""

    environment: TrainingEnvironment
    quantize: Callable[[Path], list[str]]
    score: Callable[[Path], list[str]]


@dataclass(frozen=True, slots=True)
class GateProgress:
    """The progress of a gate.

    `phase`: the step's kind. `done`, `total`: its bytes (tokens for "score"); a total of 0 is unknown. `number`: of the
    step, from 1.
    """

    phase: str
    form: str
    done: int
    total: int
    number: int
    steps: int


class GateRun(QObject):
    """A gate. `start` ends with exactly one of `finished`, `failed` and `cancelled`.

    After the latter two the measurements are kept, and the same gate resumes with them.
    """

    progressed = Signal(object)  # GateProgress
    finished = Signal(object)  # GateResult, after gate.json and report.html are written; None if only a form was made
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(self, commands: GateCommands, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._commands = commands
        self._lock: filelock.BaseFileLock | None = None
        self._base_lock: filelock.BaseFileLock | None = None
        self._run = self._cache = Path()
        self._source: ExportSource | None = None
        self._export: ExportPlan | None = None
        self._steps: list[ExportStep] = []
        self._count = 0
        self._available_bytes = 0
        self._form = ""  # the only form to make, without judging
        self._measured: dict[str, Scores] = {}
        self._child: JobProcess | None = None

    @property
    def is_running(self) -> bool:
        return self._lock is not None

    def start(
        self,
        run: Path,
        cache: Path,
        available_bytes: int = 0,
        form: str = "",
        lock: filelock.BaseFileLock | None = None,
    ) -> None:
        """Start the gate of a finished run.

        `run`: its folder. `cache`: the folder of converted bases. `available_bytes`: 0 for what is free now. `form`:
        make only this form, keep what was published before, and leave the verdict unchanged. `lock`: of the run
        (`lock_run`); None to lock it now. Then raises AppError: run_busy, run_unwritable.
        """
        assert not self.is_running
        self._form = form
        self._lock = lock or run_folders.lock_run(run)
        self._available_bytes = available_bytes or memory_estimate.available_memory_bytes()
        self._run, self._cache, self._count = run, cache, 0
        self._prepare()

    def cancel(self) -> None:
        """Stop, which blocks for a moment. Measurements are kept."""
        if self.is_running:
            self._end()
            self.cancelled.emit()

    def end(self) -> None:
        """Stop without waiting; `cancelled` follows."""
        if self._child is None:
            self.cancel()
        else:
            self._child.end()

    # --------------------------------------------------------------------- steps

    def _prepare(self) -> None:
        run, cache, form = self._run, self._cache, self._form
        self._export = None
        self._in_background(lambda: _prepared(run, cache, form), self._begin)

    def _begin(self, prepared: "_Prepared") -> None:
        self._source, self._export, self._measured = prepared.source, prepared.export, prepared.measured
        self._run_steps(prepared.steps)

    def _run_steps(self, steps: list[ExportStep]) -> None:
        """Continue with these steps after checking the converter and the free space."""
        self._steps = steps
        self._count += len(steps)
        try:
            if self._commands.environment.converter is None and any(_converts(step) for step in steps):
                raise AppError("converter_missing", path=str(self._commands.environment.python.parent.parent))
            if self._export is not None:
                export_plan.open_folder(self._export, steps)
        except AppError as error:
            self._fail(error)
            return
        self._next()

    def _next(self) -> None:
        """Start the next step, or judge if there is none."""
        if not self._steps:
            self._prepare() if self._export is None else self._judge()
            return
        step, lock = self._steps[0], self._lock
        self._report(step, 0, 0)
        if self._lock is lock:  # a slot may have cancelled the gate
            self._try(step)

    def _try(self, step: ExportStep) -> None:
        """Start the step; if another run is making the same file, wait for that in place of making it twice."""
        lock = self._lock
        try:
            if step.kind in _SHARED and not self._hold_base(step.path):
                QTimer.singleShot(_RETRY_MS, self, lambda: self._try(step) if self._lock is lock else None)
            elif step.kind in _SHARED and step.path.exists():
                self._on_finished(step)
            else:
                self._start_child(step)
        except AppError as error:
            self._fail(error)
        except OSError as error:
            self._fail(AppError("run_unwritable", path=str(step.path.parent), reason=error.strerror or str(error)))

    def _hold_base(self, path: Path) -> bool:
        """Lock the base's file and return whether it worked. Raises OSError."""
        lock = filelock.FileLock(f"{path}.lock", timeout=0)
        try:
            lock.acquire()
        except filelock.Timeout:
            return False
        self._base_lock = lock
        return True

    def _release_base(self) -> None:
        lock, self._base_lock = self._base_lock, None
        if lock is not None:
            lock.release()

    def _start_child(self, step: ExportStep) -> None:
        job, path = self._job(step), self._run / "gate-job.json"
        if isinstance(job, Score):
            model_jobs.write_score_job(job, path)
            command = self._commands.score(path)
        elif isinstance(job, Quantize):
            model_jobs.write_quantize_job(job, path)
            command = self._commands.quantize(path)
        else:
            path.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
            command = self._commands.environment.command("trainer.convert", str(path))
        log = self._run / f"gate-{step.kind}.log"
        child = JobProcess(command, step.path, log, f"{step.kind} {step.form}", self)
        child.progressed.connect(lambda event: self._report(step, event.done_bytes, event.total_bytes))
        child.finished.connect(lambda _event: self._on_finished(step))
        child.failed.connect(self._fail)
        child.ended.connect(self.cancel)
        self._child = child
        child.start()

    def _job(self, step: ExportStep) -> convert_job.Job | Quantize | Score:
        if step.kind == "unpack":
            assert self._source is not None
            return GgufToHf(str(self._source.gguf), str(step.path))
        assert self._export is not None
        export, target = self._export, str(step.path)
        converter = str(self._commands.environment.converter)
        if step.kind == "convert":
            return HfToGguf(str(export.source.folder), target, converter, "f16")
        if step.kind == "merge":
            return Merge(str(export.base_f16), str(export.adapter), target, converter)
        if step.kind == "quantize":
            source = export.base_f16 if step.form == BASE else export.file(MERGED_F16)
            form = export_plan.BASE_FORM.name if step.form == BASE else step.form
            return Quantize(str(source), target, form, metadata=export.build.metadata())
        return _score_job(export, step, target)

    def _on_finished(self, step: ExportStep) -> None:
        self._child = None
        self._release_base()
        self._steps.pop(0)
        try:
            self._store_measurement(step)
        except AppError as error:
            self._fail(error)
        except OSError as error:
            self._fail(AppError("run_unwritable", path=str(step.path.parent), reason=error.strerror or str(error)))
        else:
            self._next()

    def _store_measurement(self, step: ExportStep) -> None:
        """Store the measurement of a step. Raises AppError, OSError."""
        if step.kind == "score":
            self._measured[step.form] = score_files.read_scores(step.path)
            self._delete_worse_forms()
        elif step.kind == "answer":
            assert self._export is not None
            self._measured[step.form] = export_plan.add_answers(self._export, step.form, self._measured[step.form])

    def _delete_worse_forms(self) -> None:
        """Delete the merged files except the best so far and the one from which others are made."""
        assert self._export is not None
        tuned = {form: found for form, found in self._measured.items() if form not in COMPARED}
        best = quality_gate.choose_form(tuned, self._available_bytes) if tuned else ""
        needed = [MERGED_F16] if any(step.form not in ON_BASE for step in self._steps) else []
        base = [BASE] if any(step.form in ON_BASE for step in self._steps) or best == BASE_ADAPTER else []
        export_plan.delete_unneeded(self._export, [best, *needed, *base])

    # ------------------------------------------------------------------- verdict

    def _judge(self) -> None:
        assert self._export is not None
        export, measured, available, form = self._export, self._measured, self._available_bytes, self._form
        if form:
            self._in_background(lambda: export_plan.move_into_place(export, form), lambda _name: self._finish(None))
            return
        proposed = quality_gate.choose_form(measured, available)
        missing = export_plan.steps_to_answer(export, proposed, measured[proposed])
        missing = missing or export_plan.steps_to_finish(export, proposed)  # its file may have been deleted meanwhile
        if missing:
            self._run_steps(missing)
            return
        self._in_background(lambda: _publish_verdict(export, measured, available), self._finish)

    def _finish(self, found: GateResult | None) -> None:
        self._end()
        self.finished.emit(found)

    # ----------------------------------------------------------------------- end

    def _in_background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """Run work in the background; its result is dropped if the gate has ended meanwhile."""
        lock = self._lock
        background.run(
            work,
            lambda result: done(result) if self._lock is lock else None,
            lambda error: self._fail(error) if self._lock is lock else None,
        )

    def _report(self, step: ExportStep, done: int, total: int) -> None:
        number = self._count - len(self._steps) + 1
        self.progressed.emit(GateProgress(step.kind, step.form, done, total, number, self._count))

    def _fail(self, error: AppError) -> None:
        if error.code == "reference_unreadable" and self._export is not None:
            with contextlib.suppress(OSError):
                self._export.reference.unlink(missing_ok=True)  # the next attempt makes it again
        self._end()
        self.failed.emit(error)

    def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.stop()
            child.deleteLater()
        self._release_base()
        lock, self._lock = self._lock, None
        self._steps = []
        if lock is not None:
            lock.release()


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The measurements and the remaining steps. `export` None: the base has to be unpacked first."""

    source: ExportSource
    export: ExportPlan | None
    measured: dict[str, Scores]
    steps: list[ExportStep]


def _prepared(run: Path, cache: Path, form: str) -> _Prepared:
    source = export_plan.read_source(run)
    steps = export_plan.unpack_steps(source)
    if steps:
        return _Prepared(source, None, {}, steps)
    export = export_plan.plan_export(source, cache)
    if form:
        return _Prepared(source, export, {}, export_plan.steps_to_finish(export, form))
    measured = export_plan.read_scores(export)
    return _Prepared(source, export, measured, export_plan.remaining_steps(export, measured))


def _score_job(export: ExportPlan, step: ExportStep, target: str) -> Score:
    asked, form = export.form, step.form
    measures = step.kind == "score"
    chats = export.holdout.chats if asked is not None else ()
    return Score(
        model=str(export.file(form)),
        holdout=str(export.holdout_file),
        target=target,
        adapter=export.adapter_of(form),
        reference=str(export.reference) if measures and form != BASE else "",
        makes_reference=form == F16_ADAPTER,
        chats=tuple(
            ChatToScore(
                export_plan.prompt_segments(asked, chat.messages), chat.ids, export_plan.answer_limit_tokens(chat)
            )
            for chat in chats
            if asked is not None
        ),
        answers=not measures or export_plan.answers_are_wanted(export, form),
        measures=measures,
        speed_tokens=0 if form in COMPARED else _SPEED_TOKENS,
        stop=asked.stop if asked is not None else (),
    )


def _publish_verdict(export: ExportPlan, measured: dict[str, Scores], available_bytes: int) -> GateResult:
    """Judge, and write model, gate and report into the run's folder. Raises AppError."""
    lines = [example.line for example in export.holdout.examples]
    groups = quality_gate.groups_of_lines(export.groups, lines) if export.groups else ()
    is_foreign = run_folders.is_from_elsewhere(export.run)
    found = quality_gate.judge(export.holdout, measured, available_bytes, groups, is_from_elsewhere=is_foreign)
    found = dataclasses.replace(found, file=export_plan.publish(export, found.proposed), made_at=time.time())
    quality_gate.write_gate(found, export.run)
    run_report.write_report(export.run)
    return found


def _converts(step: ExportStep) -> bool:
    return step.kind in ("unpack", "convert", "merge")
