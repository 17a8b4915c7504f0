"""評価を実行 as a user meets it: each comparison becomes its wish, what is missing is said, the keyboard suffices."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.paths import Paths
from app.base.services import background
from app.base.settings import Settings
from app.documents.grounding.grounding_record import CollectionRef
from app.evaluation import question_sets
from app.evaluation.records import Question
from app.evaluation.ui import study_dialog, study_dialog_rules
from app.uikit.dialogs import Dialog
from app.uikit.theme import Theme
from tests.evaluation.ui.start_desk import StartDesk

KEY = Qt.Key


@pytest.fixture
def desk(
    where: Paths, tmp_path: Path, theme: Theme, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartDesk]:
    monkeypatch.setattr(study_dialog, "WAIT_MS", 10)
    (tmp_path / "モデル").mkdir()
    yield StartDesk(where, tmp_path / "モデル", theme, qtbot)
    background.shut_down()
    QApplication.processEvents()


# ------------------------------------------------------------------- each comparison


def test_documents_are_compared_with_what_is_there_already_chosen(desk: StartDesk) -> None:
    dialog = desk.ask()
    assert dialog.kinds.key == "documents"
    assert desk.reckoned(dialog).startswith("5 構成 × 3 問 = 15 回答")  # for one so small the documents are quoted, too
    named, explained = dialog.systems.text().split("\n")
    assert named == "元のモデル、元のモデル + 資料、学習後、学習後 + 資料、抜粋表示（資料の引用だけ）"
    assert explained.startswith("「抜粋表示（資料の引用だけ）」は、回答を作らずに資料の該当箇所をそのまま示します。")
    wish = desk.begin(dialog)
    base, _, tuned = desk.models
    assert (wish.compares, wish.question_set, wish.limit) == ("documents", "現場の質問", None)
    assert (wish.models, wish.tuned) == ((base,), tuned)
    assert wish.scope == (CollectionRef(1, "基準"),)
    asking = wish.asking
    assert (asking.name, asking.seeds, asking.temperature) == ("資料と学習の比較", 1, None)
    assert (asking.max_tokens, asking.context_tokens, asking.judge) == (512, 2048, None)


def test_another_base_has_no_training_of_the_first(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.press(KEY.Key_Down, at=dialog.part("documents").base)
    assert dialog.part("documents").tuned.currentText() == "なし"
    assert desk.reckoned(dialog).startswith("3 構成")
    assert desk.begin(dialog).models == (desk.models[1],)


def test_models_that_are_marked_are_compared(desk: StartDesk) -> None:
    dialog = desk.ask("models")
    assert (dialog.start_button.isEnabled(), dialog.systems.isVisible()) == (False, False)
    assert dialog.reason.text() == "▲ 比べるモデルを 2 つ以上選んでください。"
    desk.mark(dialog, "one", "tuned")
    assert dialog.request.kind(desk.models) == "questions"  # a base and its training: no comparison of bases
    desk.mark(dialog, "tuned", "two")
    assert desk.reckoned(dialog).startswith("2 構成 × 3 問 = 6 回答")
    assert dialog.systems.text() == "一つ目、二つ目"
    wish = desk.begin(dialog)
    assert (wish.kind(desk.models), wish.models, wish.scope) == ("bases", tuple(desk.models[:2]), ())


def test_models_can_be_asked_what_comes_with_the_program(desk: StartDesk) -> None:
    dialog = desk.ask("models")
    desk.press(KEY.Key_End, at=dialog.questions.set)
    assert dialog.questions.set.currentText() == "付属の質問（一般の質問　23 問）"
    assert dialog.request.question_set == ""
    desk.click(dialog.kinds.answers["documents"].radio)
    assert dialog.request.question_set == "現場の質問"  # it needs one
    desk.click(dialog.kinds.answers["models"].radio)
    assert dialog.questions.set.currentText().startswith("付属の質問")


def test_forms_are_those_of_the_paper_until_others_are_marked(desk: StartDesk) -> None:
    dialog = desk.ask("quantizations")
    assert dialog.request.forms == ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M")
    assert not dialog.part("quantizations").forms.rows["F16"].box.isEnabled()  # the others are compared with it
    desk.until(lambda: "約" in dialog.part("quantizations").forms.rows["Q8_0"]._facts.text())
    for form in ("Q8_0", "Q6_K", "Q5_K_M"):
        dialog.part("quantizations").forms.rows[form].box.click()
    assert desk.reckoned(dialog).startswith("2 構成 × 3 問 = 6 回答")
    wish = desk.begin(dialog)
    assert (wish.compares, wish.models, wish.forms, wish.tuned) == (
        "quantizations", (desk.models[0],), ("F16", "Q4_K_M"), None,
    )  # fmt: skip


def test_amounts_of_data_are_those_of_a_frozen_split(desk: StartDesk) -> None:
    folder = desk.freeze()
    dialog = desk.ask("scale")
    assert dialog.part("scale").data.currentText() == "敬体（行.csv）　学習用 60 件"
    assert not dialog.judge.isVisible()  # the hold-out judges
    dialog.part("scale").sizes.setText("たくさん")
    assert dialog.reason.text() == f"▲ {study_dialog_rules.problem_text('sizes_form')}"
    dialog.part("scale").sizes.clear()
    dialog.part("scale").sizes.insert("２０、40 60")
    dialog.part("scale").runs.setFocus()
    desk.press(KEY.Key_Up, at=dialog.part("scale").runs)
    dialog.part("scale").control.click()
    wish = dialog.request
    assert (wish.compares, wish.data, wish.sizes) == ("scale", str(folder), (20, 40, 60))
    assert (wish.runs, wish.has_control, wish.training_preset) == (4, False, "standard")
    assert (wish.models, wish.question_set, dialog.problem) == ((desk.models[0],), "", "")
    assert desk.reckoned(dialog).startswith("学習 12 回（長くても約 ")
    assert desk.begin(dialog) == wish


def test_trained_models_can_be_asked_questions_too_and_then_somebody_can_judge(desk: StartDesk) -> None:
    desk.freeze()
    dialog = desk.ask("scale")
    desk.press(KEY.Key_Home, at=dialog.questions.set)
    assert dialog.request.question_set == "現場の質問"
    assert dialog.judge.isVisible()
    desk.press(KEY.Key_Down, at=dialog.judge.judge)
    assert dialog.request.asking.judge == desk.models[0]
    desk.press(KEY.Key_End, at=dialog.questions.set)
    assert dialog.request.asking.judge is None  # there is nothing to judge
    assert not dialog.questions.limit.isVisible()


def test_a_set_that_is_asked_for_is_chosen(desk: StartDesk) -> None:
    question_sets.store(desk.where.questions, "別の質問", [Question("a", "一問だけ")])
    dialog = desk.ask(question_set="別の質問")
    assert dialog.request.question_set == "別の質問"
    assert dialog.questions.set.currentText().startswith("別の質問（1 問")


# ------------------------------------------------------------------ what is missing


@pytest.mark.parametrize("has_trainer", [True, False])
def test_what_cannot_be_compared_says_why_and_cannot_be_chosen(desk: StartDesk, *, has_trainer: bool) -> None:
    desk.freeze()
    desk.has_trainer = has_trainer
    reasons = {"scale": "学習環境がありません。「設定」の「学習環境」で作れます。"}
    if has_trainer:
        desk.models = desk.models[:1]
        question_sets.remove(desk.where.questions, "現場の質問")
        reasons = {
            "models": "モデルが 1 つしかありません。「モデル」で追加してください。",
            "documents": "自分の質問集がありません。「質問集を追加」で追加すると選べます。",
        }
    dialog = desk.ask()
    for kind, reason in reasons.items():
        answer = dialog.kinds.answers[kind]
        assert (answer.radio.isEnabled(), answer.about.text()) == (False, reason)
        assert answer.radio.accessibleDescription() == reason
        assert answer.radio.palette().windowText().color() == desk.theme.color("muted")
        before = dialog.kinds.key
        assert before not in ("", kind)
        QTest.mouseClick(answer, Qt.MouseButton.LeftButton)
        assert dialog.kinds.key == before


def test_without_any_model_nothing_can_be_begun(desk: StartDesk) -> None:
    desk.models = []
    dialog = desk.ask()
    assert dialog.kinds.key == ""
    assert not dialog.start_button.isEnabled()
    assert dialog.reason.text() == "▲ 比べられるものが、まだありません。"


def test_what_only_a_look_at_the_files_tells_is_told_too(desk: StartDesk) -> None:
    dialog = desk.ask()
    Path(desk.models[0].path).unlink()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    desk.until(lambda: dialog.forecasting.error is not None)
    assert "一.gguf" in dialog.reason.text()
    assert not dialog.start_button.isEnabled()


def test_what_the_model_recommends_may_be_no_temperature_and_then_it_is_said_what_to_do(desk: StartDesk) -> None:
    desk.models[0] = dataclasses.replace(desk.models[0], card_id="gemma-3-270m")
    dialog = desk.ask()
    desk.click(dialog.fold_button)
    desk.press(KEY.Key_Up, at=dialog.expert.seeds)
    assert desk.reckoned(dialog) == (
        "▲ 「自動」の温度では、2 回尋ねても毎回同じ回答になります。"
        "このモデルの推奨値は 0 なので、温度を 0 より大きくしてください。"
    )


def test_a_model_whose_file_is_gone_says_so_before_it_is_marked(desk: StartDesk) -> None:
    Path(desk.models[1].path).unlink()
    dialog = desk.ask("models")
    row = dialog.part("models").models.rows["two"]
    assert (row.box.isEnabled(), row.box.accessibleDescription()) == (False, "ファイルがありません")
    assert dialog.part("documents").base.itemText(1) == "× 二つ目"
    assert dialog.part("models").models.rows["one"].box.isEnabled()


def test_without_a_base_that_can_be_trained_the_models_are_not_said_to_be_missing(desk: StartDesk) -> None:
    for model in desk.models:
        Path(model.path).unlink(missing_ok=True)
    desk.freeze()
    dialog = desk.ask()
    said = "学習できるモデルがありません。「モデル」で確かめてください。"
    assert dialog.kinds.answers["scale"].about.text() == said


# ------------------------------------------------------------------- how it is asked


def test_folded_settings_become_part_of_the_wish(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.press(KEY.Key_Down, at=dialog.judge.judge)
    desk.click(dialog.fold_button)
    expert = dialog.expert
    expert.name.insert("秋の比較")
    desk.press(KEY.Key_Up, at=expert.max_tokens)
    desk.press(KEY.Key_Up, at=expert.context)
    desk.press(KEY.Key_Down, at=expert.preset)
    expert.pairs.click()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    asking = dialog.request.asking
    assert (asking.name, asking.max_tokens, asking.context_tokens) == ("秋の比較", 576, 2560)
    assert (asking.judge, asking.judge_preset) == (desk.models[0], "paper-2603.18037")
    assert asking.has_pairs
    assert dialog.request.limit == 1
    desk.press(KEY.Key_Up, at=dialog.judge.judge)  # nobody judges: nobody compares two answers
    assert not expert.pairs.isVisible()
    assert not dialog.request.asking.has_pairs


# ------------------------------------------------------------- keyboard, eyes and ears


def test_the_keyboard_alone_begins_a_study(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.until(lambda: QApplication.focusWidget() is dialog.kinds.answers["documents"].radio)
    desk.press(KEY.Key_Down, at=dialog.kinds.answers["documents"].radio)
    assert dialog.kinds.key == "models"
    for _ in range(40):
        focused = QApplication.focusWidget()
        assert focused is not None
        if focused is dialog.start_button:
            break
        if focused in [row.box for row in dialog.part("models").models.rows.values()]:
            desk.press(KEY.Key_Space, at=focused)
            desk.until(lambda: bool(dialog.problem) or dialog.start_button.isEnabled())
        desk.press(KEY.Key_Tab, at=focused)
    desk.press(KEY.Key_Return, at=dialog.start_button)
    desk.until(lambda: bool(desk.wishes))
    assert [wish.models for wish in desk.wishes] == [tuple(desk.models)]


def test_esc_leaves_without_a_study_but_not_unasked_with_what_was_chosen(desk: StartDesk) -> None:
    untouched, dialog = desk.ask(), desk.ask()
    desk.press(KEY.Key_Escape, at=untouched)
    assert not untouched.isVisible()
    desk.click(dialog.fold_button)
    dialog.expert.name.insert("秋の比較")
    desk.press(KEY.Key_Escape, at=dialog)
    (asked,) = (one for one in dialog.findChildren(Dialog) if one.isVisible())
    desk.press(KEY.Key_Escape, at=asked)
    assert dialog.isVisible()
    assert dialog.request.asking.name == "秋の比較"
    desk.click(dialog.cancel_button)
    (asked,) = (one for one in dialog.findChildren(Dialog) if one.isVisible())
    desk.click(asked.buttons["leave"])
    assert (dialog.isVisible(), desk.wishes) == (False, [])


def test_nothing_begins_before_it_is_known_what_it_takes(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.reckoned(dialog)
    assert dialog.start_button.isEnabled()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    assert dialog.forecast.text() == "見積もっています…"
    assert dialog.start_button.accessibleDescription() == "見積もっています…"
    desk.click(dialog.start_button)
    assert dialog.start_button.isDown()
    assert dialog.forecast.text() == "見積もりが終わりしだい始めます…"
    assert desk.wishes == []
    desk.until(lambda: bool(desk.wishes))
    assert dialog.progress.isVisible()
    assert not dialog.start_button.isDown()
    (wish,) = desk.wishes
    assert wish.limit == 1


def test_what_is_changed_left_or_impossible_after_the_click_is_not_begun_unasked(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    desk.click(dialog.start_button)
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    assert not dialog.start_button.isDown()
    assert desk.reckoned(dialog).startswith("5 構成")
    assert desk.wishes == []
    dialog = desk.ask()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    desk.click(dialog.start_button)
    desk.press(KEY.Key_Escape, at=dialog)  # asks first: something was chosen
    desk.reckoned(dialog)
    assert desk.wishes == []
    dialog = desk.ask()
    Path(desk.models[0].path).unlink()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    desk.click(dialog.start_button)
    assert "一.gguf" in desk.reckoned(dialog)
    assert not dialog.start_button.isDown()
    assert desk.wishes == []


def test_it_stays_open_until_the_study_is_made_and_keeps_what_was_chosen_where_that_fails(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.press(KEY.Key_Up, at=dialog.questions.limit)
    desk.reckoned(dialog)
    desk.click(dialog.start_button)
    assert dialog.progress.isVisible()
    assert not dialog.start_button.isEnabled()
    with desk.qtbot.waitSignal(dialog.progress.cancelled):
        desk.press(KEY.Key_Escape, at=dialog)
    assert dialog.isVisible()
    dialog.end_making(AppError("study_busy"))
    assert not dialog.progress.isVisible()
    assert dialog.reason.text().startswith("▲ ほかの評価が進行中です（一度に 1 つだけ実行できます）。")
    assert dialog.request.limit == 1
    desk.click(dialog.start_button)
    assert dialog.reason.text() == ""
    assert len(desk.wishes) == 2


def test_enter_in_a_field_begins_nothing_and_the_same_answer_is_not_asked_for_twice(desk: StartDesk) -> None:
    dialog = desk.ask()
    desk.click(dialog.fold_button)
    desk.press(KEY.Key_Return, at=dialog.expert.name)
    desk.press(KEY.Key_Return, at=dialog.questions.limit)
    assert dialog.isVisible()
    assert desk.wishes == []
    dialog = desk.ask()
    desk.click(dialog.fold_button)
    desk.press(KEY.Key_Up, at=dialog.expert.seeds)
    dialog.expert.temperature.show_number(0.1)
    desk.press(KEY.Key_Down, at=dialog.expert.temperature)
    assert (dialog.request.asking.seeds, dialog.request.asking.temperature) == (2, 0.0)
    assert dialog.reason.text().startswith("▲ 2 回以上尋ねるときは、温度を 0 より大きく")


@pytest.mark.parametrize("kind", study_dialog_rules.KINDS)
def test_everything_fits_at_twice_the_size_in_a_small_window_and_has_a_name(
    desk: StartDesk, qapp: QApplication, theme: Theme, kind: str
) -> None:
    desk.freeze()
    theme.apply(qapp, Settings(theme="dark", text_scale_percent=200))
    dialog = desk.ask(kind, width=800, height=600)
    dialog.fold_button.click()
    assert desk.problems(dialog) == []
    assert dialog.width() <= 760
    assert dialog.height() <= 560
