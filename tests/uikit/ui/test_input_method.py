"""Enter, Esc, Tab and shortcuts of a conversion send, close, accept and move nothing: in every field there is."""

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QPoint, QStringListModel, Qt, QTimer
from PySide6.QtGui import QImage, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QCompleter,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFileDialog,
    QInputDialog,
    QLineEdit,
    QListView,
    QMenu,
    QPlainTextEdit,
    QSpinBox,
    QTextBrowser,
    QTextEdit,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot
from shiboken6 import isValid

from app.uikit.input_method import Composition, ConversionGuard, conversion_guard_of
from tests.uikit.ui import conversion
from tests.uikit.ui.conversion import (  # noqa: F401  (a fixture)
    NOTHING,
    Clock,
    convert,
    input_method_guard,
    is_typed_into,
    text_of,
    walk_through,
)

# ------------------------------------------------------------------------------------------- fields of every kind


def in_dialog(field: QWidget) -> tuple[QWidget, QWidget]:
    """With a default button, which Enter would press, another field for Tab, and shortcuts."""
    dialog = QDialog()
    column = QVBoxLayout(dialog)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
    buttons.accepted.connect(dialog.accept)
    buttons.rejected.connect(dialog.reject)
    for widget in (field, QLineEdit(), buttons):
        column.addWidget(widget)
    for keys in ("Ctrl+N", "F6"):
        QShortcut(QKeySequence(keys), dialog, dialog.reject)
    return dialog, field


def with_completions() -> tuple[QWidget, QWidget]:
    field = QLineEdit()
    field.setCompleter(QCompleter(["日本", "日本橋"], field))
    return in_dialog(field)


def editable_combo() -> tuple[QWidget, QWidget]:
    box = QComboBox()
    box.addItems(["一", "二"])
    box.setEditable(True)
    return in_dialog(box)


def item_editor() -> tuple[QWidget, QWidget]:
    view = QListView()
    view.setModel(QStringListModel(["橋"], view))
    dialog, _ = in_dialog(view)
    dialog.show()
    view.edit(view.model().index(0, 0))
    return dialog, view.findChild(QLineEdit)


def question() -> tuple[QWidget, QWidget]:
    dialog = QInputDialog()
    dialog.setTextValue("前")
    dialog.show()
    return dialog, dialog.findChild(QLineEdit)


def file_name() -> tuple[QWidget, QWidget]:
    dialog = QFileDialog(options=QFileDialog.Option.DontUseNativeDialog)
    return dialog, dialog.findChild(QLineEdit)


KINDS: dict[str, Callable[[], tuple[QWidget, QWidget]]] = {
    "QLineEdit": lambda: in_dialog(QLineEdit("前")),
    "QLineEdit with completions": with_completions,
    "QLineEdit of an item": item_editor,
    "QTextEdit": lambda: in_dialog(QTextEdit("前", tabChangesFocus=True)),
    "QPlainTextEdit": lambda: in_dialog(QPlainTextEdit("前", tabChangesFocus=True)),
    "QComboBox": editable_combo,
    "QSpinBox": lambda: in_dialog(QSpinBox()),
    "QDoubleSpinBox": lambda: in_dialog(QDoubleSpinBox()),
    "QInputDialog": question,
    "QFileDialog": file_name,
}
READ_ONLY = {"QTextBrowser"}


@pytest.mark.parametrize("kind", KINDS)
def test_no_key_of_a_conversion_leaves_the_field(kind: str, qtbot: QtBot) -> None:
    window, field = KINDS[kind]()
    qtbot.addWidget(window)
    window.show()
    assert is_typed_into(field)
    walk_through(field, qtbot)


def test_the_editor_of_an_item_stays_open(qtbot: QtBot) -> None:
    """Its delegate has an event filter of its own, which takes Return and Esc from the editor."""
    window, field = item_editor()
    qtbot.addWidget(window)
    window.activateWindow()
    qtbot.waitUntil(field.hasFocus)
    convert(field, "にほん")
    for key in (Qt.Key.Key_Return, Qt.Key.Key_Escape, Qt.Key.Key_Tab):
        QTest.keyClick(field, key)
        QApplication.sendPostedEvents()
    assert field.hasFocus()
    convert(field, "", "日本")
    QTest.keyRelease(field, Qt.Key.Key_Return)
    QTest.keyClick(field, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: window.findChild(QListView).model().index(0, 0).data() == "日本")


