"""Show the list of collections, and the documents of one as a table to sort and filter."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    QSortFilterProxyModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QFontMetrics, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import QStyle, QStyleOptionViewItem

from app.base.wording import describe_error, phrase
from app.documents.records import Document, DocumentCollection
from app.documents.services.reading_queue import QueueStatus
from app.documents.ui import status_rows
from app.uikit import confidentiality_guard
from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import EntryListModel, EntryRole, EntryRow, NamedList, ThemedDelegate
from app.uikit.widgets.tables import ColumnDelegate, ColumnTable

STATE, NAME, PAGES, SECTIONS, PROBLEMS = range(5)
DocumentRole = Qt.ItemDataRole.UserRole + 1
StateRole = Qt.ItemDataRole.UserRole + 2  # the state of a document, which the queue reports before the database has it

Index = QModelIndex | QPersistentModelIndex


def collection_row(collection: DocumentCollection) -> EntryRow:
    """Return the row of a collection in the list; `CollectionDelegate` paints it."""
    label, facts = phrase(f"common.label.{collection.label}"), [phrase("common.n_items", n=f"{collection.documents:,}")]
    if collection.unfinished:
        facts.append(phrase("documents.n_waiting_to_be_read", n=f"{collection.unfinished:,}"))
    if collection.troubled:
        facts.append(phrase("documents.n_need_attention", n=f"{collection.troubled:,}"))
    return EntryRow(collection.name, collection.id, collection, join_facts(label, *facts), label)


class CollectionDelegate(ThemedDelegate):
    """A delegate that paints a collection: name and number above, label and warning below."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.metric("row_conversation"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        collection: DocumentCollection = index.data(EntryRole)
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        area: QRect = option.rect.adjusted(4, 1, -4, -1)
        list_rows.draw_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        inside = area.adjusted(10, theme.px(4), -10, -theme.px(4))
        above = QRect(inside.left(), inside.top(), inside.width(), theme.line_height("ui"))
        below = QRect(inside.left(), above.bottom() + 1, inside.width(), theme.line_height("caption"))
        tone = "text2" if is_chosen else "muted"
        count = f"{collection.documents:,}"
        width = QFontMetrics(theme.font("caption")).horizontalAdvance(count) + 1
        list_rows.draw_text(
            painter, theme, QRect(above.right() - width, above.top(), width, above.height()), count, "caption", tone
        )
        name = above.adjusted(0, 0, -(width + theme.px(8)), 0)
        list_rows.draw_text(painter, theme, name, collection.name, "ui", "text", weight=600 if is_chosen else 400)
        taken = confidentiality_guard.draw_label(painter, theme, below, collection.label, tone)
        self._draw_sign(painter, collection, below.adjusted(taken + theme.px(8), 0, 0, 0))
        painter.restore()

    def _draw_sign(self, painter: QPainter, collection: DocumentCollection, area: QRect) -> None:
        sign = "waiting" if collection.unfinished else "doubtful" if collection.troubled else ""
        if sign:
            list_rows.draw_sign(
                painter,
                self._theme,
                area,
                *status_rows.STATES[sign],
                f"{collection.unfinished or collection.troubled:,}",
            )


class CollectionView(NamedList):
    def __init__(self, theme: Theme, model: EntryListModel) -> None:
        super().__init__(theme, model, phrase("documents.list_of_collections"))
        self.setItemDelegate(CollectionDelegate(theme, self))


