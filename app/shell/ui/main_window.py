"""Show the main window: sidebar, pages, status line, and global shortcuts.

The module is over 450 lines long because everything that the parts of the window request of each other meets here.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QMainWindow, QStackedWidget, QWidget

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.base.services.preferences import Preferences
from app.base.settings import TEXT_SCALES, Settings
from app.base.wording import phrase
from app.chat.records import Conversation, Message
from app.chat.services.chat_session import ChatSession
from app.chat.services.conversations import Conversations
from app.chat.ui.conversations.conversation_actions import ConversationActions
from app.chat.ui.conversations.search_page import SearchPage
from app.chat.ui.preset_editor import ConversationSettings
from app.documents.services.ocr_setup import OcrSetup
from app.evaluation.services.evaluations import Evaluations
from app.inference.services.engine import EngineClient
from app.models.services.downloads import Downloads
from app.shell.ui import window_layout
from app.shell.ui.help_windows import ManualWindow
from app.shell.ui.settings.page import SettingsPage
from app.shell.ui.sidebar import Sidebar
from app.shell.ui.status_line import StatusLine
from app.shell.ui.window_layout import MainFrame, WindowGeometry
from app.training.services.environment_setup import EnvironmentSetup
from app.training.services.training_runner import TrainingRunner
from app.uikit import dialogs
from app.uikit.page import NavigationSignals, Page
from app.uikit.theme import Theme, application
from app.uikit.undo import Toast, UndoableAction, UndoStack, is_typing
from app.uikit.widgets.buttons import IconButton
from app.uikit.widgets.containers import make_column
from app.uikit.widgets.labels import Separator

if TYPE_CHECKING:
    from app.models.ui.page import ModelsPage


PageBuilder = Callable[[], Page]


class Pages(QObject):
    """The window's pages by their keys. Each is built at its first use, because most starts need only the page 質問."""

    built = Signal(object)  # Page

    def __init__(self, chat_page: Page, makers: Mapping[str, Callable[[], PageBuilder]]) -> None:
        """Set the functions that import what a page needs and return what builds it: one for each key except "ask",
        whose page already exists."""
        super().__init__()
        self.built_pages: dict[str, Page] = {"ask": chat_page}  # those that are built
        self._makers = makers

    def page(self, key: str) -> Page:
        """Return a page (ask, documents, models, training, …), building it at its first use."""
        for _ in self.steps(key):
            pass
        return self.built_pages[key]

    def steps(self, key: str) -> Iterator[None]:
        """Build a page that is not yet built in two steps: import its modules, and make its widgets."""
        if key not in self.built_pages:
            build = self._makers[key]()
            yield
            if key not in self.built_pages:  # something else may have needed it between the steps
                self.built_pages[key] = build()
                self.built.emit(self.built_pages[key])
            yield

    def models(self) -> "ModelsPage":
        from app.models.ui.page import ModelsPage

        page = self.page("models")
        assert isinstance(page, ModelsPage)
        return page

    def settings(self) -> SettingsPage:
        page = self.page("settings")
        assert isinstance(page, SettingsPage)
        return page

    def search(self) -> SearchPage:
        page = self.page("search")
        assert isinstance(page, SearchPage)
        return page


DEFAULT_SIZE = (1280, 800)
MINIMUM_SIZE = (560, 420)
MENU_INSET_PX = 52