def test_every_kind_of_field_that_the_program_uses_is_among_them() -> None:
    used = conversion.used_text_classes()
    assert used - KINDS.keys() - READ_ONLY == set()
    assert not is_typed_into(QTextBrowser())
    assert conversion.classes_with_input_methods() == set(), "such a class needs an entry of its own in KINDS"


# ------------------------------------------------------------------------------------------------ text is not lost


@pytest.fixture
def two_fields(qtbot: QtBot) -> Iterator[tuple[QLineEdit, QPlainTextEdit]]:
    """The first has the keyboard."""
    window = QWidget()
    line, page = QLineEdit(), QPlainTextEdit()
    column = QVBoxLayout(window)
    column.addWidget(line)
    column.addWidget(page)
    window.show()
    window.activateWindow()
    qtbot.waitUntil(line.hasFocus)
    yield line, page
    if isValid(window):
        window.close()


def test_what_qt_drops_when_the_keyboard_goes_elsewhere_is_taken(two_fields: tuple[QLineEdit, QPlainTextEdit]) -> None:
    """Qt asks for the commit, fcitx clears the preedit, and the focus goes, all in one."""
    line, page = two_fields
    convert(line, "にほん")
    convert(line, "")
    page.setFocus()
    assert (line.text(), page.toPlainText()) == ("にほん", "")


def test_what_the_user_has_cancelled_stays_away(two_fields: tuple[QLineEdit, QPlainTextEdit], qtbot: QtBot) -> None:
    line, page = two_fields
    convert(line, "にほん")
    convert(line, "")
    qtbot.waitUntil(lambda: not conversion_guard_of(line)._dropped)
    page.setFocus()
    assert line.text() == ""


def test_a_conversion_that_nobody_ends_is_taken_when_the_keyboard_goes_elsewhere(
    two_fields: tuple[QLineEdit, QPlainTextEdit],
) -> None:
    """The input method was restarted, or has no answer to Qt's question."""
    line, page = two_fields
    page.setFocus()
    convert(page, "にほん")
    line.setFocus()
    assert page.toPlainText() == "にほん"
    assert not conversion_guard_of(page).is_converting


def test_a_menu_over_the_field_does_not_end_the_conversion(
    two_fields: tuple[QLineEdit, QPlainTextEdit], qtbot: QtBot
) -> None:
    line, _ = two_fields
    menu = QMenu(line.window())
    menu.addAction("コピー")
    convert(line, "にほん")
    menu.popup(line.mapToGlobal(line.rect().center()))
    qtbot.waitUntil(menu.isVisible)
    menu.close()
    assert conversion_guard_of(line).is_converting
    assert line.text() == ""


