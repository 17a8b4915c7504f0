"""Show the sidebar: pages, the list of the shown page (`Page.sidebar_panel`), and the network indicator.

The module is over 450 lines long because each of these parts is small and used nowhere else.
"""

import time
from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import QRect, QSize, QTimer, Signal
from PySide6.QtGui import QFontMetrics, QKeySequence, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QButtonGroup,
    QGridLayout,
    QMenu,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.base import confidentiality
from app.base.wording import phrase
from app.chat.records import Conversation, Folder
from app.chat.ui.conversations.conversation_list import ConversationList
from app.chat.ui.conversations.conversation_view import ConversationView
from app.models.services.downloads import NetworkContact
from app.uikit.localization import join_facts, with_note
from app.uikit.page import SidebarPanel
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import Button, IconButton, PaintedButton, make_menu
from app.uikit.widgets.containers import Stretch, make_column, make_row
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import IconLabel, Label, Separator, plain_tooltip, set_surface


class NavigationButton(PaintedButton):
    """The button of a page. That of the shown page has weight 600, and a soft background with a bar if it is marked."""

    def __init__(self, theme: Theme, icon: str, text: str, shortcut: str = "") -> None:
        super().__init__(theme, text)
        self._icon = icon
        self.note = ""
        self.is_marked = True  # whether the button looks selected while it is checked
        self.setAccessibleName(text)
        self.setToolTip(plain_tooltip(with_note(text, shortcut)))
        self.setCheckable(True)
        theme.changed.connect(self.updateGeometry)

    def set_note(self, note: str) -> None:
        """Show a short text at the right, such as a number; "" hides it."""
        self.note = note
        self.setAccessibleName(join_facts(self.text(), note))
        self.update()

    def mark(self, *, is_marked: bool) -> None:
        """Let the button look selected while it is checked, or not, if an entry of the list below does."""
        if is_marked != self.is_marked:
            self.is_marked = is_marked
            self.update()

    def sizeHint(self) -> QSize:
        """Return the size at which the name is not cut."""
        words = QFontMetrics(self._theme.font("ui", 600)).horizontalAdvance(self.text()) + 1
        return QSize(self.width() - self.words_area().width() + words, self._theme.metric("row_list"))

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        theme = self._theme
        painter = QPainter(self)
        area = self._background_rect()
        is_chosen = self.isChecked() and self.is_marked
        list_rows.draw_ground(painter, theme, area, is_chosen=is_chosen, option=self._view_option())
        size = theme.px(16)
        token = "accent" if self.isChecked() else "text2"
        theme.icon(self._icon, token).paint(painter, QRect(area.left() + 10, area.top(), size, area.height()))
        list_rows.draw_text(
            painter, theme, self.words_area(), self.text(), "ui", "text", weight=600 if self.isChecked() else 400
        )
        if self.note:
            width = self._note_width()
            place = QRect(area.right() - 8 - width, area.top(), width, area.height())
            list_rows.draw_text(painter, theme, place, self.note, "caption", "muted")

    def words_area(self) -> QRect:
        """Return the area of the text to the right of the icon."""
        right = self._note_width() + self._theme.px(8) if self.note else 0
        return self._background_rect().adjusted(10 + self._theme.px(16) + self._theme.px(10), 0, -8 - right, 0)

    def _note_width(self) -> int:
        return QFontMetrics(self._theme.font("caption")).horizontalAdvance(self.note) + 1

    def _background_rect(self) -> QRect:
        return self.rect().adjusted(8, 0, -8, 0)


