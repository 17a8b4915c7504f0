"""Drafts are found again as they were left, a removed one comes back whole, and each step says what it lacks."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from app.training import drafts
from app.training.drafts import DraftData, DraftSplit, TrainingDraft, TrainingForecast
from tests.training.driver import code_of
from trainer.events import PreflightFinding

WHOLE = TrainingDraft(
    "下書き", "敬体", "both", DraftData("行.csv", 3, 120, 4, 5, 6, "/rows-1", "/行.csv", {"question": "質問"}),
    DraftSplit("/split", 3, 96, 12, 12, "a41f", is_sound=True),
    "starter", "light", {"rank": 8, "learning_rate": 1e-4, "gradient_checkpointing": True},
    TrainingForecast("mark", 60.0, 1, 2, 3, 4, is_exact=True,
                     findings=(PreflightFinding("few_rows", "warn", {"rows": 9}),),
                     changes=(("micro_batch", 1), ("precision", "nf4"))),
    "/runs/1",
)  # fmt: skip


def test_a_draft_is_read_as_it_was_saved(tmp_path: Path) -> None:
    saved = drafts.save(tmp_path / "drafts", dataclasses.replace(WHOLE, has_environment=True), 5.0)
    assert saved.changed_at == 5.0
    assert drafts.read(tmp_path / "drafts", WHOLE.id) == dataclasses.replace(WHOLE, changed_at=5.0)


def test_the_last_changed_stands_first_and_a_damaged_one_nowhere(tmp_path: Path) -> None:
    assert drafts.list_all(tmp_path / "drafts") == []
    first, second = (drafts.create(tmp_path / "drafts", now) for now in (100.0, 100.0))
    assert first.id != second.id
    drafts.save(tmp_path / "drafts", dataclasses.replace(first, name="一"), 300.0)
    broken = tmp_path / "drafts" / "壊れた"
    broken.mkdir()
    (broken / drafts.DRAFT_FILE).write_text("{", "utf-8")
    assert [draft.id for draft in drafts.list_all(tmp_path / "drafts")] == [first.id, second.id]
    assert code_of(drafts.read, tmp_path / "drafts", "壊れた") == "draft_damaged"


def test_a_removed_draft_comes_back_with_all_that_belongs_to_it(tmp_path: Path) -> None:
    draft = drafts.create(tmp_path, 100.0)
    rows = drafts.free_folder(tmp_path, draft.id, drafts.ROWS)
    rows.mkdir()
    for _ in range(2):
        drafts.move_to_bin(tmp_path, draft.id)
        assert drafts.list_all(tmp_path) == []
        drafts.restore(tmp_path, draft.id)
        assert [one.id for one in drafts.list_all(tmp_path)] == [draft.id]
        assert rows.is_dir()
        assert drafts.free_folder(tmp_path, draft.id, drafts.ROWS).name == "rows-2"


def test_what_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "drafts").write_text("", "utf-8")
    assert code_of(drafts.create, tmp_path / "drafts", 1.0) == "draft_unwritable"
    assert code_of(drafts.move_to_bin, tmp_path / "無い", "無い") == "draft_unwritable"


def test_what_somebody_else_has_changed_or_removed_is_not_written_over(tmp_path: Path) -> None:
    here = drafts.create(tmp_path, 100.0)
    there = drafts.read(tmp_path, here.id)
    drafts.save(tmp_path, dataclasses.replace(there, name="あちら"), 200.0)
    assert code_of(drafts.save, tmp_path, dataclasses.replace(here, name="こちら"), 300.0) == "draft_changed"
    now = drafts.read(tmp_path, here.id)
    assert now.name == "あちら"
    drafts.move_to_bin(tmp_path, here.id)
    assert code_of(drafts.save, tmp_path, now, 400.0) == "draft_changed"
    drafts.restore(tmp_path, here.id)  # nothing stands in its place
    assert drafts.read(tmp_path, here.id) == now


def test_a_new_draft_takes_no_name_that_one_in_the_bin_may_come_back_to(tmp_path: Path) -> None:
    first = drafts.create(tmp_path, 100.0)
    drafts.move_to_bin(tmp_path, first.id)
    assert drafts.create(tmp_path, 100.0).id != first.id
    drafts.restore(tmp_path, first.id)
    assert len(drafts.list_all(tmp_path)) == 2


def test_its_rows_are_found_where_the_data_folder_was_moved_to(tmp_path: Path) -> None:
    draft = drafts.create(tmp_path / "前", 1.0)
    rows, elsewhere = tmp_path / "前" / draft.id / "rows-1", "/外/split"
    data, frozen = DraftData("行", 1, 20, folder=str(rows)), DraftSplit(elsewhere, 1, 1, 1, 1, "a", is_sound=True)
    drafts.save(tmp_path / "前", dataclasses.replace(draft, data=data, frozen=frozen), 2.0)
    (tmp_path / "前").rename(tmp_path / "後")
    found = drafts.read(tmp_path / "後", draft.id)
    assert found.data.folder == str(tmp_path / "後" / draft.id / "rows-1")
    assert found.frozen == frozen


@pytest.mark.parametrize("said", ['"settings": null', '"data": "行"', '"changed_at": "昨日"', '"frozen": {"a": 1}'])
def test_a_draft_of_other_kinds_is_damaged(tmp_path: Path, said: str) -> None:
    folder = tmp_path / "下書き"
    folder.mkdir()
    (folder / drafts.DRAFT_FILE).write_text('{"type": "Draft", "id": "下書き", ' + said + "}", "utf-8")
    assert code_of(drafts.read, tmp_path, "下書き") == "draft_damaged"
    assert drafts.list_ids(tmp_path) == ["下書き"]
    assert drafts.list_all(tmp_path) == []


DATA = DraftData("行.csv", revision=3, used=120)
FROZEN = DraftSplit(
    "/split",
    revision=3,
    train=96,
    validation=12,
    holdout=12,
    sha256="a41f",
    is_sound=True,
    parts=("c90e", "7d1a", "a41f"),
)
READY = TrainingDraft("1", "敬体", "style", DATA, FROZEN, "starter", has_environment=True)


def forecast(draft: TrainingDraft, **changes: Any) -> TrainingForecast:
    told = TrainingForecast(draft.mark, 600.0, 4 << 30, 8 << 30, 1 << 30, 9 << 30, is_exact=True)
    return dataclasses.replace(told, **changes)


def codes(draft: TrainingDraft, step: str) -> list[tuple[str, bool]]:
    return [(problem.code, problem.is_blocking) for problem in draft.problems(step)]


@pytest.mark.parametrize(("goal", "told"), [("style", []), ("both", []), ("facts", [("goal_facts", False)])])
def test_whoever_wants_facts_is_told_of_documents_and_may_go_on(
    goal: drafts.Goal, told: list[tuple[str, bool]]
) -> None:
    draft = TrainingDraft("1", goal=goal)
    assert codes(draft, "goal") == told
    assert draft.step == "data"


@pytest.mark.parametrize(
    ("data", "frozen", "told"),
    [
        (None, None, [("data_missing", True)]),
        (DraftData("行", 1, used=9), None, [("rows_least", True)]),
        (DraftData("行", 3, used=10), FROZEN, [("rows_few", False)]),
        (DraftData("行", 3, used=49), FROZEN, [("rows_few", False)]),
        (DraftData("行", 3, used=50), FROZEN, []),
        (DraftData("行", 3, used=80, undecided=4), FROZEN, [("undecided", False)]),
        (DraftData("行", 3, used=80, left_out=7, undecided=4), FROZEN, [("undecided", False), ("left_out", False)]),
        (DATA, None, [("not_frozen", True)]),
        (DraftData("行", 4, used=120), FROZEN, [("not_frozen", True)]),
        (DATA, dataclasses.replace(FROZEN, is_sound=False), [("leaking", True)]),
    ],
)
def test_data_are_enough_and_frozen_as_they_stand(
    data: DraftData | None, frozen: DraftSplit | None, told: list[tuple[str, bool]]
) -> None:
    draft = dataclasses.replace(READY, data=data, frozen=frozen)
    assert codes(draft, "data") == told
    assert draft.is_complete("data") is not any(is_blocking for _, is_blocking in told)


def test_a_model_is_needed_and_settings_that_the_trainer_takes() -> None:
    assert codes(dataclasses.replace(READY, base=""), "model") == [("base_missing", True)]
    assert codes(READY.with_settings(rank=16, learning_rate=1e-4), "model") == []
    (wrong,) = READY.with_settings(rank=-1).problems("model")
    assert (wrong.code, wrong.facts["code"], wrong.facts["facts"]["field"]) == ("setting_wrong", "spec_invalid", "rank")
    (unknown,) = dataclasses.replace(READY, preset="速い").problems("model")
    assert unknown.facts["facts"]["field"] == "preset"


def test_a_forecast_counts_for_what_it_was_made_for() -> None:
    assert codes(READY, "check") == [("not_checked", True)]
    checked = dataclasses.replace(READY, forecast=forecast(READY))
    assert codes(checked, "check") == []
    for changed in (
        checked.with_settings(rank=4),
        dataclasses.replace(checked, base="別"),
        dataclasses.replace(checked, preset="light"),
        dataclasses.replace(checked, frozen=dataclasses.replace(FROZEN, sha256="b52e")),
        dataclasses.replace(checked, frozen=dataclasses.replace(FROZEN, parts=("b52e", "7d1a", "a41f"))),
    ):
        assert codes(changed, "check") == [("not_checked", True)]
    renamed = dataclasses.replace(checked, name="別の名前", goal="both")
    assert codes(renamed, "check") == []


def test_what_does_not_fit_is_refused_or_has_no_environment_stops_and_advice_does_not() -> None:
    short = forecast(READY, memory_bytes=9 << 30, disk_bytes=10 << 30)
    told = codes(dataclasses.replace(READY, forecast=short), "check")
    assert told == [("memory_short", True), ("disk_short", True)]
    findings = (
        PreflightFinding("few_rows", "warn"),
        PreflightFinding("note", "note"),
        PreflightFinding("no_answers", "block", {"rows": 3}),
    )
    draft = dataclasses.replace(READY, forecast=forecast(READY, findings=findings))
    assert codes(draft, "check") == [("finding", True), ("finding", False)]
    assert draft.problems("check")[0].facts == {"code": "no_answers", "facts": {"rows": 3}}
    without = dataclasses.replace(READY, has_environment=False)
    draft = dataclasses.replace(without, forecast=forecast(without, is_exact=False))
    assert codes(draft, "check") == [("environment_missing", True)]
    made = dataclasses.replace(draft, has_environment=True)
    assert codes(made, "check") == [("not_checked", True)]  # the trainer can be asked now


def test_the_first_step_that_lacks_something_is_where_it_goes_on() -> None:
    checked = dataclasses.replace(READY, forecast=forecast(READY))
    assert checked.step == "check"
    assert dataclasses.replace(checked, base="").step == "model"
    assert dataclasses.replace(checked, base="", data=None).step == "data"
    assert READY.problems("run") == READY.problems("result") == ()
