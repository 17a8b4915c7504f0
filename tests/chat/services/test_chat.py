"""The open conversation, with the fake engine: nothing that was said is lost."""

import contextlib
import dataclasses
import itertools
import shutil
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.settings import Settings
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import Choices
from app.chat.records import Message
from app.chat.services import answer_writer
from app.chat.services.answer_run import AnswerOutcome, AnswerRequest, AnswerRun
from app.chat.services.chat_session import ModelPreloader
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.inference.engine.messages import Ask, Command, Load, Unload
from app.inference.prompts import Turn
from app.inference.services.events import ContextOverflow
from tests.chat.driver import fill_disk
from tests.scene import Scene

SLOW = "!slow 一二三四"


def texts(scene: Scene) -> list[str]:
    return [message.text for message in scene.thread()]


def begin(scene: Scene, text: str = SLOW) -> int:
    """Ask, wait until the answer is being written, and return its conversation."""
    with scene.qtbot.waitSignal(scene.session.text_received):
        scene.session.ask(text)
    return scene.session.conversation.id


# ------------------------------------------------------------------- answering


def test_a_question_is_stored_before_the_engine_is_asked_and_its_answer_streams_and_ends_with_its_details(
    scene: Scene,
) -> None:
    stored: list[list[Message]] = []
    pieces: list[str] = []
    scene.session.stage_changed.connect(lambda _stage: stored or stored.append(scene.thread()))
    scene.session.text_received.connect(lambda _id, piece: pieces.append(piece))
    answer = scene.ask("配筋は？")
    assert [(m.role, m.text, m.status) for m in stored[0]] == [
        ("question", "配筋は？", "done"),
        ("answer", "", "streaming"),
    ]
    assert "".join(pieces) == answer.text == "配筋は？"
    details = answer.details
    assert (answer.status, details.model_name, details.stop_reason) == ("done", "小さなモデル", "end")
    assert details.answer_tokens == 4
    assert details.total_s > 0
    assert details.tokens_per_s > 0
    first = scene.engine.status.used_tokens
    scene.ask("二")
    assert texts(scene) == ["配筋は？", "配筋は？", "二", "二"]
    assert scene.engine.status.used_tokens > first, "it carries what was said"


def test_streamed_text_is_in_the_database_while_it_streams_and_stopping_keeps_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_writer, "SAVED_EVERY_MS", 50)
    scene.session.ask("!slow " + "あ" * 40)
    scene.qtbot.waitUntil(lambda: len(texts(scene)[-1]) > 3)
    assert scene.thread()[-1].status == "streaming"
    assert not scene.session.ask("二"), "no second question is taken"
    answer = scene.finish(scene.session.stop)
    assert (answer.status, answer.details.stop_reason) == ("stopped", "cancelled")
    assert 3 < len(answer.text) < len("!slow " + "あ" * 40)
    assert scene.store.message(answer.id).text == answer.text


def test_an_empty_question_is_not_taken_and_one_without_a_model_is_kept_and_the_way_out_said(scene: Scene) -> None:
    assert scene.refusal(lambda: scene.session.ask(" \n　")) == "empty_question"
    assert scene.conversations.all_conversations() == []
    scene.library.remove("tiny")
    assert scene.refusal(lambda: scene.session.ask("問い")) == "no_model"
    assert texts(scene)[0] == "問い"
    assert not scene.session.is_busy


def test_an_answer_that_never_had_text_is_taken_up_again(scene: Scene) -> None:
    failed = scene.ask("!memory")
    assert (failed.status, failed.details.error_code) == ("failed", "out_of_memory")
    assert scene.finish(lambda: scene.session.regenerate(failed.id)).id == failed.id
    assert texts(scene) == ["!memory", ""]


