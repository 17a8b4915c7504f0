"""Generate pairs for planned trainings, one draft at a time; the chat has priority, and a restart can resume."""

from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services.preferences import Preferences
from app.chat.services.chat_session import ChatSession
from app.documents.records import DocumentCollection
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary
from app.training.generation import pair_records
from app.training.generation.pair_records import GenerationRequest
from app.training.services.pair_generation import (
    GenerationJob,
    GenerationOutcome,
    GenerationProgress,
    GenerationStopped,
    PairGeneration,
)

CHAT = "chat"


class DraftPairGeneration(QObject):
    """Generates pairs for drafts.

    Every `begin` ends with `ended`, unless the program ends. The first argument of each signal is the draft's id.
    """

    began = Signal(str)
    progressed = Signal(str, object)  # GenerationProgress
    ended = Signal(str, object)  # GenerationOutcome | GenerationStopped | AppError

    def __init__(
        self,
        session: ChatSession,
        library: ModelLibrary,
        preferences: Preferences,
        engine: EngineClient,
        paths: Paths,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._session = session
        self._library = library
        self._preferences = preferences
        self._engine = engine
        self._paths = paths
        self._run: PairGeneration | None = None
        self.draft_id = ""  # id of the draft for which pairs are being generated; "": none
        self.progress: GenerationProgress | None = None  # the last progress
        session.stage_changed.connect(self._on_chat_changed)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def is_running(self) -> bool:
        return self._run is not None

    def begin(
        self, draft_id: str, request: GenerationRequest, collection: DocumentCollection, *, is_agreed: bool = False
    ) -> None:
        """Start a generation, or resume an interrupted one with the same request.

        `is_agreed`: the user agreed to training data from confidential documents.

        Raises AppError: pairs_running, pairs_model_gone, secret_export, draft_unwritable, drive_space.
        """
        model = self._library.model(request.model_id)
        if self.is_running:
            raise AppError("pairs_running")
        if model is None:
            raise AppError("pairs_model_gone")
        folder, paths = self._paths.drafts / draft_id, self._paths
        out, settings = self.target(draft_id, request), self._preferences.value
        job = GenerationJob(paths, collection, out, request.wanted, request.seed, model, settings, is_agreed)
        job.export_request.check(is_agreed=is_agreed)
        pair_records.write_request(folder, request)
        self.draft_id, self.progress = draft_id, None
        run = self._run = PairGeneration(self._engine, job, self)
        if self._session.is_busy:
            run.hold(CHAT)
        run.progressed.connect(self._on_progressed)
        for end in (run.finished, run.stopped, run.failed):
            end.connect(self._on_ended)
        self.began.emit(draft_id)
        run.start()

    def stop(self) -> None:
        """Stop the generation. Its replies are kept, so that the same request can resume with them."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """Abandon the generation at the end of the program; the draft keeps the request."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    def unfinished(self, draft_id: str) -> GenerationRequest | None:
        """Return the draft's stored request; None if there is none, or if its generation is running."""
        if self.draft_id == draft_id:
            return None
        return pair_records.read_request(self._paths.drafts / draft_id)

    def finished_file(self, draft_id: str) -> Path | None:
        """Return the file of pairs that the draft has not imported yet; None if there is none."""
        found = self.unfinished(draft_id)
        out = self.target(draft_id, found) if found is not None else None
        return out if out is not None and out.is_file() else None

    def target(self, draft_id: str, request: GenerationRequest) -> Path:
        """Return the path of the request's file of pairs."""
        return self._paths.drafts / draft_id / request.out

    def free_name(self, draft_id: str) -> str:
        """Return an unused name for a file of pairs."""
        number = 1
        while (self._paths.drafts / draft_id / f"pairs-{number}.jsonl").exists():
            number += 1
        return f"pairs-{number}.jsonl"

    def forget(self, draft_id: str) -> None:
        """Delete the draft's request but no pairs, once the pairs are imported or the user gives up."""
        (self._paths.drafts / draft_id / pair_records.REQUEST_FILE).unlink(missing_ok=True)

    # ------------------------------------------------------------- private methods

    def _on_chat_changed(self) -> None:
        """Pause the generation while the chat is busy, because the user is waiting for the chat's answer."""
        if self._run is not None:
            self._run.hold(CHAT) if self._session.is_busy else self._run.release(CHAT)

    def _on_progressed(self, progress: GenerationProgress) -> None:
        self.progress = progress
        self.progressed.emit(self.draft_id, progress)

    def _on_ended(self, end: GenerationOutcome | GenerationStopped | AppError) -> None:
        assert self._run is not None
        self._run.deleteLater()
        self._run, draft_id, self.draft_id = None, self.draft_id, ""
        if isinstance(end, GenerationOutcome) and end.file is None:
            self.forget(draft_id)
        self.ended.emit(draft_id, end)
