"""The models folder on another drive: nothing is lost at any moment, and nothing is left half."""

import dataclasses
import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import filelock
import pytest

from app.base import paths, settings
from app.base.errors import AppError
from app.base.files import output_file
from app.base.paths import Paths
from app.chat.store import Store
from app.models import local_models, models_folder, verification
from tests import model_files as models
from tests.faults.ledger import Tally

ROOT = Path(__file__).parents[2]

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


@pytest.fixture
def filled(where: Paths, store: Store, tmp_path: Path) -> dict[str, bytes]:
    """Two models in the folder (one split, in a folder of its own), a text beside them, and a model elsewhere."""
    fill(where, store, tmp_path)
    return contents(where.models)


def fill(where: Paths, store: Store, tmp_path: Path) -> None:
    inner = where.models / "分割"
    inner.mkdir()
    models.tiny_llama(where.models / "a.gguf")
    models.tiny_llama(inner / "b.gguf", seed=2, tensors_per_file=12)
    (where.models / "terms.html").write_text("terms")
    elsewhere = models.tiny_llama(tmp_path / "elsewhere.gguf", seed=3)
    for path in (where.models / "a.gguf", inner / "b-00001-of-00002.gguf", elsewhere):
        model = local_models.merged_with_known(local_models.describe(path), store.local_models())
        store.put_local_model(verification.verify_model(model).model)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def all_are_sound(store: Store) -> bool:
    return [verification.verify_model(model).state for model in store.local_models()] == ["sound"] * 3


