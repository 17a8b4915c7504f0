"""What is typed stays with its conversation, and a temporary conversation stays off the disk: in the real window."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.base.wording import phrase
from app.chat.organizer import ConversationOrganizer
from app.chat.records import UnsentDraft
from app.chat.store import Store
from app.chat.ui import composer
from app.inference.local_model import LocalModel
from tests.chat.driver import fill_disk, store_thread
from tests.chat.ui.driver import CONTROL, SHIFT, Window, press, words
from tests.uikit.ui.conversion import convert

CANARY = "みどり色の亀が三時に橋を渡った"


@pytest.fixture
def window(
    open_window: Callable[..., AppContext],
    store: Store,
    model: LocalModel,
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> Window:
    monkeypatch.setattr(composer, "KEPT_AFTER_MS", 100)
    store.put_local_model(model)
    return Window(open_window(1200, 800), qtbot)


def stored(window: Window, conversation_id: int | None) -> UnsentDraft:
    return ConversationOrganizer(window.parts.store.database).draft(conversation_id)


# -------------------------------------------------------------------- drafts


def test_what_is_typed_is_stored_soon_after_and_is_there_after_a_new_start(window, open_window, qtbot):
    window.type("kakikake")
    assert stored(window, None) == UnsentDraft()
    qtbot.waitUntil(lambda: stored(window, None) == UnsentDraft("kakikake"))
    window.type("!")
    window.window.close()
    assert stored(window, None) == UnsentDraft("kakikake!")
    assert Window(open_window(1200, 800), qtbot).composer.text() == "kakikake!"


def test_what_is_typed_without_a_pause_is_stored_meanwhile(window, qtbot):
    def goes_on() -> bool:
        window.type("a")
        return stored(window, None).text != ""

    qtbot.waitUntil(goes_on)  # a key every 10 ms


def test_each_conversation_gets_its_text_back_and_an_edit_comes_back_as_an_edit(window):
    answer = window.ask("一")
    one, composer = window.open_id, window.composer
    window.type("one")
    window.window._on_new_requested()
    assert composer.text() == ""
    assert stored(window, one) == UnsentDraft("one"), "at once, not half a second later"
    window.type("new")
    window.window._on_conversation_chosen(one)
    assert composer.text() == "one"
    window.window._on_new_requested()
    assert composer.text() == "new"
    window.window._on_conversation_chosen(one)
    window.requests.edit_requested.emit(answer.parent_id)
    window.type("!")
    window.window._on_new_requested()
    assert (composer.edited_id, composer.edit_line.isVisible()) == (None, False)
    window.window._on_conversation_chosen(one)
    assert composer.draft() == UnsentDraft("一!", answer.parent_id, "one")
    assert composer.edit_line.isVisible()
    window.send()
    assert window.shown() == ["一!", "一!"]
    assert composer.draft() == stored(window, one) == UnsentDraft("one")


def test_a_question_that_was_sent_is_no_draft_and_another_answer_leaves_what_is_being_typed_alone(window, qtbot):
    window.type("kakikake")
    qtbot.waitUntil(lambda: stored(window, None) != UnsentDraft())
    window.send()
    window.window._on_new_requested()
    assert window.composer.text() == ""
    assert window.parts.conversations.with_drafts() == frozenset()
    answer = window.ask("同じ")
    window.type("mada")
    editor = window.editor
    editor.moveCursor(editor.textCursor().MoveOperation.Left)
    place = editor.textCursor().position()
    again = window.answered(lambda: window.requests.reproduce_requested.emit(answer.id))
    view = window.transcript.view_of(again.id)
    assert view.pager is not None
    assert phrase("chat.the_text_is_the_same") in words(view)
    window.session.show_branch(again.id, -1)
    assert (editor.text(), editor.textCursor().position()) == ("mada", place)


def test_a_draft_that_met_a_full_disk_is_stored_when_there_is_room(window, qtbot, monkeypatch):
    with monkeypatch.context() as patch:
        fill_disk(patch, ConversationOrganizer, "keep_draft")
        window.type("kakikake")
        qtbot.waitUntil(window.page.banner.isVisible)
    window.window._on_page_chosen("models")
    assert stored(window, None) == UnsentDraft("kakikake")


def test_a_question_asked_anew_apart_leaves_the_next_new_conversation_its_draft(window, qtbot):
    window.parts.preferences.change(context_tokens=512)
    window.type("kakikake")
    window.session.open(store_thread(window.parts.store, "あ" * 400, "い" * 90)[0].conversation_id)
    with qtbot.waitSignal(window.session.overflow.counted):
        window.session.ask("う" * 60)
    window.answered(lambda: window.session.resolve_overflow("new"))
    assert window.shown() == ["う" * 60] * 2
    assert window.composer.text() == ""
    window.session.open_new()
    assert window.composer.text() == "kakikake"


def test_a_draft_is_not_kept_in_another_conversation_while_a_conversion_is_open(window, qtbot):
    one = window.parts.store.add_question("一").conversation_id
    ConversationOrganizer(window.parts.store.database).keep_draft(one, UnsentDraft("一の続き"))
    window.type("kakikake")
    convert(window.editor, "はし")
    window.session.open(one)
    window.page._drafts.keep()
    assert stored(window, one) == UnsentDraft("一の続き")
    convert(window.editor, "", "橋")
    qtbot.waitUntil(lambda: window.editor.text() == "一の続き")
    window.session.open_new()
    assert stored(window, one) == UnsentDraft("一の続き")
    assert window.composer.text() == "kakikake"


# ----------------------------------------------------------------- temporary


def files_with(where: Paths, text: str) -> list[str]:
    files = [path for path in where.data.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_a_temporary_conversation_is_left_with_a_way_back_and_no_byte_on_the_disk(window, where):
    page, parts = window.page, window.parts
    window.ask("保存する")
    press(window.window, Qt.Key.Key_N, CONTROL | SHIFT)
    assert page.header.tag.isVisible()
    window.ask(CANARY)
    assert window.window.sidebar.conversations.open_id is None
    assert [conversation.title for conversation in parts.conversations.all_conversations()] == ["保存する"]
    window.type("tsuzuki")
    assert page.header.title.text() == CANARY
    window.window._on_new_requested()
    assert not page.header.tag.isVisible()
    toast = window.window.toast
    assert toast.isVisible()
    assert toast.accessibleName() == phrase("shell.the_temporary_chat_was_closed")
    assert files_with(where, CANARY) == []
    assert files_with(where, "保存する")
    toast.button.click()
    assert page.header.tag.isVisible()
    assert window.shown()[-1] == CANARY
    assert window.composer.text() == "tsuzuki"
    window.window._on_new_requested()
    assert files_with(where, "tsuzuki") == []
    window.session.open_new(is_temporary=True)
    window.type("mada-kiite-inai")  # before its first question
    window.window._on_new_requested()
    assert window.composer.text() == ""
    toast.button.click()
    assert page.header.tag.isVisible()
    assert window.composer.text() == "mada-kiite-inai"
    assert files_with(where, "mada-kiite-inai") == []


def test_a_temporary_conversation_kept_stays_where_it_is_and_with_what_is_typed(window):
    window.session.open_new(is_temporary=True)
    window.ask("残す")
    window.type("tsuzuki")
    window.page.header.keep_requested.emit()
    assert not window.page.header.tag.isVisible()
    assert window.composer.text() == "tsuzuki"
    assert stored(window, window.open_id) == UnsentDraft("tsuzuki")
    assert [message.text for message in window.parts.store.thread(window.open_id)] == ["残す", "残す"]
    assert window.window.sidebar.conversations.open_id == window.open_id
