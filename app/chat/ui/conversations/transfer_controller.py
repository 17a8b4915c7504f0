"""Export and import conversations for the window: ask for format and target, start the work, and show its progress."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs
from PySide6.QtCore import QObject, QStandardPaths, Signal
from PySide6.QtWidgets import QButtonGroup, QRadioButton, QStackedWidget, QWidget

from app.base import confidentiality
from app.base.confidentiality import ExportKind, ExportRequest, Label, Permit
from app.base.errors import AppError
from app.base.files import output_file
from app.base.wording import phrase
from app.chat.exchange import conversation_export, conversation_import
from app.chat.exchange.conversation_bundle import Bundle
from app.chat.exchange.conversation_import import ImportedConversations
from app.chat.records import Conversation
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversation_transfer import ConversationTransfer
from app.chat.services.conversations import Conversations
from app.chat.store import title_of
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.desktop import JsonDropFilter, Pickers, complete_suffix
from app.uikit.dialogs import Dialog, cancel_or, make_text_view, scrolled_height
from app.uikit.theme import Theme
from app.uikit.widgets import labels
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import FootStrip, make_column
from app.uikit.widgets.progress_row import ProgressRow


@dataclass(frozen=True, slots=True)
class PendingExport:
    """An export for which the user is still choosing the format and the target."""

    kind: ExportKind
    name: str  # suggested file name, without suffix
    label_now: Callable[[], Label]  # returns the current label of the exported text
    start: Callable[[str, Path, Permit], None]  # begins the export; takes the format, the target and the permit
    count: int = 1  # number of conversations

    def neutral_name(self) -> str:
        """Return a file name without content, because the target of a confidential export is recorded."""
        pattern = phrase("chat.kotae_answer_time" if self.kind == "answer" else "chat.kotae_conversation_time")
        return pattern.format(time=time.strftime("%Y%m%d-%H%M"))


def _name_of_many() -> str:
    return phrase("chat.kotae_conversations_date", date=time.strftime("%Y-%m-%d"))


class TransferStrip(FootStrip):
    """Shows the progress and the result of an export or import."""

    def __init__(self, theme: Theme) -> None:
        self.progress, self.banner = ProgressRow(theme), Banner(theme)
        super().__init__(self.progress, self.banner)


class TransferController(QObject):
    """Runs one export or import at a time, with a message strip at the foot of the window."""

    ended = Signal(str, float)  # the kind of work, without any of its content, and its duration in seconds

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
        self._folder = ""  # the folder that was used last; "": none
        self._exported: list[Path] = []
        self._is_importing = False
        self.strip = TransferStrip(theme)
        show_at_foot(self.strip)
        self._drop = JsonDropFilter(window)
        self.strip.progress.cancelled.connect(self._transfer.cancel)
        self.strip.banner.action_requested.connect(lambda _key: self._open_folder(self._exported[0].parent))
        self._transfer.progressed.connect(self._on_progressed)
        self._transfer.exported.connect(self._on_exported)
        self._transfer.imported.connect(self._on_imported)
        self._transfer.failed.connect(self._on_failed)
        self._transfer.cancelled.connect(self.strip.progress.finish)
        self._drop.dropped.connect(self.import_path)
        self._stack.currentChanged.connect(self._on_page_left)

    # ---------------------------------------------------------------- from the user

    def export(self, ids: Sequence[int]) -> None:
        """Export the conversations with these ids."""
        if not ids or self._is_busy():
            return
        chosen = set(ids)
        found = [conversation for conversation in self._conversations.all_conversations() if conversation.id in chosen]
        if not found:
            self._show_error(AppError("conversation_gone", id=ids[0]))
            return
        what = phrase("chat.n_selected_conversations", n=len(found))
        if len(found) == 1:
            what = phrase("chat.this_conversation_title", title=found[0].title)
        self._ask(what, self._pending_export(found))

    def export_all(self) -> None:
        """Export all conversations outside the bin."""
        every = self._conversations.all_conversations()
        if not every:
            self._show_banner("warning", phrase("chat.there_are_no_conversations_to"))
        elif not self._is_busy():
            what = phrase("chat.all_conversations_n_without_the", n=f"{len(every):,}")
            # JSON is preselected even for one conversation: a user who exports all probably wants to import them again.
            self._ask(what, replace(self._pending_export(every), name=_name_of_many(), count=max(2, len(every))))

    def export_open(self) -> None:
        """Export the open conversation, also one that exists only in memory."""
        conversation = self._session.conversation
        if conversation is None or self._is_busy():
            return
        if not self._session.is_temporary:
            self.export([conversation.id])
            return
        bundle = self._open_bundle(conversation)

        def start(file_format: str, target: Path, permit: Permit) -> None:
            self._transfer.export_unstored(self._transfer.labelled(bundle), file_format, target, permit)

        self._ask(
            phrase("chat.this_conversation_title", title=conversation.title),
            PendingExport(
                "conversation",
                conversation_export.suggested_name(conversation),
                lambda: self._transfer.labelled(bundle).conversation.label,
                start,
            ),
        )

    def export_answer(self, answer_id: int) -> None:
        """Export an answer of the open conversation as a Word document."""
        here = self._session.conversation
        if here is None or self._is_busy():
            return
        bundle = self._open_bundle(here)
        label = self._transfer.labelled(bundle).conversation.label  # of everything exported from it
        answered = replace(self._session.answered(answer_id), label=label)

        def label_now() -> Label:
            now = self._transfer.labelled(bundle).conversation.label
            return confidentiality.highest_label((now, answered.highest_label))

        def start(_format: str, target: Path, permit: Permit) -> None:
            self._transfer.export_answer(replace(answered, label=label_now()), target, permit)

        name = output_file.safe_name(title_of(answered.question.text), phrase("common.batch_column.answer"))
        self._choose_target("docx", PendingExport("answer", name, label_now, start))

    def choose_import(self) -> None:
        if self._is_busy():
            return
        kinds = phrase("chat.conversations_exported_by_kotae_json")
        path = self._pickers.open(self._window, phrase("chat.choose_a_file_to_import"), self._initial_folder(), kinds)
        if path:
            self.import_path(Path(path))

    def import_path(self, path: Path) -> None:
        if self._is_busy():
            return
        self._show_work(phrase("chat.importing_conversations_name", name=path.name))
        self._is_importing = True
        self._transfer.import_(path)

    # -------------------------------------------------------------------- asking

    def _open_bundle(self, conversation: Conversation) -> Bundle:
        return Bundle(structs.replace(conversation, label=self._session.label), tuple(self._session.messages()))

    def _pending_export(self, conversations: Sequence[Conversation]) -> PendingExport:
        ids = [conversation.id for conversation in conversations]
        is_one = len(conversations) == 1
        return PendingExport(
            "conversation" if is_one else "conversations",
            conversation_export.suggested_name(conversations[0]) if is_one else _name_of_many(),
            lambda: self._transfer.label_of(ids),
            lambda file_format, target, permit: self._transfer.export(ids, file_format, target, permit),
            len(conversations),
        )

    def _ask(self, sentence: str, export: PendingExport) -> None:
        """Let the user choose format and target. `sentence` is a sentence that names the exported conversations."""
        dialog = self.dialog = ExportDialog(self._theme, sentence, export.count, self._window)
        dialog.ask(lambda: self._choose_target(dialog.formats.value, export))

    def _choose_target(self, file_format: str, export: PendingExport) -> None:
        """Let the user choose the target: a file for JSON or one conversation, else a folder for one file each."""
        if file_format != "json" and export.count > 1:
            path = self._pickers.folder(self._window, phrase("chat.choose_a_folder_to_export"), self._initial_folder())
            target = Path(path)
            self._folder = path or self._folder
        else:
            suffix = conversation_export.EXPORT_SUFFIXES[file_format]
            is_secret = export.label_now() == confidentiality.HIGHEST_LABEL
            first = str(Path(self._initial_folder()) / f"{export.neutral_name() if is_secret else export.name}{suffix}")
            kinds = {"docx": phrase("chat.word_documents_docx"), "markdown": "Markdown (*.md)", "json": "JSON (*.json)"}
            path = self._pickers.save(self._window, phrase("chat.export_as"), first, kinds[file_format])
            target = complete_suffix(Path(path), suffix)
            self._folder = str(target.parent) if path else self._folder
        if path:
            self._secrecy.export(
                self._window,
                ExportRequest(export.kind, str(target), export.label_now),
                lambda permit: self._start_export(export, file_format, target, permit),
            )

    def _start_export(self, export: PendingExport, file_format: str, target: Path, permit: Permit) -> None:
        if not self._is_busy():
            is_answer = export.kind == "answer"
            self._show_work(phrase("chat.exporting_the_answer" if is_answer else "chat.exporting_conversations"))
            self._is_importing = False
            export.start(file_format, target, permit)

    def _show_work(self, words: str) -> None:
        self.strip.banner.hide()
        self.strip.progress.start(words)

    def _initial_folder(self) -> str:
        documents = QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation)
        return self._folder or documents

    def _is_busy(self) -> bool:
        """Return whether an export or import is running, and show a message if so."""
        if self._transfer.is_working:
            what = phrase("chat.another_export_or_import_is")
            self._show_banner("warning", what, phrase("common.choose_again_when_it_has"))
        return self._transfer.is_working

    # ------------------------------------------------------------------- showing

    def _on_page_left(self) -> None:
        """Hide a success message when the user leaves the page; other messages stay until they are closed."""
        if self.strip.banner.level == "success":
            self.strip.banner.hide()

    def _on_progressed(self, done: int, total: int) -> None:
        self.strip.progress.set_progress(done, total, is_bytes=self._is_importing)

    def _on_exported(self, paths: list[Path]) -> None:
        self._exported = paths
        where = str(paths[0] if len(paths) == 1 else paths[0].parent)
        what = phrase("common.exported") if len(paths) == 1 else phrase("chat.exported_to_n_files", n=len(paths))
        self._show_banner("success", what, where, (("folder", phrase("common.open_the_folder")),))
        self.ended.emit(phrase("chat.conversations_exported"), self._transfer.worked_s)

    def _on_imported(self, result: ImportedConversations) -> None:
        if result.refused:
            self.strip.progress.finish()
            refusals_dialog(self._theme, result, self._window).open()
        else:
            self._show_banner(
                "success", conversation_import.import_headline(result), conversation_import.import_remarks(result)
            )
        self.ended.emit(phrase("chat.conversations_imported"), self._transfer.worked_s)

    def _on_failed(self, error: AppError) -> None:
        self._show_error(error)
        self.ended.emit(phrase("chat.conversations_could_not_be_exported"), self._transfer.worked_s)

    def _show_error(self, error: AppError) -> None:
        self._finish_progress()
        self.strip.banner.show_error(error)

    def _show_banner(
        self, level: str, heading: str, sentence: str = "", actions: tuple[tuple[str, str], ...] = ()
    ) -> None:
        self._finish_progress()
        self.strip.banner.show_message(level, heading, sentence, actions)

    def _finish_progress(self) -> None:
        if not self._transfer.is_working:
            self.strip.progress.finish()


INDENT_PX = 24  # px; aligns the sentence below a format with the format's name


class FormatChoice(QWidget):
    """Radio buttons for the formats, each with a sentence."""

    def __init__(self, theme: Theme, count: int, format_key: str) -> None:
        """Build the buttons for `count` conversations. `format_key` and `value` are "docx", "markdown" or "json"."""
        super().__init__()
        self.buttons: dict[str, QRadioButton] = {}
        group = QButtonGroup(self)
        column = make_column(into=self, margins_px=(0, 4, 0, 0), spacing_px=12)
        for key in ("docx", "markdown", "json"):
            is_one_file = count == 1 or key == "json"
            sentence = phrase(f"chat.export_one.{key}") if is_one_file else phrase(f"chat.export_several.{key}")
            button = self.buttons[key] = QRadioButton(phrase(f"chat.export_format.{key}"))
            button.setAccessibleDescription(sentence)
            group.addButton(button)
            words = labels.Label(sentence, "caption", "text2", wraps=True)
            words.setContentsMargins(theme.px(INDENT_PX), 0, 0, 0)
            column.addLayout(make_column(button, words, spacing_px=2))
        self.buttons[format_key].setChecked(True)

    @property
    def value(self) -> str:
        return next(key for key, button in self.buttons.items() if button.isChecked())


class ExportDialog(Dialog):
    """Asks for the format of an export. It emits `chosen` with "export" or "cancel"."""

    def __init__(self, theme: Theme, sentence: str, count: int, parent: QWidget) -> None:
        """Build the dialog. `sentence` is a sentence that names the exported conversations."""
        self.formats = FormatChoice(theme, count, "docx" if count == 1 else "json")
        buttons = cancel_or("export", phrase("chat.export"))
        super().__init__(theme, phrase("chat.export_in_which_format"), sentence, buttons, parent, content=self.formats)
        self.formats.buttons[self.formats.value].setFocus()


LINES_SHOWN = (5, 8)  # minimum and maximum height in lines; there may be thousands of lines


def refusals_dialog(theme: Theme, result: ImportedConversations, parent: QWidget) -> Dialog:
    """Return a dialog that shows what was imported, with one line for each refused conversation."""
    lines = "\n".join(conversation_import.refusal_line(refused) for refused in result.refused)
    shown = max(LINES_SHOWN[0], min(LINES_SHOWN[1], len(result.refused)))
    listed = make_text_view(lines, phrase("chat.conversations_that_were_not_imported"), 0)
    height_px = shown * listed.fontMetrics().lineSpacing() + theme.px(24)
    listed.setFixedHeight(scrolled_height(theme, parent, height_px))
    return Dialog(
        theme,
        conversation_import.import_headline(result),
        conversation_import.import_remarks(result),
        parent=parent,
        icon=("triangle-alert", "warning"),
        content=listed,
    )
