"""The room that making the training environment takes, told before anything is made."""

from pathlib import Path

import pytest

from app.core import machine
from app.core.errors import AppError
from app.core.machine import Gpu
from app.core.training_setup import need
from app.core.training_setup.folders import Folders
from app.core.training_setup.need import Need
from tests.wheelhouse import make_wheel

GB = 1_000_000_000


def test_of_each_package_the_largest_wheel_counts(tmp_path: Path) -> None:
    empty = need.unpacked_bytes(make_wheel(tmp_path, "torch").parent)
    make_wheel(tmp_path, "torch", version="2.0", size_bytes=5_000_000)
    make_wheel(tmp_path, "peft", size_bytes=1_000_000)
    assert need.unpacked_bytes(tmp_path) == pytest.approx(6_000_000 + 2 * empty, abs=500)
    estimated = need.estimate(tmp_path, tmp_path)
    assert estimated.download_bytes == 0
    assert estimated.room_bytes > 6_000_000 * need.COMPILED


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"not a zip at all"])
def test_a_wheel_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    make_wheel(tmp_path, "accelerate")
    (tmp_path / "torch-2.13.0-cp311-cp311-win_amd64.whl").write_bytes(content)
    with pytest.raises(AppError, match="wheels_unusable") as caught:
        need.estimate(tmp_path, tmp_path)
    assert caught.value.facts["path"].endswith("torch-2.13.0-cp311-cp311-win_amd64.whl")


@pytest.mark.parametrize(("folder", "code"), [("empty", "wheels_none"), ("none", "wheels_folder_missing")])
def test_a_folder_without_wheels_and_one_that_is_not_there_are_told_apart(
    tmp_path: Path, folder: str, code: str
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AppError, match=code):
        need.estimate(tmp_path, tmp_path / folder)


@pytest.mark.parametrize(
    ("gpus", "installed_bytes"),
    [
        ((), need.CPU_INSTALLED_BYTES),
        ((Gpu("Intel"), Gpu("AMD")), need.CPU_INSTALLED_BYTES),
        ((Gpu("Tesla T4", 16 << 30),), need.CUDA_INSTALLED_BYTES),
        ((Gpu("NVIDIA"),), need.CUDA_INSTALLED_BYTES),
    ],
)
def test_with_a_card_of_nvidia_cuda_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: tuple[Gpu, ...], installed_bytes: int
) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: gpus)
    estimated = need.estimate(tmp_path, None)
    assert estimated.room_bytes == installed_bytes + 2 * estimated.download_bytes


def test_what_was_fetched_before_needs_no_room_again(tmp_path: Path) -> None:
    where = Folders(tmp_path)
    where.cache.mkdir(parents=True)
    free = need.estimate(tmp_path, None).free_bytes
    with pytest.raises(AppError, match="drive_space"):
        need.require_room(where, Need(free + 10 * GB, 40 * GB, free))
    with (where.cache / "torch").open("wb") as file:
        file.truncate(30 * GB)  # holes take no room
    need.require_room(where, Need(free + 10 * GB, 40 * GB, free))
