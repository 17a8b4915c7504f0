"""Left of every page: the pages, a new question, the conversations, and what left this machine (nothing)."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.core.records import Conversation
from app.ui.conversation_list import ConversationList
from app.ui.conversation_view import ConversationView
from app.ui.nav import Nav
from app.ui.theme import Theme
from app.ui.widgets.buttons import Button
from app.ui.widgets.icon import Icon
from app.ui.widgets.labels import Label, Rule, set_surface

UNLIMITED_PX = 16_777_215  # Qt's QWIDGETSIZE_MAX, which PySide6 does not have


class Sidebar(QWidget):
    page_chosen = Signal(str)
    new_requested = Signal()
    conversation_chosen = Signal(int)
    rename_requested = Signal(int, str)
    bin_requested = Signal(int)

    def __init__(
        self, theme: Theme, pages: tuple[tuple[str, str, str], ...], outside_connections: Callable[[], int]
    ) -> None:
        """`outside_connections` counts the connections to other machines since the start of the program."""
        super().__init__()
        self._theme = theme
        self._outside_connections = outside_connections
        self._open_id: int | None = None
        self._is_alone = False
        self.conversations = ConversationList()
        self._build(pages)
        self._connect()
        self.show_traffic()

    def set_conversations(self, conversations: Sequence[Conversation]) -> None:
        place = self.list.verticalScrollBar().value()
        row = self.list.currentIndex().row() if self.list.hasFocus() else -1
        self.conversations.set_conversations(conversations)
        self._mark_open()
        if row >= 0:  # who works through the list by keyboard stays where they are
            self.list.setCurrentIndex(self.conversations.nearest(row))
        self.list.verticalScrollBar().setValue(place)
        self._show_emptiness()

    def show_open(self, conversation_id: int | None) -> None:
        self._open_id = conversation_id
        self.conversations.set_open(conversation_id)
        self._mark_open()

    def show_page(self, key: str) -> None:
        self.nav.show_page(key)

    def set_alone(self, is_alone: bool) -> None:
        """Takes all the width while no page stands beside it."""
        self._is_alone = is_alone
        self._resize()

    def show_traffic(self) -> None:
        count = self._outside_connections()
        self._traffic.setText(self.tr("なし") if count == 0 else self.tr("{n} 件").format(n=count))
        self._traffic_count.setText(self.tr("起動後 {n} 件").format(n=count))
        self._traffic_icon.show_icon(*(("shield-check", "success") if count == 0 else ("external-link", "warning")))

    def _build(self, pages: tuple[tuple[str, str, str], ...]) -> None:
        set_surface(self, "side")
        self.nav = Nav(self._theme, pages)
        self.new_button = Button(self._theme, self.tr("新しい質問"), icon="plus")
        self.filter = self._filter_field()
        self.list = ConversationView(self._theme, self.conversations)
        self._empty = Label(role="caption", tone="muted", wraps=True)
        self._empty.setContentsMargins(18, 8, 16, 0)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.nav)
        column.addWidget(Rule())
        column.addLayout(self._tools())
        column.addWidget(self._empty)
        column.addWidget(self.list, 1)
        column.addWidget(Rule())
        column.addLayout(self._foot())
        self._resize()

    def _filter_field(self) -> QLineEdit:
        field = QLineEdit()
        field.setPlaceholderText(self.tr("会話を検索"))
        field.setAccessibleName(self.tr("会話を検索"))
        field.setClearButtonEnabled(True)
        self._filter_icon = QAction(field)
        field.addAction(self._filter_icon, QLineEdit.ActionPosition.LeadingPosition)
        return field

    def _tools(self) -> QVBoxLayout:
        tools = QVBoxLayout()
        tools.setContentsMargins(10, 10, 10, 4)
        tools.setSpacing(8)
        tools.addWidget(self.new_button)
        tools.addWidget(self.filter)
        return tools

    def _foot(self) -> QHBoxLayout:
        self._traffic_icon = Icon(self._theme, "shield-check", "success")
        self._traffic = Label(role="caption", strong=True)
        self._traffic_count = Label(role="caption", tone="muted")
        foot = QHBoxLayout()
        foot.setContentsMargins(18, 12, 18, 12)
        foot.setSpacing(8)
        foot.addWidget(self._traffic_icon)
        foot.addWidget(Label(self.tr("外部通信"), role="caption", tone="text2"))
        foot.addWidget(self._traffic)
        foot.addStretch(1)
        foot.addWidget(self._traffic_count)
        return foot

    def _connect(self) -> None:
        self.nav.chosen.connect(self.page_chosen)
        self.new_button.clicked.connect(self.new_requested)
        self.list.chosen.connect(self.conversation_chosen)
        self.list.bin_requested.connect(self.bin_requested)
        self.conversations.renamed.connect(self.rename_requested)
        self.filter.textChanged.connect(self._on_filter_changed)
        self._theme.changed.connect(self._resize)

    def _on_filter_changed(self, text: str) -> None:
        self.conversations.set_filter(text)
        self._mark_open()
        self._show_emptiness()

    def _mark_open(self) -> None:
        index = self.conversations.index_of(self._open_id)
        if index.isValid():
            self.list.setCurrentIndex(index)
        else:
            self.list.clearSelection()

    def _show_emptiness(self) -> None:
        is_empty = self.conversations.rowCount() == 0
        query = self.filter.text().strip()
        nothing_yet = self.tr("質問すると、ここに会話が並びます。")
        self._empty.setText(self.tr("「{q}」は見つかりません。").format(q=query) if query else nothing_yet)
        self._empty.setVisible(is_empty)

    def _resize(self) -> None:
        width = self._theme.metric("sidebar_width")
        self.setMinimumWidth(width)
        self.setMaximumWidth(UNLIMITED_PX if self._is_alone else width)
        self._filter_icon.setIcon(self._theme.icon("search", "muted"))
