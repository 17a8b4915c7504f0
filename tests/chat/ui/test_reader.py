"""The reader: a whole document with its outline, what is found in it, cited from it and asked about it."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QPointF, QRectF, Qt, QUrl
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.base.services import background
from app.base.wording import phrase
from app.chat import records
from app.chat.ui.reader.reader_page import ReaderPage
from app.chat.ui.reader.reader_view import OutlineModel, ReaderView
from app.chat.ui.text.page_view import FRAME_STEP
from app.documents import whole_document
from app.documents.grounding.grounding_record import CollectionRef, PageRegion
from app.documents.library import Library
from app.documents.records import Section
from app.documents.services.document_library import DocumentLibrary
from app.documents.services.reading_child import PagePicture, PageRequest
from app.documents.whole_document import ReadingPlace, WholeDocument, WholeSection
from app.uikit.page import NavigationSignals
from app.uikit.theme import Theme
from tests.chat.driver import store_thread
from tests.chat.ui.driver import CONTROL, LEFT, SENTENCE, SHIFT, TIMEOUT_MS, Window, clipboard, heard, press
from tests.documents.test_section_search import SECTIONS, fill
from tests.uikit.ui.conversion import convert

Key = Qt.Key


class Read:
    """The page alone, over a real library."""

    def __init__(self, theme: Theme, where: Paths, qtbot: QtBot) -> None:
        self.qtbot = qtbot
        self.navigation = NavigationSignals()
        self.documents = DocumentLibrary(where.documents, [], where.logs)
        self.opened: list[str] = []
        self.page = ReaderPage(theme, self.navigation, self.documents, self.open_file)
        self.view = self.page.view
        self.bar, self.text, self.outline = self.view.find_strip, self.view.text, self.view.outline
        qtbot.addWidget(self.page)
        self.page.resize(1000, 500)
        self.page.show()
        self.page.activateWindow()
        qtbot.waitUntil(self.page.isActiveWindow)
        with qtbot.waitSignal(self.documents.opened):
            self.documents.open()

    def open_file(self, url: QUrl) -> None:
        self.opened.append(url.toLocalFile())

    def open(self, place: ReadingPlace) -> None:
        self.page.open(place)
        self.qtbot.waitUntil(lambda: self.page.document is not None)

    def find(self, words: str, expected: str) -> None:
        """Find words, and wait for their count."""
        self.bar.open()
        self.bar.field.setText(words)
        self.qtbot.waitUntil(lambda: self.bar.count.text() == expected)

    def selected_heading(self) -> str:
        return self.outline.currentIndex().data()

    def select(self, row: int, words: str) -> None:
        """Select words in a section, as a person would."""
        view = self.text.views[row].text
        cursor = view.document().find(words)
        assert cursor.hasSelection()
        view.setTextCursor(cursor)


@pytest.fixture
def read(theme: Theme, where: Paths, library: Library, qtbot: QtBot) -> Iterator[Read]:
    read = Read(theme, where, qtbot)
    yield read
    read.documents.close()
    background.shut_down()


def long_document(sections: int = 3000, text: str = "本文です。" * 20) -> WholeDocument:
    return whole_document.assemble(
        "長い.txt", [WholeSection(n, (f"第{n // 100}章", f"{n}条"), (), f"{n} {text}") for n in range(1, sections + 1)]
    )


@pytest.fixture
def view(theme: Theme, qtbot: QtBot) -> ReaderView:
    view = ReaderView(theme)
    qtbot.addWidget(view)
    view.resize(900, 600)
    view.show()
    return view


# ------------------------------------------------------------------------ shown


def test_a_document_opens_at_its_section_with_its_outline_and_its_label(read, library):
    document_id = fill(library)
    ids = [section_id for section_id, _ in library.sections(document_id)]
    read.open(ReadingPlace(document_id, ids[2]))
    assert read.page.header.title.text() == "橋梁.pdf"
    assert read.page.label.text() == "社外秘"
    assert read.selected_heading() == "1.2 橋脚の形"
    assert read.view.place.text() == "第1章 総則 › 1.2 橋脚の形"
    assert (read.view.tag.text(), read.view.page.text()) == ("標準", "p.2")
    shown = [read.text.views[row].text.toPlainText() for row in sorted(read.text.views)]
    assert shown == [
        f"第1章 総則\n1.1 目的\n{SECTIONS[0].text}",
        SECTIONS[1].text,
        f"1.2 橋脚の形\n{SECTIONS[2].text}",
        f"第2章 施工\n{SECTIONS[3].text}",
        f"2.1 検査\n{SECTIONS[4].text}",
    ]
    assert not read.page.tabs.isVisible()  # no pages were read of it


def test_only_what_is_in_sight_is_laid_out_however_long_the_document_is(view):
    view.show_document(long_document())
    view.go_to(1500)
    assert len(view.text.views) < 40
    assert 1500 in view.text.views
    assert view.outline.outline.rowCount() == 31 + 100  # the chapters, and the sections of the chapter that is read
    assert view.text.verticalScrollBar().maximum() > 100_000


def test_the_outline_follows_what_is_read_and_leads_there(view, qtbot):
    view.show_document(long_document(300))
    view.go_to(0)
    bar = view.text.verticalScrollBar()
    bar.setValue(bar.maximum() // 2)
    assert view.text.row > 100
    chapter = view.text.row // 100
    assert view.outline.currentIndex().data() == f"第{chapter}章"  # its sections are folded away
    index = view.outline.outline.index(view.outline.outline.rowCount() - 1)
    view.outline.scrollTo(index)
    qtbot.mouseClick(view.outline.viewport(), LEFT, pos=view.outline.visualRect(index).center())
    assert view.text.row == 299
    assert view.outline.currentIndex().data() == "第3章"  # though the last section cannot be at the top


def test_keys_unfold_the_outline_and_go_up_in_it(view):
    view.show_document(long_document(300))
    view.go_to(0)
    outline = view.outline
    outline.setFocus()
    press(outline, Key.Key_Left)
    assert outline.currentIndex().data() == "第0章"
    press(outline, Key.Key_Left)
    assert outline.outline.rowCount() == 4
    spoken = outline.outline.data(outline.outline.index(0), Qt.ItemDataRole.AccessibleTextRole)
    assert spoken == "第0章　レベル 1　閉じています"
    press(outline, Key.Key_Down)
    assert view.text.row == 99
    press(outline, Key.Key_Right)
    assert outline.outline.rowCount() == 104
    assert outline.currentIndex().data() == "第1章"
    press(outline, Key.Key_Down)
    assert outline.currentIndex().data() == "100条"


def test_a_click_on_the_chevron_unfolds_without_going_there(view, qtbot):
    view.show_document(long_document(300))
    view.go_to(0)
    outline = view.outline
    place = outline.visualRect(outline.outline.index(0))
    qtbot.mouseClick(outline.viewport(), LEFT, pos=QPoint(place.left() + 14, place.center().y()))
    assert outline.outline.rowCount() == 4
    assert view.text.row == 0


def test_headings_of_any_depth_stand_in_the_outline():
    paths = [("A", "B", "C"), ("A",), ("A", "D"), ("E", "F")]
    document = whole_document.assemble("x", [WholeSection(0, path, (), "") for path in paths])
    model = OutlineModel()
    model.show_outline(document.outline)
    assert [model.index(row).data() for row in range(model.rowCount())] == ["A", "B", "C", "D", "E", "F"]
    model.set_unfolded(0, is_unfolded=False)
    assert [model.index(row).data() for row in range(model.rowCount())] == ["A", "E", "F"]
    assert model.index_of(2).data() == "A"  # the nearest that can be seen
    model.reveal(2)
    assert model.index_of(2).data() == "C"
    assert [model.number_of_row(row) for row in range(4)] == [2, 2, 3, 5]


def test_a_narrow_reader_shows_the_outline_in_place_of_the_text(view):
    view.show_document(long_document(200))
    assert view.outline.isVisible()
    view.resize(500, 600)
    assert (view.outline.isVisible(), view.text.isVisible()) == (False, True)
    view.outline_button.click()
    assert (view.outline.isVisible(), view.text.isVisible()) == (True, False)
    view.outline.chosen.emit(100)
    assert (view.outline.isVisible(), view.text.isVisible(), view.text.row) == (False, True, 100)
    view.resize(900, 600)
    assert (view.outline.isVisible(), view.text.isVisible()) == (True, True)
    view.show_document(whole_document.assemble("x", [WholeSection(0, (), (), "見出しのない文書")]))
    assert (view.outline.isVisible(), view.outline_button.isVisible()) == (False, False)


def test_foreign_text_is_only_text(view):
    sections = [WholeSection(0, ("<b>章</b>\u202e",), (), "<img src='file:///etc/passwd'>**太字**")]
    view.show_document(whole_document.assemble("x", sections))
    view.go_to(0)
    assert view.text.views[0].text.toPlainText() == "<b>章</b>‹U+202E›\n<img src='file:///etc/passwd'>**太字**"
    assert view.place.text() == "<b>章</b>‹U+202E›"
    assert view.outline.outline.index(0).data() == "<b>章</b>‹U+202E›"


def test_a_theme_and_a_size_keep_what_is_read(view, theme, qapp):
    view.show_document(long_document(300))
    view.go_to(150)
    theme.changed.emit()
    top = view.text.views[150].y()
    assert top == 20
    for width in (1100, 700, 900):
        view.resize(width, 700)
        assert (view.text.row, view.text.views[150].y()) == (150, top)


# ------------------------------------------------------------------------ found


def test_words_are_found_counted_and_stepped_through(read, library):
    read.open(ReadingPlace(fill(library)))
    press(read.text, Key.Key_F, CONTROL)
    assert read.bar.field.hasFocus()
    read.find("橋脚", "1／2")
    marked = [one.cursor.selectedText() for one in read.text.views[2].text.extraSelections()]
    assert marked == ["橋脚"]
    press(read.bar.field, Key.Key_Return)
    assert (read.bar.count.text(), read.text.row) == ("2／2", 2)
    press(read.bar.field, Key.Key_Return)
    assert read.bar.count.text() == "1／2"
    press(read.bar.field, Key.Key_Return, SHIFT)
    assert read.bar.count.text() == "2／2"
    press(read.bar.field, Key.Key_Escape)
    assert not read.bar.isVisible()
    assert read.text.views[2].text.extraSelections() == []
    assert read.text.hasFocus()


def test_a_match_far_away_is_brought_into_sight(view, qtbot):
    sections = list(long_document(2000).sections)
    sections[1700] = replace(sections[1700], text="ここに橋脚がある。")
    view.show_document(whole_document.assemble("x", sections))
    view.go_to(0)
    view.find_strip.look_for("橋脚")
    qtbot.waitUntil(lambda: view.find_strip.count.text() == "1／1")
    row = view.text.views[1700]
    assert view.text.viewport().rect().contains(row.mark_rect().translated(row.pos()))
    assert view.text.row == 1700


def test_nothing_found_leads_to_all_conversations_and_documents(read, library):
    read.open(ReadingPlace(fill(library)))
    read.find("トンネル", "見つかりません")
    searched = heard(read.navigation.search_requested)
    assert read.bar.everywhere_button.isVisible()
    read.bar.everywhere_button.click()
    assert searched == [("トンネル",)]
    read.find("橋脚", "1／2")
    assert not read.bar.everywhere_button.isVisible()


def test_what_is_being_converted_is_not_found_but_what_is_committed_is(read, library):
    read.open(ReadingPlace(fill(library)))
    read.bar.open()
    convert(read.bar.field, "きょうきゃく")
    assert read.bar._counting._task is None
    press(read.bar.field, Key.Key_Return)  # the input method's
    assert read.bar.count.text() == ""
    convert(read.bar.field, "", "橋脚")
    read.qtbot.waitUntil(lambda: read.bar.count.text() == "1／2")


def test_a_hit_of_the_search_opens_with_its_words_marked(read, library):
    document_id = fill(library)
    last = library.sections(document_id)[2][0]
    read.open(ReadingPlace(document_id, last, "橋脚"))
    read.qtbot.waitUntil(lambda: read.bar.count.text() == "2／2")
    assert read.bar.field.text() == "橋脚"
    read.page.open(ReadingPlace(document_id, last, "洗掘"))  # the same document is not read again
    assert read.page.document is not None
    read.qtbot.waitUntil(lambda: read.bar.count.text() == "1／1")


# -------------------------------------------------------------- cited and asked


def test_selected_text_is_copied_with_document_clause_and_page(read, library):
    read.page.label_now = lambda: "internal"  # the guard of the window is another test's
    read.open(ReadingPlace(fill(library)))
    read.select(0, "橋脚の設計")
    read.page.cite_button.click()
    assert clipboard() == "「橋脚の設計」\n橋梁.pdf　第1章 総則 1.1 目的　p.1"
    assert read.page.cite_button.text().strip() == "コピーしました"
    read.select(2, "円形")  # one selection at a time
    read.page.cite_button.click()
    assert clipboard() == "「円形」\n橋梁.pdf　第1章 総則 1.2 橋脚の形（標準）　p.2"
    assert not read.text.views[0].text.textCursor().hasSelection()
    read.text.views[2].deselect()
    read.text.show_row(4)
    read.page.cite_button.click()
    assert clipboard() == f"「{SECTIONS[4].text}」\n橋梁.pdf　第2章 施工 2.1 検査　p.4"


def test_a_question_begins_with_the_clause_and_asks_its_document(read, library):
    document_id = fill(library)
    asked = heard(read.navigation.question_requested)
    read.open(ReadingPlace(document_id, library.sections(document_id)[2][0]))
    read.page.ask_button.click()
    collection = library.collection("規準")
    scope = (CollectionRef(collection.id, "規準", ("/a/橋梁.pdf",)),)
    assert asked == [(scope, "「橋梁」の「1.2 橋脚の形」について、", False)]


def test_the_file_opens_in_its_own_program(read, library):
    read.open(ReadingPlace(fill(library)))
    read.page.open_button.click()
    assert read.opened == ["/a/橋梁.pdf"]


def test_the_label_is_that_of_the_collection_now(read, library):
    read.open(ReadingPlace(fill(library)))
    assert read.page.label_now() == "internal"
    library.set_label(library.collection("規準").id, "secret")
    assert read.page.label_now() == "secret"
    read.documents.check_for_changes()
    read.qtbot.waitUntil(lambda: read.page.document is not None and read.page.label.text() == "機密")


def test_a_document_that_was_removed_or_read_anew_is_noticed(read, library):
    document_id = fill(library)
    read.open(ReadingPlace(document_id))
    document = library.document(document_id)
    library.put(replace(document, state="done", sha256="0"), [Section(("新しい章",), "新しい文。")])
    read.documents.check_for_changes()
    read.qtbot.waitUntil(lambda: read.page.document is not None and len(read.page.document.sections) == 1)
    library.remove_documents([document_id])
    read.documents.check_for_changes()
    read.qtbot.waitUntil(lambda: read.page.message.text() == "この資料は、資料集にもうありません。")
    assert not read.page.ask_button.isVisible()
    assert read.page.label_now() == "secret"  # nothing is known of what may be left on the screen


def test_only_the_document_that_was_asked_for_last_is_shown(read, library, monkeypatch):
    first, second = fill(library), fill(library, "別", file="/b/別.md")
    load, is_free = whole_document.load, threading.Event()

    def load_late(path: Path, document_id: int, _check: Callable[[], None]) -> WholeDocument | None:
        if document_id == first:
            is_free.wait(30)
        return load(path, document_id)  # however late, and whether cancelled or not

    monkeypatch.setattr(whole_document, "load", load_late)
    read.page.open(ReadingPlace(first))
    read.open(ReadingPlace(second))
    is_free.set()
    background.shut_down()
    QApplication.processEvents()
    assert read.page.header.title.text() == "別.md"


# ------------------------------------------------------------------- the window


@pytest.fixture
def parts(with_document: AppContext) -> AppContext:
    return with_document


def opened(parts: AppContext, query: str, qtbot: QtBot) -> ReaderPage:
    """The reader, from the search."""
    window = Window(parts, qtbot)
    window.activate()
    press(window.window, Key.Key_K, CONTROL)
    search = window.window.page("search")
    search.field.insert(query)
    qtbot.waitUntil(search.other_button.isVisible)
    search.other_button.click()
    press(search.list, Key.Key_Return)
    reader = window.window.page("reader")
    qtbot.waitUntil(lambda: reader.document is not None, timeout=TIMEOUT_MS)
    return reader


def test_from_ctrl_k_to_the_place_in_the_document_and_back(parts, qtbot):
    reader = opened(parts, "毎月", qtbot)
    assert parts.window.current_page == "reader"
    qtbot.waitUntil(lambda: reader.view.find_strip.count.text() == "1／1")
    assert reader.view.page.text() == "p.2"
    press(reader.view.find_strip.field, Key.Key_Escape)
    press(reader, Key.Key_Escape)
    assert parts.window.current_page == "search"
    press(parts.window, Key.Key_Escape)
    press(parts.window.page("search").field, Key.Key_Escape)
    assert parts.window.current_page == "ask"


def test_search_and_reader_do_not_lead_in_circles(parts, qtbot):
    parts.window.show_page("documents")
    reader = opened(parts, "毎月", qtbot)
    press(parts.window, Key.Key_K, CONTROL)
    search = parts.window.page("search")
    press(search.field, Key.Key_Escape)
    assert parts.window.current_page == "documents"
    assert reader.document is not None


def test_the_page_of_what_is_read_is_shown_and_one_reads_on(parts, qtbot):
    reader = opened(parts, "毎月", qtbot)
    assert reader.tabs.isVisible()
    reader.tabs.buttons["pages"].click()

    def is_at(page: str) -> bool:
        return reader.pages.page_field.text() == page and not reader.pages.view.paper._pixmap.isNull()

    qtbot.waitUntil(lambda: is_at("2"), timeout=TIMEOUT_MS)
    reader.pages.page_after.click()
    qtbot.waitUntil(lambda: is_at("3"), timeout=TIMEOUT_MS)
    assert reader.view.outline.currentIndex().data() == "第3節 点検"
    reader.view.outline.chosen.emit(0)
    qtbot.waitUntil(lambda: is_at("1"), timeout=TIMEOUT_MS)
    reader.tabs.buttons["text"].click()
    assert reader.view.text.isVisible()


def test_the_passage_of_a_source_is_marked_in_the_text_and_on_the_page(parts, qtbot):
    document = parts.documents.documents(parts.documents.collections()[0].id)[0]
    parts.navigation.reading_requested.emit(ReadingPlace(document.id, quote=SENTENCE, page=1))
    reader = parts.window.page("reader")
    qtbot.waitUntil(lambda: reader.document is not None, timeout=TIMEOUT_MS)
    assert reader.view.page.text() == "p.2"
    (mark,) = reader.view.text.views[reader.view.text.row].text.extraSelections()
    assert mark.cursor.selectedText() == SENTENCE
    reader.tabs.buttons["pages"].click()
    qtbot.waitUntil(lambda: len(reader.pages.view.paper._places) == 1, timeout=TIMEOUT_MS)


def test_without_the_file_the_text_is_shown_and_why(parts, qtbot):
    reader = opened(parts, "毎月", qtbot)
    Path(reader.document.document.path).unlink()
    reader.tabs.buttons["pages"].click()
    qtbot.waitUntil(reader.banner.isVisible, timeout=TIMEOUT_MS)
    assert reader.banner._heading.text().startswith("元のファイルが見つかりません。")
    assert reader.view.text.isVisible()
    assert reader.tabs.key == "text"


def test_a_question_about_the_place_stands_in_a_new_conversation(parts, store, qtbot):
    parts.session.open(store_thread(store, "前の質問", "答え")[0].conversation_id)
    reader = opened(parts, "毎月", qtbot)
    reader.ask_button.click()
    assert parts.window.current_page == "ask"
    assert parts.session.conversation is None
    assert [ref.name for ref in parts.session.scope] == ["規程"]
    assert parts.page.composer.text() == "「規程」の「第2節 点検」について、"
    parts.documents.changed.emit()
    assert [ref.name for ref in parts.session.scope] == ["規程"]


def pages_of(parts: AppContext, qtbot: QtBot) -> ReaderPage:
    """The reader at its second page."""
    reader = opened(parts, "毎月", qtbot)
    reader.tabs.buttons["pages"].click()
    qtbot.waitUntil(lambda: reader.pages.page_field.text() == "2", timeout=TIMEOUT_MS)
    qtbot.waitUntil(lambda: not reader.pages.view.paper._pixmap.isNull())
    return reader


def asked_part(parts: AppContext, qtbot: QtBot) -> PageRegion:
    qtbot.waitUntil(lambda: parts.window.current_page == "ask", timeout=TIMEOUT_MS)
    (ref,) = parts.session.scope
    (part,) = ref.regions
    assert ref.documents == (part.path,)
    return part


def test_a_shown_page_is_asked_about_as_a_picture(parts, qtbot):
    reader = pages_of(parts, qtbot)
    assert reader.ask_button.accessibleName() == phrase("chat.ask_page")
    reader.ask_button.click()
    part = asked_part(parts, qtbot)
    assert (part.page, part.edges, part.heading) == (2, None, ("第2節 点検",))
    assert parts.page.composer.text() == phrase("chat.about_page", document="規程", page=2)


def test_a_figure_that_is_framed_by_the_mouse_is_asked_about_with_its_words(parts, qtbot):
    reader = pages_of(parts, qtbot)
    paper = reader.pages.view.paper
    place = paper.rectangle_of(QRectF(0.05, 0.6, 0.8, 0.1)).toRect()
    qtbot.mousePress(paper, LEFT, pos=place.topLeft())
    qtbot.mouseMove(paper, place.center())
    qtbot.mouseMove(paper, place.bottomRight())
    qtbot.mouseRelease(paper, LEFT, pos=place.bottomRight())
    assert reader.ask_button.accessibleName() == phrase("chat.ask_part")
    reader.ask_button.click()
    part = asked_part(parts, qtbot)
    assert part.edges == pytest.approx((0.05, 0.6, 0.85, 0.7), abs=0.01)
    assert (part.page, part.text, part.heading, part.recognized) == (2, SENTENCE, ("第2節 点検",), None)
    assert part.sha256 == hashlib.sha256(Path(part.path).read_bytes()).hexdigest()
    assert [one.title for one in parts.page.scoping._line._choices if one.is_chosen] == ["規程.pdf p.2 の一部"]
    stored = records.scope_json(parts.session.scope)
    assert stored is not None
    assert records.scope_from_json(stored) == parts.session.scope
    assert records.scope_from_json(stored.replace('"page": 2', '"page": 0')) == ()


def test_a_figure_whose_words_are_being_read_is_not_asked_about_once_the_user_has_turned_to_something_else(
    parts, qtbot
):
    reader = pages_of(parts, qtbot)
    reader.pages.frame_button.click()
    reader.ask_button.click()
    assert (reader.ask_button.isEnabled(), reader.ask_button.accessibleName()) == (False, phrase("chat.reading_part"))
    reader.tabs.buttons["text"].click()
    assert (reader.ask_button.isEnabled(), reader.ask_button.accessibleName()) == (True, phrase("chat.ask_here"))
    reader.tabs.buttons["pages"].click()
    qtbot.waitUntil(lambda: reader.pages._is_drawn, timeout=TIMEOUT_MS)
    reader.ask_button.click()
    parts.window.show_questions()
    assert reader._part_read is None
    assert parts.session.scope != ()


def test_a_part_with_very_many_words_is_stored(parts, qtbot):
    reader = pages_of(parts, qtbot)
    request = reader._part_read = PageRequest(reader._place.document_id, 2, 9, (), (0.0, 0.0, 1.0, 1.0), reads=True)
    numbers = tuple((str(number), 5) for number in range(2_000))
    reader._on_part_read(PagePicture(request, 3, 1, 1, b"", (), "字" * 200_000, numbers))
    assert asked_part(parts, qtbot).text.startswith("字字")
    stored = records.scope_json(parts.session.scope)
    assert stored is not None
    assert records.scope_from_json(stored) == parts.session.scope


def test_a_frame_counts_only_on_the_page_that_it_was_drawn_on(parts, qtbot):
    reader = pages_of(parts, qtbot)
    reader.pages.frame_button.click()
    reader.pages.page_after.click()  # which is not drawn yet
    assert reader.ask_button.accessibleName() == phrase("chat.ask_page")
    press(reader.pages.view, Key.Key_Return)
    part = asked_part(parts, qtbot)
    assert (part.page, part.edges) == (3, None)


def test_keys_frame_a_figure_move_and_resize_the_frame_ask_or_remove_it(parts, qtbot):
    reader = pages_of(parts, qtbot)
    view, paper = reader.pages.view, reader.pages.view.paper
    view.setFocus()
    press(view, Key.Key_Space)
    first = QRectF(paper.frame)
    assert not first.isNull()
    press(view, Key.Key_Down)
    press(view, Key.Key_Left)
    assert paper.frame.topLeft() == first.topLeft() + QPointF(-FRAME_STEP, FRAME_STEP)
    assert paper.frame.size() == first.size()
    press(view, Key.Key_Right, SHIFT)
    assert paper.frame.width() == pytest.approx(first.width() + FRAME_STEP)
    for _ in range(99):
        press(view, Key.Key_Up)
    assert paper.frame.top() == 0
    press(view, Key.Key_Escape)
    assert (paper.frame.isNull(), parts.window.current_page) == (True, "reader")
    reader.pages.frame_button.click()
    reader.pages.page_after.click()
    qtbot.waitUntil(lambda: paper.frame.isNull(), timeout=TIMEOUT_MS)
    qtbot.waitUntil(lambda: reader.pages.page_field.text() == "3", timeout=TIMEOUT_MS)
    reader.pages.frame_button.click()
    press(view, Key.Key_Return)
    reader.pages.larger.click()  # a page that is drawn anew meanwhile takes no question away
    assert asked_part(parts, qtbot).page == 3


def test_a_secret_document_is_copied_only_after_consent(parts, qtbot):
    clip = QApplication.clipboard()
    clip.setText("前")
    with qtbot.waitSignal(parts.documents.changed, timeout=TIMEOUT_MS):
        parts.documents.set_label(parts.documents.collections()[0].id, "secret")
    reader = opened(parts, "毎月", qtbot)
    assert reader.label.text() == "機密"
    reader.cite_button.click()
    assert clip.text() == "前"
    dialog = parts.secrecy.dialog
    dialog.buttons["cancel"].click()
    row = reader.view.text.views[reader.view.text.row].text
    row.setFocus()
    row.moveCursor(QTextCursor.MoveOperation.Start)
    row.moveCursor(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
    press(row, Key.Key_C, CONTROL)
    assert clip.text() == "前"
    parts.secrecy.dialog.buttons["go"].click()
    qtbot.waitUntil(lambda: SENTENCE in clip.text())


def test_a_page_of_the_documents_opens_in_the_reader(parts, qtbot):
    parts.window.show_page("documents")
    documents = parts.window.page("documents")
    documents.view.choose({documents.documents.documents()[0].id})
    documents.report.read_button.click()
    reader = parts.window.page("reader")
    qtbot.waitUntil(lambda: reader.document is not None, timeout=TIMEOUT_MS)
    assert parts.window.current_page == "reader"
    press(reader.view.text, Key.Key_Escape)
    assert parts.window.current_page == "documents"


# ------------------------------------------------------------ the whole document


def test_the_whole_document_and_its_chapter_are_summarized_listed_and_compared_from_the_menu(read, library):
    document_id, other_id = fill(library), fill(library, "別", file="/a/橋梁_改訂.pdf")
    read.open(ReadingPlace(document_id))
    requests = heard(read.navigation.overview_requested)
    actions = {one.text(): one for one in read.page.overview_menu().actions()}
    for key in ("summarize_document", "summarize_chapter", "list_values"):
        actions[phrase(f"documents.{key}")].trigger()
    assert [(one.kind, one.document_ids, one.chapter) for (one,) in requests] == [
        ("summary", (document_id,), ""),
        ("summary", (document_id,), "第1章 総則"),
        ("values", (document_id,), ""),
    ]
    assert phrase("documents.compare_with") not in actions  # its collection has no other document
    library.move_documents([other_id], 1, None)
    comparing = next(one.menu() for one in read.page.overview_menu().actions() if one.menu() is not None)
    comparing.actions()[0].trigger()
    (request,) = requests[-1]
    assert (request.kind, request.document_ids) == ("comparison", (document_id, other_id))


def test_the_chapter_to_summarize_is_below_the_title_of_the_document(read, library):
    sections = [Section(("基準", chapter, "第1節 一般"), f"{chapter}は検討する。") for chapter in ("第1章", "第2章")]
    document_id = fill(library)
    document = library.document(document_id)
    assert document is not None
    library.put(replace(document, state="done"), sections)
    read.open(ReadingPlace(document_id, quote="第2章は検討する。"))
    read.qtbot.waitUntil(lambda: read.page.view.text.row == 1, timeout=TIMEOUT_MS)
    requests = heard(read.navigation.overview_requested)
    actions = {one.text(): one for one in read.page.overview_menu().actions()}
    actions[phrase("documents.summarize_chapter")].trigger()
    assert [(one.title, one.chapter) for (one,) in requests] == [("第2章", "基準 > 第2章")]
