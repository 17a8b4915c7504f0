"""Studies with the fake engine as a real child: every system asked, judged and concluded, whatever ends it between."""

import dataclasses
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import filelock
import pytest
from PySide6.QtCore import QCoreApplication, QTimer
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.services.child_process import STOP_GRACE_MS
from app.base.settings import Settings
from app.chat.batch.journal import BatchAnswer
from app.chat.presets import Choices
from app.chat.services.answer_run import AnswerRequest
from app.chat.services.prompt_run import AnswerQueue
from app.chat.services.retrieval_augmentation import RetrievalRequest
from app.documents.grounding.grounding_record import CollectionRef
from app.documents.records import Section
from app.evaluation import question_files
from app.evaluation.records import Evaluation, QuestionSet
from app.evaluation.services import study_run
from app.evaluation.services.study_run import StudyRun
from app.evaluation.services.study_tasks import LikelihoodTask, TrainingTask
from app.evaluation.study import compared_systems, studies, study_steps
from app.evaluation.study.studies import ComparedSystem, MadeModel, Study
from app.inference.engine import model_jobs
from app.inference.local_model import LocalModel
from app.inference.prompts import Turn
from app.models.artifact_steps import ArtifactStep, StepProgress
from app.models.services import artifact_runner
from app.models.services.artifact_runner import JobTask, Workplace
from app.models.training_environment import TrainingEnvironment
from app.training.runs import run_folders
from app.training.services.training_run import Trainer
from tests import fake_trainer
from tests import model_files as models
from tests.evaluation.driver import question_set, record, write_study
from tests.scene import Scene
from tests.training.generation.collection import library_of
from trainer.convert_job import GgufToHf, HfToGguf, Merge
from trainer.spec import RunSpec


def judged(score: int | str) -> str:
    return f'!say {{"reason": "理由", "score": {score}}}'


def systems(*models: LocalModel, family: str = "") -> tuple[ComparedSystem, ...]:
    made = (compared_systems.compared_system(model, None) for model in models)
    return compared_systems.assign_ids([dataclasses.replace(one, family=family) for one in made])


class Desk:
    def __init__(self, scene: Scene, model: LocalModel) -> None:
        self.scene = scene
        self.model = model
        self.folder = scene.where.evaluations / "x"
        self.trainer = AppError("no_training_environment", path="/設定した場所")

    def study(self, *texts: str, contenders: tuple[ComparedSystem, ...] | None = None, **others: object) -> Study:
        """Written. By default one system, which answers with the question or with what it is told to."""
        asked = tuple(
            dataclasses.replace(one, group=f"資料{at % 2}")
            for at, one in enumerate(question_set(*texts, reference="答え", must_include=("二",)).questions, start=1)
        )
        found = QuestionSet("試験", 1, question_files.sha256(asked), asked)
        contenders = systems(self.model) if contenders is None else contenders
        return write_study(self.folder, *contenders, asked=found, **others)

    def run(self) -> StudyRun:
        scene = self.scene
        return StudyRun(
            self.folder, scene.engine, trainer=self.trainer, documents=scene.where.documents, settings=Settings(),
            parent=scene.engine,
        )  # fmt: skip

    def ended(self, signal: Any, act: Callable[[], object]) -> Any:
        with self.scene.qtbot.waitSignal(signal) as caught:
            act()
        return caught.args[0] if caught.args else None

    def failure(self) -> AppError:
        run = self.run()
        error: AppError = self.ended(run.failed, run.start)
        return error

    def answered(self) -> list[int]:
        """The questions to which the first system has an answer."""
        return list(study_steps.answers_of(self.folder, "s1", 0))

    def kill_at_slow_answers(self, times: int = sys.maxsize) -> None:
        """The engine, as often as it begins one."""
        kills: list[int] = []

        def kill(event: object) -> None:
            if len(kills) < times and getattr(event, "text", "") == "!":
                kills.append(self.scene.engine.pid)
                os.kill(kills[-1], signal.SIGKILL)

        self.scene.engine.event_received.connect(kill)

    def result(self) -> Evaluation:
        run = self.run()
        found: Evaluation = self.ended(run.finished, run.start)
        assert not run.is_running
        return found