def test_an_earlier_answer_is_branched_and_what_followed_stays_reachable(scene: Scene) -> None:
    first = scene.ask("一")
    scene.ask("二")
    shown = scene.finish(lambda: scene.session.regenerate(first.id))
    assert texts(scene) == ["一", "一"]
    assert (shown.branch, shown.branches) == (2, 2)
    scene.session.show_branch(shown.id, -1)
    assert texts(scene) == ["一", "一", "二", "二"]
    scene.session.show_branch(first.id, -1)  # there is none before the first
    assert len(scene.thread()) == 4


def test_the_branch_is_shown_before_it_is_said_why_it_could_not_be_answered(scene: Scene) -> None:
    first = scene.ask("問い")
    scene.library.remove("tiny")
    heard: list[str] = []
    scene.session.conversation_opened.connect(lambda _here, messages: heard.append(messages[-1].status))
    scene.session.answer_finished.connect(lambda answer: heard.append(answer.status))
    scene.session.problem_occurred.connect(lambda error: heard.append(error.code))
    assert scene.refusal(lambda: scene.session.regenerate(first.id)) == "no_model"
    assert heard == ["streaming", "failed", "no_model"]


def test_an_answer_waits_for_one_of_another_model_and_neither_gets_the_others(scene: Scene, long_model: Path) -> None:
    first = scene.library.models()[0]
    other = dataclasses.replace(
        first, id="other", path=str(shutil.copy(long_model, long_model.with_name("other.gguf")))
    )
    sent: list[Command] = []
    send = scene.engine.send
    scene.engine.send = lambda command: (sent.append(command), send(command))
    outcomes: list[AnswerOutcome] = []
    for model in (first, other, first):
        request = AnswerRequest(model, (Turn(f"{model.id} は？"),), Settings())
        run = AnswerRun(scene.engine, request, scene.engine)
        run.finished.connect(outcomes.append)
        run.start()
    scene.qtbot.waitUntil(lambda: len(outcomes) == 3, timeout=60_000)
    asked = []
    for command in sent:
        if isinstance(command, Load):
            loaded = command.path
        elif isinstance(command, Ask):
            question = "".join(segment.text for segment in command.prompt)
            asked.append((loaded == other.path, "other は？" in question))
    assert sorted(asked) == [(False, False), (False, False), (True, True)]
    assert not scene.engine.is_computing


# --------------------------------------------------------- other conversations


def test_an_answer_goes_on_while_another_conversation_is_read(scene: Scene) -> None:
    other = scene.ask("別の話").conversation_id
    scene.session.open_new()
    left = begin(scene)
    heard: list[object] = []
    scene.session.text_received.connect(lambda *piece: heard.append(piece))
    scene.session.answer_finished.connect(heard.append)
    with scene.qtbot.waitSignal(scene.session.answer_finished_elsewhere):
        scene.session.open(other)
        assert (scene.session.is_busy, scene.session.is_answering_elsewhere) == (True, True)
        assert not scene.session.ask("待てない")
    assert heard == []
    assert not scene.session.is_busy
    answer = scene.store.thread(left)[-1]
    assert (answer.status, answer.text) == ("done", SLOW)
    assert scene.ask("もう聞ける").text == "もう聞ける"
    assert [m.text for m in scene.session.messages()] == ["別の話"] * 2 + ["もう聞ける"] * 2
    assert [c.title for c in scene.conversations.all_conversations()] == ["別の話", SLOW]


def test_who_comes_back_to_an_answer_sees_all_of_it_and_the_rest_as_it_comes(scene: Scene) -> None:
    left = begin(scene)
    scene.session.open_new()
    shown: list[str] = []
    scene.session.conversation_opened.connect(lambda _here, messages: shown.append(messages[-1].text))
    scene.session.text_received.connect(lambda _id, piece: shown.append(piece))

    def come_back() -> None:
        scene.session.open(left)
        assert shown[0] != ""
        assert not scene.session.is_answering_elsewhere

    assert scene.finish(come_back).text == "".join(shown) == SLOW


