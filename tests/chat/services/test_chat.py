"""The open conversation, with the fake engine: nothing that was said is lost."""

import contextlib
import dataclasses
from collections.abc import Callable

import pytest

from app.base.errors import AppError
from app.chat.organizer import ConversationOrganizer
from app.chat.presets import Choices
from app.chat.records import AnswerDetails, Message
from app.chat.services.chat_session import ModelPreloader
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.inference.engine.messages import Unload
from app.inference.services.events import ContextOverflow
from tests.scene import Scene


def test_the_question_is_stored_before_the_engine_is_asked(scene: Scene) -> None:
    stored: list[list[Message]] = []
    scene.session.stage_changed.connect(lambda _stage: stored or stored.append(scene.thread()))
    scene.ask("橋脚は？")
    assert [(m.role, m.text, m.status) for m in stored[0]] == [
        ("question", "橋脚は？", "done"),
        ("answer", "", "streaming"),
    ]


def test_an_answer_streams_and_ends_with_its_details(scene: Scene) -> None:
    pieces: list[str] = []
    scene.session.text_received.connect(lambda _id, piece: pieces.append(piece))
    answer = scene.ask("配筋は？")
    assert "".join(pieces) == answer.text == "配筋は？"
    assert answer.status == "done"
    assert answer.details is not None
    assert answer.details.model_name == "小さなモデル"
    assert answer.details.stop_reason == "end"
    assert answer.details.answer_tokens == 4
    assert answer.details.total_s > 0
    assert answer.details.tokens_per_s > 0


def test_a_follow_up_continues_the_branch_and_carries_what_was_said(scene: Scene) -> None:
    scene.ask("一")
    first = scene.engine.status.used_tokens
    scene.ask("二")
    assert [m.text for m in scene.thread()] == ["一", "一", "二", "二"]
    assert scene.engine.status.used_tokens > 2 * first


def test_stopping_keeps_what_was_written(scene: Scene) -> None:
    session = scene.session
    with scene.qtbot.waitSignal(session.text_received, timeout=20_000):
        session.ask("!slow 長い答え")
    with scene.qtbot.waitSignal(session.answer_finished, timeout=5_000) as signal:
        session.stop()
    answer = signal.args[0]
    assert answer.status == "stopped"
    assert answer.details.stop_reason == "cancelled"
    assert 0 < len(answer.text) < len("!slow 長い答え")
    assert scene.store.message(answer.id).text == answer.text


def test_streamed_text_is_in_the_database_while_it_streams(scene: Scene) -> None:
    scene.session.ask("!slow " + "あ" * 40)

    def is_saved() -> None:
        text = scene.thread()[-1].text
        assert len(text) > 3

    scene.qtbot.waitUntil(is_saved, timeout=20_000)
    assert scene.thread()[-1].status == "streaming"
    with scene.qtbot.waitSignal(scene.session.answer_finished):
        scene.session.stop()


def test_an_empty_question_is_not_taken(scene: Scene) -> None:
    with scene.qtbot.waitSignal(scene.session.problem_occurred) as signal:
        assert not scene.session.ask(" \n　")
    assert signal.args[0].code == "empty_question"
    assert scene.conversations.all() == []


def test_a_second_question_while_one_is_answered_is_not_taken(scene: Scene) -> None:
    scene.session.ask("!slow 一二三")
    assert not scene.session.ask("二")
    with scene.qtbot.waitSignal(scene.session.answer_finished):
        scene.session.stop()


def test_without_a_model_the_question_is_kept_and_the_way_out_said(scene: Scene) -> None:
    scene.library.remove("tiny")
    with scene.qtbot.waitSignal(scene.session.problem_occurred) as signal:
        scene.session.ask("問い")
    assert signal.args[0].code == "no_model"
    assert scene.thread()[0].text == "問い"
    assert not scene.session.is_busy


def test_regenerating_makes_a_branch_and_keeps_the_first_answer(scene: Scene) -> None:
    first = scene.ask("問い")
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.regenerate(first.id)
    assert signal.args[0].id != first.id
    assert scene.store.message(first.id).text == "問い"
    assert len(scene.thread()) == 2


def test_an_answer_that_never_had_text_is_taken_up_again(scene: Scene) -> None:
    failed = scene.ask("!memory")
    assert failed.status == "failed"
    assert failed.details is not None
    assert failed.details.error_code == "out_of_memory"
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.regenerate(failed.id)
    assert signal.args[0].id == failed.id
    assert [m.text for m in scene.thread()] == ["!memory", ""]


