"""Folders of training runs: where each one is, told from recorded journals; found, held, deleted."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

from app.base.paths import Paths
from app.models import base_models
from app.training import training_errors
from app.training.runs import run_folders, run_journal, training_list
from app.training.runs.run_folders import TrainingRunFolder
from app.training.runs.run_journal import RunHistory
from tests.training.driver import code_of, refused, replay, small_drive, tell
from trainer import events
from trainer.spec import RunSpec

ROOT = Path(__file__).parents[2]

Make = Callable[..., TrainingRunFolder]

HOLDER = """\
import sys
from pathlib import Path
from app.training.runs import run_folders as runs
lock = runs.lock_run(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A run with that transcript as its journal."""

    def run(folder_name: str, transcript: str = "", base: str = "/base.gguf", **fields: object) -> TrainingRunFolder:
        asked = RunSpec(str(tmp_path / "runs" / folder_name), base, "/t.jsonl", "/v.jsonl", **fields)
        folder = run_folders.create(asked)
        if transcript:
            replay(folder, transcript)
        return run_folders.read(folder)

    return run


def after(run: TrainingRunFolder, *told: events.Event) -> TrainingRunFolder:
    tell(run.folder, *told)
    return run_folders.read(run.folder)


# -------------------------------------------------------------------------- standing


@pytest.mark.parametrize(
    ("transcript", "state", "step"),
    [("good", "finished", 12), ("out_of_memory", "failed", 3), ("crashed", "crashed", 3), ("truncated", "crashed", 3)],
)
def test_a_recorded_run_stands_where_it_ended(make: Make, transcript: str, state: str, step: int) -> None:
    run = make("a", transcript)
    assert (run.state, run.standing.last_step) == (state, step)


def test_a_finished_run_knows_its_losses_and_what_it_was_decided_to_be(make: Make) -> None:
    found = make("a", "good").standing
    assert isinstance(found.end, events.Finished)
    assert found.base_loss == 3.1
    assert (found.best_evaluation.step, found.best_evaluation.loss) == (12, found.end.best_loss)
    assert found.effective.spec["rank"] == 16
    assert [finding.code for finding in found.findings] == ["few_rows"]
    assert [sample.step for sample in found.samples] == [12]
    assert found.forecast is not None
    assert found.saved.step == 12


def test_a_real_run_that_was_broken_off_and_begun_again_is_one_run(make: Make) -> None:
    """The trial model on two cores; its first process was killed while it converted the base."""
    run = make("a", "starter_on_cpu")
    found = run.standing
    assert (run.state, found.last_step) == ("finished", 4)
    assert [(one.step, round(one.loss, 3)) for one in found.evaluations] == [(0, 3.922), (4, 3.35)]
    assert isinstance(found.end, events.Finished)
    assert found.end.best_loss == found.evaluations[-1].loss
    assert found.forecast.is_measured
    assert all(training_errors.finding_text(finding).endswith("。") for finding in found.findings)


def test_a_run_out_of_memory_says_what_was_tried(make: Make) -> None:
    run = make("a", "out_of_memory")
    found = run.standing
    assert [one.reason for one in run_journal.read_history(run.folder).adjusted] == ["out_of_memory"]
    assert isinstance(found.end, events.Failed)
    assert found.end.facts == {"device": "cuda", "micro_batch": 1}


def test_a_run_that_has_not_begun_waits(make: Make) -> None:
    run = make("a")
    assert (run.state, run.standing.step, run.standing.best_evaluation) == ("waiting", None, None)


def test_lines_of_no_event_are_passed_over(make: Make) -> None:
    run = make("a", "truncated")
    with (run.folder / run_journal.JOURNAL_FILE).open("a", encoding="utf-8") as file:
        file.write('\n[1, 2]\n"text"\nnull\n{"event": "of tomorrow"}\n\xff\n')
    assert after(run, events.Paused(9)).state == "paused"


def test_what_was_trained_beyond_a_checkpoint_is_forgotten_when_it_goes_on(make: Make) -> None:
    run = after(
        make("a", "crashed"),
        events.EvaluationStep(4, 1.0, 2.0, 10, is_best=True),
        events.TrainingStep(6, 12, 1.5, 2.0, 1e-4, 1.0, 1.0, 1, 1.0),
        events.Started(1, 0, 5.0, resumed_step=3),
    )
    assert [evaluation.step for evaluation in run.standing.evaluations] == [0]
    assert run.standing.end is None
    assert run.standing.last_step == 0  # the step it goes on from is told by the next one
    assert run.standing.effective is not None


def step(number: int, loss: float = 1.0) -> events.TrainingStep:
    return events.TrainingStep(number, 12, 1.0, loss, 1e-4, 1.0, 1.0, 1, 1.0)


def evaluation(number: int, loss: float) -> events.EvaluationStep:
    return events.EvaluationStep(number, 1.0, loss, 10, is_best=True)


def history(*told: events.Event) -> RunHistory:
    made = RunHistory()
    for event in told:
        made.take(event)
    return made


def losses(found: RunHistory) -> list[tuple[int, float]]:
    return [(one.step, one.loss) for one in found.steps]


def test_what_a_rollback_takes_back_is_forgotten_and_a_resumed_run_goes_on_from_its_checkpoint() -> None:
    halved, early, late = (events.Adjusted("not_finite", at, {}) for at in (5, 2, 4))
    begun = (evaluation(0, 3.0), events.Sample(0, "問", "答", True))
    found = history(*begun, step(4), evaluation(4, 2.0), halved, *begun, step(1))
    assert (found.evaluations, found.samples, losses(found)) == ((begun[0],), [begun[1]], [(1, 1.0)])
    for event in (step(4), evaluation(4, 2.5), step(8), evaluation(8, 1.0), halved, step(5)):
        found.take(event)
    assert [(one.step, one.loss) for one in found.evaluations] == [(0, 3.0), (4, 2.5)]
    assert len(found.adjusted) == 2
    found = history(*begun, step(1), early, *begun, step(1, 0.9))
    assert (found.evaluations, found.samples, losses(found)) == ((begun[0],), [begun[1]], [(1, 0.9)])
    before = [step(1), step(2, 5.0), evaluation(2, 5.0), events.Sample(2, "問", "答", True), step(3, 9.0)]
    found = history(*before, late, step(2, 0.5), step(3, 0.4))
    assert (losses(found), found.evaluations, found.samples) == ([(1, 1.0), (2, 0.5), (3, 0.4)], (), [])
    base, first = evaluation(0, 3.0), evaluation(1, 2.0)
    found = history(base, step(1), first, step(2, 7.0), events.Started(events.PROTOCOL, 2, 1.0, 1), step(2, 0.6))
    assert (losses(found), found.evaluations) == ([(1, 1.0), (2, 0.6)], (base, first))
    samples = [events.Sample(1, "甲", "一", True), events.Sample(1, "乙", "二", False)]
    assert history(step(1), *samples).samples == samples


def test_a_run_that_begins_anew_has_forgotten_everything_but_when_it_first_began(make: Make) -> None:
    run = make("a", "crashed")
    began_at = run.standing.started_at
    run = after(run, events.Started(1, 0, began_at + 100))
    assert run.standing.evaluations == ()
    assert run.standing.started_at == began_at


# ---------------------------------------------------------------------- list and find


def test_runs_are_listed_newest_first(tmp_path: Path, make: Make) -> None:
    for name, time_s in (("one", 100.0), ("two", 300.0), ("three", 200.0)):
        after(make(name), events.Started(1, 0, time_s))
    (tmp_path / "runs" / "no run").mkdir()
    assert run_folders.list_all(tmp_path / "none") == []
    assert [run.id for run in run_folders.list_all(tmp_path / "runs")] == ["two", "three", "one"]


def test_a_run_is_found_by_its_id_its_name_a_part_or_its_folder(tmp_path: Path, make: Make) -> None:
    run = make("20261125-1200-kyoryo", name="橋梁の点検")
    make("20261125-1300-tunnel", name="トンネル")
    wanted = (run.id, "橋梁の点検", "1200", "KYORYO", "橋梁", str(run.folder), str(run.folder / "run.json"))
    assert {run_folders.find(tmp_path / "runs", one).id for one in wanted} == {run.id}


@pytest.mark.parametrize("wanted", ["", "  ", "none", "../..", "/", "~nobody", "x" * 300, "\ud800", "a\0b", "*"])
def test_what_is_no_run_is_not_found(tmp_path: Path, make: Make, wanted: str) -> None:
    make("one")
    assert code_of(run_folders.find, tmp_path / "runs", wanted) == "run_unknown"


def test_a_part_of_several_names_is_refused_with_the_names(tmp_path: Path, make: Make) -> None:
    make("20261125-one")
    make("20261125-two")
    error = refused(run_folders.find, tmp_path / "runs", "20261125")
    assert (error.code, error.facts["count"]) == ("run_ambiguous", 2)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"folder": 1}', '{"version": 99}', "\udcff"])
def test_a_run_whose_spec_is_damaged_is_listed_all_the_same(tmp_path: Path, make: Make, content: str) -> None:
    run = make("a", "good")
    (run.folder / run_folders.SPEC).write_bytes(content.encode("utf-8", "surrogateescape"))
    (found,) = run_folders.list_all(tmp_path / "runs")
    assert (found.spec, found.name, found.state) == (None, "a", "finished")


def test_a_folder_with_something_in_it_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    assert code_of(run_folders.create, RunSpec(str(tmp_path / "full"), "b", "t", "v")) == "run_folder_taken"
    file = tmp_path / "full" / "letter.txt"  # in which no folder can be made
    assert code_of(run_folders.create, RunSpec(str(file / "run"), "b", "t", "v")) == "run_unwritable"


@pytest.mark.parametrize("missing", ["validation.jsonl", "start"])
def test_what_cannot_be_made_whole_leaves_nothing(tmp_path: Path, missing: str) -> None:
    places = {}
    for part in ("train", "validation", "holdout"):
        places[part] = str(tmp_path / f"{part}.jsonl")
        (tmp_path / f"{part}.jsonl").write_text("{}\n", encoding="utf-8")
    start = str(tmp_path / "start") if missing == "start" else ""
    (tmp_path / missing).unlink(missing_ok=True)
    folder = tmp_path / "runs" / "一つ目"
    refused(run_folders.create, RunSpec(str(folder), "/base.gguf", adapter=start, **places), takes_data=True)
    assert not folder.exists()


@pytest.mark.fault("F2")
def test_on_a_full_disk_nothing_of_a_run_stays(tmp_path: Path) -> None:
    rows = tmp_path / "train.jsonl"
    rows.write_bytes(b"x" * (2 << 20))
    with small_drive(tmp_path / "小さい", "size=1m") as disk:
        asked = RunSpec(str(disk / "runs" / "一つ目"), "/base.gguf", str(rows), str(rows))
        assert code_of(run_folders.create, asked, takes_data=True) == "drive_space"
        assert list((disk / "runs").iterdir()) == []


# ------------------------------------------------------------------------ lock, delete


@pytest.fixture
def holder() -> Iterator[Callable[[Path], "subprocess.Popen[str]"]]:
    """Another process that holds the folder until its input ends."""
    started: list[subprocess.Popen[str]] = []

    def start(folder: Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.mark.fault("F7")
def test_two_processes_never_hold_one_folder(make: Make, holder: Callable[[Path], "subprocess.Popen[str]"]) -> None:
    run = make("a", "crashed")
    process = holder(run.folder)
    assert run_folders.read(run.folder).state == "running"
    assert code_of(run_folders.lock_run, run.folder) == code_of(run_folders.delete_run, run) == "run_busy"
    process.kill()
    process.wait()
    assert run_folders.read(run.folder).state == "crashed"
    run_folders.lock_run(run.folder).release()


@pytest.mark.parametrize(("end", "state"), [("good", "judging"), ("paused", "running"), ("", "running")])
@pytest.mark.fault("F7")
def test_a_run_that_somebody_holds_is_what_is_done_with_it(
    make: Make, holder: Callable[[Path], "subprocess.Popen[str]"], end: str, state: str
) -> None:
    run = after(make("a", "crashed"), events.Paused(3)) if end == "paused" else make("a", end)
    holder(run.folder)
    assert run_folders.read(run.folder).state == state
    code = "run_judging" if state == "judging" else "run_busy"
    assert code_of(run_folders.lock_run, run.folder) == code
    assert code_of(run_folders.find_finished, run.folder.parent, "a") == code


def test_a_run_for_another_machine_is_told_apart(make: Make, tmp_path: Path) -> None:
    run = make("a")
    run_folders.record_export(run.folder, tmp_path / "job")
    run = run_folders.read(run.folder)
    assert run.state == "exported"
    error = refused(run_folders.find_finished, tmp_path / "runs", "a")
    assert (error.code, error.facts["path"]) == ("run_exported", str(tmp_path / "job"))
    replay(run.folder, "good")  # taken back
    assert run_folders.find_finished(tmp_path / "runs", "a").state == "finished"


def test_a_run_that_has_not_finished_has_nothing_to_tell(make: Make, tmp_path: Path) -> None:
    after(make("a", "crashed"), events.Paused(3))
    assert code_of(run_folders.find_finished, tmp_path / "runs", "a") == "gate_not_finished"


def test_bases_go_with_the_last_run_that_used_them(make: Make, tmp_path: Path) -> None:
    cache = tmp_path / "bases"
    for name in ("a" * 16, "b" * 16, "c" * 16):
        (cache / name).mkdir(parents=True)
        (cache / name / "weights").write_bytes(bytes(1000))
    for name in ("d-f16.gguf", "notes.txt"):
        (cache / name).write_bytes(bytes(10))
    kept = make("a", base_sha256="a" * 64).spec
    with filelock.FileLock(cache / f"{'c' * 16}.lock"):
        assert base_models.delete_unused_conversions(cache, [kept, None]) == 0  # whose base it is cannot be read
        assert base_models.delete_unused_conversions(cache, [kept]) == 1000
    assert {path.name for path in cache.iterdir() if path.suffix != ".lock"} == {
        "a" * 16, "c" * 16, "d-f16.gguf", "notes.txt",
    }  # fmt: skip
    assert base_models.delete_unused_conversions(cache, []) == 2010
    assert [path.name for path in cache.iterdir()] == ["notes.txt"]


def test_runs_on_a_base_are_named_however_it_was_reached_and_hold_it_in_studies_too(make: Make, tmp_path: Path) -> None:
    base, where, link = tmp_path / "weights", Paths(tmp_path), tmp_path / "link"
    base.mkdir()
    link.symlink_to(base)
    made = [
        make(name, base=path, name=name) for name, path in (("a", str(base)), ("b", str(link)), ("c", "../../weights"))
    ]
    of_study = make("../evaluations/study/runs/d", base=str(base), name="d", base_sha256="e" * 64)
    assert sorted(run_folders.names_on(where, base)) == ["a", "b", "c", "d"]
    for run in (made[1], of_study):
        with run_folders.lock_run(run.folder):
            assert code_of(run_folders.names_on, where, base) == "run_busy"
    for name in ("e", "f"):
        (where.bases / (16 * name)).mkdir(parents=True)
    training_list.clear_bases(where)
    assert [path.name for path in where.bases.glob("?" * 16)] == ["e" * 16]


def test_a_trainer_that_outlives_who_started_it_still_counts(make: Make) -> None:
    run = make("a", "crashed")
    waiting = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", waiting, str(run.folder / run_folders.SPEC)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()  # a process that has just been started has no command line for a moment
        run = after(run, events.Started(1, process.pid, 5.0))
        assert run.state == "running"
        assert code_of(run_folders.lock_run, run.folder) == "run_ending"
    finally:
        process.communicate()
    assert run_folders.read(run.folder).state == "crashed"
    run_folders.lock_run(run.folder).release()


def test_a_process_that_has_said_its_last_word_is_waited_for(make: Make) -> None:
    run = make("a", "crashed")
    command = [sys.executable, "-c", "import time; time.sleep(0.5)", str(run.folder / run_folders.SPEC)]
    process = subprocess.Popen(command)
    run = after(run, events.Started(1, process.pid, 5.0), events.Paused(3))
    run_folders.lock_run(run.folder).release()
    process.wait()


@pytest.mark.fault("F7")
def test_a_number_of_a_process_that_is_another_by_now_counts_for_nothing(make: Make) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        assert after(make("a", "crashed"), events.Started(1, process.pid, 5.0)).state == "crashed"
    finally:
        process.communicate()


def test_a_removed_run_is_gone_and_what_its_links_point_at_stays(tmp_path: Path, make: Make) -> None:
    run = make("a", "good")
    (run.folder / "checkpoints" / "checkpoint-4").mkdir(parents=True)
    (run.folder / "checkpoints" / "checkpoint-4" / "weights").write_bytes(bytes(10_000))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "letter.txt").touch()
    (run.folder / "link").symlink_to(tmp_path / "own", target_is_directory=True)
    assert run_folders.delete_run(run_folders.read(run.folder)) > 10_000
    assert not run.folder.exists()
    assert (tmp_path / "own" / "letter.txt").exists()


def test_what_could_not_be_deleted_is_said_and_stays_a_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make("a", "good")

    def refuse(_path: Path) -> None:
        raise PermissionError(13, "in use")

    monkeypatch.setattr(run_folders, "_delete", refuse)
    assert code_of(run_folders.delete_run, run) == "run_not_removed"
    assert run_folders.read(run.folder).state == "finished"
