"""Drives a part of the page 評価 as a person does: clicks, keys, and what is then to be read."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QObject, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QVBoxLayout, QWidget
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.services import background
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.waiting import process_until
from tests.window_fixtures import settle

NO_MODIFIER = Qt.KeyboardModifier.NoModifier
CONTROL = Qt.KeyboardModifier.ControlModifier


class Driver(QObject):
    """`window`: what is looked at."""

    def __init__(self, window: QWidget, qtbot: QtBot) -> None:
        super().__init__()
        self.window, self.qtbot = window, qtbot
        self.errors: list[AppError] = []

    def open(self, width: int, height: int) -> None:
        """Show the window until the test has ended."""
        if not self.window.isVisible():
            self.qtbot.addWidget(self.window)
        self.window.resize(width, height)
        self.window.show()

    @property
    def failed(self) -> list[str]:
        """The codes of the errors that were told."""
        return [error.code for error in self.errors]

    def until(self, is_so: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(is_so()), timeout=60_000)

    def settle(self) -> None:
        """Return when everything in the background has ended and has come to the window."""
        process_until(lambda: not background._running)
        assert not background._running
        settle()

    def click(self, button: QWidget) -> None:
        assert button.isVisibleTo(self.window)
        assert button.isEnabled()
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def do(self, button: QAbstractButton) -> None:
        """Click, and wait for what comes of it."""
        assert button.isEnabled()
        button.click()
        self.settle()

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NO_MODIFIER, at: QWidget | None = None) -> None:
        """`at`: by default where the keyboard is."""
        place = at or QApplication.focusWidget()
        assert place is not None
        QTest.keyClick(place, key, modifier)

    def texts(self, part: QWidget) -> list[str]:
        """What the labels of `part` say that are shown."""
        return [label.text() for label in part.findChildren(QLabel) if label.isVisibleTo(part) and label.text()]

    def problems(self, part: QWidget | None = None) -> list[str]:
        """Texts that are cut off, and controls that a screen reader could not name."""
        settle()
        shown = part or self.window
        nodes = [node for node in accessible.walk(shown) if node.is_interactive and node.role != "Cell"]
        assert nodes
        return [*clipped(shown), *(str(node) for node in nodes if not node.name)]


def stacked(parts: Sequence[QWidget]) -> QWidget:
    """A window of parts below each other."""
    window = QWidget()
    column = QVBoxLayout(window)
    column.setContentsMargins(0, 0, 0, 0)
    for part in parts:
        column.addWidget(part)
    return window
