"""The review queue by its keys: decided, undone, changed, and on the disk before the next one."""

import json
from collections.abc import Callable
from pathlib import Path
from unittest.mock import Mock

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.wording import phrase
from app.training.data import curation
from app.training.data.curation import CurationItem, Decision
from app.training.ui.data.review_list import ReviewListModel
from app.uikit.input_method import InputMethodGuard
from app.uikit.theme import Theme
from app.uikit.widgets.buttons import Button
from tests.training.ui.driver import CONTROL, ReviewDriver, file_items, make_work, pair, row
from tests.uikit.ui.conversion import convert, is_typed_into

Open = Callable[[list[CurationItem]], ReviewDriver]
SHIFT = Qt.KeyboardModifier.ShiftModifier
ANSWER, NEW = "20時までに返します。", "20時です。"


@pytest.fixture
def open_driver(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Open:
    return lambda items: ReviewDriver(make_work(tmp_path, items), theme, qtbot)


@pytest.fixture
def driver(open_driver: Open) -> ReviewDriver:
    return open_driver([pair(number) for number in range(1, 7)])


@pytest.fixture
def of_file(open_driver: Open) -> ReviewDriver:
    return open_driver(file_items())


def written(driver: ReviewDriver) -> list[dict[str, object]]:
    lines = (driver.curation.folder / curation.DECISIONS).read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


# -------------------------------------------------------------------------------------------------------- deciding


def test_each_key_decides_and_the_next_one_comes(driver: ReviewDriver) -> None:
    kinds = []
    for key, kind in (("a", "accepted"), ("r", "rejected")):
        driver.decide(key)
        kinds.append(kind)
        assert (driver.states(len(kinds)), driver.number) == ([kind], len(kinds) + 1)
        assert [one["kind"] for one in written(driver)] == kinds
    assert driver.amount == "2／6 件"
    assert driver.foot.note.text() == phrase("training.n_left_to_review", n=4)
    data = driver.work.draft.data
    assert data is not None
    assert (data.used, data.undecided) == (1, 4)


def test_the_buttons_do_as_the_keys_and_the_keyboard_stays_in_the_list(driver: ReviewDriver) -> None:
    foot = driver.foot
    assert not [one for one in driver.tab.findChildren(Button) if one.property("kind") == "primary"]  # the page has it
    for button in (foot.accept_button, foot.reject_button):
        driver.click(button)
        assert driver.view.hasFocus()
    assert driver.states(1, 2) == ["accepted", "rejected"]
    driver.click(foot.undo_button)
    assert (driver.states(2), driver.number, driver.view.hasFocus()) == (["undecided"], 2, True)
    driver.click(foot.edit_button)
    driver.edit(NEW, keeps=False)
    driver.click(foot.edit_button)
    assert (driver.states(2), driver.number) == (["edited"], 3)


def test_what_was_decided_is_passed_over_and_the_beginning_follows_the_end(driver: ReviewDriver) -> None:
    for number in (4, 3):
        driver.tab.show_item(number)
        driver.decide("a")
    assert driver.number == 5
    driver.decide("aa")
    assert driver.number == 1
    driver.decide("aa")
    assert (driver.number, driver.tab.items.open_count) == (2, 0)
    assert driver.foot.note.text() == phrase("training.review_finished")


def test_a_key_that_is_held_down_or_pressed_with_another_decides_nothing_more(driver: ReviewDriver) -> None:
    for is_repeated in (False, True, True):
        event = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_A, Qt.KeyboardModifier.NoModifier, "a", is_repeated)
        QApplication.sendEvent(driver.view, event)
    assert driver.number == 2
    driver.press(driver.view, Qt.Key.Key_R, CONTROL)
    driver.decide("xq1")  # no search by first letters either
    assert (driver.number, len(written(driver))) == (2, 1)


def test_the_keys_work_with_japanese_input_switched_on(driver: ReviewDriver, qapp: QApplication) -> None:
    guard = InputMethodGuard(qapp)
    driver.editor.answer.setFocus()
    driver.view.setFocus()
    assert not is_typed_into(driver.view)
    assert not driver.tab.items.flags(driver.tab.items.index(0)) & Qt.ItemFlag.ItemIsEditable
    driver.decide("a")
    assert driver.states(1) == ["accepted"]
    guard.deleteLater()


# ------------------------------------------------------------------------------------------------------------ undo


