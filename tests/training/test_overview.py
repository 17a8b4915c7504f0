"""One list of what is planned, what goes on and what is over: each training once, found by what people call it."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from app.base.paths import Paths
from app.training import drafts, quality_gate
from app.training.drafts import DraftData, DraftSplit, TrainingDraft
from app.training.runs import run_folders, run_journal, training_list
from tests.faults.ledger import Tally
from tests.training import report_folder
from trainer import events
from trainer.spec import RunSpec

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"


@pytest.fixture
def where(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


def begun(where: Paths, id: str, transcript: str = "", *, at: float = 0.0, **fields: object) -> Path:
    places = {"folder": str(where.runs / id), "base": "/models/Swallow-8B.gguf", "train": "/t", "validation": "/v"}
    folder = run_folders.create(RunSpec(**places | fields))  # type: ignore[arg-type]
    if transcript:
        shutil.copyfile(TRANSCRIPTS / f"{transcript}.jsonl", folder / run_journal.JOURNAL_FILE)
    if at:
        tell(folder, events.Started(1, 0, at))
    return folder


def tell(folder: Path, *told: events.Event) -> None:
    with (folder / run_journal.JOURNAL_FILE).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(events.to_json(event)) + "\n" for event in told)


def planned(where: Paths, now: float, **fields: object) -> TrainingDraft:
    return drafts.save(where.drafts, dataclasses.replace(drafts.create(where.drafts, now), **fields), now)  # type: ignore[arg-type]


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
    held = run_folders.lock_run(begun(where, "いま", at=90.0))
    try:
        found = training_list.list_trainings(where)
    finally:
        held.release()
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
    parts = {part: {"sha256": "0" * 64, "rows": 1} for part in ("train", "validation", "holdout")}
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
    held = run_folders.lock_run(folder)
    assert training_list.list_trainings(where).in_progress[0].state == "running"
    held.release()


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
