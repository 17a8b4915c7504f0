"""Answers from documents as they are shown: marks, what is doubtful, sources, and what is not there."""

import dataclasses
from collections.abc import Sequence

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCharFormat, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.base.paths import Paths
from app.base.settings import Settings
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.chat.ui.text.source_row import SourceRow
from app.chat.ui.transcript.answer_view import AnswerView
from app.documents.grounding import claims, grounding_record
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.uikit.theme import Theme
from app.uikit.widgets.labels import Label
from tests.chat.ui.chat_double import Double, answer, question

SOURCES = (
    CitedSource("規程", "internal", "管理編.pdf", "/x", "発電機は、毎月1回運転する。燃料は72時間分を備える。",
           ("第2章 設備", "2.3 発電機"), "標準", 21),
    CitedSource("規程", "internal", "<b>記録</b>.md", "/y", "燃料タンクの残量は、毎週月曜日に確認する。", (), "", 0),
)  # fmt: skip
RIGHT = "発電機は、毎月1回運転します。[1]\n\n燃料タンクの残量は毎週月曜日に確認します。"
WRONG = "発電機の燃料は**48時間分**を備えます。[1]"


@pytest.fixture
def double(theme: Theme, where: Paths, store: Store, qtbot: QtBot) -> Double:
    return Double(theme, where, store, qtbot)


def grounded(text: str, sources: Sequence[CitedSource] = SOURCES) -> Grounding:
    passages = [grounding_record.passage_of(source, number) for number, source in enumerate(sources, start=1)]
    return Grounding("answered", tuple(sources), claims.check_claims(text, passages))


def message(text: str, kept: Grounding, tokens: int = 40, status: str = "done") -> Message:
    details = AnswerDetails(stop_reason="end", answer_tokens=tokens, grounding=kept)
    return dataclasses.replace(answer(2, text, status), details=details)


def shown(double: Double, text: str, kept: Grounding | None = None, **more: object) -> AnswerView:
    double.open(question(1), message(text, grounded(text) if kept is None else kept, **more))  # type: ignore[arg-type]
    view = double.page.transcript.view_of(2)
    assert isinstance(view, AnswerView)
    return view


def words(view: QWidget) -> list[str]:
    return [label.text() for label in view.findChildren(Label) if label.isVisible() and label.text()]


def links(view: AnswerView) -> list[tuple[str, str]]:
    """Text and address of each link, in order."""
    found: list[tuple[str, str]] = []
    cursor = QTextCursor(view.text.document())
    while cursor.movePosition(QTextCursor.MoveOperation.NextCharacter, QTextCursor.MoveMode.KeepAnchor):
        href, letter = cursor.charFormat().anchorHref(), cursor.selectedText()
        if href and found and found[-1][1] == href and letter != "[":
            found[-1] = (found[-1][0] + letter, href)
        elif href:
            found.append((letter, href))
        cursor.clearSelection()
        cursor.setPosition(cursor.position())
    return found


def underlined(view: AnswerView) -> list[str]:
    wave = QTextCharFormat.UnderlineStyle.WaveUnderline
    marked = view.text.extraSelections()
    return [one.cursor.selectedText() for one in marked if one.format.underlineStyle() == wave]


def rows(view: AnswerView) -> dict[int, SourceRow]:
    return {row.number: row for row in view.findChildren(SourceRow) if row.isVisible()}


def test_marks_are_links_also_behind_a_sentence_that_names_no_source(double: Double) -> None:
    view = shown(double, RIGHT)
    assert links(view) == [("[1]", "cite:1"), ("[2]", "cite:2")]
    assert view.text.plain_text() == "発電機は、毎月1回運転します。[1]\n燃料タンクの残量は毎週月曜日に確認します。[2]"


