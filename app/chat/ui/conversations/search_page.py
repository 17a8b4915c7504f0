"""Show the page that searches all conversations and documents: a field, two tabs with counts, and a list of hits."""

from collections.abc import Callable
from functools import partial

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from app.base import confidentiality
from app.base.wording import phrase
from app.chat.message_index import SearchHit, SearchResult
from app.chat.services.conversations import Conversations
from app.chat.services.search import Search
from app.chat.ui.conversations.search_results import SearchResultDelegate, SearchResultModel, SearchResultView
from app.documents.library import collections_now
from app.documents.section_search import FoundSections, SectionHit
from app.documents.services.document_library import DocumentLibrary
from app.documents.whole_document import ReadingPlace
from app.uikit.input_method import conversion_guard_of
from app.uikit.localization import join_facts
from app.uikit.page import NavigationSignals, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox, Stretch, make_column, make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, announce, set_surface
from app.uikit.widgets.section_bars import TabBar


class QueryField(SearchField):
    """The search field. Down moves to the results, Enter opens the selected one."""

    down_pressed = Signal()
    enter_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.down_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enter_pressed.emit()
        else:
            super().keyPressEvent(event)


PAUSE_MS = 80  # ms after the last character; the search itself runs in the background
WIDTH_PX = 760
SIDE_PX = 24
CONVERSATIONS, DOCUMENTS = "conversations", "documents"  # the tabs


