"""Export and import conversations off the GUI thread, one export or import at a time."""

import contextlib
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal, SignalInstance

from app.base.confidentiality import Label, Permit
from app.base.services import background
from app.base.services.background import TaskProgress
from app.chat import conversation_privacy
from app.chat.answer_check import AnswerRecord
from app.chat.exchange import conversation_export, conversation_import
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.documents.library import collections_now


class ConversationTransfer(QObject):
    """Runs one export or import. Each emits exactly one of `exported`, `imported`, `failed` and `cancelled`; a
    cancelled one leaves no file and stores nothing."""

    progressed = Signal(object, object)  # done, total; counted in conversations for an export, in bytes for an import
    exported = Signal(list)  # paths of the written files, as Path
    imported = Signal(object)  # ImportedConversations
    failed = Signal(object)  # AppError
    cancelled = Signal()

    def __init__(
        self, store: Store, conversations: Conversations, documents: Path, parent: QObject | None = None
    ) -> None:
        """Prepare the transfer. `documents` is the path of the documents' database, which has the current labels of the
        collections."""
        super().__init__(parent)
        self._store, self._documents = store, documents
        self._conversations = conversations
        self._task: background.LongTask | None = None
        self.worked_s = 0.0  # seconds that the last export or import took

    @property
    def is_working(self) -> bool:
        return self._task is not None

    def label_of(self, ids: Sequence[int]) -> Label:
        """Return the highest current label of the conversations that still exist. May be called in any thread."""
        with contextlib.closing(Store.open_second(self._store.path)) as store:
            return conversation_privacy.highest_effective_label(
                store, store.conversations_of(ids), collections_now(self._documents)
            )

    def labelled(self, bundle: Bundle) -> Bundle:
        """Return the bundle with the current label of its conversation, the one that the window shows."""
        return conversation_export.with_current_label(bundle, collections_now(self._documents))

    def export(self, ids: Sequence[int], file_format: str, target: Path, permit: Permit) -> None:
        """Export conversations. `file_format`: json | markdown | docx. `target`: a file, or a folder for several
        Markdown or Word files.

        Do nothing while an export or import is running.
        """
        is_one_file = file_format == "json" or len(ids) == 1
        save = conversation_export.save_file if is_one_file else conversation_export.save_folder
        chosen, documents = list(ids), self._documents

        def work(store: Store, progress: TaskProgress) -> list[Path]:
            bundles = conversation_export.stored_bundles(store, chosen, progress.report, collections_now(documents))
            return save(bundles, file_format, target, permit=permit)

        self._run(work, self.exported)

    def export_unstored(self, bundle: Bundle, file_format: str, target: Path, permit: Permit) -> None:
        """Export a conversation that exists only in memory and already has its label. Do nothing while an export or
        import is running."""
        self._run(
            lambda _store, _progress: conversation_export.save_file([bundle], file_format, target, permit=permit),
            self.exported,
        )

    def export_answer(self, answered: AnswerRecord, target: Path, permit: Permit) -> None:
        """Export one answer as a Word document. Do nothing while an export or import is running."""
        self._run(
            lambda _store, _progress: conversation_export.save_answer(answered, target, permit=permit), self.exported
        )

    def import_(self, path: Path) -> None:
        """Import an exported JSON file. Do nothing while an export or import is running."""
        documents = self._documents
        self._run(
            lambda store, progress: conversation_import.import_conversations(store, path, progress.report, documents),
            self.imported,
        )

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _run(self, work: Callable[[Store, TaskProgress], object], done_signal: SignalInstance) -> None:
        """Run `work` in a thread with a store of its own, and emit `done_signal` with its result."""
        if self._task is None:
            path = self._store.path
            self._task = background.run_long(
                lambda progress: _with_store(path, work, progress),
                functools.partial(self._end_task, done_signal),
                functools.partial(self._end_task, self.failed),
                self.progressed.emit,
                functools.partial(self._end_task, self.cancelled),
            )

    def _end_task(self, ended: SignalInstance, *result: object) -> None:
        if self._task is not None:
            self.worked_s = self._task.elapsed_s
        self._task = None
        if ended == self.imported:
            self._conversations.note_change()
        ended.emit(*result)


def _with_store(path: Path, work: Callable[[Store, TaskProgress], object], progress: TaskProgress) -> object:
    """Run `work` with a store of its own, because a sqlite connection belongs to the thread that opened it."""
    with contextlib.closing(Store.open_second(path)) as store:
        return work(store, progress)
