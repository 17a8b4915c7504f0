"""The study of this program: one at a time, from its next step to its report, whatever page is shown."""

import dataclasses
import functools
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEventLoop, QObject, QTimer, Signal

from app.core import children, settings
from app.core.errors import AppError
from app.core.paths import Paths
from app.services import background
from app.services.embedding import Embedding, EmbeddingStanding
from app.services.engine import EngineClient
from app.services.training import Trainer

if TYPE_CHECKING:  # most starts never need a study
    from app.core.evaluation.study import Study
    from app.services.study_run import StudyProgress, StudyRun  # numpy, which most starts never need

LOOK_EVERY_MS = 100  # whether the answer that is waited for has been given
CLOSE_LIMIT_S = 20.0  # then a trainer is left to itself: it saves and ends when the program has gone
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
        self._is_answering = is_answering
        self.folder: Path | None = None  # of the study that is carried out, or waits for that
        self.progress: StudyProgress | None = None  # the last that was told of it
        self.outcome = ""  # of the last one that has ended: finished | stopped | failed
        self.is_stopping = False  # it was told to, and what it does at this moment is not over
        self.is_embedding = False  # documents are made ready to be found by meaning, before the first answer
        self._run: StudyRun | None = None
        self._own_engine: EngineClient | None = None  # that answers the study
        self._began_at = 0.0
        self._study: Study | None = None  # until it is carried out
        self._is_freeing = False  # the window's engine is ending
        self._turn: object = None  # what is loaded in the background, as long as it is wanted
        self._limit_before = 0.0  # of the embedding, while a study asks it; 0: none does
        self._last: tuple[AppError | None, str] | None = None  # how it ended, while its engine is ending
        self._look = QTimer(self, interval=LOOK_EVERY_MS)
        self._look.timeout.connect(self._begin_when_free)
        engine.exited.connect(self._on_engine_gone)

    @property
    def is_running(self) -> bool:
        """Whether a study is carried out, or is about to be."""
        return self.folder is not None

    @property
    def is_waiting(self) -> bool:
        """Whether it waits for an answer to be given."""
        return self._look.isActive()

    @property
    def elapsed_s(self) -> float:
        """Since this program has begun with it; after its end, until now."""
        return time.monotonic() - self._began_at

    def start(self, folder: Path) -> None:
        """Begins, or goes on. Raises AppError: study_busy (this or another one), study_beside_training,
        evaluation_damaged; what `StudyRun.start` raises, `ended` tells."""
        from app.core.evaluation import study as studies

        if self.folder is not None:
            raise AppError("study_busy")
        if self._engine.refusal is not None:  # a training has the memory
            raise AppError("study_beside_training")
        study = studies.read(folder)
        self.folder, self._study, self._began_at, self.outcome = folder, study, time.monotonic(), ""
        self._engine.refusal = AppError("study_has_memory")
        if self._is_busy():
            self._look.start()
        else:
            self._free_memory()
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
            loop = QEventLoop()
            self.ended.connect(loop.quit)
            QTimer.singleShot(int(limit_s * 1000), loop.quit)
            self.stop()
            if self.is_running:  # what has not begun ends at once
                loop.exec()
        if self.is_running and self.progress is not None and self.progress.kind == "train":
            return False
        if self._own_engine is not None:
            self._own_engine.shut_down()
        return True

    # ------------------------------------------------------------------- private

    def _is_busy(self) -> bool:
        return self._is_answering() or self._engine.is_computing

    def _begin_when_free(self) -> None:
        if not self._is_busy():
            self._look.stop()
            self._free_memory()

    def _free_memory(self) -> None:
        """Before anybody measures it."""
        self._is_freeing = self._engine.end() != 0
        if not self._is_freeing:
            self._prepare()

    def _on_engine_gone(self) -> None:
        if self._is_freeing:
            self._is_freeing = False
            self._prepare()

    def _prepare(self) -> None:
        turn = self._turn = object()

        def go_on(_module: object) -> None:
            if self._turn is turn:
                self._embed()

        load = functools.partial(importlib.import_module, "app.services.study_run")
        background.run(load, go_on, lambda _error: None)  # numpy: longer than the window may stand still

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

    def _on_stood(self, standing: EmbeddingStanding) -> None:
        if self.is_embedding and standing.phase in COMPLETE:
            self._leave_embedding()
            self._carry_out()

    def _leave_embedding(self) -> None:
        if self._embedding is not None and self.is_embedding:
            self._embedding.stood.disconnect(self._on_stood)
        self.is_embedding = False

    def _carry_out(self) -> None:
        from app.services.study_run import StudyRun
        from app.services.study_work import Tools

        study, self._study = self._study, None
        assert study is not None
        assert self.folder is not None
        if self._own_engine is None:
            self._own_engine = EngineClient(children.engine(), self._paths.logs / "engine-eval.log", self)
            self._own_engine.exited.connect(self._on_own_engine_gone)
        tools = Tools(
            self._own_engine,
            children.template(),
            children.quantizer,
            children.scorer,
            self._trainer(),
            self._paths.documents,
            dataclasses.replace(settings.load(self._paths.settings), context_tokens=study.context_tokens),
            self._embedding,
        )
        run = self._run = StudyRun(tools, self.folder, self)
        run.progressed.connect(self._on_progressed)
        run.finished.connect(lambda _found: self._leave(None, "finished"))
        run.stopped.connect(lambda: self._leave(None, "stopped"))
        run.failed.connect(lambda error: self._leave(error, "failed"))
        try:
            run.start()
        except AppError as error:
            self._leave(error, "failed")

    def _trainer(self) -> Trainer | None:
        try:
            return self._locate()
        except AppError:
            return None

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
        self._look.stop()
        self._leave_embedding()
        if self._embedding is not None and self._limit_before:
            self._embedding.question_limit_s, self._limit_before = self._limit_before, 0.0
        if self._run is not None:
            self._run.deleteLater()
        self.folder = self.progress = self._run = self._study = self._turn = self._last = None
        self.is_stopping = self._is_freeing = False
        self._engine.refusal = None

    def _end(self, error: AppError | None, outcome: str) -> None:
        folder = self.folder
        self._forget()
        self.outcome = outcome
        self.ended.emit(folder, error)
