"""Versions of questions and answers in the conversation, and what can be done with each."""

import dataclasses

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel

from app.chat.presets import PROGRAM_DEFAULTS, Choices, Preset
from app.chat.records import AnswerDetails, Message
from app.chat.ui.transcript.answer_actions import AnswerDisplayOptions
from app.documents.grounding.grounding_record import Grounding
from tests.chat.ui.driver import answer, clipboard, entries, failed, heard, press, question, streaming

ACTIONS = tuple(Preset(name, "action", name, request=name + "してください。") for name in ("要約", "やさしく", "表に"))
REASON = "理由が分かりました。"


def turns(first: int, last: int, text: str) -> list[Message]:
    """Questions and answers of these numbers."""
    return [m for n in range(first, last, 2) for m in (question(n), answer(n + 1, text))]


# --------------------------------------------------------------------- pager


def test_a_question_with_versions_has_the_same_switch_as_an_answer(transcript):
    transcript.show_messages([question(1, branch=2, branches=3), answer(2, branch=1, branches=2), question(3)])
    steps = heard(transcript.requests.branch_requested)
    assert "2／3" in transcript.words(1)
    assert "1／2" in transcript.words(2)
    assert type(transcript.view_of(1).pager) is type(transcript.view_of(2).pager)
    transcript.buttons(1)["前の聞き方"].click()
    transcript.buttons(2)["次の回答"].click()
    assert steps == [(1, -1), (2, 1)]
    assert not transcript.buttons(2)["前の回答"].isEnabled()
    transcript.show_messages([question(1), answer(2)])
    assert not {"前の聞き方", "次の聞き方"} & set(transcript.buttons(1))
    assert not {"前の回答", "次の回答"} & set(transcript.buttons(2))


def test_the_keys_switch_the_message_with_the_keyboard_else_the_last_with_versions(transcript):
    steps = heard(transcript.requests.branch_requested)
    transcript.show_messages(
        [question(1, branch=2, branches=3), answer(2), question(3), answer(4, branch=1, branches=2), question(5)]
    )
    transcript.step_branch(1)
    transcript.step_branch(-1)  # there is none before the first
    transcript.view_of(1).text.setFocus()
    transcript.step_branch(-1)
    transcript.view_of(5).text.setFocus()
    transcript.step_branch(1)
    assert steps == [(4, 1), (1, -1), (4, 1)]


def test_another_branch_keeps_the_widgets_before_it_and_its_place(transcript):
    before = [*turns(1, 21, "一行です。\n\n" * 4), question(21)]
    old = answer(22, "古い回答。", branch=1, branches=2)
    transcript.show_messages([*before, old, question(23), answer(24, "続き。\n\n" * 30)])
    transcript.show_branch([*before, old])
    transcript.settle()
    kept, y = transcript.view_of(21), transcript.view_of(22).y()
    transcript.show_branch([*before, answer(32, "新しい回答。", branch=2, branches=2)])
    assert transcript.view_of(21) is kept
    assert transcript.view_of(32).y() == y
    assert transcript.text_of(32) == "新しい回答。"
    assert transcript.view_of(22) is None


def test_a_branch_out_of_sight_is_brought_into_sight(transcript):
    tail = turns(3, 41, "長い。\n\n" * 5)
    transcript.show_messages([question(1), answer(2, "古い", branch=1, branches=2), *tail])
    assert transcript.view_of(2) is None
    transcript.show_branch([question(1), answer(50, "新しい", branch=2, branches=2), *tail])
    transcript.settle()
    assert 0 <= transcript.view_of(50).y() < transcript.viewport().height()


def test_a_new_answer_in_another_branch_is_followed_while_it_is_written(transcript):
    before = turns(1, 21, "一行です。\n\n" * 4)
    transcript.show_messages(before)
    transcript.verticalScrollBar().setValue(0)
    transcript.show_branch([*before[:-1], dataclasses.replace(streaming(30), parent_id=19, branch=2, branches=2)])
    transcript.settle()
    assert transcript.is_at_end()


def test_the_keyboard_stays_at_the_switch(transcript):
    def show(number: int, branch: int) -> None:
        transcript.show_branch([question(1), answer(number, branch=branch, branches=3)])

    show(2, 1)
    transcript.buttons(2)["次の回答"].setFocus()
    show(3, 2)
    assert transcript.buttons(3)["次の回答"].hasFocus()
    show(4, 3)
    assert transcript.buttons(4)["前の回答"].hasFocus(), "there is no next one"
    transcript.view_of(4).text.setFocus()
    show(2, 1)
    assert transcript.view_of(2).text.hasFocus()


# ------------------------------------------------------------------ question