@pytest.fixture
def desk(scene: Scene, model: LocalModel) -> Desk:
    return Desk(scene, model)


def test_every_system_answers_every_question_and_is_marked(desk: Desk) -> None:
    desk.study("一つ目", "二つ目", contenders=systems(desk.model, desk.model))
    found = desk.result()
    assert [one.system.name for one in found.systems] == ["小さなモデル", "小さなモデル（2）"]
    for one in found.systems:
        assert [(row.question_id, row.answer, row.marks.score) for row in one.rows] == [
            ("q1", "一つ目", 0.0),
            ("q2", "二つ目", 1.0),
        ]
        assert one.system.size_bytes == Path(desk.model.path).stat().st_size
    assert studies.read_results(desk.folder)[0] == found
    assert "試し" in (desk.folder / studies.REPORT).read_text("utf-8")
    assert studies.find(desk.scene.where.evaluations, "x").state == "finished"


def test_each_seed_is_asked_for_itself(desk: Desk) -> None:
    desk.study("一つ目", seeds=(0, 1, 2), choices=Choices(temperature=0.7, max_tokens=20))
    assert [row.seed for row in desk.result().systems[0].rows] == [0, 1, 2]


def test_the_judge_scores_what_there_is_to_score(desk: Desk) -> None:
    desk.study(
        judged(3), judged(0), judged(7), "!say 点なし", "空の答え !say \n以上", "長" * 9000, judge=desk.model,
    )  # fmt: skip
    found = desk.result()
    scored = [(row.judgement.score, row.judgement.trouble) for row in found.systems[0].rows if row.judgement]
    assert scored == [(3, ""), (0, ""), (None, "unreadable"), (None, "unreadable"), (0, "empty"), (0, "empty")]
    assert found.judge is not None
    assert found.judge.is_trusted is None  # it was asked about too few
    _, sections = studies.read_results(desk.folder)
    assert any("採点モデル" in section.title for section in sections)


def test_the_judge_chooses_between_two_systems_in_both_orders(desk: Desk) -> None:
    told = '!say {"reason": "理由", "winner": 1, "score": 2}'  # what stands first, whatever it is
    tuned = compared_systems.compared_system(desk.model, compared_systems.AdapterInUse("/a.gguf"))
    contenders = compared_systems.assign_ids([*systems(desk.model), dataclasses.replace(tuned, model=desk.model)])
    texts = [f"{number} {told}" for number in range(2)]
    desk.study(*texts, contenders=contenders, judge=desk.model, has_pairs=True)
    for id in ("s1", "s2"):  # the fake would answer the same, and has no adapters
        record(desk.folder, id, (BatchAnswer(line, "answered", f"{id} の答え") for line in range(1, 3)))
    found = desk.result()
    assert [(one.system_id, one.winner, one.is_consistent) for one in found.preferences] == [("s2", "tie", False)] * 2
    assert studies.read_results(desk.folder)[0].preferences == found.preferences
    assert "一対比較" in (desk.folder / studies.REPORT).read_text("utf-8")


def test_a_study_that_is_stopped_goes_on_where_it_was(desk: Desk) -> None:
    desk.study("一つ目", "!slow 長い質問", "三つ目")
    run = desk.run()

    def stop_at_the_second(progress: StepProgress) -> None:
        if progress.total and progress.done == 1:
            run.stop()

    run.progressed.connect(stop_at_the_second)
    desk.ended(run.stopped, run.start)
    assert not run.is_running
    assert desk.answered() == [1]
    assert studies.find(desk.scene.where.evaluations, "x").state == "waiting"
    again = desk.run()
    asked: list[StepProgress] = []
    again.progressed.connect(asked.append)
    found = desk.ended(again.finished, again.start)
    assert len(found.systems[0].rows) == 3
    assert [one.done for one in asked if one.total] == [1, 2]


