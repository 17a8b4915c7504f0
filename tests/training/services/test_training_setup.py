"""The training environment made for real, from tiny wheels: by folder and by index, cancelled, killed, without room."""

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.files import file_permissions
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.models import package_locks as locks
from app.models import training_environment
from app.models.training_environment import VARIABLE
from app.training.environment import folders
from app.training.environment.folders import EnvironmentFolders, EnvironmentReport, report_environment
from app.training.environment.messages import Phase
from app.training.services.environment_setup import EnvironmentSetup
from tests.wheelhouse import Index, make_wheel, make_wheels, write_lock

ROOT = Path(__file__).parents[3]
LIMIT_MS = 120_000

# The child as it is, but for what it installs.
_CHILD = """\
import sys
from pathlib import Path
from app.base.isolation import network_guard as offline
from app.models import package_locks as locks
from app.training.environment import child
from app.models.downloads.package_download import fetch_packages as fetch_all
offline.permit_downloads()
locks.folder = lambda: Path(sys.argv[1])
child.main(fetch_all)
"""


class Making:
    """The service with what it has said."""

    def __init__(self, where: Paths, locked: Path) -> None:
        self.where = where
        self.preferences = Preferences(where.settings)
        self.proxy = ""
        command = [sys.executable, "-P", "-c", _CHILD, str(locked)]
        self.setup = EnvironmentSetup(self.preferences, command, where.data, where.logs, lambda: self.proxy)
        self.errors: list[AppError] = []
        self.phases: list[Phase] = []
        self.setup.failed.connect(self.errors.append)
        self.setup.progressed.connect(self.phases.append)

    @property
    def folders(self) -> EnvironmentFolders:
        return EnvironmentFolders(self.where.data)

    def report(self) -> EnvironmentReport:
        return report_environment(self.where.data)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return make_wheels(tmp_path / "学習 wheels")


@pytest.fixture
def locked(wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lock of the wheels as they are now."""
    folder = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: folder)
    return folder


@pytest.fixture
def make(where: Paths, wheels: Path, locked: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Making]]:
    """Nothing of the developer's: neither an environment nor pip's settings."""
    for name in [name for name in os.environ if name.startswith("PIP_")] + [VARIABLE, "HTTP_PROXY", "http_proxy"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(training_environment, "DEVELOPMENT_FOLDER", "none")
    made: list[Making] = []

    def start() -> Making:
        made.append(Making(where, locked))
        return made[-1]

    yield start
    for making in made:
        making.setup.close()
    background.shut_down()
    assert processes_below(where.data) == []


@pytest.fixture
def making(make: Callable[[], Making]) -> Making:
    return make()


def processes_below(folder: Path) -> list[list[str]]:
    """Command lines of what runs there."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(str(folder) in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(words)
    return found


def test_an_environment_that_something_works_with_is_neither_made_anew_nor_deleted(
    making: Making, wheels: Path
) -> None:
    making.setup.is_in_use = lambda: True
    making.setup.start(wheels)
    making.setup.remove()
    assert [error.code for error in making.errors] == ["training_environment_used"] * 2
    assert not making.setup.is_running


def damage(path: Path) -> None:
    """One bit, nowhere near the archive's directory."""
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content)


def an_earlier_one(making: Making) -> Path:
    """Stands for a working environment."""
    marker = making.folders.final / "earlier"
    marker.parent.mkdir()
    marker.touch()
    return marker


@pytest.fixture
def ended(qtbot: QtBot) -> Callable[..., None]:
    def run(making: Making, wheels: Path | None = None, base: Path | None = None) -> None:
        ends: list[object] = []
        making.setup.finished.connect(lambda: ends.append("finished"))
        making.setup.failed.connect(ends.append)
        making.setup.start(wheels, base)
        qtbot.waitUntil(lambda: len(ends) == 1, timeout=LIMIT_MS)

    return run


def test_it_is_made_from_a_folder_of_wheels_and_works_where_it_was_moved_to(
    making: Making, wheels: Path, locked: Path, ended: Callable[..., None]
) -> None:
    marker = an_earlier_one(making)
    with Index(wheels) as index:
        make_wheel(wheels, "peft", requires=f"stray @ {index.place}/files/stray-1.0-py3-none-any.whl")
        write_lock(locked, wheels)
        ended(making, wheels)
        assert making.errors == []
        assert index.requests == []  # what a wheel names by an address is not fetched
    found = making.report()
    assert found.python == making.folders.final / "bin/python"
    assert found.probe is not None
    assert found.probe.versions["torch"] == "1.0"
    assert (found.is_own, found.problem, found.left_bytes) == (True, None, 0)
    assert found.size_bytes > 1_000_000
    assert not marker.exists()  # where it was
    assert (making.folders.old / marker.name).exists()
    assert not making.folders.part.exists()
    assert making.setup.contacts() == []
    assert list(dict.fromkeys(phase.name for phase in making.phases)) == [
        "prepare",
        "fetch",
        "venv",
        "install",
        "check",
    ]
    last = [phase for phase in making.phases if phase.name == "fetch"][-1]
    assert last.done_bytes == last.total_bytes == sum(path.stat().st_size for path in wheels.iterdir())


