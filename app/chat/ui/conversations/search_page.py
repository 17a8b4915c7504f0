"""The page that searches all conversations: a field, how many were found, and where the words stand."""

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QKeyEvent, QShowEvent
from PySide6.QtWidgets import QHBoxLayout, QListView, QVBoxLayout, QWidget

from app.base import confidentiality
from app.base.errors import AppError
from app.base.wording import phrase
from app.chat.message_index import Found
from app.chat.services.conversations import Conversations
from app.chat.ui.conversations.search_delegate import ResultDelegate
from app.chat.ui.conversations.search_results import ResultList
from app.uikit.input_method import guard_of
from app.uikit.page import Navigation, Page, PageHeader
from app.uikit.theme import Theme
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, set_surface

PAUSE_MS = 150  # after the last letter; a search takes about 20 ms with 100,000 messages, so it needs no thread
WIDTH_PX = 760
SIDE_PX = 24


class QueryField(SearchField):
    """Down goes to the results, Enter opens the one that is chosen there."""

    down_pressed = Signal()
    enter_pressed = Signal()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.down_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.enter_pressed.emit()
        else:
            super().keyPressEvent(event)


class ResultView(QListView):
    up_pressed = Signal()  # on the first result
    chosen = Signal(QModelIndex)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Up and self.currentIndex().row() <= 0:
            self.up_pressed.emit()
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(self.currentIndex())
        else:
            super().keyPressEvent(event)


class SearchPage(Page):
    def __init__(
        self,
        theme: Theme,
        navigation: Navigation,
        conversations: Conversations,
        label_of_all: Callable[[], confidentiality.Label] = lambda: confidentiality.HIGHEST_LABEL,
    ) -> None:
        """`label_of_all`: the highest of the conversations."""
        super().__init__()
        self._theme = theme
        self._navigation = navigation
        self._conversations = conversations
        self._label_of_all = label_of_all
        self._is_stale = False  # conversations changed while the page was out of sight
        self._pause = QTimer(self, singleShot=True, interval=PAUSE_MS)
        self.results = ResultList()
        self._build()
        self._connect()
        self._lay_out()
        self._search()

    def start(self, query: str = "") -> None:
        """Ready for typing; looks for `query` at once, or for what was looked for last."""
        self.focus_first()

        def fill() -> None:
            if query:
                self.field.setText(query)
            self.field.selectAll()
            self._search()

        guard_of(self.field).when_free(fill)

    def label_now(self) -> confidentiality.Label:
        """As the most confidential of all conversations: nobody looks which one a line is of."""
        return self._label_of_all()

    def focus_first(self) -> None:
        self.field.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def set_header_inset(self, inset_px: int) -> None:
        self.header.set_inset(inset_px)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        if self._is_stale:
            self._search()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """What field and list leave alone."""
        if event.key() == Qt.Key.Key_Escape:
            self._navigation.search_closed.emit()
        else:
            super().keyPressEvent(event)

    # ---------------------------------------------------------------- building

    def _build(self) -> None:
        set_surface(self, "base")
        self.header = PageHeader(self._theme, phrase("chat.search"))
        self.field = QueryField(self._theme, phrase("common.search_conversations"))
        self.count = Label(role="caption", tone="text2", wraps=True)
        self.hint = Label(tone="text2", wraps=True)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.list = self._build_list()
        self._column = QVBoxLayout()
        self._column.addWidget(self.field)
        self._column.addWidget(self.count)
        self._column.addWidget(self.hint, 1)
        self._column.addWidget(self.list, 1)
        self._middle = QWidget()
        self._middle.setLayout(self._column)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self._middle, 10_000)
        row.addStretch(1)
        page = QVBoxLayout(self)
        page.setContentsMargins(0, 0, 0, 0)
        page.setSpacing(0)
        page.addWidget(self.header)
        page.addLayout(row, 1)
        self.setFocusProxy(self.field)

    def _build_list(self) -> ResultView:
        view = ResultView()
        view.setModel(self.results)
        view.setItemDelegate(ResultDelegate(self._theme, self.results, view))
        view.setAccessibleName(phrase("chat.conversations_found"))
        view.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        view.setUniformItemSizes(True)
        view.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        view.setMouseTracking(True)
        return view

    def _connect(self) -> None:
        self.field.textChanged.connect(lambda: self._pause.start())
        self.field.down_pressed.connect(self._enter_list)
        self.field.enter_pressed.connect(self._on_enter)
        self.list.up_pressed.connect(self.field.setFocus)
        self.list.chosen.connect(self._choose)
        self.list.clicked.connect(self._choose)
        self._pause.timeout.connect(self._search)
        self._conversations.changed.connect(self._on_conversations_changed)
        self._theme.changed.connect(self._lay_out)

    def _lay_out(self) -> None:
        px = self._theme.px
        self._middle.setMaximumWidth(px(WIDTH_PX))
        self._column.setContentsMargins(px(SIDE_PX), px(16), px(SIDE_PX), 0)
        self._column.setSpacing(px(10))
        self.list.scheduleDelayedItemsLayout()

    # --------------------------------------------------------------- searching

    def _search(self) -> None:
        self._pause.stop()
        self._is_stale = False
        query = self.field.text()
        try:
            found = self._conversations.search(query)
        except AppError as error:
            self._navigation.problem_occurred.emit(error)
            return
        self.results.show_hits(found.hits, query)
        self.list.setCurrentIndex(self.results.index(0))
        self._show_words(query.strip(), found)

    def _show_words(self, query: str, found: Found) -> None:
        count = phrase("chat.conversations_n", n=f"{len(found.hits):,}")
        if not found.is_complete:
            count += phrase("chat.there_are_many_some_are")
        self.count.setText(count)
        self.count.setVisible(bool(found.hits))
        self.list.setVisible(bool(found.hits))
        self.hint.setVisible(not found.hits)
        if query:
            self.hint.setText(phrase("common.nothing_found_for_q", q=query))
        else:
            self.hint.setText(phrase("chat.searches_the_questions_and_answers"))

    def _on_conversations_changed(self) -> None:
        if self.isVisible():
            self._pause.start()
        else:
            self._is_stale = True

    # ---------------------------------------------------------------- choosing

    def _enter_list(self) -> None:
        if self._pause.isActive():
            self._search()
        if self.results.rowCount():
            self.list.setFocus(Qt.FocusReason.ShortcutFocusReason)

    def _on_enter(self) -> None:
        """The first Enter after typing looks, the next one opens: what opens is what one has seen."""
        if self._pause.isActive():
            self._search()
        else:
            self._choose(self.list.currentIndex())

    def _choose(self, index: QModelIndex) -> None:
        hit = self.results.hit(index)
        if hit is None:
            return
        if hit.message_id is None:
            self._navigation.conversation_requested.emit(hit.conversation_id)
        else:
            self._navigation.message_requested.emit(hit.message_id, self.field.text())