def test_a_stop_that_comes_while_an_answer_is_only_checked_is_the_last(desk: Desk, qtbot: QtBot) -> None:
    subjects = ("橋脚", "水門")
    sections = [Section((one,), f"{one}の鉄筋のかぶりは50mm以上とする。", "標準") for one in subjects]
    library = library_of(desk.scene.where.documents, {"基準.md": sections})
    scope = (CollectionRef(library.collection("基準").id, "基準"),)
    library.close()

    def request_of(at: Hashable) -> AnswerRequest:
        assert isinstance(at, int)
        turns = (Turn(f"{subjects[at]}の鉄筋のかぶりは何mm以上ですか。"),)
        wanted = RetrievalRequest(
            desk.scene.where.documents, scope, turns
        )  # such a small model is not asked: they are quoted
        return AnswerRequest(desk.model, turns, Settings(), retrieval=wanted)

    queue = AnswerQueue(desk.scene.engine, request_of, desk.scene.engine)
    answered: list[int] = []
    queue.answered.connect(lambda at, _text, _outcome: answered.append(at))
    queue.progressed.connect(
        lambda: QTimer.singleShot(0, lambda: queue._runs[len(answered)].text_received.connect(queue.stop))
    )
    with qtbot.waitSignal(queue.ended):
        queue.start([0, 1])
    assert (answered, list(queue.pending)) == ([0], [1])


def test_a_job_that_cannot_be_written_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.study("一つ目", has_likelihoods=True)

    def fail(*_anything: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_jobs, "write_job", fail)
    assert desk.failure().code == "drive_space"


def test_what_would_meet_every_question_ends_it_and_the_folder_is_free(desk: Desk) -> None:
    desk.study("一つ目", "!memory", "三つ目")
    assert desk.failure().code == "out_of_memory"
    studies.lock(desk.folder).release()
    assert desk.answered() == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
@pytest.mark.parametrize(("kills", "verdict"), [(2, "answered"), (sys.maxsize, "failed")])
def test_a_question_at_which_the_engine_is_killed_has_no_answer_and_is_asked_again(
    desk: Desk, kills: int, verdict: str
) -> None:
    desk.study("一つ目", "!slow 二つ目の質問", "三つ目")
    desk.kill_at_slow_answers(kills)
    error = desk.failure()
    assert (error.code, error.facts["count"], error.facts["number"]) == ("evaluation_unanswered", 1, 2)
    assert desk.answered() == [1, 3]
    assert [row.verdict for row in desk.result().systems[0].rows] == ["answered", verdict, "answered"]


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_model_that_is_killed_again_and_again_is_not_asked_any_more(desk: Desk) -> None:
    desk.study("!slow 一つ目", "!slow 二つ目", "!slow 三つ目", "!slow 四つ目")
    desk.kill_at_slow_answers()
    error = desk.failure()
    assert (error.code, error.facts["count"], error.facts["number"]) == ("evaluation_unanswered", 2, 1)
    assert desk.answered() == []


def test_what_needs_a_training_environment_says_so(desk: Desk, tmp_path: Path) -> None:
    path = str(tmp_path / "made.gguf")
    made = dataclasses.replace(desk.model, path=path)
    desk.study("一つ目", contenders=systems(made), made=(MadeModel(path, "F16", str(tmp_path)),))
    error = desk.failure()
    assert (error.code, error.facts["path"]) == ("no_training_environment", "/設定した場所")


def test_a_judge_is_measured_without_any_system(desk: Desk) -> None:
    desk.study(*map(judged, range(4)), contenders=(), judge=desk.model, kind="judge")
    found = desk.result()
    assert found.systems == ()
    assert found.judge is not None
    assert studies.read_results(desk.folder)[0] == found
    assert "採点モデル" in (desk.folder / studies.REPORT).read_text("utf-8")


