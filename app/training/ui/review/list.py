"""Every row with its state, as a list that the keys decide in; above it how far one is, and which rows it shows."""

from PySide6.QtCore import QPointF, QRect, Qt, Signal
from PySide6.QtGui import QKeyEvent, QPainter, QPen
from PySide6.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QHeaderView,
    QProgressBar,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from app.base.wording import phrase
from app.training.data.curation import Item, State
from app.training.ui.review import words
from app.training.ui.review.items import FILTERS, EditRole, Filter, Index, ItemRole, ReviewItems, StateRole
from app.uikit.theme import Theme
from app.uikit.widgets import list_rows
from app.uikit.widgets.buttons import Button
from app.uikit.widgets.containers import FlowBox
from app.uikit.widgets.labels import Label, Separator

KEYS = {Qt.Key.Key_A: "accept", Qt.Key.Key_E: "edit", Qt.Key.Key_R: "reject"}

MARGIN_PX = 16
SIGN_PX = 16
ROWS_AHEAD = 2  # that stay in sight below the current one
LEAST_PX = 110  # of the list; what has less room scrolls with the page


class ReviewList(QWidget):
    filter_chosen = Signal(str)  # of FILTERS

    def __init__(self, theme: Theme, items: ReviewItems) -> None:
        super().__init__()
        self._theme = theme
        self._items = items
        self.view = ReviewView(theme, items)
        self.amount = Label(role="caption", tone="text2")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(phrase("training.progress_of_the_review"))
        self.time = Label(role="caption", tone="text2")
        self.filters: dict[Filter, Button] = {}
        self._build()

    def show_progress(self, seconds: float | None) -> None:
        """`seconds`: that the rest will take; None: not known."""
        total, left = self._items.total, self._items.left
        words_of_it = phrase("training.a_b", a=f"{total - left:,}", b=f"{total:,}")
        self.amount.setText(words_of_it if total else phrase("training.nothing_needs_review"))
        self.bar.setVisible(total > 0)
        self.bar.setRange(0, max(1, total))
        self.bar.setValue(total - left)
        self.time.setText(words.time_left(seconds) if seconds is not None and left else "")
        self.time.setVisible(bool(self.time.text()))
        for key, button in self.filters.items():
            count = self._items.count(key)
            has_count = key in ("undecided", "left_out")
            button.setText(f"{words.filter_name(key)} {count:,}" if has_count else words.filter_name(key))
            button.setChecked(key == self._items.filter)
            button.setVisible(key != "left_out" or count > 0 or button.isChecked())

    def _build(self) -> None:
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(self.amount)
        head.addWidget(self.bar, 1)
        head.addWidget(self.time)
        group = QButtonGroup(self)
        for key in FILTERS:
            button = self.filters[key] = Button(self._theme, words.filter_name(key), compact=True)
            button.setCheckable(True)
            group.addButton(button)
            button.clicked.connect(lambda _=False, key=key: self.filter_chosen.emit(key))
        top = QVBoxLayout()
        top.setContentsMargins(MARGIN_PX, 10, MARGIN_PX, 10)
        top.setSpacing(8)
        top.addLayout(head)
        top.addWidget(FlowBox(*self.filters.values()))
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addLayout(top)
        column.addWidget(Separator())
        column.addWidget(self.view, 1)


