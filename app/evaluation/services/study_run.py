"""Carry out a study from its next step to its report: make files, train runs, ask systems, measure and judge."""

import dataclasses
import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
from PySide6.QtCore import QObject, QTimer, Signal

from app.base.errors import AppError
from app.base.files.output_file import require_space
from app.base.services import background
from app.base.settings import Settings
from app.chat.services.prompt_run import PromptJob, PromptRunProgress
from app.documents.services.embedding import Embedding
from app.evaluation.judge import judge_prompt
from app.evaluation.records import QuestionSet
from app.evaluation.report import scoring
from app.evaluation.report.scoring import AnswersToJudge, JudgedAnswers
from app.evaluation.services import study_tasks
from app.evaluation.services.study_tasks import (
    AnswersTask,
    JobTask,
    LikelihoodTask,
    PromptsTask,
    StudyTask,
    TrainingTask,
)
from app.evaluation.study import studies, study_preflight, study_steps
from app.evaluation.study.studies import MadeModel, Study, Training
from app.evaluation.study.study_steps import PendingAnswers, PendingLikelihood, Step
from app.inference.services.engine import EngineClient
from app.training.runs.run_journal import RunStatus
from app.training.services.training_run import Trainer

_RETRY_MS = 1000


@dataclass(frozen=True, slots=True)
class StudyProgress:
    """The step that a study is at. `kind`: make | train | likelihood | answers | judge | conclude.

    `name`: of the file, run or system. `number`: of the step, from 1; making a file counts to the step that needs it.
    """

    kind: str
    name: str
    number: int
    steps: int
    part: PromptRunProgress | None = None  # None: no progress is known


@dataclass(frozen=True, slots=True)
class LockedStudy:
    """A study that this process has locked until `release`."""

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