class NavigationBar(QWidget):
    """The buttons of `pages` (key, icon, text), Ctrl+1 for the first; in a low window in two columns."""

    chosen = Signal(str)  # key of a page

    def __init__(self, theme: Theme, pages: tuple[tuple[str, str, str], ...]) -> None:
        super().__init__()
        self._buttons: dict[str, NavigationButton] = {}
        self._group = QButtonGroup(self)
        self._theme = theme
        self._columns = 0
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 8, 0, 8)
        self._grid.setSpacing(0)
        self._grid.setColumnStretch(0, 1)
        for number, (key, icon, word) in enumerate(pages, start=1):
            button = NavigationButton(theme, icon, word, f"Ctrl+{number}")
            button.clicked.connect(lambda _=False, key=key: self.chosen.emit(key))
            self._group.addButton(button)
            self._buttons[key] = button
        self.set_columns(1)

    @property
    def full_height(self) -> int:
        """Return the height of all buttons in one column, in px."""
        return len(self._buttons) * self._theme.metric("row_list") + 16

    @property
    def least_width(self) -> int:
        """Return the width at which no name is cut, in px."""
        return self._columns * max(button.sizeHint().width() for button in self._buttons.values())

    def set_columns(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        self._grid.setColumnStretch(1, columns - 1)
        for button in self._buttons.values():
            self._grid.removeWidget(button)
        for place, button in enumerate(self._buttons.values()):
            self._grid.addWidget(button, place // columns, place % columns)

    def mark(self, *, is_marked: bool) -> None:
        """As `NavigationButton.mark`, for all buttons."""
        for button in self._buttons.values():
            button.mark(is_marked=is_marked)

    def show_page(self, key: str) -> None:
        """Check the button of a page; check none if the page has no button here."""
        if key in self._buttons:
            self._buttons[key].setChecked(True)
        elif (shown := self._group.checkedButton()) is not None:
            self._group.setExclusive(False)
            shown.setChecked(False)
            self._group.setExclusive(True)


LISTED = 8  # contacts in the tooltip at most


class TrafficIndicator(PaintedButton):
    """Shows downloads, questions being sent, and connections that were attempted and refused."""

    def __init__(self, theme: Theme, refusals: Callable[[], Sequence[str]]) -> None:
        """Build the indicator. `refusals` returns a text for each refused connection."""
        super().__init__(theme)
        self._refusals = refusals
        self._online = 0
        self._is_sending = False
        self._purpose = ""
        self._contacts: list[NetworkContact] = []
        self._icon = IconLabel(theme, "shield-check", "success")
        self.state = Label(role="caption", strong=True)
        self.since_label = Label(role="caption", tone="muted")
        make_row(
            self._icon,
            Label(phrase("shell.network"), role="caption", tone="text2"),
            self.state,
            Stretch(),
            self.since_label,
            into=self,
            margins_px=(18, 12, 18, 12),
            spacing_px=8,
        )
        self.refresh()

    def show_downloads(
        self, online: int, contacts: Sequence[NetworkContact], purpose: str, *, is_sending: bool = False
    ) -> None:
        """Show how Kotae uses the network.

        `online`: number of downloads and installations that use it now. `contacts`: contacted machines, oldest first.
        `purpose`: what they are, in words. `is_sending`: whether a server of the local network is answering a question.
        """
        before = self._online, self._purpose, self._is_sending, len(self._contacts)
        self._online, self._purpose, self._is_sending, self._contacts = online, purpose, is_sending, list(contacts)
        if before != (online, purpose, is_sending, len(contacts)):
            self.refresh()

    def lines(self) -> list[tuple[str, str]]:
        """Return a line for each contact and refusal, and where more is said: `NetworkContact.place` or log."""
        contacts = [(self._contact_line(one), one.place) for one in self._contacts]
        return contacts + [(phrase("shell.refused_what", what=what), "log") for what in self._refusals()]

    def paintEvent(self, event: QPaintEvent) -> None:  # noqa: ARG002 (Qt passes it)
        area = self.rect().adjusted(8, 4, -8, -4)
        list_rows.draw_ground(QPainter(self), self._theme, area, is_chosen=False, option=self._view_option())

    def refresh(self) -> None:
        refused = len(self._refusals())
        now = self._online + self._is_sending or refused
        self.state.setText(phrase("common.n", n=now) if now else phrase("common.none"))
        count = phrase("shell.n_so_far", n=refused + len(self._contacts))
        sent = phrase("shell.sending_a_question") if self._is_sending else count
        self.since_label.setText(self._purpose if self._online else sent)
        warning, download, safe = ("external-link", "warning"), ("download", "accent"), ("shield-check", "success")
        is_warned = refused or self._is_sending
        self._icon.show_icon(*(download if self._online else warning if is_warned else safe))
        text = "\n".join(self._contact_line(contact) for contact in self._contacts[-LISTED:])
        leads = phrase("shell.press_to_check_that_nothing")
        self.setToolTip(plain_tooltip("\n".join(filter(None, (text, leads)))).replace("\n", "<br>"))
        self.setAccessibleName(phrase("shell.network"))
        self.setAccessibleDescription(" ".join((self.state.text(), self.since_label.text(), text, leads)).strip())

    def _contact_line(self, contact: NetworkContact) -> str:
        when = time.strftime("%H:%M", time.localtime(contact.time))
        is_of_model = contact.place in ("ask", "models")
        title = contact.title if is_of_model else phrase(f"shell.parts_for.{contact.place}")
        words = phrase("shell.download_of_title_time_started", title=title, time=when)
        if contact.place == "ask":
            words = phrase("shell.question_sent_to_title_time", title=title, time=when)
        return with_note(contact.host, words)


BIN_FROM_HEIGHT_PX = 420
LEAST_LIST_PX = 48
BELOW_NAV_PX = 250  # height in px of the parts below the pages, with a short list


MANY = 1000  # conversations, which take about as long to be shown as to be read
WITH_CONVERSATIONS = ("ask", "search", "batch", "bin")  # keys of the pages beside the list of conversations


class Sidebar(QWidget):
    """The sidebar. Its `list` emits the signals for single conversations."""

    page_chosen = Signal(str)  # key of a page, or "bin"
    picked = Signal()  # the user picked an entry of the shown page's own list
    new_requested = Signal()
    temporary_requested = Signal()
    folder_requested = Signal()
    export_all_requested = Signal()
    import_requested = Signal()
    search_requested = Signal(str)  # query for the search in all messages

    def __init__(
        self, theme: Theme, pages: tuple[tuple[str, str, str], ...], refused_attempts: Callable[[], Sequence[str]]
    ) -> None:
        """Build the sidebar. `refused_attempts` is as for `MainWindow`."""
        super().__init__()
        self._theme = theme
        # The function returns the highest label of all conversations.
        self.label_of_all: Callable[[], confidentiality.Label] = lambda: confidentiality.HIGHEST_LABEL
        self.traffic = TrafficIndicator(theme, refused_attempts)
        # An update that waits until the user has renamed a row, or for its own turn of the event loop.
        self._pending_fill: Callable[[], None] | None = None
        self._filling = QTimer(self, singleShot=True, interval=1)
        self._filling.timeout.connect(self._fill)
        self.conversations = ConversationList()
        self._page_key = "ask"
        self._open_id: int | None = None
        self._build(pages)
        self.nav.chosen.connect(self.page_chosen)
        self.new_button.clicked.connect(self.new_requested)
        self.menu_button.clicked.connect(self._show_menu)
        self.bin_button.clicked.connect(lambda: self.page_chosen.emit("bin"))
        self.list.itemDelegate().closeEditor.connect(self._on_editing_ended)
        self.filter.textChanged.connect(self._on_filter_changed)
        self.filter.returnPressed.connect(lambda: self.search_requested.emit(self.filter.text()))
        self._theme.changed.connect(self._resize)

    def show_conversations(
        self, conversations: Sequence[Conversation], folders: Sequence[Folder], drafts: Collection[int], binned: int
    ) -> None:
        """Show conversations, latest first, and folders; ids with `drafts`, and the number `binned`."""

        def fill() -> None:
            is_new = self._open_id is not None and not self.conversations.conversations([self._open_id])
            self.conversations.set_conversations(conversations, folders=folders)
            self._show_empty_hint()
            if is_new:  # it was opened before it was listed
                self._choose_open()

        self.conversations.set_drafts(drafts)
        self.bin_button.set_note(str(binned) if binned else "")
        self._show_bin()
        self._pending_fill = fill
        if len(conversations) < MANY or not self.isVisible():
            self._fill()
        else:
            self._filling.start()

    def show_open(self, conversation_id: int | None) -> None:
        if conversation_id != self._open_id or len(self.list.chosen_ids()) < 2:
            self._open_id = conversation_id
            self._choose_open()

    def add_panel(self, panel: SidebarPanel) -> None:
        """Add the list of a page that has just been built."""
        self._panels.addWidget(panel)
        panel.picked.connect(self.picked)
        self._follow(panel.view)

    def show_page(self, key: str, panel: SidebarPanel | None) -> None:
        """Check the button of a page, and show its list. `panel`: None if the page has none of its own."""
        self.nav.show_page("ask" if key in ("search", "batch") else key)
        self.bin_button.setChecked(key == "bin")
        self._show_bin()
        nothing = self._own_panel if key in WITH_CONVERSATIONS else self._empty_panel
        self._panels.setCurrentWidget(panel or nothing)
        if key != self._page_key:
            self._page_key = key
            self._choose_open()
        self._mark()

    @property
    def shown_list(self) -> QAbstractItemView | None:
        """Return the list below the buttons; None if the page has none."""
        panel = self._panels.currentWidget()
        return panel.view if isinstance(panel, SidebarPanel) else self.list if panel is self._own_panel else None

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_short = self.height() < self.nav.full_height + self._theme.px(BELOW_NAV_PX)
        self.nav.set_columns(2 if is_short else 1)
        self._resize()
        self._show_bin()

    def edit_folder(self, folder_id: int) -> None:
        """Clear the filter and let the user type the name of a new folder."""
        self._fill()
        self.filter.clear()
        self.list.edit_folder(folder_id)

    # ------------------------------------------------------------------ building

    def label_now(self) -> confidentiality.Label:
        """Return the highest label of all conversations, because the sidebar does not track which ones are visible."""
        return self.label_of_all()

    def _build(self, pages: tuple[tuple[str, str, str], ...]) -> None:
        set_surface(self, "side")
        self.nav = NavigationBar(self._theme, pages)
        self.new_button = Button(self._theme, phrase("common.new_question"), icon="plus")
        self.menu_button = IconButton(self._theme, "ellipsis", phrase("shell.actions_for_conversations"))
        self.filter = SearchField(self._theme, phrase("common.search_conversations"))
        self.list = ConversationView(self._theme, self.conversations)
        self.list.setMinimumHeight(LEAST_LIST_PX)
        self._empty = Label(role="caption", tone="muted", wraps=True)
        self._empty.setContentsMargins(18, 8, 16, 0)
        self.bin_button = NavigationButton(self._theme, "trash-2", phrase("common.bin"))
        self.bin_button.hide()
        self._own_panel, self._empty_panel, self._panels = QWidget(), QWidget(), QStackedWidget()
        own = (self._tools(), self._empty, (self.list, 1), make_column(self.bin_button, margins_px=(0, 4, 0, 4)))
        make_column(*own, into=self._own_panel, spacing_px=0)
        for widget in (self._own_panel, self._empty_panel):
            self._panels.addWidget(widget)
        below = (Separator(), self.traffic)
        make_column(self.nav, Separator(), (self._panels, 1), *below, into=self, spacing_px=0)
        self._follow(self.list)
        self._resize()

    def _follow(self, view: QAbstractItemView) -> None:
        view.selectionModel().selectionChanged.connect(self._mark)
        view.model().modelReset.connect(self._mark)  # clears the selection without a signal of its own

    def _tools(self) -> QVBoxLayout:
        row = make_row((self.new_button, 1), self.menu_button, spacing_px=4)
        return make_column(row, self.filter, margins_px=(10, 10, 10, 4), spacing_px=8)

    # --------------------------------------------------------------------- menu

    def menu(self) -> QMenu:
        """Return the menu with the actions on all conversations."""
        theme = self._theme
        menu = make_menu(self)
        new = menu.addAction(theme.icon("plus"), phrase("common.new_question"), self.new_requested.emit)
        new.setShortcut(QKeySequence("Ctrl+N"))
        dashed = theme.icon("message-circle-dashed")
        temporary = menu.addAction(dashed, phrase("common.temporary_chat"), self.temporary_requested.emit)
        temporary.setShortcut(QKeySequence("Ctrl+Shift+N"))
        menu.addAction(theme.icon("folder-plus"), phrase("common.new_folder"), self.folder_requested.emit)
        menu.addSeparator()
        menu.addAction(theme.icon("file-up"), phrase("common.export_conversations"), self.export_all_requested.emit)
        menu.addAction(theme.icon("file-down"), phrase("shell.import_conversations"), self.import_requested.emit)
        menu.addSeparator()
        menu.addAction(theme.icon("trash-2"), phrase("common.bin"), lambda: self.page_chosen.emit("bin"))
        return menu

    def _show_menu(self) -> None:
        self.menu().popup(self.menu_button.mapToGlobal(self.menu_button.rect().bottomLeft()))

    # --------------------------------------------------------------------- shown

    def _choose_open(self) -> None:
        """Select the open conversation beside the page 質問; beside another page none is open."""
        self.conversations.set_open(self._open_id if self._page_key == "ask" else None)
        self.list.choose_open()

    def _mark(self) -> None:
        """Let one item look selected: the entry of the shown list, or else the button of the page."""
        view = self.shown_list
        is_marked = view is None or not view.selectionModel().hasSelection()
        self.nav.mark(is_marked=is_marked)
        self.bin_button.mark(is_marked=is_marked)

    # --------------------------------------------------------------------- slots

    def _fill(self) -> None:
        if not self.list.is_editing:  # filling the list would close the field in which the user types a name
            self._on_editing_ended()

    def _on_editing_ended(self) -> None:
        if self._pending_fill is not None:
            fill, self._pending_fill = self._pending_fill, None
            fill()

    def _on_filter_changed(self, text: str) -> None:
        self.conversations.set_filter(text)
        self._show_empty_hint()

    def _show_empty_hint(self) -> None:
        is_empty = self.conversations.rowCount() == 0
        query = self.filter.text().strip()
        nothing_yet = phrase("shell.your_conversations_will_stand_here")
        self._empty.setText(phrase("common.nothing_found_for_q", q=query) if query else nothing_yet)
        self._empty.setVisible(is_empty)

    def _show_bin(self) -> None:
        """Show the bin's button if it is open or not empty and the window is not low."""
        is_relevant = bool(self.bin_button.note) or self.bin_button.isChecked()
        self.bin_button.setVisible(is_relevant and self.height() >= self._theme.px(BIN_FROM_HEIGHT_PX))

    def _resize(self) -> None:
        self.setFixedWidth(max(self._theme.metric("sidebar_width"), self.nav.least_width))
