"""A list at the left of a page whose entries have names: F2 renames, Delete removes (which can be undone)."""

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.uikit.theme import Theme
from app.uikit.widgets import rows

# What a model of such a list gives beside its words.
EntryRole = Qt.ItemDataRole.UserRole + 1  # None: a heading
SaidRole = Qt.ItemDataRole.UserRole + 2  # the second line
SignRole = Qt.ItemDataRole.UserRole + 3  # an icon and its tone, before the second line; None: there is none

Index = QModelIndex | QPersistentModelIndex


class NamedList(QListView):
    rename_requested = Signal()
    remove_requested = Signal()
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(self, theme: Theme, model: QAbstractItemModel, name: str) -> None:
        """`name`: what screen readers say."""
        super().__init__()
        self.setModel(model)
        self.setItemDelegate(_Delegate(theme, self))
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


class _Delegate(QStyledItemDelegate):
    """The name above; what it is below, with a sign where it is not simply there."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        is_heading = index.data(EntryRole) is None
        return QSize(0, self._theme.px(28) if is_heading else self._theme.metric("row_conversation"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        area: QRect = option.rect.adjusted(4, 1, -4, -1)
        inside = area.adjusted(10, theme.px(4), -10, -theme.px(4))
        if index.data(EntryRole) is None:
            rows.draw_text(painter, theme, inside, index.data(), "caption", "muted")
        else:
            is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
            rows.draw_ground(painter, theme, area, is_chosen=is_chosen, option=option)
            above = QRect(inside.left(), inside.top(), inside.width(), theme.line_height("ui"))
            below = QRect(inside.left(), above.bottom() + 1, inside.width(), theme.line_height("caption"))
            rows.draw_text(painter, theme, above, index.data(), "ui", "text", weight=600 if is_chosen else 400)
            icon, tone = index.data(SignRole) or ("", "")
            if icon:
                size = theme.px(13)
                theme.icon(icon, tone, 13).paint(painter, QRect(below.left(), below.top(), size, below.height()))
                below.adjust(size + theme.px(5), 0, 0, 0)
            rows.draw_text(painter, theme, below, index.data(SaidRole), "caption", "text2" if is_chosen else "muted")
        painter.restore()
