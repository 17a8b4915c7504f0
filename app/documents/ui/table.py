"""The documents of a collection as a table: state, name, pages, sections and problems; sorted and filtered."""

import unicodedata
from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, QSortFilterProxyModel, Qt

from app.base.wording import phrase
from app.documents.records import Document
from app.documents.services.reading_queue import Standing
from app.documents.ui import words
from app.uikit.localization import join_facts
from app.uikit.widgets.labels import plain_tooltip

STATE, NAME, PAGES, SECTIONS, PROBLEMS = range(5)
DocumentRole = Qt.ItemDataRole.UserRole + 1
SortRole = Qt.ItemDataRole.UserRole + 2
StateRole = Qt.ItemDataRole.UserRole + 3  # as it is now: the queue is quicker than the database

Index = QModelIndex | QPersistentModelIndex


class DocumentTable(QAbstractTableModel):
    def __init__(self) -> None:
        super().__init__()
        self._documents: Sequence[Document] = ()
        self._standing = Standing()

    def set_documents(self, documents: Sequence[Document]) -> None:
        """Resets only where others are there than before: a view keeps what is chosen and how far it is scrolled."""
        if [one.id for one in documents] != [one.id for one in self._documents]:
            self.beginResetModel()
            self._documents = documents
            self.endResetModel()
            return
        before, self._documents = self._documents, documents
        for row, (old, new) in enumerate(zip(before, documents, strict=True)):
            if old != new:
                self._note(row)

    def show_standing(self, standing: Standing) -> None:
        """Of the queue: the row of the document that is being read shows how far it is."""
        before, self._standing = self._standing, standing
        for row, document in enumerate(self._documents):
            if document.id in (before.document_id, standing.document_id):
                self._note(row)

    def document(self, row: int) -> Document:
        return self._documents[row]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._documents)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else 5

    def headerData(
        self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole
    ) -> str | int | None:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self.titles()[section]
        if role == Qt.ItemDataRole.TextAlignmentRole:
            side = Qt.AlignmentFlag.AlignLeft if section < PAGES else Qt.AlignmentFlag.AlignRight
            return int(side | Qt.AlignmentFlag.AlignVCenter)
        return None

    def titles(self) -> list[str]:
        return [
            phrase("common.state"),
            phrase("documents.document"),
            phrase("documents.docs_report.pages"),
            phrase("documents.sections"),
            phrase("documents.problem"),
        ]

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        document = self._documents[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return self._cell(document, index.column())
            case Qt.ItemDataRole.ToolTipRole:
                error = words.error(document)
                return plain_tooltip(document.path if index.column() or error is None else str(error))
            case Qt.ItemDataRole.AccessibleTextRole:
                return self._said(document) if index.column() == STATE else self._cell(document, index.column())
            case _ if role == DocumentRole:
                return document
            case _ if role == StateRole:
                return "reading" if document.id == self._standing.document_id else document.state
            case _ if role == SortRole:
                return self._order(document, index.column())
        return None

    def _note(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, STATE), self.index(row, PROBLEMS))

    def _state(self, document: Document) -> str:
        if document.id == self._standing.document_id:
            return words.reading(self._standing.done, self._standing.total)
        return words.state(document)

    def _cell(self, document: Document, column: int) -> str:
        report, is_read = document.report, document.indexed_at > 0
        match column:
            case 0:
                return self._state(document)
            case 1:
                return document.name
            case 2:
                return f"{report.pages:,}" if report.pages else "–"
            case 3:
                return f"{report.sections:,}" if is_read else "–"
        return f"{words.problems(document):,}" if is_read or document.state == "failed" else "–"

    def _said(self, document: Document) -> str:
        cells = [self._cell(document, column) for column in range(5)]
        numbers = [f"{title} {cell}" for title, cell in zip(self.titles()[2:], cells[2:], strict=True) if cell != "–"]
        return join_facts(cells[0], cells[1], *numbers)

    def _order(self, document: Document, column: int) -> Any:
        report = document.report
        numbers = (words.RANKS[document.state], 0, report.pages, report.sections, words.problems(document))
        return folded(document.name) if column == NAME else numbers[column]


class ShownDocuments(QSortFilterProxyModel):
    """As the user has sorted them, and only those whose name holds all the words of the filter."""

    def __init__(self, table: DocumentTable) -> None:
        super().__init__()
        self._words: list[str] = []
        self.table = table
        self.setSourceModel(table)
        self.setSortRole(SortRole)
        self.setDynamicSortFilter(True)

    def set_words(self, text: str) -> None:
        self._words = folded(text).split()
        self.invalidate()

    def document(self, index: Index) -> Document | None:
        document: Document | None = index.data(DocumentRole)
        return document

    def row_of(self, document_id: int) -> QModelIndex:
        for row in range(self.rowCount()):
            index = self.index(row, NAME)
            if index.data(DocumentRole).id == document_id:
                return index
        return QModelIndex()

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:  # noqa: ARG002 (Qt passes it)
        name = folded(self.table.document(row).name)
        return all(word in name for word in self._words)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
