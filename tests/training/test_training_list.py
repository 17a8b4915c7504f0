"""One list of what is planned, goes on and is over: each training once, found, renamed, noted, removed and back."""

import dataclasses
import json
import time
from pathlib import Path

import pytest

from app.base.files import work_folder
from app.base.files.day_record import PROOF_DAYS
from app.base.paths import Paths
from app.models import local_models
from app.training import drafts, quality_gate
from app.training.data import data_split, split_record
from app.training.data.split_record import LeakageReport
from app.training.drafts import DraftData, DraftSplit, TrainingDraft
from app.training.runs import run_folders, training_list
from app.training.runs.run_folders import TrainingRunFolder
from app.training.runs.training_list import TrainingEntry
from tests import model_files as models
from tests.faults.ledger import Tally
from tests.passed_days import pass_days
from tests.training import report_folder
from tests.training.data.split_rows import distinct
from tests.training.driver import code_of, replay, tell
from trainer import events
from trainer.spec import RunSpec


def begun(where: Paths, id: str, transcript: str = "", *, at: float = 0.0, **fields: object) -> Path:
    places = {"folder": str(where.runs / id), "base": "/models/Swallow-8B.gguf", "train": "/t", "validation": "/v"}
    folder = run_folders.create(RunSpec(**places | fields))
    if transcript:
        replay(folder, transcript)
    if at:
        tell(folder, events.Started(1, 0, at))
    return folder


def planned(where: Paths, now: float, **fields: object) -> TrainingDraft:
    return drafts.save(where.drafts, dataclasses.replace(drafts.create(where.drafts, now), **fields), now)


def states(entries: tuple[training_list.TrainingEntry, ...]) -> dict[str, str]:
    return {entry.id: entry.state for entry in entries}


def test_every_training_stands_once_where_it_is(where: Paths) -> None:
    assert training_list.list_trainings(where) == training_list.TrainingsOverview()
    draft = planned(where, 50.0, name="下書き", goal="style")
    for id, transcript in (("良", "good"), ("不足", "out_of_memory"), ("中断", "crashed"), ("欠け", "truncated")):
        begun(where, id, transcript)
    tell(begun(where, "休み", at=70.0), events.Paused(3))
    tell(begun(where, "中止", at=60.0), events.Cancelled(3))
    begun(where, "これから")
    run_folders.record_export(begun(where, "外"), where.data)
    with run_folders.lock_run(begun(where, "いま", at=90.0)):
        found = training_list.list_trainings(where)
    in_progress = {
        draft.id: "data", "中断": "crashed", "欠け": "crashed", "休み": "paused", "これから": "waiting",
        "外": "exported", "いま": "running",
    }  # fmt: skip
    assert states(found.in_progress) == in_progress
    assert states(found.history) == {"良": "finished", "不足": "failed", "中止": "cancelled"}
    for entry in found.entries:  # as whoever looks at one alone has it
        if entry.kind == "run" and entry.id != "いま":
            alone = run_folders.read(entry.folder)
            assert (entry.state, entry.name) == (alone.state, alone.name)
            assert entry.when == (alone.standing.started_at or entry.when)
    whens = [entry.when for entry in found.in_progress]
    assert whens == sorted(whens, reverse=True)


@pytest.mark.fault("S17")
def test_a_name_is_one_line_of_which_everything_is_seen(where: Paths, tally: Tally) -> None:
    hidden, shown = "橋\u202eniot\U000e0041\x1b[2K\n点検\u2060", "橋niot[2K 点検"
    planned(where, 50.0, name=hidden, base=f"/models/{hidden}.gguf")
    folder = begun(where, "一", name=hidden, base=f"/models/{hidden}.gguf")
    begun(where, "二\u202e2", "good")  # by its folder
    parts = {part: {"file": "", "sha256": "0" * 64, "rows": 1} for part in ("train", "validation", "holdout")}
    (folder / run_folders.DATA).mkdir(exist_ok=True)
    (folder / run_folders.DATA / "split.json").write_text(json.dumps({"files": parts}), "utf-8")
    found = training_list.list_trainings(where).entries
    assert {(entry.name, entry.base, entry.data) for entry in found} == {
        (shown, f"{shown}.gguf", ""), (shown, f"{shown}.gguf", "t"), ("二2", "Swallow-8B.gguf", "t")
    }  # fmt: skip
    assert {run.name for run in run_folders.list_all(where.runs)} == {shown, "二2"}
    assert run_folders.find(where.runs, shown).folder == folder
    assert [choice.name for choice in training_list.list_splits(where)] == [shown]
    tally.tried(3)


