"""What a draft works on ends in each way: failed, cancelled, left, and old once something else is asked."""

import dataclasses
import json
from pathlib import Path
from typing import NoReturn

import pytest
import shiboken6
from PySide6.QtCore import QThreadPool
from pytestqt.qtbot import QtBot

from app.base.services import background
from app.training.runs import run_folders
from tests import model_files as models
from tests import scripted_trainer
from tests.permits import PERMIT
from tests.training.services import draft_desk
from tests.training.services.draft_desk import Desk
from trainer.events import Event, Failed, PreflightFinding, PreflightFindings

desk = draft_desk.desk  # a fixture


def test_what_nothing_came_of_leaves_no_folder(desk: Desk) -> None:
    desk.draft.import_file(desk.file(3000))
    desk.draft.cancel()
    desk.wait()
    desk.draft.import_file(desk.where.data / "無い.csv")
    desk.wait()
    desk.draft.import_file(desk.file(5))
    desk.wait()
    desk.draft.freeze()  # too few
    desk.wait()
    folder = desk.where.drafts / desk.draft.draft.id
    data = desk.draft.draft.data
    assert data is not None
    assert sorted(path.name for path in folder.iterdir()) == ["draft.json", Path(data.folder).name]


def test_a_split_that_no_draft_can_take_leaves_no_folder(desk: Desk) -> None:
    desk.draft.import_file(desk.file(20))
    desk.wait()
    folder = desk.where.drafts / desk.draft.draft.id
    other = desk.reopened()
    other.change(name="別")
    desk.draft.freeze()
    desk.wait()
    assert [error.code for error in desk.errors] == ["draft_changed"]
    assert sorted(path.name for path in folder.iterdir()) == ["draft.json", "rows-1"]


def test_an_import_that_is_cancelled_leaves_the_rows_that_were_there(desk: Desk) -> None:
    desk.draft.import_file(desk.file(20))
    before = desk.wait().data
    desk.draft.import_file(desk.file(3000))
    desk.draft.cancel()
    assert desk.wait().data == before
    assert desk.errors == []


def test_an_error_that_nobody_expected_rises_and_the_draft_can_be_worked_on(desk: Desk, qtbot: QtBot) -> None:
    def missing() -> NoReturn:
        raise ValueError("a bug")

    desk.models = missing
    draft = desk.reopened()
    ended: list[bool] = []
    draft.ended.connect(lambda: ended.append(True))
    with qtbot.captureExceptions() as bugs:
        draft.begin()
        desk.wait(draft)
    assert [kind for kind, _error, _trace in bugs] == [ValueError]
    assert ended == [True]
    draft.import_file(desk.file(20))
    data = desk.wait(draft).data
    assert data is not None
    assert data.used == 20


def ready(desk: Desk, base: Path) -> None:
    """All that a run needs."""
    desk.draft.import_file(desk.file(60))
    desk.wait()
    desk.draft.freeze()
    desk.wait()
    desk.draft.change(base=str(models.tiny_llama(base)), goal="style")


@pytest.mark.parametrize("is_late", [False, True])
def test_whoever_cancels_gets_no_run_no_split_and_no_forecast(desk: Desk, tmp_path: Path, *, is_late: bool) -> None:
    ready(desk, tmp_path / "小.gguf")
    before = desk.draft.draft
    told: list[object] = []
    for signal in (desk.draft.begun, desk.draft.job_made, desk.draft.changed):
        signal.connect(told.append)
    works = (
        desk.draft.freeze,
        desk.draft.check,
        desk.draft.begin,
        lambda: desk.draft.make_job(tmp_path / "別の PC", PERMIT),
    )
    for work in works:
        work()
        if is_late:
            QThreadPool.globalInstance().waitForDone()  # its result is on the way
        desk.draft.cancel()
        desk.wait()
    assert (desk.draft.draft, told, desk.errors) == (before, [], [])
    assert run_folders.list_folders(desk.where.runs) == []
    assert not (tmp_path / "別の PC").exists()
    folder = desk.where.drafts / before.id
    assert sorted(path.name for path in folder.iterdir()) == ["draft.json", "rows-1", "split-1"]


def test_a_draft_that_is_left_while_it_works_leaves_no_folder_and_is_not_called(desk: Desk, qtbot: QtBot) -> None:
    desk.draft.import_file(desk.file(3000))
    desk.draft.cancel()
    id = desk.draft.draft.id
    with qtbot.captureExceptions() as bugs:
        shiboken6.delete(desk.draft)
        qtbot.waitUntil(lambda: not background._running)
    assert bugs == []
    assert [path.name for path in (desk.where.drafts / id).iterdir()] == ["draft.json"]


def test_what_is_deleted_before_it_is_done_is_not_called(desk: Desk, qtbot: QtBot) -> None:
    desk.draft.import_file(desk.file(20))
    with qtbot.captureExceptions() as bugs:
        shiboken6.delete(desk.draft)
        qtbot.waitUntil(lambda: not background._running)
    assert bugs == []


def test_another_row_of_training_makes_a_forecast_old_though_the_hold_out_stays(desk: Desk, tmp_path: Path) -> None:
    ready(desk, tmp_path / "小.gguf")
    desk.draft.check()
    before = desk.wait()
    assert before.is_complete("check")
    assert before.frozen is not None
    trained = (Path(before.frozen.folder) / "train.jsonl").read_text("utf-8").splitlines()
    question = json.loads(trained[0])["messages"][0]["content"]
    path = desk.file(60)
    path.write_text(path.read_text("utf-8").replace(f"{question},", f"{question}？,"), "utf-8")
    desk.draft.import_file(path)
    desk.wait()
    desk.draft.freeze()
    after = desk.wait()
    assert after.frozen is not None
    assert after.frozen.revision == before.frozen.revision
    same_holdout = dataclasses.replace(after.frozen, sha256=before.frozen.sha256)
    told = dataclasses.replace(after, frozen=same_holdout, forecast=before.forecast)
    assert [problem.code for problem in told.problems("check")] == ["not_checked"]


@pytest.mark.parametrize("found", [(), (PreflightFinding("few_rows", "warn"),)])
def test_what_the_trainer_would_fail_by_is_told_though_its_findings_do_not_say_it(
    desk: Desk, tmp_path: Path, found: tuple[PreflightFinding, ...]
) -> None:
    ready(desk, tmp_path / "小.gguf")
    refused: list[Event | str] = [
        scripted_trainer.effective(),
        PreflightFindings(found),
        Failed("preflight_blocked", {}),
    ]
    trainer = scripted_trainer.made(tmp_path / "手本", refused, refused)
    desk.trainer = lambda: trainer
    draft = desk.reopened()
    draft.failed.connect(desk.errors.append)
    draft.check()
    assert not desk.wait(draft).is_complete("check")
    assert [error.code for error in desk.errors] == ["run_preflight_blocked"]
