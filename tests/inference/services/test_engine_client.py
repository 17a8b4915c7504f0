"""The supervisor: a dying, hanging or babbling engine never takes more with it than its own answer."""

import dataclasses
import os
import random
import signal
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest
from msgspec import structs

from app.base.services.child_process import ChildExit
from app.chat.records import AnswerDetails, Message
from app.chat.store import Store
from app.inference import crashes
from app.inference.engine.messages import Ask, Done, Load, Picture, Ready, Timings, Token, Tokenize, Usage
from app.inference.prompts import Segment
from tests.faults.ledger import Tally
from tests.scene import Scene


def _deaths(scene: Scene) -> list[ChildExit]:
    deaths: list[ChildExit] = []
    scene.engine.died.connect(deaths.append)
    return deaths


def _ask_and_kill(scene: Scene) -> Message:
    with scene.qtbot.waitSignal(scene.session.text_received):
        scene.session.ask("!slow 一二三四五六七八九十")
    with scene.qtbot.waitSignal(scene.session.answer_finished) as finished:
        os.kill(scene.engine.pid, signal.SIGKILL)
    answer: Message = finished.args[0]
    return answer


def test_the_status_has_the_threads_of_the_latest_answer(scene: Scene) -> None:
    scene.ask("一")
    facts = scene.engine.facts
    assert facts is not None
    others = facts.threads + 3
    timings = Timings(0.1, 0.1, 0.1, 0.1, others)
    scene.engine._on_event(Done("", "end", Usage(1, 0, 1), timings, seed=0))
    assert scene.engine.status.facts == dataclasses.replace(facts, threads=others)
    scene.engine._on_event(Done("", "end", Usage(1, 0, 1), structs.replace(timings, threads=0), seed=0))
    assert scene.engine.status.facts == dataclasses.replace(facts, threads=others)  # a remote model has none


@pytest.mark.fault("F4")
def test_a_killed_engine_keeps_question_and_partial_answer_and_comes_back_once(scene: Scene) -> None:
    deaths = _deaths(scene)
    answer = _ask_and_kill(scene)
    assert answer.status == "failed"
    assert answer.text
    assert [(d.cause, d.detail) for d in deaths] == [("killed", "SIGKILL")]
    scene.qtbot.waitUntil(lambda: scene.engine.status.state == "ready")
    assert scene.ask("次").text == "次"


def test_neither_cards_nor_projector_are_blamed_if_the_system_kills_the_engine_while_it_loads(
    scene: Scene, tmp_path: Path
) -> None:
    deaths = _deaths(scene)
    model, packs = scene.library.listed()[0].path, (str(tmp_path),)
    for more in ({"packs": packs}, {"projector": model}):
        scene.engine.send(Load(scene.engine.new_id(), model, **more))
        with scene.qtbot.waitSignal(scene.engine.died):
            os.kill(scene.engine.pid, signal.SIGKILL)
        assert packs not in crashes.crashed_packs
        assert scene.engine.loading is None or scene.engine.loading.projector == more.get("projector", "")
        scene.engine.shut_down()
    assert [one.cause for one in deaths] == ["killed", "killed"]
    for cause, is_remembered in (("hung", False), ("crashed", True)):
        scene.engine.send(Load(scene.engine.new_id(), model, projector=model))
        repeated = scene.engine._leave_out_suspect(ChildExit(cause))
        assert repeated is not None
        assert (repeated.projector, scene.engine._suspected is not None) == ("", is_remembered)
        scene.engine.shut_down()
    scene.engine._suspected = None


@pytest.mark.parametrize(("question", "is_remembered"), [("!hang", True), ("!slow これは何か", False)])
def test_a_projector_is_left_out_after_a_crash_while_a_picture_is_read_but_not_while_the_answer_is_written(
    scene: Scene, tmp_path: Path, question: str, is_remembered: bool
) -> None:
    crashes.use_file(tmp_path / "crashes.json")
    engine, model = scene.engine, scene.library.listed()[0].path

    def is_ready(event: object) -> bool:
        return isinstance(event, Ready)

    with scene.qtbot.waitSignal(engine.event_received, check_params_cb=is_ready):
        engine.send(Load(engine.new_id(), model, projector=model))
    asked = Ask(engine.new_id(), (Segment(question),), pictures=(Picture(1, 1, ""),))
    if is_remembered:
        engine.send(asked)
        scene.qtbot.waitUntil(lambda: psutil.Process(engine.pid).status() == psutil.STATUS_STOPPED)
    else:
        with scene.qtbot.waitSignal(engine.event_received, check_params_cb=lambda event: isinstance(event, Token)):
            engine.send(asked)
        engine.send(structs.replace(asked, id=engine.new_id()))  # its picture waits
    with scene.qtbot.waitSignal(engine.event_received, check_params_cb=is_ready):  # restarted
        os.kill(engine.pid, signal.SIGABRT)
        os.kill(engine.pid, signal.SIGCONT)
    assert engine.loaded is not None
    assert (crashes.has_projector_crashed(model), engine.loaded.projector == "") == (is_remembered, is_remembered)
    engine.shut_down()
    crashes.use_file(None)