def test_a_questions_buttons_come_with_keyboard_and_pointer_and_its_menu_has_the_same(transcript, qtbot):
    transcript.show_messages([question(1, "編集する質問"), answer(2)])
    view, edits, more = transcript.view_of(1), heard(transcript.requests.edit_requested), "この質問のその他の操作"
    assert list(transcript.buttons(1)) == [more]
    height = view.height()
    view.text.setFocus()
    press(view.text, Qt.Key.Key_Tab)
    assert transcript.buttons(1)["編集して聞き直す"].hasFocus()
    assert view.height() == height
    press(transcript.focusWidget(), Qt.Key.Key_Space)
    transcript.buttons(1)["コピー"].click()
    assert clipboard() == "編集する質問"
    transcript.view_of(2).text.setFocus()
    assert list(transcript.buttons(1)) == [more]
    menu = entries(view.menu())
    assert list(menu) == ["編集して聞き直す", "コピー"]
    menu["編集して聞き直す"].trigger()
    assert edits == [(1,), (1,)]
    qtbot.mouseMove(view, QPoint(20, 20))  # where an earlier test has left the pointer, one move may be none
    qtbot.mouseMove(view, QPoint(30, 30))
    qtbot.waitUntil(lambda: "コピー" in transcript.buttons(1))


def test_the_question_of_an_action_is_a_line_with_its_name_and_cannot_be_edited(transcript):
    asked = dataclasses.replace(
        question(3, "要約", branch=1, branches=2),
        details=AnswerDetails(is_action=True, request="三行に要約してください。"),
    )
    said = answer(4, is_action=True)
    transcript.show_messages([question(1), answer(2), asked, said])
    view = transcript.view_of(3)
    shown = [label.text() for label in view.findChildren(QLabel)]
    assert any(text.startswith("操作：要約") for text in shown)
    assert not view.text.isVisible()
    assert "要約してください" not in " ".join([*shown, view.text.toPlainText(), view.accessibleDescription()])
    assert set(transcript.buttons(3)) == {"前の聞き方", "次の聞き方"}
    assert view.height() < transcript.view_of(1).height()
    assert "編集して聞き直す" not in transcript.menu(4)
    assert "編集して聞き直す" in transcript.menu(2)


def test_where_there_is_no_room_a_question_keeps_to_its_menu(transcript):
    transcript.resize(230, 400)
    transcript.show_messages([question(1, branch=1, branches=2), answer(2)])
    view = transcript.view_of(1)
    view.text.setFocus()
    found = transcript.buttons(1)
    assert "編集して聞き直す" not in found
    more = found["この質問のその他の操作"]
    assert more.mapTo(view, QPoint(more.width(), 0)).x() <= view.width()


# -------------------------------------------------------------------- answer


def test_actions_are_buttons_where_there_is_room_and_in_the_menu_where_not(transcript, qtbot):
    chosen = heard(transcript.requests.action_chosen)
    transcript.show_answers_as(AnswerDisplayOptions(ACTIONS))
    transcript.show_messages([question(1), answer(2)])
    assert {"要約", "やさしく", "表に"} <= set(transcript.buttons(2))
    assert "要約" not in transcript.menu(2)
    transcript.buttons(2)["要約"].click()
    transcript.resize(400, 600)
    qtbot.waitUntil(lambda: "表に" not in transcript.buttons(2))
    found, menu = transcript.buttons(2), transcript.menu(2)
    assert {"コピー", "再生成"} <= set(found)
    hidden = [preset.name for preset in ACTIONS if preset.name not in found]
    assert [name for name in menu if name in hidden] == hidden
    menu["表に"].trigger()
    assert chosen == [(2, ACTIONS[0]), (2, ACTIONS[2])]


def test_nothing_below_an_answer_is_wider_than_the_page(transcript, qtbot):
    transcript.show_answers_as(AnswerDisplayOptions(ACTIONS))
    for width in (280, 320, 400, 560, 900):
        transcript.resize(width, 600)
        transcript.show_messages([question(1), answer(2, branch=2, branches=2, is_same=False)])
        qtbot.wait(20)
        view = transcript.view_of(2)
        for button in transcript.buttons(2).values():
            corner = button.mapTo(view, QPoint(button.width(), button.height()))
            assert button.width() >= button.minimumSizeHint().width(), width
            assert corner.x() <= view.width(), width
            assert corner.y() <= view.height(), width


def test_the_menu_of_an_answer_edits_reproduces_and_opens_the_record(transcript):
    transcript.show_messages([question(1), answer(2)])
    requests, menu = transcript.requests, transcript.menu(2)
    asked = {
        "編集して聞き直す": heard(requests.edit_requested),
        "再現": heard(requests.reproduce_requested),
        "記録を見る": heard(requests.navigation.log_requested),
    }
    for name in asked:
        menu[name].trigger()
    assert [len(calls) for calls in asked.values()] == [1] * 3
    assert (asked["編集して聞き直す"], asked["再現"]) == ([(1,)], [(2,)])
    assert "乱数でもう一度答え" in menu["再現"].toolTip()