def test_a_conversation_opens_again_as_it_was_left(scene: Scene) -> None:
    scene.ask("一")
    assert scene.session.conversation is not None
    first = scene.session.conversation.id
    scene.session.new()
    scene.ask("二")
    with scene.qtbot.waitSignal(scene.session.conversation_opened) as signal:
        scene.session.open(first)
    assert [m.text for m in signal.args[1]] == ["一", "一"]
    assert [c.title for c in scene.conversations.all()] == ["二", "一"]


def _begin(scene: Scene, text: str) -> int:
    """An answer that is being written; gives its conversation."""
    with scene.qtbot.waitSignal(scene.session.text_received, timeout=20_000):
        scene.session.ask(text)
    assert scene.session.conversation is not None
    return scene.session.conversation.id


def test_an_answer_goes_on_while_another_conversation_is_read(scene: Scene) -> None:
    other = scene.ask("別の話").conversation_id
    scene.session.new()
    left = _begin(scene, "!slow 一二三四五六七八")
    heard: list[object] = []
    scene.session.text_received.connect(lambda *piece: heard.append(piece))
    scene.session.answer_finished.connect(heard.append)
    scene.session.open(other)
    assert (scene.session.is_busy, scene.session.is_answering_elsewhere) == (True, True)
    assert not scene.session.ask("待てない")
    with scene.qtbot.waitSignal(scene.session.answer_finished_elsewhere, timeout=20_000):
        pass
    assert heard == []
    assert not scene.session.is_busy
    answer = scene.store.thread(left)[-1]
    assert (answer.status, answer.text) == ("done", "!slow 一二三四五六七八")
    assert scene.ask("もう聞ける").text == "もう聞ける"


def test_who_comes_back_to_an_answer_sees_all_of_it_and_the_rest_as_it_comes(scene: Scene) -> None:
    left = _begin(scene, "!slow 一二三四五六七八")
    scene.session.new()
    shown: list[str] = []
    scene.session.conversation_opened.connect(lambda _here, messages: shown.append(messages[-1].text))
    scene.session.text_received.connect(lambda _id, piece: shown.append(piece))
    scene.session.open(left)
    assert shown[0] != ""
    assert not scene.session.is_answering_elsewhere
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        pass
    assert "".join(shown) == signal.args[0].text == "!slow 一二三四五六七八"


def test_what_is_moved_to_the_bin_is_answered_no_further(scene: Scene) -> None:
    left = _begin(scene, "!slow 一二三四五六七八")
    scene.session.new()
    scene.conversations.bin([left])
    assert not scene.session.is_busy
    assert scene.store.thread(left)[-1].status == "stopped"


def test_a_temporary_conversation_that_is_left_is_answered_no_further(scene: Scene) -> None:
    scene.session.new(is_temporary=True)
    _begin(scene, "!slow 一二三四五六七八")
    scene.session.new()
    assert not scene.session.is_busy
    scene.session.reopen_temporary()
    assert scene.session.messages()[-1].status == "stopped"


def test_a_temporary_conversation_that_is_forgotten_does_not_come_back(scene: Scene) -> None:
    scene.session.new(is_temporary=True)
    scene.ask("秘密")
    scene.session.new()
    scene.session.forget_temporary()
    scene.session.reopen_temporary()
    assert not scene.session.is_temporary


def _fill(make_scene: Callable[..., Scene]) -> tuple[Scene, ContextOverflow]:
    """A conversation that no longer fits 512 tokens (the fake counts characters)."""
    scene = make_scene()
    scene.preferences.change(context_tokens=512)
    for number in range(2):
        scene.ask(f"{number}" * 60)
    with scene.qtbot.waitSignal(scene.session.overflow.counted, timeout=20_000) as signal:
        scene.session.ask("今" * 120)
    return scene, signal.args[0]


def test_a_full_context_is_told_with_what_would_be_dropped_and_nothing_is_cut(make_scene: Callable[..., Scene]) -> None:
    scene, overflow = _fill(make_scene)
    assert overflow.prompt_tokens > overflow.context_tokens == 512
    assert overflow.droppable_turns in (1, 2)
    assert overflow.wider_context_tokens == 2048
    assert scene.thread()[-1].details is not None
    assert [m.text for m in scene.thread() if m.role == "question"] == ["0" * 60, "1" * 60, "今" * 120]


def test_dropping_the_oldest_turns_answers_and_keeps_them_in_the_conversation(make_scene: Callable[..., Scene]) -> None:
    scene, _ = _fill(make_scene)
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.resolve_overflow("drop")
    assert signal.args[0].text == "今" * 120
    assert len(scene.thread()) == 6


def test_a_wider_context_answers_with_everything(make_scene: Callable[..., Scene]) -> None:
    scene, _ = _fill(make_scene)
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.resolve_overflow("widen")
    assert signal.args[0].text == "今" * 120
    assert scene.preferences.value.context_tokens == 2048