@pytest.mark.fault("F4")
def test_a_second_death_without_a_good_answer_is_not_restarted_but_a_question_is_answered(scene: Scene) -> None:
    _ask_and_kill(scene)
    scene.qtbot.waitUntil(lambda: scene.engine.status.state == "ready")
    with scene.qtbot.waitSignal(scene.engine.died):
        os.kill(scene.engine.pid, signal.SIGKILL)
    assert (scene.engine.is_up, scene.engine.status.state) == (False, "failed")
    assert scene.ask("それでも").text == "それでも"


@pytest.mark.fault("F4")
def test_who_shuts_the_engine_down_when_it_dies_is_obeyed(scene: Scene) -> None:
    scene.engine.died.connect(lambda _death: scene.engine.shut_down())
    _ask_and_kill(scene)
    assert scene.engine.pid == 0


@pytest.mark.fault("F4")
def test_an_abort_in_native_code_is_told_from_a_kill_and_its_log_is_kept(scene: Scene) -> None:
    deaths = _deaths(scene)
    answer = scene.ask("落ちる !crash 途中")
    assert answer.text.endswith("!crash")
    assert (deaths[0].cause, deaths[0].detail) == ("crashed", "SIGABRT")
    assert answer.details is not None
    assert answer.details.error_code == "engine_died"
    scene.qtbot.waitUntil(lambda: scene.engine.status.state == "ready")
    assert (scene.where.logs / "engine.previous.log").is_file()  # which tells why


