"""The training environment made for real, from tiny wheels: by folder and by index, cancelled, killed, without room."""

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import SignalInstance
from pytestqt.qtbot import QtBot

from app.base.errors import AppError
from app.base.files import file_permissions
from app.base.paths import Paths
from app.base.services import background
from app.base.services.preferences import Preferences
from app.models import package_locks as locks
from app.models import training_environment
from app.training.environment import folders
from app.training.environment.folders import EnvironmentFolders, EnvironmentReport, report_environment
from app.training.environment.messages import Phase
from app.training.services.environment_setup import EnvironmentSetup
from tests.inference.remote.servers import scripted_server
from tests.training.driver import processes_below, small_drive, without_an_environment
from tests.wheelhouse import Index, make_wheel, make_wheels, write_lock

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
    """The service with what it has said, and wheels and a lock of them for it."""

    def __init__(self, where: Paths, wheels: Path, locked: Path, qtbot: QtBot, patch: pytest.MonkeyPatch) -> None:
        self.where, self.wheels, self.locked = where, wheels, locked
        self.preferences = Preferences(where.settings)
        self.proxy = ""
        command = [sys.executable, "-P", "-c", _CHILD, str(locked)]
        self.setup = EnvironmentSetup(self.preferences, command, where.data, where.logs, lambda: self.proxy)
        self.folders = EnvironmentFolders(where.data)
        self.errors: list[AppError] = []
        self.phases: list[Phase] = []
        self.setup.failed.connect(self.errors.append)
        self.setup.progressed.connect(self.phases.append)
        self._qtbot, self._patch = qtbot, patch

    @property
    def codes(self) -> list[str]:
        return [error.code for error in self.errors]

    def report(self) -> EnvironmentReport:
        return report_environment(self.where.data)

    def lock(self) -> None:
        write_lock(self.locked, self.wheels)

    def damage(self, package: str) -> Path:
        """Change one bit of a wheel, nowhere near the archive's directory."""
        path = self.wheels / f"{package}-1.0-py3-none-any.whl"
        content = bytearray(path.read_bytes())
        content[40] ^= 1
        path.write_bytes(content)
        return path

    def an_earlier_one(self) -> Path:
        """Make a file that stands for a working environment."""
        marker = self.folders.final / "earlier"
        marker.parent.mkdir()
        marker.touch()
        return marker

    def ended(self, wheels: Path | None = None, base: Path | None = None) -> None:
        """Make an environment, or fail to."""
        ends: list[object] = []
        self.setup.finished.connect(lambda: ends.append("finished"))
        self.setup.failed.connect(ends.append)
        self.setup.start(wheels, base)
        self.until(lambda: len(ends) == 1)

    def until(self, condition: Callable[[], bool]) -> None:
        self._qtbot.waitUntil(condition, timeout=LIMIT_MS)

    def heard(self, signal: SignalInstance, act: Callable[[], object]) -> None:
        with self._qtbot.waitSignal(signal, timeout=LIMIT_MS):
            act()

    def cancel(self) -> None:
        self.heard(self.setup.cancelled, self.setup.cancel)
        assert not self.folders.part_folder.exists()

    def use(self, index: Index) -> None:
        """Let the index of packages be this one."""
        for name, value in index.variables().items():
            self._patch.setenv(name, value)

    def stall(self, index: Index) -> None:
        """Begin, and get into the middle of a file."""
        self.use(index)
        self.setup.start()
        self.until(index.stalled.is_set)
        assert self.setup.network_task_count == 1


@pytest.fixture
def make(where: Paths, tmp_path: Path, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Making]]:
    without_an_environment(monkeypatch)
    wheels = make_wheels(tmp_path / "学習 wheels")
    locked = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: locked)
    made: list[Making] = []

    def start() -> Making:
        made.append(Making(where, wheels, locked, qtbot, monkeypatch))
        return made[-1]

    yield start
    for making in made:
        making.setup.close()
    background.shut_down()
    assert processes_below(where.data) == []


@pytest.fixture
def making(make: Callable[[], Making]) -> Making:
    return make()


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "外付け"
    folder.mkdir()
    return folder


def test_an_environment_that_something_works_with_is_neither_made_anew_nor_deleted(making: Making) -> None:
    making.setup.is_in_use = lambda: True
    making.setup.start(making.wheels)
    making.setup.remove()
    assert making.codes == ["training_environment_used"] * 2
    assert not making.setup.is_running