def test_what_is_moved_to_the_bin_is_answered_no_further(scene: Scene) -> None:
    left = begin(scene)
    scene.session.open_new()
    scene.conversations.bin([left])
    assert not scene.session.is_busy
    assert scene.store.thread(left)[-1].status == "stopped"


def test_a_temporary_conversation_that_is_left_is_answered_no_further_and_forgotten_for_good(scene: Scene) -> None:
    scene.session.open_new(is_temporary=True)
    begin(scene)
    scene.session.open_new()
    assert not scene.session.is_busy
    scene.session.reopen_temporary()
    assert scene.session.messages()[-1].status == "stopped"
    scene.session.open_new()
    scene.session.forget_temporary()
    scene.session.reopen_temporary()
    assert not scene.session.is_temporary


def test_the_binned_open_conversation_is_closed_and_comes_back(scene: Scene) -> None:
    kept = scene.ask("一").conversation_id
    scene.conversations.bin([kept])
    assert scene.session.conversation is None
    scene.conversations.restore([kept])
    assert [c.id for c in scene.conversations.all_conversations()] == [kept]


def test_closing_while_an_answer_streams_keeps_its_text(scene: Scene) -> None:
    begin(scene)
    scene.session.close()
    assert scene.thread()[-1].status == "stopped"
    assert texts(scene)[-1]


# -------------------------------------------------------------- a full context


@pytest.fixture
def full(scene: Scene) -> tuple[Scene, ContextOverflow]:
    """A conversation that no longer fits 512 tokens (the fake counts characters)."""
    scene.preferences.change(context_tokens=512)
    for number in range(2):
        scene.ask(f"{number}" * 60)
    with scene.qtbot.waitSignal(scene.session.overflow.counted) as signal:
        scene.session.ask("今" * 120)
    return scene, signal.args[0]


def resolve(scene: Scene, way: str) -> Message:
    return scene.finish(lambda: scene.session.resolve_overflow(way))


def test_a_full_context_is_told_with_what_helps_nothing_is_cut_and_a_wider_one_answers_with_everything(
    full: tuple[Scene, ContextOverflow],
) -> None:
    scene, overflow = full
    assert overflow.prompt_tokens > overflow.context_tokens == 512
    assert overflow.droppable_turns in (1, 2)
    assert overflow.wider_context_tokens == 2048
    assert [m.text for m in scene.thread() if m.role == "question"] == ["0" * 60, "1" * 60, "今" * 120]
    assert resolve(scene, "widen").text == "今" * 120
    assert scene.preferences.value.context_tokens == 2048


def test_the_oldest_turns_are_left_out_until_the_context_is_wider(full: tuple[Scene, ContextOverflow]) -> None:
    scene, overflow = full
    answer = resolve(scene, "drop")
    assert (answer.text, answer.details.left_out_turns) == ("今" * 120, overflow.droppable_turns)
    assert len(scene.thread()) == 6, "they are kept in the conversation"
    dropped = scene.engine.status.used_tokens
    scene.preferences.change(context_tokens=8192)
    scene.ask("短い")
    assert scene.engine.status.used_tokens > dropped + 3 * 60


def test_what_is_left_out_of_one_branch_is_read_in_another(full: tuple[Scene, ContextOverflow]) -> None:
    scene, _ = full
    resolve(scene, "drop")
    first = scene.thread()[0]
    assert scene.finish(lambda: scene.session.edit(first.id, "別")).details.left_out_turns == 0
    assert scene.ask("続き").details.left_out_turns == 0


def test_a_new_conversation_asks_the_same_question_as_the_old_one(full: tuple[Scene, ContextOverflow]) -> None:
    scene, _ = full
    folder_id = scene.conversations.add_folder("橋梁", [scene.thread()[0].conversation_id])
    scene.session.answer_by("standard", Choices(max_tokens=9))
    assert resolve(scene, "new").text == "今" * 9
    assert texts(scene) == ["今" * 120, "今" * 9]
    assert len(scene.conversations.all_conversations()) == 2
    assert (scene.session.conversation.folder_id, scene.session.choices.max_tokens) == (folder_id, 9)
    assert scene.session.label == "internal"


