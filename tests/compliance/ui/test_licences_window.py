"""The window with the licences: a list, and the text of the part that is chosen."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QBoxLayout
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.compliance import components
from app.compliance.ui.licences_window import LicencesWindow
from app.uikit.theme import Theme
from tests.licences_shots import SHOWN, choose

TIMEOUT_MS = 30_000

Open = Callable[..., LicencesWindow]


@pytest.fixture
def open_licences(theme: Theme, qtbot: QtBot) -> Open:
    def opened(load: Callable[[], object] = lambda: SHOWN) -> LicencesWindow:
        window = LicencesWindow(theme, None, load)  # type: ignore[arg-type]
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)  # qtbot deletes it
        qtbot.addWidget(window)
        window.show()
        if load is not failing:
            qtbot.waitUntil(lambda: window.name.text() != "", timeout=TIMEOUT_MS)
        return window

    return opened


def failing() -> object:
    raise AppError("export_unwritable", path="components.json", reason="x")


def names(window: LicencesWindow) -> list[str]:
    model = window.list.model()
    return [model.index(row, 0).data() for row in range(model.rowCount())]


def test_all_parts_are_listed_and_the_first_is_shown(open_licences: Open) -> None:
    window = open_licences()
    assert names(window) == [component.name for component in SHOWN]
    assert window.name.text().startswith("Kotae")
    assert "Apache-2.0" in window.facts.text()
    assert window.text.toPlainText() == SHOWN[0].notice


def test_the_list_of_what_is_installed_comes_into_it(open_licences: Open) -> None:
    window = open_licences(components.load_all)
    choose(window, "Qt")
    assert "LGPL-3.0-only" in window.facts.text()
    assert "入れ替えるには" in window.text.toPlainText()


def test_arrow_keys_lead_from_one_text_to_the_next(open_licences: Open, qtbot: QtBot) -> None:
    window = open_licences()
    window.list.setFocus()
    qtbot.keyClick(window.list, Qt.Key.Key_Down)
    assert window.name.text().startswith("BIZ UDPGothic")
    assert window.text.toPlainText() == SHOWN[1].notice


def test_the_text_is_copied(open_licences: Open, qtbot: QtBot) -> None:
    window = open_licences()
    choose(window, "Qt")
    qtbot.mouseClick(window.copy_button, Qt.MouseButton.LeftButton)
    assert QGuiApplication.clipboard().text() == SHOWN[2].notice
    assert window.status_label.text() == "コピーしました。"


def test_a_narrow_window_has_the_list_above_the_text(open_licences: Open, qtbot: QtBot) -> None:
    window = open_licences()
    window.resize(560, 420)
    assert window._body.direction() == QBoxLayout.Direction.TopToBottom
    window.resize(900, 600)
    assert window._body.direction() == QBoxLayout.Direction.LeftToRight


def test_a_list_that_cannot_be_read_is_said(open_licences: Open, qtbot: QtBot) -> None:
    window = open_licences(failing)
    qtbot.waitUntil(lambda: "components.json" in window.count.text(), timeout=TIMEOUT_MS)


def test_escape_closes_it(open_licences: Open, qtbot: QtBot) -> None:
    window = open_licences()
    qtbot.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
