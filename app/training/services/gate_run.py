"""Run the quality gate of one training run: make and measure each form in child processes, judge, write the report."""

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from PySide6.QtCore import QObject

from app.inference import memory_estimate
from app.inference import scoring_files as score_files
from app.inference.scoring_files import Scores
from app.models.artifact_steps import ArtifactStep
from app.models.services.artifact_runner import ArtifactRunner, Workplace
from app.models.training_environment import TrainingEnvironment
from app.training import export_plan, quality_gate
from app.training.export_plan import ExportPlan
from app.training.quality_gate import BASE, BASE_ADAPTER, COMPARED, MERGED_F16, ON_BASE, GateResult
from app.training.runs import run_folders, run_report


class GateRun(ArtifactRunner):
    """Runs the gate of one run. `finished` passes the GateResult, or None if only a form was made.

    Before that, gate.json and report.html are written. After `failed` and `stopped` the measurements are kept, and the
    same gate can resume with them.
    """

    def __init__(self, environment: TrainingEnvironment, parent: QObject | None = None) -> None:
        super().__init__(environment, parent)
        self._run_folder = self._cache = Path()
        self._export: ExportPlan | None = None
        self._available_bytes = 0
        self._form = ""  # the only form to make, without judging; "": judge
        self._all_forms = False
        self._measured: dict[str, Scores] = {}

    def start(
        self,
        run: Path,
        cache: Path,
        available_bytes: int = 0,
        form: str = "",
        lock: filelock.BaseFileLock | None = None,
        *,
        all_forms: bool = False,
    ) -> None:
        """Start the gate of a finished run.

        `run`: the run's folder. `cache`: the folder of converted bases. `available_bytes`: memory for a model; 0 for
        what is free now. `form`: make only this form, keep what was published before, and leave the verdict unchanged;
        "" to judge. `lock`: the run's lock (`lock_run`); None to lock it now, which raises AppError: run_busy,
        run_unwritable. `all_forms`: measure every form of the tuned model, and propose the best; otherwise the adapter
        on the base's own file alone, which is enough for a verdict and takes a fraction of the time.
        """
        lock = lock or run_folders.lock_run(run)
        self._begin(lock.release, Workplace(run / "gate-job.json", str(run / "gate-"), "run_unwritable"))
        self._run_folder, self._cache, self._form, self._all_forms = run, cache, form, all_forms
        self._available_bytes = available_bytes or memory_estimate.available_memory_bytes()
        self._prepare()

    def stop(self) -> None:
        if self._task is not None:
            super().stop()
        else:
            self.cancel()  # no child is running that would have to end first

    # --------------------------------------------------------------------- steps

    def _prepare(self) -> None:
        run, cache, form, all_forms = self._run_folder, self._cache, self._form, self._all_forms
        self._export = None
        self._in_background(lambda: _prepared(run, cache, form, all_forms=all_forms), self._on_prepared)

    def _on_prepared(self, prepared: "_Prepared") -> None:
        self._export, self._measured = prepared.export, prepared.measured
        self._run_steps(prepared.steps)

    def _run_steps(self, steps: list[ArtifactStep]) -> None:
        """Check the converter and the free space, then continue with these steps. Raises AppError."""
        self._require_converter(steps)
        if self._export is not None:
            export_plan.open_folder(self._export, steps)
        super()._run_steps(steps)

    def _on_made(self, step: ArtifactStep, result: Any) -> None:  # noqa: ARG002  its file says what it has measured
        if step.kind == "score":
            self._measured[step.name] = export_plan.with_answers_of(
                self._measured.get(step.name), score_files.read_scores(step.path), step.path
            )
            self._delete_worse_forms(self._steps[1:])
        elif step.kind == "answer":
            assert self._export is not None
            self._measured[step.name] = export_plan.merge_answer_file_into_scores(
                self._export, step.name, self._measured[step.name]
            )
        self._advance()

    def _delete_worse_forms(self, remaining_steps: list[ArtifactStep]) -> None:
        """Delete the merged files, except the best so far and the one from which others are made."""
        assert self._export is not None
        tuned = {form: found for form, found in self._measured.items() if form not in COMPARED}
        best = quality_gate.choose_form(tuned, self._available_bytes) if tuned else ""
        needed = [MERGED_F16] if any(step.name not in ON_BASE for step in remaining_steps) else []
        base = [BASE] if any(step.name in ON_BASE for step in remaining_steps) or best == BASE_ADAPTER else []
        export_plan.delete_unneeded(self._export, [best, *needed, *base])

    def _on_all_made(self) -> None:
        self._prepare() if self._export is None else self._judge()

    # ------------------------------------------------------------------- verdict

    def _judge(self) -> None:
        assert self._export is not None
        export, measured, available, form = self._export, self._measured, self._available_bytes, self._form
        if form:
            self._in_background(
                lambda: export_plan.move_form_file_into_run(export, form), lambda _name: self._finish(None)
            )
            return
        proposed = quality_gate.choose_form(measured, available)
        answering = quality_gate.answering_form(measured, proposed)
        missing = export_plan.steps_to_answer(export, answering, measured[answering])
        missing = missing or export_plan.steps_to_finish(export, proposed)  # its file may have been deleted
        if missing:
            self._run_steps(missing)
            return
        self._in_background(lambda: _publish_verdict(export, measured, available), self._finish)


@dataclass(frozen=True, slots=True)
class _Prepared:
    """The measurements so far and the remaining steps. `export`: None if the base must be unpacked first."""

    export: ExportPlan | None
    measured: dict[str, Scores]
    steps: list[ArtifactStep]


def _prepared(run: Path, cache: Path, form: str, *, all_forms: bool) -> _Prepared:
    source = export_plan.read_source(run)
    steps = export_plan.unpack_steps(source)
    if steps:
        return _Prepared(None, {}, steps)
    export = export_plan.plan_export(source, cache)
    if form:
        return _Prepared(export, {}, export_plan.steps_to_finish(export, form))
    measured = export_plan.read_scores(export)
    return _Prepared(export, measured, export_plan.remaining_steps(export, measured, all_forms=all_forms))


def _publish_verdict(export: ExportPlan, measured: dict[str, Scores], available_bytes: int) -> GateResult:
    """Judge the measurements, and write model, gate and report into the run's folder. Raises AppError."""
    holdout = run_folders.read_holdout(export.run)
    lines = [example.line for example in holdout.examples]
    groups = quality_gate.groups_of_lines(export.groups, lines) if export.groups else ()
    is_foreign = run_folders.is_from_elsewhere(export.run)
    found = quality_gate.judge(holdout, measured, available_bytes, groups, is_from_elsewhere=is_foreign)
    found = dataclasses.replace(
        found, file=export_plan.publish_in_run_folder(export, found.proposed), made_at=time.time()
    )
    quality_gate.write_gate(found, export.run)
    run_report.write_report(export.run)
    return found
