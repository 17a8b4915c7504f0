"""What a search found, as a list: a row for each conversation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from app.base import search_text
from app.base.search_text import Snippet
from app.base.wording import phrase
from app.chat.message_index import Hit
from app.uikit.localization import format_date, format_day, join_facts
from app.uikit.widgets.labels import plain_tooltip

Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Result:
    """A hit with the words that are shown of it; `line` is empty where only the title was found."""

    hit: Hit
    title: Snippet
    line: Snippet
    date: str
    kind: str  # question or answer, in the language of the window
    more: str  # how many other messages there are


class ResultList(QAbstractListModel):
    """The words of a row are made when it is first shown: there may be hundreds, of thousands of characters each."""

    def __init__(self) -> None:
        super().__init__()
        self._hits: Sequence[Hit] = ()
        self._words: Sequence[str] = ()
        self._now = datetime.now()
        self._made: dict[int, Result] = {}

    def show_hits(self, hits: Sequence[Hit], query: str, now: datetime | None = None) -> None:
        self.beginResetModel()
        self._hits, self._words = hits, search_text.split_query(query)
        self._now = now or datetime.now()
        self._made.clear()
        self.endResetModel()

    def hit(self, index: Index) -> Hit | None:
        return self._hits[index.row()] if index.isValid() else None

    def result(self, row: int) -> Result:
        if row not in self._made:
            self._made[row] = self._make(self._hits[row])
        return self._made[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._hits)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._hits[index.row()].title
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(self._hits[index.row()].title)
            case Qt.ItemDataRole.AccessibleTextRole:
                result = self.result(index.row())
                return join_facts(result.hit.title, result.date, result.kind, result.line.text, result.more)
        return None

    def _make(self, hit: Hit) -> Result:
        imported = phrase("chat.imported_in_list") if hit.is_imported else ""
        title = Snippet(hit.title, tuple(search_text.find_occurrences(hit.title, self._words)))
        if hit.message_id is None:
            return Result(
                hit,
                title,
                Snippet("", ()),
                self._date(hit.at),
                join_facts(imported, phrase("chat.name_of_the_conversation")),
                "",
            )
        kind = (
            phrase("common.batch_column.question") if hit.role == "question" else phrase("common.batch_column.answer")
        )
        more = phrase("common.n_more", n=f"{hit.count - 1:,}") if hit.count > 1 else ""
        return Result(
            hit,
            title,
            search_text.make_snippet(hit.text, self._words),
            self._date(hit.at),
            join_facts(imported, kind),
            more,
        )

    def _date(self, at: float) -> str:
        when = datetime.fromtimestamp(at)
        if when.date() == self._now.date():
            return f"{when.hour}:{when.minute:02}"
        return format_day(when) if when.year == self._now.year else format_date(when)
