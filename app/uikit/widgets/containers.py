"""Arrange widgets in columns, rows, wrapping rows, scrolling areas, cards, grids and badges."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from PySide6.QtCore import QEvent, QObject, QRect, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QLayout,
    QScrollArea,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from app.uikit.theme import Theme
from app.uikit.widgets.labels import IconLabel, Label, Separator, repolish, set_surface

FLOW_SPACING_PX = 8
QWIDGETSIZE_MAX = (1 << 24) - 1  # PySide does not export it
NO_MARGINS = (0, 0, 0, 0)
B = TypeVar("B", bound=QBoxLayout)

_REASONS = (QEvent.Type.ShowToParent, QEvent.Type.HideToParent, QEvent.Type.FontChange, QEvent.Type.LayoutRequest)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Empty space in a column or row that grows with the widget. `factor`: Qt's stretch factor."""

    factor: int = 1


# A widget or layout, alone or with its stretch factor, a widget also with its alignment; empty pixels; or a Stretch.
LayoutItem = QWidget | QLayout | int | Stretch | tuple[QWidget | QLayout, int] | tuple[QWidget, int, Qt.AlignmentFlag]
Margins = tuple[int, int, int, int]  # left, top, right, bottom, in pixels


def make_column(
    *items: LayoutItem, into: QWidget | None = None, margins_px: Margins | None = NO_MARGINS, spacing_px: int = -1
) -> QVBoxLayout:
    """Return a layout of items below each other, `into` a widget or a layout; None and -1 keep the style's values."""
    return _filled(QVBoxLayout(), items, into, margins_px, spacing_px)


def make_row(
    *items: LayoutItem, into: QWidget | None = None, margins_px: Margins | None = NO_MARGINS, spacing_px: int = -1
) -> QHBoxLayout:
    """Return a layout with the items beside each other. Parameters are as for `make_column`."""
    return _filled(QHBoxLayout(), items, into, margins_px, spacing_px)


def make_box(*items: LayoutItem, margins_px: Margins = NO_MARGINS, spacing_px: int = -1) -> QWidget:
    """Return a widget with the items below each other."""
    box = QWidget()
    make_column(*items, into=box, margins_px=margins_px, spacing_px=spacing_px)
    return box


def _filled(
    layout: B, items: tuple[LayoutItem, ...], into: QWidget | None, margins_px: Margins | None, spacing_px: int
) -> B:
    if into is not None:
        into.setLayout(layout)
    if margins_px is not None:
        layout.setContentsMargins(*margins_px)
    if spacing_px >= 0:
        layout.setSpacing(spacing_px)
    for item in items:
        parts: tuple[Any, ...] = item if isinstance(item, tuple) else (item,)
        part, *how = parts
        if isinstance(part, QWidget):
            layout.addWidget(part, *how)
        elif isinstance(part, QLayout):
            layout.addLayout(part, *how)
        elif isinstance(part, Stretch):
            layout.addStretch(part.factor)
        else:
            layout.addSpacing(part)
    return layout


def make_grid(into: QWidget | None = None, *, spacing_px: tuple[int, int], stretch: int | None = None) -> QGridLayout:
    """Return a grid without margins, with gaps of `spacing_px`, whose column `stretch` grows."""
    grid = QGridLayout(into)
    grid.setContentsMargins(0, 0, 0, 0)
    grid.setHorizontalSpacing(spacing_px[0])
    grid.setVerticalSpacing(spacing_px[1])
    if stretch is not None:
        grid.setColumnStretch(stretch, 1)
    return grid


def clear_layout(layout: QLayout) -> None:
    """Delete the widgets in a layout. They are hidden at once, because Qt deletes them only later."""
    while (item := layout.takeAt(0)) is not None:
        if (widget := item.widget()) is not None:
            widget.hide()
            widget.deleteLater()


def refill(box: QBoxLayout, widgets: Iterable[QWidget]) -> None:
    """Replace the widgets in a column or row."""
    clear_layout(box)
    for widget in widgets:
        box.addWidget(widget)
        widget.show()  # Qt would show it only later, which flickers


@contextmanager
def arranged_once(widget: QWidget) -> Iterator[None]:
    """Arrange a widget, and all around it, after the block; each widget shown in it would arrange the whole page."""
    layout = widget.layout()
    assert layout is not None
    layout.setEnabled(False)
    try:
        yield
    finally:
        layout.setEnabled(True)
        around: QWidget | None = widget
        while around is not None:  # up to the page, or what is new would be painted once in the room of what was before
            if (layout := around.layout()) is not None:
                layout.activate()
            around = around.parentWidget()