def test_the_folder_is_moved_and_what_lies_elsewhere_stays(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "別の ドライブ" / "models"
    seen: list[tuple[int, int]] = []
    moved = models_folder.move(where, target, store, lambda done, total: seen.append((done, total)))
    assert moved == models_folder.FolderMoveResult(target)
    assert contents(target) == filled
    assert list(where.models.iterdir()) == []
    assert all_are_sound(store)
    assert {Path(model.path).parent for model in store.local_models()} == {target, target / "分割", tmp_path}
    assert settings.load(where.settings).models_folder == str(target)
    assert paths.locate(str(where.data)).models == target
    assert seen[-1] == (sum(map(len, filled.values())),) * 2
    assert models_folder.pending(where) is None


def test_it_can_be_moved_again_and_back(where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path) -> None:
    for target in (tmp_path / "one", tmp_path / "two", where.data / "models"):
        models_folder.move(paths.locate(str(where.data)), target, store)
        assert contents(target) == filled
    assert all_are_sound(store)


def test_ids_and_what_was_measured_stay(where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path) -> None:
    store.put_local_model(dataclasses.replace(store.local_models()[0], speeds={"plain": {"prompt": 1.0}}))
    before = [(model.id, model.name, model.speeds) for model in store.local_models()]
    models_folder.move(where, tmp_path / "new", store)
    assert [(model.id, model.name, model.speeds) for model in store.local_models()] == before


def test_a_data_folder_reached_through_a_link_is_moved_too(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(where.data)
    model = store.local_models()[0]
    through = str(tmp_path / "link" / "models" / "a.gguf")
    store.put_local_model(dataclasses.replace(model, path=through))
    models_folder.move(paths.locate(str(tmp_path / "link")), tmp_path / "new", store)
    assert all_are_sound(store)


def test_a_drive_that_is_not_plugged_in_leaves_the_data_folder_for_new_models(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    models_folder.move(where, tmp_path / "usb", store)
    (tmp_path / "usb").rename(tmp_path / "unplugged")
    assert paths.locate(str(where.data)).models == where.data / "models"
    (tmp_path / "unplugged").rename(tmp_path / "usb")
    assert paths.locate(str(where.data)).models == tmp_path / "usb"


# ------------------------------------------------------------------- refusals


def refused(where: Paths, store: Store, target: Path) -> str:
    before = contents(where.models)
    with pytest.raises(AppError) as error:
        models_folder.move(where, target, store)
    assert contents(where.models) == before
    assert settings.load(where.settings).models_folder is None
    assert models_folder.pending(where) is None
    return error.value.code


def test_the_same_place_or_one_inside_it_is_refused(where: Paths, store: Store, filled: dict[str, bytes]) -> None:
    assert refused(where, store, where.models) == "move_same_place"
    assert refused(where, store, where.models / "in") == "move_same_place"
    assert refused(where, store, where.data) == "move_same_place"


def test_a_target_that_is_a_file_or_no_path_is_refused(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert refused(where, store, tmp_path / "file") == "move_target_is_file"
    assert refused(where, store, tmp_path / ("x" * 300)) == "move_target_unusable"
    assert refused(where, store, Path("/proc/nowhere")) == "move_target_unusable"


def test_another_file_of_the_same_name_stops_the_move_and_stays(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "new"
    target.mkdir()
    (target / "terms.html").write_text("mine")
    assert refused(where, store, target) == "move_target_taken"
    assert contents(target) == {"terms.html": b"mine"}


def test_the_same_file_that_is_there_already_is_taken_as_it_is(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    target = tmp_path / "new"
    target.mkdir()
    (target / "a.gguf").write_bytes(filled["a.gguf"])
    number = (target / "a.gguf").stat().st_ino
    models_folder.move(where, target, store)
    assert (target / "a.gguf").stat().st_ino == number
    assert contents(target) == filled


@pytest.mark.fault("F2")
def test_a_drive_without_room_is_said_before_anything_is_copied(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output_file.shutil, "disk_usage", lambda _folder: type("Usage", (), {"free": 1000})())
    assert refused(where, store, tmp_path / "new") == "drive_space"
    assert contents(tmp_path / "new") == {}


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.EFBIG, "drive_file_limit"), (errno.ENOSPC, "drive_space"), (errno.EIO, "move_target_unusable")],
)
@pytest.mark.fault("F2")
def test_a_failing_write_is_named_and_undone(
    where: Paths,
    store: Store,
    filled: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: str,
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(models_folder.os, "fsync", fail)
    monkeypatch.setattr(models_folder, "sync_folder", lambda _folder: None)
    monkeypatch.setattr(models_folder, "write_atomically", lambda path, content: path.write_bytes(content))
    assert refused(where, store, tmp_path / "new") == code
    assert contents(tmp_path / "new") == {}


def test_a_copy_that_reads_back_differently_is_thrown_away(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models_folder, "hash_file", lambda _path, _meter: "0" * 64)
    assert refused(where, store, tmp_path / "new") == "move_copy_wrong"
    assert contents(tmp_path / "new") == {}


def test_cancelling_leaves_everything_as_it_was(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    def cancel(done: int, total: int) -> None:
        if done > total * 0.6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        models_folder.move(where, tmp_path / "new", store, cancel)
    assert contents(where.models) == filled
    assert contents(tmp_path / "new") == {}
    assert all_are_sound(store)
    assert models_folder.pending(where) is None


def test_links_in_the_folder_stay_with_what_they_point_at(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    (where.models / "link.gguf").symlink_to(tmp_path / "elsewhere.gguf")
    models_folder.move(where, tmp_path / "new", store)
    assert (where.models / "link.gguf").is_symlink()
    assert "link.gguf" not in contents(tmp_path / "new")


def test_an_old_file_that_is_held_open_elsewhere_is_deleted_later(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def held(path: Path, missing_ok: bool = False) -> None:
        if path == where.models / "a.gguf":
            raise PermissionError(13, "used by another process")
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", held)
        assert models_folder.move(where, tmp_path / "new", store).files_left == 1
    assert all_are_sound(store)
    assert models_folder.finish(where, store) == models_folder.FolderMoveResult(tmp_path / "new")
    assert contents(where.models) == {}


def test_a_file_that_changes_after_it_was_copied_stops_the_move(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path
) -> None:
    changed = filled["a.gguf"][::-1]

    def write(done: int, total: int) -> None:
        if done == total:
            (where.models / "a.gguf").write_bytes(changed)

    with pytest.raises(AppError, match="move_source_changed"):
        models_folder.move(where, tmp_path / "new", store, write)
    assert contents(where.models) == filled | {"a.gguf": changed}
    assert contents(tmp_path / "new") == {}
    assert models_folder.pending(where) is None


def test_an_old_file_that_changed_after_the_switch_is_not_deleted(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = settings.save

    def write(path: Path, chosen: settings.Settings) -> None:
        (where.models / "terms.html").write_text("TERMS")
        save(path, chosen)

    monkeypatch.setattr(models_folder.settings, "save", write)
    assert models_folder.move(where, tmp_path / "new", store).files_left == 1
    assert contents(where.models) == {"terms.html": b"TERMS"}


@pytest.mark.parametrize("name", ["a.gguf.part.lock", "building/0123/lock"])
def test_a_download_or_build_of_another_program_keeps_the_folder_where_it_is(
    where: Paths, store: Store, filled: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    lock = where.models / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(str(lock)):
        assert refused(where, store, tmp_path / "new") == "move_busy"
    models_folder.move(where, tmp_path / "new", store)
    assert filled.items() <= contents(tmp_path / "new").items()


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
def test_killed_at_any_change_of_the_file_system_nothing_is_lost_and_it_goes_on(tmp_path: Path, tally: Tally) -> None:
    def prepared(number: int) -> Case:
        base = tmp_path / str(number)
        where = paths.locate(str(base / "data"))
        store = Store.open(where.database, where.backups)
        fill(where, store, base)
        store.close()
        return where, base / "new", number

    (changes,) = _killed(prepared(0))
    assert changes > 20
    cases = [prepared(number) for number in range(1, changes + 1)]
    files = contents(cases[0][0].models)
    assert _killed(*cases) == [-signal.SIGKILL] * changes
    tally.tried(changes)
    for where, target, number in cases:
        store = Store.open(where.database, where.backups)
        assert all_are_sound(store), number
        if _is_unfinished(where, target):
            models_folder.move(paths.locate(str(where.data)), target, store)
        assert all_are_sound(store)
        assert contents(target) == files
        assert contents(where.models) == {}
        assert settings.load(where.settings).models_folder == str(target)
        store.close()


def _is_unfinished(where: Paths, target: Path) -> bool:
    return models_folder.pending(where) is not None or settings.load(where.settings).models_folder != str(target)


@pytest.mark.parametrize("goes_on", [True, False])
@pytest.mark.fault("F3")
def test_a_file_that_the_user_put_in_the_new_folder_after_a_kill_stays(tmp_path: Path, goes_on: bool) -> None:
    where = paths.locate(str(tmp_path / "data"))
    store = Store.open(where.database, where.backups)
    fill(where, store, tmp_path)
    files, target = contents(where.models), tmp_path / "new"
    assert _killed((where, target, 12)) == [-signal.SIGKILL]
    (target / "terms.html").write_text("mine, another version")
    if goes_on:
        with pytest.raises(AppError, match="move_target_taken"):
            models_folder.move(where, target, store)
    else:
        models_folder.undo(where)
    assert contents(target) == {"terms.html": b"mine, another version"}
    assert contents(where.models) == files
    store.close()


@pytest.mark.fault("F3")
def test_a_file_that_changed_after_a_kill_is_copied_anew(tmp_path: Path) -> None:
    where, target = paths.locate(str(tmp_path / "data")), tmp_path / "new"
    store = Store.open(where.database, where.backups)
    fill(where, store, tmp_path)
    assert _killed((where, target, 16)) == [-signal.SIGKILL]
    assert (target / "a.gguf").exists()
    models.tiny_llama(where.models / "a.gguf", seed=4)
    files = contents(where.models)
    models_folder.move(where, target, store)
    assert contents(target) == files
    store.close()


@pytest.mark.fault("F3")
def test_a_move_to_another_place_undoes_the_interrupted_one(tmp_path: Path) -> None:
    where = paths.locate(str(tmp_path / "data"))
    store = Store.open(where.database, where.backups)
    fill(where, store, tmp_path)
    files = contents(where.models)
    assert _killed((where, tmp_path / "first", 12)) == [-signal.SIGKILL]
    assert contents(tmp_path / "first")
    models_folder.move(where, tmp_path / "second", store)
    assert contents(tmp_path / "first") == {}
    assert contents(tmp_path / "second") == files
    store.close()
