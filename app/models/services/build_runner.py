"""Build models from publishers' folders by running the steps one after the other, each in a child process."""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import Signal

from app.base.errors import AppError
from app.inference import gguf
from app.inference.local_model import LocalModel
from app.models import gguf_build, local_models
from app.models.artifact_steps import ArtifactStep
from app.models.gguf_build import BuildFolder, BuildPlan, KeepLineage
from app.models.services.artifact_runner import ArtifactRunner, StepTask, Workplace
from app.models.training_environment import TrainingEnvironment
from trainer.convert_job import Finished


@dataclass(frozen=True, slots=True)
class StepReport:
    """Holds the time and other figures of a finished step. `notes`: as the child reported them."""

    title: str
    seconds: float
    peak_rss_bytes: int
    size_bytes: int
    notes: dict[str, object]


class BuildRunner(ArtifactRunner):
    """Runs one build at a time. `finished` carries the list of LocalModel, in the order of the quantizations.

    After `failed` and `stopped` the finished steps stay in the build's folder, and the same build resumes from there.
    A quantized file is published when its structure has been checked.
    """

    model_added = Signal(object)  # LocalModel that was added to the list

    def __init__(
        self,
        environment: TrainingEnvironment,
        logs: Path,
        add: Callable[[LocalModel], LocalModel],
        keep_lineage: KeepLineage,
    ) -> None:
        """Create a runner without a build.

        `logs`: the folder of log files. `add`: adds a model to the list and returns the listed one. `keep_lineage`:
        copies the training record of an adapter to the file that it was merged into.
        """
        super().__init__(environment)
        self._logs = logs
        self._add = add
        self._keep_lineage = keep_lineage
        self._plan: BuildPlan | None = None
        self._folder: BuildFolder | None = None
        self._is_complete = False
        self._models: dict[str, LocalModel] = {}  # by the quantization's name
        self.reports: list[StepReport] = []

    def start(self, plan: BuildPlan) -> None:
        """Start the build.

        If it raises AppError, no step has begun: build_running, drive_space, build_unwritable, converter_missing.
        """
        folder = BuildFolder(plan)
        folder.open()
        try:
            models = self._restore_results(plan, folder)
            steps = folder.remaining()
            folder.require_room()
            self._require_converter(steps)
        except AppError:
            folder.close(keep=bool(folder.finished_sizes()))
            raise
        place = Workplace(folder.path / "job.json", str(self._logs / "build-"), "build_unwritable")
        self._plan, self._folder, self._is_complete = plan, folder, False
        self._begin(lambda: folder.close(keep=not self._is_complete and bool(folder.finished_sizes())), place)
        self.reports, self._models = [], models
        self._run_steps(steps)

    def _restore_results(self, plan: BuildPlan, folder: BuildFolder) -> dict[str, LocalModel]:
        """Add the results of an earlier run of this build to the list of models; return them by quantization.

        Forget a damaged result, so that it is built again. Raises AppError if the list cannot be changed.
        """
        models = {}
        for form in (one.name for one in plan.request.forms):
            result = folder.result(form)
            if result is None:
                continue
            try:
                described = local_models.describe(result)
            except AppError:
                folder.forget_result(form)
            else:
                models[form] = self._add(described)
        return models

    # --------------------------------------------------------------------- steps

    def _next(self) -> None:
        """Begin the next step; a file that was quantized before an interruption is only checked and published."""
        assert self._folder is not None
        if self._steps and self._steps[0].name and self._steps[0].path in self._folder.finished_sizes():
            self._check(self._steps[0])
        else:
            super()._next()

    def _task_of(self, step: ArtifactStep) -> StepTask:
        assert self._folder is not None
        self._folder.require_room()
        return super()._task_of(step)

    def _on_made(self, step: ArtifactStep, result: Finished) -> None:
        plan = self._plan
        assert plan is not None
        self._in_background(lambda: _verify(step, plan), lambda _nothing: self._record_made_step(step, result))

    def _record_made_step(self, step: ArtifactStep, event: Finished) -> None:
        assert self._folder is not None
        size = self._folder.note(step)
        self.reports.append(StepReport(step.title, event.seconds, event.peak_rss_bytes, size, dict(event.notes)))
        if step.name:
            self._check(step)
        else:
            self._advance()

    def _on_all_made(self) -> None:
        assert self._plan is not None
        self._is_complete = True
        self._finish([self._models[form.name] for form in self._plan.request.forms])

    def _check(self, step: ArtifactStep) -> None:
        """Check the file's structure, then publish it."""
        self._in_background(
            lambda: local_models.describe(step.path),
            lambda _model: self._publish(step),
            lambda error: self._on_refused(step, error),
        )

    def _on_refused(self, step: ArtifactStep, error: AppError) -> None:
        """End the build with the error; the file is built again the next time."""
        assert self._folder is not None
        with contextlib.suppress(AppError):  # the manifest is unwritable: report the first error
            self._folder.forget(step)
        self._fail(error)

    def _publish(self, step: ArtifactStep) -> None:
        """Move the file to the models folder, add it to the list, and continue. Raises AppError."""
        assert self._folder is not None
        assert self._plan is not None
        described = local_models.describe(self._folder.publish(step))
        adapter = self._plan.request.adapter
        if adapter is not None:
            self._keep_lineage(adapter.folder, Path(described.path))
        model = self._add(dataclasses.replace(described, name=f"{self._plan.name} {step.name}"))
        self._models[step.name] = model
        run = self._release
        self.model_added.emit(model)
        if self._release is run:  # a slot of `model_added` may have cancelled the build
            self._advance()


def _verify(step: ArtifactStep, plan: BuildPlan) -> None:
    """Check an intermediate file before later steps use it. Raises AppError."""
    if step.kind in ("convert", "adapter"):
        gguf_build.require_same_sources(plan)
    if step.kind in ("convert", "merge"):
        gguf.check_model(step.path, every_token=False)