def test_a_run_is_told_as_it_is_now_not_as_it_was_read_before(where: Paths) -> None:
    folder = begun(where, "一", "good")
    assert training_list.list_trainings(where).history[0].verdict == ""
    (folder / run_folders.GATE).write_text('{"verdict": "adopt", "version": 3}', "utf-8")
    assert training_list.list_trainings(where).history[0].verdict == ""  # nobody has measured it here
    quality_gate.write_gate(dataclasses.replace(report_folder.judged(), verdict="check"), folder)
    training_list.write_note(folder, "見直す")
    (found,) = training_list.list_trainings(where).history
    assert (found.verdict, found.note) == ("check", "見直す")
    (folder / run_folders.GATE).write_text("[1]", "utf-8")
    tell(folder, events.Started(1, 0, 1.0, resumed_step=3))
    (found,) = training_list.list_trainings(where).in_progress
    assert (found.state, found.verdict) == ("crashed", "")
    with run_folders.lock_run(folder):
        assert training_list.list_trainings(where).in_progress[0].state == "running"


def test_the_end_of_a_long_journal_counts_though_it_began_far_before(where: Paths) -> None:
    folder = begun(where, "長", at=40.0)
    step = events.TrainingStep(1, 9, 1.0, 2.0, 1e-4, 1.0, 1.0, 1, 1.0)
    tell(folder, *(step for _ in range(500)), events.Started(1, 0, 80.0, resumed_step=1), *(step for _ in range(500)))
    assert [(one.state, one.when) for one in training_list.list_trainings(where).entries] == [("crashed", 40.0)]
    tell(folder, events.Failed("checkpoint_damaged", {"path": "/x"}))
    assert [(one.state, one.when) for one in training_list.list_trainings(where).entries] == [("failed", 40.0)]


def test_whether_a_run_was_trained_to_its_end_is_what_its_journal_said_last(where: Paths) -> None:
    found = [
        training_list.has_finished(begun(where, id, id)) for id in ("good", "crashed", "truncated", "out_of_memory")
    ]
    assert found == [True, False, False, False]
    assert not training_list.has_finished(begun(where, "これから"))
    folder = begun(where, "続き", "good")
    tell(folder, events.Started(1, 0, 90.0), *(events.Phase("training") for _ in range(2000)))
    assert not training_list.has_finished(folder)


def test_a_draft_and_its_run_are_one_entry_and_go_and_come_back_together(where: Paths) -> None:
    folder = begun(where, "敬体", "good")
    frozen = DraftSplit("/split", 1, 96, 12, 12, "a41f", is_sound=True)
    data = DraftData("窓口の回答.csv", 1, 120)
    draft = planned(where, 99.0, name="敬体", data=data, frozen=frozen, run="/moved/runs/敬体")
    (entry,) = training_list.list_trainings(where).entries
    assert (entry.kind, entry.id, entry.draft, entry.folder) == ("run", "敬体", draft.id, folder)
    training_list.move_to_bin(where, entry, ())
    assert training_list.list_trainings(where).entries == ()
    training_list.restore_training(where, entry)
    assert training_list.list_trainings(where).entries == (entry,)
    training_list.move_run_to_bin(run_folders.read(folder), ())  # alone: what was planned is there again
    assert [(one.kind, one.data) for one in training_list.list_trainings(where).entries] == [
        ("draft", "窓口の回答.csv")
    ]


