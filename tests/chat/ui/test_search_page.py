"""The page that searches all conversations: by keyboard, while typing Japanese, up to the opened hit."""

from collections.abc import Callable
from datetime import datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QInputMethodEvent
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.search_text import Snippet
from app.chat import message_index
from app.chat.message_index import SearchHit
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails, Message
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.conversations.search_page import SearchPage, SearchResultModel, highlighted_pieces
from app.chat.ui.transcript import rows_view
from app.uikit.page import Navigation
from app.uikit.theme import Theme

CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_view, "BUDGET_S", 60.0)


def answered(store: Store, question: str, answer: str) -> Message:
    asked = store.add_question(question)
    reply = store.add_answer(asked.id, AnswerDetails())
    return store.finish_answer(reply.id, answer, "done", AnswerDetails())


def make_page(theme: Theme, store: Store, qtbot: QtBot) -> SearchPage:
    page = SearchPage(theme, Navigation(), Conversations(store))
    qtbot.addWidget(page)
    page.resize(800, 600)
    page.show()
    page.activateWindow()
    qtbot.waitUntil(page.isActiveWindow)
    page.start()
    return page


def shown(page: SearchPage) -> list[str]:
    """What a screen reader says for each row."""
    role = Qt.ItemDataRole.AccessibleTextRole
    return [page.results.data(page.results.index(row), role) for row in range(page.results.rowCount())]


def conversion(field: QWidget, preedit: str, commit: str = "") -> None:
    event = QInputMethodEvent(preedit, [])
    if commit:
        event.setCommitString(commit)
    QApplication.sendEvent(field, event)


# --------------------------------------------------------------------- rows


def test_a_row_says_title_date_role_context_and_how_many_more() -> None:
    results = SearchResultModel()
    at = datetime(2026, 11, 18, 10, 24).timestamp()
    found = SearchHit(1, "根入れの深さ", at, 7, "answer", "河川の**橋脚**の根入れは深くします。", 4)
    named = SearchHit(2, "橋脚の一覧", datetime(2025, 3, 1).timestamp())
    results.show_hits([found, named], "橋脚", datetime(2026, 11, 25))
    role = Qt.ItemDataRole.AccessibleTextRole
    assert (
        results.data(results.index(0), role)
        == "根入れの深さ　11月18日　回答　河川の橋脚の根入れは深くします。　ほか 3 件"
    )
    assert results.data(results.index(1), role) == "橋脚の一覧　2025年3月1日　会話の名前"
    assert results.result(0).line == Snippet("河川の橋脚の根入れは深くします。", ((3, 5),))
    assert results.result(1).title == Snippet("橋脚の一覧", ((0, 2),))
    results.show_hits([found], "橋脚", datetime(2026, 11, 18, 23))
    assert results.result(0).date == "10:24"


def test_rows_out_of_sight_are_not_worked_out() -> None:
    results = SearchResultModel()
    results.show_hits([SearchHit(number, "題", 1.0, number, "question", "橋脚") for number in range(200)], "橋脚")
    results.result(3)
    assert len(results._made) == 1


@pytest.mark.parametrize(
    ("marks", "expected"),
    [
        ((), [("橋脚の図", False)]),
        (((0, 2),), [("橋脚", True), ("の図", False)]),
        (((0, 2), (3, 4)), [("橋脚", True), ("の", False), ("図", True)]),
    ],
)
def test_a_line_is_cut_at_its_marks(marks: tuple[tuple[int, int], ...], expected: list[tuple[str, bool]]) -> None:
    assert highlighted_pieces(Snippet("橋脚の図", marks)) == expected


def test_the_words_stand_on_their_ground_in_the_drawn_row(theme: Theme, store: Store, qtbot: QtBot) -> None:
    answered(store, "柱とは", "この橋脚です。")
    page = make_page(theme, store, qtbot)
    page.start("橋脚")
    picture = page.list.viewport().grab().toImage()
    grounds = {QColor(picture.pixel(x, y)).name() for x in range(picture.width()) for y in range(0, 60, 3)}
    assert theme.color("cite").name() in grounds


