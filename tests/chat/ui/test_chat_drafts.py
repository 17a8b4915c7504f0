"""What is typed stays with its conversation, and a temporary conversation stays off the disk: in the real window."""

from collections.abc import Callable

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, Message, UnsentDraft
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.inference.local_model import LocalModel
from app.uikit.widgets.labels import Label
from tests.uikit.ui.conversion import convert

CANARY = "みどり色の亀が三時に橋を渡った"


@pytest.fixture
def parts(open_window: Callable[..., AppContext], store: Store, model: LocalModel) -> AppContext:
    store.put_local_model(model)
    return open_window(1200, 800)


def page_of(parts: AppContext) -> ChatPage:
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    return page


def type_text(parts: AppContext, text: str, qtbot: QtBot) -> None:
    editor = page_of(parts).composer.editor
    for character in text:
        qtbot.keyClicks(editor, character)


def ask(parts: AppContext, text: str, qtbot: QtBot) -> Message:
    page_of(parts).composer.set_text(text)
    with qtbot.waitSignal(parts.session.answer_finished, timeout=30_000) as signal:
        qtbot.keyClick(page_of(parts).composer.editor, Qt.Key.Key_Return)
    message: Message = signal.args[0]
    return message


def open_id(parts: AppContext) -> int:
    assert parts.session.conversation is not None
    return parts.session.conversation.id


def stored(parts: AppContext, conversation_id: int | None) -> UnsentDraft:
    return ConversationOrganizer(parts.store.database).draft(conversation_id)


# -------------------------------------------------------------------- drafts


def test_what_is_typed_is_stored_soon_after(parts: AppContext, qtbot: QtBot) -> None:
    type_text(parts, "kakikake", qtbot)
    assert stored(parts, None) == UnsentDraft()
    qtbot.waitUntil(lambda: stored(parts, None) == UnsentDraft("kakikake"), timeout=5_000)


def test_what_is_typed_without_a_pause_is_stored_meanwhile(parts: AppContext, qtbot: QtBot) -> None:
    def goes_on() -> bool:
        type_text(parts, "a", qtbot)
        return stored(parts, None).text != ""

    qtbot.waitUntil(goes_on, timeout=10_000)  # a key every 10 ms


def test_each_conversation_gets_its_text_back(parts: AppContext, qtbot: QtBot) -> None:
    ask(parts, "一", qtbot)
    one = open_id(parts)
    type_text(parts, "one", qtbot)
    parts.window._on_new_requested()
    composer = page_of(parts).composer
    assert composer.text() == ""
    assert stored(parts, one) == UnsentDraft("one"), "at once, not half a second later"
    type_text(parts, "new", qtbot)
    parts.window._on_conversation_chosen(one)
    assert composer.text() == "one"
    parts.window._on_new_requested()
    assert composer.text() == "new"


def test_an_edit_comes_back_as_an_edit(parts: AppContext, qtbot: QtBot) -> None:
    answer = ask(parts, "一", qtbot)
    one = open_id(parts)
    composer = page_of(parts).composer
    type_text(parts, "before", qtbot)
    page_of(parts).transcript.requests.edit_requested.emit(answer.parent_id)
    type_text(parts, "!", qtbot)
    parts.window._on_new_requested()
    assert composer.edited_id is None
    assert not composer.edit_line.isVisible()
    parts.window._on_conversation_chosen(one)
    assert composer.draft() == UnsentDraft("一!", answer.parent_id, "before")
    assert composer.edit_line.isVisible()
    with qtbot.waitSignal(parts.session.answer_finished, timeout=30_000):
        qtbot.keyClick(composer.editor, Qt.Key.Key_Return)
    assert [message.text for message in page_of(parts).transcript.messages] == ["一!", "一!"]
    assert composer.draft() == UnsentDraft("before")
    assert stored(parts, one) == UnsentDraft("before")


