"""The same run once more, and a finished run's adapter that is trained further: what is taken over, and what is not."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from app.base.files import input_file
from app.base.paths import Paths
from app.models import local_models
from app.training import drafts, remote_job, remote_job_import, spec_builder
from app.training.data import curation, data_split, split_record
from app.training.data.curation import Curation, Decision
from app.training.data.rows import PARTS
from app.training.drafts import DraftData, DraftSplit
from app.training.runs import rerun, run_folders
from app.training.runs.run_folders import TrainingRunFolder
from tests import model_files as models
from tests.permits import PERMIT
from tests.training.data.split_rows import distinct
from tests.training.driver import code_of, replay
from trainer import adapter


@pytest.fixture
def data(tmp_path: Path) -> Path:
    made = data_split.split_rows(distinct(60))
    data_split.write_split(
        made, tmp_path / "分けた", {"name": "窓口.csv", "label": "secret"}, data_split.report_leakage(made)
    )
    return tmp_path / "分けた"


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return models.tiny_llama(tmp_path / "小.gguf")


def adapter_in(folder: Path, base: Path, sha256: str) -> Path:
    folder.mkdir()
    (folder / adapter.CONFIG).write_text('{"r": 8, "lora_alpha": 16}', "utf-8")
    (folder / adapter.WEIGHTS).write_bytes(b"weights")
    record = {"name": "敬体", "base": str(base), "base_sha256": sha256}
    (folder / adapter.RECORD).write_text(json.dumps(record), "utf-8")
    adapter.write_rows(folder, ["a" * 16])
    return folder


@pytest.fixture
def run(where: Paths, data: Path, base: Path) -> TrainingRunFolder:
    """A finished one, of the command line."""
    wishes = {"data": str(data), "base": str(base), "name": "敬体", "rank": 8, "preset": "light", "samples": ["問い"]}
    folder = run_folders.create(spec_builder.build_spec(wishes, where, (), ""))
    replay(folder, "good")
    adapter_in(folder / run_folders.PEFT_ADAPTER, base, input_file.sha256_of(base))
    return run_folders.read(folder)


def test_the_same_is_planned_with_its_settings_and_its_split(
    where: Paths, run: TrainingRunFolder, data: Path, base: Path
) -> None:
    model = local_models.describe(base)
    draft = rerun.repeat_run(where, run, [model])
    assert (draft.name, draft.base, draft.preset) == ("敬体", model.id, "light")
    assert draft.settings == {"rank": 8, "samples": ["問い"]}
    assert draft.is_complete("data")
    assert draft.is_complete("model")
    assert (draft.data.source, draft.data.used, len(Curation(Path(draft.data.folder)).items)) == ("窓口.csv", 60, 60)
    assert draft.data.label == "secret"
    assert drafts.read(where.drafts, draft.id) == draft
    shutil.rmtree(data)  # it has its own
    wishes = {"data": draft.frozen.folder, "base": str(base)}
    assert spec_builder.build_spec(wishes, where, (), "").hashes == run.spec.hashes


def test_what_was_decided_comes_along_where_the_draft_still_has_the_rows_of_the_run(
    where: Paths, run: TrainingRunFolder, data: Path
) -> None:
    before = drafts.create(where.drafts, 1.0)
    rows = drafts.free_folder(where.drafts, before.id, drafts.ROWS)
    curation.create(rows, [curation.CurationItem(one.line, one, ("near_duplicate",)) for one in distinct(61)])
    Curation(rows).decide(Decision(61, "rejected"))
    taken = drafts.free_folder(where.drafts, before.id, drafts.SPLIT)
    shutil.copytree(data, taken)
    held = json.loads((data / split_record.MANIFEST).read_bytes())["files"]["holdout"]["sha256"]
    planned = dataclasses.replace(
        before, goal="both", run=str(run.folder), data=DraftData("窓口.xlsx", 1, 60, folder=str(rows)),
        frozen=DraftSplit(str(taken), 1, 36, 12, 12, held, is_sound=True),
    )  # fmt: skip
    planned = drafts.save(where.drafts, planned, 2.0)
    draft = rerun.repeat_run(where, run, ())
    assert (draft.goal, draft.run, draft.data and draft.data.source) == ("both", "", "窓口.xlsx")
    assert Curation(Path(draft.data.folder)).counts["rejected"] == 1
    assert draft.is_complete("data")
    (taken / split_record.MANIFEST).write_text('{"files": {}}', "utf-8")  # it went on since
    draft = rerun.repeat_run(where, run, ())
    assert (draft.data and draft.data.source, draft.is_complete("data")) == ("窓口.csv", True)


def test_data_that_are_gone_or_others_by_now_are_told_and_nothing_is_left(
    where: Paths, run: TrainingRunFolder, data: Path
) -> None:
    with (data / "train.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    assert code_of(rerun.repeat_run, where, run, ()) == "split_changed"
    shutil.rmtree(data)
    assert code_of(rerun.repeat_run, where, run, ()) == "run_data_missing"
    assert drafts.list_all(where.drafts) == []


def test_an_adapter_is_trained_further_with_its_rank_and_on_new_rows(where: Paths, run: TrainingRunFolder) -> None:
    draft = rerun.continue_training(where, run, ())
    assert (draft.start.name, draft.start.rank, draft.start.alpha) == ("敬体", 8, 16)
    assert (draft.data, draft.frozen, draft.step) == (None, None, "data")
    assert "rank" not in draft.settings
    assert dataclasses.replace(draft, start=None).mark != draft.mark
    (run.folder / run_folders.PEFT_ADAPTER / adapter.CONFIG).write_text("{}", "utf-8")
    assert code_of(rerun.continue_training, where, run, ()) == "run_adapter_unreadable"
    shutil.rmtree(run.folder / run_folders.PEFT_ADAPTER)
    assert code_of(rerun.continue_training, where, run, ()) == "run_no_adapter"


def test_a_spec_may_name_a_run_and_gets_what_its_adapter_decides(
    where: Paths, run: TrainingRunFolder, data: Path, base: Path, tmp_path: Path
) -> None:
    wishes = {"data": str(data), "base": str(base)}
    for named in (run.id, "敬体", str(run.folder), str(run.folder / run_folders.PEFT_ADAPTER)):
        asked = spec_builder.build_spec(wishes | {"adapter": named}, where, (), "")
        assert (asked.adapter, asked.rank, asked.alpha) == (str(run.folder / run_folders.PEFT_ADAPTER), 8, 16)
        assert len(asked.hashes["adapter"]) == 64
    other = models.tiny_llama(tmp_path / "別.gguf", metadata={"general.name": "other"})
    for wish, code in (
        ({"rank": 16}, "spec_invalid"),
        ({"base": str(other)}, "run_adapter_other_base"),
        ({"adapter": "無い学習"}, "run_unknown"),
    ):
        assert code_of(spec_builder.build_spec, wishes | {"adapter": run.id} | wish, where, (), "") == code
    shutil.rmtree(run.folder / run_folders.PEFT_ADAPTER)
    assert code_of(spec_builder.build_spec, wishes | {"adapter": run.id}, where, (), "") == "run_no_adapter"


def test_a_run_takes_along_what_it_is_trained_on_and_from(
    where: Paths, run: TrainingRunFolder, data: Path, base: Path
) -> None:
    asked = spec_builder.build_spec({"data": str(data), "base": str(base), "adapter": run.id}, where, (), "")
    folder = run_folders.create(asked, takes_data=True)
    taken = run_folders.read(folder).spec
    assert {part: getattr(taken, part) for part in PARTS} == {
        part: str(folder / run_folders.DATA / f"{part}.jsonl") for part in PARTS
    }
    assert adapter.read(Path(taken.adapter)).sha256 == asked.hashes["adapter"]
    assert adapter.trained_row_ids(Path(taken.adapter)) == {"a" * 16}
    moved = folder.rename(folder.with_name("移した"))
    again_read = run_folders.read(moved).spec
    assert Path(again_read.train).is_file()
    assert Path(again_read.adapter).is_dir()


def test_another_machine_gets_the_adapter_too_and_gives_the_run_back(
    where: Paths, run: TrainingRunFolder, data: Path, base: Path, tmp_path: Path
) -> None:
    asked = spec_builder.build_spec({"data": str(data), "base": str(base), "adapter": run.id}, where, (), "")
    job = remote_job.make_job(asked, tmp_path / "job", permit=PERMIT).folder
    made = run_folders.read(job).spec
    assert adapter.read(Path(made.adapter)).sha256 == made.hashes["adapter"] == asked.hashes["adapter"]
    manifest = json.loads((job / remote_job.JOB_FILE).read_bytes())
    assert manifest["hashes"] == made.hashes
    assert remote_job_import._is_inside("start/kotae.json")


@pytest.mark.parametrize(
    ("reasons", "preset", "advised"),
    [
        (["worse"], "thorough", "standard"),
        (["worse"], "light", ""),
        (["looping_yet"], "light", "standard"),
        (["looping_yet", "worse"], "standard", "light"),
        (["shipped_worse"], "thorough", ""),
        (["worse"], "paper-2603.18037", "standard"),
    ],
)
def test_what_helps_after_a_rejection_depends_on_its_reasons_and_on_the_preset(
    reasons: list[str], preset: str, advised: str
) -> None:
    assert rerun.advised_preset(reasons, preset) == advised