def test_it_is_made_from_a_folder_of_wheels_without_a_socket_and_works_where_it_was_moved_to(
    making: Making, tmp_path: Path
) -> None:
    """Native code opens none either: seen by the kernel's own account of system calls, where there is strace."""
    marker, trace, child = making.an_earlier_one(), tmp_path / "trace", making.setup._child
    if shutil.which("strace") is not None:
        child._command = ["strace", "-f", "-o", str(trace), "-e", "trace=socket,connect,execve", *child._command]
    with Index(making.wheels) as index:
        make_wheel(making.wheels, "peft", requires=f"stray @ {index.place}/files/stray-1.0-py3-none-any.whl")
        making.lock()
        making.ended(making.wheels)
        assert making.errors == []
        assert index.requests == []  # what a wheel names by an address is not fetched
    found = making.report()
    assert found.python == making.folders.final / "bin/python"
    assert found.probe.versions["torch"] == "1.0"
    assert (found.is_own, found.problem, found.left_bytes) == (True, None, 0)
    assert found.size_bytes > 1_000_000
    assert not marker.exists()  # where it was
    assert (making.folders.old_folder / marker.name).exists()
    assert not making.folders.part_folder.exists()
    assert making.setup.contacts() == []
    if trace.exists():
        lines = trace.read_text("utf-8", "replace").splitlines()
        assert any("execve" in line and "/uv" in line for line in lines)
        assert [line for line in lines if "AF_INET" in line and "EACCES" not in line] == []
    names = list(dict.fromkeys(phase.name for phase in making.phases))
    assert names == ["prepare", "fetch", "venv", "install", "check"]
    last = [phase for phase in making.phases if phase.name == "fetch"][-1]
    assert last.done_bytes == last.total_bytes == sum(path.stat().st_size for path in making.wheels.iterdir())


def spoil(making: Making, how: str, package: str) -> None:
    path = making.wheels / f"{package}-1.0-py3-none-any.whl"
    if how == "lost":
        path.unlink()
    elif how == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif how == "changed":
        making.damage(package)
    elif how == "wrong":
        make_wheel(making.wheels, package, difference=1.0)  # multiplies wrongly in 4 bits
        making.lock()
    elif how == "all lost":
        making.wheels = making.wheels.with_name("empty")
        making.wheels.mkdir()


@pytest.mark.parametrize(
    ("how", "package", "code", "fact"),
    [
        ("lost", "safetensors", "training_wheel_missing", "package"),
        ("cut", "gguf", "training_wheel_damaged", "path"),
        ("changed", "gguf", "training_wheel_damaged", "path"),
        ("wrong", "torch", "training_products_wrong", ""),
        ("all lost", "torch", "wheels_none", ""),
    ],
)
def test_wheels_that_are_not_those_of_the_lock_or_compute_wrongly_take_no_place(
    making: Making, how: str, package: str, code: str, fact: str
) -> None:
    spoil(making, how, package)
    marker = making.an_earlier_one()
    making.ended(making.wheels)
    (error,) = making.errors
    named = {"package": f"{package}==1.0", "path": str(making.wheels / f"{package}-1.0-py3-none-any.whl")}
    assert (error.code, error.facts.get(fact)) == (code, named.get(fact))
    assert marker.exists()
    assert how == "wrong" or not making.folders.half.exists()


