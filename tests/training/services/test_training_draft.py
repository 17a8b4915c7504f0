"""A draft from a file to a run: what takes time goes on in the background, and what is decided is on the disk."""

import dataclasses
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.files.day_record import PROOF_DAYS
from app.documents.library import Library
from app.training import drafts, spec_builder
from app.training.data.curation import Decision
from app.training.drafts import TrainingDraft
from app.training.environment import shipped_tools
from app.training.remote_job import RemoteJob
from app.training.runs import lineage, rerun, run_folders, training_list
from app.training.services.draft_editor import DraftEditor
from tests import model_files as models
from tests.passed_days import pass_days
from tests.permits import PERMIT
from tests.training.services import draft_desk
from tests.training.services.draft_desk import Desk
from trainer import adapter

desk = draft_desk.desk  # a fixture


def test_a_file_becomes_a_run_step_by_step(desk: Desk, tmp_path: Path) -> None:
    desk.draft.change(goal="style")
    desk.draft.import_file(desk.file(60))
    data = desk.wait().data
    assert data is not None
    assert (data.source, data.used, data.left_out, data.unusable, data.mapping["answer"]) == (
        "行.csv",
        60,
        1,
        1,
        "回答",
    )
    assert desk.draft.draft.name == "行"
    desk.draft.decide(Decision(61, "edited", "残りは？", "ありません。"))
    desk.draft.freeze()
    frozen = desk.wait().frozen
    assert frozen is not None
    assert (frozen.train + frozen.validation + frozen.holdout, frozen.is_sound) == (61, True)
    assert desk.draft.leakage is not None
    assert desk.draft.draft.step == "model"
    desk.draft.change(base=str(models.tiny_llama(tmp_path / "小.gguf")))
    desk.draft.choose(epochs=1.0)
    desk.draft.check()
    assert [problem.code for problem in desk.wait().problems("check")] == []
    folders: list[Path] = []
    desk.draft.begun.connect(folders.append)
    desk.draft.begin()
    desk.wait()
    (folder,) = folders
    asked = run_folders.read(folder).spec
    assert asked is not None
    assert (asked.name, asked.epochs, Path(asked.train).parent) == ("行", 1.0, folder / run_folders.DATA)
    assert desk.errors == []
    assert desk.reopened().draft.run == str(folder)


def test_what_was_decided_stands_after_a_reopening_and_can_be_undone_there(desk: Desk) -> None:
    desk.draft.import_file(desk.file(20))
    desk.wait()
    desk.draft.decide(Decision(1, "rejected"))
    desk.draft.freeze()
    frozen = desk.wait().frozen
    again = desk.reopened()
    again.open()
    opened = desk.wait(again)
    assert again.origin == desk.draft.origin
    assert again.origin is not None
    assert [row.code for row in again.origin.imported.bad] == ["empty_question"]
    assert (opened.frozen, opened.data) == (frozen, desk.draft.draft.data)
    assert opened.is_complete("data")
    assert again.undo() == 1
    assert again.draft.data is not None
    assert again.draft.data.used == 20
    assert next(problem.code for problem in again.draft.problems("data")) == "not_frozen"


def test_another_file_takes_the_place_of_the_rows_and_of_the_split(desk: Desk) -> None:
    desk.draft.import_file(desk.file(20))
    desk.wait()
    desk.draft.freeze()
    desk.wait()
    desk.draft.import_file(desk.file(30))
    draft = desk.wait()
    assert draft.data is not None
    assert (draft.data.used, draft.frozen, desk.draft.leakage) == (30, None, None)
    folder = desk.where.drafts / draft.id
    assert sorted(path.name for path in folder.iterdir()) == ["draft.json", "rows-2"]


def begun(desk: Desk, base: Path) -> Path:
    """A run of 60 rows."""
    desk.draft.import_file(desk.file(60))
    desk.wait()
    desk.draft.freeze()
    desk.wait()
    desk.draft.change(base=str(models.tiny_llama(base)), goal="style")
    folders: list[Path] = []
    desk.draft.begun.connect(folders.append)
    desk.draft.begin()
    desk.wait()
    assert desk.errors == []
    return folders[0]


def test_what_becomes_of_a_draft_does_not_touch_its_run(desk: Desk, tmp_path: Path) -> None:
    folder = begun(desk, tmp_path / "小.gguf")
    asked = run_folders.read(folder).spec
    assert asked is not None
    desk.draft.decide(Decision(1, "rejected"))
    desk.draft.freeze()
    desk.wait()
    desk.draft.import_file(desk.file(30))
    desk.wait()
    drafts.move_to_bin(desk.where.drafts, desk.draft.draft.id)
    for _ in range(2):
        work_folder.empty_bin(desk.where.drafts, pass_days(desk.where.data, PROOF_DAYS), time.time() + 1, 0)
    assert list((desk.where.drafts / work_folder.BIN).iterdir()) == []
    places = {"data": str(folder / run_folders.DATA), "base": asked.base}
    once_more = spec_builder.build_spec(places, desk.where, (), "")  # the very same rows, by their hashes
    assert once_more.hashes == asked.hashes