@pytest.mark.parametrize("is_open", [False, True])
def test_the_words_of_a_source_row_with_the_keyboard_can_be_read(double: Double, is_open: bool) -> None:
    for row in rows(shown(double, RIGHT)).values():
        row.show_open(is_open)
        row.clearFocus()
        unfocused = row.grab().toImage()
        row.setFocus()
        assert row.hasFocus()
        focused = row.grab().toImage()
        inset = 4  # inside the ring
        room = row.rect().adjusted(inset, inset, -inset, -inset)
        assert focused != unfocused
        assert focused.copy(room) == unfocused.copy(room)


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_mark_with_the_keyboard_can_be_read(double: Double, theme: Theme, qapp, look: str, is_open: bool) -> None:
    theme.apply(qapp, Settings(theme=look))
    view = shown(double, RIGHT)
    view.show_open(1 if is_open else None)
    text = view.text
    end = QTextCursor(text.document())
    end.movePosition(QTextCursor.MoveOperation.EndOfBlock)
    start = QTextCursor(end)
    start.movePosition(QTextCursor.MoveOperation.Left, n=len("[1]"))
    mark = text.cursorRect(start).united(text.cursorRect(end))
    unfocused = text.grab().toImage()
    text.setFocus()
    QTest.keyClick(text, Qt.Key.Key_Tab)
    assert text.textCursor().selectedText() == "[1]"
    focused = text.grab().toImage()
    inset = 3  # inside the ring
    room = mark.adjusted(inset, inset, -inset, -inset)
    assert focused != unfocused
    assert focused.copy(room) == unfocused.copy(room)


def test_words_that_are_selected_up_to_a_mark_have_no_ring(double: Double, theme: Theme) -> None:
    text = shown(double, RIGHT).text
    text.setFocus()
    words = QTextCursor(text.document())
    words.movePosition(QTextCursor.MoveOperation.Right, n=2)
    first = text.cursorRect(words)
    words.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    assert words.selectedText().endswith("[1]")
    text.setTextCursor(words)
    shot = text.grab().toImage()
    edge = {shot.pixelColor(x, first.top()).name() for x in range(first.left() + 3, text.cursorRect(words).left() - 3)}
    assert theme.color("text").name() not in edge


def test_where_all_has_support_the_line_says_so(double: Double) -> None:
    view = shown(double, RIGHT)
    assert "2 文の語と数値を原文と照合しました。違いは見つかりませんでした。" in words(view)
    assert underlined(view) == []


def test_what_could_not_be_compared_is_said_beside_what_was(double: Double) -> None:
    view = shown(double, RIGHT, dataclasses.replace(grounded(RIGHT), unchecked=3))
    (line,) = [text for text in words(view) if "照合しました" in text]
    assert "照合できなかった文が 3 文あります。" in line


def test_what_is_added_to_an_answer_that_is_not_in_the_documents_is_marked(double: Double) -> None:
    text = "資料にありませんが、発電機は毎月5回運転します。"
    kept = dataclasses.replace(grounded(text), verdict="not_in_documents")
    view = shown(double, text, kept)
    assert "資料にありません" in words(view)
    assert "要確認 1 文" in words(view)


def test_a_value_that_is_not_in_the_source_is_marked_and_named(double: Double) -> None:
    view = shown(double, WRONG)
    assert "要確認 1 文" in words(view)
    assert "「48時間」は引用元にありません。原文で確かめてください。" in words(view)
    sentence, value = underlined(view)
    assert sentence.replace("\u2060", "") == "発電機の燃料は48時間分を備えます。[1]"
    assert value == "48時間"


def test_a_value_that_the_source_has_for_something_else_does_not_agree_with_it(double: Double) -> None:
    text = "燃料の残量は72時間ごとに確認します。[1]"
    claim = Claim(text, 0, len(text), (1,), False, ("72時間",))
    view = shown(double, text, Grounding("answered", SOURCES, (claim,)))
    assert "「72時間」は引用元の記述と合いません。原文で確かめてください。" in words(view)
    named = ("1時間", "2時間", "3時間", "72時間")
    kept = Grounding("answered", SOURCES, (dataclasses.replace(claim, missing=named),))
    assert "「1時間」「2時間」「3時間」など 4 件は引用元の記述と合いません。原文で確かめてください。" in words(
        shown(double, text, kept)
    )


def test_a_sentence_without_any_source_is_marked_too(double: Double) -> None:
    view = shown(double, "会議室の椅子は、来客用と職員用で色を分けて並べます。")
    assert "要確認 1 文" in words(view)
    assert underlined(view)


