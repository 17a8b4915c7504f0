"""The folder of an optional part: unpacked from locked wheels, replaced as a whole, used only on this machine."""

import json
import socket
import sys
from pathlib import Path

import filelock
import pytest
from packaging.version import Version

from app.base import authenticity, wording
from app.base.errors import AppError
from app.models import package_folder, package_locks
from app.models.downloads import package_download
from app.models.downloads.messages import Done, Event, InstallOcr, NetworkContacted, Progress, Verifying
from app.models.package_locks import PackageLock
from tests import wheelhouse


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name in ("alpha", "beta"):
        wheelhouse.make_wheel(folder, name, size_bytes=1000)
    return folder


@pytest.fixture
def lock(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> PackageLock:
    """The lock of both wheels, in place of the one that Kotae ships."""
    shipped = tmp_path / "resources"
    (shipped / "ocr").mkdir(parents=True)
    wheelhouse.write_lock(shipped / "ocr" / "locked", wheels, "ocr")
    monkeypatch.setattr(package_locks, "resources", lambda: shipped)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    found = package_locks.ocr_lock()
    assert found is not None
    return found


def installed(folder: Path, wheels: Path | str = "") -> list[Event]:
    events: list[Event] = []
    events.append(package_download.install_ocr(InstallOcr("1", str(folder), str(wheels)), events.append))
    return events


def test_it_is_unpacked_from_a_folder_without_any_network(lock, wheels, tmp_path):
    folder = tmp_path / "ocr"
    assert package_folder.locate(folder, lock) is None
    events = installed(folder, wheels)
    assert package_folder.locate(folder, lock) == folder
    assert package_folder.is_current(folder, lock)
    assert package_folder.is_unchanged(folder, lock)
    assert (folder / "alpha" / "__init__.py").is_file()
    assert list((folder / "alpha" / "__pycache__").iterdir())
    assert not folder.with_name("ocr.part").exists()
    assert not any(isinstance(event, NetworkContacted) for event in events)
    assert [type(event) for event in events[-2:]] == [Verifying, Done]
    assert max(one.done_bytes for one in events if isinstance(one, Progress)) == lock.size_bytes


def test_it_is_fetched_from_the_index_of_pips_settings(lock, wheels, tmp_path, monkeypatch):
    folder = tmp_path / "ocr"
    with wheelhouse.Index(wheels) as index:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)
        events = installed(folder)
    assert [one.host for one in events if isinstance(one, NetworkContacted)] == ["127.0.0.1"]
    assert package_folder.locate(folder, lock) == folder


