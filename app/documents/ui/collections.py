"""The list of collections: name, label and how many documents; and what troubles them."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Qt
from PySide6.QtGui import QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.base.wording import phrase
from app.documents.records import Collection
from app.documents.ui import words
from app.uikit import confidentiality_guard, localization
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import NamedList

IdRole = Qt.ItemDataRole.UserRole + 1
CollectionRole = Qt.ItemDataRole.UserRole + 2

Index = QModelIndex | QPersistentModelIndex


class CollectionList(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._collections: Sequence[Collection] = ()

    def set_collections(self, collections: Sequence[Collection]) -> None:
        """Resets only where others are there than before: a view keeps what is chosen."""
        if [one.id for one in collections] == [one.id for one in self._collections]:
            self._collections = collections
            self.dataChanged.emit(self.index(0), self.index(len(collections) - 1))
        else:
            self.beginResetModel()
            self._collections = collections
            self.endResetModel()

    def index_of(self, collection_id: int) -> QModelIndex:
        row = next((row for row, one in enumerate(self._collections) if one.id == collection_id), -1)
        return self.index(row) if row >= 0 else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._collections)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        one = self._collections[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return one.name
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(join_facts(one.name, localization.label_name(one.label)))
            case Qt.ItemDataRole.AccessibleTextRole:
                return join_facts(one.name, localization.label_name(one.label), self._said(one))
            case _ if role == IdRole:
                return one.id
            case _ if role == CollectionRole:
                return one
        return None

    def _said(self, one: Collection) -> str:
        parts = [phrase("common.n_items", n=f"{one.documents:,}")]
        if one.unfinished:
            parts.append(phrase("documents.n_waiting_to_be_read", n=f"{one.unfinished:,}"))
        if one.troubled:
            parts.append(phrase("documents.n_need_attention", n=f"{one.troubled:,}"))
        return join_facts(*parts)


class CollectionDelegate(QStyledItemDelegate):
    """Name and number of documents above, the label below; a sign where something is to be looked at."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.metric("row_conversation"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        one: Collection = index.data(CollectionRole)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        area: QRect = option.rect.adjusted(4, 1, -4, -1)
        list_rows.draw_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        inside = area.adjusted(10, theme.px(4), -10, -theme.px(4))
        above = QRect(inside.left(), inside.top(), inside.width(), theme.line_height("ui"))
        below = QRect(inside.left(), above.bottom() + 1, inside.width(), theme.line_height("caption"))
        tone = "text2" if is_chosen else "muted"
        count = f"{one.documents:,}"
        width = QFontMetrics(theme.font("caption")).horizontalAdvance(count) + 1
        list_rows.draw_text(
            painter, theme, QRect(above.right() - width, above.top(), width, above.height()), count, "caption", tone
        )
        name = above.adjusted(0, 0, -(width + theme.px(8)), 0)
        list_rows.draw_text(painter, theme, name, one.name, "ui", "text", weight=600 if is_chosen else 400)
        taken = confidentiality_guard.draw_label(painter, theme, below, one.label, tone)
        self._draw_sign(painter, one, below.adjusted(taken + theme.px(8), 0, 0, 0))
        painter.restore()

    def _draw_sign(self, painter: QPainter, one: Collection, area: QRect) -> None:
        sign = "waiting" if one.unfinished else "doubtful" if one.troubled else ""
        if sign:
            list_rows.draw_sign(painter, self._theme, area, *words.STATES[sign], f"{one.unfinished or one.troubled:,}")


class CollectionView(NamedList):
    def __init__(self, theme: Theme, model: CollectionList) -> None:
        super().__init__(theme, model, phrase("documents.list_of_collections"))
        self.setItemDelegate(CollectionDelegate(theme, self))
