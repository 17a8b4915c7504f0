"""The models folder on another drive: nothing is lost at any moment, and nothing is left half."""

import dataclasses
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import filelock
import pytest

from app.base import paths, settings
from app.base.errors import AppError
from app.base.paths import Paths
from app.chat.store import Store
from app.models import local_models, models_folder, verification
from app.models.models_folder import FolderMoveResult
from tests import model_files as models

ROOT = Path(__file__).parents[2]
Report = Callable[[int, int], None]

# Moves for each [data folder, target, n] that it reads, in a fork (libraries are loaded once) that kills itself at the
# n-th change of the file system. Prints how each ended: the number of changes where it was not killed.
_KILLED = """
import json, os, signal, sys
from pathlib import Path
from app.base import paths
from app.models import models_folder
from app.chat.store import Store

def move(data, target, limit):
    seen = 0

    def watch(event, arguments):
        nonlocal seen
        is_written = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if is_written or event in ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.utime"):
            seen += 1
            if seen == limit:
                os.kill(os.getpid(), signal.SIGKILL)

    where = paths.locate(data)
    store = Store.open(where.database, where.backups)
    sys.addaudithook(watch)
    models_folder.move(where, Path(target), store)
    return seen

for case in json.load(sys.stdin):
    if not (child := os.fork()):
        os._exit(move(*case))
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


class Folder:
    """A models folder with two models (one split, in a folder of its own) and a text; and a model elsewhere."""

    def __init__(self, base: Path) -> None:
        self.where = paths.locate(str(base / "データ"))
        self.models, self.target, self.elsewhere = self.where.models, base / "new", base / "elsewhere.gguf"
        inner = self.models / "分割"
        inner.mkdir()
        models.tiny_llama(self.models / "a.gguf")
        models.tiny_llama(inner / "b.gguf", seed=2, tensors_per_file=12)
        (self.models / "terms.html").write_text("terms")
        models.tiny_llama(self.elsewhere, seed=3)
        self.store = Store.open(self.where.database, self.where.backups)
        for path in (self.models / "a.gguf", inner / "b-00001-of-00002.gguf", self.elsewhere):
            model = local_models.merged_with_known(local_models.describe(path), self.store.local_models())
            self.store.put_local_model(verification.verify_model(model).model)
        self.files = contents(self.models)

    def move(self, target: Path | None = None, report: Report = lambda _done, _total: None) -> FolderMoveResult:
        return models_folder.move(paths.locate(str(self.where.data)), target or self.target, self.store, report)

    def refusal(self, target: Path | None = None, report: Report = lambda _done, _total: None) -> str:
        """The code of a move after which everything is as it was."""
        before = contents(self.models)
        with pytest.raises(AppError) as caught:
            self.move(target, report)
        assert contents(self.models) == before
        assert contents(self.target) == {}
        assert settings.load(self.where.settings).models_folder is None
        assert models_folder.pending(self.where) is None
        return caught.value.code

    def killed_at(self, change: int, target: Path | None = None) -> None:
        assert _killed((self.where, target or self.target, change)) == [-signal.SIGKILL]

    def is_sound(self) -> bool:
        return [verification.verify_model(model).state for model in self.store.local_models()] == ["sound"] * 3


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path)
    yield folder
    folder.store.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_is_moved_and_what_lies_elsewhere_stays(folder, tmp_path):
    target = tmp_path / "別の ドライブ" / "models"
    folder.store.put_local_model(dataclasses.replace(folder.store.local_models()[0], speeds={"plain": {"prompt": 1.0}}))
    before = [(model.id, model.name, model.speeds) for model in folder.store.local_models()]
    seen: list[tuple[int, int]] = []
    assert folder.move(target, lambda done, total: seen.append((done, total))) == FolderMoveResult(target)
    assert contents(target) == folder.files
    assert list(folder.models.iterdir()) == []
    assert folder.is_sound()
    assert [(model.id, model.name, model.speeds) for model in folder.store.local_models()] == before
    parents = {Path(model.path).parent for model in folder.store.local_models()}
    assert parents == {target, target / "分割", tmp_path}
    assert settings.load(folder.where.settings).models_folder == str(target)
    assert paths.locate(str(folder.where.data)).models == target
    assert seen[-1] == (sum(map(len, folder.files.values())),) * 2
    assert models_folder.pending(folder.where) is None


def test_the_part_that_reads_pictures_moves_with_its_model(folder):
    part = models.projector(folder.models / "a-mmproj-F16.gguf")
    folder.store.put_local_model(local_models.with_projector(folder.store.local_models()[0], part))
    folder.move(folder.target)
    assert folder.store.local_models()[0].projector == str(folder.target / part.name)
    assert (folder.target / part.name).is_file()


def test_the_part_that_reads_pictures_moves_from_another_place_of_the_folder(folder, tmp_path):
    (folder.models / "parts").mkdir()
    part = models.projector(folder.models / "parts" / "mmproj-F16.gguf")
    listed = folder.store.local_models()
    for model in listed:  # one of which is not in the folder
        folder.store.put_local_model(dataclasses.replace(model, projector=str(part)))
    folder.move(folder.target)
    assert {Path(model.path).parent == tmp_path for model in listed} == {True, False}
    moved = str(folder.target / "parts" / part.name)
    assert {model.projector for model in folder.store.local_models()} == {moved}


def test_it_can_be_moved_again_and_back(folder, tmp_path):
    for target in (tmp_path / "one", tmp_path / "two", folder.where.data / "models"):
        folder.move(target)
        assert contents(target) == folder.files
    assert folder.is_sound()


def test_a_data_folder_reached_through_a_link_is_moved_too(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder.where.data)
    through = str(tmp_path / "link" / "models" / "a.gguf")
    folder.store.put_local_model(dataclasses.replace(folder.store.local_models()[0], path=through))
    models_folder.move(paths.locate(str(tmp_path / "link")), folder.target, folder.store)
    assert folder.is_sound()


def test_a_drive_that_is_not_plugged_in_leaves_the_data_folder_for_new_models(folder, tmp_path):
    folder.move(tmp_path / "usb")
    (tmp_path / "usb").rename(tmp_path / "unplugged")
    assert paths.locate(str(folder.where.data)).models == folder.where.data / "models"
    (tmp_path / "unplugged").rename(tmp_path / "usb")
    assert paths.locate(str(folder.where.data)).models == tmp_path / "usb"


# ------------------------------------------------------------------- refusals


def test_a_target_that_cannot_be_one_is_refused(folder, tmp_path):
    (tmp_path / "file").touch()
    for target, code in (
        (folder.models, "move_same_place"),
        (folder.models / "in", "move_same_place"),
        (folder.where.data, "move_same_place"),
        (tmp_path / "file", "move_target_is_file"),
        (tmp_path / ("x" * 300), "move_target_unusable"),
        (Path("/proc/nowhere"), "move_target_unusable"),
    ):
        assert folder.refusal(target) == code


def test_another_file_of_the_same_name_stops_the_move_and_stays(folder, tmp_path):
    target = tmp_path / "taken"
    target.mkdir()
    (target / "terms.html").write_text("mine")
    assert folder.refusal(target) == "move_target_taken"
    assert contents(target) == {"terms.html": b"mine"}


def test_the_same_file_that_is_there_already_is_taken_as_it_is(folder):
    folder.target.mkdir()
    (folder.target / "a.gguf").write_bytes(folder.files["a.gguf"])
    number = (folder.target / "a.gguf").stat().st_ino
    folder.move()
    assert (folder.target / "a.gguf").stat().st_ino == number
    assert contents(folder.target) == folder.files


@pytest.mark.fault("F2")
def test_a_drive_without_room_or_one_that_keeps_other_bytes_is_named(folder, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _folder: type("Usage", (), {"free": 1000})())
        assert folder.refusal() == "drive_space"
    monkeypatch.setattr(models_folder, "hash_file", lambda _path, _meter: "0" * 64)
    assert folder.refusal() == "move_copy_wrong"


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EFBIG, "drive_file_limit"), (errno.ENOSPC, "drive_space"), (errno.EIO, "move_target_unusable")],
)
@pytest.mark.fault("F2")
def test_a_failing_write_is_named_and_undone(folder, monkeypatch, number, code):
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(models_folder.os, "fsync", fail)
    monkeypatch.setattr(models_folder, "sync_folder", lambda _folder: None)
    monkeypatch.setattr(models_folder, "write_atomically", lambda path, content: path.write_bytes(content))
    assert folder.refusal() == code


def test_cancelling_leaves_everything_as_it_was(folder):
    def cancel(done: int, total: int) -> None:
        if done > total * 0.6:
            raise AppError("cancelled")

    assert folder.refusal(report=cancel) == "cancelled"
    assert folder.is_sound()


def test_links_in_the_folder_stay_with_what_they_point_at(folder):
    (folder.models / "link.gguf").symlink_to(folder.elsewhere)
    folder.move()
    assert (folder.models / "link.gguf").is_symlink()
    assert "link.gguf" not in contents(folder.target)


def test_an_old_file_that_is_held_open_elsewhere_is_deleted_later(folder, monkeypatch):
    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path == folder.models / "a.gguf":
            raise PermissionError(13, "used by another process")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held)
        assert folder.move().files_left == 1
    assert folder.is_sound()
    assert models_folder.finish(folder.where, folder.store) == FolderMoveResult(folder.target)
    assert contents(folder.models) == {}


def test_a_file_that_changes_after_it_was_copied_stops_the_move(folder):
    def write(done: int, total: int) -> None:
        if done == total:
            (folder.models / "a.gguf").write_bytes(folder.files["a.gguf"][::-1])

    with pytest.raises(AppError, match="move_source_changed"):
        folder.move(report=write)
    assert contents(folder.models) == folder.files | {"a.gguf": folder.files["a.gguf"][::-1]}
    assert contents(folder.target) == {}
    assert models_folder.pending(folder.where) is None


def test_an_old_file_that_changed_after_the_switch_is_not_deleted(folder, monkeypatch):
    save = settings.save

    def write(path: Path, chosen: settings.Settings) -> None:
        (folder.models / "terms.html").write_text("TERMS")
        save(path, chosen)

    monkeypatch.setattr(models_folder.settings, "save", write)
    assert folder.move().files_left == 1
    assert contents(folder.models) == {"terms.html": b"TERMS"}


def test_a_download_or_build_of_another_program_keeps_the_folder_where_it_is(folder):
    for name in ("a.gguf.part.lock", "building/0123/lock"):
        lock = folder.models / name
        lock.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(str(lock)):
            assert folder.refusal() == "move_busy"
    folder.move()
    assert folder.files.items() <= contents(folder.target).items()


# ---------------------------------------------------------------------- kills


Case = tuple[Paths, Path, int]  # of what is moved, where to, and the change at which it is killed


def _killed(*cases: Case) -> list[int]:
    """How each ended."""
    asked = json.dumps([(str(where.data), str(target), limit) for where, target, limit in cases])
    done = subprocess.run(
        [sys.executable, "-c", _KILLED], input=asked, cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    return [int(line) for line in done.stdout.split()]


@pytest.mark.fault("F3")
def test_killed_at_any_change_of_the_file_system_nothing_is_lost_and_it_goes_on(tmp_path, tally):
    def prepared(number: int) -> Folder:
        folder = Folder(tmp_path / str(number))
        folder.store.close()
        return folder

    def killed(*folders: Folder) -> list[int]:
        return _killed(*((one.where, one.target, int(one.target.parent.name)) for one in folders))

    (changes,) = killed(prepared(0))
    assert changes > 20
    folders = [prepared(number) for number in range(1, changes + 1)]
    assert killed(*folders) == [-signal.SIGKILL] * changes
    tally.tried(changes)
    for number, folder in enumerate(folders, start=1):
        folder.store = Store.open(folder.where.database, folder.where.backups)
        assert folder.is_sound(), number
        if models_folder.pending(folder.where) or settings.load(folder.where.settings).models_folder is None:
            folder.move()
        assert folder.is_sound()
        assert contents(folder.target) == folder.files
        assert contents(folder.models) == {}
        assert settings.load(folder.where.settings).models_folder == str(folder.target)
        folder.store.close()


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.fault("F3")
def test_a_file_that_the_user_put_in_the_new_folder_after_a_kill_stays(folder, goes_on):
    folder.killed_at(12)
    (folder.target / "terms.html").write_text("mine, another version")
    if goes_on:
        with pytest.raises(AppError, match="move_target_taken"):
            folder.move()
    else:
        models_folder.undo(folder.where)
    assert contents(folder.target) == {"terms.html": b"mine, another version"}
    assert contents(folder.models) == folder.files


@pytest.mark.fault("F3")
def test_a_file_that_changed_after_a_kill_is_copied_anew(folder):
    folder.killed_at(16)
    assert (folder.target / "a.gguf").exists()
    models.tiny_llama(folder.models / "a.gguf", seed=4)
    files = contents(folder.models)
    folder.move()
    assert contents(folder.target) == files


@pytest.mark.fault("F3")
def test_a_move_to_another_place_undoes_the_interrupted_one(folder, tmp_path):
    folder.killed_at(12)
    assert contents(folder.target)
    folder.move(tmp_path / "second")
    assert contents(folder.target) == {}
    assert contents(tmp_path / "second") == folder.files
