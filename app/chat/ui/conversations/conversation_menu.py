"""The menus of the conversation list: of one conversation, of several, and of a folder."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.chat.records import Conversation, Folder
from app.uikit.theme import Theme
from app.uikit.words import literal


class ConversationMenu(QMenu):
    """What can be done with these conversations, with the keys that do it in the list."""

    rename_requested = Signal()
    pin_requested = Signal(bool)
    move_requested = Signal(object)  # the id of a folder; None: out of any
    folder_requested = Signal()  # a new one for them
    export_requested = Signal()
    bin_requested = Signal()

    def __init__(
        self, theme: Theme, conversations: Sequence[Conversation], folders: Sequence[Folder], parent: QWidget
    ) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._theme = theme
        self._conversations = conversations
        self._build(folders)

    def _build(self, folders: Sequence[Folder]) -> None:
        theme = self._theme
        if len(self._conversations) == 1:
            rename = self.addAction(theme.icon("pencil"), self.tr("名前を変更"), self.rename_requested.emit)
            rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        is_pinned = all(conversation.pinned_at is not None for conversation in self._conversations)
        words = self.tr("ピン留めを外す") if is_pinned else self.tr("ピン留めする")
        pin = self.addAction(theme.icon("pin-off" if is_pinned else "pin"), words)
        pin.triggered.connect(lambda: self.pin_requested.emit(not is_pinned))
        self._add_folders(folders)
        self.addAction(theme.icon("file-up"), self.tr("書き出す…"), self.export_requested.emit)
        self.addSeparator()
        move = self.addAction(theme.icon("trash-2"), self.tr("ごみ箱に移す"), self.bin_requested.emit)
        move.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))

    def _add_folders(self, folders: Sequence[Folder]) -> None:
        inside = {conversation.folder_id for conversation in self._conversations}
        self.folders = self.addMenu(self._theme.icon("folder-input"), self.tr("フォルダに移す"))
        for folder in folders:
            action = self.folders.addAction(literal(folder.name))
            action.setCheckable(True)
            action.setChecked(inside == {folder.id})
            action.triggered.connect(lambda _=False, folder_id=folder.id: self.move_requested.emit(folder_id))
        if folders:
            self.folders.addSeparator()
        self.folders.addAction(self._theme.icon("folder-plus"), self.tr("新しいフォルダ…"), self.folder_requested.emit)
        if inside != {None}:
            self.folders.addAction(self.tr("フォルダから出す"), lambda: self.move_requested.emit(None))


class FolderMenu(QMenu):
    """What can be done with a folder."""

    rename_requested = Signal()
    new_requested = Signal()
    removal_requested = Signal()

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        rename: QAction = self.addAction(theme.icon("pencil"), self.tr("名前を変更"), self.rename_requested.emit)
        rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
        self.addAction(theme.icon("plus"), self.tr("このフォルダで新しい質問"), self.new_requested.emit)
        self.addSeparator()
        words = self.tr("フォルダを削除（会話は残ります）")
        self.addAction(theme.icon("trash-2"), words, self.removal_requested.emit)