# ------------------------------------------------------------------ searching


def test_before_anything_is_typed_an_example_stands_there(theme: Theme, store: Store, qtbot: QtBot) -> None:
    answered(store, "橋脚とは", "柱です。")
    page = make_page(theme, store, qtbot)
    assert page.hint.isVisible()
    assert "例：" in page.hint.text()
    assert not page.list.isVisible()
    assert not page.count.isVisible()


def test_it_searches_after_a_short_pause(theme: Theme, store: Store, qtbot: QtBot) -> None:
    answered(store, "橋脚とは", "柱です。")
    answered(store, "配筋とは", "橋脚の鉄筋の並べ方です。")
    page = make_page(theme, store, qtbot)
    page.field.insert("橋脚")
    assert page.results.rowCount() == 0
    qtbot.waitUntil(lambda: page.results.rowCount() == 2)
    assert page.count.text() == "会話 2"
    assert page.list.isVisible()
    assert not page.hint.isVisible()


def test_nothing_found_is_said_with_the_words_as_they_are(theme: Theme, store: Store, qtbot: QtBot) -> None:
    page = make_page(theme, store, qtbot)
    page.start("<b>橋脚補強</b>")
    assert page.hint.text() == "「<b>橋脚補強</b>」は見つかりません。"
    assert page.hint.textFormat() == Qt.TextFormat.PlainText
    page.field.clear()
    qtbot.waitUntil(lambda: "例：" in page.hint.text())


def test_more_than_can_be_shown_is_said(
    theme: Theme, store: Store, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_index, "CONVERSATIONS_MAX", 3)
    for number in range(5):
        store.add_question(f"橋脚 {number}")
    page = make_page(theme, store, qtbot)
    page.start("橋脚")
    assert page.count.text().startswith("会話 3　多いため")


def test_what_is_being_converted_is_not_searched_but_what_is_committed_is(
    theme: Theme, store: Store, qtbot: QtBot
) -> None:
    answered(store, "はしについて", "橋のことです。")
    page = make_page(theme, store, qtbot)
    conversion(page.field, "はし")
    assert not page._pause.isActive()
    qtbot.keyClick(page.field, Qt.Key.Key_Return)  # the input method's
    assert page.results.rowCount() == 0
    conversion(page.field, "", "橋")
    qtbot.waitUntil(lambda: page.results.rowCount() == 1)
    assert "橋のことです。" in shown(page)[0]


def test_the_text_from_elsewhere_waits_for_the_end_of_a_conversion(theme: Theme, store: Store, qtbot: QtBot) -> None:
    answered(store, "橋脚とは", "柱です。")
    page = make_page(theme, store, qtbot)
    conversion(page.field, "はいきん")
    page.start("橋脚")
    assert page.field.text() == ""
    conversion(page.field, "", "配筋")
    qtbot.waitUntil(lambda: page.field.text() == "橋脚")


def test_rows_follow_what_happens_to_the_conversations(theme: Theme, store: Store, qtbot: QtBot) -> None:
    conversations = Conversations(store)
    page = SearchPage(theme, Navigation(), conversations)
    qtbot.addWidget(page)
    page.show()
    first = answered(store, "橋脚とは", "柱です。")
    page.start("橋脚")
    answered(store, "橋脚の数", "二つです。")
    conversations.note_change()
    qtbot.waitUntil(lambda: page.results.rowCount() == 2)
    page.hide()
    conversations.bin([first.conversation_id])
    page.show()
    assert page.results.rowCount() == 1