def test_an_answer_of_which_the_settings_are_not_known_cannot_be_reproduced(transcript):
    for details in (
        {"choices": None},
        {"context_tokens": 0},
        {"seed": 1 << 40},
        {"choices": Choices(temperature=0.5)},
        {"choices": dataclasses.replace(PROGRAM_DEFAULTS, top_k=-1)},
        {"left_out_turns": -1},
    ):
        transcript.show_messages([question(1), answer(2, **details)])
        assert "再現" not in transcript.menu(2), details


def test_a_repetition_says_with_mark_and_sentence_whether_it_is_the_same(transcript):
    def said(**details: object) -> list[str]:
        transcript.show_messages([question(1), answer(2, branch=2, branches=2, **details)])
        return [text.partition("。")[0] for text in transcript.words(2) if "前の回答" in text and "。" in text]

    assert said(is_same=True, reproduces_id=1) == ["前の回答と同じ文章です"]
    assert said(is_same=True, is_part=True) == ["前の回答が止まったところまでは、同じ文章です"]
    assert said(is_same=False, reproduces_id=1) == ["前の回答と文章が違います"]
    assert transcript.buttons(2)["前の回答"].isEnabled()
    assert said() == []


def test_while_an_answer_is_written_no_other_one_can_be_asked_for(transcript):
    transcript.show_answers_as(AnswerDisplayOptions(ACTIONS))
    transcript.show_messages([question(1), answer(2, branch=1, branches=2)])
    found = transcript.buttons(2)
    for is_busy in (True, False):
        transcript.set_busy(is_busy)
        assert [found[name].isEnabled() for name in ("再生成", "要約", "次の回答")] == [not is_busy] * 3
        assert ("終わると使えます" in found["再生成"].toolTip()) == is_busy
        assert found["コピー"].isEnabled()
        assert transcript.menu(2)["再現"].isEnabled() != is_busy


# ------------------------------------------------------------------- details


def test_details_are_shown_and_taken_away_without_a_jump(transcript):
    transcript.show_messages([question(1), answer(2)])
    line = "8.2 秒・44.9 tok/s・試験 8B・30 トークン・終了：回答の完了・乱数 7"
    view = transcript.view_of(2)
    before = (view, view.text.document(), view.y())
    for shows_details in (False, True, False):
        transcript.show_answers_as(AnswerDisplayOptions(shows_details=shows_details))
        assert (line in transcript.words(2)) == shows_details
        assert ("8.2 秒" in transcript.words(2)) != shows_details
        assert (transcript.view_of(2), view.text.document(), view.y()) == before
    assert transcript.facts(2) == line.split("・")


def test_why_an_answer_ended_is_said_in_plain_words(transcript):
    for reason, said in (
        ("stop", "回答の完了"), ("length", "長さの上限"), ("context", "文脈の上限"), ("cancelled", "途中で停止"),
        ("interrupted", "Kotae の終了"), ("failed", "エラー"), ("new_kind", "new_kind"),
    ):  # fmt: skip
        transcript.show_messages([question(1), answer(2, stop_reason=reason)])
        assert f"終了：{said}" in transcript.facts(2)


def test_it_is_said_whether_meaning_was_searched_and_what_reordering_took(transcript):
    for kept, said in (
        ({}, []),
        ({"by_meaning": "used"}, ["言葉と意味で検索"]),
        ({"by_meaning": "missed"}, ["言葉だけで検索（意味検索は使えず）"]),
        ({"reranked": "used", "rerank_s": 2.1}, ["並べ替え 2.1 秒"]),
        ({"reranked": "missed", "rerank_s": 2.1}, ["並べ替えなし（時間切れか失敗）"]),
    ):
        transcript.show_messages([question(1), answer(2, grounding=Grounding(**kept)), question(3), answer(4)])
        found = [[one for one in transcript.facts(at) if "検索" in one or "並べ替え" in one] for at in (2, 4)]
        assert found == [said, []]


def test_an_explanation_stays_with_its_answer_and_its_branch_until_it_is_tried_again(transcript):
    transcript.show_messages([question(1), failed(2)])
    transcript.explain(2, REASON)
    transcript.show_answers_as(AnswerDisplayOptions(shows_details=True))
    assert REASON in transcript.words(2)
    transcript.show_branch([question(1), answer(3)])
    transcript.show_branch([question(1), failed(2)])
    assert REASON in transcript.words(2)
    transcript.show_branch([question(1, "番号だけが同じ"), failed(2)])
    assert REASON not in transcript.words(2)
    transcript.explain(2, REASON)
    transcript.finish(failed(2))
    transcript.show_answers_as(AnswerDisplayOptions())
    assert REASON not in transcript.words(2)
    transcript.explain(2, REASON)
    transcript.show_messages([question(1, "別の会話"), failed(2)])
    assert REASON not in transcript.words(2)
