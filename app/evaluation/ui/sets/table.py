"""The table of questions as it is used: by row, with keyboard, mouse and menu."""

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QKeyEvent, QKeySequence, QPainter, QResizeEvent
from PySide6.QtWidgets import QHeaderView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QTableView, QWidget

from app.base.wording import phrase
from app.evaluation.records import Question
from app.evaluation.ui.sets.questions import ANSWERABLE, CATEGORY, REFERENCE, TEXT, QuestionRole, Questions
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows

WIDTHS_PX = {CATEGORY: 128, ANSWERABLE: 112}
LEAST_PX = {CATEGORY: 640, ANSWERABLE: 460, REFERENCE: 360}  # columns are left out where the table is narrower
SIDE_PX = 10

Index = QModelIndex | QPersistentModelIndex


class QuestionDelegate(QStyledItemDelegate):
    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme, area, column = self._theme, QRect(option.rect), index.column()
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        if is_chosen:
            painter.fillRect(area, theme.color("accent_soft"))
        if is_chosen and column == TEXT:
            painter.fillRect(QRect(area.left(), area.top(), list_rows.BAR_PX, area.height()), theme.color("accent"))
        inside = area.adjusted(SIDE_PX, 0, -SIDE_PX, 0)
        is_unanswerable = column == ANSWERABLE and not index.data(QuestionRole).is_answerable
        tone = "text" if column == TEXT or is_unanswerable else "text2"
        list_rows.draw_text(painter, theme, inside, index.data(), "ui", tone, weight=600 if is_unanswerable else 400)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        self._draw_ring(painter, option, area, index)
        painter.restore()

    def _draw_ring(self, painter: QPainter, option: QStyleOptionViewItem, area: QRect, index: Index) -> None:
        """Where the keyboard is, along the whole row."""
        view = self.parent()
        assert isinstance(view, QuestionTable)
        is_keyboard = view.hasFocus() and bool(option.state & QStyle.StateFlag.State_KeyboardFocusChange)
        if is_keyboard and index.row() == view.currentIndex().row():
            color = self._theme.color("accent")
            painter.fillRect(QRect(area.left(), area.top(), area.width(), 2), color)
            painter.fillRect(QRect(area.left(), area.bottom() - 1, area.width(), 2), color)


class QuestionTable(QTableView):
    """Up and down move, Enter edits, Delete takes out (which can be undone)."""

    edit_requested = Signal()
    remove_requested = Signal()
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(self, theme: Theme, shown: Questions) -> None:
        super().__init__()
        self._theme = theme
        self._shown = shown
        self.setModel(shown)
        self.setItemDelegate(QuestionDelegate(theme, self))
        self.setProperty("framed", True)
        self.setAccessibleName(phrase("evaluation.list_of_questions"))
        self.setAccessibleDescription(phrase("evaluation.enter_edits_delete_removes"))
        self.setShowGrid(False)
        self.setSelectionBehavior(QTableView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QTableView.SelectionMode.ExtendedSelection)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setWordWrap(False)
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._set_up_headers()
        self.doubleClicked.connect(lambda: self.edit_requested.emit())
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    @property
    def current(self) -> Question | None:
        return self._shown.question(self.currentIndex().row())

    def chosen(self) -> list[Question]:
        """From top to bottom."""
        found = sorted(index.row() for index in self.selectionModel().selectedRows(TEXT))
        return [question for row in found if (question := self._shown.question(row)) is not None]

    def choose_row(self, row: int) -> None:
        """The nearest one that there is."""
        last = self._shown.rowCount() - 1
        if last >= 0:
            self.setCurrentIndex(self._shown.index(max(0, min(row, last)), TEXT))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_F2):
            if not event.isAutoRepeat():
                self.edit_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            if not event.isAutoRepeat():
                self.remove_requested.emit()
        elif event.key() in (Qt.Key.Key_Home, Qt.Key.Key_End) and not event.modifiers():
            self.choose_row(0 if event.key() == Qt.Key.Key_Home else self._shown.rowCount() - 1)
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

    # ------------------------------------------------------------------- private

    def _set_up_headers(self) -> None:
        header = self.horizontalHeader()
        header.setAccessibleName(phrase("common.column_headings"))
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setHighlightSections(False)
        header.setSectionsClickable(False)
        header.setMinimumSectionSize(1)
        header.setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        for column in (TEXT, REFERENCE):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)

    def _on_theme_changed(self) -> None:
        self.verticalHeader().setDefaultSectionSize(self._theme.metric("row_list"))
        self.setMinimumHeight(self._theme.px(120))
        self._resize_columns()
        self.viewport().update()

    def _resize_columns(self) -> None:
        header = self.horizontalHeader()
        for column, least in LEAST_PX.items():
            self.setColumnHidden(column, self.width() < self._theme.px(least))
        for column, width in WIDTHS_PX.items():
            header.resizeSection(column, max(self._theme.px(width), header.sectionSizeHint(column)))
