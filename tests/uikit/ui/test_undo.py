"""Ctrl+Z takes back what was done last, wherever it was done."""

import pytest
from PySide6.QtCore import Qt

from app.chat.presets import Choices
from tests.chat.ui.driver import Window

CTRL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def parts(open_window, store, model):
    store.put_local_model(model)
    return open_window()


def press(parts, qtbot) -> None:
    qtbot.keyClick(parts.window.focusWidget(), Qt.Key.Key_Z, CTRL)


def titles(parts) -> list[str]:
    return [one.title for one in parts.conversations.all_conversations()]


def binned(parts, title: str) -> int:
    number = parts.store.add_question(title).conversation_id
    parts.window.list_actions.bin([number])
    return number


def test_the_last_deed_is_taken_back_first_whatever_it_was(parts, qtbot):
    binned(parts, "昔の会話")
    own = parts.presets.add("chat", "わたしの", Choices())
    parts.window.show_settings("presets")
    section = parts.window.page("settings").presets
    section._choose(own)
    section.delete_button.click()
    assert parts.window.toast.isVisible()
    press(parts, qtbot)
    assert own in parts.presets.presets_of_kind("chat")
    assert titles(parts) == []
    assert not parts.window.toast.isVisible()
    press(parts, qtbot)
    assert titles(parts) == ["昔の会話"]


def test_a_temporary_conversation_comes_back_from_the_empty_field(parts, qtbot):
    binned(parts, "昔の会話")
    parts.session.open_new(is_temporary=True)
    Window(parts, qtbot).ask("大事")
    parts.window._on_new_requested()
    assert parts.window.focusWidget() is parts.window.page("ask").composer.editor
    press(parts, qtbot)
    assert parts.session.is_temporary
    assert titles(parts) == []
    assert not parts.window.toast.isVisible()


def test_of_temporary_conversations_only_the_last_is_offered(parts, qtbot):
    for text in ("一つ目", "二つ目"):
        parts.session.open_new(is_temporary=True)
        Window(parts, qtbot).ask(text)
    parts.window._on_new_requested()
    parts.window.undo_stack.undo()
    assert parts.session.conversation.title == "二つ目"
    parts.window.undo_stack.undo()
    assert parts.session.conversation.title == "二つ目"


def test_a_field_with_something_typed_keeps_the_key(parts, qtbot):
    binned(parts, "昔の会話")
    parts.window.show_questions()
    editor = parts.window.page("ask").composer.editor
    Window(parts, qtbot).type("abc")
    for _ in range(3):  # more often than there is something to take back
        press(parts, qtbot)
    assert editor.text() == ""
    assert titles(parts) == []
    parts.session.open_new()
    parts.window.sidebar.list.setFocus()
    press(parts, qtbot)
    assert titles(parts) == ["昔の会話"]


def test_what_names_an_erased_conversation_is_forgotten(parts):
    number = binned(parts, "消した会話")
    parts.window.list_actions.restore([number])
    parts.window.list_actions.bin([number])
    parts.conversations.erase([number])
    assert not parts.window.toast.isVisible()
    parts.store.add_question("新しい会話")
    parts.conversations.note_change()
    for _ in range(3):
        parts.window.undo_stack.undo()
    assert titles(parts) == ["新しい会話"]


def test_the_toast_of_another_deed_stays(parts):
    binned(parts, "一")
    parts.window.list_actions.add_folder()
    parts.window.undo_stack.undo()
    assert parts.conversations.folders() == []
    assert parts.window.toast.isVisible()
    parts.window.undo_stack.undo()
    assert not parts.window.toast.isVisible()


def test_the_open_conversation_taken_back_from_the_bin_is_open_again(parts, qtbot):
    answer = Window(parts, qtbot).ask("開いている会話")
    parts.window.list_actions.bin([answer.conversation_id])
    assert parts.session.conversation is None
    parts.window.undo_stack.undo()
    assert parts.session.conversation.id == answer.conversation_id


def test_a_conversation_taken_back_does_not_push_aside_what_is_being_written(parts, qtbot):
    answer = Window(parts, qtbot).ask("開いている会話")
    parts.window.list_actions.bin([answer.conversation_id])
    Window(parts, qtbot).type("kakikake")
    parts.window.toast.undo_button.click()
    assert parts.window.page("ask").composer.text() == "kakikake"
    qtbot.waitUntil(lambda: parts.session.draft().text == "kakikake")
    assert titles(parts) == ["開いている会話"]