def test_a_new_start_shows_what_was_typed(
    parts: AppContext, open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    type_text(parts, "kakikake", qtbot)
    parts.window.close()
    assert ConversationOrganizer(store.database).draft(None) == UnsentDraft("kakikake")
    again = open_window(1200, 800)
    assert page_of(again).composer.text() == "kakikake"


def test_a_question_that_was_sent_is_no_draft(parts: AppContext, qtbot: QtBot) -> None:
    type_text(parts, "kakikake", qtbot)
    qtbot.waitUntil(lambda: stored(parts, None) != UnsentDraft(), timeout=5_000)
    with qtbot.waitSignal(parts.session.answer_finished, timeout=30_000):
        qtbot.keyClick(page_of(parts).composer.editor, Qt.Key.Key_Return)
    parts.window._on_new_requested()
    assert page_of(parts).composer.text() == ""
    assert parts.conversations.with_drafts() == frozenset()


def test_another_answer_leaves_what_is_being_typed_alone(parts: AppContext, qtbot: QtBot) -> None:
    answer = ask(parts, "一", qtbot)
    type_text(parts, "mada", qtbot)
    editor = page_of(parts).composer.editor
    editor.moveCursor(editor.textCursor().MoveOperation.Left)
    place = editor.textCursor().position()
    with qtbot.waitSignal(parts.session.answer_finished, timeout=30_000):
        page_of(parts).transcript.requests.regenerate_requested.emit(answer.id)
    parts.session.show_branch(page_of(parts).transcript.messages[-1].id, -1)
    assert (editor.text(), editor.textCursor().position()) == ("mada", place)


def test_a_draft_that_met_a_full_disk_is_stored_when_there_is_room(
    parts: AppContext, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise AppError("disk_full", path="/")

    with monkeypatch.context() as patch:
        patch.setattr(ConversationOrganizer, "keep_draft", full)
        type_text(parts, "kakikake", qtbot)
        qtbot.waitUntil(page_of(parts).banner.isVisible, timeout=5_000)
    parts.window._on_page_chosen("models")
    assert stored(parts, None) == UnsentDraft("kakikake")


def test_a_question_asked_anew_apart_leaves_the_next_new_conversation_its_draft(
    parts: AppContext, qtbot: QtBot
) -> None:
    parts.preferences.change(context_tokens=512)
    type_text(parts, "kakikake", qtbot)
    question = parts.store.add_question("あ" * 400)
    answer = parts.store.add_answer(question.id, AnswerDetails())
    parts.store.finish_answer(answer.id, "い" * 90, "done", AnswerDetails())
    parts.session.open(question.conversation_id)
    with qtbot.waitSignal(parts.session.overflow.counted, timeout=20_000):
        parts.session.ask("う" * 60)
    with qtbot.waitSignal(parts.session.answer_finished, timeout=20_000):
        parts.session.resolve_overflow("new")
    page = page_of(parts)
    assert [message.text for message in page.transcript.messages] == ["う" * 60] * 2
    assert page.composer.text() == ""
    parts.session.new()
    assert page.composer.text() == "kakikake"


def test_a_draft_is_not_kept_in_another_conversation_while_a_conversion_is_open(
    parts: AppContext, qtbot: QtBot
) -> None:
    one = parts.store.add_question("一").conversation_id
    ConversationOrganizer(parts.store.database).keep_draft(one, UnsentDraft("一の続き"))
    type_text(parts, "kakikake", qtbot)
    editor = page_of(parts).composer.editor
    convert(editor, "はし")
    parts.session.open(one)
    page_of(parts)._drafts.keep()
    assert stored(parts, one) == UnsentDraft("一の続き")
    convert(editor, "", "橋")
    qtbot.waitUntil(lambda: editor.text() == "一の続き")
    parts.session.new()
    assert stored(parts, one) == UnsentDraft("一の続き")
    assert page_of(parts).composer.text() == "kakikake"


# ----------------------------------------------------------------- temporary


def files_with(where: Paths, text: str) -> list[str]:
    files = [path for path in where.data.rglob("*") if path.is_file()]
    return [path.name for path in files if text.encode() in path.read_bytes()]


def test_a_temporary_conversation_is_left_with_a_way_back_and_no_byte_on_the_disk(
    parts: AppContext, where: Paths, qtbot: QtBot
) -> None:
    ask(parts, "保存する", qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_N, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    page = page_of(parts)
    assert page.header.tag.isVisible()
    ask(parts, CANARY, qtbot)
    type_text(parts, "tsuzuki", qtbot)
    assert page.header.title.text() == CANARY
    parts.window._on_new_requested()
    assert not page.header.tag.isVisible()
    toast = parts.window.toast
    assert toast.isVisible()
    assert toast.accessibleName() == "一時的な会話を閉じました。"
    assert files_with(where, CANARY) == []
    assert files_with(where, "保存する")
    toast.undo_button.click()
    assert page.header.tag.isVisible()
    assert page.transcript.messages[-1].text == CANARY
    assert page.composer.text() == "tsuzuki"
    parts.window._on_new_requested()
    assert files_with(where, "tsuzuki") == []


def test_what_was_typed_before_the_first_question_of_a_temporary_conversation_has_a_way_back(
    parts: AppContext, where: Paths, qtbot: QtBot
) -> None:
    parts.session.new(is_temporary=True)
    type_text(parts, "mada-kiite-inai", qtbot)
    parts.window._on_new_requested()
    assert page_of(parts).composer.text() == ""
    parts.window.toast.undo_button.click()
    assert page_of(parts).header.tag.isVisible()
    assert page_of(parts).composer.text() == "mada-kiite-inai"
    assert files_with(where, "mada-kiite-inai") == []


def test_a_temporary_conversation_marks_nothing_in_the_list(parts: AppContext, qtbot: QtBot) -> None:
    ask(parts, "保存する", qtbot)
    assert parts.window.sidebar.conversations.open_id == open_id(parts)
    parts.session.new(is_temporary=True)
    ask(parts, "一時", qtbot)
    assert parts.window.sidebar.conversations.open_id is None
    assert [conversation.title for conversation in parts.conversations.all()] == ["保存する"]


def test_a_temporary_conversation_kept_stays_where_it_is_and_with_what_is_typed(
    parts: AppContext, qtbot: QtBot
) -> None:
    parts.session.new(is_temporary=True)
    ask(parts, "残す", qtbot)
    type_text(parts, "tsuzuki", qtbot)
    page_of(parts).header.keep_requested.emit()
    assert not page_of(parts).header.tag.isVisible()
    assert page_of(parts).composer.text() == "tsuzuki"
    assert stored(parts, open_id(parts)) == UnsentDraft("tsuzuki")
    assert [message.text for message in parts.store.thread(open_id(parts))] == ["残す", "残す"]
    assert parts.window.sidebar.conversations.open_id == open_id(parts)


def test_the_same_answer_again_says_that_it_is_the_same(parts: AppContext, qtbot: QtBot) -> None:
    answer = ask(parts, "同じ", qtbot)
    with qtbot.waitSignal(parts.session.answer_finished, timeout=30_000):
        page_of(parts).transcript.requests.reproduce_requested.emit(answer.id)
    shown = page_of(parts).transcript.messages[-1]
    view = page_of(parts).transcript.view_of(shown.id)
    assert view is not None
    assert view.pager is not None
    words = [label.text() for label in view.findChildren(Label)]
    assert "前の回答と同じ文章です。" in words
