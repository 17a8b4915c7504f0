"""Build models from publishers' folders: run the steps one after the other, each in a child process.

Each quantized file is loaded and writes a few tokens (`SmokeTestRun`) before it is put into the list. The file is
long because the smoke test, which only builds need, is in it.
"""

import contextlib
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base import wording
from app.base.errors import AppError
from app.base.services import background
from app.base.services.child_process import JobProcess
from app.base.settings import Settings
from app.inference import child_commands, gguf, load_plan, prompts
from app.inference.engine import model_jobs
from app.inference.engine.messages import Ask, Done, Event, Failed, Load, Ready, Sampling, Token
from app.inference.engine.model_jobs import Imatrix, Quantize
from app.inference.local_model import LocalModel
from app.inference.prompts import Segment, Turn
from app.inference.services import template_renderer
from app.inference.services.engine import EngineClient, EngineExit
from app.inference.services.template_renderer import TemplateRenderer
from app.models import catalogue, gguf_build, local_models
from app.models.catalogue import CardSampling
from app.models.gguf_build import BuildFolder, BuildPlan, BuildStep, KeepLineage
from app.models.training_environment import TrainingEnvironment
from trainer import convert_job
from trainer.convert_job import Finished, HfToGguf, LoraToGguf, Merge

TOKENS = 16
_SETTINGS = dataclasses.replace(Settings(), context_tokens=512, repack="off")


@dataclasses.dataclass(frozen=True, slots=True)
class SmokeTest:
    """The outcome of a smoke test.

    `text` is None if result was not enough memory to load the model: it was not tested.
    """

    text: str | None
    tokens_per_s: float = 0.0


