"""Answers from documents as they are shown: marks, what is doubtful, sources, and what is not there."""

import dataclasses
from collections.abc import Sequence

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QApplication

from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.records import AnswerDetails, Message
from app.chat.ui.text.source_row import SourceRow
from app.chat.ui.transcript.answer_view import AnswerView
from app.documents.grounding import claims, grounding_record
from app.documents.grounding.grounding_record import CitedSource, Claim, Grounding
from app.uikit.theme import Theme
from tests.chat.ui.driver import CONTROL, SHIFT, Double, answer, buttons, clipboard, heard, press, question, words

SOURCES = (
    CitedSource("規程", "internal", "管理編.pdf", "/x", "発電機は、毎月1回運転する。燃料は72時間分を備える。",
           ("第2章 設備", "2.3 発電機"), "標準", 21),
    CitedSource("規程", "internal", "<b>記録</b>.md", "/y", "燃料タンクの残量は、毎週月曜日に確認する。", (), "", 0),
)  # fmt: skip
RIGHT = "発電機は、毎月1回運転します。[1]\n\n燃料タンクの残量は毎週月曜日に確認します。"
WRONG = "発電機の燃料は**48時間分**を備えます。[1]"


def grounded(text: str, sources: Sequence[CitedSource] = SOURCES) -> Grounding:
    passages = [grounding_record.passage_of(source, number) for number, source in enumerate(sources, start=1)]
    return Grounding("answered", tuple(sources), claims.check_claims(text, passages))


def message(text: str, kept: Grounding, tokens: int = 40, status: str = "done") -> Message:
    details = AnswerDetails(stop_reason="end", answer_tokens=tokens, grounding=kept)
    return dataclasses.replace(answer(2, text, status), details=details)


def shown(double: Double, text: str, kept: Grounding | None = None, **more: object) -> AnswerView:
    double.open(question(1), message(text, grounded(text) if kept is None else kept, **more))
    return double.view(2)


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
    double.page.find_bar.look_for("2", 2)
    assert view.text.mark(["2"]) == len(double.page.find_bar._places) == 1  # as the search counts them


@pytest.mark.parametrize("is_open", [False, True])
def test_the_words_of_a_source_row_with_the_keyboard_can_be_read(double: Double, is_open: bool) -> None:
    inset = 4  # inside the ring
    for row in rows(shown(double, RIGHT)).values():
        row.show_open(is_open)
        row.clearFocus()
        unfocused = row.grab().toImage()
        row.setFocus()
        assert row.hasFocus()
        focused = row.grab().toImage()
        room = row.rect().adjusted(inset, inset, -inset, -inset)
        assert focused != unfocused
        assert focused.copy(room) == unfocused.copy(room)


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_mark_with_the_keyboard_can_be_read(
    double: Double, theme: Theme, qapp: QApplication, look: str, is_open: bool
) -> None:
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
    press(text, Qt.Key.Key_Tab)
    assert text.textCursor().selectedText() == "[1]"
    focused = text.grab().toImage()
    inset = 3  # inside the ring
    room = mark.adjusted(inset, inset, -inset, -inset)
    assert focused != unfocused
    assert focused.copy(room) == unfocused.copy(room)


def test_words_that_are_selected_up_to_a_mark_have_no_ring(double: Double, theme: Theme) -> None:
    text = shown(double, RIGHT).text
    text.setFocus()
    selected = QTextCursor(text.document())
    selected.movePosition(QTextCursor.MoveOperation.Right, n=2)
    first = text.cursorRect(selected)
    selected.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    assert selected.selectedText().endswith("[1]")
    text.setTextCursor(selected)
    shot = text.grab().toImage()
    across = range(first.left() + 3, text.cursorRect(selected).left() - 3)
    assert theme.color("text").name() not in {shot.pixelColor(x, first.top()).name() for x in across}


