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
from app.training.runs import overview, runs, shelf, standing
from app.training.runs.runs import Run
from tests import model_files as models
from tests.passed_days import pass_days
from trainer.spec import RunSpec

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A finished one, whose data its spec names beside it."""
    folder = runs.create(
        RunSpec(str(tmp_path / "runs" / "敬体"), "/base.gguf", "data/t.jsonl", "/v.jsonl", name="敬体")
    )
    shutil.copyfile(TRANSCRIPTS / "good.jsonl", folder / standing.JOURNAL)
    return runs.read(folder)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(AppError) as caught:
        call()
    return caught.value.code


def test_a_note_is_kept_until_it_is_empty_and_a_longer_one_does_not_take_its_place(run: Run) -> None:
    assert shelf.note_of(run.folder) == ""
    shelf.write_note(run.folder, "敬体は直った。\n次は用語。")
    assert shelf.note_of(run.folder) == "敬体は直った。\n次は用語。"
    assert refused(lambda: shelf.write_note(run.folder, "あ" * (shelf.NOTE_LETTERS + 1))) == "run_note_long"
    assert shelf.note_of(run.folder).startswith("敬体は")
    shelf.write_note(run.folder, " \n")
    assert not (run.folder / shelf.NOTE).exists()


def test_another_name_changes_nothing_else_of_the_spec(run: Run) -> None:
    shelf.rename(run, " 用語集\ud800 ")
    again = runs.read(run.folder)
    assert again.name == "用語集?"
    assert run.spec is not None
    assert again.spec == dataclasses.replace(run.spec, name="用語集?")
    assert '"data/t.jsonl"' in (run.folder / runs.SPEC).read_text("utf-8")  # as it was written
    shelf.rename(again, "")
    assert runs.read(run.folder).name == "敬体"


def test_a_run_on_which_somebody_works_keeps_its_name_and_its_place(run: Run) -> None:
    held = runs.hold(run.folder)
    try:
        assert refused(lambda: shelf.rename(run, "別名")) == "run_judging"
        assert refused(lambda: shelf.remove(run, ())) == "run_judging"
    finally:
        held.release()
    assert runs.read(run.folder).name == "敬体"


def test_a_damaged_run_has_no_name_to_change_but_can_be_removed(run: Run) -> None:
    (run.folder / runs.SPEC).write_text("{", "utf-8")
    damaged = runs.read(run.folder)
    assert refused(lambda: shelf.rename(damaged, "別名")) == "run_damaged"
    shelf.remove(damaged, ())
    assert not run.folder.exists()


def test_a_removed_run_comes_back_as_it_was(run: Run) -> None:
    where = run.folder.parent
    shelf.write_note(run.folder, "残す")
    for _ in range(2):
        shelf.remove(run, ())
        assert runs.listed(where) == []
        restored = shelf.restore(where, run.id)
        assert (restored.state, shelf.note_of(restored.folder)) == ("finished", "残す")
    (where / run.id).rename(where / "別")
    assert refused(lambda: shelf.restore(where, run.id)) == "run_unwritable"


def test_a_run_in_which_a_model_of_the_list_lies_stays(run: Run) -> None:
    model = local_models.describe(models.tiny_llama(run.folder / "merged.gguf"))
    assert refused(lambda: shelf.remove(run, [model])) == "run_has_model"
    assert run.folder.is_dir()


def test_what_was_removed_long_ago_is_emptied_with_the_bases_that_nobody_needs(run: Run, tmp_path: Path) -> None:
    where = Paths(tmp_path)
    (where.bases / ("a" * 16)).mkdir(parents=True)
    other = runs.create(RunSpec(str(where.runs / "別"), "/base.gguf", "/t.jsonl", "/v.jsonl"))
    for folder in (run.folder, other):
        shelf.remove(runs.read(folder), ())
    now = time.time()
    assert overview.empty_bin(where, now) == 0
    old = where.runs / work_folder.BIN / other.name
    work_folder.mark_deleted(old, now - 31 * 86_400)
    assert overview.empty_bin(where, now - 31 * 86_400) == 0
    assert overview.empty_bin(where, now) == 0  # the clock alone says so
    pass_days(where.data, PROOF_DAYS)
    assert overview.empty_bin(where, now) == 1
    assert not old.exists()
    assert list(where.bases.iterdir()) == []
    assert shelf.restore(where.runs, run.id).state == "finished"
