"""A draft from a file to a run: what takes time goes on in the background and ends in each way, the rest is on disk."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
import shiboken6
from PySide6.QtCore import QThreadPool
from pytestqt.qtbot import QtBot

from app.base.files import work_folder
from app.base.files.day_record import PROOF_DAYS
from app.base.services import background
from app.documents.library import Library
from app.training import drafts, spec_builder
from app.training.data.curation import Decision
from app.training.drafts import TrainingDraft
from app.training.runs import lineage, rerun, run_folders, training_list
from app.training.services.draft_editor import DraftEditor
from tests import fake_trainer, scripted_trainer
from tests import model_files as models
from tests.passed_days import pass_days
from tests.permits import PERMIT
from tests.training.driver import code_of
from tests.training.services import draft_desk
from tests.training.services.draft_desk import Desk
from trainer import adapter, start
from trainer.events import Event, Failed, PreflightFinding, PreflightFindings

desk = draft_desk.desk  # a fixture


def test_a_file_becomes_a_run_step_by_step(desk: Desk, tmp_path: Path) -> None:
    desk.draft.change(goal="style")
    data = desk.imported(60)
    assert (data.source, data.used, data.left_out, data.unusable, data.mapping["answer"]) == (
        "行.csv", 60, 1, 1, "回答",
    )  # fmt: skip
    assert desk.draft.draft.name == "行"
    desk.draft.decide(Decision(61, "edited", "残りは？", "ありません。"))
    frozen = desk.frozen()
    assert (frozen.train + frozen.validation + frozen.holdout, frozen.is_sound) == (61, True)
    assert desk.draft.draft.step == "model"
    desk.draft.change(base=str(models.tiny_llama(tmp_path / "小.gguf")))
    desk.draft.choose(epochs=1.0)
    assert desk.checked() == []
    folder = desk.begun()
    asked = run_folders.read(folder).spec
    assert (asked.name, asked.epochs, Path(asked.train).parent) == ("行", 1.0, folder / run_folders.DATA)
    assert desk.reopened().draft.run == str(folder)


def test_what_was_decided_stands_after_a_reopening_and_can_be_undone_there(desk: Desk) -> None:
    desk.imported(20)
    desk.draft.decide(Decision(1, "rejected"))
    frozen = desk.frozen()
    again = desk.reopened()
    again.open()
    opened = desk.wait(again)
    assert again.origin == desk.draft.origin
    assert [row.code for row in again.origin.imported.bad_rows] == ["empty_question"]
    assert (opened.frozen, opened.data) == (frozen, desk.draft.draft.data)
    assert opened.is_complete("data")
    assert (again.undo(), again.draft.data.used) == (1, 20)
    assert next(problem.code for problem in again.draft.problems("data")) == "not_frozen"


def test_another_file_takes_the_place_of_the_rows_and_of_the_split(desk: Desk) -> None:
    desk.frozen(20)
    assert (desk.imported(30).used, desk.draft.draft.frozen) == (30, None)
    assert desk.folders == ["draft.json", "rows-2"]


def test_what_becomes_of_a_draft_does_not_touch_its_run(desk: Desk) -> None:
    desk.ready()
    folder = desk.begun()
    asked = run_folders.read(folder).spec
    desk.draft.decide(Decision(1, "rejected"))
    desk.frozen()
    desk.imported(30)
    drafts.move_to_bin(desk.where.drafts, desk.draft.draft.id)
    for _ in range(2):
        work_folder.empty_bin(desk.where.drafts, pass_days(desk.where.data, PROOF_DAYS), time.time() + 1, 0)
    assert list((desk.where.drafts / work_folder.BIN).iterdir()) == []
    places = {"data": str(folder / run_folders.DATA), "base": asked.base}
    once_more = spec_builder.build_spec(places, desk.where, (), "")  # the very same rows, by their hashes
    assert once_more.hashes == asked.hashes


def test_a_draft_that_was_changed_elsewhere_is_not_written_over(desk: Desk) -> None:
    desk.imported(20)
    other = desk.reopened()
    other.open()
    desk.wait(other)
    desk.draft.decide(Decision(1, "rejected"))
    assert code_of(other.change, name="別") == code_of(other.decide, Decision(2, "rejected")) == "draft_changed"
    reopened = desk.reopened()
    reopened.open()
    assert (desk.wait(reopened).name, reopened.undo()) == (desk.draft.draft.name, 1)


def test_a_run_is_planned_once_more_and_its_adapter_is_trained_further_on_rows_that_it_does_not_know(
    desk: Desk,
) -> None:
    desk.ready()
    folder = desk.begun()
    argv = start.command(sys.executable, fake_trainer.FAKE, str(folder / run_folders.SPEC))
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)

    def reopened(draft: TrainingDraft) -> DraftEditor:
        one = desk.opened(draft)
        one.open()
        desk.wait(one)
        return one

    once_more = reopened(rerun.repeat_run(desk.where, run_folders.read(folder), ()))
    assert once_more.draft.is_complete("data")
    assert once_more.draft.is_complete("model")
    further = reopened(rerun.continue_training(desk.where, run_folders.read(folder), ()))
    assert further.draft.step == "data"
    frozen = desk.frozen(80, further)
    known = adapter.trained_row_ids(folder / run_folders.PEFT_ADAPTER)
    held = (Path(frozen.folder) / "holdout.jsonl").read_text("utf-8").splitlines()
    assert held
    assert {json.loads(line)["id"] for line in held}.isdisjoint(known)
    further.choose(rank=4)
    assert [problem.facts["facts"]["field"] for problem in further.draft.problems("model")] == ["rank"]
    further.choose(rank=None)
    assert desk.checked(further) == []
    run = desk.begun(further)
    asked = run_folders.read(run).spec
    assert (asked.adapter, asked.rank) == (str(run / run_folders.START), 16)
    training_list.move_run_to_bin(run_folders.read(folder), ())  # its adapter went along
    assert adapter.read(Path(asked.adapter)).sha256 == asked.hashes["adapter"]


def generated(path: Path, count: int = 1, **fields: object) -> Path:
    """A file of pairs of one document that is secret. `fields`: of each."""
    pairs = []
    for number in range(count):
        passage = f"{number} 節の {number * 7919 % 10_007:x} は {number * 104_729 % 99_991:x} mm"
        pair = {
            "id": f"g{number}", "question": f"{number * 7919 % 10_007:x} は？",
            "answer": f"{number * 104_729 % 99_991:x} mm", "category": "number", "gold": [{"quote": passage}],
            "group": f"手引き {number}", "quality": 3,
            "provenance": {"document": "手引き", "heading": [], "page": 1, "label": "secret", "passage": passage,
                           "passage_sha256": hashlib.sha256(passage.encode()).hexdigest()},
        }  # fmt: skip
        pairs.append(json.dumps(pair | fields, ensure_ascii=False))
    path.write_text("\n".join(pairs), "utf-8")
    return path


def test_what_was_made_of_secret_documents_says_so_as_far_as_the_run(desk: Desk, tmp_path: Path) -> None:
    path = generated(tmp_path / "組.jsonl", 60, review="accepted")
    takes: tuple[Callable[[], None], ...] = (
        lambda: desk.draft.import_pairs(path, "基準"),
        lambda: desk.draft.import_file(path),
    )
    for take in takes:
        take()
        data = desk.wait().data
        assert (data.used, data.label) == (60, "secret")
        desk.ready(rows=0)
        manifest = json.loads((desk.begun() / run_folders.DATA / "split.json").read_bytes())
        assert manifest["source"]["label"] == "secret"


def test_a_split_says_what_it_was_made_of(desk: Desk) -> None:
    path = desk.file(60)
    desk.imported(path)
    desk.draft.decide(Decision(61, "accepted"))
    desk.draft.decide(Decision(1, "rejected"))
    source = json.loads((Path(desk.frozen().folder) / "split.json").read_bytes())["source"]
    assert source == {
        "name": "行.csv", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "rows": 61, "unusable_rows": 1,
        "mapping": {"question": "質問", "answer": "回答"}, "flagged": {"json_debris": [62], "unfinished": [62]},
        "used": 60, "decided": {"accepted": 1, "rejected": 1},
    }  # fmt: skip


@pytest.mark.fault("S16")
def test_the_job_of_a_draft_is_as_secret_as_the_documents_of_its_rows_are_now(desk: Desk, tmp_path: Path) -> None:
    library = Library.open(desk.where.documents)
    collection = library.add_collection("規則")
    rows = [{"question": f"第{at}条は何ですか。", "answer": f"第{at}条は休暇{at}日です。"} for at in range(60)]
    told = {"label": "internal", "collection": "規則", "document": "規則.md"}
    path = tmp_path / "組.jsonl"
    path.write_text("\n".join(json.dumps({**row, "provenance": told}) for row in rows), "utf-8")
    desk.imported(path)
    assert desk.draft.job_of(tmp_path / "job").label_now() == "internal"
    library.set_label(collection, "secret")
    assert desk.draft.job_of(tmp_path / "job").label_now() == "secret"
    assert lineage.lineage_of_data(Path(desk.frozen().folder)).label_now(library.path) == "secret"
    library.close()


def test_what_nothing_came_of_leaves_no_folder_and_is_told(desk: Desk) -> None:
    desk.imported(20)
    before = desk.draft.draft.data
    desk.draft.import_file(desk.file(3000))
    desk.draft.cancel()
    assert (desk.wait().data, desk.errors) == (before, [])
    desk.imported(desk.where.data / "無い.csv")
    assert desk.frozen(5) is None
    assert desk.codes == ["file_missing", "split_too_few"]
    assert desk.folders == ["draft.json", Path(desk.draft.draft.data.folder).name]


def test_a_draft_is_named_after_its_data_until_somebody_names_it(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "現場.csv"
    desk.imported(20)
    shutil.copy(desk.file(20), other)
    desk.imported(other)
    assert desk.draft.draft.name == "現場"
    desk.draft.change(name="秋の学習")
    desk.imported(20)
    assert desk.draft.draft.name == "秋の学習"


def test_a_split_that_no_draft_can_take_leaves_no_folder(desk: Desk) -> None:
    desk.imported(20)
    desk.reopened().change(name="別")
    desk.frozen()
    assert (desk.codes, desk.folders) == (["draft_changed"], ["draft.json", "rows-1"])


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
    assert ([kind for kind, _error, _trace in bugs], ended) == ([ValueError], [True])
    assert desk.imported(20, draft).used == 20


@pytest.mark.parametrize("is_late", [False, True])
def test_whoever_cancels_gets_no_run_no_split_and_no_forecast(desk: Desk, tmp_path: Path, *, is_late: bool) -> None:
    desk.ready()
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
    assert desk.folders == ["draft.json", "rows-1", "split-1"]


@pytest.mark.parametrize("is_cancelled", [True, False])
def test_a_draft_that_is_left_while_it_works_leaves_no_folder_and_is_not_called(
    desk: Desk, qtbot: QtBot, *, is_cancelled: bool
) -> None:
    desk.draft.import_file(desk.file(3000 if is_cancelled else 20))
    folder = desk.where.drafts / desk.draft.draft.id
    if is_cancelled:
        desk.draft.cancel()
    with qtbot.captureExceptions() as bugs:
        shiboken6.delete(desk.draft)
        qtbot.waitUntil(lambda: not background._running)
    assert bugs == []
    assert not is_cancelled or [path.name for path in folder.iterdir()] == ["draft.json"]


def test_another_row_of_training_makes_a_forecast_old_though_the_hold_out_stays(desk: Desk) -> None:
    desk.ready()
    assert desk.checked() == []
    before = desk.draft.draft
    trained = (Path(before.frozen.folder) / "train.jsonl").read_text("utf-8").splitlines()
    question = json.loads(trained[0])["messages"][0]["content"]
    path = desk.file(60)
    path.write_text(path.read_text("utf-8").replace(f"{question},", f"{question}？,"), "utf-8")
    desk.frozen(path)
    after = desk.draft.draft
    assert after.frozen.revision == before.frozen.revision
    same_holdout = dataclasses.replace(after.frozen, sha256=before.frozen.sha256)
    told = dataclasses.replace(after, frozen=same_holdout, forecast=before.forecast)
    assert [problem.code for problem in told.problems("check")] == ["not_checked"]


@pytest.mark.parametrize("found", [(), (PreflightFinding("few_rows", "warn"),)])
def test_what_the_trainer_would_fail_by_is_told_though_its_findings_do_not_say_it(
    desk: Desk, tmp_path: Path, found: tuple[PreflightFinding, ...]
) -> None:
    desk.ready()
    refused: list[Event | str] = [
        scripted_trainer.effective(),
        PreflightFindings(found),
        Failed("preflight_blocked", {}),
    ]
    trainer = scripted_trainer.made(tmp_path / "手本", refused, refused)
    desk.trainer = lambda: trainer
    assert desk.checked(desk.reopened()) != []
    assert desk.codes == ["run_preflight_blocked"]
