"""Left of every page: the pages, a new question, the conversations, the bin, and what left this machine (nothing)."""

from collections.abc import Callable, Collection, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QMenu, QVBoxLayout, QWidget

from app.base import confidentiality
from app.base.wording import phrase
from app.chat.records import Conversation, Folder
from app.chat.ui.conversations.conversation_list import ConversationList
from app.chat.ui.conversations.conversation_view import ConversationView
from app.shell.ui.nav import Nav, NavButton
from app.shell.ui.traffic import Traffic
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button, IconButton
from app.uikit.widgets.fields import SearchField
from app.uikit.widgets.labels import Label, Separator, set_surface

BIN_FROM_HEIGHT_PX = 420
BELOW_NAV_PX = 250  # what stands below the pages, with a short list


class Sidebar(QWidget):
    """What is asked of the conversations in `list` is said by the list itself."""

    page_chosen = Signal(str)  # also bin
    new_requested = Signal()
    temporary_requested = Signal()
    folder_requested = Signal()
    export_all_requested = Signal()
    import_requested = Signal()
    search_requested = Signal(str)  # in more than titles

    def __init__(
        self, theme: Theme, pages: tuple[tuple[str, str, str], ...], outside_connections: Callable[[], int]
    ) -> None:
        """`outside_connections` counts the connections that were refused since the start of the program."""
        super().__init__()
        self._theme = theme
        self.label_of_all: Callable[[], confidentiality.Label] = lambda: (
            confidentiality.HIGHEST_LABEL
        )  # of conversations
        self.traffic = Traffic(theme, outside_connections)
        self._fill: Callable[[], None] | None = None  # waits for the end of renaming
        self.conversations = ConversationList()
        self._build(pages)
        self._connect()

    def show_conversations(
        self,
        conversations: Sequence[Conversation],
        folders: Sequence[Folder],
        drafts: Collection[int],
        binned: int,
    ) -> None:
        """`conversations`: the most recently used first. `binned`: how many are in the bin."""

        def fill() -> None:
            self.conversations.set_conversations(conversations, folders=folders, drafts=drafts)
            self._show_emptiness()

        self.bin_button.set_note(str(binned) if binned else "")
        self._show_bin()
        if self.list.is_editing:
            self._fill = fill  # at once, it would take the field away from who is typing a name
        else:
            fill()

    def show_drafts(self, conversation_ids: Collection[int]) -> None:
        self.conversations.set_drafts(conversation_ids)

    def show_open(self, conversation_id: int | None) -> None:
        if conversation_id != self.conversations.open_id or len(self.list.chosen_ids()) < 2:
            self.conversations.set_open(conversation_id)
            self.list.choose_open()

    def show_page(self, key: str) -> None:
        self.nav.show_page(key)
        self.bin_button.setChecked(key == "bin")
        self._show_bin()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        is_short = self.height() < self.nav.full_height + self._theme.px(BELOW_NAV_PX)
        self.nav.set_columns(2 if is_short else 1)
        self._show_bin()

    def edit_folder(self, folder_id: int) -> None:
        """Lets the user name a folder that was just made."""
        self.filter.clear()
        self.list.edit_folder(folder_id)

    # ------------------------------------------------------------------ building

    def label_now(self) -> confidentiality.Label:
        """As the most confidential of all conversations: nobody looks which one a line is of."""
        return self.label_of_all()

    def _build(self, pages: tuple[tuple[str, str, str], ...]) -> None:
        set_surface(self, "side")
        self.nav = Nav(self._theme, pages)
        self.new_button = Button(self._theme, phrase("common.new_question"), icon="plus")
        self.menu_button = IconButton(self._theme, "ellipsis", phrase("shell.actions_for_conversations"))
        self.filter = SearchField(self._theme, phrase("common.search_conversations"))
        self.list = ConversationView(self._theme, self.conversations)
        self._empty = Label(role="caption", tone="muted", wraps=True)
        self._empty.setContentsMargins(18, 8, 16, 0)
        self.bin_button = NavButton(self._theme, "trash-2", phrase("common.bin"))
        self.bin_button.hide()
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.nav)
        column.addWidget(Separator())
        column.addLayout(self._tools())
        column.addWidget(self._empty)
        column.addWidget(self.list, 1)
        column.addLayout(self._bin_row())
        column.addWidget(Separator())
        column.addWidget(self.traffic)
        self._resize()

    def _tools(self) -> QVBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.new_button, 1)
        row.addWidget(self.menu_button)
        tools = QVBoxLayout()
        tools.setContentsMargins(10, 10, 10, 4)
        tools.setSpacing(8)
        tools.addLayout(row)
        tools.addWidget(self.filter)
        return tools

    def _bin_row(self) -> QVBoxLayout:
        row = QVBoxLayout()
        row.setContentsMargins(0, 4, 0, 4)
        row.addWidget(self.bin_button)
        return row

    def _connect(self) -> None:
        self.nav.chosen.connect(self.page_chosen)
        self.new_button.clicked.connect(self.new_requested)
        self.menu_button.clicked.connect(self._show_menu)
        self.bin_button.clicked.connect(lambda: self.page_chosen.emit("bin"))
        self.list.itemDelegate().closeEditor.connect(self._on_editing_ended)
        self.filter.textChanged.connect(self._on_filter_changed)
        self.filter.returnPressed.connect(lambda: self.search_requested.emit(self.filter.text()))
        self._theme.changed.connect(self._resize)

    # --------------------------------------------------------------------- menu

    def menu(self) -> QMenu:
        """What can be done with conversations as a whole."""
        theme = self._theme
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
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

    # --------------------------------------------------------------------- slots

    def _on_editing_ended(self) -> None:
        if self._fill is not None:
            fill, self._fill = self._fill, None
            fill()

    def _on_filter_changed(self, text: str) -> None:
        self.conversations.set_filter(text)
        self._show_emptiness()

    def _show_emptiness(self) -> None:
        is_empty = self.conversations.rowCount() == 0
        query = self.filter.text().strip()
        nothing_yet = phrase("shell.your_conversations_will_stand_here")
        self._empty.setText(phrase("common.nothing_found_for_q", q=query) if query else nothing_yet)
        self._empty.setVisible(is_empty)

    def _show_bin(self) -> None:
        """Where there is something in it, and room: in a low window the menu has to do."""
        is_wanted = bool(self.bin_button.note) or self.bin_button.isChecked()
        self.bin_button.setVisible(is_wanted and self.height() >= self._theme.px(BIN_FROM_HEIGHT_PX))

    def _resize(self) -> None:
        self.setFixedWidth(self._theme.metric("sidebar_width"))
