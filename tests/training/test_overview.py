"""One list of what is planned, what goes on and what is over: each training once, found by what people call it."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from app.base.paths import Paths
from app.training import drafts, gate_file
from app.training.plan import Data, Draft, Frozen
from app.training.runs import overview, runs, shelf, splits, standing
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
    folder = runs.create(RunSpec(**places | fields))  # type: ignore[arg-type]
    if transcript:
        shutil.copyfile(TRANSCRIPTS / f"{transcript}.jsonl", folder / standing.JOURNAL)
    if at:
        tell(folder, events.Started(1, 0, at))
    return folder


def tell(folder: Path, *told: events.Event) -> None:
    with (folder / standing.JOURNAL).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(events.to_json(event)) + "\n" for event in told)


def planned(where: Paths, now: float, **fields: object) -> Draft:
    return drafts.save(where.drafts, dataclasses.replace(drafts.new(where.drafts, now), **fields), now)  # type: ignore[arg-type]


def states(entries: tuple[overview.Entry, ...]) -> dict[str, str]:
    return {entry.id: entry.state for entry in entries}


def test_every_training_stands_once_where_it_is(where: Paths) -> None:
    assert overview.read(where) == overview.Overview()
    draft = planned(where, 50.0, name="下書き", goal="style")
    for id, transcript in (("良", "good"), ("不足", "out_of_memory"), ("中断", "crashed"), ("欠け", "truncated")):
        begun(where, id, transcript)
    tell(begun(where, "休み", at=70.0), events.Paused(3))
    tell(begun(where, "中止", at=60.0), events.Cancelled(3))
    begun(where, "これから")
    runs.note_export(begun(where, "外"), where.data)
    held = runs.hold(begun(where, "いま", at=90.0))
    try:
        found = overview.read(where)
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
            alone = runs.read(entry.folder)
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
    (folder / runs.DATA).mkdir(exist_ok=True)
    (folder / runs.DATA / "split.json").write_text(json.dumps({"files": parts}), "utf-8")
    found = overview.read(where).entries
    assert {(entry.name, entry.base, entry.data) for entry in found} == {
        (shown, f"{shown}.gguf", ""), (shown, f"{shown}.gguf", "t"), ("二2", "Swallow-8B.gguf", "t")
    }  # fmt: skip
    assert {run.name for run in runs.listed(where.runs)} == {shown, "二2"}
    assert runs.find(where.runs, shown).folder == folder
    assert [choice.name for choice in splits.listed(where)] == [shown]
    tally.tried(3)


def test_a_run_is_told_as_it_is_now_not_as_it_was_read_before(where: Paths) -> None:
    folder = begun(where, "一", "good")
    assert overview.read(where).history[0].verdict == ""
    (folder / runs.GATE).write_text('{"verdict": "adopt", "version": 3}', "utf-8")
    assert overview.read(where).history[0].verdict == ""  # nobody has measured it here
    gate_file.write(dataclasses.replace(report_folder.judged(), verdict="check"), folder)
    shelf.write_note(folder, "見直す")
    (found,) = overview.read(where).history
    assert (found.verdict, found.note) == ("check", "見直す")
    (folder / runs.GATE).write_text("[1]", "utf-8")
    tell(folder, events.Started(1, 0, 1.0, resumed_step=3))
    (found,) = overview.read(where).in_progress
    assert (found.state, found.verdict) == ("crashed", "")
    held = runs.hold(folder)
    assert overview.read(where).in_progress[0].state == "running"
    held.release()


def test_the_end_of_a_long_journal_counts_though_it_began_far_before(where: Paths) -> None:
    folder = begun(where, "長", at=40.0)
    step = events.TrainingStep(1, 9, 1.0, 2.0, 1e-4, 1.0, 1.0, 1, 1.0)
    tell(folder, *(step for _ in range(500)), events.Started(1, 0, 80.0, resumed_step=1), *(step for _ in range(500)))
    assert [(one.state, one.when) for one in overview.read(where).entries] == [("crashed", 40.0)]
    tell(folder, events.Failed("checkpoint_damaged", {"path": "/x"}))
    assert [(one.state, one.when) for one in overview.read(where).entries] == [("failed", 40.0)]


def test_whether_a_run_was_trained_to_its_end_is_what_its_journal_said_last(where: Paths) -> None:
    found = [overview.has_finished(begun(where, id, id)) for id in ("good", "crashed", "truncated", "out_of_memory")]
    assert found == [True, False, False, False]
    assert not overview.has_finished(begun(where, "これから"))
    folder = begun(where, "続き", "good")
    tell(folder, events.Started(1, 0, 90.0), *(events.Phase("training") for _ in range(2000)))
    assert not overview.has_finished(folder)


def test_a_draft_and_its_run_are_one_entry_and_go_and_come_back_together(where: Paths) -> None:
    folder = begun(where, "敬体", "good")
    frozen = Frozen("/split", 1, 96, 12, 12, "a41f", is_sound=True)
    data = Data("窓口の回答.csv", 1, 120)
    draft = planned(where, 99.0, name="敬体", data=data, frozen=frozen, run="/moved/runs/敬体")
    (entry,) = overview.read(where).entries
    assert (entry.kind, entry.id, entry.draft, entry.folder) == ("run", "敬体", draft.id, folder)
    overview.remove(where, entry, ())
    assert overview.read(where).entries == ()
    overview.restore(where, entry)
    assert overview.read(where).entries == (entry,)
    shelf.remove(runs.read(folder), ())  # alone: what was planned is there again
    assert [(one.kind, one.data) for one in overview.read(where).entries] == [("draft", "窓口の回答.csv")]


def test_what_cannot_be_read_is_shown_so_that_it_can_be_removed(where: Paths) -> None:
    (where.drafts / "壊").mkdir(parents=True)
    (where.drafts / "壊" / drafts.DRAFT).write_text("{", "utf-8")
    folder = begun(where, "破", "good")
    (folder / runs.SPEC).write_text("{", "utf-8")
    found = overview.read(where)
    assert states(found.in_progress) == {"壊": overview.DAMAGED}
    assert states(found.history) == {"破": "finished"}
    for entry in found.entries:
        overview.remove(where, entry, ())
    assert overview.read(where).entries == ()


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
    shelf.write_note(folder, "かぶりの呼び方をそろえる")
    assert {entry.id for entry in overview.read(where).search(query).entries} == ids
