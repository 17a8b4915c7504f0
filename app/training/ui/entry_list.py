"""The list of trainings: those that are planned or go on above, those that are over below."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt

from app.base.wording import phrase
from app.training.runs.overview import Entry, Overview
from app.training.ui import words
from app.uikit.localization import format_day, join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole, NamedList, SignRole

Index = QModelIndex | QPersistentModelIndex
Key = tuple[str, str]  # kind, id


def key_of(entry: Entry) -> Key:
    return entry.kind, entry.id


@dataclass(frozen=True, slots=True)
class _Row:
    entry: Entry | None
    heading: str = ""


class EntryList(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[_Row] = []
        self._live: Mapping[Key, str] = {}  # what is said of one that goes on now

    def set_overview(self, shown: Overview) -> None:
        """Resets only where other entries are there than before: a view keeps what is chosen."""
        found = [
            *self._group(phrase("training.in_progress"), shown.in_progress),
            *self._group(phrase("training.history"), shown.history),
        ]
        is_same = [_place(row) for row in found] == [_place(row) for row in self._rows]
        if is_same:
            self._rows = found
            self.dataChanged.emit(self.index(0), self.index(len(found) - 1))
        else:
            self.beginResetModel()
            self._rows = found
            self.endResetModel()

    def say(self, live: Mapping[Key, str]) -> None:
        """How far those are that go on."""
        if live != self._live:
            self._live = live
            self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))

    def index_of(self, key: Key) -> QModelIndex:
        places = (place for place, row in enumerate(self._rows) if row.entry and key_of(row.entry) == key)
        place = next(places, -1)
        return self.index(place) if place >= 0 else QModelIndex()

    def entry(self, key: Key) -> Entry | None:
        found: Entry | None = self.index_of(key).data(EntryRole)
        return found

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_heading = self._rows[index.row()].entry is None
        return Qt.ItemFlag.NoItemFlags if is_heading else super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        entry = row.entry
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.heading if entry is None else words.entry_name(entry)
            case Qt.ItemDataRole.ToolTipRole if entry is not None:
                return plain_tooltip(join_facts(words.entry_name(entry), entry.base, entry.data, entry.note))
            case Qt.ItemDataRole.AccessibleTextRole if entry is not None:
                return join_facts(words.entry_name(entry), self._said(entry))
            case _ if role == EntryRole:
                return entry
            case _ if role == DescriptionRole and entry is not None:
                return self._said(entry)
            case _ if role == SignRole and entry is not None:
                return words.entry_sign(entry)
        return None

    def _said(self, entry: Entry) -> str:
        if entry.is_open:
            return self._live.get(key_of(entry)) or words.entry_state(entry)
        day = format_day(datetime.datetime.fromtimestamp(entry.when).astimezone().date())
        return join_facts(day, words.entry_state(entry))

    @staticmethod
    def _group(heading: str, entries: tuple[Entry, ...]) -> list[_Row]:
        return [_Row(None, heading), *map(_Row, entries)] if entries else []


def _place(row: _Row) -> Key | str:
    return key_of(row.entry) if row.entry else row.heading


class EntryView(NamedList):
    def __init__(self, theme: Theme, model: EntryList) -> None:
        super().__init__(theme, model, phrase("training.list_of_trainings"))

    @property
    def entry(self) -> Entry | None:
        found: Entry | None = self.currentIndex().data(EntryRole) if self.currentIndex().isValid() else None
        return found
