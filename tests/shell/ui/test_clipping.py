"""Texts that are cut off are found, and only those; every page is looked at in test_scenes."""

import pytest
from PySide6.QtWidgets import QComboBox, QLabel, QLineEdit, QListWidget, QPushButton, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.uikit.theme import Theme
from app.uikit.widgets.labels import ElidedLabel, Label
from tests.uikit.ui.clipping import clipped

LONG = "とても長い文がここに書いてあります"


def show(qtbot: QtBot, widget: QWidget, width: int, height: int) -> QWidget:
    window = QWidget()
    qtbot.addWidget(window)
    widget.setParent(window)
    widget.setGeometry(0, 0, width, height)
    window.resize(600, 300)
    window.show()
    return window


def combo() -> QComboBox:
    box = QComboBox()
    box.addItems(["短い", LONG])
    return box


def field() -> QLineEdit:
    edit = QLineEdit()
    edit.setPlaceholderText(LONG)
    return edit


def rows() -> QListWidget:
    view = QListWidget()
    view.addItem(LONG)
    view.setVerticalScrollBarPolicy(view.verticalScrollBarPolicy().ScrollBarAlwaysOff)
    return view


MAKERS = {
    "label": lambda: QLabel(LONG),
    "button": lambda: QPushButton(LONG),
    "wrapped label": lambda: Label(LONG * 3, wraps=True),
    "choice": combo,
    "placeholder": field,
    "row without a tooltip": rows,
}


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_text_without_enough_room_is_found(qtbot: QtBot, theme: Theme, maker: object) -> None:
    assert clipped(show(qtbot, maker(), 90, 40)) != []


@pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS)
def test_a_text_with_enough_room_is_not_reported(qtbot: QtBot, theme: Theme, maker: object) -> None:
    assert clipped(show(qtbot, maker(), 500, 120)) == []


def test_an_elided_label_may_end_early_but_not_lose_its_height(qtbot: QtBot, theme: Theme) -> None:
    assert clipped(show(qtbot, ElidedLabel(LONG), 60, 40)) == []
    assert clipped(show(qtbot, ElidedLabel(LONG), 60, 8)) != []


def test_a_text_that_reaches_out_of_its_parent_is_found(qtbot: QtBot, theme: Theme) -> None:
    window = show(qtbot, QLabel("短い"), 100, 30)
    assert clipped(window) == []
    window.resize(40, 300)
    assert "reaches out" in clipped(window)[0]


def test_a_text_under_another_widget_of_its_layout_is_found(qtbot: QtBot, theme: Theme) -> None:
    window = QWidget()
    qtbot.addWidget(window)
    column = QVBoxLayout(window)
    first, second = QLabel("上"), QLabel("下")
    column.addWidget(first)
    column.addWidget(second)
    window.resize(300, 200)
    window.show()
    assert clipped(window) == []
    second.move(first.pos())
    assert "lies under or over" in clipped(window)[0]