class SearchPage(Page):
    """Searches while the user types, and opens the chosen result."""

    def __init__(
        self,
        theme: Theme,
        navigation: NavigationSignals,
        conversations: Conversations,
        documents: DocumentLibrary,
        label_of_all: Callable[[], confidentiality.Label] = lambda: confidentiality.HIGHEST_LABEL,
    ) -> None:
        """Build the page. `label_of_all` returns the highest label of all conversations."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._documents = documents
        self._label_of_all = label_of_all
        self._is_stale = False  # True when conversations or documents have changed while the page was hidden
        self._query = ""  # of the search that runs or has ended
        self._found: dict[str, SearchResult | FoundSections] = {}  # by tab; without those that are still searched
        self._enters_list = False  # True: the first hits get the focus as soon as they are there
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self._search = Search(conversations.path, documents.path, self)
        self.results = SearchResultModel()
        self._build()
        self._connect(conversations)
        self._lay_out()
        self._start()

    def start(self, query: str = "") -> None:
        """Focus the field and search for `query`; if it is "", search again for the text in the field."""
        self.focus_first()

        def fill() -> None:
            if query:
                self.field.setText(query)
            self.field.selectAll()
            self._start()

        conversion_guard_of(self.field).run_after_conversion(fill)

    def label_now(self) -> confidentiality.Label:
        """Return the highest label of conversations and documents; the page does not track which it shows."""
        collections = collections_now(self._documents.path)
        if collections is None:
            return confidentiality.HIGHEST_LABEL
        return confidentiality.highest_label([self._label_of_all(), *(one.label for one in collections)])

    def focus_first(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._start()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if self._is_searching:
            self._search.cancel()
            self._is_stale = True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Handle the keys that neither the field nor the list uses."""
        if event.key() == Qt.Key.Key_Escape:
            self._navigation.search_closed.emit()
        else:
            super().keyPressEvent(event)

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        theme = self._theme
        self.header = PageHeader(theme, phrase("chat.search"))
        self.field = QueryField(theme, phrase("chat.search_conversations_and_documents"))
        self.tabs = TabBar(
            theme, {CONVERSATIONS: phrase("chat.conversations_tab"), DOCUMENTS: phrase("common.documents")}
        )
        self.note = Label(role="caption", tone="text2", wraps=True)
        self.hint = Label(tone="text2", wraps=True)
        self.other_button = Button(theme, "")
        self.add_button = Button(theme, phrase("chat.add_documents"), icon="plus")
        self.ask_button = Button(theme, phrase("chat.ask_this"), icon="message-circle-question-mark")
        self.elsewhere = FlowBox(self.other_button, self.add_button, self.ask_button)
        self.miss = QWidget()
        make_column(self.hint, self.elsewhere, Stretch(), into=self.miss, spacing_px=12)
        self.list = SearchResultView()
        delegate = SearchResultDelegate(self._theme, self.results, self.list)
        list_rows.set_up_list(self.list, self.results, delegate, phrase("chat.hits"))
        self.list.setUniformItemSizes(True)
        self._column = make_column(self.field, self.tabs, self.note, (self.miss, 1), (self.list, 1))
        self._middle = QWidget()
        self._middle.setLayout(self._column)
        row = make_row(Stretch(), (self._middle, 10_000), Stretch())
        make_column(self.header, (row, 1), into=self, spacing_px=0)
        self.setFocusProxy(self.field)

    def _connect(self, conversations: Conversations) -> None:
        self.field.textChanged.connect(self._on_query_changed)
        self.field.down_pressed.connect(self._enter_list)
        self.field.enter_pressed.connect(self._on_enter)
        self.tabs.chosen.connect(self._show_tab)
        self.list.up_pressed.connect(self.field.setFocus)
        self.list.chosen.connect(self._choose)
        self.list.clicked.connect(self._choose)
        self.other_button.clicked.connect(self._show_other_tab)
        self.add_button.clicked.connect(lambda: self._navigation.page_requested.emit("documents"))
        self.ask_button.clicked.connect(lambda: self._navigation.question_requested.emit(None, self._query, False))
        self._pause.timeout.connect(self._start)
        self._search.conversations_found.connect(partial(self._on_found, CONVERSATIONS))
        self._search.documents_found.connect(partial(self._on_found, DOCUMENTS))
        self._search.failed.connect(self._navigation.problem_occurred)
        for changed in (conversations.changed, self._documents.changed, self._documents.opened):
            changed.connect(self._on_content_changed)
        self._theme.changed.connect(self._lay_out)

    def _lay_out(self) -> None:
        px = self._theme.px
        self._middle.setMaximumWidth(px(WIDTH_PX))
        self._column.setContentsMargins(px(SIDE_PX), px(16), px(SIDE_PX), 0)
        self._column.setSpacing(px(8))
        self.list.scheduleDelayedItemsLayout()

    # --------------------------------------------------------------- searching

    @property
    def _is_searching(self) -> bool:
        """Return whether the results of the tab are not those of the query yet."""
        return self._pause.isActive() or (bool(self._query) and self.tabs.key not in self._found)

    @property
    def _waits_for_documents(self) -> bool:
        return self.tabs.key == DOCUMENTS and not self._documents.is_open

    def _on_query_changed(self) -> None:
        """Search after a pause. Not called while the input method converts text."""
        self._enters_list = False
        self._pause.start()

    def _start(self) -> None:
        self._pause.stop()
        self._is_stale = False
        self._query = self.field.text().strip()
        self._found = {}
        if self._query:
            self._search.start(self._query, has_documents=self._documents.is_open)
            if self._waits_for_documents:
                self._show_tab()
        else:
            self._search.cancel()
            self._show_counts()
            self._show_tab()

    def _on_found(self, tab: str, found: SearchResult | FoundSections) -> None:
        self._found[tab] = found
        self._show_counts()
        self._show_tab()
        if len(self._found) == len(self.tabs.buttons):
            announce(self, join_facts(*(button.text() for button in self.tabs.buttons.values())))

    def _count(self, tab: str) -> int | None:
        """Return the number of hits in a tab; None if it is not known yet."""
        match self._found.get(tab):
            case FoundSections(count=count):
                return count
            case SearchResult(hits=hits):
                return len(hits)
        return None

    def _show_counts(self) -> None:
        """Show the counts in the tabs. Those of the last query stay until the new ones are known."""
        for tab, button in self.tabs.buttons.items():
            count = self._count(tab)
            if count is not None:
                name, more = self.tabs.names[tab], "" if self._is_complete(tab) else "+"
                button.show_words(f"{name} {count:,}{more}")
            elif not self._query or (tab == DOCUMENTS and not self._documents.is_open):
                button.show_words(self.tabs.names[tab])

    def _is_complete(self, tab: str) -> bool:
        found = self._found.get(tab)
        return not isinstance(found, SearchResult) or found.is_complete

    def _show_tab(self, _key: str = "") -> None:
        """Show the hits of the selected tab, or why there are none and where else to look."""
        found = self._found.get(self.tabs.key)
        if found is None and self._query and not self._waits_for_documents:
            return  # the results come soon
        hits = found.hits if found is not None else ()
        self.results.show_hits(hits, self._query)
        self.list.setCurrentIndex(self.results.index(0))
        is_partial = not self._is_complete(self.tabs.key)
        if isinstance(found, FoundSections):
            is_partial = found.count > len(found.hits)
        shown = len(found.hits) if found is not None else 0
        self.note.setText(phrase("chat.best_n_are_shown", n=f"{shown:,}") if is_partial else "")
        self.note.setVisible(is_partial)
        self.list.setVisible(bool(hits))
        self.miss.setVisible(not hits)
        if not hits:
            self._show_miss()
        if self._enters_list and hits:
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._enters_list = False

    def _show_miss(self) -> None:
        tab, query = self.tabs.key, self._query
        other = DOCUMENTS if tab == CONVERSATIONS else CONVERSATIONS
        count = self._count(other)
        if not query:
            self.hint.setText(phrase("chat.searches_conversations_and_documents"))
        elif self._waits_for_documents:
            self.hint.setText(phrase("chat.opening_documents"))
        elif count == 0:
            self.hint.setText(phrase("chat.nothing_in_either_for_q", q=query))
        else:
            self.hint.setText(phrase(f"chat.nothing_for_q.{tab}", q=query))
        self.other_button.setText(phrase(f"chat.show_n_in.{other}", n=f"{count or 0:,}"))
        self.other_button.setVisible(bool(query and count))
        self.elsewhere.setVisible(bool(query) and not self._waits_for_documents)

    def _show_other_tab(self) -> None:
        self.tabs.show_tab(DOCUMENTS if self.tabs.key == CONVERSATIONS else CONVERSATIONS)
        self._show_tab()
        self._enter_list()

    def _on_content_changed(self) -> None:
        if not self.isVisible():
            self._is_stale = True
        elif not self._pause.isActive():  # documents change all the time while they are read
            self._pause.start()

    # ---------------------------------------------------------------- choosing

    def _enter_list(self) -> None:
        """Focus the hits, or as soon as there are some."""
        self._enters_list = self._is_searching
        if self._pause.isActive():
            self._start()
        if not self._enters_list and self.results.rowCount():
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _on_enter(self) -> None:
        """Search if the text has changed, else open the selected result, so that only a visible one is opened."""
        if self._pause.isActive():
            self._start()
        elif not self._is_searching:
            self._choose(self.list.currentIndex())

    def _choose(self, index: QModelIndex) -> None:
        match self.results.hit(index):
            case SectionHit() as hit:
                self._navigation.reading_requested.emit(ReadingPlace(hit.document_id, hit.section_id, self._query))
            case SearchHit(message_id=None) as hit:
                self._navigation.conversation_requested.emit(hit.conversation_id)
            case SearchHit() as hit:
                self._navigation.message_requested.emit(hit.message_id, self._query)
