"""The menus of the page 資料: of a collection, and of the documents that are chosen."""

import functools
from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QActionGroup, QKeySequence
from PySide6.QtWidgets import QMenu, QWidget

from app.base.confidentiality import LABELS
from app.base.wording import phrase
from app.documents.records import Collection
from app.uikit import localization
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import escape_mnemonic


class CollectionMenu(QMenu):
    """All of it: in a narrow window the header has no room for the other buttons."""

    files_requested = Signal()
    folder_requested = Signal()
    refresh_requested = Signal()
    read_all_requested = Signal()
    rename_requested = Signal()
    remove_requested = Signal()
    new_requested = Signal()
    sort_requested = Signal(int)  # column

    def __init__(self, theme: Theme, collection: Collection | None, titles: list[str], parent: QWidget) -> None:
        """`titles`: of the columns that the table can be sorted by."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        is_own = collection is not None and not collection.is_builtin
        if collection is None or is_own:
            self.addAction(theme.icon("file-text"), phrase("documents.add_files"), self.files_requested.emit)
            self.addAction(theme.icon("folder-plus"), phrase("documents.add_a_folder"), self.folder_requested.emit)
            self.addSeparator()
        if is_own:
            self.addAction(
                theme.icon("refresh-cw"), phrase("documents.take_in_changes_of_the"), self.refresh_requested.emit
            )
            self.addAction(phrase("documents.read_everything_again"), self.read_all_requested.emit)
        if collection is not None:
            self.sorting = self.addMenu(phrase("documents.sort_by"))
            for column, title in enumerate(titles):
                self.sorting.addAction(title, functools.partial(self.sort_requested.emit, column))
            self.addSeparator()
        self.addAction(theme.icon("plus"), phrase("documents.new_collection"), self.new_requested.emit)
        if is_own:
            rename = self.addAction(
                theme.icon("pencil"), phrase("documents.change_name_and_label"), self.rename_requested.emit
            )
            rename.setShortcut(QKeySequence(Qt.Key.Key_F2))
            remove = self.addAction(
                theme.icon("trash-2"), phrase("documents.delete_collection"), self.remove_requested.emit
            )
            remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))


class DocumentMenu(QMenu):
    open_requested = Signal()
    folder_requested = Signal()
    read_again_requested = Signal()
    remove_requested = Signal()

    def __init__(self, theme: Theme, count: int, parent: QWidget, *, can_remove: bool) -> None:
        """`count`: how many documents are chosen."""
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        if count == 1:
            self.addAction(theme.icon("external-link"), phrase("documents.open"), self.open_requested.emit)
            self.addAction(theme.icon("folder-open"), phrase("documents.show_in_folder"), self.folder_requested.emit)
            self.addSeparator()
        again = self.addAction(theme.icon("refresh-cw"), phrase("common.read_again"), self.read_again_requested.emit)
        again.setShortcut(QKeySequence(Qt.Key.Key_F5))
        if can_remove:
            self.addSeparator()
            remove = self.addAction(theme.icon("trash-2"), phrase("documents.remove"), self.remove_requested.emit)
            remove.setShortcut(QKeySequence(QKeySequence.StandardKey.Delete))


class ChoiceMenu(QMenu):
    """The collections, where their list has no room."""

    chosen = Signal(int)

    def __init__(self, collections: Sequence[Collection], current_id: int, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        for one in collections:
            action = self.addAction(escape_mnemonic(one.name), functools.partial(self.chosen.emit, one.id))
            action.setCheckable(True)
            action.setChecked(one.id == current_id)


class LabelMenu(QMenu):
    chosen = Signal(str)

    def __init__(self, current: str, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        group = QActionGroup(self)
        for key in LABELS:
            action = self.addAction(localization.label_name(key), functools.partial(self.chosen.emit, key))
            action.setCheckable(True)
            action.setChecked(key == current)
            group.addAction(action)
