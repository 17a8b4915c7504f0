"""The list of the page 評価: question sets, and below them the studies, newest first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QContextMenuEvent, QKeyEvent

from app.base import confidentiality
from app.base.wording import phrase
from app.evaluation.question_sets import StoredQuestionSet
from app.evaluation.study.studies import StudyEntry
from app.evaluation.ui import study_texts
from app.uikit import confidentiality_guard
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import DescriptionRole, EntryRole, NamedList, SignRole

Index = QModelIndex | QPersistentModelIndex
ListedEntry = StoredQuestionSet | StudyEntry
Key = tuple[str, str]  # set | study, and the set's name or the study's id


def key_of(row: ListedEntry) -> Key:
    return ("set", row.name) if isinstance(row, StoredQuestionSet) else ("study", row.id)


@dataclass(frozen=True, slots=True)
class ListedEntries:
    """The entries that exist now."""

    sets: tuple[StoredQuestionSet, ...] = ()
    studies: tuple[StudyEntry, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sets or self.studies)

    def of(self, key: Key) -> ListedEntry | None:
        shown: list[ListedEntry] = [*self.sets, *self.studies]
        return next((one for one in shown if key_of(one) == key), None)


@dataclass(frozen=True, slots=True)
class _Row:
    shown: ListedEntry | None
    heading: str = ""

    @property
    def place(self) -> Key | str:
        return key_of(self.shown) if self.shown is not None else self.heading


class EvaluationList(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self._rows: list[_Row] = []
        self._live: Mapping[str, str] = {}  # progress of running studies, by id

    def set_listed(self, listed: ListedEntries) -> None:
        """Show the entries. The model is reset only if their order or number changed, so that a view keeps its
        selection.
        """
        found = [
            *_group(phrase("evaluation.question_set"), listed.sets),
            *_group(phrase("evaluation.results"), listed.studies),
        ]
        if [row.place for row in found] == [row.place for row in self._rows]:
            self._rows = found
            self._emit_changed()
        else:
            self.beginResetModel()
            self._rows = found
            self.endResetModel()

    def say(self, live: Mapping[str, str]) -> None:
        """Show the progress of running studies."""
        if live != self._live:
            self._live = live
            self._emit_changed()

    def index_of(self, key: Key) -> QModelIndex:
        place = next((place for place, row in enumerate(self._rows) if row.place == key), -1)
        return self.index(place) if place >= 0 else QModelIndex()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_heading = self._rows[index.row()].shown is None
        return Qt.ItemFlag.NoItemFlags if is_heading else super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        shown = row.shown
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return row.heading if shown is None else _name(shown)
            case Qt.ItemDataRole.ToolTipRole if shown is not None:
                return plain_tooltip(join_facts(_name(shown), _about(shown)))
            case Qt.ItemDataRole.AccessibleTextRole if shown is not None:
                return join_facts(_name(shown), self._description(shown))
            case _ if role == EntryRole:
                return shown
            case _ if role == DescriptionRole and shown is not None:
                return self._description(shown)
            case _ if (
                role == SignRole
                and isinstance(shown, StoredQuestionSet)
                and shown.label == confidentiality.HIGHEST_LABEL
            ):
                return confidentiality_guard.LABEL_LOOKS[shown.label]
            case _ if role == SignRole and isinstance(shown, StudyEntry):
                return study_texts.study_icon(shown, is_live=shown.id in self._live)
        return None

    def _description(self, shown: ListedEntry) -> str:
        if isinstance(shown, StoredQuestionSet):
            return study_texts.set_summary(shown)
        return study_texts.study_summary(shown, self._live.get(shown.id, ""))

    def _emit_changed(self) -> None:
        self.dataChanged.emit(self.index(0), self.index(len(self._rows) - 1))


def _group(heading: str, shown: Sequence[ListedEntry]) -> list[_Row]:
    return [_Row(None, heading), *map(_Row, shown)] if shown else []


def _name(shown: ListedEntry) -> str:
    return shown.name if isinstance(shown, StoredQuestionSet) else study_texts.study_name(shown)


def _about(shown: ListedEntry) -> str:
    """Return the source of a set, or the set that a study asks."""
    if isinstance(shown, StoredQuestionSet):
        return shown.newest.source if shown.versions else ""
    return shown.study.set_name if shown.study else ""


class EvaluationListView(NamedList):
    """The list; several entries can be selected to compare them, and the current one is shown."""

    def __init__(self, theme: Theme, model: EvaluationList) -> None:
        super().__init__(theme, model, phrase("evaluation.question_sets_and_results"))
        self.setSelectionMode(NamedList.SelectionMode.ExtendedSelection)

    @property
    def shown(self) -> ListedEntry | None:
        found: ListedEntry | None = self.currentIndex().data(EntryRole) if self.currentIndex().isValid() else None
        return found

    @property
    def chosen(self) -> list[ListedEntry]:
        """Return the selected entries from top to bottom."""
        found = sorted(self.selectedIndexes(), key=lambda index: index.row())
        return [index.data(EntryRole) for index in found]

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.currentIndex().isValid():
            self.activated.emit(self.currentIndex())  # macOS would do nothing
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Show the menu for the whole selection if one of several selected entries is clicked."""
        is_by_mouse = event.reason() != QContextMenuEvent.Reason.Keyboard
        if is_by_mouse and len(self.selectedIndexes()) > 1 and self.indexAt(event.pos()) in self.selectedIndexes():
            self.menu_requested.emit(event.globalPos())
        else:
            super().contextMenuEvent(event)