class DocumentTable(QAbstractTableModel):
    """A table model of documents: state, name, pages, sections, problems."""

    def __init__(self) -> None:
        super().__init__()
        self._given: Sequence[Document] = ()  # in the order in which documents that sort alike stay
        self._documents: Sequence[Document] = ()  # sorted
        self._order = (NAME, Qt.SortOrder.AscendingOrder)
        self._status = QueueStatus()

    def set_documents(self, documents: Sequence[Document]) -> None:
        """Set the documents, without a reset, which loses selection and place, if their ids are the same."""
        self._given, documents = documents, self._sorted(documents)
        if {one.id for one in documents} != {one.id for one in self._documents}:
            self.beginResetModel()
            self._documents = documents
            self.endResetModel()
            return
        self._arrange([one.id for one in documents])
        before, self._documents = self._documents, documents
        for row, (old, new) in enumerate(zip(before, documents, strict=True)):
            if old != new:
                self._emit_changed(row)

    def show_status(self, status: QueueStatus) -> None:
        """Show the progress of the document that is being read."""
        before, self._status = self._status, status
        for row, document in enumerate(self._documents):
            if document.id in (before.document_id, status.document_id):
                self._emit_changed(row)

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort here and not in the proxy, which asks Python for both documents of each comparison."""
        self._order = (column, order)
        self._arrange([one.id for one in self._sorted(self._given)])

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
                failure = document.failure if index.column() == STATE else None
                return plain_tooltip(str(describe_error(failure)) if failure else document.path)
            case Qt.ItemDataRole.AccessibleTextRole:
                return (
                    self._accessible_facts(document)
                    if index.column() == STATE
                    else self._cell(document, index.column())
                )
            case _ if role == DocumentRole:
                return document
            case _ if role == StateRole:
                return "reading" if document.id == self._status.document_id else document.state
        return None

    def _emit_changed(self, row: int) -> None:
        self.dataChanged.emit(self.index(row, STATE), self.index(row, PROBLEMS))

    def _state(self, document: Document) -> str:
        if document.id == self._status.document_id:
            return status_rows.reading_text(self._status.done, self._status.total)
        return status_rows.state_text(document)

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
        return f"{status_rows.count_problems(document):,}" if is_read or document.state == "failed" else "–"

    def _accessible_facts(self, document: Document) -> str:
        cells = [self._cell(document, column) for column in range(5)]
        numbers = [f"{title} {cell}" for title, cell in zip(self.titles()[2:], cells[2:], strict=True) if cell != "–"]
        return join_facts(cells[0], cells[1], *numbers)

    def _sorted(self, documents: Sequence[Document]) -> list[Document]:
        column, order = self._order
        keys: dict[int, Callable[[Document], Any]] = {
            STATE: lambda one: status_rows.RANKS[one.state],
            NAME: lambda one: folded(one.name),
            PAGES: lambda one: one.report.pages,
            SECTIONS: lambda one: one.report.sections,
            PROBLEMS: status_rows.count_problems,
        }
        return sorted(documents, key=keys[column], reverse=order == Qt.SortOrder.DescendingOrder)

    def _arrange(self, ids: list[int]) -> None:
        """Put the same documents in another order; views keep their selection."""
        before = [one.id for one in self._documents]
        if ids == before:
            return
        self.layoutAboutToBeChanged.emit()
        rows = {document_id: row for row, document_id in enumerate(ids)}
        known = self.persistentIndexList()
        moved = [self.index(rows[before[index.row()]], index.column()) for index in known]
        self._documents = sorted(self._documents, key=lambda one: rows[one.id])
        self.changePersistentIndexList(known, moved)
        self.layoutChanged.emit()


class ShownDocuments(QSortFilterProxyModel):
    """A proxy model with the user's filter; a shown name contains all words of the filter. The table sorts itself."""

    def __init__(self, table: DocumentTable) -> None:
        super().__init__()
        self._words: list[str] = []
        self.table = table
        self.setSourceModel(table)

    def set_words(self, text: str) -> None:
        self._words = folded(text).split()
        self.invalidate()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        self.table.sort(column, order)

    def documents(self) -> list[Document]:
        """Return the shown documents from top to bottom, without Qt, which asks the table twice for each row."""
        return [one for row in range(self.table.rowCount()) if self._is_shown(one := self.table.document(row))]

    def filterAcceptsRow(self, row: int, parent: Index) -> bool:  # noqa: ARG002 (Qt passes it)
        return self._is_shown(self.table.document(row))

    def _is_shown(self, document: Document) -> bool:
        name = folded(document.name) if self._words else ""
        return all(word in name for word in self._words)


def folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


WIDTHS_PX = {STATE: 150, PAGES: 72, SECTIONS: 72, PROBLEMS: 64}
# A narrower table hides these columns, which the report also shows.
LEAST_PX = {PAGES: 520, SECTIONS: 520, PROBLEMS: 380}


class DocumentDelegate(ColumnDelegate):
    def _draw_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        theme, column = self._theme, index.column()
        icon, tone = status_rows.STATES[index.data(StateRole)]
        if column == STATE:
            size = theme.px(14)
            theme.icon(icon, tone, 14).paint(painter, QRect(area.left(), area.top(), size, area.height()))
            area.setLeft(area.left() + size + theme.px(6))
            list_rows.draw_text(painter, theme, area, index.data(), "ui", "text" if tone == "success" else tone)
        elif column == NAME:
            list_rows.draw_text(painter, theme, area, index.data(), "ui", "text")
        else:
            is_warning = column == PROBLEMS and index.data() not in ("0", "–")
            tone = "warning" if is_warning else "text2"
            width = QFontMetrics(theme.font("ui")).horizontalAdvance(index.data()) + 1
            area.setLeft(max(area.left(), area.right() - width + 1))
            list_rows.draw_text(painter, theme, area, index.data(), "ui", tone)


class DocumentView(ColumnTable):
    """A table of documents. Enter shows the report, F5 reads again, Delete removes (which can be undone)."""

    report_requested = Signal()
    remove_requested = Signal()
    read_again_requested = Signal()

    def __init__(self, theme: Theme, documents: ShownDocuments) -> None:
        super().__init__(theme, documents, DocumentDelegate, phrase("documents.list_of_documents"), WIDTHS_PX, LEAST_PX)
        self._documents = documents
        self.setMinimumHeight(theme.px(64))
        self.header().setSortIndicator(NAME, Qt.SortOrder.AscendingOrder)
        self.header().sortIndicatorChanged.connect(lambda: self._resize_columns())  # the arrow needs space
        self.setSortingEnabled(True)
        self.clicked.connect(lambda: self.report_requested.emit())

    def selected_documents(self) -> list[Document]:
        """Return the selected documents from top to bottom."""
        shown = self._documents.documents()
        return [shown[row] for row in self.selected_rows()]

    def choose(self, document_ids: set[int]) -> None:
        """Select these documents, as far as they are shown, and move the keyboard focus to the first."""
        flags, shown = self.selectionModel().SelectionFlag, self._documents
        rows = [row for row, one in enumerate(shown.documents()) if one.id in document_ids]
        wanted = QItemSelection()
        for row in rows:
            wanted.select(shown.index(row, NAME), shown.index(row, NAME))
        self.selectionModel().select(wanted, flags.ClearAndSelect | flags.Rows)
        if rows:
            self.selectionModel().setCurrentIndex(shown.index(rows[0], NAME), flags.NoUpdate)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.report_requested.emit()
        elif event.key() == Qt.Key.Key_F5:
            self.read_again_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)