def test_several_decisions_are_undone_one_after_the_other_each_where_it_was(driver: ReviewDriver) -> None:
    driver.decide("ara")
    assert driver.number == 4
    for number, states in ((3, "aru"), (2, "auu"), (1, "uuu")):
        driver.undo()
        assert (driver.number, driver.amount) == (number, f"{number - 1}／6 件")
        assert "".join(state[0] for state in driver.states(1, 2, 3)) == states
    assert not driver.foot.undo_button.isVisible()
    driver.undo()
    assert driver.number == 1


@pytest.mark.parametrize("redo", [(Qt.Key.Key_Z, CONTROL | SHIFT), (Qt.Key.Key_Y, CONTROL), None])
def test_what_was_taken_back_is_named_and_decided_again(
    driver: ReviewDriver, redo: tuple[Qt.Key, Qt.KeyboardModifier] | None
) -> None:
    foot = driver.foot
    driver.edit(NEW)
    driver.decide("r")
    for kind, number in (("rejected", 2), ("edited", 1)):
        driver.undo()
        question = driver.curation.items[number - 1].row.question
        assert foot.undone.text() == phrase(f"training.decision_undone.{kind}", question=question)
    for states in (["edited", "undecided"], ["edited", "rejected"]):
        assert foot.redo_button.isVisible()
        driver.click(foot.redo_button) if redo is None else driver.press(driver.view, *redo)
        assert driver.states(1, 2) == states
    assert driver.curation.rows()[0].answer == NEW
    assert not any(one.isVisible() for one in (foot.undone, foot.redo_button))
    driver.undo()
    driver.decide("a")
    driver.press(driver.view, Qt.Key.Key_Y, CONTROL)  # something else was decided since
    assert driver.states(1, 2) == ["edited", "accepted"]


def test_undo_in_the_queue_comes_before_that_of_the_window_and_after_that_of_a_field(driver: ReviewDriver) -> None:
    elsewhere: list[str] = []
    QShortcut(QKeySequence("Ctrl+Z"), driver.tab, lambda: elsewhere.append("window"))
    driver.decide("a")
    driver.undo()
    driver.decide("a")
    driver.press(driver.editor.answer, Qt.Key.Key_Z, CONTROL)  # nothing was typed there
    assert (driver.states(1), elsewhere) == (["undecided"], [])
    driver.decide("a")
    driver.edit(NEW, keeps=False)
    driver.press(driver.editor.answer, Qt.Key.Key_Z, CONTROL)
    assert (driver.answer, driver.states(1)) == (ANSWER, ["accepted"])
    driver.undo()
    driver.edit(NEW, keeps=False)
    driver.press(driver.tab, Qt.Key.Key_Y, CONTROL)  # as on desktops where a field leaves the key to it
    assert (driver.answer, driver.states(1)) == (NEW, ["undecided"])


