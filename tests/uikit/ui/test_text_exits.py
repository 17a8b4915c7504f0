"""Selected text of what is 機密 leaves by no key, menu, middle click or drag without a yes; on a real X server too."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QListWidget, QPlainTextEdit, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.uikit import clipboard_guard
from app.uikit.clipboard_guard import ClipboardGuard
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.theme import Theme
from tests.faults.ledger import Tally

ROOT = Path(__file__).parents[3]
TEXT = "買収金額"
LIMIT_S = 60


class Window(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self.label: Label = "secret"
        self.edit = QPlainTextEdit(TEXT)
        self.line = QLineEdit(TEXT)
        self.words = QLabel(TEXT)
        self.words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.list = QListWidget()
        self.list.addItem(TEXT)
        self.list.setCurrentRow(0)
        column = QVBoxLayout(self)
        for widget in (self.edit, self.line, self.words, self.list):
            column.addWidget(widget)

    def label_now(self) -> Label:
        return self.label

    def select(self) -> None:
        self.edit.selectAll()
        self.line.selectAll()
        self.words.setSelection(0, len(TEXT))


@pytest.fixture
def window(theme: Theme, qtbot: QtBot, tmp_path: Path) -> Window:
    window = Window()
    qtbot.addWidget(window)
    window.secrecy = ConfidentialityGuard(theme, tmp_path / "exports.log")  # type: ignore[attr-defined]
    ClipboardGuard(window, window.secrecy)  # type: ignore[attr-defined]
    with qtbot.waitActive(window, timeout=60_000):
        window.show()
    QGuiApplication.clipboard().setText("前")
    return window


def dialog(window: Window) -> Any:
    return window.secrecy.dialog  # type: ignore[attr-defined]


@pytest.mark.fault("S16")
@pytest.mark.parametrize("name", ["edit", "line", "words", "list"])
def test_the_copy_key_asks_in_every_kind_of_view_by_the_label_of_that_moment(
    window: Window, name: str, tmp_path: Path
) -> None:
    view = getattr(window, name)
    view.setFocus()
    window.select()
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == "前"
    dialog(window).buttons["go"].click()
    assert QGuiApplication.clipboard().text() == TEXT
    (line,) = (tmp_path / "exports.log").read_text("utf-8").splitlines()
    assert json.loads(line)["what"] == "copy"
    window.label = "internal"
    QGuiApplication.clipboard().setText("前")
    QTest.keyClick(view, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    assert QGuiApplication.clipboard().text() == TEXT


@pytest.mark.fault("S16")
@pytest.mark.parametrize("name", ["edit", "line", "words"])
def test_the_menu_of_qt_asks(window: Window, name: str, qtbot: QtBot) -> None:
    view = getattr(window, name)
    view.setFocus()
    window.select()
    part = view.viewport() if name == "edit" else view
    menus: list[Any] = []

    def look() -> bool:
        menus[:] = [one for one in QApplication.topLevelWidgets() if one.metaObject().className() == "QMenu"]
        return any(one.isVisible() for one in menus)

    from PySide6.QtGui import QContextMenuEvent

    at = QPoint(5, 5)
    QApplication.postEvent(part, QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, part.mapToGlobal(at)))
    qtbot.waitUntil(look)
    qtbot.wait(20)
    (menu,) = [one for one in menus if one.isVisible()]
    next(action for action in menu.actions() if action.objectName() == "edit-copy").trigger()
    menu.close()
    assert QGuiApplication.clipboard().text() == "前"
    dialog(window).buttons["cancel"].click()
    assert QGuiApplication.clipboard().text() == "前"


@pytest.mark.fault("S16")
def test_what_is_cut_out_of_secret_text_asks_and_stays(window: Window) -> None:
    window.edit.setFocus()
    window.select()
    QTest.keyClick(window.edit, Qt.Key.Key_X, Qt.KeyboardModifier.ControlModifier)
    assert (QGuiApplication.clipboard().text(), window.edit.toPlainText()) == ("前", TEXT)
    dialog(window).buttons["go"].click()
    assert QGuiApplication.clipboard().text() == TEXT
    window.label = "public"
    QTest.keyClick(window.edit, Qt.Key.Key_X, Qt.KeyboardModifier.ControlModifier)
    assert window.edit.toPlainText() == ""


@pytest.mark.fault("S16")
@pytest.mark.parametrize("name", ["edit", "words"])
@pytest.mark.parametrize("held", ["NoModifier", "ControlModifier", "AltModifier", "MetaModifier", "KeypadModifier"])
def test_a_press_on_secret_text_begins_no_drag_whatever_key_is_held(window: Window, name: str, held: str) -> None:
    view = getattr(window, name)
    view.setFocus()
    window.select()
    part = view.viewport() if name == "edit" else view
    place = QPointF(12, part.height() / 2 if name == "words" else 12)

    def press() -> None:
        button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier[held]
        event = QMouseEvent(QMouseEvent.Type.MouseButtonPress, place, part.mapToGlobal(place), button, button, keys)
        QApplication.sendEvent(part, event)

    press()
    assert clipboard_guard.selected_text(view) == ""
    QTest.mouseRelease(part, Qt.MouseButton.LeftButton)
    window.label = "public"
    window.select()
    press()
    assert clipboard_guard.selected_text(view) == TEXT
    QTest.mouseRelease(part, Qt.MouseButton.LeftButton)


@pytest.mark.fault("S16")
def test_what_nobody_labels_and_what_cannot_be_looked_up_counts_as_secret(window: Window, theme: Theme) -> None:
    alone = QLabel(TEXT)
    assert clipboard_guard.label_at(alone) == clipboard_guard.label_at(None) == "secret"
    clipboard_guard.copy_text(alone, TEXT)
    assert QGuiApplication.clipboard().text() == "前"
    assert dialog(window) is not None
    alone.deleteLater()

    class Broken(QWidget):
        def label_now(self) -> Label:
            raise AppError("documents_damaged", path="")

    assert clipboard_guard.label_at(Broken()) == "secret"


@pytest.mark.fault("S16")
@pytest.mark.skipif(shutil.which("Xvfb") is None, reason="no X server without a screen")
def test_another_program_reads_nothing_secret_out_of_selection_and_clipboard(tally: Tally) -> None:
    read, write = os.pipe()
    server = subprocess.Popen(["Xvfb", "-displayfd", str(write), "-nolisten", "tcp"], pass_fds=[write], stderr=-3)
    os.close(write)
    try:
        with os.fdopen(read) as told:
            display = told.readline().strip()
        environment = {**os.environ, "DISPLAY": f":{display}", "QT_QPA_PLATFORM": "xcb"}
        found = {}
        for label in ("public", "secret"):
            command = [sys.executable, "-m", "tests.uikit.ui.secret_window", label]
            done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LIMIT_S)
            assert done.returncode == 0, done.stderr
            found[label] = json.loads(done.stdout)
    finally:
        server.terminate()
        server.wait(LIMIT_S)
    kinds = ("label", "line", "plain", "browser", "rich")
    assert all("WORDS" in found["public"][kind]["primary"] for kind in kinds), found["public"]  # the test can fail
    leaked = [kind for kind in kinds if found["secret"][kind]["primary"] or found["secret"][kind]["clipboard"]]
    dragged = [kind for kind in kinds if found["secret"][kind].get("draggable")]
    tally.tried(2 * len(kinds) + 4)
    tally.leaked(len(leaked) + len(dragged))
    assert not leaked
    assert not dragged
    assert found["public"]["later"]["primary"] == ""  # selected before it became confidential
    assert found["public"]["through another page"]["primary"] == ""
    assert not found["secret"]["log"]["there"]
