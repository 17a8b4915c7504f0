"""Batches with the fake engine as a real child: what fails, what waits, and what goes on after an end."""

import dataclasses
import functools
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec import structs

from app.base.confidentiality import Label, permit_export
from app.base.errors import AppError
from app.base.services import background
from app.base.settings import Settings
from app.chat.batch.journal import BatchAnswer, BatchJournal, journal_answer_count, journal_path
from app.chat.services import answer_run, retrieval_augmentation
from app.chat.services.batch_run import Batch, BatchSummary, batch_export, batch_label
from app.chat.services.batch_session import CHAT, BatchSession, UnfinishedBatch
from app.chat.services.retrieval_augmentation import FoundPassages, RetrievalRequest
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import excerpts
from app.inference import load_plan
from app.inference.local_model import LocalModel
from app.inference.memory_estimate import PARALLEL_MOST
from app.training.runs import lineage
from tests.chat.driver import add_documents
from tests.permits import PERMIT
from tests.scene import Scene

LIMIT_MS = 30_000
SLOW = "!slow 長い質問"
LEAVE = Section(("第1条",), "休暇は十日とする。")


class Desk:
    """What the page does, without a page."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.folder = folder
        self.out = folder / "回答.jsonl"
        self.log = scene.where.data / "exports.log"
        self.batches = self.anew()

    def anew(self) -> BatchSession:
        """As another start of the program."""
        scene = self.scene
        self.batches = BatchSession(
            scene.session,
            scene.library,
            scene.preferences,
            scene.presets,
            scene.engine,
            scene.where.documents,
            scene.where.data / "batch.json",
            functools.partial(lineage.label_of_model, scene.where.documents),
        )
        self.when_prepared = lambda batch: self.batches.begin(batch, PERMIT)
        self.batches.prepared.connect(lambda batch: self.when_prepared(batch))
        return self.batches

    def write(self, *questions: str) -> Path:
        path = self.folder / "質問.jsonl"
        path.write_text("\n".join(json.dumps({"question": one}) for one in questions), "utf-8")
        return path

    def begin(self, *questions: str, scope: tuple[CollectionRef, ...] = ()) -> None:
        path = self.write(*questions)
        self.batches.prepare(self.ended(self.batches.questions_read, self.batches.read, path), path, self.out, scope)

    def begin_with_permit(self, label_now: Callable[[Batch], Label] = batch_label) -> None:
        """Let batches begin as the window lets them, with what says their label while they go on."""

        def begin(batch: Batch) -> None:
            export = structs.replace(batch_export(batch), label_now=lambda: label_now(batch))
            self.batches.begin(batch, permit_export(export, self.log, is_agreed=False))

        self.when_prepared = begin

    def label_of(self, *questions: str, scope: tuple[CollectionRef, ...] = ()) -> Label:
        """Return the label of a batch that is not begun."""
        self.when_prepared = lambda _batch: None
        return batch_label(self.ended(self.batches.prepared, lambda: self.begin(*questions, scope=scope)))

    def after_each_answer(self, act: Callable[[BatchAnswer], object]) -> None:
        """Call `act` with each answer of the batch that is begun next."""
        self.batches.prepared.connect(lambda: self.batches._run.answered.connect(act))

    def begin_until_one_is_answered(self, *questions: str) -> None:
        with self.scene.qtbot.waitSignal(
            self.batches.progressed, timeout=LIMIT_MS, check_params_cb=lambda status: status.done == 1
        ):
            self.begin(*questions)

    def ended(self, signal: Any, act: Any, *arguments: Any) -> Any:
        with self.scene.qtbot.waitSignal(signal, timeout=LIMIT_MS) as caught:
            act(*arguments)
        return caught.args[0]

    def unfinished(self) -> UnfinishedBatch:
        return self.ended(self.batches.unfinished_found, self.batches.find_unfinished)

    def run(self, *questions: str, scope: tuple[CollectionRef, ...] = ()) -> BatchSummary:
        return self.ended(self.batches.finished, lambda: self.begin(*questions, scope=scope))

    def failure(self, *questions: str, scope: tuple[CollectionRef, ...] = ()) -> str:
        """Return the code of the error that ends the batch."""
        error: AppError = self.ended(self.batches.failed, lambda: self.begin(*questions, scope=scope))
        return error.code

    def go_on(self) -> BatchSummary:
        return self.ended(self.batches.finished, self.batches.resume_unfinished, self.unfinished())

    def verdicts(self) -> list[str]:
        return [one["verdict"] for one in self.answers()]

    def answers(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text("utf-8").splitlines()]


@pytest.fixture
def desk(scene: Scene, tmp_path: Path) -> Desk:
    return Desk(scene, tmp_path)


def test_each_question_is_answered_in_turn(desk: Desk) -> None:
    questions = ["一つ目", "二つ目", "三つ目"]
    ended = desk.run(*questions)
    assert (ended.answered, ended.failed, ended.waiting, ended.label) == (3, 0, 0, "internal")
    assert [(one["verdict"], one["answer"]) for one in desk.answers()] == [("answered", one) for one in questions]
    assert [path.name for path in desk.folder.iterdir() if path.name.startswith("回答")] == ["回答.jsonl"]
    assert not (desk.scene.where.data / "batch.json").exists()


@pytest.mark.fault("F4")
def test_a_question_that_ends_the_engine_fails_alone_and_is_tried_again_later(desk: Desk) -> None:
    ended = desk.run("一つ目", "!crash", "三つ目")
    assert (ended.answered, ended.failed) == (2, 1)
    first, failed, third = desk.answers()
    assert (first["answer"], third["answer"]) == ("一つ目", "三つ目")
    assert (failed["verdict"], failed["error"]["code"]) == ("failed", "engine_died")
    assert failed["error"]["message"] == "モデルの処理が止まりました。原因は記録にあります。"
    found = desk.unfinished()
    assert (found.out, found.answered) == (desk.out, 2)
    asked: list[str] = []
    desk.batches.progressed.connect(lambda standing: asked.append(standing.question))
    assert desk.go_on().failed == 1
    assert set(asked) == {"!crash"}


@pytest.mark.fault("F4")
def test_an_engine_that_always_dies_ends_the_batch_with_its_reason(desk: Desk) -> None:
    assert desk.failure(*["!crash"] * 6) == "engine_died"
    assert sorted(desk.verdicts()) == ["failed"] * 2 + ["waiting"] * 4


def test_what_would_meet_every_question_ends_the_batch_and_it_can_go_on(desk: Desk) -> None:
    assert desk.failure("一つ目", "!memory", "三つ目") == "out_of_memory"
    assert desk.verdicts() == ["answered", "waiting", "answered"]  # the second once more, alone
    assert desk.unfinished().answered == 2


@pytest.mark.fault("F3")
def test_it_is_stopped_in_the_middle_of_an_answer_and_goes_on_after_a_restart(desk: Desk) -> None:
    desk.begin_until_one_is_answered("一つ目", SLOW, SLOW)
    ended: BatchSummary = desk.ended(desk.batches.stopped, desk.batches.stop)
    assert (ended.answered, ended.waiting) == (1, 2)
    assert desk.verdicts() == ["answered", "waiting", "waiting"]
    first = desk.answers()[0]
    desk.anew()
    ended = desk.go_on()
    assert (ended.answered, ended.waiting) == (3, 0)
    assert desk.answers()[0] == first


@pytest.mark.fault("F3")
def test_the_end_of_the_program_leaves_what_is_answered(desk: Desk) -> None:
    desk.begin_until_one_is_answered("一つ目", SLOW)
    desk.batches.close()
    assert not desk.out.exists()
    assert journal_path(desk.out).exists()
    desk.anew()
    assert desk.go_on().answered == 2


def test_a_paused_batch_asks_nothing_until_it_is_resumed(desk: Desk) -> None:
    questions = [f"{at}つ目" for at in range(12)]
    desk.after_each_answer(lambda _result: desk.batches.pause())
    desk.begin_until_one_is_answered(*questions)
    run = desk.batches._run
    assert desk.batches.is_paused
    desk.scene.qtbot.waitUntil(lambda: not run.queue.is_answering, timeout=LIMIT_MS)
    done = run.status.done
    assert 1 <= done <= PARALLEL_MOST + 1  # those that were being answered, and the one that waited
    assert run.status.question == questions[done]
    desk.ended(desk.batches.finished, desk.batches.resume)
    assert [one["answer"] for one in desk.answers()] == questions


def test_questions_are_answered_beside_each_other_once_the_model_is_loaded(desk: Desk) -> None:
    numbers: list[int] = []
    desk.after_each_answer(lambda _result: numbers.append(len(desk.batches._run.queue._runs)))
    desk.ended(desk.batches.prepared, desk.begin, "!hang", *(f"{at}つ目" for at in range(11)))
    engine, queue = desk.scene.engine, desk.batches._run.queue

    def has_stopped() -> bool:
        return bool(engine.pid) and psutil.Process(engine.pid).status() == psutil.STATUS_STOPPED

    desk.scene.qtbot.waitUntil(lambda: has_stopped() and len(queue._runs) == PARALLEL_MOST + 1, timeout=LIMIT_MS)
    ended = desk.ended(desk.batches.finished, psutil.Process(engine.pid).resume)
    assert (ended.answered, engine.loaded.parallel) == (12, PARALLEL_MOST)
    assert max(numbers) <= PARALLEL_MOST  # others beside one that is answered
    assert numbers[-1] == 0


def test_documents_are_searched_for_one_question_at_a_time_so_that_each_search_has_its_whole_limit(
    desk: Desk, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excerpts, "PARAMETERS_MIN", 0)
    collection = add_documents(library, "内規", "internal", LEAVE)
    searching: list[int] = []
    search = retrieval_augmentation.search

    def count(request: RetrievalRequest, *arguments: Any, **named: Any) -> FoundPassages:
        runs = desk.batches._run.queue._runs.values()
        searching.append([run.stage.kind for run in list(runs)].count("searching"))
        return search(request, *arguments, **named)

    monkeypatch.setattr(retrieval_augmentation, "search", count)
    questions = [f"休暇は何日ですか。{at}" for at in range(6)]
    assert desk.run(*questions, scope=(CollectionRef(collection, "内規"),)).answered == 6
    assert searching == [1] * 6


def test_a_model_that_is_being_loaded_for_several_answers_is_not_loaded_again_for_one(
    scene: Scene, model: LocalModel
) -> None:
    one = load_plan.plan_load(model, Settings())
    several = dataclasses.replace(one, parallel=3)
    first = answer_run.send_load(scene.engine, model.name, one)
    second = answer_run.send_load(scene.engine, model.name, several)
    assert second != first
    assert answer_run.send_load(scene.engine, model.name, one) == second
    other = dataclasses.replace(one, context_tokens=512)
    assert answer_run.send_load(scene.engine, model.name, other) != second


def test_the_chat_goes_first(desk: Desk) -> None:
    ended: list[str] = []
    session = desk.scene.session
    desk.after_each_answer(lambda result: ended.append(f"row {result.line}"))
    session.answer_finished.connect(lambda _message: ended.append("chat"))
    desk.ended(desk.batches.progressed, desk.begin, "!slow 長い答え", "二つ目", "三つ目")
    assert session.ask("会話の質問")
    assert CHAT in desk.batches._run.queue._held_by
    desk.ended(desk.batches.finished, lambda: None)
    assert "chat" in ended[:2]  # at most the answer that had begun is before it
    assert sorted(ended) == ["chat", "row 1", "row 2", "row 3"]


def test_two_windows_do_not_write_one_file(desk: Desk) -> None:
    desk.begin_until_one_is_answered("一つ目", SLOW)
    first = desk.batches
    desk.anew()
    assert desk.failure("一つ目", SLOW) == "batch_running"
    assert desk.ended(first.finished, lambda: None).answered == 2


def test_questions_that_were_changed_meanwhile_are_not_mixed(desk: Desk) -> None:
    desk.begin_until_one_is_answered("一つ目", SLOW)
    desk.ended(desk.batches.stopped, desk.batches.stop)
    desk.write("別の質問")
    error: AppError = desk.ended(desk.batches.failed, desk.batches.resume_unfinished, desk.unfinished())
    assert error.code == "batch_other_questions"


def test_without_a_model_it_says_so(desk: Desk) -> None:
    desk.scene.library.remove(desk.scene.library.models()[0].id)
    assert desk.failure("一つ目") == "no_model"


def test_what_is_asked_of_secret_documents_is_said_before_it_begins(desk: Desk, library: Library) -> None:
    scope = (CollectionRef(library.add_collection("内規", "secret"), "内規"),)
    assert desk.label_of("一つ目", scope=scope) == "secret"
    assert not desk.batches.is_running
    assert not journal_path(desk.out).exists()


@pytest.mark.fault("S16")
def test_a_batch_keeps_no_answer_and_writes_no_file_once_what_it_asks_is_secret(desk: Desk, library: Library) -> None:
    collection = add_documents(library, "内規", "internal", LEAVE)
    desk.begin_with_permit()
    desk.after_each_answer(lambda _result: library.set_label(collection, "secret"))
    scope = (CollectionRef(collection, "内規"),)
    assert desk.failure("一つ目", "二つ目", "三つ目", scope=scope) == "secret_export"
    assert journal_answer_count(desk.out) == 1  # of before, in the journal
    assert not desk.out.exists()
    assert not desk.log.exists()


def test_the_window_never_waits_for_the_label_of_what_is_asked(desk: Desk) -> None:
    """It may take longer than a window can wait, and is looked up for each answer."""
    on_gui_thread: list[bool] = []

    def look(batch: Batch) -> Label:
        on_gui_thread.append(threading.current_thread() is threading.main_thread())
        return batch_label(batch)

    desk.begin_with_permit(look)
    assert desk.run("一つ目", "二つ目", "三つ目").answered == 3
    assert on_gui_thread == [True] + [False] * 4  # the window before it begins; three answers, and the file


def test_an_answer_is_counted_when_it_is_on_the_disk_and_a_stop_before_loses_none(desk: Desk) -> None:
    waiting, may_go_on = threading.Event(), threading.Event()

    def look(_batch: Batch) -> Label:
        if threading.current_thread() is not threading.main_thread():
            waiting.set()
            assert may_go_on.wait(LIMIT_MS / 1000)
        return "internal"

    desk.begin_with_permit(look)
    desk.begin("一つ目", SLOW)
    desk.scene.qtbot.waitUntil(waiting.is_set, timeout=LIMIT_MS)
    assert desk.batches._run.status.done == journal_answer_count(desk.out) == 0
    desk.batches.stop()
    ended: BatchSummary = desk.ended(desk.batches.stopped, may_go_on.set)
    assert (ended.answered, ended.waiting) == (1, 1)


@pytest.mark.fault("S16")
def test_a_batch_says_the_label_that_what_it_asked_has_when_its_file_is_written(desk: Desk, library: Library) -> None:
    collection = add_documents(library, "公報", "public", LEAVE)
    desk.after_each_answer(lambda _result: library.set_label(collection, "internal"))
    assert desk.run("一つ目", scope=(CollectionRef(collection, "公報"),)).label == "internal"


@pytest.mark.fault("S16")
def test_a_batch_of_a_model_into_which_a_secret_adapter_was_merged_is_secret(desk: Desk, model: LocalModel) -> None:
    note = Path(model.path).with_suffix(".lineage.json")
    note.write_text(json.dumps({"label": "secret"}), "utf-8")
    try:
        assert desk.label_of("一つ目") == "secret"
    finally:
        note.unlink()


def test_a_drive_that_is_gone_offers_nothing(desk: Desk) -> None:
    memory = desk.scene.where.data / "batch.json"
    for written in (b"", b"{}", b"[]", b'{"out": 5}', b'{"out": "/nowhere/a.csv"}'):
        memory.write_bytes(written)
        found: list[UnfinishedBatch] = []
        desk.batches.unfinished_found.connect(found.append)
        desk.batches.find_unfinished()
        desk.scene.qtbot.waitUntil(lambda: not background._running, timeout=LIMIT_MS)
        assert found == []


@pytest.mark.fault("F2")
def test_a_full_disk_ends_it_with_its_sentence_and_keeps_what_is_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = BatchJournal._write
    calls = []

    def full(self: BatchJournal, data: dict[str, Any]) -> None:
        calls.append(data)
        if len(calls) == 3:  # the head, one answer, and then no more
            raise AppError("disk_full", path=str(self.path))
        before(self, data)

    monkeypatch.setattr(BatchJournal, "_write", full)
    assert desk.failure("一つ目", "二つ目", "三つ目") == "disk_full"
    assert desk.unfinished().answered == 1
    assert desk.go_on().answered == 3