def test_a_new_conversation_asks_the_question_that_the_user_wrote_and_not_an_action_on_its_answer(scene: Scene) -> None:
    scene.preferences.change(context_tokens=512)
    scene.session.answer_by("standard", Choices(max_tokens=9))
    first = scene.ask("今" * 120)
    assert first.text == "今" * 9
    action = dataclasses.replace(scene.presets.presets_of_kind("action")[0], request="要" * 300)
    with scene.qtbot.waitSignal(scene.session.overflow.counted):
        scene.session.act(first.id, action)
    resolve(scene, "new")
    assert texts(scene)[0] == "今" * 120
    assert scene.thread()[0].is_action is False


@pytest.mark.fault("S16")
@pytest.mark.parametrize("has_become", [False, True])
def test_a_new_conversation_with_the_question_of_a_secret_one_is_secret(
    full: tuple[Scene, ContextOverflow], has_become: bool
) -> None:
    scene, _ = full
    if has_become:  # by what its answers were asked of
        with contextlib.closing(Library.open(scene.where.documents)) as library:
            ref = CollectionRef(library.add_collection("入札", "secret"), "入札")
        for answer in scene.thread()[1::2]:
            told = dataclasses.replace(answer.details, scope=(ref,))
            scene.store.finish_answer(answer.id, answer.text, answer.status, told)
        assert scene.session.label == "internal"
    else:
        assert scene.session.give_label("secret")
    resolve(scene, "new")
    assert len(scene.conversations.all_conversations()) == 2
    assert scene.session.label == "secret"


def test_a_full_context_is_no_longer_asked_about_in_another_conversation(scene: Scene) -> None:
    scene.preferences.change(context_tokens=512)
    scene.ask("0" * 120)
    asked: list[ContextOverflow] = []
    scene.session.overflow.counted.connect(asked.append)
    scene.ask("今" * 400)
    scene.session.open_new()
    assert scene.ask("別").text == "別"
    assert asked == []


def test_what_is_left_out_of_one_temporary_conversation_is_not_left_out_of_the_next(scene: Scene) -> None:
    scene.preferences.change(context_tokens=512)
    scene.session.open_new(is_temporary=True)
    scene.ask("0" * 60)
    with scene.qtbot.waitSignal(scene.session.overflow.counted):
        scene.session.ask("今" * 200)
    assert resolve(scene, "drop").details.left_out_turns == 1
    scene.session.open_new(is_temporary=True)
    scene.ask("合言葉は山です")
    assert scene.ask("合言葉は？").details.left_out_turns == 0


# -------------------------------------------------------------------- the model


def test_a_model_loaded_while_typing_is_not_loaded_again_for_the_question(scene: Scene) -> None:
    loads: list[str] = []
    scene.engine.status_changed.connect(lambda status: loads.append(status.state))
    ModelPreloader(scene.session, scene.engine, scene.preferences, scene.session).begin()
    scene.qtbot.waitUntil(lambda: scene.engine.loading is not None)
    assert scene.ask("問い").text == "問い"
    assert loads.count("starting") == 1
    assert list(itertools.pairwise(loads)).count(("loading", "ready")) == 1


def test_a_question_after_a_stop_during_loading_is_answered(scene: Scene) -> None:
    for _ in range(3):
        with scene.qtbot.waitSignal(scene.engine.status_changed, check_params_cb=lambda s: s.state == "loading"):
            scene.session.ask("止める")
        assert scene.finish(scene.session.stop).status == "stopped"
        assert scene.ask("続ける").text == "続ける"
        scene.engine.send(Unload(scene.engine.new_id()))
        scene.qtbot.waitUntil(lambda: scene.engine.facts is None)