def test_a_wheel_that_is_not_there_is_named(making: Making, wheels: Path, ended: Callable[..., None]) -> None:
    (wheels / "safetensors-1.0-py3-none-any.whl").unlink()
    marker = an_earlier_one(making)
    ended(making, wheels)
    (error,) = making.errors
    assert (error.code, error.facts["package"]) == ("training_wheel_missing", "safetensors==1.0")
    assert marker.exists()


@pytest.mark.parametrize("how", ["cut", "changed"])
def test_a_wheel_that_is_not_the_one_of_the_lock_is_named(
    making: Making, wheels: Path, how: str, ended: Callable[..., None]
) -> None:
    path = wheels / "gguf-1.0-py3-none-any.whl"
    if how == "changed":
        damage(path)
    else:
        path.write_bytes(path.read_bytes()[:-1])
    marker = an_earlier_one(making)
    ended(making, wheels)
    (error,) = making.errors
    assert (error.code, error.facts["path"]) == ("training_wheel_damaged", str(path))
    assert marker.exists()
    assert not making.folders.half.exists()


def test_one_that_multiplies_wrongly_in_four_bits_takes_no_place(
    making: Making, wheels: Path, locked: Path, ended: Callable[..., None]
) -> None:
    make_wheel(wheels, "torch", difference=1.0)
    write_lock(locked, wheels)
    ended(making, wheels)
    assert [error.code for error in making.errors] == ["training_products_wrong"]
    assert not making.folders.final.exists()


def test_a_folder_without_wheels_is_refused(making: Making, tmp_path: Path, ended: Callable[..., None]) -> None:
    (tmp_path / "empty").mkdir()
    ended(making, tmp_path / "empty")
    assert [error.code for error in making.errors] == ["wheels_none"]


def test_over_the_network_the_machines_are_counted_and_the_proxy_is_used(
    making: Making, wheels: Path, monkeypatch: pytest.MonkeyPatch, ended: Callable[..., None]
) -> None:
    with Index(wheels) as index:
        monkeypatch.setenv("PIP_INDEX_URL", "http://packages.example/simple")
        making.proxy = index.place.replace("://", "://user:secret%40@")
        ended(making)
    assert making.errors == []
    assert {request.partition("/simple")[0] for request in index.requests if "/simple" in request} == {
        "http://packages.example"
    }
    assert index.logins == {"Basic dXNlcjpzZWNyZXRA"}
    assert [contact.host for contact in making.setup.contacts()] == ["packages.example"]
    assert making.setup.online_count == 0
    logs = "".join(path.read_text("utf-8", "replace") for path in making.where.logs.glob("training-*"))
    assert "torch" in logs
    assert "secret" not in logs


def test_what_an_index_gives_under_the_same_name_is_not_taken_for_the_package(
    making: Making, wheels: Path, monkeypatch: pytest.MonkeyPatch, ended: Callable[..., None]
) -> None:
    damage(wheels / "torch-1.0-py3-none-any.whl")
    with Index(wheels) as index:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)
        ended(making)
    (error,) = making.errors
    assert (error.code, error.facts) == ("training_package_wrong", {"package": "torch==1.0", "host": "127.0.0.1"})
    assert not making.folders.final.exists()


def test_a_package_that_the_index_has_not_is_named(
    making: Making, wheels: Path, monkeypatch: pytest.MonkeyPatch, ended: Callable[..., None]
) -> None:
    (wheels / "peft-1.0-py3-none-any.whl").unlink()
    with Index(wheels) as index:
        for name, value in index.variables().items():
            monkeypatch.setenv(name, value)
        ended(making)
    (error,) = making.errors
    assert (error.code, error.facts["package"]) == ("training_package_missing", "peft==1.0")


def test_where_nothing_may_go_out_nothing_is_started(making: Making, ended: Callable[..., None]) -> None:
    making.preferences.change(network_allowed=False)
    ended(making)
    assert [error.code for error in making.errors] == ["training_network_forbidden"]
    assert not making.folders.part.exists()


