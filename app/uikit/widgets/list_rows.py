"""Draw rows of lists (background, focus, elided text, badges), and provide a list of named entries with its model."""

from collections.abc import Iterable, Sequence
from typing import Any

from msgspec import Struct
from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    QStringListModel,
    Qt,
    Signal,
)
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QAbstractItemView, QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.uikit.localization import join_facts
from app.uikit.theme import Theme
from app.uikit.widgets.labels import plain_tooltip

BAR_PX = 3


def draw_ground(
    painter: QPainter, theme: Theme, area: QRect, *, is_chosen: bool, option: QStyleOptionViewItem, radius: int = 6
) -> None:
    """Draw the background of a row: an accent bar if it is chosen, a highlight under the mouse, and a focus ring."""
    state: QStyle.StateFlag = option.state
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(area), radius, radius)
    if is_chosen:
        painter.fillPath(shape, theme.color("accent_soft"))
        bar = QPainterPath()
        bar.addRoundedRect(QRectF(area.left(), area.top() + 6, BAR_PX, area.height() - 12), 1.5, 1.5)
        painter.fillPath(bar, theme.color("accent"))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillPath(shape, theme.color("sunken"))
    if _has_ring(state, is_chosen):
        painter.setPen(QPen(theme.color("accent"), theme.metric("focus_ring")))
        painter.drawRoundedRect(QRectF(area).adjusted(1, 1, -1, -1), radius, radius)


def draw_soft_background(painter: QPainter, theme: Theme, area: QRect, *, radius: int = 6) -> None:
    """Draw the background of a chosen row without the accent bar, for one of several, or for a drop target."""
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(area), radius, radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(shape, theme.color("accent_soft"))


def draw_text(
    painter: QPainter, theme: Theme, area: QRect, text: str, role: str, tone: str, *, weight: int | None = None
) -> int:
    """Draw a line of text (`role`, `weight`: as for `Theme.font`), shortened with … ; return its width in pixels."""
    font = theme.font(role, weight)
    shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.setFont(font)
    painter.setPen(theme.color(tone))
    painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
    return QFontMetrics(font).horizontalAdvance(shown)


def draw_sign(
    painter: QPainter, theme: Theme, area: QRect, icon: str, tone: str, text: str, *, weight: int | None = None
) -> int:
    """Draw a small icon and a text in the colour `tone`. Return their width in pixels."""
    size = theme.px(13)
    theme.icon(icon, tone, 13).paint(painter, QRect(area.left(), area.top(), size, area.height()))
    before = size + theme.px(4)
    return before + draw_text(painter, theme, area.adjusted(before, 0, 0, 0), text, "caption", tone, weight=weight)


def draw_badge(painter: QPainter, theme: Theme, right: int, top: int, text: str, tone: str, icon: str = "") -> int:
    """Draw a badge (success, warning, danger or accent) at its right upper corner; return the x of its left edge."""
    font = theme.font("caption", 600 if tone == "accent" else 400)
    size = theme.px(13) if icon else 0
    gap = theme.px(4) if icon else 0
    width = QFontMetrics(font).horizontalAdvance(text) + size + gap + theme.px(16)
    area = QRect(right - width, top, width, theme.px(20))
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(area), theme.px(4), theme.px(4))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(shape, theme.color(f"{tone}_soft"))
    if icon:
        theme.icon(icon, tone, 13).paint(painter, QRect(area.left() + theme.px(8), area.top(), size, area.height()))
    painter.setFont(font)
    painter.setPen(theme.color(tone))
    words = area.adjusted(theme.px(8) + size + gap, 0, 0, 0)
    painter.drawText(words, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), text)
    return area.left()


def draw_row_ground(
    painter: QPainter, theme: Theme, area: QRect, *, is_chosen: bool, option: QStyleOptionViewItem
) -> None:
    """Draw the background of a row as `draw_ground` does, but without rounded corners, for rows of full width."""
    state: QStyle.StateFlag = option.state
    if is_chosen:
        painter.fillRect(area, theme.color("accent_soft"))
        painter.fillRect(QRect(area.left(), area.top(), BAR_PX, area.height()), theme.color("accent"))
    elif state & QStyle.StateFlag.State_MouseOver:
        painter.fillRect(area, theme.color("raised"))
    if _has_ring(state, is_chosen):
        painter.setPen(QPen(theme.color("accent"), theme.metric("focus_ring")))
        painter.drawRect(area.adjusted(1, 1, -1, -2))


def _has_ring(state: QStyle.StateFlag, is_chosen: bool) -> bool:
    """Return whether a row gets the focus ring. A row chosen by a click does not: its background is enough."""
    has_focus = bool(state & QStyle.StateFlag.State_HasFocus)
    return has_focus and (not is_chosen or bool(state & QStyle.StateFlag.State_KeyboardFocusChange))


# Roles of an `EntryListModel`, in addition to the display text.
EntryRole = Qt.ItemDataRole.UserRole + 1  # the entry; None: the row is a heading
DescriptionRole = Qt.ItemDataRole.UserRole + 2  # the second line
SignRole = Qt.ItemDataRole.UserRole + 3  # an icon before the second line, and its colour; None: no icon

Index = QModelIndex | QPersistentModelIndex


class EntryRow(Struct, frozen=True):
    """A row of a list: an entry with the texts and the icon to show, or a heading, which has only a name."""

    name: str
    key: object = None  # identifies the entry
    entry: Any = None  # None: a heading
    description: str = ""  # the second line
    about: str = ""  # in the tooltip, after the name
    sign: tuple[str, str] | None = None


