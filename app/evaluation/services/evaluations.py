"""The study of this program: one at a time, from its next step to its report, whatever page is shown."""

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
from app.training.services.training_run import Trainer

if TYPE_CHECKING:  # most starts never need a study
    from app.evaluation.services.study_run import (  # numpy, which most starts never need
        LockedStudy,
        StudyProgress,
        StudyRun,
    )
    from app.evaluation.study.studies import Study

QUESTION_LIMIT_S = 60.0  # of the embedding: nobody waits, and every question is to be found in the same way
COMPLETE = ("idle", "failed", "off")  # phases of the embedding in which nothing more is to come


class Evaluations(QObject):
    """Between `started` and `ended` a study is carried out.

    The model that answers is unloaded meanwhile, because its memory is needed, and nothing can be asked; an answer that
    is being given is waited for first. With the next question after the end the model is loaded again.
    """

    started = Signal(object)  # the study's folder (Path)
    progressed = Signal(object)  # StudyProgress
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
        """`engine`: the window's, which is only kept from answering. `locate` raises AppError where nothing can be
        trained or converted; a study that needs it then fails."""
        super().__init__(parent)
        self._engine = engine
        self._paths = paths
        self._locate = locate
        self._embedding = embedding
        self._memory = EngineReservation(engine, is_answering)
        self.folder: Path | None = None  # of the study that is carried out, or waits for that
        self.progress: StudyProgress | None = None  # the last that was told of it
        self.outcome = ""  # of the last one that has ended: finished | stopped | failed
        self.is_stopping = False  # it was told to, and what it does at this moment is not over
        self.is_embedding = False  # documents are made ready to be found by meaning, before the first answer
        self._run: StudyRun | None = None
        self._own_engine: EngineClient | None = None  # that answers the study
        self._began_at = 0.0
        self._study: Study | None = None  # until it is carried out
        self._turn: object = None  # what is loaded in the background, as long as it is wanted
        self._limit_before = 0.0  # of the embedding, while a study asks it; 0: none does
        self._last: tuple[AppError | None, str] | None = None  # how it ended, while its engine is ending

    @property
    def is_running(self) -> bool:
        """Whether a study is carried out, or is about to be."""
        return self.folder is not None

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an answer to be given."""
        return self._memory.is_waiting

    @property
    def elapsed_s(self) -> float:
        """Since this program has begun with it; after its end, until now."""
        return time.monotonic() - self._began_at

    def start(self, folder: Path) -> None:
        """Begins, or goes on. Raises AppError: study_busy (this or another one), study_beside_training,
        evaluation_damaged; what `study_run.take` raises, `ended` tells."""
        from app.evaluation.study import studies

        if self.folder is not None:
            raise AppError("study_busy")
        if self._engine.refusal is not None:  # a training has the memory
            raise AppError("study_beside_training")
        study = studies.read(folder)
        self.folder, self._study, self._began_at, self.outcome = folder, study, time.monotonic(), ""
        self._memory.take(AppError("study_has_memory"), self._prepare)
        self.started.emit(folder)

    def stop(self) -> None:
        """What is measured is kept, and `start` goes on with the rest. A training saves where it is, which may take
        minutes."""
        if self._run is not None:
            self.is_stopping = True
            self._run.stop()
        elif self.folder is not None:
            self._end(None, "stopped")

    def close(self, limit_s: float = CLOSE_LIMIT_S) -> bool:
        """Stops and waits, for the end of the program. False: a trainer is still saving.

        It then ends by itself once this process has gone; but Qt would kill it, where it destroyed what talks to it.
        """
        if self.is_running:
            end_within(limit_s, self.stop, self.ended, lambda: not self.is_running)
        if self.is_running and self.progress is not None and self.progress.kind == "train":
            return False
        if self._own_engine is not None:
            self._own_engine.shut_down()
        return True

    # ------------------------------------------------------------------- private

    def _in_background(self, work: Callable[[], Any], done: Callable[[Any], None]) -> None:
        """What nobody wants any more is dropped; a study that was taken is released then."""
        turn = self._turn = object()

        def go_on(found: Any) -> None:
            if self._turn is turn:
                done(found)
            elif isinstance(found, _Prepared):
                found.held.release()

        background.run(work, go_on, lambda error: self._leave(error, "failed") if self._turn is turn else None)

    def _prepare(self) -> None:
        load = functools.partial(importlib.import_module, "app.evaluation.services.study_run")
        self._in_background(load, lambda _module: self._embed())  # numpy: longer than the window may stand still

    def _embed(self) -> None:
        """To the end: else the last answers would be found by other means than the first."""
        embedding, study = self._embedding, self._study
        assert study is not None
        if embedding is None or not any(one.scope for one in study.contenders):
            self._carry_out()
            return
        self._limit_before, embedding.question_limit_s = embedding.question_limit_s, QUESTION_LIMIT_S
        self.is_embedding = True
        embedding.stood.connect(self._on_stood)
        embedding.look()
        self._on_stood(embedding.standing)

    def _on_stood(self, standing: EmbeddingStatus) -> None:
        if self.is_embedding and standing.phase in COMPLETE:
            self._leave_embedding()
            self._carry_out()

    def _leave_embedding(self) -> None:
        if self._embedding is not None and self.is_embedding:
            self._embedding.stood.disconnect(self._on_stood)
        self.is_embedding = False

    def _carry_out(self) -> None:
        folder, paths, locate = self.folder, self._paths, self._locate
        assert folder is not None
        self._in_background(lambda: _prepared(folder, paths, locate), self._begin)

    def _begin(self, found: "_Prepared") -> None:
        from app.evaluation.services.study_run import StudyRun

        assert self.folder is not None
        if self._own_engine is None:
            self._own_engine = EngineClient(child_commands.engine(), self._paths.logs / "engine-eval.log", self)
            self._own_engine.exited.connect(self._on_own_engine_gone)
        run = self._run = StudyRun(
            self.folder,
            self._own_engine,
            trainer=found.trainer,
            documents=self._paths.documents,
            settings=found.settings,
            embedding=self._embedding,
            parent=self,
        )
        run.progressed.connect(self._on_progressed)
        run.finished.connect(lambda _found: self._leave(None, "finished"))
        run.stopped.connect(lambda: self._leave(None, "stopped"))
        run.failed.connect(lambda error: self._leave(error, "failed"))
        run.start(found.held)

    def _on_progressed(self, progress: "StudyProgress") -> None:
        self.progress = progress
        self.progressed.emit(progress)

    def _leave(self, error: AppError | None, outcome: str) -> None:
        """It ends once its own engine has given the memory back."""
        self._last = error, outcome
        if self._own_engine is None or self._own_engine.end() == 0:
            self._end(error, outcome)

    def _on_own_engine_gone(self) -> None:
        if self._last is not None:
            self._end(*self._last)

    def _forget(self) -> None:
        self._memory.give_back()
        self._leave_embedding()
        if self._embedding is not None and self._limit_before:
            self._embedding.question_limit_s, self._limit_before = self._limit_before, 0.0
        if self._run is not None:
            self._run.deleteLater()
        self.folder = self.progress = self._run = self._study = self._turn = self._last = None
        self.is_stopping = False

    def _end(self, error: AppError | None, outcome: str) -> None:
        folder = self.folder
        self._forget()
        self.outcome = outcome
        self.ended.emit(folder, error)


@dataclass(frozen=True, slots=True)
class _Prepared:
    held: "LockedStudy"
    trainer: Trainer | AppError
    settings: Settings


def _prepared(folder: Path, paths: Paths, locate: Callable[[], Trainer]) -> _Prepared:
    """Raises AppError as `study_run.take`. The training environment may be on a drive that sleeps."""
    from app.evaluation.services import study_run

    trainer: Trainer | AppError
    try:
        trainer = locate()
    except AppError as error:
        trainer = error
    return _Prepared(study_run.lock_study(folder), trainer, settings.load(paths.settings))
