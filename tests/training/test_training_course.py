"""How a run has gone, from its journal: also while it is written, by whom it is trained, and what is watched."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from app.base import plots
from app.base.files import work_folder
from app.training.runs import run_folders, run_progress
from app.training.runs.run_journal import JOURNAL_FILE, RunHistory, RunStatus
from app.training.runs.run_progress import ProgressReader, RunProgress, sample_answers
from tests.training.driver import tell
from trainer import events
from trainer.spec import RunSpec


def step(number: int, loss: float = 1.0) -> events.TrainingStep:
    return events.TrainingStep(number, 100, number / 50, loss, 2e-4, 0.5, 400.0, 9_000_000_000, 60.0)


def evaluations(*losses: float) -> tuple[events.EvaluationStep, ...]:
    return tuple(events.EvaluationStep(10 * number, 0.0, loss, 640, False) for number, loss in enumerate(losses))


class Folder:
    def __init__(self, path: Path) -> None:
        rows = [[{"role": "user", "content": "宛名は？"}, {"role": "assistant", "content": "御中です。"}]]
        path.mkdir()
        self.validation = path / "validation.jsonl"
        self.validation.write_text("".join(json.dumps({"messages": row}) + "\n" for row in rows), "utf-8")
        self.path = run_folders.create(RunSpec(str(path / "run"), "/base", str(self.validation), str(self.validation)))
        self.follower = ProgressReader(self.path)

    def tell(self, *told: events.Event) -> None:
        tell(self.path, *told)

    def look(self, *, is_ours: bool = False) -> RunProgress:
        return self.follower.look(is_ours=is_ours)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "学習")


def test_what_is_new_is_read_and_nothing_else(folder: Folder) -> None:
    assert folder.look().state == "waiting"
    folder.tell(events.Started(1, 0, 5.0), step(1), step(2))
    course = folder.look(is_ours=True)
    assert [one.step for one in course.steps] == [1, 2]
    assert folder.look(is_ours=True) is course
    folder.tell(step(3))
    assert [point[0] for point in folder.look(is_ours=True).raw] == [1, 2, 3]


def test_a_line_that_is_being_written_waits_and_a_torn_one_is_passed_over(folder: Folder) -> None:
    folder.tell(events.Started(1, 0, 5.0), step(1))
    line = json.dumps(events.to_json(step(2)))
    with (folder.path / JOURNAL_FILE).open("a") as file:
        file.write(line[:20])
    assert len(folder.look().steps) == 1
    with (folder.path / JOURNAL_FILE).open("a") as file:
        file.write(line[20:] + "\n" + line[:30] + "\n")
    folder.tell(step(3))
    assert [one.step for one in folder.look().steps] == [1, 2, 3]


def test_a_journal_that_was_brought_back_from_elsewhere_is_read_anew(folder: Folder) -> None:
    folder.tell(events.Started(1, 0, 5.0), *(step(number) for number in range(1, 9)))
    assert len(folder.look().steps) == 8
    (folder.path / JOURNAL_FILE).write_bytes(b"")
    folder.tell(events.Started(1, 0, 5.0), step(1))
    assert len(folder.look().steps) == 1


def test_who_trains_it_is_told_from_who_is_gone(folder: Folder) -> None:
    folder.tell(events.Started(1, os.getpid(), 5.0), step(1))
    assert folder.look().state == "crashed"  # this process does not train in that folder
    with work_folder.acquire_lock(folder.path / run_folders.LOCK):
        assert folder.look().state == "running"
    folder.tell(events.Paused(1))
    course = folder.look()
    assert (course.state, course.can_resume) == ("paused", True)


def test_a_run_that_is_finished_goes_on_with_its_judging_where_it_can_be_judged(folder: Folder) -> None:
    folder.tell(events.Started(1, 0, 5.0), events.Finished("steps", 1, 1, 1.5, 1.0, "a", "g", 60.0, 400.0, 1))
    assert not folder.look().can_resume
    (folder.path / run_folders.HOLDOUT).write_text("{}")
    assert folder.look(is_ours=True).state == "judging"
    assert folder.look().can_resume
    (folder.path / run_folders.GATE).write_text("{}")
    assert folder.look(is_ours=True).state == "judging"
    assert not folder.look().can_resume


def test_answers_have_their_reference_and_only_those_that_changed(folder: Folder) -> None:
    told = [
        events.Sample(number, "宛名は？", answer, True) for number, answer in ((0, "殿"), (10, "御中"), (20, "御中"))
    ]
    folder.tell(events.Started(1, 0, 5.0), *told)
    (answers,) = folder.look().answers
    assert answers.reference == "御中です。"
    assert [one.step for one in answers.answers] == [0, 10]
    assert answers.last_step == 20
    assert sample_answers(told[:1], {}).reference == ""


@pytest.mark.parametrize(
    ("losses", "rises", "without"),
    [((), 0, 0), ((2.0, 1.5, 1.0), 0, 0), ((2.0, 1.0, 1.1), 1, 1), ((2.0, 1.0, 1.1, 1.2), 2, 2),
     ((1.0, 1.5, 1.2, 1.4), 1, 3)],
)  # fmt: skip
def test_an_alarm_needs_losses_that_rise_in_a_row(losses: Sequence[float], rises: int, without: int) -> None:
    told = evaluations(*losses)
    assert (run_progress.count_rises(told), run_progress.count_without_improvement(told)) == (rises, without)
    assert run_progress.is_overfitting(told) == (rises >= 2)


def test_what_is_watched_tells_what_has_happened() -> None:
    history = RunHistory()
    history.adjusted += [
        events.Adjusted("out_of_memory", 3, {"micro_batch": 2}),
        events.Adjusted("slow", 9, {"tokens_per_s": 1.0}),
    ]
    asked = {"patience": 3, "evaluations_per_epoch": 4}
    history.status = RunStatus(
        evaluations=evaluations(2.0, 1.0, 1.1, 1.2),
        effective=events.ResolvedRecipe(asked, {}),
        saved=events.Checkpoint(30, "x", 1, 0.1),
    )
    found = {one.key: one for one in run_progress.health_checks(history, is_awake=False)}
    assert [(key, one.level) for key, one in found.items()] == [
        ("not_finite", "ok"), ("early_stopping", "note"), ("overfitting", "warning"), ("checkpoint", "ok"),
        ("sleep", "note"), ("memory", "note"), ("speed", "warning"),
    ]  # fmt: skip
    assert found["early_stopping"].facts == {"count": 2, "most": 3}
    assert found["memory"].facts["micro_batch"] == 2
    history.adjusted.append(events.Adjusted("not_finite", 5, {}))
    assert run_progress.health_checks(history, is_awake=True)[0].level == "warning"


@pytest.mark.parametrize(
    ("state", "end", "goes_on"),
    [("paused", events.Paused(3), True), ("cancelled", events.Cancelled(3), True), ("crashed", None, True),
     ("failed", events.Failed("disk_full"), True), ("failed", events.Failed("preflight_blocked"), False),
     ("running", None, False), ("exported", None, False)],
)  # fmt: skip
def test_what_would_fail_again_is_not_gone_on_with(state: str, end: events.Failed | None, *, goes_on: bool) -> None:
    assert run_progress.is_resumable(state, end) == goes_on


def test_curves_keep_what_sticks_out_with_few_points() -> None:
    points = [(float(x), 1.0 if x != 7777 else 9.0) for x in range(10_000)]
    made = plots.thin_points(points, 100)
    assert len(made) <= 100
    assert (7777.0, 9.0) in made
    assert (made[0], made[-1]) == (points[0], points[-1])
    assert list(made) == sorted(made)
    assert plots.thin_points(points[:50], 100) == tuple(points[:50])


def test_the_mean_follows_without_a_pull_from_its_beginning() -> None:
    assert plots.smooth_exponentially([(0, 2.0), (1, 2.0)])[0] == (0, 2.0)
    noisy = [(x, 1.0 + (0.5 if x % 2 else -0.5)) for x in range(200)]
    assert all(abs(y - 1.0) < 0.15 for _x, y in plots.smooth_exponentially(noisy)[50:])
    assert plots.finite_points([(0, 1.0), (1, float("nan"))]) == ((0, 1.0),)


def test_an_axis_of_steps_has_only_whole_numbers() -> None:
    assert plots.ticks(0, 1, least_step=1.0) == [0, 1]
    drawn = plots.line_plot("", "ステップ", [plots.PlotSeries("", "one", ((0.0, 2.5), (1.0, 2.25)))])
    assert ">1</text>" in drawn
    assert ">0.2</text>" not in drawn
