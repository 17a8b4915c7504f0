"""What the review queue shows of a row: its source, its checks, its place; in every width and for every ear."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.services import background
from app.base.wording import phrase
from app.training.data.curation import CurationItem
from app.training.ui.data.review_list import FactsRole
from app.uikit.theme import Theme
from tests.training.ui.driver import PASSAGE, QUOTE, ReviewDriver, file_items, make_work, pair, row
from tests.uikit.ui import accessible
from tests.uikit.ui.clipping import clipped
from tests.window_fixtures import settle

Open = Callable[..., ReviewDriver]


@pytest.fixture
def open_driver(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Open:
    def open_(items: list[CurationItem], width: int = 1168, height: int = 640) -> ReviewDriver:
        return ReviewDriver(make_work(tmp_path, items), theme, qtbot, width, height)

    return open_


# ---------------------------------------------------------------------------------------------------------- source


def test_the_passage_stands_beside_a_pair_with_its_quote_marked(open_driver: Open) -> None:
    driver = open_driver([pair(1), pair(2), pair(3)])
    passage, quote = driver.tab.source.passage, driver.editor.quote
    assert passage.text.sheet.text.plain_text() == PASSAGE
    start = PASSAGE.index(QUOTE)
    assert passage.text.sheet.marks == [(start, start + len(QUOTE))]
    assert (quote.badge.words.text(), quote.words.text()) == (phrase("training.matches_the_source"), QUOTE)
    assert passage.facts.text() == "p.3　同じ箇所から作った質問が、ほかに 2 件あります。"
    asked: list[str] = []
    driver.navigation.page_requested.connect(asked.append)
    driver.click(passage.page_button)
    assert asked == ["documents"]


def test_a_quote_that_the_passage_does_not_have_is_told_by_word_and_sign(open_driver: Open) -> None:
    driver = open_driver([
        pair(1, quote="鍵は守衛室で受け取り、21時までに返す。", page=0),
        pair(2, "資料にありません。", quote=""),
    ])  # fmt: skip
    badge, passage = driver.editor.quote.badge, driver.tab.source.passage
    assert badge.words.text() == phrase("training.does_not_match_the_source")
    assert badge.property("surface") == "warning"
    assert passage.text.sheet.marks == []
    assert not passage.page_button.isVisible()  # nobody knows which page
    driver.tab.show_item(2)
    assert badge.words.text() == phrase("training.no_quote")
    assert phrase("training.question_category.unanswerable") in driver.spoken(2)
    assert not driver.editor.checks.quality.isVisible()  # nobody was asked


def test_a_row_that_contradicts_an_earlier_one_says_so_in_the_list_until_it_is_decided_on(open_driver: Open) -> None:
    asked = "鍵はどこですか。"
    again = CurationItem(2, row(3, asked, "総務です。"), ("repeated_question",), like=1)
    driver = open_driver([CurationItem(1, row(2, asked, "守衛室です。")), again])
    said = phrase("training.data_found.repeated_question")
    assert [said in driver.spoken(number) for number in (1, 2)] == [False, True]
    index = driver.tab.items.index_of(2)
    assert index.data(FactsRole)[0] == (said, "warning", 400)  # the last ones are cut off in a narrow window
    driver.tab.show_item(2)
    driver.view.setFocus()
    driver.decide("a")
    assert said not in driver.spoken(2)


def test_a_row_like_another_has_that_beside_it_as_it_was_changed_and_a_link_away(open_driver: Open) -> None:
    driver = open_driver(file_items())
    source, width = driver.tab.source, driver.editor.width()
    assert not source.isVisible()
    driver.tab.show_item(1)
    driver.edit("守衛室にあります。")
    driver.tab.show_item(3)
    like = source.similar_row
    assert (like.question.text(), like.answer.text()) == ("鍵はどこですか。", "守衛室にあります。")
    settle()
    assert driver.editor.width() < width
    driver.click(like.button)
    assert (driver.number, driver.view.hasFocus()) == (1, True)
    driver.filter("left_out")
    driver.tab.show_item(3)
    link = driver.editor.checks.like_button
    assert link.text() == "2 行目を見る"
    driver.click(link)
    assert (driver.number, driver.tab.items.filter) == (1, "all")  # the filter had not let it through
    assert driver.tab.list.filters["all"].isChecked()


# ---------------------------------------------------------------------------------------------------------- checks


def test_what_is_right_is_one_quiet_line_and_what_may_be_wrong_is_said_line_by_line(open_driver: Open) -> None:
    driver = open_driver([pair(1), pair(2, "21時までに、03-1234-5678 へ電話し、")])
    checks = driver.editor.checks
    right = ["文末が完結", "数値 1 件は引用と一致", "個人情報なし", "重複なし"]
    assert (checks.doubts.texts, checks.sound) == ([], right)
    assert checks.quality.text() == "3／3（モデルによる採点）"
    driver.tab.show_item(2)
    assert checks.doubts.texts == [
        "回答が文の途中で終わっている",
        "「21時」は引用にありません",
        "個人情報の可能性：電話番号　03-1234-5678",
    ]
    assert checks.sound == ["重複なし"]


def test_checks_follow_what_is_typed(open_driver: Open) -> None:
    driver = open_driver([pair(1)])
    driver.edit("22時までに返します。", keeps=False)
    driver.until(lambda: driver.editor.checks.doubts.texts == ["「22時」は引用にありません"])
    driver.press(driver.editor.answer, Qt.Key.Key_Escape)
    driver.until(lambda: driver.editor.checks.doubts.texts == [])


def test_a_very_long_answer_is_looked_at_meanwhile(open_driver: Open) -> None:
    driver = open_driver([pair(1), pair(2, "20時までに返します。" * 800 + "21時です。")])
    checks = driver.editor.checks
    driver.tab.show_item(2)
    assert checks.sound == [phrase("training.looking")]
    driver.until(lambda: checks.doubts.texts == ["同じ言葉を繰り返している", "「21時」は引用にありません"])
    for number in (1, 2, 1):
        driver.tab.show_item(number)
    background.shut_down()
    QApplication.processEvents()
    assert checks.doubts.texts == []  # what was found of the other row comes too late


def test_a_row_of_a_file_says_why_it_was_left_out_and_what_was_said_before_it(open_driver: Open) -> None:
    driver = open_driver(file_items())
    checks, earlier = driver.editor.checks, driver.editor.earlier
    assert checks.doubts.texts == ["回答が文の途中で終わっている"]
    driver.tab.show_item(3)
    assert checks.doubts.texts == ["質問も回答も同じ行がある"]
    assert not earlier.isVisible()
    driver.tab.show_item(5)
    assert earlier.isVisible()
    assert driver.editor.texts == ("照明はどうしますか。", "退出するときに消します。", "")
    driver.edit("消します。")
    assert [message.text for message in driver.curation.rows()[-1].messages] == [
        "敬体で答える。", "こんにちは", "はい。", "照明はどうしますか。", "消します。",
    ]  # fmt: skip


# -------------------------------------------------------------------------------------------------- progress, names


def test_screen_readers_are_told_the_state_of_each_row(open_driver: Open) -> None:
    items = [pair(1), pair(2), pair(3), *(dataclasses.replace(item, number=4) for item in file_items()[1:2])]
    driver = open_driver(items)
    driver.decide("ar")
    driver.edit("20時です。")
    assert [driver.spoken(number).split("　")[0] for number in (1, 2, 3, 4)] == ["採用", "却下", "修正", "除外"]
    assert "鍵は何時までに返しますか。（1）　利用規則.pdf" in driver.spoken(1)
    nodes = accessible.walk(driver.tab)
    assert [str(node) for node in nodes if node.is_interactive and not node.name] == []
    assert {"採用（A）", "修正して採用（E）", "却下（R）", "元に戻す（Ctrl+Z）"} <= {node.name for node in nodes}


# ---------------------------------------------------------------------------------------------------------- widths


@pytest.mark.parametrize(
    ("width", "is_source_beside", "is_stacked"), [(1168, True, False), (860, False, False), (560, False, True)]
)
def test_the_source_goes_below_the_row_and_the_list_above_it_where_there_is_less_room(
    open_driver: Open, width: int, is_source_beside: bool, is_stacked: bool
) -> None:
    driver = open_driver([pair(1), pair(2)], width)
    tab = driver.tab
    settle()
    row, source = (part.mapTo(tab, part.rect().topLeft()) for part in (tab.row, tab.source))
    assert (source.x() > row.x() + 100, source.y() > row.y() + 100) == (is_source_beside, not is_source_beside)
    assert (tab.list.width() == width) == is_stacked
    assert tab.list.view.height() >= 100
    driver.area.resize(1168, 640)
    settle()
    assert tab.source.isVisible()
    assert tab.source.mapTo(tab, tab.source.rect().topLeft()).x() > 700


@pytest.mark.parametrize(("width", "percent"), [(1168, 200), (752, 100), (560, 200)])
def test_nothing_is_clipped(open_driver: Open, width: int, percent: int) -> None:
    more = [dataclasses.replace(item, number=item.number + 1) for item in file_items()]
    driver = open_driver([pair(1, "21時までに、03-1234-5678 へ電話し、"), *more], width, 520)
    driver.enlarge(percent)
    for number in (1, 4, 6):
        driver.tab.show_item(number)
        driver.editor.answer.to_end()
        settle()
        assert clipped(driver.area) == []


def test_the_line_that_is_written_in_stays_in_sight(open_driver: Open) -> None:
    driver = open_driver([pair(1), pair(2)], 560, 460)
    answer = driver.editor.answer
    driver.decide("e")
    for text in ("\n一行\n二行\n三行\n四行\n五行", "。"):
        answer.insertPlainText(text)
        settle()
    bottom = answer.viewport().mapTo(driver.tab, answer.cursorRect().bottomLeft()).y()
    assert bottom < driver.foot.y()
