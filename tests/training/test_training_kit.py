"""A training environment kit: written in parts, resumed, read back, and refused where it was tampered with."""

import contextlib
import io
import json
import random
import shutil
import sys
import tarfile
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.models import package_locks as locks
from app.models import training_environment
from app.models.kits import transfer_kit
from app.models.package_locks import PackageLock
from app.training.environment import base_pythons, kit
from app.training.environment.folders import EnvironmentFolders
from tests.training.driver import code_of, refused
from tests.wheelhouse import make_wheel, make_wheels, pin_python, write_lock

HERE = sys.version_info[:2]
PART_BYTES = 1100  # most of the tiny wheels fit, and torch does not


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return make_wheels(tmp_path / "wheels")


@pytest.fixture
def lock(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> PackageLock:
    folder = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: folder)
    return locks.all_locks()[0]


@pytest.fixture
def archive(tmp_path: Path, lock: PackageLock) -> Path:
    """Of the version that runs here, and in the list of those that a kit may bring."""
    path = pack(tmp_path / "cpython-install_only.tar.gz", {"python/lib/os.py": b"", **PROGRAM})
    pin_python(lock.path.parent, path)
    return path


PROGRAM = {"python/bin/python3": b"#!/bin/sh\n"}


def pack(path: Path, files: dict[str, bytes], kind: str = "gz") -> Path:
    with tarfile.open(path, f"w:{kind}") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            tar.addfile(member, io.BytesIO(content))
    return path


def write(
    folder: Path, lock: PackageLock, wheels: Path, archive: Path | None = None, part_bytes: int = PART_BYTES
) -> None:
    together = (archive, base_pythons.identify_archive(archive)) if archive else None
    kit.write_kit(folder, lock, {file.name: wheels / file.name for file in lock.files}, together, part_bytes)


@pytest.fixture
def folder(tmp_path: Path, lock: PackageLock, wheels: Path) -> Path:
    """A kit of the wheels, without a Python."""
    write(tmp_path / "kit", lock, wheels)
    return tmp_path / "kit"


@pytest.fixture
def where(tmp_path: Path) -> EnvironmentFolders:
    made = EnvironmentFolders(tmp_path / "data")
    made.wheels.mkdir(parents=True)
    return made


def gathered(folder: Path, lock: PackageLock, target: Path) -> dict[str, Path]:
    target.mkdir(exist_ok=True)
    return kit.collect_wheels(folder, lock, kit.kit_in(folder), target, lambda _package, _done, _total: None)


def test_what_is_too_large_is_in_parts_and_all_comes_back(tmp_path, lock, wheels, archive, where):
    folder = tmp_path / "キット"
    write(folder, lock, wheels, archive)
    names = {path.name for path in folder.iterdir()}
    assert "torch-1.0-py3-none-any.whl" not in names
    assert any(name.endswith(".kotae-part") for name in names)
    assert {"peft-1.0-py3-none-any.whl", "README.txt", f"{lock.name}.txt", kit.KIT_NAME} <= names
    assert all(path.stat().st_size <= PART_BYTES for path in folder.iterdir() if path.suffix in (".whl", ".kotae-part"))
    found = gathered(folder, lock, tmp_path / "joined")
    for file in lock.files:
        assert found[file.name].read_bytes() == (wheels / file.name).read_bytes()
    read = kit.read_kit(folder)
    assert (read.lock, read.python_version) == (lock.name, HERE)
    assert kit.lock_of(read, folder) == lock
    path, _sha256 = kit.copy_python_archive(folder, read, lock, where)
    assert path.read_bytes() == archive.read_bytes()
    readme = (folder / "README.txt").read_text("utf-8")
    assert "学習環境キット" in readme
    assert archive.name in readme


def test_written_again_it_goes_on_and_what_is_not_of_it_any_more_goes(lock, wheels, folder):
    (folder / "mine.txt").touch()
    kept = (folder / "peft-1.0-py3-none-any.whl").stat().st_mtime_ns
    write(folder, lock, wheels, part_bytes=100_000)
    assert not list(folder.glob("*.kotae-part"))
    assert (folder / "peft-1.0-py3-none-any.whl").stat().st_mtime_ns == kept
    make_wheel(wheels, "gguf", version="2.0")
    (wheels / "gguf-1.0-py3-none-any.whl").unlink()
    write_lock(lock.path.parent, wheels)
    write(folder, locks.all_locks()[0], wheels, part_bytes=100_000)
    assert [path.name for path in folder.glob("gguf*")] == ["gguf-2.0-py3-none-any.whl"]
    assert (folder / "mine.txt").exists()