@pytest.mark.fault("F4")
def test_an_engine_that_stops_beating_is_ended(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(heartbeat_limit_s=2.5)
    deaths = _deaths(scene)
    answer = scene.ask("!hang")
    assert deaths[0].cause == "hung"
    assert answer.details is not None
    assert answer.details.error_code == "engine_hung"


@pytest.mark.fault("F4")
def test_an_engine_that_is_deaf_to_a_cancellation_is_ended(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene(heartbeat_limit_s=600.0, cancel_limit_s=1.0)
    deaths = _deaths(scene)
    assert scene.session.ask("!hang")
    scene.qtbot.waitUntil(lambda: scene.engine.facts is not None)
    with scene.qtbot.waitSignal(scene.engine.died):
        scene.session.stop()
    assert deaths[0].cause == "hung"


@pytest.mark.fault("F4")
def test_an_engine_that_writes_nonsense_is_ended(scene: Scene) -> None:
    deaths = _deaths(scene)
    answer = scene.ask("!garbage")
    assert deaths[0].cause == "garbled"
    assert answer.status == "failed"


@pytest.mark.fault("F4")
def test_an_engine_that_cannot_start_is_said_to_be_missing(make_scene: Callable[..., Scene]) -> None:
    scene = make_scene()
    scene.engine._child._command = ["/nonexistent/エンジン"]
    answer = scene.ask("問い")
    assert answer.details is not None
    assert answer.details.error_code == "engine_missing"


@pytest.mark.parametrize("kills", [5, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.fault("F4")
def test_kills_at_random_moments_lose_nothing(scene: Scene, tally: Tally, kills: int) -> None:
    """Committed messages: every question, and every answer as far as its finished signal told."""
    rng = random.Random(20261125)
    scene.preferences.change(context_tokens=16384)  # the whole conversation fits
    told: dict[int, Message] = {}
    asked: list[str] = []
    killed: set[int] = set()
    scene.session.answer_finished.connect(lambda message: told.__setitem__(message.id, message))
    while len(killed) < kills:
        asked.append(f"!slow {len(asked)} " + "橋" * 12)
        with scene.qtbot.waitSignal(scene.session.answer_finished):
            assert scene.session.ask(asked[-1])
            scene.qtbot.wait(rng.randint(0, 900))
            pid = scene.engine.pid  # 0 where the model is still being planned or the child has not come back
            if pid and scene.session.is_busy:
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
            else:
                scene.session.stop()
        if len(asked) % 4 == 0:
            asked.append(f"確認 {len(asked)}")
            checked = scene.ask(asked[-1])
            assert checked.text == asked[-1], checked
    tally.tried(len(killed))
    assert [m.error_code for m in _details(told.values())].count("engine_died") == kills
    _assert_stored(scene, asked, told)


def _details(messages: Iterable[Message]) -> list[AnswerDetails]:
    return [message.details for message in messages if message.details is not None]


def _assert_stored(scene: Scene, asked: list[str], told: dict[int, Message]) -> None:
    """Read by a connection of its own: what this one has not committed is not there."""
    fresh = Store.open(scene.where.database, scene.where.backups)
    assert scene.session.conversation is not None
    stored = {message.id: message for message in fresh.thread(scene.session.conversation.id)}
    integrity = fresh.database.read("PRAGMA integrity_check")[0][0]
    fresh.close()
    assert integrity == "ok"
    assert [message.text for message in stored.values() if message.role == "question"] == asked
    assert {key: stored[key].text for key in told} == {key: message.text for key, message in told.items()}
    for answer in told.values():  # the fake engine says the question: nothing was mixed up
        assert answer.parent_id is not None
        assert stored[answer.parent_id].text.startswith(answer.text)


@pytest.mark.fault("F4")
def test_a_machine_that_slept_is_no_engine_that_hangs(scene: Scene, passed_s: list[float]) -> None:
    deaths = _deaths(scene)
    scene.ask("一")
    passed_s[0] += 3600.0  # this process does not look for longer than the limit, as after a suspend
    for _ in range(2):
        with scene.qtbot.waitSignal(scene.engine._child.checked):
            pass
    assert deaths == []
    assert scene.ask("二").text == "二"


@pytest.mark.fault("F4")
def test_an_engine_that_is_told_to_end_is_unloaded_at_once_and_can_be_asked_again(scene: Scene) -> None:
    deaths = _deaths(scene)
    scene.ask("一")
    pid = scene.engine.pid
    assert scene.engine.end() == pid
    assert (scene.engine.facts, scene.engine.is_up) == (None, True)
    assert scene.ask("二").text == "二"  # by another process
    assert scene.engine.pid != pid
    with scene.qtbot.waitSignal(scene.engine.exited):
        scene.engine.end()
    assert (scene.engine.end(), scene.engine.is_up, deaths) == (0, False, [])


@pytest.mark.skipif(os.name != "posix", reason="a process is halted by a signal")
@pytest.mark.fault("F4")
def test_what_is_asked_of_an_engine_that_is_ending_waits_for_its_end_and_nobody_stands_still(scene: Scene) -> None:
    scene.ask("一")
    os.kill(scene.engine.pid, signal.SIGSTOP)  # ends only when it is killed
    pid = scene.engine.end()
    scene.engine.send(Tokenize("x", ()))
    assert psutil.pid_exists(pid)
    assert scene.ask("二").text == "二"


@pytest.mark.fault("F4")
def test_an_answer_whose_engine_is_ended_by_somebody_ends_too_and_its_text_is_kept(scene: Scene) -> None:
    with scene.qtbot.waitSignal(scene.session.text_received):
        scene.session.ask("!slow 一二三四五六七八九十")
    with scene.qtbot.waitSignal(scene.session.answer_finished) as finished:
        scene.engine.end()
    answer: Message = finished.args[0]
    assert answer.status == "failed"
    assert answer.text
    assert not scene.session.is_busy
    assert not scene.engine.is_computing
    assert scene.ask("次").text == "次"


@pytest.mark.fault("F4")
def test_an_answer_that_has_begun_is_waited_for_also_while_the_engine_computes_nothing(scene: Scene) -> None:
    scene.session.ask("一")
    assert (scene.engine.is_up, scene.engine.is_computing) == (False, True)
    with scene.qtbot.waitSignal(scene.session.answer_finished):
        pass
    assert not scene.engine.is_computing


def test_a_folder_named_app_where_the_user_stands_is_not_run(
    make_scene: Callable[..., Scene], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = tmp_path / "作業" / "app"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").write_text("", "utf-8")
    (foreign / "__main__.py").write_text("raise SystemExit('foreign code')", "utf-8")
    monkeypatch.chdir(foreign.parent)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    assert make_scene().ask("一").text == "一"
