"""Define the tasks of a study besides making files: training, asking and measuring."""

import contextlib
import dataclasses
import functools
import json
from pathlib import Path

from PySide6.QtCore import QObject

from app.base.confidentiality import DEFAULT_LABEL
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.services import background
from app.base.settings import Settings
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.chat.presets import Choices
from app.chat.services import batch_run
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, answer_of_outcome, choices_in_force
from app.chat.services.prompt_run import ENGINE_FAILURES, AnswerQueue, PromptJob, PromptRun
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents.services.embedding import Embedding
from app.evaluation import current_labels
from app.evaluation.records import QuestionSet
from app.evaluation.study import study_steps
from app.evaluation.study.studies import Study
from app.evaluation.study.study_steps import QUESTION_PLACE, PendingAnswers, PendingLikelihood
from app.inference import gguf
from app.inference.engine.messages import AdapterUse
from app.inference.engine.model_jobs import Score
from app.inference.prompts import ScoredText, Segment, Turn
from app.inference.services import template_renderer
from app.inference.services.engine import EngineClient
from app.inference.services.template_renderer import TemplateRenderer
from app.models import local_models
from app.models.artifact_steps import ArtifactStep
from app.models.services.artifact_runner import JobTask, StepTask, Workplace
from app.training.runs.run_journal import RunStatus
from app.training.services import training_run
from app.training.services.training_run import LockedRun, Trainer, TrainingRun
from trainer import events

PATIENCE_S = 60.0  # for vectors: no one waits for them, and every question must be searched in the same way
TIMED_QUESTIONS = 10  # asked one after another, so that their seconds are those of a person who asks; the rest together


class TrainingTask(StepTask):
    """Trains a run from its current state to its end."""

    def __init__(self, folder: Path, trainer: Trainer | AppError, parent: QObject) -> None:
        """Prepare the training of the run in `folder`. Raises `trainer` if that is an AppError."""
        super().__init__(parent)
        if isinstance(trainer, AppError):
            raise trainer
        self._trainer = trainer
        self._folder = folder
        self._is_stopped = False
        self._run = TrainingRun(self._trainer, folder, self)
        self._run.event_received.connect(self._on_event)
        self._run.finished.connect(lambda _end: self.ended.emit(None))
        self._run.paused.connect(lambda _end: self.stopped.emit())
        self._run.cancelled.connect(lambda _end: self.stopped.emit())
        self._run.failed.connect(self.ended.emit)

    @property
    def standing(self) -> RunStatus:
        return self._run.standing

    def start(self) -> None:
        trainer, folder = self._trainer, self._folder
        background.run(lambda: training_run.lock_for_training(trainer, folder), self._on_taken, self.ended.emit)

    def stop(self) -> None:
        self._is_stopped = True
        if self._run.is_running:
            self._run.pause()

    def kill(self) -> None:
        self._run.kill()

    def _on_taken(self, locked_run: LockedRun) -> None:
        if self._is_stopped:
            locked_run.release()
            self.stopped.emit()
        else:
            self._run.start(locked_run)

    def _on_event(self, event: events.Event) -> None:
        if isinstance(event, events.TrainingStep):
            self.progressed.emit(event.step, event.total, round(event.left_s) if event.left_s else None)


class AnswersTask(StepTask):
    """Asks one system every question of the set with one seed; each answer is stored before the next question is asked.

    If the engine crashes, the task ends with AppError("evaluation_unanswered"), and the next task asks the unanswered
    questions again. If the engine crashes at the same question again, that question counts as failed.
    """

    def __init__(
        self,
        step: PendingAnswers,
        study: Study,
        questions: QuestionSet,
        engine: EngineClient,
        parent: QObject,
        *,
        documents: Path,
        settings: Settings,
        embedding: Embedding | None,
    ) -> None:
        """Prepare the questions of a step. `documents`: the documents database."""
        super().__init__(parent)
        self._step = step
        self._study = study
        self._questions = questions
        self._documents = documents
        self._settings = settings
        self._journal: BatchJournal | None = None
        self._died_at: list[int] = []
        self._died_before: frozenset[int] = frozenset()  # questions at which the engine crashed at the last attempt
        self._queue = AnswerQueue(engine, self._request_of, self, embedding, alone=TIMED_QUESTIONS)
        self._queue.progressed.connect(self._report_progress)
        self._queue.answered.connect(self._on_answered)
        self._queue.refused.connect(self._on_refused)
        self._queue.ended.connect(self._on_ended)

    def start(self) -> None:
        head = self._head()
        background.run(lambda: BatchJournal.open(self._step.out, head), self._on_opened, self.ended.emit)

    def stop(self) -> None:
        self._queue.stop()

    def _on_opened(self, opened: BatchJournal) -> None:
        self._journal = opened
        self._died_before = _deaths(self._step.out)
        lines = range(1, len(self._questions.questions) + 1)
        self._queue.start([line for line in lines if line not in opened.results])

    def _request_of(self, line: int) -> AnswerRequest:
        contender, system = self._step.contender, self._step.contender.system
        turns = (Turn(self._questions.questions[line - 1].text),)
        scope = contender.scope
        adapters = (AdapterUse(system.adapter, system.strength),) if system.adapter else ()
        asked = RetrievalRequest(self._documents, scope, turns, may_quote=contender.may_quote, patience_s=PATIENCE_S)
        wanted = asked if scope else None
        is_remote = contender.model.remote is not None  # the request was agreed to; its label may have changed since
        label = current_labels.label_of_set(self._questions, self._documents) if is_remote else DEFAULT_LABEL
        return AnswerRequest(
            contender.model, turns, self._settings, self._choices(), adapters, retrieval=wanted, force_load=True,
            label=label, is_agreed=is_remote,
        )  # fmt: skip

    def _choices(self) -> Choices:
        own = Choices(seed=self._step.seed, thought_tokens=self._step.contender.thought_tokens)
        own = own.with_defaults(self._study.choices)
        return choices_in_force(self._step.contender.model, own)

    def _head(self) -> JournalHeader:
        contender, questions = self._step.contender, self._questions
        return JournalHeader(
            questions.name, questions.sha256, 0, contender.system.id, contender.system.name, contender.scope,
            self._choices(), self._settings.context_tokens, self._study.created_at,
        )  # fmt: skip

    def _on_answered(self, line: int, text: str, outcome: AnswerOutcome) -> None:
        if not outcome.is_alone:
            outcome = outcome.without_times()
        self._keep(answer_of_outcome(line, text, outcome, self._step.contender.model, self._step.contender.label))

    def _on_refused(self, line: int, error: AppError) -> None:
        if error.code in ENGINE_FAILURES and line not in self._died_before:
            self._died_at.append(line)
            return
        self._keep(batch_run.failed_answer(line, error, self._step.contender.model, self._step.contender.label))

    def _keep(self, result: BatchAnswer) -> None:
        assert self._journal is not None
        self._queue.store(functools.partial(self._journal.add, result))

    def _report_progress(self) -> None:
        total = len(self._questions.questions)
        self.progressed.emit(total - len(self._queue.pending), total, self._queue.left_s)

    def _on_ended(self, error: AppError | None) -> None:
        if error is not None and error.code in ENGINE_FAILURES:  # again and again: the other questions were not tried
            error = self._unanswered()
        elif self._died_at:
            _note_deaths(self._step.out, self._died_at)
        if error is None and (self._queue.is_stopped or self._queue.pending):
            self.stopped.emit()
        else:
            self.ended.emit(error or self._unanswered())

    def _unanswered(self) -> AppError | None:
        died_at, name = self._died_at, self._step.contender.system.name
        if not died_at:
            return None
        return AppError("evaluation_unanswered", id=self._study.id, name=name, count=len(died_at), number=died_at[0])


