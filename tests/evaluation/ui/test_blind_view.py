"""ブラインド比較 as a person does it: with the keys, to the result; taken back, gone on with, refused in words."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.base.files import work_folder
from app.base.settings import Settings
from app.evaluation.records import Evaluation
from app.evaluation.report import blind
from app.evaluation.report.blind import BlindComparison, BlindFile
from app.evaluation.ui.blind_view import BlindResultPanel, BlindView
from app.uikit.theme import Theme
from tests.evaluation.blind_study import BASE, DOCUMENTS, JUDGE, NAMES, TUNED, blind_study
from tests.evaluation.ui.driver import CONTROL, NO_MODIFIER, Driver
from tests.uikit.ui import accessible

Open = Callable[..., "Desk"]
LONG = "採水は平常時に行い、降雨の直後は避ける。" * 60


class Desk(Driver):
    def __init__(self, theme: Theme, folder: Path, found: Evaluation, qtbot: QtBot, width: int, height: int) -> None:
        self.view = BlindView(theme)
        self.view.label_now = lambda: "internal"  # type: ignore[attr-defined]  # as of the page around it
        super().__init__(self.view, qtbot)
        self.open(width, height)
        self.show(folder, found)
        self.view.activateWindow()
        self.until(self.view.isActiveWindow)

    def show(self, folder: Path, found: Evaluation) -> None:
        self.view.show_study(folder, found)
        self.settle()

    def begin(self) -> None:
        self.view.start.begin_button.setFocus()
        self.view.start.begin_button.click()

    def press(self, key: Qt.Key, modifier: Qt.KeyboardModifier = NO_MODIFIER, at: QWidget | None = None) -> None:
        super().press(key, modifier, at)
        self.settle()

    def prefer(self, system: str) -> None:
        """With the key of the letter under which this system's answer stands."""
        pair = self.comparison.current
        assert pair is not None
        self.press(Qt.Key.Key_1 if pair.a_system == system else Qt.Key.Key_2)

    def show_result(self) -> BlindResultPanel:
        if self.view.panel is self.view.voting:
            self.view.voting.result_button.click()
        return self.result()

    def result(self) -> BlindResultPanel:
        self.until(lambda: self.view.panel is self.view.result)
        return self.view.result

    @property
    def comparison(self) -> BlindComparison:
        assert self.view.comparison is not None
        return self.view.comparison

    @property
    def votes(self) -> list[str]:
        return [one.vote for one in self.comparison.votes]

    @property
    def progress(self) -> str:
        return self.view.voting.progress.text()

    @property
    def question(self) -> str:
        return self.view.voting.question.text()

    @property
    def words(self) -> str:
        """All that is shown or said of the panel."""
        return " ".join(f"{node.name} {node.description}" for node in accessible.walk(self.view.panel))


@pytest.fixture
def open_desk(tmp_path: Path, theme: Theme, qtbot: QtBot) -> Open:
    def open_(found: Evaluation, width: int = 900, height: int = 600, folder: Path = tmp_path) -> Desk:
        return Desk(theme, folder, found, qtbot, width, height)

    return open_


def judged(count: int) -> Evaluation:
    """The judge prefers the tuned system in every second question, and the base in the others."""
    base, tuned = [at % 2 * 3 for at in range(count)], [3 - at % 2 * 3 for at in range(count)]
    return blind_study(count, {BASE: list(base), TUNED: list(tuned), DOCUMENTS: [0] * count}, judge=JUDGE)


# ------------------------------------------------------------------------------------------------------------- keys