def test_a_click_in_the_window_takes_what_the_input_method_would_drop(
    two_fields: tuple[QLineEdit, QPlainTextEdit], monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    line, _ = two_fields
    asked: list[bool] = []

    class Dropping:
        def commit(self) -> None:
            asked.append(True)
            convert(line, "")

    monkeypatch.setattr("app.uikit.input_method.QGuiApplication.inputMethod", Dropping)
    convert(line, "にほん")
    QTest.mouseClick(line.window().windowHandle(), Qt.MouseButton.LeftButton, NOTHING, QPoint(2, 2))
    qtbot.waitUntil(lambda: line.text() == "にほん")
    assert asked == [True]


@pytest.mark.parametrize("place", [0, 1])
def test_a_window_may_go_during_a_conversion(
    two_fields: tuple[QLineEdit, QPlainTextEdit], place: int, qtbot: QtBot
) -> None:
    """Qt takes the keyboard from a field whose window is half destroyed."""
    field = two_fields[place]
    field.setFocus()
    convert(field, "にほん")
    conversion_guard_of(field).run_after_conversion(field.clear)
    field.window().deleteLater()
    qtbot.waitUntil(lambda: not isValid(field))


def test_letters_reach_the_field_of_a_conversion_that_died(two_fields: tuple[QLineEdit, QPlainTextEdit]) -> None:
    for field in two_fields:
        field.setFocus()
        convert(field, "にほん")
        QTest.keyClicks(field, "aB 1")
        QTest.keyClick(field, Qt.Key.Key_Return)
        assert text_of(field) == "aB 1"
        convert(field, "", "日本")
        assert text_of(field) == "aB 1日本"


def test_a_text_that_comes_during_a_conversion_waits_for_its_end(
    two_fields: tuple[QLineEdit, QPlainTextEdit], qtbot: QtBot
) -> None:
    line, _ = two_fields
    guard = conversion_guard_of(line)
    guard.run_after_conversion(lambda: line.setText("前"))
    assert line.text() == "前"
    convert(line, "にほん")
    guard.run_after_conversion(lambda: line.setText("一"))
    guard.run_after_conversion(lambda: line.setText("二"))
    convert(line, "ご", "日本")  # committed in parts: the conversion goes on
    QApplication.processEvents()
    assert line.text() == "前日本"
    convert(line, "", "語")
    qtbot.waitUntil(lambda: line.text() == "二")


@pytest.mark.parametrize("kind", [QLineEdit, QTextEdit, QPlainTextEdit])
def test_no_placeholder_is_painted_through_the_letters(kind: type[QLineEdit], qtbot: QtBot) -> None:
    def picture(placeholder: str, preedit: str) -> QImage:
        field.setPlaceholderText(placeholder)
        convert(field, preedit)
        image = field.grab().toImage()
        convert(field, "")
        assert field.placeholderText() == placeholder
        return image

    field = kind()
    qtbot.addWidget(field)
    field.resize(300, 60)
    conversion_guard_of(field)  # without the keyboard, so that no caret blinks in the pictures
    is_painted = picture("質問を入力してください", "") != picture("", "")
    is_painted_through = picture("質問を入力してください", "に") != picture("", "に")
    assert (is_painted, is_painted_through) == (True, False)


def test_a_list_that_is_opened_by_typing_keeps_its_input_method(qtbot: QtBot) -> None:
    views = []
    for triggers in (QListView.EditTrigger.NoEditTriggers, QListView.EditTrigger.AnyKeyPressed):
        view = QListView()
        view.setModel(QStringListModel(["橋"], view))
        view.setCurrentIndex(view.model().index(0, 0))
        view.setEditTriggers(triggers)
        qtbot.addWidget(view)
        view.show()
        view.activateWindow()
        qtbot.waitUntil(view.hasFocus)
        views.append(is_typed_into(view))
    assert views == [False, True]


def test_the_program_has_the_guard_from_the_start() -> None:
    code = (
        "from app.uikit import desktop; from app.uikit.input_method import InputMethodGuard;"
        "app = desktop.make_application(); assert app.findChildren(InputMethodGuard)"
    )
    subprocess.run([sys.executable, "-P", "-c", code], check=True, timeout=60)


def test_a_field_that_only_qt_knows_keeps_its_guard(qtbot: QtBot) -> None:
    """As in a file dialog that Qt makes itself: the field and its guard know each other, and nobody in Python them."""
    seen: list[bool] = []

    def look() -> None:
        conversion_guard_of(QApplication.focusWidget()).composition = Composition(Clock())
        gc.collect()
        seen.append(isinstance(conversion_guard_of(QApplication.focusWidget()).composition._clock, Clock))
        QApplication.activeModalWidget().reject()

    def wait() -> None:
        QTimer.singleShot(0, wait if QApplication.focusWidget() is None else look)

    wait()
    before = len(ConversionGuard.kept)
    QFileDialog.getOpenFileName(options=QFileDialog.Option.DontUseNativeDialog)
    assert seen == [True]
    assert len(ConversionGuard.kept) == before, "it goes with its field"
