"""Whether somebody works in a folder, as whoever lists folders sees it."""

import sys
import threading
import time
from pathlib import Path

import pytest

from app.base.files import work_folder


@pytest.mark.fault("F7")
def test_a_lock_is_seen_as_long_as_it_is_held(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not work_folder.is_locked(path)
    held = work_folder.acquire_lock(path)
    assert work_folder.is_locked(path)
    held.release()
    assert not work_folder.is_locked(path)


@pytest.mark.fault("F7")
def test_a_look_does_not_wait_for_who_holds_the_lock(tmp_path: Path) -> None:
    """A list of many runs is looked through while the window waits."""
    held = work_folder.acquire_lock(tmp_path / "lock")
    took_s = []
    for _ in range(20):
        began = time.perf_counter()
        assert work_folder.is_locked(tmp_path / "lock")
        took_s.append(time.perf_counter() - began)
    held.release()
    assert min(took_s) < 0.02


@pytest.mark.skipif(sys.platform == "win32", reason="there a look holds the lock")
@pytest.mark.fault("F7")
def test_those_who_look_at_once_do_not_take_each_other_for_work(tmp_path: Path) -> None:
    path, seen = tmp_path / "lock", list[bool]()
    work_folder.acquire_lock(path).release()

    def look() -> None:
        seen.extend(work_folder.is_locked(path) for _ in range(200))

    lookers = [threading.Thread(target=look) for _ in range(8)]
    for looker in lookers:
        looker.start()
    for looker in lookers:
        looker.join()
    assert len(seen) == 1600
    assert not any(seen)
    work_folder.acquire_lock(path).release()


@pytest.mark.skipif(sys.platform == "win32", reason="rights")
@pytest.mark.fault("F7")
def test_a_lock_that_may_only_be_read_is_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    held = work_folder.acquire_lock(path)
    path.chmod(0o400)
    assert work_folder.is_locked(path)
    held.release()
    assert not work_folder.is_locked(path)
