"""What was removed long ago goes for good; what was removed today stays."""

import os
import time

from app.core.evaluation import question_sets
from app.core.evaluation import study as studies
from app.core.evaluation.records import Question
from app.core.paths import Paths
from app.services import housekeeping
from tests.core.evaluation.test_study import QUESTIONS, study

DAY_S = 86_400


def test_sets_and_studies_leave_the_bin_thirty_days_after_they_were_removed(where: Paths) -> None:
    """However old they were when they were removed."""
    studies.create(where.evaluations / "x", study(), QUESTIONS)
    question_sets.store(where.questions, "窓口", [Question("q1", "何時までですか。")])
    for folder in (where.evaluations / "x", where.questions / "窓口"):
        os.utime(folder, (1_000_000_000.0, 1_000_000_000.0))
    study_bin = studies.remove(studies.find(where.evaluations, "x"))
    set_bin = question_sets.remove(where.questions, "窓口")
    assert housekeeping.empty_now(where, time.time() + 29 * DAY_S) == 0
    assert study_bin.is_dir()
    assert set_bin.is_dir()
    assert housekeeping.empty_now(where, time.time() + 31 * DAY_S) == 2
    assert not study_bin.exists()
    assert not set_bin.exists()
