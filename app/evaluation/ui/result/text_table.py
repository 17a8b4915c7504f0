"""A table of a report as it stands there; where it is wider than its place, it scrolls beside its first column."""

import re
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QPersistentModelIndex, Qt
from PySide6.QtGui import QFontMetrics, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QTableView

from app.evaluation.report_parts import Table
from app.uikit.theme import Theme
from app.uikit.widgets.labels import plain_tooltip
from app.uikit.widgets.number_table import NumberTableDelegate

MOST_PX, PADDING_PX = 260, 24
_NUMBER = re.compile(r"[-+\u2212]?[\d,.]+( ?%|/\d[\d,]*)?((〜| to )[-+\u2212]?[\d,.]+)?|[-—]?")

Index = QModelIndex | QPersistentModelIndex


class Cells(QAbstractTableModel):
    def __init__(self, table: Table) -> None:
        super().__init__()
        self._table = table
        columns = list(zip(*table.rows, strict=True)) or [() for _ in table.head]
        self._is_number = [all(_NUMBER.fullmatch(cell) for cell in column) for column in columns]

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._table.rows)

    def columnCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 (Qt's signature)
        return 0 if parent.isValid() else len(self._table.head)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        if orientation != Qt.Orientation.Horizontal:
            return None
        if role == Qt.ItemDataRole.DisplayRole:
            return self._table.head[section]
        return self._side(section) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        text = self._table.rows[index.row()][index.column()]
        if role == Qt.ItemDataRole.DisplayRole:
            return text
        if role == Qt.ItemDataRole.AccessibleTextRole:
            return text or "—"  # a cell without a name is passed over
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tooltip(text)
        return self._side(index.column()) if role == Qt.ItemDataRole.TextAlignmentRole else None

    def _side(self, column: int) -> int:
        side = Qt.AlignmentFlag.AlignRight if self._is_number[column] else Qt.AlignmentFlag.AlignLeft
        return int(side | Qt.AlignmentFlag.AlignVCenter)


class TextTable(QTableView):
    """As high as its rows: only the page scrolls them."""

    def __init__(self, theme: Theme, table: Table, name: str) -> None:
        super().__init__()
        self._theme = theme
        self.cells = Cells(table)
        self.cells.setParent(self)
        self.setModel(self.cells)
        self.setAccessibleName(name)
        self.first = QTableView(self)  # the first column, over what has scrolled away
        for view in (self, self.first):
            _dress(view, theme)
        self._build_first()
        theme.changed.connect(self._fit)
        self._fit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    # ------------------------------------------------------------------- private

    def _build_first(self) -> None:
        first = self.first
        first.setModel(self.cells)
        first.setSelectionModel(self.selectionModel())
        first.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        first.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        for column in range(1, self.cells.columnCount()):
            first.setColumnHidden(column, True)
        first.hide()
        self.horizontalScrollBar().valueChanged.connect(self._place_first)

    def _place_first(self) -> None:
        """Only while the column itself is out of sight: otherwise it would be there twice."""
        self.first.setVisible(self.horizontalScrollBar().value() > 0)
        height = self.horizontalHeader().height() + self.viewport().height()
        self.first.setGeometry(0, 0, self.columnWidth(0), height)
        self.first.setColumnWidth(0, self.columnWidth(0))

    def _fit(self) -> None:
        theme, header = self._theme, self.horizontalHeader()
        height = theme.metric("row_compact")
        for view in (self, self.first):
            view.verticalHeader().setDefaultSectionSize(height)
        widths = [self._width(column) for column in range(self.cells.columnCount())]
        room = self.viewport().width()
        for column, width in enumerate(widths):
            header.resizeSection(column, width)
        scrolls = sum(widths) > room
        bar = self.horizontalScrollBar().sizeHint().height() if scrolls else 0
        header.setMaximumWidth(sum(widths))  # its ground would go on where it has no line
        self.setFixedHeight(header.sizeHint().height() + self.cells.rowCount() * height + bar + 2)
        self._place_first()

    def _width(self, column: int) -> int:
        theme, cells = self._theme, self.cells
        head = str(cells.headerData(column, Qt.Orientation.Horizontal))
        metrics = QFontMetrics(theme.font("ui"))
        texts = [metrics.horizontalAdvance(cells.index(row, column).data()) for row in range(cells.rowCount())]
        wide = min(max(texts, default=0), theme.px(MOST_PX))
        return max(QFontMetrics(theme.font("caption", 600)).horizontalAdvance(head), wide) + theme.px(PADDING_PX)


def _dress(view: QTableView, theme: Theme) -> None:
    view.setItemDelegate(NumberTableDelegate(theme, view))
    view.setShowGrid(False)
    view.setWordWrap(False)
    view.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
    view.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
    view.setSelectionMode(QTableView.SelectionMode.SingleSelection)
    view.setTabKeyNavigation(False)
    view.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setHorizontalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
    view.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
    view.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    view.horizontalHeader().setSectionsClickable(False)
    view.verticalHeader().hide()
    view.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
    view.verticalHeader().setMinimumSectionSize(1)
