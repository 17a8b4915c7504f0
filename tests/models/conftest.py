"""Data that several tests of models read: files on a hub, and a disk that is soon full."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.models.downloads.hub import Stored
from tests.models.downloads.shelf import LARGE, gguf


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("small")))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return Stored(gguf(tmp_path_factory.mktemp("large"), LARGE))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a disk of so many MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()

    def mount(mib: int) -> Path:
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("this user cannot mount a small disk")
        return disk

    yield mount
    if disk.is_mount():
        subprocess.run(["umount", "-l", str(disk)], check=True)