def test_links_of_others_stay_what_they_are(double: Double) -> None:
    text = "発電機は毎月1回運転します。[1] [見る](cite:2) `[1]` [9]"
    assert links(shown(double, text, Grounding("answered", SOURCES))) == [("[1]", "cite:1")]


def test_the_sources_stand_below_with_clause_tag_and_page(double: Double) -> None:
    view = shown(double, RIGHT)
    assert {number: row.words for number, row in rows(view).items()} == {
        1: "管理編　第2章 設備 2.3 発電機",
        2: "<b>記録</b>",
    }
    assert rows(view)[1].accessibleName() == "出典 1 管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21"
    assert "<b>" not in rows(view)[2].toolTip()


def test_a_source_that_the_answer_does_not_use_is_left_out(double: Double) -> None:
    assert list(rows(shown(double, "発電機は、毎月1回運転します。[1]"))) == [1]


@pytest.mark.parametrize("way", ["row", "enter", "digit", "link"])
def test_a_source_is_chosen_by_mouse_and_by_keyboard(double: Double, way: str, qtbot: QtBot) -> None:
    view = shown(double, RIGHT)
    with qtbot.waitSignal(double.page.transcript.requests.source_chosen) as signal:
        if way == "row":
            rows(view)[2].click()
        elif way == "enter":
            QTest.keyClick(rows(view)[2], Qt.Key.Key_Return)
        elif way == "digit":
            QTest.keyClick(view.text, Qt.Key.Key_2)
        else:
            view.text.anchorClicked.emit("cite:2")
    assert signal.args == [2, 2]


def test_a_digit_without_such_a_source_does_nothing(double: Double, qtbot: QtBot) -> None:
    view = shown(double, RIGHT)
    with qtbot.assertNotEmitted(double.page.transcript.requests.source_chosen):
        QTest.keyClick(view.text, Qt.Key.Key_3)


def test_what_is_not_in_the_documents_has_a_box_with_ways_on(double: Double, qtbot: QtBot) -> None:
    view = shown(double, "資料にありません。", Grounding("not_in_documents", SOURCES), tokens=0)
    assert "資料にありません" in words(view)
    assert not view.text.isVisible()
    buttons = double.buttons(view)
    with qtbot.waitSignal(double.page.transcript.requests.source_chosen) as signal:
        buttons["近い箇所を見る（2）"].click()
    assert signal.args == [2, 1]
    with qtbot.waitSignal(double.navigation.page_requested, check_params_cb=lambda key: key == "documents"):
        buttons["資料を追加"].click()
    assert "要約" not in buttons


def test_what_the_model_said_of_it_stays_to_be_read(double: Double) -> None:
    view = shown(double, "その値は資料にありません。", Grounding("not_in_documents", SOURCES))
    assert view.text.isVisible()
    assert "資料にありません" in words(view)


def test_quotations_are_said_to_be_quotations(double: Double) -> None:
    text = "- 「発電機は、毎月1回運転する。」[1]"
    quote = Claim(text[2:], 2, len(text), (1,), is_supported=True)
    view = shown(double, text, Grounding("answered", SOURCES[:1], (quote,), is_excerpt=True), tokens=0)
    assert words(view)[0] == "抜粋表示"
    assert not any("照合しました" in text for text in words(view))
    assert list(rows(view)) == [1]


def test_an_answer_that_was_stopped_was_not_checked(double: Double) -> None:
    view = shown(double, "発電機は、", Grounding("answered", SOURCES), status="stopped")
    assert "途中までのため、照合していません。" in words(view)


def test_it_is_copied_with_its_sources(double: Double) -> None:
    shown(double, RIGHT)
    QTest.keyClick(
        double.page.composer.editor,
        Qt.Key.Key_C,
        Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier,
    )
    assert QGuiApplication.clipboard().text() == (
        "発電機は、毎月1回運転します。[1]\n\n燃料タンクの残量は毎週月曜日に確認します。[2]\n\n"
        "[1] 管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21\n[2] <b>記録</b>.md"
    )


def test_marks_that_were_added_are_found_as_the_search_counts_them(double: Double) -> None:
    view = shown(double, RIGHT)
    page = double.page
    page.finding.find("2", 2)
    assert view.text.mark(["2"]) == len(page.finding._places) == 1
