"""The page that searches all conversations: by keyboard, while typing Japanese, up to the opened hit."""

from collections.abc import Callable
from datetime import datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.errors import AppError
from app.base.search_text import Snippet
from app.chat import message_index
from app.chat.message_index import SearchHit
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.chat.ui.conversations.search_page import SearchPage, SearchResultModel, highlighted_pieces
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests.chat.driver import store_thread
from tests.chat.ui.driver import CONTROL, LEFT, Window, heard, press
from tests.uikit.ui.conversion import convert

Key = Qt.Key


class Searcher:
    """The page alone, over a real store."""

    def __init__(self, theme: Theme, store: Store, qtbot: QtBot) -> None:
        self.store, self.qtbot = store, qtbot
        self.navigation, self.conversations = NavigationSignals(), Conversations(store)
        self.page = SearchPage(theme, self.navigation, self.conversations)
        self.field, self.list, self.results = self.page.field, self.page.list, self.page.results
        qtbot.addWidget(self.page)
        self.page.resize(800, 600)
        self.page.show()
        self.page.activateWindow()
        qtbot.waitUntil(self.page.isActiveWindow)
        self.page.start()

    def wait_for(self, count: int) -> None:
        self.qtbot.waitUntil(lambda: self.results.rowCount() == count)


@pytest.fixture
def searcher(theme: Theme, store: Store, qtbot: QtBot) -> Searcher:
    return Searcher(theme, store, qtbot)


def spoken(results: SearchResultModel) -> list[str]:
    """What a screen reader says for each row."""
    role = Qt.ItemDataRole.AccessibleTextRole
    return [results.data(results.index(row), role) for row in range(results.rowCount())]


# --------------------------------------------------------------------- rows


def test_a_row_says_title_date_role_context_and_how_many_more() -> None:
    results = SearchResultModel()
    at = datetime(2026, 11, 18, 10, 24).timestamp()
    found = SearchHit(1, "根入れの深さ", at, 7, "answer", "河川の**橋脚**の根入れは深くします。", 4)
    named = SearchHit(2, "橋脚の一覧", datetime(2025, 3, 1).timestamp())
    results.show_hits([found, named], "橋脚", datetime(2026, 11, 25))
    assert spoken(results) == [
        "根入れの深さ　11月18日　回答　河川の橋脚の根入れは深くします。　ほか 3 件",
        "橋脚の一覧　2025年3月1日　会話の名前",
    ]
    assert results.result(0).line == Snippet("河川の橋脚の根入れは深くします。", ((3, 5),))
    assert results.result(1).title == Snippet("橋脚の一覧", ((0, 2),))
    results.show_hits([found], "橋脚", datetime(2026, 11, 18, 23))
    assert results.result(0).date == "10:24"


def test_rows_out_of_sight_are_not_worked_out() -> None:
    results = SearchResultModel()
    results.show_hits([SearchHit(number, "題", 1.0, number, "question", "橋脚") for number in range(200)], "橋脚")
    results.result(3)
    assert len(results._rows_by_index) == 1


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


def test_the_words_stand_on_their_ground_in_the_drawn_row(searcher: Searcher, theme: Theme) -> None:
    store_thread(searcher.store, "柱とは", "この橋脚です。")
    searcher.page.start("橋脚")
    picture = searcher.list.viewport().grab().toImage()
    grounds = {QColor(picture.pixel(x, y)).name() for x in range(picture.width()) for y in range(0, 60, 3)}
    assert theme.color("cite").name() in grounds


# ------------------------------------------------------------------ searching


def test_an_example_stands_there_until_what_was_typed_is_searched_after_a_short_pause(searcher: Searcher) -> None:
    page = searcher.page
    assert page.field.accessibleName() == "会話を検索"
    assert page.list.accessibleName() == "見つかった会話"
    store_thread(searcher.store, "橋脚とは", "柱です。")
    store_thread(searcher.store, "配筋とは", "橋脚の鉄筋の並べ方です。")
    assert "例：" in page.hint.text()
    assert (page.hint.isVisible(), page.list.isVisible(), page.count.isVisible()) == (True, False, False)
    searcher.field.insert("橋脚")
    assert searcher.results.rowCount() == 0
    searcher.wait_for(2)
    assert page.count.text() == "会話 2"
    assert (page.hint.isVisible(), page.list.isVisible(), page.count.isVisible()) == (False, True, True)


