"""What was removed long ago goes for good; what was removed today stays."""

import contextlib
import os
import threading
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QObject

from app.base import database
from app.base.errors import AppError
from app.base.files.day_record import PROOF_DAYS
from app.base.paths import Paths
from app.chat.store import Store
from app.documents.library import Library
from app.evaluation import question_sets
from app.evaluation.records import Question
from app.evaluation.study import studies
from app.shell.services import housekeeping
from tests.evaluation.driver import QUESTIONS, study
from tests.passed_days import pass_days

DAY_S = 86_400


def test_sets_and_studies_leave_the_bin_thirty_days_after_they_were_removed(where):
    """However old they were when they were removed."""
    studies.create(where.evaluations / "x", study(), QUESTIONS)
    question_sets.store(where.questions, "窓口", [Question("q1", "何時までですか。")])
    for folder in (where.evaluations / "x", where.questions / "窓口"):
        os.utime(folder, (1_000_000_000.0, 1_000_000_000.0))
    study_bin = studies.remove(studies.find(where.evaluations, "x"))
    set_bin = question_sets.remove(where.questions, "窓口")
    assert housekeeping.empty_bins_now(where, time.time()) == 0
    assert housekeeping.empty_bins_now(where, time.time() + 31 * DAY_S) == 0  # the clock alone says so
    pass_days(where.data, PROOF_DAYS)
    assert housekeeping.empty_bins_now(where, time.time() + 29 * DAY_S) == 0
    assert study_bin.is_dir()
    assert set_bin.is_dir()
    assert housekeeping.empty_bins_now(where, time.time() + 31 * DAY_S) == 2
    assert not study_bin.exists()
    assert not set_bin.exists()


def test_what_an_earlier_version_has_put_into_the_bin_stays_thirty_days_from_when_it_is_first_seen(where):
    """That version said that it stays, and told nobody when."""
    studies.create(where.evaluations / ".bin/x", study(), QUESTIONS)
    question_sets.store(where.questions, "窓口", [Question("q1", "何時までですか。")])
    (where.questions / ".bin").mkdir()
    (where.questions / "窓口").rename(where.questions / ".bin/窓口@1")
    for folder in (where.evaluations / ".bin/x", where.questions / ".bin/窓口@1"):
        os.utime(folder, (1_000_000_000.0, 1_000_000_000.0))
    assert housekeeping.empty_bins_now(where, time.time()) == 0
    pass_days(where.data, PROOF_DAYS)
    assert housekeeping.empty_bins_now(where, time.time() + 29 * DAY_S) == 0
    assert housekeeping.empty_bins_now(where, time.time() + 31 * DAY_S) == 2


@pytest.fixture
def checked(where: Paths, qtbot, monkeypatch):
    """Make both databases and let the checks run; give what was told and whether each was checked."""
    monkeypatch.setattr(housekeeping, "CHECK_AFTER_MS", 0)
    parent = QObject()

    def run(*, is_due: bool = False) -> list[str]:
        told: list[AppError] = []
        housekeeping.check_databases(where, parent, told.append, is_due=is_due)
        qtbot.wait(1)  # lets the timer begin
        for thread in threading.enumerate():
            if thread.name == "detached":
                thread.join()
        qtbot.wait(1)
        return [error.code for error in told]

    with contextlib.closing(Store.open(where.database, where.backups)) as store:
        store.add_question("あ" * 5000)
    with contextlib.closing(Library.open(where.documents)) as library:
        library.add_collection("い" * 5000)
    yield run
    parent.deleteLater()


def damage(path: Path, text: str) -> None:
    raw = bytearray(path.read_bytes())
    page = raw.index((text * 500).encode()) // 4096 * 4096
    raw[page : page + 4096] = b"\xff" * 4096
    path.write_bytes(raw)


@pytest.mark.fault("F9")
def test_damage_is_told_for_each_database_once_a_day_and_after_an_end_that_was_no_proper_one(where, checked):
    assert checked() == []
    damage(where.database, "あ")
    damage(where.documents, "い")
    assert checked() == []  # checked today
    assert sorted(checked(is_due=True)) == ["conversations_damage_found", "documents_damage_found"]
    for path in (where.database, where.documents):
        os.utime(path.with_suffix(database.CHECKED_SUFFIX), (1_000_000_000.0, 1_000_000_000.0))
    assert sorted(checked()) == ["conversations_damage_found", "documents_damage_found"]


def test_what_was_restored_is_what_it_was(where):
    studies.create(where.evaluations / "x", study(), QUESTIONS)
    before = sorted(path.name for path in (where.evaluations / "x").iterdir())
    studies.remove(studies.find(where.evaluations, "x"))
    studies.restore(where.evaluations, "x")
    left = {path.name for path in (where.evaluations / "x").iterdir()} - {studies.LOCK}
    assert sorted(left) == before
