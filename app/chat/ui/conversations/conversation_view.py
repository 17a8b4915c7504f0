"""Show the conversation list: keyboard, mouse, menus, dragging to folders, renaming in place.

The file is long, because the view, its delegate and its menus share the roles of the model and one selection.
"""

from collections.abc import Sequence

from PySide6.QtCore import QItemSelection, QItemSelectionModel, QModelIndex, QPoint, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QFontMetrics,
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
)
from PySide6.QtWidgets import QAbstractItemView, QLineEdit, QListView, QMenu, QStyle, QStyleOptionViewItem, QWidget

from app.base import confidentiality
from app.base.wording import phrase
from app.chat.ui.conversations.conversation_list import OUTSIDE, ConversationList, ListRow
from app.uikit import confidentiality_guard
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import escape_mnemonic, make_menu
from app.uikit.widgets.list_rows import Index, ThemedDelegate

INDENT_PX = 14  # px; of conversations below the heading of their folder


class ConversationDelegate(ThemedDelegate):
    """Paints the rows. The open conversation has a soft background, a bar and a bold title; selected ones a tick."""

    def __init__(self, theme: Theme, model: ConversationList, parent: QListView) -> None:
        super().__init__(theme, parent)
        self._model = model
        self.has_several = False  # whether several rows are selected
        self.target: int | None = None  # id of the folder that a drag is over; None: none
        self._sizes: list[QSize] = []  # of a conversation, a heading of days, a folder
        self.set_sizes()

    def set_sizes(self) -> bool:
        """Set the heights of the rows by the theme; return whether they are others."""
        before, theme = self._sizes, self._theme
        heights = theme.metric("row_conversation"), theme.px(32), theme.metric("row_list")
        self._sizes = [QSize(0, height) for height in heights]
        return self._sizes != before

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        row = self._model.row(index.row())  # faster than data(), which matters for thousands of rows
        return self._sizes[0 if row.conversation is not None else 1 if row.folder is None else 2]

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        row = self._model.row(index.row())
        area: QRect = option.rect.adjusted(8, 0, -8, 0)
        if row.conversation is not None:
            self._paint_conversation(painter, option, area, row)
        elif row.folder is not None:
            self._paint_folder(painter, option, area, row)
        else:
            area.adjust(10, self._theme.px(10), 0, 0)
            list_rows.draw_text(painter, self._theme, area, row.text, "caption", "muted")
        painter.restore()

    def createEditor(self, parent: QWidget, option: QStyleOptionViewItem, index: Index) -> QWidget:  # noqa: ARG002
        editor = QLineEdit(index.data(), parent)
        is_folder = self._model.row(index.row()).folder is not None
        editor.setAccessibleName(phrase("chat.name_of_the_folder" if is_folder else "chat.name_of_the_conversation"))
        return editor

    def setEditorData(self, editor: QWidget, index: Index) -> None:
        """Leave the field unchanged. Qt calls this at each change of a row, which would undo what the user is typing.

        `createEditor` sets the text, and the row gets no other text before renaming ends.
        """

    def updateEditorGeometry(self, editor: QWidget, option: QStyleOptionViewItem, index: Index) -> None:  # noqa: ARG002
        area: QRect = option.rect
        height = max(area.height() - 2, editor.minimumSizeHint().height())
        editor.setGeometry(8, area.center().y() - height // 2, area.width() - 16, height)

    def _paint_folder(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, row: ListRow) -> None:
        theme = self._theme
        if row.folder_id == self.target:
            list_rows.draw_soft_background(painter, theme, area)
        list_rows.draw_ground(painter, theme, area, is_chosen=self._model.is_open(row), option=option)
        size = theme.px(14)
        icon = theme.icon("chevron-right" if row.is_folded else "chevron-down", "text2", 14)
        icon.paint(painter, QRect(area.left() + 6, area.top(), size, area.height()))
        count = str(row.count)
        count_width = QFontMetrics(theme.font("caption")).horizontalAdvance(count)
        place = QRect(area.right() - 8 - count_width, area.top(), count_width + 1, area.height())
        list_rows.draw_text(painter, theme, place, count, "caption", "muted")
        words = area.adjusted(6 + size + theme.px(6), 0, -(count_width + 16), 0)
        list_rows.draw_text(painter, theme, words, row.text, "ui", "text2", weight=600)

    def _paint_conversation(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, row: ListRow) -> None:
        theme = self._theme
        is_open = self._model.is_open(row)
        is_ticked = self.has_several and bool(option.state & QStyle.StateFlag.State_Selected)
        if is_ticked:
            list_rows.draw_soft_background(painter, theme, area)
        list_rows.draw_ground(painter, theme, area, is_chosen=is_open and not self.has_several, option=option)
        indent = theme.px(INDENT_PX) if row.group == "folder" else 0
        text = area.adjusted(10 + indent, theme.px(4), -8, -theme.px(4))
        if is_ticked:
            text.setRight(_draw_icon(painter, theme, area.adjusted(0, 0, -8, 0), "check", "accent", 16))
        title = QRect(text.left(), text.top(), text.width(), theme.line_height("ui"))
        time = QRect(text.left(), title.bottom() + 1, text.width(), theme.line_height("caption"))
        if row.conversation is not None and row.conversation.pinned_at is not None:
            title.setRight(_draw_icon(painter, theme, title, "pin", "text2", 12))
        list_rows.draw_text(painter, theme, title, row.text, "ui", "text", weight=600 if is_open else 400)
        tone = "text2" if is_open or is_ticked else "muted"
        if draft := self._model.draft_mark(row):
            width = list_rows.draw_text(painter, theme, time, draft, "caption", "accent", weight=600)
            time.setLeft(time.left() + width + theme.px(8))
        self._paint_facts(painter, time, row, tone)

    def _paint_facts(self, painter: QPainter, area: QRect, row: ListRow, tone: str) -> None:
        time, label, folder = self._model.facts(row)
        if label != confidentiality.HIGHEST_LABEL:
            list_rows.draw_text(painter, self._theme, area, self._model.facts_text(row), "caption", tone)
            return
        gap = self._theme.px(8)
        area.setLeft(area.left() + list_rows.draw_text(painter, self._theme, area, time, "caption", tone) + gap)
        area.setLeft(area.left() + confidentiality_guard.draw_label(painter, self._theme, area, label, tone) + gap)
        list_rows.draw_text(painter, self._theme, area, folder, "caption", tone)


def _draw_icon(painter: QPainter, theme: Theme, area: QRect, name: str, token: str, size: int) -> int:
    """Draw an icon of `size` px at the right of `area`; return the x coordinate where the room to its left ends."""
    width = theme.px(size)
    theme.icon(name, token, size).paint(painter, QRect(area.right() - width, area.top(), width, area.height()))
    return area.right() - width - theme.px(6)


_SELECTING = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
_CURRENT = QItemSelectionModel.SelectionFlag.ClearAndSelect


class ConversationView(QListView):
    """The list with its keys: Up and Down move, Enter opens, F2 renames, Delete moves to the bin, Left and Right fold.

    Signals carry lists of ids, because an action applies to all selected conversations.
    """

    chosen = Signal(int)
    bin_requested = Signal(object)
    pin_requested = Signal(object, bool)
    move_requested = Signal(object, object)  # list of ids, id of a folder or None
    folder_requested = Signal(object)  # list of ids of the conversations to put into a new folder
    export_requested = Signal(object)
    new_in_folder_requested = Signal(int)
    folder_removal_requested = Signal(int)

    def __init__(self, theme: Theme, model: ConversationList) -> None:
        super().__init__()
        self._theme = theme
        self._model = model
        self._before_reset: tuple[list[int], int | None, int | None, int, int] = ([], None, None, -1, 0)
        self._build()
        self.clicked.connect(self._on_clicked)
        self.selectionModel().selectionChanged.connect(self._on_selection_changed)
        self._model.modelAboutToBeReset.connect(self._on_about_to_be_reset)
        self._model.modelReset.connect(self._on_reset)
        self._theme.changed.connect(self._on_theme_changed)

    # ------------------------------------------------------------------- chosen

    def chosen_ids(self) -> list[int]:
        """Return the ids of the selected conversations from top to bottom."""
        rows = [self._model.row(place) for place in sorted(index.row() for index in self.selectedIndexes())]
        return [row.id for row in rows if row.id is not None]

    def choose(self, ids: list[int], current: QModelIndex) -> None:
        """Select the conversations with these ids and make `current` the current row."""
        chosen = QItemSelection()
        for index in self._model.indexes_of(ids):
            chosen.select(index, index)
        self.selectionModel().select(chosen, _CURRENT)
        self.selectionModel().setCurrentIndex(current, QItemSelectionModel.SelectionFlag.NoUpdate)

    def choose_open(self) -> None:
        """Select only the conversation that is shown next to the list, or nothing if the list does not have it."""
        index = self._model.index_of(self._model.open_id)
        if self.is_editing:
            return
        if index.isValid():
            self.setCurrentIndex(index)
        else:
            self.clearSelection()

    # ----------------------------------------------------------------- renaming

    @property
    def is_editing(self) -> bool:
        return self.state() == QListView.State.EditingState

    def rename_current(self) -> None:
        row = self._current()
        if row.conversation is not None or row.folder is not None:
            self.edit(self.currentIndex())

    def edit_folder(self, folder_id: int) -> None:
        """Let the user type a new name for a folder."""
        index = self._model.index_of_folder(folder_id)
        if index.isValid():
            self.setCurrentIndex(index)
            self.edit(index)

    # -------------------------------------------------------------------- events

    def dataChanged(self, first: Index, last: Index, roles: Sequence[int] = ()) -> None:
        """Show changed rows, whose heights never change. QListView would measure every row of the list again."""
        QAbstractItemView.dataChanged(self, first, last, roles)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self.is_editing:
            event.ignore()  # Enter in the renaming field also arrives here, and must not open a conversation
        elif not self._on_key(event):
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            self._show_menu()
            return
        index = self.indexAt(event.pos())
        row = self._row_of(index)
        if row.folder is not None or (row.conversation is not None and not self.selectionModel().isSelected(index)):
            self.setCurrentIndex(index)
        elif row.conversation is not None:  # the menu is that of the selected ones, and not of a current folder
            self.selectionModel().setCurrentIndex(index, QItemSelectionModel.SelectionFlag.NoUpdate)
        if row.folder is not None or row.conversation is not None:
            self._show_menu(event.globalPos())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        super().dragEnterEvent(event)
        event.setAccepted(event.source() is self)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:
        super().dragMoveEvent(event)  # Qt scrolls at the edges
        folder_id = self._folder_at(event.position().toPoint()) if event.source() is self else None
        self._show_target(folder_id)
        event.setAccepted(folder_id is not None)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        super().dragLeaveEvent(event)
        self._show_target(None)

    def dropEvent(self, event: QDropEvent) -> None:
        folder_id = self._folder_at(event.position().toPoint()) if event.source() is self else None
        self._show_target(None)
        self.setState(QListView.State.NoState)
        event.setAccepted(folder_id is not None)
        if folder_id is not None:
            ids = self.chosen_ids()
            # The signal is emitted after the drag, because the move refills the list while Qt still uses the dragged
            # rows.
            QTimer.singleShot(0, self, lambda: self.move_requested.emit(ids, folder_id or None))

    # ------------------------------------------------------------------ building

    def _build(self) -> None:
        self._delegate = ConversationDelegate(self._theme, self._model, self)
        list_rows.set_up_list(self, self._model, self._delegate, phrase("chat.conversations"))
        self.setProperty("ground", "side")
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setDragDropMode(QListView.DragDropMode.DragDrop)
        self.setDefaultDropAction(Qt.DropAction.MoveAction)
        self.setDropIndicatorShown(False)

    def _on_theme_changed(self) -> None:
        if self._delegate.set_sizes():
            self.scheduleDelayedItemsLayout()
        self.viewport().update()

    # ----------------------------------------------------------- mouse, keyboard

    def _on_clicked(self, index: QModelIndex) -> None:
        row = self._row_of(index)
        if row.folder is not None:
            self._toggle(row)
        elif row.conversation is not None and not QGuiApplication.keyboardModifiers() & _SELECTING:
            self.chosen.emit(row.conversation.id)

    def _on_key(self, event: QKeyEvent) -> bool:
        """Handle a key and return whether the list uses it."""
        row, key = self._current(), event.key()
        if event.matches(QKeySequence.StandardKey.Delete) and event.isAutoRepeat():
            event.accept()  # a key held down must not empty the whole list
        elif event.matches(QKeySequence.StandardKey.Delete):
            if self.chosen_ids():
                self.bin_requested.emit(self.chosen_ids())
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and row.conversation is not None:
            self.chosen.emit(row.conversation.id)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space) and row.folder is not None:
            self._toggle(row)
        elif key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
            self._fold_or_leave(is_folded=key == Qt.Key.Key_Left)
        elif key == Qt.Key.Key_F2:
            self.rename_current()
        elif key == Qt.Key.Key_F10 and event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self._show_menu()
        elif key == Qt.Key.Key_Escape and self._delegate.has_several:
            self.choose_open()
        else:
            return False
        return True

    def _toggle(self, heading: ListRow) -> None:
        if heading.folder is not None:
            self._model.fold(heading.folder.id, is_folded=not heading.is_folded)

    def _fold_or_leave(self, *, is_folded: bool) -> None:
        """Fold or unfold the current folder. As in a tree, Left on a conversation moves to its folder's heading."""
        row = self._current()
        if row.folder is not None:
            self._model.fold(row.folder.id, is_folded=is_folded)
        elif is_folded and row.conversation and (folder_id := self._model.folder_around(self.currentIndex())):
            self.setCurrentIndex(self._model.index_of_folder(folder_id))

    def _on_selection_changed(self) -> None:
        self._delegate.has_several = len(self.selectionModel().selectedRows()) > 1
        self.viewport().update()

    def _current(self) -> ListRow:
        return self._row_of(self.currentIndex())

    def _row_of(self, index: QModelIndex) -> ListRow:
        """Return the row of an index; for an invalid index, a row without conversation and folder."""
        return self._model.row(index.row()) if index.isValid() else ListRow("", "")

    # --------------------------------------------------------------------- menus

    def menu(self) -> QMenu | None:
        """Return the menu of the current folder, or else of the selected conversations; None if neither exists."""
        folder_id, ids = self._current().folder_id, self.chosen_ids()
        if folder_id is None and not ids:
            return None
        menu = make_menu(self)
        if folder_id is not None:
            self._fill_folder_menu(menu, folder_id)
        else:
            self._fill_menu(menu, ids)
        return menu

    def _fill_menu(self, menu: QMenu, ids: list[int]) -> None:
        """Add the actions for the selected conversations, with the keys that do the same in the list."""
        theme, conversations = self._theme, self._model.conversations(ids)
        if len(conversations) == 1:
            rename = menu.addAction(theme.icon("pencil"), phrase("chat.rename"), self.rename_current)
            rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        is_pinned = all(conversation.pinned_at is not None for conversation in conversations)
        pin = menu.addAction(
            theme.icon("pin-off" if is_pinned else "pin"), phrase("chat.unpin" if is_pinned else "chat.pin")
        )
        pin.triggered.connect(lambda: self.pin_requested.emit(ids, not is_pinned))
        folders = menu.addMenu(theme.icon("folder-input"), phrase("chat.move_to_folder"))
        self._fill_folders(folders, ids, {conversation.folder_id for conversation in conversations})
        menu.addAction(theme.icon("file-up"), phrase("chat.export"), lambda: self.export_requested.emit(ids))
        menu.addSeparator()
        words = phrase("chat.move_to_the_bin")
        move = menu.addAction(theme.icon("trash-2"), words, lambda: self.bin_requested.emit(ids))
        move.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))

    def _fill_folders(self, menu: QMenu, ids: list[int], inside: set[int | None]) -> None:
        """Add the folders to move conversations to. `inside`: the ids of their folders now; None: no folder."""
        for folder in self._model.folders:
            action = menu.addAction(escape_mnemonic(folder.name))
            action.setCheckable(True)
            action.setChecked(inside == {folder.id})
            action.triggered.connect(lambda _=False, folder_id=folder.id: self.move_requested.emit(ids, folder_id))
        if self._model.folders:
            menu.addSeparator()
        words = phrase("chat.new_folder")
        menu.addAction(self._theme.icon("folder-plus"), words, lambda: self.folder_requested.emit(ids))
        if inside != {None}:
            menu.addAction(phrase("chat.take_out_of_the_folder"), lambda: self.move_requested.emit(ids, None))

    def _fill_folder_menu(self, menu: QMenu, folder_id: int) -> None:
        theme = self._theme
        rename = menu.addAction(theme.icon("pencil"), phrase("chat.rename"), self.rename_current)
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        words = phrase("chat.new_question_in_this_folder")
        menu.addAction(theme.icon("plus"), words, lambda: self.new_in_folder_requested.emit(folder_id))
        menu.addSeparator()
        words = phrase("chat.delete_the_folder_conversations_stay")
        menu.addAction(theme.icon("trash-2"), words, lambda: self.folder_removal_requested.emit(folder_id))

    def _show_menu(self, position: QPoint | None = None) -> None:
        """Show the menu at the global position `position`, or, if that is None, at the current row."""
        menu = self.menu()
        if menu is not None:
            row = self.visualRect(self.currentIndex())
            menu.popup(position or self.viewport().mapToGlobal(QPoint(row.left() + 24, row.center().y())))

    # ------------------------------------------------------------------ dragging

    def _folder_at(self, position: QPoint) -> int | None:
        """Return the id of the folder to which a drop at `position` moves the conversations, `OUTSIDE` for no folder,
        or None if they would not move.
        """
        index = self.indexAt(position)
        folder_id = self._model.folder_around(index) if index.isValid() else OUTSIDE
        dragged = {conversation.folder_id or OUTSIDE for conversation in self._model.conversations(self.chosen_ids())}
        return None if dragged == {folder_id} else folder_id

    def _show_target(self, folder_id: int | None) -> None:
        if self._delegate.target != folder_id:
            self._delegate.target = folder_id
            self.viewport().update()

    # ---------------------------------------------------------------------- reset

    def _on_about_to_be_reset(self) -> None:
        row, place = self._current(), self.currentIndex().row()
        self._before_reset = (self.chosen_ids(), row.id, row.folder_id, place, self.verticalScrollBar().value())

    def _on_reset(self) -> None:
        """Restore the selection and the scroll position if the list has the focus or several rows were selected.

        Otherwise select the open conversation.
        """
        ids, conversation_id, folder_id, row, scrolled = self._before_reset
        is_heading = folder_id is not None
        if row >= 0 and (self.window().focusWidget() is self or is_heading or len(ids) > 1):
            index = self._model.index_of_folder(folder_id) if is_heading else self._model.index_of(conversation_id)
            if index.isValid():
                self.choose(ids, index)
            else:
                self.setCurrentIndex(self._model.nearest(row))
        else:
            self.choose_open()
        self.verticalScrollBar().setValue(scrolled)
