"""How far a study is, by what is in its folder."""

import dataclasses
import json
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.chat.presets import Choices
from app.evaluation import question_files
from app.evaluation.records import Question, QuestionSet
from app.evaluation.study import compared_systems, studies, study_steps
from app.evaluation.study.studies import Study, Training
from app.inference.local_model import LocalModel

HEAD = JournalHeader("", "", 0, "", "", (), Choices(), 2048, 0.0)


def study_in(folder: Path, **others: object) -> Study:
    asked = (Question("a", "一つ目"), Question("b", "二つ目"))
    found = QuestionSet("試験", 1, question_files.sha256(asked), asked)
    model = LocalModel("m", "モデル", "/nowhere.gguf", 1, "llama", "F32", 4096, 1.0)
    contenders = compared_systems.assign_ids(compared_systems.compared_system(model, None) for _ in range(2))
    one = Study("x", "試し", "questions", "試験", 1, found.sha256, "internal", contenders, (0, 1), Choices(), 2048)
    one = dataclasses.replace(one, **others)  # type: ignore[arg-type]
    studies.create(folder, one, found)
    return one


def answer(folder: Path, id: str, seed: int, lines: int) -> None:
    journal = BatchJournal.open(study_steps.answers_path(folder, id, seed), HEAD)
    for line in range(1, lines + 1):
        journal.add(BatchAnswer(line, "answered", "答え"))
    journal.close()


def test_nothing_is_answered_of_a_new_study(tmp_path: Path) -> None:
    study = study_in(tmp_path / "x", judge=LocalModel("j", "採点", "/j.gguf", 1, "llama", "F32", 4096, 1.0))
    found = study_steps.study_status(study, tmp_path / "x")
    assert [(one.name, one.answered, one.questions, one.is_measured) for one in found.systems] == [
        ("モデル", 0, 4, False),
        ("モデル（2）", 0, 4, False),
    ]
    assert (found.done, found.steps, found.answered, found.answers, found.state) == (0, 5, 0, 8, "waiting")


def test_whoever_holds_the_folder_is_at_work_on_it(tmp_path: Path) -> None:
    study = study_in(tmp_path / "x")
    lock = studies.lock(tmp_path / "x")
    assert study_steps.study_status(study, tmp_path / "x").state == "running"
    lock.release()
    (tmp_path / "x" / studies.RESULTS).write_text("{}", "utf-8")
    assert study_steps.study_status(study, tmp_path / "x").state == "finished"


def test_every_seed_counts(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    study = study_in(folder)
    for id, seed, lines in (("s1", 0, 2), ("s1", 1, 2), ("s2", 0, 1)):
        answer(folder, id, seed, lines)
    found = study_steps.study_status(study, folder)
    assert [(one.answered, one.is_measured) for one in found.systems] == [(4, True), (1, False)]
    assert (found.done, found.steps, found.answered) == (2, 4, 5)


def test_a_run_that_has_not_ended_is_not_trained(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    run = folder / studies.RUNS / "20-seed42"
    study = study_in(folder, trainings=(Training(str(run), 20, 42),))
    run.mkdir(parents=True)
    (run / "events.jsonl").write_text(json.dumps({"event": "started"}), "utf-8")
    found = study_steps.study_status(study, folder)
    assert (found.trained, found.trainings) == (0, 1)


def test_a_folder_without_its_questions_is_damaged(tmp_path: Path) -> None:
    study = study_in(tmp_path / "x")
    (tmp_path / "x" / studies.QUESTIONS).unlink()
    with pytest.raises(AppError) as raised:
        study_steps.study_status(study, tmp_path / "x")
    assert raised.value.code == "evaluation_damaged"
