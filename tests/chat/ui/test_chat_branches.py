"""Versions of questions and answers in the conversation, and what can be done with each."""

import dataclasses
from typing import Any

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QAction, QGuiApplication
from PySide6.QtWidgets import QAbstractButton, QWidget
from pytestqt.qtbot import QtBot

from app.chat.presets import PROGRAM_DEFAULTS, Choices, Preset
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript import rows_view
from app.chat.ui.transcript.answer_actions import AnswerActions, AnswerDisplayOptions
from app.chat.ui.transcript.answer_view import AnswerView
from app.chat.ui.transcript.question_view import QuestionView
from app.chat.ui.transcript.transcript import Transcript
from app.uikit.page import Navigation
from app.uikit.theme import Theme

DETAILS = AnswerDetails(
    "m",
    "試験 8B",
    "end",
    seed=7,
    answer_tokens=30,
    total_s=8.2,
    tokens_per_s=44.94,
    choices=PROGRAM_DEFAULTS,
    context_tokens=4096,
)
ACTIONS = tuple(Preset(name, "action", name, request=name + "してください。") for name in ("要約", "やさしく", "表に"))


def question(number: int, text: str = "質問です。", branch: int = 1, branches: int = 1) -> Message:
    return Message(number, 1, number - 1 or None, "question", text, "done", 1.8e9, None, branch, branches)


def answer(number: int, text: str = "回答です。", branch: int = 1, branches: int = 1, **details: object) -> Message:
    made = dataclasses.replace(DETAILS, **details)
    return Message(number, 1, number - 1, "answer", text, "done", 1.8e9, made, branch, branches)


@pytest.fixture(autouse=True)
def time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_view, "BUDGET_S", 60.0)


@pytest.fixture
def transcript(theme: Theme, qtbot: QtBot) -> Transcript:
    transcript = Transcript(theme, Navigation())
    transcript.label_now = lambda: "internal"  # type: ignore[attr-defined]  # as of the page around it
    qtbot.addWidget(transcript)
    transcript.resize(900, 600)
    transcript.show()
    qtbot.waitExposed(transcript)
    transcript.activateWindow()
    return transcript


def buttons(view: QWidget | None) -> dict[str, QAbstractButton]:
    """Those that can be seen."""
    assert view is not None
    found = view.findChildren(QAbstractButton)
    return {button.accessibleName() or button.text(): button for button in found if button.isVisible()}


def row(transcript: Transcript, answer_id: int) -> AnswerActions:
    view = transcript.view_of(answer_id)
    assert isinstance(view, AnswerView)
    assert view._end is not None
    return view._end.row


def actions(transcript: Transcript, answer_id: int) -> dict[str, QAction]:
    return {action.text(): action for action in row(transcript, answer_id).menu().actions()}


def texts(view: QWidget | None) -> list[str]:
    assert view is not None
    return [w.text() for w in view.findChildren(QWidget) if hasattr(w, "text") and w.isVisible()]


# --------------------------------------------------------------------- pager


