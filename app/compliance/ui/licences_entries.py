"""The parts of Kotae as a list, and those of them that a few letters are found in."""

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from app.compliance.components import Component
from app.compliance.ui import licences_words as words
from app.uikit.language import joined
from app.uikit.widgets.labels import tip
from app.uikit.widgets.named_list import EntryRole, SaidRole

Index = QModelIndex | QPersistentModelIndex


class ComponentList(QAbstractListModel):
    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._components: Sequence[Component] = ()

    def set_components(self, components: Sequence[Component]) -> None:
        self.beginResetModel()
        self._components = components
        self.endResetModel()

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._components)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        component = self._components[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return component.name
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return joined(component.name, words.summary(component))
        if role == Qt.ItemDataRole.ToolTipRole:
            return tip(joined(component.name, words.summary(component)))
        if role == SaidRole:
            return words.summary(component)
        return component if role == EntryRole else None


class Found(QSortFilterProxyModel):
    """Those whose name, kind, version or licence holds every word that is looked for."""

    def __init__(self, components: ComponentList, parent: QObject) -> None:
        super().__init__(parent)
        self._words: list[str] = []
        self.setSourceModel(components)

    def look_for(self, query: str) -> None:
        self.beginFilterChange()
        self._words = query.casefold().split()
        self.endFilterChange(QSortFilterProxyModel.Direction.Rows)

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:
        source = self.sourceModel()
        said = source.data(source.index(row, 0, parent), Qt.ItemDataRole.AccessibleTextRole).casefold()
        return all(word in said for word in self._words)
