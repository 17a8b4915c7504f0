"""The items of a curation as a list, all of them or those that a filter lets through."""

from bisect import bisect_left
from collections.abc import Container
from typing import Any, Literal

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from app.base.wording import phrase
from app.training.data import curation
from app.training.data.curation import Curation, Item, State
from app.training.ui.review import words
from app.uikit.localization import join_facts
from app.uikit.widgets.labels import plain_tooltip

Index = QModelIndex | QPersistentModelIndex
Filter = Literal["all", "undecided", "left_out", "decided"]

_DECIDED: tuple[State, ...] = ("accepted", "edited", "rejected")
FILTERS: dict[Filter, frozenset[State]] = {
    "all": frozenset(("used", "undecided", "left_out", *_DECIDED)),
    "undecided": frozenset(("used", "undecided")),
    "left_out": frozenset(("left_out",)),
    "decided": frozenset(_DECIDED),
}
_DUE: frozenset[State] = frozenset(("undecided", "left_out"))  # not trained on until somebody says so

ItemRole, StateRole, EditRole = (Qt.ItemDataRole.UserRole + number for number in range(3))


class ReviewItems(QAbstractListModel):
    """Numbers are those of the items. `edits`: of those with a change that is not kept yet."""

    def __init__(self) -> None:
        super().__init__()
        self._curation: Curation | None = None
        self._shown: list[int] = []
        self.filter: Filter = "all"
        self.total = 0  # items that somebody has to decide of, or has decided of
        self.edits: Container[int] = ()

    # ------------------------------------------------------------------- filled

    def show_curation(self, found: Curation | None, wanted: Filter) -> None:
        self.beginResetModel()
        self._curation, self.filter = found, wanted
        items = found.items if found is not None else ()
        self.total = sum(curation.standing(item) in _DUE for item in items)
        states = FILTERS[wanted]
        self._shown = [item.number for item in items if wanted == "all" or self.state_of(item) in states]
        self.endResetModel()

    def refresh(self, number: int) -> None:
        """After it was decided, or the decision was taken back: it may come into the list, or go."""
        row = bisect_left(self._shown, number)
        is_shown = row < len(self._shown) and self._shown[row] == number
        fits = self.state_of(self.item(number)) in FILTERS[self.filter]
        if is_shown and not fits:
            self.beginRemoveRows(QModelIndex(), row, row)
            del self._shown[row]
            self.endRemoveRows()
        elif fits and not is_shown:
            self.beginInsertRows(QModelIndex(), row, row)
            self._shown.insert(row, number)
            self.endInsertRows()
        elif is_shown:
            self.touch(number)

    def touch(self, number: int) -> None:
        """Something that is shown of it has changed."""
        index = self.index_of(number)
        if index.isValid():
            self.dataChanged.emit(index, index)

    # -------------------------------------------------------------------- asked

    def item(self, number: int) -> Item:
        assert self._curation is not None
        return self._curation.items[number - 1]

    def state_of(self, item: Item) -> State:
        assert self._curation is not None
        return self._curation.state_of(item)

    @property
    def left(self) -> int:
        return sum(self._curation.counts[state] for state in _DUE) if self._curation is not None else 0

    def count(self, wanted: Filter) -> int:
        return sum(self._curation.counts[state] for state in FILTERS[wanted]) if self._curation is not None else 0

    def index_of(self, number: int) -> QModelIndex:
        """Not valid where it is not shown."""
        row = bisect_left(self._shown, number)
        return self.index(row) if row < len(self._shown) and self._shown[row] == number else QModelIndex()

    def first(self) -> int:
        """The first that somebody has to decide of, else the first of all; 0: nothing is shown."""
        wanted = (number for number in self._shown if self.state_of(self.item(number)) in _DUE)
        return next(wanted, self._shown[0] if self._shown else 0)

    def following(self, number: int) -> int:
        """Where one goes on after a decision of this one: the next undecided one, from the beginning after the last.

        Rows that are used as they are do not stand in the way of those that wait, nor the other way round. The same
        number where none is left.
        """
        wanted = _DUE if curation.standing(self.item(number)) in _DUE else FILTERS["undecided"]
        at = bisect_left(self._shown, number)
        around = (*range(at + 1, len(self._shown)), *range(at))
        rows = (self._shown[row] for row in around if self._shown[row] != number)
        return next((other for other in rows if self.state_of(self.item(other)) in wanted), number)

    def nearest(self, number: int) -> int:
        """Of those that are shown; 0: there is none."""
        row = min(bisect_left(self._shown, number), len(self._shown) - 1)
        return self._shown[row] if row >= 0 else 0

    # --------------------------------------------------------------- what Qt asks

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._shown)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if not index.isValid() or self._curation is None:
            return None
        item = self.item(self._shown[index.row()])
        if role == ItemRole:
            return item
        if role == StateRole:
            return self.state_of(item)
        if role == EditRole:
            return item.number in self.edits
        question = words.one_line(self._curation.row_of(item).question)
        if role == Qt.ItemDataRole.DisplayRole:
            return question
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(question)
        if role == Qt.ItemDataRole.AccessibleTextRole:
            edit = phrase("training.being_edited") if item.number in self.edits else ""
            return join_facts(words.state(self.state_of(item)), edit, question, words.source(item))
        return None
