"""Pairs for planned trainings, one draft at a time: held while the chat answers, gone on with after a restart."""

from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.services.chat_session import ChatSession
from app.documents.records import DocumentCollection
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.training.generation import pair_records as wishes
from app.training.generation.pair_records import GenerationRequest
from app.training.services.pair_generation import (
    GenerationJob,
    GenerationOutcome,
    GenerationProgress,
    GenerationStopped,
    PairGeneration,
)

CHAT = "chat"


@dataclass(frozen=True, slots=True)
class MadePairs:
    """`path`: of the file of pairs; None where no pair could be used."""

    wish: GenerationRequest
    path: Path | None
    generated: GenerationOutcome


class DraftPairGeneration(QObject):
    """Every `begin` ends with one of `finished`, `stopped` and `failed`, unless the program ends. The id of the draft
    comes first in each signal."""

    began = Signal(str)
    progressed = Signal(str, object)  # GenerationProgress
    finished = Signal(str, object)  # Made
    stopped = Signal(str, object)  # Stopped
    failed = Signal(str, object)  # AppError

    def __init__(
        self,
        session: ChatSession,
        library: ModelLibrary,
        preferences: Preferences,
        engine: EngineClient,
        template_command: list[str],
        paths: Paths,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._library = library
        self._preferences = preferences
        self._engine = engine
        self._template_command = template_command
        self._paths = paths
        self._run: PairGeneration | None = None
        self._wish: GenerationRequest | None = None
        self.draft_id = ""  # that pairs are made for; "": for none
        self.progress: GenerationProgress | None = None  # the last one
        session.stage_changed.connect(self._on_chat_changed)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def is_running(self) -> bool:
        return self._run is not None

    def begin(
        self, draft_id: str, wish: GenerationRequest, collection: DocumentCollection, *, is_agreed: bool = False
    ) -> None:
        """The same wish goes on where it stopped. `is_agreed`: to confidential text becoming training data.

        Raises AppError: pairs_running, pairs_model_gone, secret_export, draft_unwritable, drive_space.
        """
        model = self._library.model(wish.model_id)
        if self.is_running:
            raise AppError("pairs_running")
        if model is None:
            raise AppError("pairs_model_gone")
        folder, paths = self._paths.drafts / draft_id, self._paths
        out, settings = self.target(draft_id, wish), self._preferences.value
        job = GenerationJob(
            paths.documents, paths.glossary, paths.exports_log, collection, out, wish.wanted, wish.seed, model,
            settings, is_agreed,
        )  # fmt: skip
        job.export.check(is_agreed=is_agreed)
        wishes.write_request(folder, wish)
        self._wish, self.draft_id, self.progress = wish, draft_id, None
        run = self._run = PairGeneration(self._engine, self._template_command, job, self)
        if self._session.is_busy:
            run.hold(CHAT)
        run.progressed.connect(self._on_progressed)
        run.finished.connect(self._on_finished)
        run.stopped.connect(self._on_stopped)
        run.failed.connect(self._on_failed)
        self.began.emit(draft_id)
        run.start()

    def stop(self) -> None:
        """What was replied is kept; the same wish goes on with it."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """The program ends; the draft says what was wanted."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def unfinished(self, draft_id: str) -> GenerationRequest | None:
        """What was wanted of a draft that nothing is made for now."""
        if self.draft_id == draft_id:
            return None
        return wishes.read_request(self._paths.drafts / draft_id)

    def finished_file(self, draft_id: str) -> Path | None:
        """Of the pairs that its draft has not taken yet."""
        found = self.unfinished(draft_id)
        out = self.target(draft_id, found) if found is not None else None
        return out if out is not None and out.is_file() else None

    def target(self, draft_id: str, wish: GenerationRequest) -> Path:
        """The file that the pairs are written to."""
        return wishes.pairs_file(self._paths.drafts / draft_id, wish)

    def free_name(self, draft_id: str) -> str:
        return wishes.free_pairs_name(self._paths.drafts / draft_id)

    def forget(self, draft_id: str) -> None:
        """The draft has the pairs, or nobody wants them any more."""
        wishes.delete_request(self._paths.drafts / draft_id)

    # ------------------------------------------------------------------- private

    def _on_chat_changed(self) -> None:
        """The chat goes first: somebody waits for it."""
        if self._run is not None:
            self._run.hold(CHAT) if self._session.is_busy else self._run.release(CHAT)

    def _on_progressed(self, progress: GenerationProgress) -> None:
        self.progress = progress
        self.progressed.emit(self.draft_id, progress)

    def _on_finished(self, generated: GenerationOutcome) -> None:
        assert self._run is not None
        assert self._wish is not None
        is_there = bool(generated.standing.accepted)
        made, draft_id = MadePairs(self._wish, self._run.job.out if is_there else None, generated), self._forget_run()
        if not is_there:
            self.forget(draft_id)
        self.finished.emit(draft_id, made)

    def _on_stopped(self, stopped: GenerationStopped) -> None:
        self.stopped.emit(self._forget_run(), stopped)

    def _on_failed(self, error: AppError) -> None:
        self.failed.emit(self._forget_run(), error)

    def _forget_run(self) -> str:
        """Gives the id of the draft that it was for."""
        assert self._run is not None
        self._run.deleteLater()
        self._run, draft_id, self.draft_id = None, self.draft_id, ""
        return draft_id
