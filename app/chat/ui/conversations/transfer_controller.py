"""Exports and imports conversations for the window: asks for format and target, starts the work, and shows its
progress."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.base import confidentiality
from app.base.confidentiality import ExportKind, ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files import output_file
from app.base.wording import describe_error, phrase
from app.chat.exchange import conversation_export, conversation_import
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.exchange.conversation_import import ImportedConversations
from app.chat.records import Conversation
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversation_transfer import ConversationTransfer
from app.chat.services.conversations import Conversations
from app.chat.store import title_of
from app.chat.ui.conversations.transfer_dialogs import ExportDialog, refusals_dialog
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import JsonDropFilter, Pickers, complete_suffix
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from app.uikit.widgets.progress_row import TransferStrip

StartExport = Callable[[str, Path, Permit], None]  # starts the work with a format and the target
SecretExport = tuple[ExportKind, Callable[[], Label]]  # what is exported, and its label at that moment


class TransferController(QObject):
    """Runs one export or import at a time, with a strip at the foot of the window."""

    ended = Signal(str, float)  # the kind of work, without any of its content, and the seconds it took

    def __init__(
        self,
        window: QWidget,
        stack: QStackedWidget,
        theme: Theme,
        show_at_foot: Callable[[QWidget], None],
        transfer: ConversationTransfer,
        conversations: Conversations,
        session: ChatSession,
        open_folder: Callable[[Path], None],
        secrecy: ConfidentialityGuard,
        pickers: Pickers | None = None,
    ) -> None:
        super().__init__(window)
        self._window, self._theme, self._stack = window, theme, stack
        self._transfer = transfer
        self._conversations = conversations
        self._session = session
        self._open_folder = open_folder
        self._secrecy = secrecy
        self._pickers = pickers or Pickers()
        self._folder = ""  # the folder that was used last
        self._exported: list[Path] = []
        self._is_importing = False
        self.strip = TransferStrip(theme)
        show_at_foot(self.strip)
        self._drop = JsonDropFilter(window)
        self._connect()

    # ---------------------------------------------------------------- from the user

    def export(self, ids: Sequence[int]) -> None:
        """Export these conversations."""
        if not ids or self._is_busy():
            return
        chosen = set(ids)
        found = [conversation for conversation in self._conversations.all() if conversation.id in chosen]
        if not found:
            self._show_error(AppError("conversation_gone", id=ids[0]))
            return
        if len(found) == 1:
            name, what = conversation_export.suggested_name(found[0]), self._titled(found[0].title)
        else:
            name, what = self._name_of_many(), phrase("chat.n_selected_conversations", n=len(found))
        self._ask_stored(what, name, len(found), found)

    def export_all(self) -> None:
        """Export all conversations outside the bin."""
        every = self._conversations.all()
        if not every:
            self._show_banner("warning", phrase("chat.there_are_no_conversations_to"))
        elif not self._is_busy():
            what = phrase("chat.all_conversations_n_without_the", n=f"{len(every):,}")
            count = max(2, len(every))  # even for one: who exports all probably wants to import them again, as JSON
            self._ask_stored(what, self._name_of_many(), count, every)

    def export_open(self) -> None:
        """Export the open conversation, also one that exists only in memory."""
        conversation = self._session.conversation
        if conversation is None or self._is_busy():
            return
        if not self._session.is_temporary:
            self.export([conversation.id])
            return
        bundle = self._open_bundle(conversation)
        name, what = conversation_export.suggested_name(conversation), self._titled(conversation.title)
        self._ask(
            what, name, 1, ("conversation", lambda: self._transfer.labelled(bundle).conversation.label),
            lambda file_format, target, permit: self._transfer.export_unstored(
                self._transfer.labelled(bundle), file_format, target, permit
            ),
        )  # fmt: skip

    def export_answer(self, answer_id: int) -> None:
        """Export an answer of the open conversation as a Word document."""
        if self._is_busy():
            return
        answered = replace(self._session.answered(answer_id), label=self.label_in_force())
        name = output_file.safe_name(title_of(answered.question.text), phrase("common.batch_column.answer"))
        here = self._session.conversation
        bundle = self._open_bundle(here) if here is not None else None

        def label_now() -> Label:
            now = (
                self._transfer.labelled(bundle).conversation.label
                if bundle is not None
                else confidentiality.HIGHEST_LABEL
            )
            return confidentiality.highest_label((now, answered.highest_label))

        self._choose_target(
            "docx", name, 1, ("answer", label_now),
            lambda _form, target, permit: self._transfer.export_answer(
                replace(answered, label=label_now()), target, permit
            ),
        )  # fmt: skip

    def choose_import(self) -> None:
        if self._is_busy():
            return
        kinds = phrase("chat.conversations_exported_by_kotae_json")
        path = self._pickers.open(self._window, phrase("chat.choose_a_file_to_import"), self._start_folder(), kinds)
        if path:
            self.import_path(Path(path))

    def import_path(self, path: Path) -> None:
        if self._is_busy():
            return
        self.strip.banner.hide()
        self.strip.progress.start(phrase("chat.importing_conversations_name", name=path.name))
        self._is_importing = True
        self._transfer.import_(path)

    # -------------------------------------------------------------------- asking

    def label_in_force(self) -> Label:
        """Return the effective label of the open conversation, which applies to everything exported from it."""
        conversation = self._session.conversation
        if conversation is None:
            return self._session.label
        return self._transfer.labelled(self._open_bundle(conversation)).conversation.label

    def _open_bundle(self, conversation: Conversation) -> Bundle:
        return Bundle(replace(conversation, label=self._session.label), tuple(self._session.messages()))

    def _ask_stored(self, what: str, name: str, count: int, conversations: Sequence[Conversation]) -> None:
        kind: ExportKind = "conversation" if len(conversations) == 1 else "conversations"
        ids = [conversation.id for conversation in conversations]
        self._ask(
            what, name, count, (kind, lambda: self._transfer.label_of(ids)),
            lambda file_format, target, permit: self._transfer.export(ids, file_format, target, permit),
        )  # fmt: skip

    def _ask(self, what: str, name: str, count: int, secrecy: SecretExport, start: StartExport) -> None:
        dialog = self.dialog = ExportDialog(self._theme, what, count, self._window)
        dialog.chosen.connect(
            lambda key: (
                self._choose_target(dialog.formats.value, name, count, secrecy, start) if key == "export" else None
            )
        )
        dialog.open()

    def _choose_target(
        self, file_format: str, name: str, count: int, secrecy: SecretExport, start: StartExport
    ) -> None:
        """Let the user choose the target: one file for JSON or one conversation, otherwise a folder with a file for
        each."""
        if file_format != "json" and count > 1:
            path = self._pickers.folder(self._window, phrase("chat.choose_a_folder_to_export"), self._start_folder())
            target = Path(path)
            self._folder = path or self._folder
        else:
            suffix = conversation_export.EXPORT_SUFFIXES[file_format]
            if secrecy[1]() == confidentiality.HIGHEST_LABEL:
                name = self._neutral_name(secrecy[0])
            first = str(Path(self._start_folder()) / f"{name}{suffix}")
            kinds = {"docx": phrase("chat.word_documents_docx"), "markdown": "Markdown (*.md)", "json": "JSON (*.json)"}
            path = self._pickers.save(self._window, phrase("chat.export_as"), first, kinds[file_format])
            target = complete_suffix(Path(path), suffix)
            self._folder = str(target.parent) if path else self._folder
        if path:
            what, label_now = secrecy
            self._secrecy.export(
                self._window,
                ExportRequest(what, str(target), label_now),
                lambda permit: self._start(what, file_format, target, permit, start),
            )

    def _start(self, what: ExportKind, file_format: str, target: Path, permit: Permit, start: StartExport) -> None:
        if not self._is_busy():
            words = phrase("chat.exporting_the_answer") if what == "answer" else phrase("chat.exporting_conversations")
            self.strip.banner.hide()
            self.strip.progress.start(words)
            self._is_importing = False
            start(file_format, target, permit)

    def _start_folder(self) -> str:
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        return self._folder or documents

    def _titled(self, title: str) -> str:
        return phrase("chat.this_conversation_title", title=title)

    def _name_of_many(self) -> str:
        return phrase("chat.kotae_conversations_date", date=time.strftime("%Y-%m-%d"))

    def _neutral_name(self, what: ExportKind) -> str:
        """Return a name without any of the content, because the target of a confidential export is recorded."""
        pattern = phrase("chat.kotae_answer_time") if what == "answer" else phrase("chat.kotae_conversation_time")
        return pattern.format(time=time.strftime("%Y%m%d-%H%M"))

    def _is_busy(self) -> bool:
        """Return whether another export or import is running, and show a message if so."""
        if self._transfer.is_working:
            what = phrase("chat.another_export_or_import_is")
            self._show_banner("warning", what, phrase("common.choose_again_when_it_has"))
        return self._transfer.is_working

    # ------------------------------------------------------------------- showing

    def _connect(self) -> None:
        self.strip.progress.cancelled.connect(self._transfer.cancel)
        self.strip.banner.action_requested.connect(lambda _key: self._open_folder(self._exported[0].parent))
        self._transfer.progressed.connect(self._on_progressed)
        self._transfer.exported.connect(self._on_exported)
        self._transfer.imported.connect(self._on_imported)
        self._transfer.failed.connect(self._on_failed)
        self._transfer.cancelled.connect(self.strip.progress.finish)
        self._drop.dropped.connect(self.import_path)
        self._stack.currentChanged.connect(self._on_page_left)

    def _on_page_left(self) -> None:
        """Hide a success message when its page is left; other messages stay until they are closed."""
        if self.strip.banner.level == "success":
            self.strip.banner.hide()

    def _on_progressed(self, done: int, total: int) -> None:
        self.strip.progress.set_progress(done, total, is_bytes=self._is_importing)

    def _on_exported(self, paths: list[Path]) -> None:
        self._exported = paths
        where = str(paths[0] if len(paths) == 1 else paths[0].parent)
        what = phrase("common.exported") if len(paths) == 1 else phrase("chat.exported_to_n_files")
        self._show_banner("success", what.format(n=len(paths)), where, (("folder", phrase("common.open_the_folder")),))
        self.ended.emit(phrase("chat.conversations_exported"), self._transfer.worked_s)

    def _on_imported(self, result: ImportedConversations) -> None:
        if result.refused:
            self.strip.progress.finish()
            self.show_refusals(result)
        else:
            self._show_banner(
                "success", conversation_import.import_headline(result), conversation_import.import_remarks(result)
            )
        self.ended.emit(phrase("chat.conversations_imported"), self._transfer.worked_s)

    def show_refusals(self, result: ImportedConversations) -> Dialog:
        dialog = refusals_dialog(self._theme, result, self._window)
        dialog.open()
        return dialog

    def _on_failed(self, error: AppError) -> None:
        self._show_error(error)
        self.ended.emit(phrase("chat.conversations_could_not_be_exported"), self._transfer.worked_s)

    def _show_error(self, error: AppError) -> None:
        sentence = describe_error(error)
        self._show_banner("danger", sentence.message, sentence.next)

    def _show_banner(
        self, level: str, what: str, sentence: str = "", actions: tuple[tuple[str, str], ...] = ()
    ) -> None:
        if not self._transfer.is_working:
            self.strip.progress.finish()
        self.strip.banner.show_message(level, what, sentence, actions)
