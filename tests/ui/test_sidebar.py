"""Conversations by day, filtered, renamed, moved to the bin and back."""

from datetime import datetime, timedelta

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLineEdit

from app.core.records import Conversation
from app.ui.conversation_list import ConversationList, IdRole, TimeRole
from app.ui.widgets.labels import tip

NOW = datetime(2026, 11, 25, 15, 30)


def conversation(number: int, title: str, age: timedelta = timedelta()) -> Conversation:
    when = (NOW - age).timestamp()
    return Conversation(number, title, when, when, None)


def texts(model: ConversationList) -> list[str]:
    return [model.index(row).data() for row in range(model.rowCount())]


def test_conversations_stand_under_their_day():
    model = ConversationList()
    ages = (timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=40), timedelta(days=400))
    model.set_conversations([conversation(n, f"会話{n}", age) for n, age in enumerate(ages)], NOW)
    assert texts(model) == [
        "今日", "会話0", "昨日", "会話1", "11月", "会話2", "10月", "会話3", "2025年10月", "会話4",
    ]  # fmt: skip
    assert [model.index(row).data(TimeRole) for row in (1, 3, 5)] == ["14:30", "15:30", "11月18日"]


def test_headings_cannot_be_chosen():
    model = ConversationList()
    model.set_conversations([conversation(1, "会話")], NOW)
    assert model.flags(model.index(0)) == Qt.ItemFlag.NoItemFlags
    assert model.index(0).data(IdRole) is None


def test_the_keyboard_stays_near_a_row_that_is_gone():
    model = ConversationList()
    model.set_conversations([conversation(1, "会話1"), conversation(2, "会話2", timedelta(days=1))], NOW)
    assert [model.nearest(row).data() for row in (0, 1, 2, 9)] == ["会話1", "会話1", "会話2", "会話2"]
    model.set_conversations([], NOW)
    assert not model.nearest(1).isValid()


@pytest.mark.parametrize("query", ["ＧＧＵＦ", "gguf", "取り込み"])
def test_the_filter_finds_titles_whatever_their_width_and_case(query):
    model = ConversationList()
    model.set_conversations([conversation(1, "GGUF の取り込み方"), conversation(2, "出張費")], NOW)
    model.set_filter(query, NOW)
    assert texts(model) == ["今日", "GGUF の取り込み方"]


def test_a_thousand_conversations_are_listed_in_groups():
    stored = [conversation(n, f"会話 {n}", timedelta(hours=n)) for n in range(1000)]
    model = ConversationList()
    model.set_conversations(stored, NOW)
    assert model.rowCount() > 1000


def test_a_title_that_looks_like_html_is_shown_as_it_is():
    model = ConversationList()
    model.set_conversations([conversation(1, "<b>太字</b>")], NOW)
    shown = model.index(1).data(Qt.ItemDataRole.ToolTipRole)
    assert shown == tip("<b>太字</b>")
    assert "&lt;b&gt;" in shown


def test_choosing_a_conversation_opens_it(open_window, store, qtbot):
    first = store.add_question("最初の質問").conversation_id
    store.add_question("次の質問")
    parts = open_window()
    listed = parts.window.sidebar.list
    index = parts.window.sidebar.conversations.index_of(first)
    qtbot.mouseClick(listed.viewport(), Qt.MouseButton.LeftButton, pos=listed.visualRect(index).center())
    assert parts.session.conversation.id == first


def test_delete_moves_to_the_bin_and_the_offer_brings_it_back(open_window, store, qtbot):
    kept = store.add_question("消さない質問").conversation_id
    parts = open_window()
    window = parts.window
    window.sidebar.list.setCurrentIndex(window.sidebar.conversations.index_of(kept))
    qtbot.keyClick(window.sidebar.list, Qt.Key.Key_Delete)
    assert texts(window.sidebar.conversations) == []
    assert window.toast.isVisible()
    assert "ごみ箱に移しました" in window.toast.accessibleName()
    qtbot.mouseClick(window.toast.undo_button, Qt.MouseButton.LeftButton)
    assert texts(window.sidebar.conversations)[1] == "消さない質問"
    assert not window.toast.isVisible()
    window.sidebar.list.setCurrentIndex(window.sidebar.conversations.index_of(kept))
    qtbot.keyClick(window.sidebar.list, Qt.Key.Key_Delete)
    assert texts(window.sidebar.conversations) == []
    window.list_actions.undo()  # Ctrl+Z
    assert texts(window.sidebar.conversations)[1] == "消さない質問"


def test_renaming_in_place_changes_the_stored_title(open_window, store, qtbot):
    renamed = store.add_question("前の名前").conversation_id
    parts = open_window()
    listed, model = parts.window.sidebar.list, parts.window.sidebar.conversations
    listed.setCurrentIndex(model.index_of(renamed))
    qtbot.keyClick(listed, Qt.Key.Key_F2)
    editor = listed.findChild(QLineEdit)
    editor.setText("後の名前")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: store.conversation(renamed).title == "後の名前")
    assert texts(model)[1] == "後の名前"


def test_the_menu_names_what_it_does(open_window, store):
    number = store.add_question("質問").conversation_id
    parts = open_window()
    listed = parts.window.sidebar.list
    listed.setCurrentIndex(parts.window.sidebar.conversations.index_of(number))
    menu = listed.menu()
    words = [action.text() for action in menu.actions() if not action.isSeparator()]
    assert words == ["名前を変更", "ピン留めする", "フォルダに移す", "書き出す…", "ごみ箱に移す"]


def test_an_empty_list_says_what_will_stand_there(open_window):
    parts = open_window()
    sidebar = parts.window.sidebar
    assert sidebar._empty.text() == "質問すると、ここに会話が並びます。"
    sidebar.filter.setText("橋")
    assert sidebar._empty.text() == "「橋」は見つかりません。"
