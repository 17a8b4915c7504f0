"""From the question to the settings without a mouse: every step by the keys that a person presses."""

from collections.abc import Callable, Iterator

import pytest
from PySide6.QtCore import QCoreApplication, Qt
from PySide6.QtGui import QInputMethodEvent
from PySide6.QtWidgets import QApplication, QComboBox, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.chat.records import Message
from app.chat.store import Store
from app.inference.local_model import LocalModel
from app.uikit.input_method import InputMethodGuard
from tests.window_fixtures import settle

TABS_MAX = 80  # further away nobody looks for anything
Key, Modifier = Qt.Key, Qt.KeyboardModifier


class Keyboard:
    """Keys go where the focus is, as from a real one."""

    def __init__(self, parts: AppContext, qtbot: QtBot) -> None:
        self._parts = parts
        self._qtbot = qtbot

    @property
    def focus(self) -> QWidget:
        widget = QApplication.focusWidget()
        assert widget is not None, "the focus is nowhere"
        return widget

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Modifier.NoModifier) -> None:
        self._qtbot.keyClick(self.focus, key, modifiers)

    def write(self, text: str) -> None:
        """Through an input method; the first Return after it is the one that ended the conversion."""
        event = QInputMethodEvent()
        event.setCommitString(text)
        QCoreApplication.sendEvent(self.focus, event)
        self.press(Key.Key_Return)

    def go_to(self, name: str) -> QWidget:
        """By Tab alone."""
        for _ in range(TABS_MAX):
            if name in (self.focus.accessibleName(), getattr(self.focus, "text", str)()):
                return self.focus
            self.press(Key.Key_Tab)
        raise AssertionError(f"{name} is not reached by Tab")

    def thread(self) -> list[Message]:
        assert self._parts.session.conversation is not None
        return self._parts.store.thread(self._parts.session.conversation.id)

    def wait_for_answer(self, act: Callable[[], None]) -> list[Message]:
        with self._qtbot.waitSignal(self._parts.session.answer_finished):
            act()
        return self.thread()


@pytest.fixture
def keyboard(
    open_window: Callable[..., AppContext], store: Store, model: LocalModel, qapp: QApplication, qtbot: QtBot
) -> Iterator[Keyboard]:
    store.put_local_model(model)
    guard = InputMethodGuard(qapp)
    parts = open_window()
    parts.window.activateWindow()
    parts.window.show_questions()
    qtbot.waitUntil(lambda: QApplication.focusWidget() is parts.window.page("ask").composer.editor)
    yield Keyboard(parts, qtbot)
    guard.deleteLater()


def ask(keyboard: Keyboard, text: str) -> list[Message]:
    keyboard.write(text)
    return keyboard.wait_for_answer(lambda: keyboard.press(Key.Key_Return))


def test_a_question_is_asked_answered_again_and_asked_in_other_words(keyboard: Keyboard) -> None:
    assert [message.text for message in ask(keyboard, "橋脚の点検は？")] == ["橋脚の点検は？"] * 2
    keyboard.go_to("再生成")
    again = keyboard.wait_for_answer(lambda: keyboard.press(Key.Key_Space))
    assert (again[-1].branch, again[-1].branches) == (2, 2)
    keyboard.press(Key.Key_Left, Modifier.AltModifier)
    assert keyboard.thread()[-1].branch == 1
    keyboard.go_to("質問")
    keyboard.press(Key.Key_Up)
    keyboard.press(Key.Key_A, Modifier.ControlModifier)
    edited = ask(keyboard, "床版の点検は？")
    assert [message.text for message in edited] == ["床版の点検は？"] * 2
    assert (edited[0].branch, edited[0].branches) == (2, 2)


def test_a_long_answer_is_stopped_by_escape(keyboard: Keyboard, qtbot: QtBot) -> None:
    keyboard.write("!slow " + "長い" * 200)
    with qtbot.waitSignal(keyboard._parts.session.text_received):
        keyboard.press(Key.Key_Return)
    assert keyboard.wait_for_answer(lambda: keyboard.press(Key.Key_Escape))[-1].status == "stopped"


def test_a_conversation_is_found_renamed_binned_and_taken_back(keyboard: Keyboard, qtbot: QtBot) -> None:
    parts = keyboard._parts
    ask(keyboard, "配筋の間隔は？")
    keyboard.press(Key.Key_N, Modifier.ControlModifier)
    ask(keyboard, "床版の厚さは？")
    keyboard.press(Key.Key_K, Modifier.ControlModifier)
    keyboard.write("配筋")
    qtbot.waitUntil(lambda: parts.window.page("search").list.model().rowCount() == 1)
    keyboard.press(Key.Key_Down)
    keyboard.press(Key.Key_Return)
    qtbot.waitUntil(lambda: keyboard.thread()[0].text == "配筋の間隔は？")
    keyboard.press(Key.Key_Escape)  # the bar that shows where it was found
    for _ in range(3):
        if keyboard.focus is parts.window.sidebar.list:
            break
        keyboard.press(Key.Key_F6)
    keyboard.press(Key.Key_F2)
    keyboard.press(Key.Key_A, Modifier.ControlModifier)
    keyboard.write("鉄筋")
    keyboard.press(Key.Key_Return)
    qtbot.waitUntil(lambda: [c.title for c in parts.conversations.all_conversations()].count("鉄筋") == 1)
    qtbot.waitUntil(lambda: keyboard.focus is parts.window.sidebar.list)
    keyboard.press(Key.Key_Delete)
    assert [conversation.title for conversation in parts.conversations.binned()] == ["鉄筋"]
    keyboard.press(Key.Key_Z, Modifier.ControlModifier)
    assert parts.conversations.binned() == []


def test_a_setting_is_changed(keyboard: Keyboard) -> None:
    parts = keyboard._parts
    keyboard.press(Key.Key_6, Modifier.ControlModifier)
    settle()
    assert parts.window.current_page == "settings"
    chooser = keyboard.go_to("テーマ")
    assert isinstance(chooser, QComboBox)
    keyboard.press(Key.Key_End)
    assert parts.preferences.value.theme == "dark"
    keyboard.press(Key.Key_Home)
    assert parts.preferences.value.theme == "system"
    keyboard.press(Key.Key_1, Modifier.ControlModifier)
    assert keyboard.focus.accessibleName() == "質問"