def test_a_decision_that_could_not_be_made_again_can_still_be(
    driver: ReviewDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver.decide("a")
    driver.undo()
    with monkeypatch.context() as full_drive:
        full = AppError("drive_space", path="/", need_bytes=1, free_bytes=0)
        full_drive.setattr(driver.work, "decide", Mock(side_effect=full))
        driver.click(driver.foot.redo_button)
    assert driver.foot.redo_button.isVisible()
    driver.click(driver.foot.redo_button)
    assert driver.states(1) == ["accepted"]


def test_the_current_row_stays_in_view_when_the_list_becomes_lower(open_driver: Open) -> None:
    driver = open_driver([pair(number) for number in range(1, 31)])
    driver.view.setFocus()
    driver.qtbot.keyClick(driver.view, Qt.Key.Key_End)
    assert driver.view.visualRect(driver.view.currentIndex()).bottom() < driver.view.viewport().height()
    window = driver.view.window()
    window.resize(window.width(), window.height() - 150)
    QApplication.processEvents()
    assert driver.view.visualRect(driver.view.currentIndex()).bottom() <= driver.view.viewport().height()


# ----------------------------------------------------------------------------------------------------------- edits


def test_an_edit_is_made_in_the_answer_or_the_question_and_kept_with_ctrl_enter(driver: ReviewDriver) -> None:
    driver.edit(NEW)
    assert (driver.states(1), driver.number, driver.view.hasFocus()) == (["edited"], 2, True)
    assert written(driver)[-1] == {
        "number": 1, "kind": "edited", "question": "鍵は何時までに返しますか。（1）", "answer": NEW,
        "rejected": "",
    }  # fmt: skip
    question = driver.editor.question
    question.setFocus()
    question.setPlainText("返却は何時までですか。")
    driver.press(question, Qt.Key.Key_Return, CONTROL)
    first, second = driver.curation.rows()[:2]
    assert (first.answer, second.question, driver.states(2)) == (NEW, "返却は何時までですか。", ["edited"])
    driver.edit(f" {ANSWER}\n")  # changes nothing
    assert driver.states(3) == ["accepted"]


def test_esc_gives_the_edit_up_and_asks_nothing_and_one_without_an_answer_is_refused_and_stays(
    driver: ReviewDriver,
) -> None:
    driver.edit(NEW, keeps=False)
    assert driver.editor.is_edited
    driver.press(driver.editor.answer, Qt.Key.Key_Escape)
    assert (driver.answer, driver.view.hasFocus()) == (ANSWER, True)
    assert (driver.editor.is_edited, driver.number, "修正中" in driver.spoken(1)) == (False, 1, False)
    driver.edit(" ")
    assert (driver.states(1), driver.number, driver.answer) == (["undecided"], 1, " ")
    assert "質問と回答の両方を書いてください" in driver.tab.banner.accessibleName()
    driver.edit(NEW)
    assert (driver.states(1), driver.tab.banner.isVisible()) == (["edited"], False)


def test_an_edit_stays_with_its_row_until_that_is_decided(driver: ReviewDriver) -> None:
    driver.edit(NEW, keeps=False)
    driver.tab.show_item(3)
    assert (driver.answer, "修正中" in driver.spoken(1)) == (ANSWER, True)
    driver.view.setFocus()
    driver.decide("a")
    driver.tab.show_item(1)
    assert driver.answer == NEW
    driver.decide("a")  # as it is shown
    assert (driver.states(1), driver.curation.rows()[0].answer) == (["edited"], NEW)
    assert "修正中" not in driver.spoken(1)


@pytest.mark.parametrize("key", ["a", "r"])
def test_what_was_typed_comes_back_when_its_decision_is_undone(driver: ReviewDriver, key: str) -> None:
    driver.edit(NEW, keeps=False)
    driver.view.setFocus()
    driver.decide(f"{key}a")
    driver.undo()
    driver.undo()
    assert (driver.number, driver.states(1), driver.answer) == (1, ["undecided"], NEW)


def test_a_decision_that_cannot_be_written_is_told_and_the_row_stays(driver: ReviewDriver) -> None:
    path = driver.curation.folder / curation.DECISIONS
    path.mkdir()
    driver.decide("a")
    assert (driver.states(1), driver.number, driver.tab.banner.isVisible()) == (["undecided"], 1, True)
    path.rmdir()
    driver.view.setFocus()
    driver.decide("a")
    assert (driver.states(1), driver.number, driver.tab.banner.isVisible()) == (["accepted"], 2, False)


# ------------------------------------------------------------------------------------------------------ conversion


def test_keys_of_a_conversion_belong_to_it_and_its_end_does_not_decide(driver: ReviewDriver) -> None:
    answer = driver.editor.answer
    driver.decide("e")
    convert(answer, "にじゅう")
    for key, *modifier in ((Qt.Key.Key_Escape,), (Qt.Key.Key_Return, CONTROL), (Qt.Key.Key_Return,)):
        driver.press(answer, key, *modifier)
    assert (driver.number, driver.states(1), answer.hasFocus()) == (1, ["undecided"], True)
    convert(answer, "", "二十")
    assert driver.answer == f"{ANSWER}二十"


def test_what_is_being_converted_stays_with_its_row_and_is_taken_by_a_click_on_the_button(
    driver: ReviewDriver,
) -> None:
    driver.decide("e")
    convert(driver.editor.answer, "厳守")
    for number in (2, 1):
        driver.tab.show_item(number)
        assert driver.number == number
    assert driver.answer == f"{ANSWER}厳守"
    driver.click(driver.foot.accept_button)
    assert (driver.states(1), driver.curation.rows()[0].answer) == (["edited"], f"{ANSWER}厳守")
    driver.view.setFocus()
    driver.decide("e")
    convert(driver.editor.answer, "厳守")
    driver.click(driver.foot.accept_button)
    assert (driver.states(2), driver.answer) == (["edited"], ANSWER)


# --------------------------------------------------------------------------------------------------- rows of a file


def test_of_a_file_the_rows_that_were_left_out_are_gone_through_and_the_others_if_wanted(
    of_file: ReviewDriver,
) -> None:
    assert (of_file.number, of_file.amount) == (2, "0／2 件")
    of_file.edit("時刻を書きます。")
    assert of_file.number == 3
    of_file.decide("r")
    assert (of_file.number, of_file.tab.items.open_count) == (3, 0)
    assert of_file.states(1, 2, 3, 4) == ["used", "edited", "rejected", "used"]
    of_file.tab.show_item(1)
    of_file.decide("ra")
    assert (of_file.states(1, 4), of_file.number) == (["rejected", "accepted"], 5)


# --------------------------------------------------------------------------------------------------------- filters


def test_filters_share_the_rows_among_them(of_file: ReviewDriver) -> None:
    of_file.decide("r")
    for key, numbers in (("undecided", [1, 4, 5]), ("left_out", [3]), ("decided", [2]), ("all", [1, 2, 3, 4, 5])):
        of_file.filter(key)
        assert (key, of_file.shown()) == (key, numbers)
        assert of_file.number in numbers


def test_what_is_decided_leaves_the_filter_and_comes_back_when_it_is_undone(driver: ReviewDriver) -> None:
    driver.filter("undecided")
    driver.decide("aar")
    assert (driver.shown(), driver.number) == ([4, 5, 6], 4)
    assert driver.tab.list.filters["undecided"].text() == "未確認 3"
    driver.undo()
    assert (driver.shown(), driver.number) == ([3, 4, 5, 6], 3)
    driver.filter("decided")
    assert (driver.shown(), driver.number) == ([1, 2], 1)
    driver.undo()
    assert (driver.number, driver.tab.items.filter) == (2, "all")  # it has no place in that filter any more


def test_a_filter_that_lets_nothing_through_says_so_and_nothing_can_be_decided(open_driver: Open) -> None:
    driver = open_driver([pair(1)])
    foot, nothing = driver.foot, driver.tab.nothing
    driver.filter("decided")
    assert nothing.isVisible()
    assert nothing.text() == phrase("training.review_empty.decided")
    assert not any(button.isEnabled() for button in (foot.accept_button, foot.edit_button, foot.reject_button))
    assert foot.note.text() == phrase("training.no_row_is_selected")
    driver.decide("aer")
    assert driver.curation.revision == 0
    driver.filter("undecided")
    driver.decide("a")
    assert (driver.shown(), nothing.text()) == ([], phrase("training.review_empty.undecided"))
    driver.undo()
    assert (driver.shown(), driver.number) == ([1], 1)


# -------------------------------------------------------------------------------------------------- many, and others


def test_of_twenty_thousand_items_only_those_in_sight_are_asked_for(
    open_driver: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: set[int] = set()
    original = ReviewListModel.data

    def data(self: ReviewListModel, index: object, role: int = 0) -> object:
        asked.add(index.row())
        return original(self, index, role)

    monkeypatch.setattr(ReviewListModel, "data", data)
    driver = open_driver([CurationItem(number, row(number, "鍵は？", "守衛室です。")) for number in range(1, 20_001)])
    driver.tab.grab()
    driver.decide("a")
    driver.tab.grab()
    assert driver.tab.items.rowCount() == 20_000
    assert len(asked) < 100
    QTest.keyClick(driver.view, Qt.Key.Key_End)
    assert driver.number == 20_000


def test_decisions_that_are_made_elsewhere_and_other_rows_are_shown(driver: ReviewDriver, tmp_path: Path) -> None:
    driver.work.decide(Decision(1, "rejected"))
    assert (driver.spoken(1).split("　")[0], driver.amount) == ("却下", "1／6 件")
    driver.edit(NEW, keeps=False)
    driver.work.curation = make_work(tmp_path / "別", file_items()).curation
    driver.tab.show_rows()
    assert (driver.shown(), driver.number) == ([1, 2, 3, 4, 5], 2)
    driver.tab.show_item(1)
    assert driver.editor.texts == ("鍵はどこですか。", "守衛室です。", "")
    driver.work.curation = None
    driver.tab.show_rows()
    assert (driver.shown(), driver.tab.nothing.text()) == ([], phrase("training.review_empty.all"))
