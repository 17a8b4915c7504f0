"""Branches of a conversation: a question in other words, an action on an answer, the same answer once more."""

import dataclasses
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.chat.answer_check import AnswerRecord
from app.chat.exchange import docx_file, markdown_file
from app.chat.exchange.conversation_bundle import Bundle, bundle_from_dict, bundle_to_dict
from app.chat.presets import Choices, Preset
from app.chat.records import AnswerDetails
from app.chat.services.chat_session import ChatSession
from app.inference import child_commands
from app.inference.local_model import LocalModel
from app.inference.services.engine import EngineClient
from tests.scene import Scene

SUMMARIZE = Preset("s", "action", "要約", Choices(max_tokens=5), "短く言い換えてください。")


def texts(scene: Scene) -> list[str]:
    return [message.text for message in scene.thread()]


# ---------------------------------------------------------------------- edit


def test_an_edited_question_is_a_branch_beside_the_old_one(scene: Scene) -> None:
    scene.ask("一")
    second = scene.ask("二")
    answer = scene.finish(lambda: scene.session.edit(second.parent_id, "弐"))
    assert answer.text == "弐"
    assert texts(scene) == ["一", "一", "弐", "弐"]
    assert (scene.thread()[2].branch, scene.thread()[2].branches) == (2, 2)
    scene.session.show_branch(scene.thread()[2].id, -1)
    assert texts(scene) == ["一", "一", "二", "二"]


def test_the_first_question_edited_keeps_everything_that_followed_it(scene: Scene) -> None:
    first = scene.ask("一")
    scene.ask("二")
    scene.finish(lambda: scene.session.edit(first.parent_id, "壱"))
    assert texts(scene) == ["壱", "壱"]
    assert len(scene.conversations.all_conversations()) == 1
    scene.session.show_branch(scene.thread()[0].id, -1)
    assert texts(scene) == ["一", "一", "二", "二"]
    assert len(scene.store.tree(scene.session.conversation.id)) == 6


def test_an_edit_to_nothing_or_while_an_answer_is_written_is_not_taken(scene: Scene) -> None:
    answer = scene.ask("一")
    assert scene.refusal(lambda: scene.session.edit(answer.parent_id, " 　\n")) == "empty_question"
    assert texts(scene) == ["一", "一"]
    with scene.qtbot.waitSignal(scene.session.text_received):
        scene.session.ask("!slow 二三四五")
    assert not scene.session.edit(answer.parent_id, "壱")
    scene.finish(scene.session.stop)


# ----------------------------------------------------------------------- act


def test_an_action_asks_its_request_with_its_own_choices_in_a_branch_of_its_own(scene: Scene) -> None:
    first = scene.ask("一")
    scene.ask("二")
    answer = scene.finish(lambda: scene.session.act(first.id, SUMMARIZE))
    assert texts(scene) == ["一", "一", SUMMARIZE.name, SUMMARIZE.request[:5]], "the model answers by its request"
    assert answer.details.choices.max_tokens == 5
    assert scene.session.choices == Choices(), "the choices are of that one answer"
    asked = scene.thread()[2]
    assert (asked.branch, asked.branches) == (2, 2)
    scene.session.show_branch(asked.id, -1)
    assert texts(scene) == ["一", "一", "二", "二"]


def test_nobody_is_shown_the_request_of_an_action_and_the_model_is_told_it_each_time(scene: Scene) -> None:
    first = scene.ask("一")
    action = dataclasses.replace(SUMMARIZE, choices=Choices())
    answer = scene.finish(lambda: scene.session.act(first.id, action))
    assert answer.text == action.request
    again = scene.finish(lambda: scene.session.regenerate(answer.id))
    assert again.text == action.request
    assert scene.finish(lambda: scene.session.reproduce(again.id)).details.is_same
    asked = scene.thread()[2]
    assert (asked.is_action, asked.text, asked.prompt_text) == (True, "要約", action.request)
    conversation = scene.session.conversation
    assert action.request not in conversation.title
    told = dataclasses.replace(scene.thread()[3], text="短い答え")  # the stand-in for a model repeats the request
    bundle = Bundle(conversation, (*scene.thread()[:3], told), "")
    written = [
        markdown_file.conversation_markdown(bundle),
        json.dumps(bundle_to_dict(bundle), ensure_ascii=False),
        docx_text(docx_file.conversation_docx(bundle)),
        docx_text(docx_file.answer_docx(AnswerRecord(asked, told, "internal"))),
    ]
    for text in written:
        assert action.request not in text
        assert "要約" in text
    assert written[0].count("## 質問") == 1, "an action is no question"
    assert bundle_from_dict(json.loads(written[1])).messages[2].text == "要約"