def test_made_files_are_quantized_measured_and_deleted(desk: Desk, long_model: Path, tmp_path: Path) -> None:
    path = str(desk.folder / studies.MODELS / "base-Q8_0.gguf")
    made = dataclasses.replace(desk.model, path=path, name="小さなモデル Q8_0", quantization="Q8_0")
    desk.study(
        "一つ目", "二つ目", contenders=systems(desk.model, made, family="base"), kind="quantizations",
        has_likelihoods=True, made=(MadeModel(path, "Q8_0", str(long_model), size_bytes=1000),),
    )  # fmt: skip
    found = desk.result()
    assert not Path(path).exists()
    reference, small = found.systems
    assert [one.tokens > 0 for one in (*reference.likelihoods, *small.likelihoods)] == [True] * 4
    assert reference.likelihoods[0].divergence is None
    assert small.likelihoods[0].divergence is not None
    assert 0 < small.system.size_bytes < reference.system.size_bytes
    assert json.loads((desk.folder / studies.RESULTS).read_bytes())["version"] == studies.RESULTS_VERSION


def shared(desk: Desk, tmp_path: Path) -> tuple[Path, filelock.FileLock]:
    """A file that the study waits for, and somebody else makes."""
    path = tmp_path / "shared.gguf"
    contenders = systems(dataclasses.replace(desk.model, path=str(path)))
    desk.study("一つ目", contenders=contenders, made=(MadeModel(str(path), "Q8_0", desk.model.path, is_shared=True),))
    lock = filelock.FileLock(f"{path}.lock")
    lock.acquire()
    return path, lock


def test_what_another_study_is_making_is_waited_for_and_not_made_twice(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifact_runner, "_RETRY_MS", 50)
    path, lock = shared(desk, tmp_path)
    run = desk.run()
    told: StepProgress = desk.ended(run.progressed, run.start)
    assert (told.kind, told.name) == ("make", path.name)
    path.write_bytes(Path(desk.model.path).read_bytes())
    with desk.scene.qtbot.waitSignal(run.finished):
        lock.release()
    assert not (desk.folder / "make.log").exists()
    assert path.exists()
    lock.acquire(timeout=0)