def test_interrupted_nothing_half_has_a_final_name(tmp_path, lock, wheels):
    folder = tmp_path / "kit"

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    paths = {file.name: wheels / file.name for file in lock.files}
    with pytest.raises(KeyboardInterrupt):
        kit.write_kit(folder, lock, paths, None, 0, stop)
    assert not kit.is_kit(folder)
    assert not list(folder.glob("*.tmp"))
    for path in folder.glob("*.whl"):
        assert path.read_bytes() == (wheels / path.name).read_bytes()
    kit.write_kit(folder, lock, paths, None)
    assert kit.read_kit(folder).lock == lock.name


def test_a_folder_with_somebody_elses_files_of_those_names_is_left_alone(tmp_path, lock, wheels):
    for name, text in (("README.txt", "my notes"), (kit.KIT_NAME, "{}")):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text(text, encoding="utf-8")
        assert code_of(write, folder, lock, wheels) == "kit_folder_taken"
        assert [path.name for path in folder.iterdir()] == [name]
    (tmp_path / "folder" / "README.txt").mkdir(parents=True)
    assert code_of(write, tmp_path / "folder", lock, wheels) == "kit_folder_taken"


@pytest.mark.parametrize("how", ["changed", "cut", "lost"])
def test_a_damaged_part_and_a_damaged_wheel_are_named(tmp_path, lock, how, folder):
    part = next(iter(sorted(folder.glob("*.kotae-part"))))
    for path, codes in (
        (part, {"kit_part_damaged", "kit_part_missing"}),
        (folder / "peft-1.0-py3-none-any.whl", {"training_wheel_damaged"}),
    ):
        shutil.rmtree(tmp_path / "joined", ignore_errors=True)
        whole = path.read_bytes()
        if how == "lost":
            path.unlink()
        else:
            path.write_bytes(bytes(len(whole)) if how == "changed" else whole[:-1])
        assert code_of(gathered, folder, lock, tmp_path / "joined") in codes
        path.write_bytes(whole)
    assert gathered(folder, lock, tmp_path / "joined")


def tampered(folder: Path, change) -> None:
    document = json.loads((folder / kit.KIT_NAME).read_bytes())
    change(document)
    (folder / kit.KIT_NAME).write_bytes(transfer_kit.table_bytes(document))


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.update(files=[]),
        lambda document: document.update(files=7),
        lambda document: document.update(lock=7),
        lambda document: document.update(python="3.x"),
        lambda document: document["files"][0].update(name="../../evil.whl"),
        lambda document: document["files"][0].update(name="evil.sh"),
        lambda document: document["files"][0].update(size_bytes=-1),
        lambda document: document["files"].append(document["files"][0]),
    ],
)
def test_a_table_that_was_tampered_with_is_refused(change, folder):
    tampered(folder, change)
    assert code_of(kit.read_kit, folder) == "training_kit_damaged"


def test_one_flipped_byte_of_the_table_is_noticed_and_a_newer_kit_is_told(folder):
    tampered(folder, lambda document: document.update(version=2))
    assert code_of(kit.read_kit, folder) == "kit_newer"
    content = (folder / kit.KIT_NAME).read_bytes()
    (folder / kit.KIT_NAME).write_bytes(content.replace(b"peft", b"Peft"))
    assert code_of(kit.read_kit, folder) == "training_kit_damaged"


def test_a_kit_with_a_lock_of_its_own_is_not_installed(tmp_path, wheels):
    make_wheel(wheels, "peft", requires="evil")  # of the same name as that which Kotae knows
    (other,) = write_lock(tmp_path / "other", wheels).iterdir()
    folder = tmp_path / "kit"
    write(folder, locks._read_lock(other), wheels)
    assert code_of(kit.lock_of, kit.read_kit(folder), folder) == "training_kit_other"