def test_what_cannot_be_read_is_shown_so_that_it_can_be_removed(where: Paths) -> None:
    (where.drafts / "壊").mkdir(parents=True)
    (where.drafts / "壊" / drafts.DRAFT_FILE).write_text("{", "utf-8")
    folder = begun(where, "破", "good")
    (folder / run_folders.SPEC).write_text("{", "utf-8")
    found = training_list.list_trainings(where)
    assert states(found.in_progress) == {"壊": training_list.DAMAGED}
    assert states(found.history) == {"破": "finished"}
    for entry in found.entries:
        training_list.move_to_bin(where, entry, ())
    assert training_list.list_trainings(where).entries == ()


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", {"一", "二"}),
        ("敬体", {"一"}),
        ("ｓｗａｌｌｏｗ", {"一", "二"}),
        ("かぶり　窓口", {"二"}),
        ("窓口 敬体", set()),
        ("無い", set()),
        ("？", {"一", "二"}),
    ],
)
def test_a_training_is_found_by_name_note_base_and_data(where: Paths, query: str, ids: set[str]) -> None:
    begun(where, "一", "good", name="敬体に直す")
    folder = begun(where, "二", "good", name="用語", train="data/train.jsonl")
    (folder / "data").mkdir()
    (folder / "data" / "split.json").write_text('{"source": {"name": "窓口.csv"}}', "utf-8")
    training_list.write_note(folder, "かぶりの呼び方をそろえる")
    assert {entry.id for entry in training_list.list_trainings(where).search(query).entries} == ids


@pytest.fixture
def run(tmp_path: Path) -> TrainingRunFolder:
    """A finished one, whose data its spec names beside it."""
    folder = run_folders.create(
        RunSpec(str(tmp_path / "runs" / "敬体"), "/base.gguf", "data/t.jsonl", "/v.jsonl", name="敬体")
    )
    replay(folder, "good")
    return run_folders.read(folder)


def restore(run: TrainingRunFolder) -> TrainingRunFolder:
    where = Paths(run.folder.parents[1])
    training_list.restore_training(where, TrainingEntry("run", run.id, run.name, run.state, 0.0))
    return run_folders.read(run.folder)


def test_a_note_is_kept_until_it_is_empty_and_a_longer_one_does_not_take_its_place(run: TrainingRunFolder) -> None:
    assert training_list.read_note(run.folder) == ""
    training_list.write_note(run.folder, "敬体は直った。\n次は用語。")
    assert training_list.read_note(run.folder) == "敬体は直った。\n次は用語。"
    too_long = "あ" * (training_list.NOTE_CHARACTERS + 1)
    assert code_of(training_list.write_note, run.folder, too_long) == "run_note_long"
    assert training_list.read_note(run.folder).startswith("敬体は")
    training_list.write_note(run.folder, " \n")
    assert not (run.folder / training_list.NOTE_FILE).exists()


def test_another_name_changes_nothing_else_of_the_spec(run: TrainingRunFolder) -> None:
    training_list.rename_run(run, " 用語集\ud800 ")
    again = run_folders.read(run.folder)
    assert again.name == "用語集?"
    assert again.spec == dataclasses.replace(run.spec, name="用語集?")
    assert '"data/t.jsonl"' in (run.folder / run_folders.SPEC).read_text("utf-8")  # as it was written
    training_list.rename_run(again, "")
    assert run_folders.read(run.folder).name == "敬体"


def test_a_run_on_which_somebody_works_keeps_its_name_and_its_place(run: TrainingRunFolder) -> None:
    with run_folders.lock_run(run.folder):
        assert code_of(training_list.rename_run, run, "別名") == "run_judging"
        assert code_of(training_list.move_run_to_bin, run, ()) == "run_judging"
    assert run_folders.read(run.folder).name == "敬体"


def test_a_damaged_run_has_no_name_to_change_but_can_be_removed(run: TrainingRunFolder) -> None:
    (run.folder / run_folders.SPEC).write_text("{", "utf-8")
    damaged = run_folders.read(run.folder)
    assert code_of(training_list.rename_run, damaged, "別名") == "run_damaged"
    training_list.move_run_to_bin(damaged, ())
    assert not run.folder.exists()


