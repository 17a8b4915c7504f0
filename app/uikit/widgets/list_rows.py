"""Drawing for list delegates: grounds, focus, elided text, badges.

A list at the left of a page whose entries have names: F2 renames, Delete removes (which can be undone).
"""

from PySide6.QtCore import QAbstractItemModel, QModelIndex, QPersistentModelIndex, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFontMetrics, QKeyEvent, QKeySequence, QPainter, QPainterPath, QPen
from PySide6.QtWidgets import QListView, QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from app.uikit.theme import Theme

BAR_PX = 3


def draw_ground(
    painter: QPainter, theme: Theme, area: QRect, *, is_chosen: bool, option: QStyleOptionViewItem, radius: int = 6
) -> None:
    """The soft ground and the accent bar of the chosen row, a quiet ground under the mouse, the keyboard's ring."""
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


def draw_soft(painter: QPainter, theme: Theme, area: QRect, *, radius: int = 6) -> None:
    """The soft ground alone: one of several rows that are chosen, or the one that something is dragged to."""
    shape = QPainterPath()
    shape.addRoundedRect(QRectF(area), radius, radius)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.fillPath(shape, theme.color("accent_soft"))


def draw_text(
    painter: QPainter, theme: Theme, area: QRect, text: str, role: str, tone: str, *, weight: int | None = None
) -> int:
    """One line, ending in … where the room ends. Returns the width it took."""
    font = theme.font(role, weight)
    shown = QFontMetrics(font).elidedText(text, Qt.TextElideMode.ElideRight, area.width())
    painter.setFont(font)
    painter.setPen(theme.color(tone))
    painter.drawText(area, int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft), shown)
    return QFontMetrics(font).horizontalAdvance(shown)


def draw_sign(
    painter: QPainter, theme: Theme, area: QRect, icon: str, tone: str, text: str, *, weight: int | None = None
) -> int:
    """A small icon and words in its tone. Returns the width it took."""
    size = theme.px(13)
    theme.icon(icon, tone, 13).paint(painter, QRect(area.left(), area.top(), size, area.height()))
    before = size + theme.px(4)
    return before + draw_text(painter, theme, area.adjusted(before, 0, 0, 0), text, "caption", tone, weight=weight)


def draw_badge(painter: QPainter, theme: Theme, right: int, top: int, text: str, tone: str, icon: str = "") -> int:
    """A badge whose right upper corner is given. `tone`: success, warning, danger or accent. Returns its left edge."""
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
    """As `draw_ground`, for rows that fill a framed list from edge to edge."""
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
    """The ring shows where the keyboard is. A row chosen by a click shows that by its ground already."""
    has_focus = bool(state & QStyle.StateFlag.State_HasFocus)
    return has_focus and (not is_chosen or bool(state & QStyle.StateFlag.State_KeyboardFocusChange))


# What a model of such a list gives beside its words.
EntryRole = Qt.ItemDataRole.UserRole + 1  # None: a heading
DescriptionRole = Qt.ItemDataRole.UserRole + 2  # the second line
SignRole = Qt.ItemDataRole.UserRole + 3  # an icon and its tone, before the second line; None: there is none

Index = QModelIndex | QPersistentModelIndex


class NamedList(QListView):
    rename_requested = Signal()
    remove_requested = Signal()
    menu_requested = Signal(object)  # QPoint on the screen

    def __init__(self, theme: Theme, model: QAbstractItemModel, name: str) -> None:
        """`name`: what screen readers say."""
        super().__init__()
        self.setModel(model)
        self.setItemDelegate(_Delegate(theme, self))
        self.setAccessibleName(name)
        self.setEditTriggers(QListView.EditTrigger.NoEditTriggers)
        self.setVerticalScrollMode(QListView.ScrollMode.ScrollPerPixel)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setResizeMode(QListView.ResizeMode.Adjust)
        self.setMouseTracking(True)
        self.setMinimumHeight(theme.px(48))
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_F2:
            self.rename_requested.emit()
        elif event.matches(QKeySequence.StandardKey.Delete):
            self.remove_requested.emit()
        else:
            super().keyPressEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        """By the mouse only on an entry that can be chosen."""
        if event.reason() != QContextMenuEvent.Reason.Keyboard:
            index = self.indexAt(event.pos())
            if not index.flags() & Qt.ItemFlag.ItemIsSelectable:
                return
            self.setCurrentIndex(index)
        self.menu_requested.emit(event.globalPos())


class _Delegate(QStyledItemDelegate):
    """The name above; what it is below, with a sign where it is not simply there."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

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
