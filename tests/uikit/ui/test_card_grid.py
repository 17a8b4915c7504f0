"""A table that is filled while it is visible: nothing of it is seen where it does not stay."""

import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QRect
from PySide6.QtWidgets import QApplication, QWidget

from app.uikit.widgets.containers import Card, CardGrid, Stretch, make_column, make_scrollable
from app.uikit.widgets.labels import Label
from tests.window_fixtures import settle


def place(widget: QWidget) -> QRect:
    return QRect(widget.mapTo(widget.window(), QPoint()), widget.size())


class Sight(QObject):
    """Notes where each label is painted first, and how often the one below the table is moved."""

    def __init__(self, app: QApplication, below: QWidget) -> None:
        super().__init__(app)
        self.first: dict[Label, QRect] = {}
        self.moves = 0
        self._below = below
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and isinstance(watched, Label):
            self.first.setdefault(watched, place(watched))
        self.moves += event.type() == QEvent.Type.Move and watched is self._below
        return False


@pytest.fixture
def table(theme, qapp, qtbot):
    """A table on a page that scrolls, and what is seen of it."""
    card, grid, below = Card("表"), CardGrid(), Label("表の下")
    card.column.addWidget(grid)
    page = QWidget()
    make_column(card, below, Stretch(), into=page)
    area = make_scrollable(page)
    qtbot.addWidget(area)
    area.resize(500, 300)
    area.show()
    settle()
    sight = Sight(qapp, below)
    yield grid, sight
    qapp.removeEventFilter(sight)


def fill(grid: CardGrid, rows: int) -> None:
    for row in range(rows):
        for column in range(3):
            grid.put(Label(f"{row} 行目の言葉" * (1 + row % 3), wraps=column == 2), column)
        grid.next_row()


def test_what_a_table_is_filled_with_is_painted_first_where_it_stays(table):
    grid, sight = table
    for rows in (3, 20, 8):  # fewer and more than the page has room for
        sight.first.clear()
        with grid.refilled():
            fill(grid, rows)
        settle()
        painted = {label: where for label, where in sight.first.items() if grid.isAncestorOf(label)}
        assert painted
        assert painted == {label: place(label) for label in painted}


def test_a_table_that_is_filled_moves_what_is_below_it_once(table):
    grid, sight = table
    with grid.refilled():
        fill(grid, 20)
    assert sight.moves == 1
