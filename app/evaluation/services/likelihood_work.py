"""The likelihood of a set's references by one system: rendered by the model's own template where it has one."""

from pathlib import Path

from PySide6.QtCore import QObject

from app.base.files.output_file import drive_error
from app.chat.services.answer_run import choices_in_force
from app.evaluation.records import QuestionSet
from app.evaluation.services.study_work import JobWork, Work
from app.evaluation.study import likelihood
from app.evaluation.study.likelihood import PLACE
from app.evaluation.study.steps import Likelihood
from app.evaluation.study.study import Study
from app.inference import child_commands, gguf
from app.inference.engine.model_jobs import Score
from app.inference.prompts import ScoredText, Segment, Turn
from app.inference.services import template_renderer
from app.inference.services.template_renderer import TemplateRenderer
from app.models import local_models


class LikelihoodWork(Work):
    """A foreign template is rendered once, with a mark for the question: for each it would be a child of its own."""

    def __init__(self, step: Likelihood, study: Study, questions: QuestionSet, folder: Path, parent: QObject) -> None:
        """Raises AppError as `gguf.read_header`."""
        super().__init__(parent)
        self._step = step
        self._questions = questions.questions
        self._folder = folder
        self._context_tokens = study.context_tokens
        model = step.contender.model
        self._system = choices_in_force(model, study.choices).system_prompt or ""
        self._form = local_models.form_of(model)
        self._template = "" if self._form else gguf.read_header(Path(model.path)).chat_template
        self._renderer: TemplateRenderer | None = None
        self._job: JobWork | None = None

    def start(self) -> None:
        if self._form is not None:
            self._score(likelihood.texts(self._questions, self._form, self._system))
            return
        body = template_renderer.request(self._template, (Turn(PLACE),), self._system)
        self._renderer = TemplateRenderer(child_commands.template(), body, self._on_rendered, self.ended.emit)

    def stop(self) -> None:
        if self._job is not None:
            self._job.stop()
            return
        if self._renderer is not None:
            self._renderer.cancel()
        self.stopped.emit()

    def _on_rendered(self, segments: tuple[Segment, ...]) -> None:
        self._score(likelihood.rendered(self._questions, segments))

    def _score(self, texts: tuple[ScoredText, ...]) -> None:
        step, system = self._step, self._step.contender.system
        score = Score(
            model=step.contender.model.path,
            holdout="",
            target=str(step.target),
            adapter=system.adapter,
            strength=system.strength,
            reference=step.reference,
            makes_reference=step.makes_reference,
            texts=texts,
            context_tokens=self._context_tokens,
        )
        try:
            job = self._job = JobWork(score, step.target, self._folder, self)
        except OSError as error:
            self.ended.emit(drive_error(error, self._folder, "evaluation_unwritable"))
            return
        job.progressed.connect(self.progressed)
        job.ended.connect(self.ended)
        job.stopped.connect(self.stopped)
        job.start()
