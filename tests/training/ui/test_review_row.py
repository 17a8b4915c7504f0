"""What the review queue shows of a row: its source, its checks, its place; in every width and for every ear."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QScrollArea
from pytestqt.qtbot import QtBot

from app.base.services import background
from app.base.settings import Settings
from app.training.data.curation import CurationItem, ReviewPace
from app.training.ui.data.review_tab import ReviewTab
from app.uikit.theme import Theme
from app.uikit.widgets.containers import make_scrollable
from tests.training.ui.review_desk import PASSAGE, QUOTE, Desk, file_items, make_work, pair
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped

Open = Callable[..., Desk]


@pytest.fixture
def open_desk(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Open:
    def open_(items: list[CurationItem], width: int = 1168, height: int = 640) -> Desk:
        return Desk(make_work(tmp_path, items), theme, qtbot, width, height)

    return open_


# ---------------------------------------------------------------------------------------------------------- source


def test_the_passage_stands_beside_a_pair_with_its_quote_marked(open_desk: Open) -> None:
    desk = open_desk([pair(1), pair(2), pair(3)])
    source, quote = desk.tab.source, desk.tab.editor.quote
    passage = source.passage
    assert passage.text.sheet.text.plain_text() == PASSAGE
    start = PASSAGE.index(QUOTE)
    assert passage.text.sheet.marks == [(start, start + len(QUOTE))]
    assert (quote.badge.words.text(), quote.words.text()) == ("原文と一致", QUOTE)
    assert passage.facts.text() == "p.3　同じ箇所から作った問いが、ほかに 2 件あります。"
    asked: list[tuple[str, int]] = []
    passage.page_requested.connect(lambda document, page: asked.append((document, page)))
    passage.page_button.click()
    assert asked == [("利用規則.pdf", 3)]


def test_a_quote_that_the_passage_does_not_have_is_told_by_word_and_sign(open_desk: Open) -> None:
    desk = open_desk([pair(1, quote="鍵は守衛室で受け取り、21時までに返す。", page=0)])
    quote = desk.tab.editor.quote
    assert (quote.badge.words.text(), quote.badge.property("surface")) == ("原文と一致しません", "warning")
    assert desk.tab.source.passage.text.sheet.marks == []
    assert not desk.tab.source.passage.page_button.isVisible()  # nobody knows which page


def test_a_question_that_the_documents_do_not_answer_has_no_quote(open_desk: Open) -> None:
    desk = open_desk([pair(1, "資料にありません。", quote="")])
    assert desk.tab.editor.quote.badge.words.text() == "引用なし"
    assert "資料にない質問" in desk.spoken(1)
    assert not desk.tab.editor.checks.quality.isVisible()  # nobody was asked


def test_rows_of_a_file_have_more_room_and_those_like_another_have_it_beside_them(open_desk: Open) -> None:
    desk = open_desk(file_items())
    width = desk.tab.editor.width()
    assert not desk.tab.source.isVisible()
    desk.tab.show_item(3)
    like = desk.tab.source.like
    assert (like.isVisible(), like.question.text(), like.answer.text()) == (True, "鍵はどこですか。", "守衛室です。")
    QApplication.processEvents()
    assert desk.tab.editor.width() < width
    like.button.click()
    assert (desk.number, desk.view.hasFocus()) == (1, True)


def test_the_row_that_one_is_like_is_shown_as_it_was_changed_and_is_a_link_away(open_desk: Open, qtbot: QtBot) -> None:
    desk = open_desk(file_items())
    desk.tab.show_item(1)
    desk.press("e")
    desk.type_answer("守衛室にあります。")
    desk.submit()
    desk.tab.show_item(3)
    assert desk.tab.source.like.answer.text() == "守衛室にあります。"
    qtbot.mouseClick(desk.tab.list.filters["left_out"], Qt.MouseButton.LeftButton)
    link = desk.tab.editor.checks.like_button
    assert (desk.number, link.text()) == (3, "2 行目を見る")
    qtbot.mouseClick(link, Qt.MouseButton.LeftButton)
    assert (desk.number, desk.tab.items.filter) == (1, "all")  # the filter had not let it through
    assert desk.tab.list.filters["all"].isChecked()


# ---------------------------------------------------------------------------------------------------------- checks


def test_what_is_right_is_one_quiet_line(open_desk: Open) -> None:
    checks = open_desk([pair(1)]).tab.editor.checks
    assert (checks.doubts, checks.sound) == ([], ["文末が完結", "数値 1 件は引用と一致", "個人情報なし", "重複なし"])
    assert checks.quality.text() == "3／3（モデルによる採点）"


def test_what_may_be_wrong_is_said_line_by_line(open_desk: Open) -> None:
    desk = open_desk([pair(1, "21時までに、03-1234-5678 へ電話し、")])
    assert desk.tab.editor.checks.doubts == [
        "回答が文の途中で終わっている",
        "「21時」は引用にありません",
        "個人情報らしい記載：電話番号",
    ]
    assert desk.tab.editor.checks.sound == ["重複なし"]


def test_checks_follow_what_is_typed(open_desk: Open, qtbot: QtBot) -> None:
    desk = open_desk([pair(1)])
    desk.press("e")
    desk.type_answer("22時までに返します。")
    qtbot.waitUntil(lambda: desk.tab.editor.checks.doubts == ["「22時」は引用にありません"])
    QTest.keyClick(desk.tab.editor.answer, Qt.Key.Key_Escape)
    qtbot.waitUntil(lambda: desk.tab.editor.checks.doubts == [])


def test_a_very_long_answer_is_looked_at_meanwhile(open_desk: Open, qtbot: QtBot) -> None:
    desk = open_desk([pair(1), pair(2, "20時までに返します。" * 800 + "21時です。")])
    checks = desk.tab.editor.checks
    desk.tab.show_item(2)
    assert checks.sound == ["調べています…"]
    qtbot.waitUntil(lambda: checks.doubts == ["同じ言葉を繰り返している", "「21時」は引用にありません"])
    for number in (1, 2, 1):
        desk.tab.show_item(number)
    background.shut_down()
    QApplication.processEvents()
    assert checks.doubts == []  # what was found of the other row comes too late


def test_a_row_of_a_file_that_was_left_out_says_why(open_desk: Open) -> None:
    desk = open_desk(file_items())
    assert desk.tab.editor.checks.doubts == ["回答が文の途中で終わっている"]
    desk.tab.show_item(3)
    assert desk.tab.editor.checks.doubts == ["質問も回答も同じ行がある"]


def test_what_was_said_before_the_last_question_is_shown(open_desk: Open) -> None:
    desk = open_desk(file_items())
    assert not desk.tab.editor.earlier.isVisible()
    desk.tab.show_item(5)
    assert desk.tab.editor.earlier.isVisible()
    assert desk.tab.editor.texts == ("照明はどうしますか。", "退出するときに消します。")
    desk.press("e")
    desk.type_answer("消します。")
    desk.submit()
    assert [message.text for message in desk.curation.rows()[-1].messages] == [
        "敬体で答える。", "こんにちは", "はい。", "照明はどうしますか。", "消します。",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------- progress, names


def test_the_time_left_is_that_of_the_persons_own_pace(open_desk: Open) -> None:
    desk = open_desk([pair(number) for number in range(1, 201)])
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 6
        return now

    desk.tab._pace = ReviewPace(clock)
    desk.press("aaaa")
    assert not desk.tab.list.time.isVisible()
    desk.press("a")
    assert (desk.tab.list.time.text(), desk.tab.list.bar.value()) == ("あと約 20 分", 5)


def test_screen_readers_are_told_the_state_of_each_row(open_desk: Open) -> None:
    desk = open_desk([pair(1), pair(2), pair(3), *(dataclasses.replace(item, number=4) for item in file_items()[1:2])])
    desk.press("are")
    desk.type_answer("20時です。")
    desk.submit()
    states = [desk.spoken(number).split("　")[0] for number in (1, 2, 3, 4)]
    assert states == ["採用", "却下", "修正", "除外"]
    assert "鍵は何時までに返しますか。（1）　利用規則.pdf" in desk.spoken(1)
    nodes = accessible.walk(desk.tab)
    assert [str(node) for node in nodes if node.is_interactive and not node.name] == []
    assert {"採用（A）", "修正して採用（E）", "却下（R）", "元に戻す（Ctrl+Z）"} <= {node.name for node in nodes}


# ---------------------------------------------------------------------------------------------------------- widths


@pytest.mark.parametrize(
    ("width", "is_source_beside", "is_stacked"), [(1168, True, False), (860, False, False), (560, False, True)]
)
def test_the_source_goes_below_the_row_and_the_list_above_it_where_there_is_less_room(
    open_desk: Open, width: int, is_source_beside: bool, is_stacked: bool
) -> None:
    desk = open_desk([pair(1), pair(2)], width)
    tab = desk.tab
    QApplication.processEvents()
    row, source = (part.mapTo(tab, part.rect().topLeft()) for part in (tab.row, tab.source))
    assert (source.x() > row.x() + 100, source.y() > row.y() + 100) == (is_source_beside, not is_source_beside)
    assert (tab.list.width() == width) == is_stacked
    assert tab.list.view.height() >= 100
    tab.resize(1168, 640)
    QApplication.processEvents()
    assert tab.source.isVisible()
    assert tab.source.mapTo(tab, tab.source.rect().topLeft()).x() > 700


@pytest.mark.parametrize("width", [1168, 752, 560])
@pytest.mark.parametrize("percent", [100, 200])
def test_nothing_is_clipped(
    tmp_path: Path, theme: Theme, qapp: QApplication, qtbot: QtBot, width: int, percent: int
) -> None:
    theme.apply(qapp, Settings(theme="light", text_scale_percent=percent))
    items = [
        pair(1, "21時までに、03-1234-5678 へ電話し、"),
        *(dataclasses.replace(i, number=i.number + 1) for i in file_items()),
    ]
    tab = ReviewTab(theme, make_work(tmp_path, items))
    area: QScrollArea = make_scrollable(tab)  # as in the page
    qtbot.addWidget(area)
    area.resize(width, 520)
    area.show()
    for number in (1, 4, 6):
        tab.show_item(number)
        tab.editor.focus_answer()
        for _ in range(6):
            QApplication.processEvents()
        assert clipped(area) == []


def test_the_line_that_is_written_in_stays_in_sight(open_desk: Open) -> None:
    desk = open_desk([pair(1), pair(2)], 560, 460)
    desk.press("e")
    desk.tab.editor.answer.insertPlainText("\n一行\n二行\n三行\n四行\n五行")
    for _ in range(6):
        QApplication.processEvents()
    desk.tab.editor.answer.insertPlainText("。")
    answer = desk.tab.editor.answer
    bottom = answer.viewport().mapTo(desk.tab, answer.cursorRect().bottomLeft()).y()
    assert bottom < desk.tab.foot.y()