def test_a_removed_run_comes_back_as_it_was(run: TrainingRunFolder) -> None:
    where = run.folder.parent
    training_list.write_note(run.folder, "残す")
    for _ in range(2):
        training_list.move_run_to_bin(run, ())
        assert run_folders.list_all(where) == []
        restored = restore(run)
        assert (restored.state, training_list.read_note(restored.folder)) == ("finished", "残す")
    (where / run.id).rename(where / "別")
    assert code_of(restore, run) == "run_unwritable"


def test_a_run_in_which_a_model_of_the_list_lies_stays(run: TrainingRunFolder) -> None:
    model = local_models.describe(models.tiny_llama(run.folder / "merged.gguf"))
    assert code_of(training_list.move_run_to_bin, run, [model]) == "run_has_model"
    assert run.folder.is_dir()


def test_what_was_removed_long_ago_is_emptied_with_the_bases_that_nobody_needs(
    run: TrainingRunFolder, tmp_path: Path
) -> None:
    where = Paths(tmp_path)
    (where.bases / ("a" * 16)).mkdir(parents=True)
    other = run_folders.create(RunSpec(str(where.runs / "別"), "/base.gguf", "/t.jsonl", "/v.jsonl"))
    for folder in (run.folder, other):
        training_list.move_run_to_bin(run_folders.read(folder), ())
    now = time.time()
    assert training_list.empty_bin(where, now) == 0
    old = where.runs / work_folder.BIN / other.name
    work_folder.mark_deleted(old, now - 31 * 86_400)
    assert training_list.empty_bin(where, now - 31 * 86_400) == 0
    assert training_list.empty_bin(where, now) == 0  # the clock alone says so
    pass_days(where.data, PROOF_DAYS)
    assert training_list.empty_bin(where, now) == 1
    assert not old.exists()
    assert list(where.bases.iterdir()) == []
    assert restore(run).state == "finished"


def draft_of(where: Paths, name: str, seed: int, now: float) -> DraftSplit:
    draft = drafts.create(where.drafts, now)
    folder = drafts.free_folder(where.drafts, draft.id, drafts.SPLIT)
    made = data_split.split_rows(distinct(60, seed))
    manifest = data_split.write_split(made, folder, {"name": "行.csv"}, LeakageReport())
    frozen = DraftSplit.of_manifest(folder, 1, manifest)
    drafts.save(where.drafts, dataclasses.replace(draft, name=name, frozen=frozen), now + 1)
    return frozen


def run_of(where: Paths, name: str, frozen: DraftSplit) -> Path:
    train, validation, holdout = (f"{frozen.folder}/{part}.jsonl" for part in ("train", "validation", "holdout"))
    asked = RunSpec(str(where.runs / name), "base.gguf", train, validation, holdout=holdout, name=name)
    return run_folders.create(asked, takes_data=True)


def test_nothing_is_listed_where_nothing_was_split(where: Paths) -> None:
    assert training_list.list_splits(where) == []


def test_a_draft_and_its_run_have_one_split(where: Paths) -> None:
    frozen = draft_of(where, "敬体", 0, 1.0)
    other = draft_of(where, "書式", 1, 5.0)
    folder = run_of(where, "敬体の学習", frozen)
    found = training_list.list_splits(where)
    assert [(one.name, one.folder, one.source) for one in found] == [
        ("敬体の学習", str(folder / "data"), "行.csv"),
        ("書式", other.folder, "行.csv"),
    ]
    assert (found[0].train, found[0].holdout) == (frozen.train, frozen.holdout)
    split_record.verify_split(Path(found[0].folder))


def test_what_cannot_be_read_is_left_out(where: Paths) -> None:
    gone = draft_of(where, "消えた", 0, 1.0)
    torn = draft_of(where, "壊れた", 1, 5.0)
    odd = draft_of(where, "違う形", 2, 9.0)
    Path(gone.folder, split_record.MANIFEST).unlink()
    Path(torn.folder, split_record.MANIFEST).write_text('{"files": {', "utf-8")
    Path(odd.folder, split_record.MANIFEST).write_text(json.dumps(["files"]), "utf-8")
    run = where.runs / "壊れた学習"
    run.mkdir(parents=True)
    (run / run_folders.SPEC).write_text("{", "utf-8")
    assert training_list.list_splits(where) == []