def test_nothing_found_is_said_with_the_words_as_they_are(searcher: Searcher, qtbot: QtBot) -> None:
    hint = searcher.page.hint
    searcher.page.start("<b>橋脚補強</b>")
    assert hint.text() == "「<b>橋脚補強</b>」は見つかりません。"
    assert hint.textFormat() == Qt.TextFormat.PlainText
    press(searcher.field, Key.Key_Down)
    press(searcher.field, Key.Key_Return)
    assert searcher.field.hasFocus()
    searcher.field.clear()
    qtbot.waitUntil(lambda: "例：" in hint.text())


def test_more_than_can_be_shown_is_said(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_index, "CONVERSATIONS_MAX", 3)
    for number in range(5):
        searcher.store.add_question(f"橋脚 {number}")
    searcher.page.start("橋脚")
    assert searcher.page.count.text().startswith("会話 3　多いため")


def test_what_is_being_converted_is_not_searched_but_what_is_committed_is(searcher: Searcher, qtbot: QtBot) -> None:
    store_thread(searcher.store, "はしについて", "橋のことです。")
    convert(searcher.field, "はし")
    assert not searcher.page._pause.isActive()
    press(searcher.field, Key.Key_Return)  # the input method's
    assert searcher.results.rowCount() == 0
    convert(searcher.field, "", "橋")
    searcher.wait_for(1)
    assert "橋のことです。" in spoken(searcher.results)[0]
    convert(searcher.field, "はいきん")
    searcher.page.start("橋脚")  # from elsewhere: waits for the end of the conversion
    assert searcher.field.text() == "橋"
    convert(searcher.field, "", "配筋")
    qtbot.waitUntil(lambda: searcher.field.text() == "橋脚")


def test_rows_follow_what_happens_to_the_conversations(searcher: Searcher) -> None:
    first, _ = store_thread(searcher.store, "橋脚とは", "柱です。")
    searcher.page.start("橋脚")
    store_thread(searcher.store, "橋脚の数", "二つです。")
    searcher.conversations.note_change()
    searcher.wait_for(2)
    searcher.page.hide()
    searcher.conversations.bin([first.conversation_id])
    searcher.page.show()
    assert searcher.results.rowCount() == 1


def test_a_database_that_fails_is_said(searcher: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_query: str) -> None:
        raise AppError("database_damaged", path="x")

    monkeypatch.setattr(searcher.conversations, "search", fail)
    problems = heard(searcher.navigation.problem_occurred)
    searcher.page.start("橋脚")
    assert [error.code for (error,) in problems] == ["database_damaged"]


# ------------------------------------------------------------------- keyboard


def test_down_goes_into_the_results_up_comes_back_and_enter_opens_the_message_with_the_words(
    searcher: Searcher,
) -> None:
    opened = heard(searcher.navigation.message_requested)
    _, older = store_thread(searcher.store, "柱とは", "橋脚のことです。")
    store_thread(searcher.store, "橋脚とは", "柱です。")
    searcher.field.insert("橋脚")
    press(searcher.field, Key.Key_Down)
    assert searcher.list.hasFocus()
    assert searcher.list.currentIndex().row() == 0
    press(searcher.list, Key.Key_Up)
    assert searcher.field.hasFocus()
    press(searcher.field, Key.Key_Down)
    press(searcher.list, Key.Key_Down)
    press(searcher.list, Key.Key_Return)
    assert opened == [(older.id, "橋脚")]
    searcher.field.insert("の")
    press(searcher.field, Key.Key_Return)  # the first one looks
    assert (searcher.results.rowCount(), len(opened)) == (1, 1)
    press(searcher.field, Key.Key_Return)
    assert opened[1:] == [(older.id, "橋脚の")]