def test_how_much_was_compared_with_the_sources_is_said(double: Double) -> None:
    view = shown(double, RIGHT)
    assert "2 文の語と数値を原文と照合しました。違いは見つかりませんでした。" in words(view)
    assert underlined(view) == []
    view = shown(double, RIGHT, dataclasses.replace(grounded(RIGHT), unchecked=3))
    (line,) = [text for text in words(view) if "照合しました" in text]
    assert "照合できなかった文が 3 文あります。" in line
    view = shown(double, "発電機は、", Grounding("answered", SOURCES), status="stopped")
    assert phrase("chat.not_checked_because_the_answer") in words(view)


def test_what_has_no_support_is_marked_and_named(double: Double) -> None:
    view = shown(double, WRONG)
    assert {"要確認 1 文", "「48時間」は引用元にありません。原文で確かめてください。"} <= set(words(view))
    sentence, value = underlined(view)
    assert sentence.replace("\u2060", "") == "発電機の燃料は48時間分を備えます。[1]"
    assert value == "48時間"
    view = shown(double, "会議室の椅子は、来客用と職員用で色を分けて並べます。")  # has no source at all
    assert "要確認 1 文" in words(view)
    assert underlined(view)
    text = "資料にありませんが、発電機は毎月5回運転します。"
    view = shown(double, text, dataclasses.replace(grounded(text), verdict="not_in_documents"))
    assert {"資料にありません", "要確認 1 文"} <= set(words(view))


def test_an_answer_from_passages_that_only_come_close_says_so_above_it(double: Double) -> None:
    near = phrase("documents.near")
    view = shown(double, RIGHT, dataclasses.replace(grounded(RIGHT), verdict="near"))
    assert near in words(view)
    assert [row.number for row in view.findChildren(SourceRow)] == [1, 2]
    assert near not in words(shown(double, RIGHT))


@pytest.mark.parametrize(
    ("missing", "named"),
    [(("72時間",), "「72時間」"), (("1時間", "2時間", "3時間", "72時間"), "「1時間」「2時間」「3時間」など 4 件")],
)
def test_a_value_that_the_source_has_for_something_else_does_not_agree_with_it(
    double: Double, missing: tuple[str, ...], named: str
) -> None:
    text = "燃料の残量は72時間ごとに確認します。[1]"
    view = shown(double, text, Grounding("answered", SOURCES, (Claim(text, 0, len(text), (1,), False, missing),)))
    assert f"{named}は引用元の記述と合いません。原文で確かめてください。" in words(view)


def test_links_of_others_stay_what_they_are(double: Double) -> None:
    text = "発電機は毎月1回運転します。[1] [見る](cite:2) `[1]` [9]"
    assert links(shown(double, text, Grounding("answered", SOURCES))) == [("[1]", "cite:1")]


def test_the_sources_that_are_used_stand_below_with_clause_tag_and_page(double: Double) -> None:
    found = rows(shown(double, RIGHT))
    assert [(number, row.words) for number, row in found.items()] == [
        (1, "管理編　第2章 設備 2.3 発電機"),
        (2, "<b>記録</b>"),
    ]
    assert found[1].accessibleName() == "出典 1 管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21"
    assert "<b>" not in found[2].toolTip()
    assert list(rows(shown(double, "発電機は、毎月1回運転します。[1]"))) == [1]


def test_a_source_is_chosen_by_mouse_and_by_keyboard(double: Double) -> None:
    view, chosen = shown(double, RIGHT), heard(double.requests.source_chosen)
    rows(view)[2].click()
    press(rows(view)[2], Qt.Key.Key_Return)
    press(view.text, Qt.Key.Key_2)
    press(view.text, Qt.Key.Key_3)  # there is none
    view.text.anchorClicked.emit("cite:2")
    assert chosen == [(2, 2)] * 4


def test_what_is_not_in_the_documents_has_a_box_with_ways_on(double: Double) -> None:
    view = shown(double, "資料にありません。", Grounding("not_in_documents", SOURCES), tokens=0)
    chosen, pages, found = heard(double.requests.source_chosen), heard(double.navigation.page_requested), buttons(view)
    assert "資料にありません" in words(view)
    assert not view.text.isVisible()
    found["近い箇所を見る（2）"].click()
    found["資料を追加"].click()
    assert (chosen, pages) == ([(2, 1)], [("documents",)])
    assert "要約" not in found
    told = "「規則」に第40条はありません。近いのは、第8条です。"
    view = shown(double, told, Grounding("not_in_documents", SOURCES[:1]), tokens=0)
    assert told in words(view)
    assert not any("答える記載がありません" in text for text in words(view))
    view = shown(double, "その値は資料にありません。", Grounding("not_in_documents", SOURCES))
    assert view.text.isVisible(), "what the model said of it"
    assert "資料にありません" in words(view)


