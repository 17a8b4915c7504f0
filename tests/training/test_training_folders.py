"""A training environment takes the place of the one before: at no moment is half of one where it would be found."""

from pathlib import Path

import pytest

from app.base.errors import AppError
from app.training.environment import folders
from app.training.environment.folders import EnvironmentFolders


@pytest.fixture
def where(tmp_path: Path) -> EnvironmentFolders:
    made = EnvironmentFolders(tmp_path)
    folders.prepare_part(made)
    for folder in (made.final, made.old, made.half):
        folder.mkdir()
        (folder / "is").write_text(folder.name, "utf-8")
    return made


def content(folder: Path) -> str:
    return (folder / "is").read_text("utf-8")


def test_the_new_one_the_one_in_use_and_the_one_before_move_up(where: EnvironmentFolders) -> None:
    folders.replace_current(where)
    assert (content(where.final), content(where.old)) == (where.half.name, where.final.name)
    assert not where.part.exists()


def test_where_it_is_refused_all_is_as_it_was(where: EnvironmentFolders) -> None:
    (where.half / "is").unlink()
    where.half.rmdir()
    with pytest.raises(AppError):
        folders.replace_current(where)
    assert (content(where.final), content(where.old)) == (where.final.name, where.old.name)


def test_what_an_attempt_has_put_aside_goes_with_the_next(where: EnvironmentFolders) -> None:
    where.old.rename(where.discarded / "old")
    folders.prepare_part(where)
    assert list(where.discarded.iterdir()) == []
