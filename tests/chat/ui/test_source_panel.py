"""A source beside the conversation: its text or its page, the way through the sources, and narrow windows."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.application import AppContext
from app.base.paths import Paths
from app.chat.records import AnswerDetails
from app.chat.store import Store
from app.chat.ui.chat_page import ChatPage
from app.chat.ui.text.source_row import SourceRow
from app.documents.grounding import claims, grounding_record
from app.documents.grounding.grounding_record import CitedSource, Grounding
from app.uikit.theme import Theme
from tests.chat.ui.chat_double import Double
from tests.chat.ui.test_chat_sources import RIGHT, SOURCES, WRONG, message, question, shown
from tests.documents.reading.pdf_maker import Pdf, text

TIMEOUT_MS = 60_000
SENTENCE = "発電機は毎月一回、無負荷で五分以上の運転を行う。"


@pytest.fixture
def double(theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> Double:
    double = Double(theme, where, store, qtbot)
    double.page.resize(1300, 800)
    return double


def marked(page: ChatPage) -> list[str]:
    """What is marked in the text of the source."""
    return [one.cursor.selectedText() for one in page.panel.text.sheet.text.extraSelections()]


def test_a_source_is_shown_with_its_place_and_what_was_used_of_it(double: Double) -> None:
    view = shown(double, RIGHT)
    panel = double.page.panel
    assert not panel.isVisible()
    QTest.keyClick(view.text, Qt.Key.Key_1)
    assert panel.isVisible()
    assert (panel.number.text(), panel.title.text()) == ("1", "出典 1／2")
    assert panel.path.text() == "規程 › 管理編.pdf › 第2章 設備"
    assert panel.clause.text() == "2.3 発電機"
    assert panel.used.text() == "回答に使った箇所 1"
    assert marked(double.page) == ["発電機は、毎月1回運転する。"]
    assert view.findChildren(type(double.page.panel)) == []
    assert [row.is_open for row in view._end.sources_footer.rows.values()] == [True, False]


def test_keys_open_a_source_from_the_field_and_from_the_conversation(double: Double) -> None:
    view, page = shown(double, RIGHT), double.page
    editor = page.composer.editor
    editor.setFocus()
    QTest.keyClick(editor, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    assert page.panel.title.text() == "出典 2／2"
    QTest.keyClick(editor, Qt.Key.Key_9, Qt.KeyboardModifier.AltModifier)  # there is none
    assert page.panel.title.text() == "出典 2／2"
    QTest.keyClick(editor, Qt.Key.Key_1)
    assert (editor.text(), page.panel.title.text()) == ("1", "出典 2／2")
    below = QPoint(page.transcript.viewport().width() // 2, page.transcript.viewport().height() - 3)
    assert page.transcript.viewport().childAt(below) is None
    QTest.mouseClick(page.transcript.viewport(), Qt.MouseButton.LeftButton, pos=below)
    assert page.transcript.hasFocus()
    QTest.keyClick(page.transcript, Qt.Key.Key_1)
    assert page.panel.title.text() == "出典 1／2"
    assert "出典 2（Alt + 2）" in next(row for row in view.findChildren(SourceRow) if row.number == 2).toolTip()


def test_foreign_text_is_only_text(double: Double) -> None:
    text = "<img src='file:///etc/passwd'> <b>太字</b>。\u202e逆。"
    heading = ("<i>第1章</i>", "\u202e<a href='x'>二節</a>")
    hostile = dataclasses.replace(SOURCES[0], text=text, heading=heading, tag="<u>" + "長" * 99)
    view = shown(double, "短い。", Grounding("answered", (hostile,)))
    double.page.sources.open(2, 1)
    panel = double.page.panel
    assert panel.clause.text() == "‹U+202E›<a href='x'>二節</a>"
    assert panel.path.text().endswith("<i>第1章</i>")
    assert len(panel._tag_words.text()) == 12
    assert all("\u202e" not in row.words + row.toolTip() for row in view.findChildren(SourceRow))
    assert double.page.panel.text.sheet.text.toPlainText() == (
        "<img src='file:///etc/passwd'> <b>太字</b>。‹U+202E›逆。"
    )


def test_one_goes_from_source_to_source(double: Double) -> None:
    shown(double, RIGHT)
    page = double.page
    page.sources.open(2, 1)
    assert (page.panel.before.isEnabled(), page.panel.after.isEnabled()) == (False, True)
    page.panel.after.click()
    assert (page.panel.number.text(), page.panel.title.text()) == ("2", "出典 2／2")
    assert page.panel.clause.text() == "<b>記録</b>.md"
    assert (page.panel.before.isEnabled(), page.panel.after.isEnabled()) == (True, False)


def test_it_opens_and_closes_by_key(double: Double) -> None:
    shown(double, RIGHT)
    page = double.page
    QTest.keyClick(page.composer.editor, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
    assert page.panel.isVisible()
    QTest.keyClick(page, Qt.Key.Key_Escape)
    assert not page.panel.isVisible()
    assert QApplication.focusWidget() is page.composer.editor


def test_another_conversation_closes_it(double: Double) -> None:
    shown(double, RIGHT)
    double.page.sources.open(2, 1)
    double.open(question(1))
    assert not double.page.panel.isVisible()


def test_what_a_doubtful_sentence_was_compared_with_is_marked(double: Double) -> None:
    view = shown(double, WRONG)
    double.buttons(view)["原文を見る"].click()
    assert double.page.panel.used.text().startswith("回答と照合した箇所")
    assert "燃料は72時間分を備える。" in marked(double.page)


def test_what_is_only_near_is_not_said_to_be_used(double: Double) -> None:
    shown(double, "資料にありません。", Grounding("not_in_documents", SOURCES), tokens=0)
    double.page.sources.open(2, 2)
    assert double.page.panel.used.text() == "質問に近い箇所です（回答には使っていません）"
    assert marked(double.page) == []


def test_the_quotation_is_copied_with_its_place(double: Double) -> None:
    shown(double, RIGHT)
    double.page.sources.open(2, 1)
    double.page.panel.copy_button.click()
    assert QGuiApplication.clipboard().text() == (
        "「発電機は、毎月1回運転する。」\n管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21"
    )


def test_what_is_selected_in_it_is_copied_the_way_of_answers(double: Double) -> None:
    """Secret text asks first."""
    shown(double, RIGHT)
    page, copied = double.page, list[str]()
    QGuiApplication.clipboard().dataChanged.connect(lambda: copied.append(QGuiApplication.clipboard().text()))
    page.sources.open(2, 1)
    text = page.panel.text.sheet.text
    text.selectAll()
    QTest.keyClick(text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    page.panel.copy_button.click()
    assert copied == [
        SOURCES[0].text,
        "「発電機は、毎月1回運転する。」\n管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21",
    ]


def test_a_file_that_no_collection_has_is_never_opened(double: Double) -> None:
    """The answer may have come with a file that somebody else wrote."""
    shown(double, RIGHT)
    double.page.sources.open(2, 1)
    assert not double.page.panel.open_button.isVisible()
    assert "いまは資料集にありません" in double.page.panel._problem_words.text()
    double.page.panel.open_button.click()
    assert double.opened == []


def test_in_a_narrow_window_it_takes_the_place_of_the_conversation(double: Double, qtbot: QtBot) -> None:
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
    assert page.transcript.isVisible()
    assert not page.panel.isVisible()


def test_what_is_looked_for_comes_into_sight_there_too(double: Double, qtbot: QtBot) -> None:
    page = double.page
    page.resize(800, 600)
    shown(double, RIGHT)
    page.sources.open(2, 1)
    QTest.keyClick(page.panel, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert page.find_bar.isVisible()
    assert page.transcript.isVisible()


# ------------------------------------------------------------------ real pages


@pytest.fixture
def parts(open_window: Callable[..., AppContext], store: Store, tmp_path: Path, qtbot: QtBot) -> AppContext:
    """A window with one PDF file of three pages that was read, and an answer from its second page."""
    pdf = Pdf()
    for number in range(1, 4):
        written = SENTENCE if number == 2 else "別の文である。"
        pdf.page(text(72, 720, f"第{number}節　点検", 16) + text(72, 300, written, 11))
    path = tmp_path / "規程.pdf"
    path.write_bytes(pdf.bytes())
    parts = open_window()
    with qtbot.waitSignal(parts.documents.opened, timeout=TIMEOUT_MS):
        parts.documents.open()
    with qtbot.waitSignal(parts.documents.queue.emptied, timeout=TIMEOUT_MS):
        parts.documents.add_collection("規程", paths=[path])
    document = parts.documents.documents(parts.documents.collections()[0].id)[0]
    read = "前の文である。" + SENTENCE
    source = CitedSource("規程", "internal", document.name, document.path, read, ("第2節　点検",), "", 1, 3)
    source = dataclasses.replace(source, sha256=document.sha256)
    answer = "発電機は毎月一回、無負荷で五分以上の運転を行います。[1]"
    kept = Grounding("answered", (source,), claims.check_claims(answer, [grounding_record.passage_of(source, 1)]))
    asked = store.add_question("間隔は？")
    details = AnswerDetails(stop_reason="end", answer_tokens=9, grounding=kept)
    reply = store.add_answer(asked.id, details)
    store.finish_answer(reply.id, answer, "done", details)
    parts.session.open(asked.conversation_id)
    return parts


def opened(parts: AppContext) -> ChatPage:
    page = parts.window.page("ask")
    assert isinstance(page, ChatPage)
    page.sources.open(page.transcript.messages[-1].id, 1)
    return page


def wait_for_page(page: ChatPage, number: int, qtbot: QtBot) -> None:
    def is_there() -> bool:
        return page.panel.stack.currentWidget() is page.panel.view and page.panel.page_field.text() == str(number)

    qtbot.waitUntil(is_there, timeout=TIMEOUT_MS)


def test_the_page_with_what_was_used_is_shown_and_marked(parts: AppContext, qtbot: QtBot) -> None:
    """The passage begins on the first page; what the answer uses stands on the second."""
    page = opened(parts)
    wait_for_page(page, 2, qtbot)
    paper = page.panel.view.paper
    assert page.panel.pages.text() == "／ 3 ページ"
    (place,) = paper._places
    picture = page.panel.view.grab().toImage()
    mark = paper._marked(place)
    corner = paper.mapTo(page.panel.view, mark.center().toPoint())
    across = {picture.pixelColor(x, corner.y()).name() for x in range(corner.x() - 40, corner.x() + 40)}
    assert page._theme.on_paper("cite").name() in across


def test_one_reads_on_in_the_document(parts: AppContext, qtbot: QtBot) -> None:
    page = opened(parts)
    wait_for_page(page, 2, qtbot)
    page.panel.page_after.click()
    wait_for_page(page, 3, qtbot)
    assert not page.panel.page_after.isEnabled()
    page.panel.page_field.setText("1")
    page.panel.page_field.editingFinished.emit()
    wait_for_page(page, 1, qtbot)


def test_a_larger_page_is_drawn_with_more_pixels(parts: AppContext, qtbot: QtBot) -> None:
    page = opened(parts)
    wait_for_page(page, 2, qtbot)
    view = page.panel.view

    def is_drawn() -> bool:
        return view.paper._pixmap.width() == view.width_px

    qtbot.waitUntil(is_drawn, timeout=TIMEOUT_MS)
    before = view.width_px
    page.panel.larger.click()
    assert view.width_px == pytest.approx(1.25 * before, abs=2)
    qtbot.waitUntil(is_drawn, timeout=TIMEOUT_MS)
    page.panel.fit_button.click()
    assert view.width_px == before
    qtbot.waitUntil(is_drawn, timeout=TIMEOUT_MS)


def test_when_the_file_has_gone_its_text_is_there(parts: AppContext, qtbot: QtBot) -> None:
    document = parts.documents.documents(parts.documents.collections()[0].id)[0]
    Path(document.path).unlink()
    page = opened(parts)
    qtbot.waitUntil(page.panel.problem.isVisible, timeout=TIMEOUT_MS)
    assert page.panel._problem_words.text().startswith("元のファイルが見つかりません。")
    assert page.panel.stack.currentWidget() is page.panel.text
    assert marked(page) == [SENTENCE]


def test_a_file_that_was_moved_is_shown_by_the_user_and_found_again(parts: AppContext, qtbot: QtBot) -> None:
    document = parts.documents.documents(parts.documents.collections()[0].id)[0]
    target = Path(document.path).with_name("移した規程.pdf")
    Path(document.path).rename(target)
    page = opened(parts)
    qtbot.waitUntil(page.panel.locate_button.isVisible, timeout=TIMEOUT_MS)
    page.sources.choose_file = lambda _parent, _name: str(target)
    page.panel.locate_button.click()
    wait_for_page(page, 2, qtbot)
    assert page.sources._document is not None
    assert page.sources._document.path == str(target)


def test_the_same_of_a_file_without_pages(parts: AppContext, tmp_path: Path, qtbot: QtBot) -> None:
    path = tmp_path / "覚え書き.md"
    path.write_text("# 第1章\n\n" + SENTENCE + "\n", "utf-8")
    collection = parts.documents.collections()[0]
    with qtbot.waitSignal(parts.documents.queue.emptied, timeout=TIMEOUT_MS):
        parts.documents.add(collection.id, [path])
    source = CitedSource("規程", "internal", path.name, str(path), SENTENCE, ("第1章",))
    asked = parts.store.add_question("二つ目の質問")
    details = AnswerDetails(stop_reason="end", answer_tokens=9, grounding=Grounding("answered", (source,)))
    reply = parts.store.add_answer(asked.id, details)
    parts.store.finish_answer(reply.id, "短い。", "done", details)
    parts.session.open(asked.conversation_id)
    page = opened(parts)
    assert page.panel.open_button.isVisible()
    assert page.panel.text.sheet.text.toPlainText() == SENTENCE
    path.unlink()
    page.sources.close()
    opened(parts)
    qtbot.waitUntil(page.panel.problem.isVisible, timeout=TIMEOUT_MS)
    assert not page.panel.open_button.isVisible()


def test_the_paper_is_white_in_the_dark_theme(parts: AppContext, qtbot: QtBot) -> None:
    parts.preferences.change(theme="dark")
    page = opened(parts)
    wait_for_page(page, 2, qtbot)
    middle = page.panel.view.paper.rect().center()
    assert page.panel.view.paper.grab().toImage().pixelColor(middle).lightness() > 200


def test_ones_own_file_is_opened(theme: Theme, where: Paths, store: Store, qtbot: QtBot, tmp_path: Path) -> None:
    double = Double(theme, where, store, qtbot)
    with qtbot.waitSignal(double.documents.opened, timeout=TIMEOUT_MS):
        double.documents.open()
    double.documents.queue._is_paused = True
    path = tmp_path / "規程.md"
    path.write_text("発電機は、毎月1回運転する。", "utf-8")
    with qtbot.waitSignal(double.documents.added, timeout=TIMEOUT_MS):
        double.documents.add_collection("規程", paths=[path])
    source = dataclasses.replace(SOURCES[0], path=str(path))
    kept = Grounding("answered", (source,))
    double.open(question(1), message("短い。", kept))
    double.documents.pictures._reader._child._command = ["/nonexistent/kotae"]
    double.page.sources.open(2, 1)
    double.page.panel.open_button.click()
    assert [url.toLocalFile() for url in double.opened] == [str(path)]
    double.documents.close()
