"""The page that searches all conversations and documents: by keyboard, while typing Japanese, up to the opened hit."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.base.search_text import Snippet
from app.base.services import background
from app.chat import message_index
from app.chat.message_index import SearchHit
from app.chat.organizer import ConversationOrganizer
from app.chat.records import AnswerDetails
from app.chat.services.conversations import Conversations
from app.chat.store import Store
from app.chat.ui.conversations.search_page import SearchPage
from app.chat.ui.conversations.search_results import SearchResultModel, highlighted_pieces
from app.documents.section_search import SectionHit
from app.documents.services.document_library import DocumentLibrary
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests.chat.driver import store_thread
from tests.chat.ui.driver import CONTROL, LEFT, Window, heard, press
from tests.documents.test_section_search import fill
from tests.uikit.ui.conversion import convert

Key = Qt.Key


class Searcher:
    """The page alone, over a real store."""

    def __init__(self, theme: Theme, store: Store, where: Paths, qtbot: QtBot) -> None:
        self.store, self.qtbot = store, qtbot
        self.navigation, self.conversations = NavigationSignals(), Conversations(store)
        self.documents = DocumentLibrary(where.documents, [], where.logs)
        with qtbot.waitSignal(self.documents.opened):
            self.documents.open()
        self.page = SearchPage(theme, self.navigation, self.conversations, self.documents)
        self.field, self.list, self.results = self.page.field, self.page.list, self.page.results
        qtbot.addWidget(self.page)
        self.page.resize(800, 600)
        self.page.show()
        self.page.activateWindow()
        qtbot.waitUntil(self.page.isActiveWindow)
        self.page.start()

    def wait_for(self, count: int) -> None:
        self.qtbot.waitUntil(lambda: self.results.rowCount() == count)

    def search(self, query: str) -> None:
        """Search, and wait for both results."""
        self.page.start(query)
        self.settle()

    def settle(self) -> None:
        self.qtbot.waitUntil(lambda: not self.page._pause.isActive() and len(self.page._found) == 2)

    def tabs(self) -> list[str]:
        return [button.text() for button in self.page.tabs.buttons.values()]


@pytest.fixture
def searcher(theme: Theme, store: Store, where: Paths, qtbot: QtBot) -> Iterator[Searcher]:
    searcher = Searcher(theme, store, where, qtbot)
    yield searcher
    searcher.documents.close()
    background.shut_down()


def spoken(results: SearchResultModel) -> list[str]:
    """What a screen reader says for each row."""
    role = Qt.ItemDataRole.AccessibleTextRole
    return [results.data(results.index(row), role) for row in range(results.rowCount())]


# --------------------------------------------------------------------- rows


def test_a_row_says_title_date_role_context_and_how_many_more():
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
    assert results.result(0).place == "10:24"


def test_rows_out_of_sight_are_not_worked_out():
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
def test_a_line_is_cut_at_its_marks(marks, expected):
    assert highlighted_pieces(Snippet("橋脚の図", marks)) == expected


def test_the_words_stand_on_their_ground_in_the_drawn_row(searcher, theme):
    store_thread(searcher.store, "柱とは", "この橋脚です。")
    searcher.search("橋脚")
    picture = searcher.list.viewport().grab().toImage()
    grounds = {QColor(picture.pixel(x, y)).name() for x in range(picture.width()) for y in range(0, 60, 3)}
    assert theme.color("cite").name() in grounds


# ------------------------------------------------------------------ searching


def test_an_example_stands_there_until_what_was_typed_is_searched_after_a_short_pause(searcher):
    page = searcher.page
    assert page.field.accessibleName() == "会話と資料を検索"
    assert page.list.accessibleName() == "見つかったもの"
    store_thread(searcher.store, "橋脚とは", "柱です。")
    store_thread(searcher.store, "配筋とは", "橋脚の鉄筋の並べ方です。")
    assert "例：" in page.hint.text()
    assert (page.hint.isVisible(), page.list.isVisible(), page.elsewhere.isVisible()) == (True, False, False)
    searcher.field.insert("橋脚")
    assert searcher.results.rowCount() == 0
    searcher.wait_for(2)
    searcher.settle()
    assert searcher.tabs() == ["会話 2", "資料 0"]
    assert (page.hint.isVisible(), page.list.isVisible(), page.note.isVisible()) == (False, True, False)


def test_nothing_found_is_said_with_the_words_as_they_are(searcher, qtbot):
    hint = searcher.page.hint
    searcher.search("<b>橋脚補強</b>")
    assert hint.text() == "「<b>橋脚補強</b>」は会話にも資料にも見つかりません。"
    assert hint.textFormat() == Qt.TextFormat.PlainText
    press(searcher.field, Key.Key_Down)
    press(searcher.field, Key.Key_Return)
    assert searcher.field.hasFocus()
    searcher.field.clear()
    qtbot.waitUntil(lambda: "例：" in hint.text())


def test_more_than_can_be_shown_is_said(searcher, monkeypatch):
    monkeypatch.setattr(message_index, "CONVERSATIONS_MAX", 3)
    for number in range(5):
        searcher.store.add_question(f"橋脚 {number}")
    searcher.search("橋脚")
    assert searcher.tabs()[0] == "会話 3+"
    assert searcher.page.note.text().startswith("多いため、3 件")


def test_what_is_being_converted_is_not_searched_but_what_is_committed_is(searcher, qtbot):
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


def test_rows_follow_what_happens_to_the_conversations(searcher):
    first, _ = store_thread(searcher.store, "橋脚とは", "柱です。")
    searcher.search("橋脚")
    store_thread(searcher.store, "橋脚の数", "二つです。")
    searcher.conversations.note_change()
    searcher.wait_for(2)
    searcher.page.hide()
    searcher.conversations.bin([first.conversation_id])
    searcher.page.show()
    searcher.wait_for(1)


def test_a_database_that_fails_is_said(searcher, where, qtbot):
    problems = heard(searcher.navigation.problem_occurred)
    searcher.page._search._documents = where.logs  # a folder
    searcher.page.start("橋脚")
    qtbot.waitUntil(lambda: bool(problems))
    assert [error.code for (error,) in problems] == ["database_unusable"]


# ------------------------------------------------------------------ documents


def test_a_row_of_a_document_leads_with_the_clause_and_says_page_and_collection():
    results = SearchResultModel()
    hit = SectionHit(5, 2, "橋梁.pdf", "規準", "internal", ("第1章 総則", "1.2 橋脚の形"), "橋脚は円形とする。", 12)
    bare = SectionHit(6, 2, "メモ\u202e.txt", "規準", "internal", (), "橋脚の件。", 0)
    results.show_hits([hit, bare], "橋脚")
    assert spoken(results) == [
        "1.2 橋脚の形　橋梁.pdf　p.12　橋脚は円形とする。　規準",
        "メモ‹U+202E›.txt　橋脚の件。　規準",
    ]
    assert (results.result(0).title.marks, results.result(0).line.marks) == (((4, 6),), ((0, 2),))


def test_both_places_are_counted_and_each_is_a_tab(searcher, library):
    fill(library)
    store_thread(searcher.store, "橋脚とは", "柱です。")
    searcher.search("橋脚")
    assert searcher.tabs() == ["会話 1", "資料 3"]
    assert searcher.results.rowCount() == 1
    searcher.page.tabs.buttons["documents"].click()
    assert [text.split("　")[0] for text in spoken(searcher.results)] == ["1.2 橋脚の形", "2.1 検査", "1.1 目的"]


def test_a_miss_offers_the_other_place_the_documents_and_the_question(searcher, library):
    fill(library)
    searcher.search("洗掘")
    page = searcher.page
    assert page.hint.text() == "「洗掘」は会話に見つかりません。"
    assert page.other_button.text() == "資料の 1 件を見る"
    added, asked = heard(searcher.navigation.page_requested), heard(searcher.navigation.question_requested)
    page.add_button.click()
    page.ask_button.click()
    assert (added, asked) == ([("documents",)], [(None, "洗掘", False)])
    page.other_button.click()
    assert page.tabs.key == "documents"
    assert searcher.list.hasFocus()
    assert searcher.results.rowCount() == 1
    searcher.search("存在しない語句")
    assert not page.other_button.isVisible()
    assert page.add_button.isVisible()


def test_a_hit_in_a_document_opens_the_document_at_its_section(searcher, library):
    document_id = fill(library)
    reading = heard(searcher.navigation.reading_requested)
    searcher.search("洗掘")
    searcher.page.other_button.click()
    press(searcher.list, Key.Key_Return)
    ((place,),) = reading
    assert (place.document_id, place.query) == (document_id, "洗掘")
    assert place.section_id == library.sections(document_id)[1][0]


def test_only_the_last_of_several_searches_reports(searcher, library):
    fill(library)
    search = searcher.page._search
    found = heard(search.documents_found)
    for query in ("の", "橋", "橋脚", "洗掘"):
        search.start(query, has_documents=True)
    background.QThreadPool.globalInstance().waitForDone()
    searcher.qtbot.waitUntil(lambda: bool(found))
    searcher.qtbot.wait(1)
    assert [result.count for (result,) in found] == [1]


def test_a_page_that_is_left_ends_its_search_and_searches_again_when_one_comes_back(searcher):
    store_thread(searcher.store, "橋脚とは", "柱です。")
    searcher.page.start("橋脚")
    searcher.page.hide()
    background.QThreadPool.globalInstance().waitForDone()
    searcher.qtbot.wait(1)
    assert searcher.page._found == {}
    searcher.page.show()
    searcher.wait_for(1)


def test_documents_that_are_not_opened_yet_are_said_and_searched_later(theme, store, where, library, qtbot):
    fill(library)
    documents = DocumentLibrary(where.documents, [], where.logs)
    page = SearchPage(theme, NavigationSignals(), Conversations(store), documents)
    qtbot.addWidget(page)
    page.show()
    page.tabs.buttons["documents"].click()
    page.start("橋脚")
    assert page.hint.text() == "資料を開いています…"
    documents.open()
    qtbot.waitUntil(lambda: page.results.rowCount() == 3)
    documents.close()


def test_text_of_a_secret_collection_makes_the_page_secret(searcher, library):
    searcher.page._label_of_all = lambda: "internal"
    fill(library)
    assert searcher.page.label_now() == "internal"
    fill(library, "極秘", "secret", "/b/秘.md")
    assert searcher.page.label_now() == "secret"


# ------------------------------------------------------------------- keyboard


def test_down_goes_into_the_results_up_comes_back_and_enter_opens_the_message_with_the_words(searcher):
    opened = heard(searcher.navigation.message_requested)
    _, older = store_thread(searcher.store, "柱とは", "橋脚のことです。")
    store_thread(searcher.store, "橋脚とは", "柱です。")
    searcher.field.insert("橋脚")
    press(searcher.field, Key.Key_Down)
    searcher.qtbot.waitUntil(searcher.list.hasFocus)
    assert searcher.list.currentIndex().row() == 0
    press(searcher.list, Key.Key_Up)
    assert searcher.field.hasFocus()
    press(searcher.field, Key.Key_Down)
    press(searcher.list, Key.Key_Down)
    press(searcher.list, Key.Key_Return)
    assert opened == [(older.id, "橋脚")]
    searcher.field.insert("の")
    press(searcher.field, Key.Key_Return)  # the first one looks
    searcher.wait_for(1)
    assert len(opened) == 1
    press(searcher.field, Key.Key_Return)
    assert opened[1:] == [(older.id, "橋脚の")]


def test_a_conversation_found_by_its_name_opens_as_a_whole_and_escape_leaves_the_page(searcher, qtbot):
    kept = searcher.store.add_question("柱とは").conversation_id
    ConversationOrganizer(searcher.store.database).rename(kept, "橋脚")
    opened = heard(searcher.navigation.conversation_requested)
    searcher.search("橋脚")
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
    page = window.window.page("search")
    window.window._on_search_requested(words)
    window.qtbot.waitUntil(lambda: page.results.rowCount() > 0)
    press(page.field, Key.Key_Return)


def test_ctrl_k_opens_the_page_from_anywhere_and_escape_goes_back(opened):
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


def test_enter_in_the_sidebar_looks_for_the_same_in_all_texts_and_it_is_there_when_one_comes_back(opened, store):
    store_thread(store, "柱とは", "橋脚のことです。")
    window, page = opened()
    field = window.window.sidebar.filter
    field.setFocus()
    field.insert("橋脚")
    assert window.window.current_page == "ask"
    press(field, Key.Key_Return)
    assert window.window.current_page == "search"
    assert page.field.text() == "橋脚"
    window.qtbot.waitUntil(lambda: page.results.rowCount() == 1)
    press(page.field, Key.Key_Return)
    assert window.window.current_page == "ask"
    press(window.window, Key.Key_K, CONTROL)
    assert (page.field.selectedText(), page.results.rowCount()) == ("橋脚", 1)


def test_a_hit_opens_at_its_message_with_its_words_marked(opened, store):
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


def test_a_hit_in_another_branch_shows_that_branch(opened, store):
    asked, first = store_thread(store, "柱とは", "橋脚のことです。")
    again = store.add_answer(asked.id, AnswerDetails())
    store.finish_answer(again.id, "家の柱です。", "done", AnswerDetails())
    window, _ = opened()
    window.session.open(first.conversation_id)
    look_for(window, "橋脚")
    assert window.shown() == ["柱とは", "橋脚のことです。"]
    assert window.page.find_bar.count.text() == "1／1"
