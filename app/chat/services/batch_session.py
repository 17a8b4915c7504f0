"""Manage the one batch of the window: read its file, run it, pause it while the chat answers, resume it after a
restart."""

import dataclasses
import functools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal, SignalInstance

from app.base.authenticity import Signer
from app.base.confidentiality import DEFAULT_LABEL, Label, Permit
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.services import background
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.chat.batch import journal, question_table
from app.chat.batch.journal import JournalHeader
from app.chat.batch.question_table import BatchFile
from app.chat.presets import Choices
from app.chat.services import answer_run
from app.chat.services.batch_run import Batch, BatchRun, BatchSummary, batch_label
from app.chat.services.chat_session import ChatSession
from app.chat.services.preset_library import PresetLibrary
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.embedding import Embedding
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary

log = logging.getLogger("kotae")

USER, CHAT = "user", "chat"  # names under which a batch is held; it continues when none holds it


@dataclass(frozen=True, slots=True)
class UnfinishedBatch:
    """An interrupted batch: its file of answers, and the number answered so far."""

    out: Path
    head: JournalHeader
    answered: int


class BatchSession(QObject):
    """Runs at most one batch. Every `begin` ends with one of `finished`, `stopped` and `failed`."""

    questions_read = Signal(object)  # BatchFile
    unfinished_found = Signal(object)  # UnfinishedBatch
    prepared = Signal(object)  # Batch: the page then asks for a permit and calls `begin`
    progressed = Signal(object)  # BatchStatus
    finished = Signal(object)  # BatchSummary
    stopped = Signal(object)  # BatchSummary
    failed = Signal(object)  # AppError

    def __init__(
        self,
        session: ChatSession,
        library: ModelLibrary,
        preferences: Preferences,
        presets: PresetLibrary,
        engine: EngineClient,
        documents: Path,
        memory: Path,
        label_of: Callable[[LocalModel], Label],
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        """Prepare to run batches. `memory` is the JSON file that stores the path of the last batch's answers for the
        next start. `label_of` returns the current label of a model's training data."""
        super().__init__(parent)
        self._session = session
        self._library = library
        self._preferences = preferences
        self._presets = presets
        self._engine = engine
        self._documents = documents
        self._memory = memory
        self._label_of = label_of
        self._embedding = embedding
        self._run: BatchRun | None = None
        self.is_paused = False  # whether the user has paused the batch
        session.stage_changed.connect(self._on_chat_changed)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def is_running(self) -> bool:
        return self._run is not None

    def label_now(self) -> Label:
        """Return the label of the running batch, or the default label when none runs."""
        return batch_label(self._run.batch) if self._run is not None else DEFAULT_LABEL

    # --------------------------------------------------------------------- files

    def read(self, path: Path, column: int | None = None) -> None:
        """Read a questions file; then emit `questions_read` or `failed`. `column`: as of `read_batch_file`."""
        background.run(
            lambda: question_table.read_batch_file(path, column),
            self._emits(self.questions_read),
            self._emits(self.failed),
        )

    def find_unfinished(self) -> None:
        """Look for an interrupted batch in the background; emit `unfinished_found` if there is one."""
        if not self.is_running:
            background.run(lambda: _find_unfinished(self._memory), self._on_unfinished, self._on_forgotten)

    def forget_unfinished(self) -> None:
        """Stop offering to resume the interrupted batch; its journal and answers remain on the disk."""
        self._memory.unlink(missing_ok=True)

    # ------------------------------------------------------------------- running

    def prepare(self, batch_file: BatchFile, path: Path, out: Path, scope: tuple[CollectionRef, ...]) -> None:
        """Check a batch with the usual model and preset; then emit `prepared` or `failed`."""
        model = self._session.model
        if model is None:
            self.failed.emit(AppError("no_model"))
            return
        stored = self._preferences.value
        choices = answer_run.choices_in_force(model, self._presets.chat_preset(stored.preset_id).choices)
        self._prepare(lambda: batch_file, path, out, model, stored, choices, scope)

    def resume_unfinished(self, unfinished: UnfinishedBatch) -> None:
        """Check an interrupted batch with its original settings; then emit `prepared` or `failed`."""
        head = unfinished.head
        model = self._library.model(head.model_id)
        if model is None:
            self.failed.emit(AppError("model_gone", name=head.model_name))
            return
        path = Path(head.path)
        settings = dataclasses.replace(self._preferences.value, context_tokens=head.context_tokens)

        def read() -> BatchFile:
            return question_table.read_batch_file(path, head.column)

        self._prepare(read, path, unfinished.out, model, settings, head.choices, head.scope)

    def begin(self, batch: Batch, permit: Permit) -> None:
        """Run a prepared batch. Do nothing while another one runs."""
        if self.is_running:
            return
        self._remember(batch.out)
        self.is_paused = False
        run = self._run = BatchRun(self._engine, batch, permit, self, self._embedding)
        if self._session.is_busy:
            run.queue.hold(CHAT)
        run.progressed.connect(self.progressed)
        run.ended.connect(self._on_ended)
        run.failed.connect(self._on_failed)
        run.start()

    def pause(self) -> None:
        """Pause after the answer that is being written."""
        if self._run is not None:
            self.is_paused = True
            self._run.queue.hold(USER)
            self.progressed.emit(self._run.status)

    def resume(self) -> None:
        if self._run is not None:
            self.is_paused = False
            self._run.queue.release(USER)
            self.progressed.emit(self._run.status)

    def stop(self) -> None:
        """Stop, and save the answers so far to the file of answers; the batch can be resumed."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """Abandon the batch because the program ends; the next start offers to resume it."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    # ------------------------------------------------------------------- private

    def _prepare(
        self,
        read_file: Callable[[], BatchFile],
        path: Path,
        out: Path,
        model: LocalModel,
        settings: Settings,
        choices: Choices,
        scope: tuple[CollectionRef, ...],
    ) -> None:
        """Check a batch in the background; then emit `prepared` or `failed`."""
        training_label = functools.partial(self._label_of, model)

        def work() -> Batch:
            batch = Batch(
                read_file(), path, out, model, settings, choices, self._documents, scope, training_label=training_label
            )
            batch.check()
            return batch

        background.run(work, self._emits(self.prepared), self._emits(self.failed))

    def _emits(self, signal: SignalInstance) -> Callable[[object], None]:
        return functools.partial(self._emit, signal)

    def _emit(self, signal: SignalInstance, value: object) -> None:
        signal.emit(value)  # a partial of this method is not called once the window is closed

    def _on_chat_changed(self) -> None:
        """Pause the batch while the chat answers, because the user is waiting for that answer."""
        if self._run is not None:
            queue = self._run.queue
            queue.hold(CHAT) if self._session.is_busy else queue.release(CHAT)

    def _on_ended(self, summary: BatchSummary) -> None:
        if not summary.failed and not summary.waiting:
            self.forget_unfinished()
        self._forget_run()
        (self.stopped if summary.waiting else self.finished).emit(summary)

    def _on_failed(self, error: AppError) -> None:
        self._forget_run()
        self.failed.emit(error)

    def _forget_run(self) -> None:
        if self._run is not None:
            self._run.deleteLater()
            self._run = None

    def _remember(self, out: Path) -> None:
        try:
            write_atomically(self._memory, json.dumps({"out": str(out)}, ensure_ascii=False).encode())
        except OSError as error:  # for example a full disk; then only the offer to resume after a restart is missing
            log.warning("batches: %s", error)

    def _on_unfinished(self, unfinished: UnfinishedBatch | None) -> None:
        if unfinished is not None and not self.is_running:
            self.unfinished_found.emit(unfinished)

    def _on_forgotten(self, error: AppError) -> None:
        log.warning("batches: %s", error)


def _find_unfinished(memory: Path) -> UnfinishedBatch | None:
    """Return the last batch if it was interrupted.

    None: it is complete, no batch was begun, its journal is not one that this data folder wrote, or its drive is not
    connected. `memory`: the file that holds the path of the last batch's file of answers.
    """
    try:
        out = Path(strict_json.load_file(memory)["out"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = journal.interrupted_batch(out, Signer(memory.parent))
    return None if found is None else UnfinishedBatch(out, *found)
