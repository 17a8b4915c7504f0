"""The review queue by its keys: decided, undone, changed, and on the disk before the next one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.training.data import curation
from app.training.data.curation import Curation, CurationItem, Decision
from app.training.ui.data.review_list import ReviewListModel
from app.uikit.input_method import InputMethodGuard
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from tests.training.ui.review_desk import CONTROL, Desk, file_items, make_work, pair, row
from tests.uikit.ui.conversion import convert, is_typed_into

Open = Callable[[list[CurationItem]], Desk]


@pytest.fixture
def open_desk(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Open:
    return lambda items: Desk(make_work(tmp_path, items), theme, qtbot)


@pytest.fixture
def desk(open_desk: Open) -> Desk:
    return open_desk([pair(number) for number in range(1, 7)])


def written(desk: Desk) -> list[dict[str, object]]:
    lines = (desk.curation.folder / curation.DECISIONS).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


# -------------------------------------------------------------------------------------------------------- deciding


def test_each_key_decides_and_the_next_one_comes(desk: Desk) -> None:
    desk.press("a")
    assert (desk.state(1), desk.number, [one["kind"] for one in written(desk)]) == ("accepted", 2, ["accepted"])
    desk.press("r")
    assert (desk.state(2), desk.number, [one["kind"] for one in written(desk)]) == (
        "rejected",
        3,
        ["accepted", "rejected"],
    )
    assert desk.tab.list.amount.text() == "2／6 件"
    assert desk.tab.foot.note.text() == "見直しがあと 4 件あります"
    data = desk.work.draft.data
    assert data is not None
    assert (data.used, data.undecided) == (1, 4)


def test_the_buttons_do_as_the_keys_and_the_keyboard_stays_in_the_list(desk: Desk, qtbot: QtBot) -> None:
    foot = desk.tab.foot
    assert not [one for one in desk.tab.findChildren(Button) if one.property("kind") == "primary"]  # the page has it
    for button in (foot.accept_button, foot.reject_button):
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        assert desk.view.hasFocus()
    assert [desk.state(number) for number in (1, 2)] == ["accepted", "rejected"]
    qtbot.mouseClick(foot.undo_button, Qt.MouseButton.LeftButton)
    assert (desk.state(2), desk.number, desk.view.hasFocus()) == ("undecided", 2, True)
    qtbot.mouseClick(foot.edit_button, Qt.MouseButton.LeftButton)
    desk.type_answer("20時です。")
    qtbot.mouseClick(foot.edit_button, Qt.MouseButton.LeftButton)
    assert (desk.state(2), desk.number) == ("edited", 3)


def test_what_was_decided_is_passed_over_and_the_beginning_follows_the_end(desk: Desk) -> None:
    desk.tab.show_item(4)
    desk.press("a")
    desk.tab.show_item(3)
    desk.press("a")
    assert desk.number == 5
    desk.press("aa")
    assert desk.number == 1
    desk.press("aa")
    assert (desk.number, desk.tab.items.left) == (2, 0)
    assert desk.tab.foot.note.text() == "見直しは終わりました"


def test_a_key_that_is_held_down_or_pressed_with_another_decides_nothing_more(desk: Desk) -> None:
    for is_repeated in (False, True, True):
        event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a", is_repeated)
        QApplication.sendEvent(desk.view, event)
    assert desk.number == 2
    QTest.keyClick(desk.view, Qt.Key.Key_R, CONTROL)
    QTest.keyClicks(desk.view, "xq1")  # no search by first letters either
    assert (desk.number, len(written(desk))) == (2, 1)


def test_the_keys_work_with_japanese_input_switched_on(desk: Desk, qapp: QApplication) -> None:
    guard = InputMethodGuard(qapp)
    desk.tab.editor.answer.setFocus()
    desk.view.setFocus()
    assert not is_typed_into(desk.view)
    assert not desk.tab.items.flags(desk.tab.items.index(0)) & Qt.ItemFlag.ItemIsEditable
    desk.press("a")
    assert desk.state(1) == "accepted"
    guard.deleteLater()


# ------------------------------------------------------------------------------------------------------------ undo


def test_several_decisions_are_undone_one_after_the_other_each_where_it_was(desk: Desk) -> None:
    desk.press("ara")
    assert desk.number == 4
    for number, states in ((3, "ar"), (2, "a"), (1, "")):
        desk.press_undo()
        assert (desk.number, desk.tab.list.amount.text()) == (number, f"{number - 1}／6 件")
        found = [desk.state(one)[0] for one in (1, 2, 3)]
        assert "".join(found) == states.ljust(3, "u")
    assert not desk.tab.foot.undo_button.isVisible()
    desk.press_undo()
    assert desk.number == 1


def test_undo_in_the_queue_comes_before_that_of_the_window(desk: Desk) -> None:
    elsewhere: list[str] = []
    QShortcut(QKeySequence("Ctrl+Z"), desk.tab, lambda: elsewhere.append("window"))
    desk.press("a")
    desk.press_undo()
    desk.press("a")
    QTest.keyClick(desk.tab.editor.answer, Qt.Key.Key_Z, CONTROL)  # nothing was typed there
    assert (desk.state(1), elsewhere) == ("undecided", [])


def test_undo_in_a_field_takes_back_what_was_typed(desk: Desk) -> None:
    desk.press("a")
    desk.press("e")
    desk.type_answer("20時です。")
    QTest.keyClick(desk.tab.editor.answer, Qt.Key.Key_Z, CONTROL)
    assert desk.tab.editor.texts[1] == "20時までに返します。"
    assert desk.state(1) == "accepted"


def test_after_a_restart_everything_stands_and_can_still_be_undone(desk: Desk, theme: Theme, qtbot: QtBot) -> None:
    desk.press("are")
    desk.type_answer("20時です。")
    desk.submit()
    desk.work.curation = Curation(desk.curation.folder)
    again = Desk(desk.work, theme, qtbot)
    assert [again.state(number) for number in (1, 2, 3, 4)] == ["accepted", "rejected", "edited", "undecided"]
    assert (again.number, again.tab.list.amount.text()) == (4, "3／6 件")
    again.press_undo()
    assert (again.number, again.state(3)) == (3, "undecided")


# ----------------------------------------------------------------------------------------------------------- edits


def test_an_edit_is_made_in_the_answer_and_kept_with_ctrl_enter(desk: Desk) -> None:
    desk.press("e")
    assert desk.tab.editor.answer.hasFocus()
    desk.type_answer("20時です。")
    desk.submit()
    assert (desk.state(1), desk.number, desk.view.hasFocus()) == ("edited", 2, True)
    assert written(desk)[-1] == {
        "number": 1, "kind": "edited", "question": "鍵は何時までに返しますか。（1）", "answer": "20時です。",
    }  # fmt: skip
    assert desk.curation.rows()[0].answer == "20時です。"


def test_the_question_can_be_changed_too(desk: Desk) -> None:
    question = desk.tab.editor.question
    question.setFocus()
    question.setPlainText("返却は何時までですか。")
    QTest.keyClick(question, Qt.Key.Key_Return, CONTROL)
    assert (desk.state(1), desk.curation.rows()[0].question) == ("edited", "返却は何時までですか。")


def test_an_edit_that_changes_nothing_is_an_acceptance(desk: Desk) -> None:
    desk.press("e")
    desk.type_answer(" 20時までに返します。\n")
    desk.submit()
    assert desk.state(1) == "accepted"


def test_esc_gives_the_edit_up_and_asks_nothing(desk: Desk) -> None:
    desk.press("e")
    desk.type_answer("20時です。")
    assert desk.tab.editor.is_edited
    QTest.keyClick(desk.tab.editor.answer, Qt.Key.Key_Escape)
    assert (desk.tab.editor.texts[1], desk.view.hasFocus()) == ("20時までに返します。", True)
    assert (desk.tab.editor.is_edited, desk.number, "修正中" in desk.spoken(1)) == (False, 1, False)


def test_an_edit_stays_with_its_row_until_that_is_decided(desk: Desk) -> None:
    desk.press("e")
    desk.type_answer("20時です。")
    desk.tab.show_item(3)
    assert desk.tab.editor.texts[1] == "20時までに返します。"
    assert "修正中" in desk.spoken(1)
    desk.view.setFocus()
    desk.press("a")
    desk.tab.show_item(1)
    assert desk.tab.editor.texts[1] == "20時です。"
    desk.press("a")  # as it is shown
    assert (desk.state(1), desk.curation.rows()[0].answer) == ("edited", "20時です。")
    assert "修正中" not in desk.spoken(1)


@pytest.mark.parametrize("key", ["a", "r"])
def test_what_was_typed_comes_back_when_its_decision_is_undone(desk: Desk, key: str) -> None:
    desk.press("e")
    desk.type_answer("20時です。")
    desk.view.setFocus()
    desk.press(key)
    desk.press("a")
    desk.press_undo()
    desk.press_undo()
    assert (desk.number, desk.state(1), desk.tab.editor.texts[1]) == (1, "undecided", "20時です。")


def test_an_edit_without_an_answer_is_refused_and_stays(desk: Desk) -> None:
    desk.press("e")
    desk.type_answer(" ")
    desk.submit()
    assert (desk.state(1), desk.number, desk.tab.editor.texts[1]) == ("undecided", 1, " ")
    assert desk.tab.banner.isVisible()
    assert "質問と回答の両方を書いてください" in desk.tab.banner.accessibleName()
    desk.type_answer("20時です。")
    desk.submit()
    assert (desk.state(1), desk.tab.banner.isVisible()) == ("edited", False)


def test_a_decision_that_cannot_be_written_is_told_and_the_row_stays(desk: Desk) -> None:
    (desk.curation.folder / curation.DECISIONS).mkdir()
    desk.press("a")
    assert (desk.state(1), desk.number, desk.tab.banner.isVisible()) == ("undecided", 1, True)
    (desk.curation.folder / curation.DECISIONS).rmdir()
    desk.view.setFocus()
    desk.press("a")
    assert (desk.state(1), desk.number, desk.tab.banner.isVisible()) == ("accepted", 2, False)


# ------------------------------------------------------------------------------------------------------ conversion


def test_keys_of_a_conversion_belong_to_it_and_its_end_does_not_decide(desk: Desk) -> None:
    answer = desk.tab.editor.answer
    desk.press("e")
    convert(answer, "にじゅう")
    for key, modifier in (
        (Qt.Key.Key_Escape, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Return, CONTROL),
        (Qt.Key.Key_Return, Qt.KeyboardModifier.NoModifier),
    ):
        QTest.keyClick(answer, key, modifier)
    assert (desk.number, desk.state(1), answer.hasFocus()) == (1, "undecided", True)
    convert(answer, "", "二十")
    assert desk.tab.editor.texts[1] == "20時までに返します。二十"


def test_what_is_being_converted_is_taken_by_a_click_on_the_button(desk: Desk, qtbot: QtBot) -> None:
    desk.press("e")
    convert(desk.tab.editor.answer, "厳守")
    qtbot.mouseClick(desk.tab.foot.accept_button, Qt.MouseButton.LeftButton)
    assert desk.state(1) == "edited"
    assert desk.curation.rows()[0].answer == "20時までに返します。厳守"
    assert desk.tab.editor.texts[1] == "20時までに返します。"


def test_another_row_does_not_write_into_a_conversion(desk: Desk) -> None:
    desk.press("e")
    convert(desk.tab.editor.answer, "厳守")
    desk.tab.show_item(2)
    assert desk.number == 2
    desk.tab.show_item(1)
    assert desk.tab.editor.texts[1] == "20時までに返します。厳守"


# --------------------------------------------------------------------------------------------------- rows of a file


def test_of_a_file_the_rows_that_were_left_out_are_gone_through(open_desk: Open) -> None:
    desk = open_desk(file_items())
    assert (desk.number, desk.tab.list.amount.text()) == (2, "0／2 件")
    desk.press("e")
    desk.type_answer("時刻を書きます。")
    desk.submit()
    assert desk.number == 3
    desk.press("r")
    assert (desk.number, desk.tab.items.left) == (3, 0)
    assert [desk.state(number) for number in (1, 2, 3, 4)] == ["used", "edited", "rejected", "used"]


def test_rows_that_are_used_as_they_are_can_be_gone_through_too(open_desk: Open) -> None:
    desk = open_desk(file_items())
    desk.tab.show_item(1)
    desk.press("ra")
    assert ([desk.state(number) for number in (1, 4)], desk.number) == (["rejected", "accepted"], 5)


# --------------------------------------------------------------------------------------------------------- filters


def choose(desk: Desk, key: str, qtbot: QtBot) -> None:
    button = desk.tab.list.filters[key]
    assert button.isVisible()
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert button.isChecked()
    desk.view.setFocus()


def test_filters_share_the_rows_among_them(open_desk: Open, qtbot: QtBot) -> None:
    desk = open_desk(file_items())
    desk.press("r")
    for key, numbers in (("undecided", [1, 4, 5]), ("left_out", [3]), ("decided", [2]), ("all", [1, 2, 3, 4, 5])):
        choose(desk, key, qtbot)
        assert (key, desk.shown()) == (key, numbers)
        assert desk.number in numbers


def test_what_is_decided_leaves_the_filter_and_comes_back_when_it_is_undone(desk: Desk, qtbot: QtBot) -> None:
    choose(desk, "undecided", qtbot)
    desk.press("aar")
    assert (desk.shown(), desk.number) == ([4, 5, 6], 4)
    assert desk.tab.list.filters["undecided"].text() == "未確認 3"
    desk.press_undo()
    assert (desk.shown(), desk.number) == ([3, 4, 5, 6], 3)
    choose(desk, "decided", qtbot)
    assert (desk.shown(), desk.number) == ([1, 2], 1)
    desk.press_undo()
    assert (desk.number, desk.tab.items.filter) == (2, "all")  # it has no place in that filter any more


def test_a_filter_that_lets_nothing_through_says_so_and_nothing_can_be_decided(desk: Desk, qtbot: QtBot) -> None:
    choose(desk, "decided", qtbot)
    assert desk.tab.nothing.isVisible()
    assert desk.tab.nothing.text() == "判断したものはまだありません。"
    foot = desk.tab.foot
    assert not any(button.isEnabled() for button in (foot.accept_button, foot.edit_button, foot.reject_button))
    assert foot.note.text() == "選ばれている行がありません"
    desk.press("aer")
    assert desk.curation.revision == 0


def test_the_last_one_of_a_filter_leaves_it_empty(open_desk: Open, qtbot: QtBot) -> None:
    desk = open_desk([pair(1)])
    choose(desk, "undecided", qtbot)
    desk.press("a")
    assert (desk.shown(), desk.tab.nothing.text()) == ([], "未確認のものはありません。")
    desk.press_undo()
    assert (desk.shown(), desk.number) == ([1], 1)


# -------------------------------------------------------------------------------------------------- many, and others


def test_of_twenty_thousand_items_only_those_in_sight_are_asked_for(
    open_desk: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[int] = set()
    original = ReviewListModel.data

    def data(self: ReviewListModel, index: object, role: int = 0) -> object:
        asked.add(index.row())
        return original(self, index, role)

    monkeypatch.setattr(ReviewListModel, "data", data)
    desk = open_desk([CurationItem(number, row(number, "鍵は？", "守衛室です。")) for number in range(1, 20_001)])
    desk.tab.grab()
    desk.press("a")
    desk.tab.grab()
    assert desk.tab.items.rowCount() == 20_000
    assert len(asked) < 100
    QTest.keyClick(desk.view, Qt.Key.Key_End)
    assert desk.number == 20_000


def test_decisions_that_are_made_elsewhere_are_shown(desk: Desk) -> None:
    desk.work.decide(Decision(1, "rejected"))
    assert (desk.spoken(1).split("　")[0], desk.tab.list.amount.text()) == ("却下", "1／6 件")


def test_other_rows_take_the_place_of_these_and_of_their_edits(desk: Desk, tmp_path: Path) -> None:
    desk.press("e")
    desk.type_answer("20時です。")
    desk.work.curation = make_work(tmp_path / "別", file_items()).curation
    desk.tab.show_items()
    assert (desk.shown(), desk.number) == ([1, 2, 3, 4, 5], 2)
    desk.tab.show_item(1)
    assert desk.tab.editor.texts == ("鍵はどこですか。", "守衛室です。")
    desk.work.curation = None
    desk.tab.show_items()
    assert (desk.shown(), desk.tab.nothing.text()) == ([], "見直すデータはまだありません。")
