"""Carry out studies for the window, one at a time, from the next step to the report, whatever page is shown."""

import functools
import importlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.base import settings
from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.settings import Settings
from app.documents.services.embedding import Embedding, EmbeddingStatus
from app.inference import child_commands
from app.inference.services.engine import CLOSE_LIMIT_S, EngineClient, EngineReservation, end_within
from app.models.artifact_steps import StepProgress
from app.training.services.training_run import Trainer

if TYPE_CHECKING:
    from app.evaluation.services.study_run import LockedStudy, StudyRun  # imports numpy, which most starts never need
    from app.evaluation.study.studies import Study

NICE = 15  # niceness of the study's engine: a question that a person asks meanwhile takes precedence (10)
COMPLETE = ("idle", "failed", "off")  # phases in which the embedding has nothing left to do


class Evaluations(QObject):
    """Carries out one study at a time, between the signals `started` and `ended`.

    Meanwhile the window's model is unloaded, because the study needs the memory, and the user cannot ask; an answer in
    progress is finished first. The next question after the end loads the model again.
    """

    started = Signal(object)  # the study's folder (Path)
    progressed = Signal(object)  # StepProgress
    ended = Signal(object, object)  # the study's folder (Path); AppError, or None where nothing failed

    def __init__(
        self,
        engine: EngineClient,
        paths: Paths,
        locate: Callable[[], Trainer],
        embedding: Embedding | None = None,
        parent: QObject | None = None,
        is_answering: Callable[[], bool] = lambda: False,
    ) -> None:
        """Create the service; no study runs yet.

        `engine`: the window's engine, which only gives up its memory; the study uses an engine of its own. `locate`
        raises AppError where nothing can be trained or converted; a study that needs this then fails.
        """
        super().__init__(parent)
        self._engine = engine
        self._paths = paths
        self._locate = locate
        self._embedding = embedding
        self._memory = EngineReservation(engine, is_answering)
        self.folder: Path | None = None  # folder of the study that runs or waits
        self.progress: StepProgress | None = None  # the last progress that was emitted
        self.outcome = ""  # result of the last study: finished | stopped | failed; "" if there is none
        self.is_stopping = False  # a stop was requested, and the current work is not over yet
        self.is_embedding = False  # documents are being embedded before the first answer
        self._run: StudyRun | None = None
        self._own_engine: EngineClient | None = None  # the engine that answers for the study
        self._began_at = 0.0
        self._study: Study | None = None  # the study of `folder`
        self._work_token: object = None  # identifies the background work whose result is still needed
        self._last: tuple[AppError | None, str] | None = None  # result of the study, while its engine is still exiting

    @property
    def is_running(self) -> bool:
        """Return whether a study runs or is about to start."""
        return self.folder is not None

    @property
    def is_waiting(self) -> bool:
        """Return whether a study waits for the end of an answer in progress."""
        return self._memory.is_waiting

    @property
    def elapsed_s(self) -> float:
        """Return the seconds since `start`."""
        return time.monotonic() - self._began_at

    def start(self, folder: Path) -> None:
        """Start or resume a study; the errors of `study_run.lock_study` are reported by `ended`.

        Raises AppError: study_busy (this study or another one runs), study_beside_training, evaluation_damaged.
        """
        from app.evaluation.study import studies

        if self.folder is not None:
            raise AppError("study_busy")
        if self._engine.refusal is not None:  # a training needs the memory
            raise AppError("study_beside_training")
        study = studies.read(folder)
        self.folder, self._study, self._began_at, self.outcome = folder, study, time.monotonic(), ""
        self._memory.take(AppError("study_has_memory"), self._prepare)
        self.started.emit(folder)

    def stop(self) -> None:
        """Stop the study; `start` resumes it. A training saves its state first, which may take minutes."""
        if self._run is not None:
            self.is_stopping = True
            self._run.stop()
        elif self.folder is not None:
            self._emit_ended(None, "stopped")

    def close(self, limit_s: float = CLOSE_LIMIT_S) -> bool:
        """Stop the study as the app ends, and wait up to `limit_s` seconds. Return False if a trainer is still saving.

        The trainer then ends by itself after this process. Its QProcess must not be destroyed, because Qt would kill
        it.
        """
        if self.is_running:
            end_within(limit_s, self.stop, self.ended, lambda: not self.is_running)
        if self.is_running and self.progress is not None and self.progress.kind == "train":
            return False
        if self._own_engine is not None:
            self._own_engine.shut_down()
        return True

    def _in_background(self, work: Callable[[], Any], on_done: Callable[[Any], None]) -> None:
        """Run `work` in a thread, then `on_done`; if the study has ended meanwhile, only release its lock."""
        turn = self._work_token = object()

        def deliver(found: Any) -> None:
            if self._work_token is turn:
                on_done(found)
            elif isinstance(found, _PreparedStudy):
                found.locked_study.release()

        background.run(
            work, deliver, lambda error: self._finish_run(error, "failed") if self._work_token is turn else None
        )

    def _prepare(self) -> None:
        load = functools.partial(importlib.import_module, "app.evaluation.services.study_run")
        # in the background, because importing numpy would freeze the window for too long
        self._in_background(load, lambda _module: self._embed_documents())

    def _embed_documents(self) -> None:
        """Embed all documents first; otherwise the last answers would be retrieved in another way than the first."""
        embedding, study = self._embedding, self._study
        assert study is not None
        if embedding is None or not any(one.scope for one in study.contenders):
            self._carry_out()
            return
        self.is_embedding = True
        embedding.status_changed.connect(self._on_embedding_status)
        embedding.look()
        self._on_embedding_status(embedding.standing)

    def _on_embedding_status(self, standing: EmbeddingStatus) -> None:
        if self.is_embedding and standing.phase in COMPLETE:
            self._leave_embedding()
            self._carry_out()

    def _leave_embedding(self) -> None:
        if self._embedding is not None and self.is_embedding:
            self._embedding.status_changed.disconnect(self._on_embedding_status)
        self.is_embedding = False

    def _carry_out(self) -> None:
        folder, paths, locate = self.folder, self._paths, self._locate
        assert folder is not None
        self._in_background(lambda: _prepare_study(folder, paths, locate), self._begin)

    def _begin(self, prepared: "_PreparedStudy") -> None:
        from app.evaluation.services.study_run import StudyRun

        assert self.folder is not None
        if self._own_engine is None:
            self._own_engine = EngineClient(
                child_commands.engine(), self._paths.logs / "engine-eval.log", self, niceness=NICE
            )
            self._own_engine.exited.connect(self._on_own_engine_gone)
        run = self._run = StudyRun(
            self.folder,
            self._own_engine,
            trainer=prepared.trainer,
            documents=self._paths.documents,
            settings=prepared.settings,
            embedding=self._embedding,
            parent=self,
        )
        run.progressed.connect(self._on_progressed)
        run.finished.connect(lambda _found: self._finish_run(None, "finished"))
        run.stopped.connect(lambda: self._finish_run(None, "stopped"))
        run.failed.connect(lambda error: self._finish_run(error, "failed"))
        run.start(prepared.locked_study)

    def _on_progressed(self, progress: StepProgress) -> None:
        self.progress = progress
        self.progressed.emit(progress)

    def _finish_run(self, error: AppError | None, outcome: str) -> None:
        """Remember the result and end the study once its engine has released the memory."""
        self._last = error, outcome
        if self._own_engine is None or self._own_engine.end() == 0:
            self._emit_ended(error, outcome)

    def _on_own_engine_gone(self) -> None:
        if self._last is not None:
            self._emit_ended(*self._last)

    def _release_run(self) -> None:
        """Forget the ended study, and return its memory to the window's engine."""
        self._memory.give_back()
        self._leave_embedding()
        if self._run is not None:
            self._run.deleteLater()
        self.folder = self.progress = self._run = self._study = self._work_token = self._last = None
        self.is_stopping = False

    def _emit_ended(self, error: AppError | None, outcome: str) -> None:
        folder = self.folder
        self._release_run()
        self.outcome = outcome
        self.ended.emit(folder, error)


@dataclass(frozen=True, slots=True)
class _PreparedStudy:
    locked_study: "LockedStudy"
    trainer: Trainer | AppError
    settings: Settings


def _prepare_study(folder: Path, paths: Paths, locate: Callable[[], Trainer]) -> _PreparedStudy:
    """Lock the study, read the settings and locate the trainer. Raises AppError as `lock_study`.

    Runs in the background, because a sleeping drive can delay it by seconds.
    """
    from app.evaluation.services import study_run

    trainer: Trainer | AppError
    try:
        trainer = locate()
    except AppError as error:
        trainer = error
    return _PreparedStudy(study_run.lock_study(folder), trainer, settings.load(paths.settings))