def test_quotations_are_said_to_be_quotations(double: Double) -> None:
    text = "- 「発電機は、毎月1回運転する。」[1]"
    quote = Claim(text[2:], 2, len(text), (1,), is_supported=True)
    view = shown(double, text, Grounding("answered", SOURCES[:1], (quote,), is_excerpt=True), tokens=0)
    assert "抜粋表示" in words(view)
    assert not any("照合しました" in text for text in words(view))
    assert list(rows(view)) == [1]


def test_of_many_quotations_two_are_shown_and_the_others_on_request(double: Double) -> None:
    told = (
        ("発電機は、毎月1回運転する。", 1),
        ("燃料は72時間分を備える。", 1),
        ("燃料タンクの残量は、毎週確認する。", 2),
    )
    lines = [f"- 「{sentence}」[{number}]" for sentence, number in told]
    text = "\n".join(lines)
    starts = [text.index(line) + 2 for line in lines]
    quotes = tuple(
        Claim(line[2:], start, start + len(line) - 2, (number,), is_supported=True)
        for line, start, number in zip(lines, starts, (1, 1, 2), strict=True)
    )
    view = shown(double, text, Grounding("answered", SOURCES, quotes, is_excerpt=True), tokens=0)
    assert (len(links(view)), list(rows(view))) == (2, [1])
    view.show_as(dataclasses.replace(view._options))
    assert list(rows(view)) == [1]
    buttons(view)[phrase("common.n_more", n=1)].click()
    assert [href for _, href in links(view)] == ["cite:1", "cite:1", "cite:2"]
    assert list(rows(view)) == [1, 2]
    assert phrase("common.n_more", n=1) not in buttons(view)
    assert view.height() == view.fit(view.width())


def test_a_search_opens_the_quotation_that_has_the_word(double: Double) -> None:
    lines = [f"- 「第{number}の文。」[1]" for number in range(1, 5)]
    text = "\n".join(lines)
    quotes = tuple(
        Claim(line[2:], text.index(line) + 2, text.index(line) + len(line), (1,), is_supported=True) for line in lines
    )
    view = shown(double, text, Grounding("answered", SOURCES[:1], quotes, is_excerpt=True), tokens=0)
    assert "第4の文" not in view.text.plain_text()
    view.mark(["第4の文"], 0)
    assert "第4の文" in view.text.plain_text()


def test_it_is_copied_with_its_sources(double: Double) -> None:
    shown(double, RIGHT)
    double.press(Qt.Key.Key_C, CONTROL | SHIFT)
    assert clipboard() == (
        "発電機は、毎月1回運転します。[1]\n\n燃料タンクの残量は毎週月曜日に確認します。[2]\n\n"
        "[1] 管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21\n[2] <b>記録</b>.md"
    )


def test_a_source_that_was_recognized_says_so_and_its_uncertain_number_is_to_be_checked(double: Double) -> None:
    scan = dataclasses.replace(SOURCES[0], recognized=(("1", 99), ("72", 61)))
    text = "発電機は、毎月1回運転します。[1]燃料は72時間分を備えます。[1]"
    view = shown(double, text, grounded(text, (scan, SOURCES[1])))
    assert underlined(view)[0].startswith("燃料は72時間分")
    assert "文字認識（OCR）" in rows(view)[1].accessibleName()
    reason = phrase("chat.doubtful_value.recognized_few").format(value="72時間", n=1)
    assert any(reason.partition("」")[2] in one for one in words(view))
    press(view.text, Qt.Key.Key_1)
    assert double.page.panel.recognized.isVisible()
    shown(double, RIGHT)
    press(double.view(2).text, Qt.Key.Key_1)
    assert not double.page.panel.recognized.isVisible()