class MainWindow(QMainWindow):
    """The main window: sidebar, pages, toast and status line."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        pages: Pages,
        *,
        preferences: Preferences,
        session: ChatSession,
        conversations: Conversations,
        engine: EngineClient,
        downloads: Downloads,
        setups: Sequence[EnvironmentSetup | OcrSetup],
        trainings: TrainingRunner,
        evaluations: Evaluations,
        geometry: WindowGeometry,
        create_answer_settings: Callable[["MainWindow"], ConversationSettings],
        refused_attempts: Callable[[], Sequence[str]],
    ) -> None:
        """Build the window. `refused_attempts` returns a text for each connection refused since the program started."""
        super().__init__()
        self.theme = theme
        self._navigation = navigation
        self._preferences = preferences
        self._session = session
        self._conversations = conversations
        self._engine = engine
        self._downloads = downloads
        self._setups = setups
        self._trainings = trainings
        self._evaluations = evaluations
        self._geometry = geometry
        self._create_answer_settings = create_answer_settings
        self.keeps_place = True  # whether closing the window stores its geometry for the next start
        self.pages = pages
        self._clicked_id: int | None = None  # the conversation that was chosen in the list, and nothing done since
        self._opening: Iterator[None] = iter(())  # the steps of the page that is being opened
        self._next_step = QTimer(self, singleShot=True, interval=0)
        self._page_before = {"search": "ask", "reader": "documents"}  # each leads to the other, but not back and forth
        self._build(refused_attempts)
        self._connect()
        self._add_shortcuts()
        self.sidebar.conversations.folded = self._geometry.folded_folder_ids()
        self._on_conversations_changed()
        opened = session.conversation
        self.sidebar.show_open(opened.id if opened else None)
        self.status_line.set_shows_details(preferences.value.shows_details)
        self.status_line.show_status(engine.status)
        self._on_page_chosen("ask")
        if not self._geometry.restore(self):
            self.resize(*DEFAULT_SIZE)

    def label_now(self) -> Label:
        """Return the label of the visible page, which also applies to the widgets and windows around it."""
        return self.page(self.current_page).label_now()

    def page(self, key: str) -> Page:
        """Return a page of `Pages`."""
        return self.pages.page(key)

    def show_page(self, key: str) -> None:
        self._next_step.stop()
        self.current_page = key
        self.stack.setCurrentWidget(self.page(key))
        self.sidebar.show_page({"reader": "documents"}.get(key, key), self.page(key).sidebar_panel)
        self._lay_out()  # raises the menu button above the new page
        self._show_traffic()

    def show_questions(self) -> None:
        """Show the page 質問 and focus its question field."""
        self._on_page_chosen("ask")

    def show_settings(self, section: str) -> None:
        """Show a section of the settings, as `SettingsPage.show_named`."""
        self.show_page("settings")
        self.pages.settings().show_named(section)

    def move_models(self, target: Path) -> None:
        """Move the models folder to `target`, and show the section of the settings with the progress."""
        self.show_settings("models")
        self.pages.settings().section("models").storage.move_to(target)

    def models_page(self) -> "ModelsPage":
        """Show the page of models and return it."""
        self.show_page("models")
        return self.pages.models()

    def show_answer_settings(self) -> ConversationSettings:
        """Open the window with the settings of the open conversation only, and return it."""
        window = self._create_answer_settings(self)
        window.open()
        return window

    def show_manual(self) -> None:
        """Show the manual in a window of its own, so that the user can read it while working."""
        ManualWindow(self.theme, self, self._on_search_requested).show()

    def come_to_front(self) -> None:
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def show_at_foot(self, widget: QWidget) -> None:
        """Insert a widget between the pages and the status line."""
        self._column.insertWidget(1, widget)

    def show_problem(self, error: AppError) -> dialogs.Dialog:
        dialog = dialogs.problem_dialog(self.theme, error, self)
        dialog.open()
        return dialog

    def closeEvent(self, event: QCloseEvent) -> None:
        self._next_step.stop()
        if self.keeps_place:
            self._geometry.save(self, self.sidebar.conversations.folded)
        super().closeEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Move the conversation that was just clicked to the bin: its empty field leaves Delete here."""
        is_delete = event.matches(QKeySequence.StandardKey.Delete) and not event.isAutoRepeat()
        if is_delete and self._clicked_id is not None:
            self.list_actions.bin([self._clicked_id])
        else:
            super().keyPressEvent(event)

    # ------------------------------------------------------------------- building

    def _build(self, refused_attempts: Callable[[], Sequence[str]]) -> None:
        self.setWindowTitle("Kotae")
        self.setWindowIcon(window_layout.render_app_icon())
        self.setMinimumSize(*MINIMUM_SIZE)
        self.sidebar = Sidebar(self.theme, self._page_list(), refused_attempts)
        self.sidebar.conversations.collections_of = self._conversations.referenced_collections
        self.stack = QStackedWidget()
        self.stack.addWidget(self.page("ask"))
        self.status_line = StatusLine(self.theme)
        self.frame = MainFrame(self.theme, self.sidebar, self.stack)
        centre = QWidget()
        self._column = make_column((self.frame, 1), Separator(), self.status_line, into=centre, spacing_px=0)
        self.setCentralWidget(centre)
        self.menu_button = IconButton(self.theme, "menu", phrase("shell.pages_and_list"), "Ctrl+B", self.stack)
        self.toast = Toast(self.theme, centre, self.stack)
        self.undo_stack = UndoStack(self.toast, self._conversations.changed, self._conversations.stored_ids, self)
        self.list_actions = ConversationActions(self._conversations, self.sidebar.list, self.undo_stack, self)

    def _page_list(self) -> tuple[tuple[str, str, str], ...]:
        return (
            ("ask", "message-circle-question-mark", phrase("shell.ask")),
            ("documents", "library-big", phrase("common.documents")),
            ("models", "box", phrase("common.models")),
            ("training", "graduation-cap", phrase("common.fine_tuning")),
            ("evaluation", "chart-line", phrase("common.evaluation")),
            ("settings", "settings", phrase("shell.settings")),
        )

    def _connect(self) -> None:
        self.sidebar.page_chosen.connect(self._open_page)
        self.sidebar.new_requested.connect(self._on_new_requested)
        self.sidebar.traffic.clicked.connect(lambda: self.show_settings("network"))
        self.sidebar.list.chosen.connect(self._on_conversation_chosen)
        self.sidebar.list.chosen.connect(self._on_conversation_clicked)
        self.sidebar.search_requested.connect(self._on_search_requested)
        self.sidebar.temporary_requested.connect(self._on_temporary_requested)
        self.sidebar.folder_requested.connect(self.list_actions.add_folder)
        self.sidebar.conversations.renamed.connect(self.list_actions.rename)
        self.sidebar.conversations.folder_renamed.connect(self.list_actions.rename_folder)
        self.sidebar.list.new_in_folder_requested.connect(self._on_new_requested)
        self.list_actions.folder_added.connect(self.sidebar.edit_folder)
        self.menu_button.clicked.connect(self.toggle_sidebar)
        self._conversations.changed.connect(self._on_conversations_changed)
        self._session.conversation_opened.connect(self._on_conversation_opened)
        self._session.message_added.connect(self._on_message_added)
        self._session.answer_settings_changed.connect(self._on_answer_settings_changed)
        for signal in (self._session.answer_finished, self._session.answer_finished_elsewhere):
            signal.connect(self._on_answer_finished)
        self._session.temporary_left.connect(self._on_temporary_left)
        self._engine.status_changed.connect(self.status_line.show_status)
        for signal in (self._engine.status_changed, self._engine.contacted):
            signal.connect(self._show_downloads)
        self._trainings.started.connect(self._on_training_started)
        self._evaluations.started.connect(self._on_evaluation_started)
        for ended in (self._trainings.ended, self._evaluations.ended):
            ended.connect(self._on_work_ended)
        self._preferences.changed.connect(self._on_preferences_changed)
        for signal in (self._downloads.changed, self._downloads.progressed, self._downloads.contacted):
            signal.connect(self._show_downloads)
        for setup in self._setups:
            for signal in (setup.began, setup.contacted, setup.finished, setup.failed, setup.cancelled):
                signal.connect(self._show_downloads)
        application().focusChanged.connect(self._on_focus_changed)
        self.frame.changed.connect(self._lay_out)
        self._next_step.timeout.connect(self._take_step)
        self.pages.built.connect(self._on_page_built)
        self.sidebar.picked.connect(self._on_entry_picked)
        self._connect_navigation()

    def _connect_navigation(self) -> None:
        navigation = self._navigation
        navigation.page_requested.connect(self._on_page_chosen)
        navigation.settings_requested.connect(self.show_settings)
        navigation.answer_settings_requested.connect(self.show_answer_settings)
        navigation.conversation_requested.connect(self._on_conversation_chosen)
        navigation.message_requested.connect(self._on_message_requested)
        navigation.search_requested.connect(self._on_search_requested)
        navigation.search_closed.connect(self._leave_search)
        navigation.reading_requested.connect(self._on_reading_requested)
        navigation.reading_closed.connect(self._leave_reader)
        navigation.restore_requested.connect(self.list_actions.restore)
        navigation.undo_offered.connect(self.undo_stack.offer)
        navigation.problem_occurred.connect(self.show_problem)

    def _on_training_started(self) -> None:
        self.status_line.show_work("training")

    def _on_evaluation_started(self) -> None:
        self.status_line.show_work("evaluation")

    def _on_work_ended(self) -> None:
        self.status_line.show_work("")

    def _on_message_requested(self) -> None:
        self._on_page_chosen("ask")

    def _on_reading_requested(self) -> None:
        self._leave_for("reader")

    def _leave_for(self, key: str) -> None:
        """Show a page that one leaves again, and note where one comes from."""
        if self.current_page != key and self._page_before.get(self.current_page) != key:
            self._page_before[key] = self.current_page
        self._on_page_chosen(key)

    def _leave_search(self) -> None:
        self._on_page_chosen(self._page_before["search"])

    def _leave_reader(self) -> None:
        self._on_page_chosen(self._page_before["reader"])

    def _add_shortcuts(self) -> None:
        keys: list[tuple[str, Callable[[], object]]] = [
            ("Ctrl+N", self._on_new_requested),
            ("Ctrl+Shift+N", self._on_temporary_requested),
            ("Ctrl+K", self._on_search_requested),
            ("Ctrl+B", self.toggle_sidebar),
            ("F1", self.show_manual),
            ("Ctrl+Z", self.undo_stack.undo),
            ("Ctrl+Shift+Z", self.undo_stack.redo),
            ("Ctrl+Y", self._on_redo_key),
            ("F6", lambda: self._move_region(1)),
            ("Shift+F6", lambda: self._move_region(-1)),
            ("Ctrl++", lambda: self._step_text_size(1)),
            ("Ctrl+=", lambda: self._step_text_size(1)),
            ("Ctrl+;", lambda: self._step_text_size(1)),  # the key with + on a Japanese keyboard, without Shift
            ("Ctrl+-", lambda: self._step_text_size(-1)),
            ("Ctrl+0", lambda: self._preferences.change(text_scale_percent=100)),
        ]
        for number, (key, _, _) in enumerate(self._page_list(), start=1):
            keys.append((f"Ctrl+{number}", functools.partial(self._open_page, key)))
        for sequence, act in keys:
            QShortcut(QKeySequence(sequence), self, act)

    # --------------------------------------------------------------------- layout

    def toggle_sidebar(self) -> None:
        """Open or close the sidebar in a narrow window."""
        if self.frame.is_narrow and not self.frame.is_sidebar_shown:
            self.frame.show_sidebar()
            (self.sidebar.shown_list or self.sidebar.nav).setFocus()
        else:
            self.frame.hide_sidebar()

    def _lay_out(self) -> None:
        self.menu_button.setVisible(self.frame.is_narrow)
        self.menu_button.resize(self.menu_button.sizeHint())
        self.menu_button.move(12, (self.theme.metric("header_height") - self.menu_button.sizeHint().height()) // 2)
        self.menu_button.raise_()
        for page in self.pages.built_pages.values():
            page.set_header_inset(self.theme.px(MENU_INSET_PX) if self.frame.is_narrow else 0)

    def _move_region(self, step: int) -> None:
        """Move the focus to the next (1) or previous (-1) of the page buttons, their list, and the page."""
        around = (self.sidebar.nav, self.sidebar.shown_list, self.page(self.current_page))
        window_layout.move_focus([one for one in around if one is not None], self.focusWidget(), step)

    # ---------------------------------------------------------------------- slots

    def _on_page_built(self, page: Page) -> None:
        self.stack.addWidget(page)
        if page.sidebar_panel is not None:
            self.sidebar.add_panel(page.sidebar_panel)

    def _on_entry_picked(self) -> None:
        """Close a sidebar over the page, because it covers what was picked."""
        if self.frame.is_narrow:
            self.frame.hide_sidebar()
            self.page(self.current_page).focus_first()

    def _open_page(self, key: str) -> None:
        """Show a page for a person; a new one takes several turns of the event loop, so that the window answers.

        Keys that are pressed meanwhile do not reach the page before, where Enter would send a question.
        """
        self._opening = self._opening_steps(key)
        self._take_step()
        if self._next_step.isActive():
            self.stack.setFocus()

    def _opening_steps(self, key: str) -> Iterator[None]:
        yield from self.pages.steps(key)
        self._on_page_chosen(key)

    def _take_step(self) -> None:
        if next(self._opening, self) is None:
            self._next_step.start()

    def _on_page_chosen(self, key: str) -> None:
        self.show_page(key)
        self.frame.hide_sidebar()
        self.page(key).focus_first()

    def _on_new_requested(self, folder_id: int | None = None) -> None:
        self._session.open_new(folder_id)
        self._on_page_chosen("ask")

    def _on_temporary_requested(self) -> None:
        self._session.open_new(is_temporary=True)
        self._on_page_chosen("ask")

    def _on_search_requested(self, query: str = "") -> None:
        self._leave_for("search")
        self.pages.search().start(query)

    def _on_conversation_chosen(self, conversation_id: int) -> None:
        self._session.open(conversation_id)
        self._on_page_chosen("ask")

    def _on_conversation_clicked(self, conversation_id: int) -> None:
        self._clicked_id = conversation_id

    def _on_conversations_changed(self) -> None:
        stored = self._conversations
        self.sidebar.show_conversations(stored.listed(), stored.folders(), stored.with_drafts(), stored.binned_count())
        self.sidebar.traffic.refresh()

    def _show_downloads(self) -> None:
        downloads, sources = self._downloads, (self._downloads, *self._setups)
        found = [*(contact for one in sources for contact in one.contacts()), *self._engine.contacts]
        contacts = sorted(found, key=lambda contact: contact.time)
        online, is_sending = sum(one.network_task_count for one in sources), self._engine.is_sending
        places = [one.place for one in self._setups if one.network_task_count]
        purpose = downloads.network_purpose or (phrase(f"shell.fetching_for.{places[0]}") if places else "")
        self.sidebar.traffic.show_downloads(online, contacts, purpose, is_sending=is_sending)
        self._show_traffic()

    def _show_traffic(self) -> None:
        """Show what used the network in the settings, if they are built."""
        if "settings" in self.pages.built_pages:
            self.pages.settings().show_traffic(self.sidebar.traffic.lines())

    def _on_conversation_opened(self, conversation: Conversation | None, _messages: list[Message]) -> None:
        self._clicked_id = None
        is_listed = not self._session.is_temporary
        self.sidebar.show_open(conversation.id if conversation and is_listed else None)
        self.sidebar.conversations.set_drafts(self._conversations.with_drafts())

    def _on_focus_changed(self) -> None:
        self._clicked_id = None

    def _on_message_added(self, message: Message) -> None:
        self._clicked_id = None
        if not self._session.is_temporary:
            self.sidebar.show_open(message.conversation_id)
            self.sidebar.conversations.set_message_in_progress(message)

    def _on_answer_settings_changed(self) -> None:
        """Update the list of conversations, because its settings influence the open conversation's label."""
        if self._session.conversation is not None:
            self._conversations.mark_changed(self._session.conversation.id)
            self._on_conversations_changed()

    def _on_answer_finished(self, message: Message) -> None:
        """Update the list of conversations, because an answer may change its conversation's confidentiality label."""
        self.sidebar.conversations.set_message_in_progress(None)
        self._conversations.mark_changed(message.conversation_id)
        self._on_conversations_changed()

    def _on_temporary_left(self) -> None:
        def reopen_temporary_chat() -> None:
            self._session.reopen_temporary()
            self._on_page_chosen("ask")

        action = UndoableAction(
            done=phrase("shell.the_temporary_chat_was_closed"),
            undone=phrase("shell.the_temporary_chat_is_open"),
            undo=reopen_temporary_chat,
            redo=self._on_new_requested,
            key="temporary",
            forget=self._session.forget_temporary,
        )
        self.undo_stack.offer(action)

    def _on_redo_key(self) -> None:
        if not is_typing(self):
            self.undo_stack.redo()

    def _on_preferences_changed(self, settings: Settings) -> None:
        self.status_line.set_shows_details(settings.shows_details)
        self.theme.apply(application(), settings)

    def _step_text_size(self, step: int) -> None:
        place = TEXT_SCALES.index(self._preferences.value.text_scale_percent) + step
        if 0 <= place < len(TEXT_SCALES):
            self._preferences.change(text_scale_percent=TEXT_SCALES[place])