def test_a_kit_for_another_kind_of_machine_is_named(tmp_path, lock, wheels):
    folder = tmp_path / "kit"
    lock.path.rename(lock.path.with_name("cpu-plan9-sparc-py311.txt"))
    foreign = locks.find_lock("cpu-plan9-sparc-py311")
    write(folder, foreign, wheels)
    error = refused(kit.lock_of, kit.read_kit(folder), folder)
    assert (error.code, error.facts["system"]) == ("training_kit_system", "plan9-sparc")


# ---------------------------------------------------------------------- its Python


def test_a_python_goes_when_nothing_is_made_from_it(archive, where):
    for sha256 in ("a" * 64, "b" * 64):
        base_pythons.unpack_archive(archive, sha256, where)
    used, unused = base_pythons.own_programs(where)
    where.final.mkdir()
    (where.final / "pyvenv.cfg").write_text(f"home = {used.parent}\n", encoding="utf-8")
    stamp = {"key": training_environment.key(where.base)}
    (where.final / training_environment.STAMP).write_text(json.dumps(stamp), encoding="utf-8")
    base_pythons.discard_unused_pythons(where, where.base)
    assert base_pythons.own_programs(where) == [used]
    assert not unused.exists()
    where.final.rename(where.old_folder)
    base_pythons.discard_unused_pythons(where, where.base)
    assert base_pythons.own_programs(where) == [used]
    (where.old_folder / "pyvenv.cfg").unlink()
    base_pythons.discard_unused_pythons(where, where.base)
    assert not where.pythons.exists()


def test_a_python_is_known_by_its_content_alone(tmp_path, archive):
    renamed = archive.rename(tmp_path / "python (1).tgz")
    assert base_pythons.identify_archive(renamed).python == HERE
    for path in (tmp_path / "none.tar.gz", pack(tmp_path / archive.name, {**PROGRAM, "python/more": b""}), tmp_path):
        error = refused(base_pythons.identify_archive, path)
        assert (error.code, error.facts["names"]) == ("python_archive_unknown", archive.name)


def test_every_lock_has_a_python_that_a_kit_for_it_may_bring():
    for system in ("linux-x86_64", "win32-x86_64", "darwin-arm64"):
        for lock in locks.all_locks(system):
            pin = base_pythons.newest_pinned(lock.system, lock.python)
            assert f"-{locks.dotted(lock.python)}." in pin.name


def test_a_python_of_which_a_part_is_lost_is_unpacked_again(archive, where):
    base_pythons.unpack_archive(archive, "a" * 64, where)
    (program,) = base_pythons.own_programs(where)
    program.unlink()
    base_pythons.unpack_archive(archive, "a" * 64, where)
    assert base_pythons.own_programs(where) == [program]


def test_a_pinned_archive_that_cannot_be_unpacked_is_said_and_leaves_nothing(tmp_path, where):
    whole = pack(tmp_path / "a.tar.gz", {"python/lib/x": random.Random(1).randbytes(300_000), **PROGRAM})
    whole.write_bytes(whole.read_bytes()[:-50_000])
    assert code_of(base_pythons.unpack_archive, whole, "a" * 64, where) == "python_archive_unusable"
    assert [path for path in where.base.rglob("*") if path.is_file()] == []


def test_what_was_joined_before_and_is_another_is_joined_anew(tmp_path, lock, wheels, archive, where):
    folder = tmp_path / "Python もある"
    write(folder, lock, wheels, archive, part_bytes=100)
    found = gathered(folder, lock, where.wheels)
    path, _sha256 = kit.copy_python_archive(folder, kit.read_kit(folder), lock, where)
    for file in (path, found["torch-1.0-py3-none-any.whl"]):
        file.write_bytes(bytes(file.stat().st_size))
    assert gathered(folder, lock, where.wheels) == found
    assert kit.copy_python_archive(folder, kit.read_kit(folder), lock, where)[0].read_bytes() == archive.read_bytes()


@pytest.mark.parametrize("name", ["../evil", "python/../../evil", "/evil"])
def test_what_would_leave_its_folder_is_not_unpacked_there(tmp_path, name, where):
    archive = pack(tmp_path / "a.tar.gz", {"python/lib/python3.11/os.py": b"", name: b"evil"})
    with contextlib.suppress(AppError):
        base_pythons.unpack_archive(archive, "c" * 64, where)
    inside = where.pythons / ("c" * 16)
    assert [path for path in tmp_path.rglob("evil") if inside not in path.parents] == []
    assert not Path("/evil").exists()