def test_a_database_that_fails_is_said(
    theme: Theme, store: Store, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = make_page(theme, store, qtbot)

    def fail(_query: str) -> None:
        raise AppError("database_damaged", path="x")

    monkeypatch.setattr(page._conversations, "search", fail)
    with qtbot.waitSignal(page._navigation.problem_occurred) as signal:
        page.start("橋脚")
    assert signal.args[0].code == "database_damaged"


# ------------------------------------------------------------------- keyboard


def test_down_goes_into_the_results_and_up_comes_back(theme: Theme, store: Store, qtbot: QtBot) -> None:
    for number in range(3):
        store.add_question(f"橋脚 {number}")
    page = make_page(theme, store, qtbot)
    page.field.insert("橋脚")
    qtbot.keyClick(page.field, Qt.Key.Key_Down)
    assert page.list.hasFocus()
    assert page.list.currentIndex().row() == 0
    qtbot.keyClick(page.list, Qt.Key.Key_Down)
    assert page.list.currentIndex().row() == 1
    qtbot.keyClick(page.list, Qt.Key.Key_Up)
    qtbot.keyClick(page.list, Qt.Key.Key_Up)
    assert page.field.hasFocus()


def test_down_stays_where_nothing_was_found(theme: Theme, store: Store, qtbot: QtBot) -> None:
    page = make_page(theme, store, qtbot)
    qtbot.keyClick(page.field, Qt.Key.Key_Down)
    qtbot.keyClick(page.field, Qt.Key.Key_Return)
    assert page.field.hasFocus()


def test_enter_in_the_list_opens_the_message_with_the_words(theme: Theme, store: Store, qtbot: QtBot) -> None:
    older = answered(store, "柱とは", "橋脚のことです。")
    answered(store, "橋脚とは", "柱です。")
    page = make_page(theme, store, qtbot)
    page.field.insert("橋脚")
    qtbot.keyClick(page.field, Qt.Key.Key_Down)
    qtbot.keyClick(page.list, Qt.Key.Key_Down)
    with qtbot.waitSignal(page._navigation.message_requested) as signal:
        qtbot.keyClick(page.list, Qt.Key.Key_Return)
    assert signal.args == [older.id, "橋脚"]


def test_the_first_enter_in_the_field_looks_and_the_second_opens(theme: Theme, store: Store, qtbot: QtBot) -> None:
    answer = answered(store, "柱とは", "橋脚のことです。")
    page = make_page(theme, store, qtbot)
    opened: list[int] = []
    page._navigation.message_requested.connect(lambda message_id, _query: opened.append(message_id))
    page.field.insert("橋脚")
    qtbot.keyClick(page.field, Qt.Key.Key_Return)
    assert page.results.rowCount() == 1
    assert opened == []
    qtbot.keyClick(page.field, Qt.Key.Key_Return)
    assert opened == [answer.id]


def test_a_conversation_found_by_its_name_opens_as_a_whole(theme: Theme, store: Store, qtbot: QtBot) -> None:
    question = store.add_question("柱とは")
    ConversationOrganizer(store.database).rename(question.conversation_id, "橋脚")
    page = make_page(theme, store, qtbot)
    page.start("橋脚")
    with qtbot.waitSignal(page._navigation.conversation_requested) as signal:
        qtbot.mouseClick(
            page.list.viewport(), Qt.MouseButton.LeftButton, pos=page.list.visualRect(page.results.index(0)).center()
        )
    assert signal.args == [question.conversation_id]


@pytest.mark.parametrize("place", ["field", "list"])
def test_escape_leaves_the_page(theme: Theme, store: Store, qtbot: QtBot, place: str) -> None:
    store.add_question("橋脚")
    page = make_page(theme, store, qtbot)
    page.start("橋脚")
    with qtbot.waitSignal(page._navigation.search_closed):
        qtbot.keyClick(getattr(page, place), Qt.Key.Key_Escape)


def test_every_control_has_a_name(theme: Theme, store: Store, qtbot: QtBot) -> None:
    page = make_page(theme, store, qtbot)
    assert page.field.accessibleName() == "会話を検索"
    assert page.list.accessibleName() == "見つかった会話"


# ------------------------------------------------------------------- the window


def active(parts: AppContext, qtbot: QtBot) -> ChatPage:
    parts.window.activateWindow()
    qtbot.waitUntil(parts.window.isActiveWindow)
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    return page


def search_page(parts: AppContext) -> SearchPage:
    page = parts.window.page("search")
    assert isinstance(page, SearchPage)
    return page


def test_ctrl_k_opens_the_page_from_anywhere_and_escape_goes_back(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    parts = open_window()
    chat = active(parts, qtbot)
    chat.composer.editor.setFocus()
    qtbot.keyClick(chat.composer.editor, Qt.Key.Key_K, CONTROL)
    assert parts.window.current_page == "search"
    page = search_page(parts)
    assert page.field.hasFocus()
    qtbot.keyClick(page.field, Qt.Key.Key_Escape)
    assert parts.window.current_page == "ask"
    assert chat.composer.editor.hasFocus()
    parts.window.show_page("settings")
    for _ in range(2):
        qtbot.keyClick(parts.window, Qt.Key.Key_K, CONTROL)
        assert page.field.hasFocus()
    qtbot.keyClick(page.field, Qt.Key.Key_Escape)
    assert parts.window.current_page == "settings"


def test_enter_in_the_sidebar_looks_for_the_same_in_all_texts(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    answered(store, "柱とは", "橋脚のことです。")
    parts = open_window()
    active(parts, qtbot)
    field = parts.window.sidebar.filter
    field.setFocus()
    field.insert("橋脚")
    assert parts.window.current_page == "ask"
    qtbot.keyClick(field, Qt.Key.Key_Return)
    assert parts.window.current_page == "search"
    assert search_page(parts).field.text() == "橋脚"
    assert search_page(parts).results.rowCount() == 1


def test_a_hit_opens_at_its_message_with_its_words_marked(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    messages = [store.add_question("最初の質問")]
    for number in range(60):
        answer = store.add_answer(messages[-1].id, AnswerDetails())
        words = "ここに橋脚がある。" if number == 20 else "関係のない文章が続きます。" * 8
        store.finish_answer(answer.id, words, "done", AnswerDetails())
        messages += [answer, store.add_question("次の質問", answer.conversation_id, answer.id)]
    wanted = messages[41]
    parts = open_window()
    chat = active(parts, qtbot)
    qtbot.keyClick(parts.window, Qt.Key.Key_K, CONTROL)
    page = search_page(parts)
    page.field.insert("橋脚")
    qtbot.keyClick(page.field, Qt.Key.Key_Return)
    qtbot.keyClick(page.field, Qt.Key.Key_Return)
    assert parts.window.current_page == "ask"
    assert parts.session.conversation is not None
    assert parts.session.conversation.id == wanted.conversation_id
    assert chat.find_bar.isVisible()
    assert chat.find_bar.query == "橋脚"
    assert chat.find_bar.count.text() == "1／1"
    qtbot.waitUntil(lambda: not chat.transcript._fill_timer.isActive())
    view = chat.transcript.view_of(wanted.id)
    assert view is not None
    assert [selection.cursor.selectedText() for selection in view.text.extraSelections()] == ["橋脚"]
    assert chat.transcript.viewport().rect().contains(view.mark_rect().translated(view.pos()))


def test_a_hit_in_another_branch_shows_that_branch(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    first = answered(store, "柱とは", "橋脚のことです。")
    again = store.add_answer(first.parent_id or 0, AnswerDetails())
    store.finish_answer(again.id, "家の柱です。", "done", AnswerDetails())
    parts = open_window()
    chat = active(parts, qtbot)
    parts.session.open(first.conversation_id)
    parts.window._on_search_requested("橋脚")
    qtbot.keyClick(search_page(parts).field, Qt.Key.Key_Return)
    assert [message.text for message in chat.transcript.messages] == ["柱とは", "橋脚のことです。"]
    assert chat.find_bar.count.text() == "1／1"


def test_the_search_is_as_it_was_when_one_comes_back(
    open_window: Callable[..., AppContext], store: Store, qtbot: QtBot
) -> None:
    answered(store, "柱とは", "橋脚のことです。")
    parts = open_window()
    active(parts, qtbot)
    parts.window._on_search_requested("橋脚")
    qtbot.keyClick(search_page(parts).field, Qt.Key.Key_Return)
    qtbot.keyClick(parts.window, Qt.Key.Key_K, CONTROL)
    assert search_page(parts).field.selectedText() == "橋脚"
    assert search_page(parts).results.rowCount() == 1
