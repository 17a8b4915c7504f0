"""Build models from publishers' folders by running the steps one after the other, each in a child process.

Each quantized file is loaded and writes a few tokens (`SmokeTestRun`) before it is put into the list. The file is
long because the smoke test, which only builds need, is in it.
"""

import contextlib
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.base import wording
from app.base.errors import AppError
from app.base.services import background
from app.base.services.child_process import ChildExit
from app.base.settings import Settings
from app.inference import gguf, load_plan, prompts
from app.inference.engine.messages import Ask, Done, Event, Failed, Load, Ready, Sampling, Token
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment, Turn
from app.inference.services import template_renderer
from app.inference.services.engine import EngineClient, exit_error
from app.inference.services.template_renderer import TemplateRenderer
from app.models import catalogue, gguf_build, local_models
from app.models.artifact_steps import ArtifactStep
from app.models.catalogue import CardSampling
from app.models.gguf_build import BuildFolder, BuildPlan, KeepLineage
from app.models.services.artifact_runner import ArtifactRunner, StepTask, Workplace
from app.models.training_environment import TrainingEnvironment
from trainer.convert_job import Finished

TOKENS = 16
_SETTINGS = dataclasses.replace(Settings(), context_tokens=512, repack="off")


class SmokeTestRun(StepTask):
    """Loads a model in an engine of its own and lets it answer a question; the engine ends with the test.

    `ended` carries the answer, or None if the memory was too short to load the model, which is then untested.
    """

    def __init__(self, engine: list[str], log: Path, model: LocalModel, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._built = model
        self._model, self._adapters = local_models.with_adapters(model, None)
        self._text = self._load_id = self._ask_id = ""
        self._renderer: TemplateRenderer | None = None
        self._is_over = False
        self._engine = EngineClient(engine, log, self)
        self._engine.event_received.connect(self._on_event)
        self._engine.died.connect(self._on_died)

    def start(self) -> None:
        background.run(lambda: load_plan.plan_load(self._built, _SETTINGS), self._load, self._fail)

    def stop(self) -> None:
        self.kill()
        self.stopped.emit()

    def kill(self) -> None:
        self._is_over = True
        if self._renderer is not None:
            self._renderer.cancel()
        self._engine.shut_down()

    def _load(self, plan: load_plan.LoadPlan) -> None:
        if not self._is_over:
            self._load_id = self._engine.new_id()
            self._engine.send(Load(id=self._load_id, **plan.fields()))

    def _build_prompt(self, end_text: str) -> None:
        turns = (Turn(wording.phrase("models.trial_question")),)
        form = local_models.form_of(self._model)
        if form is not None:
            self._ask(prompts.build(form, turns), form.stop)
            return
        try:
            header = gguf.read_header(Path(self._model.path))
        except AppError as error:  # the file was deleted after it was loaded
            self._fail(error)
            return
        body = template_renderer.request(header.chat_template, turns, end=end_text)
        self._renderer = TemplateRenderer(body, self._ask, self._fail)

    def _ask(self, segments: tuple[Segment, ...], stop: tuple[str, ...] = ()) -> None:
        card = catalogue.card(self._model.card_id)
        recommended = dataclasses.asdict(card.sampling if card is not None else CardSampling())
        sampling = Sampling(**{**recommended, "temperature": 0, "seed": 1})
        self._ask_id = self._engine.new_id()
        self._engine.send(Ask(self._ask_id, segments, TOKENS, stop=stop, sampling=sampling, adapters=self._adapters))

    def _on_event(self, event: Event) -> None:
        if self._is_over:
            return
        match event:
            case Ready(id=self._load_id, facts=facts):
                self._build_prompt(facts.end_text)
            case Token(id=self._ask_id, text=text):
                self._text += text
            case Done(id=self._ask_id):
                self.kill()
                self.ended.emit(self._text.strip())
            case Failed() if event.id in (self._load_id, self._ask_id):
                self._fail(AppError(event.code, **event.facts))

    def _on_died(self, child_exit: ChildExit) -> None:
        self._fail(exit_error(child_exit))

    def _fail(self, error: AppError) -> None:
        if self._is_over:
            return
        self.kill()
        if error.code == "memory_short":
            self.ended.emit(None)
        else:
            self.ended.emit(AppError("build_trial_failed", reason=str(error), cause=error.code))


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
    A quantized file is tried (progress "trial") before it is published.
    """

    model_added = Signal(object)  # LocalModel that was added to the list

    def __init__(
        self,
        environment: TrainingEnvironment,
        engine: list[str],
        logs: Path,
        add: Callable[[LocalModel], LocalModel],
        keep_lineage: KeepLineage,
    ) -> None:
        """Create a runner without a build.

        `engine`: the command line of the smoke test's engine. `logs`: the folder of log files. `add`: adds a model to
        the list and returns the listed one. `keep_lineage`: copies the training record of an adapter to the file that
        it was merged into.
        """
        super().__init__(environment)
        self._engine = engine
        self._logs = logs
        self._add = add
        self._keep_lineage = keep_lineage
        self._plan: BuildPlan | None = None
        self._folder: BuildFolder | None = None
        self._is_complete = False
        self._models: dict[str, LocalModel] = {}  # by the quantization's name
        self.reports: list[StepReport] = []
        self.trials: dict[str, str | None] = {}  # name of a quantization -> answer of its smoke test; None: not tested

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
        self.reports, self.trials, self._models = [], {}, models
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
        """Begin the next step; a file that was quantized before an interruption only gets its smoke test."""
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

    # --------------------------------------------------------------------- check

    def _check(self, step: ArtifactStep) -> None:
        """Check the file's structure, then test the model."""
        self._report(phase="trial")
        self._in_background(
            lambda: local_models.describe(step.path),
            lambda model: self._run_smoke_test(step, model),
            lambda error: self._on_trial_failed(step, error),
        )

    def _run_smoke_test(self, step: ArtifactStep, model: LocalModel) -> None:
        self._run(
            SmokeTestRun(self._engine, self._logs / "build-trial.log", model, self),
            lambda trial: self._publish(step, trial),
            lambda error: self._on_trial_failed(step, error),
            phase="trial",
        )

    def _on_trial_failed(self, step: ArtifactStep, error: AppError) -> None:
        """End the build with the error; the file is built again the next time, unless only the memory was short."""
        assert self._folder is not None
        if error.facts.get("cause") != "out_of_memory":
            with contextlib.suppress(AppError):  # the manifest is unwritable: report the first error
                self._folder.forget(step)
        self._fail(error)

    def _publish(self, step: ArtifactStep, trial: str | None) -> None:
        """Move the file to the models folder, add it to the list, and continue. Raises AppError."""
        assert self._folder is not None
        assert self._plan is not None
        described = local_models.describe(self._folder.publish(step))
        adapter = self._plan.request.adapter
        if adapter is not None:
            self._keep_lineage(adapter.folder, Path(described.path))
        model = self._add(dataclasses.replace(described, name=f"{self._plan.name} {step.name}"))
        self.trials[step.name] = trial
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
