"""A source beside the conversation: its text or its page, the way through the sources, and narrow windows."""

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.wording import phrase
from app.chat.records import AnswerDetails
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.transcript.sources_footer import SourceRow
from app.documents.grounding import claims, grounding_record
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.documents.records import Document
from tests.chat.driver import store_thread
from tests.chat.ui.driver import (
    ALT,
    CONTROL,
    LEFT,
    SENTENCE,
    TIMEOUT_MS,
    Double,
    buttons,
    clipboard,
    press,
    question,
)
from tests.chat.ui.test_chat_sources import RIGHT, SOURCES, WRONG, message, shown

QUOTATION = "「発電機は、毎月1回運転する。」\n管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21"
Key = Qt.Key


@pytest.fixture
def double(double: Double) -> Double:
    double.page.resize(1300, 800)
    return double


def marked(page: ChatPage) -> list[str]:
    """What is marked in the text of the source."""
    return [one.cursor.selectedText() for one in page.panel.text.sheet.text.extraSelections()]


def test_a_source_is_shown_with_its_place_and_what_was_used_of_it_until_another_conversation_opens(double):
    view, panel = shown(double, RIGHT), double.page.panel
    assert not panel.isVisible()
    press(view.text, Key.Key_1)
    assert panel.isVisible()
    assert (panel.number.text(), panel.title.text()) == ("1", "出典 1／2")
    assert panel.path.text() == "規程 › 管理編.pdf › 第2章 設備"
    assert panel.clause.text() == "2.3 発電機"
    assert panel.usage.text() == "回答に使った箇所 1"
    assert marked(double.page) == ["発電機は、毎月1回運転する。"]
    assert [row.is_open for row in view._end.sources_footer.rows.values()] == [True, False]
    double.open(question(1))
    assert not panel.isVisible()