def test_a_question_with_versions_has_the_same_switch_as_an_answer(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages([question(1, branch=2, branches=3), answer(2, branch=1, branches=2)])
    asked, answered = transcript.view_of(1), transcript.view_of(2)
    assert "2／3" in texts(asked)
    assert "1／2" in texts(answered)
    assert type(asked.pager) is type(answered.pager)  # type: ignore[union-attr]
    with qtbot.waitSignal(transcript.requests.branch_requested, check_params_cb=lambda *a: a == (1, -1)):
        buttons(asked)["前の聞き方"].click()
    with qtbot.waitSignal(transcript.requests.branch_requested, check_params_cb=lambda *a: a == (2, 1)):
        buttons(answered)["次の回答"].click()
    assert not buttons(answered)["前の回答"].isEnabled()


def test_without_other_versions_there_is_no_switch(transcript: Transcript) -> None:
    transcript.show_messages([question(1), answer(2)])
    assert not any("聞き方" in name for name in buttons(transcript.view_of(1)))
    assert not any("の回答" in name for name in buttons(transcript.view_of(2)) if "その他" not in name)


def test_the_keys_switch_the_message_with_the_keyboard_else_the_last_with_versions(transcript: Transcript) -> None:
    asked: list[tuple[int, int]] = []
    transcript.requests.branch_requested.connect(lambda *step: asked.append(step))
    transcript.show_messages(
        [question(1, branch=2, branches=3), answer(2), question(3), answer(4, branch=1, branches=2), question(5)]
    )
    transcript.step_branch(1)
    transcript.step_branch(-1)  # there is none before the first
    transcript.view_of(1).text.setFocus()  # type: ignore[union-attr]
    transcript.step_branch(-1)
    transcript.view_of(5).text.setFocus()  # type: ignore[union-attr]
    transcript.step_branch(1)
    assert asked == [(4, 1), (1, -1), (4, 1)]


def test_another_branch_keeps_the_widgets_before_it_and_its_place(transcript: Transcript, qtbot: QtBot) -> None:
    before = [m for n in range(1, 21, 2) for m in (question(n), answer(n + 1, "一行です。\n\n" * 4))]
    old = [*before, question(21), answer(22, "古い回答。", 1, 2), question(23), answer(24, "続き。\n\n" * 30)]
    new = [*before, question(21), answer(32, "新しい回答。", 2, 2)]
    transcript.show_messages(old)
    transcript.show_branch([*before, question(21), answer(22, "古い回答。", 1, 2)])
    qtbot.waitUntil(lambda: not transcript._fill_timer.isActive())
    kept, place = transcript.view_of(21), transcript.view_of(22)
    assert kept is not None
    assert place is not None
    y = place.y()
    transcript.show_branch(new)
    assert transcript.view_of(21) is kept
    shown = transcript.view_of(32)
    assert shown is not None
    assert shown.y() == y
    assert shown.text.plain_text() == "新しい回答。"
    assert transcript.view_of(22) is None


def test_a_branch_out_of_sight_is_brought_into_sight(transcript: Transcript, qtbot: QtBot) -> None:
    tail = [m for n in range(3, 41, 2) for m in (question(n), answer(n + 1, "長い。\n\n" * 5))]
    transcript.show_messages([question(1), answer(2, "古い", 1, 2), *tail])
    assert transcript.view_of(2) is None
    transcript.show_branch([question(1), answer(50, "新しい", 2, 2), *tail])
    qtbot.waitUntil(lambda: not transcript._fill_timer.isActive())
    shown = transcript.view_of(50)
    assert shown is not None
    assert 0 <= shown.y() < transcript.viewport().height()


def test_a_new_answer_in_another_branch_is_followed_while_it_is_written(transcript: Transcript, qtbot: QtBot) -> None:
    before = [m for n in range(1, 21, 2) for m in (question(n), answer(n + 1, "一行です。\n\n" * 4))]
    transcript.show_messages(before)
    transcript.verticalScrollBar().setValue(0)
    streaming = Message(30, 1, 19, "answer", "", "streaming", 1.8e9, AnswerDetails(), 2, 2)
    transcript.show_branch([*before[:-1], streaming])
    qtbot.waitUntil(lambda: not transcript._fill_timer.isActive())
    assert transcript.is_at_end()


def test_the_keyboard_stays_at_the_switch(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages([question(1), answer(2, "一", 1, 3)])
    buttons(transcript.view_of(2))["次の回答"].setFocus()
    transcript.show_branch([question(1), answer(3, "二", 2, 3)])
    assert buttons(transcript.view_of(3))["次の回答"].hasFocus()
    transcript.show_branch([question(1), answer(4, "三", 3, 3)])
    assert buttons(transcript.view_of(4))["前の回答"].hasFocus(), "there is no next one"
    transcript.view_of(4).text.setFocus()  # type: ignore[union-attr]
    transcript.show_branch([question(1), answer(2, "一", 1, 3)])
    assert transcript.view_of(2).text.hasFocus()  # type: ignore[union-attr]


# ------------------------------------------------------------------ question


def test_a_questions_buttons_come_with_the_keyboard_and_its_menu_has_the_same(
    transcript: Transcript, qtbot: QtBot
) -> None:
    transcript.show_messages([question(1, "編集する質問"), answer(2)])
    view = transcript.view_of(1)
    assert isinstance(view, QuestionView)
    assert list(buttons(view)) == ["この質問のその他の操作"]
    height = view.height()
    view.text.setFocus()
    qtbot.keyClick(view.text, Qt.Key.Key_Tab)
    focused = transcript.focusWidget()
    assert focused is buttons(view)["編集して聞き直す"]
    assert view.height() == height
    with qtbot.waitSignal(transcript.requests.edit_requested, check_params_cb=lambda number: number == 1):
        qtbot.keyClick(focused, Qt.Key.Key_Space)
    buttons(view)["コピー"].click()
    assert QGuiApplication.clipboard().text() == "編集する質問"
    transcript.view_of(2).text.setFocus()  # type: ignore[union-attr]
    assert list(buttons(view)) == ["この質問のその他の操作"]
    entries = {action.text(): action for action in view.menu().actions()}
    assert list(entries) == ["編集して聞き直す", "コピー"]
    with qtbot.waitSignal(transcript.requests.edit_requested):
        entries["編集して聞き直す"].trigger()


def test_a_questions_buttons_come_with_the_pointer(transcript: Transcript, qtbot: QtBot) -> None:
    transcript.show_messages([question(1), answer(2)])
    view = transcript.view_of(1)
    assert view is not None
    qtbot.mouseMove(view, QPoint(30, 30))
    qtbot.waitUntil(lambda: "コピー" in buttons(view))


def test_where_there_is_no_room_a_question_keeps_to_its_menu(transcript: Transcript) -> None:
    transcript.resize(230, 400)
    transcript.show_messages([question(1, branch=1, branches=2), answer(2)])
    view = transcript.view_of(1)
    assert isinstance(view, QuestionView)
    view.text.setFocus()
    assert "編集して聞き直す" not in buttons(view)
    more = buttons(view)["この質問のその他の操作"]
    assert more.mapTo(view, QPoint(more.width(), 0)).x() <= view.width()


# -------------------------------------------------------------------- answer


def test_actions_are_buttons_where_there_is_room_and_in_the_menu_where_not(
    transcript: Transcript, qtbot: QtBot
) -> None:
    transcript.show_answers_as(AnswerDisplayOptions(ACTIONS))
    transcript.show_messages([question(1), answer(2)])
    assert {"要約", "やさしく", "表に"} <= set(buttons(transcript.view_of(2)))
    assert "要約" not in actions(transcript, 2)
    with qtbot.waitSignal(transcript.requests.action_chosen, check_params_cb=lambda *a: a == (2, ACTIONS[0])):
        buttons(transcript.view_of(2))["要約"].click()
    transcript.resize(400, 600)
    qtbot.waitUntil(lambda: "表に" not in buttons(transcript.view_of(2)))
    assert {"コピー", "再生成"} <= set(buttons(transcript.view_of(2)))
    hidden = [preset.name for preset in ACTIONS if preset.name not in buttons(transcript.view_of(2))]
    assert [name for name in actions(transcript, 2) if name in hidden] == hidden
    with qtbot.waitSignal(transcript.requests.action_chosen, check_params_cb=lambda *a: a == (2, ACTIONS[2])):
        actions(transcript, 2)["表に"].trigger()


@pytest.mark.parametrize("width", [280, 320, 400, 560, 900])
def test_nothing_below_an_answer_is_wider_than_the_page(transcript: Transcript, width: int, qtbot: QtBot) -> None:
    transcript.resize(width, 600)
    transcript.show_answers_as(AnswerDisplayOptions(ACTIONS))
    transcript.show_messages([question(1), answer(2, branch=2, branches=2, is_same=False)])
    qtbot.wait(20)
    view = transcript.view_of(2)
    assert view is not None
    for button in buttons(view).values():
        corner = button.mapTo(view, QPoint(button.width(), button.height()))
        assert button.width() >= button.minimumSizeHint().width()
        assert corner.x() <= view.width()
        assert corner.y() <= view.height()


def test_the_menu_of_an_answer_edits_reproduces_exports_and_opens_the_record(
    transcript: Transcript, qtbot: QtBot
) -> None:
    transcript.show_messages([question(1), answer(2)])
    with qtbot.waitSignal(transcript.requests.edit_requested, check_params_cb=lambda number: number == 1):
        actions(transcript, 2)["編集して聞き直す"].trigger()
    with qtbot.waitSignal(transcript.requests.reproduce_requested, check_params_cb=lambda number: number == 2):
        actions(transcript, 2)["再現"].trigger()
    with qtbot.waitSignal(transcript.requests.navigation.export_requested):
        actions(transcript, 2)["会話を書き出す…"].trigger()
    with qtbot.waitSignal(transcript.requests.navigation.log_requested):
        actions(transcript, 2)["記録を見る"].trigger()
    assert "乱数でもう一度答え" in actions(transcript, 2)["再現"].toolTip()


@pytest.mark.parametrize(
    "details",
    [
        {"choices": None},
        {"context_tokens": 0},
        {"seed": 1 << 40},
        {"choices": Choices(temperature=0.5)},
        {"choices": dataclasses.replace(PROGRAM_DEFAULTS, top_k=-1)},
        {"left_out_turns": -1},
    ],
)
def test_an_answer_of_which_the_settings_are_not_known_cannot_be_reproduced(
    transcript: Transcript, details: dict[str, Any]
) -> None:
    transcript.show_messages([question(1), answer(2, **details)])
    assert "再現" not in actions(transcript, 2)


def test_a_repetition_says_with_mark_and_sentence_whether_it_is_the_same(transcript: Transcript) -> None:
    transcript.show_messages([question(1), answer(2, branch=2, branches=2, is_same=True, reproduces_id=1)])
    assert "前の回答と同じ文章です。" in texts(transcript.view_of(2))
    transcript.show_messages([question(1), answer(2, branch=2, branches=2, is_same=True, is_part=True)])
    assert "前の回答が止まったところまでは、同じ文章です。" in texts(transcript.view_of(2))
    transcript.show_messages([question(1), answer(2, branch=2, branches=2, is_same=False, reproduces_id=1)])
    assert any(text.startswith("前の回答と違う文章です。") for text in texts(transcript.view_of(2)))
    assert buttons(transcript.view_of(2))["前の回答"].isEnabled()
    transcript.show_messages([question(1), answer(2)])
    assert not any("前の回答と" in text for text in texts(transcript.view_of(2)))


def test_the_result_of_a_repetition_is_announced(transcript: Transcript, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr("app.chat.ui.transcript.transcript.announce", lambda _shown, words: said.append(words))
    transcript.show_messages([question(1), Message(2, 1, 1, "answer", "", "streaming", 1.8e9, AnswerDetails())])
    transcript.finish(answer(2, is_same=True))
    assert said == ["回答が終わりました", "前の回答と同じ文章です。"]


def test_while_an_answer_is_written_no_other_one_can_be_asked_for(transcript: Transcript) -> None:
    transcript.show_answers_as(AnswerDisplayOptions(ACTIONS))
    transcript.show_messages([question(1), answer(2, branch=1, branches=2)])
    transcript.set_busy(True)
    names = ("再生成", "要約", "次の回答")
    assert [buttons(transcript.view_of(2))[name].isEnabled() for name in names] == [False] * 3
    assert "終わると使えます" in buttons(transcript.view_of(2))["再生成"].toolTip()
    assert buttons(transcript.view_of(2))["コピー"].isEnabled()
    assert not actions(transcript, 2)["再現"].isEnabled()
    transcript.set_busy(False)
    assert [buttons(transcript.view_of(2))[name].isEnabled() for name in names] == [True] * 3


# ------------------------------------------------------------------- details


def test_details_are_shown_and_taken_away_without_a_jump(transcript: Transcript) -> None:
    transcript.show_messages([question(1), answer(2)])
    line = "8.2 秒・44.9 tok/s・試験 8B・30 トークン・終わり：自然な終わり・乱数 7"
    view = transcript.view_of(2)
    assert view is not None
    assert line not in texts(view)
    document, y = view.text.document(), view.y()
    transcript.show_answers_as(AnswerDisplayOptions(shows_details=True))
    assert line in texts(view)
    assert "8.2 秒" not in texts(view)
    assert transcript.view_of(2) is view
    assert view.text.document() is document
    assert view.y() == y
    transcript.show_answers_as(AnswerDisplayOptions())
    assert line not in texts(view)
    assert "8.2 秒" in texts(view)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("stop", "自然な終わり"), ("length", "長さの上限"), ("context", "文脈の上限"), ("cancelled", "途中で停止"),
        ("interrupted", "Kotae の終了"), ("failed", "エラー"), ("new_kind", "new_kind"),
    ],
)  # fmt: skip
def test_why_an_answer_ended_is_said_in_plain_words(transcript: Transcript, reason: str, words: str) -> None:
    transcript.show_messages([question(1), answer(2, stop_reason=reason)])
    assert f"終わり：{words}" in actions(transcript, 2)


def test_a_failed_answer_shown_anew_keeps_its_explanation(transcript: Transcript) -> None:
    failed = dataclasses.replace(answer(2, stop_reason="failed", error_code="engine_died"), status="failed")
    transcript.show_messages([question(1), failed])
    transcript.explain(2, "理由が分かりました。")
    transcript.show_answers_as(AnswerDisplayOptions(shows_details=True))
    assert "理由が分かりました。" in texts(transcript.view_of(2))


def failed(number: int) -> Message:
    return dataclasses.replace(answer(number, stop_reason="failed", error_code="engine_died"), status="failed")


def test_an_explanation_is_not_shown_below_an_answer_of_another_conversation(transcript: Transcript) -> None:
    transcript.show_messages([question(1), failed(2)])
    transcript.explain(2, "理由が分かりました。")
    transcript.show_messages([question(1, "別の会話"), failed(2)])
    assert "理由が分かりました。" not in texts(transcript.view_of(2))


def test_an_explanation_comes_back_with_its_branch_but_not_into_another_store(transcript: Transcript) -> None:
    transcript.show_messages([question(1), failed(2)])
    transcript.explain(2, "理由が分かりました。")
    transcript.show_branch([question(1), answer(3)])
    transcript.show_branch([question(1), failed(2)])
    assert "理由が分かりました。" in texts(transcript.view_of(2))
    transcript.show_branch([question(1, "番号だけが同じ"), failed(2)])
    assert "理由が分かりました。" not in texts(transcript.view_of(2))


def test_the_explanation_of_an_earlier_try_is_forgotten(transcript: Transcript) -> None:
    transcript.show_messages([question(1), failed(2)])
    transcript.explain(2, "理由が分かりました。")
    transcript.finish(failed(2))
    transcript.show_answers_as(AnswerDisplayOptions(shows_details=True))
    assert "理由が分かりました。" not in texts(transcript.view_of(2))