class StudyRun(QObject):
    """Carries out a study; `start` ends with exactly one of `finished`, `stopped` and `failed`.

    Another run of the same study resumes where this one ended.
    """

    progressed = Signal(object)  # StudyProgress
    finished = Signal(object)  # Evaluation; results.json and report.html are in the folder
    stopped = Signal()
    failed = Signal(object)  # AppError

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
        """`trainer`: AppError if there is no training environment; a step that needs one fails with it.

        `documents`: the documents database.
        """
        super().__init__(parent)
        self._folder = folder
        self._engine = engine
        self._trainer = trainer
        self._documents = documents
        self._settings = settings
        self._embedding = embedding
        self._lock: filelock.BaseFileLock | None = None
        self._shared_lock: filelock.BaseFileLock | None = None
        self._study: Study | None = None
        self._questions: QuestionSet | None = None
        self._work: StudyTask | None = None
        self._freeing_for: Step | None = None  # starts when the engine has released its memory
        self._is_stopping = False
        self._done = 0
        engine.exited.connect(self._on_engine_gone)

    @property
    def is_running(self) -> bool:
        return self._lock is not None

    @property
    def training(self) -> RunStatus | None:
        """Return the status of the run in training; None if there is none or a stop was requested."""
        return self._work.standing if isinstance(self._work, TrainingTask) and not self._is_stopping else None

    def start(self, held: LockedStudy | None = None) -> None:
        """Start the study. `held`: from `lock_study`; None: lock it now, which raises AppError as `lock_study`."""
        assert not self.is_running
        held = held or lock_study(self._folder)
        self._lock, self._study, self._questions = held.lock, held.study, held.questions
        self._settings = dataclasses.replace(self._settings, context_tokens=held.study.context_tokens)
        self._is_stopping = False
        study, folder, count = self._plan()
        require = functools.partial(study_preflight.require_unchanged, study, folder, count, self._documents)
        self._in_background(require, lambda _nothing: self._find_next())

    def stop(self) -> None:
        """Stop and keep what is measured. A training saves its state; an answer in progress is dropped."""
        if not self.is_running or self._is_stopping:
            return
        self._is_stopping = True
        if self._work is not None:
            self._work.stop()

    def kill(self) -> None:
        """End a training at once, which loses what it has not saved. Other work ends with the engine."""
        if isinstance(self._work, TrainingTask):
            self._work.kill()

    # --------------------------------------------------------------------- steps

    def _find_next(self) -> None:
        """Find the next step from the files in the folder, since no state is kept, and begin it."""
        study, folder, count = self._plan()
        self._in_background(lambda: _find_next_step(study, folder, count), self._begin)

    def _begin(self, found: "_NextStep") -> None:
        self._done = found.done
        try:
            if found.step is not None and not self._hold_shared(found.step):
                self._report_step(*_kind_and_name(found.step))
                QTimer.singleShot(_RETRY_MS, self, self._find_next)  # another study or run is making the same file
            elif found.step is not None:
                self._free_memory(found.step)
            elif self._study is not None and self._study.judge is not None:
                study, folder, questions = self._study, self._folder, self._question_set()
                self._in_background(lambda: scoring.answers_to_judge(study, folder, questions), self._judge)
            else:
                self._conclude(lambda: None)
        except OSError as error:
            self._fail(self._unwritable(error))

    def _free_memory(self, step: Step) -> None:
        """End the engine before a step that does not answer, to free its memory and the file that it has open."""
        if not isinstance(step, PendingAnswers) and self._engine.end():
            self._freeing_for = step
        else:
            self._carry_out(step)

    def _on_engine_gone(self) -> None:
        step, self._freeing_for = self._freeing_for, None
        if step is None:
            return
        if self._is_stopping:
            self._on_stopped()
        else:
            self._carry_out(step)

    def _carry_out(self, step: Step) -> None:
        try:
            work = self._work_of(step)
        except AppError as error:
            self._fail(error)
        except OSError as error:
            self._fail(self._unwritable(error))
        else:
            self._start(work, self._on_done, *_kind_and_name(step))

    def _unwritable(self, error: OSError) -> AppError:
        return AppError("evaluation_unwritable", path=str(self._folder), reason=error.strerror or str(error))

    def _on_done(self) -> None:
        self._release_shared()
        self._find_next()

    def _work_of(self, step: Step) -> StudyTask:
        study = self._plan()[0]
        if isinstance(step, PendingAnswers):
            return AnswersTask(
                step, study, self._question_set(), self._engine, self,
                documents=self._documents, settings=self._settings, embedding=self._embedding,
            )  # fmt: skip
        if isinstance(step, Training):
            return TrainingTask(Path(step.folder), self._trainer, self)
        if isinstance(step, PendingLikelihood):
            return LikelihoodTask(step, study, self._question_set(), self._folder, self)
        target = Path(step.path)
        require_space(target.parent, step.size_bytes)
        return JobTask(study_tasks.making_job(step, self._trainer), target, self._folder, self, self._trainer)

    def _hold_shared(self, step: Step) -> bool:
        """Lock a file that other studies share, so that only one makes it. Raises OSError.

        Return False if another process is making it or just has.
        """
        if not isinstance(step, MadeModel):
            return True
        Path(step.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if step.is_shared:
            lock = filelock.FileLock(f"{step.path}.lock", timeout=0, thread_local=False)
            try:
                lock.acquire()
            except filelock.Timeout:
                return False
            if Path(step.path).exists():
                lock.release()
                return False
            self._shared_lock = lock
        return True

    def _report_step(self, kind: str, name: str, part: PromptRunProgress | None = None) -> None:
        study = self._plan()[0]
        steps_in_all = study_steps.total_steps(study) + (study.judge is not None)
        self.progressed.emit(StudyProgress(kind, name, min(self._done + 1, steps_in_all), steps_in_all, part))

    def _start(self, work: StudyTask, then: Callable[[], None], kind: str, name: str) -> None:
        def report(part: PromptRunProgress | None) -> None:
            self._report_step(kind, name, part)

        def on_ended(error: AppError | None) -> None:
            self._work = None
            work.deleteLater()
            if error is not None:
                self._fail(error)
                return
            then()

        def on_stopped() -> None:
            work.deleteLater()
            self._on_stopped()

        work.progressed.connect(report)
        work.ended.connect(on_ended)
        work.stopped.connect(on_stopped)
        self._work = work
        report(None)
        if self._work is work:
            work.start()

    # --------------------------------------------------------------------- verdict

    def _judge(self, to_judge: AnswersToJudge) -> None:
        study = self._plan()[0]
        assert study.judge is not None
        # The judge's context is independent of the systems': what an answer and its sources need, not what a system was
        # given.
        settings = dataclasses.replace(self._settings, context_tokens=judge_prompt.CONTEXT_TOKENS)
        job = PromptJob(study.judge, settings, to_judge.prompts, self._folder / studies.JUDGED)
        work, questions = PromptsTask(job, self._engine, self), self._question_set()

        def conclude() -> None:
            replies = work.replies
            self._conclude(lambda: scoring.judged_answers(study, to_judge, questions, replies))

        self._start(work, conclude, "judge", study.judge.name)

    def _conclude(self, judged: Callable[[], JudgedAnswers | None]) -> None:
        """Score the study and write its report. This can no longer be stopped.

        `judged` runs in the background too, because it reads all the replies.
        """
        study, folder, questions = self._plan()[0], self._folder, self._question_set()
        total = study_steps.total_steps(study) + (study.judge is not None)
        self.progressed.emit(StudyProgress("conclude", study.name, total, total))
        background.run(lambda: scoring.score_study(study, folder, questions, judged()), self._finish, self._fail)

    def _finish(self, found: Any) -> None:
        self._release()
        self.finished.emit(found)

    # ------------------------------------------------------------------------- end

    def _plan(self) -> tuple[Study, Path, int]:
        assert self._study is not None
        return self._study, self._folder, len(self._question_set().questions)

    def _question_set(self) -> QuestionSet:
        assert self._questions is not None
        return self._questions

    def _in_background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        def deliver(result: Any) -> None:
            if self._is_stopping:
                self._on_stopped()
            else:
                done(result)

        background.run(work, deliver, self._fail)

    def _on_stopped(self) -> None:
        self._release()
        self.stopped.emit()

    def _fail(self, error: AppError) -> None:
        if error.code == "reference_unreadable":  # the next start makes the reference again
            for path in (self._folder / studies.LIKELIHOODS).glob(f"{study_steps.REFERENCE}*"):
                path.unlink(missing_ok=True)
        self._release()
        self.failed.emit(error)

    def _release_shared(self) -> None:
        lock, self._shared_lock = self._shared_lock, None
        if lock is not None:
            lock.release()

    def _release(self) -> None:
        self._release_shared()
        self._work = self._freeing_for = None
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.release()


@dataclass(frozen=True, slots=True)
class _NextStep:
    step: Step | None
    done: int


def _find_next_step(study: Study, folder: Path, count: int) -> _NextStep:
    study_steps.delete_unneeded(study, folder, count)
    return _NextStep(study_steps.next_step(study, folder, count), study_steps.done_steps(study, folder, count))


def _kind_and_name(step: Step) -> tuple[str, str]:
    """Return the kind and name of a step, as in StudyProgress."""
    match step:
        case MadeModel():
            return "make", Path(step.path).name
        case Training():
            return "train", Path(step.folder).name
        case PendingLikelihood():
            return "likelihood", step.contender.system.name
        case PendingAnswers():
            return "answers", step.contender.system.name