def _deaths_file(answers: Path) -> Path:
    return answers.with_name(f"{answers.name}.deaths")


def _deaths(answers: Path) -> frozenset[int]:
    """Return the numbers of the questions at which the engine crashed at the last attempt."""
    try:
        return frozenset(strict_json.load_file(_deaths_file(answers)))
    except (OSError, ValueError, TypeError):  # no file, or an incomplete one: the questions are asked once more
        return frozenset()


def _note_deaths(answers: Path, numbers: list[int]) -> None:
    with contextlib.suppress(OSError):  # without the file the questions are asked once more
        write_atomically(_deaths_file(answers), json.dumps(numbers).encode("ascii"))


class PromptsTask(StepTask):
    """Sends prompts to a judge. The signal `ended` carries the replies to all of them, by prompt."""

    def __init__(self, job: PromptJob, engine: EngineClient, parent: QObject) -> None:
        super().__init__(parent)
        self._run = PromptRun(engine, job, self)
        self._run.progressed.connect(lambda part: self.progressed.emit(part.done, part.total, part.left_s))
        self._run.finished.connect(self.ended)
        self._run.stopped.connect(self.stopped)
        self._run.failed.connect(self.ended)

    def start(self) -> None:
        self._run.start()

    def stop(self) -> None:
        self._run.stop()


class LikelihoodTask(JobTask):
    """Measures the likelihood of the references under one system.

    The texts are rendered by the app's prompt format of the model if it has one. Another template is rendered once,
    with a placeholder for the question, because each rendering takes a child process.
    """

    def __init__(
        self, pending: PendingLikelihood, study: Study, questions: QuestionSet, workplace: Workplace, parent: QObject
    ) -> None:
        """Prepare the measurement for one system. Raises AppError as `gguf.read_header`."""
        step = ArtifactStep("likelihood", pending.target, None, pending.contender.system.name)
        super().__init__(step, AppError("no_training_environment"), workplace, parent)
        self._pending = pending
        self._questions = questions.questions
        self._context_tokens = study.context_tokens
        model = pending.contender.model
        self._system = choices_in_force(model, study.choices).system_prompt or ""
        self._form = local_models.form_of(model)
        self._template = "" if self._form else gguf.read_header(Path(model.path)).chat_template
        self._renderer: TemplateRenderer | None = None  # set only while the template is rendered

    def start(self) -> None:
        if self._form is not None:
            self._score(study_steps.likelihood_texts(self._questions, self._form, self._system))
            return
        body = template_renderer.request(self._template, (Turn(QUESTION_PLACE),), self._system)
        self._renderer = TemplateRenderer(body, self._on_rendered, self.ended.emit)

    def stop(self) -> None:
        if self._renderer is not None:
            self._renderer.cancel()
            self.stopped.emit()
        else:
            super().stop()

    def kill(self) -> None:
        if self._renderer is not None:
            self._renderer.cancel()
        else:
            super().kill()

    def _on_rendered(self, segments: tuple[Segment, ...]) -> None:
        self._renderer = None
        self._score(study_steps.rendered_texts(self._questions, segments))

    def _score(self, texts: tuple[ScoredText, ...]) -> None:
        pending, system = self._pending, self._pending.contender.system
        score = Score(
            model=pending.contender.model.path,
            holdout="",
            target=str(pending.target),
            adapter=system.adapter,
            strength=system.strength,
            reference=pending.reference,
            makes_reference=pending.makes_reference,
            texts=texts,
            context_tokens=self._context_tokens,
        )
        self._step = dataclasses.replace(self._step, job=score)
        super().start()
