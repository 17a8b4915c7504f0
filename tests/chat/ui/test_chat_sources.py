"""Answers from documents as they are shown: marks, what is doubtful, sources, and what is not there."""

import dataclasses
import itertools
from collections.abc import Sequence

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QPushButton

from app.base.settings import Settings
from app.base.wording import phrase
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript import sources_footer
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.sources_footer import SourceRow
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
    return Grounding("answered", tuple(sources), claims.check(text, passages))


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


def test_marks_are_links_also_behind_a_sentence_that_names_no_source(double):
    view = shown(double, RIGHT)
    assert links(view) == [("[1]", "cite:1"), ("[2]", "cite:2")]
    assert view.text.plain_text() == "発電機は、毎月1回運転します。[1]\n燃料タンクの残量は毎週月曜日に確認します。[2]"
    double.page.find_bar.look_for("2", 2)
    assert view.text.mark(["2"]) == len(double.page.find_bar._places) == 1  # as the search counts them


def test_a_source_row_leads_with_clause_and_page_and_its_file_comes_last(double):
    first, second = rows(shown(double, RIGHT)).values()
    assert first.words == "第2章 設備 2.3 発電機　21 ページ　標準　管理編"
    assert second.words == "<b>記録</b>", "without a clause the file itself"
    assert first.shown_clause(10_000) == "第2章 設備 2.3 発電機"
    narrow = first.fontMetrics().horizontalAdvance("第2章 … 2.3 発電機")
    assert first.shown_clause(narrow).endswith("… 2.3 発電機"), "its own number stays"
    assert "…" in first.shown_clause(narrow // 3)


CLAUSE = ("第2章 設備", "2.3 発電機")


def test_two_sources_never_show_one_name(double):
    one = CitedSource("規程", "internal", "管理編.pdf", "/x/管理編.pdf", "発電機は、毎月1回運転する。", CLAUSE)
    for changes, expected in (
        ([{"tag": "標準"}, {"tag": "考え方"}], ("管理編", "管理編")),
        ([{"page": 3}, {"page": 4}], ("管理編", "管理編")),
        ([{"document": "管理編.pdf"}, {"document": "管理編.docx"}], ("管理編.pdf", "管理編.docx")),
        ([{"path": "/a/管理編.pdf"}, {"path": "/b/管理編.pdf"}], ("a/管理編.pdf", "b/管理編.pdf")),
        ([{"collection": "旧"}, {"collection": "新"}], ("旧 › 管理編.pdf", "新 › 管理編.pdf")),
        ([{"text": "発電機は運転する。"}, {"text": "燃料は備える。"}], ("管理編", "管理編")),
        ([{"text": "同じ文。"}, {"text": "同じ文。"}, {"text": "同じ文。"}], ("管理編",) * 3),
    ):
        sources = [dataclasses.replace(one, **change) for change in changes]
        assert [file for _, file in sources_footer.row_names(sources)] == list(expected), changes
        text = "".join(f"発電機は、毎月1回運転する。[{number}]" for number in range(1, len(sources) + 1))
        view = shown(double, text, Grounding("answered", tuple(sources), ()))
        words = [row.words for row in rows(view).values()]
        assert len(words) == len(set(words)) == len(sources), changes


def test_the_words_of_a_source_row_with_the_keyboard_can_be_read(double):
    inset = 4  # inside the ring
    for is_open, row in itertools.product((False, True), rows(shown(double, RIGHT)).values()):
        row.show_open(is_open)
        row.clearFocus()
        unfocused = row.grab().toImage()
        row.setFocus()
        assert row.hasFocus(), (is_open, row.words)
        focused = row.grab().toImage()
        room = row.rect().adjusted(inset, inset, -inset, -inset)
        assert focused != unfocused, (is_open, row.words)
        assert focused.copy(room) == unfocused.copy(room), (is_open, row.words)


@pytest.mark.parametrize("look", ["light", "dark"])
@pytest.mark.parametrize("is_open", [False, True])
def test_a_mark_with_the_keyboard_can_be_read(double, theme, qapp, look, is_open):
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


def test_words_that_are_selected_up_to_a_mark_have_no_ring(double, theme):
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


def test_how_much_was_compared_with_the_sources_is_said(double):
    view = shown(double, RIGHT)
    assert "2 文の語と数値を原文と照合しました。違いは見つかりませんでした。" in words(view)
    assert underlined(view) == []
    view = shown(double, RIGHT, dataclasses.replace(grounded(RIGHT), unchecked=3))
    (line,) = [text for text in words(view) if "照合しました" in text]
    assert "照合できなかった文が 3 文あります。" in line
    view = shown(double, "発電機は、", Grounding("answered", SOURCES), status="stopped")
    assert phrase("chat.not_checked_because_the_answer") in words(view)


def test_what_has_no_support_is_marked_and_named(double):
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


def test_an_answer_from_passages_that_only_come_close_says_so_above_it(double):
    near = phrase("documents.near")
    view = shown(double, RIGHT, dataclasses.replace(grounded(RIGHT), verdict="near"))
    assert near in words(view)
    assert [row.number for row in view.findChildren(SourceRow)] == [1, 2]
    assert near not in words(shown(double, RIGHT))


def test_a_value_that_the_source_has_for_something_else_does_not_agree_with_it(double):
    text = "燃料の残量は72時間ごとに確認します。[1]"
    for missing, named in (
        (("72時間",), "「72時間」"),
        (("1時間", "2時間", "3時間", "72時間"), "「1時間」「2時間」「3時間」など 4 件"),
    ):
        view = shown(double, text, Grounding("answered", SOURCES, (Claim(text, 0, len(text), (1,), False, missing),)))
        assert f"{named}は引用元の記述と合いません。原文で確かめてください。" in words(view)


def test_links_of_others_stay_what_they_are(double):
    text = "発電機は毎月1回運転します。[1] [見る](cite:2) `[1]` [9]"
    assert links(shown(double, text, Grounding("answered", SOURCES))) == [("[1]", "cite:1")]


def test_the_sources_that_are_used_stand_below_with_clause_tag_and_page(double):
    found = rows(shown(double, RIGHT))
    assert [(number, row.words) for number, row in found.items()] == [
        (1, "第2章 設備 2.3 発電機　21 ページ　標準　管理編"),
        (2, "<b>記録</b>"),
    ]
    assert found[1].accessibleName() == "出典 1 管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21"
    assert "<b>" not in found[2].toolTip()
    assert list(rows(shown(double, "発電機は、毎月1回運転します。[1]"))) == [1]


def test_a_source_is_chosen_by_mouse_and_by_keyboard(double):
    view, chosen = shown(double, RIGHT), heard(double.requests.source_chosen)
    rows(view)[2].click()
    press(rows(view)[2], Qt.Key.Key_Return)
    press(view.text, Qt.Key.Key_2)
    press(view.text, Qt.Key.Key_3)  # there is none
    view.text.anchorClicked.emit("cite:2")
    assert chosen == [(2, 2)] * 4


def test_what_is_not_in_the_documents_has_a_box_with_ways_on(double):
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
    view = shown(double, "資料にありません。「資料にありません。」", Grounding("not_in_documents", SOURCES))
    assert not view.text.isVisible(), "the box says the same of what a model said"
    view = shown(double, "その値は資料にありません。", Grounding("not_in_documents", SOURCES))
    assert view.text.isVisible(), "what the model said of it"
    assert "資料にありません" in words(view)


def test_a_failed_summary_does_not_say_that_the_documents_have_no_answer(double):
    failed = message("資料にありません。", Grounding("not_in_documents", SOURCES))
    assert failed.details is not None
    double.open(question(1), dataclasses.replace(failed, details=dataclasses.replace(failed.details, is_action=True)))
    view = double.view(2)
    assert "うまく書き直せませんでした" in words(view)
    assert not any("資料にありません" in text for text in words(view))
    assert "資料を追加" not in buttons(view)


def test_quotations_are_said_to_be_quotations(double):
    text = "- 「発電機は、毎月1回運転する。」[1]"
    quote = Claim(text[2:], 2, len(text), (1,), is_supported=True)
    view = shown(double, text, Grounding("answered", SOURCES[:1], (quote,), is_excerpt=True), tokens=0)
    assert "抜粋表示" in words(view)
    assert not any("照合しました" in text for text in words(view))
    assert list(rows(view)) == [1]


def highlighted(view: AnswerView, theme: Theme) -> list[str]:
    found = [one for one in view.text.extraSelections() if one.format.background().color() == theme.color("cite")]
    return [one.cursor.selectedText() for one in found]


def test_the_first_line_of_quotations_is_bold_with_its_values_marked(double, theme):
    lead, quoted = "😀燃料は72時間以上を備える[1]", "「発電機は、毎月1回運転する。」[1]"
    text = f"**{lead}**\n\n- {quoted}"
    quote = Claim(quoted, text.index(quoted), len(text), (1,), is_supported=True)
    view = shown(double, text, Grounding("answered", SOURCES[:1], (quote,), is_excerpt=True), tokens=0)
    assert all(one.format.fontWeight() >= 600 for one in view.text.document().begin().textFormats())
    assert highlighted(view, theme) == ["72時間以上"]
    assert links(view) == [("[1]", "cite:1"), ("[1]", "cite:1")]
    numbered = shown(
        double,
        "**「４ 法第24条の点検¹⁾は堤防と一体として5年以内に行う[1]**",
        Grounding("answered", SOURCES[:1], (), is_excerpt=True),
        tokens=0,
    )
    assert highlighted(numbered, theme) == ["5年以内"], (
        "the number of a paragraph, a clause, a note and 一体 are no values"
    )
    older = shown(double, f"- {quoted}", Grounding("answered", SOURCES[:1], (), is_excerpt=True), tokens=0)
    assert highlighted(older, theme) == [], "a quotation itself is as it stands in the document"


def marks(view: AnswerView) -> int:
    """Marks of sources that have the ground of a link; `links` does not look into tables."""
    ground = view._theme.color("accent_soft")
    return [one.format.background().color() for one in view.text.extraSelections()].count(ground)


def test_the_rows_of_a_table_are_one_quotation(double):
    head, rule, row = "**次の表のとおりです。**\n\n| 行 | 設備 | 頻度 |", "|---:|---|---|", "| {} | 発電機 | {}回 [1] |"
    text = "\n".join([head, rule, *(row.format(number, number) for number in range(1, 11))])
    text += "\n\n- 「燃料は72時間分を備える。」[1]\n- 「燃料タンク」[2]"
    told = [f"発電機 | {number}回 [1]" for number in range(1, 11)] + [
        "「燃料は72時間分を備える。」[1]",
        "「燃料タンク」[2]",
    ]
    quotes = tuple(
        Claim(one, text.index(one), text.index(one) + len(one), (2 if "[2]" in one else 1,), is_supported=True)
        for one in told
    )
    view = shown(double, text, Grounding("answered", SOURCES, quotes, is_excerpt=True), tokens=0)
    assert marks(view) == 8, "the beginning of a long table"
    buttons(view)[phrase("common.n_more", n=4)].click()
    assert marks(view) == 12
    short = text.replace("\n".join(row.format(number, number) for number in range(4, 11)) + "\n", "")
    few = [one for one in told if one in short]
    quotes = tuple(Claim(one, short.index(one), short.index(one) + len(one), (1,), is_supported=True) for one in few)
    view = shown(double, short, Grounding("answered", SOURCES, quotes, is_excerpt=True), tokens=0)
    assert marks(view) == 4, "three rows and one quotation"
    assert phrase("common.n_more", n=1) in buttons(view)


def test_of_many_quotations_two_are_shown_and_the_others_on_request(double):
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


def test_a_search_opens_the_quotation_that_has_the_word(double):
    lines = [f"- 「第{number}の文。」[1]" for number in range(1, 5)]
    text = "\n".join(lines)
    quotes = tuple(
        Claim(line[2:], text.index(line) + 2, text.index(line) + len(line), (1,), is_supported=True) for line in lines
    )
    view = shown(double, text, Grounding("answered", SOURCES[:1], quotes, is_excerpt=True), tokens=0)
    assert "第4の文" not in view.text.plain_text()
    view.mark(["第4の文"], 0)
    assert "第4の文" in view.text.plain_text()


FOLLOW_UPS = ("鉄筋の継手は？", "<b>鉄筋</b> & 型枠は？", "鉄筋の定着は？")


def suggested(view: AnswerView) -> list[str]:
    return [button.text() for button in view.findChildren(QPushButton) if "続けて聞く" in button.accessibleName()]


def shown_suggestions(view: AnswerView) -> list[str]:
    found = [button for button in view.findChildren(QPushButton) if "続けて聞く" in button.accessibleName()]
    return [button.text() for button in found if button.isVisible()]


def test_questions_are_suggested_below_the_last_answer_only_and_one_click_asks(double):
    kept = dataclasses.replace(grounded(RIGHT), follow_ups=FOLLOW_UPS)
    last = dataclasses.replace(message(RIGHT, kept), id=4, parent_id=3)
    double.open(question(1), message(RIGHT, kept), question(3), last)
    assert [shown_suggestions(double.view(number)) for number in (2, 4)] == [
        [],
        ["鉄筋の継手は？", "<b>鉄筋</b> && 型枠は？", "鉄筋の定着は？"],
    ]
    assert double.view(4).height() == double.view(4).fit(double.view(4).width())
    assert double.view(2).height() < double.view(4).height()
    double.composer.set_text("書きかけ")
    buttons(double.view(4))["続けて聞く：鉄筋の継手は？"].click()
    assert double.calls == [("ask_follow_up", 4, "鉄筋の継手は？")]
    assert double.composer.text() == "書きかけ"
    double.transcript.set_busy(True)
    assert not buttons(double.view(4))["続けて聞く：鉄筋の継手は？"].isEnabled()
    double.transcript.set_busy(False)
    double.session.message_added.emit(question(5))
    assert shown_suggestions(double.view(4)) == []
    double.session.conversation_opened.emit(double.session.conversation, [question(1), message(RIGHT, kept)])
    assert len(shown_suggestions(double.view(2))) == 3, "it is the last one of the other branch"


def test_suggested_questions_stay_on_one_line(double, qtbot):
    long = tuple(
        f"{title}における支川の計画高水位は？" for title in ("本川の背水区間内", "河口部の背水区間内", "現況河道")
    )
    view = shown(double, RIGHT, dataclasses.replace(grounded(RIGHT), follow_ups=long))
    for width in (420, 640, 1100):
        double.page.resize(width, 800)
        qtbot.wait(50)
        found = [button for button in view.findChildren(QPushButton) if button.text() in long and button.isVisible()]
        assert found, "at least one"
        assert len({button.mapTo(view, QPoint()).y() for button in found}) == 1
        assert all(button.mapTo(view, QPoint(button.width(), 0)).x() <= view.width() for button in found)


def test_nothing_is_suggested_where_there_is_no_answer(double):
    for verdict, status in (("not_in_documents", "done"), ("answered", "stopped")):
        kept = dataclasses.replace(grounded(RIGHT), verdict=verdict, follow_ups=FOLLOW_UPS)
        double.open(question(1), message(RIGHT, kept, status=status))
        assert suggested(double.view(2)) == [], verdict


def test_it_is_copied_with_its_sources(double):
    shown(double, RIGHT)
    double.press(Qt.Key.Key_C, CONTROL | SHIFT)
    assert clipboard() == (
        "発電機は、毎月1回運転します。[1]\n\n燃料タンクの残量は毎週月曜日に確認します。[2]\n\n"
        "[1] 管理編.pdf　第2章 設備 2.3 発電機（標準）　p.21\n[2] <b>記録</b>.md"
    )


def test_a_source_that_was_recognized_says_so_and_its_uncertain_number_is_to_be_checked(double):
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