def test_keys_open_a_source_from_the_field_and_from_the_conversation(double, qtbot):
    view, page = shown(double, RIGHT), double.page
    editor, title = page.composer.editor, page.panel.title
    editor.setFocus()
    double.press(Key.Key_2, ALT)
    assert title.text() == "出典 2／2"
    double.press(Key.Key_9, ALT)  # there is none
    double.press(Key.Key_1)
    assert (editor.text(), title.text()) == ("1", "出典 2／2")
    viewport = page.transcript.viewport()
    below = QPoint(viewport.width() // 2, viewport.height() - 3)
    assert viewport.childAt(below) is None
    qtbot.mouseClick(viewport, LEFT, pos=below)
    assert page.transcript.hasFocus()
    press(page.transcript, Key.Key_1)
    assert title.text() == "出典 1／2"
    assert "出典 2（Alt + 2）" in next(row for row in view.findChildren(SourceRow) if row.number == 2).toolTip()


def test_foreign_text_is_only_text(double):
    foreign = "<img src='file:///etc/passwd'> <b>太字</b>。\u202e逆。"
    heading = ("<i>第1章</i>", "\u202e<a href='x'>二節</a>")
    hostile = dataclasses.replace(SOURCES[0], text=foreign, heading=heading, tag="<u>" + "長" * 99)
    view, panel = shown(double, "短い。", Grounding("answered", (hostile,))), double.page.panel
    double.page.sources.open(2, 1)
    assert panel.clause.text() == "‹U+202E›<a href='x'>二節</a>"
    assert panel.path.text().endswith("<i>第1章</i>")
    assert len(panel._tag_words.text()) == 12
    assert all("\u202e" not in row.words + row.toolTip() for row in view.findChildren(SourceRow))
    assert panel.text.sheet.text.toPlainText() == foreign.replace("\u202e", "‹U+202E›")


def test_it_opens_and_closes_by_key_and_one_goes_from_source_to_source(double):
    shown(double, RIGHT)
    panel = double.page.panel
    double.press(Key.Key_Period, CONTROL)
    assert panel.isVisible()
    press(double.page, Key.Key_Escape)
    assert not panel.isVisible()
    assert QApplication.focusWidget() is double.composer.editor
    double.page.sources.open(2, 1)
    assert (panel.previous_button.isEnabled(), panel.next_button.isEnabled()) == (False, True)
    panel.next_button.click()
    assert (panel.number.text(), panel.title.text()) == ("2", "出典 2／2")
    assert panel.clause.text() == "<b>記録</b>.md"
    assert (panel.previous_button.isEnabled(), panel.next_button.isEnabled()) == (True, False)


def test_what_was_compared_or_is_only_near_is_not_said_to_be_used(double):
    panel = double.page.panel
    buttons(shown(double, WRONG))["原文を見る"].click()
    assert panel.usage.text().startswith("回答と照合した箇所")
    assert "燃料は72時間分を備える。" in marked(double.page)
    shown(double, "資料にありません。", Grounding("not_in_documents", SOURCES), tokens=0)
    double.page.sources.open(2, 2)
    assert panel.usage.text() == phrase("chat.near_the_question_not_used")
    assert marked(double.page) == []


def test_text_and_quotation_are_copied_the_way_of_answers_and_a_file_that_no_collection_has_is_never_opened(double):
    """Secret text asks first; the answer may have come with a file that somebody else wrote."""
    shown(double, RIGHT)
    double.page.sources.open(2, 1)
    panel = double.page.panel
    sheet = panel.text.sheet.text
    sheet.selectAll()
    press(sheet, Key.Key_C, CONTROL)
    assert clipboard() == SOURCES[0].text
    panel.copy_button.click()
    assert clipboard() == QUOTATION
    assert not panel.open_button.isVisible()
    assert "いまは資料集にありません" in panel._problem_words.text()
    panel.open_button.click()
    assert double.opened == []


def test_in_a_narrow_window_it_takes_the_place_of_the_conversation(double, qtbot):
    page = double.page
    page.resize(800, 600)
    shown(double, RIGHT)
    page.sources.open(2, 1)
    assert not page.transcript.isVisible()
    qtbot.waitUntil(lambda: page.panel.width() == page.width())
    assert QApplication.focusWidget() is page.panel.back_button
    page.resize(1300, 800)
    assert page.transcript.isVisible()
    page.resize(800, 600)
    page.panel.back_button.click()
    assert (page.transcript.isVisible(), page.panel.isVisible()) == (True, False)
    page.sources.open(2, 1)
    press(page.panel, Key.Key_F, CONTROL)  # what is looked for comes into sight
    assert page.find_bar.isVisible()
    assert page.transcript.isVisible()


# ------------------------------------------------------------------ real pages


@pytest.fixture
def parts(with_document: AppContext) -> AppContext:
    """A window with one PDF file of three pages that was read, and an answer from its second page."""
    parts = with_document
    document = read_document(parts)
    read = "前の文である。" + SENTENCE
    source = CitedSource("規程", "internal", document.name, document.path, read, ("第2節　点検",), "", 1, 3)
    source = dataclasses.replace(source, sha256=document.sha256)
    answer = "発電機は毎月一回、無負荷で五分以上の運転を行います。[1]"
    kept = Grounding("answered", (source,), claims.check(answer, [grounding_record.passage_of(source, 1)]))
    store_answer(parts, answer, kept)
    return parts


def store_answer(parts: AppContext, answer: str, kept: Grounding) -> None:
    details = AnswerDetails(stop_reason="end", answer_tokens=9, grounding=kept)
    parts.session.open(store_thread(parts.store, "間隔は？", answer, details=details)[0].conversation_id)


def read_document(parts: AppContext) -> Document:
    return parts.documents.documents(parts.documents.collections()[0].id)[0]


def opened(parts: AppContext) -> ChatPage:
    page = parts.window.page("ask")
    page.sources.open(page.transcript.messages[-1].id, 1)
    return page


def wait_for_page(page: ChatPage, number: int, qtbot: QtBot) -> None:
    def is_there() -> bool:
        return page.panel.stack.currentWidget() is page.panel.pages and page.panel.pages.page_field.text() == str(
            number
        )

    qtbot.waitUntil(is_there, timeout=TIMEOUT_MS)


def test_the_page_with_what_was_used_is_shown_and_marked_and_one_reads_on(parts, qtbot):
    """The passage begins on the first page; what the answer uses stands on the second."""
    page = opened(parts)
    wait_for_page(page, 2, qtbot)
    panel = page.panel
    paper = panel.pages.view.paper
    assert panel.pages.pages.text() == "／ 3 ページ"
    (place,) = paper._places
    picture = panel.pages.view.grab().toImage()
    corner = paper.mapTo(panel.pages.view, paper._marked(place).center().toPoint())
    across = {picture.pixelColor(x, corner.y()).name() for x in range(corner.x() - 40, corner.x() + 40)}
    assert page._theme.light_color("cite").name() in across
    panel.pages.page_after.click()
    wait_for_page(page, 3, qtbot)
    assert not panel.pages.page_after.isEnabled()
    panel.pages.page_field.setText("1")
    panel.pages.page_field.editingFinished.emit()
    wait_for_page(page, 1, qtbot)


def test_a_larger_page_is_drawn_with_more_pixels_and_white_in_the_dark_theme(parts, qtbot):
    parts.preferences.change(theme="dark")
    page = opened(parts)
    wait_for_page(page, 2, qtbot)
    view = page.panel.pages.view

    def is_drawn() -> bool:
        return view.paper._pixmap.width() == view.width_px

    qtbot.waitUntil(is_drawn, timeout=TIMEOUT_MS)
    assert view.paper.grab().toImage().pixelColor(view.paper.rect().center()).lightness() > 200
    before = view.width_px
    page.panel.pages.larger.click()
    assert view.width_px == pytest.approx(1.25 * before, abs=2)
    qtbot.waitUntil(is_drawn, timeout=TIMEOUT_MS)
    page.panel.pages.fit_button.click()
    assert view.width_px == before
    qtbot.waitUntil(is_drawn, timeout=TIMEOUT_MS)


def test_of_a_file_that_has_gone_the_text_is_there_until_the_user_shows_where_it_is(parts, qtbot):
    path = Path(read_document(parts).path)
    target = path.rename(path.with_name("移した規程.pdf"))
    page = opened(parts)
    qtbot.waitUntil(page.panel.locate_button.isVisible, timeout=TIMEOUT_MS)
    assert page.panel.problem.isVisible()
    assert page.panel._problem_words.text().startswith("元のファイルが見つかりません。")
    assert page.panel.stack.currentWidget() is page.panel.text
    assert marked(page) == [SENTENCE]
    page.sources.choose_file = lambda _parent, _name: str(target)
    page.panel.locate_button.click()
    wait_for_page(page, 2, qtbot)
    assert page.sources._document.path == str(target)


def test_the_same_of_a_file_without_pages(parts, tmp_path, qtbot):
    path = tmp_path / "覚え書き.md"
    path.write_text("# 第1章\n\n" + SENTENCE + "\n", "utf-8")
    with qtbot.waitSignal(parts.documents.queue.emptied, timeout=TIMEOUT_MS):
        parts.documents.add(parts.documents.collections()[0].id, [path])
    source = CitedSource("規程", "internal", path.name, str(path), SENTENCE, ("第1章",))
    store_answer(parts, "短い。", Grounding("answered", (source,)))
    panel = opened(parts).panel
    assert panel.open_button.isVisible()
    assert panel.text.sheet.text.toPlainText() == SENTENCE
    path.unlink()
    parts.window.page("ask").sources.close()
    opened(parts)
    qtbot.waitUntil(panel.problem.isVisible, timeout=TIMEOUT_MS)
    assert not panel.open_button.isVisible()


def test_ones_own_file_is_opened(double, qtbot, tmp_path):
    documents = double.documents
    with qtbot.waitSignal(documents.opened, timeout=TIMEOUT_MS):
        documents.open()
    documents.queue._is_paused = True
    path = tmp_path / "規程.md"
    path.write_text("発電機は、毎月1回運転する。", "utf-8")
    with qtbot.waitSignal(documents.added, timeout=TIMEOUT_MS):
        documents.add_collection("規程", paths=[path])
    double.open(
        question(1), message("短い。", Grounding("answered", (dataclasses.replace(SOURCES[0], path=str(path)),)))
    )
    documents.pictures._reader._child._command = ["/nonexistent/kotae"]
    double.page.sources.open(2, 1)
    double.page.panel.open_button.click()
    assert [url.toLocalFile() for url in double.opened] == [str(path)]
    documents.close()
