"""考えずに答える, and what helps an answer that ended in its thoughts, on the page with a model that can think."""

import dataclasses
from pathlib import Path

import pytest
from PySide6.QtCore import Qt

from app.chat.presets import Choices
from app.chat.records import AnswerDetails
from app.inference.engine.messages import Ask
from app.inference.local_model import LocalModel
from app.models import local_models
from tests.chat.ui.driver import CONTROL, Window, buttons, press
from tests.scene import Scene

OPEN, CLOSED = "assistant\n<think>\n", "assistant\n<think>\n\n</think>\n\n"


@pytest.fixture
def model(long_model: Path) -> LocalModel:
    return LocalModel("tiny", "考えるモデル", str(long_model), 1, "llama", "F32", 32768, 1.0, form_id="qwen3")


@pytest.fixture
def asked(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> list[Ask]:
    """What the engine was asked."""
    found: list[Ask] = []
    send = scene.engine.send

    def note(command: object) -> None:
        found.extend([command] if isinstance(command, Ask) else [])
        send(command)  # type: ignore[arg-type]

    monkeypatch.setattr(scene.engine, "send", note)
    return found


def test_the_box_below_the_field_decides_and_is_remembered_with_the_conversation(scene, page, asked):
    box = page.composer.at_once
    assert (box.isVisible(), box.isChecked(), box.text()) == (True, True, "考えずに答える")  # as the form says
    assert scene.ask("!say 二です。\n以上。").text == "二です。"
    press(page.composer.editor, Qt.Key.Key_T, CONTROL)
    assert not box.isChecked()
    answer = scene.ask("!say 足し算だ。</think>二です。\n以上。")
    assert (answer.text, answer.details.thoughts) == ("二です。", "足し算だ。")
    first, second = (one.prompt[-1].text for one in asked)
    assert (first.endswith(CLOSED), second.endswith(OPEN)) == (True, True)
    here = scene.session.conversation
    scene.session.open_new()
    assert box.isChecked()
    scene.session.open(here.id)
    assert not box.isChecked()
    box.click()
    assert scene.session.choices.thought_tokens == 0


def test_before_the_first_question_it_can_be_chosen_too(scene, page, asked):
    page.composer.at_once.click()
    scene.ask("!say うむ。</think>はい。")
    assert asked[0].prompt[-1].text.endswith(OPEN)
    assert scene.session.conversation.choices.thought_tokens == 2048


def test_a_model_without_thoughts_has_no_box(scene, page, model):
    scene.library.update(dataclasses.replace(model, form_id="llama3"))
    assert not page.composer.at_once.isVisible()
    press(page.composer.editor, Qt.Key.Key_T, CONTROL)
    assert scene.session.choices.thought_tokens is None


def test_an_answer_that_ended_in_its_thoughts_offers_more_of_them_or_none(scene, page, asked):
    scene.preferences.change(context_tokens=4096)
    few = Choices(max_tokens=3900, thought_tokens=64)
    assert scene.session.answer_by(scene.session.preset.id, few)
    cut = scene.ask(f"!say {'う' * 80}</think>二です。\n以上。")
    assert (cut.text, cut.details.stop_reason, cut.ended_in_thoughts) == ("", "thoughts", True)
    offered = buttons(page.transcript.view_of(cut.id))
    longer = offered["4 倍まで考えて答える"]
    assert "256" in longer.toolTip()
    answer = scene.finish(longer.click)
    assert (answer.id, answer.text) == (cut.id, "二です。")  # in place of the empty one
    assert (asked[-1].thought_tokens, scene.engine.loaded.context_tokens) == (256, 8192)
    assert scene.session.choices == few  # this once
    assert not page.transcript.view_of(cut.id)._end.thinking_buttons
    scene.session.open_new()
    assert scene.session.answer_by(scene.session.preset.id, few)
    again = scene.ask(f"!say {'う' * 80}")
    at_once = buttons(page.transcript.view_of(again.id))["考えずに答える"]
    scene.finish(at_once.click)
    assert asked[-1].prompt[-1].text.endswith(CLOSED)


@pytest.mark.parametrize(
    ("reason", "text", "thoughts", "ended_there"),
    [
        ("thoughts", "", "うーん", True),
        ("context", "", "うーん", True),
        ("length", "", "うーん", True),
        ("length", "二", "うーん", False),
        ("context", "", "", False),
        ("end", "", "うーん", False),
    ],
)
def test_only_without_a_word_of_answer_it_ended_in_thoughts(scene, reason, text, thoughts, ended_there):
    question = scene.store.add_question("質問")
    answer = scene.store.add_answer(question.id, AnswerDetails())
    details = AnswerDetails(stop_reason=reason, thoughts=thoughts)
    assert scene.store.finish_answer(answer.id, text, "done", details).ended_in_thoughts is ended_there


@pytest.mark.model
def test_a_real_model_thinks_in_the_window_and_its_thoughts_are_kept_folded(
    open_window, store, thinker, qtbot, monkeypatch
):
    monkeypatch.delenv("KOTAE_ENGINE")
    store.put_local_model(dataclasses.replace(local_models.describe(thinker), template_allowed=True))
    parts = open_window()
    parts.preferences.change(threads=1)  # rounding differs with their number, which follows what other programs do
    window = Window(parts, qtbot)
    session, box = window.session, window.composer.at_once
    qtbot.waitUntil(box.isVisible)  # its template is read in the background
    assert box.isChecked()
    assert session.answer_by(session.preset.id, Choices(temperature=0.0, max_tokens=5, thought_tokens=60))
    assert not box.isChecked()
    answer = window.ask("日本の首都は？")
    kept = store.message(answer.id)
    assert kept.details.thoughts
    assert kept.text
    assert "think>" not in kept.details.thoughts + kept.text
    folds = [name for name in buttons(window.transcript.view_of(answer.id)) if name.startswith("考えた内容")]
    assert len(folds) == 1
    box.click()
    assert not window.ask("二に二を足すと？").details.thoughts
