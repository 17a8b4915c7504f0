"""The room that making the training environment takes, told before anything is made, and what would be installed."""

import functools
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app.base.errors import AppError
from app.inference import machine
from app.inference.machine import Gpu
from app.models import package_locks as locks
from app.training.environment import install_plan
from app.training.environment.folders import EnvironmentFolders
from app.training.environment.install_plan import InstallNeed
from tests.training.driver import code_of, refused
from tests.wheelhouse import make_wheel, make_wheels, write_lock

GB = 1_000_000_000
HERE = sys.version_info[:2]
Estimate = Callable[..., InstallNeed]


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    return make_wheels(tmp_path / "wheels")


@pytest.fixture
def estimate(tmp_path: Path) -> Estimate:
    return functools.partial(install_plan.estimate_need, tmp_path, tmp_path)


@pytest.fixture
def locked(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_lock(tmp_path / "locked", wheels)
    monkeypatch.setattr(locks, "folder", lambda: folder)
    monkeypatch.setattr(machine, "list_gpus", lambda: ())
    return folder


def test_offline_the_room_is_that_of_the_files_and_their_copies(estimate: Estimate, wheels: Path, locked: Path) -> None:
    before = estimate(wheels).room_bytes
    more = make_wheel(wheels, "transformers", version="9.0", size_bytes=500_000).stat().st_size
    write_lock(locked, wheels)
    estimated = estimate(wheels)
    assert estimated.room_bytes - before == pytest.approx(
        more * (install_plan.INSTALLED["cpu"] * install_plan.SPARE + 1), abs=2
    )
    assert (estimated.download_bytes, estimated.variant, estimated.python) == (0, "cpu", locks.dotted(HERE))


def test_what_is_in_the_folder_but_not_in_the_lock_counts_for_nothing(
    estimate: Estimate, wheels: Path, locked: Path
) -> None:
    before = estimate(wheels)
    make_wheel(wheels, "scipy", size_bytes=5_000_000)
    make_wheel(wheels, "peft", version="2.0", size_bytes=5_000_000)
    assert estimate(wheels).room_bytes == before.room_bytes


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip at all"])
def test_a_wheel_that_is_damaged_is_named(estimate: Estimate, wheels: Path, content: bytes) -> None:
    (wheels / "accelerate-1.0-py3-none-any.whl").write_bytes(content)
    error = refused(estimate, wheels)
    assert (error.code, error.facts["package"]) == ("training_wheel_damaged", "accelerate==1.0")


@pytest.mark.usefixtures("locked")
@pytest.mark.parametrize(("folder", "code"), [("empty", "wheels_none"), ("none", "wheels_folder_missing")])
def test_a_folder_without_wheels_and_one_that_is_not_there_are_told_apart(
    estimate: Estimate, tmp_path: Path, folder: str, code: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AppError, match=code):
        estimate(tmp_path / folder)


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
    estimate: Estimate, wheels: Path, locked: Path, monkeypatch: pytest.MonkeyPatch, gpus: tuple[Gpu, ...], variant: str
) -> None:
    write_lock(locked, wheels, "cuda")
    monkeypatch.setattr(machine, "list_gpus", lambda: gpus)
    estimated = estimate(None)
    assert (estimated.variant, estimated.lacks_cuda) == (variant, False)
    size = sum(path.stat().st_size for path in wheels.iterdir())
    assert estimated.download_bytes == size
    assert estimated.room_bytes > size * (1 + install_plan.INSTALLED[variant])
    assert estimate(None, "cpu").variant == "cpu"


@pytest.mark.usefixtures("locked")
def test_a_card_that_no_lock_has_cuda_for_is_told(estimate: Estimate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "list_gpus", lambda: (Gpu("NVIDIA"),))
    estimated = estimate(None)
    assert (estimated.variant, estimated.lacks_cuda) == ("cpu", True)
    assert not estimate(None, "cpu").lacks_cuda  # somebody has chosen it
    error = refused(estimate, None, "cuda")
    assert (error.code, error.facts["have"]) == (
        "training_no_lock",
        f"--variant cpu --python-version {locks.dotted(HERE)}",
    )


def test_a_folder_decides_by_what_it_holds(estimate: Estimate, tmp_path: Path, wheels: Path, locked: Path) -> None:
    make_wheel(wheels, "torch", version="2.0")
    (wheels / "torch-1.0-py3-none-any.whl").rename(tmp_path / "torch-1.0-py3-none-any.whl")
    write_lock(locked, wheels, "cuda")
    assert estimate(wheels).variant == "cuda"
    error = refused(estimate, wheels, "cpu")
    assert (error.code, error.facts["package"]) == ("training_wheel_missing", "torch==1.0")


def test_without_a_python_that_has_a_lock_offline_it_is_said_and_online_one_is_fetched(
    estimate: Estimate, wheels: Path, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in locked.iterdir():
        path.unlink()
    write_lock(locked, wheels, python=(3, 99))
    monkeypatch.setenv("PATH", "")
    error = refused(estimate, wheels)
    assert (error.code, error.facts) == ("no_base_python", {"versions": "3.99", "newest": "3.99"})
    estimated = estimate(None)
    assert (estimated.fetches_python, estimated.python) == (True, "3.99")
    assert estimated.room_bytes > install_plan.PYTHON_BYTES


def test_what_was_fetched_before_needs_no_room_again(tmp_path: Path) -> None:
    where = EnvironmentFolders(tmp_path)
    where.wheels.mkdir(parents=True)
    free = shutil.disk_usage(tmp_path).free
    assert code_of(install_plan.require_room, where, InstallNeed(free + 10 * GB, 40 * GB, free)) == "drive_space"
    with (where.wheels / "torch").open("wb") as file:
        file.truncate(30 * GB)  # holes take no room
    install_plan.require_room(where, InstallNeed(free + 10 * GB, 40 * GB, free))