def docx_text(content: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return file.read("word/document.xml").decode()


# ----------------------------------------------------------------- reproduce


def test_a_repetition_stands_beside_the_old_answer_and_says_that_it_is_the_same(scene: Scene) -> None:
    first = scene.ask("同じ")
    again = scene.finish(lambda: scene.session.reproduce(first.id))
    assert (again.text, again.details.is_same, again.details.reproduces_id) == ("同じ", True, first.id)
    assert (again.details.seed, again.details.context_tokens) == (first.details.seed, first.details.context_tokens)
    assert (again.branch, again.branches) == (2, 2)
    assert scene.store.message(first.id) == dataclasses.replace(first, branches=2)
    assert scene.store.message(again.id).details == again.details, "it is still said after a restart"
    scene.store.finish_answer(first.id, "別の回答", "done", first.details)
    assert scene.finish(lambda: scene.session.reproduce(first.id)).details.is_same is False


def test_of_a_stopped_answer_the_beginning_is_compared(scene: Scene) -> None:
    with scene.qtbot.waitSignal(scene.session.text_received):
        scene.session.ask("!slow あいう")
    stopped = scene.finish(scene.session.stop)
    assert stopped.status == "stopped"
    again = scene.finish(lambda: scene.session.reproduce(stopped.id))
    assert again.status == "done"
    assert (again.details.is_same, again.details.is_part) == (True, True)


def test_a_repetition_that_is_stopped_claims_nothing(scene: Scene) -> None:
    first = scene.ask("!slow あい")
    with scene.qtbot.waitSignal(scene.session.text_received):
        scene.session.reproduce(first.id)
    again = scene.finish(scene.session.stop)
    assert again.details.is_same is None


def test_a_repetition_uses_the_settings_of_then(scene: Scene) -> None:
    scene.preferences.change(context_tokens=2048)
    scene.session.answer_by("exact", Choices(top_k=7))
    first = scene.ask("設定")
    scene.preferences.change(context_tokens=8192)
    scene.session.answer_by("standard", Choices(temperature=2.0))
    again = scene.finish(lambda: scene.session.reproduce(first.id))
    assert again.details.context_tokens == 2048
    assert (again.details.choices.temperature, again.details.choices.top_k) == (0.0, 7)
    assert scene.preferences.value.context_tokens == 8192


@pytest.fixture
def real(scene: Scene, model: LocalModel, tiny_model: Path, tmp_path: Path) -> Iterator[Scene]:
    """The same with llama.cpp: a tiny model whose random weights give random text."""
    scene.store.put_local_model(dataclasses.replace(model, id="real", path=str(tiny_model), context_tokens=512))
    scene.preferences.change(model_id="real", context_tokens=512, threads=1)
    engine = EngineClient(child_commands.engine(), tmp_path / "engine.log")
    session = ChatSession(
        scene.store,
        scene.conversations,
        scene.presets,
        engine,
        scene.library,
        scene.preferences,
        scene.where.documents,
    )
    yield dataclasses.replace(scene, engine=engine, session=session)
    engine.shut_down()


def test_a_real_model_repeats_a_random_answer_letter_by_letter(real: Scene) -> None:
    # Of three tokens: rounding differs with what is cached, and would turn a draw of three hundred equally likely ones.
    real.session.answer_by(None, Choices(temperature=1.5, top_k=3, top_p=1.0, min_p=0.0, max_tokens=24))
    first = real.ask("何か")
    other = real.finish(lambda: real.session.regenerate(first.id))
    assert other.text != first.text, "the text is random"
    again = real.finish(lambda: real.session.reproduce(first.id))
    assert again.text == first.text
    assert again.details.is_same is True


def test_an_answer_with_holes_in_its_settings_or_without_its_model_is_not_repeated(scene: Scene) -> None:
    first = scene.ask("問い")
    for holes in ({"context_tokens": 0}, {"seed": 1 << 40}, {"choices": Choices(temperature=0.5)}):
        scene.store.finish_answer(first.id, first.text, "done", dataclasses.replace(first.details, **holes))
        scene.session.reproduce(first.id)
        assert not scene.session.is_busy
    scene.store.finish_answer(first.id, first.text, "done", first.details)
    scene.library.remove("tiny")
    assert scene.refusal(lambda: scene.session.reproduce(first.id)) == "model_gone"
    assert len(scene.thread()) == 2


def test_an_empty_answer_in_the_middle_gets_a_branch_beside_it_and_hides_nothing(scene: Scene) -> None:
    first = scene.ask("一")
    scene.ask("二")
    emptied = scene.store.finish_answer(first.id, "", "failed", first.details or AnswerDetails())
    again = scene.finish(lambda: scene.session.regenerate(emptied.id))
    assert (again.branch, again.branches) == (2, 2)
    scene.session.show_branch(again.id, -1)
    assert texts(scene) == ["一", "", "二", "二"]
