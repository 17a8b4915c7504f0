"""A window with every kind of text on a real X server, and what another program can read when text is selected in it.

`python -m tests.uikit.ui.secret_window secret|public`: prints for each kind what stood in the primary selection after
selecting with the mouse, and in the clipboard after the menu's own copy, as JSON. With `read` it is the other program:
for each line on its standard input it prints both.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QClipboard, QGuiApplication, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QPlainTextEdit, QTextBrowser, QVBoxLayout, QWidget

from app.base.confidentiality import Label
from app.base.settings import Settings
from app.uikit.clipboard_guard import ClipboardGuard
from app.uikit.confidentiality_guard import ConfidentialityGuard
from app.uikit.text.rich_text import RichText
from app.uikit.theme import Theme

TEXT = "SECRETWORDS"


class Window(QWidget):
    def __init__(self, label: Label, theme: Theme) -> None:
        super().__init__()
        self.label: Label = label
        column = QVBoxLayout(self)
        rich = RichText(theme)
        rich.show_plain(TEXT)
        rich.fit(400)
        words = QLabel(TEXT)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.kinds: dict[str, QWidget] = {
            "label": words, "line": QLineEdit(TEXT), "plain": QPlainTextEdit(TEXT), "browser": QTextBrowser(),
            "rich": rich,
        }  # fmt: skip
        browser = self.kinds["browser"]
        assert isinstance(browser, QTextBrowser)
        browser.setPlainText(TEXT)
        for widget in self.kinds.values():
            column.addWidget(widget)
        self.other = Other()
        column.addWidget(self.other)
        self.resize(500, 700)

    def label_now(self) -> Label:
        return self.label


class Other(QWidget):
    """A page that shows nothing confidential."""

    def __init__(self) -> None:
        super().__init__()
        self.line = QLineEdit(self)

    def label_now(self) -> Label:
        return "public"


def target(widget: QWidget) -> QWidget:
    return widget.viewport() if isinstance(widget, QPlainTextEdit | QTextBrowser) else widget


def select(widget: QWidget) -> None:
    """From its first word to the right, as a hand does."""
    widget.setFocus()
    part = target(widget)
    y = part.height() // 2 if isinstance(widget, QLabel | QLineEdit) else 12
    start, end = QPoint(6, y), QPoint(min(200, part.width() - 2), y)
    QTest.mousePress(part, Qt.MouseButton.LeftButton, pos=start)
    QTest.mouseMove(part, end)
    QTest.qWait(30)
    QTest.mouseRelease(part, Qt.MouseButton.LeftButton, pos=end)
    QTest.qWait(30)


class Reader:
    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.uikit.ui.secret_window", "read"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self) -> dict[str, str]:
        """While our own event loop answers it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        import threading

        lines: list[str] = []
        thread = threading.Thread(target=lambda: lines.append(self._process.stdout.readline()))  # type: ignore[union-attr]
        thread.start()
        while thread.is_alive():
            QTest.qWait(10)
        found: dict[str, str] = json.loads(lines[0])
        return found

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)


def show(label: Label) -> None:
    app = QApplication([])
    theme = Theme()
    theme.apply(app, Settings(theme="light"))
    window = Window(label, theme)
    log = Path(tempfile.mkdtemp()) / "exports.log"
    secrecy = ConfidentialityGuard(theme, log)
    ClipboardGuard(window, secrecy)
    window.show()
    window.activateWindow()
    QTest.qWaitForWindowExposed(window)
    reader, found = Reader(), {}
    for name, widget in window.kinds.items():
        window.activateWindow()
        QTest.qWaitForWindowActive(window, 60_000)
        QTest.qWait(100)
        select(widget)
        primary = reader.read()["selection"]
        copy = getattr(widget, "copy", None)
        if copy is not None:
            copy()  # as Qt's own menus do it, past our keys
        QTest.qWait(20)
        clipboard = reader.read()["clipboard"]
        asked = secrecy.dialog is not None
        if secrecy.dialog is not None:
            secrecy.dialog.buttons["cancel"].click()
            secrecy.dialog = None
        found[name] = {"primary": primary, "clipboard": clipboard, "asked": asked}
        if isinstance(widget, QTextBrowser | QPlainTextEdit):  # pressing on what is selected begins no drag
            widget.selectAll()
            control = Qt.KeyboardModifier.ControlModifier  # with it Qt copies what is dragged
            QTest.mousePress(widget.viewport(), Qt.MouseButton.LeftButton, control, QPoint(20, 12))
            found[name]["draggable"] = widget.textCursor().hasSelection()
            QTest.mouseRelease(widget.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, 12))
            widget.moveCursor(QTextCursor.MoveOperation.Start)
        QGuiApplication.clipboard().clear(QClipboard.Mode.Selection)
    select(window.kinds["plain"])
    window.label = "secret"
    window.kinds["plain"].clearFocus()  # as where another program gets the keys
    QTest.qWait(30)
    found["later"] = {"primary": reader.read()["selection"]}
    window.label = label
    window.kinds["plain"].moveCursor(QTextCursor.MoveOperation.Start)  # type: ignore[attr-defined]
    select(window.kinds["plain"])
    window.label = "secret"
    window.other.line.setFocus()
    window.other.line.clearFocus()
    QTest.qWait(30)
    found["through another page"] = {"primary": reader.read()["selection"]}
    found["log"] = {"there": log.exists()}
    reader.end()
    print(json.dumps(found))


def read() -> None:
    app = QApplication([])
    for _line in sys.stdin:
        app.processEvents()
        clipboard = QGuiApplication.clipboard()
        told = {"selection": clipboard.text(QClipboard.Mode.Selection), "clipboard": clipboard.text()}
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read()
    else:
        show("secret" if sys.argv[1] == "secret" else "public")