def test_a_changed_setting_reloads_the_model_and_an_unchanged_one_does_not(scene: Scene) -> None:
    scene.ask("一")
    first = scene.engine.loaded
    scene.ask("二")
    assert scene.engine.loaded is first
    scene.preferences.change(threads=2)
    scene.ask("三")
    assert scene.engine.loaded.threads == 2
    scene.preferences.change(threads=None, repack="on")
    scene.ask("四")
    assert (scene.engine.loaded.threads, scene.engine.loaded.repack) == (None, True)


@pytest.mark.fault("F2")
def test_a_full_disk_is_said_and_the_window_lives(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = scene.ask("一")
    fill_disk(monkeypatch, scene.store, "add_question", "add_answer")
    fill_disk(monkeypatch, ConversationOrganizer, "rename", "bin", "restore")
    problems: list[AppError] = []
    scene.session.problem_occurred.connect(problems.append)
    scene.conversations.problem_occurred.connect(problems.append)
    scene.session.ask("二")
    scene.session.regenerate(answer.id)
    scene.conversations.rename(answer.conversation_id, "名")
    scene.conversations.restore([1])
    scene.conversations.bin([answer.conversation_id])
    assert [problem.code for problem in problems] == ["disk_full"] * 5
    assert not scene.session.is_busy


def test_while_the_engine_refuses_a_question_is_kept_and_told_why(scene: Scene) -> None:
    scene.engine.refusal = AppError("training_has_memory")
    problems: list[AppError] = []
    scene.session.problem_occurred.connect(problems.append)
    failed = scene.ask("学習中の質問")
    assert failed.status == "failed"
    assert [error.code for error in problems] == ["training_has_memory"]
    assert scene.engine.loaded is None
    scene.engine.refusal = None
    assert scene.finish(lambda: scene.session.regenerate(failed.id)).status == "done"


# -------------------------------------------------------------------- thoughts

THINKING = "!say <think>足し算だ。</think>二です。\n以上。"


def test_thoughts_are_kept_beside_the_answer_and_never_told_to_the_model_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages: list[str] = []
    scene.session.stage_changed.connect(lambda stage: stages.append(stage.kind))
    answer = scene.ask(THINKING)
    assert (answer.text, answer.details.thoughts, answer.details.stop_reason) == ("二です。", "足し算だ。", "end")
    assert answer.details.thought_s >= 0
    assert stages.index("thinking") < stages.index("answering")
    asked: list[Ask] = []
    before = scene.engine.send
    monkeypatch.setattr(scene.engine, "send", lambda command: (asked.append(command), before(command))[1])
    scene.ask("続きは？")
    (told,) = [one for one in asked if isinstance(one, Ask)]
    assert "足し算" not in "".join(segment.text for segment in told.prompt if segment.text != THINKING)


def test_an_answer_that_ended_in_its_thoughts_says_so(scene: Scene) -> None:
    scene.session.answer_by("standard", Choices(thought_tokens=64))
    answer = scene.ask(f"!say <think>{'う' * 80}")
    assert (answer.text, answer.status, answer.details.stop_reason) == ("", "done", "thoughts")
    assert answer.details.thoughts == "う" * 63  # the mark counts, too


def test_thoughts_before_a_stop_are_kept(scene: Scene) -> None:
    stages: list[str] = []
    scene.session.stage_changed.connect(lambda stage: stages.append(stage.kind))
    scene.session.ask("!slow !say <think>ひとつふたつみっつ</think>四\n")
    scene.qtbot.waitUntil(lambda: "thinking" in stages)
    with scene.qtbot.waitSignal(scene.session.answer_finished):
        scene.session.stop()
    answer = scene.thread()[-1]
    assert (answer.text, answer.status) == ("", "stopped")
    assert "ひとつふたつみっつ".startswith(answer.details.thoughts)
