"""Export and import conversations off the GUI thread, one export or import at a time."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.base.confidentiality import Label, Permit
from app.base.services.background import OneTaskService, TaskProgress
from app.chat import conversation_privacy
from app.chat.answer_check import AnswerRecord
from app.chat.exchange import conversation_export, conversation_import
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.exchange.conversation_import import ImportedConversations
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.documents.library import collections_now


class ConversationTransfer(OneTaskService):
    """Runs one export or import. Each emits exactly one of `exported`, `imported`, `failed` and `cancelled`; a
    cancelled one leaves no file and stores nothing. Exports are counted in conversations, imports in bytes."""

    exported = Signal(list)  # paths of the written files, as Path
    imported = Signal(object)  # ImportedConversations
    cancelled = Signal()

    def __init__(
        self, store: Store, conversations: Conversations, documents: Path, parent: QObject | None = None
    ) -> None:
        """Prepare the transfer. `documents`: the documents' database, with the current labels."""
        super().__init__(parent)
        self._store, self._documents = store, documents
        self._conversations = conversations

    def label_of(self, ids: Sequence[int]) -> Label:
        """Return the highest current label of the conversations that still exist. May be called in any thread."""
        with Store.open_second(self._store.path) as store:
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

        self._run_with_store(work, self.exported.emit)

    def export_unstored(self, bundle: Bundle, file_format: str, target: Path, permit: Permit) -> None:
        """Export a conversation in memory that has its label. Do nothing while another runs."""
        self._run_with_store(
            lambda *_: conversation_export.save_file([bundle], file_format, target, permit=permit),
            self.exported.emit,
        )

    def export_answer(self, answered: AnswerRecord, target: Path, permit: Permit) -> None:
        """Export one answer as a Word document. Do nothing while an export or import is running."""
        self._run_with_store(
            lambda *_: conversation_export.save_answer(answered, target, permit=permit),
            self.exported.emit,
        )

    def import_(self, path: Path) -> None:
        """Import an exported JSON file. Do nothing while an export or import is running."""
        documents = self._documents
        self._run_with_store(
            lambda store, progress: conversation_import.import_conversations(store, path, progress.report, documents),
            self._on_imported,
        )

    def _run_with_store(self, work: Callable[[Store, TaskProgress], Any], on_done: Callable[[Any], None]) -> None:
        """Run `work` with a store of its own, because a sqlite connection belongs to the thread that opened it."""
        path = self._store.path

        def work_with_store(progress: TaskProgress) -> Any:
            with Store.open_second(path) as store:
                return work(store, progress)

        self._run(work_with_store, on_done)

    def _on_imported(self, result: ImportedConversations) -> None:
        self._conversations.note_change()
        self.imported.emit(result)

    def _on_cancelled(self) -> None:
        self._end_task()
        self.cancelled.emit()