def test_the_keys_1_to_4_lead_to_the_result_and_names_are_told_only_there(open_desk: Open, tmp_path: Path) -> None:
    desk = open_desk(blind_study(8))
    desk.begin()
    for _ in range(6):
        assert not any(name in desk.words for name in NAMES.values())
        desk.prefer(TUNED)
    desk.press(Qt.Key.Key_3)
    assert desk.progress == "7／8 問"
    desk.press(Qt.Key.Key_4)
    result = desk.result()
    assert result.rows == [
        ("「元のモデル」が良い", "0", "0\u00a0%"),
        ("「学習済み」が良い", "6", "75\u00a0%"),
        ("同じくらい", "1", "12.5\u00a0%"),
        ("どちらも誤り", "1", "12.5\u00a0%"),
        ("合計", "8", ""),
    ]
    assert result.difference.text().startswith("選ばれ方の差 +0.75、95\u00a0% 区間 +")
    assert result.verdict.text() == "「学習済み」のほうが多く選ばれました。"
    assert result.agreement.text() == "採点モデルがないので、一致（κ）は計算できません。"
    assert [one.vote for one in BlindFile(tmp_path).votes(BASE, TUNED)][6:] == ["same", "both_wrong"]


def test_digits_vote_nowhere_but_in_the_comparison_and_a_held_key_votes_once(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.view.start.first_chooser.setFocus()
    desk.press(Qt.Key.Key_1)
    assert desk.votes == []
    desk.begin()
    desk.press(Qt.Key.Key_1, CONTROL)  # of the window: the page 質問
    assert desk.votes == []
    held = QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_1, NO_MODIFIER, "1", True)
    QApplication.sendEvent(desk.view.voting, held)
    assert desk.votes == []
    desk.press(Qt.Key.Key_1, Qt.KeyboardModifier.KeypadModifier)
    assert len(desk.votes) == 1


