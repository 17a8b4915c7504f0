"""The stored conversations as a list with days, quick for thousands of them."""

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Signal

from app.core.records import Conversation
from app.ui.language import day_of_year, joined, month, month_and_year
from app.ui.widgets.labels import tip

IdRole = Qt.ItemDataRole.UserRole + 1
TimeRole = Qt.ItemDataRole.UserRole + 2
IsOpenRole = Qt.ItemDataRole.UserRole + 3

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation, or the heading of those below it (`conversation` is None)."""

    text: str
    time: str = ""
    conversation: Conversation | None = None


class ConversationList(QAbstractListModel):
    """Headings 今日, 昨日 and months; headings cannot be chosen. The filter looks into titles."""

    renamed = Signal(int, str)  # id, the new title

    def __init__(self) -> None:
        super().__init__()
        self._conversations: Sequence[Conversation] = ()
        self._filter = ""
        self._open_id: int | None = None
        self._rows: list[Row] = []

    def set_conversations(self, conversations: Sequence[Conversation], now: datetime | None = None) -> None:
        """`conversations`: the most recently used first."""
        self._conversations = conversations
        self._refill(now or datetime.now())

    def set_filter(self, text: str, now: datetime | None = None) -> None:
        self._filter = _folded(text)
        self._refill(now or datetime.now())

    def set_open(self, conversation_id: int | None) -> None:
        """The conversation that is shown beside the list; None: a new one."""
        if conversation_id == self._open_id:
            return
        self._open_id = conversation_id
        if self._rows:
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1), [IsOpenRole])

    def index_of(self, conversation_id: int | None) -> QModelIndex:
        """Invalid when it is not in the list."""
        for number, row in enumerate(self._rows):
            if row.conversation is not None and row.conversation.id == conversation_id:
                return self.index(number)
        return QModelIndex()

    def nearest(self, row: int) -> QModelIndex:
        """The conversation at this row, else the next below, else the last; invalid in an empty list."""
        places = [place for place, entry in enumerate(self._rows) if entry.conversation is not None]
        below = next((place for place in places if place >= row), places[-1] if places else -1)
        return self.index(below) if below >= 0 else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.EditRole:
                return row.text
            case Qt.ItemDataRole.ToolTipRole:
                return tip(row.text) if row.conversation else None
            case Qt.ItemDataRole.AccessibleTextRole:
                return joined(row.text, row.time)
            case _ if role == IdRole:
                return row.conversation.id if row.conversation else None
            case _ if role == TimeRole:
                return row.time
            case _ if role == IsOpenRole:
                return row.conversation is not None and row.conversation.id == self._open_id
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        """Passes a new title on; the row changes when the stored conversations come back."""
        title = str(value).strip()
        conversation = self._rows[index.row()].conversation
        if role != Qt.ItemDataRole.EditRole or conversation is None or title in ("", conversation.title):
            return False
        self.renamed.emit(conversation.id, title)
        return True

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self._rows[index.row()].conversation is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEditable

    def _refill(self, now: datetime) -> None:
        self.beginResetModel()
        self._rows = list(self._grouped(now))
        self.endResetModel()

    def _grouped(self, now: datetime) -> Iterator[Row]:
        heading = ""
        for conversation in self._conversations:
            if self._filter and self._filter not in _folded(conversation.title):
                continue
            when = datetime.fromtimestamp(conversation.updated_at)
            group, time = self._day(when, now)
            if group != heading:
                heading = group
                yield Row(group)
            yield Row(conversation.title, time, conversation)

    def _day(self, when: datetime, now: datetime) -> tuple[str, str]:
        """The heading a conversation stands under, and its own time."""
        clock = f"{when.hour}:{when.minute:02}"
        if when.date() >= now.date():
            return self.tr("今日"), clock
        if when.date() == now.date() - timedelta(days=1):
            return self.tr("昨日"), clock
        group = month(when) if when.year == now.year else month_and_year(when)
        return group, day_of_year(when)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()