def test_a_new_conversation_asks_the_same_question(make_scene: Callable[..., Scene]) -> None:
    scene, _ = _fill(make_scene)
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.resolve_overflow("new")
    assert signal.args[0].text == "今" * 120
    assert len(scene.thread()) == 2
    assert len(scene.conversations.all()) == 2
    assert scene.session.label == "internal"


@pytest.mark.fault("S16")
def test_a_new_conversation_with_the_question_of_a_secret_one_is_secret(make_scene: Callable[..., Scene]) -> None:
    scene, _ = _fill(make_scene)
    assert scene.session.give_label("secret")
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000):
        scene.session.resolve_overflow("new")
    assert len(scene.conversations.all()) == 2
    assert scene.session.label == "secret"


@pytest.mark.fault("S16")
def test_a_new_conversation_with_the_question_of_one_that_has_become_secret_is_secret(
    make_scene: Callable[..., Scene],
) -> None:
    scene, _ = _fill(make_scene)
    assert scene.session.conversation is not None
    with contextlib.closing(Library.open(scene.where.documents)) as library:
        ref = CollectionRef(library.add_collection("入札", "secret"), "入札")
    for answer in scene.thread()[1::2]:
        told = dataclasses.replace(answer.details or AnswerDetails(), scope=(ref,))
        scene.store.finish_answer(answer.id, answer.text, answer.status, told)
    assert scene.session.label == "internal"
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000):
        scene.session.resolve_overflow("new")
    assert scene.session.label == "secret"


def test_the_binned_open_conversation_is_closed_and_comes_back(scene: Scene) -> None:
    scene.ask("一")
    assert scene.session.conversation is not None
    kept = scene.session.conversation.id
    scene.conversations.bin([kept])
    assert scene.session.conversation is None
    scene.conversations.restore([kept])
    assert [c.id for c in scene.conversations.all()] == [kept]


def test_closing_while_an_answer_streams_keeps_its_text(scene: Scene) -> None:
    with scene.qtbot.waitSignal(scene.session.text_received, timeout=20_000):
        scene.session.ask("!slow 一二三四五六")
    scene.session.close()
    assert scene.thread()[-1].status == "stopped"
    assert scene.thread()[-1].text


def test_a_model_loaded_while_typing_is_not_loaded_again_for_the_question(scene: Scene) -> None:
    loads: list[str] = []
    scene.engine.status_changed.connect(lambda status: loads.append(status.state))
    ModelPreloader(scene.session, scene.engine, scene.preferences, scene.session).begin()
    scene.qtbot.waitUntil(lambda: scene.engine.loading is not None, timeout=10_000)
    assert scene.ask("問い").text == "問い"
    assert loads.count("starting") == 1
    ready = [state for state, before in zip(loads[1:], loads, strict=False) if state == "ready" and before == "loading"]
    assert len(ready) == 1


def test_a_question_after_a_stop_during_loading_is_answered(scene: Scene) -> None:
    for _ in range(3):
        with scene.qtbot.waitSignal(scene.engine.status_changed, check_params_cb=lambda s: s.state == "loading"):
            scene.session.ask("止める")
        with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=10_000) as signal:
            scene.session.stop()
        assert signal.args[0].status == "stopped"
        assert scene.ask("続ける").text == "続ける"
        scene.engine.send(Unload(scene.engine.new_id()))
        scene.qtbot.waitUntil(lambda: scene.engine.facts is None, timeout=10_000)


def test_an_earlier_answer_is_branched_and_what_followed_stays_reachable(scene: Scene) -> None:
    first = scene.ask("一")
    scene.ask("二")
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000):
        scene.session.regenerate(first.id)
    assert [m.text for m in scene.thread()] == ["一", "一"]
    shown = scene.thread()[-1]
    assert (shown.branch, shown.branches) == (2, 2)
    scene.session.show_branch(shown.id, -1)
    assert [m.text for m in scene.thread()] == ["一", "一", "二", "二"]
    scene.session.show_branch(first.id, -1)  # there is none before the first
    assert len(scene.thread()) == 4


def test_what_was_left_out_is_back_when_the_context_is_wider(make_scene: Callable[..., Scene]) -> None:
    scene, _ = _fill(make_scene)
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000):
        scene.session.resolve_overflow("drop")
    dropped = scene.engine.status.used_tokens
    scene.preferences.change(context_tokens=8192)
    scene.ask("短い")
    assert scene.engine.status.used_tokens > dropped + 3 * 60


def test_a_full_context_is_no_longer_asked_about_in_another_conversation(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene()
    scene.preferences.change(context_tokens=512)
    scene.ask("0" * 120)
    asked: list[ContextOverflow] = []
    scene.session.overflow.counted.connect(asked.append)
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000):
        scene.session.ask("今" * 400)
    scene.session.new()
    assert scene.ask("別").text == "別"
    assert asked == []


