"""Another name, a note, and the bin, out of which a run comes back whole."""

import dataclasses
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.base.files import work_folder
from app.base.files.day_record import PROOF_DAYS
from app.base.paths import Paths
from app.models import local_models
from app.training.runs import run_folders, run_journal, training_list
from app.training.runs.run_folders import TrainingRunFolder
from tests import model_files as models
from tests.passed_days import pass_days
from trainer.spec import RunSpec

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"


@pytest.fixture
def run(tmp_path: Path) -> TrainingRunFolder:
    """A finished one, whose data its spec names beside it."""
    folder = run_folders.create(
        RunSpec(str(tmp_path / "runs" / "敬体"), "/base.gguf", "data/t.jsonl", "/v.jsonl", name="敬体")
    )
    shutil.copyfile(TRANSCRIPTS / "good.jsonl", folder / run_journal.JOURNAL_FILE)
    return run_folders.read(folder)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(AppError) as caught:
        call()
    return caught.value.code


def test_a_note_is_kept_until_it_is_empty_and_a_longer_one_does_not_take_its_place(run: TrainingRunFolder) -> None:
    assert training_list.read_note(run.folder) == ""
    training_list.write_note(run.folder, "敬体は直った。\n次は用語。")
    assert training_list.read_note(run.folder) == "敬体は直った。\n次は用語。"
    assert (
        refused(lambda: training_list.write_note(run.folder, "あ" * (training_list.NOTE_CHARACTERS + 1)))
        == "run_note_long"
    )
    assert training_list.read_note(run.folder).startswith("敬体は")
    training_list.write_note(run.folder, " \n")
    assert not (run.folder / training_list.NOTE_FILE).exists()


def test_another_name_changes_nothing_else_of_the_spec(run: TrainingRunFolder) -> None:
    training_list.rename_run(run, " 用語集\ud800 ")
    again = run_folders.read(run.folder)
    assert again.name == "用語集?"
    assert run.spec is not None
    assert again.spec == dataclasses.replace(run.spec, name="用語集?")
    assert '"data/t.jsonl"' in (run.folder / run_folders.SPEC).read_text("utf-8")  # as it was written
    training_list.rename_run(again, "")
    assert run_folders.read(run.folder).name == "敬体"


def test_a_run_on_which_somebody_works_keeps_its_name_and_its_place(run: TrainingRunFolder) -> None:
    held = run_folders.lock_run(run.folder)
    try:
        assert refused(lambda: training_list.rename_run(run, "別名")) == "run_judging"
        assert refused(lambda: training_list.move_run_to_bin(run, ())) == "run_judging"
    finally:
        held.release()
    assert run_folders.read(run.folder).name == "敬体"


def test_a_damaged_run_has_no_name_to_change_but_can_be_removed(run: TrainingRunFolder) -> None:
    (run.folder / run_folders.SPEC).write_text("{", "utf-8")
    damaged = run_folders.read(run.folder)
    assert refused(lambda: training_list.rename_run(damaged, "別名")) == "run_damaged"
    training_list.move_run_to_bin(damaged, ())
    assert not run.folder.exists()


def test_a_removed_run_comes_back_as_it_was(run: TrainingRunFolder) -> None:
    where = run.folder.parent
    training_list.write_note(run.folder, "残す")
    for _ in range(2):
        training_list.move_run_to_bin(run, ())
        assert run_folders.list_all(where) == []
        restored = training_list.restore_run(where, run.id)
        assert (restored.state, training_list.read_note(restored.folder)) == ("finished", "残す")
    (where / run.id).rename(where / "別")
    assert refused(lambda: training_list.restore_run(where, run.id)) == "run_unwritable"


def test_a_run_in_which_a_model_of_the_list_lies_stays(run: TrainingRunFolder) -> None:
    model = local_models.describe(models.tiny_llama(run.folder / "merged.gguf"))
    assert refused(lambda: training_list.move_run_to_bin(run, [model])) == "run_has_model"
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
    assert training_list.restore_run(where.runs, run.id).state == "finished"
