"""Show records in a table of columns, of which a narrow one hides some, with rows that are selected as a whole."""

from collections.abc import Mapping

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QRect, QSize, Signal
from PySide6.QtGui import QContextMenuEvent, QPainter, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QStyle, QStyleOptionViewItem, QTreeView

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.list_rows import ThemedDelegate

SIDE_PX = 10

Index = QModelIndex | QPersistentModelIndex


class ColumnDelegate(ThemedDelegate):
    """Draws the background and the keyboard focus of a row, cell by cell. A subclass draws what is in a cell."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        return QSize(0, self._theme.metric("row_list"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme, area = self._theme, QRect(option.rect)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.color("accent_soft"))
            if index.column() == 0:
                painter.fillRect(QRect(area.left(), area.top(), list_rows.BAR_PX, area.height()), theme.color("accent"))
        elif option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(area, theme.color("raised"))
        self._draw_cell(painter, area.adjusted(SIDE_PX, 0, -SIDE_PX, 0), index)
        is_keyboard = self._view.hasFocus() and bool(option.state & QStyle.StateFlag.State_KeyboardFocusChange)
        if is_keyboard and index.row() == self._view.currentIndex().row():
            for top in (area.top(), area.bottom() - 1):
                painter.fillRect(area.left(), top, area.width(), 2, theme.color("accent"))
        painter.restore()

    def _draw_cell(self, painter: QPainter, area: QRect, index: Index) -> None:
        raise NotImplementedError


class ColumnTable(QTreeView):
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(
        self,
        theme: Theme,
        rows: QAbstractItemModel,
        delegate: type[ColumnDelegate],
        name: str,
        widths_px: Mapping[int, int],
        least_px: Mapping[int, int],
    ) -> None:
        """Create the table. `name`: the accessible name.

        `widths_px`: of columns, at least; the others share the rest. `least_px`: a column is hidden in a table below
        this width.
        """
        super().__init__()
        self._theme, self._widths_px, self._least_px = theme, widths_px, least_px
        list_rows.set_up_list(self, rows, delegate(theme, self), name)
        self.setProperty("framed", True)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setSelectionMode(QTreeView.SelectionMode.ExtendedSelection)
        header = self.header()
        header.setAccessibleName(phrase("common.column_headings"))
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setMinimumSectionSize(1)
        for column in range(rows.columnCount()):
            is_fixed = column in widths_px
            header.setSectionResizeMode(
                column, QHeaderView.ResizeMode.Fixed if is_fixed else QHeaderView.ResizeMode.Stretch
            )
        theme.changed.connect(self._resize_columns)

    def selected_rows(self) -> list[int]:
        """Return the numbers of the selected rows from top to bottom."""
        ranges = self.selectionModel().selection().toList()
        return sorted({row for part in ranges for row in range(part.top(), part.bottom() + 1)})

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Request the menu of the selected rows, after selecting the row that was clicked."""
        if event.reason() == QContextMenuEvent.Reason.Keyboard:
            place = self.visualRect(self.currentIndex()).bottomLeft()
            self.menu_requested.emit(self.viewport().mapToGlobal(place))
        elif (index := self.indexAt(event.pos())).isValid():
            if not self.selectionModel().isSelected(index):
                self.setCurrentIndex(index)
            self.menu_requested.emit(event.globalPos())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._resize_columns()

    def _resize_columns(self) -> None:
        header = self.header()
        for column, least in self._least_px.items():
            self.setColumnHidden(column, self.width() < self._theme.px(least))
        for column, width in self._widths_px.items():
            header.resizeSection(column, max(self._theme.px(width), header.sectionSizeHint(column)))
