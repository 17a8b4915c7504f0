"""Drafts are found again as they were left, the last one first; a removed one comes back whole."""

import dataclasses
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.training import drafts
from app.training.drafts import DraftData, DraftSplit, TrainingDraft, TrainingForecast
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
    with pytest.raises(AppError) as caught:
        drafts.read(tmp_path / "drafts", "壊れた")
    assert caught.value.code == "draft_damaged"


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
    with pytest.raises(AppError) as caught:
        drafts.create(tmp_path / "drafts", 1.0)
    assert caught.value.code == "draft_unwritable"
    with pytest.raises(AppError) as caught:
        drafts.move_to_bin(tmp_path / "無い", "無い")
    assert caught.value.code == "draft_unwritable"


def test_what_somebody_else_has_changed_or_removed_is_not_written_over(tmp_path: Path) -> None:
    here = drafts.create(tmp_path, 100.0)
    there = drafts.read(tmp_path, here.id)
    drafts.save(tmp_path, dataclasses.replace(there, name="あちら"), 200.0)
    with pytest.raises(AppError) as caught:
        drafts.save(tmp_path, dataclasses.replace(here, name="こちら"), 300.0)
    assert caught.value.code == "draft_changed"
    now = drafts.read(tmp_path, here.id)
    assert now.name == "あちら"
    drafts.move_to_bin(tmp_path, here.id)
    with pytest.raises(AppError) as caught:
        drafts.save(tmp_path, now, 400.0)
    assert caught.value.code == "draft_changed"
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
    assert found.data is not None
    assert found.data.folder == str(tmp_path / "後" / draft.id / "rows-1")
    assert found.frozen == frozen


@pytest.mark.parametrize("said", ['"settings": null', '"data": "行"', '"changed_at": "昨日"', '"frozen": {"a": 1}'])
def test_a_draft_of_other_kinds_is_damaged(tmp_path: Path, said: str) -> None:
    folder = tmp_path / "下書き"
    folder.mkdir()
    (folder / drafts.DRAFT_FILE).write_text('{"type": "Draft", "id": "下書き", ' + said + "}", "utf-8")
    with pytest.raises(AppError) as caught:
        drafts.read(tmp_path, "下書き")
    assert caught.value.code == "draft_damaged"
    assert drafts.list_ids(tmp_path) == ["下書き"]
    assert drafts.list_all(tmp_path) == []
