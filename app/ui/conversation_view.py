"""The list of conversations as it is seen: drawn rows, keyboard, context menu, renaming in place."""

from typing import Any, cast

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QLineEdit, QListView, QMenu, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.ui.conversation_list import ConversationList, IdRole, IsOpenRole, TimeRole
from app.ui.theme import Theme
from app.ui.widgets import rows

Index = QModelIndex | QPersistentModelIndex


class ConversationDelegate(QStyledItemDelegate):
    """Headings, and rows of title and time; the open conversation has the soft ground, the bar and weight 600."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        is_heading = index.data(IdRole) is None
        return QSize(0, self._theme.px(32) if is_heading else self._theme.metric("row_conversation"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        area: QRect = option.rect.adjusted(8, 0, -8, 0)
        if index.data(IdRole) is None:
            area.adjust(10, self._theme.px(10), 0, 0)
            rows.draw_text(painter, self._theme, area, index.data(), "caption", "muted")
        else:
            self._paint_conversation(painter, option, area, index)
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        editor = QLineEdit(parent)
        editor.setAccessibleName(self.tr("会話の名前"))
        return editor

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: ARG002
        area: QRect = option.rect
        editor.setGeometry(area.adjusted(8, 4, -8, -4))

    def _paint_conversation(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, index: Index) -> None:
        theme = self._theme
        is_open = bool(index.data(IsOpenRole))
        rows.draw_ground(painter, theme, area, is_chosen=is_open, option=option)
        text = area.adjusted(10, theme.px(4), -8, -theme.px(4))
        title = QRect(text.left(), text.top(), text.width(), theme.line_height("ui"))
        time = QRect(text.left(), title.bottom() + 1, text.width(), theme.line_height("caption"))
        rows.draw_text(painter, theme, title, index.data(), "ui", "text", weight=600 if is_open else 400)
        rows.draw_text(painter, theme, time, index.data(TimeRole), "caption", "text2" if is_open else "muted")


class ConversationView(QListView):
    """Up and down move, Enter opens, F2 renames, Delete moves to the bin (which can be undone)."""

    chosen = Signal(int)
    bin_requested = Signal(int)

    def __init__(self, theme: Theme, model: ConversationList, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._build(model)
        self._connect()

    def rename_current(self) -> None:
        if self.currentIndex().data(IdRole) is not None:
            self.edit(self.currentIndex())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        conversation_id = self._current_id()
        if self.state() == QListView.State.EditingState:
            event.ignore()  # Enter in the field that renames comes here too; it must not open anything
        elif conversation_id is None:
            super().keyPressEvent(event)
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.bin_requested.emit(conversation_id)
        elif event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.chosen.emit(conversation_id)
        elif event.key() == Qt.Key.Key_F2:
            self.rename_current()
        else:
            super().keyPressEvent(event)

    def _build(self, model: ConversationList) -> None:
        self.setModel(model)
        self.setItemDelegate(ConversationDelegate(self._theme, self))
        self.setProperty("ground", "side")
        self.setAccessibleName(self.tr("会話の一覧"))
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QListView.SelectionMode.SingleSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.setMouseTracking(True)

    def _connect(self) -> None:
        self.clicked.connect(self._on_clicked)
        self.customContextMenuRequested.connect(self._on_menu_requested)
        self._theme.changed.connect(self._on_theme_changed)

    def _on_clicked(self, index: QModelIndex) -> None:
        if (conversation_id := cast(Any, index.data(IdRole))) is not None:
            self.chosen.emit(conversation_id)

    def _on_menu_requested(self, place: QPoint) -> None:
        index = self.indexAt(place)
        if index.isValid() and index.data(IdRole) is not None:
            self.setCurrentIndex(index)
            self.menu().popup(self.viewport().mapToGlobal(place))

    def menu(self) -> QMenu:
        """What can be done with the current conversation."""
        conversation_id = self._current_id()
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rename = menu.addAction(self._theme.icon("pencil"), self.tr("名前を変更"), self.rename_current)
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        move = menu.addAction(
            self._theme.icon("trash-2"), self.tr("ごみ箱に移す"), lambda: self.bin_requested.emit(conversation_id)
        )
        move.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))
        return menu

    def _current_id(self) -> int | None:
        conversation_id: int | None = self.currentIndex().data(IdRole) if self.currentIndex().isValid() else None
        return conversation_id

    def _on_theme_changed(self) -> None:
        self.scheduleDelayedItemsLayout()
        self.viewport().update()