def test_a_changed_setting_reloads_the_model_and_an_unchanged_one_does_not(scene: Scene) -> None:
    scene.ask("一")
    first = scene.engine.loaded
    scene.ask("二")
    assert scene.engine.loaded is first
    scene.preferences.change(threads=2)
    scene.ask("三")
    assert scene.engine.loaded is not None
    assert scene.engine.loaded.threads == 2
    scene.preferences.change(threads=None, repack="on")
    scene.ask("四")
    assert (scene.engine.loaded.threads, scene.engine.loaded.repack) == (None, True)


@pytest.mark.fault("F2")
def test_a_full_disk_is_said_and_the_window_lives(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = scene.ask("一")
    assert scene.session.conversation is not None

    def full(*_: object, **__: object) -> None:
        raise AppError("disk_full", path="/")

    for name in ("add_question", "add_answer"):
        monkeypatch.setattr(scene.store, name, full)
    for name in ("rename", "bin", "restore"):
        monkeypatch.setattr(ConversationOrganizer, name, full)
    problems: list[AppError] = []
    scene.session.problem_occurred.connect(problems.append)
    scene.conversations.problem_occurred.connect(problems.append)
    scene.session.ask("二")
    scene.session.regenerate(answer.id)
    scene.conversations.rename(scene.session.conversation.id, "名")
    scene.conversations.restore([1])
    scene.conversations.bin([scene.session.conversation.id])
    assert [problem.code for problem in problems] == ["disk_full"] * 5
    assert not scene.session.is_busy


def test_what_is_left_out_of_one_temporary_conversation_is_not_left_out_of_the_next(
    make_scene: Callable[..., Scene],
) -> None:
    scene = make_scene()
    session = scene.session
    scene.preferences.change(context_tokens=512)
    session.new(is_temporary=True)
    scene.ask("0" * 60)
    with scene.qtbot.waitSignal(session.overflow.counted, timeout=20_000):
        session.ask("今" * 200)
    with scene.qtbot.waitSignal(session.answer_finished, timeout=20_000) as signal:
        session.resolve_overflow("drop")
    assert signal.args[0].details.left_out_turns == 1
    session.new(is_temporary=True)
    scene.ask("合言葉は山です")
    following = scene.ask("合言葉は？")
    assert following.details is not None
    assert following.details.left_out_turns == 0


def test_the_branch_is_shown_before_it_is_said_why_it_could_not_be_answered(scene: Scene) -> None:
    first = scene.ask("問い")
    scene.library.remove("tiny")
    heard: list[str] = []
    scene.session.conversation_opened.connect(lambda _here, messages: heard.append(messages[-1].status))
    scene.session.answer_finished.connect(lambda answer: heard.append(answer.status))
    scene.session.problem_occurred.connect(lambda error: heard.append(error.code))
    scene.session.regenerate(first.id)
    assert heard == ["streaming", "failed", "no_model"]


def test_what_is_left_out_of_one_branch_is_read_in_another(make_scene: Callable[..., Scene]) -> None:
    scene, overflow = _fill(make_scene)
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.resolve_overflow("drop")
    assert signal.args[0].details.left_out_turns == overflow.droppable_turns
    first = scene.thread()[0]
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.edit(first.id, "別")
    assert signal.args[0].details.left_out_turns == 0
    following = scene.ask("続き")
    assert following.details is not None
    assert following.details.left_out_turns == 0


def test_a_new_conversation_for_what_does_not_fit_is_answered_as_the_old_one(make_scene: Callable[..., Scene]) -> None:
    scene, _ = _fill(make_scene)
    folder_id = scene.conversations.add_folder("橋梁", [scene.thread()[0].conversation_id])
    scene.session.answer_by("standard", Choices(max_tokens=9))
    with scene.qtbot.waitSignal(scene.session.answer_finished, timeout=20_000) as signal:
        scene.session.resolve_overflow("new")
    assert signal.args[0].text == "今" * 9
    assert scene.session.conversation is not None
    assert (scene.session.conversation.folder_id, scene.session.choices.max_tokens) == (folder_id, 9)


def test_while_the_engine_refuses_a_question_is_kept_and_told_why(scene):
    scene.engine.refusal = AppError("training_has_memory")
    problems = []
    scene.session.problem_occurred.connect(problems.append)
    assert scene.ask("学習中の質問").status == "failed"
    assert [error.code for error in problems] == ["training_has_memory"]
    assert scene.engine.loaded is None
    scene.engine.refusal = None
    scene.session.regenerate(scene.thread()[-1].id)
    scene.qtbot.waitUntil(lambda: scene.thread()[-1].status == "done")
