"""Carry out a study from its next step to its report: make files, train runs, ask systems, measure and judge."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from PySide6.QtCore import QObject

from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.chat.services.prompt_run import PromptJob
from app.documents.services.embedding import Embedding
from app.evaluation.judge import judge_prompt
from app.evaluation.records import QuestionSet
from app.evaluation.report import scoring
from app.evaluation.report.scoring import AnswersToJudge, JudgedAnswers
from app.evaluation.services.study_tasks import AnswersTask, LikelihoodTask, PromptsTask, TrainingTask
from app.evaluation.study import studies, study_preflight, study_steps
from app.evaluation.study.studies import Study, Training
from app.evaluation.study.study_steps import PendingAnswers, PendingLikelihood
from app.inference.services.engine import EngineClient
from app.models.artifact_steps import ArtifactStep, StepProgress
from app.models.services.artifact_runner import ArtifactRunner, StepTask, Workplace
from app.training.runs.run_journal import RunStatus
from app.training.services.training_run import Trainer


@dataclass(frozen=True, slots=True)
class LockedStudy:
    """A study that this process has locked until `release` is called."""

    lock: filelock.BaseFileLock
    study: Study
    questions: QuestionSet

    def release(self) -> None:
        self.lock.release()


def lock_study(folder: Path) -> LockedStudy:
    """Lock a study for this process, which may take a moment.

    Raises AppError: evaluation_busy, evaluation_unwritable, evaluation_damaged.
    """
    lock = studies.lock(folder)
    try:
        study = studies.read(folder)
        return LockedStudy(lock, study, studies.questions_of(folder, study))
    except BaseException:
        lock.release()
        raise


class StudyRun(ArtifactRunner):
    """Carries out a study.

    The signal `finished` carries the Evaluation; results.json and report.html are in the folder. The steps are make |
    train | likelihood | answers | judge | conclude; making a file belongs to the step that needs it. Another run of the
    same study resumes where this one ended.
    """

    def __init__(
        self,
        folder: Path,
        engine: EngineClient,
        *,
        trainer: Trainer | AppError,
        documents: Path,
        settings: Settings,
        embedding: Embedding | None = None,
        parent: QObject | None = None,
    ) -> None:
        """Prepare the run of the study in `folder`.

        `trainer`: AppError if there is no training environment; a step that needs one fails with that error.
        `documents`: the documents database.
        """
        super().__init__(trainer.environment if isinstance(trainer, Trainer) else trainer, parent)
        self._folder = folder
        self._workplace = Workplace(folder / "job.json", f"{folder}/", "evaluation_unwritable")
        self._trainer = trainer
        self._embedding = embedding
        self._engine = engine
        self._documents = documents
        self._settings: Settings = settings
        self._study: Study | None = None
        self._questions: QuestionSet | None = None
        self._to_judge: AnswersToJudge | None = None
        self._waits_for_engine = False  # the next step starts when the engine has released its memory
        self._done_steps = 0
        engine.exited.connect(self._on_engine_gone)

    @property
    def training(self) -> RunStatus | None:
        """Return the status of the run in training; None if there is none or a stop was requested."""
        return self._task.standing if isinstance(self._task, TrainingTask) and not self._is_stopping else None

    def start(self, locked_study: LockedStudy | None = None) -> None:
        """Start the study.

        `locked_study`: the result of `lock_study`; None: lock the study now, which raises AppError as `lock_study`.
        """
        locked_study = locked_study or lock_study(self._folder)
        self._begin(locked_study.release, self._workplace)
        self._study, self._questions, self._waits_for_engine = locked_study.study, locked_study.questions, False
        self._settings = dataclasses.replace(self._settings, context_tokens=locked_study.study.context_tokens)
        study, folder, count = self._plan()
        require = functools.partial(study_preflight.require_unchanged, study, folder, count, self._documents)
        self._in_background(require, lambda _nothing: self._on_all_made())

    # --------------------------------------------------------------------- steps

    def _task_of(self, step: ArtifactStep) -> StepTask:
        match step.job:
            case Training():
                return TrainingTask(step.path, self._trainer, self)
            case PendingLikelihood():
                return LikelihoodTask(step.job, *self._require_study(), self._workplace, self)
            case PendingAnswers():
                return AnswersTask(
                    step.job, *self._require_study(), self._engine, self, documents=self._documents,
                    settings=self._settings, embedding=self._embedding,
                )  # fmt: skip
            case PromptJob():
                return PromptsTask(step.job, self._engine, self)
        return super()._task_of(step)

    def _on_all_made(self) -> None:
        """Find the next step from the files in the folder, since no state is kept, and begin it."""
        study, folder, count = self._plan()
        self._in_background(functools.partial(_find_next_step, study, folder, count), self._on_found)

    def _on_found(self, outcome: tuple[ArtifactStep | None, int]) -> None:
        step, self._done_steps = outcome
        study, questions = self._require_study()
        if step is not None:
            self._run_steps([step])
        elif study.judge is not None:
            self._in_background(lambda: scoring.answers_to_judge(study, self._folder, questions), self._judge)
        else:
            self._conclude(lambda: None)

    def _next(self) -> None:
        """Begin the next step.

        If the step does not use the engine, end the engine first, to free its memory and close its model file.
        """
        asks = not self._steps or isinstance(self._steps[0].job, PendingAnswers | PromptJob)
        if asks or not self._engine.end():
            super()._next()
        else:
            self._waits_for_engine = True

    def _on_engine_gone(self) -> None:
        is_waited_for, self._waits_for_engine = self._waits_for_engine, False
        if is_waited_for and self._is_stopping:
            self._on_stopped()
        elif is_waited_for:
            super()._next()

    def _on_made(self, step: ArtifactStep, result: Any) -> None:
        (study, questions), to_judge = self._require_study(), self._to_judge
        if step.kind == "judge":
            assert to_judge is not None
            self._conclude(lambda: scoring.judged_answers(study, to_judge, questions, result))
        else:
            self._advance()

    def _position(self) -> tuple[int, int]:
        study = self._plan()[0]
        steps = study_steps.total_steps(study) + (study.judge is not None)
        return min(self._done_steps + 1, steps), steps

    # --------------------------------------------------------------------- verdict

    def _judge(self, to_judge: AnswersToJudge) -> None:
        study = self._plan()[0]
        assert study.judge is not None
        # The judge's context fits an answer and its sources, and does not depend on the systems' context.
        settings = dataclasses.replace(self._settings, context_tokens=judge_prompt.CONTEXT_TOKENS)
        job = PromptJob(study.judge, settings, to_judge.prompts, self._folder / studies.JUDGED)
        self._to_judge = to_judge
        self._run_steps([ArtifactStep("judge", job.journal, job, study.judge.name)])

    def _conclude(self, judged: Callable[[], JudgedAnswers | None]) -> None:
        """Score the study and write its report; from here on the study cannot be stopped.

        `judged` runs in the background too, because it reads all the replies.
        """
        (study, questions), folder = self._require_study(), self._folder
        total = self._position()[1]
        self.progressed.emit(StepProgress("conclude", study.name, 0, 0, total, total))
        background.run(lambda: scoring.score_study(study, folder, questions, judged()), self._finish, self._fail)

    def _plan(self) -> tuple[Study, Path, int]:
        study, questions = self._require_study()
        return study, self._folder, len(questions.questions)

    def _require_study(self) -> tuple[Study, QuestionSet]:
        assert self._study is not None
        assert self._questions is not None
        return self._study, self._questions


def _find_next_step(study: Study, folder: Path, count: int) -> tuple[ArtifactStep | None, int]:
    """Return the next step, None if all are done, and the number of done steps."""
    study_steps.delete_unneeded(study, folder, count)
    return study_steps.next_step(study, folder, count), study_steps.done_steps(study, folder, count)
