"""The page ごみ箱: back with one key, away for good only after a question."""

import pytest
from PySide6.QtCore import Qt

from app.base.wording import phrase
from app.chat.organizer import ConversationOrganizer
from app.chat.records import Conversation
from app.chat.ui.conversations.bin_page import bin_rows
from app.uikit import dialogs
from tests.chat.ui.driver import LEFT, words

DAY_S = 24 * 60 * 60
NOW = 1_800_000_000.0


def binned(store, *titles: str) -> list[int]:
    ids = [store.add_question(title).conversation_id for title in titles]
    for number in ids:
        ConversationOrganizer(store.database).bin([number])
    return ids


@pytest.fixture
def open_bin(open_window):
    def open_():
        parts = open_window()
        parts.window._on_page_chosen("bin")
        return parts, parts.window.page("bin")

    return open_


def shown(page) -> list[str]:
    return [page.binned.index(row).data() for row in range(page.binned.rowCount())]


def dialog_of(page) -> dialogs.Dialog:
    return page.findChild(dialogs.Dialog)


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (0, "あと 30 日で消えます"),
        (0.5, "あと 30 日で消えます"),
        (18, "あと 12 日で消えます"),
        (29.9, "あと 1 日で消えます"),
        (30, "まもなく消えます"),
        (-1, "あと 30 日で消えます"),  # a clock that was ahead
    ],
)
def test_each_row_says_how_long_it_is_kept(days, left):
    (row,) = bin_rows([Conversation(1, "題", 0, 0, None, binned_at=NOW - days * DAY_S)], NOW)
    assert (row.name, row.description) == ("題", left)


def test_the_last_thrown_away_is_chosen_and_enter_brings_it_back(open_bin, store, qtbot):
    ids = binned(store, "一", "二")
    parts, page = open_bin()
    assert shown(page) == ["二", "一"]
    assert parts.window.focusWidget() is page.list
    qtbot.keyClick(page.list, Qt.Key.Key_Return)
    assert shown(page) == ["一"]
    assert [one.id for one in parts.conversations.all_conversations()] == [ids[1]]
    assert page.list.chosen_ids() == [ids[0]]
    parts.window.undo_stack.undo()
    assert shown(page) == ["二", "一"]
    parts.window.list_actions.bin([store.add_question("三").conversation_id])  # while the bin is open
    assert shown(page) == ["三", "二", "一"]


def test_who_says_so_erases_what_was_chosen_or_everything(open_bin, store, qtbot):
    ids = binned(store, "一", "二", "<b>三</b>")
    kept = store.add_question("残る").conversation_id
    parts, page = open_bin()
    qtbot.keyClick(page.list, Qt.Key.Key_Delete)  # which only asks, and Enter answers cancel
    dialog = dialog_of(page)
    said = words(dialog)
    assert "「<b>三</b>」を完全に削除しますか" in said
    assert phrase("chat.this_cannot_be_undone_the") in said
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    assert dialog.result_key == "cancel"
    assert len(parts.conversations.binned()) == 3
    dialog.setParent(None)
    page.list.setCurrentIndex(page.binned.index(1))
    qtbot.mouseClick(page.erase_button, LEFT)
    dialog_of(page).buttons["erase"].click()
    assert [one.id for one in parts.conversations.binned()] == [ids[2], ids[0]]
    assert store.conversation(ids[1]) is None
    assert page.list.chosen_ids() == [ids[0]]
    page.findChild(dialogs.Dialog).setParent(None)
    qtbot.mouseClick(page.empty_button, LEFT)
    dialog = dialog_of(page)
    assert "ごみ箱の 2 件をすべて完全に削除しますか" in words(dialog)
    dialog.buttons["erase"].click()
    assert parts.conversations.binned() == []
    assert [one.id for one in parts.conversations.all_conversations()] == [kept]
    assert not parts.window.sidebar.bin_button.note


def test_an_empty_bin_says_so_and_leads_back(open_bin, store, qtbot):
    binned(store, "一", "二", "三")
    parts, page = open_bin()
    page.list.selectAll()
    assert page._selection_label.text() == "3 件を選んでいます"
    qtbot.mouseClick(page.restore_button, LEFT)
    assert len(parts.conversations.all_conversations()) == 3
    assert parts.window.focusWidget() is page.ask_button
    assert not page.empty_button.isVisible()
    assert phrase("chat.the_bin_is_empty_deleted") in words(page)
    qtbot.mouseClick(page.ask_button, LEFT)
    assert parts.window.current_page == "ask"


def test_the_question_names_the_conversation_that_is_chosen_not_the_one_the_keyboard_is_at(open_bin, store, qtbot):
    binned(store, "一", "二")
    parts, page = open_bin()

    def click(row: int, modifiers=Qt.KeyboardModifier.NoModifier) -> None:
        place = page.list.visualRect(page.binned.index(row)).center()
        qtbot.mouseClick(page.list.viewport(), LEFT, modifiers, place)

    click(0)
    for _ in range(2):  # chosen as well, and not any more
        click(1, Qt.KeyboardModifier.ControlModifier)
    assert page.list.currentIndex().data() == "一"
    qtbot.mouseClick(page.erase_button, LEFT)
    dialog = dialog_of(page)
    assert dialog.accessibleName() == "「二」を完全に削除しますか"
    qtbot.mouseClick(dialog.buttons["erase"], LEFT)
    assert [one.title for one in parts.conversations.binned()] == ["一"]