def test_what_another_study_has_made_a_moment_ago_is_not_made_again(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock = shared(desk, tmp_path)
    lock.release()
    look = study_run._find_next_step

    def too_early(*anything: Any) -> Any:
        found = look(*anything)
        path.write_bytes(Path(desk.model.path).read_bytes())
        return found

    monkeypatch.setattr(study_run, "_find_next_step", too_early)
    desk.result()
    assert not (desk.folder / "make.log").exists()


def test_who_waits_for_another_study_can_be_stopped(desk: Desk, tmp_path: Path) -> None:
    _path, lock = shared(desk, tmp_path)
    run = desk.run()
    desk.ended(run.progressed, run.start)
    desk.ended(run.stopped, run.stop)
    assert not run.is_running
    lock.release()


def test_likelihoods_are_of_the_prompt_of_the_models_own_template(desk: Desk, tmp_path: Path) -> None:
    template = "{% for one in messages %}<{{ one.role }}>{{ one.content }}{% endfor %}<assistant>"
    path = models.tiny_llama(
        tmp_path / "own.gguf", metadata={"llama.context_length": 32768, "tokenizer.chat_template": template}
    )
    own = dataclasses.replace(desk.model, path=str(path), form_id=None, template_allowed=True)
    choices = Choices(temperature=0.0, max_tokens=20, system_prompt="短く")
    desk.study("一つ目", contenders=systems(own), has_likelihoods=True, choices=choices)
    found = desk.result()
    job = model_jobs.read_job(desk.folder / "job.json", model_jobs.Score)
    assert isinstance(job, model_jobs.Score)
    (text,) = job.texts
    assert [(one.text, one.markup) for one in text.segments] == [
        ("<system>", True), ("短く", False), ("<user>", True), ("一つ目", False), ("<assistant>", True),
    ]  # fmt: skip
    assert found.systems[0].likelihoods[0].nll > 0


def test_a_template_that_fails_is_told(desk: Desk, tmp_path: Path) -> None:
    path = models.tiny_llama(tmp_path / "bad.gguf", metadata={"tokenizer.chat_template": "{{ raise_exception('x') }}"})
    bad = dataclasses.replace(desk.model, path=str(path), form_id=None, template_allowed=True)
    desk.study("一つ目", contenders=systems(bad), has_likelihoods=True)
    assert desk.failure().code == "template_failed"


def test_the_job_of_a_made_file_follows_from_its_form() -> None:
    def job(made: MadeModel) -> Any:
        return study_steps.making_step(made).job

    assert job(MadeModel("/q", "Q8_0", "/f")) == model_jobs.Quantize("/f", "/q", "Q8_0")
    assert job(MadeModel("/hf", "folder", "/a.gguf")) == GgufToHf("/a.gguf", "/hf")
    assert job(MadeModel("/f", "F16", "/hf"))(converter="/c") == HfToGguf("/hf", "/f", "/c", "f16")
    assert job(MadeModel("/f", "F16", "/b", "/a", strength=0.5))(converter="/c") == Merge("/b", "/a", "/f", "/c", 0.5)


def test_a_stop_that_comes_while_the_results_are_written_is_too_late(desk: Desk) -> None:
    desk.study("一つ目")
    run = desk.run()
    run.progressed.connect(lambda told: run.stop() if told.kind == "conclude" else None)
    desk.ended(run.finished, run.start)
    assert (desk.folder / studies.RESULTS).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a process is halted by a signal")
def test_nobody_stands_still_while_the_engine_gives_its_memory_back_or_a_child_is_stopped(desk: Desk) -> None:
    desk.scene.ask("前の質問")
    os.kill(desk.scene.engine.pid, signal.SIGSTOP)  # ends only when it is killed
    desk.study("一つ目", has_likelihoods=True)
    run, ticks, clock = desk.run(), list[float](), QTimer(interval=20)
    clock.timeout.connect(lambda: ticks.append(time.monotonic()))
    clock.start()

    def halt(told: StepProgress) -> None:
        task = run._task
        if told.kind == "likelihood" and isinstance(task, LikelihoodTask) and task.pid:
            os.kill(task.pid, signal.SIGSTOP)
            run.stop()

    run.progressed.connect(halt)
    desk.ended(run.stopped, run.start)
    assert max(later - earlier for earlier, later in itertools.pairwise(ticks)) < 1.0
    assert ticks[-1] - ticks[0] > STOP_GRACE_MS / 1000  # the engine alone; a child that has ended by then takes no more


def test_a_run_that_somebody_else_trains_is_told_and_not_waited_for(desk: Desk, tmp_path: Path) -> None:
    run = run_folders.create(RunSpec(str(tmp_path / "実行"), str(tmp_path), "train.jsonl", "validation.jsonl"))
    lock = run_folders.lock_run(run)
    trainer = Trainer(TrainingEnvironment(Path(sys.executable), None), fake_trainer.FAKE)
    work = TrainingTask(run, trainer, desk.scene.engine)
    error: AppError = desk.ended(work.ended, work.start)
    assert error.code == "run_busy"
    lock.release()
    work.start()
    work.stop()
    desk.ended(work.stopped, lambda: None)
    run_folders.lock_run(run).release()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_half_a_folder_of_a_child_that_was_killed_is_deleted(
    qtbot: QtBot, qapp: QCoreApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, part = tmp_path / "folder", tmp_path / "folder.part"
    code = f"import os; os.mkdir({str(part)!r}); open({str(part / 'half')!r}, 'w'); os.kill(os.getpid(), 9)"
    monkeypatch.setattr(JobTask, "_write_job", lambda _task: [sys.executable, "-c", code])
    place = Workplace(tmp_path / "job", f"{tmp_path}/", "")
    task = JobTask(ArtifactStep("unpack", target, None), AppError("no_training_environment"), place, qapp)
    with qtbot.waitSignal(task.ended) as caught:
        task.start()
    assert caught.args[0].code == "build_died"
    assert not part.exists()