def test_digits_vote_too_while_words_of_an_answer_are_selected(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    text = desk.view.voting.answers.a.text
    text.setFocus()
    text.selectAll()
    desk.press(Qt.Key.Key_C, CONTROL)
    assert QApplication.clipboard().text() == text.plain_text() != ""
    assert not text.testAttribute(Qt.WidgetAttribute.WA_InputMethodEnabled), "a conversion would swallow the digit"
    desk.press(Qt.Key.Key_2)
    assert desk.votes == ["b_better"]


@pytest.mark.parametrize(
    ("key", "modifier"),
    [(Qt.Key.Key_Left, NO_MODIFIER), (Qt.Key.Key_Z, CONTROL)],
)
def test_the_last_vote_is_taken_back_with_a_key(open_desk: Open, key: Qt.Key, modifier: Qt.KeyboardModifier) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    desk.press(Qt.Key.Key_1)
    second = desk.question
    desk.press(Qt.Key.Key_1)
    desk.press(key, modifier)
    assert (desk.question, desk.progress) == (second, "1／6 問")
    desk.press(key, modifier)
    assert not desk.view.voting.undo_button.isVisible()
    desk.press(key, modifier)  # nothing is left
    assert desk.progress == "0／6 問"


def test_the_vote_that_was_taken_back_is_named_and_given_again(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    desk.press(Qt.Key.Key_2)
    desk.press(Qt.Key.Key_3)
    voting = desk.view.voting
    assert not voting.redo_button.isVisible()
    for vote in ("同じくらい", "B が良い"):
        desk.press(Qt.Key.Key_Z, CONTROL)
        assert voting.note.text().startswith(f"「{vote}」を取り消しました。")
    desk.press(Qt.Key.Key_Y, CONTROL)
    assert desk.votes == ["b_better"]
    desk.click(voting.redo_button)
    desk.settle()
    assert desk.votes == ["b_better", "same"]
    assert (voting.redo_button.isVisible(), "取り消しました" in voting.note.text()) == (False, False)
    desk.press(Qt.Key.Key_Z, CONTROL)
    desk.press(Qt.Key.Key_4)
    desk.press(Qt.Key.Key_Y, CONTROL)  # another vote was given since
    assert desk.votes == ["b_better", "both_wrong"]


def test_a_vote_is_given_again_beside_the_comparison_and_not_behind_a_result(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    desk.press(Qt.Key.Key_2)
    desk.press(Qt.Key.Key_3)
    desk.press(Qt.Key.Key_Z, CONTROL)
    desk.show_result()
    desk.press(Qt.Key.Key_Y, CONTROL)
    assert (desk.view.panel, desk.votes) == (desk.view.voting, ["b_better", "same"])


def test_a_button_votes_and_leaves_the_keyboard_where_the_keys_work(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    desk.click(desk.view.voting.buttons["same"])
    desk.settle()
    assert desk.view.voting.hasFocus()
    desk.view.voting.buttons["both_wrong"].setFocus()
    desk.press(Qt.Key.Key_Space)
    assert desk.votes == ["same", "both_wrong"]
    desk.press(Qt.Key.Key_Left)
    assert desk.votes == ["same"]
    desk.click(desk.view.voting.undo_button)
    desk.settle()
    assert desk.votes == []


# ------------------------------------------------------------------------------------------------------ going on


def test_it_goes_on_where_it_was_when_the_study_is_opened_again(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    desk.press(Qt.Key.Key_1)
    waiting = desk.question
    again = open_desk(blind_study(6))
    assert again.view.start.facts.text() == "比べる問いは 6 問です。\n1／6 問を選び終えています。"
    assert again.view.start.begin_button.text() == "続きから比べる"
    again.begin()
    assert again.question == waiting


def test_the_result_so_far_reveals_and_what_is_chosen_after_that_is_counted(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    assert not desk.view.voting.result_button.isVisible(), "there is no result of nothing"
    desk.prefer(BASE)
    result = desk.show_result()
    told = "名前を見る前にどちらかを選んだ問いが 1 問しかなく、判断できません（6 問以上が必要です）。"
    assert (result.verdict.text(), result.left.text()) == (told, "まだ 5 問残っています。")
    assert (result.difference.isVisible(), result.when_open.isVisible()) == (False, False)
    result.go_on_button.click()
    assert "判断には入れません" in desk.view.voting.note.text()
    desk.prefer(TUNED)
    desk.show_result()
    assert result.when_open.text() == "このうち 1 問は、構成の名前を表示したあとに選んだので、判断に入れていません。"


def test_a_vote_is_taken_back_from_the_result(open_desk: Open) -> None:
    desk = open_desk(blind_study(2))
    desk.begin()
    desk.press(Qt.Key.Key_3)
    last = desk.question
    desk.press(Qt.Key.Key_3)
    desk.result()
    desk.press(Qt.Key.Key_Z, CONTROL)
    assert (desk.view.panel is desk.view.voting, desk.question) == (True, last)


def test_other_systems_are_chosen_and_the_same_one_twice_is_refused_with_the_reason(open_desk: Open) -> None:
    desk = open_desk(blind_study(6, answers={(DOCUMENTS, 1): "同じ", (TUNED, 1): "同じ"}))
    start = desk.view.start
    assert start.chosen_systems == (BASE, TUNED)
    start.first_chooser.setCurrentIndex(2)
    assert (start.begin_button.isEnabled(), start.reason.text()) == (False, "違う構成を 2 つ選んでください。")
    start.first_chooser.setCurrentIndex(1)
    assert start.facts.text() == "比べる問いは 5 問です。回答が同じ 1 問は除きます。"
    desk.begin()
    desk.press(Qt.Key.Key_1)
    desk.view.voting.leave_button.click()
    start.first_chooser.setCurrentIndex(0)
    assert start.begin_button.text() == "比べ始める", "the vote was on the other two"


def test_where_there_is_nothing_to_compare_that_is_said(open_desk: Open, tmp_path: Path) -> None:
    found = blind_study(3)
    desk = open_desk(dataclasses.replace(found, systems=found.systems[:1]))
    assert desk.view.nothing.text() == "構成が 1 つなので、比べる相手がありません。"
    desk.show(tmp_path, blind_study(1, answers={(BASE, 1): "同じ", (TUNED, 1): "同じ"}))
    start = desk.view.start
    assert not start.begin_button.isEnabled()
    assert start.reason.text() == "2 つの構成の回答がすべて同じなので、比べるものがありません。"


# ------------------------------------------------------------------------------------------------------------ judge


def test_kappa_waits_for_30_answers_and_is_shown_then(open_desk: Open) -> None:
    desk = open_desk(judged(30))
    desk.begin()
    desk.press(Qt.Key.Key_3)
    agreement = desk.view.voting.agreement
    assert agreement.text() == "採点モデルとの一致（κ）は 30 問から表示します。あと 29 問です。"
    desk.press(Qt.Key.Key_Left)
    while (pair := desk.comparison.current) is not None:
        desk.prefer(TUNED if desk.comparison.pairing.judged[pair.question.id] > 0 else BASE)
    result = desk.result()
    assert result.agreement.text() == (
        "採点モデルとの一致（κ）は 1.00 です（1 は完全な一致、0 は偶然と同じ程度）。30 問中 30 問で同じ選び方でした。"
    )
    assert result.verdict.text() == "どちらが良いとは言い切れません。差は誤差の範囲です。"


# ------------------------------------------------------------------------------------------------------------ texts


def test_answers_of_both_sides_are_plain_text_and_the_reference_is_shown_when_it_is_asked_for(open_desk: Open) -> None:
    hostile = "<b>太字</b> **強調** <img src=x> ‮逆"
    excerpt = "**「幅」[1]**\n\n| 行 | 幅 |\n|---:|---|\n| 2 | 2 m [1] |"
    study = blind_study(1, answers={(BASE, 1): hostile, (TUNED, 1): excerpt})
    asked = dataclasses.replace(study.questions.questions[0], reference=hostile)
    desk = open_desk(dataclasses.replace(study, questions=dataclasses.replace(study.questions, questions=(asked,))))
    desk.begin()
    voting, shown = desk.view.voting, "<b>太字</b> 強調 <img src=x> ‹U+202E›逆"
    texts = {voting.answers.a.text.plain_text(), voting.answers.b.text.plain_text()}
    assert texts == {shown, "「幅」[1]\n\n行 / 幅\n2 / 2 m [1]"}
    assert not voting.reference.isVisible()
    voting.reference_button.click()
    assert (voting.reference.isVisible(), voting.reference.text()) == (True, shown)
    voting.answers.show_answers("", hostile)
    assert voting.answers.a.text.plain_text() == "（回答なし）"


def test_a_long_answer_scrolls_inside_and_begins_at_its_top_with_the_next_question(open_desk: Open) -> None:
    answers = {(id, number): f"{id} {number} {LONG}" for id in (BASE, TUNED) for number in (1, 2)}
    desk = open_desk(blind_study(2, answers=answers))
    desk.begin()
    QApplication.processEvents()
    bar = desk.view.voting.answers.a.area.verticalScrollBar()
    assert bar.maximum() > 0
    bar.setValue(bar.maximum())
    desk.press(Qt.Key.Key_1)
    assert bar.value() == 0
    desk.open(570, 430)  # now the panel itself does not fit, and is scrolled with the keys
    QApplication.processEvents()
    question = desk.view.voting.question
    top = question.mapTo(desk.view, question.rect().topLeft()).y()
    desk.press(Qt.Key.Key_PageDown)
    assert question.mapTo(desk.view, question.rect().topLeft()).y() < top
    desk.press(Qt.Key.Key_PageUp)
    assert question.mapTo(desk.view, question.rect().topLeft()).y() == top


# ------------------------------------------------------------------------------------------------------------- file


def test_a_damaged_record_is_told_with_the_next_step_and_read_again_when_it_was_moved(
    open_desk: Open, tmp_path: Path
) -> None:
    path = tmp_path / blind.FILE
    path.write_bytes(b"?\n")
    desk = open_desk(blind_study(3))
    assert "別の場所に移す" in desk.view.banner.accessibleName()
    path.unlink()
    desk.view.banner.action_requested.emit("again")
    desk.settle()
    assert (desk.view.panel is desk.view.start, desk.view.banner.isVisible()) == (True, False)


def test_of_two_windows_the_later_one_is_told_and_shows_what_the_other_has_chosen(open_desk: Open) -> None:
    mine, theirs = open_desk(blind_study(6)), open_desk(blind_study(6))
    mine.begin()
    theirs.begin()
    theirs.press(Qt.Key.Key_1)
    theirs.press(Qt.Key.Key_1)
    mine.view.activateWindow()
    mine.view.vote("same")
    mine.settle()
    assert "ほかの Kotae で先に進んでいます" in mine.view.banner.accessibleName()
    assert (mine.progress, mine.question) == ("2／6 問", theirs.question)
    mine.view.vote("same")
    mine.settle()
    assert (mine.progress, mine.view.banner.isVisible()) == ("3／6 問", False)


def test_a_vote_while_another_window_writes_is_not_counted_and_can_be_given_again(
    open_desk: Open, tmp_path: Path
) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    lock = work_folder.acquire_lock(tmp_path / blind.LOCK)
    desk.press(Qt.Key.Key_1)
    lock.release()
    assert desk.progress == "0／6 問"
    assert "ほかの Kotae が書き込んでいます" in desk.view.banner.accessibleName()
    desk.press(Qt.Key.Key_1)
    assert (desk.progress, desk.view.banner.isVisible()) == ("1／6 問", False)


def test_until_a_choice_is_kept_its_question_stays_and_no_other_key_chooses(open_desk: Open, tmp_path: Path) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    first = desk.question
    for key in (Qt.Key.Key_1, Qt.Key.Key_2, Qt.Key.Key_Left):
        QTest.keyClick(desk.view.voting, key)
    assert (desk.question, desk.progress) == (first, "0／6 問")
    desk.settle()
    assert (desk.question == first, desk.progress) == (False, "1／6 問")
    assert [one.vote for one in BlindFile(tmp_path).votes(BASE, TUNED)] == ["a_better"]


def test_a_choice_that_is_being_kept_counts_although_one_has_left_the_comparison(open_desk: Open) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    QTest.keyClick(desk.view.voting, Qt.Key.Key_1)
    desk.view.voting.leave_button.click()
    desk.settle()
    assert desk.view.panel is desk.view.start
    assert desk.view.start.facts.text().endswith("1／6 問を選び終えています。")


def test_of_two_studies_opened_at_once_the_last_is_shown_from_its_own_start(open_desk: Open, tmp_path: Path) -> None:
    desk = open_desk(blind_study(6))
    desk.begin()
    desk.press(Qt.Key.Key_1)
    for name, count in (("a", 5), ("b", 3)):
        (tmp_path / name).mkdir()
        desk.view.show_study(tmp_path / name, blind_study(count))
    assert desk.view.nothing.text() == "読み込み中…"
    desk.settle()
    assert desk.view.panel is desk.view.start
    desk.begin()
    assert desk.progress == "0／3 問"
    desk.press(Qt.Key.Key_1)
    assert desk.progress == "1／3 問"


# -------------------------------------------------------------------------------------------------------- every one


@pytest.mark.parametrize(("width", "height"), [(1160, 760), (570, 430)])
@pytest.mark.parametrize("scale", [100, 200])
def test_no_text_is_cut_off_and_everything_has_a_name(
    open_desk: Open, theme: Theme, qapp: QApplication, width: int, height: int, scale: int
) -> None:
    theme.apply(qapp, Settings(theme="light", text_scale_percent=scale))
    desk = open_desk(judged(31), width, height)
    assert desk.problems() == []
    desk.begin()
    desk.press(Qt.Key.Key_1)
    desk.view.voting.reference_button.click()
    assert desk.view.panel is desk.view.voting
    assert desk.problems() == []
    desk.show_result()
    assert desk.problems() == []
