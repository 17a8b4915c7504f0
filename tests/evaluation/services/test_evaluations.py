"""The one study of a window: who waits for whom, what is refused meanwhile, and what is left when it has ended."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base import programs
from app.base.errors import AppError
from app.base.services import background
from app.chat.services import retrieval_augmentation
from app.chat.services.retrieval_augmentation import FoundPassages, RetrievalRequest
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.library import Library
from app.documents.records import Section
from app.documents.retrieval import semantic_index
from app.documents.services import search_model_engine
from app.documents.services.embedding import Embedding
from app.evaluation.services.evaluations import NICE, Evaluations
from app.evaluation.study import studies, study_steps
from app.evaluation.study.compared_systems import DocumentScope
from app.evaluation.study.studies import Training
from app.inference.local_model import LocalModel
from app.models import local_models
from app.models.artifact_steps import StepProgress
from app.models.training_environment import TrainingEnvironment
from app.training.runs import run_folders
from app.training.services import training_run
from app.training.services.training_run import Trainer
from app.training.services.training_runner import TrainingRunner
from tests import fake_trainer
from tests.embedding_model import tiny_bert
from tests.evaluation.driver import question_set, systems_of, write_study
from tests.scene import Scene
from trainer.spec import RunSpec

ROW = '{"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": "!"}]}\n'


def locate() -> Trainer:
    raise AppError("no_training_environment", path="/設定した場所")


class Desk:
    def __init__(self, scene: Scene, model: LocalModel) -> None:
        self.scene = scene
        self.model = model
        self.is_answering = False
        self.evaluations = self.made()
        self.ends: list[tuple[Path, AppError | None]] = []
        self.told: list[StepProgress] = []
        self.evaluations.ended.connect(lambda folder, error: self.ends.append((folder, error)))
        self.evaluations.progressed.connect(self.told.append)

    def made(self, locate: Callable[[], Trainer] = locate, embedding: Embedding | None = None) -> Evaluations:
        scene = self.scene
        answering = lambda: self.is_answering  # noqa: E731
        return Evaluations(scene.engine, scene.where, locate, embedding, scene.engine, answering)

    def study(
        self, *questions: str, documents: DocumentScope | None = None, trainings: tuple[Training, ...] = ()
    ) -> Path:
        folder = self.scene.where.evaluations / f"試験 {len(studies.list_all(self.scene.where.evaluations))}"
        contenders = systems_of(self.model, 1 if questions else 0, documents)
        write_study(folder, *contenders, asked=question_set(*questions), trainings=trainings)
        return folder

    def ended(self) -> AppError | None:
        self.scene.qtbot.waitUntil(lambda: bool(self.ends))
        ((_folder, error),) = self.ends
        self.ends.clear()
        assert (self.evaluations.folder, self.evaluations.is_running) == (None, False)
        assert self.scene.engine.refusal is None
        return error

    def failure(self) -> AppError:
        error = self.ended()
        assert error is not None
        assert self.evaluations.outcome == "failed"
        return error


@pytest.fixture
def desk(scene: Scene, model: LocalModel, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("KOTAE_ENGINE", "echo")
    made = Desk(scene, model)
    yield made
    made.evaluations.close()


def test_a_study_is_carried_out_and_the_window_answers_again_afterwards(desk: Desk) -> None:
    desk.scene.ask("前の質問")
    folder = desk.study("一つ目", "二つ目")
    begun: list[Path] = []
    desk.evaluations.started.connect(begun.append)
    was_up: list[bool] = []
    desk.evaluations.progressed.connect(lambda _told: was_up.append(desk.scene.engine.is_up))
    assert desk.scene.engine.is_up
    desk.evaluations.start(folder)
    assert (begun, desk.evaluations.folder, desk.evaluations.is_waiting) == ([folder], folder, False)
    refusal = desk.scene.engine.refusal
    assert refusal is not None
    assert refusal.code == "study_has_memory"
    assert desk.ended() is None
    assert set(was_up) == {False}  # the model that answers is unloaded before anything is measured
    assert desk.evaluations.outcome == "finished"
    assert [row.answer for row in studies.read_results(folder)[0].systems[0].rows] == ["一つ目", "二つ目"]
    assert [one.kind for one in desk.told if not one.total] == ["answers", "conclude"]
    assert studies.find(desk.scene.where.evaluations, folder.name).state == "finished"
    assert "後の質問" in desk.scene.ask("後の質問").text


def test_an_answer_that_is_being_given_is_waited_for_unless_the_study_is_given_up(desk: Desk) -> None:
    desk.is_answering = True
    folder = desk.study("一つ目")
    desk.evaluations.start(folder)
    with pytest.raises(AppError, match="study_busy"):  # one at a time
        desk.evaluations.start(desk.study("二つ目"))
    assert desk.evaluations.folder == folder
    desk.evaluations.stop()
    assert desk.ended() is None
    assert (desk.evaluations.outcome, desk.evaluations.is_waiting) == ("stopped", False)
    assert studies.find(desk.scene.where.evaluations, folder.name).state == "waiting"
    desk.evaluations.start(folder)
    assert desk.evaluations.is_waiting
    assert desk.told == []
    desk.is_answering = False
    assert desk.ended() is None
    assert desk.evaluations.outcome == "finished"


def test_a_study_and_a_training_do_not_run_side_by_side(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trainer.use(monkeypatch, "good")
    scene, folder, desk.is_answering = desk.scene, desk.study("一つ目"), True
    trainings = TrainingRunner(
        scene.engine,
        lambda: training_run.locate_trainer(tmp_path),
        tmp_path / "bases",
        scene.engine,
        lambda: desk.is_answering,
    )
    run = run_folders.create(RunSpec(str(tmp_path / "実行"), str(tmp_path), "train.jsonl", "validation.jsonl"))
    trainings.start(run)
    with pytest.raises(AppError, match="study_beside_training"):
        desk.evaluations.start(folder)
    assert (desk.evaluations.is_running, trainings.is_training) == (False, True)
    trainings.cancel()
    desk.evaluations.start(folder)
    with pytest.raises(AppError, match="study_has_memory"):
        trainings.start(run)
    assert (desk.evaluations.is_running, trainings.is_training) == (True, False)
    desk.is_answering = False
    assert desk.ended() is None


def test_who_has_taken_the_study_meanwhile_is_told_at_the_end(desk: Desk) -> None:
    folder = desk.study("一つ目")
    held = studies.lock(folder)
    desk.evaluations.start(folder)
    error = desk.failure()
    held.release()
    assert error.code == "evaluation_busy"


def test_a_damaged_study_is_refused(desk: Desk) -> None:
    folder = desk.study("一つ目")
    (folder / studies.STUDY).write_text("{", "utf-8")
    with pytest.raises(AppError, match="evaluation_damaged"):
        desk.evaluations.start(folder)
    assert (desk.evaluations.is_running, desk.scene.engine.refusal) == (False, None)


def test_the_end_of_the_program_stops_it_and_keeps_what_is_measured(desk: Desk) -> None:
    folder = desk.study("一つ目", "!slow とても長い答えになる質問")
    desk.evaluations.start(folder)
    desk.scene.qtbot.waitUntil(lambda: any(one.total and one.done == 1 for one in desk.told))
    engine = desk.evaluations._own_engine
    assert engine is not None
    # a question that a person asks meanwhile goes before it, with the model for search
    assert psutil.Process(engine.pid).nice() == (NICE if psutil.POSIX else psutil.IDLE_PRIORITY_CLASS)
    assert NICE > search_model_engine.NICE
    assert desk.evaluations.close()
    assert desk.ended() is None
    assert list(study_steps.answers_of(folder, "s1", 0)) == [1]


def test_a_trainer_that_needs_longer_is_left_to_itself(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_trainer.use(monkeypatch, "silent")
    (tmp_path / "train.jsonl").write_text(ROW, encoding="utf-8")
    run = tmp_path / "実行"
    run_folders.create(RunSpec(str(run), str(tmp_path), str(tmp_path / "train.jsonl"), str(tmp_path / "train.jsonl")))
    evaluations = desk.made(lambda: training_run.locate_trainer(tmp_path))
    told: list[StepProgress] = []
    evaluations.progressed.connect(told.append)
    evaluations.start(desk.study(trainings=(Training(str(run), 1, 1),)))
    desk.scene.qtbot.waitUntil(lambda: any(one.total and one.done >= 3 for one in told))
    assert not evaluations.close(limit_s=0.2)
    assert (evaluations.is_stopping, evaluations.is_running) == (True, True)
    assert evaluations._run is not None
    assert evaluations._run._task is not None
    with desk.scene.qtbot.waitSignal(evaluations.ended):
        evaluations._run._task.kill()


def test_a_trainer_that_cannot_be_found_fails_only_what_needs_it(desk: Desk, tmp_path: Path) -> None:
    run = run_folders.create(RunSpec(str(tmp_path / "実行"), str(tmp_path), "train.jsonl", "validation.jsonl"))
    desk.evaluations.start(desk.study(trainings=(Training(str(run), 1, 1),)))
    error = desk.failure()
    assert (error.code, error.facts["path"]) == ("no_training_environment", "/設定した場所")


def test_a_bug_while_it_is_looked_what_is_next_ends_the_study_and_everything_is_free_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_anything: object) -> None:
        raise MemoryError

    folder = desk.study("一つ目")
    with monkeypatch.context() as patched, desk.scene.qtbot.captureExceptions() as bugs:
        patched.setattr(study_steps, "next_step", fail)
        desk.evaluations.start(folder)
        error = desk.failure()
        desk.scene.qtbot.waitUntil(lambda: bool(bugs))
    assert error.code == "unexpected"
    desk.evaluations.start(folder)
    assert desk.ended() is None


def test_a_study_that_is_stopped_while_it_is_taken_is_free(desk: Desk) -> None:
    folder = desk.study("一つ目")
    desk.evaluations.start(folder)
    desk.evaluations.stop()
    assert desk.ended() is None
    background.shut_down()
    desk.evaluations.start(folder)
    assert desk.ended() is None
    assert desk.evaluations.outcome == "finished"


def test_an_environment_that_is_broken_is_told(desk: Desk, tmp_path: Path) -> None:
    gone = Trainer(TrainingEnvironment(tmp_path / "gone", None), fake_trainer.FAKE)
    evaluations = desk.made(lambda: gone)
    run = run_folders.create(RunSpec(str(tmp_path / "実行"), str(tmp_path), "train.jsonl", "validation.jsonl"))
    with desk.scene.qtbot.waitSignal(evaluations.ended) as caught:
        evaluations.start(desk.study(trainings=(Training(str(run), 1, 1),)))
    assert caught.args[1].code == "training_environment_broken"


@pytest.fixture
def embedding(desk: Desk, tmp_path: Path) -> Iterator[Embedding]:
    where = desk.scene.where
    made = Embedding([*programs.own_program(), "--engine", "llama"], where.logs, where.documents)
    made.use_at_once([local_models.describe(tiny_bert(tmp_path / "encoder.gguf", {"賃": "給", "金": "与"}))])
    yield made
    made.close()


@pytest.fixture
def scope(desk: Desk) -> tuple[CollectionRef, ...]:
    library = Library.open(desk.scene.where.documents)
    collection_id = library.add_collection("規程")
    (document_id,) = library.add_documents(collection_id, [Path("/d/規程.md")])
    document = library.document(document_id)
    assert document is not None
    sections = [Section((f"第{number}条",), f"番号{number}の給与は月末に払う。") for number in range(40)]
    library.put(dataclasses.replace(document, state="done"), sections)
    library.close()
    return (CollectionRef(collection_id, "規程"),)


def test_every_section_can_be_found_by_meaning_before_the_first_answer(
    desk: Desk, scope: tuple[CollectionRef, ...], embedding: Embedding, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluations = desk.made(embedding=embedding)
    seen, patience = list[tuple[str, int]](), list[float]()

    def look(told: StepProgress) -> None:
        seen.append((embedding.standing.phase, embedding.standing.done))

    def search(wanted: RetrievalRequest, *anything: Any, **named: Any) -> FoundPassages:
        patience.append(wanted.patience_s)
        return retrieve(wanted, *anything, **named)

    retrieve = retrieval_augmentation.search
    monkeypatch.setattr(retrieval_augmentation, "search", search)
    evaluations.progressed.connect(look)
    with qtbot.waitSignal(evaluations.ended) as caught:
        evaluations.start(desk.study("賃金は？", documents=DocumentScope(scope)))
        qtbot.waitUntil(lambda: evaluations.is_embedding)
        assert seen == []
    assert caught.args[1] is None
    assert seen[0] == ("idle", 40)
    assert not evaluations.is_embedding
    assert min(patience) > embedding.question_limit_s  # which a person waits meanwhile, as ever
    evaluations.close()


def test_vectors_whose_first_try_fails_are_waited_for(
    desk: Desk, scope: tuple[CollectionRef, ...], embedding: Embedding, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedding._retry_timer.setInterval(50)
    look, tries = semantic_index.find_backlog, list[int]()

    def fail_once(*anything: Any, **named: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise AppError("documents_damaged", path="")
        return look(*anything, **named)

    monkeypatch.setattr(semantic_index, "find_backlog", fail_once)
    evaluations, seen = desk.made(embedding=embedding), list[int]()
    evaluations.progressed.connect(lambda _told: seen.append(embedding.standing.done))
    with qtbot.waitSignal(evaluations.ended):
        evaluations.start(desk.study("賃金は？", documents=DocumentScope(scope)))
    assert seen[0] == 40
    evaluations.close()


def test_a_study_that_waits_for_vectors_can_be_stopped(
    desk: Desk, scope: tuple[CollectionRef, ...], embedding: Embedding, qtbot: QtBot
) -> None:
    embedding.set_paused(True)  # nothing comes of it
    evaluations = desk.made(embedding=embedding)
    evaluations.start(desk.study("賃金は？", documents=DocumentScope(scope)))
    qtbot.waitUntil(lambda: evaluations.is_embedding)
    with qtbot.waitSignal(evaluations.ended):
        evaluations.stop()
    assert (evaluations.outcome, evaluations.is_embedding) == ("stopped", False)