def test_an_index_that_cannot_be_reached_is_named(
    making: Making, monkeypatch: pytest.MonkeyPatch, ended: Callable[..., None]
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    ended(making)
    (error,) = making.errors
    assert (error.code, error.facts["host"]) == ("training_index_unreachable", "127.0.0.1")


def stalled(making: Making, index: Index, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot) -> None:
    """Begun, and in the middle of a file."""
    for name, value in index.variables().items():
        monkeypatch.setenv(name, value)
    making.setup.start()
    qtbot.waitUntil(index.stalled.is_set, timeout=LIMIT_MS)
    assert making.setup.online_count == 1


def test_cancelling_ends_what_is_fetched_and_leaves_nothing(
    making: Making, wheels: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    marker = an_earlier_one(making)
    with Index(wheels, stalls_at="gguf") as index:
        stalled(making, index, monkeypatch, qtbot)
        with qtbot.waitSignal(making.setup.cancelled, timeout=LIMIT_MS):
            making.setup.cancel()
    assert processes_below(making.where.data) == []
    assert marker.exists()
    assert not making.folders.part.exists()
    assert making.errors == []


def test_cancelling_while_the_venv_is_made_ends_it(making: Making, wheels: Path, qtbot: QtBot) -> None:
    making.setup.start(wheels)
    qtbot.waitUntil(lambda: Phase("venv") in making.phases and making.folders.half.exists(), timeout=LIMIT_MS)
    with qtbot.waitSignal(making.setup.cancelled, timeout=LIMIT_MS):
        making.setup.cancel()
    assert not making.folders.part.exists()


def test_forbidding_the_network_ends_what_uses_it(
    making: Making, wheels: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    with Index(wheels, stalls_at="gguf") as index:
        stalled(making, index, monkeypatch, qtbot)
        making.preferences.change(network_allowed=False)
    assert [error.code for error in making.errors] == ["training_network_forbidden"]
    assert processes_below(making.where.data) == []


def test_after_a_killed_child_the_next_attempt_goes_on(
    making: Making, wheels: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, ended: Callable[..., None]
) -> None:
    with Index(wheels, stalls_at="torch") as index:
        stalled(making, index, monkeypatch, qtbot)
        with qtbot.waitSignal(making.setup.failed, timeout=LIMIT_MS):
            os.kill(making.setup.child_pid, signal.SIGKILL)
        assert [error.code for error in making.errors] == ["training_setup_died"]
        qtbot.waitUntil(lambda: processes_below(making.where.data) == [], timeout=LIMIT_MS)
        assert making.report().left_bytes > 0
        index.stalls_at = "nothing"
        before = index.fetched("peft")
        ended(making)
        assert making.errors[1:] == []
        assert making.report().problem is None
        assert index.fetched("peft") == before  # was there from the first attempt


def test_two_programs_do_not_make_it_at_once(
    make: Callable[[], Making], wheels: Path, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot, ended: Callable[..., None]
) -> None:
    first, second = make(), make()
    with Index(wheels, stalls_at="gguf") as index:
        stalled(first, index, monkeypatch, qtbot)
        ended(second, wheels)
        assert [error.code for error in second.errors] == ["training_setup_running"]
        first.setup.close()


def test_it_is_deleted_with_what_an_attempt_has_left(making: Making, qtbot: QtBot) -> None:
    an_earlier_one(making)
    making.folders.cache.mkdir(parents=True)
    with qtbot.waitSignal(making.setup.removed, timeout=LIMIT_MS):
        making.setup.remove()
    assert [path.name for path in making.where.data.glob("training-environment*") if path.is_dir()] == []


def test_one_that_was_left_between_two_renames_is_found_and_put_back(
    making: Making, wheels: Path, ended: Callable[..., None]
) -> None:
    ended(making, wheels)
    making.folders.final.rename(making.folders.old)
    assert making.report().problem is None
    assert making.report().previous_bytes == 0
    (wheels / "peft-1.0-py3-none-any.whl").unlink()
    ended(making, wheels)
    assert making.report().python == making.folders.final / "bin/python"
    assert not making.folders.old.exists()


@pytest.fixture
def small_disk(where: Paths) -> Iterator[Path]:
    """64 MB, in the place of the side folder."""
    part = EnvironmentFolders(where.data).part
    part.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(part)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("this user cannot mount a small disk")
    yield part
    subprocess.run(["umount", "-l", str(part)], check=True)


@pytest.mark.fault("F2")
def test_a_disk_that_is_full_in_the_middle_is_said_and_costs_nothing(
    making: Making, wheels: Path, locked: Path, small_disk: Path, ended: Callable[..., None]
) -> None:
    marker = an_earlier_one(making)

    def fill(phase: Phase) -> None:
        if phase.name == "install" and not (small_disk / "ballast").exists():
            with (small_disk / "ballast").open("wb", buffering=0) as file:
                file.write(bytes(shutil.disk_usage(small_disk).free))

    make_wheel(wheels, "transformers", size_bytes=30 << 20)
    write_lock(locked, wheels)
    making.setup.progressed.connect(fill)
    ended(making, wheels)
    (error,) = making.errors
    # On a busy machine the news of the phase comes when uv is done: then the disk is full in the step after it.
    path = Path(str(error.facts["path"]))
    assert error.code in ("training_disk_full", "drive_space")
    assert path == making.where.data or path.is_relative_to(making.where.data)
    assert marker.exists()


@pytest.mark.fault("F2")
def test_a_copy_that_fills_the_disk_says_so(small_disk: Path, tmp_path: Path) -> None:
    (tmp_path / "元").mkdir()
    with (tmp_path / "元" / "大きい").open("wb") as file:
        file.truncate(80 << 20)
    with pytest.raises(OSError, match="大きい") as failed:
        file_permissions.copy_folder(tmp_path / "元", small_disk / "写し")
    assert failed.value.errno == errno.ENOSPC


@pytest.mark.fault("F2")
def test_too_little_room_is_said_before_anything_is_made(
    making: Making, wheels: Path, locked: Path, ended: Callable[..., None]
) -> None:
    size_bytes = shutil.disk_usage(making.where.data).free // 4
    (lock,) = locked.iterdir()
    with lock.open("a", encoding="ascii") as entries:
        entries.write(f"# big-1.0-py3-none-any.whl {size_bytes}\nbig==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with (wheels / "big-1.0-py3-none-any.whl").open("wb") as file:
        file.truncate(size_bytes)  # holes take no room
    ended(making, wheels)
    (error,) = making.errors
    assert error.code == "drive_space"
    assert error.facts["need_bytes"] > error.facts["free_bytes"]
    assert not making.folders.half.exists()


def test_on_another_drive_the_new_one_is_used_once_it_works_and_the_one_before_is_deleted(
    making: Making, wheels: Path, tmp_path: Path, ended: Callable[..., None]
) -> None:
    drive = tmp_path / "外付け"
    drive.mkdir()
    marker = an_earlier_one(making)
    (wheels / "safetensors-1.0-py3-none-any.whl").rename(tmp_path / "away")
    ended(making, wheels, drive)
    assert [error.code for error in making.errors] == ["training_wheel_missing"]
    assert marker.exists()
    assert making.preferences.value.training_folder == ""
    assert folders.proposed_base(making.where.data) == drive  # the next attempt goes on there
    (tmp_path / "away").rename(wheels / "safetensors-1.0-py3-none-any.whl")
    ended(making, wheels)
    assert making.errors[1:] == []
    found = making.report()
    assert (found.python, found.is_own, found.problem) == (EnvironmentFolders(drive).final / "bin/python", True, None)
    assert Preferences(making.where.settings).value.training_folder == str(drive)
    assert not making.folders.final.exists()
    ended(making, wheels, making.where.data)
    assert making.report().python == making.folders.final / "bin/python"
    assert making.preferences.value.training_folder == ""
    assert not EnvironmentFolders(drive).final.exists()


def test_cancelling_on_another_drive_leaves_nothing_there(
    making: Making, wheels: Path, tmp_path: Path, qtbot: QtBot
) -> None:
    drive = tmp_path / "外付け"
    drive.mkdir()
    making.setup.start(wheels, drive)
    qtbot.waitUntil(lambda: EnvironmentFolders(drive).half.exists(), timeout=LIMIT_MS)
    with qtbot.waitSignal(making.setup.cancelled, timeout=LIMIT_MS):
        making.setup.cancel()
    assert not EnvironmentFolders(drive).part.exists()
    assert folders.proposed_base(making.where.data) == making.where.data


def test_a_drive_that_is_gone_and_a_folder_of_somebody_else_are_refused(
    making: Making, wheels: Path, tmp_path: Path, ended: Callable[..., None]
) -> None:
    ended(making, wheels, tmp_path / "none")
    (tmp_path / "training-environment").mkdir()
    ended(making, wheels, tmp_path)
    assert [error.code for error in making.errors] == ["training_place_missing", "training_place_taken"]


def test_the_same_folder_by_another_path_keeps_what_was_just_made(
    making: Making, wheels: Path, tmp_path: Path, ended: Callable[..., None]
) -> None:
    drive, by_link, data_by_link = tmp_path / "外付け", tmp_path / "近道", tmp_path / "データの近道"
    drive.mkdir()
    by_link.symlink_to(drive)
    data_by_link.symlink_to(making.where.data)
    for base, folder in ((data_by_link, making.where.data), (drive, drive), (by_link, drive)):
        ended(making, wheels, base)
        assert making.errors == []
        assert (EnvironmentFolders(folder).final / training_environment.STAMP).is_file(), base
        assert making.report().problem is None
    assert making.preferences.value.training_folder == str(drive)


def test_inside_the_environment_itself_none_is_made_and_the_one_there_stays(
    making: Making, wheels: Path, tmp_path: Path, ended: Callable[..., None]
) -> None:
    by_link = tmp_path / "近道"
    marker = an_earlier_one(making)
    by_link.symlink_to(making.folders.final)
    (making.folders.final / "lib").mkdir()
    for base in (making.folders.final, making.folders.final / "lib", by_link):
        ended(making, wheels, base)
    assert {error.code for error in making.errors} == {"training_place_inside"}
    assert marker.exists()
    assert sorted(path.name for path in making.folders.final.iterdir()) == ["earlier", "lib"]


def test_begun_elsewhere_what_an_interrupted_attempt_has_fetched_is_deleted(
    making: Making, wheels: Path, tmp_path: Path, ended: Callable[..., None]
) -> None:
    drive = tmp_path / "外付け"
    drive.mkdir()
    damage(wheels / "safetensors-1.0-py3-none-any.whl")
    ended(making, wheels, drive)
    assert EnvironmentFolders(drive).part.exists()
    ended(making, wheels, making.where.data)
    assert not EnvironmentFolders(drive).part.exists()
    assert folders.proposed_base(making.where.data) == making.where.data
    assert [error.code for error in making.errors] == ["training_wheel_damaged", "training_wheel_damaged"]


def test_one_can_go_back_to_the_one_before_and_forth_again(
    making: Making, wheels: Path, qtbot: QtBot, ended: Callable[..., None]
) -> None:
    with qtbot.waitSignal(making.setup.failed, timeout=LIMIT_MS):
        making.setup.go_back()
    ended(making, wheels)
    (making.folders.final / "the first").touch()
    ended(making, wheels)
    assert making.report().previous_bytes > 0
    for is_first in (True, False):
        with qtbot.waitSignal(making.setup.previous_restored, timeout=LIMIT_MS):
            making.setup.go_back()
        assert (making.folders.final / "the first").exists() is is_first
        assert making.report().problem is None
    assert [error.code for error in making.errors] == ["training_no_previous"]


def test_offline_nothing_that_is_started_opens_a_socket_to_anywhere(
    where: Paths, wheels: Path, locked: Path, tmp_path: Path, make: Callable[[], Making], ended: Callable[..., None]
) -> None:
    """Native code included: seen by the kernel's own account of system calls."""
    if shutil.which("strace") is None:
        pytest.skip("no strace")
    making = make()
    trace = tmp_path / "trace"
    child = making.setup._child
    child._command = ["strace", "-f", "-o", str(trace), "-e", "trace=socket,connect,execve", *child._command]
    ended(making, wheels)
    assert making.errors == []
    lines = trace.read_text("utf-8", "replace").splitlines()
    assert any("execve" in line and "/uv" in line for line in lines)
    assert [line for line in lines if "AF_INET" in line and "EACCES" not in line] == []


def test_a_python_that_this_machine_lacks_is_fetched_from_where_uv_is_told_to_and_that_is_shown(
    making: Making, wheels: Path, locked: Path, monkeypatch: pytest.MonkeyPatch, ended: Callable[..., None]
) -> None:
    other = (3, 12) if sys.version_info[:2] != (3, 12) else (3, 13)
    for path in locked.iterdir():
        path.unlink()
    write_lock(locked, wheels, python=other)
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", "http://127.0.0.1:1/pythons")
    marker = an_earlier_one(making)
    ended(making)
    (error,) = making.errors
    assert (error.code, error.facts["host"]) == ("python_unfetched", "127.0.0.1")
    assert [contact.host for contact in making.setup.contacts()] == ["127.0.0.1"]
    assert marker.exists()
