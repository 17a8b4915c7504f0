"""Show the page 質問: header, errors, conversation, composer and, at its side, the source panel."""

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import Qt, QUrl
from PySide6.QtGui import QDesktopServices, QHideEvent, QKeySequence, QResizeEvent, QShortcut, QShowEvent
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.presets import Preset
from app.chat.records import Conversation, Message
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.services.preset_library import PresetLibrary
from app.chat.ui.attached_files import AttachedFiles
from app.chat.ui.chat_header import ChatHeader
from app.chat.ui.chat_notices import EmptyView, RemoteConsent, make_trial_notice
from app.chat.ui.collection_picker import CollectionPicker, DocumentPicker
from app.chat.ui.collection_selection import CollectionSelection
from app.chat.ui.composer import THINKING_KEY, Composer, ComposerDrafts
from app.chat.ui.source_opener import SourceOpener
from app.chat.ui.text.source_panel import SourcePanel, SourceSplitter
from app.chat.ui.transcript.answer_actions import AnswerDisplayOptions
from app.chat.ui.transcript.error_presenter import ErrorPresenter
from app.chat.ui.transcript.find_bar import FindBar
from app.chat.ui.transcript.rating_controller import RatingController
from app.chat.ui.transcript.rows_view import SIDE_PX, CentredRow
from app.chat.ui.transcript.transcript import Transcript
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.services.document_library import DocumentLibrary
from app.inference.services.events import AnswerStage
from app.models.services.model_library import ModelLibrary
from app.uikit import untrusted_text
from app.uikit.desktop import FileDrops
from app.uikit.page import NavigationSignals, Page
from app.uikit.theme import Theme
from app.uikit.widgets.banner import Banner
from app.uikit.widgets.containers import make_column, make_scrollable
from app.uikit.widgets.labels import set_surface


