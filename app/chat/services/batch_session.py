"""The one batch of questions of the window: read, begun, held while the chat answers, gone on with after a restart."""

import dataclasses
import functools
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app.base.authenticity import Signer
from app.base.confidentiality import DEFAULT_LABEL, Label, Permit
from app.base.errors import AppError
from app.base.files import strict_json
from app.base.files.output_file import write_atomically
from app.base.services import background
from app.base.services.preferences import Preferences
from app.chat.batch import journal, question_table
from app.chat.batch.journal import JournalHeader
from app.chat.batch.question_table import BatchFile
from app.chat.services import answer_run
from app.chat.services.batch_run import Batch, BatchRun, BatchStatus, BatchSummary, batch_label
from app.chat.services.chat_session import ChatSession
from app.chat.services.preset_library import PresetLibrary
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.embedding import Embedding
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from app.models.services.model_library import ModelLibrary

log = logging.getLogger("kotae")

USER, CHAT = "user", "chat"  # who may hold a batch


@dataclass(frozen=True, slots=True)
class UnfinishedBatch:
    """A batch that was interrupted, by the user or by the end of the program."""

    out: Path
    head: JournalHeader
    answered: int


class BatchSession(QObject):
    """Every call of `begin` and `go_on` ends with one of `finished`, `stopped` and `failed`."""

    questions_read = Signal(object)  # QuestionFile
    unfinished_found = Signal(object)  # Unfinished
    prepared = Signal(object)  # Batch: whoever shows it lets it `begin`
    progressed = Signal(object)  # Standing
    finished = Signal(object)  # Ended
    stopped = Signal(object)  # Ended
    failed = Signal(object)  # AppError

    def __init__(
        self,
        session: ChatSession,
        library: ModelLibrary,
        preferences: Preferences,
        presets: PresetLibrary,
        engine: EngineClient,
        template_command: list[str],
        documents: Path,
        memory: Path,
        label_of: Callable[[LocalModel], Label],
        parent: QObject | None = None,
        embedding: Embedding | None = None,
    ) -> None:
        """`memory`: a file that holds where the last batch writes to, for the next start. `label_of`: of what a model
        was trained on, now."""
        super().__init__(parent)
        self._session = session
        self._library = library
        self._preferences = preferences
        self._presets = presets
        self._engine = engine
        self._template_command = template_command
        self._documents = documents
        self._memory = memory
        self._label_of = label_of
        self._embedding = embedding
        self._run: BatchRun | None = None
        self._is_paused = False
        session.stage_changed.connect(self._on_chat_changed)
        app = QCoreApplication.instance()
        if app is not None:
            app.aboutToQuit.connect(self.close)

    @property
    def is_running(self) -> bool:
        return self._run is not None

    @property
    def is_paused(self) -> bool:
        return self._is_paused

    @property
    def standing(self) -> BatchStatus | None:
        return self._run.standing if self._run else None

    @property
    def out(self) -> Path | None:
        """The file of answers of the batch that runs."""
        return self._run.batch.out if self._run else None

    def label_now(self) -> Label:
        """Of the batch that runs; of no documents where none does."""
        return batch_label(self._run.batch) if self._run is not None else DEFAULT_LABEL

    # --------------------------------------------------------------------- files

    def read(self, path: Path, column: int | None = None) -> None:
        """In the background; then `questions_read` or `failed`."""
        background.run(lambda: question_table.read_batch_file(path, column), self._on_read, self._on_refused)

    def find_unfinished(self) -> None:
        """In the background; `unfinished_found` where there is one."""
        if not self.is_running:
            background.run(lambda: _unfinished(self._memory), self._on_unfinished, self._on_forgotten)

    def forget_unfinished(self) -> None:
        """The journal and what was answered stay where they are."""
        self._memory.unlink(missing_ok=True)

    # ------------------------------------------------------------------- running

    def prepare(self, found: BatchFile, path: Path, out: Path, scope: tuple[CollectionRef, ...]) -> None:
        """With the model and the preset of new conversations; then `prepared` or `failed`."""
        model = self._session.model
        if model is None:
            self.failed.emit(AppError("no_model"))
            return
        stored = self._preferences.value
        choices = answer_run.choices_in_force(model, self._presets.chat_preset(stored.preset_id).choices)
        learned = functools.partial(self._label_of, model)
        batch = Batch(found, path, out, model, stored, choices, self._documents, scope, learned=learned)
        background.run(lambda: _checked(batch), self._on_prepared, self._on_refused)

    def go_on(self, unfinished: UnfinishedBatch) -> None:
        """With what it was begun with; then `prepared` or `failed`."""
        head = unfinished.head
        model = self._library.model(head.model_id)
        if model is None:
            self.failed.emit(AppError("model_gone", name=head.model_name))
            return
        path = Path(head.path)
        settings = dataclasses.replace(self._preferences.value, context_tokens=head.context_tokens)
        learned = functools.partial(self._label_of, model)

        def work() -> Batch:
            found = question_table.read_batch_file(path, head.column)
            return _checked(
                Batch(
                    found, path, unfinished.out, model, settings, head.choices, self._documents, head.scope,
                    learned=learned,
                )
            )  # fmt: skip

        background.run(work, self._on_prepared, self._on_refused)

    def begin(self, batch: Batch, permit: Permit) -> None:
        """Does nothing while another one runs."""
        if self.is_running:
            return
        self._remember(batch.out)
        self._is_paused = False
        run = self._run = BatchRun(self._engine, self._template_command, batch, permit, self, self._embedding)
        if self._session.is_busy:
            run.hold(CHAT)
        run.progressed.connect(self.progressed)
        run.finished.connect(self._on_finished)
        run.stopped.connect(self._on_stopped)
        run.failed.connect(self._on_failed)
        run.start()

    def pause(self) -> None:
        """After the answer that is being written."""
        if self._run is not None:
            self._is_paused = True
            self._run.hold(USER)
            self.progressed.emit(self._run.standing)

    def resume(self) -> None:
        if self._run is not None:
            self._is_paused = False
            self._run.release(USER)
            self.progressed.emit(self._run.standing)

    def stop(self) -> None:
        """What is answered is put into the file; it can be gone on with."""
        if self._run is not None:
            self._run.stop()

    def close(self) -> None:
        """The program ends; the next start offers to go on."""
        if self._run is not None:
            self._run.abandon()
            self._run = None

    # ------------------------------------------------------------------- private

    # Methods, so that nothing is delivered to a window that is closed (app.base.services.background).

    def _on_read(self, found: BatchFile) -> None:
        self.questions_read.emit(found)

    def _on_refused(self, error: AppError) -> None:
        self.failed.emit(error)

    def _on_prepared(self, batch: Batch) -> None:
        self.prepared.emit(batch)

    def _on_chat_changed(self) -> None:
        """The chat goes first: somebody waits for it."""
        if self._run is not None:
            self._run.hold(CHAT) if self._session.is_busy else self._run.release(CHAT)

    def _on_finished(self, ended: BatchSummary) -> None:
        if not ended.failed:
            self.forget_unfinished()
        self._forget_run()
        self.finished.emit(ended)

    def _on_stopped(self, ended: BatchSummary) -> None:
        self._forget_run()
        self.stopped.emit(ended)

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
        except OSError as error:  # a full disk: nobody offers to go on after a restart, and that is all
            log.warning("batches: %s", error)

    def _on_unfinished(self, found: UnfinishedBatch | None) -> None:
        if found is not None and not self.is_running:
            self.unfinished_found.emit(found)

    def _on_forgotten(self, error: AppError) -> None:
        log.warning("batches: %s", error)


def _checked(batch: Batch) -> Batch:
    """Raises AppError as `Batch.check`."""
    batch.check()
    return batch


def _unfinished(memory: Path) -> UnfinishedBatch | None:
    """None where the last batch has come to its end, or lies on a drive that is not there."""
    try:
        out = Path(strict_json.load_file(memory)["out"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    found = journal.interrupted_batch(out, Signer(memory.parent))
    return None if found is None else UnfinishedBatch(out, *found)
