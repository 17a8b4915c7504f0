"""What becomes of a study's folder: nothing that is half there, or was written by others, passes for a result."""

from pathlib import Path

import pytest

from app.base.confidentiality import Label
from app.base.errors import AppError
from app.chat.batch.journal import BatchAnswer, BatchJournal, JournalHeader
from app.evaluation.report import report, scoring
from app.evaluation.study import studies, study_steps
from tests.evaluation.test_study import CHOICES, QUESTIONS, contender, study

STUDY = study(contender(1, "/a"))


def answered(folder: Path, *lines: int, label: Label = "internal") -> None:
    studies.create(folder, STUDY, QUESTIONS)
    kept = BatchJournal.open(
        study_steps.answers_path(folder, "s1", 0), JournalHeader("", "", 0, "s1", "s1", (), CHOICES, 2048, 0.0)
    )
    for line in lines:
        kept.add(BatchAnswer(line, "answered", "はい", label=label))
    kept.close()


def test_answers_of_documents_that_became_secret_make_the_evaluation_secret(tmp_path: Path) -> None:
    answered(tmp_path / "x", 1, 2, label="secret")
    assert scoring.score_study(STUDY, tmp_path / "x", QUESTIONS).questions.label == "secret"
    assert studies.read_results(tmp_path / "x")[0].questions.label == "secret"
    answered(tmp_path / "y", 1, 2, label="public")
    assert scoring.score_study(STUDY, tmp_path / "y", QUESTIONS).questions.label == "internal"


def test_a_study_is_not_finished_before_its_report_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answered(tmp_path / "x", 1, 2)

    def fail(*_anything: object) -> None:
        raise AppError("evaluation_unwritable", path="", reason="")

    monkeypatch.setattr(report, "write", fail)
    with pytest.raises(AppError):
        scoring.score_study(STUDY, tmp_path / "x", QUESTIONS)
    assert studies.find(tmp_path, "x").state == "waiting"


def test_a_question_that_somebody_took_out_of_the_record_is_told(tmp_path: Path) -> None:
    answered(tmp_path / "x", 1, 1)
    with pytest.raises(AppError) as caught:
        scoring.score_study(STUDY, tmp_path / "x", QUESTIONS)
    assert caught.value.code == "batch_journal_damaged"