def test_an_index_that_cannot_be_reached_is_told_without_the_kit_for_training(lock, tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{closed.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_RETRIES", "0")
        with pytest.raises(AppError) as caught:
            installed(tmp_path / "ocr")
    assert (caught.value.code, caught.value.facts["host"]) == ("ocr_index_unreachable", "127.0.0.1")
    told = wording.describe_error(caught.value)
    assert "フォルダから入れられます" in told.next
    assert "学習" not in told.next


def test_a_failed_attempt_leaves_the_old_one_and_keeps_what_was_fetched(lock, wheels, tmp_path):
    folder = tmp_path / "ocr"
    installed(folder, wheels)
    (folder / "mine").write_text("old")
    (wheels / "beta-1.0-py3-none-any.whl").write_bytes(b"another content")
    with pytest.raises(AppError) as caught:
        installed(folder, wheels)
    assert caught.value.code == "training_package_wrong"
    assert (folder / "mine").is_file()
    assert package_folder.locate(folder, lock) == folder
    kept = [path.name for path in (tmp_path / "ocr.part" / "wheels").iterdir()]
    assert kept == ["alpha-1.0-py3-none-any.whl"]
    wheelhouse.make_wheel(wheels, "beta", size_bytes=1000)
    installed(folder, tmp_path / "wheels")
    assert not (folder / "mine").exists()


def test_a_folder_that_another_machine_or_nobody_has_signed_is_not_used(lock, wheels, tmp_path, monkeypatch):
    folder = tmp_path / "ocr"
    installed(folder, wheels)
    stamp = json.loads((folder / package_folder.STAMP).read_bytes())
    for change in ({"mac": "0" * 64}, {"digest": "0" * 64}, {"lock": "ocr-plan9-sparc-py311"}, {"mac": 5}):
        (folder / package_folder.STAMP).write_text(json.dumps(stamp | change))
        assert package_folder.locate(folder, lock) is None
    for text in ("", "[]", "{}"):
        (folder / package_folder.STAMP).write_text(text)
        assert package_folder.locate(folder, lock) is None
    (folder / package_folder.STAMP).write_text(json.dumps(stamp))
    assert package_folder.locate(folder, lock) == folder
    assert package_folder.locate(folder, None) is None
    monkeypatch.setattr(authenticity, "_machine_id", lambda: b"another machine")
    assert package_folder.locate(folder, lock) is None


def test_a_file_that_was_changed_added_removed_or_linked_is_noticed(lock, wheels, tmp_path):
    folder = tmp_path / "ocr"

    def spoil_bytecode() -> None:
        (bytecode,) = (folder / "alpha" / "__pycache__").iterdir()
        bytecode.write_bytes(bytecode.read_bytes() + b"0")

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for spoil in (
        lambda: (folder / "alpha" / "__init__.py").write_text("import os\n"),
        lambda: (folder / "numpy.py").write_text(""),
        lambda: (folder / "beta" / "zeros.bin").unlink(),
        lambda: (folder / "beta" / "zeros.bin").rename(folder / "alpha" / "ones.bin"),
        spoil_bytecode,
        lambda: (folder / "gamma").symlink_to(elsewhere, target_is_directory=True),
    ):
        installed(folder, wheels)
        assert package_folder.is_unchanged(folder, lock)
        spoil()
        assert not package_folder.is_unchanged(folder, lock)
    stamp = json.loads((folder / package_folder.STAMP).read_bytes())
    stamp["files"] = package_folder._digest_files(folder)
    (folder / package_folder.STAMP).write_text(json.dumps(stamp))
    assert package_folder.locate(folder, lock) is None


def test_packages_of_an_earlier_version_are_used_but_not_current(lock, wheels, tmp_path):
    folder = tmp_path / "ocr"
    assert not package_folder.is_current(folder, lock)
    installed(folder, wheels)
    before = package_folder.version(folder, lock)
    wheelhouse.make_wheel(wheels, "gamma")
    wheelhouse.write_lock(lock.path.parent, wheels, "ocr")
    assert package_folder.locate(folder, package_locks.ocr_lock()) == folder
    assert not package_folder.is_current(folder, package_locks.ocr_lock())
    installed(folder, wheels)
    assert package_folder.is_current(folder, package_locks.ocr_lock())
    assert before != package_folder.version(folder, lock) != ""
    package_folder.remove(folder)
    assert package_folder.version(folder, lock) == ""


def test_a_kill_while_it_is_replaced_or_removed_loses_nothing_that_works(lock, wheels, tmp_path, monkeypatch):
    folder, work = tmp_path / "ocr", tmp_path / "ocr.part"
    installed(folder, wheels)
    rename = Path.rename

    def kill_at_last(path: Path, target: Path) -> Path:
        if target == folder:
            raise KeyboardInterrupt
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", kill_at_last)
    with pytest.raises(KeyboardInterrupt):
        installed(folder, wheels)
    monkeypatch.undo()
    assert not folder.exists()
    package_folder.recover(folder)
    assert package_folder.is_unchanged(folder, lock)
    (work / "old").mkdir()  # of a kill after the last rename
    (work / "old" / "mine").touch()
    package_folder.recover(folder)
    assert not (folder / "mine").exists()
    monkeypatch.setattr(package_locks, "resources", lambda: tmp_path / "resources")
    installed(folder, wheels)
    assert not work.exists()


def test_only_one_program_changes_it(lock, wheels, tmp_path):
    folder = tmp_path / "ocr"
    installed(folder, wheels)
    with filelock.FileLock(str(tmp_path / "ocr.lock")):
        for act in (lambda: installed(folder, wheels), lambda: package_folder.remove(folder)):
            with pytest.raises(AppError) as caught:
                act()
            assert caught.value.code == "packages_busy"
    package_folder.remove(folder)
    assert not folder.exists()
    assert not folder.with_name("ocr.part").exists()
    package_folder.remove(folder)  # nothing is there


def test_a_machine_without_a_lock_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setattr(package_locks, "this_system", lambda: "plan9-sparc")
    with pytest.raises(AppError) as caught:
        installed(tmp_path / "ocr")
    assert caught.value.code == "ocr_no_lock"
    assert caught.value.facts == {"system": "plan9-sparc", "python": ".".join(map(str, sys.version_info[:2]))}


def test_kotae_ships_a_lock_for_each_machine_and_python_without_what_the_program_has():
    files = sorted((package_locks.resources() / "ocr" / "locked").glob("*.txt"))
    systems = ("darwin-arm64", "linux-x86_64", "win32-x86_64")
    assert [one.stem for one in files] == [f"ocr-{system}-py{v}" for system in systems for v in (311, 312, 313)]
    for path in files:
        found = package_locks._read_lock(path)
        names = {file.package for file in found.files}
        assert {"rapidocr", "onnxruntime", "opencv-python-headless"} <= names
        (version,) = (file.version for file in found.files if file.package == "onnxruntime")
        assert Version(version) < Version("1.29"), "from then on it sends telemetry"
        assert not names & {"numpy", "pillow"}
        assert path.read_text("utf-8").count("--hash=") == len(found.files)
        assert 50e6 < found.size_bytes < 150e6