def test_over_the_network_the_machines_are_counted_and_the_proxy_is_used(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Index(making.wheels) as index:
        monkeypatch.setenv("PIP_INDEX_URL", "http://packages.example/simple")
        making.proxy = index.place.replace("://", "://user:secret%40@")
        making.ended()
    assert making.errors == []
    assert {request.partition("/simple")[0] for request in index.requests if "/simple" in request} == {
        "http://packages.example"
    }
    assert index.logins == {"Basic dXNlcjpzZWNyZXRA"}
    assert [contact.host for contact in making.setup.contacts()] == ["packages.example"]
    assert making.setup.network_task_count == 0
    logs = "".join(path.read_text("utf-8", "replace") for path in making.where.logs.glob("training-*"))
    assert "torch" in logs
    assert "secret" not in logs


@pytest.mark.parametrize(
    ("how", "package", "code", "facts"),
    [
        ("changed", "torch", "training_package_wrong", {"package": "torch==1.0", "host": "127.0.0.1"}),
        ("lost", "peft", "training_package_missing", {"package": "peft==1.0"}),
    ],
)
def test_what_an_index_has_not_or_gives_under_the_same_name_is_named(
    making: Making, how: str, package: str, code: str, facts: dict[str, str]
) -> None:
    spoil(making, how, package)
    with Index(making.wheels) as index:
        making.use(index)
        making.ended()
    (error,) = making.errors
    assert error.code == code
    assert error.facts.items() >= facts.items()
    assert not making.folders.final.exists()


def test_an_index_that_cannot_be_reached_is_named(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    making.ended()
    (error,) = making.errors
    assert (error.code, error.facts["host"]) == ("training_index_unreachable", "127.0.0.1")


def test_cancelling_ends_what_is_fetched_and_leaves_nothing(making: Making) -> None:
    marker = making.an_earlier_one()
    with Index(making.wheels, stalls_at="gguf") as index:
        making.stall(index)
        making.cancel()
    assert processes_below(making.where.data) == []
    assert marker.exists()
    assert making.errors == []


def test_forbidding_the_network_ends_what_uses_it(making: Making) -> None:
    with Index(making.wheels, stalls_at="gguf") as index:
        making.stall(index)
        making.preferences.change(network_allowed=False)
    assert making.codes == ["training_network_forbidden"]
    assert processes_below(making.where.data) == []


def test_after_a_killed_child_the_next_attempt_goes_on(making: Making) -> None:
    with Index(making.wheels, stalls_at="torch") as index:
        making.stall(index)
        making.heard(making.setup.failed, lambda: os.kill(making.setup.child_pid, signal.SIGKILL))
        assert making.codes == ["training_setup_died"]
        making.until(lambda: processes_below(making.where.data) == [])
        assert making.report().left_bytes > 0
        index.stalls_at = "nothing"
        before = index.fetched("peft")
        making.ended()
        assert making.errors[1:] == []
        assert making.report().problem is None
        assert index.fetched("peft") == before  # was there from the first attempt


def test_two_programs_do_not_make_it_at_once(make: Callable[[], Making]) -> None:
    first, second = make(), make()
    with Index(first.wheels, stalls_at="gguf") as index:
        first.stall(index)
        second.ended(second.wheels)
        assert second.codes == ["training_setup_running"]
        first.setup.close()


def test_it_is_deleted_with_what_an_attempt_has_left(making: Making) -> None:
    making.an_earlier_one()
    making.folders.cache.mkdir(parents=True)
    making.heard(making.setup.removed, making.setup.remove)
    assert [path.name for path in making.where.data.glob("training-environment*") if path.is_dir()] == []


def test_one_that_was_left_between_two_renames_is_found_and_put_back(making: Making) -> None:
    making.ended(making.wheels)
    making.folders.final.rename(making.folders.old_folder)
    assert making.report().problem is None
    assert making.report().previous_bytes == 0
    (making.wheels / "peft-1.0-py3-none-any.whl").unlink()
    making.ended(making.wheels)
    assert making.report().python == making.folders.final / "bin/python"
    assert not making.folders.old_folder.exists()


@pytest.fixture
def small_disk(where: Paths) -> Iterator[Path]:
    """64 MB, in the place of the side folder."""
    with small_drive(EnvironmentFolders(where.data).part_folder, "size=64m") as part:
        yield part


@pytest.mark.fault("F2")
def test_a_disk_that_is_full_in_the_middle_is_said_and_costs_nothing(making: Making, small_disk: Path) -> None:
    marker = making.an_earlier_one()

    def fill(phase: Phase) -> None:
        if phase.name == "install" and not (small_disk / "ballast").exists():
            with (small_disk / "ballast").open("wb", buffering=0) as file:
                file.write(bytes(shutil.disk_usage(small_disk).free))

    make_wheel(making.wheels, "transformers", size_bytes=30 << 20)
    making.lock()
    making.setup.progressed.connect(fill)
    making.ended(making.wheels)
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
def test_too_little_room_is_said_before_anything_is_made(making: Making) -> None:
    size_bytes = shutil.disk_usage(making.where.data).free // 4
    (lock,) = making.locked.iterdir()
    with lock.open("a", encoding="ascii") as entries:
        entries.write(f"# big-1.0-py3-none-any.whl {size_bytes}\nbig==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    with (making.wheels / "big-1.0-py3-none-any.whl").open("wb") as file:
        file.truncate(size_bytes)  # holes take no room
    making.ended(making.wheels)
    (error,) = making.errors
    assert error.code == "drive_space"
    assert error.facts["need_bytes"] > error.facts["free_bytes"]
    assert not making.folders.half.exists()


def test_on_another_drive_the_new_one_is_used_once_it_works_and_the_one_before_is_deleted(
    making: Making, tmp_path: Path, drive: Path
) -> None:
    marker = making.an_earlier_one()
    (making.wheels / "safetensors-1.0-py3-none-any.whl").rename(tmp_path / "away")
    making.ended(making.wheels, drive)
    assert making.codes == ["training_wheel_missing"]
    assert marker.exists()
    assert making.preferences.value.training_folder == ""
    assert folders.proposed_base(making.where.data) == drive  # the next attempt goes on there
    (tmp_path / "away").rename(making.wheels / "safetensors-1.0-py3-none-any.whl")
    making.ended(making.wheels)
    assert making.errors[1:] == []
    found = making.report()
    assert (found.python, found.is_own, found.problem) == (EnvironmentFolders(drive).final / "bin/python", True, None)
    assert Preferences(making.where.settings).value.training_folder == str(drive)
    assert not making.folders.final.exists()
    making.ended(making.wheels, making.where.data)
    assert making.report().python == making.folders.final / "bin/python"
    assert making.preferences.value.training_folder == ""
    assert not EnvironmentFolders(drive).final.exists()


def test_cancelling_on_another_drive_leaves_nothing_there(making: Making, drive: Path) -> None:
    making.setup.start(making.wheels, drive)
    making.until(lambda: Phase("venv") in making.phases and EnvironmentFolders(drive).half.exists())
    making.cancel()
    assert not EnvironmentFolders(drive).part_folder.exists()
    assert folders.proposed_base(making.where.data) == making.where.data


def test_a_drive_that_is_gone_and_a_folder_of_somebody_else_are_refused(making: Making, tmp_path: Path) -> None:
    making.ended(making.wheels, tmp_path / "none")
    (tmp_path / "training-environment").mkdir()
    making.ended(making.wheels, tmp_path)
    assert making.codes == ["training_place_missing", "training_place_taken"]


def test_the_same_folder_by_another_path_keeps_what_was_just_made(making: Making, tmp_path: Path, drive: Path) -> None:
    by_link, data_by_link = tmp_path / "近道", tmp_path / "データの近道"
    by_link.symlink_to(drive)
    data_by_link.symlink_to(making.where.data)
    for base, folder in ((data_by_link, making.where.data), (drive, drive), (by_link, drive)):
        making.ended(making.wheels, base)
        assert making.errors == []
        assert (EnvironmentFolders(folder).final / training_environment.STAMP).is_file(), base
        assert making.report().problem is None
    assert making.preferences.value.training_folder == str(drive)


def test_begun_elsewhere_what_an_interrupted_attempt_has_fetched_is_deleted(making: Making, drive: Path) -> None:
    making.damage("safetensors")
    making.ended(making.wheels, drive)
    assert EnvironmentFolders(drive).part_folder.exists()
    making.ended(making.wheels, making.where.data)
    assert not EnvironmentFolders(drive).part_folder.exists()
    assert folders.proposed_base(making.where.data) == making.where.data
    assert making.codes == ["training_wheel_damaged", "training_wheel_damaged"]


def test_one_can_go_back_to_the_one_before_and_forth_again(making: Making) -> None:
    making.heard(making.setup.failed, making.setup.go_back)
    making.ended(making.wheels)
    (making.folders.final / "the first").touch()
    making.ended(making.wheels)
    assert making.report().previous_bytes > 0
    for is_first in (True, False):
        making.heard(making.setup.previous_restored, making.setup.go_back)
        assert (making.folders.final / "the first").exists() is is_first
        assert making.report().problem is None
    assert making.codes == ["training_no_previous"]


def test_a_python_that_this_machine_lacks_is_fetched_from_where_uv_is_told_to_and_that_is_shown(
    making: Making, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = (3, 12) if sys.version_info[:2] != (3, 12) else (3, 13)
    for path in making.locked.iterdir():
        path.unlink()
    write_lock(making.locked, making.wheels, python=other)
    monkeypatch.setenv("PATH", "")
    marker = making.an_earlier_one()
    with scripted_server() as mirror:  # has none
        monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"http://{mirror.address}/pythons")
        making.ended()
    assert [request.line.partition("/cpython-")[0].split("/")[1] for request in mirror.requests] == ["pythons"]
    (error,) = making.errors
    assert (error.code, error.facts["host"]) == ("python_unfetched", "127.0.0.1")
    assert [contact.host for contact in making.setup.contacts()] == ["127.0.0.1"]
    assert marker.exists()