def test_a_conversation_found_by_its_name_opens_as_a_whole_and_escape_leaves_the_page(
    searcher: Searcher, qtbot: QtBot
) -> None:
    kept = searcher.store.add_question("柱とは").conversation_id
    ConversationOrganizer(searcher.store.database).rename(kept, "橋脚")
    opened = heard(searcher.navigation.conversation_requested)
    searcher.page.start("橋脚")
    place = searcher.list.visualRect(searcher.results.index(0)).center()
    qtbot.mouseClick(searcher.list.viewport(), LEFT, pos=place)
    assert opened == [(kept,)]
    closed = heard(searcher.navigation.search_closed)
    press(searcher.field, Key.Key_Escape)
    press(searcher.list, Key.Key_Escape)
    assert len(closed) == 2


# ------------------------------------------------------------------- the window


@pytest.fixture
def opened(open_window: Callable[..., AppContext], qtbot: QtBot) -> Callable[[], tuple[Window, SearchPage]]:
    def open_() -> tuple[Window, SearchPage]:
        window = Window(open_window(), qtbot)
        window.activate()
        return window, window.window.page("search")

    return open_


def look_for(window: Window, words: str) -> None:
    """From the sidebar, with the first hit opened."""
    window.window._on_search_requested(words)
    press(window.window.page("search").field, Key.Key_Return)


def test_ctrl_k_opens_the_page_from_anywhere_and_escape_goes_back(opened) -> None:
    window, page = opened()
    window.editor.setFocus()
    press(window.editor, Key.Key_K, CONTROL)
    assert window.window.current_page == "search"
    assert page.field.hasFocus()
    press(page.field, Key.Key_Escape)
    assert window.window.current_page == "ask"
    assert window.editor.hasFocus()
    window.window.show_page("settings")
    for _ in range(2):
        press(window.window, Key.Key_K, CONTROL)
        assert page.field.hasFocus()
    press(page.field, Key.Key_Escape)
    assert window.window.current_page == "settings"


def test_enter_in_the_sidebar_looks_for_the_same_in_all_texts_and_it_is_there_when_one_comes_back(
    opened, store: Store
) -> None:
    store_thread(store, "柱とは", "橋脚のことです。")
    window, page = opened()
    field = window.window.sidebar.filter
    field.setFocus()
    field.insert("橋脚")
    assert window.window.current_page == "ask"
    press(field, Key.Key_Return)
    assert window.window.current_page == "search"
    assert (page.field.text(), page.results.rowCount()) == ("橋脚", 1)
    press(page.field, Key.Key_Return)
    assert window.window.current_page == "ask"
    press(window.window, Key.Key_K, CONTROL)
    assert (page.field.selectedText(), page.results.rowCount()) == ("橋脚", 1)


def test_a_hit_opens_at_its_message_with_its_words_marked(opened, store: Store) -> None:
    texts = ["最初の質問", *["関係のない文章が続きます。" * 8, "次の質問"] * 60]
    texts[41] = "ここに橋脚がある。"
    wanted = store_thread(store, *texts)[41]
    window, _ = opened()
    look_for(window, "橋脚")
    assert window.window.current_page == "ask"
    assert window.open_id == wanted.conversation_id
    bar, transcript = window.page.find_bar, window.transcript
    assert bar.isVisible()
    assert (bar.field.text(), bar.count.text()) == ("橋脚", "1／1")
    window.qtbot.waitUntil(lambda: not transcript._fill_timer.isActive())
    view = transcript.view_of(wanted.id)
    assert [selection.cursor.selectedText() for selection in view.text.extraSelections()] == ["橋脚"]
    assert transcript.viewport().rect().contains(view.mark_rect().translated(view.pos()))


def test_a_hit_in_another_branch_shows_that_branch(opened, store: Store) -> None:
    asked, first = store_thread(store, "柱とは", "橋脚のことです。")
    again = store.add_answer(asked.id, AnswerDetails())
    store.finish_answer(again.id, "家の柱です。", "done", AnswerDetails())
    window, _ = opened()
    window.session.open(first.conversation_id)
    look_for(window, "橋脚")
    assert window.shown() == ["柱とは", "橋脚のことです。"]
    assert window.page.find_bar.count.text() == "1／1"
