"""Ctrl+Z takes back what was done last, wherever it was done, and says so; the keys of redo do it again."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from app.chat.presets import Choices
from app.uikit.undo import UndoableAction
from tests.chat.ui.driver import Window

CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


@pytest.fixture
def parts(open_window, store, model):
    store.put_local_model(model)
    return open_window()


def press(parts, qtbot) -> None:
    qtbot.keyClick(parts.window.focusWidget(), Qt.Key.Key_Z, CTRL)


def press_in_list(parts, qtbot, *keys: tuple[Qt.Key, Qt.KeyboardModifier]) -> None:
    parts.window.sidebar.list.setFocus()
    for key, modifiers in keys:
        qtbot.keyClick(parts.window.sidebar.list, key, modifiers)


def said(parts) -> tuple[str, str]:
    """What the toast says, and what its button is called."""
    toast = parts.window.toast
    assert toast.isVisible()
    return toast.accessibleName(), toast.button.text()


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
    section = parts.window.page("settings").section("presets")
    section._choose(own)
    section.delete_button.click()
    assert parts.window.toast.isVisible()
    press(parts, qtbot)
    assert own in parts.presets.presets_of_kind("chat")
    assert titles(parts) == []
    assert said(parts) == ("「わたしの」を元に戻しました。", "やり直す")
    press(parts, qtbot)
    assert titles(parts) == ["昔の会話"]
    assert said(parts) == ("「昔の会話」をごみ箱から戻しました。", "やり直す")
    press(parts, qtbot)  # there is nothing more
    assert titles(parts) == ["昔の会話"]


def test_what_was_taken_back_is_done_again_by_the_toast(parts, qtbot):
    binned(parts, "昔の会話")
    parts.window.undo_stack.undo()
    parts.window.toast.button.click()
    assert titles(parts) == []
    assert said(parts) == ("「昔の会話」をごみ箱に移しました。30 日間戻せます。", "元に戻す")
    parts.window.toast.button.click()
    assert titles(parts) == ["昔の会話"]


@pytest.mark.parametrize("redo", [(Qt.Key.Key_Z, CTRL | SHIFT), (Qt.Key.Key_Y, CTRL)])
def test_the_keys_of_redo_do_again_in_order_until_something_else_is_done(parts, qtbot, redo):
    for title in ("一", "二", "三"):
        binned(parts, title)
    undo = (Qt.Key.Key_Z, CTRL)
    press_in_list(parts, qtbot, undo, undo, undo)
    assert sorted(titles(parts)) == ["一", "三", "二"]
    press_in_list(parts, qtbot, redo, redo)
    assert titles(parts) == ["三"]
    press_in_list(parts, qtbot, undo)
    assert sorted(titles(parts)) == ["三", "二"]
    binned(parts, "四")
    press_in_list(parts, qtbot, redo)
    assert sorted(titles(parts)) == ["三", "二"]


def test_what_is_done_again_is_said_even_if_the_action_itself_was_not(parts, qtbot):
    number = parts.store.add_question("昔の会話").conversation_id
    parts.conversations.note_change()
    parts.window.list_actions.rename(number, "新しい題名")
    assert not parts.window.toast.isVisible()
    parts.window.undo_stack.undo()
    assert said(parts) == ("名前を「昔の会話」に戻しました。", "やり直す")
    parts.window.undo_stack.redo()
    assert (titles(parts), said(parts)) == (["新しい題名"], ("名前を「新しい題名」に変えました。", "元に戻す"))


def test_an_undo_that_failed_is_not_reported_and_can_be_tried_again(parts):
    results = [False, True]
    parts.window.undo_stack.push(
        UndoableAction(done="した", undone="戻した", undo=lambda: results.pop(0), redo=lambda: None)
    )
    parts.window.undo_stack.undo()
    assert not parts.window.toast.isVisible()
    parts.window.undo_stack.undo()
    assert said(parts) == ("戻した", "やり直す")


def test_an_empty_field_keeps_the_keys_to_itself(parts, qtbot):
    binned(parts, "昔の会話")
    binned(parts, "別の会話")
    parts.window.undo_stack.undo()
    parts.window.show_questions()
    editor = parts.window.page("ask").composer.editor
    assert (parts.window.focusWidget(), editor.text()) == (editor, "")
    for key, modifiers in ((Qt.Key.Key_Z, CTRL), (Qt.Key.Key_Z, CTRL | SHIFT), (Qt.Key.Key_Y, CTRL)):
        qtbot.keyClick(editor, key, modifiers)
        assert titles(parts) == ["別の会話"]


def test_a_temporary_conversation_comes_back_and_is_closed_again(parts, qtbot):
    parts.session.open_new(is_temporary=True)
    Window(parts, qtbot).ask("大事")
    parts.window._on_new_requested()
    parts.window.toast.button.click()
    assert parts.session.is_temporary
    assert said(parts) == ("一時的な会話を開き直しました。", "やり直す")
    parts.window.toast.button.click()
    assert not parts.session.is_temporary
    assert said(parts) == ("一時的な会話を閉じました。", "元に戻す")


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


def test_a_folder_is_taken_away_and_made_again(parts, qtbot):
    parts.window.list_actions.add_folder()
    view = parts.window.sidebar.list
    qtbot.keyClick(view.findChild(QLineEdit), Qt.Key.Key_Return)  # the name is as it should be
    qtbot.waitUntil(lambda: not view.is_editing)
    parts.window.undo_stack.undo()
    assert parts.conversations.folders() == []
    assert said(parts) == ("作ったフォルダを取り消しました。", "やり直す")
    parts.window.undo_stack.redo()
    assert len(parts.conversations.folders()) == 1


def test_a_deleted_folder_comes_back_and_goes_again_with_what_is_in_it(parts):
    number = parts.store.add_question("中の会話").conversation_id
    parts.window.list_actions.add_folder([number])
    [folder] = parts.conversations.folders()
    parts.window.list_actions.remove_folder(folder.id)
    for _ in range(2):
        parts.window.undo_stack.undo()
        assert said(parts)[0] == f"フォルダ「{folder.name}」を元に戻しました。"
        assert parts.conversations.all_conversations()[0].folder_id == parts.conversations.folders()[0].id
        parts.window.undo_stack.redo()
        assert parts.conversations.folders() == []


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
    parts.window.undo_stack.undo()
    assert parts.window.page("ask").composer.text() == "kakikake"
    qtbot.waitUntil(lambda: parts.session.draft().text == "kakikake")
    assert titles(parts) == ["開いている会話"]
