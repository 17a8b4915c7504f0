"""Which folder may hold a training environment, how it is found again, and how a new one takes its place whole."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.base import settings
from app.base.settings import Settings
from app.models import package_locks as locks
from app.models import training_environment
from app.training.environment import base_pythons, folders, install_plan
from app.training.environment.folders import EnvironmentFolders, report_environment
from tests.models.test_training_environment import make
from tests.training.driver import code_of, refused, small_drive

pytestmark = pytest.mark.skipif(os.name == "nt", reason="links, rights and mounts of a Unix system")


LOCK = locks.all_locks("linux-x86_64")[0]


@pytest.fixture(autouse=True)
def nothing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(training_environment.VARIABLE, raising=False)
    monkeypatch.setattr(training_environment, "_ROOT", tmp_path / "sources")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "データ"
    folder.mkdir()
    return folder


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "外付け"
    folder.mkdir()
    return folder


def choose(data: Path, folder: Path | str) -> None:
    settings.save(data / "settings.json", Settings(training_folder=str(folder)))


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Path]:
    """A drive in memory on which nothing can be started."""
    with small_drive(tmp_path / "noexec", "size=8m,noexec") as folder:
        yield folder


@pytest.fixture
def fat(tmp_path: Path) -> Iterator[Path]:
    image, folder = tmp_path / "fat.img", tmp_path / "fat"
    folder.mkdir()
    with image.open("wb") as file:
        file.truncate(16 << 20)
    for command in (["mkfs.vfat", str(image)], ["mount", "-o", "loop", str(image), str(folder)]):
        if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this user cannot mount a FAT drive")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def refusal(folder: Path) -> str:
    error = refused(folders.require_usable_base, folder)
    assert error.facts["path"] == str(folder)
    return error.code


def test_a_folder_that_can_hold_one_is_left_as_it_was(drive: Path) -> None:
    folders.require_usable_base(drive)
    assert list(drive.iterdir()) == []


def test_a_folder_that_is_not_there_and_one_that_cannot_be_written_are_told_apart(drive: Path) -> None:
    assert refusal(drive / "none") == "training_place_missing"
    assert refusal(Path("/proc")) == "training_place_unwritable"


def test_a_drive_without_links_is_refused(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_link: Path, _target: str) -> None:
        raise PermissionError(1, "Operation not permitted")  # as exFAT answers

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert refusal(drive) == "training_place_no_links"
    assert list(drive.iterdir()) == []


def test_a_real_fat_drive_is_refused(fat: Path) -> None:
    assert refusal(fat) == "training_place_no_links"


def test_a_drive_on_which_nothing_can_be_started_is_refused(mounted: Path) -> None:
    assert refusal(mounted) == "training_place_no_programs"


def test_a_folder_of_the_same_name_that_kotae_has_not_made_is_not_replaced(data: Path, drive: Path) -> None:
    folders.require_free_base(drive, data)
    final = EnvironmentFolders(drive).final
    final.mkdir()
    assert code_of(folders.require_free_base, drive, data) == "training_place_taken"
    folders.write_stamp(final, LOCK, "0" * 32)  # anybody can write one
    choose(data, drive)
    refused(folders.require_free_base, drive, data)
    folders.write_stamp(final, LOCK, training_environment.key(data))
    folders.require_free_base(drive, data)


@pytest.mark.parametrize("name", ["training-environment", "training-environment.old", "training-environment.part"])
def test_a_folder_that_will_be_deleted_holds_none(data: Path, drive: Path, name: str) -> None:
    inside = data / name / "more"
    inside.mkdir(parents=True)
    (drive / "link").symlink_to(inside)
    for base in (inside.parent, inside, drive / "link"):
        assert code_of(folders.require_free_base, base, data) == "training_place_inside"


def test_an_environment_that_was_renamed_holds_none(data: Path, drive: Path) -> None:
    folders.write_stamp(drive, LOCK, "")
    (drive / "lib").mkdir()
    assert code_of(folders.require_free_base, drive / "lib", data) == "training_place_inside"


def test_the_room_is_that_of_the_chosen_drive(mounted: Path) -> None:
    needed = install_plan.estimate_need(mounted, mounted, None)
    assert needed.base == mounted
    assert needed.free_bytes <= 8 << 20 < needed.room_bytes


def test_the_chosen_folder_comes_first_and_the_data_folder_after_it(data: Path, drive: Path) -> None:
    choose(data, drive)
    there, here = make(drive / "training-environment"), make(data / "training-environment")
    folders.write_stamp(there.parent.parent, LOCK, training_environment.key(data))
    assert training_environment.locate(data).python == there
    shutil.rmtree(there.parent.parent)
    assert training_environment.locate(data).python == here


@pytest.mark.fault("S14")
def test_another_drive_under_the_same_path_is_not_taken_for_the_one_that_was_chosen(data: Path, drive: Path) -> None:
    choose(data, drive)
    there = make(drive / "training-environment", f"touch '{data}/ran'")
    for key in ("", "0" * 32):
        folders.write_stamp(there.parent.parent, LOCK, key)
        found = report_environment(data)
        assert found.python is None
        assert base_pythons.trusted_programs(EnvironmentFolders(drive), data) == []
        assert code_of(folders.require_free_base, drive, data) == "training_place_taken"
        training_environment.key(data)
    assert not (data / "ran").exists()


@pytest.mark.parametrize("bad", ['"relative/place"', "7", "null", r'"/a\u0000b"'])
def test_a_place_that_is_none_is_passed_over(data: Path, bad: str) -> None:
    (data / "settings.json").write_text(f'{{"training_folder": {bad}, "threads": 3}}', "utf-8")
    assert training_environment.base_folder(data) == data
    assert settings.load(data / "settings.json").threads == 3


def test_an_attempt_elsewhere_is_found_again_counted_and_deleted(data: Path, drive: Path) -> None:
    assert folders.proposed_base(data) == data
    folders.record_attempt(data, drive)
    (EnvironmentFolders(drive).cache).mkdir(parents=True)
    (EnvironmentFolders(drive).cache / "torch").write_bytes(bytes(3000))
    assert folders.proposed_base(data) == drive
    assert report_environment(data).left_bytes == 3000
    folders.remove_environment_and_attempts(data)
    assert folders.proposed_base(data) == data
    assert not EnvironmentFolders(drive).part_folder.exists()


def test_an_attempt_on_a_drive_that_is_away_stays_noted_until_it_can_be_deleted(data: Path, drive: Path) -> None:
    folders.record_attempt(data, drive)
    EnvironmentFolders(drive).cache.mkdir(parents=True)
    drive.rename(drive.with_name("外した"))
    folders.record_attempt(data, data)
    folders.forget_attempts(data)
    assert folders.proposed_base(data) == data
    drive.with_name("外した").rename(drive)
    assert folders.list_attempts(data) == [drive]
    assert folders.proposed_base(data) == data  # it was given up
    folders.forget_attempts(data)
    assert list(drive.glob("*.part")) == []
    assert folders.list_attempts(data) == []


def test_deleting_takes_the_one_of_the_chosen_drive(data: Path, drive: Path) -> None:
    choose(data, drive)
    there = make(drive / "training-environment")
    folders.write_stamp(there.parent.parent, LOCK, training_environment.key(data))
    assert report_environment(data).is_own
    folders.remove_environment_and_attempts(data)
    assert not EnvironmentFolders(drive).final.exists()
    assert sorted(path.name for path in data.iterdir()) == ["settings.json", "training-environment.key"]


@pytest.fixture
def where(tmp_path: Path) -> EnvironmentFolders:
    made = EnvironmentFolders(tmp_path)
    folders.prepare_part(made)
    for folder in (made.final, made.old_folder, made.half):
        folder.mkdir()
        (folder / "is").write_text(folder.name, "utf-8")
    return made


def content(folder: Path) -> str:
    return (folder / "is").read_text("utf-8")


def test_the_new_one_the_one_in_use_and_the_one_before_move_up(where: EnvironmentFolders) -> None:
    folders.replace_current(where)
    assert (content(where.final), content(where.old_folder)) == (where.half.name, where.final.name)
    assert not where.part_folder.exists()


def test_where_it_is_refused_all_is_as_it_was(where: EnvironmentFolders) -> None:
    (where.half / "is").unlink()
    where.half.rmdir()
    refused(folders.replace_current, where)
    assert (content(where.final), content(where.old_folder)) == (where.final.name, where.old_folder.name)


def test_what_an_attempt_has_put_aside_goes_with_the_next(where: EnvironmentFolders) -> None:
    where.old_folder.rename(where.discarded / "old")
    folders.prepare_part(where)
    assert list(where.discarded.iterdir()) == []