class ChatPage(Page):
    """The page 質問. It connects its widgets to the open conversation."""

    header: ChatHeader

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        session: ChatSession,
        conversations: Conversations,
        presets: PresetLibrary,
        library: ModelLibrary,
        preferences: Preferences,
        documents: DocumentLibrary,
        open_url: Callable[[QUrl], object] = QDesktopServices.openUrl,
    ) -> None:
        """Build the page. `open_url` is called with an address that the user has seen and agreed to open."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._session = session
        self._conversations = conversations
        self._presets = presets
        self._library = library
        self._preferences = preferences
        self._open_url = open_url
        self._is_leaving = False  # True when the next `conversation_opened` is of another conversation, not branch
        self.transcript = Transcript(theme, navigation)
        self.scope_line = CollectionPicker(theme, navigation)
        self.scoping = CollectionSelection(session, documents, preferences, self.scope_line, self)
        self.header = ChatHeader(
            theme, navigation, session, conversations, presets, library, self.scoping, self.transcript
        )
        self.files = AttachedFiles(
            theme, navigation, session, conversations, documents, preferences, self.scoping, self
        )
        self._build(documents)
        self._drafts = ComposerDrafts(session, self.composer, self)
        self.sources = SourceOpener(self.transcript, self.panel, self.splitter, documents, open_url, self)
        self._errors = ErrorPresenter(session, preferences, navigation, self.banner, self.transcript, self)
        self.consent = RemoteConsent(theme, session, library, preferences, self.composer.remote_mark, self)
        self._rating = RatingController(self._theme, session, self.transcript, self)
        drops = FileDrops(self, lambda paths: paths, self._take_files)
        drops.lit.connect(lambda is_lit: self.composer.set_lit(is_lit=is_lit))
        self._connect()
        self._add_shortcuts()
        self._show_settings(preferences.value)
        self._show_conversation()
        self._drafts.restore()

    # ---------------------------------------------------------------- building

    def _build(self, documents: DocumentLibrary) -> None:
        set_surface(self, "base")
        self.banner = Banner(self._theme)
        self.find_bar = FindBar(self._theme, self.transcript, self)
        self.empty = EmptyView(self._theme, self._navigation)
        self.stack = QStackedWidget()
        self.stack.setMinimumHeight(1)
        self.stack.addWidget(make_scrollable(self.empty))
        self.stack.addWidget(self.transcript)
        self.composer = Composer(self._theme)
        self._banner_row = make_column(self.banner)
        foot = QWidget()
        make_column(self.scope_line, self.composer, into=foot, margins_px=(0, 8, 0, 16), spacing_px=6)
        self.trial_notice = make_trial_notice(self._theme, self._navigation)
        self._conversation = QWidget()
        parts = (self.header, self.find_bar, self._banner_row, self.trial_notice, (self.stack, 1))
        make_column(*parts, CentredRow(self._theme, foot), into=self._conversation, spacing_px=0)
        self.panel = SourcePanel(self._theme, documents.pictures)
        self.splitter = SourceSplitter(self._theme, self._conversation, self.panel)
        make_column(self.splitter, into=self)

    def _connect(self) -> None:
        session, header = self._session, self.header
        session.about_to_leave.connect(self._on_about_to_leave)
        session.conversation_opened.connect(self._on_conversation_opened)
        session.earlier_read.connect(self._on_earlier_read)
        session.answer_settings_changed.connect(self._show_presets)
        self._presets.changed.connect(self._show_presets)
        self._conversations.changed.connect(header.show_title)
        session.message_added.connect(self._on_message_added)
        session.text_received.connect(self.transcript.append_text)
        session.answer_finished.connect(self._on_answer_finished)
        session.answer_finished_elsewhere.connect(self._show_busy)
        session.stage_changed.connect(self._on_stage_changed)
        self._library.changed.connect(self._on_library_changed)
        self._preferences.changed.connect(self._show_settings)
        self._theme.changed.connect(self._lay_out)
        header.keep_requested.connect(self._on_keep_requested)
        header.field.left_by_key.connect(self.focus_first)
        self.scoping.shown.connect(self._show_scope)
        self.scope_line.documents_requested.connect(self.choose_documents)
        self.splitter.changed.connect(self._on_beside_changed)
        self._conversations.problem_occurred.connect(self._errors.show_error)
        self._errors.banner_changed.connect(self._lay_out)
        self._connect_messages()
        self._connect_files()
        self.find_bar.opening.connect(self.sources.close_overlay)
        self.find_bar.opening.connect(session.read_earlier)  # the matches of all messages are counted
        self.find_bar.left.connect(self.focus_first)
        self.find_bar.everywhere_requested.connect(self._navigation.search_requested)
        self.composer.draft_changed.connect(self._show_busy)
        self.composer.last_question_requested.connect(self._edit_last_question)
        self.composer.submitted.connect(lambda text: self.consent.run_with_consent(lambda: self._on_submitted(text)))
        self.composer.stop_requested.connect(session.stop)
        self.composer.thinking_chosen.connect(self._on_thinking_chosen)
        self.empty.example_chosen.connect(self.composer.replace_text)

    def _connect_messages(self) -> None:
        session, requests = self._session, self.transcript.requests
        requests.regenerate_requested.connect(lambda answer_id: self._answer(session.regenerate, answer_id))
        requests.thinking_requested.connect(lambda *how: self._answer(session.regenerate, *how))
        requests.reproduce_requested.connect(lambda answer_id: self._answer(session.reproduce, answer_id))
        requests.action_chosen.connect(lambda answer_id, preset: self._answer(session.act, answer_id, preset))
        requests.follow_up_chosen.connect(
            lambda answer_id, question: self._answer(session.ask_follow_up, answer_id, question)
        )
        requests.edit_requested.connect(self._on_edit_requested)
        requests.branch_requested.connect(session.show_branch)
        requests.link_chosen.connect(
            lambda href: untrusted_text.ask_to_open_link(self._theme, href, self._open_url, self)
        )

    def _connect_files(self) -> None:
        files, editor = self.files, self.composer.editor
        editor.files_given.connect(files.attach)
        editor.picture_pasted.connect(files.attach_picture)
        editor.long_text_pasted.connect(
            lambda text: files.attach_pasted(phrase("chat.pasted_text"), lambda: text.encode("utf-8", "replace"))
        )
        self.composer.attach_button.clicked.connect(files.choose)
        self.scope_line.actions_requested.connect(files.show_menu)
        files.told.connect(self.composer.tell)
        files.failed.connect(self._errors.show_unrelated_error)

    def _add_shortcuts(self) -> None:
        """Add the shortcuts that work only on this page."""
        keys: dict[str, Callable[[], object]] = {
            "Esc": self._on_escape,
            "Alt+Left": lambda: self.transcript.step_branch(-1),
            "Alt+Right": lambda: self.transcript.step_branch(1),
            "F2": self.header.start_renaming,
            "Ctrl+O": self.files.choose,
            "Ctrl+L": self.scope_line.open_menu,
            THINKING_KEY: self.composer.at_once.click,
            "Ctrl+Shift+C": self.sources.copy_cited,
            "Ctrl+F": self.find_bar.open,
            "F3": lambda: self.find_bar.step(1),
            "Shift+F3": lambda: self.find_bar.step(-1),
        }
        self._shortcuts = {keys: QShortcut(QKeySequence(keys), self, act) for keys, act in keys.items()}
        for shortcut in self._shortcuts.values():
            shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)

    # ------------------------------------------------------------------ layout

    def label_now(self) -> Label:
        return self.scoping.label_now()

    def focus_first(self) -> None:
        if self.splitter.is_over:
            self.panel.focus_first()
        else:
            self.composer.setFocus()

    def choose_documents(self) -> DocumentPicker:
        """Let the user tick the documents that the open conversation asks."""
        picker = DocumentPicker(self._theme, self.scoping.documents_to_choose(), self.window())
        picker.scope_chosen.connect(self.scoping.choose_documents)
        picker.finished.connect(self.focus_first)
        picker.open()
        return picker

    def suggest_question(self, text: str) -> None:
        """Put an example question into the composer, unless the user has typed something."""
        if not self.composer.text():
            self.composer.set_text(text)

    def begin_question(self, scope: Sequence[CollectionRef] | None, words: str, *, at_once: bool = False) -> None:
        """Open a new conversation that asks `scope`; None: what new ones ask.

        The words wait in the composer, in place of what was typed there. `at_once`: ask them if they can be sent now.
        """
        self._session.open_new()
        if scope is not None:
            self.scoping.choose(scope)
        if words:
            is_free = not (self.composer.text() or self._session.is_busy)
            self.composer.replace_text(words)
            if at_once and is_free:
                self.composer.submitted.emit(words)
        self.focus_first()

    def show_found(self, message_id: int, query: str) -> None:
        """Open the conversation at a message that contains the words of `query`."""
        self._session.open_at(message_id)
        self.find_bar.look_for(query, message_id)

    def show_restored(self, conversation_id: int) -> None:
        """Open a conversation restored from the bin, unless another is open or a new question is being typed."""
        is_free = self._session.conversation is None and not self._session.is_temporary
        if is_free and not self.composer.text():
            self._session.open(conversation_id)

    def set_header_inset(self, inset_px: int) -> None:
        self.header.set_inset(inset_px)
        self.panel.set_inset(inset_px)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.focus_first()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._drafts.keep()

    def _take_files(self, paths: list[Path]) -> None:
        self.files.attach(paths)
        self.focus_first()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._lay_out()

    def _lay_out(self) -> None:
        side = self._theme.px(SIDE_PX)
        self._banner_row.setContentsMargins(side, 0 if self.banner.isHidden() else 12, side, 0)
        self.composer.editor.fit_window(self.window().height())

    # ------------------------------------------------------------------- shown

    def _show_conversation(self) -> None:
        self.stack.setCurrentIndex(1 if self.transcript.messages else 0)
        self._show_scope()
        self.header.show_title()
        self._show_models()
        self._show_presets()
        self._show_busy()

    def _show_models(self) -> None:
        current = self._session.model
        self.header.show_models()
        self.empty.show_state(
            has_model=current is not None,
            is_starter_available=self._library.is_starter_available(),
            is_temporary=self._session.is_temporary,
            is_remote=current is not None and current.remote is not None,
        )
        self.trial_notice.setVisible(self._is_trial)
        self._show_thinking()
        self._show_actions()
        self._lay_out()

    @property
    def _is_trial(self) -> bool:
        """Return whether the trial model answers, which is too small to rewrite an answer."""
        card = self._library.card(self._session.model) if self._session.model else None
        return card is not None and card.is_trial

    def _show_scope(self) -> None:
        here, has_messages, asks = self._session, bool(self.transcript.messages), bool(self._session.scope)
        self.header.show_label()
        self.empty.show_documents(asks, asks_manual=self.scoping.asks_manual)
        self.composer.update_placeholder(has_messages, is_temporary=here.is_temporary, asks_documents=asks)

    def _show_settings(self, settings: Settings) -> None:
        self.composer.set_send_key(settings.send_key)
        self._show_models()
        self._show_presets()

    def _show_thinking(self) -> None:
        self.composer.show_thinking(self._session.thinks(self.transcript.messages))

    def _show_presets(self) -> None:
        self.header.show_presets()
        self._show_thinking()
        self._show_actions()

    def _show_actions(self) -> None:
        actions = () if self._is_trial else tuple(self._presets.presets_of_kind("action"))
        self.transcript.show_answers_as(AnswerDisplayOptions(actions, self._preferences.value.shows_details))

    def _show_busy(self) -> None:
        is_busy = self._session.is_busy
        self.composer.set_busy(is_busy, is_elsewhere=self._session.is_answering_elsewhere)
        self.transcript.set_busy(is_busy)
        is_wanted = is_busy or self.sources.is_open or self.composer.edited_id is not None
        self._shortcuts["Esc"].setEnabled(is_wanted)

    # ---------------------------------------------------------- from the session

    def _on_about_to_leave(self) -> None:
        self.header.field.finish()
        self.sources.close()
        self._is_leaving = True

    def _on_conversation_opened(self, _conversation: Conversation | None, messages: list[Message]) -> None:
        is_elsewhere, self._is_leaving = self._is_leaving, False
        if is_elsewhere:
            self.transcript.show_messages(messages)
            self._drafts.restore()
        else:
            self.transcript.show_branch(messages)
        self._show_conversation()

    def _on_earlier_read(self, messages: list[Message]) -> None:
        self.transcript.add_earlier(messages)
        if messages[0].parent_id is None:
            self.header.show_label()

    def _on_message_added(self, message: Message) -> None:
        shown = self.transcript.messages
        if shown and message.parent_id != shown[-1].id:
            return  # a new branch, which the session is about to open
        self.transcript.add(message)
        self._show_conversation()

    def _on_answer_finished(self, message: Message) -> None:
        self.transcript.finish(message)
        self._show_scope()
        self._show_thinking()
        self._show_busy()

    def _on_stage_changed(self, stage: AnswerStage) -> None:
        self.transcript.show_stage(stage)
        self._show_busy()

    def _on_library_changed(self) -> None:
        if self._library.answering():
            self._errors.on_models_changed()
        self._show_models()

    # ------------------------------------------------------------- from the user

    def _on_submitted(self, text: str) -> None:
        """Ask the question; the composer is cleared only when the question is stored."""
        if self._session.model_id is None and not self._session.scope:
            self._errors.show_unrelated_error(AppError("no_model"))
        elif self._ask(text):
            self._errors.clear()
            self.composer.end_edit()
            self._drafts.save_again()
            self._lay_out()

    def _ask(self, text: str) -> bool:
        edited_id = self.composer.edited_id
        return self._session.ask(text) if edited_id is None else self._session.edit(edited_id, text)

    def _answer(self, act: Callable[..., object], answer_id: int, *more: Preset | str | int) -> None:
        """Call `act`, which begins a new answer for an existing one, after consent if it goes to a remote model."""
        self._errors.clear()
        self.consent.run_with_consent(lambda: act(answer_id, *more))
        self.focus_first()

    def _on_thinking_chosen(self, is_wanted: bool) -> None:
        self._session.think(is_wanted)
        self._show_thinking()

    def _on_edit_requested(self, question_id: int) -> None:
        question = next((message for message in self.transcript.messages if message.id == question_id), None)
        if question is not None:
            self.composer.begin_edit(question.id, question.text)

    def _edit_last_question(self) -> None:
        messages = self.transcript.messages
        questions = [message for message in messages if message.role == "question" and not message.is_action]
        if questions:
            self.composer.begin_edit(questions[-1].id, questions[-1].text)

    def _on_escape(self) -> None:
        is_editing_elsewhere = self._session.is_answering_elsewhere and self.composer.edited_id is not None
        if self._session.is_busy and not is_editing_elsewhere:
            self._session.stop()
        elif self.composer.edited_id is not None:
            self.composer.end_edit()
        else:
            self.sources.close()

    def _on_beside_changed(self) -> None:
        """Move the focus to a visible widget after the source panel was opened, closed or resized."""
        self._show_busy()
        if self.splitter.is_over or not self.sources.is_open:
            self.focus_first()

    def _on_keep_requested(self) -> None:
        """Store the temporary conversation. An edit ends first, because the stored messages have other ids."""
        if self.composer.edited_id is not None:
            self.composer.end_edit()
        self._session.keep_temporary()
        self._drafts.save_again()