def test_a_draft_that_was_changed_elsewhere_is_not_written_over(desk: Desk) -> None:
    desk.draft.import_file(desk.file(20))
    desk.wait()
    other = desk.reopened()
    other.open()
    desk.wait(other)
    desk.draft.decide(Decision(1, "rejected"))
    changes: tuple[Callable[[], None], ...] = (
        lambda: other.change(name="別"),
        lambda: other.decide(Decision(2, "rejected")),
    )
    for change in changes:
        with pytest.raises(AppError) as caught:
            change()
        assert caught.value.code == "draft_changed"
    reopened = desk.reopened()
    reopened.open()
    assert (desk.wait(reopened).name, reopened.undo()) == (desk.draft.draft.name, 1)


def test_a_run_is_planned_once_more_and_its_adapter_is_trained_further_on_rows_that_it_does_not_know(
    desk: Desk, tmp_path: Path
) -> None:
    folder = begun(desk, tmp_path / "小.gguf")
    argv = [sys.executable, "-m", "trainer.fake", str(folder / run_folders.SPEC)]
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)

    def reopened(draft: TrainingDraft) -> DraftEditor:
        one = desk.opened(draft)
        one.failed.connect(desk.errors.append)
        one.open()
        desk.wait(one)
        return one

    once_more = reopened(rerun.repeat_run(desk.where, run_folders.read(folder), ()))
    assert once_more.draft.is_complete("data")
    assert once_more.draft.is_complete("model")
    further = reopened(rerun.continue_training(desk.where, run_folders.read(folder), ()))
    assert further.draft.step == "data"
    further.import_file(desk.file(80))
    desk.wait(further)
    further.freeze()
    frozen = desk.wait(further).frozen
    assert desk.errors == []
    assert frozen is not None
    known = adapter.known_rows(folder / run_folders.PEFT_ADAPTER)
    held = (Path(frozen.folder) / "holdout.jsonl").read_text("utf-8").splitlines()
    assert held
    assert {json.loads(line)["id"] for line in held}.isdisjoint(known)
    further.choose(rank=4)
    assert [problem.facts["facts"]["field"] for problem in further.draft.problems("model")] == ["rank"]
    further.choose(rank=None)
    further.check()
    assert [problem.code for problem in desk.wait(further).problems("check")] == []
    folders: list[Path] = []
    further.begun.connect(folders.append)
    further.begin()
    desk.wait(further)
    begun_further = run_folders.read(folders[0]).spec
    assert begun_further is not None
    assert (begun_further.adapter, begun_further.rank) == (str(folders[0] / run_folders.START), 16)
    training_list.move_run_to_bin(run_folders.read(folder), ())  # its adapter went along
    assert adapter.read(Path(begun_further.adapter)).sha256 == begun_further.hashes["adapter"]


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


def test_generated_pairs_wait_for_somebody(desk: Desk, tmp_path: Path) -> None:
    desk.draft.import_pairs(generated(tmp_path / "組.jsonl"), "基準 2025.1")
    draft = desk.wait()
    data = draft.data
    assert data is not None
    assert (draft.name, data.source, data.used, data.undecided) == ("基準 2025.1", "基準 2025.1", 0, 1)
    desk.draft.decide(Decision(1, "accepted"))
    assert desk.draft.draft.data is not None
    assert desk.draft.draft.data.used == 1


def test_what_was_made_of_secret_documents_says_so_as_far_as_the_run(desk: Desk, tmp_path: Path) -> None:
    path = generated(tmp_path / "組.jsonl", 60, review="accepted")
    takes: tuple[Callable[[], None], ...] = (
        lambda: desk.draft.import_pairs(path, "基準"),
        lambda: desk.draft.import_file(path),
    )
    for take in takes:
        take()
        data = desk.wait().data
        assert data is not None
        assert (data.used, data.label) == (60, "secret")
        desk.draft.freeze()
        desk.wait()
        desk.draft.change(base=str(models.tiny_llama(tmp_path / "小.gguf")))
        folders: list[Path] = []
        desk.draft.begun.connect(folders.append)
        desk.draft.begin()
        desk.wait()
        assert desk.errors == []
        manifest = json.loads((folders[-1] / run_folders.DATA / "split.json").read_bytes())
        assert manifest["source"]["label"] == "secret"


def test_a_split_says_what_it_was_made_of(desk: Desk) -> None:
    path = desk.file(60)
    desk.draft.import_file(path)
    desk.wait()
    desk.draft.decide(Decision(61, "accepted"))
    desk.draft.decide(Decision(1, "rejected"))
    desk.draft.freeze()
    frozen = desk.wait().frozen
    assert frozen is not None
    source = json.loads((Path(frozen.folder) / "split.json").read_bytes())["source"]
    assert source == {
        "name": "行.csv", "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "rows": 61, "unusable_rows": 1,
        "mapping": {"question": "質問", "answer": "回答"}, "flagged": {"json_debris": [62], "unfinished": [62]},
        "used": 60, "decided": {"accepted": 1, "rejected": 1},
    }  # fmt: skip


