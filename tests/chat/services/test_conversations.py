"""The stored conversations as a collection: what the window changes, and what an undo brings back."""

import itertools

import pytest

from app.chat.organizer import ConversationOrganizer
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from tests.chat.driver import fill_disk, store_thread


def test_a_folder_comes_back_also_around_what_lies_in_the_bin(store, qtbot):
    conversations = Conversations(store)
    shown, binned = (store.add_question(text).conversation_id for text in ("一", "二"))
    folder_id = conversations.add_folder("橋梁", [shown, binned])
    conversations.bin([binned])
    undo = conversations.remove_folder(folder_id)
    assert {c.folder_id for c in conversations.all_conversations()} == {None}
    undo()
    conversations.restore([binned])
    assert {c.id: c.folder_id for c in conversations.all_conversations()} == {shown: folder_id, binned: folder_id}


def test_what_is_erased_is_gone_from_the_bin_at_once_and_from_the_database_soon(store, qtbot, monkeypatch):
    monkeypatch.setattr("app.chat.organizer.TURN_MESSAGES", 2)
    conversations = Conversations(store)
    ids = [store_thread(store, "質問", "答え")[0].conversation_id for _ in range(5)]
    conversations.bin(ids)
    conversations.erase(ids)
    assert conversations.binned() == []
    assert store.database.read("SELECT id FROM message") != []
    qtbot.waitUntil(lambda: store.database.read("SELECT id FROM message") == [])
    qtbot.waitUntil(lambda: store.database.read("SELECT id FROM conversation") == [])


def test_of_what_is_listed_only_the_conversation_that_changed_is_read_again(store, qtbot, monkeypatch):
    monkeypatch.setattr(store.database, "clock", itertools.count(1.0).__next__)
    conversations = Conversations(store)
    first, second, third = (store.add_question(text).conversation_id for text in ("一", "二", "三"))
    assert [one.id for one in conversations.listed()] == [third, second, first]
    before = conversations.listed()
    with monkeypatch.context() as patch:
        patch.setattr(store, "conversations", lambda: pytest.fail("all were read"))
        store.add_question("また", first)
        new = store.add_question("四").conversation_id
        conversations.note_change(first)
        conversations.mark_changed(new)
        assert [one.id for one in conversations.listed()] == [new, first, third, second]
        assert [one.id for one in before] == [third, second, first]  # who shows it is not changed behind its back
        store.database.write("UPDATE conversation SET binned_at = 1 WHERE id = ?", third)
        conversations.note_change(third)
        assert [one.id for one in conversations.listed()] == [new, first, second]
    assert conversations.listed() == conversations.all_conversations()
    conversations.rename(second, "改名")
    conversations.pin([new])
    assert conversations.listed() == conversations.all_conversations()
    with Store.open_second(conversations.path) as elsewhere:
        elsewhere.add_question("別の窓", second)
        conversations.note_change(first)
        assert conversations.listed() == conversations.all_conversations()
        elsewhere.add_question("また", second)
    conversations.refresh()
    assert conversations.listed() == conversations.all_conversations()


def test_a_disk_that_fills_up_while_erasing_is_told_once(store, qtbot, monkeypatch):
    conversations = Conversations(store)
    told = []
    conversations.problem_occurred.connect(lambda error: told.append(error.code))
    conversation_id = store.add_question("質問").conversation_id
    conversations.bin([conversation_id])
    fill_disk(monkeypatch, ConversationOrganizer, "erase_some")
    conversations.erase([conversation_id])
    assert told == ["disk_full"]