class SmokeTestRun(QObject):
    """Loads a model in an engine of its own and lets it answer a question.

    Calls exactly one of `done` and `failed`, unless stopped. The engine ends with the test.
    """

    def __init__(
        self,
        engine: list[str],
        log: Path,
        model: LocalModel,
        done: Callable[[SmokeTest], None],
        failed: Callable[[AppError], None],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._done, self._failed = done, failed
        self._model, self._adapters = local_models.with_adapters(model, None)
        self._text = self._load_id = self._ask_id = ""
        self._renderer: TemplateRenderer | None = None
        self._is_over = False
        self._engine = EngineClient(engine, log, self)
        self._engine.event_received.connect(self._on_event)
        self._engine.died.connect(self._on_died)
        background.run(lambda: load_plan.plan_load(model, _SETTINGS), self._load, self._fail)

    def stop(self) -> None:
        """Stop the test and its engine. Blocks for a moment."""
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
        self._renderer = TemplateRenderer(child_commands.template(), body, self._ask, self._fail)

    def _ask(self, segments: tuple[Segment, ...], stop: tuple[str, ...] = ()) -> None:
        card = catalogue.load().card(self._model.card_id)
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
                self._finish(event)
            case Failed() if event.id in (self._load_id, self._ask_id):
                self._fail(AppError(event.code, **event.facts))

    def _on_died(self, engine_exit: EngineExit) -> None:
        self._fail(engine_exit.as_error())

    def _finish(self, done: Done) -> None:
        self.stop()
        timings, usage = done.timings, done.usage
        speed = usage.answer_tokens / timings.answer_s if timings.answer_s > 0 else 0.0
        self._done(SmokeTest(self._text.strip(), round(speed, 2)))

    def _fail(self, error: AppError) -> None:
        if self._is_over:
            return
        self.stop()
        if error.code == "memory_short":
            self._done(SmokeTest(None))
        else:
            self._failed(AppError("build_trial_failed", reason=str(error), cause=error.code))


@dataclass(frozen=True, slots=True)
class BuildCommands:
    """The commands of the child processes. `convert` and `quantize` get the file that contains the job."""

    environment: TrainingEnvironment
    quantize: Callable[[Path], list[str]]
    engine: list[str]

    def convert(self, job: Path) -> list[str]:
        return self.environment.command("trainer.convert", str(job))


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How far a build is.

    `phase`: a step's kind, or "trial". `done_bytes`, `total_bytes`: of this phase (tokens for imatrix); total 0:
    unknown.
    """

    phase: str
    done_bytes: int
    total_bytes: int
    form: str = ""
    number: int = 0  # of the step, from 1
    steps: int = 0


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a step has taken. `notes`: as the child reported them."""

    title: str
    seconds: float
    peak_rss_bytes: int
    size_bytes: int
    notes: dict[str, object]


class BuildRunner(QObject):
    """Runs one build at a time. `start` ends with exactly one of `finished`, `failed` and `cancelled`.

    After `failed` and `cancelled` the finished steps stay in the build's folder, and the same build resumes from there.
    """

    progressed = Signal(object)  # BuildProgress
    model_added = Signal(object)  # LocalModel: one quantization is in the list
    finished = Signal(object)  # list[LocalModel], in the order of the quantizations
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(
        self,
        commands: BuildCommands,
        logs: Path,
        add: Callable[[LocalModel], LocalModel],
        keep_lineage: KeepLineage,
        parent: QObject | None = None,
    ) -> None:
        """`add` puts a model into the list and returns it as it is there."""
        super().__init__(parent)
        self._commands = commands
        self._logs = logs
        self._add = add
        self._keep_lineage = keep_lineage
        self._plan: BuildPlan | None = None
        self._folder: BuildFolder | None = None
        self._steps: list[BuildStep] = []
        self._count = 0
        self._models: dict[str, LocalModel] = {}  # by the quantization's name
        self._child: JobProcess | None = None
        self._trial: SmokeTestRun | None = None
        self.reports: list[StepReport] = []
        self.trials: dict[str, SmokeTest] = {}  # by the quantization's name

    @property
    def is_running(self) -> bool:
        return self._folder is not None

    @property
    def child_pid(self) -> int:
        """The process id of the child; 0 while there is none."""
        return self._child.pid if self._child is not None else 0

    def start(self, plan: BuildPlan) -> None:
        """Start the build.

        If it raises AppError, nothing has begun: build_running, drive_space, build_unwritable, converter_missing.
        """
        assert not self.is_running
        folder = BuildFolder(plan)
        folder.open()
        try:
            models = self._earlier(plan, folder)
            steps = folder.remaining()
            folder.require_room()
            if self._commands.environment.converter is None and any(_converts(step) for step in steps):
                raise AppError("converter_missing", path=str(self._commands.environment.python.parent.parent))
        except AppError:
            folder.close(keep=bool(folder.finished()))
            raise
        self._plan, self._folder, self._steps, self._count = plan, folder, steps, len(steps)
        self.reports, self.trials, self._models = [], {}, models
        self._next()

    def _earlier(self, plan: BuildPlan, folder: BuildFolder) -> dict[str, LocalModel]:
        """Return the models that an earlier run has put into the list; a damaged one is built again.

        Raises AppError.
        """
        models = {}
        for form in plan.request.forms:
            result = folder.result(form)
            if result is None:
                continue
            try:
                described = local_models.describe(result)
            except AppError:
                folder.forget_result(form)
            else:
                models[form.name] = self._add(described)
        return models

    def cancel(self) -> None:
        """Stop the build and keep the finished steps. Blocks for a moment."""
        if self.is_running:
            self._stop_children()
            self._end(keep=True)
            self.cancelled.emit()

    # --------------------------------------------------------------------- steps

    def _next(self) -> None:
        """Begin the next step, or end the build."""
        if not self._steps:
            assert self._plan is not None
            models = [self._models[form.name] for form in self._plan.request.forms]
            self._end(keep=False)
            self.finished.emit(models)
            return
        step = self._steps[0]
        assert self._folder is not None
        self._report(step.kind, 0, 0)
        if step.form is not None and step.file in self._folder.finished():
            self._check(step)  # quantized before an interruption, not tested yet
            return
        try:
            self._folder.require_room()
            self._start_child(step)
        except AppError as error:
            self._fail(error)
        except OSError as error:
            self._fail(AppError("build_unwritable", path=str(self._folder.path), reason=error.strerror or str(error)))

    def _start_child(self, step: BuildStep) -> None:
        assert self._folder is not None
        job = self._job(step)
        path, target = self._folder.path / "job.json", self._folder.path / step.file
        if isinstance(job, Quantize | Imatrix):
            model_jobs.write_quantize_job(job, path)
            command = self._commands.quantize(path)
        else:
            path.write_text(json.dumps(convert_job.job_to_json(job)), encoding="utf-8")
            command = self._commands.convert(path)
        child = JobProcess(command, target, self._logs / f"build-{step.kind}.log", step.title, self)
        child.progressed.connect(lambda event: self._report(step.kind, event.done_bytes, event.total_bytes))
        child.finished.connect(self._on_finished)
        child.failed.connect(self._fail)
        self._child = child
        child.start()

    def _job(self, step: BuildStep) -> convert_job.Job | model_jobs.QuantizeJob:
        assert self._plan is not None
        assert self._folder is not None
        plan, request, folder = self._plan, self._plan.request, self._folder.path
        target, converter = str(folder / step.file), str(self._commands.environment.converter)
        base, lora = str(folder / "base.weights"), str(folder / "adapter.weights")
        source = str(request.model.folder)
        if step.kind == "convert":
            return HfToGguf(source, target, converter, plan.outtype)
        if step.kind == "adapter":
            assert request.adapter is not None
            return LoraToGguf(str(request.adapter.folder), source, target, converter)
        if step.kind == "merge":
            return Merge(base, lora, target, converter)
        if step.kind == "imatrix":
            return Imatrix(str(folder / plan.f16_file), str(request.text), target)
        assert step.form is not None
        means = str(folder / plan.imatrix_file) if plan.imatrix_file else ""
        return Quantize(str(folder / plan.f16_file), target, step.form.name, means, plan.metadata())

    def _on_finished(self, event: Finished) -> None:
        assert self._plan is not None
        step, plan, path = self._steps[0], self._plan, Path(event.path)
        self._child = None
        self._in_background(lambda: _verify(step, plan, path), lambda _nothing: self._note(step, event))

    def _note(self, step: BuildStep, event: Finished) -> None:
        assert self._folder is not None
        try:
            size = self._folder.note(step)
        except AppError as error:
            self._fail(error)
            return
        self.reports.append(StepReport(step.title, event.seconds, event.peak_rss_bytes, size, dict(event.notes)))
        if step.form is not None:
            self._check(step)
        else:
            self._steps.pop(0)
            self._next()

    def _in_background(
        self,
        work: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[AppError], None] | None = None,
    ) -> None:
        """Run `work` in the thread pool; deliver nothing if the build has ended meanwhile."""
        folder = self._folder
        background.run(
            work,
            lambda result: done(result) if self._folder is folder else None,
            lambda error: (failed or self._fail)(error) if self._folder is folder else None,
        )

    # --------------------------------------------------------------------- check

    def _check(self, step: BuildStep) -> None:
        """Check the file's structure, then test the model."""
        assert self._folder is not None
        self._report("trial", 0, 0)
        path = self._folder.path / step.file
        self._in_background(
            lambda: local_models.describe(path),
            lambda model: self._try(step, model),
            lambda error: self._on_trial_failed(step, error),
        )

    def _try(self, step: BuildStep, model: LocalModel) -> None:
        log = self._logs / "build-trial.log"
        self._trial = SmokeTestRun(
            self._commands.engine,
            log,
            model,
            lambda trial: self._publish(step, trial),
            lambda error: self._on_trial_failed(step, error),
            self,
        )

    def _on_trial_failed(self, step: BuildStep, error: AppError) -> None:
        """Fail the build; the file is built again the next time, unless only the memory was short."""
        assert self._folder is not None
        if error.facts.get("cause") != "out_of_memory":
            with contextlib.suppress(AppError):  # the manifest is unwritable: report the first error
                self._folder.forget(step)
        self._fail(error)

    def _publish(self, step: BuildStep, trial: SmokeTest) -> None:
        assert self._folder is not None
        assert self._plan is not None
        assert step.form is not None
        self._trial = None
        try:
            described = local_models.describe(self._folder.publish(step))
            adapter = self._plan.request.adapter
            if adapter is not None:
                self._keep_lineage(adapter.folder, Path(described.path))
            named = dataclasses.replace(described, name=f"{self._plan.name} {step.form.name}")
            model = self._add(named)
        except AppError as error:
            self._fail(error)
            return
        self.trials[step.form.name] = trial
        self._models[step.form.name] = model
        self._steps.pop(0)
        folder = self._folder
        self.model_added.emit(model)
        if self._folder is folder:  # a slot of `model_added` may have cancelled the build
            self._next()

    # ----------------------------------------------------------------------- end

    def _report(self, phase: str, done: int, total: int) -> None:
        if self._steps:
            form = self._steps[0].form
            number = self._count - len(self._steps) + 1
            self.progressed.emit(BuildProgress(phase, done, total, form.name if form else "", number, self._count))

    def _fail(self, error: AppError) -> None:
        self._stop_children()
        self._end(keep=True)
        self.failed.emit(error)

    def _stop_children(self) -> None:
        child, trial = self._child, self._trial
        self._child = self._trial = None
        if child is not None:
            child.stop()
            child.deleteLater()
        if trial is not None:
            trial.stop()
            trial.deleteLater()

    def _end(self, *, keep: bool) -> None:
        folder, self._folder = self._folder, None
        self._steps = []
        if folder is not None:
            folder.close(keep=keep and bool(folder.finished()))


def _verify(step: BuildStep, plan: BuildPlan, result: Path) -> None:
    """Check an intermediate file before later steps use it. Raises AppError."""
    if step.kind in ("convert", "adapter"):
        gguf_build.require_same_sources(plan)
    if step.kind in ("convert", "merge"):
        gguf.check_model(result, every_token=False)


def _converts(step: BuildStep) -> bool:
    return step.kind in ("convert", "adapter", "merge")
