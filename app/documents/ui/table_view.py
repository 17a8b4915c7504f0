"""The table of documents as it is used: by row, with keyboard, mouse and menu."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTreeView, QWidget

from app.base.wording import phrase
from app.documents.records import Document
from app.documents.ui import words
from app.documents.ui.table import NAME, PAGES, PROBLEMS, SECTIONS, STATE, DocumentRole, ShownDocuments, StateRole
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

WIDTHS_PX = {STATE: 150, PAGES: 72, SECTIONS: 72, PROBLEMS: 64}
# Where the table is narrower, these columns are left out; the report has what they say.
LEAST_PX = {PAGES: 520, SECTIONS: 520, PROBLEMS: 380}
SIDE_PX = 10

Index = QModelIndex | QPersistentModelIndex


class DocumentDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.metric("row_list"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme, area, column = self._theme, QRect(option.rect), index.column()
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_chosen:
            painter.fillRect(area, theme.color("accent_soft"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.color("raised"))
        inside = area.adjusted(SIDE_PX, 0, -SIDE_PX, 0)
        icon, tone = words.STATES[index.data(StateRole)]
        if column == STATE:
            if is_chosen:
                painter.fillRect(QRect(area.left(), area.top(), list_rows.BAR_PX, area.height()), theme.color("accent"))
            size = theme.px(14)
            theme.icon(icon, tone, 14).paint(painter, QRect(inside.left(), inside.top(), size, inside.height()))
            inside.setLeft(inside.left() + size + theme.px(6))
            list_rows.draw_text(painter, theme, inside, index.data(), "ui", "text" if tone == "success" else tone)
        elif column == NAME:
            list_rows.draw_text(painter, theme, inside, index.data(), "ui", "text")
        else:
            is_warning = column == PROBLEMS and index.data() not in ("0", "–")
            tone = "warning" if is_warning else "text2"
            width = QFontMetrics(theme.font("ui")).horizontalAdvance(index.data()) + 1
            inside.setLeft(max(inside.left(), inside.right() - width + 1))
            list_rows.draw_text(painter, theme, inside, index.data(), "ui", tone)
        self._draw_ring(painter, option, area, index)
        painter.restore()

    def _draw_ring(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, index: Index) -> None:
        """Where the keyboard is, along the whole row."""
        view = self.parent()
        assert isinstance(view, DocumentView)
        is_keyboard = view.hasFocus() and bool(option.state & QStyle.StateFlag.State_KeyboardFocusChange)
        if is_keyboard and index.row() == view.currentIndex().row():
            color = self._theme.color("accent")
            painter.fillRect(QRect(area.left(), area.top(), area.width(), 2), color)
            painter.fillRect(QRect(area.left(), area.bottom() - 1, area.width(), 2), color)


class DocumentView(QTreeView):
    """Up and down move, Enter shows the report where it is not in sight, Delete takes out (which can be undone)."""

    report_requested = Signal()
    remove_requested = Signal()
    read_again_requested = Signal()
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(self, theme: Theme, shown: ShownDocuments) -> None:
        super().__init__()
        self._theme = theme
        self._shown = shown
        self.setModel(shown)
        self.setItemDelegate(DocumentDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(phrase("documents.list_of_documents"))
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(QTreeView.SelectionMode.ExtendedSelection)
        self.setVerticalScrollMode(QTreeView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        self.setMinimumHeight(theme.px(64))
        self._set_up_header()
        self.setSortingEnabled(True)
        self.clicked.connect(lambda: self.report_requested.emit())
        theme.changed.connect(self._resize_columns)

    def chosen(self) -> list[Document]:
        """From top to bottom."""
        indexes = sorted(self.selectionModel().selectedRows(NAME), key=QModelIndex.row)
        return [index.data(DocumentRole) for index in indexes]

    def choose(self, document_ids: set[int]) -> None:
        """Those of them that are shown; the keyboard is at the first."""
        flags = self.selectionModel().SelectionFlag
        indexes = [self._shown.index(row, NAME) for row in range(self._shown.rowCount())]
        wanted = [index for index in indexes if index.data(DocumentRole).id in document_ids]
        self.selectionModel().clear()
        for index in wanted:
            self.selectionModel().select(index, flags.Select | flags.Rows)
        if wanted:
            self.selectionModel().setCurrentIndex(wanted[0], flags.NoUpdate)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.report_requested.emit()
        elif event.key() == Qt.Key.Key_F5:
            self.read_again_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        place = event.globalPos()
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.viewport().mapToGlobal(self.visualRect(self.currentIndex()).bottomLeft())
        else:
            index = self.indexAt(event.pos())
            if not index.isValid():
                return
            if not self.selectionModel().isSelected(index):
                self.setCurrentIndex(index)
        self.menu_requested.emit(place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resize_columns()

    def _set_up_header(self) -> None:
        header = self.header()
        header.setAccessibleName(phrase("common.column_headings"))
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setMinimumSectionSize(1)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header.setSectionResizeMode(NAME, QHeaderView.ResizeMode.Stretch)
        header.setSortIndicator(NAME, Qt.SortOrder.AscendingOrder)
        header.sortIndicatorChanged.connect(lambda _column, _order: self._resize_columns())  # its arrow takes room

    def _resize_columns(self) -> None:
        for column, width in WIDTHS_PX.items():
            is_hidden = self.width() < self._theme.px(LEAST_PX.get(column, 0))
            self.setColumnHidden(column, is_hidden)
            self.header().resizeSection(column, max(self._theme.px(width), self.header().sectionSizeHint(column)))
