"""What is in the bin, with how long it can still be brought back."""

import math
import time
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.wording import phrase
from app.chat.records import Conversation
from app.chat.shelf import BIN_DAYS
from app.chat.ui.conversations.conversation_list import IdRole
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip

LeftRole = Qt.ItemDataRole.UserRole + 20  # how long it is kept
TWO_LINES_BELOW_PX = 520

_DAY_S = 24 * 60 * 60

Index = QModelIndex | QPersistentModelIndex


class BinList(QAbstractListModel):
    """The last that was put there first."""

    def __init__(self) -> None:
        super().__init__()
        self._conversations: Sequence[Conversation] = ()
        self._now = 0.0

    def set_conversations(self, conversations: Sequence[Conversation], now: float | None = None) -> None:
        self.beginResetModel()
        self._conversations = conversations
        self._now = time.time() if now is None else now
        self.endResetModel()

    @property
    def ids(self) -> list[int]:
        return [conversation.id for conversation in self._conversations]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._conversations)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        conversation = self._conversations[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return conversation.title
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(conversation.title)
            case Qt.ItemDataRole.AccessibleTextRole:
                return join_facts(conversation.title, self._left(conversation))
            case _ if role == IdRole:
                return conversation.id
            case _ if role == LeftRole:
                return self._left(conversation)
        return None

    def _left(self, conversation: Conversation) -> str:
        days = math.ceil(BIN_DAYS - (self._now - (conversation.binned_at or 0)) / _DAY_S)
        left = phrase("chat.goes_soon")
        if days > 0:
            left = phrase("chat.days_left_n", n=min(days, BIN_DAYS))
        return left if conversation.imported_at is None else join_facts(phrase("chat.imported_in_list"), left)


class BinDelegate(QStyledItemDelegate):
    """The days that are left stand at the right, in a narrow page below the title. Chosen rows have a tick."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.px(52 if self._is_narrow() else 40))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        area: QRect = option.rect
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        size = theme.px(16)
        words = area.adjusted(14 + size + theme.px(10), theme.px(4), -14, -theme.px(4))
        if is_chosen:
            theme.icon("check", "accent").paint(painter, QRect(area.left() + 14, area.top(), size, area.height()))
        left = index.data(LeftRole)
        tone = "text2" if is_chosen else "muted"
        if self._is_narrow():
            title = QRect(words.left(), words.top(), words.width(), theme.line_height("ui"))
            below = QRect(words.left(), title.bottom() + 1, words.width(), theme.line_height("caption"))
        else:
            width = QFontMetrics(theme.font("caption")).horizontalAdvance(left) + 1
            below = QRect(words.right() - width, words.top(), width, words.height())
            title = words.adjusted(0, 0, -(width + theme.px(16)), 0)
        list_rows.draw_text(painter, theme, title, index.data(), "ui", "text")
        list_rows.draw_text(painter, theme, below, left, "caption", tone)
        painter.restore()

    def _is_narrow(self) -> bool:
        view = self.parent()
        return isinstance(view, QWidget) and view.width() < self._theme.px(TWO_LINES_BELOW_PX)


class BinView(QListView):
    """Enter brings back, Delete asks whether to erase: no key alone does that."""

    restore_requested = Signal()
    erasure_requested = Signal()

    def __init__(self, theme: Theme, model: BinList) -> None:
        super().__init__()
        self.setModel(model)
        self.setItemDelegate(BinDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(phrase("chat.conversations_in_the_bin"))
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QListView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def chosen_ids(self) -> list[int]:
        return [index.data(IdRole) for index in sorted(self.selectedIndexes(), key=QModelIndex.row)]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.restore_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.erasure_requested.emit()
        else:
            super().keyPressEvent(event)
