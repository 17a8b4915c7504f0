"""Show numbers, or records in columns of which a narrow table hides some, for keyboard, mouse and screen readers."""

from collections.abc import Mapping, Sequence
from typing import Any

from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractTableModel,
    QItemSelectionModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QPainter, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QHeaderView, QStyle, QStyleOptionViewItem, QTreeView

from app.base.wording import phrase
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.list_rows import ThemedDelegate

ROWS_SHOWN = 8  # a table with more rows scrolls
PADDING_PX, SIDE_PX, MOST_PX = 24, 10, 260
FRAME_PX = 8  # which Qt adds to the width of a text

Index = QModelIndex | QPersistentModelIndex
Row = tuple[str, ...]


class NumberTableModel(QAbstractTableModel):
    """A model of right-aligned numbers, and of the left-aligned column `wide` (-1: none), which grows."""

    def __init__(self, titles: Sequence[str], wide: int = -1) -> None:
        super().__init__()
        self._titles = tuple(titles)
        self._rows: Sequence[Row] = ()
        self.wide = wide

    def set_rows(self, rows: Sequence[Row]) -> None:
        """Replace the rows. If the first cells of the old rows are unchanged, keep selection and scroll position."""
        old = len(self._rows)
        if not old or len(rows) < old or any(row[0] != other[0] for row, other in zip(rows, self._rows, strict=False)):
            self.beginResetModel()
            self._rows = rows
            self.endResetModel()
            return
        self._rows, added = [*rows[:old]], rows[old:]
        self.dataChanged.emit(self.index(0, 0), self.index(old - 1, len(self._titles) - 1))
        if added:
            self.beginInsertRows(QModelIndex(), old, len(rows) - 1)
            self._rows = rows
            self.endInsertRows()

    @property
    def rows(self) -> Sequence[Row]:
        return self._rows

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._titles)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._titles[section]
        return self._side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.ToolTipRole and index.column() == self.wide:
            return plain_tooltip(self._rows[index.row()][index.column()])
        return self._side(index.column()) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _side(self, column: int) -> int:
        side = Qt.AlignmentFlag.AlignLeft if column == self.wide else Qt.AlignmentFlag.AlignRight
        return int(side | Qt.AlignmentFlag.AlignVCenter)


class NumberTableDelegate(ThemedDelegate):
    """Draws elided cells, and the background and focus lines of the selected row."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme, area = self._theme, QRect(option.rect)
        if option.state & QStyle.StateFlag.State_Selected:
            painter.fillRect(area, theme.color("accent_soft"))
            if option.state & QStyle.StateFlag.State_KeyboardFocusChange:
                for top in (area.top(), area.bottom() - 1):
                    painter.fillRect(area.left(), top, area.width(), 2, theme.color("accent"))
        side = theme.px(SIDE_PX)
        room, font = area.adjusted(side, 0, -side, 0), theme.font("ui")
        painter.setFont(font)
        painter.setPen(theme.color("text"))
        shown = QFontMetrics(font).elidedText(index.data(), Qt.TextElideMode.ElideRight, room.width())
        painter.drawText(room, index.data(Qt.ItemDataRole.TextAlignmentRole), shown)
        painter.restore()

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        """Measure the text alone, as Qt would ask a table's model for seven more things about each cell."""
        return QSize(option.fontMetrics.horizontalAdvance(index.data()) + FRAME_PX, self._theme.metric("row_compact"))


class NumberTableView(QTreeView):
    """A table as high as its rows, up to `rows_shown`. `name`: its accessible name."""

    wide_least_px = 96  # by which the wide column is wider than its title, unless all its texts are shorter

    def __init__(self, theme: Theme, figures: NumberTableModel, name: str, *, rows_shown: int = ROWS_SHOWN) -> None:
        super().__init__()
        self._rows_shown = rows_shown
        self._theme = theme
        self._figures = figures
        self._widths: list[int] = []  # that the columns need, measured when the table is visible
        figures.setParent(self)
        self.setModel(figures)
        self.setItemDelegate(NumberTableDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(name)
        self.setRootIsDecorated(False)
        self.setUniformRowHeights(True)
        self.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setTabKeyNavigation(False)
        header = self.header()
        header.setStretchLastSection(False)
        header.setSectionsMovable(False)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for changed in (figures.modelReset, figures.rowsInserted, figures.dataChanged):
            changed.connect(self._measure_again)
        theme.changed.connect(self._measure_again)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _measure_again(self) -> None:
        self._widths = []
        self._fit()

    def _fit(self) -> None:
        if self.isVisible():
            self._fit_columns()
        rows = max(1, min(self._figures.rowCount(), self._rows_shown))
        height = self.header().sizeHint().height() + rows * self._theme.metric("row_compact") + 4
        if self.header().length() > self.viewport().width():
            height += self.horizontalScrollBar().sizeHint().height()
        self.setFixedHeight(height)

    def _fit_columns(self) -> None:
        """Set the columns of numbers to the width that they need, up to MOST_PX, and the wide column to the rest."""
        header, taken, most = self.header(), 0, self._theme.px(MOST_PX)
        self._widths = self._widths or list(map(self.sizeHintForColumn, range(self._figures.columnCount())))
        for column, needed in enumerate(self._widths):
            if column != self._figures.wide:
                width = max(header.sectionSizeHint(column), min(needed, most)) + self._theme.px(PADDING_PX)
                header.resizeSection(column, width)
                taken += width
        head, pad = header.sectionSizeHint(self._figures.wide), self._theme.px(PADDING_PX)
        whole = max(head, self._widths[self._figures.wide]) + pad
        least = min(whole, head + self._theme.px(self.wide_least_px))
        header.resizeSection(self._figures.wide, max(least, self.viewport().width() - taken))


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
        header.setSelectionModel(QItemSelectionModel(rows, header))  # that of the rows it would search row by row
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