def test_a_file_that_is_none_changes_nothing(desk: Desk) -> None:
    desk.draft.import_file(desk.file(20))
    before = desk.wait()
    desk.draft.import_file(desk.where.data / "無い.csv")
    after = desk.wait()
    assert [error.code for error in desk.errors] == ["file_missing"]
    assert dataclasses.replace(after, changed_at=0) == dataclasses.replace(before, changed_at=0)
    assert desk.draft.curation is not None


def test_a_file_whose_columns_nobody_knows_is_a_question_and_no_failure(desk: Desk) -> None:
    path = desk.where.data / "表.csv"
    path.write_text("甲,乙,丙\n鍵は,守衛室です。,1\n", "utf-8")
    asked: list[bool] = []
    desk.draft.columns_unknown.connect(lambda: asked.append(desk.draft.is_busy))
    desk.draft.import_file(path)
    desk.wait()
    assert (asked, desk.errors) == ([False], [])


def test_too_few_rows_are_told_when_they_are_to_be_split(desk: Desk) -> None:
    desk.draft.import_file(desk.file(5))
    desk.wait()
    desk.draft.freeze()
    desk.wait()
    assert [error.code for error in desk.errors] == ["split_too_few"]
    assert desk.draft.draft.frozen is None


def test_without_an_environment_a_draft_is_planned_all_the_same(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = DraftEditor(desk.draft.draft, desk.where, tuple, lambda: None)
    draft.import_file(desk.file(40))
    desk.wait(draft)
    draft.freeze()
    desk.wait(draft)
    draft.change(base=str(models.tiny_llama(tmp_path / "小.gguf")))
    draft.check()
    assert [problem.code for problem in desk.wait(draft).problems("check")] == ["environment_missing"]
    assert draft.plan is not None
    assert not draft.plan.counts.is_exact


def test_a_planned_training_becomes_a_job_for_another_machine_without_an_environment_here(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped, job = tmp_path / "converter", tmp_path / "別の PC"
    shipped.mkdir()
    monkeypatch.setattr(shipped_tools, "find_converter", lambda: (shipped, "1"))
    desk.trainer = lambda: None
    desk.draft = desk.reopened()
    desk.draft.failed.connect(desk.errors.append)
    desk.draft.import_file(desk.file(60))
    desk.wait()
    desk.draft.freeze()
    desk.wait()
    desk.draft.change(goal="style", base=str(models.tiny_llama(tmp_path / "小.gguf")))
    made: list[RemoteJob] = []
    desk.draft.job_made.connect(made.append)
    desk.draft.make_job(job, PERMIT)
    draft = desk.wait()
    assert desk.errors == []
    assert [(one.folder, one.has_base) for one in made] == [(job, True)]
    assert (job / "run.sh").is_file()
    assert (job / "converter").is_dir()
    assert run_folders.exported_to(Path(draft.run)) == str(job)
    desk.draft.make_job(job, PERMIT)
    desk.wait()
    assert [error.code for error in desk.errors] == ["job_folder_taken"]
    assert len(made) == 1


@pytest.mark.fault("S16")
def test_the_job_of_a_draft_is_as_secret_as_the_documents_of_its_rows_are_now(desk: Desk, tmp_path: Path) -> None:
    library = Library.open(desk.draft._paths.documents)
    collection = library.add_collection("規則")
    rows = [{"question": f"第{at}条は何ですか。", "answer": f"第{at}条は休暇{at}日です。"} for at in range(60)]
    told = {"label": "internal", "collection": "規則", "document": "規則.md"}
    path = tmp_path / "組.jsonl"
    path.write_text("\n".join(json.dumps({**row, "provenance": told}) for row in rows), "utf-8")
    desk.draft.import_file(path)
    desk.wait()
    assert desk.draft.job_of(tmp_path / "job").label_now() == "internal"
    library.set_label(collection, "secret")
    assert desk.draft.job_of(tmp_path / "job").label_now() == "secret"
    desk.draft.freeze()
    desk.wait()
    assert lineage.lineage_of_data(Path(desk.reopened().draft.frozen.folder)).label_now(library.path) == "secret"  # type: ignore[union-attr]
    library.close()


def test_an_environment_that_was_made_or_deleted_is_noticed(desk: Desk) -> None:
    there = [desk.trainer()]
    desk.trainer = lambda: there[0]
    draft = desk.reopened()
    changed: list[TrainingDraft] = []
    draft.changed.connect(changed.append)
    draft.refresh_environment()
    assert changed == []
    there[0] = None
    draft.refresh_environment()
    assert [one.has_environment for one in changed] == [False]