def set_direction(box: QBoxLayout, *, is_row: bool) -> None:
    """Arrange the items of a layout beside each other (`is_row`) or below each other."""
    direction = QBoxLayout.Direction.LeftToRight if is_row else QBoxLayout.Direction.TopToBottom
    if box.direction() != direction:
        box.setDirection(direction)


def fix_width(widget: QWidget, width_px: int | None) -> None:
    """Fix the width of a widget; None: remove the limits again."""
    widget.setMinimumWidth(width_px or 0)
    widget.setMaximumWidth(QWIDGETSIZE_MAX if width_px is None else width_px)


class FlowBox(QWidget):
    """A widget that wraps its row, as items of a layout written in Python would have two owners."""

    def __init__(self, *widgets: QWidget) -> None:
        super().__init__()
        self._widgets = widgets
        for widget in widgets:
            widget.setParent(self)
            widget.installEventFilter(self)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """Return the size of all widgets in one line."""
        sizes = [widget.sizeHint() for widget in self._visible_widgets()]
        width = sum(size.width() for size in sizes) + FLOW_SPACING_PX * max(0, len(sizes) - 1)
        return QSize(width, max((size.height() for size in sizes), default=0))

    def minimumSizeHint(self) -> QSize:
        width = max((widget.sizeHint().width() for widget in self._visible_widgets()), default=0)
        return QSize(width, self.sizeHint().height())

    def heightForWidth(self, width: int) -> int:
        return max((place.bottom() + 1 for place in self._places(width)), default=0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def event(self, event: QEvent) -> bool:
        """Place the widgets again if the size that one of them needs has changed."""
        if event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
            self._arrange()
        return super().event(event)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() in _REASONS:
            self.updateGeometry()
            self._arrange()
        return False

    def _arrange(self) -> None:
        for widget, place in zip(self._visible_widgets(), self._places(self.width()), strict=True):
            widget.setGeometry(place)

    def _visible_widgets(self) -> list[QWidget]:
        return [widget for widget in self._widgets if not widget.isHidden()]

    def _places(self, width: int) -> list[QRect]:
        """Return the place of each shown widget for a width."""
        places: list[QRect] = []
        left = top = line = 0
        for widget in self._visible_widgets():
            size = widget.sizeHint()
            if left > 0 and left + size.width() > width:
                left, top, line = 0, top + line + FLOW_SPACING_PX, 0
            places.append(QRect(left, top, size.width(), size.height()))
            left, line = left + size.width() + FLOW_SPACING_PX, max(line, size.height())
        return places


def make_scrollable(content: QWidget, parent: QWidget | None = None) -> QScrollArea:
    """Return an area that scrolls `content`, styled once if it has its `parent`, and takes no focus itself."""
    area = QScrollArea(parent)
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setWidget(content)
    # Otherwise Qt fills both with the window's colour.
    area.viewport().setAutoFillBackground(False)
    content.setAutoFillBackground(False)
    return area


class NoticeColumn(QWidget):
    """A column of banners and progress rows, which is hidden while all of them are hidden."""

    changed = Signal()  # a notice was shown or hidden

    def __init__(self, *notices: QWidget, above: QWidget | None = None, margins_px: Margins = NO_MARGINS) -> None:
        super().__init__()
        self._notices = notices
        column = make_column(*notices, margins_px=margins_px, spacing_px=8)
        self.setLayout(column if above is None else make_column(above, column, spacing_px=0))
        for notice in notices:
            notice.installEventFilter(self)
        self.hide()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.ShowToParent, QEvent.Type.HideToParent):
            self.setVisible(not all(notice.isHidden() for notice in self._notices))
            self.changed.emit()
        return super().eventFilter(watched, event)


class FootStrip(NoticeColumn):
    """Notices at the window's foot, below a line."""

    def __init__(self, *notices: QWidget) -> None:
        super().__init__(*notices, above=Separator(), margins_px=(16, 8, 16, 8))
        set_surface(self, "base")