class ReviewView(QTableView):
    """One column of a table: a QListView lays out every row anew whenever one of them changes."""

    key_pressed = Signal(str)  # accept | edit | reject

    def __init__(self, theme: Theme, items: ReviewItems) -> None:
        super().__init__()
        self._theme = theme
        self.setModel(items)
        self.setItemDelegate(ReviewDelegate(theme, self))
        self.setAccessibleName(phrase("training.rows_to_review"))
        self.setAccessibleDescription(phrase("training.a_accepts_e_edits_r"))
        self.horizontalHeader().hide()
        self.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Stretch)
        self.verticalHeader().hide()
        self.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        self.setShowGrid(False)
        self.setSelectionMode(QTableView.SelectionMode.SingleSelection)
        self.setEditTriggers(QTableView.EditTrigger.NoEditTriggers)
        self.setTabKeyNavigation(False)
        self.setVerticalScrollMode(QTableView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setMouseTracking(True)
        theme.changed.connect(self._on_theme_changed)
        self._on_theme_changed()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """A key that is held down decides once."""
        key = Qt.Key(event.key())
        if event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier:
            super().keyPressEvent(event)
        elif key in KEYS:
            if not event.isAutoRepeat():
                self.key_pressed.emit(KEYS[key])
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End):  # a table would go to its first column
            last = self.model().rowCount() - 1
            self.setCurrentIndex(self.model().index(0 if key == Qt.Key.Key_Home else last, 0))
        else:
            super().keyPressEvent(event)

    def show_current(self) -> None:
        """With some of those that come after it."""
        row = self.currentIndex().row()
        for other in (min(row + ROWS_AHEAD, self.model().rowCount() - 1), row):
            self.scrollTo(self.model().index(other, 0))

    def keyboardSearch(self, search: str) -> None:
        """Letters are commands here."""

    def _on_theme_changed(self) -> None:
        theme = self._theme
        height = theme.line_height("ui") + theme.line_height("caption") + theme.px(17)
        self.verticalHeader().setMinimumSectionSize(1)
        self.verticalHeader().setDefaultSectionSize(height)
        self.setMinimumHeight(theme.px(LEAST_PX))
        self.viewport().update()


class ReviewDelegate(QStyledItemDelegate):
    """The sign of its state, the question, and below it the state in words and where it is from."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        theme = self._theme
        item: Item = index.data(ItemRole)
        state: State = index.data(StateRole)
        area: QRect = option.rect
        is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
        painter.save()
        list_rows.draw_row_ground(painter, theme, area, is_chosen=is_chosen, option=option)
        size = theme.px(SIGN_PX)
        sign = QRect(area.left() + MARGIN_PX, area.top() + theme.px(8), size, theme.line_height("ui"))
        self._paint_sign(painter, sign, state)
        left = sign.right() + theme.px(8)
        line = QRect(left, sign.top(), area.right() - MARGIN_PX - left, sign.height())
        weight = 600 if is_chosen else 400
        list_rows.draw_text(painter, theme, line, index.data(), "ui", "text", weight=weight)
        second = QRect(left, line.bottom() + 1, line.width(), theme.line_height("caption"))
        self._paint_facts(painter, second, item, state, has_edit=index.data(EditRole), is_chosen=is_chosen)
        painter.fillRect(QRect(area.left(), area.bottom(), area.width(), 1), theme.color("line"))
        painter.restore()

    def _paint_facts(
        self, painter: QPainter, area: QRect, item: Item, state: State, *, has_edit: bool, is_chosen: bool
    ) -> None:
        theme, left = self._theme, area.left()
        quiet = "text2" if is_chosen else "muted"
        told = [(words.state(state), words.SIGNS[state][1] if state == "left_out" else quiet, 400)]
        if has_edit:
            told.append((phrase("training.being_edited"), "accent", 600))
        for text, tone, weight in (*told, (words.source(item), quiet, 400)):
            room = QRect(left, area.top(), area.right() - left, area.height())
            left += list_rows.draw_text(painter, theme, room, text, "caption", tone, weight=weight) + theme.px(12)

    def _paint_sign(self, painter: QPainter, area: QRect, state: State) -> None:
        theme = self._theme
        icon, tone = words.SIGNS[state]
        if icon:
            theme.icon(icon, tone, SIGN_PX).paint(painter, area)
            return
        radius = theme.px(SIGN_PX) / 2 - theme.px(1)
        center = QPointF(area.center()) + QPointF(0.5, 0.5)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(theme.color(tone), 1.5))
        painter.drawEllipse(center, radius, radius)
        if state == "used":
            painter.setBrush(theme.color(tone))
            painter.drawEllipse(center, radius / 3, radius / 3)