def group_rows(heading: str, rows: Iterable[EntryRow]) -> list[EntryRow]:
    """Return a heading and the rows below it; [] if there are no rows."""
    found = list(rows)
    return [EntryRow(heading), *found] if found else []


class RowListModel(QStringListModel):
    """The base of the models of long lists, with rows of Python that Qt counts by itself.

    A view counts them twice for each row that it measures, which took most of the time when Python was asked.
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: Sequence[Any] = ()
        self._next_rows: Sequence[Any] = ()

    def flags(self, index: Index) -> Qt.ItemFlag:
        return QAbstractListModel.flags(self, index)  # those of the texts of a QStringListModel can be edited

    def removeRows(self, _row: int, _count: int, _parent: Index = QModelIndex()) -> bool:  # noqa: B008 (Qt's signature)
        """Refuse. A view asks for it at the end of a drag that moves, and a QStringListModel would remove its texts."""
        return False

    def resetInternalData(self) -> None:
        """Take the new rows. Qt calls this after `modelAboutToBeReset` and before `modelReset`."""
        self._rows = self._next_rows

    def _replace_rows(self, rows: Sequence[Any]) -> None:
        """Reset the model."""
        self._next_rows = rows
        self.setStringList([""] * len(rows))


class EntryListModel(RowListModel):
    """A list model of `EntryRow`."""

    _rows: Sequence[EntryRow]

    def set_rows(self, rows: Sequence[EntryRow]) -> None:
        """Replace the rows. Reset the model only if their keys differ, so that a view keeps its selection otherwise."""
        if [row.key or row.name for row in rows] != [row.key or row.name for row in self._rows]:
            self._replace_rows(rows)
        elif rows != self._rows:
            self._rows = rows
            self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))

    def index_of(self, key: object) -> QModelIndex:
        place = next((place for place, row in enumerate(self._rows) if row.entry is not None and row.key == key), -1)
        return self.index(place) if place >= 0 else QModelIndex()

    def flags(self, index: Index) -> Qt.ItemFlag:
        is_heading = self._rows[index.row()].entry is None
        return Qt.ItemFlag.NoItemFlags if is_heading else super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self._rows[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return row.name
        if row.entry is None:
            return None
        match role:
            case Qt.ItemDataRole.ToolTipRole:
                return plain_tooltip(join_facts(row.name, row.about))
            case Qt.ItemDataRole.AccessibleTextRole:
                return join_facts(row.name, row.description)
            case _:
                return {EntryRole: row.entry, DescriptionRole: row.description, SignRole: row.sign}.get(role)


class ThemedDelegate(QStyledItemDelegate):
    """The base of what paints the rows of a view in the colours of a theme."""

    def __init__(self, theme: Theme, parent: QAbstractItemView) -> None:
        super().__init__(parent)
        self._theme, self._view = theme, parent


def set_up_list(view: QAbstractItemView, model: QAbstractItemModel, delegate: QStyledItemDelegate, name: str) -> None:
    """Set up a list with an accessible name that scrolls by pixels, not sideways, and edits nothing by itself."""
    view.setModel(model)
    view.setItemDelegate(delegate)
    view.setAccessibleName(name)
    view.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    view.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
    view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    view.setMouseTracking(True)


class NamedList(QListView):
    """The list of a page. F2 requests to rename the selected entry, Delete to remove it."""

    rename_requested = Signal()
    remove_requested = Signal()
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(self, theme: Theme, model: QAbstractItemModel, name: str) -> None:
        """`name`: the accessible name."""
        super().__init__()
        set_up_list(self, model, _Delegate(theme, self), name)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMinimumHeight(theme.px(48))
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        is_chosen = self.selectionModel().hasSelection()  # the current entry may be unselected after Ctrl+click
        if event.key() == Qt.Key.Key_F2 and is_chosen:
            self.rename_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete) and is_chosen:
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """Request the menu. A right click on a heading or an empty place does nothing."""
        if event.reason() != QContextMenuEvent.Reason.Keyboard:
            index = self.indexAt(event.pos())
            if not index.flags() & Qt.ItemFlag.ItemIsSelectable:
                return
            self.setCurrentIndex(index)
        self.menu_requested.emit(event.globalPos())


class _Delegate(ThemedDelegate):
    """Draws the name of an entry, and below it the icon and the description."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:  # noqa: ARG002 (Qt passes it)
        is_heading = index.data(EntryRole) is None
        return QSize(0, self._theme.px(28) if is_heading else self._theme.metric("row_conversation"))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        area: QRect = option.rect.adjusted(4, 1, -4, -1)
        inside = area.adjusted(10, theme.px(4), -10, -theme.px(4))
        if index.data(EntryRole) is None:
            draw_text(painter, theme, inside, index.data(), "caption", "muted")
        else:
            is_chosen = bool(option.state & QStyle.StateFlag.State_Selected)
            draw_ground(painter, theme, area, is_chosen=is_chosen, option=option)
            above = QRect(inside.left(), inside.top(), inside.width(), theme.line_height("ui"))
            below = QRect(inside.left(), above.bottom() + 1, inside.width(), theme.line_height("caption"))
            draw_text(painter, theme, above, index.data(), "ui", "text", weight=600 if is_chosen else 400)
            icon, tone = index.data(SignRole) or ("", "")
            if icon:
                size = theme.px(13)
                theme.icon(icon, tone, 13).paint(painter, QRect(below.left(), below.top(), size, below.height()))
                below.adjust(size + theme.px(5), 0, 0, 0)
            draw_text(painter, theme, below, index.data(DescriptionRole), "caption", "text2" if is_chosen else "muted")
        painter.restore()