class IconLines(QWidget):
    """Lines of text, each with an icon beside its first line. It is hidden while there are none."""

    def __init__(self, theme: Theme, *, is_tinted: bool = False) -> None:
        """`is_tinted`: each text has the colour of its icon."""
        super().__init__()
        self._theme = theme
        self._is_tinted = is_tinted
        self.texts: list[str] = []
        self._column = make_column(into=self, spacing_px=4)
        self.hide()

    def show_lines(self, lines: Sequence[tuple[str, str, str]]) -> None:
        """Show lines, each with the name of its icon, the colour of the icon, and the text."""
        self.texts = [text for _, _, text in lines]
        refill(self._column, (self._line(*line) for line in lines))
        self.setVisible(bool(lines))

    def _line(self, icon: str, tone: str, text: str) -> QWidget:
        line, sign = QWidget(), IconLabel(self._theme, icon, tone)
        sign.setFixedHeight(self._theme.line_height("ui"))
        words = Label(text, tone=tone if self._is_tinted else "text", wraps=True, shrinks=True)
        top = Qt.AlignmentFlag.AlignTop
        make_row((sign, 0, top), (words, 1), into=line, spacing_px=self._theme.px(6))
        return line


class RowsInTurns(QTimer):
    """Adds many rows, milliseconds each, to a widget in turns of the event loop, so that the window answers."""

    def __init__(self, widget: QWidget, at_once: int) -> None:
        super().__init__(widget, interval=0)
        self._widget = widget
        self._at_once = at_once
        self._rows: Iterator[object] = iter(())
        self.timeout.connect(self._add)

    def begin(self, rows: Iterator[object]) -> None:
        """Add rows instead of those that are still to come. `rows` adds one each time it yields."""
        self._rows = rows
        self.start()
        self._add()

    def _add(self) -> None:
        with arranged_once(self._widget):
            if sum(1 for _ in itertools.islice(self._rows, self._at_once)) < self._at_once:
                self.stop()


CARD_SIDE_PX = 16


class Card(QFrame):
    """A framed part of a page. `head`: the layout of its first line, with the title. `column`: that of its content."""

    def __init__(self, title: str) -> None:
        super().__init__()
        self.setProperty("surface", "card")
        self.title = Label(title, "heading3", wraps=True)
        self.head = make_row((self.title, 1), spacing_px=12)
        self.column = make_column(self.head, into=self, margins_px=(CARD_SIDE_PX, 12, CARD_SIDE_PX, 12), spacing_px=10)

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())


class CardGrid(QWidget):
    """A grid of labels and controls, filled row by row in a block of `refilled`, or after `clear`."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = make_grid(self, spacing_px=(14, 6))
        self._row = 0

    def clear(self) -> None:
        clear_layout(self.grid)
        for column in range(self.grid.columnCount()):
            self.grid.setColumnStretch(column, 0)
        self._row = 0

    @contextmanager
    def refilled(self) -> Iterator[None]:
        """Clear the grid, and arrange it when the block has filled it."""
        with arranged_once(self):
            self.clear()
            yield

    def put(self, widget: QWidget, column: int, *, span: int = 1, is_number: bool = False) -> None:
        """Add a widget to the current row. `span`: the columns it covers. `is_number`: align a label at the right."""
        if isinstance(widget, QLabel):
            if is_number:
                widget.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if widget.wordWrap():
                widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.grid.addWidget(widget, self._row, column, 1, span)
        widget.show()  # Qt would show a widget in a visible layout a moment later, which flickers

    def next_row(self) -> None:
        self._row += 1

    def add_separator(self, columns: int) -> None:
        """Finish the current row with a separating line across `columns` columns."""
        self._row += 1
        self.put(Separator(), 0, span=columns)
        self._row += 1


class Badge(QFrame):
    """An icon and words on a background in the colour of a state."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._icon = IconLabel(theme, "info", size=13)
        self.words = Label(role="caption")
        self.row = make_row(self._icon, self.words, into=self, margins_px=(8, 2, 8, 2), spacing_px=5)

    def show_state(self, surface: str, icon: str, text: str, tone: str = "") -> None:
        """Show a state. `surface`: success | warning | danger | tag, of the style sheet. `tone` "": that of `surface`.

        `icon` "": none.
        """
        tone = tone or ("text2" if surface == "tag" else surface)
        if icon:
            self._icon.show_icon(icon, tone)
        self._icon.setVisible(bool(icon))
        self.setProperty("surface", surface)
        self.words.setText(text)
        self.words.set_tone(tone)
        repolish(self)
