"""The room that making the training environment takes, told before anything is made, and what would be installed."""

import shutil
import sys
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.inference import machine
from app.inference.machine import Gpu
from app.models import package_locks as locks
from app.training.environment import install_plan
from app.training.environment.folders import EnvironmentFolders
from app.training.environment.install_plan import InstallNeed
from tests.wheelhouse import make_wheel, make_wheels, write_lock

GB = 1_000_000_000
HERE = sys.version_info[:2]


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return make_wheels(tmp_path / "wheels")


@pytest.fixture
def locked(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: folder)
    monkeypatch.setattr(machine, "list_gpus", lambda: ())
    return folder


def test_offline_the_room_is_that_of_the_files_and_their_copies(tmp_path: Path, wheels: Path, locked: Path) -> None:
    before = install_plan.estimate_need(tmp_path, tmp_path, wheels).room_bytes
    more = make_wheel(wheels, "transformers", version="9.0", size_bytes=500_000).stat().st_size
    write_lock(locked, wheels)
    estimated = install_plan.estimate_need(tmp_path, tmp_path, wheels)
    assert estimated.room_bytes - before == pytest.approx(
        more * (install_plan.INSTALLED["cpu"] * install_plan.SPARE + 1), abs=2
    )
    assert (estimated.download_bytes, estimated.variant, estimated.python) == (0, "cpu", locks.dotted(HERE))


def test_what_is_in_the_folder_but_not_in_the_lock_counts_for_nothing(
    tmp_path: Path, wheels: Path, locked: Path
) -> None:
    before = install_plan.estimate_need(tmp_path, tmp_path, wheels)
    make_wheel(wheels, "scipy", size_bytes=5_000_000)
    make_wheel(wheels, "peft", version="2.0", size_bytes=5_000_000)
    assert install_plan.estimate_need(tmp_path, tmp_path, wheels).room_bytes == before.room_bytes


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip at all"])
def test_a_wheel_that_is_damaged_is_named(tmp_path: Path, wheels: Path, content: bytes) -> None:
    (wheels / "accelerate-1.0-py3-none-any.whl").write_bytes(content)
    with pytest.raises(AppError, match="training_wheel_damaged") as caught:
        install_plan.estimate_need(tmp_path, tmp_path, wheels)
    assert caught.value.facts["package"] == "accelerate==1.0"


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(("folder", "code"), [("empty", "wheels_none"), ("none", "wheels_folder_missing")])
def test_a_folder_without_wheels_and_one_that_is_not_there_are_told_apart(
    tmp_path: Path, folder: str, code: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AppError, match=code):
        install_plan.estimate_need(tmp_path, tmp_path, tmp_path / folder)


@pytest.mark.parametrize(
    ("gpus", "variant"),
    [
        ((), "cpu"),
        ((Gpu("Intel"), Gpu("AMD")), "cpu"),
        ((Gpu("Tesla T4", 16 << 30),), "cuda"),
        ((Gpu("NVIDIA"),), "cuda"),
    ],
)
def test_with_a_card_of_nvidia_it_is_the_variant_with_cuda(
    tmp_path: Path,
    wheels: Path,
    locked: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpus: tuple[Gpu, ...],
    variant: str,
) -> None:
    write_lock(locked, wheels, "cuda")
    monkeypatch.setattr(machine, "list_gpus", lambda: gpus)
    estimated = install_plan.estimate_need(tmp_path, tmp_path, None)
    assert (estimated.variant, estimated.lacks_cuda) == (variant, False)
    size = sum(path.stat().st_size for path in wheels.iterdir())
    assert estimated.download_bytes == size
    assert estimated.room_bytes > size * (1 + install_plan.INSTALLED[variant])
    assert install_plan.estimate_need(tmp_path, tmp_path, None, "cpu").variant == "cpu"


@pytest.mark.usefixtures("locked")
def test_a_card_that_no_lock_has_cuda_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "list_gpus", lambda: (Gpu("NVIDIA"),))
    estimated = install_plan.estimate_need(tmp_path, tmp_path, None)
    assert (estimated.variant, estimated.lacks_cuda) == ("cpu", True)
    assert not install_plan.estimate_need(tmp_path, tmp_path, None, "cpu").lacks_cuda  # somebody has chosen it
    with pytest.raises(AppError, match="training_no_lock") as caught:
        install_plan.estimate_need(tmp_path, tmp_path, None, "cuda")
    assert caught.value.facts["have"] == f"--variant cpu --python-version {locks.dotted(HERE)}"


def test_a_folder_decides_by_what_it_holds(tmp_path: Path, wheels: Path, locked: Path) -> None:
    make_wheel(wheels, "torch", version="2.0")
    (wheels / "torch-1.0-py3-none-any.whl").rename(tmp_path / "torch-1.0-py3-none-any.whl")
    write_lock(locked, wheels, "cuda")
    assert install_plan.estimate_need(tmp_path, tmp_path, wheels).variant == "cuda"
    with pytest.raises(AppError, match="training_wheel_missing") as caught:
        install_plan.estimate_need(tmp_path, tmp_path, wheels, "cpu")
    assert caught.value.facts["package"] == "torch==1.0"


def test_without_a_python_that_has_a_lock_offline_it_is_said_and_online_one_is_fetched(
    tmp_path: Path, wheels: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in locked.iterdir():
        path.unlink()
    write_lock(locked, wheels, python=(3, 99))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(AppError, match="no_base_python") as caught:
        install_plan.estimate_need(tmp_path, tmp_path, wheels)
    assert caught.value.facts == {"versions": "3.99", "newest": "3.99"}
    estimated = install_plan.estimate_need(tmp_path, tmp_path, None)
    assert (estimated.fetches_python, estimated.python) == (True, "3.99")
    assert estimated.room_bytes > install_plan.PYTHON_BYTES


def test_what_was_fetched_before_needs_no_room_again(tmp_path: Path) -> None:
    where = EnvironmentFolders(tmp_path)
    where.wheels.mkdir(parents=True)
    free = shutil.disk_usage(tmp_path).free
    with pytest.raises(AppError, match="drive_space"):
        install_plan.require_room(where, InstallNeed(free + 10 * GB, 40 * GB, free))
    with (where.wheels / "torch").open("wb") as file:
        file.truncate(30 * GB)  # holes take no room
    install_plan.require_room(where, InstallNeed(free + 10 * GB, 40 * GB, free))
