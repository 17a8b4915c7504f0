"""A list at the left of a page whose entries have names: F2 renames, Delete removes (which can be undone)."""

from PySide6.QtCore import QAbstractItemModel, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QListView

from app.ui.theme import Theme


class NamedList(QListView):
    rename_requested = Signal()
    remove_requested = Signal()
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(self, theme: Theme, model: QAbstractItemModel, name: str) -> None:
        """`name`: what screen readers say."""
        super().__init__()
        self.setModel(model)
        self.setAccessibleName(name)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        self.setMinimumHeight(theme.px(48))
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F2:
            self.rename_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By the mouse only on an entry that can be chosen."""
        if event.reason() != QContextMenuEvent.Reason.Keyboard:
            index = self.indexAt(event.pos())
            if not index.flags() & Qt.ItemFlag.ItemIsSelectable:
                return
            self.setCurrentIndex(index)
        self.menu_requested.emit(event.globalPos())
